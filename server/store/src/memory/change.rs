//! Writing memory: remember, update, contradict, forget, expire, merge, and what was used.

use assist_base::{MessageId, Timestamp};
use rusqlite::{Transaction, params};

use super::{Memories, Memory, MemoryChange, NewMemory, Remembered, Source, get, memory, rules};
use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::search::{Index, Query, Terms};
use crate::{MemoryId, rows};

/// Two memories that say nearly the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicate {
    /// The one that was there first.
    pub first: Memory,
    /// The other.
    pub second: Memory,
    /// The part of their words that they share, up to 1.
    pub likeness: f64,
}

impl Memories<'_> {
    /// Remembers something. What is known already, in the same words but for case and punctuation, is confirmed instead:
    /// its confidence grows, and the source is kept beside the first.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when label or content is empty or too long, or the confidence is not between 0 and 1;
    /// [`StoreError::NotFound`] when the source's conversation does not exist.
    pub async fn remember(&self, new: NewMemory, at: Timestamp) -> Result<Remembered> {
        self.0.write(Durability::Normal, move |tx| remember(tx, rules::checked(new)?, "said", at)).await
    }

    /// Changes a memory. What it said before stays in its history.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] as for [`Memories::remember`], [`StoreError::NotFound`] when there is no such memory.
    pub async fn update(
        &self,
        id: MemoryId,
        change: MemoryChange,
        source: Source,
        at: Timestamp,
    ) -> Result<Memory> {
        self.0
            .write(Durability::Normal, move |tx| {
                let before = get(tx, id)?;
                let key = change.key.as_deref().map_or(Ok(before.key), rules::key)?;
                let value = match &change.value {
                    Some(value) => rules::value(value)?,
                    None => before.value.clone(),
                };
                let confidence = change.confidence.map_or(Ok(before.confidence), rules::confidence)?;
                let changed = (value != before.value).then_some(before.value.as_str());
                note(tx, id, "updated", &source, changed, at)?;
                let category = change.category.unwrap_or(before.category);
                let expires = change.expires_at.unwrap_or(before.expires_at);
                let sql = "UPDATE advisor_memory
                    SET category = ?2, key = ?3, value = ?4, confidence = ?5, expires_at = ?6, updated_at = ?7
                    WHERE id = ?1";
                let expires = expires.map(|at| at.0);
                rows::run(
                    tx,
                    sql,
                    params![id.to_string(), category.as_str(), key, value, confidence, expires, at.0],
                )?;
                get(tx, id)
            })
            .await
    }

    /// Remembers something that contradicts an older memory, and returns the new one. The older stays, with half its
    /// confidence and a mark that says by what it is contradicted; recall leaves it out.
    ///
    /// # Errors
    /// As [`Memories::remember`], and [`StoreError::NotFound`] when there is no such older memory.
    pub async fn contradict(&self, older: MemoryId, new: NewMemory, at: Timestamp) -> Result<Memory> {
        self.0
            .write(Durability::Normal, move |tx| {
                let new = rules::checked(new)?;
                let before = get(tx, older)?;
                let source = new.source.clone();
                let newer = remember(tx, new, "said", at)?.memory().clone();
                if newer.id == older {
                    return Err(StoreError::invalid("a memory cannot contradict itself: it says the same"));
                }
                note(tx, older, "contradicted", &source, None, at)?;
                let sql = "UPDATE advisor_memory SET confidence = ?2, contradicted_by = ?3, updated_at = ?4
                    WHERE id = ?1";
                let confidence = rules::contradicted(before.confidence);
                rows::run(tx, sql, params![older.to_string(), confidence, newer.id.to_string(), at.0])?;
                // What once contradicted the newer one has lost: the user came back to it.
                let sql = "UPDATE advisor_memory SET contradicted_by = NULL WHERE id = ?1";
                rows::run(tx, sql, [newer.id.to_string()])?;
                get(tx, newer.id)
            })
            .await
    }

    /// Forgets a memory, its history, and the duplicates merged into it. False when there was none.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn forget(&self, id: MemoryId) -> Result<bool> {
        self.0
            .write(Durability::Normal, move |tx| {
                Ok(rows::run(tx, "DELETE FROM advisor_memory WHERE id = ?1", [id.to_string()])? > 0)
            })
            .await
    }

    /// Forgets what had ceased to be true before `before`, and returns how many memories that were. Until it is called,
    /// they are only left out of recall and lists.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn expire(&self, before: Timestamp) -> Result<usize> {
        self.0
            .write(Durability::Normal, move |tx| {
                Ok(rows::run(tx, "DELETE FROM advisor_memory WHERE expires_at <= ?1", [before.0])?)
            })
            .await
    }

    /// Merges duplicates into one memory: it keeps its words, takes the highest confidence, the earliest beginning and
    /// the sum of the uses, and has all sources. The others stay behind it, out of recall and lists.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one of them does not exist. Nothing is merged then.
    pub async fn merge(&self, into: MemoryId, others: Vec<MemoryId>, at: Timestamp) -> Result<Memory> {
        self.0
            .write(Durability::Normal, move |tx| {
                let kept = get(tx, into)?;
                if kept.merged_into.is_some() {
                    return Err(StoreError::invalid("a memory that was merged into another cannot take in others"));
                }
                for other in others.into_iter().filter(|other| *other != into) {
                    let merged = get(tx, other)?;
                    let source = Source { conversation: merged.source_conversation, ..Source::default() };
                    note(tx, into, "merged", &source, Some(&merged.value), at)?;
                    let (into, other) = (into.to_string(), other.to_string());
                    for sql in [
                        "UPDATE memory_sources SET memory_id = ?1 WHERE memory_id = ?2",
                        "UPDATE memory_uses SET memory_id = ?1 WHERE memory_id = ?2",
                        "UPDATE advisor_memory SET merged_into = ?1 WHERE id = ?2 OR merged_into = ?2",
                        "UPDATE advisor_memory SET contradicted_by = ?1 WHERE contradicted_by = ?2 AND id <> ?1",
                        "UPDATE advisor_memory AS kept SET
                            confidence = max(kept.confidence, gone.confidence),
                            created_at = min(kept.created_at, gone.created_at),
                            used_count = kept.used_count + gone.used_count,
                            last_used_at = nullif(max(coalesce(kept.last_used_at, 0), coalesce(gone.last_used_at, 0)), 0),
                            source_conversation_id =
                                coalesce(kept.source_conversation_id, gone.source_conversation_id)
                            FROM advisor_memory AS gone WHERE kept.id = ?1 AND gone.id = ?2",
                    ] {
                        rows::run(tx, sql, [&into, &other])?;
                    }
                }
                rows::run(tx, "UPDATE advisor_memory SET updated_at = ?2 WHERE id = ?1", params![into.to_string(), at.0])?;
                get(tx, into)
            })
            .await
    }

    /// Memories of one category and project that say nearly the same, the most alike first. To be merged by whoever can
    /// tell whether they mean the same.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn duplicates(&self, limit: usize) -> Result<Vec<Duplicate>> {
        self.0.read(move |tx| duplicates(tx, limit)).await
    }

    /// Records that memories were used in an answer.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when a memory or the conversation does not exist. Nothing is recorded then.
    pub async fn record_uses(
        &self,
        used: Vec<(MemoryId, Option<f64>)>,
        answer: Source,
        message: Option<MessageId>,
        at: Timestamp,
    ) -> Result<()> {
        self.0
            .write(Durability::Normal, move |tx| {
                let conversation = answer.conversation.map(|id| id.to_string());
                let run = answer.run.map(|id| id.to_string());
                let message = message.map(|id| id.to_string());
                for (id, score) in &used {
                    let sql = "INSERT INTO memory_uses (memory_id, conversation_id, run_id, message_id, score, at)
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                    let score = score.filter(|score| score.is_finite());
                    rows::run(tx, sql, params![id.to_string(), conversation, run, message, score, at.0])
                        .map_err(|error| StoreError::or_missing(error, "memory or conversation of", id))?;
                    let sql = "UPDATE advisor_memory SET used_count = used_count + 1, last_used_at = ?2 WHERE id = ?1";
                    rows::run(tx, sql, params![id.to_string(), at.0])?;
                }
                Ok(())
            })
            .await
    }
}

