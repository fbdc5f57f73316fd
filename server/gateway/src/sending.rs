//! Sending: one request, its refusals, and trying again until an answer begins.

use std::time::Duration;

use assist_base::Secret;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::after::keep_breakers;
use crate::endpoint::Endpoint;
use crate::gateway::Inner;
use crate::ledger::Ledger;
use crate::problem::{Place, Problem, one_line};
use crate::providers::{Asked, Provider, Quirks};
use crate::retry::{Advice, wait_before_next};
use crate::{GatewayError, ModelRef, Permit, Phase};

/// Whom a request goes to.
pub(crate) struct Target {
    pub provider: &'static dyn Provider,
    pub endpoint: Endpoint,
    pub key: Option<Secret>,
}

/// An answer that has begun.
pub(crate) struct Began {
    pub response: Response,
    pub request_id: Option<String>,
    /// When its request was sent, on the clock's scale.
    pub sent_at: Duration,
    /// To be told how the answer goes on.
    pub permit: Option<Permit>,
}

/// A request that was refused.
struct Refused {
    error: GatewayError,
    advice: Advice,
    /// The provider's words, when a request may be put otherwise because of them.
    problem: Option<Problem>,
}

impl From<GatewayError> for Refused {
    fn from(error: GatewayError) -> Self {
        Self { error, advice: Advice::default(), problem: None }
    }
}

/// More than any provider's error has; the rest is not read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// More than any list of models has.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// How long a question that costs nothing may take.
const QUESTION_TIME: Duration = Duration::from_secs(10);

/// How often a request is put otherwise; there are four things to learn.
const MAX_LESSONS: u32 = 5;

impl Inner {
    /// How long the first event may take. A server on this machine may have to load the model first.
    pub(crate) fn first_token(&self, endpoint: &Endpoint) -> Duration {
        let first_token = self.config.timeouts.first_token;
        if endpoint.is_local() { first_token * 5 } else { first_token }
    }

