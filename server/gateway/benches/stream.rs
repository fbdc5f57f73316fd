//! What the gateway adds to a stream, with raw reqwest on the same stream beside it in the same run, since machines differ.
//!
//! `cargo bench -p assist-gateway --bench stream [-- PART]`, PART being `latency`, `cpu`, `many` or `memory`.
//!
//! - `latency`: a server stamps each delta with the moment of sending; the stamp's age on arrival, raw and through the
//!   gateway, in microseconds. Goal: at most 50 more at the 99th percentile.
//! - `cpu`: the client thread's CPU time for 1,000 deltas of the simulator (Linux only). Goal: at most twice raw.
//! - `many`: 100 streams at once, a delta every 10 ms each (100 tokens a second); how long it takes against raw. Goal: no
//!   longer, and the client thread's CPU time below the time that passes.
//! - `memory`: anonymous resident memory (`RssAnon`: heap and stacks, not the program's code) for 100 streams held in the
//!   middle after a server sent 2,000 deltas as fast as it could, raw and through the gateway, each in a process of its own
//!   without the server's half (Linux only). How far the server gets ahead of the reader differs from time to time, and raw
//!   reqwest's buffers grow with it: so the middle of five rounds is told, with the least and the most. Goal: at most 200 KB
//!   each.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that measures and says what it measured"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use assist_base::{RunId, Secret, SystemClock};
use assist_gateway::{Call, Chunk, Gateway, GatewayConfig, Message, NoBooks, ProviderConfig, Request, Tier};
use assist_simulator::{Reply, Script, Simulator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const STREAMS: usize = 100;

/// After so many deltas the streams are held whose memory is measured.
const HELD_DELTAS: usize = 2_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [part, kind, url] = &arguments[..]
        && part == "hold"
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(hold(kind, url));
    }
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if wanted("latency") {
        runtime.block_on(latency());
    }
    if wanted("cpu") {
        runtime.block_on(cpu());
    }
    if wanted("many") {
        runtime.block_on(many());
    }
    if wanted("memory") {
        memory();
    }
}

fn gateway(url: &str) -> Gateway {
    let settings = ProviderConfig {
        base_url: Some(url.to_owned()),
        key: Some(Secret::new("sk-bench")),
        model: Some("sim-model".to_owned()),
        ..ProviderConfig::default()
    };
    let mut config = GatewayConfig { provider: Some("openai".to_owned()), ..GatewayConfig::default() };
    config.providers.insert("openai".to_owned(), settings);
    Gateway::new(config, Arc::new(NoBooks), SystemClock::shared()).unwrap()
}

fn call() -> Call {
    let request =
        Request { messages: vec![Message::user("x")], max_output_tokens: 1_000, ..Request::default() };
    Call { run: RunId::new(), agent: "bench".to_owned(), tier: Tier::B, model: None, request }
}

/// The same question, asked with nothing but reqwest.
async fn raw(client: &reqwest::Client, url: &str) -> reqwest::Response {
    let body = r#"{"model":"sim-model","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}"#;
    let request = client.post(format!("{url}/v1/chat/completions")).bearer_auth("sk-bench");
    request.header("content-type", "application/json").body(body).send().await.unwrap()
}

fn client() -> reqwest::Client {
    // The provider may be there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).tcp_nodelay(true).build().unwrap()
}

async fn read_raw(mut response: reqwest::Response) -> usize {
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes += chunk.len();
    }
    bytes
}

async fn read_gateway(gateway: &Gateway) -> usize {
    let mut stream = gateway.stream(call()).await.unwrap();
    let mut bytes = 0;
    while let Some(chunk) = stream.next().await {
        match chunk {
            Chunk::Text(text) => bytes += text.len(),
            Chunk::Done(done) => assert!(done.stop.is_complete(), "{done:?}"),
            Chunk::Reasoning(_) => {}
        }
    }
    bytes
}

