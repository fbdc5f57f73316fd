//! How many changes of a document a second the server takes in: from the bytes on the wire to the text, with documents of
//! three sizes, and how that compares with a small one. Run with `cargo bench -p assist-lsp`.

#![expect(clippy::print_stdout, reason = "a benchmark's table is for whoever runs it")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use assist_agents::{ConfigError, Options, Settings, Wiring, settings};
use assist_base::SystemClock;
use assist_lsp::{Boot, serve};
use serde_json::{Value, json};

const CHANGES: usize = 100_000;
const ROUNDS: usize = 5;
/// Size in bytes, changes a second that must be reached.
const SIZES: [(usize, Option<f64>); 4] =
    [(2 << 10, None), (100 << 10, None), (1 << 20, Some(50_000.0)), (10 << 20, None)];
const LINE: &str = "const value = compute(first, second, third); // a line of code\n";

struct Nothing;

impl Wiring for Nothing {
    fn settings(&self, _: &Path, _: &Options) -> Result<Settings, ConfigError> {
        Ok(settings::resolve(&[]))
    }
}

fn push(bytes: &mut Vec<u8>, message: &Value) {
    let body = message.to_string();
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

/// What a client sends to open a document of that size and type into it all over, `changes` times.
fn session(size: usize, changes: usize) -> Vec<u8> {
    let lines = (size / LINE.len()).max(1);
    let uri = "file:///workspace/a.ts";
    let mut bytes = Vec::new();
    push(
        &mut bytes,
        &json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "capabilities": {} } }),
    );
    let document =
        json!({ "uri": uri, "languageId": "typescript", "version": 1, "text": LINE.repeat(lines) });
    push(
        &mut bytes,
        &json!({ "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": { "textDocument": document } }),
    );
    for i in 0..changes {
        let at = json!({ "line": (i * 7919) % lines, "character": i % 40 });
        let changes = json!([{ "range": { "start": at, "end": at }, "text": "x" }]);
        let params = json!({ "textDocument": { "uri": uri, "version": i + 2 }, "contentChanges": changes });
        push(&mut bytes, &json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": params }));
    }
    bytes
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    let take = |bytes: &[u8]| -> Duration {
        let boot = Boot { version: String::new(), wiring: Arc::new(Nothing), clock: SystemClock::shared() };
        let started = Instant::now();
        runtime.block_on(serve(bytes, tokio::io::sink(), boot));
        started.elapsed()
    };
    let mut failed = false;
    let mut small = None;
    println!("{CHANGES} changes a round, median of {ROUNDS}");
    println!("{:>10} {:>12} {:>10} {:>10}", "bytes", "changes/s", "to small", "target");
    for (size, target) in SIZES {
        // Opening the document, which is not asked about here, is taken off.
        let (whole, opening) = (session(size, CHANGES), session(size, 0));
        let mut rates: Vec<f64> = (0..ROUNDS)
            .map(|_| CHANGES as f64 / take(&whole).saturating_sub(take(&opening)).as_secs_f64())
            .collect();
        rates.sort_by(f64::total_cmp);
        let rate = rates[ROUNDS / 2];
        let small = *small.get_or_insert(rate);
        let wanted = target.map_or_else(|| "-".to_owned(), |target| format!("{target:.0}"));
        println!("{size:>10} {rate:>12.0} {:>10.2} {wanted:>10}", rate / small);
        failed |= target.is_some_and(|target| rate < target);
    }
    if failed {
        println!("A target was missed.");
        std::process::exit(1);
    }
}
