//! Race mode: the first answer that passes wins, the others are stopped and settled for what they used.

use std::sync::Arc;

use crate::support::{call, config};
use assist_base::SystemClock;
use assist_gateway::{Answer, Budgets, Entrant, Extras, Gateway, MemoryBooks, Validator};
use assist_simulator::{Ending, Failure, Match, Place, Reply, Rule, Script, Simulator};
use async_trait::async_trait;

fn entrants(models: &[&str]) -> Vec<Entrant> {
    models
        .iter()
        .map(|model| Entrant { model: Some(format!("anthropic/{model}")), temperature: None })
        .collect()
}

fn of_model(model: &str, reply: Reply) -> Rule {
    Rule::when(Match { model: Some(model.into()), ..Match::default() }, reply)
}

fn gateway(simulator: &Simulator) -> (Gateway, Arc<MemoryBooks>) {
    let books = Arc::new(MemoryBooks::new(SystemClock::shared()));
    (Gateway::new(config("anthropic", &simulator.url), books.clone(), SystemClock::shared()).unwrap(), books)
}

fn says_right(answer: &Answer) -> Result<(), String> {
    if answer.text.contains("right") { Ok(()) } else { Err(format!("{} is wrong", answer.text)) }
}

#[tokio::test]
async fn the_first_that_passes_wins_and_the_others_are_stopped_and_billed() {
    let simulator = Simulator::start(Script::new([
        of_model("claude-haiku-4-5", Reply::text("wrong")),
        of_model("claude-opus-4-6", Reply::text("a long way to the right answer").stall(Place::Char(10))),
        of_model("claude-sonnet-4-6", Reply::text("right")),
        of_model("cut", Reply::text("right").cut(Place::Char(5), Ending::CleanEnd)),
        of_model("gone", Reply::error(Failure::Unauthorized)),
    ]));
    let (gateway, books) = gateway(&simulator);
    // The validator lets the winner through only when the slow one is on its way and those that lose have lost.
    struct Late<'a>(&'a Simulator, &'a MemoryBooks);
    #[async_trait]
    impl Validator for Late<'_> {
        async fn judge(&self, answer: &Answer) -> Result<(), String> {
            says_right(answer)?;
            self.0.stalled(1).await;
            let is_open = |model: &str| {
                let of_it = self.1.entries().into_iter().find(|entry| entry.estimate.model == model);
                of_it.is_none_or(|entry| entry.settlement.is_none())
            };
            while ["claude-haiku-4-5", "cut", "gone"].into_iter().any(is_open) {
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    }
    let all = entrants(&["claude-haiku-4-5", "claude-opus-4-6", "claude-sonnet-4-6", "cut", "gone"]);
    let won = gateway.race(&call("x"), &Extras::default(), &all, &Late(&simulator, &books)).await.unwrap();
    assert_eq!((won.entrant, won.answer.text.as_str()), (2, "right"));
    assert!(won.lost.iter().all(|(place, _)| [0, 3, 4].contains(place)), "{:?}", won.lost);
    let stopped = simulator.disconnected().await;
    assert_eq!(stopped.asked.unwrap().model, "claude-opus-4-6", "its socket was closed");
    // Settling what was stopped is a task of its own, that the program does not wait for.
    while books.entries().iter().any(|entry| entry.settlement.is_none()) {
        tokio::task::yield_now().await;
    }
    let of = |model: &str| books.entries().into_iter().find(|entry| entry.estimate.model == model).unwrap();
    let slow = of("claude-opus-4-6").settlement.unwrap();
    assert!(slow.usage.estimated && slow.usage.output > 0 && slow.cost_usd.unwrap() > 0.0, "{slow:?}");
    assert_eq!(slow.stop, None);
    assert!(of("claude-haiku-4-5").settlement.unwrap().cost_usd.unwrap() > 0.0, "who lost is billed too");
    assert_eq!(of("gone").settlement.unwrap().usage.input, 0, "who never began is not");
}

#[tokio::test]
async fn temperatures_race_too() {
    let simulator = Simulator::start(Script::always(Reply::text("right")));
    let (gateway, _) = gateway(&simulator);
    let all: Vec<Entrant> =
        [0.0, 0.5].into_iter().map(|t| Entrant { model: None, temperature: Some(t) }).collect();
    let won = gateway.race(&call("x"), &Extras::default(), &all, &says_right).await.unwrap();
    let asked = simulator.requests()[0].json()["temperature"].as_f64().unwrap();
    assert!(won.entrant < 2 && (asked - 0.0).abs() < 1e-6 || (asked - 0.5).abs() < 1e-6);
}

#[tokio::test]
async fn when_nobody_passes_everyones_reason_is_told() {
    let simulator = Simulator::start(Script::new([
        of_model("a", Reply::text("no")),
        of_model("b", Reply::error(Failure::ModelNotFound)),
    ]));
    let (gateway, books) = gateway(&simulator);
    let lost =
        gateway.race(&call("x"), &Extras::default(), &entrants(&["a", "b"]), &says_right).await.unwrap_err();
    let text = lost.to_string();
    assert!(text.starts_with("none of the 2 answers passed") && text.contains("no is wrong"), "{text}");
    assert!(text.contains("has no model `b`"), "{text}");
    assert!(books.entries().iter().all(|entry| entry.settlement.is_some()));
    let nobody = gateway.race(&call("x"), &Extras::default(), &[], &says_right).await.unwrap_err();
    assert!(nobody.lost.is_empty());
}

#[tokio::test]
async fn a_race_keeps_to_the_budget() {
    let simulator = Simulator::start(Script::always(Reply::text("right").stall(Place::Char(5))));
    let books = Arc::new(MemoryBooks::new(SystemClock::shared()));
    let mut config = config("anthropic", &simulator.url);
    // Enough for one such call at a time.
    config.budgets = Budgets { run_usd: Some(0.03), ..Budgets::default() };
    let gateway = Gateway::new(config, books, SystemClock::shared()).unwrap();
    let all = entrants(&["claude-opus-4-6", "claude-opus-4-6"]);
    let release = async {
        simulator.stalled(1).await;
        simulator.release_stall();
    };
    let (call, extras) = (call("x"), Extras::default());
    let (won, ()) = tokio::join!(gateway.race(&call, &extras, &all, &says_right), release);
    let won = won.unwrap();
    assert!(won.lost[0].1.contains("the run's budget of $0.03"), "{:?}", won.lost);
    assert_eq!(simulator.requests().len(), 1);
}
