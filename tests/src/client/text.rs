//! Positions in texts, written apart from the server's own conversions on purpose: two implementations check each other.

use std::ops::Range;

use serde_json::{Value, json};

/// What a character offset counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units, the default of LSP.
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// The encoding by its name in the protocol.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "utf-8" => Some(Self::Utf8),
            "utf-16" => Some(Self::Utf16),
            "utf-32" => Some(Self::Utf32),
            _ => None,
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
            Self::Utf32 => 1,
        }
    }
}

/// The byte ranges of the lines, line ends (`\n`, `\r\n`, `\r`) excluded. A text that ends with one has an empty last line.
fn lines(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut lines, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let end = match bytes[at] {
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => 2,
            b'\r' | b'\n' => 1,
            _ => {
                at += 1;
                continue;
            }
        };
        lines.push(start..at);
        at += end;
        start = at;
    }
    lines.push(start..text.len());
    lines
}

/// The position of a byte offset.
pub fn position(text: &str, offset: usize, encoding: Encoding) -> Value {
    let lines = lines(text);
    let line = lines.iter().rposition(|line| line.start <= offset).unwrap_or(0);
    let end = offset.min(lines[line].end);
    let character: usize = text[lines[line].start..end].chars().map(|c| encoding.width(c)).sum();
    json!({"line": line, "character": character})
}

/// The byte offset of a position. The error says what is wrong with it: a real editor would clamp, a test must see it.
pub fn offset(text: &str, position: &Value, encoding: Encoding) -> Result<usize, String> {
    let number = |key: &str| {
        let number = position[key].as_u64().and_then(|n| usize::try_from(n).ok());
        number.ok_or_else(|| format!("not a position: {position}"))
    };
    let (line, character) = (number("line")?, number("character")?);
    let lines = lines(text);
    if line == lines.len() && character == 0 {
        return Ok(text.len());
    }
    let range =
        lines.get(line).ok_or_else(|| format!("line {line} is behind the end ({} lines)", lines.len()))?;
    let mut units = 0;
    for (at, c) in text[range.clone()].char_indices() {
        if units == character {
            return Ok(range.start + at);
        }
        units += encoding.width(c);
        if units > character {
            return Err(format!("{position} is inside the character {c:?}"));
        }
    }
    if units == character { Ok(range.end) } else { Err(format!("{position} is behind the line's end")) }
}
