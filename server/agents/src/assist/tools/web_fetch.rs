//! `web_fetch`: what a page of the web says, where the user lets pages be read.
//!
//! Only an address that the user or something found has named is read: one that a model makes up could carry what it has
//! seen here to a stranger.

use assist_gateway::WebError;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Source, Tool, ToolError, WEB_FETCH, read, spec, text};
use crate::assist::bench::Bench;

/// So much of a page is given at once, in characters.
const MOST_CHARACTERS: usize = 16_000;

pub(super) struct WebFetch;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    url: String,
    #[serde(default)]
    from: usize,
}

#[async_trait]
impl Tool for WebFetch {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            WEB_FETCH,
            "Reads a web page as text. Only addresses that the user named or that were found, exactly as they stand.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["url"],
                "properties": {
                    "url": { "type": "string", "description": "begins with https:// or http://" },
                    "from": { "type": "integer", "minimum": 0, "description": "for the rest of a long page: where to go on" }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "url")
    }

    fn address<'a>(&self, arguments: &'a Map<String, Value>) -> Option<&'a str> {
        arguments.get("url").and_then(Value::as_str)
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let run = bench.run;
        if !run.settings.web.fetch {
            return Err(ToolError::Failed("Web pages are not read here; go on without.".to_owned()));
        }
        let reading = run.gateway.read_page(&arguments.url, run.settings.web.allow_private);
        let page = run.unless_halted(reading).await?.map_err(|error| match error {
            WebError::Refused { .. } => ToolError::Refused(error.to_string()),
            error => ToolError::Failed(error.to_string()),
        })?;
        let title = page.title.unwrap_or_else(|| page.url.clone());
        let whole = page.text.chars().count();
        let part: String = page.text.chars().skip(arguments.from).take(MOST_CHARACTERS).collect();
        let to = arguments.from + part.chars().count();
        let more = match (to < whole, page.cut) {
            (true, _) => format!("\n(There is more: go on with `from` {to}.)"),
            (false, true) => "\n(The page is longer; the rest is not read.)".to_owned(),
            (false, false) => String::new(),
        };
        let text = format!("{title}\n{}\n\n{part}{more}", page.url);
        Ok(Outcome::Web(text, vec![Source { title, url: page.url }]))
    }
}
