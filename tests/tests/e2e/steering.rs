//! What is said to a run at work, from another terminal, another editor, or its own.
#![cfg(unix)]

use assist_simulator::{Manner, Place, Reply, Rule, Script, answer};
use assist_tests::client::Choice;
use serde_json::{Value, json};

use crate::assist_plan::{BUTTON, ROUTE, assist, in_system, shop, shown, stripe};
use crate::support::{Desk, HERO, HERO_LINES, NEW_HERO, Running, Wire, with_new_hero};

const WORDS: &str = "Use the test keys only.";

/// A model that stops in the middle of the first of two tasks.
fn stalls_within_the_route() -> Script {
    let route = answer("checkout", "src/api/checkout.ts", ROUTE);
    let stalled = Reply::text(route.as_str()).stall(Place::After("export async".into()));
    let rest = Reply::continuing(route, Manner::Exact);
    stripe([
        Rule::asked("Checkout route\n", stalled).times(1),
        Rule::about("Checkout route\n", rest),
        assist(WORDS, Reply::text("Stripe checkout is there, with test keys.")),
    ])
}

/// Begins a run that is in the midst of that task, and returns it with its id.
fn at_work(desk: &Desk) -> (Running, String) {
    let running = desk.start(&["ask", "Add Stripe checkout", "--yes", "--json"]);
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("export async");
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    (running, run)
}

/// The last of the requests whose newest words begin so.
fn asked(desk: &Desk, words: &str) -> String {
    let requests = desk.sim.requests();
    let found = requests.iter().rfind(|request| request.last_user().starts_with(words));
    found.unwrap_or_else(|| panic!("nothing was asked in the words {words:?}")).last_user().to_owned()
}

#[test]
fn words_from_another_terminal_are_minded_by_what_comes_after_them() {
    for wire in Wire::BOTH {
        let desk = shop(wire, stalls_within_the_route());
        let (running, run) = at_work(&desk);
        let told = desk.run(&["tell", &run[..8], WORDS]).exits(0);
        assert!(told.stderr.contains("Passed on"), "{}", told.stderr);
        desk.sim.release_stall();
        let ran = running.end().exits(0);
        assert_eq!(desk.folder.read("src/CheckoutButton.tsx"), BUTTON);
        assert!(asked(&desk, "Checkout button\n").contains(WORDS));
        assert!(!asked(&desk, "Checkout route\n").contains(WORDS), "that was asked before the words came");
        // Assist itself, which reports, has heard it as well.
        let requests = desk.sim.requests();
        let bodies: Vec<_> = requests.iter().map(|request| request.json().to_string()).collect();
        let report = bodies.iter().find(|body| body.contains("The plan was carried out"));
        assert!(report.expect("it reports").contains(WORDS));
        let shown =
            ran.of("status").into_iter().filter_map(|data| data["message"].as_str().map(str::to_owned));
        let shown: Vec<_> = shown.collect();
        assert!(shown.iter().any(|line| line == &format!("You added: {WORDS}")), "{shown:?}");
        assert!(!shown.iter().any(|line| line.contains("too late")), "{shown:?}");
    }
}

#[test]
fn a_run_is_paused_from_another_terminal_and_minds_what_it_is_told_while_it_rests() {
    let desk = shop(Wire::Anthropic, stalls_within_the_route());
    let (running, run) = at_work(&desk);
    desk.run(&["pause", &run]).exits(0);
    desk.sim.blocking_disconnected();
    running.end().exits(1);
    let session = &desk.sessions()[0];
    assert_eq!((&session["status"], &session["reason"]), (&"paused".into(), &"user".into()), "{session}");
    assert!(!desk.folder.has("src/api"), "half a task was applied");
    let again = desk.run(&["pause", &run]).exits(1);
    assert!(again.stderr.contains("nothing to pause"), "{}", again.stderr);

    let told = desk.run(&["tell", &run, WORDS]).exits(0);
    assert!(told.stderr.contains("when it goes on"), "{}", told.stderr);
    desk.run(&["resume", &run, "--yes"]).exits(0);
    assert_eq!(desk.folder.read("src/api/checkout.ts"), ROUTE);
    assert_eq!(desk.folder.read("src/CheckoutButton.tsx"), BUTTON);
    assert!(asked(&desk, "Checkout button\n").contains(WORDS));
}

#[test]
fn a_run_is_stopped_from_another_terminal_and_stays_so() {
    let desk = shop(Wire::OpenAi, stalls_within_the_route());
    let (running, run) = at_work(&desk);
    desk.run(&["stop", &run]).exits(0);
    desk.sim.blocking_disconnected();
    running.end().exits(130);
    assert_eq!(desk.sessions()[0]["status"], "stopped");
    for words in [vec!["stop", &run], vec!["pause", &run], vec!["tell", &run, WORDS], vec!["resume", &run]] {
        let ran = desk.run(&words).exits(1);
        assert!(ran.stderr.contains("The run is stopped"), "{}", ran.stderr);
    }
    desk.run(&["tell", &run, "  "]).exits(2);
    desk.run(&["stop", "ffff"]).exits(2);
}

