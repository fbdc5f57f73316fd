//! Where a run can go on from: `checkpoints`. On the disk, not only in its cache, when a call returns; or with what is next on it.

use assist_base::{RunId, Timestamp};
use rusqlite::{Row, Transaction, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{Store, rows};

/// The checkpoints of a store.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoints<'s>(pub(crate) &'s Store);

/// A checkpoint that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCheckpoint {
    /// The run.
    pub run: RunId,
    /// The stage that was completed.
    pub stage: String,
    /// What it is about, if anything.
    pub component: Option<String>,
    /// What the stage needs to go on.
    pub data: Value,
}

impl NewCheckpoint {
    /// Writes it and returns its number.
    pub(crate) fn insert(&self, tx: &Transaction<'_>, at: Timestamp) -> Result<i64> {
        let sql = "INSERT INTO checkpoints (run_id, stage, component, data, created_at)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let Self { run, stage, component, data } = self;
        rows::run(tx, sql, params![run.to_string(), stage, component, data.to_string(), at.0])
            .map_err(|error| StoreError::or_missing(error, "run", run))?;
        Ok(tx.last_insert_rowid())
    }
}

/// A point a run can go on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Its number; a later checkpoint has a higher one.
    pub id: i64,
    /// The run.
    pub run: RunId,
    /// The stage that was completed.
    pub stage: String,
    /// The component it was about, if any.
    pub component: Option<String>,
    /// What the stage needs to go on.
    pub data: Value,
    /// When.
    pub created_at: Timestamp,
}

impl Checkpoints<'_> {
    /// Writes a checkpoint and returns its number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn add(
        &self,
        run: RunId,
        stage: &str,
        component: Option<&str>,
        data: Value,
        at: Timestamp,
    ) -> Result<i64> {
        let (stage, component) = (stage.to_owned(), component.map(str::to_owned));
        let new = NewCheckpoint { run, stage, component, data };
        self.0.write(Durability::Full, move |tx| new.insert(tx, at)).await
    }

    /// As [`Checkpoints::add`], for a checkpoint upon which nothing is done outside of the store before something else is on the
    /// disk: money set aside, a snapshot, a run at rest. It is there with that: the log is written in order, and a sync takes all
    /// that is in it. Until then a loss of power may take it, as if the run had not come so far; the death of the process does not.
    ///
    /// # Errors
    /// As [`Checkpoints::add`].
    pub async fn add_ahead(
        &self,
        run: RunId,
        stage: &str,
        component: Option<&str>,
        data: Value,
        at: Timestamp,
    ) -> Result<i64> {
        let (stage, component) = (stage.to_owned(), component.map(str::to_owned));
        let new = NewCheckpoint { run, stage, component, data };
        self.0.write(Durability::Normal, move |tx| new.insert(tx, at)).await
    }

    /// The last checkpoint of a run.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn latest(&self, run: RunId) -> Result<Option<Checkpoint>> {
        self.0
            .read(move |tx| {
                let sql = "SELECT * FROM checkpoints WHERE run_id = ?1 ORDER BY id DESC LIMIT 1";
                rows::first(tx, sql, [run.to_string()], checkpoint)
            })
            .await
    }

    /// The last checkpoint of this stage of a run that is about `component`.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn latest_of(&self, run: RunId, stage: &str, component: &str) -> Result<Option<Checkpoint>> {
        let (stage, component) = (stage.to_owned(), component.to_owned());
        self.0
            .read(move |tx| {
                let sql = "SELECT * FROM checkpoints WHERE run_id = ?1 AND stage = ?2 AND component = ?3
                    ORDER BY id DESC LIMIT 1";
                rows::first(tx, sql, (run.to_string(), stage, component), checkpoint)
            })
            .await
    }

    /// The checkpoints of a run, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, run: RunId) -> Result<Vec<Checkpoint>> {
        self.0
            .read(move |tx| {
                let sql = "SELECT * FROM checkpoints WHERE run_id = ?1 ORDER BY id";
                rows::all(tx, sql, [run.to_string()], checkpoint)
            })
            .await
    }
}

fn checkpoint(row: &Row<'_>) -> Result<Checkpoint> {
    Ok(Checkpoint {
        id: row.get("id")?,
        run: rows::word(row, "run_id")?,
        stage: row.get("stage")?,
        component: row.get("component")?,
        data: rows::json(row, "data")?,
        created_at: rows::time(row, "created_at")?,
    })
}
