//! The web pages that an answer rests on, for its events.

use std::collections::HashSet;

use assist_base::EventKind;
use serde_json::{Value, json};

use super::tools::WEB_FETCH;
use crate::run::{Break, Run};

/// The pages that were read, and those of the ones found that the answer names, as `[{title, url}]` in the order in which they
/// came up. They are taken from the run's events, so that they are whole also after a restart.
async fn of(run: &Run, answer: &str) -> Result<Vec<Value>, Break> {
    if !run.settings.web.is_on() {
        return Ok(Vec::new());
    }
    let mut sources = Vec::new();
    let mut known = HashSet::new();
    for event in run.store().events().list(run.id, 0).await? {
        let named = event.data["sources"].as_array().filter(|_| event.kind == EventKind::Tool);
        for source in named.into_iter().flatten() {
            let Some(url) = source["url"].as_str() else { continue };
            let counts = event.data["tool"] == WEB_FETCH || answer.contains(url);
            if counts && known.insert(url.to_owned()) {
                sources.push(source.clone());
            }
        }
    }
    Ok(sources)
}

/// Says that Assist is done with its answer, and what it rests on.
pub(super) async fn completed(run: &Run, answer: &str) -> Result<(), Break> {
    let mut data = json!({ "agent": "assist" });
    let sources = of(run, answer).await?;
    if !sources.is_empty() {
        data["sources"] = sources.into();
    }
    run.emit(EventKind::AgentCompleted, data).await?;
    Ok(())
}
