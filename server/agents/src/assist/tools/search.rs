//! `search`: lines of the workspace that hold a text or match an expression, unsaved edits included.

use std::collections::HashMap;
use std::sync::Arc;

use assist_base::DocPath;
use assist_runtime::{Workspace, looks_secret};
use async_trait::async_trait;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;
use crate::assist::map::MOST_FILES;

/// The most lines that are given.
const MOST_HITS: usize = 80;
/// And of one file.
const MOST_OF_FILE: usize = 12;
/// A longer line is cut around here.
const MOST_LINE: usize = 240;
/// A larger file is passed over.
const MOST_BYTES: u64 = 1024 * 1024;
/// A compiled expression may take so much memory.
const EXPRESSION_BYTES: usize = 1024 * 1024;

pub(super) struct Search;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    query: String,
    #[serde(default)]
    regex: bool,
    #[serde(default)]
    path: Option<String>,
}

#[async_trait]
impl Tool for Search {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "search",
            "Finds lines in the workspace's files. A query in small letters ignores case.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["query"],
                "properties": {
                    "query": { "type": "string", "description": "words as they stand, or a regular expression" },
                    "regex": { "type": "boolean", "description": "the query is a regular expression" },
                    "path": { "type": "string", "description": "only in paths that contain this" }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "query")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let wanted = expression(&arguments)?;
        let open: HashMap<DocPath, String> = bench.run.host.open_texts().await.into_iter().collect();
        let workspace = Arc::clone(&bench.run.workspace);
        let part = arguments.path.unwrap_or_default().to_lowercase();
        let found = tokio::task::spawn_blocking(move || find(&workspace, &open, &wanted, &part)).await;
        let found = found.map_err(|error| ToolError::Failed(format!("Assist failed inside: {error}")))?;
        Ok(Outcome::Material(found))
    }
}

fn expression(arguments: &Arguments) -> Result<Regex, ToolError> {
    if arguments.query.trim().is_empty() {
        return Err(ToolError::Failed("Say what to search for.".to_owned()));
    }
    let pattern =
        if arguments.regex { arguments.query.clone() } else { regex::escape(arguments.query.trim()) };
    let small = !arguments.query.chars().any(char::is_uppercase);
    RegexBuilder::new(&pattern)
        .case_insensitive(small)
        .size_limit(EXPRESSION_BYTES)
        .build()
        .map_err(|error| ToolError::Failed(format!("That is not a regular expression: {error}")))
}

fn find(workspace: &Workspace, open: &HashMap<DocPath, String>, wanted: &Regex, part: &str) -> String {
    let mut shown = String::new();
    let (mut hits, mut more) = (0, 0);
    for file in workspace.walk(MOST_FILES).files {
        let path = &file.path;
        let other = !part.is_empty() && !path.as_str().to_lowercase().contains(part);
        if other || file.bytes > MOST_BYTES || looks_secret(path) {
            continue;
        }
        let read = || workspace.read(path).ok().map(|file| file.text);
        let Some(text) = open.get(path).cloned().or_else(read) else { continue };
        // Most files hold nothing: one look over the whole text, and lines only where there is a hit.
        if !wanted.is_match(&text) {
            continue;
        }
        let mut of_file = 0;
        for (number, line) in (1..).zip(text.lines()) {
            if !wanted.is_match(line) {
                continue;
            }
            of_file += 1;
            if of_file > MOST_OF_FILE || hits >= MOST_HITS {
                more += 1;
                continue;
            }
            hits += 1;
            let line: String = line.trim().chars().take(MOST_LINE).collect();
            shown.push_str(&format!("{path}:{number}: {line}\n"));
        }
    }
    match (hits, more) {
        (0, _) => "Nothing fits.".to_owned(),
        (_, 0) => shown,
        _ => format!("{shown}({more} more lines fit.)"),
    }
}
