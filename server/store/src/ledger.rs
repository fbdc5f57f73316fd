//! What model calls cost: `ledger`. A call is reserved before it is made and settled after it, so that a crash leaves a
//! reservation, not a hole.

use assist_base::{RunId, Timestamp};
use rusqlite::types::Value as Sql;
use rusqlite::{Row, Transaction, params};

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{Store, rows};

/// The ledger of a store.
#[derive(Debug, Clone, Copy)]
pub struct Ledger<'s>(pub(crate) &'s Store);

/// A call about to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The run it is for. It need not be in the store.
    pub run: RunId,
    /// Which part of Assist makes it.
    pub agent: String,
    /// `provider/model`.
    pub model: String,
    /// `A`, `B` or `C`.
    pub tier: String,
    /// The most tokens, in and out, that it may use.
    pub tokens: u64,
    /// What that costs in US dollars; none where the price is not known.
    pub cost_usd: Option<f64>,
}

/// A line of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LedgerId(pub i64);

/// What a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Settlement {
    /// Tokens sent, without those read from the provider's cache.
    pub input: u64,
    /// Tokens received.
    pub output: u64,
    /// Tokens read from the provider's cache.
    pub cache_read: u64,
    /// Tokens written to the provider's cache.
    pub cache_write: u64,
    /// US dollars; none where the price is not known.
    pub cost_usd: Option<f64>,
    /// Whether the figures are reckoned, because the provider gave none (a cancelled call).
    pub estimated: bool,
}

/// Sums over calls.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Calls, settled or not.
    pub calls: u64,
    /// Calls that are reserved and not settled.
    pub open: u64,
    /// Tokens sent.
    pub input: u64,
    /// Tokens received.
    pub output: u64,
    /// Tokens read from caches.
    pub cache_read: u64,
    /// Tokens written to caches.
    pub cache_write: u64,
    /// US dollars of the settled calls whose price is known.
    pub cost_usd: f64,
    /// Tokens that open reservations may still use.
    pub reserved_tokens: u64,
    /// US dollars that open reservations may still cost, as far as prices are known.
    pub reserved_usd: f64,
    /// Settled calls whose price is not known.
    pub unpriced: u64,
    /// Settled calls whose figures are reckoned.
    pub estimated: u64,
}

/// By what costs are summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CostsBy {
    /// The run's id.
    Run,
    /// The part of Assist that called.
    Agent,
    /// `provider/model`.
    Model,
    /// `A`, `B` or `C`.
    Tier,
    /// The day in UTC: `2026-03-01`.
    Day,
}

