//! Requests about what is kept: memory, costs, models, past sessions, snapshots, exports. What they return is what the
//! command line prints with `--json`.
//!
//! Each names its workspace by a document's `uri`, or means that of the client's first folder. Restoring answers at once and
//! tells afterwards what was done: it needs the client, which a handler never waits for.

use std::str::FromStr;
use std::sync::Arc;

use assist_agents::accounts::COSTS_BY;
use assist_agents::remember::{memory_document, recalled_document};
use assist_agents::store::{Category, CostsBy, MemoryChange, MemoryFilter, Source};
use assist_agents::travel::{diff_document, set_document};
use assist_agents::{EngineError, Severity};
use assist_base::{RunId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, Result};

use super::{engine, read};
use crate::failure;
use crate::workspaces::{Desk, Workspaces};

/// What is remembered: all of it, or what fits a question.
pub const MEMORY: &str = "assist/memory";
/// Remembers something.
pub const MEMORY_ADD: &str = "assist/memoryAdd";
/// Changes a memory.
pub const MEMORY_UPDATE: &str = "assist/memoryUpdate";
/// Forgets a memory.
pub const MEMORY_FORGET: &str = "assist/memoryForget";
/// What calls cost.
pub const COSTS: &str = "assist/costs";
/// The models there are.
pub const MODELS: &str = "assist/models";
/// Past runs and messages that fit.
pub const SEARCH: &str = "assist/search";
/// The kept states of files.
pub const SNAPSHOTS: &str = "assist/snapshots";
/// Keeps the present state.
pub const SNAPSHOT_CREATE: &str = "assist/snapshotCreate";
/// How files differ from a state.
pub const SNAPSHOT_DIFF: &str = "assist/snapshotDiff";
/// Leads files back to a state.
pub const SNAPSHOT_RESTORE: &str = "assist/snapshotRestore";
/// Everything that is known of a run.
pub const EXPORT: &str = "assist/export";

/// All of them.
#[cfg(test)]
pub const REQUESTS: [&str; 12] = [
    MEMORY,
    MEMORY_ADD,
    MEMORY_UPDATE,
    MEMORY_FORGET,
    COSTS,
    MODELS,
    SEARCH,
    SNAPSHOTS,
    SNAPSHOT_CREATE,
    SNAPSHOT_DIFF,
    SNAPSHOT_RESTORE,
    EXPORT,
];

/// How many are listed when the client does not say, and at most.
const LISTED: usize = 50;
const LISTED_MAX: usize = 1_000;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    uri: Option<String>,
    limit: Option<usize>,
    query: Option<String>,
    categories: Vec<String>,
    all: bool,
    id: Option<String>,
    key: Option<String>,
    value: Option<String>,
    category: Option<String>,
    confidence: Option<f64>,
    by: Option<String>,
    since: Option<Timestamp>,
    run_id: Option<String>,
    label: Option<String>,
    from: Option<String>,
    to: Option<String>,
    snapshot: Option<String>,
    exact: bool,
    format: Option<String>,
}

fn missing(name: &str) -> Error {
    failure::arguments(format!("`{name}` is missing"))
}

fn word<T: FromStr<Err = String>>(text: &str) -> Result<T> {
    text.parse().map_err(failure::arguments)
}

impl Asked {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(LISTED).min(LISTED_MAX)
    }

    fn run(&self) -> Result<Option<RunId>> {
        let parse = |text: &String| text.parse().map_err(|_| failure::not_found(format!("`{text}`")));
        self.run_id.as_ref().map(parse).transpose()
    }

    async fn desk(&self, workspaces: &Workspaces) -> Result<Desk> {
        match (&self.uri, self.run()?) {
            (Some(uri), _) => Ok(workspaces.of_uri(uri).await.map_err(engine)?.0),
            (None, Some(run)) => workspaces.of_run(run).await.map_err(engine),
            (None, None) => workspaces.first().await.map_err(engine),
        }
    }
}

/// Answers `method`.
pub async fn answer(workspaces: &Workspaces, method: &str, params: &Value) -> Result<Value> {
    let asked: Asked = if params.is_object() { read(params)? } else { Asked::default() };
    let desk = asked.desk(workspaces).await?;
    match method {
        MEMORY | MEMORY_ADD | MEMORY_UPDATE | MEMORY_FORGET => memory(&desk, method, asked).await,
        SNAPSHOTS | SNAPSHOT_CREATE | SNAPSHOT_DIFF | SNAPSHOT_RESTORE => {
            snapshot(&desk, method, asked).await
        }
        COSTS => {
            let by = asked.by.as_deref().unwrap_or("day");
            let by: CostsBy = COSTS_BY
                .iter()
                .find(|(word, _)| *word == by)
                .map(|(_, by)| *by)
                .ok_or_else(|| failure::arguments(format!("costs are not summed by `{by}`")))?;
            let since = asked.since.unwrap_or(Timestamp(0));
            Ok(json!(desk.engine.costs(by, asked.run()?, since).await.map_err(engine)?))
        }
        MODELS => Ok(json!(desk.engine.models().await.map_err(engine)?)),
        SEARCH => {
            let query = asked.query.as_deref().ok_or_else(|| missing("query"))?;
            desk.engine.search_past(query, asked.limit()).await.map_err(engine)
        }
        EXPORT => {
            let run = asked.run()?.ok_or_else(|| missing("runId"))?;
            let sessions = desk.engine.store().sessions();
            match asked.format.as_deref().unwrap_or("md") {
                "md" => Ok(json!({ "text": sessions.export_markdown(run).await.map_err(engine)? })),
                "json" => Ok(json!({ "document": sessions.export_whole(run).await.map_err(engine)? })),
                other => Err(failure::arguments(format!("`{other}` is not a format: say md or json"))),
            }
        }
        other => Err(failure::arguments(format!("there is no request `{other}`"))),
    }
}

