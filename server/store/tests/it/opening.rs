//! Databases in every state.

use std::fs;
use std::path::{Path, PathBuf};

use assist_base::{EventKind, RunId};
use assist_store::{ListFilter, Mode, Store, StoreError};
use rusqlite::Connection;
use serde_json::json;

use crate::{at, children, new_session};

struct Workspace {
    _dir: tempfile::TempDir,
    folder: PathBuf,
}

impl Workspace {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap().join(".assist");
        Self { _dir: dir, folder }
    }

    /// One whose database holds a run with this many events of about 1 KB.
    async fn with_events(count: i64) -> (Self, RunId) {
        let workspace = Self::new();
        let store = workspace.open();
        assert_eq!(*store.mode(), Mode::ReadWrite);
        let run = RunId::new();
        store.sessions().create(new_session(run), at(0)).await.unwrap();
        for n in 0..count {
            let data = json!({ "n": n, "text": "x".repeat(1_000) });
            store.events().append(run, EventKind::Text, data, at(n)).await.unwrap();
        }
        store.close().await;
        (workspace, run)
    }

    fn open(&self) -> Store {
        Store::open(&self.folder).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.folder.join("assist.db")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.file()).unwrap()
    }

    fn damage(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = self.bytes();
        change(&mut bytes);
        fs::write(self.file(), &bytes).unwrap();
        bytes
    }

    fn backups(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_string_lossy().contains(".damaged-")).collect()
    }
}

/// A reason is one or two short sentences that name the file or folder.
fn check_reason(reason: &str, names: &Path) {
    assert!(reason.contains(names.to_str().unwrap()), "{reason}");
    assert!(reason.ends_with('.') && !reason.contains('\n') && !reason.contains(".."), "{reason}");
}

#[tokio::test]
async fn what_was_written_is_there_after_closing() {
    let (workspace, run) = Workspace::with_events(3).await;
    let store = workspace.open();
    assert_eq!(store.path(), Some(workspace.file().as_path()));
    assert_eq!(store.events().list(run, 1).await.unwrap().len(), 3);
    store.close().await;
    assert_eq!(store.events().list(run, 1).await, Err(StoreError::Closed));
    assert_eq!(store.leases().list().await, Err(StoreError::Closed));
    store.close().await;
}

#[test]
fn the_folder_ignores_itself_but_for_the_rules() {
    let workspace = Workspace::new();
    drop(workspace.open());
    let ignored = fs::read_to_string(workspace.folder.join(".gitignore")).unwrap();
    let lines: Vec<_> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["*", "!rules/", "!rules/**"]);

    fs::write(workspace.folder.join(".gitignore"), "mine").unwrap();
    drop(workspace.open());
    assert_eq!(fs::read_to_string(workspace.folder.join(".gitignore")).unwrap(), "mine");
}

#[tokio::test]
async fn a_newer_database_is_read_and_never_written() {
    let (workspace, run) = Workspace::with_events(2).await;
    let conn = Connection::open(workspace.file()).unwrap();
    conn.execute_batch(
        "ALTER TABLE events ADD COLUMN later TEXT;
        CREATE TABLE future (x);
        INSERT INTO events (run_id, seq, v, ts, type, data)
            SELECT run_id, 3, 2, 0, 'from_the_future', 'what' FROM events LIMIT 1;
        PRAGMA user_version = 999",
    )
    .unwrap();
    drop(conn);
    let before = workspace.bytes();

    let store = workspace.open();
    let Mode::ReadOnly(reason) = store.mode().clone() else { panic!("{:?}", store.mode()) };
    check_reason(&reason, &workspace.file());
    assert!(reason.contains("newer"), "{reason}");
    assert_eq!(store.events().list(run, 1).await.unwrap().len(), 2);
    assert_eq!(store.sessions().get(run).await.unwrap().id, run);
    let refused = store.events().append(run, EventKind::Status, json!({}), at(9)).await;
    assert_eq!(refused, Err(StoreError::ReadOnly { reason }));
    store.close().await;
    assert_eq!(workspace.bytes(), before);
    assert_eq!(workspace.backups(), Vec::<PathBuf>::new());
}

