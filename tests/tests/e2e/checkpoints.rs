//! A run killed while its model's answers come: it goes on to the same files, and no call whose answer has come is made again.
//!
//! The simulator holds an answer, so that each kill falls where it is meant to: before its first byte, in the middle of it, or
//! once it is kept. A fourth way kills the process when it has written so many checkpoints, whatever it is doing. The
//! database then says what was settled. What was settled is kept, and is never asked for again; what was on its way
//! when the process died is asked for again, or gone on with, and nothing else is.
//!
//! A few of them every day, `ASSIST_PROVE_CHECKPOINTS=1` tries all (`cargo xtask prove checkpoints`).
#![cfg(unix)]

use std::collections::BTreeSet;
use std::time::Instant;

use assist_base::{RunId, Timestamp};
use assist_simulator::{
    Finish, Manner, Match, Place, Recorded, Reply, Rule, SENTINEL, Script, Stall, answer,
};
use assist_store::{ListFilter, Store};

use crate::assist_plan::{BUTTON, ROUTE, shop, stripe};
use crate::support::{Desk, PATIENCE, Running, Wire};
use crate::{build, shadow};

/// A run of several calls.
struct Flow {
    ask: &'static [&'static str],
    /// A workspace and a model that goes on where it was cut off.
    desk: fn(Wire, Script) -> Desk,
    model: fn() -> Script,
    /// What the run leaves in the files.
    results: fn(&Desk) -> Vec<Option<String>>,
    /// Whether its calls are made one after the other.
    in_turn: bool,
}

/// Talk, plan, advisor, a command, two tasks, report and memory.
const PLAN: Flow = Flow {
    ask: &["ask", "Add Stripe checkout", "--yes", "--json"],
    desk: shop,
    model: plan_model,
    results: |desk| files(desk, &["package.json", "src/api/checkout.ts", "src/CheckoutButton.tsx"]),
    in_turn: true,
};

/// An architect's plan, and four components, some beside each other.
const BUILD: Flow = Flow {
    ask: &["ask", "Build a shop", "--build", "--json"],
    desk: |wire, script| Desk::new(wire, &[("package.json", "{}\n")], script),
    model: build_model,
    results: |desk| {
        build::built(desk);
        Vec::new()
    },
    in_turn: false,
};

fn continues(about: &str, full: &str) -> Rule {
    let when = Match {
        last_user: Some("Your answer was cut off".into()),
        messages: Some(about.into()),
        ..Match::default()
    };
    Rule::when(when, Reply::continuing(full, Manner::Exact))
}

fn plan_model() -> Script {
    stripe([
        continues("Checkout route\n", &answer("checkout", "src/api/checkout.ts", ROUTE)),
        continues("Checkout button\n", &answer("CheckoutButton", "src/CheckoutButton.tsx", BUTTON)),
    ])
}

fn build_model() -> Script {
    let of = |(name, path, code): (&str, &str, &str)| {
        continues(&format!("Write the component {name}, and no other."), &answer(name, path, code))
    };
    build::script(build::COMPONENTS.map(of))
}

fn files(desk: &Desk, paths: &[&str]) -> Vec<Option<String>> {
    paths.iter().map(|path| desk.folder.has(path).then(|| desk.folder.read(path))).collect()
}

/// How a flow goes when nobody is killed.
struct Undisturbed {
    results: Vec<Option<String>>,
    requests: Vec<Recorded>,
    checkpoints: usize,
}

fn undisturbed(flow: &Flow) -> Undisturbed {
    let desk = (flow.desk)(Wire::Anthropic, (flow.model)());
    desk.run(flow.ask).exits(0);
    let requests = desk.sim.requests();
    for request in &requests {
        assert_eq!(times(&requests, request), 1, "a call is made twice without any kill");
    }
    let kept = desk.store(kept);
    assert_eq!(kept.settled, requests.len());
    assert_eq!(kept.answers.len(), requests.len(), "an answer is not kept");
    Undisturbed { results: (flow.results)(&desk), requests, checkpoints: kept.checkpoints }
}

/// How often a request's question was asked.
fn times(requests: &[Recorded], asked: &Recorded) -> usize {
    let words = |request: &Recorded| request.asked.as_ref().map(|asked| asked.all_messages());
    requests.iter().filter(|other| words(other) == words(asked)).count()
}

/// What of the newest run is in the database.
#[derive(Default, Debug)]
struct Kept {
    run: Option<RunId>,
    checkpoints: usize,
    /// The texts of the answers that are kept, in their order.
    answers: Vec<String>,
    /// How many calls were begun, and how many of them are settled.
    reserved: usize,
    settled: usize,
}

