//! The language server as a process: start, memory, latency while models stream, and how fast it takes edits.
//!
//! `cargo bench -p assist-tests --bench server` (or `cargo xtask bench`). Every figure stands beside a baseline of the same
//! run, because machines differ: starting beside starting a program that does nothing but print its version, latency with
//! streaming runs beside latency under the same load of the processor without runs, edits beside copying the same bytes
//! through a pipe.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use assist_simulator::{Reply, Rule, Script, Simulator};
use assist_tests::{Folder, binary};
use serde_json::{Value, json};

const STARTS: usize = 31;
const REQUESTS: usize = 3_000;
const RUNS: usize = 10;
const CHANGES: usize = 60_000;

fn main() {
    println!("{:<52} {:>12} {:>12} {:>8}  target", "", "measured", "baseline", "ratio");
    start();
    memory();
    latency();
    changes();
}

fn row(what: &str, measured: String, baseline: String, ratio: f64, target: &str) {
    println!("{what:<52} {measured:>12} {baseline:>12} {ratio:>8.2}  {target}");
}

/// A server and the two ends of its pipes.
struct Server {
    child: Child,
    input: Arc<Mutex<ChildStdin>>,
    answers: Arc<Mutex<HashMap<i64, mpsc::Sender<Value>>>>,
    next: i64,
    _home: Folder,
}

impl Server {
    /// Starts it and says `initialize`. Returns it with the time from spawning to the answer.
    fn start(root: &Path, variables: &[(&str, String)]) -> (Self, Duration) {
        let home = Folder::new(&[]);
        let mut command = Command::new(binary::assist());
        command
            .arg("lsp")
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        for key in
            ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "NIM_API_KEY"]
        {
            command.env_remove(key);
        }
        command
            .env("HOME", home.root())
            .env("ASSIST_CONFIG_DIR", home.root())
            .env("OLLAMA_HOST", "127.0.0.1:9");
        command.envs(variables.iter().map(|(key, value)| (*key, value.as_str())));
        let begun = Instant::now();
        let mut child = command.spawn().expect("the server starts");
        let input = Arc::new(Mutex::new(child.stdin.take().expect("stdin is a pipe")));
        let answers: Arc<Mutex<HashMap<i64, mpsc::Sender<Value>>>> = Arc::default();
        let output = child.stdout.take().expect("stdout is a pipe");
        {
            let (input, answers) = (Arc::clone(&input), Arc::clone(&answers));
            std::thread::spawn(move || read(BufReader::with_capacity(1 << 16, output), &input, &answers));
        }
        let mut server = Self { child, input, answers, next: 0, _home: home };
        let capabilities = json!({
            "general": { "positionEncodings": ["utf-8"] },
            "window": { "workDoneProgress": true },
            "experimental": { "assist": { "protocol": 1 } },
        });
        let uri = format!("file://{}", root.display());
        let params = json!({
            "processId": null, "rootUri": uri, "capabilities": capabilities,
            "workspaceFolders": [{ "uri": uri, "name": "bench" }],
        });
        server.request("initialize", params);
        let took = begun.elapsed();
        server.notify("initialized", json!({}));
        (server, took)
    }

    fn send(&self, message: &Value) {
        let body = message.to_string();
        let mut input = self.input.lock().expect("nobody panics");
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
        input.flush().expect("the server reads");
    }

    fn notify(&self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let (sender, receiver) = mpsc::channel();
        self.answers.lock().expect("nobody panics").insert(self.next, sender);
        self.send(&json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params }));
        receiver.recv().expect("the server answers")
    }

    fn open(&self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "typescript", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn code_actions(&mut self, uri: &str) -> Duration {
        let range = json!({ "start": { "line": 2, "character": 0 }, "end": { "line": 4, "character": 0 } });
        let params =
            json!({ "textDocument": { "uri": uri }, "range": range, "context": { "diagnostics": [] } });
        let begun = Instant::now();
        let answer = self.request("textDocument/codeAction", params);
        let took = begun.elapsed();
        assert!(answer["result"].as_array().is_some_and(|actions| !actions.is_empty()), "{answer}");
        took
    }

    fn status(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
        line.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Hands answers on and answers what the server asks; notifications are read and forgotten.
fn read(
    mut output: impl BufRead,
    input: &Mutex<ChildStdin>,
    answers: &Mutex<HashMap<i64, mpsc::Sender<Value>>>,
) {
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim().strip_prefix("Content-Length: ") {
                Some(bytes) => length = bytes.parse().expect("a length"),
                None if line.trim().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        if output.read_exact(&mut body).is_err() {
            return;
        }
        if !body.windows(5).any(|window| window == b"\"id\":") {
            continue;
        }
        let message: Value = serde_json::from_slice(&body).expect("the server sends JSON");
        match (message["id"].as_i64(), message["method"].is_string()) {
            (Some(id), false) => {
                if let Some(waiter) = answers.lock().expect("nobody panics").remove(&id) {
                    waiter.send(message).ok();
                }
            }
            (_, true) if !message["id"].is_null() => {
                let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }).to_string();
                let mut input = input.lock().expect("nobody panics");
                write!(input, "Content-Length: {}\r\n\r\n{answer}", answer.len()).ok();
            }
            _ => {}
        }
    }
}

fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

fn start() {
    let folder = Folder::new(&[]);
    let (mut starts, mut versions) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        starts.push(Server::start(folder.root(), &[]).1);
        let begun = Instant::now();
        let status = Command::new(binary::assist()).arg("--version").stdout(Stdio::null()).status();
        assert!(status.expect("it starts").success());
        versions.push(begun.elapsed());
    }
    let (start, version) = (percentile(starts, 50), percentile(versions, 50));
    let what = "spawn to initialize answer (baseline: --version)";
    row(what, milliseconds(start), milliseconds(version), ratio(start, version), "<= 10 ms");
}

fn memory() {
    let folder = Folder::new(&[("a.ts", &source(4 * 1024))]);
    let (mut server, _) = Server::start(folder.root(), &[]);
    let uri = folder.uri("a.ts");
    server.open(&uri, &source(4 * 1024));
    // The workspace is opened in the background; the list of sessions is answered after that.
    server.request("assist/sessions", json!({ "limit": 1 }));
    server.code_actions(&uri);
    let resident = server.status("VmRSS:");
    let file = server.status("RssFile:");
    row(
        "idle memory, one file open (baseline: of it the binary)",
        format!("{:.1} MB", resident as f64 / 1024.0),
        format!("{:.1} MB", file as f64 / 1024.0),
        resident as f64 / file.max(1) as f64,
        "<= 25 MB",
    );
}

fn latency() {
    let words = "Streaming words, one after another, as a model says them. ".repeat(4_000);
    let mut reply = Reply::text(words);
    reply.delay_ms = Some(10); // a hundred tokens a second
    let sim = Simulator::start(Script::new(vec![Rule::always(reply)]));
    let folder = Folder::new(&[("a.ts", &source(8 * 1024))]);
    let uri = folder.uri("a.ts");
    let variables = [("ANTHROPIC_BASE_URL", sim.url.clone()), ("ANTHROPIC_API_KEY", "sk-bench".to_owned())];

    let (mut server, _) = Server::start(folder.root(), &variables);
    server.open(&uri, &source(8 * 1024));
    let idle: Vec<_> = (0..REQUESTS).map(|_| server.code_actions(&uri)).collect();
    for _ in 0..RUNS {
        let ask = json!({ "intent": "ask", "prompt": "Say something long.", "uri": uri });
        let answer = server
            .request("workspace/executeCommand", json!({ "command": "assist.ask", "arguments": [ask] }));
        assert!(answer["result"]["runId"].is_string(), "{answer}");
    }
    sim.blocking_request(RUNS);
    let cpu_before = processor_time();
    let begun = Instant::now();
    let streaming: Vec<_> = (0..REQUESTS).map(|_| server.code_actions(&uri)).collect();
    let busy = (processor_time() - cpu_before).as_secs_f64() / begun.elapsed().as_secs_f64();
    drop(server);

    // The same load, without runs: threads that spin for the same share of the time.
    let (mut server, _) = Server::start(folder.root(), &variables);
    server.open(&uri, &source(8 * 1024));
    let stop = Arc::new(AtomicBool::new(false));
    let spinners: Vec<_> = (0..2).map(|_| spin(busy / 2.0, Arc::clone(&stop))).collect();
    let loaded: Vec<_> = (0..REQUESTS).map(|_| server.code_actions(&uri)).collect();
    stop.store(true, Ordering::Relaxed);
    for spinner in spinners {
        spinner.join().ok();
    }

    for percent in [50, 99] {
        let (a, b) = (percentile(idle.clone(), percent), percentile(loaded.clone(), percent));
        let what = format!("codeAction p{percent}, idle (baseline: under load)");
        row(&what, milliseconds(a), milliseconds(b), ratio(a, b), "");
        let (a, b) = (percentile(streaming.clone(), percent), percentile(loaded.clone(), percent));
        let what = format!("codeAction p{percent}, {RUNS} runs streaming (same load)");
        row(
            &what,
            milliseconds(a),
            milliseconds(b),
            ratio(a, b),
            if percent == 99 { "<= 6 ms or <= 2x" } else { "" },
        );
    }
}

