//! `assist/runs`: a rich client is told which runs have not ended, wherever they work, whenever that changes.
//!
//! What happens in this process is seen at once, what happens in another within [`LOOK`]. Nothing is told as long as there
//! is nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assist_agents::Unended;
use assist_agents::store::Session;
use serde_json::{Value, json};

use crate::ext;
use crate::workspaces::Workspaces;

/// How often it is looked for what other processes began.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the client until it is gone.
pub async fn watch(workspaces: Arc<Workspaces>) {
    let link = Arc::clone(workspaces.link());
    let mut told = Value::Array(Vec::new());
    let mut looked_at: BTreeSet<PathBuf> = BTreeSet::new();
    while !link.gone.is_cancelled() {
        let stirred = link.runs.stirred.notified();
        tokio::pin!(stirred);
        // From here on: what stirs while the rows are read is not missed.
        stirred.as_mut().enable();
        workspaces.open_new(&mut looked_at).await;
        let runs = rows(&workspaces).await;
        if runs != told {
            link.outbox.notify(ext::RUNS, &json!({ "runs": runs }));
            told = runs;
        }
        tokio::select! {
            biased;
            () = link.gone.cancelled() => return,
            () = stirred => {}
            () = link.clock.sleep(LOOK) => {}
        }
    }
}

async fn rows(workspaces: &Workspaces) -> Value {
    let mut rows = Vec::new();
    for desk in workspaces.open() {
        match desk.engine.unended().await {
            Ok(runs) => rows.extend(runs.iter().map(row)),
            Err(error) => tracing::debug!(%error, "the runs could not be listed"),
        }
    }
    rows.into()
}

fn row(run: &Unended) -> Value {
    let mut row = resting(&run.session);
    row["here"] = run.here.into();
    if let Some(owner) = &run.elsewhere {
        row["owner"] = owner.as_str().into();
    }
    row
}

/// A run as it is told.
pub fn resting(session: &Session) -> Value {
    let mut row = json!({
        "runId": session.id,
        "task": session.task,
        "intent": session.intent,
        "status": session.status.as_str(),
        "createdAt": session.created_at,
        "updatedAt": session.updated_at,
    });
    if let Some(reason) = session.pause_reason {
        row["reason"] = reason.as_str().into();
    }
    row
}
