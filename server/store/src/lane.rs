//! Threads that own connections. One writes, several read; async callers wait for their answer without blocking an
//! executor thread, and need no particular runtime.
//!
//! Writes that wait in the queue when one begins are committed with it, in one transaction: each in a savepoint of its own, so
//! that one that fails takes none of the others with it. Nobody is answered before the commit, so nothing is less durable than
//! alone, and callers at the same time share what a sync of the disk costs.
//!
//! What is to survive a loss of power is synced behind the commit, by the writer's thread but without its connection: the log
//! is written in order, so one sync takes all that was committed before it. Meanwhile others use the connection.
//!
//! To wake a thread that sleeps on another core takes longer than to make a small write. So a small write that nobody must sync is
//! made by its caller (`*_here`), where the connection is free and nobody waits for it; a small read as well, which finds the
//! writer's pages in memory. Neither waits for a lock of another process: then it is the thread's. Where writes that wait come one
//! right after the other, both sides look for what is about to come for a moment before they sleep (`haste.rs`).

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc as signal, oneshot};

use crate::error::{Result, StoreError};
use crate::haste::{Answers, Jobs};

/// How much must be on the disk before a call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Survives the death of the process; the last moments may be lost when the machine loses power.
    Normal,
    /// Survives the loss of power too.
    Full,
}

/// So many pages of the log are brought into the file itself. As SQLite does it by itself, but on the thread, when all are answered.
const PAGES_OF_LOG: i32 = 1000;

thread_local! {
    /// How many pages the log has, as the last commit on this thread has said.
    static PAGES: Cell<i32> = const { Cell::new(0) };
    /// Whether this thread is a caller's, which waits for nobody's lock.
    static AT_ONCE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the lock of another process is to be waited for on this thread.
pub(crate) fn may_wait() -> bool {
    !AT_ONCE.get()
}

/// A connection and how it is set.
struct Desk {
    conn: Connection,
    /// None before the first write.
    journal: Option<Journal>,
    /// What SQLite does at a commit. None before the first write.
    durability: Option<Durability>,
    /// The log, once SQLite itself has synced it and the folder it is in: from then on it is synced behind the commit.
    log: Option<Arc<File>>,
}

/// How the database is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journal {
    /// Ahead, into a log.
    Log,
    /// Into memory.
    Memory,
    /// With a copy of what was there: each commit must be synced.
    Copies,
}

/// A connection that its thread and callers take in turns.
type Shared = Arc<Mutex<Option<Desk>>>;

fn locked(desk: &Mutex<Option<Desk>>) -> MutexGuard<'_, Option<Desk>> {
    // Whoever panicked has rolled back.
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a lane counts.
#[derive(Debug, Default)]
struct Counts {
    /// Jobs that were handed in and are not done, but perhaps for a sync.
    queued: AtomicUsize,
    /// How long the log was when it was synced last.
    synced: AtomicU64,
}

/// Work for whoever has a connection.
enum Job {
    /// For itself.
    Alone(Alone),
    /// A write, which may be committed with others.
    Write(Write),
}

/// Work that gets the connection, or the reason why nobody has one.
type Alone = Box<dyn FnOnce(Result<&mut Desk>) -> Tell + Send>;

/// Answers a caller, once the connection is free again: what the caller does next may find it so.
type Tell = Box<dyn FnOnce() + Send>;

