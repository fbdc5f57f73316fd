//! Services that are no models: web search, forges, deployment. What one must know to set one up, and the one way in which
//! all of them are asked: JSON over HTTP, behind a breaker, within a time and a size, with errors that never hold the key.

use std::fmt;
use std::time::Duration;

use assist_base::Secret;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;

use crate::breaker::Guarded;
use crate::endpoint::{self, Endpoint, Layout};
use crate::problem::one_line;
use crate::sending::read_up_to;
use crate::{Gateway, GatewayError, Phase, deploy, forge, web};

/// The longest answer that is read.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// So much of a service's own words is told, in characters.
const MAX_WORDS: usize = 200;

/// What a service is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceKind {
    /// Searching the web.
    Search,
    /// Keeping repositories.
    Forge,
    /// Putting what is in them to work.
    Deploy,
}

impl ServiceKind {
    /// The word in the names of breakers and in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            ServiceKind::Search => "search",
            ServiceKind::Forge => "forge",
            ServiceKind::Deploy => "deploy",
        }
    }
}

/// What one must know of a service to configure it. The variables are read by the `cli` crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceInfo {
    /// The word in settings, and the name its key is kept under.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What it is for.
    pub kind: ServiceKind,
    /// The variable that holds its key; none where it needs none.
    pub key_var: Option<&'static str>,
    /// The variable that holds its address.
    pub url_var: &'static str,
    /// Where it is when no address is set.
    pub default_url: Option<&'static str>,
}

impl ServiceInfo {
    fn key_fix(&self) -> String {
        match self.key_var {
            Some(var) => format!("run `assist auth set {}` or set {var}", self.name),
            None => format!("check {}", self.url_var),
        }
    }
}

/// Where a service is and how one is let in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServicePlace {
    /// Its name, as in [`ServiceInfo::name`].
    pub name: String,
    /// Its address. None: its own.
    pub url: Option<String>,
    /// Its key.
    pub key: Option<Secret>,
    /// Where the key came from, in words for `assist doctor`.
    pub key_source: Option<String>,
}

impl fmt::Debug for ServicePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address can hold a password: never shown as it is.
        f.debug_struct("ServicePlace")
            .field("name", &self.name)
            .field("url", &self.url.as_deref().map(endpoint::shown))
            .field("key", &self.key)
            .field("key_source", &self.key_source)
            .finish()
    }
}

/// Every service that can be set up.
pub fn services() -> impl Iterator<Item = &'static ServiceInfo> {
    web::infos().chain([&forge::INFO, &deploy::INFO])
}

/// The service of that name.
pub fn service_info(name: &str) -> Option<&'static ServiceInfo> {
    services().find(|info| info.name == name)
}

/// How a service wants its key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Login {
    /// Not at all.
    None,
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `Authorization: token KEY`.
    Token,
    /// In a header of its own.
    Header(&'static str),
}

/// A question to a service.
pub(crate) struct Question {
    pub method: Method,
    /// Begins with `/` and may end in a query.
    pub path: String,
    pub body: Option<Value>,
    pub login: Login,
}

/// A service that is set up.
#[derive(Clone)]
pub(crate) struct Service {
    info: &'static ServiceInfo,
    endpoint: Endpoint,
    key: Option<Secret>,
    gateway: Gateway,
}

impl Service {
    pub(crate) fn open(
        gateway: &Gateway,
        info: &'static ServiceInfo,
        place: &ServicePlace,
    ) -> Result<Self, GatewayError> {
        let key = place.key.clone().filter(|key| !key.is_empty());
        let missing = |fix: String| GatewayError::NotConfigured { provider: info.name.to_owned(), fix };
        if key.is_none() && info.key_var.is_some() {
            return Err(missing(info.key_fix()));
        }
        let Some(url) = place.url.as_deref().or(info.default_url) else {
            return Err(missing(format!("set {} to its address", info.url_var)));
        };
        let endpoint = Endpoint::parse(info.name, url, Layout::AtRoot, None)?;
        Ok(Self { info, endpoint, key, gateway: gateway.clone() })
    }

    /// The whole address of a path.
    pub(crate) fn address(&self, path: &str) -> String {
        self.endpoint.url(path).to_string()
    }

