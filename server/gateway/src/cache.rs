//! Answers that may be used again: exactly the same request to exactly the same model.
//!
//! Only where the caller says that the step is deterministic ([`crate::Reuse::Exact`]), never with a temperature above
//! zero, and only whole answers that the caller has found good: an answer is kept by [`crate::Gateway::keep`], not by
//! itself, and one that is no good after all goes by [`crate::Gateway::forget`]. So a bad answer is never given twice.
//! Where they are kept, how many and how long is the business of [`crate::Books`].

use assist_base::ContentHash;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::extras::Prompt;
use crate::{Answer, Gateway, ModelRef, Output, StopReason, ToolChoice, Turn, Usage};

/// Names a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The hash of everything that the answer depends on: the model, every word of the request, its limits.
    pub hash: ContentHash,
    /// `provider/model`, for people and for pruning.
    pub model: String,
}

/// What an answer to a request of [`crate::Reuse::Exact`] may be kept under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reusable {
    /// The name of the request.
    pub key: CacheKey,
    /// Whether this answer was taken from the cache: no call was made.
    pub reused: bool,
}

/// An answer that may be used again. It is stored as JSON; fields may be added, so unknown ones are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedAnswer {
    /// What the model said.
    pub turn: Turn,
    /// Whether it ended with calls of tools.
    pub tools: bool,
    /// Tokens it took.
    pub input: u64,
    /// Tokens it gave.
    pub output: u64,
    /// What it cost in US dollars, where that is known: what every use of it saves.
    pub cost_usd: Option<f64>,
}

impl CachedAnswer {
    /// The tokens that a use of it saves.
    pub(crate) fn of(turn: Turn, tools: bool, usage: &Usage, cost_usd: Option<f64>) -> Self {
        let input = usage.input + usage.cache_read + usage.cache_write;
        Self { turn, tools, input, output: usage.output, cost_usd }
    }
}

impl CacheKey {
    pub(crate) fn of(model: &ModelRef, prompt: &Prompt, max_output: u32) -> Self {
        let choice = match &prompt.tool_choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::Never => json!("never"),
            ToolChoice::Required => json!("required"),
            ToolChoice::Named(name) => json!({ "name": name }),
        };
        let output = match &prompt.output {
            Output::Text => json!("text"),
            Output::Json => json!("json"),
            Output::Schema { name, schema } => json!([name, schema]),
        };
        // The number stands for this form of the request: another form is another key.
        let request = json!([
            1,
            model.provider,
            model.model,
            prompt.system,
            prompt.turns,
            prompt.tools,
            choice,
            output,
            max_output,
        ]);
        Self {
            hash: ContentHash::of(request.to_string()),
            model: format!("{}/{}", model.provider, model.model),
        }
    }
}

impl Gateway {
    /// Keeps an answer for whoever asks exactly the same. Does nothing for an answer that is not whole, that was asked for
    /// without [`crate::Reuse::Exact`], or that came from the cache.
    pub async fn keep(&self, answer: &Answer) {
        let Some(Reusable { key, reused: false }) = &answer.reuse else { return };
        if !answer.done.stop.is_complete() {
            return;
        }
        let tools = answer.done.stop == StopReason::Tool;
        let kept = CachedAnswer::of(answer.turn.clone(), tools, &answer.done.usage, answer.done.cost_usd);
        self.inner.books.keep(key, &kept).await;
    }

    /// Lets go of a kept answer that turned out to be no good: the next who asks the same asks a model.
    pub async fn forget(&self, key: &CacheKey) {
        self.inner.books.forget(key).await;
    }
}

/// Whether a request's answer may be used again at all.
pub(crate) fn is_deterministic(prompt: &Prompt) -> bool {
    prompt.temperature.is_none_or(|temperature| temperature <= 0.0)
}
