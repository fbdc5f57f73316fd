//! A span of text.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A half-open span of UTF-8 bytes, `start <= end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ByteRange {
    /// First byte of the span.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

impl ByteRange {
    /// A span. Swapped ends are put in order.
    pub fn new(start: usize, end: usize) -> Self {
        if start <= end { Self { start, end } } else { Self { start: end, end: start } }
    }

    /// An empty span: a place between two bytes.
    pub fn at(offset: usize) -> Self {
        Self { start: offset, end: offset }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether the span covers nothing.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether an edit of `other` could change what this span holds: they share a byte, or one lies strictly within.
    pub fn touches(&self, other: ByteRange) -> bool {
        if self.is_empty() || other.is_empty() {
            return self.start < other.end && other.start < self.end
                || (self.is_empty() && other.is_empty() && self.start == other.start);
        }
        self.start < other.end && other.start < self.end
    }

    /// The text of this span, or `None` where it does not lie on character boundaries of `text`.
    pub fn of<'t>(&self, text: &'t str) -> Option<&'t str> {
        text.get(self.start..self.end)
    }

    /// As a standard range, for indexing.
    pub fn as_range(&self) -> Range<usize> {
        self.start..self.end
    }
}

impl From<Range<usize>> for ByteRange {
    fn from(range: Range<usize>) -> Self {
        Self::new(range.start, range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::ByteRange;

    #[test]
    fn neighbours_do_not_touch() {
        let target = ByteRange::new(10, 20);
        for (other, touches) in [
            (ByteRange::new(0, 10), false),
            (ByteRange::new(20, 30), false),
            (ByteRange::new(0, 11), true),
            (ByteRange::new(19, 30), true),
            (ByteRange::at(10), false),
            (ByteRange::at(15), true),
            (ByteRange::at(20), false),
        ] {
            assert_eq!(target.touches(other), touches, "{other:?}");
            assert_eq!(other.touches(target), touches, "{other:?}");
        }
    }
}
