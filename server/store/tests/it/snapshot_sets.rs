use assist_base::{ChangeSetId, ContentHash, DocPath, RunId};
use assist_store::{
    Difference, FileSnapshot, FileState, NewSnapshotSet, SnapshotKind, SnapshotSetId, Store, StoreError,
};
use serde_json::json;

use crate::{at, store_with_run};

fn path(text: &str) -> DocPath {
    DocPath::relative(text).unwrap()
}

fn state(files: &[(&str, Option<&str>)]) -> Vec<FileState> {
    let file = |(name, content): &(&str, Option<&str>)| FileState {
        path: path(name),
        content: content.map(|content| content.as_bytes().to_vec()),
    };
    files.iter().map(file).collect()
}

fn by_hand(label: &str, files: &[(&str, Option<&str>)]) -> NewSnapshotSet {
    NewSnapshotSet {
        label: label.to_owned(),
        kind: SnapshotKind::Manual,
        run: None,
        checkpoint: None,
        files: state(files),
    }
}

fn hash(text: &str) -> Option<ContentHash> {
    Some(ContentHash::of(text))
}

#[tokio::test]
async fn a_state_is_kept_compared_and_given_back() {
    let store = Store::in_memory().unwrap();
    let snapshots = store.snapshots();
    let before = [("a.ts", Some("one")), ("b.ts", Some("two")), ("new.ts", None)];
    let first = snapshots.create(by_hand("before the redesign", &before), at(1)).await.unwrap();
    assert_eq!((first.files, first.bytes, first.kind), (3, 6, SnapshotKind::Manual));
    let after = [("a.ts", Some("one")), ("b.ts", None), ("new.ts", Some("three")), ("other.ts", Some("x"))];
    let second = snapshots.create(by_hand("after", &after), at(2)).await.unwrap();
    let differ = |name: &str, before, after| Difference { path: path(name), before, after };
    assert_eq!(
        snapshots.diff_sets(first.id, second.id).await.unwrap(),
        [differ("b.ts", hash("two"), None), differ("new.ts", None, hash("three"))]
    );
    let now = vec![(path("a.ts"), hash("changed")), (path("b.ts"), hash("two")), (path("z.ts"), hash("z"))];
    assert_eq!(
        snapshots.diff_now(first.id, now).await.unwrap(),
        [differ("a.ts", hash("one"), hash("changed"))]
    );

    assert_eq!(snapshots.restore_data(first.id, None).await.unwrap(), state(&before));
    let one = snapshots.restore_data(first.id, Some(vec![path("b.ts")])).await.unwrap();
    assert_eq!(one, state(&[("b.ts", Some("two"))]));
    let unknown = snapshots.restore_data(first.id, Some(vec![path("q.ts")])).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");

    let found =
        async |text: &str| snapshots.find_sets(text).await.unwrap().iter().map(|s| s.id).collect::<Vec<_>>();
    assert_eq!(found(&first.id.short()).await, [first.id]);
    assert_eq!(found("after").await, [second.id]);
    assert_eq!(found("nothing").await, []);
    assert_eq!(snapshots.sets(None, 10).await.unwrap(), [second.clone(), first.clone()]);
    assert!(snapshots.delete_set(first.id).await.unwrap());
    assert!(!snapshots.delete_set(first.id).await.unwrap());
    assert!(matches!(snapshots.set_files(first.id).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_run_has_states_at_its_beginning_and_at_its_checkpoints() {
    let (store, run) = store_with_run().await;
    let checkpoint = store.checkpoints().add(run, "builder", None, json!({}), at(1)).await.unwrap();
    let of_run = |kind, checkpoint| NewSnapshotSet {
        kind,
        run: Some(run),
        checkpoint,
        ..by_hand("Hero", &[("a.ts", Some("one"))])
    };
    store.snapshots().create(of_run(SnapshotKind::Run, None), at(1)).await.unwrap();
    store.snapshots().create(of_run(SnapshotKind::Checkpoint, Some(checkpoint)), at(2)).await.unwrap();
    store.snapshots().create(by_hand("by hand", &[]), at(3)).await.unwrap();
    let sets = store.snapshots().sets(Some(run), 10).await.unwrap();
    assert_eq!(
        sets.iter().map(|s| (s.kind, s.checkpoint)).collect::<Vec<_>>(),
        [(SnapshotKind::Checkpoint, Some(checkpoint)), (SnapshotKind::Run, None),]
    );
    for wrong in [
        NewSnapshotSet { run: Some(RunId::new()), ..by_hand("x", &[]) },
        NewSnapshotSet { checkpoint: Some(99), ..by_hand("x", &[]) },
        by_hand("x", &[("a.ts", Some("1")), ("a.ts", Some("2"))]),
    ] {
        store.snapshots().create(wrong, at(4)).await.unwrap_err();
    }
    assert_eq!(store.snapshots().sets(None, 10).await.unwrap().len(), 3);
    assert!(store.snapshots().set(SnapshotSetId::new()).await.is_err());

    // What the run's files held before it, whatever it did to them afterwards.
    for (name, before, after) in
        [("a.ts", Some("1"), Some("2")), ("a.ts", Some("2"), None), ("n.ts", None, Some("n"))]
    {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        let file = FileSnapshot { path: path(name), before: bytes(before), after: bytes(after) };
        let set = ChangeSetId::new();
        store.snapshots().record(run, set, vec![file], at(5)).await.unwrap();
        store.snapshots().mark_applied(set).await.unwrap();
    }
    assert_eq!(
        store.snapshots().before_run(run).await.unwrap(),
        state(&[("a.ts", Some("1")), ("n.ts", None)])
    );
}
