//! States of files by name: `snapshot_sets`. Taken by hand, when a run begins, at a checkpoint. Content that is kept already
//! is not kept again. Putting a state back is for the callers, who have the files; here are the data for it.

use std::collections::BTreeMap;

use assist_base::{ContentHash, DocPath, RunId, Timestamp};
use rusqlite::{Row, Transaction, params};

use crate::blobs::{self, Packed};
use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{SnapshotSetId, Snapshots, rows};

/// Why a state was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SnapshotKind {
    /// The user asked for it.
    Manual,
    /// A run began.
    Run,
    /// A run reached a checkpoint.
    Checkpoint,
}

impl SnapshotKind {
    /// The word in the database and in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Run => "run",
            Self::Checkpoint => "checkpoint",
        }
    }
}

impl std::str::FromStr for SnapshotKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Manual, Self::Run, Self::Checkpoint]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a kind of snapshot"))
    }
}

/// A file and its bytes; none where it does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Which.
    pub path: DocPath,
    /// What it holds.
    pub content: Option<Vec<u8>>,
}

/// A state to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSnapshotSet {
    /// What the user sees: `before the redesign`.
    pub label: String,
    /// Why it is taken.
    pub kind: SnapshotKind,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// The run's checkpoint, where it is one's.
    pub checkpoint: Option<i64>,
    /// The files, each path once.
    pub files: Vec<FileState>,
}

/// A kept state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSet {
    /// Its id.
    pub id: SnapshotSetId,
    /// What the user sees.
    pub label: String,
    /// Why it was taken.
    pub kind: SnapshotKind,
    /// The run it belongs to, while that is kept.
    pub run: Option<RunId>,
    /// The run's checkpoint, where it is one's.
    pub checkpoint: Option<i64>,
    /// How many files it has.
    pub files: u64,
    /// Their bytes, uncompressed, together.
    pub bytes: u64,
    /// When it was taken.
    pub at: Timestamp,
}

/// A file that differs between two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub path: DocPath,
    /// What it held in the first; none where it did not exist.
    pub before: Option<ContentHash>,
    /// What it holds in the second; none where it does not exist.
    pub after: Option<ContentHash>,
}

const SELECT: &str = "SELECT s.*,
        (SELECT count(*) FROM snapshot_files WHERE set_id = s.id) AS files,
        (SELECT CAST(total(b.size) AS INTEGER) FROM snapshot_files AS f JOIN blobs AS b ON b.hash = f.hash
            WHERE f.set_id = s.id) AS bytes
    FROM snapshot_sets AS s";

