//! An orchestrated run, killed at each of its checkpoints in turn: it goes on to the same files, and no completed call is paid
//! for twice.
//!
//! The run writes a checkpoint before it goes on; this test looks at the database without pause and kills the process when
//! the wanted one is there. A process that was quicker has written more of them: what is checked holds there as well, and
//! the proof says which checkpoints were met exactly. A call whose answer was not kept yet when the process died counts as one on its
//! way: it is made again, or its answer is gone on with.
//!
//! A few of them every day, `ASSIST_PROVE_CHECKPOINTS=1` tries all (`cargo xtask prove checkpoints`).
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use assist_base::RunId;
use assist_simulator::{Manner, Match, Reply, Rule, Script, answer};
use assist_store::{ListFilter, Store};

use crate::assist_plan::{BUTTON, ROUTE, shop, stripe};
use crate::support::{Desk, PATIENCE, Running, Wire};

const ASK: [&str; 4] = ["ask", "Add Stripe checkout", "--yes", "--json"];

/// A model that goes on where it was cut off.
fn model() -> Script {
    let rest = |task: &str, name: &str, path: &str, code: &str| {
        let when = Match {
            last_user: Some("Your answer was cut off".into()),
            messages: Some(task.into()),
            ..Match::default()
        };
        Rule::when(when, Reply::continuing(answer(name, path, code), Manner::Exact))
    };
    stripe([
        rest("Checkout route\n", "checkout", "src/api/checkout.ts", ROUTE),
        rest("Checkout button\n", "CheckoutButton", "src/CheckoutButton.tsx", BUTTON),
    ])
}

/// What the run leaves: the files it was to write.
fn results(desk: &Desk) -> [Option<String>; 2] {
    ["src/api/checkout.ts", "src/CheckoutButton.tsx"]
        .map(|path| desk.folder.has(path).then(|| desk.folder.read(path)))
}

/// How many checkpoints the newest run has.
async fn written(store: &Store) -> (Option<RunId>, usize) {
    let list = ListFilter { limit: 1, state: None };
    let Some(session) = store.sessions().list(list).await.expect("sessions can be read").pop() else {
        return (None, 0);
    };
    let run = session.id;
    (Some(run), store.checkpoints().list(run).await.expect("checkpoints can be read").len())
}

/// Kills the process when it has written so many checkpoints. Returns how many there are then; none where the run had
/// ended before.
fn kill_at(desk: &Desk, running: Running, wanted: usize) -> Option<usize> {
    let database = desk.folder.path(".assist/assist.db");
    let deadline = Instant::now() + PATIENCE;
    while !database.exists() {
        assert!(Instant::now() < deadline, "the run does not begin");
        std::thread::yield_now();
    }
    let there = desk.store(async |store| {
        loop {
            let (run, count) = written(store).await;
            if count >= wanted {
                return true;
            }
            if let Some(run) = run
                && store.sessions().get(run).await.expect("the run is there").status.is_final()
            {
                return false;
            }
            assert!(Instant::now() < deadline, "only {count} of {wanted} checkpoints came");
        }
    });
    running.kill();
    let (_, count) = desk.store(async |store| written(store).await);
    there.then_some(count)
}

/// How often each question was asked of the model.
fn asked(desk: &Desk) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for request in desk.sim.requests() {
        *asked.entry(request.last_user().to_owned()).or_default() += 1;
    }
    asked
}

#[test]
fn an_orchestrated_run_killed_at_any_checkpoint_ends_as_if_it_had_not_been() {
    let undisturbed = shop(Wire::Anthropic, model());
    undisturbed.run(&ASK).exits(0);
    let files = results(&undisturbed);
    assert_eq!(files, [Some(ROUTE.to_owned()), Some(BUTTON.to_owned())]);
    let calls = undisturbed.sim.requests().len();
    let all = undisturbed.store(async |store| written(store).await).1;
    assert!(asked(&undisturbed).values().all(|times| *times == 1), "a call is made twice without any kill");

    let wanted: Vec<usize> = if std::env::var_os("ASSIST_PROVE_CHECKPOINTS").is_some() {
        (1..=all).collect()
    } else {
        // Another few each day of the year would find no more than these, which lie apart.
        (1..=all).step_by((all / 5).max(1)).collect()
    };
    let mut met = BTreeSet::new();
    for at in wanted {
        let desk = shop(Wire::BOTH[at % 2], model());
        let killed = kill_at(&desk, desk.start(&ASK), at);
        // The calls are made one after the other: all before the last had ended, and their answers are kept.
        let mut before: Vec<String> =
            desk.sim.requests().iter().map(|request| request.last_user().to_owned()).collect();
        before.pop();
        let case = format!("checkpoint {at} of {all}, killed at {killed:?}");
        let session = &desk.sessions()[0];
        if session["status"] != "done" {
            assert_eq!(
                (&session["status"], &session["reason"]),
                (&"paused".into(), &"crash".into()),
                "{case}"
            );
            let run = session["run"].as_str().expect("a run's id").to_owned();
            let ran = desk.run(&["resume", &run, "--yes", "--json"]);
            assert!(ran.status.success(), "{case}: {ran:?}");
        }
        assert_eq!(desk.sessions()[0]["status"], "done", "{case}");
        assert_eq!(results(&desk), files, "{case}");
        // What was on its way when the process died is asked for again, or gone on with, and nothing else.
        let asked = asked(&desk);
        for question in &before {
            assert_eq!(asked[question], 1, "{case}: a completed call was made again: {question}");
        }
        let made = desk.sim.requests().len();
        let heads: Vec<String> = desk
            .sim
            .requests()
            .iter()
            .map(|request| request.last_user().chars().take(60).collect())
            .collect();
        assert!(made <= calls + 1, "{case}: {made} calls, {calls} without a kill: {heads:#?}");
        met.extend(killed.filter(|killed| *killed == at));
    }
    println!("met exactly {} of {all} checkpoints: {met:?}", met.len());
}
