//! Threads that own connections. One writes, several read; async callers wait for their answer without blocking an
//! executor thread, and need no particular runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc as signal, oneshot};

use crate::error::{Result, StoreError};

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

/// Work for whoever has a connection, or the reason why nobody has.
type Job = Box<dyn FnOnce(Result<&mut Desk>) + Send>;
type Connect = Box<dyn Fn() -> Result<Connection> + Send>;

/// What is done with an error on the thread that met it, where files may be touched.
pub(crate) type OnError = Arc<dyn Fn(StoreError) -> StoreError + Send + Sync>;

/// A queue with one or more threads behind it, each with a connection of its own.
pub(crate) struct Lane {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    ended: Mutex<Option<signal::Receiver<()>>>,
    on_error: OnError,
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
                    work(&queue, first, &connect);
                    drop(alive);
                })
                .map_err(|error| StoreError::Sql { message: format!("no thread: {error}") })?;
        }
        Ok(Self { jobs: Mutex::new(Some(jobs)), ended: Mutex::new(Some(ended)), on_error })
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
        self.run(move |desk| {
            desk.set(durability)?;
            let tx = begin(&mut desk.conn, TransactionBehavior::Immediate)?;
            let value = work(&tx)?;
            tx.commit()?;
            Ok(value)
        })
        .await
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
        let job: Job = Box::new(move |desk| {
            // A panic (a bug) rolls back and ends this call, not the thread that all others need.
            let result = catch_unwind(AssertUnwindSafe(|| work(desk?)))
                .unwrap_or_else(|_| Err(StoreError::Sql { message: "an operation panicked".to_owned() }))
                .map_err(|error| on_error(error));
            // Nobody may be waiting any more, which changes nothing.
            let _ = answer.send(result);
        });
        {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.as_ref().ok_or(StoreError::Closed)?.send(job).map_err(|_| StoreError::Closed)?;
        }
        waiting.await.unwrap_or(Err(StoreError::Closed))
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
fn work(queue: &Mutex<mpsc::Receiver<Job>>, first: Option<Connection>, connect: &Connect) {
    let mut desk = first.map(Desk::new);
    loop {
        // Whoever holds the lock waits for the next job; the others wait for the lock.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        match &mut desk {
            Some(desk) => job(Ok(desk)),
            None => match connect() {
                Ok(conn) => job(Ok(desk.insert(Desk::new(conn)))),
                Err(error) => job(Err(error)),
            },
        }
    }
}

impl Desk {
    fn new(conn: Connection) -> Self {
        Self { conn, durability: None }
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
