//! `assist verify`: verdicts for scripts, in the shapes and with the exit codes that DESIGN promises.

use assist_simulator::{SENTINEL, Script, component};
use serde_json::{Value, json};

use crate::support::{Desk, NEW_FOOTER, NEW_HERO, Ran, Wire};

const FILE: &str = "src/Hero.tsx";

fn stream(parts: &[(&str, &str, &str)]) -> String {
    let parts: String = parts.iter().map(|(name, path, code)| component(name, path, code)).collect();
    parts.replace("@@id@@", "7f3a")
}

fn desk() -> Desk {
    Desk::new(Wire::Anthropic, &[], Script::default())
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[track_caller]
fn verdicts(input: &str, code: i32) -> Vec<Value> {
    lines(&desk().run_with(&["verify"], input.as_bytes()).exits(code))
}

#[test]
fn a_whole_stream_is_whole() {
    let text = stream(&[("Hero", FILE, NEW_HERO), ("Footer", FILE, NEW_FOOTER)]) + SENTINEL;
    let hero = NEW_HERO.lines().count();
    let footer = NEW_FOOTER.lines().count();
    let expected = [
        json!({"component": "Hero", "path": FILE, "verdict": "whole", "reasons": [], "lines": [2, 1 + hero]}),
        json!({"component": "Footer", "path": FILE, "verdict": "whole", "reasons": [],
            "lines": [hero + 4, hero + 3 + footer]}),
        json!({"sentinel": true, "whole": 2, "total": 2}),
    ];
    assert_eq!(verdicts(&text, 0), expected);
    assert_eq!(verdicts(&text.replace('\n', "\r\n"), 0), expected);

    // From a file as well as from standard input.
    let desk = desk();
    desk.folder.write("answer.txt", &text);
    assert_eq!(lines(&desk.run(&["verify", "answer.txt"]).exits(0)), expected);
}

#[test]
fn a_cut_stream_is_truncated() {
    let text = stream(&[("Footer", FILE, NEW_FOOTER), ("Hero", FILE, NEW_HERO)]);
    let cut = &text[..text.find("{open ?").expect("it is there")];
    let lines = verdicts(cut, 1);
    assert_eq!(lines[0]["verdict"], "whole");
    assert_eq!((&lines[1]["component"], &lines[1]["verdict"]), (&"Hero".into(), &"truncated".into()));
    assert!(lines[1]["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{}", lines[1]);
    assert_eq!(lines[2], json!({"sentinel": false, "whole": 1, "total": 2}));
}

#[test]
fn without_the_sentinel_a_stream_is_not_whole() {
    let lines = verdicts(&stream(&[("Hero", FILE, NEW_HERO)]), 1);
    assert_eq!(lines[0]["verdict"], "whole");
    assert_eq!(lines[1], json!({"sentinel": false, "whole": 1, "total": 1}));
}

#[test]
fn wrong_code_is_malformed_and_what_is_no_code_refused() {
    let broken = NEW_HERO.replace("</section>", "</secton>");
    let lines = verdicts(&(stream(&[("Hero", FILE, &broken)]) + SENTINEL), 1);
    assert_eq!(lines[0]["verdict"], "malformed");
    assert_eq!(lines[1], json!({"sentinel": true, "whole": 0, "total": 1}));
    let lines = verdicts(&(stream(&[("Hero", FILE, "{\"a\": 1}\n")]) + SENTINEL), 1);
    assert_eq!(lines[0]["verdict"], "refused");
    let lines = verdicts(&(stream(&[("Hero", "../Hero.tsx", NEW_HERO)]) + SENTINEL), 1);
    assert_eq!((&lines[0]["verdict"], &lines[0]["path"]), (&"refused".into(), &"../Hero.tsx".into()));
}

#[test]
fn a_component_without_a_path_is_judged_by_the_one_given() {
    let text = (stream(&[("Hero", FILE, NEW_HERO)]) + SENTINEL).replace(" path=\"src/Hero.tsx\"", "");
    let desk = desk();
    let ran = desk.run_with(&["verify", "--path", FILE], text.as_bytes()).exits(0);
    assert_eq!(lines(&ran)[0]["path"], FILE);
    let ran = desk.run_with(&["verify"], text.as_bytes()).exits(1);
    assert_eq!((&lines(&ran)[0]["verdict"], &lines(&ran)[0]["path"]), (&"refused".into(), &Value::Null));
}

#[test]
fn only_markers_with_the_given_id_count() {
    let text = stream(&[("Hero", FILE, NEW_HERO)]) + SENTINEL;
    let desk = desk();
    desk.run_with(&["verify", "--id", "7f3a"], text.as_bytes()).exits(0);
    let ran = desk.run_with(&["verify", "--id", "other"], text.as_bytes()).exits(1);
    assert_eq!(lines(&ran), [json!({"sentinel": true, "whole": 0, "total": 0})]);
}

#[test]
fn input_that_is_no_answer_is_refused() {
    let desk = desk();
    let ran = desk.run_with(&["verify"], b"").exits(1);
    assert_eq!(lines(&ran), [json!({"sentinel": false, "whole": 0, "total": 0})]);
    desk.run_with(&["verify"], b"\xff\xfe").exits(2).says(&["not UTF-8"]);
    desk.run(&["verify", "nowhere.txt"]).exits(2).says(&["nowhere.txt"]);
    desk.run_with(&["verify", "--path", "../x.ts"], b"").exits(2);
    // Looking leaves nothing behind.
    assert!(!desk.folder.has(".assist"));
}