impl Snapshots<'_> {
    /// Keeps a state of some files, all in one transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the run or checkpoint does not exist, [`StoreError::Invalid`] when a path is there
    /// twice or a file is too large. Nothing is kept then.
    pub async fn create(&self, new: NewSnapshotSet, at: Timestamp) -> Result<SnapshotSet> {
        let NewSnapshotSet { label, kind, run, checkpoint, files } = new;
        let packed: Vec<(DocPath, Option<Packed>)> = self
            .0
            .read(move |tx| {
                let pack = |file: FileState| {
                    Ok((file.path, file.content.map(|content| blobs::pack(tx, content)).transpose()?))
                };
                files.into_iter().map(pack).collect()
            })
            .await?;
        // What a run keeps on its way is on the disk with what it writes next; only what a user asked for is waited for.
        let durability = if kind == SnapshotKind::Manual { Durability::Full } else { Durability::Normal };
        self.0
            .write(durability, move |tx| {
                let id = SnapshotSetId::new();
                let sql = "INSERT INTO snapshot_sets (id, label, kind, run_id, checkpoint_id, created_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let run = run.map(|id| id.to_string());
                rows::run(tx, sql, params![id.to_string(), label, kind.as_str(), run, checkpoint, at.0]).map_err(
                    |error| StoreError::or_missing(error, "run or checkpoint of", run.unwrap_or_default()),
                )?;
                for (path, content) in &packed {
                    if let Some(content) = content {
                        blobs::insert(tx, content)?;
                    }
                    let hash = content.as_ref().map(|content| content.hash.as_str());
                    let sql = "INSERT INTO snapshot_files (set_id, path, hash) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
                    if rows::run(tx, sql, params![id.to_string(), path.as_str(), hash])? == 0 {
                        return Err(StoreError::invalid(format!("{path} is in the snapshot twice")));
                    }
                }
                get(tx, id)
            })
            .await
    }

    /// Kept states, newest first; with a run, only those of it.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn sets(&self, run: Option<RunId>, limit: usize) -> Result<Vec<SnapshotSet>> {
        let sql = format!("{SELECT} WHERE ?1 IS NULL OR s.run_id = ?1 ORDER BY s.number DESC LIMIT ?2");
        let values = (run.map(|id| id.to_string()), rows::integer(limit as u64));
        self.0.read(move |tx| rows::all(tx, &sql, values, set)).await
    }

    /// One kept state.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn set(&self, id: SnapshotSetId) -> Result<SnapshotSet> {
        self.0.read(move |tx| get(tx, id)).await
    }

    /// The kept states that a text stands for, newest first, at most 20: by the first digits of the id, else by the whole
    /// label.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn find_sets(&self, text: &str) -> Result<Vec<SnapshotSet>> {
        let (prefix, label) = (rows::hyphenate(text), text.to_owned());
        let by_id = format!("{SELECT} WHERE s.id >= ?1 AND s.id < ?1 || 'g' ORDER BY s.number DESC LIMIT 20");
        let by_label = format!("{SELECT} WHERE s.label = ?1 ORDER BY s.number DESC LIMIT 20");
        self.0
            .read(move |tx| {
                let found = prefix
                    .map(|prefix| rows::all(tx, &by_id, [prefix], set))
                    .transpose()?
                    .unwrap_or_default();
                if found.is_empty() { rows::all(tx, &by_label, [label], set) } else { Ok(found) }
            })
            .await
    }

    /// The files of a state and the hashes of what they held, by path.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such state.
    pub async fn set_files(&self, id: SnapshotSetId) -> Result<Vec<(DocPath, Option<ContentHash>)>> {
        self.0.read(move |tx| Ok(files(tx, id)?.into_iter().collect())).await
    }

    /// What differs between two states, by path. A file that only one of them names is left out: nothing is known of it
    /// in the other.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one of them does not exist.
    pub async fn diff_sets(&self, from: SnapshotSetId, to: SnapshotSetId) -> Result<Vec<Difference>> {
        self.0.read(move |tx| Ok(differences(files(tx, from)?, &files(tx, to)?))).await
    }

    /// What differs between a state and the files as they are now, whose hashes the caller gives, by path.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such state.
    pub async fn diff_now(
        &self,
        from: SnapshotSetId,
        now: Vec<(DocPath, Option<ContentHash>)>,
    ) -> Result<Vec<Difference>> {
        let now: BTreeMap<_, _> = now.into_iter().collect();
        self.0.read(move |tx| Ok(differences(files(tx, from)?, &now))).await
    }

    /// What the files of a state held, by path; with `paths`, only those.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such state, or a path is not in it; [`StoreError::Row`] when a content
    /// is missing or not what its hash says.
    pub async fn restore_data(
        &self,
        id: SnapshotSetId,
        paths: Option<Vec<DocPath>>,
    ) -> Result<Vec<FileState>> {
        self.0
            .read(move |tx| {
                let mut kept = files(tx, id)?;
                if let Some(paths) = paths {
                    let missing = paths.iter().find(|path| !kept.contains_key(*path));
                    if let Some(path) = missing {
                        return Err(StoreError::missing("file in the snapshot", path));
                    }
                    kept.retain(|path, _| paths.contains(path));
                }
                kept.into_iter().map(|(path, hash)| content(tx, path, hash.as_ref())).collect()
            })
            .await
    }

    /// What a run's files held before it, by path: the data for taking it back as a whole. What they held after it is in
    /// [`Snapshots::list`].
    ///
    /// # Errors
    /// As [`Snapshots::restore_data`].
    pub async fn before_run(&self, run: RunId) -> Result<Vec<FileState>> {
        self.0
            .read(move |tx| {
                let sql = "SELECT path, before_hash FROM snapshots WHERE run_id = ?1 AND applied = 1
                    GROUP BY path HAVING id = min(id) ORDER BY path";
                let found = rows::all(tx, sql, [run.to_string()], |row| {
                    Ok((rows::path(row, "path")?, rows::maybe_word(row, "before_hash")?))
                })?;
                found.into_iter().map(|(path, hash)| content(tx, path, hash.as_ref())).collect()
            })
            .await
    }

    /// Forgets a state. False when there was none. Its contents go when pruning finds that nothing else has them.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn delete_set(&self, id: SnapshotSetId) -> Result<bool> {
        self.0
            .write(Durability::Normal, move |tx| {
                Ok(rows::run(tx, "DELETE FROM snapshot_sets WHERE id = ?1", [id.to_string()])? > 0)
            })
            .await
    }
}

fn get(tx: &Transaction<'_>, id: SnapshotSetId) -> Result<SnapshotSet> {
    rows::first(tx, &format!("{SELECT} WHERE s.id = ?1"), [id.to_string()], set)?
        .ok_or_else(|| StoreError::missing("snapshot", id))
}

fn files(tx: &Transaction<'_>, id: SnapshotSetId) -> Result<BTreeMap<DocPath, Option<ContentHash>>> {
    get(tx, id)?;
    let sql = "SELECT path, hash FROM snapshot_files WHERE set_id = ?1";
    let found = rows::all(tx, sql, [id.to_string()], |row| {
        Ok((rows::path(row, "path")?, rows::maybe_word(row, "hash")?))
    })?;
    Ok(found.into_iter().collect())
}

fn content(tx: &Transaction<'_>, path: DocPath, hash: Option<&ContentHash>) -> Result<FileState> {
    let content = match hash {
        Some(hash) => Some(
            blobs::get(tx, hash)?
                .ok_or_else(|| rows::foreign("blobs", format!("the content of {path} is missing")))?,
        ),
        None => None,
    };
    Ok(FileState { path, content })
}

fn differences(
    from: BTreeMap<DocPath, Option<ContentHash>>,
    to: &BTreeMap<DocPath, Option<ContentHash>>,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for (path, before) in from {
        if let Some(after) = to.get(&path)
            && *after != before
        {
            found.push(Difference { path, before, after: after.clone() });
        }
    }
    found
}

fn set(row: &Row<'_>) -> Result<SnapshotSet> {
    Ok(SnapshotSet {
        id: rows::word(row, "id")?,
        label: row.get("label")?,
        kind: rows::word(row, "kind")?,
        run: rows::maybe_word(row, "run_id")?,
        checkpoint: row.get("checkpoint_id")?,
        files: rows::count(row, "files")?,
        bytes: rows::count(row, "bytes")?,
        at: rows::time(row, "created_at")?,
    })
}
