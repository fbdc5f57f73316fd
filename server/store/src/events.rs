//! What runs told the world: `events`. A row is there before anyone sees the event, numbered without gaps.

use assist_base::event::EVENT_VERSION;
use assist_base::{Event, EventKind, RunId, Timestamp};
use rusqlite::{Transaction, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{Store, rows};

/// The events of a store.
#[derive(Debug, Clone, Copy)]
pub struct Events<'s>(pub(crate) &'s Store);

/// An event that has no number yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What kind it is.
    pub kind: EventKind,
    /// What the kind's documentation says.
    pub data: Value,
    /// When it happened.
    pub at: Timestamp,
}

impl Events<'_> {
    /// Writes one event and returns it with its number, which is one more than the run's last.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn append(&self, run: RunId, kind: EventKind, data: Value, at: Timestamp) -> Result<Event> {
        self.0.write(Durability::Normal, move |tx| append(tx, run, NewEvent { kind, data, at })).await
    }

    /// Writes several events in one transaction: all or none, numbered in order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn append_all(&self, run: RunId, events: Vec<NewEvent>) -> Result<Vec<Event>> {
        self.0
            .write(Durability::Normal, move |tx| {
                events.into_iter().map(|event| append(tx, run, event)).collect()
            })
            .await
    }

    /// The events of a run from number `from_seq` on (1 is the first), in order. Kinds that only a later version of
    /// Assist knows are left out.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, run: RunId, from_seq: u64) -> Result<Vec<Event>> {
        self.0.read(move |tx| list(tx, run, from_seq)).await
    }
}

fn append(tx: &Transaction<'_>, run: RunId, event: NewEvent) -> Result<Event> {
    let NewEvent { kind, data, at } = event;
    let id = run.to_string();
    // The write lock is held: nobody else can take the same number.
    let sql = "SELECT coalesce(max(seq), 0) + 1 AS next FROM events WHERE run_id = ?1";
    let seq = rows::first(tx, sql, [&id], |row| rows::count(row, "next"))?.unwrap_or(1);
    let sql = "INSERT INTO events (run_id, seq, v, ts, type, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![id, rows::integer(seq), EVENT_VERSION, at.0, kind.as_str(), data.to_string()];
    rows::run(tx, sql, values).map_err(|error| StoreError::or_missing(error, "run", run))?;
    Ok(Event { v: EVENT_VERSION, run, seq, ts: at, kind, data })
}

pub(crate) fn list(tx: &Transaction<'_>, run: RunId, from_seq: u64) -> Result<Vec<Event>> {
    let sql = "SELECT v, seq, ts, type, data FROM events WHERE run_id = ?1 AND seq >= ?2 ORDER BY seq";
    let events = rows::all(tx, sql, params![run.to_string(), rows::integer(from_seq)], |row| {
        let kind: String = row.get("type")?;
        let Ok(kind) = kind.parse() else { return Ok(None) };
        Ok(Some(Event {
            v: row.get("v")?,
            run,
            seq: rows::count(row, "seq")?,
            ts: rows::time(row, "ts")?,
            kind,
            data: rows::json(row, "data")?,
        }))
    })?;
    Ok(events.into_iter().flatten().collect())
}
