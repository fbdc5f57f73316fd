//! `assist.later`: a run that rests is not offered again.

use serde::Deserialize;
use serde_json::Value;
use tower_lsp::jsonrpc::Error;

use super::{named, ok};
use crate::workspaces::Workspaces;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    run_id: String,
}

pub async fn execute(workspaces: &Workspaces, argument: Argument) -> Result<Value, Error> {
    let (desk, run) = named(workspaces, &argument.run_id).await?;
    ok(desk.engine.put_off(run).await)
}
