//! Gate against one tree-sitter parse: what streaming a component costs.
//!
//! One round streams a component in chunks of 16 bytes through the scanner, places it as a new file and judges it; right
//! after it comes one full tree-sitter parse of the same text. The figure is the median of the rounds' ratios, so a busy
//! machine troubles both sides alike. Run with `cargo bench -p assist-syntax`.

#![expect(clippy::print_stdout, reason = "a benchmark's table is for whoever runs it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use assist_syntax::{Candidate, Language, Scanned, Scanner, Target, Verdict, judge, place};

#[path = "../tests/support/generate.rs"]
mod generate;

const SEED: u64 = 20_261_120;
const CHUNK: usize = 16;
/// Size in bytes, ratio that must not be passed.
const TARGETS: [(usize, f64); 4] = [(2 << 10, 2.0), (10 << 10, 1.5), (50 << 10, 1.5), (150 << 10, 1.5)];

fn main() {
    let mut failed = false;
    println!("seed {SEED}, chunks of {CHUNK} bytes, TSX");
    println!(
        "{:>8} {:>7} {:>10} {:>10} {:>10} {:>7} {:>7}",
        "bytes", "rounds", "scan", "all", "parse", "ratio", "target"
    );
    for (size, target) in TARGETS {
        let rounds = (4_000_000 / size).clamp(60, 1000);
        let mut scans = Vec::with_capacity(rounds);
        let mut alls = Vec::with_capacity(rounds);
        let mut parses = Vec::with_capacity(rounds);
        let mut ratios = Vec::with_capacity(rounds);
        let mut bytes = 0;
        for round in 0..rounds + 3 {
            // Another text each round, so that nothing is warm but the code.
            let code = generate::tsx(SEED + round as u64, size);
            bytes = code.len();
            let stream = format!(
                "/// COMPONENT_START: Dashboard path=\"src/Dashboard.tsx\" exports=Dashboard id=7f3a ///\n{code}/// COMPONENT_END id=7f3a ///\n// --- VIBECODER_COMPLETE ---\n"
            );
            let chunks = chunks(&stream);
            let (scan, all, parse);
            if round % 2 == 0 {
                (scan, all) = gate(&chunks);
                parse = tree_sitter(&code);
            } else {
                parse = tree_sitter(&code);
                (scan, all) = gate(&chunks);
            }
            if round >= 3 {
                scans.push(scan);
                alls.push(all);
                parses.push(parse);
                ratios.push(all.as_secs_f64() / parse.as_secs_f64());
            }
        }
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ratios.len() / 2];
        failed |= ratio > target;
        println!(
            "{bytes:>8} {rounds:>7} {:>10} {:>10} {:>10} {ratio:>7.2} {:>7}",
            micros(&mut scans),
            micros(&mut alls),
            micros(&mut parses),
            format!("≤ {target}")
        );
    }
    if failed {
        println!("a target was missed");
        std::process::exit(1);
    }
}

fn micros(times: &mut [Duration]) -> String {
    times.sort();
    format!("{} µs", times[times.len() / 2].as_micros())
}

fn chunks(text: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.char_indices().map(|(at, _)| at).find(|&at| at >= CHUNK).unwrap_or(rest.len());
        let (chunk, after) = rest.split_at(at);
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// Time of the scanner, and of all.
fn gate(chunks: &[&str]) -> (Duration, Duration) {
    let start = Instant::now();
    let mut scanner = Scanner::new(Some("7f3a"));
    let mut component = None;
    for chunk in chunks {
        for scanned in scanner.push(black_box(chunk)) {
            if let Scanned::Component(one) = scanned {
                component = Some(one);
            }
        }
    }
    let ending = scanner.finish();
    let scan = start.elapsed();
    let component = component.expect("the stream holds a component");
    let placement =
        place("", Some(Language::Tsx), &component, &Target::NewFile, None).expect("a new file takes it");
    let judgement = judge(&Candidate {
        component: &component,
        language: Some(Language::Tsx),
        before: None,
        placement: &placement,
        top_level: true,
        complete_stream: ending.sentinel,
    });
    let all = start.elapsed();
    assert_eq!(judgement.verdict, Verdict::Whole, "{:?}", judgement.reasons);
    (scan, all)
}

thread_local! {
    static PARSER: std::cell::RefCell<tree_sitter::Parser> = std::cell::RefCell::new({
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&tree_sitter_typescript::LANGUAGE_TSX.into()).expect("the grammar loads");
        parser
    });
}

fn tree_sitter(code: &str) -> Duration {
    PARSER.with_borrow_mut(|parser| {
        let start = Instant::now();
        let tree = parser.parse(black_box(code), None);
        let time = start.elapsed();
        assert!(tree.is_some_and(|tree| !tree.root_node().has_error()));
        time
    })
}
