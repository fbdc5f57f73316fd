//! `web_search`: pages of the web that fit a question, where the user has set up a search.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Source, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;

/// How many pages are given where the model does not say.
const USUAL: usize = 6;

pub(super) struct WebSearch;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    query: String,
    #[serde(default)]
    limit: Option<usize>,
}

#[async_trait]
impl Tool for WebSearch {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "web_search",
            "Searches the web: documentation, versions, prices, what others do. Never put what is private into the query.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["query"],
                "properties": {
                    "query": { "type": "string", "description": "a few words" },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 20 }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "query")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let query = arguments.query.trim();
        if query.is_empty() {
            return Err(ToolError::Failed("Say what to search for.".to_owned()));
        }
        let run = bench.run;
        let Some(place) = &run.settings.web.search else {
            return Err(ToolError::Failed("There is no web search here; go on without.".to_owned()));
        };
        let searched = run.gateway.search_web(place, query, arguments.limit.unwrap_or(USUAL));
        let found = run.unless_halted(searched).await?;
        let found = found.map_err(|error| ToolError::Failed(error.to_string()))?;
        if found.is_empty() {
            return Ok(Outcome::Material("Nothing was found.".to_owned()));
        }
        let shown = (1..).zip(&found).map(|(number, page)| {
            format!("{number}. {}\n   {}\n   {}\n", page.title, page.url, page.excerpt)
        });
        let text = shown.collect();
        let sources = found.into_iter().map(|page| Source { title: page.title, url: page.url }).collect();
        Ok(Outcome::Web(text, sources))
    }
}
