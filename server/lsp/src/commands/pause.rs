//! `assist.pause`: let a run rest.

use serde_json::Value;
use tower_lsp::jsonrpc::Error;

use super::{Run, ok};
use crate::workspaces::Workspaces;

pub async fn execute(workspaces: &Workspaces, argument: Run) -> Result<Value, Error> {
    let (desk, run) = argument.find(workspaces, |_, run| run.status.needs_owner()).await?;
    ok(desk.engine.pause(run).await)
}
