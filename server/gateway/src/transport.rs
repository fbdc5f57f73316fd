//! The HTTP clients, and what their failures mean.

use std::error::Error as StdError;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, redirect};

use crate::endpoint::Endpoint;
use crate::plain::Plain;
use crate::{GatewayError, Phase};

/// What servers are told of who asks.
pub(crate) const NAME_AND_VERSION: &str = concat!("assist/", env!("CARGO_PKG_VERSION"));

/// What a server may send ahead of being read, over HTTP/2: for one answer, and for all on a connection. Models need far
/// less, and what is sent ahead lies in memory.
const AHEAD: u32 = 64 * 1024;
const AHEAD_IN_ALL: u32 = 1024 * 1024;

/// A request or an answer that failed on its way.
#[derive(Debug)]
pub(crate) enum Failure {
    Common(reqwest::Error),
    Plain(legacy::Error),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Common(error.without_url())
    }
}

impl From<legacy::Error> for Failure {
    fn from(error: legacy::Error) -> Self {
        Self::Plain(error)
    }
}

impl Failure {
    fn error(&self) -> &(dyn StdError + 'static) {
        match self {
            Self::Common(error) => error,
            Self::Plain(error) => error,
        }
    }

    fn is_connect(&self) -> bool {
        match self {
            Self::Common(error) => error.is_connect(),
            Self::Plain(error) => error.is_connect(),
        }
    }

    fn is_timeout(&self) -> bool {
        match self {
            Self::Common(error) => error.is_timeout(),
            Self::Plain(_) => io_kind(self.error()) == Some(io::ErrorKind::TimedOut),
        }
    }
}

/// The clients, made when first needed: reading the system's certificates takes longer than the server's whole start.
#[derive(Debug)]
pub(crate) struct Transport {
    /// For other machines, through the system's proxy where it has one.
    world: OnceLock<Client>,
    /// For this machine over TLS. A proxy cannot reach this machine's own servers.
    local: OnceLock<Client>,
    /// Without TLS, and so without certificates, which a bare container does not have. Puts requests together that
    /// `small` sends.
    plain: OnceLock<Client>,
    /// Sends what needs neither TLS nor a proxy.
    small: OnceLock<Plain>,
    /// The system's proxies.
    proxies: OnceLock<Matcher>,
    connect: Duration,
}

impl Transport {
    pub(crate) fn new(connect: Duration) -> Self {
        Self {
            world: OnceLock::new(),
            local: OnceLock::new(),
            plain: OnceLock::new(),
            small: OnceLock::new(),
            proxies: OnceLock::new(),
            connect,
        }
    }

    /// Whether an address is called without TLS and without a proxy.
    fn is_direct(&self, endpoint: &Endpoint) -> bool {
        if !endpoint.is_plain() || endpoint.is_local() {
            return endpoint.is_plain();
        }
        let proxies = self.proxies.get_or_init(Matcher::from_system);
        let address: Option<Uri> = endpoint.url("").as_str().parse().ok();
        address.is_some_and(|address| proxies.intercept(&address).is_none())
    }

    /// Sends a request that [`Transport::client`] has begun for the same address.
    pub(crate) async fn send(
        &self,
        endpoint: &Endpoint,
        request: RequestBuilder,
    ) -> Result<Response, Failure> {
        if self.is_direct(endpoint) {
            return self.small.get_or_init(|| Plain::new(self.connect)).send(request).await;
        }
        Ok(request.send().await?)
    }

    /// The client for an address. Each keeps its connections.
    pub(crate) fn client(&self, endpoint: &Endpoint) -> Result<&Client, GatewayError> {
        let (place, build): (_, fn(ClientBuilder) -> ClientBuilder) =
            match (endpoint.is_local(), self.is_direct(endpoint)) {
                (_, true) => (&self.plain, |builder| builder.no_proxy().tls_certs_only([])),
                (true, false) => (&self.local, ClientBuilder::no_proxy),
                (false, _) => (&self.world, |builder| builder),
            };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        // Fails only where the process has a provider already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .connect_timeout(self.connect)
            .tcp_nodelay(true)
            .user_agent(NAME_AND_VERSION)
            .http2_initial_stream_window_size(AHEAD)
            .http2_initial_connection_window_size(AHEAD_IN_ALL)
            // A redirect would carry keys and code to a place that nobody chose.
            .redirect(redirect::Policy::none());
        let client = build(builder).build().map_err(|error| GatewayError::Settings {
            message: format!(
                "The secure connections could not be set up ({}): install the system's certificates, and check SSL_CERT_FILE and the proxy variables.",
                chain(&error.without_url())
            ),
        })?;
        Ok(place.get_or_init(|| client))
    }

    /// What a failure before or in the middle of an answer means.
    pub(crate) fn explain(
        &self,
        provider: &str,
        endpoint: &Endpoint,
        failure: impl Into<Failure>,
    ) -> GatewayError {
        let provider = provider.to_owned();
        let address = endpoint.shown();
        let failure = failure.into();
        if failure.is_connect() && failure.is_timeout() {
            return GatewayError::Timeout { provider, phase: Phase::Connect, after: self.connect };
        }
        let text = chain(failure.error());
        if let Some(detail) = tls_fault(failure.error()) {
            return GatewayError::Tls { provider, address, detail };
        }
        let detail = match io_kind(failure.error()) {
            Some(io::ErrorKind::ConnectionRefused) if endpoint.is_local() => {
                "nothing listens there, so start the server or correct the base URL".to_owned()
            }
            Some(io::ErrorKind::ConnectionRefused) => match proxy_variable(endpoint) {
                // Whether it was asked depends on NO_PROXY too. Its address is not told: it can hold a password.
                Some(name) => format!(
                    "the connection was refused, perhaps by the proxy that {name} names, so check {name}, NO_PROXY and the base URL"
                ),
                None => "the connection was refused, so check the base URL and the network".to_owned(),
            },
            _ if text.contains("head is too large") => {
                "its answer begins with more than any server's does, so check the base URL".to_owned()
            }
            _ if text.contains("dns error") || text.contains("lookup") => {
                "the name is not known, so check the base URL and the network".to_owned()
            }
            _ if text.contains("proxy") || text.contains("tunnel") => {
                "the proxy did not let it through, so check HTTPS_PROXY and NO_PROXY".to_owned()
            }
            _ if failure.is_connect() => "no connection could be made, so check the network".to_owned(),
            _ => "the connection broke, so try again".to_owned(),
        };
        GatewayError::Network { provider, address, detail }
    }
}

/// The variable that names a proxy for an address.
fn proxy_variable(endpoint: &Endpoint) -> Option<&'static str> {
    let names: &[&'static str] = match endpoint.is_plain() {
        true => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
        false => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
    };
    names.iter().copied().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The messages of an error and its causes, for reading, never with an address in it.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// An error's causes. An I/O error does not name its payload as its source, and the connector wraps one in another;
/// here the payload follows.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&error| {
        let payload = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match payload {
            Some(payload) => Some(payload as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map(io::Error::kind)
}

/// What the TLS library says, where it was the one to fail.
fn tls_fault(error: &(dyn StdError + 'static)) -> Option<String> {
    causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()).map(ToString::to_string)
}
