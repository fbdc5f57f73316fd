//! Breakers, fallbacks, limits, budgets, kept answers and the choice of a model, around real calls.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{KEY, Naps, call, config, read};
use assist_base::{Clock, ManualClock, RunId, Secret, SystemClock, Timestamp};
use assist_gateway::{
    Books, BreakerState, Budgets, CacheLimits, Call, Complexity, Extras, Gateway, GatewayConfig,
    GatewayError, MemoryBooks, NoBooks, Plan, ProviderConfig, RateLimit, Reuse, StopReason, Tier,
};
use assist_simulator::{Ending, Failure, Place, Reply, Rule, Script, Simulator};
use async_trait::async_trait;
use tokio::sync::watch;

fn manual() -> ManualClock {
    ManualClock::new(Timestamp(1_700_000_000_000))
}

fn on(config: GatewayConfig, books: Arc<dyn Books>, clock: &ManualClock) -> Gateway {
    Gateway::new(config, books, Arc::new(clock.clone())).unwrap()
}

/// Several providers, each at its own simulator.
fn several(places: &[(&str, &Simulator)]) -> GatewayConfig {
    let mut config = GatewayConfig::default();
    for (name, simulator) in places {
        let settings = ProviderConfig {
            base_url: Some(simulator.url.clone()),
            key: Some(Secret::new(KEY)),
            model: Some(format!("{name}-model")),
            ..ProviderConfig::default()
        };
        config.providers.insert((*name).to_owned(), settings);
    }
    config.provider = Some(places[0].0.to_owned());
    config
}

/// A clock that tells who goes to sleep for how long.
struct Heard {
    clock: ManualClock,
    naps: watch::Sender<Vec<Duration>>,
}

impl Heard {
    fn new(clock: ManualClock) -> Arc<Self> {
        Arc::new(Self { clock, naps: watch::Sender::default() })
    }

    /// Waits until someone sleeps so.
    async fn nap(&self, wanted: impl Fn(Duration) -> bool) -> Duration {
        let mut naps = self.naps.subscribe();
        let naps = naps.wait_for(|naps| naps.iter().any(|nap| wanted(*nap))).await.unwrap();
        naps.iter().copied().find(|nap| wanted(*nap)).unwrap()
    }
}

#[async_trait]
impl Clock for Heard {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        self.naps.send_modify(|naps| naps.push(duration));
        self.clock.sleep(duration).await;
    }
}

/// Advances the clock whenever something waits on it, until the future is done.
async fn passing<T>(clock: &ManualClock, future: impl Future<Output = T>) -> T {
    tokio::pin!(future);
    loop {
        tokio::select! {
            biased;
            done = &mut future => return done,
            () = tokio::task::yield_now() => if clock.sleepers() > 0 {
                clock.advance(Duration::from_millis(50));
            }
        }
    }
}

