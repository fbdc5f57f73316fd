//! Threads that own connections. One writes, several read; async callers wait for their answer without blocking an
//! executor thread, and need no particular runtime.
//!
//! Writes that wait in the queue when one begins are committed with it, in one transaction: each in a savepoint of its own, so
//! that one that fails takes none of the others with it. Nobody is answered before the commit, so nothing is less durable than
//! alone, and callers at the same time share what a sync of the disk costs.
//!
//! To wake a thread that sleeps on another core takes longer than to make a small write: so where writes come one right after the
//! other, both sides look for what is about to come for a moment before they sleep (`haste.rs`).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
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

/// A connection and how it is set.
struct Desk {
    conn: Connection,
    /// None before the first write.
    durability: Option<Durability>,
}

/// Work for whoever has a connection.
enum Job {
    /// For itself.
    Alone(Alone),
    /// A write, which may be committed with others.
    Write(Write),
}

/// Work that gets the connection, or the reason why nobody has one.
type Alone = Box<dyn FnOnce(Result<&mut Desk>) + Send>;

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
        for _ in 0..threads {
            let (queue, alive, first) = (Arc::clone(&queue), alive.clone(), first.take());
            let connect: Connect = Box::new(connect.clone());
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    work(&queue, first, &connect, Jobs::of(threads));
                    drop(alive);
                })
                .map_err(|error| StoreError::Sql { message: format!("no thread: {error}") })?;
        }
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            ended: Mutex::new(Some(ended)),
            on_error,
            answers: Answers::default(),
        })
    }

    /// Runs `work` in one read transaction: it sees one state of the database.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(move |desk| {
            let tx = begin(&mut desk.conn, TransactionBehavior::Deferred)?;
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
            let _ = answer.send(result);
        });
        self.send(Job::Alone(job))?;
        waiting.await.unwrap_or(Err(StoreError::Closed))
    }

    fn send(&self, job: Job) -> Result<()> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.as_ref().ok_or(StoreError::Closed)?.send(job).map_err(|_| StoreError::Closed)
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
fn work(queue: &Mutex<mpsc::Receiver<Job>>, first: Option<Connection>, connect: &Connect, mut jobs: Jobs) {
    let mut desk = first.map(Desk::new);
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
        let desk = match &mut desk {
            Some(desk) => Ok(desk),
            None => connect().map(|conn| desk.insert(Desk::new(conn))),
        };
        match job {
            Job::Alone(work) => work(desk),
            Job::Write(first) => {
                let mut group = VecDeque::from([first]);
                while group.len() < TOGETHER && next.is_none() {
                    match queue().try_recv() {
                        Ok(Job::Write(write)) => group.push_back(write),
                        Ok(other) => next = Some(other),
                        Err(_) => break,
                    }
                }
                match desk {
                    Ok(desk) => desk.write_together(group),
                    Err(error) => refuse(group, &error),
                }
            }
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
        Self { conn, durability: None }
    }

    /// Makes these writes and commits them together. What SQLite rolled back before its time is an error to all it held.
    fn write_together(&mut self, mut group: VecDeque<Write>) {
        while let Some(full) =
            group.iter().map(|write| write.durability == Durability::Full).reduce(|a, b| a || b)
        {
            let durability = if full { Durability::Full } else { Durability::Normal };
            let tx = match self
                .set(durability)
                .and_then(|()| begin(&mut self.conn, TransactionBehavior::Immediate))
            {
                Ok(tx) => tx,
                Err(error) => return refuse(group, &error),
            };
            let is_alone = group.len() == 1;
            let mut made = Vec::new();
            while let Some(write) = group.pop_front() {
                made.push(if is_alone { (write.work)(Ok(&tx)) } else { within(&tx, write) });
                if tx.is_autocommit() {
                    break;
                }
            }
            let committed = if tx.is_autocommit() {
                let why = made.last().and_then(|done| done.failed.clone());
                let lost = || StoreError::Sql { message: "the transaction was rolled back".to_owned() };
                Err(why.unwrap_or_else(lost))
            } else if made.iter().any(|done| done.failed.is_none()) {
                tx.commit().map_err(StoreError::from)
            } else {
                // Dropped, and so rolled back, before anyone is answered.
                drop(tx);
                Ok(())
            };
            for done in made {
                (done.tell)(committed.clone());
            }
        }
    }

    fn set(&mut self, durability: Durability) -> Result<()> {
        if self.durability == Some(durability) {
            return Ok(());
        }
        let journal: String = self.conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        // Without a write-ahead log, less than a full sync can cost more than the last moments: the file itself.
        let full = durability == Durability::Full || !matches!(journal.as_str(), "wal" | "memory");
        self.conn.pragma_update(None, "synchronous", if full { "FULL" } else { "NORMAL" })?;
        self.durability = Some(durability);
        Ok(())
    }
}

/// Begins a transaction. The busy handler has waited already where it could; what is left are moments in which SQLite
/// does not ask it, such as another process recovering the log.
fn begin(conn: &mut Connection, behavior: TransactionBehavior) -> Result<Transaction<'_>> {
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
