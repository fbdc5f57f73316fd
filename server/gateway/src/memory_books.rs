//! Books in memory: the reference for those over a database, and what tests and programs without a workspace use.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assist_base::{Clock, RunId, Timestamp};
use async_trait::async_trait;

use crate::budget::day_start;
use crate::{
    Books, BreakerStatus, BudgetRefused, CacheKey, CachedAnswer, Estimate, KeptAnswer, Reservation,
    Settlement, Spent,
};

/// [`Books`] that are gone when they are dropped.
pub struct MemoryBooks {
    clock: Arc<dyn Clock>,
    limits: CacheLimits,
    kept: Mutex<Kept>,
}

/// What a cache of answers holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// How long an answer may be used again.
    pub age: Duration,
    /// How many bytes of answers are kept; the oldest go first.
    pub bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { age: Duration::from_secs(24 * 60 * 60), bytes: 16 * 1024 * 1024 }
    }
}

#[derive(Default)]
struct Kept {
    entries: Vec<LedgerEntry>,
    answers: HashMap<CacheKey, (Timestamp, usize, CachedAnswer)>,
    breakers: BTreeMap<String, BreakerStatus>,
    of_runs: HashMap<(RunId, String), KeptAnswer>,
}

/// One call in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerEntry {
    /// What it may use at most.
    pub estimate: Estimate,
    /// What it used; none while it is under way.
    pub settlement: Option<Settlement>,
    /// When it was set aside.
    pub at: Timestamp,
}

impl LedgerEntry {
    /// What it costs as far as is known: what it may cost while it is under way, what it did cost after.
    pub fn cost_usd(&self) -> Option<f64> {
        match &self.settlement {
            Some(settlement) => settlement.cost_usd,
            None => self.estimate.cost_usd,
        }
    }
}

impl MemoryBooks {
    /// Empty books.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_cache(clock, CacheLimits::default())
    }

    /// Empty books whose cache of answers has these limits.
    pub fn with_cache(clock: Arc<dyn Clock>, limits: CacheLimits) -> Self {
        Self { clock, limits, kept: Mutex::default() }
    }

    /// All calls in the order in which they were set aside.
    pub fn entries(&self) -> Vec<LedgerEntry> {
        self.kept().entries.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn spent(&self, run: RunId, now: Timestamp) -> Spent {
        let today = day_start(now);
        let mut spent = Spent::default();
        for entry in &self.entries {
            let cost = entry.cost_usd();
            if entry.estimate.run == run {
                spent.run_usd += cost.unwrap_or(0.0);
                spent.run_calls += 1;
            }
            if entry.at >= today {
                spent.day_usd += cost.unwrap_or(0.0);
                spent.day_calls += 1;
                spent.unpriced_calls += u64::from(cost.is_none());
                spent.saved_usd += entry.settlement.as_ref().map_or(0.0, |settlement| settlement.saved_usd);
            }
        }
        spent
    }
}

#[async_trait]
impl Books for MemoryBooks {
    async fn reserve(&self, estimate: &Estimate) -> Result<Reservation, BudgetRefused> {
        let at = self.clock.now();
        // Looking and writing under one lock: nothing can be spent in between.
        let mut kept = self.kept();
        let spent = kept.spent(estimate.run, at);
        let fits = estimate.budgets.check(&spent, estimate.cost_usd);
        fits.map_err(|over| BudgetRefused { reason: over.to_string() })?;
        kept.entries.push(LedgerEntry { estimate: estimate.clone(), settlement: None, at });
        Ok(Reservation { id: i64::try_from(kept.entries.len() - 1).unwrap_or(i64::MAX) })
    }

    async fn settle(&self, reservation: Reservation, settlement: Settlement) {
        let mut kept = self.kept();
        let entry = usize::try_from(reservation.id).ok().and_then(|at| kept.entries.get_mut(at));
        match entry {
            Some(entry) => {
                entry.settlement = Some(settlement.clone());
                kept.of_runs.extend(settlement.keep.map(|keep| ((keep.run, keep.name), keep.answer)));
            }
            None => {
                tracing::error!(id = reservation.id, "a reservation that is not in these books was settled")
            }
        }
    }

    async fn spent(&self, run: RunId) -> Option<Spent> {
        Some(self.kept().spent(run, self.clock.now()))
    }

    async fn kept(&self, run: RunId, name: &str) -> Option<KeptAnswer> {
        self.kept().of_runs.get(&(run, name.to_owned())).cloned()
    }

    async fn cached(&self, key: &CacheKey) -> Option<CachedAnswer> {
        let now = self.clock.now();
        let kept = self.kept();
        let (at, _, answer) = kept.answers.get(key)?;
        (now.since(*at) <= self.limits.age).then(|| answer.clone())
    }

    async fn keep(&self, key: &CacheKey, answer: &CachedAnswer) {
        let size = serde_json::to_string(answer).map_or(usize::MAX, |json| json.len());
        if size > self.limits.bytes {
            return;
        }
        let mut kept = self.kept();
        kept.answers.insert(key.clone(), (self.clock.now(), size, answer.clone()));
        let mut bytes: usize = kept.answers.values().map(|(_, size, _)| size).sum();
        while bytes > self.limits.bytes {
            let oldest =
                kept.answers.iter().filter(|(other, _)| *other != key).min_by_key(|(_, (at, ..))| *at);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { return };
            bytes -= kept.answers.remove(&oldest).map_or(0, |(_, size, _)| size);
        }
    }

    async fn forget(&self, key: &CacheKey) {
        self.kept().answers.remove(key);
    }

    async fn keep_breaker(&self, status: &BreakerStatus) {
        self.kept().breakers.insert(status.name.clone(), status.clone());
    }

    async fn kept_breakers(&self) -> Vec<BreakerStatus> {
        self.kept().breakers.values().cloned().collect()
    }
}
