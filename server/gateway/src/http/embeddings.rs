//! Embeddings: OpenAI's `/embeddings`, which most servers speak, and Ollama's own `/api/embed`.
//!
//! Which of the two is meant is told by the address: one that ends in `/api` or `/api/embed` is Ollama's own. What comes
//! is checked: as many vectors as texts, all of one length, all numbers finite.

use std::sync::Arc;
use std::time::Duration;

use assist_base::{Clock, RunId, Secret};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::endpoint::{Endpoint, Layout};
use crate::sending::read_up_to;
use crate::transport::Transport;
use crate::{
    Books, Budgets, Estimate, Gateway, GatewayError, Phase, Settlement, StopReason, Tier, Usage,
    estimate_tokens,
};

/// The name in messages.
const NAME: &str = "the embeddings endpoint";
/// The longest answer that is read: a hundred vectors of 4,096 numbers, written out, have room.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// So much of an error is told.
const MAX_WORDS: usize = 200;
/// The provider's name in the books.
const PROVIDER: &str = "embeddings";
/// Tokens by which prices are given.
const MILLION: f64 = 1_000_000.0;

/// For whom embeddings are made, and what they cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Payer {
    /// The run that pays. It need not exist: what belongs to no run has an id of its own.
    pub run: RunId,
    /// The part of Assist that asks.
    pub agent: String,
    /// US dollars for a million tokens, where that is known. On this machine it is nothing.
    pub usd_per_million: Option<f64>,
}

/// Embeddings, and how many tokens they took where the server tells.
struct Embedded {
    vectors: Vec<Vec<f32>>,
    tokens: Option<u64>,
}

/// A place to get embeddings from. Cheap to clone.
#[derive(Clone)]
pub struct Embedder {
    endpoint: Endpoint,
    path: &'static str,
    model: String,
    key: Option<Secret>,
    transport: Arc<Transport>,
    clock: Arc<dyn Clock>,
    books: Arc<dyn Books>,
    budgets: Budgets,
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedder").field("at", &self.endpoint.shown()).field("model", &self.model).finish()
    }
}

impl Gateway {
    /// A client for the embeddings of `model` at `url`, with this gateway's connections.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] when `url` is no address.
    pub fn embedder(&self, url: &str, model: &str, key: Option<Secret>) -> Result<Embedder, GatewayError> {
        let at = url.trim().trim_end_matches('/');
        let own = ["/api/embed", "/api"].into_iter().find_map(|tail| at.strip_suffix(tail));
        let (base, layout, path) = match own {
            Some(base) => (base, Layout::AtRoot, "/api/embed"),
            None => (at.strip_suffix("/embeddings").unwrap_or(at), Layout::AtBase, "/embeddings"),
        };
        Ok(Embedder {
            endpoint: Endpoint::parse(NAME, base, layout, None)?,
            path,
            model: model.to_owned(),
            key: key.filter(|key| !key.is_empty()),
            transport: Arc::clone(&self.inner.transport),
            clock: Arc::clone(&self.inner.clock),
            books: Arc::clone(&self.inner.books),
            budgets: self.inner.config.budgets,
        })
    }
}

