//! From the handshake to the end, with answers that were recorded.

use serde_json::{Value, json};

use crate::testing::{Editor, able, boot};

const TEXT: &str = "export function one() {\n  return 1;\n}\n\nexport function two() {\n  return 2;\n}\n";
const BODY: &str = "export function one() {\n  return 41;\n}\n";

/// Answers every request with a new `one`.
fn transcript() -> Value {
    let text = format!(
        "I change it.\n\n/// COMPONENT_START: one path=\"a.ts\" exports=one id={{{{id}}}} ///\n{BODY}/// COMPONENT_END id={{{{id}}}} ///\n// --- VIBECODER_COMPLETE ---\n"
    );
    json!({ "captures": { "id": "The id is always " }, "entries": [{ "text": text }] })
}

fn lines(first: u32, last: u32) -> Value {
    json!({ "start": { "line": first, "character": 0 }, "end": { "line": last, "character": 0 } })
}

/// What the error of a command says: its code and kind.
fn error(answer: &Value) -> (i64, String) {
    let error = &answer["error"];
    (error["code"].as_i64().unwrap(), error["data"]["kind"].as_str().unwrap_or("").to_owned())
}

#[tokio::test]
async fn the_handshake_says_what_there_is() {
    let (boot, _) = boot(None);
    let (mut input, far_input) = tokio::io::duplex(1 << 16);
    let (far_output, output) = tokio::io::duplex(1 << 16);
    let served = tokio::spawn(crate::serve(far_input, far_output, boot));
    let mut frames = crate::framing::FrameReader::new(output);
    for message in [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "capabilities": { "general": { "positionEncodings": ["utf-16", "utf-8"] } } } }),
        json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "shutdown" }),
        json!({ "jsonrpc": "2.0", "method": "exit" }),
    ] {
        let body = message.to_string();
        let framed = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        tokio::io::AsyncWriteExt::write_all(&mut input, framed.as_bytes()).await.unwrap();
    }
    let mut messages: Vec<Value> = Vec::new();
    while let Some(crate::framing::Frame::Body(body)) = frames.next().await.unwrap() {
        messages.push(serde_json::from_slice(&body).unwrap());
    }
    let result = &messages[0]["result"];
    assert_eq!(result["serverInfo"], json!({ "name": "assist", "version": "0.0.1" }));
    let capabilities = &result["capabilities"];
    assert_eq!(capabilities["positionEncoding"], "utf-8");
    assert_eq!(capabilities["experimental"]["assist"]["protocol"], 1);
    assert_eq!(
        capabilities["textDocumentSync"],
        json!({ "openClose": true, "change": 2, "save": { "includeText": false } })
    );
    assert_eq!(capabilities["executeCommandProvider"]["commands"], json!(crate::commands::NAMES));
    assert!(messages.iter().any(|message| message["id"] == 2 && message["result"].is_null()));
    assert_eq!(served.await.unwrap(), 0);
}

#[tokio::test]
async fn a_stream_that_just_ends_is_no_orderly_end() {
    let (boot, _) = boot(None);
    let code = crate::serve(tokio::io::empty(), tokio::io::sink(), boot).await;
    assert_eq!(code, 1);
}

#[tokio::test]
async fn an_ask_changes_the_open_document_and_can_be_undone() {
    let mut editor = Editor::start("test", able(), Some(transcript())).await;
    editor.write("a.ts", TEXT);
    editor.open("a.ts", TEXT).await;
    let argument = json!({ "intent": "rewrite", "prompt": "make it 41", "uri": editor.uri("a.ts"), "version": 1, "range": lines(0, 3) });
    let answer = editor.command("assist.ask", argument).await;
    let run = answer["result"]["runId"].clone();
    assert!(run.is_string() && answer["result"]["conversationId"].is_string(), "{answer}");

    let create = editor.expect("window/workDoneProgress/create").await;
    editor.answer(&create, Value::Null).await;
    let edit = editor.expect("workspace/applyEdit").await;
    let after = TEXT.replace("return 1;", "return 41;");
    editor.change("a.ts", 2, &after).await;
    editor.answer(&edit, json!({ "applied": true })).await;
    let completed =
        editor.until(|m| m["method"] == "assist/event" && m["params"]["type"] == "completed").await;
    assert_eq!(completed["params"]["data"]["state"], "done", "{completed}");
    editor.until(|m| m["method"] == "$/progress" && m["params"]["value"]["kind"] == "end").await;
    assert_eq!(editor.on_disk("a.ts").unwrap(), TEXT);

    // What was streamed is what is stored.
    let events = editor.ask("assist/events", json!({ "runId": run })).await;
    let events = events["result"]["events"].as_array().unwrap().clone();
    let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(events.iter().any(|event| event["type"] == "component_applied"));
    let sessions = editor.ask("assist/sessions", json!({})).await;
    let session = &sessions["result"]["sessions"][0];
    assert_eq!((&session["runId"], &session["status"]), (&run, &json!("done")));
    assert_eq!(session["changedFiles"], json!(["a.ts"]));

    // Undo means the newest run that changed something; the user's later edits stay.
    let typed = format!("// mine\n{after}");
    editor.change("a.ts", 3, &typed).await;
    assert_eq!(editor.command("assist.undo", json!({})).await["result"]["ok"], true);
    let edit = editor.expect("workspace/applyEdit").await;
    editor.change("a.ts", 4, &format!("// mine\n{TEXT}")).await;
    editor.answer(&edit, json!({ "applied": true })).await;
    let message = editor.expect("window/showMessage").await;
    assert!(message["params"]["message"].as_str().unwrap().contains("a.ts"), "{message}");
}

