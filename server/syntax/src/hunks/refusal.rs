//! Why a hunk was refused, with what the model needs to do better.

/// A place of the file that a hunk may have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearby {
    /// First and last line, from 1.
    pub lines: (usize, usize),
    /// Its text, with the file's line endings.
    pub text: String,
    /// The declaration around it: `function total`.
    pub within: Option<String>,
    /// How like the search text it is, in percent.
    pub alike: u8,
}

/// A hunk that was not applied, and with it all others of its change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which hunk of the file, from 0.
    pub hunk: usize,
    /// The line of the stream on which it begins, from 1.
    pub at: usize,
    /// Why.
    pub why: Why,
}

/// Why a hunk was refused. Each is a sentence for the user; the places are for the model to choose from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The search text is blank, but the file has text.
    #[error("its search text is empty; only a new or empty file can be written so")]
    NothingNamed,
    /// There is search text, but the file has none.
    #[error("{}", if *.exists { "the file is empty, so its search text cannot be there" } else { "the file does not exist, so its search text cannot be there" })]
    NoText {
        /// The file exists and is empty.
        exists: bool,
    },
    /// The search text stands nowhere.
    #[error("its search text is not in the file{}", already(.done))]
    Missing {
        /// What is most like it, the best first.
        nearest: Vec<Nearby>,
        /// The replacement stands at these lines already.
        done: Option<(usize, usize)>,
    },
    /// The search text stands in several places.
    #[error("its search text stands in {} places of the file: lines {}", .places.len(), list(.places))]
    Ambiguous {
        /// The places.
        places: Vec<Nearby>,
    },
    /// A line stands for others that are left out.
    #[error("`{line}` in its {} leaves code out", if *.in_search { "search text" } else { "replacement" })]
    Elided {
        /// The line.
        line: String,
        /// It is in the search text, else in the replacement.
        in_search: bool,
        /// What the text around it would span.
        spans: Vec<Nearby>,
    },
    /// The replacement repeats what stands beside the place.
    #[error("its replacement repeats lines {} to {} of the file, which its search text does not name", .lines.0, .lines.1)]
    Repeats {
        /// First and last line, from 1.
        lines: (usize, usize),
    },
    /// Another hunk changes the same lines.
    #[error("it changes the same lines as another hunk: {} to {}", .lines.0, .lines.1)]
    Overlap {
        /// First and last line, from 1.
        lines: (usize, usize),
    },
    /// The replacement holds a line of the protocol.
    #[error("line {line} of its replacement is a marker of the component protocol")]
    Marker {
        /// The line of the replacement, from 1.
        line: usize,
    },
}

impl Why {
    /// The places of the file that the hunk may have meant.
    pub fn places(&self) -> &[Nearby] {
        match self {
            Self::Missing { nearest: places, .. }
            | Self::Ambiguous { places }
            | Self::Elided { spans: places, .. } => places,
            _ => &[],
        }
    }
}

fn already(lines: &Option<(usize, usize)>) -> String {
    match lines {
        Some((first, last)) => format!("; its replacement stands at lines {first} to {last} already"),
        None => String::new(),
    }
}

fn list(places: &[Nearby]) -> String {
    places.iter().map(|place| place.lines.0.to_string()).collect::<Vec<_>>().join(", ")
}
