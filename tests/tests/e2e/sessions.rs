//! What is kept of runs, and taking them back.

use assist_simulator::{Ending, Manner, Place, Reply, Rule, SENTINEL, Script, answer, component};
use serde_json::{Value, json};

use crate::support::{Desk, HERO, HERO_LINES, NEW_FOOTER, NEW_HERO, Wire, with_new_footer, with_new_hero};

const FILE: &str = "src/Hero.tsx";
const ASK: [&str; 7] = ["ask", "Give it a toggle", "--file", FILE, "--lines", HERO_LINES, "--json"];

fn desk() -> Desk {
    let script = Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)));
    Desk::new(Wire::Anthropic, &[(FILE, HERO)], script)
}

#[test]
fn sessions_are_listed_newest_first_and_their_logs_replay_what_was_shown() {
    let desk = desk();
    let first = desk.run(&ASK).exits(0);
    desk.folder.write(FILE, HERO);
    let second = desk.run(&ASK).exits(0);
    let sessions = desk.sessions();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["run"], second.run().as_str());
    let session = &sessions[1];
    assert_eq!(session["run"], first.run().as_str());
    assert_eq!(session["task"], "Give it a toggle");
    assert_eq!((&session["intent"], &session["status"]), (&"ask".into(), &"done".into()));
    assert_eq!(session["changedFiles"], json!([FILE]));
    assert_eq!(session["error"], Value::Null);
    assert!(session["createdAt"].as_u64() <= session["updatedAt"].as_u64());
    let human = desk.run(&["sessions", "--limit", "1"]).exits(0);
    assert_eq!(human.stdout.lines().count(), 1);
    assert!(human.stdout.contains(&second.run()[..8]) && human.stdout.contains("Give it a toggle"));

    // What was printed while it ran is what is stored.
    let logs = desk.run(&["logs", &first.run(), "--json"]).exits(0);
    assert_eq!(logs.stdout, first.stdout);
    let part = desk.run(&["logs", &first.run(), "--json", "--from", "3"]).exits(0);
    assert_eq!(part.events()[0]["seq"], 3);
    let human = desk.run(&["logs", &first.run()[..8]]).exits(0);
    assert!(human.stdout.contains("applied Hero in src/Hero.tsx"), "{}", human.stdout);
}

#[test]
fn an_empty_workspace_has_no_sessions_and_nothing_to_undo() {
    let desk = Desk::new(Wire::Anthropic, &[], Script::default());
    assert_eq!(desk.sessions(), [] as [Value; 0]);
    desk.run(&["undo"]).exits(2).says(&["No run has changed anything"]);
    desk.run(&["undo", "abcdef"]).exits(2).says(&["abcdef"]);
    desk.run(&["logs", "abcdef"]).exits(2).says(&["abcdef"]);
    desk.run(&["resume", "abcdef"]).exits(2).says(&["abcdef"]);
    desk.run(&["logs", "%"]).exits(2);
}

#[test]
fn the_database_ignores_itself_in_git() {
    let desk = desk();
    desk.run(&ASK).exits(0);
    assert!(desk.folder.has(".assist/assist.db"));
    let ignored = desk.folder.read(".assist/.gitignore");
    assert!(ignored.lines().any(|line| line == "*" || line == "/*"), "{ignored}");
}

#[test]
fn undo_restores_every_byte() {
    for text in
        [HERO.to_owned(), HERO.replace('\n', "\r\n"), HERO.trim_end().to_owned(), format!("\u{feff}{HERO}")]
    {
        let desk = desk();
        desk.folder.write(FILE, &text);
        let run = desk.run(&ASK).exits(0).run();
        assert_ne!(desk.folder.read(FILE), text);
        let undone = desk.run(&["undo", &run[..8]]).exits(0);
        assert!(undone.stdout.contains("Restored src/Hero.tsx"), "{}", undone.stdout);
        assert_eq!(desk.folder.read(FILE), text);
    }
}

