//! Files before and after each change set: `snapshots`. Recorded before the change set is applied, so that what a crash
//! left is known; on the disk, not only in its cache, when the call returns. The mark that it is applied comes to the disk with what
//! is next on it: without the mark the files themselves tell.

use assist_base::{ChangeSetId, ContentHash, DocPath, RunId, Timestamp};
use rusqlite::{Row, params};

use crate::blobs::{self, Packed};
use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{Store, changed_files, rows};

/// The snapshots of a store.
#[derive(Debug, Clone, Copy)]
pub struct Snapshots<'s>(pub(crate) &'s Store);

/// One file of a change set that is about to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSnapshot {
    /// Which file.
    pub path: DocPath,
    /// Its bytes now; none when it does not exist.
    pub before: Option<Vec<u8>>,
    /// Its bytes afterwards; none when it will not exist.
    pub after: Option<Vec<u8>>,
}

/// One file of a recorded change set. The bytes are in [`crate::Blobs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The change set.
    pub change_set: ChangeSetId,
    /// Which file.
    pub path: DocPath,
    /// What it held before; none when it did not exist.
    pub before: Option<ContentHash>,
    /// What it holds afterwards; none when it does not exist.
    pub after: Option<ContentHash>,
    /// Whether the change set was seen in place. One that was recorded but not applied is what a crash left.
    pub applied: bool,
    /// When it was recorded.
    pub at: Timestamp,
}

impl Snapshots<'_> {
    /// Records what a change set finds and what it will leave, all files in one transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run. Nothing is recorded then.
    pub async fn record(
        &self,
        run: RunId,
        change_set: ChangeSetId,
        files: Vec<FileSnapshot>,
        at: Timestamp,
    ) -> Result<()> {
        type PackedFile = (DocPath, Option<Packed>, Option<Packed>);
        let files: Vec<PackedFile> = self
            .0
            .read(move |tx| {
                let pack =
                    |content: Option<Vec<u8>>| content.map(|content| blobs::pack(tx, content)).transpose();
                files.into_iter().map(|file| Ok((file.path, pack(file.before)?, pack(file.after)?))).collect()
            })
            .await?;
        self.0
            .write(Durability::Full, move |tx| {
                let keep = |content: &Option<Packed>| -> Result<Option<String>> {
                    let Some(content) = content else { return Ok(None) };
                    blobs::insert(tx, content)?;
                    Ok(Some(content.hash.to_string()))
                };
                for (path, before, after) in &files {
                    let sql = "INSERT INTO snapshots
                            (run_id, change_set_id, path, before_hash, after_hash, applied, created_at)
                        VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)";
                    let (before, after) = (keep(before)?, keep(after)?);
                    let values =
                        params![run.to_string(), change_set.to_string(), path.as_str(), before, after, at.0];
                    rows::run(tx, sql, values).map_err(|error| StoreError::or_missing(error, "run", run))?;
                }
                Ok(())
            })
            .await
    }

    /// Notes that a change set is in place, and brings the run's changed files up to date.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it was not recorded.
    pub async fn mark_applied(&self, change_set: ChangeSetId) -> Result<()> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "UPDATE snapshots SET applied = 1 WHERE change_set_id = ?1";
                if rows::run(tx, sql, [change_set.to_string()])? == 0 {
                    return Err(StoreError::missing("change set", change_set));
                }
                let sql = "SELECT run_id, path, created_at FROM snapshots WHERE change_set_id = ?1";
                let files = rows::all(tx, sql, [change_set.to_string()], |row| {
                    Ok((rows::word(row, "run_id")?, rows::path(row, "path")?, rows::time(row, "created_at")?))
                })?;
                files.into_iter().try_for_each(|(run, path, at)| changed_files::note(tx, run, &path, at))
            })
            .await
    }

    /// Forgets a change set that was recorded and then not applied, because a file had moved on or the change was
    /// refused. One that is applied stays.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn discard(&self, change_set: ChangeSetId) -> Result<()> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "DELETE FROM snapshots WHERE change_set_id = ?1 AND applied = 0";
                rows::run(tx, sql, [change_set.to_string()])?;
                Ok(())
            })
            .await
    }

    /// What a run's change sets found and left, in the order they were recorded.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, run: RunId) -> Result<Vec<Snapshot>> {
        self.0
            .read(move |tx| {
                let sql = "SELECT * FROM snapshots WHERE run_id = ?1 ORDER BY id";
                rows::all(tx, sql, [run.to_string()], snapshot)
            })
            .await
    }

    /// What the change sets of all runs since `at` found and left, in the order they were recorded; those that were not
    /// applied are left out.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn since(&self, at: Timestamp) -> Result<Vec<Snapshot>> {
        self.0
            .read(move |tx| {
                let sql = "SELECT * FROM snapshots WHERE created_at >= ?1 AND applied = 1 ORDER BY id";
                rows::all(tx, sql, [at.0], snapshot)
            })
            .await
    }
}

fn snapshot(row: &Row<'_>) -> Result<Snapshot> {
    Ok(Snapshot {
        change_set: rows::word(row, "change_set_id")?,
        path: rows::path(row, "path")?,
        before: rows::maybe_word(row, "before_hash")?,
        after: rows::maybe_word(row, "after_hash")?,
        applied: row.get("applied")?,
        at: rows::time(row, "created_at")?,
    })
}
