//! PROTOCOL.md says what the code does.

use assist_agents::{EngineError, Intent};
use assist_base::EventKind;

use crate::{code_actions, commands, ext, failure, options};

const PAGE: &str = include_str!("../../PROTOCOL.md");

/// The rows of the first table under a heading that begins so, as their cells.
fn rows(heading: &str) -> Vec<Vec<String>> {
    tables(heading).into_iter().next().unwrap_or_default()
}

fn tables(heading: &str) -> Vec<Vec<Vec<String>>> {
    let section = PAGE
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("{heading}"));
    let mut tables = Vec::new();
    let mut table: Vec<Vec<String>> = Vec::new();
    for line in section.lines().chain([""]) {
        if line.starts_with('|') {
            // `a` | `b` within a cell is written with an escaped bar nowhere on this page.
            table.push(line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect());
        } else if !table.is_empty() {
            tables.push(table.split_off(2));
            table.clear();
        }
    }
    tables
}

/// The words in backticks of a text.
fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn first_column(rows: &[Vec<String>]) -> Vec<String> {
    rows.iter().flat_map(|row| code(&row[0])).collect()
}

#[track_caller]
fn same<A: AsRef<str>, B: AsRef<str>>(page: &[A], code: &[B]) {
    let sorted = |words: Vec<String>| {
        let mut words = words;
        words.sort();
        words
    };
    let page = sorted(page.iter().map(|word| word.as_ref().to_owned()).collect());
    let code = sorted(code.iter().map(|word| word.as_ref().to_owned()).collect());
    assert_eq!(page, code, "left is PROTOCOL.md, right is the code");
}

#[test]
fn the_commands_are_those_of_the_page() {
    same(&first_column(&rows("Commands")), &commands::NAMES);
}

#[test]
fn the_errors_are_those_of_the_page() {
    let table = &tables("Commands")[1];
    same(&first_column(table), &EngineError::KINDS);
    let store = || EngineError::Store { message: String::new(), fix: String::new() };
    for (error, kind) in [
        (EngineError::PromptNeeded, "prompt_needed"),
        (EngineError::NotFound(String::new()), "not_found"),
        (EngineError::BadDocument(String::new()), "bad_document"),
        (store(), "store"),
        (EngineError::NoProvider { message: String::new(), fix: String::new() }, "no_provider"),
    ] {
        let row = table.iter().find(|row| row[0].contains(kind)).unwrap();
        let sent = failure::of_engine(&error);
        assert_eq!(sent.code.code().to_string(), row[1], "{kind}");
        let data = sent.data.unwrap();
        assert_eq!(data["kind"], kind);
        assert_eq!(data.get("fix").is_some(), !row[3].is_empty(), "{kind}");
    }
}

#[test]
fn the_intents_are_those_of_the_page() {
    let line = PAGE.lines().find(|line| line.starts_with("`intent` is one of")).unwrap();
    let sentence = line.split_inclusive('.').next().unwrap();
    same(&code(sentence)[1..], &Intent::ALL.map(Intent::as_str));
}

#[test]
fn the_events_are_those_of_the_page() {
    same(&first_column(&rows("Notifications")), &EventKind::ALL.map(EventKind::as_str));
    for method in [ext::EVENT, ext::DELTA] {
        assert!(PAGE.contains(&format!("\n`{method}`: ")), "{method}");
    }
}

#[test]
fn the_requests_are_those_of_the_page() {
    let all = [&ext::REQUESTS[..], &ext::kept::REQUESTS[..]].concat();
    same(&first_column(&rows("Requests from clients")), &all);
    same(&first_column(&rows("Requests to rich clients")), &[ext::SAVE]);
}

#[test]
fn the_settings_are_those_of_the_page() {
    same(&first_column(&rows("Handshake")), &options::KEYS);
}

#[test]
fn the_kinds_of_code_actions_are_those_of_the_page() {
    let sentence = PAGE.split("The kinds are ").nth(1).unwrap().split(". Each").next().unwrap();
    same(&code(sentence), &code_actions::KINDS);
}
