//! The client against a server that says whatever a test wants.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, DuplexStream};

use super::framing::Frames;
use super::*;

const URI: &str = "file:///w/a.ts";

/// What the server was told.
type Heard = Arc<Mutex<Vec<Value>>>;

/// Answers `initialize` and `shutdown`, says what `test/say` tells it to, and ends after `exit`.
async fn parrot(reader: DuplexStream, mut writer: DuplexStream, heard: Heard) -> i32 {
    let mut frames = Frames::new(reader);
    let mut code = 1;
    while let Some(message) = frames.next().await.unwrap() {
        let mut says = Vec::new();
        match message["method"].as_str() {
            Some("initialize") => says.push(json!({"jsonrpc": "2.0", "id": message["id"], "result": {
                "capabilities": {"positionEncoding": "utf-16", "textDocumentSync": {"change": 2}}}})),
            Some("shutdown") => {
                code = 0;
                says.push(json!({"jsonrpc": "2.0", "id": message["id"], "result": null}));
            }
            Some("assist/testRoundtrip") => {
                says.push(json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}));
            }
            Some("test/say") => says.extend(message["params"].as_array().unwrap().iter().cloned()),
            Some("exit") => return code,
            _ => heard.lock().unwrap().push(message),
        }
        for message in says {
            writer.write_all(&frame(&message)).await.unwrap();
        }
    }
    1
}

async fn client(editor: Editor) -> (Client, Heard) {
    let heard = Heard::default();
    let server = Arc::clone(&heard);
    let options = Options { editor, ..Options::default() };
    let client = Client::start(options, |reader, writer| parrot(reader, writer, server)).await;
    (client, heard)
}

fn say(client: &Client, messages: &[Value]) {
    client.notify("test/say", Value::from(messages.to_vec()));
}

fn edit(id: i64, version: i64, start: (u64, u64), end: (u64, u64), new: &str) -> Value {
    let at = |(line, character): (u64, u64)| json!({"line": line, "character": character});
    json!({"jsonrpc": "2.0", "id": id, "method": "workspace/applyEdit", "params": {"label": "Assist: x", "edit": {"documentChanges": [
        {"textDocument": {"uri": URI, "version": version},
         "edits": [{"range": {"start": at(start), "end": at(end)}, "newText": new}]}]}}})
}

/// The methods (or `answer`) of what the server heard since the client said hello, and the last of them.
fn told(heard: &Heard) -> (Vec<String>, Value) {
    let heard = heard.lock().unwrap();
    let names = heard.iter().map(|message| message["method"].as_str().unwrap_or("answer").to_owned());
    (names.collect(), heard.last().cloned().unwrap_or_default())
}

/// The panic's text, if the future panics.
async fn panics(future: impl Future<Output = ()> + Send + 'static) -> Option<String> {
    let error = tokio::spawn(AssertUnwindSafe(future).0).await.err()?;
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}

fn notice(text: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": "window/showMessage", "params": {"type": 3, "message": text}})
}

#[tokio::test]
async fn an_unexpected_message_fails_the_test() {
    let failure = panics(async {
        let (client, _) = client(Editor::Honest).await;
        say(&client, &[notice("surprise")]);
        client.shutdown().await;
    });
    assert!(failure.await.unwrap().contains("surprise"));
    // Also when the test forgets to end properly.
    let failure = panics(async {
        let (client, _) = client(Editor::Honest).await;
        say(&client, &[notice("surprise")]);
        client.unread_after_roundtrip().await;
        drop(client);
    });
    assert!(failure.await.unwrap().contains("surprise"));
}

#[tokio::test]
async fn expected_and_ignored_messages_are_fine() {
    let (client, _) = client(Editor::Honest).await;
    let log = json!({"jsonrpc": "2.0", "method": "window/logMessage", "params": {"message": "x"}});
    client.ignore(&["window/logMessage"]);
    say(&client, &[log.clone(), notice("one"), log, notice("two")]);
    assert_eq!(client.expect_message("tw").await, "two");
    assert_eq!(client.expect_message("one").await, "one");
    assert_eq!(client.shutdown().await, 0);
}

#[tokio::test]
async fn stray_answers_and_broken_messages_fail_the_test() {
    for message in [
        json!({"jsonrpc": "2.0", "id": 77, "result": null}),
        json!({"jsonrpc": "1.0", "method": "window/logMessage"}),
        json!({"jsonrpc": "2.0", "id": 78, "result": null, "error": {"code": 1, "message": ""}}),
        json!({"jsonrpc": "2.0", "id": 5, "method": "workspace/unheardOf"}),
    ] {
        let failure = panics(async move {
            let (client, _) = client(Editor::Honest).await;
            client.ignore(&["window/logMessage"]);
            say(&client, &[message]);
            client.shutdown().await;
        });
        assert!(failure.await.unwrap().contains("nobody expected"));
    }
}

