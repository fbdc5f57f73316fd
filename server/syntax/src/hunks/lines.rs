//! A file as lines, and changes of lines as edits of the file.
//!
//! The habit of a last newline is the file's: a change at its end neither adds nor takes one.

use std::ops::Range;

use assist_base::{ByteRange, TextEdit};

use crate::merge::layout::line_ending;

/// A text's lines. A byte-order mark and line endings belong to no line.
pub(super) struct Lines<'t> {
    text: &'t str,
    /// Start and end of each line's content.
    spans: Vec<(usize, usize)>,
}

/// Some lines give way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The lines that go, counted from 0.
    pub lines: Range<usize>,
    /// Those that come, without line endings.
    pub text: Vec<String>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut spans = Vec::with_capacity(text.len() / 24);
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let content =
                line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
            let mark = if start == 0 && content.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
            spans.push((start + mark, start + content.len()));
            start += line.len();
        }
        Self { text, spans }
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    pub(super) fn get(&self, line: usize) -> &'t str {
        self.spans.get(line).map_or("", |&(start, end)| &self.text[start..end])
    }

    pub(super) fn slice(&self, lines: Range<usize>) -> Vec<&'t str> {
        lines.map(|line| self.get(line)).collect()
    }

    /// Where a line begins; behind the last one, where the text ends.
    pub(super) fn start(&self, line: usize) -> usize {
        self.spans.get(line).map_or(self.text.len(), |&(start, _)| start)
    }

    /// Where a line's content ends.
    pub(super) fn end(&self, line: usize) -> usize {
        self.spans.get(line).map_or(self.text.len(), |&(_, end)| end)
    }

    /// The text of lines with their endings.
    pub(super) fn text(&self, lines: Range<usize>) -> &'t str {
        let end = if lines.end >= self.len() { self.text.len() } else { self.start(lines.end) };
        self.text.get(self.start(lines.start)..end).unwrap_or_default()
    }

    /// The line that holds an offset, from 0.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.spans.partition_point(|&(start, _)| start <= offset).saturating_sub(1)
    }

    /// What ends a line; none for the last one of a text without a last newline.
    fn ending(&self, line: usize) -> &'t str {
        let Some(&(_, end)) = self.spans.get(line) else { return "" };
        let next = self.spans.get(line + 1).map_or(self.text.len(), |&(start, _)| start);
        &self.text[end..next]
    }

    /// The changes, which are in order and do not overlap, as edits of the text.
    pub(super) fn edits(&self, changes: Vec<Change>) -> Vec<TextEdit> {
        let mut joined: Vec<Change> = Vec::with_capacity(changes.len());
        for change in changes {
            match joined.last_mut() {
                Some(last) if last.lines.end == change.lines.start => {
                    last.lines.end = change.lines.end;
                    last.text.extend(change.text);
                }
                _ => joined.push(change),
            }
        }
        let most = line_ending(self.text);
        joined.into_iter().map(|change| self.edit(&change, most)).collect()
    }

    fn edit(&self, change: &Change, most: &str) -> TextEdit {
        let Change { lines, text } = change;
        // Where a file mixes line endings, a place keeps its own.
        let near = if lines.is_empty() { lines.start.saturating_sub(1) } else { lines.start };
        let eol = Some(self.ending(near)).filter(|eol| !eol.is_empty()).unwrap_or(most);
        let mut range = ByteRange::new(self.start(lines.start), self.start(lines.end));
        let mut new: String = text.iter().flat_map(|line| [line.as_str(), eol]).collect();
        let unended = self.len() > 0 && self.ending(self.len() - 1).is_empty();
        if lines.end >= self.len() && unended {
            if lines.is_empty() {
                new.insert_str(0, eol);
            } else if text.is_empty() && lines.start > 0 {
                range.start -= self.ending(lines.start - 1).len();
            }
            if !text.is_empty() {
                new.truncate(new.len() - eol.len());
            }
        }
        TextEdit { range, text: new }
    }
}
