//! Answers of models, to be given again for the same question: `response_cache`. Bounded by age, number and size; losing
//! one costs a call, nothing else.

use std::time::Duration;

use assist_base::Timestamp;
use rusqlite::{Transaction, params};
use serde_json::Value;

use crate::error::Result;
use crate::lane::Durability;
use crate::{Store, rows};

/// The cached answers of a store.
#[derive(Debug, Clone, Copy)]
pub struct ResponseCache<'s>(pub(crate) &'s Store);

/// What the cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Older answers are not given, and go.
    pub max_age: Duration,
    /// All answers together, in bytes; those not asked for longest go first.
    pub max_bytes: u64,
    /// A larger answer is not kept.
    pub max_entry_bytes: u64,
}

impl Default for CacheLimits {
    /// A week, 64 MB, 1 MB an answer.
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(7 * 24 * 60 * 60),
            max_bytes: 64 * 1024 * 1024,
            max_entry_bytes: 1024 * 1024,
        }
    }
}

/// What is in the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Answers.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How often one was given again.
    pub hits: u64,
}

impl ResponseCache<'_> {
    /// The answer kept under a key, if it is not too old. `key` is a hash of everything the answer depends on: model,
    /// messages, settings.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn get(&self, key: &str, limits: CacheLimits, now: Timestamp) -> Result<Option<Value>> {
        let key = key.to_owned();
        let asked = key.clone();
        let found = self
            .0
            .read(move |tx| {
                let sql = "SELECT value, created_at FROM response_cache WHERE key = ?1";
                rows::first(tx, sql, [asked], |row| {
                    Ok((rows::json(row, "value")?, rows::time(row, "created_at")?))
                })
            })
            .await?;
        let Some((value, created)) = found else { return Ok(None) };
        if now.since(created) >= limits.max_age {
            return Ok(None);
        }
        let sql =
            "UPDATE response_cache SET hits = hits + 1, last_used_at = max(last_used_at, ?2) WHERE key = ?1";
        let noted =
            self.0.write(Durability::Normal, move |tx| Ok(rows::run(tx, sql, params![key, now.0])?)).await;
        // Only counted; a store that cannot be written to gives answers all the same.
        if let Err(error) = noted {
            tracing::debug!(%error, "a use of the cache was not counted");
        }
        Ok(Some(value))
    }

    /// Keeps an answer, and lets others go where there are too many. False when it is too large to be kept.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn put(
        &self,
        key: &str,
        model: &str,
        value: Value,
        limits: CacheLimits,
        now: Timestamp,
    ) -> Result<bool> {
        let (key, model, value) = (key.to_owned(), model.to_owned(), value.to_string());
        if value.len() as u64 > limits.max_entry_bytes.min(limits.max_bytes) {
            return Ok(false);
        }
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "INSERT OR REPLACE INTO response_cache (key, model, value, bytes, created_at, last_used_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
                let bytes = rows::integer(value.len() as u64);
                rows::run(tx, sql, params![key, model, value, bytes, now.0])?;
                prune(tx, limits, now)?;
                Ok(true)
            })
            .await
    }

    /// Lets go what is too old or too much, and returns how many answers that were.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn prune(&self, limits: CacheLimits, now: Timestamp) -> Result<usize> {
        self.0.write(Durability::Normal, move |tx| prune(tx, limits, now)).await
    }

    /// Lets one answer go. False when there was none.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn forget(&self, key: &str) -> Result<bool> {
        let key = key.to_owned();
        let sql = "DELETE FROM response_cache WHERE key = ?1";
        self.0.write(Durability::Normal, move |tx| Ok(rows::run(tx, sql, [key])? > 0)).await
    }

    /// Lets all answers go.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn clear(&self) -> Result<usize> {
        self.0.write(Durability::Normal, |tx| Ok(rows::run(tx, "DELETE FROM response_cache", [])?)).await
    }

    /// What is in it.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn usage(&self) -> Result<CacheUse> {
        let sql = "SELECT count(*) AS entries, CAST(total(bytes) AS INTEGER) AS bytes,
                CAST(total(hits) AS INTEGER) AS hits FROM response_cache";
        let found = self
            .0
            .read(move |tx| {
                rows::first(tx, sql, [], |row| {
                    Ok(CacheUse {
                        entries: rows::count(row, "entries")?,
                        bytes: rows::count(row, "bytes")?,
                        hits: rows::count(row, "hits")?,
                    })
                })
            })
            .await?;
        Ok(found.unwrap_or_default())
    }
}

pub(crate) fn prune(tx: &Transaction<'_>, limits: CacheLimits, now: Timestamp) -> Result<usize> {
    let oldest = now.0.saturating_sub(i64::try_from(limits.max_age.as_millis()).unwrap_or(i64::MAX));
    let mut gone = rows::run(tx, "DELETE FROM response_cache WHERE created_at <= ?1", [oldest])?;
    let total = "SELECT CAST(total(bytes) AS INTEGER) AS bytes FROM response_cache";
    if rows::first(tx, total, [], |row| rows::count(row, "bytes"))?.unwrap_or(0) > limits.max_bytes {
        // The last used stay, as far as they fit.
        let sql = "DELETE FROM response_cache WHERE key IN (
            SELECT key FROM (SELECT key, sum(bytes) OVER (ORDER BY last_used_at DESC, key) AS kept FROM response_cache)
            WHERE kept > ?1)";
        gone += rows::run(tx, sql, [rows::integer(limits.max_bytes)])?;
    }
    Ok(gone)
}
