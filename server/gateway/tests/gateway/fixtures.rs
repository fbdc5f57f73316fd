//! Streams as the providers document them (`fixtures/<provider>/<case>.stream`), played over real HTTP at chunk sizes
//! from one byte to the whole body, with LF and CRLF, with and without comments and the final blank line, plain and
//! compressed. What must come out stands beside each stream, as JSON.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::support::{Answer, call, config, gateway, read};
use assist_gateway::registry;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Serves `body` in HTTP chunks of `size` bytes to whoever posts; any other question gets an empty object.
async fn serve(kind: &'static str, body: Vec<u8>, size: usize, gzip: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // The calls of these tests fit into a few reads; the body ends with the JSON's last brace.
            while !(request.ends_with(b"}") || request.ends_with(b"\r\n\r\n") && request.starts_with(b"GET"))
            {
                match socket.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => request.extend_from_slice(&buffer[..n]),
                }
            }
            let mut answer = Vec::new();
            if request.starts_with(b"POST /api/show") {
                answer.extend_from_slice(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
                );
            } else {
                let coding = if gzip { "content-encoding: gzip\r\n" } else { "" };
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{coding}connection: close\r\n");
                answer.extend_from_slice(head.as_bytes());
                answer.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in body.chunks(size) {
                    answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    answer.extend_from_slice(chunk);
                    answer.extend_from_slice(b"\r\n");
                }
                answer.extend_from_slice(b"0\r\n\r\n");
            }
            socket.write_all(&answer).await.unwrap();
            socket.shutdown().await.unwrap();
        }
    });
    url
}

fn check(place: &str, answer: &Answer, expected: &Value) {
    let done = &answer.done;
    assert_eq!(answer.text, expected["text"].as_str().unwrap(), "{place}");
    assert_eq!(answer.reasoning, expected["reasoning"].as_str().unwrap(), "{place}");
    assert_eq!(done.stop.as_str(), expected["stop"].as_str().unwrap(), "{place}");
    match &expected["usage"] {
        Value::Null => assert!(done.usage.estimated && done.usage.input > 0, "{place}: {:?}", done.usage),
        usage => {
            let got = &done.usage;
            let got = json!({
                "input": got.input, "output": got.output, "cache_read": got.cache_read, "cache_write": got.cache_write
            });
            assert_eq!(&got, usage, "{place}");
            assert!(!done.usage.estimated, "{place}");
        }
    }
    let calls: Vec<Value> = answer
        .turn
        .tool_calls()
        .map(|call| match &call.arguments {
            Ok(arguments) => json!({"name": call.name, "arguments": arguments}),
            Err(bad) => json!({"name": call.name, "malformed": bad.text}),
        })
        .collect();
    assert_eq!(&json!(calls), expected.get("calls").unwrap_or(&json!([])), "{place}");
    match expected["error"].as_str() {
        Some(says) => assert!(done.error.as_ref().unwrap().to_string().contains(says), "{place}: {done:?}"),
        None => assert_eq!(done.error, None, "{place}"),
    }
    if let Some(cost) = expected["cost_usd"].as_f64() {
        assert_eq!(done.cost_usd, Some(cost), "{place}");
    }
}

#[tokio::test]
async fn every_documented_stream_is_understood_however_it_arrives() {
    let mut cases = 0;
    for info in registry() {
        let folder = folder().join(info.name);
        let files = std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("{} has no fixtures", info.name));
        let mut names = BTreeSet::new();
        for file in files {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "stream") {
                continue;
            }
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let body = std::fs::read_to_string(&path).unwrap();
            let expected = std::fs::read_to_string(path.with_extension("json")).unwrap();
            let expected: Value = serde_json::from_str(&expected).unwrap();
            let lines = info.name == "ollama";
            let kind = if lines { "application/x-ndjson" } else { "text/event-stream" };
            let commented = if lines { body.clone() } else { body.replace("\n\n", "\n\n:\n: x\n\n") };
            for (variant, body) in [
                ("as it is", body.clone()),
                ("CRLF", body.replace('\n', "\r\n")),
                ("comments", commented),
                ("no blank line", body.trim_end_matches('\n').to_owned()),
            ] {
                for size in [1, 2, 3, 7, 50, usize::MAX] {
                    let url = serve(kind, body.clone().into_bytes(), size, false).await;
                    let stream = gateway(config(info.name, &url)).stream(call("hello")).await.unwrap();
                    check(&format!("{}/{name} {variant} {size}", info.name), &read(stream).await, &expected);
                }
            }
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(body.as_bytes()).unwrap();
            let url = serve(kind, gzip.finish().unwrap(), 5, true).await;
            let stream = gateway(config(info.name, &url)).stream(call("hello")).await.unwrap();
            check(&format!("{}/{name} gzip", info.name), &read(stream).await, &expected);
            names.insert(name);
            cases += 1;
        }
        for needed in ["whole", "length", "no_final_event", "error_event"] {
            assert!(names.contains(needed), "{} has no fixture `{needed}`", info.name);
        }
    }
    assert!(cases > 30, "{cases}");
}
