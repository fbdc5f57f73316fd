//! A key is sent to its provider and to nobody else, and appears in nothing that is shown, kept or logged, also when the
//! server repeats it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "gateway/support.rs"]
#[expect(dead_code, reason = "the other tests use the rest of it")]
mod support;

use std::io;
use std::sync::{Arc, Mutex};

use assist_gateway::{Books as _, Gateway, MemoryBooks};
use assist_simulator::{Failure, Place, Reply, Script, Simulator};
use support::{KEY, Naps, call, config, read};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn no_key_shows_anywhere() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    // For the whole process: what other threads log on the way counts too, so this test is alone in its program.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut shown = String::new();
    let echo = |status| Failure::Raw {
        status,
        headers: vec![
            ("content-type".into(), "application/json".into()),
            ("request-id".into(), format!("req-{KEY}")),
            ("x-request-id".into(), format!("req-{KEY}")),
        ],
        body: format!(
            r#"{{"error":{{"message":"key {KEY} is bad","type":"x {KEY}","code":"{KEY}"}},"request_id":"{KEY}"}}"#
        ),
    };
    let folder = tempfile::tempdir().unwrap();
    let memory = Arc::new(MemoryBooks::new(Arc::new(Naps::default())));
    for provider in ["anthropic", "openai", "gemini", "openrouter", "nim", "openai-compatible"] {
        // A model that repeats what it should never have seen, then all ways to fail; the last ones open the breaker.
        let mut replies = vec![
            Reply::text("fine"),
            Reply::text("fine").mid_error(Place::Char(2), "api_error", &format!("key {KEY} is bad")),
            Reply::text(format!("the key is {KEY}."))
                .reasoning(KEY)
                .tool("say", &format!("{{\"key\":\"{KEY}\"}}")),
        ];
        let statuses = [400, 401, 402, 403, 404, 409, 413, 418, 422, 429, 500, 529];
        replies.extend(statuses.map(|status| Reply::error(echo(status))));
        replies.extend([0; 6].map(|_| Reply::error(Failure::HangUp)));
        for reply in replies {
            let simulator = Simulator::start(Script::always(reply));
            // A base URL can hold a password as well.
            let url = simulator.url.replace("http://", &format!("http://user:{KEY}@"));
            let mut config = config(provider, &url);
            config.record = Some(folder.path().join("recording.json"));
            shown += &format!("{config:?}");
            let gateway = Gateway::new(config, memory.clone(), Arc::new(Naps::default())).unwrap();
            shown += &format!("{gateway:?} {:?} {:?}", gateway.providers(), gateway.check(provider).await);
            match gateway.stream(call("prompt-text-of-the-user")).await {
                Ok(stream) => {
                    shown += &format!("{:?} {stream:?}", stream.choice());
                    let done = read(stream).await.done;
                    shown += &format!("{done:?} {:?}", done.error.as_ref().map(|error| error.to_string()));
                }
                Err(error) => shown += &format!("{error} {error:?}"),
            }
            // Everything that is kept, or listed for the user.
            shown += &format!("{:?} {:?}", gateway.breakers().await, gateway.models());
            assert!(simulator.requests().iter().all(|request| request.key.as_deref() == Some(KEY)));
        }
    }
    assert!(
        shown.contains("is bad") && shown.contains("***"),
        "the provider's words are shown, without the key"
    );
    for entry in memory.entries() {
        shown += &format!("{entry:?}");
    }
    shown += &format!("{:?}", memory.kept_breakers().await);
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    for file in files {
        let written = std::fs::read_to_string(file).unwrap();
        assert!(written.contains("the key is [secret removed]"), "{written}");
        shown += &written.replace("prompt-text-of-the-user", "");
    }
    assert!(!shown.contains(KEY), "{shown}");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("answer began"), "the log was heard");
    assert!(!log.contains(KEY), "{log}");
    assert!(!log.contains("prompt-text-of-the-user"), "{log}");
}
