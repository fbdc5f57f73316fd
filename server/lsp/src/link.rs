//! The connection as everything else sees it: the documents, what the client can, and ways to speak to it.
//!
//! Law: nothing here is waited for by a request's handler. Requests to the client are made in tasks of runs only, and end
//! when the client is gone.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use assist_agents::Severity;
use assist_base::Clock;
use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::Service;
use tower_lsp::Client;
use tower_lsp::jsonrpc::{Id, Request};

use crate::documents::Documents;
use crate::handshake::Handshake;
use crate::outbox::Outbox;
use crate::runs::Runs;

/// One connection.
pub struct Link {
    /// The open documents.
    pub documents: Arc<Documents>,
    /// What goes out.
    pub outbox: Outbox,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The runs as the user sees them.
    pub runs: Runs,
    /// Cancelled when the client is gone.
    pub gone: CancellationToken,
    client: Client,
    handshake: OnceLock<Handshake>,
    before: Handshake,
}

/// Why a request to the client has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// The client has gone.
    Gone,
    /// It answered with an error.
    Failed(String),
}

impl Link {
    /// A connection before its handshake.
    pub fn new(documents: Arc<Documents>, outbox: Outbox, clock: Arc<dyn Clock>, client: Client) -> Self {
        Self {
            documents,
            outbox,
            clock,
            runs: Runs::default(),
            gone: CancellationToken::new(),
            client,
            handshake: OnceLock::new(),
            before: Handshake::default(),
        }
    }

    /// What the client said of itself; nothing before it did.
    pub fn handshake(&self) -> &Handshake {
        self.handshake.get().unwrap_or(&self.before)
    }

    /// Sets what the client said of itself. Once.
    pub fn shake_hands(&self, handshake: Handshake) {
        self.documents.set_encoding(handshake.encoding);
        let _ = self.handshake.set(handshake);
    }

    /// Asks the client. An answer that nobody waits for any more is ignored when it comes.
    pub async fn request(&self, method: &'static str, params: Value) -> Result<Value, Unanswered> {
        self.send(method, self.client.next_request_id(), params).await
    }

    /// Asks the client, and takes the question back when the answer is not waited for any more.
    pub async fn question(&self, method: &'static str, params: Value) -> Result<Value, Unanswered> {
        let id = self.client.next_request_id();
        let answer = Box::pin(self.send(method, id.clone(), params));
        let mut asked = Asked { outbox: &self.outbox, id, answer: Some(answer), is_sent: false };
        let answer = poll_fn(|context| asked.poll(context)).await;
        asked.answer = None;
        answer
    }

    async fn send(&self, method: &'static str, id: Id, params: Value) -> Result<Value, Unanswered> {
        if self.gone.is_cancelled() {
            return Err(Unanswered::Gone);
        }
        let request = Request::build(method).params(params).id(id).finish();
        let mut client = self.client.clone();
        // An answer that came before the client left still counts.
        let response = tokio::select! {
            biased;
            response = client.call(request) => response,
            () = self.gone.cancelled() => return Err(Unanswered::Gone),
        };
        match response {
            Ok(Some(response)) => {
                let (_, result) = response.into_parts();
                result.map_err(|error| Unanswered::Failed(error.message.into_owned()))
            }
            _ => Err(Unanswered::Gone),
        }
    }

    /// Shows one sentence.
    pub fn say(&self, severity: Severity, message: &str) {
        let kind = message_type(severity);
        self.outbox.notify("window/showMessage", &json!({ "type": kind, "message": message }));
    }
}

/// The protocol's number for a severity.
pub fn message_type(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Info => 3,
    }
}

type Answering<'l> = Pin<Box<dyn Future<Output = Result<Value, Unanswered>> + Send + 'l>>;

/// A question, taken back when it is dropped before its answer came.
struct Asked<'l> {
    outbox: &'l Outbox,
    id: Id,
    answer: Option<Answering<'l>>,
    is_sent: bool,
}

impl Asked<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Value, Unanswered>> {
        self.is_sent = true;
        self.answer
            .as_mut()
            .map_or(Poll::Ready(Err(Unanswered::Gone)), |answer| answer.as_mut().poll(context))
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        // The answer may have come in this moment: then there is nothing to take back.
        let is_open = |answer: Answering<'_>| answer.now_or_never().is_none();
        if self.is_sent && self.answer.take().is_some_and(is_open) {
            self.outbox.notify("$/cancelRequest", &json!({ "id": self.id }));
        }
    }
}
