//! Runs in the background: begun from a terminal, watched and answered from others, and from editors.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use assist_simulator::{Manner, Match, Place, Reply, Rule, Script, answer};
use assist_tests::client::Options;
use rustix::process::{Pid, Signal, getsid, kill_process};

use serde_json::json;

use crate::assist_plan::{BUTTON, shop, stripe};
use crate::support::{Desk, HERO, HERO_LINES, NEW_HERO, Running, Wire, with_new_hero};

const FILE: &str = "src/Hero.tsx";
const ASK: [&str; 7] = ["run", "--detach", "Give it a toggle", "--file", FILE, "--lines", HERO_LINES];

fn stalls() -> Script {
    let text = format!("I will give it one.\n\n{}", answer("Hero", FILE, NEW_HERO));
    Script::first_then(
        Reply::text(text.as_str()).stall(Place::After("<button type".into())),
        Reply::continuing(text, Manner::Exact),
    )
}

/// Begins a run in the background, which is in the midst of its answer, and returns its id.
fn begun(desk: &Desk) -> String {
    let ran = desk.run(&ASK).exits(0);
    let run = ran.stdout.trim().to_owned();
    assert!(ran.stderr.contains(&format!("assist attach {}", &run[..8])), "{}", ran.stderr);
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("<button type");
    run
}

/// The process that owns the run.
fn owner(desk: &Desk, run: &str) -> Pid {
    let leases = desk.store(async |store| store.leases().list().await.expect("leases can be read"));
    let lease = leases.into_iter().find(|lease| lease.name == format!("run:{run}")).expect("it has an owner");
    let pid = i32::try_from(lease.owner.pid).expect("a process's number");
    Pid::from_raw(pid).expect("a process's number")
}

#[test]
fn a_run_in_the_background_goes_on_and_is_replayed_and_followed() {
    for wire in Wire::BOTH {
        let desk = Desk::new(wire, &[(FILE, HERO)], stalls());
        let run = begun(&desk);
        let pid = owner(&desk, &run);
        assert_eq!(getsid(Some(pid)).expect("it lives"), pid, "it still belongs to the terminal");
        assert_eq!(desk.sessions()[0]["status"], "running");

        let attached = desk.start(&["attach", &run[..8], "--json"]);
        let in_words = desk.start(&["attach", &run]);
        desk.sim.release_stall();
        let (attached, in_words) = (attached.end().exits(0), in_words.end().exits(0));
        assert_eq!(desk.folder.read(FILE), with_new_hero());
        let events = attached.events();
        assert_eq!(events[0]["seq"], 1);
        assert_eq!(attached.of("completed")[0]["state"], "done");
        assert_eq!(in_words.stdout.trim(), "I will give it one.");
        assert!(in_words.stderr.contains("applied"), "{}", in_words.stderr);

        // Also when all is over, from any number on.
        let third = desk.run(&["attach", &run, "--from", "3", "--json"]).exits(0).events();
        assert_eq!(third[..], events[2..]);
        assert!(
            !desk.folder.path(".assist/logs/background.log").metadata().expect("there is a log").is_dir()
        );
    }
}

#[test]
fn who_stops_watching_stops_nothing() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let run = begun(&desk);
    let mut command = desk.command(&["attach", &run, "--json"]);
    let mut watching =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it can be started");
    // It is there once it has shown something.
    let mut line = String::new();
    let output = watching.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut line).expect("it shows the beginning");
    kill_process(Pid::from_child(&watching), Signal::INT).expect("it is there");
    assert_eq!(watching.wait().expect("it ends").code(), Some(0));
    assert_eq!(desk.sessions()[0]["status"], "running");
    desk.run(&["stop", &run]).exits(0);
    desk.run(&["attach", &run]).exits(130);
    assert_eq!(desk.folder.read(FILE), HERO);
}

#[test]
fn a_background_process_that_dies_leaves_a_paused_run_and_whoever_watches_is_told() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let run = begun(&desk);
    let watching = desk.start(&["attach", &run]);
    kill_process(owner(&desk, &run), Signal::KILL).expect("it is there");
    let ran = watching.end().exits(1);
    assert!(ran.stderr.contains(&format!("assist resume {}", &run[..8])), "{}", ran.stderr);
    assert_eq!(desk.sessions()[0]["reason"], "crash");

    // It goes on in the background as well.
    let ran = desk.run(&["resume", &run, "--detach", "--json"]).exits(0);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one JSON document");
    assert_eq!(said["run"], run.as_str());
    desk.run(&["attach", &run]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
}

#[test]
fn a_plan_of_a_background_run_waits_and_is_confirmed_from_any_terminal() {
    let desk = shop(Wire::OpenAi, stripe([]));
    let run = desk.run(&["ask", "--detach", "Add Stripe checkout"]).exits(0).stdout.trim().to_owned();
    let watching = desk.start(&["attach", &run]);
    watching.has_said(&format!("assist confirm {}", &run[..8]));
    let ran = desk.run(&["confirm", &run]).exits(0);
    assert!(ran.stderr.contains("Passed on"), "{}", ran.stderr);
    assert_eq!(ran.stdout.trim(), "Stripe checkout is there. Run npm install stripe.");
    assert_eq!(desk.folder.read("src/CheckoutButton.tsx"), BUTTON);
    let ran = watching.end().exits(0);
    for part in ["Create a checkout", &format!("assist confirm {}", &run[..8]), "done:"] {
        assert!(ran.stderr.contains(part), "no {part:?} in {}", ran.stderr);
    }
}

