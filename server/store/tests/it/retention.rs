use std::time::Duration;

use assist_base::{ChangeSetId, ConversationId, DocPath, EventKind, RunId, RunState};
use assist_store::{
    Category, DocumentFilter, DocumentRef, Entry, FileSnapshot, FileState, MemoryFilter, NewDocument,
    NewMemory, NewSnapshotSet, NewVersion, PastFilter, Pruned, Recall, Retention, SnapshotKind, Source,
    Store, TransitionNote,
};
use serde_json::json;

use crate::{at, new_session};

/// Nothing is old and nothing too much.
fn everything() -> Retention {
    Retention { least_runs: 0, ..Retention::default() }
}

/// Bytes that do not compress.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| byte()).collect()
}

async fn run_with_file(store: &Store, end: Option<RunState>, content: Vec<u8>, time: i64) -> RunId {
    let run = RunId::new();
    store.sessions().create(new_session(run), at(time)).await.unwrap();
    store.sessions().transition(run, RunState::Running, TransitionNote::default(), at(time)).await.unwrap();
    store.events().append(run, EventKind::Status, json!({}), at(time)).await.unwrap();
    let file = FileSnapshot { path: DocPath::relative("a.ts").unwrap(), before: None, after: Some(content) };
    let set = ChangeSetId::new();
    store.snapshots().record(run, set, vec![file], at(time)).await.unwrap();
    store.snapshots().mark_applied(set).await.unwrap();
    if let Some(end) = end {
        store.sessions().transition(run, end, TransitionNote::default(), at(time)).await.unwrap();
    }
    run
}

async fn manual(store: &Store, label: &str, content: Vec<u8>, time: i64) -> assist_store::SnapshotSet {
    let files = vec![FileState { path: DocPath::relative("b.ts").unwrap(), content: Some(content) }];
    let new = NewSnapshotSet {
        label: label.to_owned(),
        kind: SnapshotKind::Manual,
        run: None,
        checkpoint: None,
        files,
    };
    store.snapshots().create(new, at(time)).await.unwrap()
}

#[tokio::test]
async fn snapshots_go_when_they_are_old_and_those_of_unfinished_runs_stay() {
    let store = Store::in_memory().unwrap();
    let done = run_with_file(&store, Some(RunState::Done), noise(1, 100), 0).await;
    let paused = run_with_file(&store, Some(RunState::Paused), noise(2, 100), 0).await;
    let recent = run_with_file(&store, Some(RunState::Failed), noise(3, 100), 500).await;
    let old = manual(&store, "old", noise(1, 100), 0).await;
    let new = manual(&store, "new", noise(3, 100), 500).await;
    let policy = Retention { snapshot_age: Duration::from_millis(500), ..everything() };
    let pruned = store.keeper().prune(policy, at(1_000)).await.unwrap();
    assert_eq!(pruned, Pruned { snapshots: 1, snapshot_sets: 1, blobs: 1, ..Pruned::default() });
    assert_eq!(store.snapshots().list(done).await.unwrap(), []);
    assert_eq!(
        store.sessions().get(done).await.unwrap().changed_files.len(),
        1,
        "what it changed stays known"
    );
    assert_eq!(store.snapshots().list(paused).await.unwrap().len(), 1);
    assert_eq!(store.snapshots().list(recent).await.unwrap().len(), 1);
    assert!(store.snapshots().set(old.id).await.is_err());
    assert_eq!(store.snapshots().restore_data(new.id, None).await.unwrap()[0].content, Some(noise(3, 100)));
    assert_eq!(store.keeper().prune(policy, at(1_000)).await.unwrap(), Pruned::default());
}

#[tokio::test]
async fn the_oldest_snapshots_go_until_the_quota_is_kept() {
    let store = Store::in_memory().unwrap();
    let paused = run_with_file(&store, Some(RunState::Paused), noise(9, 10_000), 0).await;
    let mut sets = Vec::new();
    for n in 1..6 {
        run_with_file(&store, Some(RunState::Done), noise(n, 10_000), n as i64 * 10).await;
        sets.push(manual(&store, &n.to_string(), noise(n + 100, 10_000), n as i64 * 10 + 1).await);
    }
    assert_eq!(store.keeper().usage().await.unwrap().snapshot_bytes, 110_000);
    let policy = Retention { snapshot_bytes: 45_000, ..everything() };
    let pruned = store.keeper().prune(policy, at(100)).await.unwrap();
    assert_eq!((pruned.snapshots, pruned.snapshot_sets, pruned.blobs), (4, 3, 7));
    assert_eq!(store.keeper().usage().await.unwrap().snapshot_bytes, 40_000);
    let left: Vec<_> =
        store.snapshots().sets(None, 10).await.unwrap().iter().map(|s| s.label.clone()).collect();
    assert_eq!(left, ["5", "4"]);
    // What belongs to a run that has not ended stays, even if it is too much.
    let nothing = Retention { snapshot_bytes: 0, ..everything() };
    store.keeper().prune(nothing, at(100)).await.unwrap();
    assert_eq!(store.snapshots().list(paused).await.unwrap().len(), 1);
    assert_eq!(store.keeper().usage().await.unwrap().snapshot_bytes, 10_000);
}

