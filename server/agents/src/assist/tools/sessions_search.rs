//! `sessions_search`: what was asked, said and done here before.

use assist_store::PastFilter;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;

/// The most of each kind that are given.
const MOST: usize = 8;

pub(super) struct SessionsSearch;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    query: String,
}

#[async_trait]
impl Tool for SessionsSearch {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "sessions_search",
            "Searches past work and past conversations of this workspace.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["query"],
                "properties": { "query": { "type": "string", "description": "a few words" } }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "query")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let past = bench.run.store().past();
        let embedding = bench.run.embedding(&arguments.query).await?;
        let filter = PastFilter { limit: MOST, embedding, ..PastFilter::default() };
        let mut shown = String::new();
        for found in past.runs(&arguments.query, filter.clone()).await? {
            if found.session.id == bench.run.id {
                continue;
            }
            let session = found.session;
            let outcome = session.summary.or(session.error).unwrap_or_default();
            let files: Vec<_> = session.changed_files.iter().map(|file| file.path.as_str()).collect();
            let files = if files.is_empty() { String::new() } else { format!(" [{}]", files.join(", ")) };
            shown.push_str(&format!("work “{}”, {}: {outcome}{files}\n", session.task, session.status));
        }
        let filter = PastFilter { module: Some("assist".to_owned()), ..filter };
        for found in past.messages(&arguments.query, filter).await? {
            if found.run == Some(bench.run.id) {
                continue;
            }
            shown.push_str(&format!("{} said: {}\n", found.role.as_str(), found.excerpt));
        }
        Ok(Outcome::Material(if shown.is_empty() { "Nothing fits.".to_owned() } else { shown }))
    }
}