#[tokio::test]
async fn what_cannot_become_a_run_is_refused_with_its_kind() {
    let mut editor = Editor::start("test", able(), Some(transcript())).await;
    editor.write("closed.ts", TEXT);
    editor.open("a.ts", TEXT).await;
    let uri = editor.uri("a.ts");
    let outside = crate::uri::of_path(
        &std::env::temp_dir().canonicalize().unwrap().join("assist-nobody/../../etc/x.ts"),
    );
    for (argument, expected) in [
        (json!({ "intent": "rewrite", "uri": uri, "range": lines(0, 1) }), (-32602, "prompt_needed")),
        (json!({ "intent": "ask" }), (-32602, "prompt_needed")),
        (json!({ "intent": "dance", "prompt": "x" }), (-32602, "")),
        (json!([1]), (-32602, "")),
        (json!({ "intent": "explain", "uri": "git:/x" }), (-32602, "bad_document")),
        (json!({ "intent": "explain", "uri": editor.uri("nothing.ts") }), (-32602, "bad_document")),
        (json!({ "intent": "explain", "uri": outside }), (-32602, "bad_document")),
        (json!({ "intent": "explain", "uri": uri, "range": lines(99, 100) }), (-32602, "bad_document")),
        (
            json!({ "intent": "explain", "uri": uri, "version": 77, "range": lines(0, 1) }),
            (-32602, "bad_document"),
        ),
        (
            json!({ "intent": "explain", "uri": editor.uri("closed.ts"), "range": lines(99, 100) }),
            (-32602, "bad_document"),
        ),
        (json!({ "intent": "ask", "prompt": "x", "conversationId": "nonsense" }), (-32803, "not_found")),
    ] {
        let answer = editor.command("assist.ask", argument.clone()).await;
        assert_eq!(error(&answer), (expected.0, expected.1.to_owned()), "{argument} {answer}");
    }
    let nobody = assist_base::RunId::new();
    for (command, argument, expected) in [
        ("assist.cancel", json!({}), (-32803, "not_found")),
        ("assist.confirm", json!({ "runId": nobody }), (-32803, "not_found")),
        ("assist.undo", json!({ "runId": "x" }), (-32803, "not_found")),
        ("assist.resume", json!({}), (-32602, "")),
        ("assist.nothing", json!({}), (-32602, "")),
    ] {
        let answer = editor.command(command, argument).await;
        assert_eq!(error(&answer), (expected.0, expected.1.to_owned()), "{command} {answer}");
    }
}

#[tokio::test]
async fn without_a_model_the_answer_names_the_fix() {
    let mut editor = Editor::start("test", able(), None).await;
    editor.open("a.ts", TEXT).await;
    let argument = json!({ "intent": "explain", "uri": editor.uri("a.ts") });
    let answer = editor.command("assist.ask", argument).await;
    let (code, kind) = error(&answer);
    assert!(code == -32803 && ["no_provider", "config"].contains(&kind.as_str()), "{answer}");
    assert!(answer["error"]["data"]["fix"].as_str().is_some_and(|fix| !fix.is_empty()));
    let status = editor.ask("assist/status", json!({})).await;
    assert_eq!(status["result"]["ready"], false);
    assert_eq!(status["result"]["version"], "0.0.1");
    assert!(status["result"]["fix"].is_string());
}

#[tokio::test]
async fn an_instruction_in_a_comment_is_enough() {
    let mut editor = Editor::start("test", able(), Some(transcript())).await;
    let text = format!("// assist: make it 41\n{TEXT}");
    editor.open("a.ts", &text).await;
    let argument =
        json!({ "intent": "rewrite", "uri": editor.uri("a.ts"), "version": 1, "range": lines(0, 4) });
    let answer = editor.command("assist.ask", argument).await;
    assert!(answer["result"]["runId"].is_string(), "{answer}");
}

