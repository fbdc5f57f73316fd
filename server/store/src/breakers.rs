//! How circuit breakers are: `breakers`, one row for each that has heard of a failure. What a status holds is the gateway's
//! business; here it is JSON under a name. Losing one costs a few failing calls, nothing else.

use assist_base::Timestamp;
use rusqlite::params;
use serde_json::Value;

use crate::error::Result;
use crate::lane::Durability;
use crate::{Store, rows};

/// The breakers of a store.
#[derive(Debug, Clone, Copy)]
pub struct KeptBreakers<'s>(pub(crate) &'s Store);

impl KeptBreakers<'_> {
    /// Keeps how a breaker is, in place of what was kept of it.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn keep(&self, name: &str, status: Value, at: Timestamp) -> Result<()> {
        let (name, status) = (name.to_owned(), status.to_string());
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "INSERT INTO breakers (name, status, updated_at) VALUES (?1, ?2, ?3)
                    ON CONFLICT (name) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at";
                rows::run(tx, sql, params![name, status, at.0])?;
                Ok(())
            })
            .await
    }

    /// All that are kept, by name.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn list(&self) -> Result<Vec<Value>> {
        let sql = "SELECT status FROM breakers ORDER BY name";
        self.0.read(move |tx| rows::all(tx, sql, [], |row| rows::json(row, "status"))).await
    }
}