/// Work that gets a transaction, or the reason why there is none.
type Within = Box<dyn FnOnce(Result<&Transaction<'_>>) -> Done + Send>;

/// A write. Its work gets the transaction, or the reason why there is none.
struct Write {
    durability: Durability,
    work: Within,
}

/// A write that was made and is not committed.
struct Done {
    /// Why it failed; none where it is to be committed.
    failed: Option<StoreError>,
    /// Answers the caller, told how the commit went.
    tell: Box<dyn FnOnce(Result<()>) + Send>,
}

/// How many writes are committed together at most: whoever came first need not wait for all who came since.
const TOGETHER: usize = 64;

type Connect = Box<dyn Fn() -> Result<Connection> + Send>;

/// What is done with an error on the thread that met it, where files may be touched.
pub(crate) type OnError = Arc<dyn Fn(StoreError) -> StoreError + Send + Sync>;

/// A queue with one or more threads behind it, each with a connection of its own.
pub(crate) struct Lane {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    ended: Mutex<Option<signal::Receiver<()>>>,
    on_error: OnError,
    answers: Answers,
    /// The connection, where only one thread has it.
    desk: Option<Shared>,
    counts: Arc<Counts>,
}

impl Lane {
    /// Starts `threads` threads. The first gets `first`, the others (and the first, if there is none) connect when they
    /// have something to do.
    pub(crate) fn start(
        name: &str,
        threads: usize,
        mut first: Option<Connection>,
        on_error: OnError,
        connect: impl Fn() -> Result<Connection> + Send + Clone + 'static,
    ) -> Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let (alive, ended) = signal::channel::<()>(1);
        let counts = Arc::new(Counts::default());
        let mut shared = None;
        for _ in 0..threads {
            let (queue, alive) = (Arc::clone(&queue), alive.clone());
            let desk: Shared = Arc::new(Mutex::new(first.take().map(Desk::new)));
            let counts = Arc::clone(&counts);
            if threads == 1 {
                shared = Some(Arc::clone(&desk));
            }
            let connect: Connect = Box::new(connect.clone());
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    work(&queue, &desk, &connect, Jobs::of(threads), &counts);
                    // Closed here, whoever else could reach it.
                    drop(locked(&desk).take());
                    drop(alive);
                })
                .map_err(|error| StoreError::Sql { message: format!("no thread: {error}") })?;
        }
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            ended: Mutex::new(Some(ended)),
            on_error,
            answers: Answers::default(),
            desk: shared,
            counts,
        })
    }

    /// As [`Lane::read`], for a small one: on the caller's thread where the connection is free. None, with the work, where it is not.
    pub(crate) fn read_here<T, W: FnOnce(&Transaction<'_>) -> Result<T>>(
        &self,
        work: W,
    ) -> Result<Result<T>, W> {
        self.here(TransactionBehavior::Deferred, work)
    }

    /// As [`Lane::write`], for a small one that nobody must sync: on the caller's thread where the connection is free.
    pub(crate) async fn write_here<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match self.here(TransactionBehavior::Immediate, work) {
            Ok(result) => result,
            Err(work) => self.write(Durability::Normal, work).await,
        }
    }

    fn here<T, W: FnOnce(&Transaction<'_>) -> Result<T>>(
        &self,
        behavior: TransactionBehavior,
        work: W,
    ) -> Result<Result<T>, W> {
        // What was handed in before comes before: a caller may have stopped waiting for it.
        let Some(desk) = self.desk.as_ref().filter(|_| self.counts.queued.load(Ordering::Acquire) == 0)
        else {
            return Err(work);
        };
        let Ok(mut desk) = desk.try_lock() else { return Err(work) };
        let Some(desk) = desk.as_mut() else { return Err(work) };
        if desk.set(Durability::Normal).is_err() || desk.journal == Some(Journal::Copies) {
            return Err(work);
        }
        AT_ONCE.set(true);
        let begun = Transaction::new_unchecked(&desk.conn, behavior);
        AT_ONCE.set(false);
        let Ok(tx) = begun else { return Err(work) };
        PAGES.set(0);
        let done = guarded(|| {
            let result = work(&tx)?;
            tx.commit()?;
            Ok(result)
        });
        if PAGES.get() >= PAGES_OF_LOG {
            // Whether it can be handed in or not: there is always a next time.
            let shorten = |desk: Result<&mut Desk>| -> Tell {
                desk.map(Desk::shorten_log).unwrap_or_default();
                Box::new(|| ())
            };
            let _ = self.send(Job::Alone(Box::new(shorten)));
        }
        Ok(done.map_err(|error| (self.on_error)(error)))
    }

    /// How long the log was when it was synced last, of what this lane has written.
    #[cfg(test)]
    pub(crate) fn synced(&self) -> u64 {
        self.counts.synced.load(Ordering::Acquire)
    }

    /// Runs `work` in one read transaction: it sees one state of the database.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(move |desk| {
            let tx = begin(&desk.conn, TransactionBehavior::Deferred)?;
            work(&tx)
        })
        .await
    }

    /// Runs `work` in one write transaction, and returns when it is committed. It is committed also when the caller
    /// stops waiting.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, waiting) = oneshot::channel();
        let on_error = Arc::clone(&self.on_error);
        let work = Box::new(move |tx: Result<&Transaction<'_>>| {
            let result = guarded(|| work(tx?)).map_err(|error| on_error(error));
            let failed = result.as_ref().err().cloned();
            let tell = move |committed: Result<()>| {
                let result = match (result, committed) {
                    (Ok(_), Err(error)) => Err(on_error(error)),
                    (result, _) => result,
                };
                // Nobody may be waiting any more, which changes nothing.
                let _ = answer.send(result);
            };
            Done { failed, tell: Box::new(tell) }
        });
        self.send(Job::Write(Write { durability, work }))?;
        self.answers.wait(waiting).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Runs `work` on a connection that is in no transaction.
    pub(crate) async fn exclusive<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(move |desk| work(&desk.conn)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, waiting) = oneshot::channel();
        let on_error = Arc::clone(&self.on_error);
        let job: Alone = Box::new(move |desk| {
            let result = guarded(|| work(desk?)).map_err(|error| on_error(error));
            // Nobody may be waiting any more, which changes nothing.
            Box::new(move || drop(answer.send(result)))
        });
        self.send(Job::Alone(job))?;
        waiting.await.unwrap_or(Err(StoreError::Closed))
    }

    fn send(&self, job: Job) -> Result<()> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = jobs.as_ref().ok_or(StoreError::Closed)?;
        self.counts.queued.fetch_add(1, Ordering::AcqRel);
        jobs.send(job).map_err(|_| StoreError::Closed)
    }

    /// Finishes what is queued, closes the connections, and returns when all of it is done.
    pub(crate) async fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut ended) = ended {
            // `None` when the last thread has dropped its end.
            let _ = ended.recv().await;
        }
    }
}

