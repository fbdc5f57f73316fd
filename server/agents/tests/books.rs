//! The books over a real database: budgets hold between runs, between handles on one file, and over restarts; answers are
//! paid once; breakers are remembered.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use assist_agents::books::StoreBooks;
use assist_base::{RunId, Secret, SystemClock};
use assist_gateway::{
    Books, BreakerState, Budgets, Call, Chunk, Extras, Gateway, GatewayConfig, GatewayError, Message, Plan,
    ProviderConfig, Request, Reuse, Tier,
};
use assist_simulator::{Failure, Reply, Script, Simulator, Usage};
use assist_store::{Owner, Store};

fn owner() -> Owner {
    Owner { pid: 1, boot: "b".to_owned(), started: "s".to_owned(), label: "test".to_owned() }
}

fn config(simulator: &Simulator, budgets: Budgets) -> GatewayConfig {
    let provider = ProviderConfig {
        base_url: Some(simulator.url.clone()),
        key: Some(Secret::new("sk-books")),
        ..ProviderConfig::default()
    };
    GatewayConfig {
        providers: BTreeMap::from([("anthropic".to_owned(), provider)]),
        budgets,
        ..GatewayConfig::default()
    }
}

/// What one process has: its own handle on the database, its own gateway.
fn process(folder: &Path, config: GatewayConfig) -> (Store, Gateway) {
    let store = Store::open(folder).expect("the database can be opened");
    let books = StoreBooks::new(store.clone(), owner(), SystemClock::shared());
    let gateway = Gateway::new(config, Arc::new(books), SystemClock::shared());
    (store, gateway.expect("the settings can be used"))
}

fn call(run: RunId) -> Call {
    let request = Request {
        system: "Be brief.".to_owned(),
        messages: vec![Message::user("x")],
        max_output_tokens: 1000,
        temperature: None,
    };
    Call { run, agent: "builder".to_owned(), tier: Tier::B, model: None, request }
}

