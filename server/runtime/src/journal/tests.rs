//! Change sets on real folders: stale, refused, failing, crashing and killed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assist_base::{
    ByteRange, ChangeSet, ChangeSetId, DocPath, FileChange, FileEdit, Outcome, Revision, RunId, TextEdit,
};
use tempfile::TempDir;

use super::{Moment, Recovered, Recovery, Stop};
use crate::{FileError, Trust, Workspace};

mod alone;
mod killed;

fn doc(path: &str) -> DocPath {
    DocPath::relative(path).unwrap()
}

/// A folder with three files: one to change, one to delete, and place for new ones.
pub(super) struct Ground {
    pub(super) folder: TempDir,
    pub(super) workspace: Workspace,
}

pub(super) fn ground() -> Ground {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/a.ts"), "\u{feff}old a\r\n").unwrap();
    fs::write(folder.path().join("src/b.ts"), "old b\n").unwrap();
    fs::write(folder.path().join("gone.ts"), "old gone\n").unwrap();
    let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
    Ground { folder, workspace }
}

impl Ground {
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn modify(&self, path: &str, from: usize, to: usize, text: &str) -> FileChange {
        let base = self.workspace.read(&doc(path)).unwrap().revision;
        let edits = vec![TextEdit { range: ByteRange::new(from, to), text: text.to_owned() }];
        FileChange { path: doc(path), edit: FileEdit::Modify { base, edits } }
    }

    /// One of each kind, in two folders that do not exist yet.
    pub(super) fn changes(&self) -> ChangeSet {
        set(vec![
            self.modify("src/a.ts", 0, 3, "new"),
            create("src/deep/er/new.ts", "new file\n"),
            FileChange {
                path: doc("gone.ts"),
                edit: FileEdit::Delete { base: Revision::of_file("old gone\n") },
            },
            self.modify("src/b.ts", 0, 3, "new"),
        ])
    }

    /// Everything in the folder but Assist's own.
    pub(super) fn tree(&self) -> BTreeMap<String, String> {
        tree(self.folder.path())
    }
}

