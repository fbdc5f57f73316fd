//! Reading the output of checks.
//!
//! Output is other people's text: whatever cannot be read is passed over here, and the caller shows the last lines instead.

use serde_json::Value;

use super::{Finding, Places, Tool};
use crate::command::Output;

/// More findings than this are not kept: nobody reads them, and a model cannot.
const MAX_FINDINGS: usize = 500;
/// Longer messages are cut.
const MAX_MESSAGE: usize = 2_000;

/// Why a check said nothing about the code, where its output shows that: one sentence.
pub(super) fn could_not_run(tool: Tool, code: i32, output: &Output) -> Option<String> {
    let text = &output.text;
    let has = |part: &str| text.contains(part);
    let first = || {
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        line.trim().chars().take(200).collect::<String>()
    };
    if code == 127 || code == 126 {
        return Some(format!("a program that it needs is missing: {}", first()));
    }
    match tool {
        Tool::Eslint | Tool::Ruff if code == 2 => Some(format!("it could not be started: {}", first())),
        Tool::Pytest if has("No module named pytest") => {
            Some("pytest is not installed in the project's environment.".to_owned())
        }
        Tool::Pytest if code == 5 => Some("there are no tests.".to_owned()),
        Tool::Vitest | Tool::Jest if has("No test files found") || has("No tests found") => {
            Some("there are no tests for these files.".to_owned())
        }
        Tool::CargoCheck | Tool::CargoTest
            if code != 0
                && (has("--offline was specified") || has("attempting to make an HTTP request, but --offline")
                    || has("CARGO_NET_OFFLINE") || has("net.offline")) =>
        {
            Some("a dependency is not on this machine, and checks run without network; run `cargo fetch` first.".to_owned())
        }
        Tool::GoBuild | Tool::GoVet if has("module lookup disabled by GOPROXY=off") => Some(
            "a dependency is not on this machine, and checks run without network; run `go mod download` first.".to_owned(),
        ),
        _ => None,
    }
}

/// What the output says is wrong. Warnings are not.
pub(super) fn findings(tool: Tool, output: &Output, places: &Places<'_>) -> Vec<Finding> {
    let mut found = match tool {
        Tool::Tsc => tsc(&output.text, places),
        Tool::Eslint => eslint(&output.out, places),
        Tool::Vitest | Tool::Jest => jest(tool, &output.out, places),
        Tool::CargoCheck => cargo_check(&output.out, places),
        Tool::CargoTest => cargo_test(&output.text, places),
        Tool::Ruff => ruff(&output.out, places),
        Tool::Pytest => pytest(&output.text, places),
        Tool::GoBuild | Tool::GoVet | Tool::ViteBuild | Tool::Configured => plain(tool, &output.text, places),
    };
    found.truncate(MAX_FINDINGS);
    for finding in &mut found {
        if let Some((cut, _)) = finding.message.char_indices().nth(MAX_MESSAGE) {
            finding.message.truncate(cut);
        }
    }
    found
}

