//! Change sets: the unit of application.
//!
//! A change set is verified whole, journalled, and applied completely or rolled back. It names, for every file, the
//! revision it was computed from; a file that moved on makes it stale, and stale edits are computed again, never applied.

use serde::{Deserialize, Serialize};

use crate::{ByteRange, ChangeSetId, ContentHash, DocPath, RunId};

/// Which text an edit was computed from.
///
/// Two revisions are the same text when their hashes agree. The version lets the holder of an open document find the
/// edits made since; a file that is not open has version 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// The editor's version number of an open document (it may jump), 0 for a closed file.
    pub version: i64,
    /// Hash of the text, without a byte-order mark.
    pub hash: ContentHash,
}

impl Revision {
    /// The revision of a closed file that holds `text`.
    pub fn of_file(text: &str) -> Self {
        Self { version: 0, hash: ContentHash::of(text) }
    }
}

/// One replacement in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextEdit {
    /// What is replaced, in bytes of the base revision.
    pub range: ByteRange,
    /// What takes its place.
    pub text: String,
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileEdit {
    /// The file must not exist yet.
    Create {
        /// Its whole text.
        text: String,
    },
    /// The file must still be at `base`.
    Modify {
        /// The revision the edits were computed from.
        base: Revision,
        /// Edits that do not overlap, all in offsets of `base`, in ascending order.
        edits: Vec<TextEdit>,
    },
    /// The file must still be at `base`; it goes away (undoing a creation).
    Delete {
        /// The revision that may be deleted.
        base: Revision,
    },
}

/// One file of a change set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Which document.
    pub path: DocPath,
    /// What happens to it.
    pub edit: FileEdit,
}

/// Edits that are applied together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// Its identity, which the journal and the snapshots carry.
    pub id: ChangeSetId,
    /// The run that made it.
    pub run: RunId,
    /// A short label for the editor's undo list: `Assist: Hero`.
    pub label: String,
    /// The files, each path once.
    pub files: Vec<FileChange>,
}

/// What became of a change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was applied and seen in place.
    Applied {
        /// The files' revisions afterwards; none for a deleted file.
        revisions: Vec<(DocPath, Option<Revision>)>,
    },
    /// A file is no longer at its base revision. Nothing was applied; compute again from the present text.
    Stale {
        /// The file that moved on.
        path: DocPath,
    },
    /// The change may not or could not be made. Nothing was applied.
    Refused {
        /// The file it failed at.
        path: DocPath,
        /// One sentence for the user.
        reason: String,
    },
}

/// Edits that cannot be applied to a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A range ends outside the text or splits a character.
    #[error("edit {start}..{end} does not fit the text")]
    OutOfText {
        /// Start of the range.
        start: usize,
        /// End of the range.
        end: usize,
    },
    /// Two edits overlap or are out of order.
    #[error("edits overlap at byte {at}")]
    Overlap {
        /// Where the second begins.
        at: usize,
    },
}

/// `text` with `edits` made.
///
/// # Errors
/// [`EditError`] when the edits do not fit the text or one another.
pub fn apply_edits(text: &str, edits: &[TextEdit]) -> Result<String, EditError> {
    let mut result = String::with_capacity(text.len() + edits.iter().map(|e| e.text.len()).sum::<usize>());
    let mut at = 0;
    for edit in edits {
        let ByteRange { start, end } = edit.range;
        if start < at {
            return Err(EditError::Overlap { at: start });
        }
        let (Some(before), Some(_)) = (text.get(at..start), text.get(start..end)) else {
            return Err(EditError::OutOfText { start, end });
        };
        result.push_str(before);
        result.push_str(&edit.text);
        at = end;
    }
    result.push_str(&text[at..]);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: usize, end: usize, text: &str) -> TextEdit {
        TextEdit { range: ByteRange::new(start, end), text: text.to_owned() }
    }

    #[test]
    fn edits_are_made_in_one_pass() {
        assert_eq!(apply_edits("abcdef", &[edit(1, 2, "XX"), edit(4, 4, "-")]).unwrap(), "aXXcd-ef");
    }

    #[test]
    fn edits_that_do_not_fit_are_refused() {
        assert_eq!(apply_edits("aé", &[edit(0, 2, "")]), Err(EditError::OutOfText { start: 0, end: 2 }));
        assert_eq!(apply_edits("abc", &[edit(0, 9, "")]), Err(EditError::OutOfText { start: 0, end: 9 }));
        assert_eq!(apply_edits("abc", &[edit(0, 2, ""), edit(1, 3, "")]), Err(EditError::Overlap { at: 1 }));
    }
}
