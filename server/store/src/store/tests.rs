//! What callers cannot bring about: full disks, bugs, locks.

use std::sync::mpsc;
use std::time::Duration;

use assist_base::{ContentHash, ConversationId, EventKind, RunId, Timestamp};
use serde_json::json;

use super::*;
use crate::NewSession;

async fn with_run(store: &Store) -> RunId {
    let id = RunId::new();
    let text = String::new;
    let session = NewSession {
        id,
        project_id: text(),
        module: text(),
        app_name: text(),
        app_path: text(),
        task: text(),
        intent: text(),
        conversation: ConversationId::new(),
        client: text(),
    };
    store.sessions().create(session, Timestamp(0)).await.unwrap();
    id
}

async fn append(store: &Store, run: RunId, bytes: usize) -> Result<u64> {
    let data = json!({ "text": "x".repeat(bytes) });
    Ok(store.events().append(run, EventKind::Text, data, Timestamp(0)).await?.seq)
}

/// SQLite reports its own page limit as it reports a full disk.
#[tokio::test]
async fn a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let run = with_run(&store).await;
    assert_eq!(append(&store, run, 10).await, Ok(1));
    let limit = |pages: &'static str| {
        store.write(Durability::Normal, move |tx| {
            tx.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        })
    };
    // As many pages as there are now.
    limit("1").await.unwrap();
    assert_eq!(append(&store, run, 100_000).await, Err(StoreError::Full));
    assert_eq!(store.events().list(run, 1).await.unwrap().len(), 1);
    limit("1000000").await.unwrap();
    assert_eq!(append(&store, run, 100_000).await, Ok(2));
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_bug_in_one_operation_ends_that_operation_only() {
    let store = Store::in_memory().unwrap();
    let run = with_run(&store).await;
    let written: Result<()> = store
        .write(Durability::Normal, move |tx| {
            tx.execute("DELETE FROM agent_sessions", [])?;
            panic!("a bug")
        })
        .await;
    assert!(matches!(written, Err(StoreError::Sql { .. })), "{written:?}");
    assert_eq!(store.sessions().get(run).await.unwrap().id, run, "what the bug began was not rolled back");
}

/// Another process holds the write lock; we wait instead of failing.
#[tokio::test]
async fn a_locked_database_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let run = with_run(&store).await;
    let path = store.path().unwrap().to_owned();
    let (locked, is_locked) = mpsc::channel();
    let (unlock, may_unlock) = mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        let mut conn = open::reader(&path, &Mode::ReadWrite).unwrap();
        conn.pragma_update(None, "query_only", false).unwrap();
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        locked.send(()).unwrap();
        // Reading goes on meanwhile, and the writer is in the queue, when this is told to end.
        let _ = may_unlock.recv();
        tx.commit().unwrap();
    });
    is_locked.recv().unwrap();
    let writing = tokio::spawn({
        let store = store.clone();
        async move { append(&store, run, 1).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(store.events().list(run, 1).await.unwrap(), []);
    assert!(!writing.is_finished());
    unlock.send(()).unwrap();
    assert_eq!(writing.await.unwrap(), Ok(1));
    other.join().unwrap();
}

/// A caller that stops waiting does not undo what it asked for.
#[tokio::test]
async fn a_write_is_made_also_when_nobody_waits_for_it() {
    let store = Store::in_memory().unwrap();
    let run = with_run(&store).await;
    let (go, may_go) = mpsc::channel::<()>();
    let blocked = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .write(Durability::Normal, move |_| {
                    let _ = may_go.recv_timeout(Duration::from_secs(60));
                    Ok(())
                })
                .await
        }
    });
    tokio::task::yield_now().await;
    let abandoned = tokio::spawn({
        let store = store.clone();
        async move { append(&store, run, 1).await }
    });
    tokio::task::yield_now().await;
    abandoned.abort();
    assert!(abandoned.await.unwrap_err().is_cancelled());
    go.send(()).unwrap();
    blocked.await.unwrap().unwrap();
    assert_eq!(store.events().list(run, 1).await.unwrap().len(), 1);
}

/// What must survive a loss of power is synced when the call returns, and only that.
#[tokio::test]
async fn only_what_must_survive_a_power_cut_pays_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let level = async |durability| {
        store
            .write(durability, |tx| {
                Ok(tx.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
            })
            .await
            .unwrap()
    };
    assert_eq!(level(Durability::Normal).await, 1);
    assert_eq!(level(Durability::Full).await, 2);
    assert_eq!(level(Durability::Normal).await, 1);
    let journal = store
        .read(|tx| Ok(tx.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0))?))
        .await
        .unwrap();
    assert_eq!(journal, "wal");
}

