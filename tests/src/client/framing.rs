//! `Content-Length` framing, by hand: tests need the wrong bytes too.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A message as it goes over the pipe.
pub fn frame(message: &Value) -> Vec<u8> {
    frame_body(message.to_string().as_bytes())
}

/// Any body with the right header.
pub fn frame_body(body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend(body);
    bytes
}

fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads messages off a pipe.
pub(super) struct Frames<R> {
    reader: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new() }
    }

    /// The next message; `None` at the end of the pipe. An error is a server that does not speak the protocol.
    pub(super) async fn next(&mut self) -> io::Result<Option<Value>> {
        loop {
            if let Some(start) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
            {
                let length = content_length(&self.buffer[..start])?;
                if let Some(body) = self.buffer.get(start..start + length) {
                    let message = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
                    self.buffer.drain(..start + length);
                    return Ok(Some(message));
                }
            }
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                let rest = String::from_utf8_lossy(&self.buffer).into_owned();
                return Err(bad(format!("the stream ends within a message: {rest:?}")));
            }
        }
    }
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let head = std::str::from_utf8(head).map_err(|error| bad(error.to_string()))?;
    let mut length = None;
    for line in head.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").ok_or_else(|| bad(format!("not a header: {line:?}")))?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        } else if !name.eq_ignore_ascii_case("content-type") {
            return Err(bad(format!("unknown header: {line:?}")));
        }
    }
    length.ok_or_else(|| bad(format!("no length in {head:?}")))
}
