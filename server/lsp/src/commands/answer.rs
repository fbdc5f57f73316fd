//! `assist.answer`: words for a run that asked.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tower_lsp::jsonrpc::Error;

use super::{named, ok};
use crate::workspaces::Workspaces;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    run_id: String,
    text: String,
}

pub async fn execute(workspaces: &Workspaces, argument: Argument) -> Result<Value, Error> {
    let (desk, run) = named(workspaces, &argument.run_id).await?;
    ok(desk.engine.answer(run, argument.text, Arc::clone(&desk.host)).await)
}