#[tokio::test]
async fn a_range_of_a_version_that_was_listed_is_followed() {
    let mut editor = Editor::start("test", able(), Some(transcript())).await;
    editor.open("a.ts", TEXT).await;
    let place = |line: u32| json!({ "line": line, "character": 0 });
    let listing = json!({ "textDocument": { "uri": editor.uri("a.ts") }, "range": { "start": place(0), "end": place(3) }, "context": { "diagnostics": [] } });
    let actions = editor.ask("textDocument/codeAction", listing).await;
    let rewrite = actions["result"]
        .as_array()
        .unwrap()
        .iter()
        .find(|a| a["title"] == "Assist: Rewrite…")
        .unwrap()
        .clone();
    let typed = format!("// new\n{TEXT}");
    editor.change("a.ts", 2, &typed).await;
    let mut argument = rewrite["command"]["arguments"][0].clone();
    argument["prompt"] = "make it 41".into();
    let answer = editor.command("assist.ask", argument).await;
    assert!(answer["result"]["runId"].is_string(), "{answer}");
    let edit = editor.expect("workspace/applyEdit").await;
    let change = &edit["params"]["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"]["version"], 2);
    assert!(change["edits"][0]["range"]["start"]["line"].as_u64().unwrap() >= 1, "{change}");
}

#[tokio::test]
async fn cancelling_the_progress_stops_the_run() {
    let slow = json!({ "entries": [{ "text": "word ".repeat(1000), "delay_ms": 3_600_000 }] });
    let mut editor = Editor::start("test", able(), Some(slow)).await;
    editor.open("a.ts", TEXT).await;
    let argument = json!({ "intent": "explain", "uri": editor.uri("a.ts") });
    let answer = editor.command("assist.ask", argument).await;
    assert!(answer["result"]["runId"].is_string(), "{answer}");
    let create = editor.expect("window/workDoneProgress/create").await;
    editor.answer(&create, Value::Null).await;
    editor.notify("window/workDoneProgress/cancel", json!({ "token": create["params"]["token"] })).await;
    let completed =
        editor.until(|m| m["method"] == "assist/event" && m["params"]["type"] == "completed").await;
    assert_eq!(completed["params"]["data"]["state"], "stopped");
}

#[tokio::test]
async fn the_end_of_the_connection_pauses_what_is_at_work() {
    let slow = json!({ "entries": [{ "text": "word ".repeat(1000), "delay_ms": 3_600_000 }] });
    let mut editor = Editor::start("test", able(), Some(slow)).await;
    editor.open("a.ts", TEXT).await;
    let argument = json!({ "intent": "explain", "uri": editor.uri("a.ts") });
    let run =
        editor.command("assist.ask", argument).await["result"]["runId"].as_str().unwrap().parse().unwrap();
    let desk = editor.desk().await;
    assert!(editor.ask("shutdown", Value::Null).await["result"].is_null());
    let session = desk.engine.session(run).await.unwrap();
    assert_eq!(session.status.as_str(), "paused");
    assert_eq!(session.pause_reason.map(|reason| reason.as_str()), Some("editor_closed"));
}

#[tokio::test]
async fn a_workspace_that_is_not_trusted_is_not_changed() {
    let mut editor = Editor::start("test", able(), Some(transcript())).await;
    editor.open("a.ts", TEXT).await;
    editor
        .notify(
            "workspace/didChangeConfiguration",
            json!({ "settings": { "assist": { "trusted": false, "apply": 7 } } }),
        )
        .await;
    let warning = editor.expect("window/showMessage").await;
    assert!(warning["params"]["message"].as_str().unwrap().contains("apply"), "{warning}");
    let argument = json!({ "intent": "rewrite", "prompt": "x", "uri": editor.uri("a.ts"), "version": 1, "range": lines(0, 3) });
    editor.command("assist.ask", argument).await;
    editor.until(|m| m["method"] == "assist/event" && m["params"]["type"] == "completed").await;
    assert!(!editor.came("workspace/applyEdit"));
}

#[tokio::test]
async fn each_folder_has_its_own_workspace() {
    let mut editor = Editor::start("test", able(), Some(transcript())).await;
    let other = tempfile::tempdir().unwrap();
    let root = other.path().canonicalize().unwrap();
    let folder = json!({ "uri": crate::uri::of_path(&root), "name": "other" });
    let event = json!({ "event": { "added": [folder], "removed": [] } });
    editor.notify("workspace/didChangeWorkspaceFolders", event).await;
    let uri = crate::uri::of_path(&root.join("b.ts"));
    let document = json!({ "uri": uri, "languageId": "typescript", "version": 1, "text": TEXT });
    editor.notify("textDocument/didOpen", json!({ "textDocument": document })).await;
    let answer = editor.command("assist.ask", json!({ "intent": "explain", "uri": uri })).await;
    let run = answer["result"]["runId"].clone();
    assert!(run.is_string(), "{answer}");
    let desk = editor.workspaces.of_run(run.as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!(desk.engine.workspace().root(), root);
    // Both are listed, and each run's events are found.
    let sessions = editor.ask("assist/sessions", json!({ "limit": 5 })).await;
    assert_eq!(sessions["result"]["sessions"][0]["runId"], run);
    // Its first event comes when its task gets to work.
    editor.expect("assist/event").await;
    assert!(
        !editor.ask("assist/events", json!({ "runId": run })).await["result"]["events"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}
