//! The commands of `workspace/executeCommand`, one file each.
//!
//! Laws: each takes one object and answers at once; what takes time runs as a run, and what the client must do follows as
//! requests of that run. PROTOCOL.md lists them; a test compares.

mod adopt;
mod answer;
mod ask;
mod cancel;
mod confirm;
mod decline;
mod forget;
mod later;
mod pause;
mod resume;
mod tell;
mod undo;

use assist_base::RunId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Error;

use crate::failure;
use crate::transport::Captured;
use crate::workspaces::{Desk, Workspaces};

/// Begins a run.
pub const ASK: &str = "assist.ask";
/// Answers a waiting run with yes.
pub const CONFIRM: &str = "assist.confirm";
/// Answers a waiting run in words.
pub const ANSWER: &str = "assist.answer";
/// Answers a waiting run with no.
pub const DECLINE: &str = "assist.decline";
/// Stops a run.
pub const CANCEL: &str = "assist.cancel";
/// Lets a run rest.
pub const PAUSE: &str = "assist.pause";
/// Adds words to a run at work.
pub const TELL: &str = "assist.tell";
/// Goes on with a paused run.
pub const RESUME: &str = "assist.resume";
/// Does not offer a run again.
pub const LATER: &str = "assist.later";
/// Takes a run's changes back.
pub const UNDO: &str = "assist.undo";

/// Forgets something that is remembered.
pub const FORGET: &str = "assist.forget";

/// Takes a database over that is not believed.
pub const ADOPT: &str = "assist.adopt";

/// Every command.
pub const NAMES: [&str; 12] =
    [ASK, CONFIRM, ANSWER, DECLINE, CANCEL, PAUSE, TELL, RESUME, LATER, UNDO, FORGET, ADOPT];

/// Does a command.
pub async fn execute(
    workspaces: &Workspaces,
    captured: Captured,
    name: &str,
    arguments: Vec<Value>,
) -> Result<Value, Error> {
    let mut arguments = arguments.into_iter();
    let argument = arguments.next().filter(|argument| !argument.is_null()).unwrap_or_else(|| json!({}));
    if arguments.next().is_some() {
        return Err(failure::arguments(format!("`{name}` takes one object")));
    }
    match name {
        ASK => ask::execute(workspaces, captured, read(name, argument)?).await,
        CONFIRM => confirm::execute(workspaces, read(name, argument)?).await,
        ANSWER => answer::execute(workspaces, read(name, argument)?).await,
        DECLINE => decline::execute(workspaces, read(name, argument)?).await,
        CANCEL => cancel::execute(workspaces, read(name, argument)?).await,
        PAUSE => pause::execute(workspaces, read(name, argument)?).await,
        TELL => tell::execute(workspaces, read(name, argument)?).await,
        RESUME => resume::execute(workspaces, read(name, argument)?).await,
        LATER => later::execute(workspaces, read(name, argument)?).await,
        FORGET => forget::execute(workspaces, read(name, argument)?).await,
        ADOPT => adopt::execute(workspaces, read(name, argument)?).await,
        UNDO => undo::execute(workspaces, read(name, argument)?).await,
        _ => Err(failure::arguments(format!("there is no command `{name}`"))),
    }
}

fn read<T: DeserializeOwned>(name: &str, argument: Value) -> Result<T, Error> {
    // An empty table of Lua arrives as an empty list.
    let argument = if argument.as_array().is_some_and(Vec::is_empty) { json!({}) } else { argument };
    serde_json::from_value(argument).map_err(|error| failure::arguments(format!("`{name}`: {error}")))
}

/// The argument of the commands that take a run, or mean the newest it fits.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    #[serde(default)]
    run_id: Option<String>,
}

impl Run {
    /// The run that is meant.
    async fn find(
        self,
        workspaces: &Workspaces,
        fits: impl Fn(&Desk, &assist_agents::store::Session) -> bool,
    ) -> Result<(Desk, RunId), Error> {
        match self.run_id {
            Some(text) => named(workspaces, &text).await,
            None => workspaces.newest(fits).await.map_err(|error| failure::of_engine(&error)),
        }
    }
}

/// The argument of the commands that must be told which run.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    run_id: String,
}

impl Named {
    /// The run that is meant.
    async fn find(self, workspaces: &Workspaces) -> Result<(Desk, RunId), Error> {
        named(workspaces, &self.run_id).await
    }
}

/// The run of that id.
async fn named(workspaces: &Workspaces, text: &str) -> Result<(Desk, RunId), Error> {
    let run: RunId = text.parse().map_err(|_| failure::not_found(format!("`{text}`")))?;
    let desk = workspaces.of_run(run).await.map_err(|error| failure::of_engine(&error))?;
    Ok((desk, run))
}

fn ok<T>(result: Result<T, assist_agents::EngineError>) -> Result<Value, Error> {
    result.map(|_| json!({ "ok": true })).map_err(|error| failure::of_engine(&error))
}
