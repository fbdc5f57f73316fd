use std::fs;

use assist_base::{ByteRange, ChangeSet, ChangeSetId, FileChange, FileEdit, RunId, TextEdit};

use super::*;

fn doc(path: &str) -> DocPath {
    DocPath::relative(path).unwrap()
}

#[test]
fn a_workspace_is_a_folder_that_exists() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [folder.path().join("missing"), file] {
        let error = Workspace::open(&path, Trust::Trusted).unwrap_err();
        assert!(error.to_string().contains("cannot be opened as a workspace"), "{error}");
    }
}

#[test]
fn what_cannot_be_read_says_why_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
    fs::create_dir(folder.path().join("dir")).unwrap();
    fs::write(folder.path().join("image.png"), b"\x89PNG\r\n\x1a\n\0\0").unwrap();
    // Sparse: it must be refused without being read to the end.
    fs::File::create(folder.path().join("huge.log")).unwrap().set_len(1 << 40).unwrap();
    let message = |path: &str| workspace.read(&doc(path)).unwrap_err().to_string();
    assert_eq!(message("missing.ts"), "there is no file `missing.ts` in the workspace");
    assert!(message("dir").contains("not a regular file"), "{}", message("dir"));
    assert!(message("image.png").contains("binary"));
    assert!(
        message("huge.log").contains("too large (1048576 MB; the limit is 10 MB)"),
        "{}",
        message("huge.log")
    );
    for path in ["missing.ts", "dir", "image.png", "huge.log"] {
        assert!(!message(path).contains('\n'));
    }
}

#[test]
#[cfg(unix)]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(matches!(workspace.read(&doc("pipe")), Err(FileError::NotAFile { .. })));
    assert!(workspace.exists(&doc("pipe")));
}

#[test]
fn bytes_outside_an_edit_stay_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
    for (bytes, expected) in [
        (&b"\xef\xbb\xbfone\r\ntwo\r\n"[..], &b"\xef\xbb\xbfONE\r\ntwo\r\n"[..]),
        (b"one\r\ntwo\nthree\rfour", b"ONE\r\ntwo\nthree\rfour"),
        (b"one", b"ONE"),
    ] {
        fs::write(folder.path().join("a.txt"), bytes).unwrap();
        let file = workspace.read(&doc("a.txt")).unwrap();
        let edits = vec![TextEdit { range: ByteRange::new(0, 3), text: "ONE".to_owned() }];
        let edit = FileEdit::Modify { base: file.revision.clone(), edits };
        let changes = ChangeSet {
            id: ChangeSetId::new(),
            run: RunId::new(),
            label: String::new(),
            files: vec![FileChange { path: doc("a.txt"), edit }],
        };
        let outcome = workspace.apply(&changes).unwrap();
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), expected);
        // What is reported is what reading gives.
        let now = workspace.read(&doc("a.txt")).unwrap();
        assert_eq!(outcome, Outcome::Applied { revisions: vec![(doc("a.txt"), Some(now.revision))] });
    }
    let empty =
        ChangeSet { id: ChangeSetId::new(), run: RunId::new(), label: String::new(), files: Vec::new() };
    assert_eq!(workspace.apply(&empty).unwrap(), Outcome::Applied { revisions: Vec::new() });
}
