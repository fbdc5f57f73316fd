//! Other processes: this binary, started again to play one part.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use assist_base::{ChangeSetId, DocPath, EventKind, RunId, RunState, Timestamp};
use assist_store::{FileSnapshot, Mode, Store, TransitionNote};
use serde_json::json;

use crate::new_session;

const PART: &str = "ASSIST_STORE_TEST_PART";
const FOLDER: &str = "ASSIST_STORE_TEST_FOLDER";
const ARGUMENT: &str = "ASSIST_STORE_TEST_ARGUMENT";

/// How a child is started. Its lines are what [`say`] writes.
pub fn command(part: &str, folder: &Path, argument: &str) -> Command {
    command_of(&std::env::current_exe().unwrap(), part, folder, argument)
}

/// As [`command`], with a copy of this binary.
pub fn command_of(binary: &Path, part: &str, folder: &Path, argument: &str) -> Command {
    let mut command = Command::new(binary);
    command
        .args(["--exact", "children::child", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(FOLDER, folder)
        .env(ARGUMENT, argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// The lines that a child says, without the prefix, until it ends.
pub fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let output = BufReader::new(child.stdout.take().unwrap());
    // A killed child may leave half a line, which was not acknowledged.
    output.lines().map_while(Result::ok).filter_map(|line| Some(line.strip_prefix("> ")?.to_owned()))
}

/// Says a line past the test harness, at once. The first line break ends what the harness has written.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    out.write_all(format!("\n> {line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Not a test by itself: the part that a child plays.
#[test]
fn child() {
    let Ok(part) = std::env::var(PART) else { return };
    let folder = std::env::var(FOLDER).unwrap();
    let argument = std::env::var(ARGUMENT).unwrap();
    let folder = Path::new(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    match part.as_str() {
        "open" => match Store::open(folder).unwrap().mode() {
            Mode::ReadWrite => say("read-write"),
            Mode::ReadOnly(reason) => say(&format!("read-only {reason}")),
            Mode::Memory(reason) => say(&format!("memory {reason}")),
        },
        "events" => runtime.block_on(write_events(folder, &argument)),
        "lock" => hold_until_told(folder),
        "work" => runtime.block_on(work_until_killed(folder)),
        other => panic!("no part {other}"),
    }
}

/// Opens the store and writes events: to a run shared by all children, and to one of its own. Argument: the shared run
/// and how many.
async fn write_events(folder: &Path, argument: &str) {
    let (shared, count) = argument.split_once(' ').unwrap();
    let (shared, count): (RunId, i64) = (shared.parse().unwrap(), count.parse().unwrap());
    let store = Store::open(folder).unwrap();
    assert_eq!(*store.mode(), Mode::ReadWrite);
    let own = RunId::new();
    store.sessions().create(new_session(own), Timestamp(0)).await.unwrap();
    // All register it; one is first.
    let _ = store.sessions().create(new_session(shared), Timestamp(0)).await;
    say(&own.to_string());
    for n in 0..count {
        let data = json!({ "own": own, "n": n });
        store.events().append(shared, EventKind::Status, data.clone(), Timestamp(n)).await.unwrap();
        store.events().append(own, EventKind::Status, data, Timestamp(n)).await.unwrap();
    }
    store.close().await;
}

/// Keeps the database for itself until a line comes in, as a program that a user looks into it with may.
fn hold_until_told(folder: &Path) {
    let mut conn = rusqlite::Connection::open(folder.join("assist.db")).unwrap();
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive).unwrap();
    tx.execute("UPDATE agent_sessions SET task = 'locked'", []).unwrap();
    say("locked");
    io::stdin().read_line(&mut String::new()).unwrap();
    tx.commit().unwrap();
}

/// A busy run that never ends: events, checkpoints and snapshots. Each is said after it was acknowledged.
async fn work_until_killed(folder: &Path) {
    let store = Store::open(folder).unwrap();
    let run = RunId::new();
    store.sessions().create(new_session(run), Timestamp(0)).await.unwrap();
    say(&format!("run {run}"));
    store
        .sessions()
        .transition(run, RunState::Running, TransitionNote::default(), Timestamp(1))
        .await
        .unwrap();
    for n in 0.. {
        let text = format!("line {n}\n").repeat(50);
        let event = store
            .events()
            .append(run, EventKind::Text, json!({ "n": n, "text": text }), Timestamp(n))
            .await
            .unwrap();
        say(&format!("event {}", event.seq));
        if n % 10 == 9 {
            let id =
                store.checkpoints().add(run, "builder", None, json!({ "n": n }), Timestamp(n)).await.unwrap();
            say(&format!("checkpoint {id}"));
            let change_set = ChangeSetId::new();
            let path = DocPath::relative("a.ts").unwrap();
            let file = FileSnapshot { path, before: None, after: Some(text.into_bytes()) };
            store.snapshots().record(run, change_set, vec![file], Timestamp(n)).await.unwrap();
            store.snapshots().mark_applied(change_set).await.unwrap();
            say(&format!("change {change_set}"));
        }
    }
}
