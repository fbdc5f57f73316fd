//! Keys that are kept, and what is wrong with the setup.

use assist_simulator::{Reply, Script, answer};
use serde_json::Value;

use crate::support::{Desk, HERO, HERO_LINES, KEY, NEW_HERO, NOBODY, Wire, with_new_hero};

const FILE: &str = "src/Hero.tsx";
const ASK: [&str; 6] = ["ask", "Go", "--file", FILE, "--lines", HERO_LINES];

fn hero() -> Script {
    Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)))
}

#[test]
fn a_kept_key_is_used_and_shown_to_nobody() {
    let mut desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    desk.unset("ANTHROPIC_API_KEY");
    let before = desk.run(&["auth", "list"]).exits(0);
    assert!(before.stdout.lines().any(|line| line.starts_with("anthropic") && line.contains("no key")));
    let ran = desk.run_with(&["auth", "set", "anthropic"], format!("{KEY}\n").as_bytes()).exits(0);
    assert!(ran.stdout.contains("is kept in"), "{}", ran.stdout);
    let file = desk.config().join("credentials.toml");
    assert!(ran.stdout.contains(&file.display().to_string()), "{}", ran.stdout);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("the key is kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let list = desk.run(&["auth", "list"]).exits(0);
    assert!(
        list.stdout.lines().any(|line| line.starts_with("anthropic") && line.contains("credentials.toml"))
    );

    desk.run(&ASK).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert_eq!(desk.sim.all_requests()[0].key.as_deref(), Some(KEY));

    desk.run(&["auth", "remove", "anthropic"]).exits(0);
    assert!(!std::fs::read_to_string(&file).unwrap_or_default().contains(KEY));
    desk.run(&["auth", "remove", "anthropic"]).exits(2).says(&["No key"]);
}

#[test]
fn the_environment_is_stronger_than_a_kept_key_and_that_is_said() {
    let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], hero());
    let ran = desk.run_with(&["auth", "set", "openai"], b"sk-another-one\n").exits(0);
    assert!(ran.stdout.contains("OPENAI_API_KEY is set here"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("sk-another-one"));
    desk.run(&ASK).exits(0);
    assert_eq!(desk.sim.all_requests()[0].key.as_deref(), Some(KEY));
}

#[test]
fn what_is_no_key_is_not_kept() {
    let desk = Desk::new(Wire::Anthropic, &[], Script::default());
    desk.run_with(&["auth", "set", "openai"], b"").exits(2).says(&["No key"]);
    desk.run_with(&["auth", "set", "openai"], b"\n").exits(2).says(&["No key"]);
    let ran = desk.run_with(&["auth", "set", "openai"], b"my key is sk-1\n").exits(2).says(&["not a key"]);
    assert!(!ran.stderr.contains("sk-1"));
    assert!(!desk.config().join("credentials.toml").exists());
}

#[test]
fn damaged_credentials_are_named_and_left_alone() {
    let mut desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    desk.unset("ANTHROPIC_API_KEY");
    let file = desk.config().join("credentials.toml");
    let damaged = format!("anthropic = \"{KEY}\nopenai");
    std::fs::write(&file, &damaged).expect("the file can be written");
    desk.run(&ASK).exits(2).says(&["credentials.toml", "cannot be used"]);
    desk.run_with(&["auth", "set", "anthropic"], b"sk-new\n").exits(2).says(&["credentials.toml"]);
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), damaged);
}

fn doctor(desk: &Desk, code: i32) -> Value {
    let ran = desk.run(&["doctor", "--json"]).exits(code);
    serde_json::from_str(&ran.stdout).expect("one JSON document")
}

fn check<'d>(document: &'d Value, name: &str) -> &'d Value {
    let checks = document["checks"].as_array().expect("a list of checks");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {document}"))
}

fn provider<'d>(document: &'d Value, name: &str) -> &'d Value {
    let providers = document["providers"].as_array().expect("a list of providers");
    providers.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}: {document}"))
}

