//! What a command printed: streamed in chunks, and kept up to a cap.

use std::collections::VecDeque;

/// Where a chunk came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A piece of output as it came. Bytes that are not UTF-8 are replaced; no character is split between chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// From which stream.
    pub stream: Stream,
    /// The text.
    pub text: String,
}

/// The output that was kept: its beginning and its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Both streams in the order they were read, with a line that says how much is missing where something is.
    pub text: String,
    /// Standard output alone, for programs that print data there; cut off like `text`.
    pub out: String,
    /// Bytes of both streams that were dropped between the beginning and the end.
    pub dropped: u64,
}

/// Keeps the first and the last half of at most `cap` bytes.
#[derive(Debug)]
pub(super) struct Kept {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Kept {
    pub(super) fn new(cap: usize) -> Self {
        Self { half: (cap / 2).max(1), head: Vec::new(), tail: VecDeque::new(), dropped: 0 }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        let room = self.half - self.head.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(first);
        bytes = rest;
        // Only the last half can stay.
        let surplus = (self.tail.len() + bytes.len()).saturating_sub(self.half);
        self.dropped += surplus as u64;
        let from_tail = surplus.min(self.tail.len());
        self.tail.drain(..from_tail);
        self.tail.extend(&bytes[surplus - from_tail..]);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The text, and the line about what is missing.
    pub(super) fn text(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        if self.dropped == 0 {
            // The two halves may share a character.
            return String::from_utf8_lossy(&[self.head.as_slice(), &tail].concat()).into_owned();
        }
        let (head, tail) = (String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&tail));
        format!("{head}\n[… {} bytes left out …]\n{tail}", self.dropped)
    }
}

/// Turns bytes into text without splitting characters.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    carried: Vec<u8>,
}

impl Decoder {
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.carried.extend_from_slice(bytes);
        // The start of a character at the very end waits for the rest: at most three bytes.
        let whole = match std::str::from_utf8(&self.carried) {
            Ok(_) => self.carried.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => {
                let cut = self.carried.len().saturating_sub(3);
                (cut..self.carried.len())
                    .find(|&at| matches!(std::str::from_utf8(&self.carried[at..]), Err(e) if e.error_len().is_none() && e.valid_up_to() == 0))
                    .unwrap_or(self.carried.len())
            }
        };
        let rest = self.carried.split_off(whole);
        let text = String::from_utf8_lossy(&self.carried).into_owned();
        self.carried = rest;
        text
    }

    pub(super) fn finish(self) -> String {
        String::from_utf8_lossy(&self.carried).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_stay_and_the_rest_is_counted() {
        let mut kept = Kept::new(10);
        for chunk in ["abc", "defgh", "ijklmnop", "q"] {
            kept.push(chunk.as_bytes());
        }
        assert_eq!(kept.dropped(), 7);
        assert_eq!(kept.text(), "abcde\n[… 7 bytes left out …]\nmnopq");
        let mut small = Kept::new(10);
        small.push("aéb".repeat(2).as_bytes());
        assert_eq!((small.text().as_str(), small.dropped()), ("aébaéb", 0));
        let mut at_once = Kept::new(4);
        at_once.push(&[b'x'; 1000]);
        assert_eq!(at_once.dropped(), 996);
    }

    #[test]
    fn no_character_is_split_and_nonsense_does_not_hold_up() {
        let mut decoder = Decoder::default();
        let mut text = String::new();
        for byte in "é→😀x".as_bytes() {
            text += &decoder.push(&[*byte]);
        }
        assert_eq!(text, "é→😀x");
        assert_eq!(decoder.push(b"\xff\xffab"), "\u{fffd}\u{fffd}ab");
        assert_eq!(decoder.push(b"\xf0\x9f"), "");
        assert_eq!(decoder.finish(), "\u{fffd}");
    }
}
