//! The base protocol's framing: `Content-Length` headers and bodies.
//!
//! Laws: a header is at most [`MAX_HEADER`] bytes and a body at most [`MAX_BODY`]; what breaks them is reported and
//! skipped, never fatal. After a header that cannot be read the next `Content-Length:` in the stream is looked for, since
//! nothing else says where the following message begins. Reading is cancel-safe: what was read stays in the reader.

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest header block.
pub const MAX_HEADER: usize = 8 * 1024;
/// The longest body.
pub const MAX_BODY: u64 = 64 * 1024 * 1024;

const READ_AHEAD: usize = 64 * 1024;
const KEY: &[u8] = b"content-length:";

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A body, as yet unparsed.
    Body(Bytes),
    /// A body of more than [`MAX_BODY`] bytes, which is being skipped.
    TooLarge(u64),
    /// A header that says nothing of use; the stream is being searched for the next one.
    BadHeader,
}

/// Splits a byte stream into bodies.
#[derive(Debug)]
pub struct FrameReader<R> {
    input: R,
    buffer: BytesMut,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a header. `scanned` bytes of the buffer hold no end of it.
    Header { scanned: usize },
    /// In a body of this length.
    Body(usize),
    /// In a body that is thrown away.
    Skip(u64),
    /// Looking for a header.
    Search,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader over `input`.
    pub fn new(input: R) -> Self {
        Self { input, buffer: BytesMut::new(), state: State::Header { scanned: 0 } }
    }

    /// The next frame, or `None` at the end of the stream. A frame that the stream's end cuts off is dropped.
    ///
    /// # Errors
    /// What reading `input` gives.
    pub async fn next(&mut self) -> std::io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take() {
                return Ok(Some(frame));
            }
            let wanted = match self.state {
                State::Body(length) => length.saturating_sub(self.buffer.len()).clamp(READ_AHEAD, 1 << 20),
                _ => READ_AHEAD,
            };
            self.buffer.reserve(wanted);
            if self.input.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// A frame from what is buffered.
    fn take(&mut self) -> Option<Frame> {
        loop {
            match self.state {
                State::Header { scanned } => match end_of_header(&self.buffer, scanned) {
                    Some(end) if end <= MAX_HEADER => {
                        let length = content_length(&self.buffer[..end]);
                        self.buffer.advance(end);
                        match length {
                            Some(length) if length <= MAX_BODY => {
                                // Fits: MAX_BODY is far below what 32 bits hold.
                                self.state = State::Body(usize::try_from(length).unwrap_or(usize::MAX));
                            }
                            Some(length) => {
                                self.state = State::Skip(length);
                                return Some(Frame::TooLarge(length));
                            }
                            None => {
                                self.state = State::Search;
                                return Some(Frame::BadHeader);
                            }
                        }
                    }
                    None if self.buffer.len() <= MAX_HEADER => {
                        self.state = State::Header { scanned: self.buffer.len() };
                        return None;
                    }
                    _ => {
                        // The search must not find the beginning of the very header that was refused.
                        self.buffer.advance(1);
                        self.state = State::Search;
                        return Some(Frame::BadHeader);
                    }
                },
                State::Body(length) => {
                    if self.buffer.len() < length {
                        return None;
                    }
                    self.state = State::Header { scanned: 0 };
                    return Some(Frame::Body(self.buffer.split_to(length).freeze()));
                }
                State::Skip(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                    self.buffer.advance(here);
                    let left = left - here as u64;
                    if left > 0 {
                        self.state = State::Skip(left);
                        return None;
                    }
                    self.state = State::Header { scanned: 0 };
                }
                State::Search => match find_key(&self.buffer) {
                    Some(at) => {
                        self.buffer.advance(at);
                        self.state = State::Header { scanned: 0 };
                    }
                    None => {
                        let keep = self.buffer.len().min(KEY.len() - 1);
                        self.buffer.advance(self.buffer.len() - keep);
                        return None;
                    }
                },
            }
        }
    }
}

/// One past the blank line that ends the header. Lines may end in `\n` alone.
fn end_of_header(buffer: &[u8], scanned: usize) -> Option<usize> {
    let from = scanned.saturating_sub(3);
    let mut at = from;
    while let Some(newline) = buffer[at..].iter().position(|&b| b == b'\n').map(|i| at + i) {
        match &buffer[newline + 1..] {
            [b'\n', ..] => return Some(newline + 2),
            [b'\r', b'\n', ..] => return Some(newline + 3),
            _ => at = newline + 1,
        }
    }
    None
}

/// The length that a header block gives, if it gives exactly one.
fn content_length(header: &[u8]) -> Option<u64> {
    let mut length = None;
    for line in std::str::from_utf8(header).ok()?.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':')?;
        if name.trim().eq_ignore_ascii_case("content-length") {
            let digits = value.trim();
            if length.is_some() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            length = Some(digits.parse().ok()?);
        }
    }
    length
}

fn find_key(buffer: &[u8]) -> Option<usize> {
    buffer.windows(KEY.len()).position(|window| window.eq_ignore_ascii_case(KEY))
}

#[cfg(test)]
mod tests;
