//! `assist.later`: a run that rests is not offered again.

use serde_json::Value;
use tower_lsp::jsonrpc::Error;

use super::{Named, ok};
use crate::workspaces::Workspaces;

pub async fn execute(workspaces: &Workspaces, argument: Named) -> Result<Value, Error> {
    let (desk, run) = argument.find(workspaces).await?;
    ok(desk.engine.put_off(run).await)
}