impl Ledger<'_> {
    /// The sums of all calls begun at or after `since`, one line for each run, agent, model, tier or day: days from the
    /// first to the last, the others by cost, the dearest first. With a run, only its calls.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn totals_by(
        &self,
        by: CostsBy,
        run: Option<RunId>,
        since: Timestamp,
    ) -> Result<Vec<(String, Totals)>> {
        let (name, order) = match by {
            CostsBy::Run => ("run_id", "cost DESC, name"),
            CostsBy::Agent => ("agent", "cost DESC, name"),
            CostsBy::Model => ("model", "cost DESC, name"),
            CostsBy::Tier => ("tier", "cost DESC, name"),
            CostsBy::Day => ("coalesce(date(created_at / 1000.0, 'unixepoch'), '')", "name"),
        };
        let sql = format!(
            "SELECT {name} AS name, {SUMS} FROM ledger WHERE created_at >= ?1 AND (?2 IS NULL OR run_id = ?2)
            GROUP BY 1 ORDER BY {order}"
        );
        let values = (since.0, run.map(|run| run.to_string()));
        self.0.read(move |tx| rows::all(tx, &sql, values, |row| Ok((row.get("name")?, sums(row)?)))).await
    }

    /// Reserves what a call may cost. On the disk when this returns, since the money may be spent from then on.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written: do not make the call.
    pub async fn reserve(&self, entry: Entry, at: Timestamp) -> Result<LedgerId> {
        self.0
            .write(Durability::Full, move |tx| {
                let sql = "INSERT INTO ledger
                        (run_id, agent, model, tier, reserved_tokens, reserved_usd, created_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                let values = params![
                    entry.run.to_string(),
                    entry.agent,
                    entry.model,
                    entry.tier,
                    rows::integer(entry.tokens),
                    money(entry.cost_usd),
                    at.0
                ];
                rows::run(tx, sql, values)?;
                Ok(LedgerId(tx.last_insert_rowid()))
            })
            .await
    }

    /// Puts what a call really used in the place of its reservation. A call that was never made is settled with
    /// [`Settlement::default`]. Settling again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such line.
    pub async fn settle(&self, id: LedgerId, used: Settlement, at: Timestamp) -> Result<()> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "UPDATE ledger SET input_tokens = ?2, output_tokens = ?3, cache_read_tokens = ?4,
                        cache_write_tokens = ?5, cost_usd = ?6, estimated = ?7, settled_at = ?8
                    WHERE id = ?1 AND settled_at IS NULL";
                let values = params![
                    id.0,
                    rows::integer(used.input),
                    rows::integer(used.output),
                    rows::integer(used.cache_read),
                    rows::integer(used.cache_write),
                    money(used.cost_usd),
                    used.estimated,
                    at.0
                ];
                if rows::run(tx, sql, values)? == 0
                    && !tx.prepare_cached("SELECT 1 FROM ledger WHERE id = ?1")?.exists([id.0])?
                {
                    return Err(StoreError::missing("ledger line", id.0));
                }
                Ok(())
            })
            .await
    }

    /// The sums of a run.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn totals(&self, run: RunId) -> Result<Totals> {
        self.0.read(move |tx| of_run(tx, run)).await
    }

    /// The sums of all calls begun at or after `since`.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn totals_since(&self, since: Timestamp) -> Result<Totals> {
        self.0.read(move |tx| totals(tx, "created_at >= ?1", since.0.into())).await
    }
}

/// `total` sums as floating point, which cannot overflow on forged rows.
const SUMS: &str = "count(*) AS calls,
    count(*) FILTER (WHERE settled_at IS NULL) AS open,
    CAST(total(input_tokens) AS INTEGER) AS input,
    CAST(total(output_tokens) AS INTEGER) AS output,
    CAST(total(cache_read_tokens) AS INTEGER) AS cache_read,
    CAST(total(cache_write_tokens) AS INTEGER) AS cache_write,
    total(cost_usd) AS cost,
    CAST(total(reserved_tokens) FILTER (WHERE settled_at IS NULL) AS INTEGER) AS reserved_tokens,
    total(reserved_usd) FILTER (WHERE settled_at IS NULL) AS reserved,
    count(*) FILTER (WHERE settled_at IS NOT NULL AND cost_usd IS NULL) AS unpriced,
    count(*) FILTER (WHERE estimated) AS estimated";

fn totals(tx: &Transaction<'_>, which: &'static str, value: Sql) -> Result<Totals> {
    let found = rows::first(tx, &format!("SELECT {SUMS} FROM ledger WHERE {which}"), [value], sums)?;
    Ok(found.unwrap_or_default())
}

fn sums(row: &Row<'_>) -> Result<Totals> {
    Ok(Totals {
        calls: rows::count(row, "calls")?,
        open: rows::count(row, "open")?,
        input: rows::count(row, "input")?,
        output: rows::count(row, "output")?,
        cache_read: rows::count(row, "cache_read")?,
        cache_write: rows::count(row, "cache_write")?,
        cost_usd: row.get("cost")?,
        reserved_tokens: rows::count(row, "reserved_tokens")?,
        reserved_usd: row.get("reserved")?,
        unpriced: rows::count(row, "unpriced")?,
        estimated: rows::count(row, "estimated")?,
    })
}

/// The sums of one run.
pub(crate) fn of_run(tx: &Transaction<'_>, run: RunId) -> Result<Totals> {
    totals(tx, "run_id = ?1", run.to_string().into())
}

/// A sum that can be added up: what is not a number counts as not known, and nothing costs less than nothing.
fn money(usd: Option<f64>) -> Option<f64> {
    usd.filter(|usd| usd.is_finite()).map(|usd| usd.max(0.0))
}
