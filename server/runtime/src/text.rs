//! Text files as Assist sees them.

use assist_base::{DocPath, Revision};

use crate::FileError;

/// The largest file that is read or written: 10 MiB.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;

const BOM: &str = "\u{feff}";

/// How the lines of a text end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnding {
    /// All `\n`; also a text of one line.
    Lf,
    /// All `\r\n`.
    CrLf,
    /// Some of each.
    Mixed {
        /// Whether `\r\n` is the more frequent one.
        mostly_crlf: bool,
    },
}

impl LineEnding {
    /// What the lines of `text` end with. A carriage return that stands alone is not counted.
    pub fn of(text: &str) -> Self {
        let breaks = text.matches('\n').count();
        let crlf = text.matches("\r\n").count();
        match crlf {
            0 => Self::Lf,
            n if n == breaks => Self::CrLf,
            n => Self::Mixed { mostly_crlf: n * 2 > breaks },
        }
    }

    /// What a new line should end with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CrLf | Self::Mixed { mostly_crlf: true } => "\r\n",
            Self::Lf | Self::Mixed { mostly_crlf: false } => "\n",
        }
    }
}

/// A file read as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// The text, with its own line endings and without a byte-order mark.
    pub text: String,
    /// Whether the file starts with a byte-order mark. It is kept when the file is changed.
    pub bom: bool,
    /// How its lines end.
    pub line_ending: LineEnding,
    /// Whether a carriage return stands without a line feed somewhere. Editors disagree where such lines break.
    pub lone_cr: bool,
    /// The revision of the text.
    pub revision: Revision,
}

impl TextFile {
    /// The file that `bytes` are; `path` is only what errors name.
    ///
    /// # Errors
    /// [`FileError::TooLarge`], [`FileError::Binary`], [`FileError::NotUtf8`].
    pub fn decode(path: &DocPath, bytes: Vec<u8>) -> Result<Self, FileError> {
        let name = || path.to_string();
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(FileError::TooLarge { path: name(), bytes: bytes.len() as u64 });
        }
        // UTF-16 is full of NUL bytes; it is text all the same, and the fix differs.
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(FileError::NotUtf8 { path: name() });
        }
        if bytes.contains(&0) {
            return Err(FileError::Binary { path: name() });
        }
        let text = String::from_utf8(bytes).map_err(|_| FileError::NotUtf8 { path: name() })?;
        let (text, bom) = match text.strip_prefix(BOM) {
            Some(rest) => (rest.to_owned(), true),
            None => (text, false),
        };
        Ok(Self {
            bom,
            line_ending: LineEnding::of(&text),
            lone_cr: text.matches('\r').count() != text.matches("\r\n").count(),
            revision: Revision::of_file(&text),
            text,
        })
    }

    /// The bytes of the file on disk, byte-order mark included.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&self.text, self.bom)
    }
}

/// The bytes of `text`, with a byte-order mark if `bom`, never with two.
pub(crate) fn encode(text: &str, bom: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 3);
    if bom {
        bytes.extend_from_slice(BOM.as_bytes());
    }
    bytes.extend_from_slice(without_bom(text).as_bytes());
    bytes
}

/// `text` without a byte-order mark at its start.
pub(crate) fn without_bom(text: &str) -> &str {
    text.strip_prefix(BOM).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<TextFile, FileError> {
        TextFile::decode(&DocPath::relative("a.txt").unwrap(), bytes.to_vec())
    }

    #[test]
    fn line_endings_and_marks_are_noticed_and_kept() {
        for (bytes, ending, bom, lone_cr) in [
            (&b"a\nb\n"[..], LineEnding::Lf, false, false),
            (b"one line", LineEnding::Lf, false, false),
            (b"", LineEnding::Lf, false, false),
            (b"a\r\nb\r\n", LineEnding::CrLf, false, false),
            (b"a\r\nb\nc\r\n", LineEnding::Mixed { mostly_crlf: true }, false, false),
            (b"a\r\nb\nc\n", LineEnding::Mixed { mostly_crlf: false }, false, false),
            (b"\xef\xbb\xbfa\rb\n", LineEnding::Lf, true, true),
        ] {
            let file = decode(bytes).unwrap();
            assert_eq!((file.line_ending, file.bom, file.lone_cr), (ending, bom, lone_cr), "{bytes:?}");
            assert_eq!(file.to_bytes(), bytes);
            assert_eq!(file.revision, Revision::of_file(&file.text));
        }
    }

    #[test]
    fn what_is_not_text_is_refused_in_one_sentence() {
        let message = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
        assert_eq!(message(b"a\0b"), "`a.txt` is a binary file; Assist reads and changes text only");
        assert_eq!(message(b"caf\xe9"), "`a.txt` is not UTF-8 text; convert it to UTF-8 first");
        assert_eq!(message(b"\xff\xfea\0"), "`a.txt` is not UTF-8 text; convert it to UTF-8 first");
        let huge = vec![b'a'; MAX_FILE_BYTES as usize + 1];
        assert_eq!(
            message(&huge),
            "`a.txt` is too large (11 MB; the limit is 10 MB); split it or work on a smaller file"
        );
        assert!(decode(&huge[1..]).is_ok());
    }
}