#[test]
fn a_run_that_rests_is_stopped_and_its_story_has_an_end() {
    let desk = shop(Wire::Anthropic, stripe([]));
    let (run, _) = shown(&desk, "Add Stripe checkout");
    desk.run(&["stop", &run]).exits(0);
    let told = desk.run(&["logs", &run, "--json"]).exits(0);
    assert_eq!(told.of("completed")[0]["state"], "stopped");
    desk.run(&["confirm", &run]).exits(1);
    assert!(!desk.folder.has("src/api"));
}

#[test]
fn an_answer_during_which_the_user_adds_something_is_not_the_last() {
    let script = Script::new([
        in_system("worth remembering", Reply::text("{\"memories\": []}")),
        assist(WORDS, Reply::text("With test keys, then.")),
        assist(
            "Which keys?",
            Reply::text("The live keys, I would say.").stall(Place::After("The live".into())),
        ),
    ]);
    let desk = shop(Wire::Anthropic, script);
    let running = desk.start(&["ask", "Which keys?"]);
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("The live");
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    desk.run(&["tell", &run, WORDS]).exits(0);
    desk.sim.release_stall();
    let ran = running.end().exits(0);
    assert!(ran.stdout.trim().ends_with("With test keys, then."), "{}", ran.stdout);
}

#[test]
fn words_that_come_when_nothing_more_is_asked_are_named_at_the_end() {
    let reply = Reply::text(answer("Hero", "src/Hero.tsx", NEW_HERO)).stall(Place::After("const [op".into()));
    let desk = Desk::new(Wire::Anthropic, &[("src/Hero.tsx", HERO)], Script::always(reply));
    let running =
        desk.start(&["ask", "Go", "--file", "src/Hero.tsx", "--lines", HERO_LINES, "--yes", "--json"]);
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("const [op");
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    desk.run(&["tell", &run, WORDS]).exits(0);
    desk.sim.release_stall();
    let ran = running.end().exits(0);
    assert_eq!(desk.folder.read("src/Hero.tsx"), with_new_hero());
    let late = ran.of("status").into_iter().filter_map(|data| data["message"].as_str().map(str::to_owned));
    let late: Vec<_> = late.filter(|line| line.contains("too late")).collect();
    assert!(late.len() == 1 && late[0].ends_with(WORDS), "{late:?}");
}

#[tokio::test]
async fn a_card_in_an_editor_is_confirmed_from_a_terminal() {
    let desk = shop(Wire::Anthropic, stripe([]));
    let session = desk.plain_sailing().await;
    session.when_asked("Shall I start?", Choice::Dismiss);
    let run = session.ask(json!({"intent": "ask", "prompt": "Add Stripe checkout"})).await;
    session.expect_question("Shall I start?").await;
    let ran = desk.run(&["confirm", &run, "--steps", "1,2,3"]).exits(0);
    assert!(ran.stderr.contains("Passed on"), "{}", ran.stderr);
    assert_eq!(session.ends(&run).await["state"], "done");
    assert_eq!(desk.folder.read("src/CheckoutButton.tsx"), BUTTON);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn an_editor_pauses_tells_and_goes_on() {
    let desk = shop(Wire::OpenAi, stalls_within_the_route());
    let session = desk.plain_sailing().await;
    session.when_asked("Shall I start?", Choice::Press("Start".to_owned()));
    session.ignore(&["window/showMessage"]);
    let run = session.ask(json!({"intent": "ask", "prompt": "Add Stripe checkout"})).await;
    session.expect_question("Shall I start?").await;
    desk.sim.stalled(1).await;
    let ok: Result<Value, Value> = Ok(json!({"ok": true}));
    assert_eq!(session.command("assist.tell", json!({"runId": run, "text": WORDS})).await, ok);
    assert_eq!(session.command("assist.pause", json!({})).await, ok);
    desk.store_when(&run, "paused").await;
    assert_eq!(session.session(&run).await["reason"], "user");
    let again = session.command("assist.pause", json!({"runId": run})).await.expect_err("it rests");
    assert_eq!(again["data"]["kind"], "wrong_state");
    assert_eq!(session.command("assist.resume", json!({"runId": run})).await, ok);
    assert_eq!(session.ends(&run).await["state"], "done");
    assert!(asked(&desk, "Checkout button\n").contains(WORDS));
    let again = session.command("assist.tell", json!({"runId": run, "text": WORDS})).await;
    assert_eq!(again.expect_err("it has ended")["data"]["kind"], "wrong_state");
    assert_eq!(session.leave().await, 0);
}

/// An editor stops what a terminal has begun.
#[tokio::test]
async fn an_editor_reaches_a_run_of_a_terminal() {
    let desk = shop(Wire::Anthropic, stalls_within_the_route());
    let running = desk.start(&["ask", "Add Stripe checkout", "--yes", "--json"]);
    desk.sim.stalled(1).await;
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    let session = desk.plain_sailing().await;
    assert_eq!(session.session(&run).await["status"], "running");
    assert_eq!(session.command("assist.cancel", json!({"runId": run})).await, Ok(json!({"ok": true})));
    desk.store_when(&run, "stopped").await;
    running.end().exits(130);
    assert_eq!(session.leave().await, 0);
}