pub(super) fn remember(
    tx: &Transaction<'_>,
    new: NewMemory,
    change: &str,
    at: Timestamp,
) -> Result<Remembered> {
    if let Some(known) = known(tx, &new)? {
        note(tx, known.id, "confirmed", &new.source, None, at)?;
        let sql = "UPDATE advisor_memory SET confidence = ?2, expires_at = coalesce(?3, expires_at),
                updated_at = max(updated_at, ?4) WHERE id = ?1";
        let confidence = rules::confirmed(known.confidence, new.confidence);
        let expires = new.expires_at.map(|at| at.0);
        rows::run(tx, sql, params![known.id.to_string(), confidence, expires, at.0])?;
        return Ok(Remembered::Known(get(tx, known.id)?));
    }
    let id = MemoryId::new();
    insert(tx, id, &new, at, at)?;
    note(tx, id, change, &new.source, None, at)?;
    Ok(Remembered::New(get(tx, id)?))
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    id: MemoryId,
    new: &NewMemory,
    created: Timestamp,
    updated: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO advisor_memory (id, project_id, category, key, value, confidence, source_conversation_id,
            expires_at, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let conversation = new.source.conversation.map(|id| id.to_string());
    let expires = new.expires_at.map(|at| at.0);
    let values = params![
        id.to_string(),
        new.project_id,
        new.category.as_str(),
        new.key,
        new.value,
        new.confidence,
        conversation,
        expires,
        created.0,
        updated.0,
    ];
    rows::run(tx, sql, values)
        .map_err(|error| StoreError::or_missing(error, "conversation", conversation.unwrap_or_default()))?;
    Ok(())
}

/// Adds to a memory's history.
pub(super) fn note(
    tx: &Transaction<'_>,
    id: MemoryId,
    change: &str,
    source: &Source,
    before: Option<&str>,
    at: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO memory_sources (memory_id, change, conversation_id, run_id, note, before, at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let conversation = source.conversation.map(|id| id.to_string());
    let run = source.run.map(|id| id.to_string());
    let values = params![id.to_string(), change, conversation, run, source.note, before, at.0];
    rows::run(tx, sql, values)
        .map_err(|error| StoreError::or_missing(error, "conversation", conversation.unwrap_or_default()))?;
    Ok(())
}

/// The memory that says the same already.
fn known(tx: &Transaction<'_>, new: &NewMemory) -> Result<Option<Memory>> {
    let (key, value) = (rules::normal(&new.key), rules::normal(&new.value));
    let same = |memory: &Memory| {
        memory.project_id == new.project_id
            && memory.category == new.category
            && rules::normal(&memory.key) == key
            && rules::normal(&memory.value) == value
    };
    // The same label, however it is written, has the same words; so the index finds it among few.
    let sql = "SELECT * FROM advisor_memory WHERE project_id = ?1 AND category = ?2 AND key = ?3 AND merged_into IS NULL";
    let exact = rows::all(tx, sql, params![new.project_id, new.category.as_str(), new.key], memory)?;
    if let Some(found) = exact.into_iter().find(same) {
        return Ok(Some(found));
    }
    for number in similar(tx, &format!("{} {}", new.key, new.value), 8)? {
        let sql = "SELECT * FROM advisor_memory WHERE number = ?1 AND merged_into IS NULL";
        if let Some(found) = rows::first(tx, sql, [number], memory)?.filter(|found| same(found)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The numbers of the memories with the most of a text's words, the best first.
fn similar(tx: &Transaction<'_>, text: &str, limit: usize) -> Result<Vec<i64>> {
    let query = Query::new(text);
    if query.is_empty() {
        return Ok(Vec::new());
    }
    let index = Index { name: "memory_words", score: "rank" };
    let scores = Terms::look_up(tx, index, &query)?.score(tx, index, &[], limit)?;
    let mut best: Vec<(i64, f64)> = scores.into_iter().collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    Ok(best.into_iter().map(|(number, _)| number).collect())
}

fn duplicates(tx: &Transaction<'_>, limit: usize) -> Result<Vec<Duplicate>> {
    // The newest are looked at: older ones were, when they were new.
    let sql = "SELECT * FROM advisor_memory WHERE merged_into IS NULL AND contradicted_by IS NULL
        ORDER BY number DESC LIMIT 500";
    let mut found = Vec::new();
    for second in rows::all(tx, sql, [], |row| Ok((row.get::<_, i64>("number")?, memory(row)?)))? {
        let (number, second) = second;
        for other in similar(tx, &format!("{} {}", second.key, second.value), 6)? {
            // Each pair once: from the newer to the older.
            if other >= number {
                continue;
            }
            let sql = "SELECT * FROM advisor_memory WHERE number = ?1 AND contradicted_by IS NULL AND merged_into IS NULL";
            let Some(first) = rows::first(tx, sql, [other], memory)? else { continue };
            let likeness = rules::likeness(
                &format!("{} {}", first.key, first.value),
                &format!("{} {}", second.key, second.value),
            );
            let alike = first.category == second.category && first.project_id == second.project_id;
            if alike && likeness >= rules::ALIKE {
                found.push(Duplicate { first, second: second.clone(), likeness });
            }
        }
    }
    found.sort_by(|a, b| b.likeness.total_cmp(&a.likeness));
    found.truncate(limit);
    Ok(found)
}
