//! How good recall is with embeddings: as the store's bench of the same name, with the vectors fetched from an endpoint.
//!
//! `cargo bench -p assist-agents --bench recall -- [--dataset FILE] [--embeddings-url URL --embeddings-model NAME]`; a key is
//! taken from `ASSIST_EMBEDDINGS_KEY`. Without an endpoint only the words are measured.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a program that measures and says what it measured"
)]

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use assist_base::{RunId, Secret, SystemClock};
use assist_gateway::{Gateway, GatewayConfig, NoBooks, Payer};
use serde_json::Value;

#[path = "../../store/tests/recall/measure.rs"]
mod measure;

/// How many texts are sent at once.
const BATCH: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let text = match after("--dataset") {
        Some(path) => std::fs::read_to_string(path).expect("the dataset can be read"),
        None => {
            println!(
                "No --dataset FILE in LoCoMo's format was given: measuring the small set of this project."
            );
            include_str!("../../store/tests/recall/talks.json").to_owned()
        }
    };
    let samples: Value = serde_json::from_str(&text).expect("the dataset is JSON");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    println!("lexical: {}", runtime.block_on(measure::measure(&samples, None)));
    let (Some(url), Some(model)) = (after("--embeddings-url"), after("--embeddings-model")) else {
        println!(
            "vector and fused: skipped, since no --embeddings-url URL and --embeddings-model NAME were given."
        );
        return;
    };
    let vectors = runtime.block_on(fetch(&samples, url, model));
    let vector = runtime.block_on(measure::measure(&samples, Some((&vectors, false))));
    let fused = runtime.block_on(measure::measure(&samples, Some((&vectors, true))));
    println!("vector: {vector}\nfused: {fused}");
}

/// The vectors of every turn and question.
async fn fetch(samples: &Value, url: &str, model: &str) -> HashMap<String, Vec<f32>> {
    let gateway = Gateway::new(GatewayConfig::default(), Arc::new(NoBooks), SystemClock::shared());
    let key = std::env::var("ASSIST_EMBEDDINGS_KEY").ok().map(Secret::new);
    let gateway = gateway.expect("the settings can be used");
    let payer = Payer { run: RunId::NONE, agent: "bench".to_owned(), usd_per_million: None };
    let embedder = gateway.embedder(url, model, key).expect("the address can be used");
    let mut texts: BTreeSet<String> = BTreeSet::new();
    for sample in samples.as_array().expect("the dataset is a list of samples") {
        texts.extend(measure::turns(&sample["conversation"]).into_iter().map(measure::text_of));
        let asked = sample["qa"].as_array().into_iter().flatten();
        texts.extend(asked.filter_map(|asked| asked["question"].as_str()).map(str::to_owned));
    }
    let texts: Vec<String> = texts.into_iter().filter(|text| !text.trim().is_empty()).collect();
    let mut vectors = HashMap::new();
    for batch in texts.chunks(BATCH) {
        let found = embedder.embed(&payer, batch.to_vec(), Duration::from_secs(120)).await;
        let found = found.unwrap_or_else(|error| panic!("{error}"));
        vectors.extend(batch.iter().cloned().zip(found));
    }
    vectors
}
