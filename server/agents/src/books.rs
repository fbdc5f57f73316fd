//! The gateway's books, kept in the workspace's store: what every call was estimated at, and what it came to.

use std::sync::Arc;

use assist_base::Clock;
use assist_gateway::{Books, BudgetRefused, Estimate, Reservation, Settlement};
use assist_store::{Entry, LedgerId, Store};
use async_trait::async_trait;

/// [`Books`] over a [`Store`].
pub struct StoreBooks {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl StoreBooks {
    /// Books in `store`.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}

#[async_trait]
impl Books for StoreBooks {
    async fn reserve(&self, estimate: &Estimate) -> Result<Reservation, BudgetRefused> {
        let entry = Entry {
            run: estimate.run,
            agent: estimate.agent.clone(),
            model: format!("{}/{}", estimate.provider, estimate.model),
            tier: estimate.tier.as_str().to_owned(),
            tokens: estimate.input_tokens.saturating_add(estimate.max_output_tokens),
            cost_usd: estimate.cost_usd,
        };
        match self.store.ledger().reserve(entry, self.clock.now()).await {
            Ok(id) => Ok(Reservation { id: id.0 }),
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
        };
        if let Err(error) = self.store.ledger().settle(LedgerId(reservation.id), used, self.clock.now()).await
        {
            tracing::error!(%error, "a call could not be settled in the ledger");
        }
    }
}