async fn memory(desk: &Desk, method: &str, asked: Asked) -> Result<Value> {
    let (desk_engine, now) = (&desk.engine, desk.engine.now());
    let store = desk_engine.store().memory();
    let category = asked.category.as_deref().map(word::<Category>).transpose()?;
    match method {
        MEMORY => {
            let categories = asked.categories.iter().map(|text| word(text)).collect::<Result<Vec<_>>>()?;
            let memories: Vec<Value> = match &asked.query {
                Some(query) => {
                    let found = desk_engine.recall(query, categories, asked.limit()).await.map_err(engine)?;
                    found.iter().map(recalled_document).collect()
                }
                None => {
                    let limit = asked.limit();
                    let filter =
                        MemoryFilter { categories, all: asked.all, limit, ..MemoryFilter::default() };
                    store.list(filter, now).await.map_err(engine)?.iter().map(memory_document).collect()
                }
            };
            Ok(json!({ "memories": memories }))
        }
        MEMORY_ADD => {
            let key = asked.key.ok_or_else(|| missing("key"))?;
            let value = asked.value.ok_or_else(|| missing("value"))?;
            let category = category.unwrap_or(Category::Context);
            let told = desk_engine.remember(category, key, value, asked.confidence, Source::default());
            Ok(memory_document(told.await.map_err(engine)?.memory()))
        }
        _ => {
            let id = asked.id.as_deref().ok_or_else(|| missing("id"))?;
            let id = desk_engine.find_memory(id).await.map_err(engine)?;
            if method == MEMORY_FORGET {
                return Ok(json!({ "forgotten": store.forget(id).await.map_err(engine)? }));
            }
            let change = MemoryChange {
                category,
                key: asked.key,
                value: asked.value,
                confidence: asked.confidence,
                expires_at: None,
            };
            let changed = store.update(id, change, Source::default(), now).await.map_err(engine)?;
            Ok(memory_document(&changed))
        }
    }
}

async fn snapshot(desk: &Desk, method: &str, asked: Asked) -> Result<Value> {
    match method {
        SNAPSHOTS => {
            let sets =
                desk.engine.store().snapshots().sets(asked.run()?, asked.limit()).await.map_err(engine)?;
            Ok(json!({ "snapshots": sets.iter().map(set_document).collect::<Vec<_>>() }))
        }
        SNAPSHOT_CREATE => {
            let label = asked.label.as_deref().unwrap_or_default();
            let kept = desk.engine.keep_state(label, None, desk.host.as_ref()).await.map_err(engine)?;
            let mut document = set_document(&kept.set);
            document["leftOut"] = kept.left_out.into();
            Ok(document)
        }
        SNAPSHOT_DIFF => {
            let from = asked.from.as_deref().ok_or_else(|| missing("from"))?;
            let from = desk.engine.find_state(from).await.map_err(engine)?;
            let to = match asked.to.as_deref() {
                Some(to) => Some(desk.engine.find_state(to).await.map_err(engine)?),
                None => None,
            };
            let diffs = desk.engine.diff_states(&from, to.as_ref(), desk.host.as_ref()).await;
            Ok(json!({ "files": diff_document(&diffs.map_err(engine)?) }))
        }
        _ => {
            let snapshot = asked.snapshot.as_deref().ok_or_else(|| missing("snapshot"))?;
            let set = desk.engine.find_state(snapshot).await.map_err(engine)?;
            let (desk, exact) = (desk.clone(), asked.exact);
            tokio::spawn(async move {
                let run = set.run.unwrap_or_else(RunId::new);
                let restored = desk.engine.restore_state(&set, None, exact, Arc::clone(&desk.host)).await;
                match restored {
                    Ok(returned) => {
                        let severity =
                            if returned.is_complete() { Severity::Info } else { Severity::Warning };
                        desk.host.notify(run, severity, &returned.summary());
                    }
                    Err(error) => desk.host.notify(run, Severity::Error, &EngineError::to_string(&error)),
                }
            });
            Ok(json!({ "ok": true }))
        }
    }
}
