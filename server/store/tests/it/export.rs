use assist_base::{ChangeSetId, DocPath, EventKind, MessageId, RunState};
use assist_store::{
    DocumentRef, Entry, FileSnapshot, NewDocument, NewMessage, NewTask, NewVersion, Role, Settlement, Store,
    TaskId, TransitionNote,
};
use serde_json::json;

use crate::{at, store_with_run};

async fn busy_run() -> (Store, assist_base::RunId) {
    let (store, run) = store_with_run().await;
    let conversation = store.sessions().get(run).await.unwrap().conversation;
    for (role, content) in
        [(Role::User, "Make it blue"), (Role::Assistant, "## Done\n```css\ncolor: blue\n```")]
    {
        let message = NewMessage {
            id: MessageId::new(),
            conversation,
            run: Some(run),
            role,
            content: content.to_owned(),
            partial: role == Role::Assistant,
            at: at(1),
        };
        store.messages().add(message).await.unwrap();
    }
    store.sessions().transition(run, RunState::Running, TransitionNote::default(), at(2)).await.unwrap();
    store.sessions().set_plan(run, json!({ "steps": ["colour"] }), at(2)).await.unwrap();
    store.events().append(run, EventKind::AgentStarted, json!({ "agent": "builder" }), at(3)).await.unwrap();
    store.events().append(run, EventKind::Text, json!({ "text": "streamed" }), at(3)).await.unwrap();
    let task = NewTask {
        id: TaskId::new(),
        title: "Colour".into(),
        description: String::new(),
        agent: "engineer".into(),
        tier: 'A',
        input: json!({}),
        depends_on: vec![],
    };
    store.tasks().plan(run, vec![task], at(3)).await.unwrap();
    store.working().decide(run, "architect", "Plain CSS", Some("small"), at(3)).await.unwrap();
    let first = NewVersion {
        title: "PRD".into(),
        created_by: "product_manager".into(),
        run: None,
        content: json!({ "goal": "````nested````" }),
        metadata: json!({}),
        changes_since_last: None,
        dependencies: vec![],
    };
    let new = NewDocument { project_id: "shop".into(), doc_type: "prd".into(), parent: None, first };
    let document = store.documents().create(new, at(3)).await.unwrap();
    let used = DocumentRef { id: document.id, version: 1 };
    store.documents().record_use(run, used, "architect", at(3)).await.unwrap();
    for (name, before, after) in [
        ("a.css", Some(&b"color: red\n"[..]), Some(&b"color: green\n"[..])),
        ("a.css", Some(b"color: green\n"), Some(b"color: blue\n")),
        ("logo.png", None, Some(b"\xff\xfe")),
        ("old.css", Some(b"x\n"), None),
    ] {
        let path = DocPath::relative(name).unwrap();
        let file =
            FileSnapshot { path, before: before.map(<[u8]>::to_vec), after: after.map(<[u8]>::to_vec) };
        let set = ChangeSetId::new();
        store.snapshots().record(run, set, vec![file], at(4)).await.unwrap();
        store.snapshots().mark_applied(set).await.unwrap();
    }
    let entry = Entry {
        run,
        agent: "builder".into(),
        model: "p/m".into(),
        tier: "B".into(),
        tokens: 9,
        cost_usd: Some(1.0),
        reason: None,
        owner: None,
    };
    let id = store.ledger().reserve(entry, at(4)).await.unwrap();
    let used = Settlement { input: 5, output: 6, cost_usd: Some(0.25), ..Settlement::default() };
    store.ledger().settle(id, used, at(4)).await.unwrap();
    let note = TransitionNote { summary: Some("It is blue".into()), ..TransitionNote::default() };
    store.sessions().transition(run, RunState::Done, note, at(5)).await.unwrap();
    (store, run)
}

#[tokio::test]
async fn a_run_is_one_json_document() {
    let (store, run) = busy_run().await;
    let document = store.sessions().export_whole(run).await.unwrap();
    assert_eq!(
        (&document["version"], &document["status"], &document["id"]),
        (&json!(1), &json!("done"), &json!(run))
    );
    assert_eq!(document["output"].as_array().unwrap().len(), 2);
    assert_eq!(document["messages"][1]["partial"], json!(true));
    assert_eq!(document["tasks"][0]["title"], "Colour");
    assert_eq!(document["documents"][0]["content"]["goal"], "````nested````");
    assert_eq!(document["decisions"][0]["why"], "small");
    assert_eq!(document["costs"]["cost_usd"], json!(0.25));
    let files = document["files"].as_array().unwrap();
    assert_eq!(
        files.iter().map(|f| f["path"].as_str().unwrap()).collect::<Vec<_>>(),
        ["a.css", "logo.png", "old.css"]
    );
    assert_eq!((&files[0]["before"], &files[0]["after"]), (&json!("color: red\n"), &json!("color: blue\n")));
    assert_eq!((&files[1]["diff"], &files[1]["after"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn a_run_is_one_page() {
    let (store, run) = busy_run().await;
    let page = store.sessions().export_markdown(run).await.unwrap();
    for part in [
        "- State: done\n- Summary: It is blue\n",
        "**User**\n\n> Make it blue\n",
        "**Assist** (broke off)\n\n> ## Done\n> ```css\n",
        "- [pending] Colour (engineer)\n",
        "- architect: Plain CSS (small)\n",
        "`````markdown\n# PRD\n",
        "--- a/a.css\n+++ b/a.css\n",
        "-color: red\n+color: blue\n",
        "### `logo.png`\n\nIts content is not text.\n",
        "--- a/old.css\n+++ /dev/null\n",
        "1. 2026-03-01T12:00:00.003Z agent_started: {\"agent\":\"builder\"}\n",
        "1 model calls, 5 tokens in, 6 out, 0.2500 US dollars.\n",
    ] {
        assert!(page.contains(part), "{part:?} is missing in\n{page}");
    }
    assert!(!page.contains("streamed"), "{page}");
}