#[tokio::test]
async fn old_runs_and_conversations_go_and_memory_documents_and_costs_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let run = run_with_file(&store, Some(RunState::Done), noise(1, 200_000), 0).await;
    let paused = run_with_file(&store, Some(RunState::Paused), noise(2, 100), 0).await;
    let talk = store.sessions().get(run).await.unwrap().conversation;
    let idle = ConversationId::new();
    store.conversations().create(idle, "shop", "assist", None, at(0)).await.unwrap();
    let memory = NewMemory {
        project_id: "shop".into(),
        category: Category::Decision,
        key: "Colour".into(),
        value: "Blue buttons".into(),
        confidence: 1.0,
        source: Source { conversation: Some(talk), run: Some(run), note: None },
        expires_at: None,
    };
    store.memory().remember(memory, at(0)).await.unwrap();
    let first = NewVersion {
        title: "PRD".into(),
        created_by: "product_manager".into(),
        run: Some(run),
        content: json!({}),
        metadata: json!({}),
        changes_since_last: None,
        dependencies: vec![],
    };
    let new = NewDocument { project_id: "shop".into(), doc_type: "prd".into(), parent: None, first };
    let document = store.documents().create(new, at(0)).await.unwrap();
    let used = DocumentRef { id: document.id, version: 1 };
    store.documents().record_use(run, used, "architect", at(0)).await.unwrap();
    let entry = Entry {
        run,
        agent: "builder".into(),
        model: "p/m".into(),
        tier: "B".into(),
        tokens: 5,
        cost_usd: Some(0.5),
        reason: None,
        owner: None,
    };
    store.ledger().reserve(entry, at(0)).await.unwrap();

    let policy = Retention {
        run_age: Duration::from_millis(10),
        conversation_age: Duration::from_millis(10),
        ..everything()
    };
    let spared = Retention { least_runs: 2, conversation_age: Duration::MAX, ..policy };
    assert_eq!(store.keeper().prune(spared, at(20)).await.unwrap().runs, 0, "the last runs stay");
    let pruned = store.keeper().prune(policy, at(20)).await.unwrap();
    assert_eq!((pruned.runs, pruned.conversations, pruned.blobs), (1, 1, 1));
    assert!(store.sessions().get(run).await.is_err());
    assert_eq!(store.events().list(run, 1).await.unwrap(), []);
    assert_eq!(
        store.past().runs("blue", PastFilter::default()).await.unwrap().len(),
        1,
        "only the paused one"
    );
    assert_eq!(store.sessions().get(paused).await.unwrap().id, paused);
    assert!(store.conversations().get(idle).await.is_err());
    assert_eq!(store.conversations().get(talk).await.unwrap().sessions, [], "a memory comes from it");
    assert_eq!(
        store.memory().list(MemoryFilter::default(), at(20)).await.unwrap()[0].source_conversation,
        Some(talk)
    );
    assert_eq!(store.documents().list(DocumentFilter::default()).await.unwrap()[0].run, Some(run));
    assert_eq!(store.documents().used_by(run).await.unwrap()[0].document, used);
    assert_eq!(store.ledger().totals(run).await.unwrap().calls, 1);

    // The room goes back to the disk, and the indexes still mean the same rows.
    let before = store.keeper().usage().await.unwrap();
    assert!(before.free_bytes > 100_000, "{before:?}");
    store.keeper().compact().await.unwrap();
    let after = store.keeper().usage().await.unwrap();
    assert_eq!((after.free_bytes, after.memories, after.documents, after.runs), (0, 1, 1, 1));
    let found = store.memory().recall(Recall::of("button colours"), at(20)).await.unwrap();
    assert_eq!(found[0].memory.key, "Colour");
    assert_eq!(store.past().runs("blue", PastFilter::default()).await.unwrap()[0].session.id, paused);
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_too_large_loses_its_oldest_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for n in 0..30 {
        run_with_file(&store, Some(RunState::Done), noise(n, 50_000), n as i64).await;
    }
    let before = store.keeper().usage().await.unwrap();
    let policy = Retention { file_bytes: before.file_bytes - 300_000, least_runs: 3, ..everything() };
    let pruned = store.keeper().prune(policy, at(100)).await.unwrap();
    assert!((1..=27).contains(&pruned.runs), "{pruned:?}");
    assert!(store.keeper().usage().await.unwrap().file_bytes <= policy.file_bytes);
    let none = Retention { file_bytes: 0, ..policy };
    store.keeper().prune(none, at(100)).await.unwrap();
    assert_eq!(store.keeper().usage().await.unwrap().runs, 3);
}
