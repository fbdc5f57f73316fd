//! Positions: the editor's lines and characters to UTF-8 byte offsets and back.
//!
//! Laws: lines break at `\n`, `\r\n` and `\r` only. A position past the end of its line means the end of the line, a line past
//! the last means the end of the text, and a position inside a character (half of a surrogate pair, a byte in the middle)
//! means the character's beginning. Swapped ends of a range are put in order.

use assist_base::ByteRange;
use ropey::Rope;
use serde::{Deserialize, Serialize};

/// What a position's `character` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units: what every client understands.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// The encoding to speak with a client that offers these, best first for us: our own, then what is always allowed.
    pub fn negotiate(offered: Option<&[String]>) -> Self {
        let offers = |name: &str| offered.is_some_and(|offered| offered.iter().any(|o| o == name));
        if offers("utf-8") {
            Encoding::Utf8
        } else if offers("utf-32") && !offers("utf-16") {
            Encoding::Utf32
        } else {
            Encoding::Utf16
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16 => "utf-16",
            Encoding::Utf32 => "utf-32",
        }
    }
}

/// A place in a text as the protocol writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The line, from 0.
    pub line: u32,
    /// The place in the line, from 0, in units of the negotiated encoding.
    pub character: u32,
}

/// A span of text as the protocol writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Its beginning.
    pub start: Position,
    /// Its end, which is not part of it.
    pub end: Position,
}

/// Where the line's text ends, as a character index: before its line break.
fn end_of_line(rope: &Rope, line: usize) -> usize {
    let start = rope.line_to_char(line);
    let next =
        if line + 1 < rope.len_lines() { rope.line_to_char(line + 1) } else { return rope.len_chars() };
    let mut end = next;
    if end > start && rope.char(end - 1) == '\n' {
        end -= 1;
        if end > start && rope.char(end - 1) == '\r' {
            end -= 1;
        }
    } else if end > start && rope.char(end - 1) == '\r' {
        end -= 1;
    }
    end
}

/// The character index of a position.
fn char_at(rope: &Rope, position: Position, encoding: Encoding) -> usize {
    let line = position.line as usize;
    if line >= rope.len_lines() {
        return rope.len_chars();
    }
    let start = rope.line_to_char(line);
    let end = end_of_line(rope, line);
    let column = position.character as usize;
    match encoding {
        Encoding::Utf32 => start.saturating_add(column).min(end),
        Encoding::Utf16 => {
            let unit = rope.char_to_utf16_cu(start).saturating_add(column);
            if unit >= rope.char_to_utf16_cu(end) { end } else { rope.utf16_cu_to_char(unit) }
        }
        Encoding::Utf8 => {
            let byte = rope.char_to_byte(start).saturating_add(column);
            if byte >= rope.char_to_byte(end) { end } else { rope.byte_to_char(byte) }
        }
    }
}

/// The byte offset of a position.
pub fn offset(rope: &Rope, position: Position, encoding: Encoding) -> usize {
    rope.char_to_byte(char_at(rope, position, encoding))
}

/// The byte span of a range.
pub fn span(rope: &Rope, range: Range, encoding: Encoding) -> ByteRange {
    ByteRange::new(offset(rope, range.start, encoding), offset(rope, range.end, encoding))
}

/// The position of a byte offset. An offset inside a character means its beginning, one inside a `\r\n` the end of the
/// line, one past the end of the text its end.
pub fn position(rope: &Rope, offset: usize, encoding: Encoding) -> Position {
    let at = rope.byte_to_char(offset.min(rope.len_bytes()));
    let line = rope.char_to_line(at);
    let start = rope.line_to_char(line);
    let at = at.min(end_of_line(rope, line));
    let column = match encoding {
        Encoding::Utf32 => at - start,
        Encoding::Utf16 => rope.char_to_utf16_cu(at) - rope.char_to_utf16_cu(start),
        Encoding::Utf8 => rope.char_to_byte(at) - rope.char_to_byte(start),
    };
    Position { line: saturate(line), character: saturate(column) }
}

/// The range of a byte span.
pub fn range(rope: &Rope, span: ByteRange, encoding: Encoding) -> Range {
    Range { start: position(rope, span.start, encoding), end: position(rope, span.end, encoding) }
}

fn saturate(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