/// A server of its own thread that sends a stamped delta every millisecond.
fn stamping(start: Instant, deltas: usize) -> String {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            while let Ok((mut socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await.unwrap();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                socket.write_all(head.as_bytes()).await.unwrap();
                for _ in 0..deltas {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    let delta = format!(r#"{{"content":"{} "}}"#, start.elapsed().as_nanos());
                    write_event(&mut socket, &delta, "null").await;
                }
                write_event(&mut socket, "{}", "\"stop\"").await;
                socket.write_all(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n").await.unwrap();
            }
        });
    });
    told.recv().unwrap()
}

async fn write_event(socket: &mut tokio::net::TcpStream, delta: &str, finish: &str) {
    let event = format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"sim-model\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    );
    socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await.unwrap();
}

async fn latency() {
    const DELTAS: usize = 3_000;
    let start = Instant::now();
    let url = stamping(start, DELTAS);
    let age = |stamp: &str| start.elapsed().as_nanos() - stamp.trim().parse::<u128>().unwrap();
    let client = client();
    let gateway = gateway(&url);
    let (mut raw_ages, mut ages) = (Vec::new(), Vec::new());
    // In turns, so that what else the machine does falls on both.
    for _ in 0..3 {
        let mut response = raw(&client, &url).await;
        while let Some(chunk) = response.chunk().await.unwrap() {
            let text = std::str::from_utf8(&chunk).unwrap();
            for part in text.split("\"content\":\"").skip(1) {
                raw_ages.push(age(part.split('"').next().unwrap()));
            }
        }
        let mut stream = gateway.stream(call()).await.unwrap();
        while let Some(chunk) = stream.next().await {
            if let Chunk::Text(text) = chunk {
                ages.push(age(&text));
            }
        }
    }
    raw_ages.sort_unstable();
    ages.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "for reading")]
    let at = |ages: &[u128], percent: usize| ages[(ages.len() - 1) * percent / 100] as f64 / 1_000.0;
    for percent in [50, 90, 99] {
        let (raw, ours) = (at(&raw_ages, percent), at(&ages, percent));
        println!("latency p{percent}: raw {raw:.1} us, gateway {ours:.1} us, added {:.1} us", ours - raw);
    }
}

/// The CPU time of this thread so far.
fn thread_cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(stat.split(' ').next()?.parse().ok()?))
}

async fn cpu() {
    const DELTAS: usize = 10_000;
    let Some(_) = thread_cpu() else {
        println!("cpu: not measured, this system does not tell a thread's CPU time");
        return;
    };
    let simulator = Simulator::start(Script::always(Reply::text("word ".repeat(DELTAS / 2))));
    let client = client();
    let gateway = gateway(&simulator.url);
    let (mut raw_time, mut time) = (Duration::ZERO, Duration::ZERO);
    const ROUNDS: u32 = 5;
    for round in 0..=ROUNDS {
        let before = thread_cpu().unwrap_or_default();
        assert!(read_raw(raw(&client, &simulator.url).await).await > 0);
        let between = thread_cpu().unwrap_or_default();
        assert!(read_gateway(&gateway).await > 0);
        let after = thread_cpu().unwrap_or_default();
        // The first round warms up.
        if round > 0 {
            raw_time += between - before;
            time += after - between;
        }
    }
    let per_thousand = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(ROUNDS) / 10.0;
    println!(
        "cpu per 1,000 deltas: raw {:.0} us, gateway {:.0} us, ratio {:.2}",
        per_thousand(raw_time),
        per_thousand(time),
        time.as_secs_f64() / raw_time.as_secs_f64()
    );
}

