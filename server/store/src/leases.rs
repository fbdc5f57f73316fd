//! Which process owns what: `leases`. One process owns a run, or a file, at a time; what a dead process owned is free.
//!
//! This crate cannot tell whether a process lives; the caller brings a closure that can.

use std::time::Duration;

use assist_base::{RunId, Timestamp};
use rusqlite::{Row, Transaction, params};

use crate::error::Result;
use crate::lane::Durability;
use crate::{Store, rows};

/// The leases of a store.
#[derive(Debug, Clone, Copy)]
pub struct Leases<'s>(pub(crate) &'s Store);

/// A process. Two are the same when number, boot and start agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The process's number.
    pub pid: u32,
    /// Which start of which machine it belongs to.
    pub boot: String,
    /// When it started, so that a reused number is not mistaken for it.
    pub started: String,
    /// What to call it when telling the user: `VS Code`.
    pub label: String,
}

impl Owner {
    pub(crate) fn is(&self, other: &Owner) -> bool {
        self.pid == other.pid && self.boot == other.boot && self.started == other.started
    }
}

/// The answer to asking for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// It is the caller's now.
    Taken,
    /// A live process has it.
    Held(Owner),
}

impl Lease {
    /// The name of the lease on a run.
    pub fn of_run(run: RunId) -> String {
        format!("run:{run}")
    }
}

/// A lease as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// What is owned.
    pub name: String,
    /// By whom.
    pub owner: Owner,
    /// Since when.
    pub acquired_at: Timestamp,
    /// When the owner last said that it lives.
    pub heartbeat_at: Timestamp,
}

impl Leases<'_> {
    /// Takes a lease, unless a live process has it. One transaction: of two that ask at once, one gets it. Asking for a
    /// lease one has renews it.
    ///
    /// An owner lives when `is_alive` says so. That cannot be asked of an owner with another `boot` than `owner`'s (this
    /// machine before it was restarted, or another machine or container on the same disk): such a one lives while its
    /// last heartbeat is less than `stale_after` old.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn acquire(
        &self,
        name: &str,
        owner: &Owner,
        now: Timestamp,
        stale_after: Duration,
        is_alive: impl Fn(&Owner) -> bool + Send + 'static,
    ) -> Result<Lease> {
        let (name, owner) = (name.to_owned(), owner.clone());
        self.0
            .write(Durability::Normal, move |tx| {
                if let Some(held) = get(tx, &name)? {
                    if held.owner.is(&owner) {
                        beat(tx, &name, &owner, now)?;
                        return Ok(Lease::Taken);
                    }
                    if is_live(&held, &owner, now, stale_after, &is_alive) {
                        return Ok(Lease::Held(held.owner));
                    }
                }
                let sql = "INSERT OR REPLACE INTO leases
                        (name, pid, boot, started, label, acquired_at, heartbeat_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
                rows::run(tx, sql, params![name, owner.pid, owner.boot, owner.started, owner.label, now.0])?;
                Ok(Lease::Taken)
            })
            .await
    }

    /// Says that the owner lives. False when the lease is not its own (any more).
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn heartbeat(&self, name: &str, owner: &Owner, now: Timestamp) -> Result<bool> {
        let (name, owner) = (name.to_owned(), owner.clone());
        self.0.write(Durability::Normal, move |tx| beat(tx, &name, &owner, now)).await
    }

    /// Gives a lease back. False when it was not the owner's.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn release(&self, name: &str, owner: &Owner) -> Result<bool> {
        let (name, owner) = (name.to_owned(), owner.clone());
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "DELETE FROM leases WHERE name = ?1 AND pid = ?2 AND boot = ?3 AND started = ?4";
                Ok(rows::run(tx, sql, params![name, owner.pid, owner.boot, owner.started])? > 0)
            })
            .await
    }

    /// All leases, by name. Their owners may be dead.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn list(&self) -> Result<Vec<HeldLease>> {
        self.0.read(|tx| rows::all(tx, "SELECT * FROM leases ORDER BY name", [], held)).await
    }
}

/// Whether the owner of a lease lives, as [`Leases::acquire`] says.
pub(crate) fn is_live(
    held: &HeldLease,
    me: &Owner,
    now: Timestamp,
    stale_after: Duration,
    is_alive: &impl Fn(&Owner) -> bool,
) -> bool {
    held.owner.is(me)
        || is_alive(&held.owner)
        || (held.owner.boot != me.boot && now.since(held.heartbeat_at) < stale_after)
}

pub(crate) fn get(tx: &Transaction<'_>, name: &str) -> Result<Option<HeldLease>> {
    rows::first(tx, "SELECT * FROM leases WHERE name = ?1", [name], held)
}

fn beat(tx: &Transaction<'_>, name: &str, owner: &Owner, now: Timestamp) -> Result<bool> {
    let sql =
        "UPDATE leases SET heartbeat_at = ?5 WHERE name = ?1 AND pid = ?2 AND boot = ?3 AND started = ?4";
    Ok(rows::run(tx, sql, params![name, owner.pid, owner.boot, owner.started, now.0])? > 0)
}

fn held(row: &Row<'_>) -> Result<HeldLease> {
    Ok(HeldLease {
        name: row.get("name")?,
        owner: Owner {
            pid: row.get("pid")?,
            boot: row.get("boot")?,
            started: row.get("started")?,
            label: row.get("label")?,
        },
        acquired_at: rows::time(row, "acquired_at")?,
        heartbeat_at: rows::time(row, "heartbeat_at")?,
    })
}
