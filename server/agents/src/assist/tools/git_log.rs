//! `git_log`: the latest commits, of the workspace or of one path.

use assist_runtime::git::{LogEntry, Repository};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, path, read, repository, spec, text};
use crate::assist::bench::Bench;
use crate::assist::history::{one_line, short};

/// How many commits are given where the model does not say, and at most.
const USUAL: u32 = 20;
const MOST: u32 = 100;
/// A longer subject is cut here.
const MOST_SUBJECT: usize = 200;

pub(super) struct GitLog;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
}

#[async_trait]
impl Tool for GitLog {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "git_log",
            "Lists the latest commits, newest first: of the workspace, or of one file or folder.",
            json!({
                "type": "object", "additionalProperties": false,
                "properties": {
                    "path": { "type": "string", "description": "only what touched this file or folder" },
                    "limit": { "type": "integer", "minimum": 1, "maximum": MOST }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "path")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let path = arguments.path.as_deref().map(path).transpose()?;
        let limit = arguments.limit.unwrap_or(USUAL).clamp(1, MOST);
        let entries =
            repository(bench.run, move |repository: &Repository| repository.log(limit, path.as_ref()));
        Ok(Outcome::Material(listed(&entries.await?)))
    }
}

fn listed(entries: &[LogEntry]) -> String {
    if entries.is_empty() {
        return "There is no commit.".to_owned();
    }
    let line = |entry: &LogEntry| {
        let subject: String = one_line(&entry.subject).chars().take(MOST_SUBJECT).collect();
        format!("{} {} {}: {subject}\n", short(&entry.id), entry.day, one_line(&entry.author))
    };
    entries.iter().map(line).collect()
}
