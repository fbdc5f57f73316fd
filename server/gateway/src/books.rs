//! Accounting, as the gateway sees it: a call is reserved before it is made and settled when it ended, however it did.
//!
//! The trait is implemented over the store by the `agents` crate; [`crate::MemoryBooks`] is the reference. Reserving
//! before calling is what keeps concurrent runs from overspending together.

use assist_base::RunId;
use async_trait::async_trait;

use crate::{
    BreakerStatus, Budgets, CacheKey, CachedAnswer, Keep, KeptAnswer, Spent, StopReason, Tier, Usage,
};

/// What a call may use at most, as known before it is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The run that pays.
    pub run: RunId,
    /// The stage or role that asks.
    pub agent: String,
    /// The registry name of the provider.
    pub provider: String,
    /// The provider's name of the model.
    pub model: String,
    /// The tier that was asked for.
    pub tier: Tier,
    /// Prompt tokens, estimated on the high side.
    pub input_tokens: u64,
    /// The limit on output tokens.
    pub max_output_tokens: u64,
    /// The most that can cost in US dollars, where prices are known.
    pub cost_usd: Option<f64>,
    /// Why this model, in words for the record.
    pub reason: String,
    /// What must be kept: see [`Books::reserve`].
    pub budgets: Budgets,
}

/// Money set aside for one call. Given back to [`Books::settle`] exactly once.
#[derive(Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The ledger's own number for it.
    pub id: i64,
}

/// What a call really used.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// Tokens; all zero when the call failed before the first byte.
    pub usage: Usage,
    /// US dollars, where prices are known.
    pub cost_usd: Option<f64>,
    /// How the answer ended; none when there was no answer, or the caller dropped the stream.
    pub stop: Option<StopReason>,
    /// The provider's name for the request.
    pub request_id: Option<String>,
    /// What it would have cost more without caches, in US dollars: the provider's prompt cache, or an answer used again,
    /// which saves all of its cost. Below zero where filling the provider's cache cost more than it saved so far.
    pub saved_usd: f64,
    /// The answer, where its run keeps it: to be written in the same step, or not at all. None where nobody
    /// asked for it, or there was no answer.
    pub keep: Option<Box<Keep>>,
}

/// The budget does not allow the call. It was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BudgetRefused {
    /// One sentence for the user: which budget, how much is used, how to raise it.
    pub reason: String,
}

/// Who keeps account of tokens and money.
#[async_trait]
pub trait Books: Send + Sync + 'static {
    /// Sets aside what a call may use, before it is made. Whoever keeps budgets asks
    /// [`Budgets::check`](crate::Budgets::check) of the estimate with what was spent, everything set aside included, and
    /// writes the reservation down in the same step (one lock, one immediate transaction), and refuses with its words.
    ///
    /// # Errors
    /// [`BudgetRefused`] when it would go over a budget.
    async fn reserve(&self, estimate: &Estimate) -> Result<Reservation, BudgetRefused>;

    /// Replaces a reservation by what was really used. Must not fail: what cannot be written is logged there.
    async fn settle(&self, reservation: Reservation, settlement: Settlement);

    /// What was spent by a run and today, everything set aside included; none where no account is kept. For summaries
    /// and for choosing a model that the rest of the budget can pay; never instead of [`Books::reserve`].
    async fn spent(&self, _run: RunId) -> Option<Spent> {
        None
    }

    /// The answer that a run has kept under this name: the last, where there are several.
    async fn kept(&self, _run: RunId, _name: &str) -> Option<KeptAnswer> {
        None
    }

    /// A kept answer to exactly this request, not older than the implementer's limit.
    async fn cached(&self, _key: &CacheKey) -> Option<CachedAnswer> {
        None
    }

    /// Keeps an answer, within the implementer's limits on size and age. Must not fail: what cannot be kept is left out.
    async fn keep(&self, _key: &CacheKey, _answer: &CachedAnswer) {}

    /// Lets go of a kept answer. Must not fail.
    async fn forget(&self, _key: &CacheKey) {}

    /// Keeps how a breaker is, in place of what was kept of it before. Must not fail.
    async fn keep_breaker(&self, _status: &BreakerStatus) {}

    /// The breakers that were kept, from before the last start.
    async fn kept_breakers(&self) -> Vec<BreakerStatus> {
        Vec::new()
    }
}

/// Keeps no account and allows everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBooks;

#[async_trait]
impl Books for NoBooks {
    async fn reserve(&self, _estimate: &Estimate) -> Result<Reservation, BudgetRefused> {
        Ok(Reservation { id: 0 })
    }

    async fn settle(&self, _reservation: Reservation, _settlement: Settlement) {}
}
