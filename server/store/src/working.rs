//! Working memory: what a run keeps in mind, read by its roles as one context. Made of rows that are kept anyway, so that
//! it is there again after a crash.

use assist_base::{RunId, Timestamp};
use rusqlite::{Transaction, params};

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{AgentMessage, Document, DocumentFilter, DocumentRef, Session, Store, Task};
use crate::{agent_messages, documents, rows, sessions, tasks};

/// The working memory of a store's runs.
#[derive(Debug, Clone, Copy)]
pub struct Working<'s>(pub(crate) &'s Store);

/// Something a run decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The role that decided.
    pub agent: String,
    /// What.
    pub what: String,
    /// Why, if it said so.
    pub why: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a role is to know of its run.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// The run.
    pub session: Session,
    /// What it is at, in words.
    pub focus: Option<String>,
    /// What it decided, oldest first.
    pub decisions: Vec<Decision>,
    /// The documents it wrote, in their last versions, and those it used, in the versions it used; oldest first.
    pub documents: Vec<Document>,
    /// The last messages, oldest first.
    pub messages: Vec<AgentMessage>,
    /// Its plan.
    pub tasks: Vec<Task>,
}

impl Working<'_> {
    /// Keeps a decision.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn decide(
        &self,
        run: RunId,
        agent: &str,
        what: &str,
        why: Option<&str>,
        at: Timestamp,
    ) -> Result<()> {
        let (agent, what, why) = (agent.to_owned(), what.to_owned(), why.map(str::to_owned));
        self.0
            .write(Durability::Normal, move |tx| {
                let sql =
                    "INSERT INTO run_decisions (run_id, agent, what, why, at) VALUES (?1, ?2, ?3, ?4, ?5)";
                rows::run(tx, sql, params![run.to_string(), agent, what, why, at.0])
                    .map_err(|error| StoreError::or_missing(error, "run", run))?;
                Ok(())
            })
            .await
    }

    /// Says what the run is at, in place of what it was at before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn focus(&self, run: RunId, focus: &str, at: Timestamp) -> Result<()> {
        let focus = focus.to_owned();
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "INSERT INTO run_focus (run_id, focus, at) VALUES (?1, ?2, ?3)
                    ON CONFLICT (run_id) DO UPDATE SET focus = excluded.focus, at = excluded.at";
                rows::run(tx, sql, params![run.to_string(), focus, at.0])
                    .map_err(|error| StoreError::or_missing(error, "run", run))?;
                Ok(())
            })
            .await
    }

    /// Everything a role is to know, of one moment. With `agent`, only messages from or to that role; at most `messages`
    /// of them, the last.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn context(&self, run: RunId, agent: Option<&str>, messages: usize) -> Result<Context> {
        let agent = agent.map(str::to_owned);
        self.0.read(move |tx| context(tx, run, agent.as_deref(), messages)).await
    }
}

pub(crate) fn context(
    tx: &Transaction<'_>,
    run: RunId,
    agent: Option<&str>,
    messages: usize,
) -> Result<Context> {
    let session = sessions::get(tx, run)?;
    let id = run.to_string();
    let focus =
        rows::first(tx, "SELECT focus FROM run_focus WHERE run_id = ?1", [&id], |row| Ok(row.get("focus")?))?;
    let sql = "SELECT * FROM run_decisions WHERE run_id = ?1 ORDER BY id";
    let decisions = rows::all(tx, sql, [&id], |row| {
        Ok(Decision {
            agent: row.get("agent")?,
            what: row.get("what")?,
            why: row.get("why")?,
            at: rows::time(row, "at")?,
        })
    })?;
    let mut written = documents::list(tx, &DocumentFilter { run: Some(run), ..DocumentFilter::default() })?;
    for used in documents::used_by(tx, run)? {
        let is_there = |document: &Document| {
            (DocumentRef { id: document.id, version: document.version }) == used.document
        };
        if !written.iter().any(is_there) {
            written.push(documents::get(tx, used.document)?);
        }
    }
    written.sort_by_key(|document| (document.created_at, document.id, document.version));
    Ok(Context {
        session,
        focus,
        decisions,
        documents: written,
        messages: agent_messages::recent(tx, run, agent, messages)?,
        tasks: tasks::list(tx, run)?,
    })
}
