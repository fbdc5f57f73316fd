//! `outline`: what a file declares.

use assist_syntax::Language;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, document, path, read, spec, text};
use crate::assist::bench::Bench;

pub(super) struct OutlineFile;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
}

#[async_trait]
impl Tool for OutlineFile {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "outline",
            "Names what a source file declares, with lines: cheaper than reading it.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["path"],
                "properties": { "path": { "type": "string", "description": "relative to the workspace" } }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "path")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let path = path(&arguments.path)?;
        let text = document(bench.run, &path).await?;
        let Some(language) = Language::of_path(&path) else {
            return Err(ToolError::Failed(format!("{path} is in no language that has an outline; read it.")));
        };
        let mut shown = format!("{path}\n");
        let (mut line, mut at) = (1, 0);
        for item in assist_syntax::outline(&text, language) {
            // In order of place, so that the lines are counted once.
            line += text[at..item.range.start].matches('\n').count();
            at = item.range.start;
            let last = line + text[item.range.as_range()].trim_end().matches('\n').count();
            let indent = "  ".repeat(item.depth.min(6));
            shown.push_str(&format!("{indent}{} {} (lines {line}-{last})\n", item.kind, item.name));
        }
        Ok(Outcome::Material(shown))
    }
}
