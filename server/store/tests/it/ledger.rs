use assist_base::RunId;
use assist_store::{Entry, LedgerId, Settlement, Store, StoreError, Totals};

use crate::at;

fn entry(run: RunId, cost_usd: Option<f64>) -> Entry {
    Entry {
        run,
        agent: "builder".to_owned(),
        model: "anthropic/claude".to_owned(),
        tier: "B".to_owned(),
        tokens: 1_000,
        cost_usd,
    }
}

#[tokio::test]
async fn a_settled_call_costs_what_it_cost_and_an_open_one_what_it_may() {
    let store = Store::in_memory().unwrap();
    let (run, other) = (RunId::new(), RunId::new());
    let first = store.ledger().reserve(entry(run, Some(0.50)), at(0)).await.unwrap();
    store.ledger().reserve(entry(run, Some(0.25)), at(1)).await.unwrap();
    let local = store.ledger().reserve(entry(other, None), at(2)).await.unwrap();

    let used = Settlement {
        input: 100,
        output: 20,
        cache_read: 7,
        cache_write: 3,
        cost_usd: Some(0.125),
        estimated: false,
    };
    store.ledger().settle(first, used, at(3)).await.unwrap();
    // Settled once: a late second answer does not count twice.
    store.ledger().settle(first, Settlement { input: 9_999, ..used }, at(4)).await.unwrap();
    store
        .ledger()
        .settle(local, Settlement { output: 5, estimated: true, ..Settlement::default() }, at(4))
        .await
        .unwrap();

    assert_eq!(
        store.ledger().totals(run).await.unwrap(),
        Totals {
            calls: 2,
            open: 1,
            input: 100,
            output: 20,
            cache_read: 7,
            cache_write: 3,
            cost_usd: 0.125,
            reserved_tokens: 1_000,
            reserved_usd: 0.25,
            unpriced: 0,
            estimated: 0,
        }
    );
    let later = store.ledger().totals_since(at(1)).await.unwrap();
    assert_eq!((later.calls, later.open, later.output, later.unpriced, later.estimated), (2, 1, 5, 1, 1));
    assert_eq!(store.ledger().totals(RunId::new()).await.unwrap(), Totals::default());
}

#[tokio::test]
async fn figures_that_are_not_money_do_not_spoil_the_sums() {
    let store = Store::in_memory().unwrap();
    let run = RunId::new();
    for cost in [f64::NAN, f64::INFINITY, -5.0, 1.0] {
        let id = store.ledger().reserve(entry(run, Some(cost)), at(0)).await.unwrap();
        let used = Settlement { cost_usd: Some(cost), input: u64::MAX, ..Settlement::default() };
        store.ledger().settle(id, used, at(1)).await.unwrap();
    }
    let totals = store.ledger().totals(run).await.unwrap();
    assert_eq!((totals.cost_usd, totals.unpriced, totals.calls), (1.0, 2, 4));

    let missing = store.ledger().settle(LedgerId(99), Settlement::default(), at(1)).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}
