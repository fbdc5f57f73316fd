//! `assist.tell`: words for a run at work.

use serde::Deserialize;
use serde_json::Value;
use tower_lsp::jsonrpc::Error;

use super::{Run, ok};
use crate::workspaces::Workspaces;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    #[serde(flatten)]
    run: Run,
    text: String,
}

pub async fn execute(workspaces: &Workspaces, argument: Argument) -> Result<Value, Error> {
    let (desk, run) = argument.run.find(workspaces, |_, run| run.status.needs_owner()).await?;
    ok(desk.engine.tell(run, &argument.text).await)
}
