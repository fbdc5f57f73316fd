//! The loop between the client's bytes and the service.
//!
//! Laws:
//! - One reader. It applies the changes of documents itself, in wire order, before it looks at the next message, and waits
//!   for nothing but its input; the handshake and the shutdown alone are answered before it reads on.
//! - Every request runs as a task of its own, with the document it is about captured when it was read ([`captured`]). A panic
//!   ends that request with -32603, `$/cancelRequest` with -32800.
//! - Notifications are handled in order: their handlers do not wait, they start tasks.
//! - Everything out goes through the [`Outbox`].
//! - What cannot be read is answered and skipped: -32700 for what is no JSON, -32600 for what is no message, a body too large,
//!   a header without a length. Before the handshake requests get -32002, after the shutdown -32600.

use std::any::Any;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{FutureExt, SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::AsyncRead;
use tokio::task::JoinSet;
use tower::Service;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};
use tower_lsp::{ClientSocket, LanguageServer, LspService};

use crate::documents::{Change, Documents, Snapshot};
use crate::framing::{Frame, FrameReader};
use crate::message::{self, Incoming};
use crate::outbox::Outbox;
use crate::uri;

tokio::task_local! {
    static CAPTURED: Captured;
}

/// What a request was about when it was read.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    /// The document that the request names, if it is open.
    pub document: Option<Snapshot>,
}

/// What the present request was about when it was read. Empty outside a request.
pub fn captured() -> Captured {
    CAPTURED.try_with(Captured::clone).unwrap_or_default()
}

/// How the client left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As the protocol wants it: `shutdown`, then `exit`.
    Orderly,
    /// `exit` without `shutdown`, or the end of the stream.
    Abrupt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fresh,
    Running,
    ShutDown,
}

/// One connection.
pub struct Transport<S: LanguageServer> {
    service: LspService<S>,
    documents: Arc<Documents>,
    outbox: Outbox,
    phase: Phase,
    requests: JoinSet<()>,
    /// Requests whose handler panicked: the service still counts them as running.
    panicked: Arc<Mutex<Vec<Id>>>,
}

impl<S: LanguageServer> Transport<S> {
    /// A connection that answers through `outbox`.
    pub fn new(service: LspService<S>, documents: Arc<Documents>, outbox: Outbox) -> Self {
        Self {
            service,
            documents,
            outbox,
            phase: Phase::Fresh,
            requests: JoinSet::new(),
            panicked: Arc::default(),
        }
    }

    /// Serves `input` until it ends, the client exits, or nobody reads what we write.
    pub async fn run<R: AsyncRead + Unpin>(mut self, input: R, socket: ClientSocket) -> Ended {
        let (mut ours, mut answers) = socket.split();
        let outbox = self.outbox.clone();
        let mut forwarding = JoinSet::new();
        forwarding.spawn(async move {
            while let Some(request) = ours.next().await {
                outbox.room().await;
                outbox.send(&request);
            }
        });
        let mut frames = FrameReader::new(input);
        let outbox = self.outbox.clone();
        loop {
            let frame = tokio::select! {
                frame = frames.next() => frame,
                () = outbox.closed() => return Ended::Abrupt,
            };
            while self.requests.try_join_next().is_some() {}
            let body = match frame {
                Ok(Some(Frame::Body(body))) => body,
                Ok(Some(Frame::TooLarge(length))) => {
                    let error = refused(format!("a message of {length} bytes is too large"));
                    outbox.send(&Response::from_error(Id::Null, error));
                    continue;
                }
                Ok(Some(Frame::BadHeader)) => {
                    let error = refused("a header without one Content-Length");
                    outbox.send(&Response::from_error(Id::Null, error));
                    continue;
                }
                Ok(None) => return Ended::Abrupt,
                Err(error) => {
                    tracing::info!(%error, "the client's side cannot be read any more");
                    return Ended::Abrupt;
                }
            };
            match message::parse(&body) {
                Incoming::Notification { method, .. } if method == "exit" => {
                    let orderly = self.phase == Phase::ShutDown;
                    return if orderly { Ended::Orderly } else { Ended::Abrupt };
                }
                Incoming::Notification { method, params } => self.notification(method, params),
                Incoming::Request { id, method, params } => self.request(id, method, params).await,
                // Never waits: the sink hands the answer to whoever asked.
                Incoming::Response(response) => drop(answers.send(response).await),
                Incoming::Invalid(response) => outbox.send(&response),
            }
        }
    }

