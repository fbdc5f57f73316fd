//! Several processes on one file, and processes that die.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Child;
use std::time::Duration;

use assist_base::{PauseReason, RunId, RunState};
use assist_store::{Mode, Owner, Store, StoreError};

use crate::{at, children};

/// How much is proven: what the environment asks for, else little enough for every day.
fn proof(name: &str, every_day: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(every_day)
}

/// Four processes open a workspace that has no database yet, and write at the same time.
#[tokio::test]
async fn processes_that_write_at_once_lose_nothing_and_see_no_lock() {
    const CHILDREN: usize = 4;
    // Half of them go to the shared run, half to the process's own.
    let events = proof("ASSIST_PROVE_EVENTS", 800) / 2;
    let workspace = tempfile::tempdir().unwrap();
    let folder = workspace.path().join(".assist");
    let shared = RunId::new();
    let mut processes: Vec<Child> = (0..CHILDREN)
        .map(|_| children::command("events", &folder, &format!("{shared} {events}")).spawn().unwrap())
        .collect();
    let mut own_runs: Vec<RunId> = Vec::new();
    for process in &mut processes {
        own_runs.extend(children::lines(process).map(|line| line.parse::<RunId>().unwrap()));
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(own_runs.len(), CHILDREN);

    let store = Store::open(&folder).unwrap();
    let written = store.events().list(shared, 1).await.unwrap();
    assert!(written.iter().map(|event| event.seq).eq(1..=CHILDREN as u64 * events));
    let mut by_process: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for event in &written {
        let own = event.data["own"].as_str().unwrap().to_owned();
        by_process.entry(own).or_default().push(event.data["n"].as_i64().unwrap());
    }
    assert_eq!(by_process.len(), CHILDREN);
    for numbers in by_process.values() {
        assert!(numbers.iter().copied().eq(0..events as i64), "out of order");
    }
    for own in own_runs {
        assert_eq!(store.events().list(own, 1).await.unwrap().len() as u64, events);
    }
    store.check().await.unwrap();
}

/// A workspace whose database another process keeps for itself.
struct Held {
    folder: std::path::PathBuf,
    run: RunId,
    holder: Child,
    /// Read to its end, so that the holder can write what its test harness says.
    lines: Box<dyn Iterator<Item = String>>,
    _workspace: tempfile::TempDir,
}

async fn held() -> Held {
    let workspace = tempfile::tempdir().unwrap();
    let folder = workspace.path().join(".assist");
    let store = Store::open(&folder).unwrap();
    let run = RunId::new();
    store.sessions().create(crate::new_session(run), at(0)).await.unwrap();
    store.close().await;
    let mut holder = children::command("lock", &folder, "").spawn().unwrap();
    let mut lines = Box::new(children::lines(&mut holder));
    assert_eq!(lines.next().unwrap(), "locked");
    Held { folder, run, holder, lines, _workspace: workspace }
}

impl Held {
    /// Waits until the holder has ended; a closed input is a line too.
    fn let_go(&mut self) {
        self.holder.stdin.take();
        self.lines.by_ref().for_each(drop);
        assert!(self.holder.wait().unwrap().success());
    }
}

#[tokio::test]
async fn a_database_that_another_process_keeps_is_waited_for_when_it_is_opened() {
    let mut held = held().await;
    let mut asked = 0;
    let store = Store::open_patiently(&held.folder, None, |_| {
        asked += 1;
        if asked == 2 {
            held.holder.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        }
        true
    });
    let store = store.unwrap();
    assert!(asked >= 2);
    assert_eq!(*store.mode(), Mode::ReadWrite);
    assert_eq!(store.sessions().get(held.run).await.unwrap().task, "locked");
    held.let_go();
}

#[tokio::test]
async fn waiting_for_a_database_can_be_given_up() {
    let mut held = held().await;
    let mut waited = Vec::new();
    let given_up = Store::open_patiently(&held.folder, None, |so_long| {
        waited.push(so_long);
        waited.len() < 3
    });
    assert!(waited.len() == 3 && waited.is_sorted(), "{waited:?}");
    let error = given_up.unwrap_err();
    assert_eq!(error, StoreError::Busy);
    assert!(error.to_string().contains("Another process keeps the workspace's database locked"), "{error}");
    held.let_go();
    assert_eq!(*Store::open(&held.folder).unwrap().mode(), Mode::ReadWrite, "nothing came of it");
}

/// Kills a busy process after so many acknowledgements, and looks at what is left.
async fn kill_after(acknowledged: usize) {
    let workspace = tempfile::tempdir().unwrap();
    let folder = workspace.path().join(".assist");
    let mut process = children::command("work", &folder, "").spawn().unwrap();
    let mut said = Vec::new();
    let mut lines = children::lines(&mut process);
    while said.len() < acknowledged {
        said.push(lines.next().expect("the child works until it is killed"));
    }
    process.kill().unwrap();
    // What it said before it died counts, also what was still in the pipe.
    said.extend(lines);
    process.wait().unwrap();

    let store = Store::open(&folder).unwrap();
    assert_eq!(*store.mode(), Mode::ReadWrite);
    store.check().await.unwrap();
    let Some(run) = said.iter().find_map(|line| line.strip_prefix("run ")) else { return };
    let run: RunId = run.parse().unwrap();
    let events = store.events().list(run, 1).await.unwrap();
    let checkpoints = store.checkpoints().list(run).await.unwrap();
    let snapshots = store.snapshots().list(run).await.unwrap();
    assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64), "a gap after {acknowledged}");
    for line in &said {
        let (what, id) = line.split_once(' ').unwrap();
        let kept = match what {
            "event" => id.parse::<usize>().unwrap() <= events.len(),
            "checkpoint" => checkpoints.iter().any(|kept| kept.id.to_string() == id),
            "change" => snapshots.iter().any(|kept| kept.applied && kept.change_set.to_string() == id),
            _ => true,
        };
        assert!(kept, "`{line}` was acknowledged and is lost");
    }
    for snapshot in snapshots {
        let content = store.blobs().get(snapshot.after.as_ref().unwrap()).await.unwrap();
        assert!(content.is_some_and(|content| content.starts_with(b"line ")));
    }
    // The run is not lost: the next start finds it.
    let me = Owner { pid: 1, boot: "b".into(), started: "s".into(), label: "test".into() };
    let paused = store.sessions().pause_orphans(me, at(0), Duration::ZERO, |_| false).await.unwrap();
    assert_eq!(paused, [run]);
    let session = store.sessions().get(run).await.unwrap();
    assert_eq!((session.status, session.pause_reason), (RunState::Paused, Some(PauseReason::Crash)));
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    for acknowledged in [0, 1, 2, 13, 14, 15, 101, 350] {
        kill_after(acknowledged).await;
    }
    let mut seed = 5_u64;
    for _ in 0..proof("ASSIST_PROVE_KILLS", 0) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        kill_after((seed >> 33) as usize % 400).await;
    }
}