/// Whatever is wrong with the file: its bytes stay, a copy is kept once, and Assist goes on.
#[tokio::test]
async fn a_damaged_database_is_kept_as_it_is_and_copied() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage); 6] = [
        ("garbage", |bytes| *bytes = b"not a database, but long enough to look at".repeat(20)),
        ("a few bytes", |bytes| bytes.truncate(7)),
        ("a lost end", |bytes| bytes.truncate(bytes.len() / 2)),
        ("a zeroed header", |bytes| bytes[..100].fill(0)),
        ("a zeroed middle", |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle - 8_192..middle + 8_192].fill(0);
        }),
        ("a wrong schema page", |bytes| bytes[100..4_096].fill(0xff)),
    ];
    for (what, damage) in cases {
        let (workspace, run) = Workspace::with_events(60).await;
        let damaged = workspace.damage(damage);
        for _ in 0..2 {
            let store = workspace.open();
            let (Mode::ReadOnly(reason) | Mode::Memory(reason)) = store.mode().clone() else {
                panic!("{what}: taken for whole");
            };
            check_reason(&reason, &workspace.file());
            assert!(reason.contains("damaged"), "{what}: {reason}");
            let written = store.sessions().create(new_session(RunId::new()), at(0)).await;
            match store.mode() {
                Mode::Memory(_) => written.unwrap(),
                _ => assert!(
                    matches!(written, Err(StoreError::Damaged { backup: Some(_), .. })),
                    "{written:?}"
                ),
            }
            // Reading gives rows or an error, never a panic.
            let _ = store.events().list(run, 1).await;
            let _ = store.sessions().list(ListFilter::default()).await;
            store.close().await;
            assert_eq!(workspace.bytes(), damaged, "{what}");
            let backups = workspace.backups();
            assert_eq!(backups.len(), 1, "{what}: {backups:?}");
            assert_eq!(fs::read(&backups[0]).unwrap(), damaged, "{what}");
        }
    }
}

#[tokio::test]
async fn a_database_that_lacks_a_table_is_not_filled_up() {
    let (workspace, run) = Workspace::with_events(1).await;
    Connection::open(workspace.file()).unwrap().execute_batch("DROP TABLE ledger").unwrap();
    let store = workspace.open();
    assert!(matches!(store.mode(), Mode::Memory(reason) if reason.contains("damaged")), "{:?}", store.mode());
    store.sessions().get(run).await.unwrap_err();
}

/// Large files are not read through when they are opened; damage is met later.
#[tokio::test]
async fn damage_that_is_met_later_ends_writing() {
    let (workspace, run) = Workspace::with_events(3_000).await;
    let damaged = workspace.damage(|bytes| {
        let end = bytes.len();
        assert!(end > 2_000_000);
        bytes[end / 4..end / 4 * 3].fill(0xa5);
    });
    let store = workspace.open();
    assert_eq!(*store.mode(), Mode::ReadWrite);
    let met = store.check().await.unwrap_err();
    let StoreError::Damaged { path, backup: Some(backup) } = met.clone() else { panic!("{met:?}") };
    assert_eq!(path, workspace.file());
    check_reason(&met.to_string(), &workspace.file());
    assert_eq!(fs::read(backup).unwrap(), damaged);
    assert_eq!(store.events().append(run, EventKind::Status, json!({}), at(9)).await, Err(met));
    store.close().await;
    assert_eq!(workspace.bytes(), damaged);
}

