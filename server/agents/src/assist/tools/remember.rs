//! `remember`: keeps something the user decided, prefers, left open, knows or tried.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;
use crate::assist::memory::{self, Noted};

pub(super) struct Remember;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    category: String,
    key: String,
    value: String,
    #[serde(default)]
    contradicts: Option<String>,
}

#[async_trait]
impl Tool for Remember {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "remember",
            "Remembers something for later conversations. The user sees it and can take it back.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["category", "key", "value"],
                "properties": {
                    "category": { "enum": ["decision", "preference", "open", "context", "experiment"] },
                    "key": { "type": "string", "description": "a label of a few words" },
                    "value": { "type": "string", "description": "one or two sentences, true by themselves" },
                    "contradicts": { "type": "string", "description": "the [id] of what is remembered and no longer holds" }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "key")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let category = arguments.category.parse().map_err(ToolError::Failed)?;
        let noted = Noted {
            category,
            key: arguments.key,
            value: arguments.value,
            contradicts: arguments.contradicts,
        };
        let source = bench.source(None);
        let kept = memory::keep(bench.run, noted, source).await?;
        Ok(Outcome::Said(format!("Remembered as [{}].", kept.short())))
    }
}
