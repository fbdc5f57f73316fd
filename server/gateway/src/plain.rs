//! Calls without TLS that no proxy stands before: models on this machine and in one's own network.
//!
//! What a server sends faster than it is read waits in the client's memory. Over HTTP/1 the buffer for it grows up to
//! 400 KB a connection and stays so, and the common client offers no limit; over TLS it is one record of 16 KB at a
//! time. So these calls, where a fast server is likeliest, have a client of their own, on the same library.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use reqwest::header::{ACCEPT, HeaderValue, USER_AGENT};
use reqwest::{Body, RequestBuilder, Response};
use tokio::net::TcpStream;
use tower::Service;
use tower_http::decompression::Decompression;

use crate::transport::{Failure, NAME_AND_VERSION};

/// The most that is read ahead of an answer. The head of an answer must fit in, too.
const MOST_AHEAD: usize = 32 * 1024;

/// As the common client has them.
const IDLE: Duration = Duration::from_secs(90);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The client. Keeps its connections.
#[derive(Debug)]
pub(crate) struct Plain {
    client: Decompression<Client<Connector, Body>>,
}

impl Plain {
    /// `patience` is for a connection, the look-up of its name included.
    pub(crate) fn new(patience: Duration) -> Self {
        let mut inner = HttpConnector::new();
        inner.set_nodelay(true);
        inner.set_keepalive(Some(KEEP_ALIVE));
        inner.set_keepalive_interval(Some(KEEP_ALIVE));
        let client = Client::builder(TokioExecutor::new())
            .http1_max_buf_size(MOST_AHEAD)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(Connector { inner, patience });
        Self { client: Decompression::new(client) }
    }

    /// Sends a request that was put together for the common client. Redirects are not followed.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let mut request = http::Request::<Body>::try_from(request.build()?)?;
        let headers = request.headers_mut();
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(NAME_AND_VERSION));
        // A clone is a handle: they share the connections. This service is always ready.
        let answer = self.client.clone().call(request).await?;
        Ok(Response::from(answer.map(Body::wrap)))
    }
}

/// Connects, and gives up in time.
#[derive(Debug, Clone)]
struct Connector {
    inner: HttpConnector,
    patience: Duration,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.patience, self.inner.call(address));
        Box::pin(async move {
            let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
            Ok(connecting.await.map_err(|_| late())??)
        })
    }
}