#[tokio::test]
async fn what_keeps_failing_is_left_alone_and_tried_again_once() {
    let script = Script::new([
        Rule::always(Reply::error(Failure::HangUp)).times(5),
        Rule::always(Reply::text("back")),
    ]);
    let simulator = Simulator::start(script);
    let clock = manual();
    let books = Arc::new(MemoryBooks::new(Arc::new(clock.clone())));
    let gateway = on(config("anthropic", &simulator.url), books.clone(), &clock);
    for _ in 0..5 {
        let error = gateway.stream(call("x")).await.unwrap_err();
        assert!(matches!(error, GatewayError::Network { .. }), "{error}");
    }
    let error = gateway.stream(call("x")).await.unwrap_err();
    assert!(matches!(error, GatewayError::LeftAlone { .. }) && error.retryable(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("anthropic/sim-model failed 5 times in a row and is left alone for 30 s"),
        "{text}"
    );
    assert!(text.contains("the connection broke, so try again"), "the reason stays visible: {text}");
    assert_eq!(simulator.requests().len(), 5, "it was not asked");
    let listed = gateway.breakers().await;
    assert_eq!((listed[0].name.as_str(), listed[0].state), ("anthropic/sim-model", BreakerState::Open));

    // Another process, or this one after a restart, knows it from the books.
    let restarted = on(config("anthropic", &simulator.url), books.clone(), &clock);
    assert!(matches!(restarted.stream(call("x")).await.unwrap_err(), GatewayError::LeftAlone { .. }));
    // Another model of the same provider is not touched by it.
    let mut other = call("x");
    other.model = Some("anthropic/other".to_owned());
    assert_eq!(read(restarted.stream(other).await.unwrap()).await.text, "back");

    // A check that finds it well closes it, in a third process too.
    let third = on(config("anthropic", &simulator.url), books.clone(), &clock);
    third.check("anthropic").await;
    assert!(books.kept_breakers().await.iter().all(|status| status.state == BreakerState::Closed));

    clock.advance(Duration::from_secs(30));
    assert_eq!(read(gateway.stream(call("x")).await.unwrap()).await.text, "back");
    assert_eq!(gateway.breakers().await[0].state, BreakerState::Closed);
    assert!(books.kept_breakers().await.iter().all(|status| status.state == BreakerState::Closed));
    // A call that was refused before it was made has no row in the ledger.
    assert_eq!(books.entries().len(), 7);
}

#[tokio::test]
async fn answers_that_break_off_count_and_wrong_questions_do_not() {
    let simulator =
        Simulator::start(Script::always(Reply::text("one two").cut(Place::Char(3), Ending::CleanEnd)));
    let clock = manual();
    let gateway = on(config("openai", &simulator.url), Arc::new(NoBooks), &clock);
    for _ in 0..5 {
        assert_eq!(read(gateway.stream(call("x")).await.unwrap()).await.done.stop, StopReason::Cut);
    }
    assert!(matches!(gateway.stream(call("x")).await.unwrap_err(), GatewayError::LeftAlone { .. }));
    // Seen to be well by a check, it is asked again at once.
    assert!(gateway.check("openai").await.detail.contains("answers"));
    assert!(gateway.stream(call("x")).await.is_ok());

    for failure in [Failure::Unauthorized, Failure::ContextTooLong, Failure::ModelNotFound] {
        let simulator = Simulator::start(Script::always(Reply::error(failure.clone())));
        let gateway = on(config("openai", &simulator.url), Arc::new(NoBooks), &clock);
        for _ in 0..8 {
            let error = gateway.stream(call("x")).await.unwrap_err();
            assert!(!matches!(error, GatewayError::LeftAlone { .. }), "{failure:?}");
        }
    }
}

#[tokio::test]
async fn the_same_breakers_stand_before_everything_outside() {
    #[derive(Debug, thiserror::Error)]
    #[error("no answer")]
    struct Away;
    let clock = manual();
    let gateway = on(GatewayConfig::default(), Arc::new(NoBooks), &clock);
    for _ in 0..5 {
        gateway.outside("search:web", |_| true, async { Err::<(), _>(Away) }).await.unwrap_err();
    }
    let refused = gateway.outside("search:web", |_: &Away| true, async { Ok(()) }).await.unwrap_err();
    assert!(refused.to_string().starts_with("search:web failed 5 times in a row"), "{refused}");
    gateway.reset_breaker("search:web").await;
    gateway.outside("search:web", |_: &Away| true, async { Ok(()) }).await.unwrap();
}

#[tokio::test]
async fn the_next_model_of_the_tier_is_asked() {
    let away = Simulator::start(Script::always(Reply::error(Failure::Overloaded)));
    let broke = Simulator::start(Script::always(Reply::error(Failure::NoCredit)));
    let well = Simulator::start(Script::always(Reply::text("there")));
    let clock = manual();
    let books = Arc::new(MemoryBooks::new(Arc::new(clock.clone())));
    let config = several(&[("anthropic", &away), ("openai", &broke), ("gemini", &well)]);
    let gateway = on(config.clone(), books.clone(), &clock);
    let stream = passing(&clock, gateway.stream(call("x"))).await.unwrap();
    let choice = stream.choice().clone();
    assert_eq!(choice.model.to_string(), "gemini/gemini-model");
    let passed: Vec<String> = choice.passed_over.iter().map(|(model, _)| model.to_string()).collect();
    assert_eq!(passed, ["anthropic/anthropic-model", "openai/openai-model"]);
    assert!(choice.passed_over[1].1.contains("no quota or credit left"), "{choice:?}");
    assert_eq!(read(stream).await.text, "there");
    assert_eq!(away.requests().len(), 3, "it was tried again before it was given up");
    let reasons: Vec<String> = books.entries().iter().map(|entry| entry.estimate.reason.clone()).collect();
    assert_eq!(reasons[0], "the model of tier B");
    assert!(reasons[2].contains("openai/openai-model did not answer"), "{reasons:?}");
    assert!(books.entries()[..2].iter().all(|entry| entry.settlement.as_ref().unwrap().usage.input == 0));

    // A model that was named is not replaced, nor where that is not wanted; what is set up wrong is told.
    let mut named = call("x");
    named.model = Some("anthropic/anthropic-model".to_owned());
    assert!(passing(&clock, gateway.stream(named)).await.is_err());
    let alone = Extras { no_fallback: true, ..Extras::default() };
    assert!(passing(&clock, gateway.stream_with(call("x"), alone)).await.is_err());
    let locked = Simulator::start(Script::always(Reply::error(Failure::Unauthorized)));
    let gateway = on(several(&[("anthropic", &locked), ("gemini", &well)]), Arc::new(NoBooks), &clock);
    assert!(matches!(gateway.stream(call("x")).await.unwrap_err(), GatewayError::Auth { .. }));
    // Where nobody answers, the first error is told.
    let gateway = on(several(&[("anthropic", &away), ("openai", &broke)]), Arc::new(NoBooks), &clock);
    let error = passing(&clock, gateway.stream(call("x"))).await.unwrap_err();
    assert!(error.to_string().starts_with("anthropic is overloaded"), "{error}");
    // A list of one's own is kept to.
    let mut listed = config;
    listed.fallbacks = Some([Vec::new(), vec!["gemini/mine".to_owned()], Vec::new()]);
    let gateway = on(listed, Arc::new(NoBooks), &clock);
    let stream = passing(&clock, gateway.stream(call("x"))).await.unwrap();
    assert_eq!(stream.choice().model.to_string(), "gemini/mine");
}

#[tokio::test]
async fn a_rate_is_kept_on_the_clock() {
    let simulator = Simulator::start(Script::always(Reply::text("x")));
    let clock = manual();
    let mut config = config("openai", &simulator.url);
    let limit = RateLimit { requests_per_minute: Some(2), ..RateLimit::default() };
    config.limits.insert("openai".to_owned(), limit);
    let clock = Heard::new(clock);
    let gateway = Gateway::new(config, Arc::new(NoBooks), clock.clone()).unwrap();
    for _ in 0..2 {
        read(gateway.stream(call("x")).await.unwrap()).await;
    }
    let third = tokio::spawn(async move { read(gateway.stream(call("x")).await.unwrap()).await });
    let wait = clock.nap(|nap| (Duration::from_secs(29)..=Duration::from_secs(30)).contains(&nap)).await;
    assert_eq!(simulator.requests().len(), 2, "a burst went through, the third waits its turn");
    clock.clock.advance(wait);
    assert_eq!(third.await.unwrap().text, "x");
}

#[tokio::test]
async fn who_was_told_to_wait_makes_everyone_wait() {
    let script = Script::first_then(Reply::error(Failure::RateLimited(Some(20))), Reply::text("x"));
    let simulator = Simulator::start(script);
    let clock = manual();
    let clock = Heard::new(clock);
    let gateway = Gateway::new(config("openai", &simulator.url), Arc::new(NoBooks), clock.clone()).unwrap();
    let first = tokio::spawn({
        let gateway = gateway.clone();
        async move { read(gateway.stream(call("x")).await.unwrap()).await }
    });
    // Waiting to try again is a little longer than what was said.
    let said = Duration::from_secs(20);
    clock.nap(|nap| nap > said && nap < said + Duration::from_secs(1)).await;
    let second = tokio::spawn(async move { read(gateway.stream(call("y")).await.unwrap()).await });
    clock.nap(|nap| nap == said).await;
    assert_eq!(simulator.requests().len(), 1, "the second run waits without asking");
    clock.clock.advance(Duration::from_secs(21));
    assert_eq!((first.await.unwrap().text, second.await.unwrap().text), ("x".into(), "x".into()));
}

fn sonnet(simulator: &Simulator) -> GatewayConfig {
    let mut config = config("anthropic", &simulator.url);
    config.tiers[1] = Some("claude-sonnet-4-6".to_owned());
    config
}

#[tokio::test]
async fn two_hundred_runs_at_once_do_not_overspend_together() {
    // Each call may cost up to 1.5 cents and does cost what the usage says.
    let usage = assist_simulator::Usage { input: 1_000, output: 800, ..Default::default() };
    let simulator = Simulator::start(Script::always(Reply { usage: Some(usage), ..Reply::text("x") }));
    let books = Arc::new(MemoryBooks::new(SystemClock::shared()));
    let mut config = sonnet(&simulator);
    config.budgets = Budgets { plan: Plan::Free, ..Budgets::default() };
    let gateway = Gateway::new(config, books.clone(), SystemClock::shared()).unwrap();
    let runs: Vec<_> = (0..200)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move {
                let mut call = call("x");
                call.run = RunId::new();
                match gateway.stream(call).await {
                    Ok(stream) => Ok(read(stream).await.done.cost_usd.unwrap()),
                    Err(error) => Err(error),
                }
            })
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
    let summary = books.spent(RunId::new()).await.unwrap();
    assert!((summary.day_usd - spent).abs() < 1e-9, "{summary:?}");
}

