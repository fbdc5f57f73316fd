//! A component that takes the place of a selection.

use assist_base::{ByteRange, TextEdit};

use super::layout::{indentation, line_end, line_ending, line_start, next_line, with_line_ending};
use super::project::Project;
use super::{How, PlaceError, Placement, finish, imports, indent};
use crate::languages::Language;

pub(super) fn place(
    before: &str,
    language: Option<Language>,
    code: &str,
    range: ByteRange,
    project: &Project,
) -> Result<Placement, PlaceError> {
    if range.of(before).is_none() {
        return Err(PlaceError::OutOfText { start: range.start, end: range.end });
    }
    let eol = line_ending(before);
    let hoisted = language
        .and_then(|language| imports::hoist(before, code, language, Some(range), "", project))
        .transpose()?;
    // Where the file's imports end within the selection, those of the code stay with it.
    let hoisted = hoisted.filter(|hoisted| {
        let inside = |edit: &TextEdit| range.start < edit.range.start && edit.range.start <= range.end;
        !hoisted.edits.iter().any(inside)
    });
    let (code, mut edits) = match &hoisted {
        Some(hoisted) => (hoisted.rest.as_str(), hoisted.edits.clone()),
        None => (code, Vec::new()),
    };
    let whole = whole_lines(before, range);
    let (range, text) = match whole {
        Some(lines) => (lines.range, lines.text(before, code, language, eol)),
        None => (range, inline(before, code, range, language)),
    };
    let text = with_line_ending(&text, eol).into_owned();
    let at = edits.partition_point(|edit| edit.range.start <= range.start);
    edits.insert(at, TextEdit { range, text });
    finish(before, edits, at, How::ReplacedSelection)
}

/// A selection of whole lines.
struct Lines {
    /// From the first column of the first line.
    range: ByteRange,
    /// It goes on to the first column of the line after, so its last line's ending belongs to it.
    with_ending: bool,
}

/// The selection as lines, where it holds nothing but white space beside whole lines. Editors differ in where such a
/// selection ends: on the last character, or in column 0 of the next line.
fn whole_lines(before: &str, range: ByteRange) -> Option<Lines> {
    let start = line_start(before, range.start);
    if !before[start..range.start].trim().is_empty() {
        return None;
    }
    let at_line_start = range.end == line_start(before, range.end);
    if range.is_empty() {
        let end = line_end(before, range.end);
        if before[range.start..end].trim().is_empty() {
            // A blank line, or the end of the file.
            let at_end = at_line_start && range.start == before.len();
            return Some(Lines { range: ByteRange::new(start, end), with_ending: at_end });
        }
        return (start == range.start).then_some(Lines { range, with_ending: true });
    }
    if at_line_start && range.end > start && before[..range.end].ends_with('\n') {
        return Some(Lines { range: ByteRange::new(start, range.end), with_ending: true });
    }
    let end = line_end(before, range.end);
    before[range.end..end]
        .trim()
        .is_empty()
        .then_some(Lines { range: ByteRange::new(start, end), with_ending: false })
}

impl Lines {
    fn text(&self, before: &str, code: &str, language: Option<Language>, eol: &str) -> String {
        if code.is_empty() {
            return String::new();
        }
        let selected = self.range.of(before).unwrap_or_default();
        let shown = selected.lines().find(|line| !line.trim().is_empty());
        let place = shown.map_or_else(|| place_of_blank(before, self.range), indentation);
        let mut text = indent::fit(code, place, indent::unit_at(before, self.range, language), language);
        if self.with_ending {
            // The ending is made `\n` here and turned into the file's own with the rest.
            debug_assert!(matches!(eol, "\n" | "\r\n"));
            text.push('\n');
        }
        text
    }
}

/// The indentation of a place with no text of its own: its own white space, else that of the line below or above.
fn place_of_blank(before: &str, range: ByteRange) -> &str {
    let own = indentation(&before[range.start..]);
    let own = &own[..own.len().min(range.len())];
    if !own.is_empty() {
        return own;
    }
    let below = before[next_line(before, range.end)..].lines();
    let here = before[range.end..].lines().take(1);
    let shown = |line: &&str| !line.trim().is_empty();
    let below = here.chain(below).find(shown).map(indentation);
    let above = before[..range.start].lines().rev().find(shown).map(indentation);
    // Between a line that opens a block and one that closes it the deeper one counts.
    match (above, below) {
        (Some(above), Some(below)) => {
            if above.len() > below.len() {
                above
            } else {
                below
            }
        }
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "",
    }
}

/// Code in the middle of a line: without white space around it, further lines moved to the line's indentation where the
/// model wrote them further left.
fn inline(before: &str, code: &str, range: ByteRange, language: Option<Language>) -> String {
    let code = code.trim();
    let Some((first, rest)) = code.split_once('\n') else { return code.to_owned() };
    let place = indentation(&before[line_start(before, range.start)..]);
    let least = rest.lines().filter(|line| !line.trim().is_empty()).map(|line| indentation(line).len()).min();
    if least.is_none_or(|least| least >= place.len()) {
        return code.to_owned();
    }
    // The last line closes what the first opened, so it is what stands at the line's own indentation.
    let anchor = rest.lines().rfind(|line| !line.trim().is_empty()).map_or("", indentation);
    let mut text = String::with_capacity(code.len() + 64);
    text.push_str(first);
    let moved = indent::shift(rest, anchor, place, first, language);
    text.push('\n');
    text.push_str(&moved);
    text
}
