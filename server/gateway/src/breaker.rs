//! Circuit breakers: what has failed several times in a row is left alone for a while, then tried once.
//!
//! Closed: calls go through. Open, after [`BreakerSettings::failures`] failures in a row: calls are refused at once.
//! Half-open, when [`BreakerSettings::rest`] has passed: one call goes through as a probe, the others are still refused;
//! if it succeeds the breaker closes, if it fails it opens again. A probe that is given up decides nothing, the next
//! call probes.
//!
//! Whatever is called outside has a breaker by name: `anthropic/claude-sonnet-4-6` for a model, and `search:…`,
//! `deploy:…` and the like for other services.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assist_base::{Clock, Timestamp};
use serde::{Deserialize, Serialize};

/// When breakers open and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// After how many failures in a row; at least 1.
    pub failures: u32,
    /// How long one stays open.
    pub rest: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 5, rest: Duration::from_secs(30) }
    }
}

/// What a breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Lets it through.
    Closed,
    /// Refuses it.
    Open,
    /// Lets one through to see.
    HalfOpen,
}

impl BreakerState {
    /// The word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half-open",
        }
    }
}

/// How a breaker is, for reports and for keeping over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerStatus {
    /// What it stands before.
    pub name: String,
    /// What it does with the next call.
    pub state: BreakerState,
    /// Failures in a row.
    pub failures: u32,
    /// When it lets a probe through; only while it is open.
    pub retry_at: Option<Timestamp>,
    /// Why the last call failed, one sentence; empty where none did.
    pub last_error: String,
    /// When it came into this state.
    pub since: Timestamp,
}

/// A breaker is open: the call was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} failed {failures} times in a row and is left alone for {} s; the last time: {last_error}", .retry_in.as_secs().max(1))]
pub struct BreakerOpen {
    /// What it stands before.
    pub name: String,
    /// Failures in a row.
    pub failures: u32,
    /// When it lets a probe through.
    pub retry_in: Duration,
    /// Why the last call failed.
    pub last_error: String,
}

/// Why a guarded call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Guarded<E: std::error::Error + 'static> {
    /// The call was not made.
    #[error(transparent)]
    Open(#[from] BreakerOpen),
    /// The call was made and failed.
    #[error(transparent)]
    Failed(E),
}

/// All breakers of a program. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Breakers {
    clock: Arc<dyn Clock>,
    settings: BreakerSettings,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    cells: BTreeMap<String, Cell>,
    /// Names whose state changed since it was last asked.
    changed: Vec<String>,
}

#[derive(Debug, Clone)]
struct Cell {
    state: BreakerState,
    failures: u32,
    retry_at: Option<Timestamp>,
    /// Whether a probe is under way.
    probing: bool,
    last_error: String,
    since: Timestamp,
    /// Counts changes of state, so that a call from before one does not decide over the one after.
    epoch: u64,
}

impl std::fmt::Debug for Breakers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Breakers").field("list", &self.list()).finish_non_exhaustive()
    }
}

