//! Change sets on disk: made completely or not at all, also across a crash.
//!
//! ```text
//! .assist/journal/lock            held while anything is changed or recovered
//! .assist/journal/<change set>/   old.N, new.N: the files' bytes before and after
//!                                 intent.json: which files; from here on the set can be finished or rolled back
//!                                 commit: everything is staged beside its target, targets are being changed
//!                                 rollback: it is being undone
//! .assist/journal/<change set>.done   nothing left to do but removing it
//! ```
//!
//! Beside each target a staged file `.assist-<change set>-N.tmp` is swapped in, so that what was displaced can be looked at
//! before it is thrown away: text that someone saved in that very moment is put back, and the set is stale. Where a
//! disk cannot swap, the hash is compared right before the rename.
//!
//! A set of one file needs less: one step takes the file from one side to the other, so the file itself says whether the set was
//! made. Its journal has no commit mark, its copies are not waited for, and after a crash it only says what is to be looked at and cleaned up.
//!
//! Limit: when a crash falls between the end here and the caller's note that the set was applied, the files tell.

mod apply;
mod folder;
mod intent;
mod recover;
mod step;

pub(crate) use apply::apply;
pub(crate) use folder::{Turns, make_folder};
pub(crate) use recover::recover;
pub use recover::{Recovered, Recovery};

use assist_base::DocPath;

use crate::FileError;

/// A moment in the making of a change set, for tests that crash there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The journal's folder was made and is empty.
    Opened,
    /// The bytes before and after are in the journal, the intent is not.
    Copied,
    /// The intent is written.
    Intended,
    /// Missing parent folders were made.
    Folders,
    /// File N's next content is being written beside it.
    Staging(usize),
    /// File N's next content lies beside it.
    Staged(usize),
    /// The commit mark is written.
    Committed,
    /// File N has its next content; what was there before lies beside it.
    Swapped(usize),
    /// File N is done.
    Changed(usize),
    /// The mark that the set is undone is written.
    RollingBack,
    /// The set is complete; the journal is still there.
    Complete,
    /// The journal has been set aside for removal.
    Retired,
}

/// Why making a change set stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A file is no longer what the set was computed from.
    Stale(DocPath),
    /// The change may not or cannot be made to this file.
    File(DocPath, FileError),
    /// The change makes no sense for this file; the reason is a sentence.
    Refused(DocPath, String),
    /// The journal or the disk failed.
    Failed(FileError),
    /// The process ends here; for tests.
    #[cfg(test)]
    Crash,
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        Self::Failed(error)
    }
}

/// Called at each [`Moment`]; tests stop there.
pub(crate) type Probe<'a> = &'a dyn Fn(Moment) -> Result<(), Stop>;

#[cfg(test)]
mod tests;
