//! Embeddings: OpenAI's `/embeddings`, which most servers speak, and Ollama's own `/api/embed`.
//!
//! Which of the two is meant is told by the address: one that ends in `/api` or `/api/embed` is Ollama's own. What comes
//! is checked: as many vectors as texts, all of one length, all numbers finite.

use std::sync::Arc;
use std::time::Duration;

use assist_base::{Clock, Secret};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::endpoint::{Endpoint, Layout};
use crate::sending::read_up_to;
use crate::transport::Transport;
use crate::{Gateway, GatewayError, Phase};

/// The name in messages.
const NAME: &str = "the embeddings endpoint";
/// The longest answer that is read: a hundred vectors of 4,096 numbers, written out, have room.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// So much of an error is told.
const MAX_WORDS: usize = 200;

/// A place to get embeddings from. Cheap to clone.
#[derive(Clone)]
pub struct Embedder {
    endpoint: Endpoint,
    path: &'static str,
    model: String,
    key: Option<Secret>,
    transport: Arc<Transport>,
    clock: Arc<dyn Clock>,
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
        })
    }
}

impl Embedder {
    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The embeddings of `texts`, in their order. Waits for `patience` at most.
    ///
    /// # Errors
    /// What kept it from answering, or what is wrong with the answer. Never holds the key.
    pub async fn embed(&self, texts: &[String], patience: Duration) -> Result<Vec<Vec<f32>>, GatewayError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
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

    async fn ask(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, GatewayError> {
        let body = json!({ "model": self.model, "input": texts }).to_string();
        let client = self.transport.client(&self.endpoint)?;
        let mut request =
            client.post(self.endpoint.url(self.path)).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let response =
            request.send().await.map_err(|error| self.transport.explain(NAME, &self.endpoint, error))?;
        let status = response.status();
        let body = read_up_to(response, MAX_ANSWER).await;
        if !status.is_success() {
            return Err(self.refusal(status.as_u16(), &body));
        }
        let answer: Value = serde_json::from_slice(&body).map_err(|_| self.odd("what came is not JSON"))?;
        self.vectors(&answer, texts.len())
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
