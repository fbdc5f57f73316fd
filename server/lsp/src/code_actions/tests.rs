use assist_base::{RunId, RunState};

use super::*;
use crate::documents::Documents;

const URI: &str = "file:///w/%5Bid%5D.tsx";

/// The titles offered for a selection, and the whole list as JSON.
fn offered(selection: [u32; 4], context: Value, waiting: Option<Waiting>, literals: bool) -> Value {
    let documents = Documents::default();
    documents.did_open(URI, "typescript", 3, "one\ntwo\n");
    let [a, b, c, d] = selection;
    let params = json!({
        "textDocument": { "uri": URI },
        "range": { "start": { "line": a, "character": b }, "end": { "line": c, "character": d } },
        "context": context,
    });
    let captured = Captured { document: documents.get(URI) };
    serde_json::to_value(list(&serde_json::from_value(params).unwrap(), &captured, waiting, literals))
        .unwrap()
}

fn titles(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|action| action["title"].as_str().unwrap()).collect()
}

#[test]
fn a_selection_can_be_asked_about() {
    let list = offered([0, 0, 1, 0], json!({ "diagnostics": [], "triggerKind": 2 }), None, true);
    let verbs =
        ["Ask Assist…", "Assist: Rewrite…", "Assist: Explain", "Assist: Add tests", "Assist: Document"];
    assert_eq!(titles(&list), verbs);
    assert_eq!(
        list[1]["command"],
        json!({ "title": "Assist: Rewrite…", "command": "assist.ask", "arguments": [{
            "intent": "rewrite", "uri": URI, "version": 3,
            "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 1, "character": 0 } },
        }] })
    );
}

#[test]
fn a_cursor_alone_puts_up_no_light_bulb() {
    for selection in [[0, 1, 0, 1], [0, 99, 0, 120]] {
        let list = offered(selection, json!({ "diagnostics": [], "triggerKind": 2 }), None, true);
        assert_eq!(titles(&list), Vec::<&str>::new());
        let list = offered(selection, json!({ "diagnostics": [], "triggerKind": 1 }), None, true);
        assert_eq!(titles(&list), ["Ask Assist…"]);
        assert!(list[0]["command"]["arguments"][0].get("range").is_none());
    }
}

#[test]
fn a_diagnostic_can_be_fixed() {
    let zero = json!({ "line": 0, "character": 0 });
    let diagnostic = json!({ "range": { "start": zero, "end": zero }, "message": "no", "source": "ts", "data": { "x": 1 } });
    let list =
        offered([0, 0, 0, 0], json!({ "diagnostics": [diagnostic], "only": ["quickfix"] }), None, true);
    assert_eq!(titles(&list), ["Fix with Assist"]);
    assert_eq!(list[0]["diagnostics"][0]["message"], "no");
    assert_eq!(list[0]["command"]["arguments"][0]["diagnostics"][0]["source"], "ts");
}

#[test]
fn only_the_kinds_asked_for_are_listed() {
    for (only, count) in [
        ("refactor", 5),
        ("refactor.rewrite", 5),
        ("refactor.rewrite.assist", 4),
        ("refactor.rewrit", 0),
        ("source", 0),
        ("", 5),
    ] {
        let list = offered([0, 0, 1, 0], json!({ "diagnostics": [], "only": [only] }), None, true);
        assert_eq!(titles(&list).len(), count, "{only}");
    }
}

#[test]
fn a_waiting_run_can_be_continued() {
    let run = RunId::new();
    for (state, command) in
        [(RunState::AwaitingConfirmation, "assist.confirm"), (RunState::Paused, "assist.resume")]
    {
        let list = offered([0, 0, 0, 0], json!({ "diagnostics": [] }), Some(Waiting { run, state }), true);
        assert_eq!(list[0]["title"], "Assist: Continue waiting run");
        assert_eq!(list[0]["command"]["command"], command);
        assert_eq!(list[0]["command"]["arguments"][0]["runId"], run.to_string());
    }
}

#[test]
fn a_client_without_code_actions_gets_commands() {
    let list = offered([0, 0, 1, 0], json!({ "diagnostics": [] }), None, false);
    assert_eq!(list[0]["command"], "assist.ask");
    assert!(list[0].get("kind").is_none());
}

#[test]
fn a_document_that_is_not_open_offers_nothing() {
    let zero = json!({ "line": 0, "character": 0 });
    let params = json!({ "textDocument": { "uri": "git:/x" }, "range": { "start": zero, "end": zero }, "context": { "diagnostics": [] } });
    assert!(list(&serde_json::from_value(params).unwrap(), &Captured::default(), None, true).is_empty());
}
