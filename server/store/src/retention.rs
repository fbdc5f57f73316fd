//! Letting go of what is old or too much. Memory, documents, the ledger and whatever a run that has not ended needs are
//! never touched.

use std::time::Duration;

use assist_base::Timestamp;
use rusqlite::{Transaction, params};

use crate::error::Result;
use crate::lane::Durability;
use crate::response_cache::{self, CacheLimits};
use crate::{Store, learning, rows};

/// So much is done in one transaction, so that other processes need not wait long.
const BATCH: i64 = 20;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the keeper of a store does.
#[derive(Debug, Clone, Copy)]
pub struct Keeper<'s>(pub(crate) &'s Store);

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// File contents, compressed, in bytes; the oldest go first.
    pub snapshot_bytes: u64,
    /// Snapshots of files, of ended runs and by hand.
    pub snapshot_age: Duration,
    /// Ended runs, with their events and checkpoints.
    pub run_age: Duration,
    /// Conversations without runs, from which no memory comes.
    pub conversation_age: Duration,
    /// The whole file, in bytes. Beyond it the oldest ended runs go, but never the last [`Retention::least_runs`].
    pub file_bytes: u64,
    /// The last so many runs stay for their age alone.
    pub least_runs: u64,
    /// The last so many experiences stay.
    pub experiences: u64,
    /// The cache of answers.
    pub cache: CacheLimits,
}

impl Default for Retention {
    /// 500 MB and 90 days of snapshots, a year of runs and conversations, 2 GB in all.
    fn default() -> Self {
        Self {
            snapshot_bytes: 500 * 1024 * 1024,
            snapshot_age: 90 * DAY,
            run_age: 365 * DAY,
            conversation_age: 365 * DAY,
            file_bytes: 2 * 1024 * 1024 * 1024,
            least_runs: 50,
            experiences: 10_000,
            cache: CacheLimits::default(),
        }
    }
}

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Files of recorded change sets.
    pub snapshots: usize,
    /// States of files by name.
    pub snapshot_sets: usize,
    /// Contents that nothing has any more.
    pub blobs: usize,
    /// Runs.
    pub runs: usize,
    /// Conversations.
    pub conversations: usize,
    /// Cached answers.
    pub cached: usize,
    /// Experiences.
    pub experiences: usize,
}

/// How much is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The file, without its log and without pages that are free.
    pub file_bytes: u64,
    /// Pages of the file that hold nothing: [`Keeper::compact`] gives them back.
    pub free_bytes: u64,
    /// File contents, compressed.
    pub snapshot_bytes: u64,
    /// Runs.
    pub runs: u64,
    /// Conversations.
    pub conversations: u64,
    /// Events.
    pub events: u64,
    /// Memories.
    pub memories: u64,
    /// Documents.
    pub documents: u64,
}

/// States in which a run has ended, so that nothing of it is needed to go on.
const ENDED: &str = "('done', 'approved', 'failed', 'stopped')";

impl Keeper<'_> {
    /// Lets go of what is beyond `retention`. Several processes may do so at once. Contents in [`crate::Blobs`] that no
    /// snapshot has go too.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written; what went until then is gone.
    pub async fn prune(&self, retention: Retention, now: Timestamp) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        let before = |age: Duration| now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));

        let oldest = before(retention.snapshot_age);
        self.by_age(oldest, &mut pruned).await?;
        self.by_quota(retention.snapshot_bytes, &mut pruned).await?;

        let (oldest, least) = (before(retention.run_age), retention.least_runs);
        loop {
            let runs = self.write(move |tx| old_runs(tx, oldest, least)).await?;
            pruned.runs += runs;
            if runs < BATCH as usize {
                break;
            }
        }
        while self.usage().await?.file_bytes > retention.file_bytes {
            let runs = self.write(move |tx| old_runs(tx, i64::MAX, least)).await?;
            pruned.runs += runs;
            if runs == 0 {
                break;
            }
            pruned.blobs += self.write(unused_blobs).await?;
        }
        let oldest = before(retention.conversation_age);
        pruned.conversations = self.write(move |tx| old_conversations(tx, oldest)).await?;
        pruned.blobs += self.write(unused_blobs).await?;
        pruned.experiences =
            self.write(move |tx| learning::prune_experiences(tx, retention.experiences)).await?;
        pruned.cached = self.write(move |tx| response_cache::prune(tx, retention.cache, now)).await?;
        Ok(pruned)
    }

    /// How much is there.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn usage(&self) -> Result<Usage> {
        self.0.read(usage).await
    }

    /// Gives the free pages of the file back to the disk. Needs as much room on the disk for a moment as the file has, and
    /// keeps everyone else from writing meanwhile.
    ///
    /// # Errors
    /// [`crate::StoreError::Full`] when there is no room, [`crate::StoreError::Busy`] when somebody reads or writes for
    /// too long; the file is then as it was.
    pub async fn compact(&self) -> Result<()> {
        self.0.exclusive(|conn| Ok(conn.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?)).await
    }

    async fn by_age(&self, oldest: i64, pruned: &mut Pruned) -> Result<()> {
        let (snapshots, sets) = self
            .write(move |tx| {
                let sql = format!(
                    "DELETE FROM snapshots WHERE created_at < ?1
                        AND run_id IN (SELECT id FROM agent_sessions WHERE status IN {ENDED})"
                );
                let snapshots = rows::run(tx, &sql, [oldest])?;
                let sets = rows::run(
                    tx,
                    &format!("DELETE FROM snapshot_sets AS s WHERE created_at < ?1 AND {}", free_set()),
                    [oldest],
                )?;
                Ok((snapshots, sets))
            })
            .await?;
        pruned.snapshots += snapshots;
        pruned.snapshot_sets += sets;
        pruned.blobs += self.write(unused_blobs).await?;
        Ok(())
    }

    async fn by_quota(&self, quota: u64, pruned: &mut Pruned) -> Result<()> {
        while self.0.read(snapshot_bytes).await? > quota {
            let (snapshots, sets) = self.write(oldest_snapshots).await?;
            pruned.snapshots += snapshots;
            pruned.snapshot_sets += sets;
            let blobs = self.write(unused_blobs).await?;
            pruned.blobs += blobs;
            if snapshots + sets + blobs == 0 {
                // The rest belongs to runs that have not ended.
                break;
            }
        }
        Ok(())
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.write(Durability::Normal, work).await
    }
}

