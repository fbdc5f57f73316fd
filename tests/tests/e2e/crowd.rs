//! Many runs at once, in one server and several workspaces: how many work, whose turn it is, and that all end right.

use std::collections::BTreeSet;
use std::ops::Range;

use assist_simulator::{Place, Reply, Rule, Script, answer};
use assist_tests::Folder;
use assist_tests::client::Choice;
use serde_json::{Value, json};

use crate::assist_plan::{shop, stripe};
use crate::editor::Session;
use crate::support::{Desk, PATIENCE, Wire};

/// The number of a file in what the model was asked.
fn number(asked: &str) -> String {
    let at = asked.find("src/price").expect("a file of ours") + "src/price".len();
    asked[at..].chars().take_while(char::is_ascii_digit).collect()
}

/// A model that sets the price to its file's number, bit by bit.
fn price(number: usize) -> Reply {
    let code = format!("export const price{number} = {number};\n");
    let text = answer(&format!("price{number}"), &format!("src/price{number}.ts"), &code);
    Reply { delay_ms: Some(3), delta_chars: Some(24), ..Reply::text(text) }
}

fn prices(numbers: Range<usize>) -> impl Iterator<Item = Rule> {
    numbers.map(|number| Rule::asked(&format!("src/price{number}.ts"), price(number)))
}

fn before(number: usize) -> String {
    format!("export const price{number} = 0;\n")
}

/// Asks for the change of one price, in the workspace of `folder`.
async fn ask(session: &Session, folder: &Folder, number: usize) -> String {
    let end = json!({"line": 1, "character": 0});
    session
        .ask(json!({
            "intent": "rewrite", "prompt": "Set the price", "uri": folder.uri(&format!("src/price{number}.ts")),
            "range": {"start": {"line": 0, "character": 0}, "end": end},
        }))
        .await
}

fn workspace(numbers: impl Iterator<Item = usize>) -> Folder {
    let files: Vec<(String, String)> =
        numbers.map(|number| (format!("src/price{number}.ts"), before(number))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let folder = Folder::new(&files);
    std::fs::create_dir(folder.path(".assist")).expect("the folder can be made");
    folder
}

#[tokio::test]
async fn a_hundred_runs_in_four_workspaces_all_end_right() {
    const EACH: usize = 25;
    let mut desk = Desk::new(Wire::Anthropic, &[], Script::new(prices(0..4 * EACH)));
    desk.set("ASSIST_MAX_RUNS", "100");
    let folders: Vec<Folder> = (0..4).map(|at| workspace(at * EACH..(at + 1) * EACH)).collect();
    let session = desk.plain_sailing().await;
    session.ignore(&["assist/event", "window/workDoneProgress/create", "window/showMessage"]);
    let mut runs = BTreeSet::new();
    for (at, folder) in folders.iter().enumerate() {
        for number in at * EACH..(at + 1) * EACH {
            runs.insert(ask(&session, folder, number).await);
        }
    }
    assert_eq!(runs.len(), 4 * EACH);
    let deadline = tokio::time::Instant::now() + 2 * PATIENCE;
    loop {
        let listed = session.request("assist/sessions", json!({"limit": 1000})).await;
        let states: Vec<Value> = listed["sessions"].as_array().expect("a list").clone();
        let ended = states.iter().filter(|session| session["status"] == "done").count();
        assert!(states.iter().all(|session| session["status"] != "failed"), "{states:?}");
        if ended == runs.len() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{ended} of {} ended: {states:?}", runs.len());
        tokio::task::yield_now().await;
    }
    for (at, folder) in folders.iter().enumerate() {
        for number in at * EACH..(at + 1) * EACH {
            let expected = format!("export const price{number} = {number};\n");
            assert_eq!(folder.read(&format!("src/price{number}.ts")), expected);
        }
    }
    assert_eq!(desk.sim.requests().len(), runs.len(), "a call was made twice");
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn no_more_runs_work_at_once_than_the_setting_allows_and_workspaces_take_turns() {
    let stalled = price(0).stall(Place::After("export".into()));
    let mut desk = Desk::new(
        Wire::OpenAi,
        &[],
        Script::new([Rule::always(stalled).times(1)].into_iter().chain(prices(0..4))),
    );
    desk.set("ASSIST_MAX_RUNS", "1");
    let (one, other) = (workspace(0..3), workspace(3..4));
    let session = desk.plain_sailing().await;
    session.ignore(&["assist/event", "window/workDoneProgress/create", "window/showMessage"]);
    let mut runs = Vec::new();
    for number in 0..3 {
        runs.push(ask(&session, &one, number).await);
    }
    runs.push(ask(&session, &other, 3).await);
    desk.sim.stalled(1).await;
    assert_eq!(session.session(&runs[0]).await["status"], "running");
    for run in &runs[1..] {
        assert_eq!(session.session(run).await["status"], "pending");
    }
    assert_eq!(desk.sim.requests().len(), 1);
    // One that waits can be stopped, and is not begun.
    assert_eq!(session.command("assist.cancel", json!({"runId": runs[2]})).await, Ok(json!({"ok": true})));
    desk.sim.release_stall();
    for run in [&runs[1], &runs[3]] {
        while session.session(run).await["status"] != "done" {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(session.session(&runs[2]).await["status"], "stopped");
    let order: Vec<String> = desk.sim.requests().iter().map(|request| number(request.last_user())).collect();
    assert_eq!(order, ["0", "1", "3"]);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn a_run_that_waits_for_the_user_keeps_nobody_waiting() {
    let mut desk = shop(Wire::Anthropic, stripe(prices(7..8)));
    desk.set("ASSIST_MAX_RUNS", "1");
    let folder = workspace(7..8);
    let session = desk.plain_sailing().await;
    session.when_asked("Shall I start?", Choice::Dismiss);
    session.ignore(&["assist/event", "window/workDoneProgress/create", "window/showMessage"]);
    let asks = session.ask(json!({"intent": "ask", "prompt": "Add Stripe checkout"})).await;
    session.expect_question("Shall I start?").await;
    let run = ask(&session, &folder, 7).await;
    while session.session(&run).await["status"] != "done" {
        tokio::task::yield_now().await;
    }
    assert_eq!(session.command("assist.confirm", json!({"runId": asks})).await, Ok(json!({"ok": true})));
    while session.session(&asks).await["status"] != "done" {
        tokio::task::yield_now().await;
    }
    assert!(desk.folder.has("src/CheckoutButton.tsx"));
    assert_eq!(session.leave().await, 0);
}
