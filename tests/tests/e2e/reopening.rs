//! Opening an editor where something rests: it is offered once, and never begins by itself. And what an editor knows of runs
//! that work elsewhere.
#![cfg(unix)]

use assist_simulator::{Manner, Place, Reply, Script, answer};
use assist_tests::client::{Choice, Options};
use serde_json::{Value, json};

use crate::editor::Session;
use crate::support::{Desk, HERO, HERO_LINES, NEW_HERO, Wire, with_new_hero};

const FILE: &str = "src/Hero.tsx";
const ASK: [&str; 7] = ["run", "--detach", "Give it a toggle", "--file", FILE, "--lines", HERO_LINES];

fn stalls() -> Script {
    let text = answer("Hero", FILE, NEW_HERO);
    Script::first_then(
        Reply::text(text.as_str()).stall(Place::After("<button type".into())),
        Reply::continuing(text, Manner::Exact),
    )
}

/// A run in the background, in the midst of its answer.
async fn at_work(desk: &Desk) -> String {
    let run = desk.run(&ASK).exits(0).stdout.trim().to_owned();
    desk.sim.stalled(1).await;
    desk.wait_until_kept("<button type");
    run
}

/// A run that rests, because the user paused it from a terminal.
async fn paused(desk: &Desk) -> String {
    let run = at_work(desk).await;
    desk.run(&["pause", &run]).exits(0);
    // Its process has let go of it once it has ended.
    desk.run(&["attach", &run]).exits(1);
    desk.store_when(&run, "paused").await;
    run
}

/// An editor that knows nothing of Assist.
async fn plain(desk: &Desk) -> Session {
    let session = desk.editor(Options { rich: false, ..Options::default() }).await;
    session.ignore(&["$/progress"]);
    session
}

fn buttons(request: &Value) -> Vec<&str> {
    let actions = request["params"]["actions"].as_array().expect("it has buttons");
    actions.iter().filter_map(|action| action["title"].as_str()).collect()
}

