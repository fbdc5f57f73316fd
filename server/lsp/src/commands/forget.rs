//! `assist.forget`: something remembered is forgotten.

use assist_agents::store::FoundMemory;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Error;

use crate::failure;
use crate::workspaces::Workspaces;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    memory_id: String,
}

pub async fn execute(workspaces: &Workspaces, argument: Argument) -> Result<Value, Error> {
    let failed = |error: assist_agents::store::StoreError| failure::of_engine(&error.into());
    for desk in workspaces.open() {
        let memory = desk.engine.store().memory();
        if let FoundMemory::One(id) = memory.find(&argument.memory_id).await.map_err(failed)? {
            memory.forget(id).await.map_err(failed)?;
            return Ok(json!({ "ok": true }));
        }
    }
    Err(failure::not_found(format!("`{}`", argument.memory_id)))
}
