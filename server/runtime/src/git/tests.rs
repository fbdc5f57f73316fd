//! With the real `git`.

use std::fs;
use std::path::PathBuf;
use std::process::Command as Process;

use super::*;

struct Place {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let place = Self { _folder: folder, root };
        place.git(&["init", "-q", "-b", "main"]);
        for (name, value) in [("user.name", "A"), ("user.email", "a@b"), ("commit.gpgsign", "false")] {
            place.git(&["config", name, value]);
        }
        place
    }

    fn committed(files: &[(&str, &str)]) -> Self {
        let place = Self::new();
        for (path, text) in files {
            place.write(path, text);
        }
        place.git(&["add", "."]);
        place.git(&["commit", "-q", "-m", "First"]);
        place
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Process::new("git").args(arguments).current_dir(&self.root).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn open(&self) -> Repository {
        Repository::open(&Workspace::open(&self.root, Trust::Trusted).unwrap()).unwrap()
    }

    fn script(&self, path: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(path, text);
        fs::set_permissions(self.root.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn path(text: &str) -> DocPath {
    DocPath::relative(text).unwrap()
}

fn commit<'a>(paths: &'a [DocPath], branch: Option<&'a str>) -> Commit<'a> {
    Commit { paths, message: "Assist: more\n\nBody", branch }
}

#[test]
fn the_state_of_a_repository_is_read() {
    let place = Place::committed(&[("a.txt", "a\n"), ("b c.txt", "b\n"), ("gone.txt", "g\n")]);
    place.write("a.txt", "A\n");
    place.write("b c.txt", "B\n");
    place.git(&["add", "b c.txt"]);
    place.write("neu é.txt", "n");
    fs::remove_file(place.root.join("gone.txt")).unwrap();
    let repository = place.open();
    let status = repository.status().unwrap();
    assert_eq!(status.branch.as_deref(), Some("main"));
    let mut seen: Vec<_> = status.changes.iter().map(|c| (c.path.as_str(), c.staged, c.unstaged)).collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [("a.txt", '.', 'M'), ("b c.txt", 'M', '.'), ("gone.txt", '.', 'D'), ("neu é.txt", '?', '?')]
    );
    let diff = repository.diff(&[path("a.txt")]).unwrap();
    assert!(diff.contains("-a\n+A\n") && !diff.contains("+B"), "{diff}");
    let log = repository.log(5, None).unwrap();
    assert_eq!((log.len(), log[0].subject.as_str(), log[0].author.as_str()), (1, "First", "A"));
    assert!(repository.show(&log[0].id, &[]).unwrap().contains("+a\n"));
    assert!(matches!(repository.show("--output=x", &[]), Err(GitError::BadName { .. })));
    assert!(Place::new().open().log(3, None).unwrap().is_empty());
    assert_eq!(Place::new().open().diff(&[]).unwrap(), "");
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Workspace::open(folder.path(), Trust::Trusted).unwrap();
    assert!(matches!(Repository::open(&nowhere), Err(GitError::NoRepository)));
}

#[test]
fn only_the_runs_own_paths_are_committed() {
    let place = Place::committed(&[
        ("mine.txt", "1\n"),
        ("staged.txt", "1\n"),
        ("dirty.txt", "1\n"),
        ("old.txt", "1\n"),
    ]);
    place.write("staged.txt", "user\n");
    place.git(&["add", "staged.txt"]);
    place.write("dirty.txt", "user\n");
    let repository = place.open();
    let before = repository.before().unwrap();
    // The run works on all of them, and on new ones.
    for name in ["mine.txt", "staged.txt", "dirty.txt", "sub/new.txt", "[a]*.txt"] {
        place.write(name, "run\n");
    }
    place.write("untracked-of-user.txt", "u");
    fs::remove_file(place.root.join("old.txt")).unwrap();
    let paths = ["mine.txt", "staged.txt", "dirty.txt", "sub/new.txt", "[a]*.txt", "old.txt"].map(path);
    let made = repository.commit(&commit(&paths, None), &before).unwrap();
    assert_eq!(made.paths, ["[a]*.txt", "mine.txt", "old.txt", "sub/new.txt"]);
    assert_eq!(made.left_out, ["staged.txt", "dirty.txt"]);
    assert_eq!(made.branch.as_deref(), Some("main"));
    let mut names: Vec<String> =
        place.git(&["show", "--name-only", "--format=%s"]).lines().map(str::to_owned).collect();
    names.retain(|line| !line.is_empty());
    assert_eq!(names, ["Assist: more", "[a]*.txt", "mine.txt", "old.txt", "sub/new.txt"]);
    // What the user had staged is staged as it was.
    assert_eq!(place.git(&["show", ":staged.txt"]), "user\n");
    assert_eq!(place.git(&["show", "HEAD:dirty.txt"]), "1\n");
    assert_eq!(place.git(&["diff", "--cached", "--name-only"]), "staged.txt\n");
    let again = repository.commit(&commit(&paths, None), &before);
    assert!(matches!(again, Err(GitError::Nothing { .. })), "{again:?}");
}

#[test]
fn a_run_branch_is_made_without_touching_files() {
    let place = Place::committed(&[("a.txt", "1\n"), ("dirty.txt", "1\n")]);
    place.write("dirty.txt", "user\n");
    let repository = place.open();
    let before = repository.before().unwrap();
    place.write("a.txt", "run\n");
    let paths = [path("a.txt")];
    let made = repository.commit(&commit(&paths, Some("assist/run-1")), &before).unwrap();
    assert_eq!(made.branch.as_deref(), Some("assist/run-1"));
    assert_eq!(fs::read_to_string(place.root.join("dirty.txt")).unwrap(), "user\n");
    assert_eq!(place.git(&["show", "main:a.txt"]), "1\n");
    place.write("a.txt", "more\n");
    for (name, expected) in [("-x", true), ("a..b", true), ("main", false)] {
        let result = repository.commit(&commit(&paths, Some(name)), &before);
        assert_eq!(matches!(result, Err(GitError::BadName { .. })), expected, "{name}: {result:?}");
        assert!(result.is_err());
    }
    assert_eq!(place.git(&["branch", "--show-current"]), "assist/run-1\n");
}

#[test]
fn hooks_run_and_a_refusal_leaves_everything_as_it_was() {
    let place = Place::committed(&[("a.txt", "1\n")]);
    place.script(".git/hooks/pre-commit", "#!/bin/sh\necho not today >&2\nexit 1\n");
    let repository = place.open();
    let before = repository.before().unwrap();
    place.write("a.txt", "2\n");
    place.write("new.txt", "2\n");
    let paths = [path("a.txt"), path("new.txt")];
    let refused = repository.commit(&commit(&paths, None), &before);
    assert!(
        matches!(&refused, Err(GitError::Refused { message }) if message.contains("not today")),
        "{refused:?}"
    );
    assert_eq!(place.git(&["status", "--porcelain"]), " M a.txt\n?? new.txt\n");
    let untrusted = Repository::open(&Workspace::open(&place.root, Trust::Untrusted).unwrap()).unwrap();
    assert!(matches!(untrusted.commit(&commit(&paths, None), &before), Err(GitError::Untrusted)));
    fs::write(place.root.join(".git/MERGE_HEAD"), "").unwrap();
    assert!(matches!(
        repository.commit(&commit(&paths, None), &before),
        Err(GitError::Unfinished { what: "merge" })
    ));
}

#[test]
fn reading_runs_nothing_that_a_repository_names() {
    let place = Place::committed(&[("a.txt", "1\n"), (".gitattributes", "*.txt diff=evil filter=evil\n")]);
    place.script("evil.sh", "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\ncat\n");
    let evil = place.root.join("evil.sh").display().to_string();
    for name in [
        "core.fsmonitor",
        "core.pager",
        "pager.log",
        "pager.diff",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "core.sshCommand",
        "core.editor",
        "gpg.program",
        "core.askPass",
        "filter.evil.clean",
        "filter.evil.process",
    ] {
        place.git(&["config", name, &evil]);
    }
    place.git(&["config", "log.showSignature", "true"]);
    for hook in ["post-index-change", "post-checkout", "reference-transaction"] {
        place.script(&format!(".git/hooks/{hook}"), &format!("#!/bin/sh\n{evil}\n"));
    }
    let _ = fs::remove_file(place.root.join("ran"));
    let repository = place.open();
    place.write("a.txt", "2\n");
    let log = repository.log(3, None).unwrap();
    assert!(repository.diff(&[]).unwrap().contains("+2"));
    repository.show(&log[0].id, &[]).unwrap();
    repository.status().unwrap();
    repository.log(3, Some(&path("a.txt"))).unwrap();
    assert!(!place.root.join("ran").exists());
}

#[test]
fn what_was_touched_lately_is_told_with_a_sign_of_when_it_changes() {
    let place = Place::committed(&[("sub/a.ts", "1\n"), ("sub/[b] c.ts", "1\n"), ("top.txt", "1\n")]);
    place.write("sub/a.ts", "2\n");
    place.git(&["commit", "-q", "-am", "Second \x1f odd"]);
    let sub = Workspace::open(&place.root.join("sub"), Trust::Trusted).unwrap();
    let sign = HeadSign::of(&sub).expect("there is a repository");
    assert_eq!(HeadSign::of(&sub).as_ref(), Some(&sign));
    let repository = Repository::open(&sub).unwrap();
    let touched = repository.touched(10).unwrap();
    let seen: Vec<_> = touched.iter().map(|touched| touched.paths.join("|")).collect();
    assert_eq!(seen, ["a.ts", "[b] c.ts|a.ts"]);
    assert_eq!(touched[1].commit.subject, "First");
    assert_eq!(touched[0].commit.day.len(), 10);
    assert_eq!(repository.changed(Some(&touched[1].commit.id)).unwrap(), ["[b] c.ts", "a.ts"]);
    place.write("sub/a.ts", "3\n");
    assert_eq!(HeadSign::of(&sub).as_ref(), Some(&sign));
    assert_eq!(repository.changed(None).unwrap(), ["a.ts"]);
    place.git(&["commit", "-q", "-am", "Third"]);
    assert_ne!(HeadSign::of(&sub), Some(sign));
    let only = repository.show(&touched[1].commit.id, &[path("[b] c.ts")]).unwrap();
    assert!(only.contains("[b] c.ts") && !only.contains("a.ts"), "{only}");
    // A worktree's head is its own, and so is its sign.
    place.git(&["worktree", "add", "-q", "-b", "other", "tree"]);
    let tree = place.root.join("tree");
    let tree_sign = HeadSign::of(&Workspace::open(&tree, Trust::Trusted).unwrap());
    fs::remove_dir_all(&tree).unwrap();
    assert!(tree_sign.is_some() && tree_sign != HeadSign::of(&sub));
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(HeadSign::of(&Workspace::open(folder.path(), Trust::Trusted).unwrap()), None);
}
