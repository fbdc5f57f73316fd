//! `execute_command`: runs one command in the workspace, if the rules or the user allow it.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;
use crate::orchestrator::{Ran, Wanted, run_command};

pub(super) struct ExecuteCommand;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    command: String,
    #[serde(default)]
    network: bool,
}

#[async_trait]
impl Tool for ExecuteCommand {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "execute_command",
            "Runs one shell line in the workspace's root and shows what it prints. The user is asked unless they have allowed it. For looking and checking, such as running the tests; what is to be built or changed is planned with propose_plan. It has nobody to ask, no terminal, no network unless it is asked for, and ends with all it started.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["command"],
                "properties": {
                    "command": { "type": "string", "description": "one line" },
                    "network": { "type": "boolean", "description": "whether it needs the network" }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "command")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let line = arguments.command.trim().to_owned();
        if line.is_empty() || line.contains(char::is_control) {
            return Err(ToolError::Failed("A command is one line.".to_owned()));
        }
        let wanted = Wanted {
            line,
            network: arguments.network,
            key: bench.call_name(),
            confirmed: false,
            again: false,
        };
        match run_command(bench.run, wanted).await? {
            Ran::Ended(ended) => {
                let files = match ended.files.len() {
                    0 => String::new(),
                    _ => format!("\nIt changed: {}", ended.files.join(", ")),
                };
                Ok(Outcome::Material(format!("Now {}.{files}\n{}", ended.how, ended.output)))
            }
            Ran::NotRun(why) => Err(ToolError::Refused(format!(
                "the command was not run, because {why}. Go on without it, or say what the user should run."
            ))),
        }
    }
}