async fn kept(store: &Store) -> Kept {
    let list = ListFilter { limit: 1, state: None };
    let Some(session) = store.sessions().list(list).await.expect("sessions can be read").pop() else {
        return Kept::default();
    };
    let run = session.id;
    let points = store.checkpoints().list(run).await.expect("checkpoints can be read");
    let calls = store.ledger().calls(Some(run), Timestamp(0), 1_000).await.expect("the ledger can be read");
    let answers = points.iter().filter(|point| point.stage == "answer").map(|point| {
        let parts = point.data["turn"]["parts"].as_array().expect("a turn");
        parts.iter().filter_map(|part| part["text"].as_str()).collect()
    });
    Kept {
        run: Some(run),
        checkpoints: points.len(),
        answers: answers.collect(),
        reserved: calls.len(),
        settled: calls.iter().filter(|call| call.settled_at.is_some()).count(),
    }
}

/// Waits until the newest run has come so far. False where it ended before.
fn wait_for(desk: &Desk, come: impl Fn(&Kept) -> bool + Send + Sync) -> bool {
    let database = desk.folder.path(".assist/assist.db");
    let deadline = Instant::now() + PATIENCE;
    while !database.exists() {
        assert!(Instant::now() < deadline, "the run does not begin");
        std::thread::yield_now();
    }
    desk.store(async |store| {
        loop {
            let now = kept(store).await;
            if come(&now) {
                return true;
            }
            if let Some(run) = now.run
                && store.sessions().get(run).await.expect("the run is there").status.is_final()
            {
                return false;
            }
            assert!(Instant::now() < deadline, "it did not come so far: {now:?}");
        }
    })
}

/// Kills the process, looks at what it leaves, goes on with the run, and checks that nothing was paid for twice.
fn killed(flow: &Flow, desk: &Desk, running: Running, whole: &Undisturbed, case: &str) {
    running.kill();
    let left = desk.store(kept);
    assert_eq!(left.answers.len(), left.settled, "{case}: settled and kept are one: {left:?}");
    let session = &desk.sessions()[0];
    if session["status"] != "done" {
        assert_eq!((&session["status"], &session["reason"]), (&"paused".into(), &"crash".into()), "{case}");
        let run = session["run"].as_str().expect("a run's id").to_owned();
        let ran = desk.run(&["resume", &run, "--yes", "--json"]);
        assert!(ran.status.success(), "{case}: {ran:?}");
    }
    assert_eq!(desk.sessions()[0]["status"], "done", "{case}");
    assert_eq!((flow.results)(desk), whole.results, "{case}");

    let requests = desk.sim.requests();
    for (at, text) in left.answers.iter().enumerate() {
        let asked = match flow.in_turn {
            true => requests.get(at),
            false => requests.iter().find(|request| request.text == *text),
        };
        let asked = asked.unwrap_or_else(|| panic!("{case}: an answer that nobody gave is kept: {text}"));
        let again = times(&requests, asked) - 1;
        assert_eq!(again, 0, "{case}: a completed call was made again: {}", asked.last_user());
    }
    // Each call that was on its way was made at most once more, a part of it that was kept gone on with.
    let (made, on_its_way) = (requests.len(), left.reserved - left.settled);
    let heads: Vec<String> =
        requests.iter().map(|request| request.last_user().chars().take(60).collect()).collect();
    assert!(
        made <= whole.requests.len() + on_its_way,
        "{case}: {made} calls, {} without a kill, {on_its_way} on their way: {heads:#?}",
        whole.requests.len()
    );
}

/// Where in an answer the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The request has come, and nothing was sent.
    BeforeTheFirstByte,
    /// A part of the answer was sent; where it is received into a message, that part is kept.
    InTheMiddle,
    /// The answer has come whole, and stands in the database.
    OnceKept,
}

const MOMENTS: [Moment; 3] = [Moment::BeforeTheFirstByte, Moment::InTheMiddle, Moment::OnceKept];

/// What an answer begins with, whatever the run's marker.
fn beginning(text: &str) -> &str {
    text.split(" id=").next().unwrap_or_default()
}

