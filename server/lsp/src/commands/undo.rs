//! `assist.undo`: take a run's changes back.
//!
//! The answer comes before the edits: they need the client, which a handler never waits for. What was done is told in one
//! sentence afterwards.

use std::sync::Arc;

use assist_agents::Severity;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Error;

use super::Run;
use crate::workspaces::Workspaces;

pub async fn execute(workspaces: &Workspaces, argument: Run) -> Result<Value, Error> {
    let (desk, run) = argument.find(workspaces, |_, run| !run.changed_files.is_empty()).await?;
    tokio::spawn(async move {
        match desk.engine.undo(run, Arc::clone(&desk.host)).await {
            Ok(undone) => {
                let severity = if undone.conflicts.is_empty() { Severity::Info } else { Severity::Warning };
                desk.host.notify(run, severity, &undone.summary());
            }
            Err(error) => desk.host.notify(run, Severity::Error, &error.to_string()),
        }
    });
    Ok(json!({ "ok": true }))
}
