//! Databases of one's own, and those that came with a folder.

use std::fs;
use std::path::Path;

use assist_base::RunId;
use assist_store::{ListFilter, Mode, Seal, Store, StoreError};
use rusqlite::Connection;

use crate::{at, new_session};

/// The workspace's folder and those of two users.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn user(&self, name: &str) -> Seal {
        Seal::of_user(&self.at(name)).unwrap()
    }
}

fn open(folder: &Path, seal: &Seal) -> Store {
    Store::open_patiently(folder, Some(seal), |_| false).unwrap()
}

async fn with_run(folder: &Path, seal: &Seal) -> RunId {
    let store = open(folder, seal);
    assert_eq!(*store.mode(), Mode::ReadWrite);
    let run = RunId::new();
    store.sessions().create(new_session(run), at(0)).await.unwrap();
    store.close().await;
    run
}

/// Has the database say something else, as anyone may who makes one.
fn change(folder: &Path, sql: &str) {
    Connection::open(folder.join("assist.db")).unwrap().execute_batch(sql).unwrap();
}

/// All of a folder's files, with their bytes.
fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // The shared memory beside a log is made by looking.
        .filter(|path| !path.to_string_lossy().ends_with("-shm"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    files.sort();
    files
}

/// The store is one in memory that knows nothing, and its sentence names the file and the way out.
async fn check_strange(folder: &Path, seal: &Seal) {
    let store = open(folder, seal);
    let Mode::Memory(reason) = store.mode() else { panic!("{:?}", store.mode()) };
    assert!(reason.contains(folder.join("assist.db").to_str().unwrap()), "{reason}");
    assert!(reason.contains("not made by you") && reason.contains("`assist adopt`"), "{reason}");
    assert!(store.sessions().list(ListFilter { limit: 9, state: None }).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_database_is_its_makers_wherever_the_folder_is() {
    let place = Place::new();
    let run = with_run(&place.at("shop"), &place.user("anna")).await;
    // The secret is kept, and the folder may go anywhere.
    fs::rename(place.at("shop"), place.at("moved")).unwrap();
    let store = open(&place.at("moved"), &place.user("anna"));
    assert_eq!(*store.mode(), Mode::ReadWrite);
    assert_eq!(store.sessions().get(run).await.unwrap().id, run);
}

#[tokio::test]
async fn a_database_of_somebody_else_is_neither_believed_nor_changed_until_it_is_taken_over() {
    let place = Place::new();
    let folder = place.at("shop");
    let run = with_run(&folder, &place.user("anna")).await;
    let before = files(&folder);
    let berta = place.user("berta");
    check_strange(&folder, &berta).await;
    assert!(files(&folder) == before, "it was changed");

    assert_eq!(Store::adopt(&folder, &berta), Ok(true));
    assert_eq!(Store::adopt(&folder, &berta), Ok(false), "once is enough");
    // Both have it now.
    for user in ["anna", "berta"] {
        let store = open(&folder, &place.user(user));
        assert_eq!(*store.mode(), Mode::ReadWrite, "{user}");
        assert_eq!(store.sessions().get(run).await.unwrap().id, run);
        store.close().await;
    }
    let nothing = Store::adopt(&place.at("empty"), &berta);
    assert!(matches!(nothing, Err(StoreError::NotFound { .. })), "{nothing:?}");
}

#[tokio::test]
async fn no_way_of_writing_the_file_passes_for_the_mark() {
    type Forgery = fn(&Path);
    let forgeries: [(&str, Forgery); 6] = [
        ("no mark", |folder| change(folder, "DELETE FROM seals")),
        ("no table", |folder| change(folder, "DROP TABLE seals")),
        ("an older version", |folder| change(folder, "DROP TABLE seals; PRAGMA user_version = 6")),
        ("a newer version", |folder| change(folder, "PRAGMA user_version = 9999")),
        ("a view that never ends", |folder| {
            change(
                folder,
                "DROP TABLE seals;
                CREATE VIEW seals AS WITH RECURSIVE n (salt) AS (SELECT 1 UNION ALL SELECT salt + 1 FROM n)
                    SELECT salt, salt AS mark FROM n WHERE salt < 0",
            );
        }),
        ("a damaged page", |folder| {
            let file = folder.join("assist.db");
            let mut bytes = fs::read(&file).unwrap();
            let last = bytes.len() - 4096;
            bytes[last..last + 16].fill(0xA5);
            fs::write(file, bytes).unwrap();
        }),
    ];
    for (what, forge) in forgeries {
        let place = Place::new();
        let folder = place.at("shop");
        with_run(&folder, &place.user("mallory")).await;
        change(&folder, "PRAGMA journal_mode = DELETE");
        forge(&folder);
        println!("{what}");
        check_strange(&folder, &place.user("anna")).await;
    }
}

/// Processes that come first at the same time agree on the secret, and each takes a database that another makes for its own.
#[test]
fn whoever_comes_first_makes_the_secret_and_the_database() {
    let place = Place::new();
    let (user, folder) = (place.at("anna"), place.at("shop"));
    let barrier = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                barrier.wait();
                let seal = Seal::of_user(&user).unwrap();
                let store = Store::open_patiently(&folder, Some(&seal), |_| true).unwrap();
                assert_eq!(*store.mode(), Mode::ReadWrite);
            });
        }
    });
    assert_eq!(*open(&folder, &place.user("anna")).mode(), Mode::ReadWrite);
    let kept: Vec<_> = fs::read_dir(&user).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(kept, ["seal"], "nothing is left over");
}