#[test]
fn the_doctor_is_content_with_a_model_that_answers() {
    for (wire, name) in [(Wire::Anthropic, "anthropic"), (Wire::OpenAi, "openai")] {
        let script = Script { models: vec!["able".into(), "baker".into()], ..Script::default() };
        let desk = Desk::new(wire, &[], script);
        let document = doctor(&desk, 0);
        assert_eq!(document["ready"], true);
        let one = provider(&document, name);
        assert_eq!((&one["state"], &one["configured"]), (&"reachable".into(), &true.into()));
        assert_eq!(one["models"], serde_json::json!(["able", "baker"]));
        assert!(one["keyFrom"].as_str().is_some_and(|from| from.ends_with("_API_KEY")), "{one}");
        assert_eq!(check(&document, "model")["ok"], true);
        assert_eq!(check(&document, "database")["ok"], true);
        let human = desk.run(&["doctor"]).exits(0);
        assert!(human.stdout.trim_end().ends_with("Ready."), "{}", human.stdout);
        // It only looks.
        assert!(!desk.folder.has(".assist"));
        assert_eq!(desk.sim.requests().len(), 0);
    }
}

#[test]
fn the_doctor_names_a_refused_key_and_its_fix() {
    let script = Script { keys: vec!["another".into()], ..Script::default() };
    let desk = Desk::new(Wire::Anthropic, &[], script);
    let document = doctor(&desk, 1);
    assert_eq!(document["ready"], false);
    assert_eq!(provider(&document, "anthropic")["state"], "key refused");
    let model = check(&document, "model");
    assert_eq!(model["ok"], false);
    assert!(
        model["detail"].as_str().is_some_and(|detail| detail.contains("assist auth set anthropic")),
        "{model}"
    );
    let human = desk.run(&["doctor"]).exits(1);
    assert!(human.stdout.contains("Not ready"), "{}", human.stdout);
}

#[test]
fn the_doctor_names_a_server_that_is_not_there() {
    let mut desk = Desk::new(Wire::OpenAi, &[], Script::default());
    desk.set("OPENAI_BASE_URL", NOBODY);
    let document = doctor(&desk, 1);
    assert_eq!(provider(&document, "openai")["state"], "unreachable");
    let model = check(&document, "model");
    assert!(model["detail"].as_str().is_some_and(|detail| detail.contains(NOBODY)), "{model}");
}

#[test]
fn the_doctor_says_what_to_do_where_nothing_is_set_up() {
    let desk = Desk::without_model(&[], Script::default());
    let document = doctor(&desk, 1);
    assert_eq!(document["ready"], false);
    assert_eq!(check(&document, "model")["ok"], false);
    assert_eq!(provider(&document, "anthropic")["state"], "not configured");
}

#[test]
fn the_doctor_sees_a_damaged_database() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    desk.run(&ASK).exits(0);
    let document = doctor(&desk, 0);
    assert!(check(&document, "database")["detail"].as_str().is_some_and(|db| db.ends_with("assist.db")));
    let garbage = b"not a database at all, but long enough to be looked at as one. ".repeat(80);
    for journal in ["assist.db-wal", "assist.db-shm"] {
        std::fs::remove_file(desk.folder.path(".assist").join(journal)).ok();
    }
    desk.folder.write(".assist/assist.db", &garbage);
    let document = doctor(&desk, 1);
    assert_eq!(check(&document, "database")["ok"], false, "{document}");
    assert!(desk.folder.bytes(".assist/assist.db") == garbage, "it was written over");

    // Work goes on all the same, and says what is wrong.
    desk.folder.write(FILE, HERO);
    let ran = desk.run(&ASK).exits(0);
    assert!(ran.stderr.contains("assist.db"), "{}", ran.stderr);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert!(desk.own_files().iter().any(|(_, bytes)| *bytes == garbage), "it is not kept");
}
