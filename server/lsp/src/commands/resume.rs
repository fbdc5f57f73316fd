//! `assist.resume`: go on with a paused run.

use std::sync::Arc;

use serde_json::Value;
use tower_lsp::jsonrpc::Error;

use super::{Named, ok};
use crate::workspaces::Workspaces;

pub async fn execute(workspaces: &Workspaces, argument: Named) -> Result<Value, Error> {
    let (desk, run) = argument.find(workspaces).await?;
    ok(desk.engine.resume(run, Arc::clone(&desk.host)).await.map(drop))
}
