//! What Assist remembers across conversations: `advisor_memory`.
//!
//! A memory says where it came from and what became of it; one that is contradicted stays, with less confidence, beside
//! the one that contradicts it. Nothing here decides what is worth remembering: that is for the callers, who have a model.

mod change;
mod document;
mod markdown;
mod recall;
mod rules;

use std::str::FromStr;

use assist_base::{ConversationId, RunId, Timestamp};
use rusqlite::{Row, Transaction};

pub use change::Duplicate;
pub use document::Imported;
pub use recall::{Recall, Recalled};

use crate::error::{Result, StoreError};
use crate::{MemoryId, Store, rows};

/// The memory of a store.
#[derive(Debug, Clone, Copy)]
pub struct Memories<'s>(pub(crate) &'s Store);

/// What kind of thing is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Something was decided: "no social login, too complex for now".
    Decision,
    /// How the user likes things: "fast over architecturally correct".
    Preference,
    /// Not solved yet: "mobile conversion".
    Open,
    /// What is so: "the users are non-technical founders".
    Context,
    /// What was tried, and what came of it.
    Experiment,
}

impl Category {
    /// Every category.
    pub const ALL: [Category; 5] =
        [Self::Decision, Self::Preference, Self::Open, Self::Context, Self::Experiment];

    /// The word in the database, on the command line and in exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Preference => "preference",
            Self::Open => "open",
            Self::Context => "context",
            Self::Experiment => "experiment",
        }
    }
}

impl FromStr for Category {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|category| category.as_str() == text).ok_or_else(|| {
            format!("`{text}` is not a category: use decision, preference, open, context or experiment")
        })
    }
}

/// Where something was learned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The conversation in which it was said.
    pub conversation: Option<ConversationId>,
    /// The run that found it out.
    pub run: Option<RunId>,
    /// The words it was taken from.
    pub note: Option<String>,
}

/// Something to be remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMemory {
    /// The project.
    pub project_id: String,
    /// What kind it is.
    pub category: Category,
    /// A short label: one line, at most 200 characters.
    pub key: String,
    /// What is remembered: at most 8,000 characters.
    pub value: String,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// Where it comes from.
    pub source: Source,
    /// When it ceases to be true, if that is known.
    pub expires_at: Option<Timestamp>,
}

/// A memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// Its id.
    pub id: MemoryId,
    /// The project.
    pub project_id: String,
    /// What kind it is.
    pub category: Category,
    /// A short label.
    pub key: String,
    /// What is remembered.
    pub value: String,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// The conversation it came from first, while that is kept.
    pub source_conversation: Option<ConversationId>,
    /// When it was first said.
    pub created_at: Timestamp,
    /// When it was last said, confirmed or changed.
    pub updated_at: Timestamp,
    /// The newer memory that contradicts it.
    pub contradicted_by: Option<MemoryId>,
    /// The memory it is a duplicate of.
    pub merged_into: Option<MemoryId>,
    /// When it ceases to be true.
    pub expires_at: Option<Timestamp>,
    /// In how many answers it was used.
    pub used_count: u64,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// What came of remembering.
#[derive(Debug, Clone, PartialEq)]
pub enum Remembered {
    /// It is new.
    New(Memory),
    /// It was known. The confidence has grown, and this source is kept too.
    Known(Memory),
}

impl Remembered {
    /// The memory.
    pub fn memory(&self) -> &Memory {
        match self {
            Self::New(memory) | Self::Known(memory) => memory,
        }
    }
}

/// What is to be changed of a memory; what is none stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryChange {
    /// Another category.
    pub category: Option<Category>,
    /// Another label.
    pub key: Option<String>,
    /// Another content.
    pub value: Option<String>,
    /// How sure it is now, 0 to 1.
    pub confidence: Option<f64>,
    /// When it ceases to be true; `Some(None)` takes the date away.
    pub expires_at: Option<Option<Timestamp>>,
}

/// One entry of a memory's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// What became of it: `said`, `confirmed`, `updated`, `contradicted`, `merged` or `imported`.
    pub change: String,
    /// Where that came from.
    pub source: Source,
    /// What it said before, where that changed.
    pub before: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// One use of a memory in an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// The memory.
    pub memory: MemoryId,
    /// The conversation of the answer.
    pub conversation: Option<ConversationId>,
    /// The run that answered.
    pub run: Option<RunId>,
    /// The message that holds the answer.
    pub message: Option<assist_base::MessageId>,
    /// How well it fitted.
    pub score: Option<f64>,
    /// When.
    pub at: Timestamp,
}

/// Which memories to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryFilter {
    /// Only of this project.
    pub project: Option<String>,
    /// Only of these categories; empty for all.
    pub categories: Vec<Category>,
    /// Also those that are contradicted, merged into others or expired.
    pub all: bool,
    /// At most so many.
    pub limit: usize,
}

impl Default for MemoryFilter {
    fn default() -> Self {
        Self { project: None, categories: Vec::new(), all: false, limit: 1_000 }
    }
}

/// What the first digits of a memory's id stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundMemory {
    /// One memory.
    One(MemoryId),
    /// None, or not the beginning of an id.
    None,
    /// Several, newest first, at most 20.
    Many(Vec<MemoryId>),
}

