//! The HTTP clients, and what their failures mean.

use std::error::Error as _;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};

use crate::endpoint::Endpoint;
use crate::{GatewayError, Phase};

/// The clients, made when first needed: reading the system's certificates takes longer than the server's whole start.
#[derive(Debug)]
pub(crate) struct Transport {
    /// For other machines, through the system's proxy where it has one.
    world: OnceLock<Client>,
    /// For this machine over TLS. A proxy cannot reach this machine's own servers.
    local: OnceLock<Client>,
    /// For this machine without TLS, and so without certificates, which a bare container does not have.
    plain: OnceLock<Client>,
    connect: Duration,
}

impl Transport {
    pub(crate) fn new(connect: Duration) -> Self {
        Self { world: OnceLock::new(), local: OnceLock::new(), plain: OnceLock::new(), connect }
    }

    /// The client for an address. Each keeps its connections.
    pub(crate) fn client(&self, endpoint: &Endpoint) -> Result<&Client, GatewayError> {
        let (place, build): (_, fn(ClientBuilder) -> ClientBuilder) =
            match (endpoint.is_local(), endpoint.is_plain()) {
                (true, true) => (&self.plain, |builder| builder.no_proxy().tls_certs_only([])),
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
            .user_agent(concat!("assist/", env!("CARGO_PKG_VERSION")))
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
    pub(crate) fn explain(&self, provider: &str, endpoint: &Endpoint, error: reqwest::Error) -> GatewayError {
        let provider = provider.to_owned();
        let address = endpoint.shown();
        let error = error.without_url();
        if error.is_connect() && error.is_timeout() {
            return GatewayError::Timeout { provider, phase: Phase::Connect, after: self.connect };
        }
        let text = chain(&error);
        if let Some(detail) = tls_fault(&error) {
            return GatewayError::Tls { provider, address, detail };
        }
        let detail = match io_kind(&error) {
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
            _ if text.contains("dns error") || text.contains("lookup") => {
                "the name is not known, so check the base URL and the network".to_owned()
            }
            _ if text.contains("proxy") || text.contains("tunnel") => {
                "the proxy did not let it through, so check HTTPS_PROXY and NO_PROXY".to_owned()
            }
            _ if error.is_connect() => "no connection could be made, so check the network".to_owned(),
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
fn chain(error: &reqwest::Error) -> String {
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
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&error| {
        let payload = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match payload {
            Some(payload) => Some(payload as &(dyn std::error::Error + 'static)),
            None => error.source(),
        }
    })
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map(io::Error::kind)
}

/// What the TLS library says, where it was the one to fail.
fn tls_fault(error: &reqwest::Error) -> Option<String> {
    causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()).map(ToString::to_string)
}
