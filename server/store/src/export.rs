//! Runs as JSON, in the shape of the data model they grew from: the scalar columns of `agent_sessions` under their
//! names, with `output` and `changed_files` as arrays again.

use assist_base::RunId;
use rusqlite::Transaction;
use serde_json::{Value, json};

use crate::error::Result;
use crate::sessions::{self, ListFilter, Session, Sessions};
use crate::{events, rows};

impl Sessions<'_> {
    /// One run as JSON.
    ///
    /// The seed's columns are `id, project_id, module, app_name, app_path, task, plan, status, output, changed_files,
    /// error, started_at, completed_at, created_at, updated_at`; ours are `intent, pause_reason, summary,
    /// conversation_id, client`. Times are ISO 8601 in UTC. `output` holds the run's events as `{seq, ts, type, data}`,
    /// `changed_files` its files as `{path, change}`.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] when there is no such run.
    pub async fn export(&self, id: RunId) -> Result<Value> {
        self.0.read(move |tx| document(tx, &sessions::get(tx, id)?)).await
    }

    /// Several runs as JSON, newest first, each as in [`Sessions::export`].
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn export_list(&self, filter: ListFilter) -> Result<Vec<Value>> {
        self.0
            .read(move |tx| sessions::list(tx, filter)?.iter().map(|session| document(tx, session)).collect())
            .await
    }
}

pub(crate) fn document(tx: &Transaction<'_>, session: &Session) -> Result<Value> {
    let mut output = Vec::new();
    for event in events::list(tx, session.id, 1)? {
        let ts = rows::iso(tx, Some(event.ts))?;
        output.push(json!({ "seq": event.seq, "ts": ts, "type": event.kind.as_str(), "data": event.data }));
    }
    let changed_files: Vec<Value> = session
        .changed_files
        .iter()
        .map(|file| json!({ "path": file.path, "change": file.change.as_str() }))
        .collect();
    Ok(json!({
        "id": session.id,
        "project_id": session.project_id,
        "module": session.module,
        "app_name": session.app_name,
        "app_path": session.app_path,
        "task": session.task,
        "plan": session.plan,
        "status": session.status,
        "output": output,
        "changed_files": changed_files,
        "error": session.error,
        "started_at": rows::iso(tx, session.started_at)?,
        "completed_at": rows::iso(tx, session.completed_at)?,
        "created_at": rows::iso(tx, Some(session.created_at))?,
        "updated_at": rows::iso(tx, Some(session.updated_at))?,
        "intent": session.intent,
        "pause_reason": session.pause_reason,
        "summary": session.summary,
        "conversation_id": session.conversation,
        "client": session.client,
    }))
}
