//! Runs that are interrupted: by a crash, by Ctrl-C, by a request to terminate.
#![cfg(unix)]

use assist_simulator::{Manner, Place, Reply, Rule, SENTINEL, Script, answer, component};
use rustix::process::Signal;

use crate::support::{
    Desk, HERO, HERO_LINES, NEW_FOOTER, NEW_HERO, Running, Watch, Wire, with_new_footer, with_new_hero,
};

const FILE: &str = "src/Hero.tsx";

/// A model that stops in the middle of its second component, and goes on when asked to.
fn two_components() -> (String, Script) {
    let text = component("Hero", FILE, NEW_HERO) + "\n" + &component("Footer", FILE, NEW_FOOTER) + SENTINEL;
    let script = Script::first_then(
        Reply::text(text.as_str()).stall(Place::After("getFullYear".into())),
        Reply::continuing(text.as_str(), Manner::Exact),
    );
    (text, script)
}

fn begin(desk: &Desk) -> Running {
    let running = desk.start(&["ask", "Rework both", "--file", FILE, "--json"]);
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("getFullYear");
    running
}

#[test]
fn a_killed_run_is_paused_and_goes_on_where_it_was() {
    for wire in Wire::BOTH {
        let (text, script) = two_components();
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        begin(&desk).kill();
        assert_eq!(desk.folder.read(FILE), with_new_hero(), "what was whole is in place");

        let ran = desk.run(&["sessions", "--json"]).exits(0);
        assert!(ran.stderr.contains("interrupted and is paused"), "{}", ran.stderr);
        let session = &desk.sessions()[0];
        assert_eq!(
            (&session["status"], &session["reason"]),
            (&"paused".into(), &"crash".into()),
            "{session}"
        );
        let run = session["run"].as_str().expect("a run's id").to_owned();
        assert!(ran.stderr.contains(&format!("assist resume {}", &run[..8])), "{}", ran.stderr);

        let resumed = desk.run(&["resume", &run[..8], "--json"]).exits(0);
        watch.saw_only(&[HERO, &with_new_hero(), &with_new_footer(&with_new_hero())]);
        let requests = desk.sim.requests();
        assert_eq!(requests.len(), 2, "only the rest is asked for");
        let asked = requests[1].asked.clone().expect("a model request");
        let received =
            &asked.messages.iter().rev().find(|turn| turn.role == "assistant").expect("the part").text;
        assert!(
            received.contains("COMPONENT_START: Hero") && received.ends_with("getFullYear"),
            "{received}"
        );
        assert!(asked.last_user().contains("getFullYear"), "{}", asked.last_user());
        assert!(!requests[1].text.contains("COMPONENT_START: Hero"), "Hero was sent again");
        assert_eq!(resumed.of("component_applied").len(), 1);
        let session = &desk.sessions()[0];
        assert_eq!(session["status"], "done");
        assert_eq!(session["changedFiles"], serde_json::json!([FILE]));
        let [(kept, partial)] = &desk.kept(&run)[..] else { panic!("one message is kept") };
        assert!(!partial && kept.len() > text.len() - 40, "{kept}");

        // All that it did can be taken back.
        desk.run(&["undo", &run]).exits(0);
        assert_eq!(desk.folder.read(FILE), HERO);
    }
}

#[test]
fn a_run_killed_within_its_only_component_ends_as_if_it_had_not_been() {
    for place in ["COMPONENT_START: He", "const [op", "{open ?", "/// COMPONENT_EN"] {
        let text = format!("The hero gets a toggle.\n\n{}", answer("Hero", FILE, NEW_HERO));
        let script = Script::first_then(
            Reply::text(text.as_str()).stall(Place::After(place.into())),
            Reply::continuing(text.as_str(), Manner::Exact),
        );
        let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        let running = desk.start(&["ask", "Go", "--file", FILE, "--lines", HERO_LINES]);
        desk.sim.blocking_stalled(1);
        desk.wait_until_kept(place);
        running.kill();
        assert_eq!(desk.folder.read(FILE), HERO);
        let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
        desk.run(&["resume", &run]).exits(0);
        watch.saw_only(&[HERO, &with_new_hero()]);
    }
}

