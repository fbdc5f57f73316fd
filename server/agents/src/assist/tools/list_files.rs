//! `list_files`: which files there are.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;
use crate::assist::map::MOST_FILES;

/// The most names that are given at once.
const MOST_NAMES: usize = 400;

pub(super) struct ListFiles;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    folder: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

#[async_trait]
impl Tool for ListFiles {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "list_files",
            "Lists the files of the workspace or of one folder, without what Git ignores.",
            json!({
                "type": "object", "additionalProperties": false,
                "properties": {
                    "folder": { "type": "string", "description": "only below this folder" },
                    "name": { "type": "string", "description": "only paths that contain this" }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        let about = [text(arguments, "folder"), text(arguments, "name")];
        about.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let workspace = Arc::clone(&bench.run.workspace);
        let walked = tokio::task::spawn_blocking(move || workspace.walk(MOST_FILES)).await;
        let walked = walked.map_err(|error| ToolError::Failed(format!("Assist failed inside: {error}")))?;
        let folder = arguments.folder.unwrap_or_default();
        let folder = folder.trim_start_matches("./").trim_matches('/').to_owned();
        let name = arguments.name.unwrap_or_default().to_lowercase();
        let fits = |path: &str| {
            let below = folder.is_empty()
                || folder == "."
                || path.strip_prefix(&folder).is_some_and(|rest| rest.starts_with('/'));
            below && (name.is_empty() || path.to_lowercase().contains(&name))
        };
        let names: Vec<&str> =
            walked.files.iter().map(|file| file.path.as_str()).filter(|path| fits(path)).collect();
        let mut shown = names.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join("\n");
        if names.len() > MOST_NAMES {
            shown.push_str(&format!("\n({} more: name a folder.)", names.len() - MOST_NAMES));
        }
        Ok(Outcome::Material(if names.is_empty() { "No file fits.".to_owned() } else { shown }))
    }
}