    /// Asks, behind the breaker `kind:name`. Waits for `patience` at most.
    pub(crate) async fn ask(&self, question: Question, patience: Duration) -> Result<Value, GatewayError> {
        let name = format!("{}:{}", self.info.kind.as_str(), self.info.name);
        let call = async {
            tokio::select! {
                biased;
                answer = self.send(question) => answer,
                () = self.gateway.inner.clock.sleep(patience) => Err(GatewayError::Timeout {
                    provider: self.info.name.to_owned(),
                    phase: Phase::FirstToken,
                    after: patience,
                }),
            }
        };
        self.gateway.outside(&name, GatewayError::is_outage, call).await.map_err(|error| match error {
            Guarded::Failed(error) => error,
            Guarded::Open(open) => left_alone(self.info.name, open.to_string()),
        })
    }

    async fn send(&self, question: Question) -> Result<Value, GatewayError> {
        let transport = &self.gateway.inner.transport;
        let client = transport.client(&self.endpoint)?;
        let url = self.endpoint.url(&question.path);
        let mut request = client.request(question.method, url).header(ACCEPT, "application/json");
        if let Some(body) = question.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        if let Some((name, value)) = self.login(question.login)? {
            request = request.header(name, value);
        }
        let sent = transport.send(&self.endpoint, request).await;
        let response = sent.map_err(|error| transport.explain(self.info.name, &self.endpoint, error))?;
        let status = response.status();
        let body = read_up_to(response, MAX_ANSWER).await;
        if !status.is_success() {
            return Err(self.refusal(status.as_u16(), &body));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| self.odd("what came is not JSON"))
    }

    fn login(&self, login: Login) -> Result<Option<(HeaderName, HeaderValue)>, GatewayError> {
        let Some(key) = &self.key else { return Ok(None) };
        let (name, value) = match login {
            Login::None => return Ok(None),
            Login::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose())),
            Login::Token => (AUTHORIZATION, format!("token {}", key.expose())),
            Login::Header(name) => (HeaderName::from_static(name), key.expose().to_owned()),
        };
        let mut value = HeaderValue::from_str(&value).map_err(|_| GatewayError::Auth {
            provider: self.info.name.to_owned(),
            fix: format!("it holds what no key can hold; {}", self.info.key_fix()),
            request_id: None,
        })?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }

    /// What came is not what this service answers.
    pub(crate) fn odd(&self, detail: &str) -> GatewayError {
        GatewayError::Protocol {
            provider: self.info.name.to_owned(),
            address: self.endpoint.shown(),
            detail: detail.to_owned(),
        }
    }

    fn refusal(&self, status: u16, body: &[u8]) -> GatewayError {
        let provider = self.info.name.to_owned();
        let words = self.words(body);
        match status {
            // Gitea and Coolify say so where the key is right and may not do it.
            403 if !words.is_empty() && self.info.kind != ServiceKind::Search => {
                GatewayError::Rejected { provider, status, message: words, request_id: None }
            }
            401 | 403 => GatewayError::Auth { provider, fix: self.info.key_fix(), request_id: None },
            // Tavily has numbers of its own for it.
            402 | 432 | 433 => GatewayError::Quota { provider, request_id: None },
            429 => GatewayError::RateLimited { provider, retry_after: None, request_id: None },
            500.. => GatewayError::Unavailable { provider, detail: status.to_string(), request_id: None },
            300..=399 => {
                self.odd(&format!("it sends elsewhere ({status}); set the address that it sends to"))
            }
            _ => GatewayError::Rejected { provider, status, message: words, request_id: None },
        }
    }

    /// What a service says of an error, in one line.
    fn words(&self, body: &[u8]) -> String {
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        let places = [&told["message"], &told["error"]["message"], &told["error"], &told["detail"]["error"]];
        let words = places.into_iter().find_map(Value::as_str).unwrap_or_default();
        one_line(words, self.key.as_ref()).chars().take(MAX_WORDS).collect()
    }
}

/// A call that was not made because it failed too often.
pub(crate) fn left_alone(name: &str, detail: String) -> GatewayError {
    GatewayError::Unavailable { provider: name.to_owned(), detail, request_id: None }
}
