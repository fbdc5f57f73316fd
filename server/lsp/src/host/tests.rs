use assist_base::{ChangeSetId, FileChange, FileEdit, TextEdit};
use serde_json::json;
use tokio::task::JoinHandle;

use super::*;
use crate::testing::{Editor, able};
use crate::workspaces::Desk;

const TEXT: &str = "import a\n\nfunction one() {\n  return 1;\n}\n\nend\n";
const OLD: &str = "  return 1;\n";
const NEW: &str = "  const answer = 41;\n  return answer + 1;\n";

fn path(name: &str) -> DocPath {
    DocPath::relative(name).unwrap()
}

fn expected() -> String {
    TEXT.replace(OLD, NEW)
}

/// A change set that rewrites the body of `one` in each of the files.
async fn rewrite(desk: &Desk, files: &[&str]) -> ChangeSet {
    let mut changes = Vec::new();
    for file in files {
        let document = desk.host.read(&path(file)).await.unwrap();
        let start = document.text.find(OLD).unwrap();
        let edits = vec![TextEdit { range: ByteRange::new(start, start + OLD.len()), text: NEW.to_owned() }];
        changes
            .push(FileChange { path: path(file), edit: FileEdit::Modify { base: document.revision, edits } });
    }
    ChangeSet { id: ChangeSetId::new(), run: RunId::new(), label: "Assist: one".to_owned(), files: changes }
}

fn apply(desk: &Desk, set: ChangeSet) -> JoinHandle<Result<Outcome, HostError>> {
    let host = Arc::clone(&desk.host);
    tokio::spawn(async move { host.apply(&set).await })
}

/// An editor with `a.ts` open, to which the edit has just been sent.
async fn sent(name: &str) -> (Editor, Value, JoinHandle<Result<Outcome, HostError>>) {
    let mut editor = Editor::start(name, able(), None).await;
    editor.write("a.ts", TEXT);
    editor.open("a.ts", TEXT).await;
    let desk = editor.desk().await;
    let applying = apply(&desk, rewrite(&desk, &["a.ts"]).await);
    let edit = editor.expect("workspace/applyEdit").await;
    (editor, edit, applying)
}

async fn outcome(editor: &Editor, applying: JoinHandle<Result<Outcome, HostError>>) -> Outcome {
    editor.let_time_pass(&applying).await;
    applying.await.unwrap().unwrap()
}

