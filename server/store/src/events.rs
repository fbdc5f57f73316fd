//! What runs told the world: `events`. A row is there before anyone sees the event, numbered without gaps.

use std::fmt::Write as _;

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
        let event = NewEvent { kind, data, at };
        let mut written = self.append_all(run, vec![event]).await?;
        written.pop().ok_or_else(|| StoreError::Sql { message: "an event was not written".to_owned() })
    }

    /// Writes several events in one transaction: all or none, numbered in order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn append_all(&self, run: RunId, events: Vec<NewEvent>) -> Result<Vec<Event>> {
        let rows = Rows::of(&events);
        let first = self.0.write(Durability::Normal, move |tx| rows.append(tx, run)).await?;
        let event =
            |(seq, NewEvent { kind, data, at })| Event { v: EVENT_VERSION, run, seq, ts: at, kind, data };
        Ok((first..).zip(events).map(event).collect())
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

/// What is written of several events. Their texts are made by the caller, who keeps the values: handing over many small pieces
/// of memory between threads and back would cost more than writing the rows.
struct Rows {
    /// The texts of `data`, one after the other.
    text: String,
    /// For each event what it is, when it happened, and where its text ends.
    heads: Vec<(&'static str, i64, usize)>,
}

impl Rows {
    fn of(events: &[NewEvent]) -> Self {
        let (mut text, mut heads) = (String::new(), Vec::with_capacity(events.len()));
        for event in events {
            // Writing to a string does not fail.
            let _ = write!(text, "{}", event.data);
            heads.push((event.kind.as_str(), event.at.0, text.len()));
        }
        Self { text, heads }
    }

    /// Writes the rows; returns the number of the first.
    fn append(&self, tx: &Transaction<'_>, run: RunId) -> Result<u64> {
        let id = run.to_string();
        // The write lock is held: nobody else can take the same numbers.
        let sql = "SELECT coalesce(max(seq), 0) + 1 AS next FROM events WHERE run_id = ?1";
        let first = rows::first(tx, sql, [&id], |row| rows::count(row, "next"))?.unwrap_or(1);
        let sql = "INSERT INTO events (run_id, seq, v, ts, type, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut insert = tx.prepare_cached(sql)?;
        let mut rest = self.text.as_str();
        let mut begin = 0;
        for (seq, (kind, at, end)) in (first..).zip(&self.heads) {
            let (data, after) = rest.split_at(end - begin);
            (rest, begin) = (after, *end);
            insert
                .execute(params![id, rows::integer(seq), EVENT_VERSION, at, kind, data])
                .map_err(|error| StoreError::or_missing(error, "run", run))?;
        }
        Ok(first)
    }
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