fn finding(
    tool: Tool,
    file: Option<String>,
    at: (Option<u32>, Option<u32>),
    code: Option<&str>,
    message: &str,
) -> Finding {
    Finding {
        tool,
        file,
        line: at.0,
        column: at.1,
        code: code.map(str::to_owned),
        message: message.trim().to_owned(),
    }
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// `src/a.ts(3,5): error TS2322: Type …`, going on in indented lines.
fn tsc(text: &str, places: &Places<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for line in text.lines() {
        if line.starts_with(' ') {
            if let Some(last) = found.last_mut() {
                last.message.push('\n');
                last.message.push_str(line.trim_end());
            }
            continue;
        }
        let Some((place, rest)) = line.split_once("error TS") else { continue };
        let Some((code, message)) = rest.split_once(": ") else { continue };
        let place = place.trim_end_matches(": ");
        let at = place.strip_suffix(')').and_then(|place| place.rsplit_once('('));
        let (file, line, column) = match at {
            Some((file, at)) => {
                let (line, column) = at.split_once(',').unwrap_or((at, ""));
                (places.file(file), line.parse().ok(), column.parse().ok())
            }
            None => (None, None, None),
        };
        found.push(finding(Tool::Tsc, file, (line, column), Some(&format!("TS{code}")), message));
    }
    found
}

fn eslint(text: &str, places: &Places<'_>) -> Vec<Finding> {
    let files: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    let mut found = Vec::new();
    for file in &files {
        let name = file["filePath"].as_str().and_then(|name| places.file(name));
        for message in file["messages"].as_array().into_iter().flatten() {
            if message["severity"] == 2 {
                let at = (number(&message["line"]), number(&message["column"]));
                let text = message["message"].as_str().unwrap_or_default();
                found.push(finding(Tool::Eslint, name.clone(), at, message["ruleId"].as_str(), text));
            }
        }
    }
    found
}

/// Jest's JSON, which Vitest writes too. It may stand among other lines.
fn jest(tool: Tool, text: &str, places: &Places<'_>) -> Vec<Finding> {
    let from = text.lines().find(|line| line.starts_with('{'));
    let value: Value = from
        .and_then(|line| serde_json::from_str(line).ok())
        .or_else(|| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let mut found = Vec::new();
    for file in value["testResults"].as_array().into_iter().flatten() {
        let name = file["name"].as_str().and_then(|name| places.file(name));
        let before = found.len();
        for test in file["assertionResults"].as_array().into_iter().flatten() {
            if test["status"] == "failed" {
                let title = test["fullName"].as_str().or(test["title"].as_str());
                let message = test["failureMessages"][0].as_str().unwrap_or("it failed");
                // What follows is the stack, with lines that move.
                let message: Vec<&str> =
                    message.lines().take_while(|line| !line.trim_start().starts_with("at ")).collect();
                let at = (number(&test["location"]["line"]), number(&test["location"]["column"]));
                found.push(finding(tool, name.clone(), at, title.map(str::trim), &message.join("\n")));
            }
        }
        if found.len() == before && file["status"] == "failed" {
            let message = file["message"].as_str().unwrap_or("the file could not be run");
            let message: Vec<&str> =
                message.lines().take_while(|line| !line.trim_start().starts_with("at ")).collect();
            found.push(finding(tool, name, (None, None), None, &message.join("\n")));
        }
    }
    found
}

fn cargo_check(text: &str, places: &Places<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
        let message = &value["message"];
        if value["reason"] != "compiler-message" || message["level"] != "error" {
            continue;
        }
        let text = message["message"].as_str().unwrap_or_default();
        let spans = message["spans"].as_array();
        let span = spans.and_then(|spans| spans.iter().find(|span| span["is_primary"] == true));
        if span.is_none() && text.starts_with("aborting due to") {
            continue;
        }
        let at =
            span.map_or((None, None), |span| (number(&span["line_start"]), number(&span["column_start"])));
        let file = span.and_then(|span| span["file_name"].as_str()).and_then(|name| places.file(name));
        let label = span.and_then(|span| span["label"].as_str()).map(|label| format!("{text}: {label}"));
        let one = finding(
            Tool::CargoCheck,
            file,
            at,
            message["code"]["code"].as_str(),
            label.as_deref().unwrap_or(text),
        );
        // The library and its tests are compiled separately and say the same.
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// Tests that failed, and errors of the compiler.
fn cargo_test(text: &str, places: &Places<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(test) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            let mut at = (None, None);
            let mut file = None;
            let mut message = Vec::new();
            while let Some(next) = lines.next_if(|next| !next.starts_with("---- ") && *next != "failures:") {
                if let Some((_, place)) = next.split_once("panicked at ") {
                    let mut parts = place.trim_end_matches(':').rsplitn(3, ':');
                    let (column, line) = (parts.next(), parts.next());
                    file = parts.next().and_then(|name| places.file(name));
                    at = (line.and_then(|n| n.parse().ok()), column.and_then(|n| n.parse().ok()));
                } else if !next.starts_with("note:") && !next.trim().is_empty() {
                    message.push(next);
                }
            }
            message.truncate(10);
            found.push(finding(Tool::CargoTest, file, at, Some(test), &message.join("\n")));
        } else if let Some((code, message)) =
            line.strip_prefix("error[").and_then(|rest| rest.split_once("]: "))
        {
            let place = lines.peek().and_then(|next| next.trim().strip_prefix("--> "));
            let mut parts = place.unwrap_or_default().rsplitn(3, ':');
            let (column, line) = (parts.next(), parts.next());
            let file = parts.next().and_then(|name| places.file(name));
            let at = (line.and_then(|n| n.parse().ok()), column.and_then(|n| n.parse().ok()));
            found.push(finding(Tool::CargoTest, file, at, Some(code), message));
        }
    }
    found
}

fn ruff(text: &str, places: &Places<'_>) -> Vec<Finding> {
    let found: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    let read = |value: &Value| {
        let at = (number(&value["location"]["row"]), number(&value["location"]["column"]));
        let file = value["filename"].as_str().and_then(|name| places.file(name));
        finding(Tool::Ruff, file, at, value["code"].as_str(), value["message"].as_str().unwrap_or_default())
    };
    found.iter().map(read).collect()
}

/// The short summary: `FAILED tests/test_a.py::test_x - AssertionError: …`; `ERROR` for what could not be collected.
fn pytest(text: &str, places: &Places<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR ")) else {
            continue;
        };
        let (test, message) = rest.split_once(" - ").unwrap_or((rest, "it failed"));
        let (file, code) = test.split_once("::").map_or((test, None), |(file, test)| (file, Some(test)));
        found.push(finding(Tool::Pytest, places.file(file), (None, None), code, message));
    }
    found
}

/// `file:line:column: message`, `file:line: message`, and `file(line,column): message`.
fn plain(tool: Tool, text: &str, places: &Places<'_>) -> Vec<Finding> {
    text.lines().filter_map(|line| plain_line(tool, line.trim_start_matches("vet: "), places)).collect()
}

fn plain_line(tool: Tool, line: &str, places: &Places<'_>) -> Option<Finding> {
    let (place, message) = line.split_once(": ")?;
    let is_name = |name: &str| !name.is_empty() && name.contains('.') && !name.contains([' ', '"', '\'']);
    if let Some((file, at)) = place.strip_suffix(')').and_then(|place| place.rsplit_once('(')) {
        let (line, column) = at.split_once(',').or_else(|| at.split_once(':'))?;
        let file = Some(file.trim()).filter(|file| is_name(file))?;
        return Some(finding(
            tool,
            places.file(file),
            (line.parse().ok(), column.parse().ok()),
            None,
            message,
        ));
    }
    let mut parts = place.split(':');
    let file = parts.next().filter(|file| is_name(file))?;
    let line: u32 = parts.next()?.parse().ok()?;
    let column = parts.next().and_then(|column| column.parse().ok());
    Some(finding(tool, places.file(file), (Some(line), column), None, message))
}