async fn many() {
    const DELTAS: usize = 300;
    let reply = Reply { delay_ms: Some(10), ..Reply::text("word ".repeat(DELTAS / 2)) };
    let simulator = Simulator::start(Script::always(reply));
    let client = client();
    let gateway = gateway(&simulator.url);
    let begin = Instant::now();
    futures::future::join_all(
        (0..STREAMS).map(|_| async { read_raw(raw(&client, &simulator.url).await).await }),
    )
    .await;
    let raw_time = begin.elapsed();
    let (begin, cpu) = (Instant::now(), thread_cpu().unwrap_or_default());
    futures::future::join_all((0..STREAMS).map(|_| read_gateway(&gateway))).await;
    let (time, cpu) = (begin.elapsed(), thread_cpu().unwrap_or_default() - cpu);
    println!(
        "many: {STREAMS} streams of {DELTAS} deltas, one each 10 ms: raw {:.2} s, gateway {:.2} s, ratio {:.3}, {:.2} s of CPU",
        raw_time.as_secs_f64(),
        time.as_secs_f64(),
        time.as_secs_f64() / raw_time.as_secs_f64(),
        cpu.as_secs_f64()
    );
}

/// Anonymous resident memory in KB.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A server of its own thread that sends many deltas and then holds the stream open.
fn holding(deltas: usize) -> String {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 2048];
                    let _ = socket.read(&mut request).await.unwrap();
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                    socket.write_all(head.as_bytes()).await.unwrap();
                    for _ in 0..deltas {
                        write_event(&mut socket, r#"{"content":"word "}"#, "null").await;
                    }
                    // Until the client goes away.
                    let _ = socket.read(&mut request).await;
                });
            }
        });
    });
    told.recv().unwrap()
}

/// The memory of held streams, each kind in a process of its own that has nothing else to do. The server's half stays here.
fn memory() {
    if resident().is_none() {
        println!("memory: not measured, this system does not tell resident memory");
        return;
    }
    let url = holding(HELD_DELTAS);
    let each = |kind: &str| -> f64 {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["hold", kind, &url])
            .output()
            .unwrap();
        let said = String::from_utf8(child.stdout).unwrap();
        said.trim().parse().unwrap_or_else(|_| panic!("{said} {:?}", String::from_utf8_lossy(&child.stderr)))
    };
    let mut took: [Vec<f64>; 2] = Default::default();
    for _ in 0..5 {
        // In turns, so that what else the machine does falls on both.
        took[0].push(each("raw"));
        took[1].push(each("gateway"));
    }
    let [raw, ours] = took.map(|mut rounds| {
        rounds.sort_by(f64::total_cmp);
        format!("{:.0} KB each ({:.0} to {:.0})", rounds[2], rounds[0], rounds[4])
    });
    println!(
        "memory: {STREAMS} held streams after {HELD_DELTAS} deltas, in a process of their own, median of 5: raw {raw}, gateway {ours}"
    );
}

/// The other process: opens the streams and says how many KB each of them took.
async fn hold(kind: &str, url: &str) {
    let (client, gateway) = (client(), gateway(url));
    let (mut responses, mut streams) = (Vec::new(), Vec::new());
    let mut before = 0;
    // The first is not counted: it brings the connections' own tables, certificates and the like into memory.
    for n in 0..=STREAMS {
        let mut heard = 0;
        if kind == "raw" {
            let mut response = raw(&client, url).await;
            // A delta is an event of two line ends, each of which can be in another chunk.
            while heard < 2 * HELD_DELTAS {
                let chunk = response.chunk().await.unwrap().unwrap();
                heard += chunk.iter().filter(|&&byte| byte == b'\n').count();
            }
            responses.push(response);
        } else {
            let mut stream = gateway.stream(call()).await.unwrap();
            while heard < HELD_DELTAS {
                if let Some(Chunk::Text(text)) = stream.next().await {
                    heard += text.matches("word ").count();
                }
            }
            streams.push(stream);
        }
        if n == 0 {
            before = resident().unwrap_or_default();
        }
    }
    let took = resident().unwrap_or_default() - before;
    #[expect(clippy::cast_precision_loss, reason = "for reading")]
    let each = took as f64 / STREAMS as f64;
    println!("{each}");
    drop((responses, streams));
}
