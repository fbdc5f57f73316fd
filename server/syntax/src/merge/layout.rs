//! Lines of a file: its endings, and where a line begins and ends.

use std::borrow::Cow;

/// What ends most of the lines of a text; `\n` where there is none.
pub(crate) fn line_ending(text: &str) -> &'static str {
    let lines = text.bytes().filter(|&byte| byte == b'\n').count();
    let windows = text.matches("\r\n").count();
    if windows * 2 > lines { "\r\n" } else { "\n" }
}

/// Text that has `\n` endings, with others.
pub(super) fn with_line_ending<'t>(text: &'t str, eol: &str) -> Cow<'t, str> {
    if eol == "\n" || !text.contains('\n') { text.into() } else { text.replace('\n', eol).into() }
}

/// Where the line that holds `offset` begins.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

/// Where the line that holds `offset` ends, before its line ending.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    if end > offset && text.as_bytes()[end - 1] == b'\r' { end - 1 } else { end }
}

/// One past the line ending of the line that holds `offset`.
pub(super) fn next_line(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |at| offset + at + 1)
}

/// The white space a line begins with.
pub(crate) fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}
