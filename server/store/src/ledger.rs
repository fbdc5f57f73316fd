//! What model calls cost: `ledger`. A call is reserved before it is made and settled after it, so that a crash leaves a
//! reservation, not a hole.
//!
//! What a dead process had reserved is settled at its estimate and marked as such ([`Ledger::settle_of_the_dead`]): whether
//! the provider charged for it cannot be known, and a budget that counts too little is no budget.

use std::time::Duration;

use assist_base::{RunId, Timestamp};
use rusqlite::types::Value as Sql;
use rusqlite::{Row, Transaction, params};

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{NewCheckpoint, Owner, Store, rows};

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
    /// Why this model, in words.
    pub reason: Option<String>,
    /// The process that will settle it.
    pub owner: Option<Owner>,
}

/// What was spent, reservations included: the basis of a decision about the next call. US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outlay {
    /// By the run.
    pub run_usd: f64,
    /// The run's calls.
    pub run_calls: u64,
    /// By all runs since the day began.
    pub day_usd: f64,
    /// All calls since then.
    pub day_calls: u64,
    /// Those of them whose price is not known.
    pub unpriced_calls: u64,
    /// What caches saved since then.
    pub saved_usd: f64,
}

/// A call as it stands in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerLine {
    /// Which.
    pub id: LedgerId,
    /// The run it was for.
    pub run: RunId,
    /// Which part of Assist made it.
    pub agent: String,
    /// `provider/model`.
    pub model: String,
    /// `A`, `B` or `C`.
    pub tier: String,
    /// Why this model.
    pub reason: Option<String>,
    /// What it may cost at most, in US dollars.
    pub reserved_usd: Option<f64>,
    /// What it did cost; none while it is open, and where the price is not known.
    pub cost_usd: Option<f64>,
    /// What it would have cost more without caches.
    pub saved_usd: f64,
    /// Tokens sent, those read from and written to caches included.
    pub input: u64,
    /// Tokens received.
    pub output: u64,
    /// Whether the figures are reckoned.
    pub estimated: bool,
    /// How the answer ended.
    pub stop: Option<String>,
    /// The provider's name for the request.
    pub request_id: Option<String>,
    /// When it was reserved.
    pub at: Timestamp,
    /// When it was settled; none while it is open.
    pub settled_at: Option<Timestamp>,
}

/// A line of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LedgerId(pub i64);

/// What a call used.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// US dollars that it would have cost more without caches; may be below zero.
    pub saved_usd: f64,
    /// How the answer ended; none where there was none.
    pub stop: Option<String>,
    /// The provider's name for the request.
    pub request_id: Option<String>,
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
    /// US dollars that they would have cost more without caches.
    pub saved_usd: f64,
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
        self.0.write(Durability::Full, move |tx| insert(tx, &entry, at)).await
    }

    /// As [`Ledger::reserve`], if `allows` says so of what was spent until now, what is set aside included. Both are one
    /// immediate transaction: no other run, in this process or another, can spend in between. `day` is when the day began.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written: do not make the call. The inner error is the one of `allows`.
    pub async fn reserve_if<R: Send + 'static>(
        &self,
        entry: Entry,
        day: Timestamp,
        at: Timestamp,
        allows: impl FnOnce(&Outlay) -> std::result::Result<(), R> + Send + 'static,
    ) -> Result<std::result::Result<LedgerId, R>> {
        self.0
            .write(Durability::Full, move |tx| {
                Ok(match allows(&outlay(tx, entry.run, day)?) {
                    Ok(()) => Ok(insert(tx, &entry, at)?),
                    Err(refused) => Err(refused),
                })
            })
            .await
    }

    /// What a run and all runs since `day` have spent, what is set aside included.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn outlay(&self, run: RunId, day: Timestamp) -> Result<Outlay> {
        self.0.read(move |tx| outlay(tx, run, day)).await
    }

    /// Puts what a call really used in the place of its reservation. A call that was never made is settled with
    /// [`Settlement::default`]. Settling again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such line.
    pub async fn settle(&self, id: LedgerId, used: Settlement, at: Timestamp) -> Result<()> {
        self.settle_keeping(id, used, None, at).await
    }

    /// As [`Ledger::settle`], with the checkpoint that keeps what the call brought: both are written, or none of them. With
    /// one, it is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such line, or no such run.
    pub async fn settle_keeping(
        &self,
        id: LedgerId,
        used: Settlement,
        keep: Option<NewCheckpoint>,
        at: Timestamp,
    ) -> Result<()> {
        let durability = if keep.is_some() { Durability::Full } else { Durability::Normal };
        self.0
            .write(durability, move |tx| {
                if let Some(keep) = &keep {
                    keep.insert(tx, at)?;
                }
                let sql = "UPDATE ledger SET input_tokens = ?2, output_tokens = ?3, cache_read_tokens = ?4,
                        cache_write_tokens = ?5, cost_usd = ?6, estimated = ?7, settled_at = ?8, saved_usd = ?9,
                        stop = ?10, request_id = ?11, presumed = 0
                    WHERE id = ?1 AND (settled_at IS NULL OR presumed)";
                let values = params![
                    id.0,
                    rows::integer(used.input),
                    rows::integer(used.output),
                    rows::integer(used.cache_read),
                    rows::integer(used.cache_write),
                    money(used.cost_usd),
                    used.estimated,
                    at.0,
                    if used.saved_usd.is_finite() { used.saved_usd } else { 0.0 },
                    used.stop,
                    used.request_id
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

    /// Takes back a reservation of a call that was not made after all. False when it was settled, or is not there.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn withdraw(&self, id: LedgerId) -> Result<bool> {
        let sql = "DELETE FROM ledger WHERE id = ?1 AND settled_at IS NULL";
        self.0.write(Durability::Normal, move |tx| Ok(rows::run(tx, sql, [id.0])? > 0)).await
    }

    /// Settles at its estimate what was reserved by processes that are dead, and returns how many calls that were. An owner
    /// with another `boot` than `me` cannot be looked up; its reservations are settled when they are `stale_after` old.
    /// Should such an owner live after all, its own settlement replaces this one.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn settle_of_the_dead(
        &self,
        me: Owner,
        now: Timestamp,
        stale_after: Duration,
        is_alive: impl Fn(&Owner) -> bool + Send + 'static,
    ) -> Result<usize> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "SELECT id, owner_pid, owner_boot, owner_started, created_at FROM ledger
                    WHERE settled_at IS NULL";
                let open = rows::all(tx, sql, [], |row| {
                    let owner = match row.get::<_, Option<u32>>("owner_pid")? {
                        Some(pid) => Some(Owner {
                            pid,
                            boot: row.get::<_, Option<String>>("owner_boot")?.unwrap_or_default(),
                            started: row.get::<_, Option<String>>("owner_started")?.unwrap_or_default(),
                            label: String::new(),
                        }),
                        None => None,
                    };
                    Ok((row.get::<_, i64>("id")?, owner, rows::time(row, "created_at")?))
                })?;
                let mut settled = 0;
                for (id, owner, at) in open {
                    let stale = now.since(at) >= stale_after;
                    let dead = match owner {
                        Some(owner) if owner.boot != me.boot => stale,
                        Some(owner) => !owner.is(&me) && !is_alive(&owner),
                        // Of an older version, which did not say.
                        None => stale,
                    };
                    if dead {
                        let sql = "UPDATE ledger SET cost_usd = reserved_usd, estimated = 1, presumed = 1,
                                settled_at = ?2 WHERE id = ?1";
                        settled += rows::run(tx, sql, params![id, now.0])?;
                    }
                }
                Ok(settled)
            })
            .await
    }

    /// The calls begun at or after `since`, the newest first, `limit` at most; with a run, only its own.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn calls(&self, run: Option<RunId>, since: Timestamp, limit: usize) -> Result<Vec<LedgerLine>> {
        let sql = "SELECT * FROM ledger WHERE created_at >= ?1 AND (?2 IS NULL OR run_id = ?2)
            ORDER BY id DESC LIMIT ?3";
        let values = (since.0, run.map(|run| run.to_string()), i64::try_from(limit).unwrap_or(i64::MAX));
        self.0.read(move |tx| rows::all(tx, sql, values, line)).await
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
    count(*) FILTER (WHERE estimated) AS estimated,
    total(saved_usd) AS saved";

