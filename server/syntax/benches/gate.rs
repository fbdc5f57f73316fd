//! Gate against one tree-sitter parse: what streaming a component costs.
//!
//! One round streams a component in small chunks through the scanner, places it as a new file and judges it; right
//! after it comes one full tree-sitter parse of the same text. The figures are medians of the rounds, so a busy machine
//! troubles both sides alike: all of the streaming over the parse, what comes after END over the parse, and, in rounds of
//! their own, the longest time that a chunk before END took. Run with `cargo bench -p assist-syntax`.

#![expect(clippy::print_stdout, reason = "a benchmark's table is for whoever runs it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use assist_syntax::{Candidate, Language, Scanned, Scanner, Target, Verdict, judge, place};

#[path = "../tests/support/generate.rs"]
mod generate;

const SEED: u64 = 20_261_120;
/// Sizes of the chunks, in bytes.
const CHUNKS: [usize; 3] = [4, 16, 64];
/// Size in bytes, ratio of all that must not be passed.
const TARGETS: [(usize, f64); 4] = [(2 << 10, 2.0), (10 << 10, 1.5), (50 << 10, 1.5), (500 << 10, 1.5)];
/// Ratio of placing and judging, after END, that must not be passed.
const AT_END: f64 = 1.3;
/// The longest that a chunk before END may take.
const WORST: Duration = Duration::from_micros(100);

fn main() {
    let mut failed = false;
    println!("seed {SEED}, TSX; at END ≤ {AT_END}, worst chunk ≤ {} µs", WORST.as_micros());
    println!(
        "{:>8} {:>6} {:>7} {:>10} {:>10} {:>10} {:>7} {:>7} {:>7} {:>10}",
        "bytes", "chunk", "rounds", "scan", "all", "parse", "ratio", "target", "at END", "worst"
    );
    for (size, target) in TARGETS {
        for chunk in CHUNKS {
            failed |= row(size, chunk, target);
        }
    }
    if failed {
        println!("a target was missed");
        std::process::exit(1);
    }
}

/// Prints one row of the table, and says whether it misses a target.
fn row(size: usize, chunk: usize, target: f64) -> bool {
    let rounds = (4_000_000 / size).clamp(30, 1000);
    let [mut scans, mut alls, mut parses, mut worsts] = std::array::from_fn(|_| Vec::with_capacity(rounds));
    let [mut ratios, mut ends] = std::array::from_fn(|_| Vec::with_capacity(rounds));
    let mut bytes = 0;
    for round in 0..rounds + 3 {
        // Another text each round, so that nothing is warm but the code.
        let code = generate::tsx(SEED + round as u64, size);
        bytes = code.len();
        let stream = format!(
            "/// COMPONENT_START: Dashboard path=\"src/Dashboard.tsx\" exports=Dashboard id=7f3a ///\n{code}/// COMPONENT_END id=7f3a ///\n// --- VIBECODER_COMPLETE ---\n"
        );
        let chunks = chunks(&stream, chunk);
        let (scan, all, parse);
        if round % 2 == 0 {
            (scan, all) = gate(&chunks);
            parse = tree_sitter(&code);
        } else {
            parse = tree_sitter(&code);
            (scan, all) = gate(&chunks);
        }
        let worst = worst_chunk(&chunks);
        if round >= 3 {
            scans.push(scan);
            alls.push(all);
            parses.push(parse);
            worsts.push(worst);
            ratios.push(all.as_secs_f64() / parse.as_secs_f64());
            ends.push((all - scan).as_secs_f64() / parse.as_secs_f64());
        }
    }
    let (ratio, end, worst) = (median(&mut ratios), median(&mut ends), middle(&mut worsts));
    println!(
        "{bytes:>8} {chunk:>6} {rounds:>7} {:>10} {:>10} {:>10} {ratio:>7.2} {:>7} {end:>7.2} {:>10}",
        micros(&mut scans),
        micros(&mut alls),
        micros(&mut parses),
        format!("≤ {target}"),
        micros(&mut worsts),
    );
    ratio > target || end > AT_END || worst > WORST
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn micros(times: &mut [Duration]) -> String {
    format!("{} µs", middle(times).as_micros())
}

fn chunks(text: &str, size: usize) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.char_indices().map(|(at, _)| at).find(|&at| at >= size).unwrap_or(rest.len());
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

/// The longest that the scanner took for one chunk of a stream, up to the component's END. The stream is scanned
/// three times and the shortest time of each chunk counts: a moment that another program took is not the scanner's.
fn worst_chunk(chunks: &[&str]) -> Duration {
    let mut times = vec![Duration::MAX; chunks.len()];
    for _ in 0..3 {
        let mut scanner = Scanner::new(Some("7f3a"));
        for (chunk, time) in chunks.iter().zip(&mut times) {
            let start = Instant::now();
            let scanned = scanner.push(black_box(chunk));
            *time = start.elapsed().min(*time);
            if scanned.iter().any(|one| matches!(one, Scanned::Component(_))) {
                *time = Duration::ZERO;
                break;
            }
        }
    }
    times.into_iter().filter(|time| *time != Duration::MAX).max().unwrap_or_default()
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
