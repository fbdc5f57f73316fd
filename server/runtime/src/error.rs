//! What can go wrong with a file, by what the user can do about it.

use std::io;
use std::path::Path;

use assist_base::PathError;

/// A file that cannot be read or changed. Each variant prints as one sentence for the user, with the fix where there is
/// one.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file.
    #[error("there is no file `{path}` in the workspace")]
    NotFound {
        /// As the caller named it.
        path: String,
    },
    /// A folder, device, pipe or socket stands where a file is needed.
    #[error("`{path}` is not a regular file, so it can be neither read nor changed as text")]
    NotAFile {
        /// As the caller named it.
        path: String,
    },
    /// The file holds NUL bytes.
    #[error("`{path}` is a binary file; Assist reads and changes text only")]
    Binary {
        /// As the caller named it.
        path: String,
    },
    /// The file is larger than [`crate::MAX_FILE_BYTES`].
    #[error("`{path}` is too large ({} MB; the limit is {} MB); split it or work on a smaller file",
        bytes.div_ceil(1024 * 1024), crate::MAX_FILE_BYTES / (1024 * 1024))]
    TooLarge {
        /// As the caller named it.
        path: String,
        /// Its size as far as known, in bytes.
        bytes: u64,
    },
    /// The bytes are text in another encoding, or not text.
    #[error("`{path}` is not UTF-8 text; convert it to UTF-8 first")]
    NotUtf8 {
        /// As the caller named it.
        path: String,
    },
    /// The path, or a symbolic link on it, leads out of the workspace.
    #[error(
        "`{path}` leads outside the workspace, where nothing is read or changed; open its own folder instead"
    )]
    Outside {
        /// As the caller named it.
        path: String,
    },
    /// The path lies in `.git` or `.assist`.
    #[error("`{path}` belongs to Git or to Assist itself and is never touched as a document")]
    Protected {
        /// As the caller named it.
        path: String,
    },
    /// A symbolic link on the path points at nothing, or in a circle.
    #[error("`{path}` goes through a broken symbolic link; repair or remove the link first")]
    BrokenLink {
        /// As the caller named it.
        path: String,
    },
    /// The name cannot be used for a document.
    #[error("`{path}` cannot be named as a document of the workspace: {reason}")]
    BadName {
        /// As the caller named it.
        path: String,
        /// Why, as part of a sentence.
        reason: String,
    },
    /// Writing is not permitted.
    #[error("`{path}` cannot be written; make it writable first")]
    ReadOnly {
        /// What could not be written.
        path: String,
    },
    /// The disk is full.
    #[error("the disk is full, so `{path}` was left as it was; free some space and try again")]
    Full {
        /// What was to be written.
        path: String,
    },
    /// Another process is changing this workspace and did not finish in time.
    #[error("another Assist process is changing this workspace; try again in a moment")]
    Busy,
    /// The workspace folder itself cannot be used.
    #[error("the folder `{path}` cannot be opened as a workspace: {source}")]
    NoWorkspace {
        /// The folder.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Anything else the system reports.
    #[error("{doing} `{path}` failed: {source}")]
    Io {
        /// What was done: `reading`, `writing`.
        doing: &'static str,
        /// To what.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

impl FileError {
    /// The variant for a system error met while `doing` something to `path`.
    pub(crate) fn io(doing: &'static str, path: impl Into<String>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::NotFound if doing == READING => Self::NotFound { path },
            io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => Self::NotAFile { path },
            _ if crate::disk::is_link_loop(&source) => Self::BrokenLink { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem if doing != READING => {
                Self::ReadOnly { path }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { doing, path, source },
        }
    }

    pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::io(doing, path, source)
    }

    pub(crate) fn bad_name(path: impl Into<String>, reason: &PathError) -> Self {
        Self::BadName { path: path.into(), reason: reason.to_string() }
    }
}

/// The one activity for which a missing file is an answer of its own.
pub(crate) const READING: &str = "reading";
/// Changing a file or a folder.
pub(crate) const WRITING: &str = "writing";