#[tokio::test]
async fn an_honest_editor_applies_reports_and_answers() {
    let (client, heard) = client(Editor::Honest).await;
    client.open(URI, "typescript", "a世b\nnext\n");
    say(&client, &[edit(9, 1, (0, 1), (1, 0), "🎉\n")]);
    let seen = client.expect_edit(URI).await;
    assert_eq!(seen.answer, json!({"applied": true}));
    assert_eq!(client.text(URI), "a🎉\nnext\n");
    client.unread_after_roundtrip().await;
    let (names, answer) = told(&heard);
    assert_eq!(names[1..], ["textDocument/didOpen", "textDocument/didChange", "answer"]);
    assert_eq!(answer["id"], 9);
    let change = heard.lock().unwrap()[2]["params"].clone();
    assert_eq!(change["textDocument"]["version"], 2);
    assert_eq!(change["contentChanges"][0]["text"], "🎉\n");

    // The version is now 2.
    say(&client, &[edit(10, 1, (0, 0), (0, 1), "x")]);
    assert_eq!(client.expect_edit(URI).await.answer["applied"], false);
    assert!(client.undo(URI));
    assert_eq!(client.text(URI), "a世b\nnext\n");
    assert_eq!(client.shutdown().await, 0);
}

#[tokio::test]
async fn several_edits_of_one_document_keep_their_places() {
    let (client, _) = client(Editor::VsCode).await;
    client.open(URI, "typescript", "one\r\ntwo\r\n");
    let mut message = edit(9, 1, (0, 0), (0, 0), "// a\n");
    let edits = message.pointer_mut("/params/edit/documentChanges/0/edits").unwrap().as_array_mut().unwrap();
    let at = |line: u64| json!({"line": line, "character": 0});
    edits.push(json!({"range": {"start": at(0), "end": at(0)}, "newText": "// b\r\n"}));
    edits.push(json!({"range": {"start": at(1), "end": at(2)}, "newText": "TWO\n"}));
    say(&client, &[message]);
    client.expect_edit(URI).await;
    assert_eq!(client.text(URI), "// a\r\n// b\r\none\r\nTWO\r\n");
    assert!(client.undo(URI), "one edit is one step");
    assert_eq!(client.text(URI), "one\r\ntwo\r\n");
    client.shutdown().await;
}

#[tokio::test]
async fn neovim_drops_a_stale_edit_and_calls_it_applied() {
    let (client, heard) = client(Editor::Neovim { debounce: Duration::from_millis(50) }).await;
    client.open(URI, "typescript", "one\n");
    client.before_next_edit(|typing| typing.replace(URI, "one", "once"));
    say(&client, &[edit(9, 1, (0, 0), (0, 3), "ONE")]);
    let seen = client.expect_edit(URI).await;
    assert_eq!((seen.answer, client.text(URI).as_str()), (json!({"applied": true}), "once\n"));
    // A request takes the pending change with it.
    client.unread_after_roundtrip().await;
    assert_eq!(told(&heard).0[1..], ["textDocument/didOpen", "answer", "textDocument/didChange"]);
    client.shutdown().await;
}

#[tokio::test]
async fn neovim_reports_changes_later_and_together() {
    let (client, heard) = client(Editor::Neovim { debounce: Duration::from_millis(50) }).await;
    client.open(URI, "typescript", "one\n");
    client.replace(URI, "one", "two");
    client.replace(URI, "two", "three");
    client.notify("test/marker", Value::Null);
    client.unread_after_roundtrip().await;
    let (names, last) = told(&heard);
    assert_eq!(names[1..], ["textDocument/didOpen", "test/marker", "textDocument/didChange"]);
    assert_eq!(last["params"]["textDocument"]["version"], 3);
    assert_eq!(last["params"]["contentChanges"].as_array().unwrap().len(), 2);
    client.shutdown().await;
}