#[tokio::test]
async fn a_runs_own_budget_and_the_next_day() {
    let usage = assist_simulator::Usage { input: 1_000, output: 1_000, ..Default::default() };
    let simulator = Simulator::start(Script::always(Reply { usage: Some(usage), ..Reply::text("x") }));
    let clock = manual();
    let books = Arc::new(MemoryBooks::new(Arc::new(clock.clone())));
    let mut config = sonnet(&simulator);
    config.budgets = Budgets { run_usd: Some(0.02), day_usd: Some(0.04), ..Budgets::default() };
    let gateway = on(config, books.clone(), &clock);
    let one = call("x");
    read(gateway.stream(one.clone()).await.unwrap()).await;
    let error = gateway.stream(one.clone()).await.unwrap_err();
    assert!(error.to_string().contains("the run's budget of $0.02"), "{error}");
    let GatewayError::Budget { usage: Some(usage), .. } = error else { panic!("{error}") };
    assert_eq!((usage.spent.run_calls, usage.spent.day_calls), (1, 1));
    assert!(usage.to_string().contains("this run: $0.0180 in 1 calls"), "{usage}");
    read(gateway.stream(call("x")).await.unwrap()).await;
    let error = gateway.stream(call("x")).await.unwrap_err();
    assert!(error.to_string().contains("today's budget of $0.04"), "{error}");
    clock.advance(Duration::from_secs(24 * 60 * 60));
    read(gateway.stream(call("x")).await.unwrap()).await;
    assert!(gateway.stream(one).await.is_err(), "a run's budget has no day");
}

