//! `assist.decline`: no.

use std::sync::Arc;

use serde_json::Value;
use tower_lsp::jsonrpc::Error;

use super::{Run, ok};
use crate::workspaces::Workspaces;

pub async fn execute(workspaces: &Workspaces, argument: Run) -> Result<Value, Error> {
    let (desk, run) = argument.find(workspaces, |desk, run| desk.engine.waiting().contains(&run.id)).await?;
    ok(desk.engine.decline(run, Arc::clone(&desk.host)).await)
}