/// Kills the process at this moment of its `at`th answer.
fn kill_in_answer(flow: &Flow, whole: &Undisturbed, at: usize, moment: Moment) {
    let request = &whole.requests[at];
    let rule = request.rule.expect("a rule has answered");
    let mut script = (flow.model)();
    let text = request.text.as_str();
    let stall = match moment {
        Moment::BeforeTheFirstByte => Some(Stall::BeforeHeaders),
        Moment::InTheMiddle => Some(Stall::At(Place::Byte(text.len() / 2))),
        Moment::OnceKept => None,
    };
    if let Some(stall) = stall {
        let mut held = script.rules[rule].clone();
        held.reply.stall = Some(stall);
        held.times = Some(1);
        script.rules.insert(rule, held);
    }
    let desk = (flow.desk)(Wire::BOTH[at % 2], script);
    let running = desk.start(flow.ask);
    let case = format!("{:?}, answer {at} of {}, {moment:?}", flow.ask, whole.requests.len());
    if moment == Moment::OnceKept {
        let (in_turn, beginning) = (flow.in_turn, beginning(text));
        wait_for(&desk, |now| match in_turn {
            true => now.answers.len() > at,
            false => now.answers.iter().any(|answer| answer.starts_with(beginning)),
        });
        return killed(flow, &desk, running, whole, &case);
    }
    desk.sim.blocking_stalled(1);
    if moment == Moment::InTheMiddle && text.contains("COMPONENT_START") {
        desk.wait_until_kept(beginning(text));
    }
    killed(flow, &desk, running, whole, &case);
    let cut = desk.sim.blocking_disconnected();
    assert_eq!(beginning(&cut.text), beginning(text), "{case}: it fell into another answer");
    let broken =
        desk.sim.requests().iter().filter(|request| request.finish == Some(Finish::Disconnected)).count();
    assert!(!flow.in_turn || broken == 1, "{case}: {broken} answers were broken off");
}

fn all() -> bool {
    std::env::var_os("ASSIST_PROVE_CHECKPOINTS").is_some()
}

/// Kills a flow in its answers, and says how often.
fn in_answers(flow: &Flow) -> String {
    let whole = undisturbed(flow);
    let mut kills = 0;
    for at in 0..whole.requests.len() {
        // Every day each answer at one of the moments, and each moment at some answers.
        for moment in MOMENTS.into_iter().enumerate().filter(|(n, _)| all() || at % 3 == *n).map(|(_, m)| m) {
            kill_in_answer(flow, &whole, at, moment);
            kills += 1;
        }
    }
    format!("{:?}: killed in {} answers, {kills} times", flow.ask, whole.requests.len())
}

#[test]
fn a_plan_killed_in_any_of_its_answers_pays_for_none_twice() {
    println!("{}", in_answers(&PLAN));
}

#[test]
fn a_build_killed_in_any_of_its_answers_pays_for_none_twice() {
    println!("{}", in_answers(&BUILD));
}

/// Kills at each of the checkpoints, or at some that lie apart. A process that was quicker has written more: what is checked
/// holds there as well, and the proof says which were met exactly.
fn at_checkpoints(flow: &Flow) -> String {
    let whole = undisturbed(flow);
    let of = whole.checkpoints;
    let mut met = BTreeSet::new();
    for at in (1..=of).step_by(if all() { 1 } else { (of / 4).max(1) }) {
        let desk = (flow.desk)(Wire::BOTH[at % 2], (flow.model)());
        let running = desk.start(flow.ask);
        wait_for(&desk, |now| now.checkpoints >= at);
        killed(flow, &desk, running, &whole, &format!("{:?}, checkpoint {at} of {of}", flow.ask));
        met.insert(at);
    }
    format!("{:?}: killed at {} of {of} checkpoints", flow.ask, met.len())
}

#[test]
fn a_plan_killed_at_any_checkpoint_ends_as_if_it_had_not_been() {
    println!("{}", at_checkpoints(&PLAN));
}

#[test]
fn a_build_killed_at_any_checkpoint_ends_as_if_it_had_not_been() {
    println!("{}", at_checkpoints(&BUILD));
}

#[test]
fn what_comes_while_a_component_is_checked_is_kept_before_the_check_has_ended() {
    let text = answer("price", shadow::PRICE, shadow::GOOD);
    let held = Reply::text(text).stall(Place::Before(SENTINEL.to_owned()));
    // The compiler waits with the new code until it is told to go on.
    let wait = "if grep -q toFixed src/price.ts; then\n  touch \"${last%/*}/waits\"\n  while [ ! -e \"${last%/*}/go\" ]; do sleep 0.05; done\nfi";
    let desk = shadow::scripted(&shadow::FILES, Script::always(held), wait);
    let running = desk.start(&shadow::ASK);
    desk.sim.blocking_stalled(1);
    let copy = shadow::wait_for_note(&desk, "waits");
    desk.sim.release_stall();
    desk.sim.blocking_finished(1);
    assert!(wait_for(&desk, |now| now.answers.len() == 1), "it was not kept while the compiler ran");
    running.kill();
    std::fs::write(copy.join("go"), "").expect("files can be written");
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    desk.run(&["resume", &run, "--yes", "--json"]).exits(0);
    assert_eq!(desk.folder.read(shadow::PRICE), shadow::GOOD);
    assert_eq!(desk.sim.requests().len(), 1, "the end of a whole answer was asked for again");
}
