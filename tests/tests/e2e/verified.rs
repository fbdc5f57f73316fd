//! What was done is checked as a whole at the end, corrected where it is wrong, and reported as it is.

use assist_simulator::{Match, Reply, Rule, Script, answer};
use serde_json::json;

use crate::build::{planned, writes};
use crate::support::{Desk, Ran, Wire};

const FILE: &str = "src/b.ts";
/// A check as projects have them: it names the place, and ends with 1 where something is wrong.
const CHECK: &str = "#!/bin/sh\nfound=0\nfor word in two four; do\n  if grep -q $word src/*.ts; then\n    echo \"$(grep -l $word src/*.ts | head -1):1:1: $word is wrong\"; found=1\n  fi\ndone\nexit $found\n";
const FILES: [(&str, &str); 2] = [("src/a.ts", "export const a = \"four\";\n"), ("check.sh", CHECK)];

fn code(word: &str) -> String {
    format!("export const b = \"{word}\";\n")
}

fn says(word: &str) -> Reply {
    Reply::text(answer("b", FILE, &code(word)))
}

/// Assist plans to write the file; the model writes what `first` and `then` say.
fn script(first: &str, then: &str) -> Script {
    let in_system =
        |text: &str, reply| Rule::when(Match { system: Some(text.into()), ..Match::default() }, reply);
    let plan = json!({ "summary": "It is there.", "steps": [{ "title": "Write it", "files": [FILE] }] });
    let tasks = json!({ "tasks": [
        { "title": "Write b", "instructions": "x", "files": [FILE], "tier": "B", "kind": "edit" } ] });
    Script::new([
        in_system("worth remembering", Reply::text("{\"memories\": []}")),
        Rule::asked("Write b\n", says(first)),
        Rule::asked("Correct what the checks found", says(then)),
        in_system("You scope changes", Reply::text("").tool("submit_tasks", &tasks.to_string())),
        Rule::asked("The plan was carried out", Reply::text("That is how it went.")),
        Rule::asked("Build it", Reply::text("").tool("propose_plan", &plan.to_string())),
    ])
}

/// A desk whose user has the check run.
fn desk(script: Script) -> Desk {
    let desk = Desk::new(Wire::Anthropic, &FILES, script);
    configure(&desk, "[checks]\nrun = ['sh check.sh']\n");
    desk
}

fn configure(desk: &Desk, text: &str) {
    std::fs::create_dir_all(desk.config()).expect("a folder can be made");
    std::fs::write(desk.config().join("config.toml"), text).expect("the configuration can be written");
}

fn summary(ran: &Ran) -> String {
    ran.of("completed")[0]["summary"].as_str().expect("a sentence").to_owned()
}

/// What was told to the model in words with this part, the newest first.
fn told(desk: &Desk, part: &str) -> String {
    let requests = desk.sim.requests();
    let told = requests.iter().rev().map(|request| request.last_user()).find(|words| words.contains(part));
    told.unwrap_or_else(|| panic!("nothing with {part:?} was told")).to_owned()
}

const ASK: [&str; 4] = ["ask", "Build it", "--yes", "--json"];

#[test]
fn what_the_checks_find_is_corrected_and_what_was_wrong_before_is_not_blamed() {
    let desk = desk(script("two", "three"));
    let ran = desk.run(&ASK).exits(0);
    assert_eq!(desk.folder.read(FILE), code("three"));
    let asked = told(&desk, "find this wrong");
    assert!(asked.contains("src/b.ts:1:1: two is wrong") && !asked.contains("four is wrong"), "{asked}");
    assert!(summary(&ran).contains("Checked with `sh check.sh`."), "{}", summary(&ran));
    let report = told(&desk, "The plan was carried out");
    assert!(report.contains("Checked with `sh check.sh`: nothing new is wrong."), "{report}");
    assert_eq!(desk.folder.read("src/a.ts"), FILES[0].1);
}

#[test]
fn the_same_error_three_times_ends_it_with_what_was_tried() {
    let desk = desk(script("two", "two"));
    let ran = desk.run(&ASK).exits(1);
    assert_eq!(ran.of("completed")[0]["state"], "failed");
    let summary = summary(&ran);
    assert!(summary.contains("still find: src/b.ts:1:1: two is wrong. Tried 3 times."), "{summary}");
    let requests = desk.sim.requests();
    let written = requests.iter().filter(|request| request.last_user().contains("Write the code now"));
    assert_eq!(written.count(), 3);
    assert!(told(&desk, "The plan was carried out").contains("Tried against it"));
}

#[test]
fn what_is_not_checked_is_said_with_its_reason() {
    // A repository's own check is a command like any other: it is asked about.
    let desk = Desk::new(Wire::OpenAi, &FILES, script("two", "three"));
    desk.folder.write("assist.toml", "[checks]\nrun = ['sh check.sh']\n");
    let run = desk.run(&["ask", "Build it", "--json"]).exits(1).run();
    let ran = desk.run(&["confirm", &run, "--json"]).exits(1);
    assert_eq!(ran.of("approval_requested")[0]["question"], "Run `sh check.sh`?");
    desk.run(&["decline", &run, "--json"]).exits(0);
    assert_eq!(desk.folder.read(FILE), code("two"));
    let report = told(&desk, "The plan was carried out");
    assert!(report.contains("Not checked with `sh check.sh`: you did not want it."), "{report}");

    let desk = Desk::new(Wire::Anthropic, &FILES, script("two", "three"));
    desk.run(&ASK).exits(0);
    let report = told(&desk, "The plan was carried out");
    assert!(report.contains("Not checked with the project's checks: none were found here."), "{report}");

    let desk = Desk::new(Wire::Anthropic, &FILES, script("two", "three"));
    configure(&desk, "[checks]\nrun = ['sh check.sh']\nat_end = false\n");
    desk.run(&ASK).exits(0);
    let report = told(&desk, "The plan was carried out");
    assert!(report.contains("they are turned off in the settings"), "{report}");
}

#[test]
fn a_check_writes_nothing_into_the_workspace() {
    let desk = Desk::new(Wire::Anthropic, &FILES, script("three", "three"));
    let line = format!("touch here; touch {}/there; echo x > src/a.ts; true", desk.folder.root().display());
    configure(&desk, &format!("[checks]\nrun = [\"{line}\"]\n"));
    desk.run(&ASK).exits(0);
    assert!(!desk.folder.has("here") && !desk.folder.has("there"));
    assert_eq!(desk.folder.read("src/a.ts"), FILES[0].1);
}

#[test]
fn a_build_is_checked_as_a_whole_too() {
    let map = json!({
        "components": [{ "name": "b", "path": FILE, "kind": "module", "complexity": "low", "lines": 5,
            "exports": ["b"], "dependencies": [] }],
        "order": ["b"],
    });
    let script = Script::new([
        Rule::asked("Correct what the checks found", says("three")),
        planned(&map),
        writes("b", says("two")),
    ]);
    let desk = desk(script);
    let ran = desk.run(&["ask", "A constant", "--build", "--yes", "--json"]).exits(0);
    assert_eq!(desk.folder.read(FILE), code("three"));
    assert_eq!(summary(&ran), "Built b. Checked with `sh check.sh`.");
}
