//! Cuts a byte stream into frames: events of a `text/event-stream`, or lines of JSON.
//!
//! Any chunking gives the same frames, also inside a character or between CR and LF, since lines are cut at ASCII bytes
//! only. An event that the stream ends in the middle of is still handed out: some servers leave out the last blank
//! line, and whether its data is whole is for the decoder to say. A line without end is refused.

use std::collections::VecDeque;

/// How a provider frames its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events (WHATWG HTML, section 9.2).
    Sse,
    /// One JSON value a line.
    JsonLines,
}

/// One event, or one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The event's name, empty where it has none.
    pub event: String,
    /// Its data lines, joined by newlines.
    pub data: String,
}

/// A line or event is longer than any provider sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// No provider sends events near this size; a stream without line breaks must not fill the memory.
const MAX_FRAME_BYTES: usize = 8 * 1024 * 1024;

/// The cutter.
#[derive(Debug)]
pub(crate) struct Frames {
    framing: Framing,
    line: Vec<u8>,
    after_cr: bool,
    first_line: bool,
    event: String,
    data: Option<String>,
    ready: VecDeque<Frame>,
}

impl Frames {
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            framing,
            line: Vec::new(),
            after_cr: false,
            first_line: true,
            event: String::new(),
            data: None,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.keep(bytes)?;
                return Ok(());
            };
            self.keep(&bytes[..end])?;
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line()?;
        }
        Ok(())
    }

    /// The stream has ended: hands out what was not closed.
    pub(crate) fn finish(&mut self) -> Result<(), TooLong> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.end_event();
        Ok(())
    }

    /// The next frame, if one is complete.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > MAX_FRAME_BYTES {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), TooLong> {
        let bytes = std::mem::take(&mut self.line);
        let mut line: &[u8] = &bytes;
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        let outcome = self.take_line(&String::from_utf8_lossy(line));
        // The buffer is kept for the next line, so that a long stream does not allocate for each.
        self.line = bytes;
        self.line.clear();
        outcome
    }

    fn take_line(&mut self, line: &str) -> Result<(), TooLong> {
        if self.framing == Framing::JsonLines {
            if !line.trim().is_empty() {
                self.ready.push_back(Frame { event: String::new(), data: line.to_owned() });
            }
            return Ok(());
        }
        if line.is_empty() {
            self.end_event();
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                Some(data) if data.len() + value.len() > MAX_FRAME_BYTES => return Err(TooLong),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // A comment (empty field), `id`, `retry`, or something that is not for us.
            _ => {}
        }
        Ok(())
    }

    fn end_event(&mut self) {
        let event = std::mem::take(&mut self.event);
        if let Some(data) = self.data.take() {
            self.ready.push_back(Frame { event, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(framing: Framing, bytes: &[u8], size: usize) -> Vec<(String, String)> {
        let mut frames = Frames::new(framing);
        for chunk in bytes.chunks(size) {
            frames.push(chunk).unwrap();
        }
        frames.finish().unwrap();
        std::iter::from_fn(|| frames.next()).map(|frame| (frame.event, frame.data)).collect()
    }

    fn pair(event: &str, data: &str) -> (String, String) {
        (event.to_owned(), data.to_owned())
    }

    #[test]
    fn any_chunking_and_any_line_end_give_the_same_events() {
        let expected = vec![pair("a", "1é😀"), pair("", "x\ny"), pair("", "")];
        let text =
            ": hello\n\nevent: a\ndata: 1é😀\n\n:ping\ndata: x\ndata:y\nid: 4\n\nevent: lost\n\ndata\n\n";
        for ends in ["\n", "\r\n", "\r"] {
            let text = format!("\u{feff}{}", text.replace('\n', ends));
            for size in 1..=text.len() {
                assert_eq!(cut(Framing::Sse, text.as_bytes(), size), expected, "{ends:?} {size}");
            }
        }
    }

    #[test]
    fn an_event_without_its_blank_line_is_not_lost() {
        assert_eq!(cut(Framing::Sse, b"data: [DONE]", 1), [pair("", "[DONE]")]);
        assert_eq!(cut(Framing::Sse, b"data: 1\r\n", 3), [pair("", "1")]);
    }

    #[test]
    fn lines_of_json_are_frames() {
        assert_eq!(cut(Framing::JsonLines, b"{}\r\n\n[1]", 1), [pair("", "{}"), pair("", "[1]")]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut frames = Frames::new(Framing::Sse);
        let chunk = vec![b'x'; MAX_FRAME_BYTES];
        assert_eq!(frames.push(&chunk), Ok(()));
        assert_eq!(frames.push(b"x"), Err(TooLong));
    }

    #[test]
    fn bytes_that_are_not_text_do_no_harm() {
        assert_eq!(cut(Framing::Sse, b"data: \xff\xfe\n\n", 1), [pair("", "\u{fffd}\u{fffd}")]);
    }
}
