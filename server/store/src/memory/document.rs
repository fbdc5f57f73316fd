//! Memory as a file: exported and read back, as JSON or Markdown.

use assist_base::Timestamp;
use rusqlite::{Transaction, params};
use serde_json::{Map, Value, json};

use super::change::{insert, note, remember};
use super::{
    Category, Memories, Memory, MemoryFilter, NewMemory, Source, get, history, list, markdown, rules,
};
use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{MemoryId, rows};

/// The version of the JSON form.
const VERSION: i64 = 1;

/// A file with more memories is not one that a person wrote or Assist exported.
const MAX_IMPORTED: usize = 100_000;

/// What came of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Memories that were new.
    pub new: usize,
    /// Memories that were known by their words, and are confirmed.
    pub confirmed: usize,
    /// Memories that are there under the same id, and were left as they are.
    pub kept: usize,
}

/// A memory as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) id: Option<MemoryId>,
    pub(super) project: Option<String>,
    pub(super) category: Category,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) confidence: Option<f64>,
    pub(super) created: Option<String>,
    pub(super) updated: Option<String>,
    pub(super) expires: Option<String>,
    pub(super) contradicted_by: Option<MemoryId>,
    pub(super) conversation: Option<String>,
}

impl Memories<'_> {
    /// All memories as JSON: `{"version": 1, "memories": [...]}`. Each has the columns of `advisor_memory`, with times in
    /// ISO 8601, and its history as `sources`. Duplicates that were merged are left out.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn export_json(&self, filter: MemoryFilter, now: Timestamp) -> Result<Value> {
        self.0
            .read(move |tx| {
                let mut memories = Vec::new();
                for memory in exported(tx, &filter, now)? {
                    memories.push(as_json(tx, &memory)?);
                }
                Ok(json!({ "version": VERSION, "memories": memories }))
            })
            .await
    }

    /// All memories as a Markdown page, by category: to be read, edited by hand, and imported again.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn export_markdown(&self, filter: MemoryFilter, now: Timestamp) -> Result<String> {
        self.0
            .read(move |tx| {
                let mut entries = Vec::new();
                for memory in exported(tx, &filter, now)? {
                    entries.push(Entry {
                        id: Some(memory.id),
                        project: Some(memory.project_id),
                        category: memory.category,
                        key: memory.key,
                        value: memory.value,
                        confidence: Some(memory.confidence),
                        created: rows::iso(tx, Some(memory.created_at))?,
                        updated: rows::iso(tx, Some(memory.updated_at))?,
                        expires: rows::iso(tx, memory.expires_at)?,
                        contradicted_by: memory.contradicted_by,
                        conversation: memory.source_conversation.map(|id| id.to_string()),
                    });
                }
                Ok(markdown::write(&entries))
            })
            .await
    }

    /// Reads back what [`Memories::export_json`] wrote, all or nothing. A memory whose id is known is left as it is; one
    /// whose words are known is confirmed. Conversations that this store does not have are not linked.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it is not such a document, with the entry that is wrong.
    pub async fn import_json(&self, document: Value, project: &str, at: Timestamp) -> Result<Imported> {
        let entries = from_json(&document)?;
        self.import(entries, project, at).await
    }

    /// Reads memories from Markdown, all or nothing: what [`Memories::export_markdown`] wrote, or a page written by hand
    /// with a heading for each category and below it `- label: content` lines. Otherwise as [`Memories::import_json`].
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a line cannot be understood, with its number.
    pub async fn import_markdown(&self, page: &str, project: &str, at: Timestamp) -> Result<Imported> {
        let entries = markdown::read(page)?;
        self.import(entries, project, at).await
    }

    async fn import(&self, entries: Vec<Entry>, project: &str, at: Timestamp) -> Result<Imported> {
        if entries.len() > MAX_IMPORTED {
            return Err(StoreError::invalid(format!("{} memories are too many to import", entries.len())));
        }
        let project = project.to_owned();
        self.0.write(Durability::Normal, move |tx| import(tx, entries, &project, at)).await
    }
}

/// Oldest first, so that what contradicts comes after what it contradicts when it is read back.
fn exported(tx: &Transaction<'_>, filter: &MemoryFilter, now: Timestamp) -> Result<Vec<Memory>> {
    let mut memories = list(tx, filter, now)?;
    memories.retain(|memory| memory.merged_into.is_none());
    memories.sort_by_key(|memory| (memory.category, memory.created_at, memory.id));
    Ok(memories)
}