/// The life of one thread.
fn work(
    queue: &Mutex<mpsc::Receiver<Job>>,
    shared: &Mutex<Option<Desk>>,
    connect: &Connect,
    mut jobs: Jobs,
    counts: &Counts,
) {
    let mut next = None;
    loop {
        let queue = || queue.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match next.take() {
            Some(job) => job,
            // Whoever holds the lock waits for the next job; the others wait for the lock.
            None => match jobs.next(&queue()) {
                Some(job) => job,
                None => return,
            },
        };
        PAGES.set(0);
        let mut held = locked(shared);
        let desk = match &mut *held {
            Some(desk) => Ok(desk),
            none => connect().map(|conn| none.insert(Desk::new(conn))),
        };
        let mut made = Made::default();
        let done = match job {
            Job::Alone(work) => {
                made.alone = Some(work(desk));
                1
            }
            Job::Write(first) => {
                let mut group = VecDeque::from([first]);
                while group.len() < TOGETHER && next.is_none() {
                    match queue().try_recv() {
                        Ok(Job::Write(write)) => group.push_back(write),
                        Ok(other) => next = Some(other),
                        Err(_) => break,
                    }
                }
                let writes = group.len();
                match desk {
                    Ok(desk) => desk.write_together(group, &mut made),
                    Err(error) => refuse(group, &error),
                }
                writes
            }
        };
        drop(held);
        counts.queued.fetch_sub(done, Ordering::AcqRel);
        made.tell(counts);
        if PAGES.get() >= PAGES_OF_LOG
            && let Some(desk) = &mut *locked(shared)
        {
            desk.shorten_log();
        }
    }
}

/// What a thread has made with the connection, and whom it has to answer.
#[derive(Default)]
struct Made {
    alone: Option<Tell>,
    done: Vec<(Done, Result<()>)>,
    /// Those that are answered when the log is synced.
    unsynced: Vec<Done>,
    log: Option<Arc<File>>,
}

impl Made {
    fn tell(self, counts: &Counts) {
        if let Some(tell) = self.alone {
            tell();
        }
        for (done, committed) in self.done {
            (done.tell)(committed);
        }
        let Some(log) = self.log else { return };
        // What is committed from here on may be in it or not; what was before is.
        let length = log.metadata().map(|log| log.len());
        let synced = log.sync_data().map_err(|error| match error.kind() {
            std::io::ErrorKind::StorageFull => StoreError::Full,
            _ => StoreError::Sql { message: format!("the disk did not take what was written: {error}") },
        });
        if let (Ok(length), Ok(())) = (length, &synced) {
            counts.synced.store(length, Ordering::Release);
        }
        for done in self.unsynced {
            (done.tell)(synced.clone());
        }
    }
}

/// A panic (a bug) rolls back and ends this call, not the thread that all others need.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Sql { message: "an operation panicked".to_owned() }))
}

fn refuse(group: impl IntoIterator<Item = Write>, error: &StoreError) {
    for write in group {
        ((write.work)(Err(error.clone())).tell)(Ok(()));
    }
}

/// Makes one of several writes of a transaction, so that it can fail by itself.
fn within(tx: &Transaction<'_>, write: Write) -> Done {
    let say = |sql: &str| -> Result<()> {
        tx.prepare_cached(sql)?.execute([])?;
        Ok(())
    };
    if let Err(error) = say("SAVEPOINT one") {
        return (write.work)(Err(error));
    }
    let done = (write.work)(Ok(tx));
    // After some errors, a full disk for one, SQLite has rolled back everything already.
    if !tx.is_autocommit() {
        let undone = if done.failed.is_some() { say("ROLLBACK TO one") } else { Ok(()) };
        if let Err(error) = undone.and_then(|()| say("RELEASE one")) {
            tracing::error!(%error, "a part of a transaction could not be ended");
        }
    }
    done
}