async fn cost(gateway: &Gateway, call: Call, extras: Extras) -> Result<f64, GatewayError> {
    let mut stream = gateway.stream_with(call, extras).await?;
    loop {
        if let Chunk::Done(done) = stream.next().await.expect("a stream ends with Done") {
            return Ok(done.cost_usd.expect("the price is known"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_runs_of_four_processes_do_not_overspend_a_dollar() {
    // Each call may cost up to 1.5 cents and does cost 1.5.
    let usage = Usage { input: 1_000, output: 800, ..Usage::default() };
    let simulator = Simulator::start(Script::always(Reply { usage: Some(usage), ..Reply::text("x") }));
    let folder = tempfile::tempdir().unwrap();
    let budgets = Budgets { plan: Plan::Free, ..Budgets::default() };
    let processes: Vec<_> = (0..4).map(|_| process(folder.path(), config(&simulator, budgets))).collect();
    let runs: Vec<_> = (0..200)
        .map(|index| {
            let gateway = processes[index % processes.len()].1.clone();
            tokio::spawn(async move { cost(&gateway, call(RunId::new()), Extras::default()).await })
        })
        .collect();
    let (mut spent, mut made, mut refused) = (0.0, 0, 0);
    for run in runs {
        match run.await.unwrap() {
            Ok(cost) => {
                spent += cost;
                made += 1;
            }
            Err(GatewayError::Budget { reason, usage }) => {
                assert!(reason.contains("FREE_DAILY_CAP_USD"), "{reason}");
                let usage = usage.expect("the refusal carries the summary");
                assert!(usage.spent.day_usd <= 1.0 + 1e-9, "{usage}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(spent <= 1.0 && made > 40 && refused > 0 && made + refused == 200, "{spent} {made} {refused}");
    assert_eq!(simulator.requests().len(), made, "a refused call is not made");
    // The same after a restart.
    for (store, _) in &processes {
        store.close().await;
    }
    let (store, gateway) = process(folder.path(), config(&simulator, budgets));
    let totals = store.ledger().totals_since(assist_base::Timestamp(0)).await.unwrap();
    assert!((totals.cost_usd - spent).abs() < 1e-9 && totals.open == 0, "{totals:?}");
    let mut large = call(RunId::new());
    large.request.max_output_tokens = 64_000;
    assert!(matches!(cost(&gateway, large, Extras::default()).await, Err(GatewayError::Budget { .. })));
}

/// One of several workspaces of a user.
fn workspace(user: &Path, folder: &Path, config: GatewayConfig) -> (Store, Gateway) {
    let store = Store::open(folder).expect("the database can be opened");
    let user = Store::open(user).expect("the user's ledger can be opened");
    let books = StoreBooks::new(store.clone(), owner(), SystemClock::shared()).with_user(Some(user));
    let gateway = Gateway::new(config, Arc::new(books), SystemClock::shared());
    (store, gateway.expect("the settings can be used"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_counted_over_all_workspaces_and_a_run_in_its_own() {
    let usage = Usage { input: 1_000, output: 800, ..Usage::default() };
    let simulator = Simulator::start(Script::always(Reply { usage: Some(usage), ..Reply::text("x") }));
    let folder = tempfile::tempdir().unwrap();
    let user = folder.path().join("user");
    let budgets = Budgets { day_usd: Some(0.1), ..Budgets::default() };
    let workspaces: Vec<_> = (0..4)
        .map(|index| workspace(&user, &folder.path().join(index.to_string()), config(&simulator, budgets)))
        .collect();
    let runs: Vec<_> = (0..40)
        .map(|index| {
            let gateway = workspaces[index % workspaces.len()].1.clone();
            tokio::spawn(async move { cost(&gateway, call(RunId::new()), Extras::default()).await })
        })
        .collect();
    let (mut spent, mut made) = (0.0, 0);
    for run in runs {
        match run.await.unwrap() {
            Ok(cost) => {
                spent += cost;
                made += 1;
            }
            Err(GatewayError::Budget { usage, .. }) => {
                let usage = usage.expect("the refusal carries the summary");
                assert!(usage.spent.day_usd <= 0.1 + 1e-9, "{usage}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(spent <= 0.1 && (2..=6).contains(&made), "{spent} {made}");
    assert_eq!(simulator.requests().len(), made, "a refused call is not made");
    let ledger = Store::open(&user).unwrap();
    let since = assist_base::Timestamp(0);
    let totals = ledger.ledger().totals_since(since).await.unwrap();
    assert!((totals.cost_usd - spent).abs() < 1e-9 && totals.open == 0, "{totals:?}");
    assert_eq!(usize::try_from(totals.calls).unwrap(), made);

    // What the workspace's own ledger refuses is not left in the user's.
    let tight = Budgets { run_usd: Some(0.001), ..Budgets::default() };
    let (_, gateway) = workspace(&user, &folder.path().join("0"), config(&simulator, tight));
    assert!(matches!(
        cost(&gateway, call(RunId::new()), Extras::default()).await,
        Err(GatewayError::Budget { .. })
    ));
    assert_eq!(ledger.ledger().totals_since(since).await.unwrap().calls, totals.calls);
    // A ledger of the user that was lost does not make undone what a workspace knows.
    ledger.close().await;
    let elsewhere = folder.path().join("new");
    let (store, gateway) = workspace(&elsewhere, &folder.path().join("0"), config(&simulator, budgets));
    let known = store.ledger().totals_since(since).await.unwrap().cost_usd;
    let mut large = call(RunId::new());
    large.request.max_output_tokens = 6_000;
    let refused = cost(&gateway, large, Extras::default()).await;
    assert_eq!(matches!(refused, Err(GatewayError::Budget { .. })), known > 0.005, "{known} {refused:?}");
}

#[tokio::test]
async fn a_kept_answer_costs_nothing_and_what_it_cost_is_saved() {
    let usage = Usage { input: 1_000, output: 800, ..Usage::default() };
    let simulator = Simulator::start(Script::always(Reply { usage: Some(usage), ..Reply::text("x") }));
    let folder = tempfile::tempdir().unwrap();
    let exact = || Extras { reuse: Reuse::Exact, ..Extras::default() };
    let run = RunId::new();
    let (store, gateway) = process(folder.path(), config(&simulator, Budgets::default()));
    let answer = gateway.ask(call(run), exact()).await.unwrap();
    let first = answer.done.cost_usd.expect("the price is known");
    assert!(first > 0.0);
    gateway.keep(&answer).await;
    store.close().await;
    // Another process, later.
    let (store, gateway) = process(folder.path(), config(&simulator, Budgets::default()));
    assert_eq!(cost(&gateway, call(run), exact()).await.unwrap(), 0.0);
    assert_eq!(simulator.requests().len(), 1);
    let lines = store.ledger().calls(Some(run), assist_base::Timestamp(0), 9).await.unwrap();
    assert!((lines[0].saved_usd - first).abs() < 1e-9, "{lines:?}");
    assert_eq!(lines[0].reason.as_deref(), Some("the same request was answered before"));
    assert_eq!(lines[1].reason.as_deref(), Some("the model of tier B"));
    // What is not said to be deterministic is asked for again.
    cost(&gateway, call(run), Extras::default()).await.unwrap();
    assert_eq!(simulator.requests().len(), 2);
}

#[tokio::test]
async fn a_breaker_stays_open_over_a_restart() {
    let simulator = Simulator::start(Script::always(Reply::error(Failure::ContextTooLong)));
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = process(folder.path(), config(&simulator, Budgets::default()));
    let breakers = assist_gateway::Breakers::new(SystemClock::shared(), Default::default());
    for _ in 0..5 {
        breakers.admit("anthropic/claude-sonnet-4-6").unwrap().failed("it is down");
    }
    let books = StoreBooks::new(store.clone(), owner(), SystemClock::shared());
    for status in breakers.take_changed() {
        books.keep_breaker(&status).await;
    }
    store.close().await;
    let (_, gateway) = process(folder.path(), config(&simulator, Budgets::default()));
    let error = cost(&gateway, call(RunId::new()), Extras::default()).await.unwrap_err();
    assert!(error.to_string().contains("it is down"), "{error}");
    assert_eq!(simulator.all_requests().len(), 0);
    assert_eq!(gateway.breakers().await[0].state, BreakerState::Open);
}
