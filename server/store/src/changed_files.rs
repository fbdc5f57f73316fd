//! The files that runs changed: `changed_files`. Kept up to date by snapshots, and still true when those are pruned.

use assist_base::{DocPath, RunId, Timestamp};
use rusqlite::{Transaction, params};

use crate::error::Result;
use crate::rows;

/// A file that a run changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Which.
    pub path: DocPath,
    /// How.
    pub change: ChangeKind,
}

/// What became of a file, over a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It did not exist before.
    Created,
    /// Its content differs.
    Modified,
    /// It is gone.
    Deleted,
}

impl ChangeKind {
    /// The word in the database and in exports.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Created => "created",
            ChangeKind::Modified => "modified",
            ChangeKind::Deleted => "deleted",
        }
    }
}

impl std::str::FromStr for ChangeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Created, Self::Modified, Self::Deleted]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a kind of change"))
    }
}

/// The files that differ from what a run found, by path.
pub(crate) fn list(tx: &Transaction<'_>, run: RunId) -> Result<Vec<ChangedFile>> {
    let sql = "SELECT path, change FROM changed_files WHERE run_id = ?1 ORDER BY path";
    rows::all(tx, sql, [run.to_string()], |row| {
        Ok(ChangedFile { path: rows::path(row, "path")?, change: rows::word(row, "change")? })
    })
}

/// Sets the net effect of a run on one file: its first content against its last.
pub(crate) fn note(tx: &Transaction<'_>, run: RunId, path: &DocPath, at: Timestamp) -> Result<()> {
    let file = params![run.to_string(), path.as_str()];
    let sql = "SELECT before_hash, after_hash FROM snapshots
        WHERE run_id = ?1 AND path = ?2 AND applied = 1 ORDER BY id";
    let contents: Vec<(Option<String>, Option<String>)> =
        rows::all(tx, sql, file, |row| Ok((row.get("before_hash")?, row.get("after_hash")?)))?;
    let (Some((first, _)), Some((_, last))) = (contents.first(), contents.last()) else { return Ok(()) };
    let change = match (first, last) {
        (before, after) if before == after => None,
        (None, _) => Some(ChangeKind::Created),
        (_, None) => Some(ChangeKind::Deleted),
        _ => Some(ChangeKind::Modified),
    };
    match change {
        None => rows::run(tx, "DELETE FROM changed_files WHERE run_id = ?1 AND path = ?2", file)?,
        Some(change) => rows::run(
            tx,
            "INSERT INTO changed_files (run_id, path, change, updated_at) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (run_id, path) DO UPDATE SET change = excluded.change, updated_at = excluded.updated_at",
            params![run.to_string(), path.as_str(), change.as_str(), at.0],
        )?,
    };
    Ok(())
}