    fn notification(&mut self, method: Cow<'_, str>, params: Option<&RawValue>) {
        if self.phase != Phase::Running {
            return;
        }
        if let Some(params) = params
            && method.starts_with("textDocument/did")
        {
            let applied = catch_unwind(AssertUnwindSafe(|| sync(&self.documents, &method, params)));
            match applied {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    return tracing::warn!(%method, %error, "a document's notification was not understood");
                }
                Err(panic) => {
                    return tracing::error!(%method, panic = said(&*panic), "a document could not be changed");
                }
            }
        }
        let Ok(params) = value(params) else { return tracing::warn!(%method, "parameters are no JSON") };
        let request = Request::build(method.into_owned())
            .params(params.unwrap_or_else(|| Value::Object(Default::default())));
        let Some(handling) = self.call(request.finish()) else { return };
        let mut handling = Box::pin(AssertUnwindSafe(handling).catch_unwind());
        // In order, as far as they go without waiting.
        match handling.as_mut().now_or_never() {
            Some(Ok(_)) => {}
            Some(Err(panic)) => tracing::error!(panic = said(&*panic), "a notification's handler panicked"),
            None => drop(self.requests.spawn(handling.map(drop))),
        }
    }

    async fn request(&mut self, id: Id, method: Cow<'_, str>, params: Option<&RawValue>) {
        let fail = |error| self.outbox.send(&Response::from_error(id.clone(), error));
        match self.phase {
            Phase::Fresh if method != "initialize" => {
                return fail(Error {
                    code: ErrorCode::ServerError(-32002),
                    message: "Server not initialized".into(),
                    data: None,
                });
            }
            Phase::ShutDown => return fail(Error::invalid_request()),
            _ => {}
        }
        let Ok(mut params) = value(params) else { return fail(Error::parse_error()) };
        // Ours all take an object, and a client may leave an empty one out.
        if params.is_none() && method.starts_with("assist/") {
            params = Some(Value::Object(serde_json::Map::new()));
        }
        self.forget_panicked();
        let captured = params.as_mut().map(|params| self.capture(params)).unwrap_or_default();
        let mut request = Request::build(method.clone().into_owned()).id(id.clone());
        if let Some(params) = params {
            request = request.params(params);
        }
        let Some(handling) = self.call(request.finish()) else {
            return self.outbox.send(&Response::from_error(id, Error::internal_error()));
        };
        let answering = answer(handling, id, self.outbox.clone(), Arc::clone(&self.panicked));
        let answering = CAPTURED.scope(captured, answering);
        // What follows depends on these two, so they are done before anything else is read.
        match method.as_ref() {
            "initialize" => {
                if answering.await {
                    self.phase = Phase::Running;
                }
            }
            "shutdown" => {
                self.phase = Phase::ShutDown;
                answering.await;
            }
            _ => drop(self.requests.spawn(answering.map(drop))),
        }
    }

    /// Hands a message to the service. `None` when that panicked: parameters are read there.
    fn call(&mut self, request: Request) -> Option<<LspService<S> as Service<Request>>::Future> {
        let called = catch_unwind(AssertUnwindSafe(|| self.service.call(request)));
        called
            .map_err(|panic| tracing::error!(panic = said(&*panic), "a message could not be dispatched"))
            .ok()
    }

    fn capture(&self, params: &mut Value) -> Captured {
        let named = params.pointer("/textDocument/uri").or_else(|| params.pointer("/arguments/0/uri"));
        let uri = named.and_then(Value::as_str).map(str::to_owned);
        uri::repair_params(params);
        let document = uri.as_deref().and_then(|uri| self.documents.capture(uri));
        Captured { document }
    }

    fn forget_panicked(&mut self) {
        let ids = std::mem::take(&mut *self.panicked.lock().unwrap_or_else(PoisonError::into_inner));
        for id in ids {
            let id = match id {
                Id::Number(number) => Value::from(number),
                Id::String(text) => Value::from(text),
                Id::Null => continue,
            };
            let cancel = Request::build("$/cancelRequest").params(serde_json::json!({ "id": id })).finish();
            if let Some(cancelling) = self.call(cancel) {
                let _ = cancelling.now_or_never();
            }
        }
    }
}