#[tokio::test]
async fn a_plain_editor_offers_to_go_on_shows_what_rests_and_goes_on() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let run = paused(&desk).await;
    let session = plain(&desk).await;
    let offer = session.expect_question("“Give it a toggle” is paused: you asked it to rest.").await;
    assert_eq!(buttons(&offer), ["Resume", "Show", "Not now"]);
    assert_eq!(session.session(&run).await["status"], "paused", "nothing begins by itself");
    session.choose(&offer, Choice::Press("Show".to_owned()));
    session.expect_request("window/showDocument").await;
    let page = desk.folder.read(&format!(".assist/answers/{run}.md"));
    assert!(page.contains("## Give it a toggle") && page.contains("assist resume"), "{page}");
    let offer = session.expect_question("Go on with it?").await;
    assert_eq!(buttons(&offer), ["Resume", "Not now"]);
    assert_eq!(desk.sim.requests().len(), 1);
    session.choose(&offer, Choice::Press("Resume".to_owned()));
    session.ignore(&["window/showMessage"]);
    desk.store_when(&run, "done").await;
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn who_says_not_now_is_not_asked_again_until_the_run_has_worked() {
    let desk = Desk::new(
        Wire::OpenAi,
        &[(FILE, HERO)],
        Script::always(
            Reply::text(answer("Hero", FILE, NEW_HERO)).stall(Place::After("<button type".into())),
        ),
    );
    let run = paused(&desk).await;
    let session = plain(&desk).await;
    let offer = session.expect_question("is paused").await;
    session.choose(&offer, Choice::Press("Not now".to_owned()));
    let told = |kind: &str| desk.run(&["logs", &run, "--json"]).exits(0).of(kind);
    while !told("status").iter().any(|data| data["offer"] == "later") {
        session.unread_after_roundtrip().await;
    }
    assert_eq!(session.leave().await, 0);

    // An editor that is asked nothing says so when it leaves: a question would be unread.
    let session = plain(&desk).await;
    assert_eq!(session.session(&run).await["status"], "paused");
    assert_eq!(session.leave().await, 0);

    desk.run(&["resume", &run, "--detach"]).exits(0);
    desk.sim.stalled(2).await;
    desk.run(&["pause", &run]).exits(0);
    desk.run(&["attach", &run]).exits(1);
    let session = plain(&desk).await;
    let offer = session.expect_question("is paused").await;
    session.choose(&offer, Choice::Dismiss);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn an_offer_is_taken_back_when_someone_else_goes_on() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let run = paused(&desk).await;
    let session = plain(&desk).await;
    let offer = session.expect_question("is paused").await;
    desk.run(&["resume", &run]).exits(0);
    let cancelled = session.expect_notification("$/cancelRequest").await;
    assert_eq!(cancelled["id"], offer["id"]);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn a_run_that_was_cut_off_is_told_of_once_and_one_at_work_is_not_offered() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let session = desk.plain_sailing().await;
    session.ignore(&["assist/event", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    let start = HERO.find("export function Hero(").expect("it is there");
    let end = HERO.find("\nexport function Footer").expect("it is there");
    session.ask(session.about(&uri, &HERO[start..end], "Give it a toggle")).await;
    desk.sim.stalled(1).await;
    // Another editor, which knows nothing of Assist, comes while it is at work: what it is asked would be unread.
    let other = plain(&desk).await;
    let listed = other.request("assist/sessions", json!({})).await;
    assert_eq!(listed["sessions"][0]["status"], "running");
    assert_eq!(other.leave().await, 0);
    session.crash().await;
    // A message beside the question would be unread.
    let session = plain(&desk).await;
    let offer = session.expect_question("“Give it a toggle” is paused: it was cut off.").await;
    session.choose(&offer, Choice::Dismiss);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn a_rich_editor_is_told_what_rests_and_may_leave_it_for_later() {
    let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], stalls());
    let run = paused(&desk).await;
    let session = desk.heeding(&["assist/resting"]).await;
    let told = session.expect_notification("assist/resting").await;
    let row = &told["runs"][0];
    assert_eq!((&row["runId"], &row["reason"]), (&json!(run), &json!("user")));
    assert_eq!((&row["task"], &row["status"]), (&json!("Give it a toggle"), &json!("paused")));
    assert_eq!(session.command("assist.later", json!({"runId": run})).await, Ok(json!({"ok": true})));
    assert_eq!(session.leave().await, 0);
    let session = desk.heeding(&["assist/resting"]).await;
    assert_eq!(session.command("assist.resume", json!({"runId": run})).await, Ok(json!({"ok": true})));
    desk.store_when(&run, "done").await;
    let late = session.command("assist.later", json!({"runId": run})).await.expect_err("it has ended");
    assert_eq!(late["data"]["kind"], "wrong_state");
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn a_rich_editor_sees_runs_of_terminals_come_and_go() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let session = desk.heeding(&["assist/runs"]).await;
    // The folder was never used before: its database comes with the run.
    let run = desk.run(&ASK).exits(0).stdout.trim().to_owned();
    let of_run = |status: &'static str, run: &str| {
        let run = run.to_owned();
        move |seen: &assist_tests::client::Seen| {
            let rows = seen.params()["runs"].as_array().cloned().unwrap_or_default();
            seen.method() == "assist/runs"
                && rows.iter().any(|row| row["runId"] == run && row["status"] == status)
        }
    };
    let seen = session.expect("the run at work", of_run("running", &run)).await;
    let row = seen.params()["runs"][0].clone();
    assert_eq!((&row["here"], &row["task"]), (&json!(false), &json!("Give it a toggle")));
    assert!(row["owner"].is_string() && row["createdAt"].is_number(), "{row}");
    desk.sim.stalled(1).await;
    assert_eq!(session.command("assist.pause", json!({"runId": run})).await, Ok(json!({"ok": true})));
    session.expect("the run at rest", of_run("paused", &run)).await;
    assert_eq!(session.command("assist.cancel", json!({"runId": run})).await, Ok(json!({"ok": true})));
    let gone = |seen: &assist_tests::client::Seen| {
        seen.method() == "assist/runs" && seen.params()["runs"] == json!([])
    };
    session.expect("the list without it", gone).await;
    session.ignore(&["assist/runs"]);
    assert_eq!(session.leave().await, 0);
}