impl Desk {
    fn new(conn: Connection) -> Self {
        Self { conn, journal: None, durability: None, log: None }
    }

    /// Makes these writes and commits them together. What SQLite rolled back before its time is an error to all it held. Those that
    /// are to be synced, where SQLite has not done it, are told apart.
    fn write_together(&mut self, mut group: VecDeque<Write>, told: &mut Made) {
        while let Some(full) =
            group.iter().map(|write| write.durability == Durability::Full).reduce(|a, b| a || b)
        {
            let durability = if full { Durability::Full } else { Durability::Normal };
            let tx =
                match self.set(durability).and_then(|()| begin(&self.conn, TransactionBehavior::Immediate)) {
                    Ok(tx) => tx,
                    Err(error) => return refuse(group, &error),
                };
            let is_alone = group.len() == 1;
            let mut made = Vec::new();
            while let Some(write) = group.pop_front() {
                let durability = write.durability;
                let done = if is_alone { (write.work)(Ok(&tx)) } else { within(&tx, write) };
                made.push((done, durability));
                if tx.is_autocommit() {
                    break;
                }
            }
            let committed = if tx.is_autocommit() {
                let why = made.last().and_then(|(done, _)| done.failed.clone());
                let lost = || StoreError::Sql { message: "the transaction was rolled back".to_owned() };
                Err(why.unwrap_or_else(lost))
            } else if made.iter().any(|(done, _)| done.failed.is_none()) {
                tx.commit().map_err(StoreError::from)
            } else {
                // Dropped, and so rolled back, before anyone is answered.
                drop(tx);
                Ok(())
            };
            for (done, durability) in made {
                let is_kept = done.failed.is_none() && committed.is_ok();
                match &self.log {
                    Some(log) if durability == Durability::Full && is_kept => {
                        told.log.get_or_insert_with(|| Arc::clone(log));
                        told.unsynced.push(done);
                    }
                    _ => told.done.push((done, committed.clone())),
                }
            }
            if full && committed.is_ok() && self.log.is_none() && self.journal == Some(Journal::Log) {
                // SQLite has synced it, and its folder. Where it cannot be opened, SQLite goes on doing that.
                self.log = log_of(&self.conn).map(Arc::new);
            }
        }
    }

    /// Has SQLite do what these writes need at their commit.
    fn set(&mut self, durability: Durability) -> Result<()> {
        let journal = match self.journal {
            Some(journal) => journal,
            None => {
                let journal: String = self.conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
                let journal = match journal.as_str() {
                    "wal" => Journal::Log,
                    "memory" => Journal::Memory,
                    _ => Journal::Copies,
                };
                if journal == Journal::Log {
                    // In place of SQLite's own way, which has whoever commits wait for it.
                    self.conn.wal_hook(Some(|_, pages| {
                        PAGES.set(pages);
                        Ok(())
                    }));
                }
                *self.journal.insert(journal)
            }
        };
        let durability = match journal {
            Journal::Log if self.log.is_some() => Durability::Normal,
            Journal::Log => durability,
            Journal::Memory => Durability::Normal,
            // Without a log, less than a full sync can cost more than the last moments: the file itself.
            Journal::Copies => Durability::Full,
        };
        if self.durability != Some(durability) {
            let level = if durability == Durability::Full { "FULL" } else { "NORMAL" };
            self.conn.pragma_update(None, "synchronous", level)?;
            self.durability = Some(durability);
        }
        Ok(())
    }

    /// Brings into the file what is in the log, as far as nobody reads it, so that the log begins anew.
    fn shorten_log(&mut self) {
        let done = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = done {
            tracing::warn!(%error, "the log could not be brought into the database");
        }
    }
}

/// The log of a database that is open: it stays the same file until the last connection is closed.
fn log_of(conn: &Connection) -> Option<File> {
    let mut path = PathBuf::from(conn.path()?).into_os_string();
    path.push("-wal");
    File::options().read(true).write(true).open(path).ok()
}

/// Begins a transaction. The busy handler has waited already where it could; what is left are moments in which SQLite
/// does not ask it, such as another process recovering the log.
fn begin(conn: &Connection, behavior: TransactionBehavior) -> Result<Transaction<'_>> {
    let mut tries = 0;
    loop {
        match Transaction::new_unchecked(conn, behavior).map_err(StoreError::from) {
            Err(StoreError::Busy) if tries < 5 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(20 * tries));
            }
            other => return other,
        }
    }
}
