//! `assist.adopt`: the workspace's database is the user's, whatever else says so.
//!
//! The answer comes before it is done: files are opened anew for it. What came of it is told in one sentence afterwards.

use serde::Deserialize;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Error;

use crate::workspaces::Workspaces;
use crate::{adopt, failure};

#[derive(Debug, Deserialize)]
pub struct Argument {
    #[serde(default)]
    uri: Option<String>,
}

pub async fn execute(workspaces: &Workspaces, argument: Argument) -> Result<Value, Error> {
    let desk = match &argument.uri {
        Some(uri) => workspaces.of_uri(uri).await.map(|(desk, _)| desk),
        None => workspaces.first().await,
    };
    let desk = desk.map_err(|error| failure::of_engine(&error))?;
    if let Some(workspaces) = workspaces.shared() {
        tokio::spawn(async move { adopt::adopt(&workspaces, &desk).await });
    }
    Ok(json!({ "ok": true }))
}