/// Whether nothing that has not ended needs the set `s`.
fn free_set() -> String {
    format!(
        "(s.run_id IS NULL OR NOT EXISTS
            (SELECT 1 FROM agent_sessions WHERE id = s.run_id AND status NOT IN {ENDED}))"
    )
}

/// Deletes the snapshots of the ended run, or the set, that is oldest.
fn oldest_snapshots(tx: &Transaction<'_>) -> Result<(usize, usize)> {
    let sql = format!(
        "SELECT s.run_id AS run, s.created_at AS at FROM snapshots AS s
            JOIN agent_sessions AS a ON a.id = s.run_id
        WHERE a.status IN {ENDED} ORDER BY s.created_at, s.id LIMIT 1"
    );
    let run: Option<(String, i64)> = rows::first(tx, &sql, [], |row| Ok((row.get("run")?, row.get("at")?)))?;
    let sql = format!(
        "SELECT id, created_at AS at FROM snapshot_sets AS s WHERE {} ORDER BY created_at, number LIMIT 1",
        free_set()
    );
    let set: Option<(String, i64)> = rows::first(tx, &sql, [], |row| Ok((row.get("id")?, row.get("at")?)))?;
    match (run, set) {
        (Some((run, at)), set) if set.as_ref().is_none_or(|(_, set)| at <= *set) => {
            Ok((rows::run(tx, "DELETE FROM snapshots WHERE run_id = ?1", [run])?, 0))
        }
        (_, Some((set, _))) => Ok((0, rows::run(tx, "DELETE FROM snapshot_sets WHERE id = ?1", [set])?)),
        _ => Ok((0, 0)),
    }
}

fn unused_blobs(tx: &Transaction<'_>) -> Result<usize> {
    let sql = "DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM snapshots WHERE before_hash = hash)
        AND NOT EXISTS (SELECT 1 FROM snapshots WHERE after_hash = hash)
        AND NOT EXISTS (SELECT 1 FROM snapshot_files WHERE snapshot_files.hash = blobs.hash)";
    Ok(rows::run(tx, sql, [])?)
}

/// Deletes ended runs that ended before `oldest`, the oldest first, but not the last `least` of all.
fn old_runs(tx: &Transaction<'_>, oldest: i64, least: u64) -> Result<usize> {
    let sql = format!(
        "DELETE FROM agent_sessions WHERE id IN (
            SELECT id FROM agent_sessions
            WHERE status IN {ENDED} AND coalesce(completed_at, updated_at) < ?1
                AND id NOT IN (SELECT id FROM agent_sessions ORDER BY created_at DESC, rowid DESC LIMIT ?2)
            ORDER BY coalesce(completed_at, updated_at) LIMIT {BATCH})"
    );
    Ok(rows::run(tx, &sql, params![oldest, rows::integer(least)])?)
}

fn old_conversations(tx: &Transaction<'_>, oldest: i64) -> Result<usize> {
    let sql = "DELETE FROM advisor_conversations AS c WHERE updated_at < ?1
        AND NOT EXISTS (SELECT 1 FROM agent_sessions WHERE conversation_id = c.id)
        AND NOT EXISTS (SELECT 1 FROM advisor_memory WHERE source_conversation_id = c.id)
        AND NOT EXISTS (SELECT 1 FROM memory_sources WHERE conversation_id = c.id)";
    Ok(rows::run(tx, sql, [oldest])?)
}

fn snapshot_bytes(tx: &Transaction<'_>) -> Result<u64> {
    let sql = "SELECT CAST(total(length(data)) AS INTEGER) AS bytes FROM blobs";
    Ok(rows::first(tx, sql, [], |row| rows::count(row, "bytes"))?.unwrap_or(0))
}

fn usage(tx: &Transaction<'_>) -> Result<Usage> {
    let pragma = |name: &str| -> Result<u64> {
        let number: i64 = tx.pragma_query_value(None, name, |row| row.get(0))?;
        u64::try_from(number).map_err(|error| rows::foreign(name, error))
    };
    let (size, pages, free) = (pragma("page_size")?, pragma("page_count")?, pragma("freelist_count")?);
    let count = |table: &str| -> Result<u64> {
        let sql = format!("SELECT count(*) AS rows FROM {table}");
        Ok(rows::first(tx, &sql, [], |row| rows::count(row, "rows"))?.unwrap_or(0))
    };
    Ok(Usage {
        file_bytes: pages.saturating_sub(free).saturating_mul(size),
        free_bytes: free.saturating_mul(size),
        snapshot_bytes: snapshot_bytes(tx)?,
        runs: count("agent_sessions")?,
        conversations: count("advisor_conversations")?,
        events: count("events")?,
        memories: count("advisor_memory")?,
        documents: count("documents")?,
    })
}