#[test]
fn undo_removes_files_that_the_run_created() {
    let text = component("Footer", FILE, NEW_FOOTER)
        + &component("money", "src/lib/money.ts", "export const money = 1;\n")
        + SENTINEL;
    let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], Script::always(Reply::text(text)));
    desk.run(&["ask", "Go", "--file", FILE, "--yes"]).exits(0);
    assert!(desk.folder.has("src/lib/money.ts"));
    desk.run(&["undo"]).exits(0);
    assert_eq!(desk.folder.read(FILE), HERO);
    assert!(!desk.folder.has("src/lib/money.ts"));
}

#[test]
fn undo_takes_all_components_of_a_run_back_also_after_a_failure() {
    let text = component("Hero", FILE, NEW_HERO) + "\n" + &component("Footer", FILE, NEW_FOOTER) + SENTINEL;
    for broken_off in [false, true] {
        let first = Reply::text(text.as_str());
        let first = if broken_off {
            first.cut(Place::After("getFullYear".into()), Ending::LengthStop)
        } else {
            first
        };
        let again = Reply::text(component("Footer", FILE, NEW_FOOTER));
        let script = Script::new([
            Rule::always(first).times(1),
            Rule::asked(
                "could not be joined",
                again.cut(Place::After("getFullYear".into()), Ending::LengthStop),
            ),
            Rule::always(Reply::continuing(text.as_str(), Manner::NoOverlap)),
        ]);
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
        desk.run(&["ask", "Go", "--file", FILE]).exits(i32::from(broken_off));
        assert_ne!(desk.folder.read(FILE), HERO);
        desk.run(&["undo"]).exits(0);
        assert_eq!(desk.folder.read(FILE), HERO);
    }
}

#[test]
fn undo_keeps_what_was_edited_elsewhere_since() {
    let desk = desk();
    desk.run(&ASK).exits(0);
    let edited = with_new_footer(&format!("// mine\n{}", with_new_hero()));
    desk.folder.write(FILE, &edited);
    desk.run(&["undo"]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_footer(&format!("// mine\n{HERO}")));
}

#[test]
fn undo_leaves_what_was_edited_in_the_same_place_alone() {
    let desk = desk();
    desk.run(&ASK).exits(0);
    let edited = with_new_hero().replace("setOpen((now) => !now)", "setOpen(!open)");
    desk.folder.write(FILE, &edited);
    let ran = desk.run(&["undo"]).exits(1);
    assert!(ran.stdout.contains("src/Hero.tsx was edited in the same places"), "{}", ran.stdout);
    assert_eq!(desk.folder.read(FILE), edited);
}

#[test]
fn of_two_runs_on_one_file_the_older_can_be_undone_alone() {
    let script = Script::new([
        Rule::asked("the hero", Reply::text(answer("Hero", FILE, NEW_HERO))),
        Rule::asked("the footer", Reply::text(answer("Footer", FILE, NEW_FOOTER))),
    ]);
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let first = desk.run(&["ask", "Rework the hero", "--file", FILE, "--json"]).exits(0).run();
    desk.run(&["ask", "Rework the footer", "--file", FILE]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_footer(&with_new_hero()));
    desk.run(&["undo", &first]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_footer(HERO));
    desk.run(&["undo", &first]);
    assert_eq!(desk.folder.read(FILE), with_new_footer(HERO), "an undo is not undone by another");
}

#[test]
fn an_undone_run_can_be_asked_for_again() {
    let desk = desk();
    desk.run(&ASK).exits(0);
    desk.run(&["undo"]).exits(0);
    desk.run(&ASK).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    desk.run(&["undo"]).exits(0);
    assert_eq!(desk.folder.read(FILE), HERO);
}

#[test]
fn undo_never_touches_a_file_that_became_something_else() {
    let desk = desk();
    desk.run(&ASK).exits(0);
    desk.folder.write(FILE, b"\0\x01\x02");
    let ran = desk.run(&["undo"]);
    assert_ne!(ran.status.code(), Some(0));
    assert_eq!(desk.folder.bytes(FILE), b"\0\x01\x02");
    std::fs::remove_file(desk.folder.path(FILE)).expect("it is there");
    let ran = desk.run(&["undo"]);
    assert_ne!(ran.status.code(), Some(0));
    assert!(!desk.folder.has(FILE));
}