impl Breakers {
    /// Breakers on this clock.
    pub fn new(clock: Arc<dyn Clock>, settings: BreakerSettings) -> Self {
        let settings = BreakerSettings { failures: settings.failures.max(1), ..settings };
        Self { clock, settings, shared: Arc::default() }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for permission to call. The permit is told how the call went; dropped without a word, it decides nothing.
    ///
    /// # Errors
    /// [`BreakerOpen`] when the call shall not be made.
    pub fn admit(&self, name: &str) -> Result<Permit, BreakerOpen> {
        let now = self.clock.now();
        let mut shared = self.shared();
        let Some(cell) = shared.cells.get_mut(name) else {
            return Ok(self.permit(name, false, 0));
        };
        let rest_over = match cell.retry_at {
            // A wall clock that was set back must not keep a breaker open for longer than it rests.
            Some(at) => now >= at || at.since(now) > self.settings.rest,
            None => true,
        };
        let refused = |cell: &Cell, retry_in| BreakerOpen {
            name: name.to_owned(),
            failures: cell.failures,
            retry_in,
            last_error: cell.last_error.clone(),
        };
        let probe = match cell.state {
            BreakerState::Closed => false,
            BreakerState::Open if !rest_over => {
                return Err(refused(cell, cell.retry_at.map_or(Duration::ZERO, |at| at.since(now))));
            }
            BreakerState::HalfOpen if cell.probing => return Err(refused(cell, Duration::ZERO)),
            BreakerState::Open | BreakerState::HalfOpen => {
                if cell.state == BreakerState::Open {
                    enter(cell, BreakerState::HalfOpen, now);
                }
                cell.probing = true;
                true
            }
        };
        let epoch = cell.epoch;
        if probe {
            shared.changed.push(name.to_owned());
        }
        Ok(self.permit(name, probe, epoch))
    }

    fn permit(&self, name: &str, probe: bool, epoch: u64) -> Permit {
        Permit { breakers: self.clone(), name: name.to_owned(), probe, epoch, open: true }
    }

    /// Makes a call behind the breaker `name`. `counts` says which errors are failures of what is called (not reachable,
    /// too slow, broken) and not of the question (not found, not allowed).
    ///
    /// # Errors
    /// The call's own, or that it was not made.
    pub async fn guard<T, E: std::error::Error + 'static>(
        &self,
        name: &str,
        counts: impl Fn(&E) -> bool,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Guarded<E>> {
        let permit = self.admit(name)?;
        match call.await {
            Ok(value) => {
                permit.succeeded();
                Ok(value)
            }
            Err(error) => {
                if counts(&error) {
                    permit.failed(&error.to_string())
                } else {
                    permit.succeeded()
                }
                Err(Guarded::Failed(error))
            }
        }
    }

    /// All breakers that have heard of a failure, by name.
    pub fn list(&self) -> Vec<BreakerStatus> {
        self.shared().cells.iter().map(|(name, cell)| status(name, cell)).collect()
    }

    /// Closes a breaker, because the user or a check has seen that all is well.
    pub fn reset(&self, name: &str) {
        let now = self.clock.now();
        let mut shared = self.shared();
        if let Some(cell) = shared.cells.get_mut(name)
            && (cell.state != BreakerState::Closed || cell.failures > 0)
        {
            cell.failures = 0;
            cell.last_error.clear();
            enter(cell, BreakerState::Closed, now);
            shared.changed.push(name.to_owned());
        }
    }

    /// Takes over what was kept from an earlier run of the program. What this one has heard itself stays.
    pub fn restore(&self, kept: impl IntoIterator<Item = BreakerStatus>) {
        let mut shared = self.shared();
        for status in kept {
            shared.cells.entry(status.name).or_insert_with(|| Cell {
                // The probe that was under way is gone.
                state: status.state,
                failures: status.failures,
                retry_at: status.retry_at,
                probing: false,
                last_error: status.last_error,
                since: status.since,
                epoch: 0,
            });
        }
    }

    /// Those whose state has changed since this was last asked: to be kept.
    pub fn take_changed(&self) -> Vec<BreakerStatus> {
        let mut shared = self.shared();
        let mut names = std::mem::take(&mut shared.changed);
        names.sort_unstable();
        names.dedup();
        names.iter().filter_map(|name| Some(status(name, shared.cells.get(name)?))).collect()
    }

    fn verdict(&self, permit: &Permit, error: Option<&str>) {
        let now = self.clock.now();
        let mut shared = self.shared();
        if error.is_none() && !shared.cells.contains_key(&permit.name) {
            return;
        }
        let cell = shared.cells.entry(permit.name.clone()).or_insert_with(|| Cell {
            state: BreakerState::Closed,
            failures: 0,
            retry_at: None,
            probing: false,
            last_error: String::new(),
            since: now,
            epoch: permit.epoch,
        });
        if cell.epoch != permit.epoch {
            return;
        }
        let before = (cell.state, cell.failures);
        match error {
            None => {
                cell.failures = 0;
                cell.last_error.clear();
                if cell.state != BreakerState::Closed {
                    enter(cell, BreakerState::Closed, now);
                }
            }
            Some(error) => {
                cell.failures = cell.failures.saturating_add(1);
                error.clone_into(&mut cell.last_error);
                if permit.probe || cell.failures >= self.settings.failures {
                    enter(cell, BreakerState::Open, now);
                    cell.retry_at = Some(now.plus(self.settings.rest));
                    tracing::warn!(name = permit.name, failures = cell.failures, "left alone for a while");
                }
            }
        }
        if before != (cell.state, cell.failures) {
            shared.changed.push(permit.name.clone());
        }
    }
}

fn enter(cell: &mut Cell, state: BreakerState, now: Timestamp) {
    cell.state = state;
    cell.since = now;
    cell.probing = false;
    cell.retry_at = None;
    cell.epoch += 1;
}

fn status(name: &str, cell: &Cell) -> BreakerStatus {
    BreakerStatus {
        name: name.to_owned(),
        state: cell.state,
        failures: cell.failures,
        retry_at: cell.retry_at,
        last_error: cell.last_error.clone(),
        since: cell.since,
    }
}

/// Permission to make one call.
#[derive(Debug)]
#[must_use = "a permit is told how the call went"]
pub struct Permit {
    breakers: Breakers,
    name: String,
    probe: bool,
    epoch: u64,
    /// Whether nothing was said yet.
    open: bool,
}

impl Permit {
    /// What was called works.
    pub fn succeeded(mut self) {
        self.open = false;
        self.breakers.verdict(&self, None);
    }

    /// What was called does not work. `error` is one sentence, without secrets.
    pub fn failed(mut self, error: &str) {
        self.open = false;
        self.breakers.verdict(&self, Some(error));
    }

    /// Whether this call is the one that a half-open breaker let through.
    pub fn is_probe(&self) -> bool {
        self.probe
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.open && self.probe {
            let mut shared = self.breakers.shared();
            if let Some(cell) = shared.cells.get_mut(&self.name)
                && cell.epoch == self.epoch
            {
                cell.probing = false;
            }
        }
    }
}

#[cfg(test)]
mod tests;
