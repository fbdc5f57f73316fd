//! What goes beyond the protocol: requests and notifications of our own. PROTOCOL.md describes them; a test compares.

pub mod kept;

use assist_agents::store::{ListFilter, Session};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, Result};

use crate::workspaces::Workspaces;
use crate::{board, failure};

/// Text of an answer as it arrives. To rich clients.
pub const DELTA: &str = "assist/delta";
/// An event of a run. To rich clients.
pub const EVENT: &str = "assist/event";
/// The runs that have not ended. To rich clients, when they change.
pub const RUNS: &str = "assist/runs";
/// The runs that rest and can go on. To rich clients, when a workspace is opened.
pub const RESTING: &str = "assist/resting";
/// Asks a rich client to save a document.
pub const SAVE: &str = "assist/save";
/// Whether requests can be served.
pub const STATUS: &str = "assist/status";
/// The workspace's runs.
pub const SESSIONS: &str = "assist/sessions";
/// Follows a run of another process.
pub const ATTACH: &str = "assist/attach";
/// A run's events.
pub const EVENTS: &str = "assist/events";

/// The requests.
#[cfg(test)]
pub const REQUESTS: [&str; 4] = [STATUS, SESSIONS, EVENTS, ATTACH];

/// How many runs are listed when the client does not say.
const LISTED: usize = 50;
/// How many at most.
const LISTED_MAX: usize = 1000;

pub(crate) fn read<'a, T: Deserialize<'a>>(params: &'a Value) -> Result<T> {
    T::deserialize(params).map_err(failure::arguments)
}

pub(crate) fn engine(error: impl Into<assist_agents::EngineError>) -> Error {
    failure::of_engine(&error.into())
}

/// `assist/status`: of the client's first folder.
pub async fn status(workspaces: &Workspaces, version: &str) -> Result<Value> {
    let engine = match workspaces.look().await {
        Ok(engine) => engine,
        Err(error) => {
            let mut status = json!({ "ready": false, "problem": error.to_string(), "version": version });
            if let Some(fix) = error.fix() {
                status["fix"] = fix.into();
            }
            return Ok(status);
        }
    };
    let status = engine.status().await;
    let mut answer = json!({
        "ready": status.ready,
        "root": engine.workspace().root().display().to_string(),
        "version": version,
    });
    let own = engine.active();
    let live = engine.store().sessions().unfinished().await.map_err(self::engine)?;
    let live = live.iter().map(|session| {
        json!({
            "runId": session.id, "task": session.task, "status": session.status.as_str(),
            "here": own.contains(&session.id),
        })
    });
    answer["runs"] = live.collect();
    let said = [
        ("provider", status.provider),
        ("model", status.model),
        ("problem", status.problem),
        ("fix", status.fix),
    ];
    for (key, value) in said {
        if let Some(value) = value {
            answer[key] = value.into();
        }
    }
    Ok(answer)
}

#[derive(Debug, Deserialize)]
struct Listing {
    #[serde(default)]
    limit: Option<usize>,
}

/// `assist/sessions`: of all open workspaces, newest first.
pub async fn sessions(workspaces: &Workspaces, params: &Value) -> Result<Value> {
    let listing: Listing = if params.is_object() { read(params)? } else { Listing { limit: None } };
    let limit = listing.limit.unwrap_or(LISTED).min(LISTED_MAX);
    workspaces.open_folders().await;
    let mut sessions = Vec::new();
    for desk in workspaces.open() {
        let filter = ListFilter { limit, state: None };
        sessions.extend(desk.engine.store().sessions().list(filter).await.map_err(engine)?);
    }
    sessions.sort_by_key(|session| std::cmp::Reverse(session.created_at));
    sessions.truncate(limit);
    Ok(json!({ "sessions": sessions.iter().map(row).collect::<Vec<_>>() }))
}

fn row(session: &Session) -> Value {
    let files: Vec<_> = session.changed_files.iter().map(|file| file.path.as_str()).collect();
    let mut row = board::resting(session);
    row["changedFiles"] = json!(files);
    if let Some(summary) = &session.summary {
        row["summary"] = summary.as_str().into();
    }
    if let Some(error) = &session.error {
        row["error"] = error.as_str().into();
    }
    row
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Replay {
    run_id: String,
    #[serde(default)]
    from: Option<u64>,
}

/// `assist/events`: the envelopes of a run from a number on.
pub async fn events(workspaces: &Workspaces, params: &Value) -> Result<Value> {
    let replay: Replay = read(params)?;
    let run = replay.run_id.parse().map_err(|_| failure::not_found(format!("`{}`", replay.run_id)))?;
    let desk = workspaces.of_run(run).await.map_err(engine)?;
    let events = desk.engine.store().events().list(run, replay.from.unwrap_or(1)).await.map_err(engine)?;
    Ok(json!({ "events": events }))
}
