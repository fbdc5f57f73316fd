//! The gateway's books, kept in the workspace's store: what every call may cost and what it came to, answers that may be used
//! again, and how breakers are.
//!
//! Budgets are checked and money is set aside in one immediate transaction, so runs of all processes on the workspace keep
//! them together. They are counted per workspace: two workspaces each have the whole of a daily cap.

use std::sync::Arc;

use assist_base::{Clock, RunId};
use assist_gateway::{
    Books, BreakerStatus, BudgetRefused, CacheKey, CachedAnswer, Estimate, Reservation, Settlement, Spent,
    StopReason, day_start,
};
use assist_store::{CacheLimits, Entry, LedgerId, Outlay, Owner, Store};
use async_trait::async_trait;

/// [`Books`] over a [`Store`].
pub struct StoreBooks {
    store: Store,
    owner: Owner,
    clock: Arc<dyn Clock>,
    cache: CacheLimits,
}

impl StoreBooks {
    /// Books in `store`, kept by the process `owner`.
    pub fn new(store: Store, owner: Owner, clock: Arc<dyn Clock>) -> Self {
        Self { store, owner, clock, cache: CacheLimits::default() }
    }

    /// With other limits for kept answers.
    #[must_use]
    pub fn with_cache(self, cache: CacheLimits) -> Self {
        Self { cache, ..self }
    }
}

#[async_trait]
impl Books for StoreBooks {
    async fn reserve(&self, estimate: &Estimate) -> Result<Reservation, BudgetRefused> {
        let now = self.clock.now();
        let entry = Entry {
            run: estimate.run,
            agent: estimate.agent.clone(),
            model: format!("{}/{}", estimate.provider, estimate.model),
            tier: estimate.tier.as_str().to_owned(),
            tokens: estimate.input_tokens.saturating_add(estimate.max_output_tokens),
            cost_usd: estimate.cost_usd,
            reason: Some(estimate.reason.clone()),
            owner: Some(self.owner.clone()),
        };
        let (budgets, most) = (estimate.budgets, estimate.cost_usd);
        let allows = move |outlay: &Outlay| budgets.check(&spent(outlay), most);
        match self.store.ledger().reserve_if(entry, day_start(now), now, allows).await {
            Ok(Ok(id)) => Ok(Reservation { id: id.0 }),
            Ok(Err(over)) => Err(BudgetRefused { reason: over.to_string() }),
            // A call that cannot be accounted for is not made.
            Err(error) => Err(BudgetRefused { reason: format!("The call was not made: {error}") }),
        }
    }

    async fn settle(&self, reservation: Reservation, settlement: Settlement) {
        let usage = settlement.usage;
        let used = assist_store::Settlement {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            cost_usd: settlement.cost_usd,
            estimated: usage.estimated,
            saved_usd: settlement.saved_usd,
            stop: settlement.stop.as_ref().map(StopReason::to_string),
            request_id: settlement.request_id,
        };
        if let Err(error) = self.store.ledger().settle(LedgerId(reservation.id), used, self.clock.now()).await
        {
            tracing::error!(%error, "a call could not be settled in the ledger");
        }
    }

    async fn spent(&self, run: RunId) -> Option<Spent> {
        match self.store.ledger().outlay(run, day_start(self.clock.now())).await {
            Ok(outlay) => Some(spent(&outlay)),
            Err(error) => {
                tracing::warn!(%error, "the ledger could not be read");
                None
            }
        }
    }

    async fn cached(&self, key: &CacheKey) -> Option<CachedAnswer> {
        let kept = self.store.response_cache().get(key.hash.as_str(), self.cache, self.clock.now()).await;
        // What cannot be read is asked for anew.
        serde_json::from_value(kept.ok()??).ok()
    }

    async fn keep(&self, key: &CacheKey, answer: &CachedAnswer) {
        let Ok(value) = serde_json::to_value(answer) else { return };
        let cache = self.store.response_cache();
        if let Err(error) =
            cache.put(key.hash.as_str(), &key.model, value, self.cache, self.clock.now()).await
        {
            tracing::debug!(%error, "an answer was not kept");
        }
    }

    async fn forget(&self, key: &CacheKey) {
        if let Err(error) = self.store.response_cache().forget(key.hash.as_str()).await {
            tracing::warn!(%error, "a kept answer could not be let go of");
        }
    }

    async fn keep_breaker(&self, status: &BreakerStatus) {
        let Ok(value) = serde_json::to_value(status) else { return };
        if let Err(error) = self.store.breakers().keep(&status.name, value, self.clock.now()).await {
            tracing::debug!(%error, "a breaker was not kept");
        }
    }

    async fn kept_breakers(&self) -> Vec<BreakerStatus> {
        let kept = self.store.breakers().list().await.unwrap_or_default();
        kept.into_iter().filter_map(|status| serde_json::from_value(status).ok()).collect()
    }
}

fn spent(outlay: &Outlay) -> Spent {
    let Outlay { run_usd, run_calls, day_usd, day_calls, unpriced_calls, saved_usd } = *outlay;
    Spent { run_usd, day_usd, run_calls, day_calls, unpriced_calls, saved_usd }
}
