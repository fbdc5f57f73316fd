//! What was said in conversations: `messages`.

use assist_base::{ConversationId, MessageId, RunId, Timestamp};
use rusqlite::{Row, Transaction, params};

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{Store, rows};

/// The messages of a store.
#[derive(Debug, Clone, Copy)]
pub struct Messages<'s>(pub(crate) &'s Store);

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The user.
    User,
    /// The model.
    Assistant,
    /// Instructions that the model was given.
    System,
    /// What a tool answered.
    Tool,
}

impl Role {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::Tool => "tool",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::User, Self::Assistant, Self::System, Self::Tool]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a role"))
    }
}

/// A message to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id; text deltas name it.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The run it belongs to, if any.
    pub run: Option<RunId>,
    /// Who speaks.
    pub role: Role,
    /// The text, or its beginning.
    pub content: String,
    /// Whether the text is not complete: still streaming, or broken off.
    pub partial: bool,
    /// When it began.
    pub at: Timestamp,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The run it belongs to, if any.
    pub run: Option<RunId>,
    /// Place in the conversation, from 1.
    pub position: u64,
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
    /// Whether the text is not complete.
    pub partial: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last grew.
    pub updated_at: Timestamp,
}

impl Messages<'_> {
    /// Writes a message at the end of its conversation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the conversation or the run does not exist.
    pub async fn add(&self, message: NewMessage) -> Result<()> {
        self.0
            .write(Durability::Normal, move |tx| {
                let conversation = message.conversation.to_string();
                let sql = "INSERT INTO messages
                        (id, conversation_id, run_id, position, role, content, partial, created_at, updated_at)
                    VALUES (?1, ?2, ?3,
                        (SELECT coalesce(max(position), 0) + 1 FROM messages WHERE conversation_id = ?2),
                        ?4, ?5, ?6, ?7, ?7)";
                let values = params![
                    message.id.to_string(),
                    conversation,
                    message.run.map(|run| run.to_string()),
                    message.role.as_str(),
                    message.content,
                    message.partial,
                    message.at.0,
                ];
                rows::run(tx, sql, values)
                    .map_err(|error| StoreError::or_missing(error, "conversation", &conversation))?;
                touch(tx, &conversation, message.at)
            })
            .await
    }

    /// Adds text to the end of a message; `partial` says whether more is to come. Returns the length in bytes the
    /// message had before, which is the offset of the added text.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such message.
    pub async fn append(
        &self,
        id: MessageId,
        text: impl Into<String>,
        partial: bool,
        at: Timestamp,
    ) -> Result<usize> {
        let text = text.into();
        self.0
            .write(Durability::Normal, move |tx| {
                let before = "SELECT octet_length(content) AS bytes FROM messages WHERE id = ?1";
                let bytes = rows::first(tx, before, [id.to_string()], |row| rows::count(row, "bytes"))?
                    .ok_or_else(|| StoreError::missing("message", id))?;
                let sql =
                    "UPDATE messages SET content = content || ?2, partial = ?3, updated_at = ?4 WHERE id = ?1
                    RETURNING conversation_id";
                change(tx, id, sql, &text, partial, at)?;
                Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
            })
            .await
    }

    /// Replaces the text of a message; `partial` says whether it is incomplete.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such message.
    pub async fn replace(
        &self,
        id: MessageId,
        text: impl Into<String>,
        partial: bool,
        at: Timestamp,
    ) -> Result<()> {
        let text = text.into();
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "UPDATE messages SET content = ?2, partial = ?3, updated_at = ?4 WHERE id = ?1
                    RETURNING conversation_id";
                change(tx, id, sql, &text, partial, at)
            })
            .await
    }

    /// The messages of a conversation, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, conversation: ConversationId) -> Result<Vec<Message>> {
        self.0
            .read(move |tx| {
                let sql = "SELECT * FROM messages WHERE conversation_id = ?1 ORDER BY position";
                rows::all(tx, sql, [conversation.to_string()], message)
            })
            .await
    }

    /// The messages of a run, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn of_run(&self, run: RunId) -> Result<Vec<Message>> {
        self.0.read(move |tx| of_run(tx, run)).await
    }
}

pub(crate) fn of_run(tx: &Transaction<'_>, run: RunId) -> Result<Vec<Message>> {
    let sql = "SELECT * FROM messages WHERE run_id = ?1 ORDER BY created_at, position";
    rows::all(tx, sql, [run.to_string()], message)
}

fn change(
    tx: &Transaction<'_>,
    id: MessageId,
    sql: &str,
    text: &str,
    partial: bool,
    at: Timestamp,
) -> Result<()> {
    let values = params![id.to_string(), text, partial, at.0];
    let conversation = rows::first(tx, sql, values, |row| Ok(row.get::<_, String>("conversation_id")?))?
        .ok_or_else(|| StoreError::missing("message", id))?;
    touch(tx, &conversation, at)
}

fn touch(tx: &Transaction<'_>, conversation: &str, at: Timestamp) -> Result<()> {
    let sql = "UPDATE advisor_conversations SET updated_at = max(updated_at, ?2) WHERE id = ?1";
    rows::run(tx, sql, params![conversation, at.0])?;
    Ok(())
}

fn message(row: &Row<'_>) -> Result<Message> {
    Ok(Message {
        id: rows::word(row, "id")?,
        conversation: rows::word(row, "conversation_id")?,
        run: rows::maybe_word(row, "run_id")?,
        position: rows::count(row, "position")?,
        role: rows::word(row, "role")?,
        content: row.get("content")?,
        partial: row.get("partial")?,
        created_at: rows::time(row, "created_at")?,
        updated_at: rows::time(row, "updated_at")?,
    })
}
