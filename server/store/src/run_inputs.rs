//! Steering a run from another process: `run_inputs`. The run's owner takes each input once, in order.

use assist_base::{RunId, Timestamp};
use rusqlite::{Row, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{Store, rows};

/// The inputs to the runs of a store.
#[derive(Debug, Clone, Copy)]
pub struct RunInputs<'s>(pub(crate) &'s Store);

/// Something for a run that another process owns.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInput {
    /// Its number: a later one has a higher.
    pub id: i64,
    /// The run.
    pub run: RunId,
    /// `answer`, `confirm`, `decline`, `cancel`, `pause`, `steer`, or another.
    pub kind: String,
    /// What belongs to it.
    pub data: Value,
    /// Who sent it: the editor's or program's name.
    pub sender: String,
    /// When.
    pub at: Timestamp,
    /// When the owner took it.
    pub taken_at: Option<Timestamp>,
}

impl RunInputs<'_> {
    /// Sends something to a run, and returns its number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn send(
        &self,
        run: RunId,
        kind: &str,
        data: Value,
        sender: &str,
        at: Timestamp,
    ) -> Result<i64> {
        let (kind, sender) = (kind.to_owned(), sender.to_owned());
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "INSERT INTO run_inputs (run_id, kind, data, sender, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
                rows::run(tx, sql, params![run.to_string(), kind, data.to_string(), sender, at.0])
                    .map_err(|error| StoreError::or_missing(error, "run", run))?;
                Ok(tx.last_insert_rowid())
            })
            .await
    }

    /// Takes what was sent to a run and not taken yet, oldest first. Each is given once, also when several ask.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn take(&self, run: RunId, at: Timestamp) -> Result<Vec<RunInput>> {
        // Mostly there is nothing, and finding that out must not wait for the writer.
        let waiting = "SELECT 1 FROM run_inputs WHERE run_id = ?1 AND taken_at IS NULL LIMIT 1";
        let is_waiting =
            self.0.read(move |tx| Ok(tx.prepare_cached(waiting)?.exists([run.to_string()])?)).await?;
        if !is_waiting {
            return Ok(Vec::new());
        }
        self.0
            .write(Durability::Normal, move |tx| {
                let sql =
                    "UPDATE run_inputs SET taken_at = ?2 WHERE run_id = ?1 AND taken_at IS NULL RETURNING *";
                let mut taken = rows::all(tx, sql, params![run.to_string(), at.0], input)?;
                taken.sort_by_key(|input| input.id);
                Ok(taken)
            })
            .await
    }

    /// The runs to which something was sent that nobody has taken yet. Cheap where there is nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn waiting(&self) -> Result<Vec<RunId>> {
        let sql = "SELECT DISTINCT run_id FROM run_inputs WHERE taken_at IS NULL";
        self.0.read(move |tx| rows::all(tx, sql, [], |row| rows::word(row, "run_id"))).await
    }

    /// Everything that was sent to a run, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, run: RunId) -> Result<Vec<RunInput>> {
        let sql = "SELECT * FROM run_inputs WHERE run_id = ?1 ORDER BY id";
        self.0.read(move |tx| rows::all(tx, sql, [run.to_string()], input)).await
    }
}

fn input(row: &Row<'_>) -> Result<RunInput> {
    Ok(RunInput {
        id: row.get("id")?,
        run: rows::word(row, "run_id")?,
        kind: row.get("kind")?,
        data: rows::json(row, "data")?,
        sender: row.get("sender")?,
        at: rows::time(row, "created_at")?,
        taken_at: rows::maybe_time(row, "taken_at")?,
    })
}