fn as_json(tx: &Transaction<'_>, memory: &Memory) -> Result<Value> {
    let mut sources = Vec::new();
    for entry in history(tx, memory.id)? {
        sources.push(json!({
            "change": entry.change,
            "conversation_id": entry.source.conversation,
            "run_id": entry.source.run,
            "note": entry.source.note,
            "before": entry.before,
            "at": rows::iso(tx, Some(entry.at))?,
        }));
    }
    Ok(json!({
        "id": memory.id.to_string(),
        "project_id": memory.project_id,
        "category": memory.category.as_str(),
        "key": memory.key,
        "value": memory.value,
        "confidence": memory.confidence,
        "source_conversation_id": memory.source_conversation,
        "created_at": rows::iso(tx, Some(memory.created_at))?,
        "updated_at": rows::iso(tx, Some(memory.updated_at))?,
        "contradicted_by": memory.contradicted_by.map(|id| id.to_string()),
        "expires_at": rows::iso(tx, memory.expires_at)?,
        "used_count": memory.used_count,
        "last_used_at": rows::iso(tx, memory.last_used_at)?,
        "sources": sources,
    }))
}

fn from_json(document: &Value) -> Result<Vec<Entry>> {
    if document.get("version").and_then(Value::as_i64) != Some(VERSION) {
        return Err(StoreError::invalid(
            "this is not an export of Assist's memory, or one of a newer version",
        ));
    }
    let memories = document.get("memories").and_then(Value::as_array);
    let memories = memories.ok_or_else(|| StoreError::invalid("the export has no `memories`"))?;
    let entry = |(index, value): (usize, &Value)| {
        entry(value)
            .map_err(|what| StoreError::invalid(format!("memory {} of the export: {what}", index + 1)))
    };
    memories.iter().enumerate().map(entry).collect()
}

fn entry(value: &Value) -> Result<Entry, String> {
    let object: &Map<String, Value> = value.as_object().ok_or("it is not an object")?;
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = |name: &str| {
        text(name).map(|id| id.parse::<MemoryId>().map_err(|error| error.to_string())).transpose()
    };
    Ok(Entry {
        id: id("id")?,
        project: text("project_id"),
        category: text("category").ok_or("it has no category")?.parse()?,
        key: text("key").ok_or("it has no key")?,
        value: text("value").ok_or("it has no value")?,
        confidence: object.get("confidence").and_then(Value::as_f64),
        created: text("created_at"),
        updated: text("updated_at"),
        expires: text("expires_at"),
        contradicted_by: id("contradicted_by")?,
        conversation: text("source_conversation_id"),
    })
}

fn import(tx: &Transaction<'_>, entries: Vec<Entry>, project: &str, at: Timestamp) -> Result<Imported> {
    let mut imported = Imported::default();
    let mut contradicted = Vec::new();
    for entry in entries {
        let known = |id: MemoryId| match get(tx, id) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        };
        if entry.id.map(known).transpose()?.unwrap_or(false) {
            imported.kept += 1;
            continue;
        }
        let moment = |text: &Option<String>| text.as_deref().map(|text| rows::moment(tx, text)).transpose();
        let (created, updated) =
            (moment(&entry.created)?.unwrap_or(at), moment(&entry.updated)?.unwrap_or(at));
        let conversation = entry.conversation.and_then(|id| id.parse::<assist_base::ConversationId>().ok());
        let kept = "SELECT 1 FROM advisor_conversations WHERE id = ?1";
        let conversation = match conversation {
            Some(id) if tx.prepare_cached(kept)?.exists([id.to_string()])? => Some(id),
            _ => None,
        };
        let new = rules::checked(NewMemory {
            project_id: entry.project.unwrap_or_else(|| project.to_owned()),
            category: entry.category,
            key: entry.key,
            value: entry.value,
            confidence: entry.confidence.unwrap_or(1.0),
            source: Source { conversation, ..Source::default() },
            expires_at: moment(&entry.expires)?,
        })?;
        match entry.id {
            // From an export: as it was there, also where its words are doubled.
            Some(id) => {
                insert(tx, id, &new, created, updated)?;
                note(tx, id, "imported", &new.source, None, at)?;
                contradicted.extend(entry.contradicted_by.map(|by| (id, by)));
                imported.new += 1;
            }
            None => match remember(tx, new, "imported", at)? {
                super::Remembered::New(_) => imported.new += 1,
                super::Remembered::Known(_) => imported.confirmed += 1,
            },
        }
    }
    for (id, by) in contradicted {
        let sql = "UPDATE advisor_memory SET contradicted_by = ?2
            WHERE id = ?1 AND EXISTS (SELECT 1 FROM advisor_memory WHERE id = ?2)";
        rows::run(tx, sql, params![id.to_string(), by.to_string()])?;
    }
    Ok(imported)
}