/// Processor time of this process and of its children that still run, as far as the system tells.
fn processor_time() -> Duration {
    let stat = |pid: &str| -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<_> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    };
    let own = std::process::id().to_string();
    let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    let seconds: f64 = stat(&own) + children.split_whitespace().map(stat).sum::<f64>();
    Duration::from_secs_f64(seconds)
}

fn spin(share: f64, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let period = Duration::from_millis(2);
        while !stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            while begun.elapsed() < period.mul_f64(share.min(1.0)) {
                std::hint::spin_loop();
            }
            std::thread::sleep(period.saturating_sub(begun.elapsed()));
        }
    })
}

fn changes() {
    for (label, bytes) in [("100 KB", 100 << 10), ("1 MB", 1 << 20), ("10 MB", 10 << 20)] {
        let text = source(bytes);
        let lines = text.lines().count();
        let folder = Folder::new(&[("a.ts", "")]);
        let uri = folder.uri("a.ts");
        let (mut server, _) = Server::start(folder.root(), &[]);
        server.open(&uri, &text);
        server.request("assist/status", json!({}));
        let mut messages = Vec::new();
        for change in 0..CHANGES {
            // Typing in one place after another, all over the file.
            let line = change / 50 * 7919 % lines;
            let at = json!({ "line": line, "character": 0 });
            let body = json!({
                "jsonrpc": "2.0", "method": "textDocument/didChange",
                "params": {
                    "textDocument": { "uri": uri, "version": change + 2 },
                    "contentChanges": [{ "range": { "start": at, "end": at }, "text": "x" }],
                },
            })
            .to_string();
            write!(messages, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("memory");
        }
        let begun = Instant::now();
        server.input.lock().expect("nobody panics").write_all(&messages).expect("the server reads");
        server.request("assist/status", json!({}));
        let took = begun.elapsed();
        let copied = copy(&messages);
        let rate = CHANGES as f64 / took.as_secs_f64();
        row(
            &format!("didChange with {label} open (baseline: cat)"),
            format!("{:.0}k/s", rate / 1e3),
            format!("{:.0}k/s", CHANGES as f64 / copied.as_secs_f64() / 1e3),
            rate / (CHANGES as f64 / copied.as_secs_f64()),
            if bytes == 1 << 20 { ">= 50k/s" } else { "" },
        );
    }
}

/// The same bytes through `cat`.
fn copy(messages: &[u8]) -> Duration {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat");
    let mut output = cat.stdout.take().expect("a pipe");
    let reader = std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let begun = Instant::now();
    cat.stdin.take().expect("a pipe").write_all(messages).expect("cat reads");
    reader.join().ok();
    let took = begun.elapsed();
    cat.wait().ok();
    took
}

/// TypeScript of about so many bytes.
fn source(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 128);
    let mut n = 0;
    while text.len() < bytes {
        n += 1;
        text.push_str(&format!("export function area{n}(width: number, height: number): number {{\n  return width * height * {n};\n}}\n\n"));
    }
    text
}
