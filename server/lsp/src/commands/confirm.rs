//! `assist.confirm`: yes.

use std::sync::Arc;

use assist_agents::Ticks;
use serde::Deserialize;
use serde_json::Value;
use tower_lsp::jsonrpc::Error;

use super::{Run, ok};
use crate::workspaces::Workspaces;

#[derive(Debug, Deserialize)]
pub struct Argument {
    #[serde(flatten)]
    run: Run,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    steps: Vec<usize>,
    #[serde(flatten)]
    ticks: Ticks,
}

pub async fn execute(workspaces: &Workspaces, argument: Argument) -> Result<Value, Error> {
    let (desk, run) =
        argument.run.find(workspaces, |desk, run| desk.engine.waiting().contains(&run.id)).await?;
    let note = argument.note.filter(|note| !note.trim().is_empty());
    ok(desk.engine.confirm(run, argument.steps, note, argument.ticks, Arc::clone(&desk.host)).await)
}