    /// Sends a call until an answer begins or it is clear that none will.
    pub(crate) async fn begin<'a>(
        &self,
        target: &Target,
        model: &ModelRef,
        asked: impl Fn(Quirks) -> Asked<'a>,
        first_token: Duration,
        mut permit: Permit,
        ledger: &mut Ledger,
    ) -> Result<Began, GatewayError> {
        let mut quirks = self.quirks(model);
        let (mut tries, mut lessons) = (0, 0);
        loop {
            let (path, body) = target.provider.chat(&asked(quirks))?;
            ledger.sent = true;
            let sent = self.send_once(target, model, &path, &body, first_token).await;
            let refused = match sent {
                Ok(began) => return Ok(Began { permit: Some(permit), ..began }),
                Err(refused) => refused,
            };
            ledger.sent = false;
            if let Some(problem) = &refused.problem
                && lessons < MAX_LESSONS
                && target.provider.learn(problem, &mut quirks)
            {
                lessons += 1;
                self.remember_quirks(model, quirks);
                continue;
            }
            tries += 1;
            if let GatewayError::RateLimited { retry_after: Some(wait), .. } = &refused.error {
                self.limits.pause(model, *wait);
            }
            if refused.error.is_outage() {
                permit.failed(&refused.error.to_string());
            } else {
                permit.succeeded();
            }
            keep_breakers(&self.breakers, self.books.as_ref()).await;
            let Some(wait) = wait_before_next(&refused.error, tries, refused.advice) else {
                return Err(refused.error);
            };
            tracing::info!(provider = model.provider, tries, wait = ?wait, "trying again");
            self.clock.sleep(wait).await;
            // If it was left alone meanwhile, the reason why is what the user should hear.
            permit = match self.breakers.admit(&breaker_name(model)) {
                Ok(permit) => permit,
                Err(_) => return Err(refused.error),
            };
        }
    }

    async fn send_once(
        &self,
        target: &Target,
        model: &ModelRef,
        path: &str,
        body: &Value,
        first_token: Duration,
    ) -> Result<Began, Refused> {
        let provider = target.provider.info();
        let sent_at = self.clock.elapsed();
        let bytes = serde_json::to_vec(body).map_err(|error| GatewayError::Settings {
            message: format!("The request cannot be written as JSON: {error}."),
        })?;
        let request =
            self.request(target, Method::POST, path)?.header(CONTENT_TYPE, "application/json").body(bytes);
        let response = tokio::select! {
            biased;
            sent = self.transport.send(&target.endpoint, request) => {
                sent.map_err(|error| self.transport.explain(provider.name, &target.endpoint, error))?
            }
            () = self.clock.sleep(first_token) => {
                let provider = provider.name.to_owned();
                return Err(GatewayError::Timeout { provider, phase: Phase::FirstToken, after: first_token }.into());
            }
        };
        let request_id = request_id(response.headers(), target.key.as_ref());
        let kind = content_type(response.headers());
        if !response.status().is_success() {
            return Err(self.refusal(target, &model.model, response, request_id).await);
        }
        match kind.as_str() {
            // Some proxies answer a refusal with status 200.
            "application/json" => {
                Err(self.unstreamed(target, &model.model, response, request_id).await.into())
            }
            "text/html" => Err(protocol(target, "a page of HTML came instead of a stream").into()),
            _ => Ok(Began { response, request_id, sent_at, permit: None }),
        }
    }

    /// Asks something that costs nothing and is answered by JSON.
    pub(crate) async fn ask(
        &self,
        target: &Target,
        model: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, GatewayError> {
        let provider = target.provider.info();
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.request(target, method, path)?;
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let asking = async {
            let sent = self.transport.send(&target.endpoint, request).await;
            let response =
                sent.map_err(|error| self.transport.explain(provider.name, &target.endpoint, error))?;
            if !response.status().is_success() {
                let request_id = request_id(response.headers(), target.key.as_ref());
                return Err(self.refusal(target, model, response, request_id).await.error);
            }
            let body = read_up_to(response, MAX_ANSWER_BYTES).await;
            serde_json::from_slice(&body).map_err(|_| protocol(target, "what came is not JSON"))
        };
        tokio::select! {
            biased;
            answer = asking => answer,
            () = self.clock.sleep(QUESTION_TIME) => Err(GatewayError::Timeout {
                provider: provider.name.to_owned(),
                phase: Phase::FirstToken,
                after: QUESTION_TIME,
            }),
        }
    }

    /// The models of a provider, best first; remembered for servers that choose their own.
    pub(crate) async fn list(&self, target: &Target) -> Result<Vec<String>, GatewayError> {
        let answer = self.ask(target, "", target.provider.models_path(), None).await?;
        let models = target.provider.model_names(&answer);
        self.remember_models(target.provider.info().name, &models);
        Ok(models)
    }

    /// Adds to a missing model which there are, where the provider tells.
    pub(crate) async fn with_models(&self, error: GatewayError, target: &Target) -> GatewayError {
        let GatewayError::ModelNotFound { provider, model, .. } = error else { return error };
        let mut available = self.list(target).await.unwrap_or_default();
        // The likeliest first: those that share the longest beginning with what was asked for.
        let shared = |name: &String| name.bytes().zip(model.bytes()).take_while(|(a, b)| a == b).count();
        available.sort_by_key(|name| std::cmp::Reverse(shared(name)));
        let available = available.iter().map(|name| one_line(name, target.key.as_ref())).collect();
        GatewayError::ModelNotFound { provider, model, available }
    }

    fn request(&self, target: &Target, method: Method, path: &str) -> Result<RequestBuilder, GatewayError> {
        let headers = target.provider.headers(target.key.as_ref())?;
        let client = self.transport.client(&target.endpoint)?;
        Ok(client.request(method, target.endpoint.url(path)).headers(headers))
    }

    /// What a status that is not success means.
    async fn refusal(
        &self,
        target: &Target,
        model: &str,
        response: Response,
        request_id: Option<String>,
    ) -> Refused {
        let status = response.status().as_u16();
        let advice = Advice::of(response.headers());
        let html = content_type(response.headers()) == "text/html";
        let body = self.read_soon(response).await;
        let address = target.endpoint.shown();
        let place =
            Place { provider: target.provider.info(), model, address: &address, key: target.key.as_ref() };
        let problem = Problem::of_body(&body);
        let about_json = problem.is_some();
        if (html || !about_json)
            && !matches!(status, 401 | 402 | 404 | 405 | 408 | 413 | 429 | 300..=399 | 500..)
        {
            let what = if html || body.starts_with(b"<") { "a page of HTML" } else { "no JSON" };
            let detail = format!("status {status} with {what}");
            return Refused { error: protocol(target, &detail), advice, problem: None };
        }
        let problem = problem.unwrap_or_default();
        let advice = Advice { wait: advice.wait.or(problem.retry_after), ..advice };
        let error = problem.clone().into_error(status, &place, request_id, advice.wait);
        Refused { error, advice, problem: matches!(status, 400 | 422).then_some(problem) }
    }

    /// What JSON instead of a stream means.
    async fn unstreamed(
        &self,
        target: &Target,
        model: &str,
        response: Response,
        request_id: Option<String>,
    ) -> GatewayError {
        let body = self.read_soon(response).await;
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if value["error"].is_null() {
            return protocol(target, "JSON came instead of a stream");
        }
        let address = target.endpoint.shown();
        let place =
            Place { provider: target.provider.info(), model, address: &address, key: target.key.as_ref() };
        Problem::of_value(&value).into_stream_error(&place, request_id)
    }

    /// The beginning of a body, or what of it came in time.
    async fn read_soon(&self, response: Response) -> Vec<u8> {
        tokio::select! {
            biased;
            body = read_up_to(response, MAX_ERROR_BYTES) => body,
            () = self.clock.sleep(QUESTION_TIME) => Vec::new(),
        }
    }
}

/// A model's breaker.
pub(crate) fn breaker_name(model: &ModelRef) -> String {
    format!("{}/{}", model.provider, model.model)
}

pub(crate) async fn read_up_to(mut response: Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = most.saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() >= most {
            break;
        }
    }
    body
}

fn protocol(target: &Target, detail: &str) -> GatewayError {
    GatewayError::Protocol {
        provider: target.provider.info().name.to_owned(),
        address: target.endpoint.shown(),
        detail: detail.to_owned(),
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// The provider's name for a request, under the names that providers give it.
fn request_id(headers: &HeaderMap, key: Option<&Secret>) -> Option<String> {
    let names = ["request-id", "x-request-id", "nvcf-reqid", "cf-ray"];
    let value = names.into_iter().find_map(|name| headers.get(name)?.to_str().ok())?;
    Some(one_line(value, key)).filter(|id| !id.is_empty())
}
