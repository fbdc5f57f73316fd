//! The edits made to an open document, and how spans move with them.

use std::collections::VecDeque;

use assist_base::{ByteRange, ContentHash, Revision};
use ropey::Rope;

/// How many edits are kept. A run lives for minutes; nobody types more in that time.
pub const KEPT: usize = 16 * 1024;
/// How many revisions that were handed out are kept.
const KNOWN: usize = 256;

/// One edit: what it replaced, in bytes of the text before it, and how much took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that went.
    pub replaced: ByteRange,
    /// How many came.
    pub inserted: usize,
}

/// Where a span is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Untouched, here.
    Moved(ByteRange),
    /// Edited; its outer edges are here, if the edits since are all known.
    Touched(Option<ByteRange>),
}

/// The last edits of a document.
#[derive(Debug, Default)]
pub struct History {
    edits: VecDeque<Edit>,
    /// How many edits there were before those kept.
    forgotten: u64,
    /// Texts that someone holds a revision of: version, hash, and how many edits led to it.
    known: VecDeque<(i64, ContentHash, u64)>,
}

impl History {
    pub fn new() -> Self {
        Self::default()
    }

    /// How many edits there were in all.
    pub fn seq(&self) -> u64 {
        self.forgotten + self.edits.len() as u64
    }

    pub fn push(&mut self, edit: Edit) {
        if self.edits.len() == KEPT {
            self.edits.pop_front();
            self.forgotten += 1;
        }
        self.edits.push_back(edit);
    }

    /// Remembers that the text after `seq` edits was handed out under this name.
    pub fn remember(&mut self, version: i64, hash: &ContentHash, seq: u64) {
        if self.known.iter().any(|(v, h, s)| *v == version && h == hash && *s == seq) {
            return;
        }
        if self.known.len() == KNOWN {
            self.known.pop_front();
        }
        self.known.push_back((version, hash.clone(), seq));
    }

    /// After how many edits the text was `base`: the latest, where it was so more than once.
    pub fn find(&self, base: &Revision) -> Option<u64> {
        let same = |entry: &&(i64, ContentHash, u64)| entry.0 == base.version && entry.1 == base.hash;
        self.known.iter().rev().find(same).map(|entry| entry.2)
    }

    /// Where `span` of the text after `seq` edits is now.
    pub fn follow(&self, span: ByteRange, seq: u64) -> Followed {
        let Some(skip) = seq.checked_sub(self.forgotten) else { return Followed::Touched(None) };
        let edits = self.edits.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX));
        follow(span, edits)
    }
}

fn follow<'e>(span: ByteRange, edits: impl Iterator<Item = &'e Edit>) -> Followed {
    let ByteRange { mut start, mut end } = span;
    let mut touched = false;
    for edit in edits {
        let ByteRange { start: from, end: to } = edit.replaced;
        let moved = |at: usize| at - to + from + edit.inserted;
        if to <= start && !(edit.replaced.is_empty() && ByteRange::new(start, end).touches(edit.replaced)) {
            (start, end) = (moved(start), moved(end));
        } else if from < end || ByteRange::new(start, end).touches(edit.replaced) {
            touched = true;
            start = start.min(from);
            end = moved(end.max(to));
        }
    }
    let span = ByteRange::new(start, end);
    if touched { Followed::Touched(Some(span)) } else { Followed::Moved(span) }
}

/// How many bytes at the beginning and at the end of `span` the replacement leaves as they are.
pub fn common(rope: &Rope, span: ByteRange, text: &str) -> (usize, usize) {
    if span.is_empty() || text.is_empty() {
        return (0, 0);
    }
    let shorter = span.len().min(text.len());
    let forwards = rope.bytes_at(span.start).zip(text.bytes());
    let mut prefix = forwards.take(shorter).take_while(|(a, b)| a == b).count();
    while !text.is_char_boundary(prefix) {
        prefix -= 1;
    }
    let backwards = rope.bytes_at(span.end).reversed().zip(text.bytes().rev());
    let mut suffix = backwards.take(shorter - prefix).take_while(|(a, b)| a == b).count();
    while !text.is_char_boundary(text.len() - suffix) {
        suffix -= 1;
    }
    (prefix, suffix)
}
