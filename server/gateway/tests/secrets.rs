//! A key is sent to its provider and to nobody else, and appears in nothing that is shown, kept or logged, also when the
//! server repeats it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "gateway/support.rs"]
#[expect(dead_code, reason = "the other tests use the rest of it")]
mod support;

use std::io;
use std::sync::{Arc, Mutex};

use assist_gateway::{Gateway, NoBooks};
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
    for provider in ["anthropic", "openai", "openrouter", "nim", "openai-compatible"] {
        let mut replies: Vec<Reply> = [400, 401, 402, 403, 404, 409, 413, 418, 422, 429, 500, 529]
            .map(|status| Reply::error(echo(status)))
            .into();
        replies.push(Reply::text("fine"));
        replies.push(Reply::text("fine").mid_error(
            Place::Char(2),
            "api_error",
            &format!("key {KEY} is bad"),
        ));
        replies.push(Reply::error(Failure::HangUp));
        for reply in replies {
            let simulator = Simulator::start(Script::always(reply));
            // A base URL can hold a password as well.
            let url = simulator.url.replace("http://", &format!("http://user:{KEY}@"));
            let config = config(provider, &url);
            shown += &format!("{config:?}");
            let gateway = Gateway::new(config, Arc::new(NoBooks), Arc::new(Naps::default())).unwrap();
            shown += &format!("{gateway:?} {:?} {:?}", gateway.providers(), gateway.check(provider).await);
            match gateway.stream(call("prompt-text-of-the-user")).await {
                Ok(stream) => {
                    let done = read(stream).await.done;
                    shown += &format!("{done:?} {:?}", done.error.as_ref().map(|error| error.to_string()));
                }
                Err(error) => shown += &format!("{error} {error:?}"),
            }
            assert!(simulator.requests().iter().all(|request| request.key.as_deref() == Some(KEY)));
        }
    }
    assert!(
        shown.contains("is bad") && shown.contains("***"),
        "the provider's words are shown, without the key"
    );
    assert!(!shown.contains(KEY), "{shown}");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("answer began"), "the log was heard");
    assert!(!log.contains(KEY), "{log}");
    assert!(!log.contains("prompt-text-of-the-user"), "{log}");
}
