//! Conversations with Assist: `advisor_conversations`, and the runs they led to.

use assist_base::{ConversationId, RunId, Timestamp};
use rusqlite::{Row, Transaction, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{Store, rows};

/// The conversations of a store.
#[derive(Debug, Clone, Copy)]
pub struct Conversations<'s>(pub(crate) &'s Store);

/// A conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The project.
    pub project_id: String,
    /// `assist` for those with the user; `code`, `growth`, `analytics` for internal ones.
    pub module: String,
    /// A short name for lists.
    pub title: Option<String>,
    /// What was known when it began.
    pub context_snapshot: Option<Value>,
    /// What it came to, once it did.
    pub outcome: Option<ConversationOutcome>,
    /// The runs it led to, oldest first.
    pub sessions: Vec<RunId>,
    /// When it began.
    pub created_at: Timestamp,
    /// When something was last said in it.
    pub updated_at: Timestamp,
}

/// What a conversation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationOutcome {
    /// Work was begun.
    Tasked,
    /// The user said no.
    Declined,
    /// Not now.
    Deferred,
    /// Assist keeps an eye on it.
    Monitoring,
}

impl ConversationOutcome {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tasked => "tasked",
            Self::Declined => "declined",
            Self::Deferred => "deferred",
            Self::Monitoring => "monitoring",
        }
    }
}

impl std::str::FromStr for ConversationOutcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Tasked, Self::Declined, Self::Deferred, Self::Monitoring]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not an outcome"))
    }
}

impl Conversations<'_> {
    /// Begins a conversation. One that has begun already keeps what it has, and gets the title if it had none.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn create(
        &self,
        id: ConversationId,
        project_id: impl Into<String>,
        module: impl Into<String>,
        title: Option<String>,
        at: Timestamp,
    ) -> Result<()> {
        let (project_id, module) = (project_id.into(), module.into());
        self.0
            .write(Durability::Normal, move |tx| begin(tx, id, &project_id, &module, title.as_deref(), at))
            .await
    }

    /// One conversation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn get(&self, id: ConversationId) -> Result<Conversation> {
        self.0
            .read(move |tx| {
                let sql = "SELECT * FROM advisor_conversations WHERE id = ?1";
                let found = rows::first(tx, sql, [id.to_string()], conversation)?;
                with_sessions(tx, found.ok_or_else(|| StoreError::missing("conversation", id))?)
            })
            .await
    }

    /// The conversation of `module` in which something was said last, if there is any.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn latest(&self, module: &str) -> Result<Option<Conversation>> {
        let module = module.to_owned();
        self.0
            .read(move |tx| {
                let sql = "SELECT * FROM advisor_conversations WHERE module = ?1
                    ORDER BY updated_at DESC, rowid DESC LIMIT 1";
                let found = rows::first(tx, sql, [module], conversation)?;
                found.map(|found| with_sessions(tx, found)).transpose()
            })
            .await
    }

    /// Notes what it came to.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such conversation.
    pub async fn set_outcome(
        &self,
        id: ConversationId,
        outcome: ConversationOutcome,
        at: Timestamp,
    ) -> Result<()> {
        self.set(
            id,
            "UPDATE advisor_conversations SET outcome = ?2, updated_at = ?3 WHERE id = ?1",
            outcome.as_str().to_owned(),
            at,
        )
        .await
    }

    /// Keeps what was known when it began.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such conversation.
    pub async fn set_context(&self, id: ConversationId, context: Value, at: Timestamp) -> Result<()> {
        self.set(
            id,
            "UPDATE advisor_conversations SET context_snapshot = ?2, updated_at = ?3 WHERE id = ?1",
            context.to_string(),
            at,
        )
        .await
    }

    /// Links a run with a conversation that led to it. [`crate::Sessions::create`] links the first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one of the two does not exist.
    pub async fn link(&self, id: ConversationId, run: RunId) -> Result<()> {
        self.0.write(Durability::Normal, move |tx| link(tx, id, run)).await
    }

    async fn set(&self, id: ConversationId, sql: &'static str, value: String, at: Timestamp) -> Result<()> {
        self.0
            .write(Durability::Normal, move |tx| {
                match rows::run(tx, sql, params![id.to_string(), value, at.0])? {
                    0 => Err(StoreError::missing("conversation", id)),
                    _ => Ok(()),
                }
            })
            .await
    }
}

pub(crate) fn begin(
    tx: &Transaction<'_>,
    id: ConversationId,
    project_id: &str,
    module: &str,
    title: Option<&str>,
    at: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO advisor_conversations (id, project_id, module, title, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?5)
        ON CONFLICT (id) DO UPDATE SET title = coalesce(title, excluded.title)";
    rows::run(tx, sql, params![id.to_string(), project_id, module, title, at.0])?;
    Ok(())
}

pub(crate) fn link(tx: &Transaction<'_>, id: ConversationId, run: RunId) -> Result<()> {
    let sql = "INSERT INTO conversation_sessions (conversation_id, session_id) VALUES (?1, ?2)
        ON CONFLICT DO NOTHING";
    rows::run(tx, sql, params![id.to_string(), run.to_string()])
        .map_err(|error| StoreError::or_missing(error, "conversation or run", format!("{id}, {run}")))?;
    Ok(())
}

fn conversation(row: &Row<'_>) -> Result<Conversation> {
    Ok(Conversation {
        id: rows::word(row, "id")?,
        project_id: row.get("project_id")?,
        module: row.get("module")?,
        title: row.get("title")?,
        context_snapshot: rows::maybe_json(row, "context_snapshot")?,
        outcome: rows::maybe_word(row, "outcome")?,
        sessions: Vec::new(),
        created_at: rows::time(row, "created_at")?,
        updated_at: rows::time(row, "updated_at")?,
    })
}

fn with_sessions(tx: &Transaction<'_>, mut found: Conversation) -> Result<Conversation> {
    let sql = "SELECT s.id AS id FROM conversation_sessions AS link
        JOIN agent_sessions AS s ON s.id = link.session_id
        WHERE link.conversation_id = ?1 ORDER BY s.created_at, s.rowid";
    found.sessions = rows::all(tx, sql, [found.id.to_string()], |row| rows::word(row, "id"))?;
    Ok(found)
}