#[test]
fn what_keeps_a_run_from_beginning_is_said_where_it_was_asked_for() {
    let mut desk = Desk::without_model(&[(FILE, HERO)], Script::default());
    desk.set("ASSIST_PROVIDER", "anthropic");
    let ran = desk.run(&ASK).exits(2);
    assert!(ran.stderr.contains("assist auth set"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    desk.run(&["ask", "--detach", "Go", "--file", FILE, "--lines", "900:901"]).exits(2).says(&["outside"]);
    desk.run(&["attach", "ffff"]).exits(2);
    assert!(desk.sessions().is_empty());
}

#[test]
fn who_attaches_sees_what_a_running_command_prints() {
    let quiet = Match { system: Some("worth remembering".into()), ..Match::default() };
    let seen = Match { last_user: Some("Now it".into()), ..Match::default() };
    let line = "sh -c 'echo first sign; while [ ! -e go ]; do sleep 0.05; done; echo second sign'";
    let wants = json!({ "command": line }).to_string();
    let script = Script::new([
        Rule::when(quiet, Reply::text("{\"memories\": []}")),
        Rule::when(seen, Reply::text("I saw what it printed.")),
        Rule::asked("Look", Reply::text("").tool("execute_command", &wants)),
    ]);
    let desk = Desk::new(Wire::Anthropic, &[("src/a.ts", "")], script);
    std::fs::create_dir_all(desk.config()).expect("a folder can be made");
    let rules = "[commands]\nallow = ['sh *']\n";
    std::fs::write(desk.config().join("config.toml"), rules).expect("the configuration can be written");
    let run = desk.run(&["ask", "--detach", "Look"]).exits(0).stdout.trim().to_owned();
    // The command goes on only once somebody has seen what it printed.
    let watching = desk.start(&["attach", &run]);
    watching.has_said("first sign");
    desk.folder.write("go", "");
    let ran = watching.end().exits(0);
    assert!(ran.stderr.contains("second sign"), "{}", ran.stderr);
}

#[tokio::test]
async fn an_editor_sees_a_background_run_and_follows_it_to_its_end() {
    let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], stalls());
    let run = desk.run(&ASK).exits(0).stdout.trim().to_owned();
    desk.sim.stalled(1).await;
    desk.wait_until_kept("<button type");
    let session = desk.plain_sailing().await;
    let status = session.request("assist/status", json!({})).await;
    let live = json!([{"runId": run, "task": "Give it a toggle", "status": "running", "here": false}]);
    assert_eq!(status["runs"], live);
    let attached = session.request("assist/attach", json!({"runId": run})).await;
    assert_eq!((&attached["status"], &attached["following"]), (&json!("running"), &json!(true)));
    assert!(attached["last"].as_u64().is_some_and(|last| last > 0), "{attached}");
    let again = session.request("assist/attach", json!({"runId": run, "from": 2})).await;
    assert_eq!(again["following"], false);
    desk.sim.release_stall();
    let events = session.expect_run(&run).await;
    assert_eq!(events[0]["seq"], 1, "what had happened is replayed");
    session.expect_message("Give it a toggle").await;
    // Told once, and nothing is left unread.
    session.ignore(&["window/workDoneProgress/create"]);
    assert_eq!(session.leave().await, 0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
}

#[tokio::test]
async fn the_progress_of_a_followed_run_stops_it_where_it_works() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let run = desk.run(&ASK).exits(0).stdout.trim().to_owned();
    desk.sim.stalled(1).await;
    desk.wait_until_kept("<button type");
    let session = desk.editor(Options::default()).await;
    session.request("assist/attach", json!({"runId": run})).await;
    assert_eq!(
        session.command("assist.tell", json!({"runId": run, "text": "Mind it"})).await,
        Ok(json!({"ok": true}))
    );
    let begin = session.expect_progress("begin").await;
    session.notify("window/workDoneProgress/cancel", json!({"token": begin["token"]}));
    assert_eq!(session.ends(&run).await["state"], "stopped");
    session.expect_message("Stopped").await;
    session.expect_progress("end").await;
    session.ignore(&["$/progress"]);
    assert_eq!(session.leave().await, 0);
    assert_eq!(desk.folder.read(FILE), HERO);
}

/// What another process is told of a file that it does not hold: only that everything ends well where several watch.
#[test]
fn several_runs_in_the_background_do_not_disturb_each_other() {
    let files = ["src/a.ts", "src/b.ts", "src/c.ts"];
    let rules = files.map(|file| {
        let code = format!("export const name = \"{file}\";\n");
        Rule::asked(file, Reply::text(answer("name", file, &code)))
    });
    let texts: Vec<(&str, &str)> = files.iter().map(|file| (*file, "export const name = \"\";\n")).collect();
    let desk = Desk::new(Wire::Anthropic, &texts, Script::new(rules));
    let runs = files.map(|file| {
        let ask = ["ask", "--detach", "Name it", "--file", file, "--lines", "1:1"];
        desk.run(&ask).exits(0).stdout.trim().to_owned()
    });
    let watching: Vec<Running> = runs.iter().map(|run| desk.start(&["attach", run])).collect();
    watching.into_iter().for_each(|ran| drop(ran.end().exits(0)));
    for file in files {
        assert_eq!(desk.folder.read(file), format!("export const name = \"{file}\";\n"));
    }
}
