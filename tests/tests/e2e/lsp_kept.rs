//! What is kept, as an editor asks for it.

use assist_simulator::{Reply, Script, answer};
use serde_json::{Value, json};

use crate::support::{Desk, HERO, NEW_HERO, Wire, with_new_hero};

const FILE: &str = "src/Hero.tsx";

/// The old `Hero`.
fn selected() -> &'static str {
    let start = HERO.find("export function Hero(").expect("Hero is there");
    let end = HERO.find("\nexport function Footer").expect("Footer is there");
    &HERO[start..end]
}

#[tokio::test]
async fn memory_costs_models_search_and_export_are_requests() {
    let script = Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit", "assist/save", "window/workDoneProgress/create"]);
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(session.about(&uri, selected(), "Label the zebra")).await;
    session.ends(&run).await;
    let added = json!({ "key": "Style", "value": "fast over right", "category": "preference" });
    let added = session.request("assist/memoryAdd", added).await;
    let id = added["id"].clone();
    let change = json!({ "id": id, "value": "right, then fast" });
    assert_eq!(session.request("assist/memoryUpdate", change).await["value"], "right, then fast");
    let found = session.request("assist/memory", json!({ "query": "fast" })).await;
    assert_eq!(found["memories"][0]["id"], id);
    assert_eq!(session.request("assist/memoryForget", json!({ "id": id })).await["forgotten"], true);
    assert_eq!(session.request("assist/memory", json!({})).await["memories"], json!([]));
    let costs = session.request("assist/costs", json!({ "by": "run", "runId": run })).await;
    assert_eq!((&costs["lines"][0]["name"], &costs["total"]["calls"]), (&json!(run), &json!(1)), "{costs}");
    let models = session.request("assist/models", json!({})).await;
    assert_eq!(models["tiers"][1]["model"], "anthropic/claude-sonnet-4-6");
    let found = session.request("assist/search", json!({ "query": "zebras" })).await;
    assert_eq!(found["runs"][0]["run"], json!(run));
    let page = session.request("assist/export", json!({ "runId": run })).await;
    assert!(page["text"].as_str().is_some_and(|text| text.contains("Label the zebra")), "{page}");
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn an_editor_goes_back_to_a_state_and_others_leave_its_open_files_alone() {
    let script = Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit", "assist/save", "window/workDoneProgress/create"]);
    let uri = session.open_file(&desk, FILE);
    let made = session.request("assist/snapshotCreate", json!({ "label": "start" })).await;
    assert_eq!(made["files"], 1, "{made}");
    let run = session.ask(session.about(&uri, selected(), "Go")).await;
    session.ends(&run).await;
    let diff = session.request("assist/snapshotDiff", json!({ "from": "start" })).await;
    assert_eq!(diff["files"][0]["path"], FILE);
    let listed = session.request("assist/snapshots", json!({ "runId": run })).await;
    assert_eq!(listed["snapshots"].as_array().map(Vec::len), Some(2), "{listed}");
    // Another process sees the file on disk, which differs once it is saved, and leaves it alone.
    desk.folder.write(FILE, with_new_hero());
    let ran = desk.run(&["snapshot", "restore", "start"]).exits(1);
    assert!(ran.stdout.contains("is open in") && ran.stdout.contains("left alone"), "{}", ran.stdout);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert_eq!(session.request("assist/snapshotRestore", json!({ "snapshot": "start" })).await["ok"], true);
    session.expect_message("Restored src/Hero.tsx.").await;
    assert_eq!(session.text(&uri), HERO);
    assert_eq!(session.leave().await, 0);
    let open: Vec<Value> = desk.store(async |store| {
        let open = store.open_documents().list().await.expect("the list can be read");
        open.iter().map(|document| json!(document.path)).collect()
    });
    assert_eq!(open, [] as [Value; 0], "an editor that left has nothing open");
}
