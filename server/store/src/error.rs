//! What can go wrong, by what the caller can do about it.

use std::path::PathBuf;

use assist_base::TransitionError;
use rusqlite::ErrorCode;

/// The result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why an operation on the store did not happen. `Display` is one sentence for the user.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// Another process held the database for longer than we wait. Try again.
    #[error(
        "Another process keeps the workspace's database locked: close the program that has it open, or try again in a moment."
    )]
    Busy,
    /// Nothing can be written to this database now; reading works.
    #[error("{reason}")]
    ReadOnly {
        /// One sentence for the user.
        reason: String,
    },
    /// No room on the disk. Nothing saved before is lost; try again when there is room.
    #[error("The disk is full: free some space and try again. Nothing that was saved before is lost.")]
    Full,
    /// The database file is damaged. It is left as it is.
    #[error(
        "The database {} is damaged ({}). Move it away to start a new one.",
        path.display(),
        backup.as_ref().map_or("it could not be copied".to_owned(), |b| format!("a copy was kept as {}", b.display()))
    )]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// Where the copy is, if one could be made.
        backup: Option<PathBuf>,
    },
    /// There is no such row.
    #[error("There is no {what} {id}.")]
    NotFound {
        /// What was looked for: `run`, `conversation`, …
        what: &'static str,
        /// Its id as given.
        id: String,
    },
    /// What was to be written is not right: too long, empty, of the wrong kind, or not possible in this state. Nothing was
    /// written.
    #[error("{}.", sentence(what))]
    Invalid {
        /// What is wrong with it, without a full stop.
        what: String,
    },
    /// The run may not make this move.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// A row holds what no version of Assist writes there. The file was changed by something else.
    #[error("The workspace's database holds something that Assist did not write: {what}.")]
    Row {
        /// The column and what was wrong with it.
        what: String,
    },
    /// The store was closed.
    #[error("The workspace's database was closed.")]
    Closed,
    /// SQLite failed in a way the caller can do nothing about.
    #[error("The workspace's database failed: {message}.")]
    Sql {
        /// SQLite's words.
        message: String,
    },
}

impl StoreError {
    /// A missing row.
    pub(crate) fn missing(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// Something that cannot be written.
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    /// Turns the failure of a reference to another table into a missing row of that table.
    pub(crate) fn or_missing(error: rusqlite::Error, what: &'static str, id: impl ToString) -> Self {
        match error.sqlite_error() {
            Some(code) if code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
                Self::missing(what, id)
            }
            _ => error.into(),
        }
    }
}

/// With a capital at its beginning.
fn sentence(what: &str) -> String {
    let mut letters = what.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        if let Some(code) = error.sqlite_error() {
            return match code.code {
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed => Self::Busy,
                ErrorCode::DiskFull => Self::Full,
                // The shared-memory file of the write-ahead log could not be made larger.
                ErrorCode::SystemIoFailure if code.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => {
                    Self::Full
                }
                // Which file it is, the lane that ran the statement fills in.
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    Self::Damaged { path: PathBuf::new(), backup: None }
                }
                ErrorCode::ReadOnly => {
                    Self::ReadOnly { reason: "The workspace's database cannot be written to.".to_owned() }
                }
                _ => Self::Sql { message: error.to_string() },
            };
        }
        match error {
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::Utf8Error(..)
            | E::InvalidColumnType(..) => Self::Row { what: error.to_string() },
            other => Self::Sql { message: other.to_string() },
        }
    }
}