#[test]
fn a_run_killed_before_anything_of_its_answer_came_asks_again() {
    let whole = Reply::text(answer("Hero", FILE, NEW_HERO));
    let script = Script::first_then(whole.clone().stall(Place::Byte(0)), whole);
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let running = desk.start(&["ask", "Go", "--file", FILE, "--lines", HERO_LINES]);
    desk.sim.blocking_stalled(1);
    running.kill();
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    desk.run(&["resume", &run]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert_eq!(desk.kept(&run).len(), 1, "one answer is kept");
}

#[test]
fn edits_made_while_a_run_was_paused_are_kept() {
    let text = answer("Hero", FILE, NEW_HERO);
    let script = Script::first_then(
        Reply::text(text.as_str()).stall(Place::After("const [op".into())),
        Reply::continuing(text.as_str(), Manner::Exact),
    );
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let running = desk.start(&["ask", "Go", "--file", FILE, "--lines", HERO_LINES]);
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("const [op");
    running.kill();
    desk.folder.write(FILE, format!("// mine\n{HERO}"));
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    desk.run(&["resume", &run]).exits(0);
    assert_eq!(desk.folder.read(FILE), format!("// mine\n{}", with_new_hero()));
}

#[test]
fn a_selection_that_is_gone_at_the_resume_is_not_guessed() {
    let text = answer("Hero", FILE, NEW_HERO);
    let script = Script::first_then(
        Reply::text(text.as_str()).stall(Place::After("const [op".into())),
        Reply::continuing(text.as_str(), Manner::Exact),
    );
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let running = desk.start(&["ask", "Go", "--file", FILE, "--lines", HERO_LINES]);
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("const [op");
    running.kill();
    let mine = HERO.replace("<p>Details</p>", "<p>My own words</p>");
    desk.folder.write(FILE, &mine);
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    let ran = desk.run(&["resume", &run]);
    assert_ne!(ran.status.code(), Some(0));
    assert!(ran.stderr.contains("select it and ask again"), "{}", ran.stderr);
    assert_eq!(desk.folder.read(FILE), mine);
}

#[test]
fn ctrl_c_stops_a_run() {
    for wire in Wire::BOTH {
        let text = answer("Hero", FILE, NEW_HERO);
        let script = Script::always(Reply::text(text).stall(Place::After("const [op".into())));
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let running = desk.start(&["ask", "Go", "--file", FILE, "--lines", HERO_LINES, "--json"]);
        desk.sim.blocking_stalled(1);
        running.signal(Signal::INT);
        let ran = running.end().exits(130);
        desk.sim.blocking_disconnected();
        assert_eq!(desk.folder.read(FILE), HERO);
        assert_eq!(ran.of("completed")[0]["state"], "stopped");
        let session = &desk.sessions()[0];
        assert_eq!(session["status"], "stopped");
        // Only the user sets it, and it stays.
        let run = session["run"].as_str().expect("a run's id").to_owned();
        let refused = desk.run(&["resume", &run]).exits(1);
        assert!(refused.stderr.contains("stopped"), "{}", refused.stderr);
        assert_eq!(desk.sim.requests().len(), 1);
    }
}

#[test]
fn a_request_to_terminate_pauses_a_run() {
    let (_, script) = two_components();
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let running = begin(&desk);
    running.signal(Signal::TERM);
    running.end().exits(1);
    desk.sim.blocking_disconnected();
    let session = &desk.sessions()[0];
    assert_eq!((&session["status"], &session["reason"]), (&"paused".into(), &"editor_closed".into()));
    let run = session["run"].as_str().expect("a run's id").to_owned();
    desk.run(&["resume", &run]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_footer(&with_new_hero()));
}

#[test]
fn a_live_run_of_another_process_is_left_alone() {
    let script = Script::new([
        Rule::asked(
            "Go",
            Reply::text(answer("Hero", FILE, NEW_HERO)).stall(Place::After("const [op".into())),
        ),
        Rule::always(Reply::text("Fine.")),
    ]);
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let running = desk.start(&["ask", "Go", "--file", FILE, "--lines", HERO_LINES]);
    desk.sim.blocking_stalled(1);
    let session = &desk.sessions()[0];
    assert_eq!(session["status"], "running");
    let run = session["run"].as_str().expect("a run's id").to_owned();
    desk.run(&["resume", &run]).exits(1);
    desk.run(&["ask", "How is it?"]).exits(0);
    desk.sim.release_stall();
    running.end().exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
}
