//! What Assist remembers, as users and agents reach it: recall with embeddings where there are any, and memories as JSON.
//!
//! Recall never fails because embeddings are absent: an endpoint that is away, slow or wrong is left out, and words alone
//! decide.

use std::sync::Arc;
use std::time::Duration;

use assist_base::id::MemoryId;
use assist_base::{ConversationId, MessageId, RunId, Timestamp};
use assist_gateway::{Embedder, Gateway, GatewayError, Payer};
use assist_store::{
    Category, Embedding, FoundMemory, Memory, NewMemory, PastFilter, Recall, Recalled, Remembered, Source,
    Store, StoreError, Waiting,
};
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::settings::Settings;

/// The name of recall in the books.
const AGENT: &str = "recall";
/// How long recall waits for the embedding of a question.
const QUESTION: Duration = Duration::from_secs(3);
/// How long a batch may take in the background.
const BATCH_TIME: Duration = Duration::from_secs(60);
/// How many texts are sent at once.
const BATCH: usize = 64;
/// How many batches are made at one go, so that a large past does not keep a machine busy for hours.
const BATCHES: usize = 50;
/// A text longer than this is cut before it is embedded, in characters: models of this kind read no more.
const MAX_TEXT: usize = 8_000;
/// How sure a memory is that the user states.
const STATED: f64 = 0.9;

impl Engine {
    /// The name under which this workspace's memories and conversations are kept.
    pub fn project(&self) -> String {
        self.workspace().root().display().to_string()
    }

    /// Remembers what the user states.
    ///
    /// # Errors
    /// [`EngineError::Store`] when it is too long or empty, or could not be written.
    pub async fn remember(
        self: &Arc<Self>,
        category: Category,
        key: String,
        value: String,
        confidence: Option<f64>,
        source: Source,
    ) -> Result<Remembered, EngineError> {
        let new = NewMemory {
            project_id: self.project(),
            category,
            key,
            value,
            confidence: confidence.unwrap_or(STATED),
            source,
            expires_at: None,
        };
        let remembered = self.store.memory().remember(new, self.clock.now()).await?;
        self.embed_in_background();
        Ok(remembered)
    }

    /// The memories that fit a question, the best first: by words, and by meaning where an endpoint for embeddings is set
    /// up and answers in time.
    ///
    /// # Errors
    /// [`EngineError::Store`] when the database cannot be read.
    pub async fn recall(
        self: &Arc<Self>,
        question: &str,
        categories: Vec<Category>,
        limit: usize,
    ) -> Result<Vec<Recalled>, EngineError> {
        let mut recall = Recall::of(question);
        recall.embedding = self.embedding(question).await;
        recall.categories = categories;
        recall.limit = limit;
        Ok(self.store.memory().recall(recall, self.clock.now()).await?)
    }

    /// The memory whose id begins so.
    ///
    /// # Errors
    /// [`EngineError::NoMemory`] when none or several begin so.
    pub async fn find_memory(&self, prefix: &str) -> Result<MemoryId, EngineError> {
        match self.store.memory().find(prefix).await? {
            FoundMemory::One(id) => Ok(id),
            FoundMemory::None => Err(EngineError::NoMemory(prefix.to_owned())),
            FoundMemory::Many(_) => Err(EngineError::NoMemory(format!("{prefix} alone; several begin so"))),
        }
    }

    /// Records which memories an answer used, and how well each fitted.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when a memory does not exist, [`EngineError::Store`].
    pub async fn used_memories(
        &self,
        used: Vec<(MemoryId, Option<f64>)>,
        conversation: Option<ConversationId>,
        run: Option<RunId>,
        message: Option<MessageId>,
    ) -> Result<(), EngineError> {
        let answer = Source { conversation, run, note: None };
        Ok(self.store.memory().record_uses(used, answer, message, self.clock.now()).await?)
    }

    /// Past runs and what was said in conversations that fit a question, the best first, as JSON:
    /// `{runs: [{run, task, status, summary?, createdAt, score}], messages: [{conversation, run?, role, excerpt, at, score}]}`.
    ///
    /// # Errors
    /// [`EngineError::Store`] when the database cannot be read.
    pub async fn search_past(self: &Arc<Self>, question: &str, limit: usize) -> Result<Value, EngineError> {
        let filter = PastFilter { limit, embedding: self.embedding(question).await, ..PastFilter::default() };
        let runs = self.store.past().runs(question, filter.clone()).await?;
        let messages = self.store.past().messages(question, filter).await?;
        let runs: Vec<Value> = runs
            .into_iter()
            .map(|found| {
                let session = found.session;
                json!({
                    "run": session.id, "task": session.task, "status": session.status,
                    "summary": session.summary, "createdAt": session.created_at, "score": found.score,
                })
            })
            .collect();
        let messages: Vec<Value> = messages
            .into_iter()
            .map(|found| {
                json!({
                    "conversation": found.conversation, "run": found.run, "role": found.role.as_str(),
                    "excerpt": found.excerpt, "at": found.at, "score": found.score,
                })
            })
            .collect();
        Ok(json!({ "runs": runs, "messages": messages }))
    }

    /// The embedding of a question; none where no endpoint is set up or it does not answer in time.
    pub async fn embedding(self: &Arc<Self>, text: &str) -> Option<Embedding> {
        let (settings, gateway) = self.configured().await.ok()?;
        embedding(&settings, &gateway, RunId::NONE, text).await
    }

