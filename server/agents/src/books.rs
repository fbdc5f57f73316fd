//! The gateway's books, kept in the workspace's store: what every call may cost and what it came to, answers that may be used
//! again, and how breakers are.
//!
//! Budgets are checked and money is set aside in one immediate transaction, so runs of all processes on the workspace keep
//! them together. What a run spends is in the workspace's ledger. What a day spends is in the user's own as well, which all their
//! workspaces share: money is set aside there first, so that a daily cap holds over all of them. Where there is no such
//! ledger (no home, a read-only one), a day is counted in the workspace alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use assist_base::{Clock, RunId};
use assist_gateway::{
    Books, BreakerStatus, BudgetRefused, Budgets, CacheKey, CachedAnswer, Estimate, KeptAnswer, Reservation,
    Settlement, Spent, StopReason, day_start,
};
use assist_store::{CacheLimits, Entry, LedgerId, Outlay, Owner, Store};
use async_trait::async_trait;

use crate::answers;
use crate::run::lock;

/// [`Books`] over a [`Store`].
pub struct StoreBooks {
    store: Store,
    /// The user's own ledger, of all their workspaces.
    user: Option<Store>,
    /// The calls under way, by their line in the workspace's ledger: their line in the user's.
    open: Mutex<HashMap<i64, LedgerId>>,
    owner: Owner,
    clock: Arc<dyn Clock>,
    cache: CacheLimits,
}

impl StoreBooks {
    /// Books in `store`, kept by the process `owner`.
    pub fn new(store: Store, owner: Owner, clock: Arc<dyn Clock>) -> Self {
        let (user, open, cache) = (None, Mutex::default(), CacheLimits::default());
        Self { store, user, open, owner, clock, cache }
    }

    /// With the user's own ledger, in which the days of all their workspaces are counted.
    #[must_use]
    pub fn with_user(self, user: Option<Store>) -> Self {
        Self { user, ..self }
    }

    /// With other limits for kept answers.
    #[must_use]
    pub fn with_cache(self, cache: CacheLimits) -> Self {
        Self { cache, ..self }
    }

    /// Sets money aside in the user's ledger, if the day allows it. None where there is none that can be used.
    async fn reserve_of_user(
        &self,
        entry: &Entry,
        budgets: Budgets,
    ) -> Result<Option<LedgerId>, BudgetRefused> {
        let Some(user) = &self.user else { return Ok(None) };
        let now = self.clock.now();
        // A run is at home in one workspace, whose ledger knows it.
        let (of_day, most) = (Budgets { run_usd: None, ..budgets }, entry.cost_usd);
        let allows = move |outlay: &Outlay| of_day.check(&spent(outlay), most);
        let reserved = match of_day.any() {
            true => user.ledger().reserve_if(entry.clone(), day_start(now), now, allows).await,
            // Nobody asks what the day has cost.
            false => user.ledger().reserve(entry.clone(), now).await.map(Ok),
        };
        match reserved {
            Ok(Ok(id)) => Ok(Some(id)),
            Ok(Err(over)) => Err(BudgetRefused { reason: over.to_string() }),
            Err(error) => {
                tracing::warn!(%error, "a call is not in the user's ledger; the workspace's counts it");
                Ok(None)
            }
        }
    }

    async fn withdraw_of_user(&self, id: Option<LedgerId>) {
        if let (Some(user), Some(id)) = (&self.user, id)
            && let Err(error) = user.ledger().withdraw(id).await
        {
            tracing::warn!(%error, "a call that was not made stays in the user's ledger");
        }
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
        let ledger = self.store.ledger();
        let here = async |entry| match budgets.any() {
            true => ledger.reserve_if(entry, day_start(now), now, allows).await,
            false => ledger.reserve(entry, now).await.map(Ok),
        };
        let (of_user, here) = if budgets.any() {
            // What is set aside here and then refused by the user's ledger could get another call refused meanwhile.
            let of_user = self.reserve_of_user(&entry, budgets).await?;
            (of_user, here(entry).await)
        } else {
            // Nothing can refuse it: both ledgers are waited for at once.
            let (here, of_user) = tokio::join!(here(entry.clone()), self.reserve_of_user(&entry, budgets));
            (of_user?, here)
        };
        let refused = match here {
            Ok(Ok(id)) => {
                if let Some(of_user) = of_user {
                    lock(&self.open).insert(id.0, of_user);
                }
                return Ok(Reservation { id: id.0 });
            }
            Ok(Err(over)) => over.to_string(),
            // A call that cannot be accounted for is not made.
            Err(error) => format!("The call was not made: {error}"),
        };
        self.withdraw_of_user(of_user).await;
        Err(BudgetRefused { reason: refused })
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
        let now = self.clock.now();
        let of_user = lock(&self.open).remove(&reservation.id);
        // First of all what nobody must pay for again.
        let keep = settlement.keep.map(|keep| answers::checkpoint(*keep));
        let id = LedgerId(reservation.id);
        let here = async {
            if let Err(error) = self.store.ledger().settle_keeping(id, used.clone(), keep, now).await {
                tracing::error!(%error, "a call could not be settled in the ledger");
            }
        };
        let of_user = async {
            if let (Some(user), Some(id)) = (&self.user, of_user)
                && let Err(error) = user.ledger().settle(id, used.clone(), now).await
            {
                tracing::error!(%error, "a call could not be settled in the user's ledger");
            }
        };
        tokio::join!(here, of_user);
    }

    async fn spent(&self, run: RunId) -> Option<Spent> {
        let day = day_start(self.clock.now());
        let here = match self.store.ledger().outlay(run, day).await {
            Ok(outlay) => spent(&outlay),
            Err(error) => {
                tracing::warn!(%error, "the ledger could not be read");
                return None;
            }
        };
        let Some(user) = &self.user else { return Some(here) };
        match user.ledger().outlay(run, day).await {
            Ok(everywhere) => Some(over_all(here, &spent(&everywhere))),
            Err(error) => {
                tracing::warn!(%error, "the user's ledger could not be read");
                Some(here)
            }
        }
    }

    async fn kept(&self, run: RunId, name: &str) -> Option<KeptAnswer> {
        match answers::kept(&self.store, run, name).await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(%error, "it could not be seen whether an answer is kept");
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

/// What the workspace knows of a run, and what all workspaces know of the day. A ledger of the user that was lost or begun
/// anew does not make what was spent here undone.
pub(crate) fn over_all(here: Spent, everywhere: &Spent) -> Spent {
    Spent {
        day_usd: here.day_usd.max(everywhere.day_usd),
        day_calls: here.day_calls.max(everywhere.day_calls),
        unpriced_calls: here.unpriced_calls.max(everywhere.unpriced_calls),
        saved_usd: here.saved_usd.max(everywhere.saved_usd),
        ..here
    }
}

pub(crate) fn spent(outlay: &Outlay) -> Spent {
    let Outlay { run_usd, run_calls, day_usd, day_calls, unpriced_calls, saved_usd } = *outlay;
    Spent { run_usd, day_usd, run_calls, day_calls, unpriced_calls, saved_usd }
}