/// On a network disk: no write-ahead log, every commit synced, readers and the writer take turns.
#[tokio::test]
async fn a_network_disk_has_no_write_ahead_log() {
    let dir = tempfile::tempdir().unwrap();
    // Made on a local disk, then moved.
    Store::open(dir.path()).unwrap().close().await;
    let store = Store::start(open::open_on(dir.path(), None, |_| true).unwrap()).unwrap();
    let settings = store
        .write(Durability::Normal, |tx| {
            let journal: String = tx.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            let synchronous: i64 = tx.pragma_query_value(None, "synchronous", |row| row.get(0))?;
            Ok((journal, synchronous))
        })
        .await
        .unwrap();
    assert_eq!(settings, ("delete".to_owned(), 2));
    let run = with_run(&store).await;
    let tasks: Vec<_> = (0..6)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    if n % 2 == 0 {
                        append(&store, run, 100).await.unwrap();
                    } else {
                        store.events().list(run, 1).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.events().list(run, 1).await.unwrap().len(), 60);
    assert!(!dir.path().join("assist.db-wal").exists());
}

/// Writes that wait for the writer, each with what it is to hear and to say.
type Waiting<'s> = std::pin::Pin<Box<dyn Future<Output = Result<ContentHash>> + Send + 's>>;

/// Whether it has its answer.
fn is_answered(write: &mut Waiting<'_>) -> Option<Result<ContentHash>> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match write.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => Some(answer),
        std::task::Poll::Pending => None,
    }
}

/// A write of a text of its own. It tells when it has begun to work, and fails in the end where it shall.
fn a_write(
    store: &Store,
    n: usize,
    fails: bool,
    begun: mpsc::Sender<usize>,
    go: mpsc::Receiver<()>,
) -> Waiting<'_> {
    let content = format!("text number {n}").into_bytes();
    Box::pin(store.write(Durability::Full, move |tx| {
        let packed = crate::blobs::pack(tx, content)?;
        crate::blobs::insert(tx, &packed)?;
        begun.send(n).unwrap();
        go.recv().unwrap();
        if fails { Err(StoreError::missing("thing", n)) } else { Ok(packed.hash) }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_are_committed_together_and_each_fails_by_itself() {
    const WRITES: usize = 20;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (begun, begins) = mpsc::channel();
    let (held, hold) = mpsc::channel::<()>();
    let held_back = tokio::spawn({
        let (store, begun) = (store.clone(), begun.clone());
        async move {
            store
                .exclusive(move |_| {
                    begun.send(usize::MAX).unwrap();
                    hold.recv().unwrap();
                    Ok(())
                })
                .await
        }
    });
    assert_eq!(begins.recv(), Ok(usize::MAX));
    let mut gates = Vec::new();
    let mut writes: Vec<Waiting<'_>> = (0..WRITES)
        .map(|n| {
            let (gate, go) = mpsc::channel();
            gates.push(gate);
            a_write(&store, n, n % 5 == 4, begun.clone(), go)
        })
        .collect();
    // They wait in the queue, in this order.
    for write in &mut writes {
        assert_eq!(is_answered(write), None);
    }
    held.send(()).unwrap();
    held_back.await.unwrap().unwrap();
    for (n, gate) in gates.iter().enumerate() {
        assert_eq!(begins.recv(), Ok(n));
        // All before it have done their work; none has been answered, since nothing is committed.
        for write in &mut writes {
            assert_eq!(is_answered(write), None, "{n} is still at work");
        }
        gate.send(()).unwrap();
    }
    for (n, write) in writes.into_iter().enumerate() {
        match write.await {
            Ok(hash) => assert_eq!(
                store.blobs().get(&hash).await.unwrap(),
                Some(format!("text number {n}").into_bytes())
            ),
            Err(error) => {
                assert_eq!((n % 5, error), (4, StoreError::missing("thing", n)));
                let hash = ContentHash::of(format!("text number {n}"));
                assert_eq!(store.blobs().get(&hash).await.unwrap(), None, "what failed left nothing");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_in_the_middle_of_a_group_is_told_to_all_it_took_along() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let run = with_run(&store).await;
    let writes = (0..8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { append(&store, run, if n == 5 { 3_000_000 } else { 10 }).await })
    });
    store
        .write(Durability::Normal, |tx| Ok(tx.query_row("PRAGMA max_page_count = 300", [], |_| Ok(()))?))
        .await
        .unwrap();
    let mut kept = 0;
    for write in writes {
        match write.await.unwrap() {
            Ok(_) => kept += 1,
            Err(error) => assert_eq!(error, StoreError::Full),
        }
    }
    // Whoever was told that it is kept finds it, and the numbers have no gap.
    let events = store.events().list(run, 1).await.unwrap();
    assert_eq!(events.len(), kept);
    assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    store.check().await.unwrap();
}