fn insert(tx: &Transaction<'_>, entry: &Entry, at: Timestamp) -> Result<LedgerId> {
    let sql =
        "INSERT INTO ledger (run_id, agent, model, tier, reserved_tokens, reserved_usd, created_at, reason,
            owner_pid, owner_boot, owner_started)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let owner = entry.owner.as_ref();
    let values = params![
        entry.run.to_string(),
        entry.agent,
        entry.model,
        entry.tier,
        rows::integer(entry.tokens),
        money(entry.cost_usd),
        at.0,
        entry.reason,
        owner.map(|owner| owner.pid),
        owner.map(|owner| &owner.boot),
        owner.map(|owner| &owner.started)
    ];
    rows::run(tx, sql, values)?;
    Ok(LedgerId(tx.last_insert_rowid()))
}

/// What a call costs as far as is known: what it may cost while it is open, what it did cost after.
const COST: &str = "CASE WHEN settled_at IS NULL THEN reserved_usd ELSE cost_usd END";

fn outlay(tx: &Transaction<'_>, run: RunId, day: Timestamp) -> Result<Outlay> {
    let of_run = format!("SELECT total({COST}) AS usd, count(*) AS calls FROM ledger WHERE run_id = ?1");
    let of_day = format!(
        "SELECT total({COST}) AS usd, count(*) AS calls, count(*) FILTER (WHERE {COST} IS NULL) AS unpriced,
            total(saved_usd) AS saved
        FROM ledger WHERE created_at >= ?1"
    );
    let (run_usd, run_calls) =
        rows::first(tx, &of_run, [run.to_string()], |row| Ok((row.get("usd")?, rows::count(row, "calls")?)))?
            .unwrap_or_default();
    let found = rows::first(tx, &of_day, [day.0], |row| {
        Ok(Outlay {
            run_usd,
            run_calls,
            day_usd: row.get("usd")?,
            day_calls: rows::count(row, "calls")?,
            unpriced_calls: rows::count(row, "unpriced")?,
            saved_usd: row.get("saved")?,
        })
    })?;
    Ok(found.unwrap_or_default())
}

fn line(row: &Row<'_>) -> Result<LedgerLine> {
    let sent = ["input_tokens", "cache_read_tokens", "cache_write_tokens"];
    let mut input = 0_u64;
    for column in sent {
        input = input.saturating_add(rows::count(row, column)?);
    }
    Ok(LedgerLine {
        id: LedgerId(row.get("id")?),
        run: rows::word(row, "run_id")?,
        agent: row.get("agent")?,
        model: row.get("model")?,
        tier: row.get("tier")?,
        reason: row.get("reason")?,
        reserved_usd: row.get("reserved_usd")?,
        cost_usd: row.get("cost_usd")?,
        saved_usd: row.get("saved_usd")?,
        input,
        output: rows::count(row, "output_tokens")?,
        estimated: row.get("estimated")?,
        stop: row.get("stop")?,
        request_id: row.get("request_id")?,
        at: rows::time(row, "created_at")?,
        settled_at: rows::maybe_time(row, "settled_at")?,
    })
}

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
        saved_usd: row.get("saved")?,
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