/// Runs a request to its end and answers it. Says whether it went well.
async fn answer(
    handling: impl Future<Output = Result<Option<Response>, tower_lsp::ExitedError>>,
    id: Id,
    outbox: Outbox,
    panicked: Arc<Mutex<Vec<Id>>>,
) -> bool {
    let response = match AssertUnwindSafe(handling).catch_unwind().await {
        Ok(Ok(Some(response))) => response,
        // The service is silent about unknown methods that begin with `$/`; a request gets an answer all the same.
        Ok(Ok(None)) => Response::from_error(id, Error::method_not_found()),
        Ok(Err(_)) => Response::from_error(id, Error::invalid_request()),
        Err(panic) => {
            tracing::error!(%id, panic = said(&*panic), "a request's handler panicked");
            panicked.lock().unwrap_or_else(PoisonError::into_inner).push(id.clone());
            Response::from_error(id, Error::internal_error())
        }
    };
    outbox.send(&response);
    response.is_ok()
}

fn refused(message: impl Into<Cow<'static, str>>) -> Error {
    Error { code: ErrorCode::InvalidRequest, message: message.into(), data: None }
}

fn value(params: Option<&RawValue>) -> serde_json::Result<Option<Value>> {
    params.map(|params| serde_json::from_str(params.get())).transpose()
}

fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[derive(Deserialize)]
struct DidOpen<'a> {
    #[serde(rename = "textDocument", borrow)]
    document: Opened<'a>,
}

#[derive(Deserialize)]
struct Opened<'a> {
    #[serde(borrow)]
    uri: Cow<'a, str>,
    #[serde(rename = "languageId", borrow, default)]
    language_id: Cow<'a, str>,
    #[serde(default)]
    version: Option<i64>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Deserialize)]
struct DidChange<'a> {
    #[serde(rename = "textDocument", borrow)]
    document: Named<'a>,
    #[serde(rename = "contentChanges")]
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct DidClose<'a> {
    #[serde(rename = "textDocument", borrow)]
    document: Named<'a>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    uri: Cow<'a, str>,
    #[serde(default)]
    version: Option<i64>,
}

/// Applies a document's notification. False when it is none.
fn sync(documents: &Documents, method: &str, params: &RawValue) -> serde_json::Result<bool> {
    match method {
        "textDocument/didOpen" => {
            let DidOpen { document } = serde_json::from_str(params.get())?;
            documents.did_open(
                &document.uri,
                &document.language_id,
                document.version.unwrap_or_default(),
                &document.text,
            );
        }
        "textDocument/didChange" => {
            let DidChange { document, changes } = serde_json::from_str(params.get())?;
            documents.did_change(&document.uri, document.version.unwrap_or_default(), &changes);
        }
        "textDocument/didClose" => {
            let DidClose { document } = serde_json::from_str(params.get())?;
            documents.did_close(&document.uri);
        }
        // Nothing depends on it yet: what is on disk is read when it is needed.
        "textDocument/didSave" => {}
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