#[tokio::test]
async fn what_was_committed_before_a_crash_and_never_checkpointed_is_read() {
    let (workspace, run) = Workspace::with_events(1).await;
    let first = workspace.open();
    first.events().append(run, EventKind::Status, json!({}), at(2)).await.unwrap();
    // As after a crash: the log beside the file, and nobody who has it open.
    let copy = Workspace::new();
    fs::create_dir_all(&copy.folder).unwrap();
    for name in ["assist.db", "assist.db-wal"] {
        fs::copy(workspace.folder.join(name), copy.folder.join(name)).unwrap();
    }
    assert_eq!(copy.open().events().list(run, 1).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let workspace = Workspace::new();
    fs::create_dir_all(&workspace.folder).unwrap();
    Connection::open(workspace.file()).unwrap().execute_batch("CREATE TABLE cookies (x)").unwrap();
    let before = workspace.bytes();
    let store = workspace.open();
    let Mode::Memory(reason) = store.mode().clone() else { panic!("{:?}", store.mode()) };
    check_reason(&reason, &workspace.file());
    store.sessions().create(new_session(RunId::new()), at(0)).await.unwrap();
    store.close().await;
    assert_eq!(workspace.bytes(), before);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_database_elsewhere_is_not_followed() {
    let (workspace, elsewhere) = (Workspace::new(), Workspace::new());
    fs::create_dir_all(&workspace.folder).unwrap();
    fs::create_dir_all(&elsewhere.folder).unwrap();
    std::os::unix::fs::symlink(elsewhere.file(), workspace.file()).unwrap();
    let store = workspace.open();
    let Mode::Memory(reason) = store.mode() else { panic!("{:?}", store.mode()) };
    check_reason(reason, &workspace.folder);
    assert!(!elsewhere.file().exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_means_memory() {
    let workspace = Workspace::new();
    fs::write(&workspace.folder, "a file in its place").unwrap();
    let store = workspace.open();
    let Mode::Memory(reason) = store.mode().clone() else { panic!("{:?}", store.mode()) };
    check_reason(&reason, &workspace.folder);
    assert_eq!(store.path(), None);
    let run = RunId::new();
    store.sessions().create(new_session(run), at(0)).await.unwrap();
    assert_eq!(store.sessions().get(run).await.unwrap().id, run);
    assert_eq!(fs::read_to_string(&workspace.folder).unwrap(), "a file in its place");
}

/// Permissions do not bind the superuser, so the child gives up its rights where it has them.
#[cfg(unix)]
#[tokio::test]
async fn a_read_only_folder_means_memory() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    let (workspace, _) = Workspace::with_events(1).await;
    let before = workspace.bytes();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(workspace.folder.parent().unwrap(), 0o755);
    set(&workspace.file(), 0o444);
    set(&workspace.folder, 0o555);
    let mut command = children::command("open", &workspace.folder, "");
    if fs::write(workspace.folder.join("probe"), "").is_ok() {
        fs::remove_file(workspace.folder.join("probe")).unwrap();
        // Without its rights the child might not reach this binary where it lies.
        let binary = workspace.folder.with_file_name("store-test");
        fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
        set(&binary, 0o755);
        command = children::command_of(&binary, "open", &workspace.folder, "");
        command.uid(65_534).gid(65_534).current_dir("/");
    }
    let mut child = command.spawn().unwrap();
    let said: Vec<String> = children::lines(&mut child).collect();
    assert!(child.wait().unwrap().success());
    set(&workspace.folder, 0o755);
    assert_eq!(said.len(), 1, "{said:?}");
    let reason = said[0].strip_prefix("memory ").unwrap_or_else(|| panic!("{said:?}"));
    check_reason(reason, &workspace.folder);
    assert_eq!(workspace.bytes(), before);
}

/// The file may have come with a cloned repository: what is in it is not believed.
#[tokio::test]
async fn forged_rows_are_errors_and_not_panics() {
    let (workspace, run) = Workspace::with_events(1).await;
    let store = workspace.open();
    let hash = store.blobs().put("x".repeat(1_000)).await.unwrap();
    store.close().await;
    let id = run.to_string();
    for (forgery, undo) in [
        ("UPDATE agent_sessions SET status = 'godlike'", "UPDATE agent_sessions SET status = 'pending'"),
        (
            "INSERT INTO changed_files VALUES (?1, '../../.bashrc', 'created', 0)",
            "DELETE FROM changed_files WHERE run_id = ?1",
        ),
        ("UPDATE agent_sessions SET plan = '{'", "UPDATE agent_sessions SET plan = NULL"),
        ("UPDATE agent_sessions SET task = CAST(x'ff' AS TEXT)", "UPDATE agent_sessions SET task = ''"),
    ] {
        let conn = Connection::open(workspace.file()).unwrap();
        let bind = |sql: &str| conn.prepare(sql).map(|s| s.parameter_count()).unwrap();
        conn.execute(forgery, rusqlite::params_from_iter(std::iter::repeat_n(&id, bind(forgery)))).unwrap();
        let store = workspace.open();
        let read = store.sessions().get(run).await;
        assert!(matches!(read, Err(StoreError::Row { .. })), "{forgery}: {read:?}");
        store.close().await;
        conn.execute(undo, rusqlite::params_from_iter(std::iter::repeat_n(&id, bind(undo)))).unwrap();
    }
    // Content that is not what its hash says, or that unpacks without end.
    for forgery in
        ["UPDATE blobs SET data = x'00'", "UPDATE blobs SET size = 1", "UPDATE blobs SET encoding = 'raw'"]
    {
        let conn = Connection::open(workspace.file()).unwrap();
        let kept: (Vec<u8>, i64) =
            conn.query_row("SELECT data, size FROM blobs", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        conn.execute(forgery, []).unwrap();
        let store = workspace.open();
        let read = store.blobs().get(&hash).await;
        assert!(matches!(read, Err(StoreError::Row { .. })), "{forgery}: {read:?}");
        store.close().await;
        conn.execute("UPDATE blobs SET data = ?1, size = ?2, encoding = 'deflate'", (kept.0, kept.1))
            .unwrap();
    }
}
