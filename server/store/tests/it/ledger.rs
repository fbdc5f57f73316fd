use assist_base::RunId;
use assist_store::{CostsBy, Entry, LedgerId, Outlay, Owner, Settlement, Store, StoreError, Totals};

use crate::at;

fn entry(run: RunId, cost_usd: Option<f64>) -> Entry {
    Entry {
        run,
        agent: "builder".to_owned(),
        model: "anthropic/claude".to_owned(),
        tier: "B".to_owned(),
        tokens: 1_000,
        cost_usd,
        reason: None,
        owner: None,
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
        saved_usd: 0.5,
        ..Settlement::default()
    };
    store.ledger().settle(first, used.clone(), at(3)).await.unwrap();
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
            saved_usd: 0.5,
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

#[tokio::test]
async fn costs_are_summed_by_run_agent_model_tier_and_day() {
    let store = Store::in_memory().unwrap();
    let (run, other) = (RunId::new(), RunId::new());
    const DAY: i64 = 86_400_000;
    for (run, agent, model, cost, time) in [
        (run, "builder", "a/x", Some(1.0), 0),
        (run, "architect", "a/y", Some(0.5), DAY),
        (other, "builder", "l/z", None, DAY + 1),
    ] {
        let entry = Entry { agent: agent.to_owned(), model: model.to_owned(), ..entry(run, cost) };
        let id = store.ledger().reserve(entry, at(time)).await.unwrap();
        let used = Settlement { input: 10, cost_usd: cost, ..Settlement::default() };
        store.ledger().settle(id, used, at(time)).await.unwrap();
    }
    let by = async |by, run, since| {
        let found = store.ledger().totals_by(by, run, since).await.unwrap();
        found
            .into_iter()
            .map(|(name, sums)| format!("{name}={}/{}", sums.cost_usd, sums.calls))
            .collect::<Vec<_>>()
    };
    assert_eq!(by(CostsBy::Day, None, at(0)).await, ["2026-03-01=1/1", "2026-03-02=0.5/2"]);
    assert_eq!(by(CostsBy::Agent, None, at(0)).await, ["builder=1/2", "architect=0.5/1"]);
    assert_eq!(by(CostsBy::Model, None, at(1)).await, ["a/y=0.5/1", "l/z=0/1"]);
    assert_eq!(by(CostsBy::Tier, Some(run), at(0)).await, ["B=1.5/2"]);
    assert_eq!(by(CostsBy::Run, None, at(0)).await, [format!("{run}=1.5/2"), format!("{other}=0/1")]);
}

fn process(pid: u32, boot: &str) -> Owner {
    Owner { pid, boot: boot.to_owned(), started: "s".to_owned(), label: String::new() }
}

#[tokio::test]
async fn a_reservation_is_refused_by_what_others_have_set_aside() {
    let store = Store::in_memory().unwrap();
    let (run, other) = (RunId::new(), RunId::new());
    let allow = |limit: f64| {
        move |outlay: &Outlay| if outlay.day_usd + 0.25 <= limit { Ok(()) } else { Err(*outlay) }
    };
    let yesterday = store.ledger().reserve(entry(run, Some(9.0)), at(-1)).await.unwrap();
    store.ledger().reserve_if(entry(run, Some(0.25)), at(0), at(1), allow(0.5)).await.unwrap().unwrap();
    let second =
        store.ledger().reserve_if(entry(other, Some(0.25)), at(0), at(2), allow(0.5)).await.unwrap().unwrap();
    let refused = store.ledger().reserve_if(entry(run, Some(0.25)), at(0), at(3), allow(0.5)).await.unwrap();
    let outlay = refused.unwrap_err();
    assert_eq!((outlay.run_usd, outlay.run_calls, outlay.day_usd, outlay.day_calls), (9.25, 2, 0.5, 2));
    // What a settled call did not use is there for others again.
    let used = Settlement { cost_usd: Some(0.1), ..Settlement::default() };
    store.ledger().settle(second, used, at(4)).await.unwrap();
    store.ledger().reserve_if(entry(run, Some(0.25)), at(0), at(5), allow(0.6)).await.unwrap().unwrap();
    store.ledger().settle(yesterday, Settlement::default(), at(6)).await.unwrap();
    assert_eq!(store.ledger().calls(None, at(0), 99).await.unwrap().len(), 3);
    let unpriced = store.ledger().outlay(run, at(-9)).await.unwrap();
    assert_eq!(unpriced.unpriced_calls, 1, "settled without a price");
}

#[tokio::test]
async fn what_the_dead_reserved_counts_as_spent_until_they_say_otherwise() {
    let store = Store::in_memory().unwrap();
    let run = RunId::new();
    let by = |owner: Option<Owner>| Entry { owner, ..entry(run, Some(0.25)) };
    let mut ids = Vec::new();
    for owner in [
        Some(process(1, "here")),
        Some(process(2, "here")),
        Some(process(3, "here")),
        Some(process(2, "away")),
        None,
    ] {
        ids.push(store.ledger().reserve(by(owner), at(0)).await.unwrap());
    }
    let settle = async |now| {
        let alive = |owner: &Owner| owner.pid == 3;
        let hour = std::time::Duration::from_secs(3_600);
        store.ledger().settle_of_the_dead(process(1, "here"), at(now), hour, alive).await.unwrap()
    };
    // One's own and those of the living stay; of those who cannot be looked up it is believed only after a while.
    assert_eq!(settle(1_000).await, 1);
    let totals = store.ledger().totals(run).await.unwrap();
    assert_eq!((totals.open, totals.cost_usd, totals.estimated), (4, 0.25, 1));
    assert_eq!(settle(3_600_000).await, 2);
    assert_eq!(settle(3_600_000).await, 0);
    let late = Settlement { cost_usd: Some(0.125), ..Settlement::default() };
    store.ledger().settle(ids[3], late.clone(), at(3_600_001)).await.unwrap();
    store.ledger().settle(ids[3], Settlement { cost_usd: Some(9.0), ..late }, at(3_600_002)).await.unwrap();
    let totals = store.ledger().totals(run).await.unwrap();
    assert_eq!((totals.open, totals.cost_usd, totals.estimated), (2, 0.625, 2));
}