    /// Gets embeddings for what has none yet, where an endpoint is set up. Returns at once.
    pub fn embed_in_background(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            engine.embed_waiting().await;
        });
    }

    /// Gets embeddings for memories and messages that have none yet; returns how many it got.
    pub async fn embed_waiting(self: &Arc<Self>) -> usize {
        let Ok((settings, gateway)) = self.configured().await else { return 0 };
        let Some(endpoint) = Endpoint::of(&settings, &gateway, RunId::NONE) else { return 0 };
        let mut done = 0;
        for _ in 0..BATCHES {
            let of_memories = endpoint.memories(&self.store, BATCH_TIME).await;
            let kept = match of_memories {
                Some(0) => endpoint.messages(&self.store).await,
                kept => kept,
            };
            match kept {
                None | Some(0) => break,
                Some(kept) => done += kept,
            }
        }
        done
    }
}

/// The embedding of a question that `run` asks; none where no endpoint is set up or it does not answer in time.
pub(crate) async fn embedding(
    settings: &Settings,
    gateway: &Gateway,
    run: RunId,
    text: &str,
) -> Option<Embedding> {
    let text = cut(text);
    if text.trim().is_empty() {
        return None;
    }
    let endpoint = Endpoint::of(settings, gateway, run)?;
    let values = endpoint.embed(vec![text], QUESTION).await?.pop()?;
    Some(Embedding { model: endpoint.embedder.model().to_owned(), values })
}

/// Gets embeddings for the memories that a run has just made, so that the next one finds them by meaning too. Takes no longer
/// than a question.
pub(crate) async fn embed_new(settings: &Settings, gateway: &Gateway, run: RunId, store: &Store) {
    if let Some(endpoint) = Endpoint::of(settings, gateway, run) {
        endpoint.memories(store, QUESTION).await;
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// Where embeddings come from, and who pays for them.
struct Endpoint<'g> {
    gateway: &'g Gateway,
    embedder: Embedder,
    payer: Payer,
}

impl<'g> Endpoint<'g> {
    fn of(settings: &Settings, gateway: &'g Gateway, run: RunId) -> Option<Self> {
        let place = settings.embeddings.clone()?;
        let payer = Payer { run, agent: AGENT.to_owned(), usd_per_million: place.usd_per_million };
        match gateway.embedder(&place.url, &place.model, place.key) {
            Ok(embedder) => Some(Self { gateway, embedder, payer }),
            Err(error) => {
                tracing::warn!(%error, "recall goes by words alone");
                None
            }
        }
    }

    async fn embed(&self, texts: Vec<String>, patience: Duration) -> Option<Vec<Vec<f32>>> {
        let name = format!("embeddings:{}", self.embedder.model());
        let call = self.embedder.embed(&self.payer, texts, patience);
        match self.gateway.outside(&name, GatewayError::is_outage, call).await {
            Ok(vectors) => Some(vectors),
            Err(error) => {
                tracing::info!(%error, "recall goes by words alone");
                None
            }
        }
    }

    /// Embeds a batch of the memories that wait for it. How many there were; none where it went wrong.
    async fn memories(&self, store: &Store, patience: Duration) -> Option<usize> {
        let (model, vectors) = (self.embedder.model(), store.vectors());
        let waiting = vectors.waiting_memories(model, BATCH).await.unwrap_or_default();
        let found = self.found(waiting, patience).await?;
        let count = found.len();
        kept(vectors.keep_memories(model, found).await, count)
    }

    /// The same for what was said.
    async fn messages(&self, store: &Store) -> Option<usize> {
        let (model, vectors) = (self.embedder.model(), store.vectors());
        let waiting = vectors.waiting_messages(model, BATCH).await.unwrap_or_default();
        let found = self.found(waiting, BATCH_TIME).await?;
        let count = found.len();
        kept(vectors.keep_messages(model, found).await, count)
    }

    async fn found(&self, waiting: Vec<Waiting>, patience: Duration) -> Option<Vec<(i64, Vec<f32>)>> {
        if waiting.is_empty() {
            return Some(Vec::new());
        }
        let texts = waiting.iter().map(|waiting| cut(&waiting.text)).collect();
        let found = self.embed(texts, patience).await?;
        Some(waiting.iter().map(|waiting| waiting.number).zip(found).collect())
    }
}

fn kept(stored: Result<(), StoreError>, count: usize) -> Option<usize> {
    match stored {
        Ok(()) => Some(count),
        Err(error) => {
            tracing::warn!(%error, "embeddings were not kept");
            None
        }
    }
}

/// A memory as JSON: `{id, category, key, value, confidence, conversation?, createdAt, updatedAt, contradictedBy?, expiresAt?,
/// usedCount, lastUsedAt?}`.
pub fn memory_document(memory: &Memory) -> Value {
    let mut document = json!({
        "id": memory.id,
        "category": memory.category.as_str(),
        "key": memory.key,
        "value": memory.value,
        "confidence": memory.confidence,
        "createdAt": memory.created_at,
        "updatedAt": memory.updated_at,
        "usedCount": memory.used_count,
    });
    let time = |at: Option<Timestamp>| at.map(|at| json!(at));
    let rest = [
        ("conversation", memory.source_conversation.map(|id| json!(id))),
        ("contradictedBy", memory.contradicted_by.map(|id| json!(id))),
        ("expiresAt", time(memory.expires_at)),
        ("lastUsedAt", time(memory.last_used_at)),
    ];
    for (name, value) in rest {
        if let Some(value) = value {
            document[name] = value;
        }
    }
    document
}

/// As [`memory_document`], with how well it fitted as `score`.
pub fn recalled_document(recalled: &Recalled) -> Value {
    let mut document = memory_document(&recalled.memory);
    document["score"] = recalled.score.into();
    document
}