pub(super) fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if name == ".assist" {
                continue;
            }
            if path.is_dir() {
                found.insert(format!("{name}/"), String::new());
                folders.push(path);
            } else {
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

fn named(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

pub(super) fn before() -> BTreeMap<String, String> {
    named(&[
        ("src/", ""),
        ("src/a.ts", "\u{feff}old a\r\n"),
        ("src/b.ts", "old b\n"),
        ("gone.ts", "old gone\n"),
    ])
}

pub(super) fn after() -> BTreeMap<String, String> {
    named(&[
        ("src/", ""),
        ("src/a.ts", "\u{feff}new a\r\n"),
        ("src/b.ts", "new b\n"),
        ("src/deep/", ""),
        ("src/deep/er/", ""),
        ("src/deep/er/new.ts", "new file\n"),
    ])
}

pub(super) fn set(files: Vec<FileChange>) -> ChangeSet {
    ChangeSet { id: ChangeSetId::new(), run: RunId::new(), label: "Assist: test".to_owned(), files }
}

fn create(path: &str, text: &str) -> FileChange {
    FileChange { path: doc(path), edit: FileEdit::Create { text: text.to_owned() } }
}

/// The journal holds nothing but its lock.
pub(super) fn journal_is_empty(root: &Path) -> bool {
    fs::read_dir(root.join(".assist/journal")).unwrap().all(|entry| entry.unwrap().file_name() == "lock")
}

fn refused(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_set_is_made_whole() {
    let ground = ground();
    let outcome = ground.workspace.apply(&ground.changes()).unwrap();
    assert_eq!(ground.tree(), after());
    let Outcome::Applied { revisions } = outcome else { panic!("{outcome:?}") };
    let expected = [
        (doc("src/a.ts"), Some(Revision::of_file("new a\r\n"))),
        (doc("src/deep/er/new.ts"), Some(Revision::of_file("new file\n"))),
        (doc("gone.ts"), None),
        (doc("src/b.ts"), Some(Revision::of_file("new b\n"))),
    ];
    assert_eq!(revisions, expected);
    assert!(journal_is_empty(ground.folder.path()));
    // Its own folder keeps out of the user's repository.
    let ignore = fs::read_to_string(ground.path(".assist/.gitignore")).unwrap();
    assert!(ignore.lines().any(|line| line == "*"), "{ignore}");
    assert_eq!(ground.workspace.recover().unwrap(), []);
}

#[test]
#[cfg(unix)]
fn the_mode_of_a_changed_file_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let ground = ground();
    for (path, mode) in [("src/a.ts", 0o755), ("src/b.ts", 0o640)] {
        fs::set_permissions(ground.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    ground.workspace.apply(&ground.changes()).unwrap();
    let mode = |path: &str| fs::metadata(ground.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("src/a.ts"), mode("src/b.ts")), (0o755, 0o640));
}

#[test]
#[cfg(unix)]
fn a_link_inside_the_workspace_stays_a_link() {
    let ground = ground();
    std::os::unix::fs::symlink("a.ts", ground.path("src/link.ts")).unwrap();
    let change = ground.modify("src/link.ts", 0, 3, "new");
    assert!(matches!(ground.workspace.apply(&set(vec![change])).unwrap(), Outcome::Applied { .. }));
    assert!(ground.path("src/link.ts").symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_to_string(ground.path("src/a.ts")).unwrap(), "\u{feff}new a\r\n");
}

#[test]
fn a_file_that_moved_on_makes_the_whole_set_stale() {
    let stale = |ground: &Ground, changes: &ChangeSet, path: &str| {
        let found = ground.tree();
        assert_eq!(ground.workspace.apply(changes).unwrap(), Outcome::Stale { path: doc(path) });
        assert_eq!(ground.tree(), found);
        assert!(journal_is_empty(ground.folder.path()));
    };
    let ground = ground();
    let changes = ground.changes();
    fs::write(ground.path("src/b.ts"), "user's b\n").unwrap();
    stale(&ground, &changes, "src/b.ts");
    fs::remove_file(ground.path("src/b.ts")).unwrap();
    stale(&ground, &changes, "src/b.ts");
    fs::write(ground.path("src/b.ts"), "old b\n").unwrap();
    fs::write(ground.path("gone.ts"), "not this one").unwrap();
    stale(&ground, &changes, "gone.ts");
    // Creating never overwrites.
    fs::write(ground.path("gone.ts"), "old gone\n").unwrap();
    fs::create_dir_all(ground.path("src/deep/er")).unwrap();
    fs::write(ground.path("src/deep/er/new.ts"), "user's\n").unwrap();
    stale(&ground, &changes, "src/deep/er/new.ts");
}

#[test]
fn what_may_not_be_done_is_refused_with_the_reason() {
    let ground = ground();
    let check = |files: Vec<FileChange>, expected: &str| {
        let reason = refused(ground.workspace.apply(&set(files)).unwrap());
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(ground.tree(), before());
    };
    let good = || ground.modify("src/b.ts", 0, 3, "new");
    check(vec![good(), create(".git/hooks/pre-commit", "x")], "never touched");
    check(vec![good(), create(".assist/rules/x.md", "x")], "never touched");
    check(vec![good(), create("src", "x")], "not a regular file");
    check(vec![good(), create("gone.ts/x", "x")], "not a regular file");
    check(vec![good(), good()], "named twice");
    check(vec![create("x", "x"), create("x/y", "y")], "file and a folder");
    check(vec![good(), create("nul.ts", "a\0b")], "NUL");
    check(vec![create("big.ts", &"x".repeat(10 * 1024 * 1024 + 1))], "too large");
    check(vec![ground.modify("src/b.ts", 4, 99, "")], "does not fit");
    let untitled = FileChange { path: DocPath::untitled("untitled:1").unwrap(), ..good() };
    check(vec![untitled], "never saved");

    let mut permissions = fs::metadata(ground.path("src/a.ts")).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(ground.path("src/a.ts"), permissions).unwrap();
    check(vec![good(), ground.modify("src/a.ts", 0, 1, "")], "make it writable");
}

#[test]
#[cfg(unix)]
fn a_link_out_of_the_workspace_is_never_written_through() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "outside\n").unwrap();
    let ground = ground();
    std::os::unix::fs::symlink(outside.path(), ground.path("out")).unwrap();
    let base = Revision::of_file("outside\n");
    for change in [
        create("out/new.ts", "x"),
        create("out/deep/new.ts", "x"),
        FileChange { path: doc("out/file"), edit: FileEdit::Delete { base: base.clone() } },
        FileChange { path: doc("out/file"), edit: FileEdit::Modify { base, edits: Vec::new() } },
    ] {
        let reason = refused(ground.workspace.apply(&set(vec![change])).unwrap());
        assert!(reason.contains("outside the workspace"), "{reason}");
    }
    assert_eq!(tree(outside.path()), named(&[("file", "outside\n")]));
}

#[test]
#[cfg(unix)]
fn assists_own_folder_may_not_be_a_link() {
    let outside = tempfile::tempdir().unwrap();
    let ground = ground();
    std::os::unix::fs::symlink(outside.path(), ground.path(".assist")).unwrap();
    assert!(ground.workspace.apply(&ground.changes()).is_err());
    assert_eq!(ground.workspace.recover().unwrap(), []);
    assert_eq!(tree(outside.path()), BTreeMap::new());
}

#[test]
fn an_untrusted_workspace_is_read_only() {
    let ground = ground();
    let untrusted = Workspace::open(ground.folder.path(), Trust::Untrusted).unwrap();
    assert!(refused(untrusted.apply(&ground.changes()).unwrap()).contains("not trusted"));
    assert_eq!(ground.tree(), before());
    assert!(!ground.path(".assist").exists());
    assert_eq!(untrusted.read(&doc("src/b.ts")).unwrap().text, "old b\n");
}

/// Every moment that making a set passes through, once per file where it applies.
pub(super) fn moments(ground: &Ground) -> Vec<Moment> {
    let passed = std::cell::RefCell::new(Vec::new());
    let note = |moment| {
        passed.borrow_mut().push(moment);
        Ok(())
    };
    super::apply(&ground.workspace, &ground.changes(), &note).0.unwrap();
    passed.into_inner()
}

/// Makes the set and crashes when the `n`th moment comes.
fn crash_at(ground: &Ground, changes: &ChangeSet, n: usize) {
    let count = Cell::new(0);
    let probe = |_| {
        count.set(count.get() + 1);
        if count.get() > n { Err(Stop::Crash) } else { Ok(()) }
    };
    let _ = super::apply(&ground.workspace, changes, &probe);
}

#[test]
fn a_crash_at_any_moment_is_finished_or_rolled_back() {
    let moments = moments(&ground());
    assert!(moments.len() > 15, "{moments:?}");
    let commit = moments.iter().position(|moment| *moment == Moment::Committed).unwrap();
    let retired = moments.len() - 1;
    for (n, moment) in moments.iter().enumerate() {
        let ground = ground();
        let changes = ground.changes();
        crash_at(&ground, &changes, n);
        let how = if n >= commit { Recovery::Finished } else { Recovery::RolledBack };
        let expected = Recovered { change_set: changes.id, how, left_alone: Vec::new() };
        let expected = if n == retired { Vec::new() } else { vec![expected] };
        assert_eq!(ground.workspace.recover().unwrap(), expected, "{moment:?}");
        assert_eq!(ground.tree(), if n >= commit { after() } else { before() }, "{moment:?}");
        assert!(journal_is_empty(ground.folder.path()), "{moment:?}");
        assert_eq!(ground.workspace.recover().unwrap(), [], "{moment:?}");
    }
}

#[test]
fn a_failure_at_any_moment_rolls_back_at_once() {
    let moments = moments(&ground());
    let complete = moments.iter().position(|moment| *moment == Moment::Complete).unwrap();
    for (n, moment) in moments.iter().enumerate().take(complete) {
        let ground = ground();
        let count = Cell::new(0);
        let fail = |_| {
            count.set(count.get() + 1);
            let full = || FileError::io("writing", "src/b.ts", io::ErrorKind::StorageFull.into());
            if count.get() == n + 1 { Err(Stop::Failed(full())) } else { Ok(()) }
        };
        let error = super::apply(&ground.workspace, &ground.changes(), &fail).0.unwrap_err();
        assert!(error.to_string().contains("disk is full"), "{error}");
        assert_eq!(ground.tree(), before(), "{moment:?}");
        assert!(journal_is_empty(ground.folder.path()), "{moment:?}");
    }
}

#[test]
fn a_crash_while_rolling_back_is_rolled_back() {
    // Fails at the last file, then crashes at each moment of the undoing.
    for n in 0.. {
        let ground = ground();
        let changes = ground.changes();
        let undoing = Cell::new(None::<usize>);
        let crashed = Cell::new(false);
        let probe = |moment| match (moment, undoing.get()) {
            (Moment::Changed(2), None) => {
                undoing.set(Some(0));
                Err(Stop::Stale(doc("src/b.ts")))
            }
            (_, Some(passed)) => {
                undoing.set(Some(passed + 1));
                if passed >= n {
                    crashed.set(true);
                    return Err(Stop::Crash);
                }
                Ok(())
            }
            _ => Ok(()),
        };
        let _ = super::apply(&ground.workspace, &changes, &probe);
        let recovered = ground.workspace.recover().unwrap();
        assert_eq!(ground.tree(), before(), "{n}");
        assert!(journal_is_empty(ground.folder.path()), "{n}");
        if !crashed.get() {
            assert!(n > 5, "{n}");
            assert_eq!(recovered, []);
            break;
        }
        assert_eq!(recovered.len(), 1);
        assert_eq!(recovered[0].how, Recovery::RolledBack, "{n}");
    }
}

#[test]
fn what_the_user_saved_after_a_crash_is_left_alone() {
    let moments = moments(&ground());
    for (n, moment) in moments.iter().enumerate() {
        for edited in ["src/a.ts", "src/b.ts", "gone.ts", "src/deep/er/new.ts"] {
            let ground = ground();
            crash_at(&ground, &ground.changes(), n);
            fs::create_dir_all(ground.path("src/deep/er")).unwrap();
            fs::write(ground.path(edited), "what the user wrote\n").unwrap();
            let recovered = ground.workspace.recover().unwrap();
            let tree = ground.tree();
            assert_eq!(tree[edited], "what the user wrote\n", "{edited} at {moment:?}");
            // All others are on one side, and nothing of ours lies about.
            let others = |mut tree: BTreeMap<String, String>| {
                tree.remove(edited);
                tree.retain(|name, _| !name.ends_with('/'));
                tree
            };
            let rest = others(tree);
            assert!(rest == others(before()) || rest == others(after()), "{edited} at {moment:?}: {rest:?}");
            if let [recovered] = recovered.as_slice()
                && n > moments.iter().position(|moment| *moment == Moment::Copied).unwrap()
            {
                assert_eq!(recovered.left_alone, [doc(edited)], "{moment:?}");
            }
        }
    }
}

#[test]
fn what_is_saved_while_a_file_is_being_changed_is_put_back() {
    for (victim, n) in [("src/a.ts", 0), ("gone.ts", 2), ("src/b.ts", 3)] {
        let save = |ground: &Ground| {
            // The last moment before the swap: after every check.
            fs::write(ground.path(victim), "saved just now\n").unwrap();
        };
        let at = |moment| match n {
            0 => moment == Moment::Committed,
            2 => moment == Moment::Changed(1),
            _ => moment == Moment::Changed(2),
        };
        let mut expected = before();
        expected.insert(victim.to_owned(), "saved just now\n".to_owned());

        let undisturbed = ground();
        let probe = |moment| {
            if at(moment) {
                save(&undisturbed);
            }
            Ok(())
        };
        let outcome = super::apply(&undisturbed.workspace, &undisturbed.changes(), &probe).0.unwrap();
        assert_eq!(outcome, Outcome::Stale { path: doc(victim) });
        assert_eq!(undisturbed.tree(), expected);
        assert!(journal_is_empty(undisturbed.folder.path()));

        // The same, with a crash right after the swap, when the user's text lies beside the target.
        let crashed = ground();
        let probe = |moment| {
            if at(moment) {
                save(&crashed);
            }
            if moment == Moment::Swapped(n) { Err(Stop::Crash) } else { Ok(()) }
        };
        let _ = super::apply(&crashed.workspace, &crashed.changes(), &probe);
        let recovered = crashed.workspace.recover().unwrap();
        assert_eq!(recovered[0].left_alone, [doc(victim)]);
        assert_eq!(crashed.tree(), expected);
    }
}

#[test]
fn a_file_that_appears_while_one_is_created_stays() {
    let ground = ground();
    let probe = |moment| {
        if moment == Moment::Changed(0) {
            fs::write(ground.path("src/deep/er/new.ts"), "user's\n").unwrap();
        }
        Ok(())
    };
    let outcome = super::apply(&ground.workspace, &ground.changes(), &probe).0.unwrap();
    assert_eq!(outcome, Outcome::Stale { path: doc("src/deep/er/new.ts") });
    let mut expected = before();
    for folder in ["src/deep/", "src/deep/er/"] {
        expected.insert(folder.to_owned(), String::new());
    }
    expected.insert("src/deep/er/new.ts".to_owned(), "user's\n".to_owned());
    assert_eq!(ground.tree(), expected);
}

#[test]
fn the_next_write_recovers_first_and_the_report_is_kept() {
    let ground = ground();
    let interrupted = ground.changes();
    let committed = moments(&self::ground()).iter().position(|moment| *moment == Moment::Committed).unwrap();
    crash_at(&ground, &interrupted, committed);
    let outcome = ground.workspace.apply(&set(vec![create("other.ts", "x\n")])).unwrap();
    assert!(matches!(outcome, Outcome::Applied { .. }));
    let mut expected = after();
    expected.insert("other.ts".to_owned(), "x\n".to_owned());
    assert_eq!(ground.tree(), expected);
    let recovered = ground.workspace.recover().unwrap();
    assert_eq!(recovered.len(), 1);
    assert_eq!((recovered[0].change_set, &recovered[0].how), (interrupted.id, &Recovery::Finished));
}

#[test]
fn a_journal_that_was_damaged_or_brought_along_changes_nothing() {
    let staged = moments(&ground()).iter().position(|moment| *moment == Moment::Changed(0)).unwrap();
    type Spoil<'a> = &'a dyn Fn(&Path);
    let spoil: [(&str, Spoil<'_>); 3] = [
        ("damaged", &|own| fs::write(own.join("intent.json"), "{\"version\":").unwrap()),
        ("damaged", &|own| fs::write(own.join("old.0"), "something else").unwrap()),
        ("not written in this folder", &|own| {
            // As copying or cloning does: the same files in another folder.
            let copy = own.with_extension("copy");
            fs::create_dir(&copy).unwrap();
            for entry in fs::read_dir(own).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
            }
            fs::rename(own, own.with_extension("original")).unwrap();
            fs::rename(&copy, own).unwrap();
        }),
    ];
    for (expected, spoil) in spoil {
        let ground = ground();
        let changes = ground.changes();
        crash_at(&ground, &changes, staged);
        spoil(&ground.path(".assist/journal").join(changes.id.to_string()));
        let found = ground.tree();
        let recovered = ground.workspace.recover().unwrap();
        let Recovery::SetAside(reason) = &recovered[0].how else { panic!("{recovered:?}") };
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(ground.tree(), found);
        assert_eq!(ground.workspace.recover().unwrap(), [], "told once");
    }
}

#[test]
fn two_writers_take_turns() {
    let ground = ground();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let root = ground.folder.path();
            scope.spawn(move || {
                let workspace = Workspace::open(root, Trust::Trusted).unwrap();
                for n in 0..5 {
                    let files = vec![create(&format!("w{writer}/{n}.ts"), "x\n")];
                    assert!(matches!(workspace.apply(&set(files)).unwrap(), Outcome::Applied { .. }));
                }
            });
        }
    });
    assert_eq!(
        ground.tree().keys().filter(|name| name.starts_with('w') && name.ends_with(".ts")).count(),
        20
    );
    assert!(journal_is_empty(ground.folder.path()));
}
