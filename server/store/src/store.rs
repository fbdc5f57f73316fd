//! The store itself: one handle, cheap to clone, through which all tables are reached.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Result, StoreError};
use crate::lane::{Durability, Lane, OnError};
use crate::open::{self, Mode, Opened};
use crate::{
    AgentMessages, Approvals, Blobs, Checkpoints, Conversations, Documents, Events, Keeper, KeptBreakers,
    Learning, Leases, Ledger, Memories, Messages, OpenDocuments, Past, ResponseCache, RunInputs, Seal,
    Sessions, Snapshots, Tasks, Vectors, Working, damage,
};

/// Connections for reading, each with its thread. They open when there is something to read.
const READERS: usize = 3;

/// So long a lock of another process is waited for when a file is opened, where the caller does not decide.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// The database of one workspace. Clones share it; it closes when the last one is dropped.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    mode: Mode,
    path: Option<PathBuf>,
    /// Absent when the file may not be written to.
    writer: Option<Lane>,
    /// Absent in memory, where only the writer's connection sees the data.
    readers: Option<Lane>,
    /// Set once damage is seen; from then on nothing is written.
    damage: Arc<OnceLock<StoreError>>,
    /// Whether there is a file that is not used because nothing says that this user made it.
    strange: bool,
}

impl Store {
    /// Opens the database in `folder`, the workspace's `.assist` folder, and makes both where they are missing.
    ///
    /// What cannot be written is not an error: [`Store::mode`] says what was possible, and why. Blocks on the disk, so
    /// call it on a blocking thread.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another process keeps the file locked for half a minute; anything else only when not even a
    /// database in memory can be had.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_patiently(folder, None, |waited| waited < LOCK_PATIENCE)
    }

    /// As [`Store::open`]. While another process keeps the file locked, `goes_on` is asked a few times a second, with the
    /// time that was waited so far, whether to wait on.
    ///
    /// With a `seal`, a new file is marked with it, and one that was there and does not bear it is neither read nor written, since it
    /// may have come with a cloned repository: the mode is [`Mode::Memory`], and its sentence names the way out
    /// ([`Store::adopt`]).
    ///
    /// # Errors
    /// [`StoreError::Busy`] when `goes_on` says no; else as [`Store::open`].
    pub fn open_patiently(
        folder: &Path,
        seal: Option<&Seal>,
        goes_on: impl FnMut(Duration) -> bool,
    ) -> Result<Self> {
        Self::start(open::open_patiently(folder, seal, goes_on)?)
    }

    /// Marks the database in `folder` as the user's own, whoever made it: only when they say so. False when it was theirs
    /// already. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no database; [`StoreError::ReadOnly`] with a sentence for the user when it is
    /// damaged, newer, of another program or cannot be written; [`StoreError::Busy`] as [`Store::open`].
    pub fn adopt(folder: &Path, seal: &Seal) -> Result<bool> {
        let path = folder.join(open::FILE);
        if !path.is_file() {
            return Err(StoreError::missing("database", path.display()));
        }
        let mut opened = open::open_patiently(folder, None, |waited| waited < LOCK_PATIENCE)?;
        if let Mode::ReadOnly(reason) | Mode::Memory(reason) = opened.mode {
            return Err(StoreError::ReadOnly { reason });
        }
        let tx = opened.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let is_new = !seal.is_on(&tx)?;
        if is_new {
            seal.put_on(&tx)?;
            tx.commit()?;
        }
        Ok(is_new)
    }

    /// A database that is forgotten with the process.
    ///
    /// # Errors
    /// Only when SQLite has no memory.
    pub fn in_memory() -> Result<Self> {
        Self::in_memory_because("Nothing is remembered: this session's data is kept in memory only.")
    }

    /// As [`Store::in_memory`], with the sentence that tells the user why.
    ///
    /// # Errors
    /// Only when SQLite has no memory.
    pub fn in_memory_because(reason: impl Into<String>) -> Result<Self> {
        Self::start(open::in_memory(reason.into())?)
    }

    fn start(opened: Opened) -> Result<Self> {
        let Opened { mode, conn, path, damage, strange } = opened;
        let seen = Arc::new(OnceLock::new());
        // In memory the damaged file is not in use, and writing is safe.
        if let (Some(damage), Mode::ReadOnly(_)) = (damage, &mode) {
            let _ = seen.set(damage);
        }
        let on_error = on_error(path.clone(), Arc::clone(&seen));
        let lane = |name: &str, threads, conn, path: &Option<PathBuf>| {
            let (path, mode) = (path.clone(), mode.clone());
            // In memory there is one connection, and a thread that has it never asks for another.
            Lane::start(name, threads, conn, Arc::clone(&on_error), move || match &path {
                Some(path) => open::reader(path, &mode),
                None => Err(StoreError::Closed),
            })
        };
        let (writer, readers) = match &mode {
            Mode::ReadWrite => (
                Some(lane("store-write", 1, Some(conn), &path)?),
                Some(lane("store-read", READERS, None, &path)?),
            ),
            Mode::Memory(_) => (Some(lane("store-write", 1, Some(conn), &path)?), None),
            Mode::ReadOnly(_) => (None, Some(lane("store-read", READERS, Some(conn), &path)?)),
        };
        Ok(Self(Arc::new(Inner { mode, path, writer, readers, damage: seen, strange })))
    }

    /// What can be done with this store.
    pub fn mode(&self) -> &Mode {
        &self.0.mode
    }

    /// Whether there is a database in the folder that is not used because nothing says that this user made it; the sentence
    /// of [`Store::mode`] is about it, and [`Store::adopt`] takes it over.
    pub fn has_stranger(&self) -> bool {
        self.0.strange
    }

    /// The database file; none in memory.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Finishes what is queued and closes the file. Later calls on any clone fail with [`StoreError::Closed`].
    pub async fn close(&self) {
        for lane in [&self.0.readers, &self.0.writer].into_iter().flatten() {
            lane.close().await;
        }
    }

    /// Looks at every page, row and index of the file. Takes seconds on a large one.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a page is wrong; a copy has been made by then, and nothing more is written.
    pub async fn check(&self) -> Result<()> {
        self.read(|tx| damage::check(tx)).await
    }

    /// Runs: `agent_sessions` and `changed_files`.
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions(self)
    }

    /// What runs told the world: `events`.
    pub fn events(&self) -> Events<'_> {
        Events(self)
    }

    /// `advisor_conversations`.
    pub fn conversations(&self) -> Conversations<'_> {
        Conversations(self)
    }

    /// What was said in them: `messages`.
    pub fn messages(&self) -> Messages<'_> {
        Messages(self)
    }

    /// Where a run can go on from: `checkpoints`.
    pub fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints(self)
    }

    /// Content by hash: `blobs`.
    pub fn blobs(&self) -> Blobs<'_> {
        Blobs(self)
    }

    /// Files before and after each change set: `snapshots`.
    pub fn snapshots(&self) -> Snapshots<'_> {
        Snapshots(self)
    }

    /// Which process owns what: `leases`.
    pub fn leases(&self) -> Leases<'_> {
        Leases(self)
    }

    /// What model calls cost: `ledger`.
    pub fn ledger(&self) -> Ledger<'_> {
        Ledger(self)
    }

    /// What Assist remembers: `advisor_memory`.
    pub fn memory(&self) -> Memories<'_> {
        Memories(self)
    }

    /// Embeddings of memories and messages, where there are any.
    pub fn vectors(&self) -> Vectors<'_> {
        Vectors(self)
    }

    /// Search over past runs and conversations.
    pub fn past(&self) -> Past<'_> {
        Past(self)
    }

    /// Documents of the society, with their versions.
    pub fn documents(&self) -> Documents<'_> {
        Documents(self)
    }

    /// The dependency graphs of runs: `tasks`.
    pub fn tasks(&self) -> Tasks<'_> {
        Tasks(self)
    }

    /// What roles say to each other: `agent_messages`.
    pub fn agent_messages(&self) -> AgentMessages<'_> {
        AgentMessages(self)
    }

    /// What runs keep in mind, as one context.
    pub fn working(&self) -> Working<'_> {
        Working(self)
    }

    /// What only the user may decide: `approvals`.
    pub fn approvals(&self) -> Approvals<'_> {
        Approvals(self)
    }

    /// Answers of models, to be given again: `response_cache`.
    pub fn response_cache(&self) -> ResponseCache<'_> {
        ResponseCache(self)
    }

    /// How circuit breakers are: `breakers`.
    pub fn breakers(&self) -> KeptBreakers<'_> {
        KeptBreakers(self)
    }

    /// Which process holds which document open: `open_documents`.
    pub fn open_documents(&self) -> OpenDocuments<'_> {
        OpenDocuments(self)
    }

    /// Steering from other processes: `run_inputs`.
    pub fn run_inputs(&self) -> RunInputs<'_> {
        RunInputs(self)
    }

    /// What was learned: `experiences`, `failure_patterns`, `improvements`.
    pub fn learning(&self) -> Learning<'_> {
        Learning(self)
    }

    /// What lets go of what is old or too much.
    pub fn keeper(&self) -> Keeper<'_> {
        Keeper(self)
    }

    /// Runs `work` in a read transaction.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let lane = self.0.readers.as_ref().or(self.0.writer.as_ref()).ok_or(StoreError::Closed)?;
        lane.read(work).await
    }

    /// Runs `work` in a write transaction; it is committed when this returns.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer()?.write(durability, work).await
    }

    /// Runs `work` on the writer's connection, outside of a transaction: for what cannot be done within one.
    pub(crate) async fn exclusive<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer()?.exclusive(work).await
    }

    fn writer(&self) -> Result<&Lane> {
        if let Some(damage) = self.0.damage.get() {
            return Err(damage.clone());
        }
        match (&self.0.writer, &self.0.mode) {
            (Some(writer), _) => Ok(writer),
            (None, Mode::ReadOnly(reason)) => Err(StoreError::ReadOnly { reason: reason.clone() }),
            _ => Err(StoreError::Closed),
        }
    }
}

/// What turns the first sight of damage into a copy of the file and an end to writing.
fn on_error(path: Option<PathBuf>, seen: Arc<OnceLock<StoreError>>) -> OnError {
    Arc::new(move |error| match (&error, &path) {
        (StoreError::Damaged { .. }, Some(path)) => seen.get_or_init(|| damage::preserve(path)).clone(),
        _ => error,
    })
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("mode", &self.0.mode).field("path", &self.0.path).finish()
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod upgrades;
