//! What the tests of this crate share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use assist_base::{Clock, RunId, Secret, SystemClock, Timestamp};
use assist_gateway::{
    Books, BudgetRefused, Call, Chunk, ChunkStream, Completion, Estimate, Gateway, GatewayConfig, Message,
    NoBooks, ProviderConfig, Request, Reservation, Settlement, Tier, Turn, provider_info,
};
use async_trait::async_trait;
use tokio::sync::mpsc;

/// A key that no text but a request may ever hold.
pub const KEY: &str = "sk-secret-0123456789";

/// A configuration of one provider at `url`.
pub fn config(provider: &str, url: &str) -> GatewayConfig {
    let mut config = GatewayConfig { provider: Some(provider.to_owned()), ..GatewayConfig::default() };
    // Tests must not take a wait for a retry for a time limit.
    config.timeouts.idle = Duration::from_secs(90);
    let key = provider_info(provider).and_then(|info| info.key_var).map(|_| Secret::new(KEY));
    let settings = ProviderConfig {
        base_url: Some(url.to_owned()),
        key,
        model: Some("sim-model".to_owned()),
        ..ProviderConfig::default()
    };
    config.providers.insert(provider.to_owned(), settings);
    config
}

pub fn gateway(config: GatewayConfig) -> Gateway {
    Gateway::new(config, Arc::new(NoBooks), SystemClock::shared()).unwrap()
}

pub fn call(text: &str) -> Call {
    let request = Request {
        system: "Be brief.".to_owned(),
        messages: vec![Message::user(text)],
        max_output_tokens: 1000,
        temperature: None,
    };
    Call { run: RunId::new(), agent: "builder".to_owned(), tier: Tier::B, model: None, request }
}

/// A stream read to its end.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub text: String,
    pub reasoning: String,
    pub done: Completion,
    pub turn: Turn,
}

pub async fn read(mut stream: ChunkStream) -> Answer {
    let (mut text, mut reasoning) = (String::new(), String::new());
    let done = loop {
        match stream.next().await.expect("a stream ends with Done") {
            Chunk::Text(piece) => {
                assert!(!piece.is_empty());
                text.push_str(&piece);
            }
            Chunk::Reasoning(piece) => reasoning.push_str(&piece),
            Chunk::Done(done) => break done,
        }
    };
    assert_eq!(stream.next().await, None, "Done is the last chunk");
    let turn = stream.turn().expect("with Done the answer is a turn").clone();
    assert_eq!(turn.text(), text);
    Answer { text, reasoning, done, turn }
}

/// A clock on which waits for a retry pass at once and are noted; longer waits, which are time limits, never pass.
#[derive(Default)]
pub struct Naps(pub Mutex<Vec<Duration>>);

#[async_trait]
impl Clock for Naps {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, duration: Duration) {
        if duration >= Duration::from_secs(10) {
            std::future::pending::<()>().await;
        }
        self.0.lock().unwrap().push(duration);
    }
}

/// Books that tell what was written into them.
pub struct Told {
    pub allow: bool,
    pub said: mpsc::UnboundedSender<Entry>,
}

#[derive(Debug)]
pub enum Entry {
    Reserved(Estimate),
    Settled(i64, Settlement),
}

pub fn books(allow: bool) -> (Arc<Told>, mpsc::UnboundedReceiver<Entry>) {
    let (said, heard) = mpsc::unbounded_channel();
    (Arc::new(Told { allow, said }), heard)
}

#[async_trait]
impl Books for Told {
    async fn reserve(&self, estimate: &Estimate) -> Result<Reservation, BudgetRefused> {
        self.said.send(Entry::Reserved(estimate.clone())).unwrap();
        if self.allow {
            Ok(Reservation { id: 7 })
        } else {
            Err(BudgetRefused {
                reason: "Today's budget of $1 is used up: raise it in config.toml.".to_owned(),
            })
        }
    }

    async fn settle(&self, reservation: Reservation, settlement: Settlement) {
        // A test that has seen enough may be gone.
        let _ = self.said.send(Entry::Settled(reservation.id, settlement));
    }
}