impl Embedder {
    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The embeddings of `texts`, in their order, written down in the books as any other call: set aside before, settled
    /// after. Waits for `patience` at most; what was begun is settled also where nobody waits any more.
    ///
    /// # Errors
    /// [`GatewayError::Budget`] where a budget does not allow it, what kept it from answering, or what is wrong with the
    /// answer. Never holds the key.
    pub async fn embed(
        &self,
        payer: &Payer,
        texts: Vec<String>,
        patience: Duration,
    ) -> Result<Vec<Vec<f32>>, GatewayError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (this, payer) = (self.clone(), payer.clone());
        let call = tokio::spawn(async move { this.paid(&payer, &texts, patience).await });
        call.await.unwrap_or_else(|_| Err(self.odd("Assist failed inside")))
    }

    async fn paid(
        &self,
        payer: &Payer,
        texts: &[String],
        patience: Duration,
    ) -> Result<Vec<Vec<f32>>, GatewayError> {
        let most: u64 = texts.iter().map(|text| estimate_tokens(text)).sum();
        let price = if self.endpoint.is_local() { Some(0.0) } else { payer.usd_per_million };
        #[expect(clippy::cast_precision_loss, reason = "no request has that many tokens")]
        let cost = |tokens: u64| price.map(|price| price * tokens as f64 / MILLION);
        let estimate = Estimate {
            run: payer.run,
            agent: payer.agent.clone(),
            provider: PROVIDER.to_owned(),
            model: self.model.clone(),
            tier: Tier::A,
            input_tokens: most,
            max_output_tokens: 0,
            cost_usd: cost(most),
            reason: "the endpoint for embeddings".to_owned(),
            budgets: self.budgets,
        };
        let reserved = self.books.reserve(&estimate).await;
        let reservation =
            reserved.map_err(|refused| GatewayError::Budget { reason: refused.reason, usage: None })?;
        let answer = self.within(texts, patience).await;
        let (input, estimated) = match &answer {
            Ok(embedded) => (embedded.tokens.unwrap_or(most), embedded.tokens.is_none()),
            // It may have been at work, and then it counts.
            Err(GatewayError::Timeout { .. } | GatewayError::Protocol { .. }) => (most, true),
            Err(_) => (0, false),
        };
        let settlement = Settlement {
            usage: Usage { input, estimated, ..Usage::default() },
            cost_usd: cost(input),
            stop: answer.is_ok().then_some(StopReason::End),
            request_id: None,
            saved_usd: 0.0,
            keep: None,
        };
        self.books.settle(reservation, settlement).await;
        Ok(answer?.vectors)
    }

    async fn within(&self, texts: &[String], patience: Duration) -> Result<Embedded, GatewayError> {
        tokio::select! {
            biased;
            answer = self.ask(texts) => answer,
            () = self.clock.sleep(patience) => Err(GatewayError::Timeout {
                provider: NAME.to_owned(),
                phase: Phase::FirstToken,
                after: patience,
            }),
        }
    }

    async fn ask(&self, texts: &[String]) -> Result<Embedded, GatewayError> {
        let body = json!({ "model": self.model, "input": texts }).to_string();
        let client = self.transport.client(&self.endpoint)?;
        let mut request =
            client.post(self.endpoint.url(self.path)).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let sent = self.transport.send(&self.endpoint, request).await;
        let response = sent.map_err(|error| self.transport.explain(NAME, &self.endpoint, error))?;
        let status = response.status();
        let body = read_up_to(response, MAX_ANSWER).await;
        if !status.is_success() {
            return Err(self.refusal(status.as_u16(), &body));
        }
        let answer: Value = serde_json::from_slice(&body).map_err(|_| self.odd("what came is not JSON"))?;
        // OpenAI's form, and Ollama's.
        let tokens = answer["usage"]["prompt_tokens"].as_u64().or(answer["prompt_eval_count"].as_u64());
        Ok(Embedded { vectors: self.vectors(&answer, texts.len())?, tokens })
    }

    fn refusal(&self, status: u16, body: &[u8]) -> GatewayError {
        let provider = NAME.to_owned();
        match status {
            401 | 403 => {
                let fix =
                    "correct `api_key` under [embeddings] in your config.toml, or ASSIST_EMBEDDINGS_KEY";
                GatewayError::Auth { provider, fix: fix.to_owned(), request_id: None }
            }
            404 => GatewayError::ModelNotFound { provider, model: self.model.clone(), available: Vec::new() },
            429 => GatewayError::RateLimited { provider, retry_after: None, request_id: None },
            500.. => GatewayError::Unavailable { provider, detail: status.to_string(), request_id: None },
            _ => {
                let text = String::from_utf8_lossy(body);
                let told: Option<Value> = serde_json::from_str(&text).ok();
                let told = told.as_ref().map(|told| &told["error"]);
                let words = told.and_then(|error| error["message"].as_str().or(error.as_str()));
                let mut words = words.unwrap_or("no reason is given").to_owned();
                if let Some(key) = &self.key {
                    words = words.replace(key.expose(), "***");
                }
                let message =
                    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_WORDS).collect();
                GatewayError::Rejected { provider, status, message, request_id: None }
            }
        }
    }

    fn odd(&self, detail: &str) -> GatewayError {
        GatewayError::Protocol {
            provider: NAME.to_owned(),
            address: self.endpoint.shown(),
            detail: detail.to_owned(),
        }
    }

    fn vectors(&self, answer: &Value, wanted: usize) -> Result<Vec<Vec<f32>>, GatewayError> {
        let mut found: Vec<Option<&Value>> = vec![None; wanted];
        if let Some(data) = answer["data"].as_array() {
            // Each says its place; servers that leave it out keep the order.
            for (position, item) in data.iter().enumerate() {
                let index = item["index"].as_u64().and_then(|index| usize::try_from(index).ok());
                if let Some(place) = found.get_mut(index.unwrap_or(position)) {
                    *place = Some(&item["embedding"]);
                }
            }
        } else if let Some(list) = answer["embeddings"].as_array() {
            for (place, vector) in found.iter_mut().zip(list) {
                *place = Some(vector);
            }
        }
        let read = |vector: Option<&Value>| -> Option<Vec<f32>> {
            #[expect(clippy::cast_possible_truncation, reason = "embeddings have no more precision")]
            let number = |value: &Value| value.as_f64().map(|number| number as f32).filter(|n| n.is_finite());
            let numbers: Option<Vec<f32>> = vector?.as_array()?.iter().map(number).collect();
            numbers.filter(|numbers| !numbers.is_empty())
        };
        let vectors: Option<Vec<Vec<f32>>> = found.into_iter().map(read).collect();
        let vectors = vectors.ok_or_else(|| self.odd("there is not one embedding for each text"))?;
        if vectors.windows(2).any(|two| two[0].len() != two[1].len()) {
            return Err(self.odd("the embeddings are of several lengths"));
        }
        Ok(vectors)
    }
}