impl Memories<'_> {
    /// One memory.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn get(&self, id: MemoryId) -> Result<Memory> {
        self.0.read(move |tx| get(tx, id)).await
    }

    /// The memory whose id begins with `prefix`: hexadecimal digits, hyphens and case do not matter.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn find(&self, prefix: &str) -> Result<FoundMemory> {
        let Some(prefix) = rows::hyphenate(prefix) else { return Ok(FoundMemory::None) };
        let sql =
            "SELECT id FROM advisor_memory WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY number DESC LIMIT 20";
        let ids = self
            .0
            .read(move |tx| rows::all(tx, sql, [prefix], |row| rows::word::<MemoryId>(row, "id")))
            .await?;
        Ok(match ids.as_slice() {
            [] => FoundMemory::None,
            [id] => FoundMemory::One(*id),
            _ => FoundMemory::Many(ids),
        })
    }

    /// Memories, the last confirmed or changed first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, filter: MemoryFilter, now: Timestamp) -> Result<Vec<Memory>> {
        self.0.read(move |tx| list(tx, &filter, now)).await
    }

    /// Where a memory comes from and what became of it, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn history(&self, id: MemoryId) -> Result<Vec<SourceEntry>> {
        self.0.read(move |tx| history(tx, id)).await
    }

    /// The answers a memory was used in, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn uses(&self, id: MemoryId) -> Result<Vec<Use>> {
        self.uses_by("SELECT * FROM memory_uses WHERE memory_id = ?1 ORDER BY id", id.to_string()).await
    }

    /// What a run used in its answers, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn used_by(&self, run: RunId) -> Result<Vec<Use>> {
        self.uses_by("SELECT * FROM memory_uses WHERE run_id = ?1 ORDER BY id", run.to_string()).await
    }

    async fn uses_by(&self, sql: &'static str, value: String) -> Result<Vec<Use>> {
        self.0
            .read(move |tx| {
                rows::all(tx, sql, [value], |row| {
                    Ok(Use {
                        memory: rows::word(row, "memory_id")?,
                        conversation: rows::maybe_word(row, "conversation_id")?,
                        run: rows::maybe_word(row, "run_id")?,
                        message: rows::maybe_word(row, "message_id")?,
                        score: row.get("score")?,
                        at: rows::time(row, "at")?,
                    })
                })
            })
            .await
    }
}

pub(crate) fn get(tx: &Transaction<'_>, id: MemoryId) -> Result<Memory> {
    rows::first(tx, "SELECT * FROM advisor_memory WHERE id = ?1", [id.to_string()], memory)?
        .ok_or_else(|| StoreError::missing("memory", id))
}

fn list(tx: &Transaction<'_>, filter: &MemoryFilter, now: Timestamp) -> Result<Vec<Memory>> {
    let sql = "SELECT * FROM advisor_memory
        WHERE (?1 IS NULL OR project_id = ?1)
            AND (?2 OR (contradicted_by IS NULL AND merged_into IS NULL
                AND (expires_at IS NULL OR expires_at > ?3)))
            AND (?4 = '' OR instr(?4, ',' || category || ',') > 0)
        ORDER BY updated_at DESC, number DESC LIMIT ?5";
    let limit = rows::integer(filter.limit as u64);
    let values = rusqlite::params![filter.project, filter.all, now.0, words(&filter.categories), limit];
    rows::all(tx, sql, values, memory)
}

fn history(tx: &Transaction<'_>, id: MemoryId) -> Result<Vec<SourceEntry>> {
    let sql = "SELECT * FROM memory_sources WHERE memory_id = ?1 ORDER BY id";
    rows::all(tx, sql, [id.to_string()], |row| {
        Ok(SourceEntry {
            change: row.get("change")?,
            source: Source {
                conversation: rows::maybe_word(row, "conversation_id")?,
                run: rows::maybe_word(row, "run_id")?,
                note: row.get("note")?,
            },
            before: row.get("before")?,
            at: rows::time(row, "at")?,
        })
    })
}

/// Categories as SQL looks for them: `,decision,open,`; nothing for all.
fn words(categories: &[Category]) -> String {
    let words: Vec<_> = categories.iter().map(|category| category.as_str()).collect();
    if words.is_empty() { String::new() } else { format!(",{},", words.join(",")) }
}

fn memory(row: &Row<'_>) -> Result<Memory> {
    Ok(Memory {
        id: rows::word(row, "id")?,
        project_id: row.get("project_id")?,
        category: rows::word(row, "category")?,
        key: row.get("key")?,
        value: row.get("value")?,
        confidence: row.get("confidence")?,
        source_conversation: rows::maybe_word(row, "source_conversation_id")?,
        created_at: rows::time(row, "created_at")?,
        updated_at: rows::time(row, "updated_at")?,
        contradicted_by: rows::maybe_word(row, "contradicted_by")?,
        merged_into: rows::maybe_word(row, "merged_into")?,
        expires_at: rows::maybe_time(row, "expires_at")?,
        used_count: rows::count(row, "used_count")?,
        last_used_at: rows::maybe_time(row, "last_used_at")?,
    })
}
