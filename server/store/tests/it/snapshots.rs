use assist_base::{ChangeSetId, ContentHash, DocPath, RunId};
use assist_store::{ChangeKind, FileSnapshot, MAX_BLOB_BYTES, Session, Store, StoreError};

use crate::{at, store_with_run};

fn file(path: &str, before: Option<&str>, after: Option<&str>) -> FileSnapshot {
    let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    FileSnapshot { path: DocPath::relative(path).unwrap(), before: bytes(before), after: bytes(after) }
}

async fn apply(store: &Store, run: RunId, files: Vec<FileSnapshot>) -> ChangeSetId {
    let change_set = ChangeSetId::new();
    store.snapshots().record(run, change_set, files, at(1)).await.unwrap();
    store.snapshots().mark_applied(change_set).await.unwrap();
    change_set
}

fn changes(run: &Session) -> Vec<(&str, ChangeKind)> {
    run.changed_files.iter().map(|file| (file.path.as_str(), file.change)).collect()
}

#[tokio::test]
async fn content_comes_back_byte_for_byte() {
    let store = Store::in_memory().unwrap();
    let noise: Vec<u8> = (0..10_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for content in
        [Vec::new(), b"x".to_vec(), vec![b'a'; 1_000_000], noise, "\u{feff}é\r\n".as_bytes().to_vec()]
    {
        let hash = store.blobs().put(content.clone()).await.unwrap();
        assert_eq!(hash, ContentHash::of(&content));
        assert_eq!(store.blobs().put(content.clone()).await.unwrap(), hash);
        assert_eq!(store.blobs().get(&hash).await.unwrap(), Some(content));
    }
    assert_eq!(store.blobs().get(&ContentHash::of("elsewhere")).await.unwrap(), None);
    store.blobs().put(vec![0; MAX_BLOB_BYTES + 1]).await.unwrap_err();
}

#[tokio::test]
async fn what_a_crash_left_can_be_told_from_what_was_done() {
    let (store, run) = store_with_run().await;
    let done =
        apply(&store, run, vec![file("a.ts", Some("1"), Some("2")), file("b.ts", None, Some("b"))]).await;
    let cut = ChangeSetId::new();
    store.snapshots().record(run, cut, vec![file("a.ts", Some("2"), Some("3"))], at(2)).await.unwrap();

    let snapshots = store.snapshots().list(run).await.unwrap();
    let seen: Vec<_> = snapshots.iter().map(|s| (s.change_set, s.path.as_str(), s.applied)).collect();
    assert_eq!(seen, [(done, "a.ts", true), (done, "b.ts", true), (cut, "a.ts", false)]);
    assert_eq!(snapshots[1].before, None);
    let before = snapshots[2].before.as_ref().unwrap();
    assert_eq!(store.blobs().get(before).await.unwrap().unwrap(), b"2");

    // A change set that turned out stale leaves nothing that looks like a crash; one that is in place stays.
    store.snapshots().discard(cut).await.unwrap();
    store.snapshots().discard(done).await.unwrap();
    assert_eq!(store.snapshots().list(run).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_changed_files_of_a_run_are_its_net_effect() {
    let (store, run) = store_with_run().await;
    apply(&store, run, vec![file("kept.ts", Some("1"), Some("2")), file("new.ts", None, Some("n"))]).await;
    apply(&store, run, vec![file("kept.ts", Some("2"), Some("3")), file("gone.ts", Some("g"), None)]).await;
    let session = store.sessions().get(run).await.unwrap();
    assert_eq!(
        changes(&session),
        [
            ("gone.ts", ChangeKind::Deleted),
            ("kept.ts", ChangeKind::Modified),
            ("new.ts", ChangeKind::Created)
        ]
    );
    // Undone: nothing differs from what the run found.
    apply(&store, run, vec![file("new.ts", Some("n"), None), file("kept.ts", Some("3"), Some("1"))]).await;
    let session = store.sessions().get(run).await.unwrap();
    assert_eq!(changes(&session), [("gone.ts", ChangeKind::Deleted)]);
}

#[tokio::test]
async fn a_change_set_is_recorded_whole_or_not_at_all() {
    let (store, run) = store_with_run().await;
    let twice = vec![file("a.ts", None, Some("1")), file("a.ts", None, Some("2"))];
    store.snapshots().record(run, ChangeSetId::new(), twice, at(1)).await.unwrap_err();
    assert_eq!(store.snapshots().list(run).await.unwrap(), []);

    let nobody = RunId::new();
    let lost = store.snapshots().record(nobody, ChangeSetId::new(), vec![file("a", None, None)], at(1)).await;
    assert_eq!(lost, Err(StoreError::NotFound { what: "run", id: nobody.to_string() }));
    let unknown = store.snapshots().mark_applied(ChangeSetId::new()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "change set", .. })), "{unknown:?}");
}
