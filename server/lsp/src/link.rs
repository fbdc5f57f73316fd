//! The connection as everything else sees it: the documents, what the client can, and ways to speak to it.
//!
//! Law: nothing here is waited for by a request's handler. Requests to the client are made in tasks of runs only, and end
//! when the client is gone.

use std::sync::{Arc, OnceLock};

use assist_agents::Severity;
use assist_base::Clock;
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
        let mut withdrawn = Withdrawn { outbox: &self.outbox, id: Some(id.clone()) };
        let answer = self.send(method, id, params).await;
        withdrawn.id = None;
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

/// Takes a request back when it is dropped before its answer came.
struct Withdrawn<'l> {
    outbox: &'l Outbox,
    id: Option<Id>,
}

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.outbox.notify("$/cancelRequest", &json!({ "id": id }));
        }
    }
}
