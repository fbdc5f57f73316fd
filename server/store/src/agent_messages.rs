//! What roles say to each other: `agent_messages`.

use assist_base::{RunId, Timestamp};
use rusqlite::{Row, Transaction, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{AgentMessageId, Store, rows};

/// The messages between the roles of a store's runs.
#[derive(Debug, Clone, Copy)]
pub struct AgentMessages<'s>(pub(crate) &'s Store);

/// A message to be posted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAgentMessage {
    /// The run.
    pub run: RunId,
    /// The role that speaks.
    pub from: String,
    /// The role that is spoken to.
    pub to: String,
    /// `document`, `question`, `feedback`, `command`, or another.
    pub kind: String,
    /// What is said.
    pub payload: Value,
    /// Whether an answer is waited for.
    pub requires_response: bool,
    /// The message it answers.
    pub in_reply_to: Option<AgentMessageId>,
}

/// A message between roles.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentMessage {
    /// Its id.
    pub id: AgentMessageId,
    /// Its number: a later one has a higher.
    pub number: i64,
    /// The run.
    pub run: RunId,
    /// The role that speaks.
    pub from: String,
    /// The role that is spoken to.
    pub to: String,
    /// `document`, `question`, `feedback`, `command`, or another.
    pub kind: String,
    /// What is said.
    pub payload: Value,
    /// Whether an answer is waited for.
    pub requires_response: bool,
    /// The message it answers.
    pub in_reply_to: Option<AgentMessageId>,
    /// When it was posted.
    pub at: Timestamp,
    /// When the receiver took it.
    pub read_at: Option<Timestamp>,
}

impl AgentMessages<'_> {
    /// Posts a message.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the run or the message it answers does not exist.
    pub async fn post(&self, new: NewAgentMessage, at: Timestamp) -> Result<AgentMessage> {
        self.0
            .write(Durability::Normal, move |tx| {
                let id = AgentMessageId::new();
                let sql =
                    "INSERT INTO agent_messages (msg_id, run_id, from_agent, to_agent, msg_type, payload,
                        requires_response, in_reply_to, timestamp)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
                let values = params![
                    id.to_string(),
                    new.run.to_string(),
                    new.from,
                    new.to,
                    new.kind,
                    new.payload.to_string(),
                    new.requires_response,
                    new.in_reply_to.map(|id| id.to_string()),
                    at.0,
                ];
                rows::run(tx, sql, values)
                    .map_err(|error| StoreError::or_missing(error, "run or message of", new.run))?;
                let found = read(tx, "WHERE msg_id = ?1", [id.to_string()])?;
                found.into_iter().next().ok_or_else(|| StoreError::missing("agent message", id))
            })
            .await
    }

    /// Takes the messages to a role that it has not taken yet, oldest first. Each is given once.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn take(&self, run: RunId, to: &str, at: Timestamp) -> Result<Vec<AgentMessage>> {
        let to = to.to_owned();
        self.0
            .write(Durability::Normal, move |tx| {
                let which = "WHERE run_id = ?1 AND to_agent = ?2 AND read_at IS NULL ORDER BY number";
                let mut found = read(tx, which, params![run.to_string(), to])?;
                for message in &mut found {
                    let sql = "UPDATE agent_messages SET read_at = ?2 WHERE number = ?1";
                    rows::run(tx, sql, params![message.number, at.0])?;
                    message.read_at = Some(at);
                }
                Ok(found)
            })
            .await
    }

    /// All messages of a run, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, run: RunId) -> Result<Vec<AgentMessage>> {
        self.0.read(move |tx| read(tx, "WHERE run_id = ?1 ORDER BY number", [run.to_string()])).await
    }

    /// What two roles said to each other, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn between(&self, run: RunId, one: &str, other: &str) -> Result<Vec<AgentMessage>> {
        let (one, other) = (one.to_owned(), other.to_owned());
        let which = "WHERE run_id = ?1
            AND ((from_agent = ?2 AND to_agent = ?3) OR (from_agent = ?3 AND to_agent = ?2)) ORDER BY number";
        self.0.read(move |tx| read(tx, which, params![run.to_string(), one, other])).await
    }

    /// The messages that wait for an answer and have none, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn unanswered(&self, run: RunId) -> Result<Vec<AgentMessage>> {
        let which = "AS question WHERE run_id = ?1 AND requires_response
            AND NOT EXISTS (SELECT 1 FROM agent_messages WHERE in_reply_to = question.msg_id) ORDER BY number";
        self.0.read(move |tx| read(tx, which, [run.to_string()])).await
    }
}

/// The last messages of a run that a role sent or got, oldest first.
pub(crate) fn recent(
    tx: &Transaction<'_>,
    run: RunId,
    agent: Option<&str>,
    limit: usize,
) -> Result<Vec<AgentMessage>> {
    let which = "WHERE run_id = ?1 AND (?2 IS NULL OR from_agent = ?2 OR to_agent = ?2)
        ORDER BY number DESC LIMIT ?3";
    let mut found = read(tx, which, params![run.to_string(), agent, rows::integer(limit as u64)])?;
    found.reverse();
    Ok(found)
}

fn read(tx: &Transaction<'_>, which: &str, values: impl rusqlite::Params) -> Result<Vec<AgentMessage>> {
    rows::all(tx, &format!("SELECT * FROM agent_messages {which}"), values, message)
}

fn message(row: &Row<'_>) -> Result<AgentMessage> {
    Ok(AgentMessage {
        id: rows::word(row, "msg_id")?,
        number: row.get("number")?,
        run: rows::word(row, "run_id")?,
        from: row.get("from_agent")?,
        to: row.get("to_agent")?,
        kind: row.get("msg_type")?,
        payload: rows::json(row, "payload")?,
        requires_response: row.get("requires_response")?,
        in_reply_to: rows::maybe_word(row, "in_reply_to")?,
        at: rows::time(row, "timestamp")?,
        read_at: rows::maybe_time(row, "read_at")?,
    })
}