#[tokio::test]
async fn edits_that_break_the_protocol_fail_the_test() {
    let mut versionless = edit(9, 1, (0, 0), (0, 1), "x");
    versionless["params"]["edit"]["documentChanges"][0]["textDocument"]["version"] = Value::Null;
    let mut closed = edit(9, 1, (0, 0), (0, 1), "x");
    closed["params"]["edit"]["documentChanges"][0]["textDocument"]["uri"] = json!("file:///w/other.ts");
    for message in [versionless, closed, edit(9, 1, (0, 0), (7, 0), "x"), edit(9, 1, (0, 1), (0, 0), "x")] {
        let failure = panics(async move {
            let (client, _) = client(Editor::Honest).await;
            client.open(URI, "typescript", "one\n");
            client.ignore(&["workspace/applyEdit"]);
            say(&client, &[message]);
            client.shutdown().await;
        });
        assert!(failure.await.unwrap().contains("wrong: Some"));
    }
}

#[tokio::test]
async fn questions_are_answered_by_rule_or_by_the_test() {
    let (client, heard) = client(Editor::Honest).await;
    let question = |id: i64, text: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "window/showMessageRequest",
               "params": {"type": 3, "message": text, "actions": [{"title": "Yes"}, {"title": "No"}]}})
    };
    client.when_asked("plan", Choice::Press("Yes".to_owned()));
    client.when_asked("sure", Choice::Dismiss);
    say(&client, &[question(1, "This plan?"), question(2, "Are you sure?"), question(3, "And this?")]);
    client.expect_question("plan").await;
    client.expect_question("sure").await;
    let open = client.expect_question("this").await;
    client.choose(&open, Choice::Press("No".to_owned()));
    client.unread_after_roundtrip().await;
    let answers: Vec<Value> =
        heard.lock().unwrap()[1..].iter().map(|answer| answer["result"].clone()).collect();
    assert_eq!(answers, [json!({"title": "Yes"}), Value::Null, json!({"title": "No"})]);
    client.shutdown().await;
}

#[tokio::test]
async fn plumbing_is_answered_silently() {
    let (client, heard) = client(Editor::Honest).await;
    let request = |id: i64, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    client.configure(json!({"apply": "preview"}));
    say(
        &client,
        &[
            request(1, "window/workDoneProgress/create", json!({"token": "t"})),
            request(2, "workspace/configuration", json!({"items": [{"section": "assist"}]})),
        ],
    );
    assert!(client.unread_after_roundtrip().await.is_empty());
    assert_eq!(told(&heard).1["result"], json!([{"apply": "preview"}]));
    client.shutdown().await;
}

#[tokio::test]
async fn the_events_of_a_run_must_have_no_gaps() {
    let event = |seq: u64, kind: &str| json!({"jsonrpc": "2.0", "method": "assist/event", "params": {"v": 1, "run": "r", "seq": seq, "type": kind, "data": {}}});
    let (client, _) = client(Editor::Honest).await;
    say(&client, &[event(1, "status"), event(2, "agent_started"), event(3, "completed")]);
    let events = client.expect_run("r").await;
    assert_eq!(events.iter().map(|event| event["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    client.shutdown().await;
    let failure = panics(async move {
        let (client, _) = super::tests::client(Editor::Honest).await;
        say(&client, &[event(1, "status"), event(3, "completed")]);
        client.expect_run("r").await;
    });
    assert!(failure.await.unwrap().contains("gaps"));
}

#[tokio::test]
async fn a_server_that_goes_is_noticed_at_once() {
    let failure = panics(async {
        let (client, _) = client(Editor::Honest).await;
        client.close_input();
        client.expect_message("never").await;
    });
    assert!(failure.await.unwrap().contains("has gone"));
}

#[test]
fn positions_count_as_the_encoding_says() {
    let text = "a世🎉b\r\nc\rd\n";
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
        for &at in offsets
            .iter()
            .filter(|at| text.as_bytes().get(**at) != Some(&b'\n') || text.as_bytes()[**at - 1] != b'\r')
        {
            assert_eq!(offset(text, &position(text, at, encoding), encoding), Ok(at));
        }
    }
    let b = text.find('b').unwrap();
    assert_eq!(position(text, b, Encoding::Utf16), json!({"line": 0, "character": 4}));
    assert_eq!(position(text, b, Encoding::Utf32), json!({"line": 0, "character": 3}));
    assert_eq!(position(text, text.len(), Encoding::Utf8), json!({"line": 3, "character": 0}));
    assert!(offset(text, &json!({"line": 0, "character": 3}), Encoding::Utf16).is_err());
    assert!(offset(text, &json!({"line": 0, "character": 99}), Encoding::Utf16).is_err());
    assert!(offset(text, &json!({"line": 9, "character": 0}), Encoding::Utf16).is_err());
}
