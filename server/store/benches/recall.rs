//! How good recall is: the part of the turns that answer a question which are among the first 5 and the first 10 found.
//!
//! `cargo bench -p assist-store --bench recall -- [--dataset FILE] [--vectors FILE]`
//!
//! FILE is in LoCoMo's format: samples with `conversation` (`session_1`, ... lists of turns with `speaker`, `dia_id`,
//! `text`) and `qa` (`question`, `evidence` ids, `category`; category 5 has no answer and is left out). Without one, the
//! small set written for this project is measured. This crate makes no calls to embedding endpoints: `--vectors` takes a
//! JSON object of `text: [numbers]` for every turn (`speaker: text`) and question.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that measures and says what it measured"
)]

use std::collections::HashMap;

use serde_json::Value;

#[path = "../tests/recall/measure.rs"]
mod measure;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let text = match after("--dataset") {
        Some(path) => std::fs::read_to_string(path).unwrap(),
        None => {
            println!(
                "No --dataset FILE in LoCoMo's format was given: measuring the small set of this project."
            );
            include_str!("../tests/recall/talks.json").to_owned()
        }
    };
    let samples: Value = serde_json::from_str(&text).unwrap();
    let vectors: Option<HashMap<String, Vec<f32>>> =
        after("--vectors").map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lexical = runtime.block_on(measure::measure(&samples, None));
    println!("lexical: {lexical}");
    match vectors {
        Some(vectors) => {
            let (vector, fused) = runtime.block_on(async {
                (
                    measure::measure(&samples, Some((&vectors, false))).await,
                    measure::measure(&samples, Some((&vectors, true))).await,
                )
            });
            println!("vector: {vector}\nfused: {fused}");
        }
        None => println!("vector and fused: not measured, since no --vectors FILE was given."),
    }
}