#[track_caller]
fn refused(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_edit_names_its_document_version_and_label() {
    let (mut editor, edit, applying) = sent("test").await;
    let params = &edit["params"];
    assert_eq!(params["label"], "Assist: one");
    let changes = params["edit"]["documentChanges"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0]["textDocument"], json!({ "uri": editor.uri("a.ts"), "version": 1 }));
    assert_eq!(
        changes[0]["edits"],
        json!([{ "range": { "start": { "line": 3, "character": 0 }, "end": { "line": 4, "character": 0 } }, "newText": NEW }])
    );
    editor.change("a.ts", 2, &expected()).await;
    editor.answer(&edit, json!({ "applied": true })).await;
    match outcome(&editor, applying).await {
        Outcome::Applied { revisions } => {
            assert_eq!(
                revisions,
                [(path("a.ts"), Some(Revision { version: 2, ..Revision::of_file(&expected()) }))]
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(editor.on_disk("a.ts").unwrap(), TEXT, "an open file is never written");
}

#[tokio::test]
async fn an_answer_before_the_change_is_waited_for() {
    let (mut editor, edit, applying) = sent("Neovim").await;
    editor.answer(&edit, json!({ "applied": true })).await;
    editor.settle().await;
    assert!(!applying.is_finished());
    editor.change("a.ts", 2, &expected()).await;
    assert!(matches!(outcome(&editor, applying).await, Outcome::Applied { .. }));
}

#[tokio::test]
async fn an_edit_that_was_dropped_and_called_applied_is_stale() {
    let (mut editor, edit, applying) = sent("Neovim").await;
    editor.change("a.ts", 2, &TEXT.replace("import a", "import a, b")).await;
    editor.answer(&edit, json!({ "applied": true })).await;
    editor.settle().await;
    assert_eq!(outcome(&editor, applying).await, Outcome::Stale { path: path("a.ts") });
}

#[tokio::test]
async fn an_edit_that_comes_with_typing_in_one_message_is_applied() {
    let (mut editor, edit, applying) = sent("Neovim").await;
    editor.answer(&edit, json!({ "applied": true })).await;
    editor.change("a.ts", 3, &expected().replace("import a", "import a, b")).await;
    match outcome(&editor, applying).await {
        Outcome::Applied { revisions } => assert_eq!(revisions[0].1.as_ref().unwrap().version, 3),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn typing_right_after_the_edit_does_not_hide_it() {
    let (mut editor, edit, applying) = sent("test").await;
    editor.change("a.ts", 2, &expected()).await;
    editor.change("a.ts", 3, "something else altogether\n").await;
    editor.answer(&edit, json!({ "applied": true })).await;
    match outcome(&editor, applying).await {
        Outcome::Applied { revisions } => assert_eq!(revisions[0].1.as_ref().unwrap().version, 2),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_honest_no_is_stale_when_the_text_moved_on_and_refused_when_not() {
    let no = json!({ "applied": false, "failureReason": "a.ts is read-only" });
    let (mut editor, edit, applying) = sent("test").await;
    editor.answer(&edit, no.clone()).await;
    editor.settle().await;
    assert_eq!(refused(outcome(&editor, applying).await), "a.ts is read-only");

    let (mut editor, edit, applying) = sent("test").await;
    editor.change("a.ts", 2, &TEXT.replace("end", "END")).await;
    editor.answer(&edit, no.clone()).await;
    assert_eq!(outcome(&editor, applying).await, Outcome::Stale { path: path("a.ts") });

    // The news of the change may come after the no.
    let (mut editor, edit, applying) = sent("test").await;
    editor.answer(&edit, no).await;
    editor.change("a.ts", 2, &TEXT.replace("end", "END")).await;
    assert_eq!(outcome(&editor, applying).await, Outcome::Stale { path: path("a.ts") });
}

#[tokio::test]
async fn a_no_with_the_edit_in_the_text_is_applied() {
    let (mut editor, edit, applying) = sent("test").await;
    editor.answer(&edit, json!({ "applied": false })).await;
    editor.change("a.ts", 2, &expected()).await;
    assert!(matches!(outcome(&editor, applying).await, Outcome::Applied { .. }));
}

#[tokio::test]
async fn a_text_that_does_not_say_whether_the_edit_arrived_is_not_called_applied() {
    let (mut editor, edit, applying) = sent("Neovim").await;
    // The edit was made by line numbers in a text that had a line more.
    let typed = TEXT.replace("import a\n", "import a\nimport b\n");
    editor.change("a.ts", 3, &typed.replace("function one() {\n", NEW)).await;
    editor.answer(&edit, json!({ "applied": true })).await;
    editor.settle().await;
    assert!(refused(outcome(&editor, applying).await).contains("not clear"));
}

#[tokio::test]
async fn an_editor_that_agreed_and_shows_nothing_is_not_sent_the_edit_again() {
    // Neovim handles nothing while it waits for a key; a second edit would be made on top of the first.
    let (mut editor, edit, applying) = sent("Neovim").await;
    editor.answer(&edit, json!({ "applied": true })).await;
    editor.settle().await;
    assert!(refused(outcome(&editor, applying).await).contains("does not show it"));
    editor.settle().await;
    assert!(!editor.came("workspace/applyEdit"));
}

#[tokio::test]
async fn a_client_that_never_answers_is_given_up() {
    let (editor, _, applying) = sent("test").await;
    assert_eq!(refused(outcome(&editor, applying).await), "the editor did not answer");
}

#[tokio::test]
async fn an_error_of_the_client_is_its_reason() {
    let (mut editor, edit, applying) = sent("test").await;
    editor.send(json!({ "id": edit["id"], "error": { "code": -32601, "message": "no such method" } })).await;
    editor.settle().await;
    assert_eq!(refused(outcome(&editor, applying).await), "no such method");
}

#[tokio::test]
async fn a_document_that_is_closed_meanwhile_is_stale() {
    let (mut editor, _, applying) = sent("test").await;
    let uri = editor.uri("a.ts");
    editor.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } })).await;
    assert_eq!(outcome(&editor, applying).await, Outcome::Stale { path: path("a.ts") });
}

#[tokio::test]
async fn an_editor_that_leaves_ends_the_waiting() {
    let (mut editor, _, applying) = sent("test").await;
    editor.leave().await;
    assert_eq!(applying.await.unwrap(), Err(HostError::Gone));
}

#[tokio::test]
async fn a_stale_set_is_not_even_sent() {
    let mut editor = Editor::start("test", able(), None).await;
    editor.open("a.ts", TEXT).await;
    let desk = editor.desk().await;
    let set = rewrite(&desk, &["a.ts"]).await;
    editor.change("a.ts", 2, "other").await;
    editor.settle().await;
    assert_eq!(desk.host.apply(&set).await, Ok(Outcome::Stale { path: path("a.ts") }));
    editor.settle().await;
    assert!(!editor.came("workspace/applyEdit"));
}

#[tokio::test]
async fn when_a_later_document_fails_the_earlier_are_taken_back_and_typing_stays() {
    let mut editor = Editor::start("test", able(), None).await;
    editor.open("a.ts", TEXT).await;
    editor.open("b.ts", TEXT).await;
    let desk = editor.desk().await;
    let applying = apply(&desk, rewrite(&desk, &["a.ts", "b.ts"]).await);
    let first = editor.expect("workspace/applyEdit").await;
    assert_eq!(first["params"]["edit"]["documentChanges"][0]["textDocument"]["uri"], editor.uri("a.ts"));
    editor.change("a.ts", 2, &expected()).await;
    editor.answer(&first, json!({ "applied": true })).await;
    let second = editor.expect("workspace/applyEdit").await;
    editor.change("a.ts", 3, &expected().replace("end", "end of file")).await;
    editor.change("b.ts", 2, "gone\n").await;
    editor.answer(&second, json!({ "applied": false })).await;
    let back = editor.expect("workspace/applyEdit").await;
    assert_eq!(back["params"]["edit"]["documentChanges"][0]["textDocument"]["version"], 3);
    editor.change("a.ts", 4, &TEXT.replace("end", "end of file")).await;
    editor.answer(&back, json!({ "applied": true })).await;
    assert_eq!(outcome(&editor, applying).await, Outcome::Stale { path: path("b.ts") });
}

#[tokio::test]
async fn closed_files_are_written_and_open_ones_asked_for() {
    let mut editor = Editor::start("test", able(), None).await;
    editor.write("a.ts", TEXT);
    editor.write("closed.ts", &TEXT.replace('\n', "\r\n"));
    editor.open("a.ts", TEXT).await;
    let desk = editor.desk().await;
    let mut set = rewrite(&desk, &["a.ts"]).await;
    let closed = desk.host.read(&path("closed.ts")).await.unwrap();
    assert_eq!(closed.revision.version, 0);
    let edits = vec![TextEdit { range: ByteRange::new(0, 6), text: "export".to_owned() }];
    set.files.push(FileChange {
        path: path("closed.ts"),
        edit: FileEdit::Modify { base: closed.revision, edits },
    });
    set.files.push(FileChange { path: path("new.ts"), edit: FileEdit::Create { text: "new\n".to_owned() } });
    let applying = apply(&desk, set);
    let edit = editor.expect("workspace/applyEdit").await;
    assert_eq!(editor.on_disk("new.ts"), None, "the disk comes last");
    editor.change("a.ts", 2, &expected()).await;
    editor.answer(&edit, json!({ "applied": true })).await;
    match outcome(&editor, applying).await {
        Outcome::Applied { revisions } => assert_eq!(revisions.len(), 3),
        other => panic!("{other:?}"),
    }
    assert_eq!(editor.on_disk("new.ts").unwrap(), "new\n");
    assert!(editor.on_disk("closed.ts").unwrap().starts_with("export a\r\n"));
    assert_eq!(editor.on_disk("a.ts").unwrap(), TEXT);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_takes_the_open_documents_back() {
    let mut editor = Editor::start("test", able(), None).await;
    editor.open("a.ts", TEXT).await;
    editor.write("there.ts", "x");
    let desk = editor.desk().await;
    let mut set = rewrite(&desk, &["a.ts"]).await;
    set.files
        .push(FileChange { path: path("there.ts"), edit: FileEdit::Create { text: "new\n".to_owned() } });
    let applying = apply(&desk, set);
    let edit = editor.expect("workspace/applyEdit").await;
    editor.change("a.ts", 2, &expected()).await;
    editor.answer(&edit, json!({ "applied": true })).await;
    let back = editor.expect("workspace/applyEdit").await;
    editor.change("a.ts", 3, TEXT).await;
    editor.answer(&back, json!({ "applied": true })).await;
    assert_eq!(outcome(&editor, applying).await, Outcome::Stale { path: path("there.ts") });
    assert_eq!(editor.on_disk("there.ts").unwrap(), "x");
}

#[tokio::test]
async fn an_editor_without_versioned_edits_is_not_trusted_with_open_documents() {
    let mut editor = Editor::start("test", json!({ "workspace": { "applyEdit": true } }), None).await;
    editor.open("a.ts", TEXT).await;
    let desk = editor.desk().await;
    let set = rewrite(&desk, &["a.ts"]).await;
    assert!(refused(desk.host.apply(&set).await.unwrap()).contains("version"));
}

#[tokio::test]
async fn a_lone_carriage_return_is_refused_where_the_editor_counts_lines_otherwise() {
    for (name, refusing) in [("Neovim", true), ("Visual Studio Code", false)] {
        let mut editor = Editor::start(name, able(), None).await;
        editor.open("a.ts", &format!("x\ry\n{TEXT}")).await;
        let desk = editor.desk().await;
        let applying = apply(&desk, rewrite(&desk, &["a.ts"]).await);
        if refusing {
            assert!(refused(outcome(&editor, applying).await).contains("line endings"));
        } else {
            editor.expect("workspace/applyEdit").await;
        }
    }
}

#[tokio::test]
async fn an_unsaved_document_is_read_and_changed() {
    let mut editor = Editor::start("test", able(), None).await;
    let document = json!({ "uri": "untitled:Untitled-1", "languageId": "ts", "version": 1, "text": TEXT });
    editor.notify("textDocument/didOpen", json!({ "textDocument": document })).await;
    editor.settle().await;
    let desk = editor.desk().await;
    let path = DocPath::untitled("untitled:Untitled-1").unwrap();
    let read = desk.host.read(&path).await.unwrap();
    assert_eq!(read.text, TEXT);
    let edits = vec![TextEdit { range: ByteRange::new(0, 6), text: "export".to_owned() }];
    let edit = FileEdit::Modify { base: read.revision, edits };
    let set = ChangeSet {
        id: ChangeSetId::new(),
        run: RunId::new(),
        label: "x".into(),
        files: vec![FileChange { path: path.clone(), edit }],
    };
    let applying = apply(&desk, set);
    let edit = editor.expect("workspace/applyEdit").await;
    assert_eq!(edit["params"]["edit"]["documentChanges"][0]["textDocument"]["uri"], "untitled:Untitled-1");
    let change = json!({ "textDocument": { "uri": "untitled:Untitled-1", "version": 2 }, "contentChanges": [{ "text": TEXT.replace("import", "export") }] });
    editor.notify("textDocument/didChange", change).await;
    assert!(matches!(outcome(&editor, applying).await, Outcome::Applied { .. }));
    let closed = DocPath::untitled("untitled:Untitled-2").unwrap();
    assert_eq!(desk.host.read(&closed).await, Err(HostError::NotFound(closed)));
}

#[tokio::test]
async fn what_is_open_is_read_from_the_editor_and_all_else_from_disk() {
    let mut editor = Editor::start("test", able(), None).await;
    editor.write("a.ts", "on disk\n");
    editor.write("b.ts", "\u{feff}closed\n");
    editor.open("a.ts", "in the editor\n").await;
    let desk = editor.desk().await;
    assert_eq!(desk.host.read(&path("a.ts")).await.unwrap().text, "in the editor\n");
    let closed = desk.host.read(&path("b.ts")).await.unwrap();
    assert_eq!((closed.text.as_str(), closed.revision), ("closed\n", Revision::of_file("closed\n")));
    assert_eq!(desk.host.read(&path("c.ts")).await, Err(HostError::NotFound(path("c.ts"))));
    // What was read from disk is found again in the buffer that was opened since.
    let base = Revision::of_file("in the editor\n");
    editor.change("a.ts", 2, "> in the editor\n").await;
    editor.settle().await;
    match desk.host.rebase(&path("a.ts"), ByteRange::new(3, 6), &base).await.unwrap() {
        Rebased::Moved { range, revision } => {
            assert_eq!((range, revision.version), (ByteRange::new(5, 8), 2));
        }
        other => panic!("{other:?}"),
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_document_opened_through_a_link_is_the_file() {
    let mut editor = Editor::start("test", able(), None).await;
    editor.write("real.ts", TEXT);
    std::os::unix::fs::symlink(editor.folder.path().join("real.ts"), editor.folder.path().join("link.ts"))
        .unwrap();
    editor.open("link.ts", "typed\n").await;
    let desk = editor.desk().await;
    assert_eq!(desk.host.read(&path("real.ts")).await.unwrap().text, "typed\n");
}

#[tokio::test]
async fn a_closed_question_leaves_the_run_waiting_and_a_dropped_one_is_taken_back() {
    let mut editor = Editor::start("test", able(), None).await;
    let desk = editor.desk().await;
    let question = Question {
        text: "Apply?".into(),
        detail: None,
        choices: vec!["Apply".into(), "Skip".into()],
        later: false,
    };
    let ask = |desk: &Desk| {
        let (host, question) = (Arc::clone(&desk.host), question.clone());
        tokio::spawn(async move { host.ask(RunId::new(), &question).await })
    };
    let asking = ask(&desk);
    let request = editor.expect("window/showMessageRequest").await;
    assert_eq!(request["params"]["actions"], json!([{ "title": "Apply" }, { "title": "Skip" }]));
    editor.answer(&request, Value::Null).await;
    assert_eq!(asking.await.unwrap(), Answer::Dismissed);

    let asking = ask(&desk);
    let request = editor.expect("window/showMessageRequest").await;
    editor.answer(&request, json!({ "title": "Apply" })).await;
    assert_eq!(asking.await.unwrap(), Answer::Yes);

    let asking = ask(&desk);
    let request = editor.expect("window/showMessageRequest").await;
    asking.abort();
    assert_eq!(editor.expect("$/cancelRequest").await["params"]["id"], request["id"]);
}

#[tokio::test]
async fn a_plain_client_gets_the_detail_and_the_answer_as_pages() {
    let plain = json!({ "window": { "showDocument": { "support": true } } });
    let mut editor = Editor::start("test", plain, None).await;
    let desk = editor.desk().await;
    let run = RunId::new();
    let question = Question {
        text: "Apply?".into(),
        detail: Some("the diff".into()),
        choices: vec!["Yes".into(), "No".into()],
        later: false,
    };
    let host = Arc::clone(&desk.host);
    tokio::spawn(async move { host.ask(run, &question).await });
    let page = editor.expect("window/showDocument").await;
    assert_eq!(page["params"]["uri"], editor.uri(&format!(".assist/cards/{run}.md")));
    assert!(editor.on_disk(&format!(".assist/cards/{run}.md")).unwrap().contains("the diff"));
    editor.answer(&page, json!({ "success": true })).await;

    desk.host.show(run, "Why", "Because.\nReally.");
    let page = editor.expect("window/showDocument").await;
    assert_eq!(page["params"]["uri"], editor.uri(&format!(".assist/answers/{run}.md")));
    editor.answer(&page, json!({ "success": false })).await;
    let message = editor.expect("window/showMessage").await;
    assert!(message["params"]["message"].as_str().unwrap().starts_with("Because. ("));
}

fn status(run: RunId, seq: u64, data: Value) -> Event {
    let ts = assist_base::Timestamp(0);
    Event { v: 1, run, seq, ts, kind: EventKind::Status, data }
}

#[tokio::test]
async fn a_run_shows_one_progress_from_beginning_to_end() {
    let mut editor = Editor::start("test", able(), None).await;
    let desk = editor.desk().await;
    let run = RunId::new();
    desk.host.event(&status(run, 1, json!({ "state": "running" })));
    desk.host.event(&status(run, 2, json!({ "message": "Reading" })));
    let create = editor.expect("window/workDoneProgress/create").await;
    let token = create["params"]["token"].clone();
    assert_eq!(editor.link.runs.by_token(&token), Some(run));
    editor.answer(&create, Value::Null).await;
    let begin = editor.expect("$/progress").await;
    assert_eq!(
        begin["params"],
        json!({ "token": token, "value": { "kind": "begin", "title": "Assist", "cancellable": true } })
    );
    assert_eq!(editor.expect("$/progress").await["params"]["value"]["message"], "Reading");
    desk.host.event(&status(run, 3, json!({ "state": "awaiting_confirmation" })));
    assert_eq!(editor.expect("$/progress").await["params"]["value"]["message"], "Waiting for your answer");
    assert_eq!(editor.link.runs.waiting().map(|waiting| waiting.run), Some(run));
    desk.host.event(&status(run, 4, json!({ "state": "done" })));
    desk.host.event(&Event { kind: EventKind::Completed, ..status(run, 5, json!({ "state": "done" })) });
    assert_eq!(editor.expect("$/progress").await["params"]["value"]["kind"], "end");
    assert_eq!(editor.link.runs.waiting(), None);
    // Rich clients have the events too, in order.
    for seq in 1..=5 {
        assert_eq!(editor.expect("assist/event").await["params"]["seq"], seq);
    }
    editor.settle().await;
    assert!(!editor.came("$/progress") && !editor.came("window/workDoneProgress/create"));
}
