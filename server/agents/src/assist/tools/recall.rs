//! `recall`: what is remembered about something.

use assist_store::Recall;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;

pub(super) struct RecallMemory;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    query: String,
}

#[async_trait]
impl Tool for RecallMemory {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "recall",
            "Looks up what is remembered: decisions, preferences, open questions, facts, experiments.",
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
        let embedding = bench.run.embedding(&arguments.query).await?;
        let recall = Recall { embedding, ..Recall::of(arguments.query) };
        let found = bench.run.store().memory().recall(recall, bench.run.clock().now()).await?;
        let mut shown = String::new();
        for recalled in found {
            let memory = &recalled.memory;
            bench.use_memory(memory.id, recalled.score);
            let sure = if memory.confidence < 0.6 { " (not sure)" } else { "" };
            shown.push_str(&format!(
                "[{}] {}: {}: {}{sure}\n",
                memory.id.short(),
                memory.category.as_str(),
                memory.key,
                memory.value
            ));
        }
        Ok(Outcome::Material(if shown.is_empty() {
            "Nothing is remembered about that.".to_owned()
        } else {
            shown
        }))
    }
}