#[tokio::test]
async fn a_deterministic_step_is_paid_once() {
    let simulator = Simulator::start(Script::always(Reply::text("größe").tool("read", r#"{"path":"a"}"#)));
    let clock = manual();
    let limits = CacheLimits { age: Duration::from_secs(60), ..CacheLimits::default() };
    let books = Arc::new(MemoryBooks::with_cache(Arc::new(clock.clone()), limits));
    let gateway = on(sonnet(&simulator), books.clone(), &clock);
    let again = || Extras { reuse: Reuse::Exact, ..Extras::default() };
    // Until the caller has found an answer good, it is not given again.
    gateway.ask(call("x"), again()).await.unwrap();
    let first = gateway.ask(call("x"), again()).await.unwrap();
    assert_eq!(simulator.requests().len(), 2);
    gateway.keep(&first).await;
    let second = gateway.ask(call("x"), again()).await.unwrap();
    assert_eq!(
        second.reuse.as_ref().map(|reuse| reuse.reused),
        Some(true),
        "what was taken from the cache says so"
    );
    assert_eq!((&second.text, &second.turn), (&first.text, &first.turn));
    assert_eq!(second.done.stop, StopReason::Tool);
    assert_eq!((second.done.cost_usd, second.done.usage.output), (Some(0.0), 0));
    assert_eq!(second.choice.reason, "the same request was answered before");
    assert_eq!(simulator.requests().len(), 2);
    let saved = books.entries()[2].settlement.as_ref().unwrap().saved_usd;
    assert!(saved > 0.0 && Some(saved) == first.done.cost_usd, "{saved}");

    // Anything else about the request is another request; talk with a user is never answered so.
    let mut hot = call("x");
    hot.request.temperature = Some(0.7);
    let mut longer = call("x");
    longer.request.max_output_tokens = 999;
    let mut ruled = call("x");
    ruled.request.system = "Be long.".to_owned();
    for (call, extras) in [
        (call("y"), again()),
        (hot.clone(), again()),
        (hot, again()),
        (longer, again()),
        (ruled, again()),
        (call("x"), Extras::default()),
        (call("x"), Extras::default()),
    ] {
        let before = simulator.requests().len();
        let answer = gateway.ask(call, extras).await.unwrap();
        gateway.keep(&answer).await;
        assert_eq!(simulator.requests().len(), before + 1);
    }
    // What turns out to be no good is asked for anew.
    let before = simulator.requests().len();
    assert_eq!(gateway.ask(call("y"), again()).await.unwrap().done.cost_usd, Some(0.0));
    gateway.forget(&gateway.ask(call("y"), again()).await.unwrap().reuse.unwrap().key).await;
    assert_eq!(simulator.requests().len(), before);
    gateway.ask(call("y"), again()).await.unwrap();
    assert_eq!(simulator.requests().len(), before + 1);
    clock.advance(Duration::from_secs(61));
    let before = simulator.requests().len();
    gateway.ask(call("x"), again()).await.unwrap();
    assert_eq!(simulator.requests().len(), before + 1, "it has grown too old");
}

#[tokio::test]
async fn what_was_cut_is_not_kept() {
    for reply in [
        Reply::text("one two").cut(Place::Char(3), Ending::CleanEnd),
        Reply::text("one two").cut(Place::Char(3), Ending::LengthStop),
        Reply::text("one two").stop(assist_simulator::Stop::Filter),
    ] {
        let simulator = Simulator::start(Script::first_then(reply, Reply::text("whole")));
        let clock = manual();
        let books = Arc::new(MemoryBooks::new(Arc::new(clock.clone())));
        let gateway = on(sonnet(&simulator), books, &clock);
        let again = || Extras { reuse: Reuse::Exact, ..Extras::default() };
        let cut = gateway.ask(call("x"), again()).await.unwrap();
        assert!(!cut.is_whole());
        gateway.keep(&cut).await;
        assert_eq!(gateway.ask(call("x"), again()).await.unwrap().text, "whole");
    }
}

#[tokio::test]
async fn the_providers_cache_is_in_the_books_as_saved() {
    let usage = assist_simulator::Usage { input: 100, output: 10, cache_read: 100_000, cache_write: 0 };
    let simulator = Simulator::start(Script::always(Reply { usage: Some(usage), ..Reply::text("x") }));
    let books = Arc::new(MemoryBooks::new(SystemClock::shared()));
    let gateway = Gateway::new(sonnet(&simulator), books.clone(), SystemClock::shared()).unwrap();
    read(gateway.stream(call("x")).await.unwrap()).await;
    let settled = books.entries()[0].settlement.clone().unwrap();
    assert!((settled.saved_usd - 0.27).abs() < 1e-9, "{settled:?}");
    assert_eq!(settled.usage.cache_read, 100_000);
}

#[tokio::test]
async fn the_cheapest_model_that_can_do_it_answers_and_the_reason_is_kept() {
    let simulator = Simulator::start(Script::always(Reply::text("x")));
    let mut config = config("anthropic", &simulator.url);
    config.providers.get_mut("anthropic").unwrap().model = None;
    let clock = manual();
    let books = Arc::new(MemoryBooks::new(Arc::new(clock.clone())));
    let gateway = on(config.clone(), books.clone(), &clock);
    for (complexity, expected) in [
        (Complexity::Trivial, "claude-haiku-4-5"),
        (Complexity::Moderate, "claude-sonnet-4"),
        (Complexity::Complex, "claude-opus-4"),
    ] {
        let extras = Extras { complexity: Some(complexity), ..Extras::default() };
        let hard = Call { tier: Tier::C, ..call("x") };
        let answer = gateway.ask(hard, extras).await.unwrap();
        assert!(answer.choice.model.model.starts_with(expected), "{:?}", answer.choice);
        let entry = books.entries().pop().unwrap();
        assert!(
            entry.estimate.reason.starts_with(&format!("the task is {complexity}: the cheapest")),
            "{entry:?}"
        );
        assert_eq!(entry.estimate.model, answer.choice.model.model);
    }
    // A tier allows nothing dearer than its own model.
    let extras = Extras { complexity: Some(Complexity::Complex), ..Extras::default() };
    let answer = gateway.ask(call("x"), extras).await.unwrap();
    assert!(answer.choice.model.model.starts_with("claude-sonnet-4"), "{:?}", answer.choice);
    assert!(answer.choice.reason.contains("no model that tier B allows"), "{:?}", answer.choice);
    // With little left, a lesser model.
    config.budgets = Budgets { run_usd: Some(0.01), ..Budgets::default() };
    let gateway = on(config, Arc::new(MemoryBooks::new(Arc::new(clock.clone()))), &clock);
    let extras = Extras { complexity: Some(Complexity::Complex), ..Extras::default() };
    let hard = Call { tier: Tier::C, ..call("x") };
    let answer = gateway.ask(hard, extras).await.unwrap();
    assert_eq!(answer.choice.model.model, "claude-haiku-4-5", "{:?}", answer.choice);
    assert!(answer.choice.reason.contains("of the budget is left"), "{:?}", answer.choice);
}

#[tokio::test]
async fn models_are_listed_with_what_is_known_of_them() {
    let simulator = Simulator::start(Script { models: vec!["llama3".to_owned()], ..Script::default() });
    let mut config = config("ollama", &simulator.url);
    config.providers.get_mut("ollama").unwrap().model = None;
    config.tiers[2] = Some("ollama/big".to_owned());
    let gateway = Gateway::new(config, Arc::new(NoBooks), Arc::new(Naps::default())).unwrap();
    assert!(gateway.find_local().await);
    let models = gateway.models();
    let named = |name: &str| models.iter().find(|listing| listing.model.model == name).unwrap();
    let llama = named("llama3");
    assert_eq!((llama.configured, llama.free, llama.tiers.as_slice()), (true, true, &[Tier::A, Tier::B][..]));
    assert_eq!(named("big").skill, Complexity::Complex, "who serves the hard tier is trusted with it");
    let opus = named("claude-opus-4-6");
    assert!(!opus.configured && opus.facts.as_ref().unwrap().context == Some(1_000_000));
    assert!(models[0].configured, "those that can be called come first");
}
