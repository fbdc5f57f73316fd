//! What comes back from a model.

use std::fmt;

use crate::GatewayError;

/// A piece of an answer. A stream yields any number of texts, then exactly one [`Chunk::Done`], then ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Chunk {
    /// Text of the answer; always whole characters, never empty.
    Text(String),
    /// The model thinking aloud. Shown at most, never part of the answer.
    Reasoning(String),
    /// How it ended. Always the last chunk, also when the connection broke.
    Done(Completion),
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// Why the text stops where it does.
    pub stop: StopReason,
    /// Tokens used.
    pub usage: Usage,
    /// The provider's name for the request, for support.
    pub request_id: Option<String>,
    /// Why it was cut, where that is known.
    pub error: Option<GatewayError>,
    /// What it cost in US dollars, where the model's prices are known.
    pub cost_usd: Option<f64>,
}

/// Why a text stops where it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// The model had said all.
    End,
    /// The limit on output tokens was reached.
    Length,
    /// The model wants a tool called.
    Tool,
    /// A safety filter stopped it, or the model refused.
    Filter,
    /// The provider paused a long turn.
    Pause,
    /// The model's context is full.
    ContextExceeded,
    /// The stream ended without its final event: the connection broke, an error came in the middle, time ran out.
    Cut,
    /// A word this crate does not know. Not whole.
    Unknown(String),
}

impl StopReason {
    /// Whether the text is all that the model meant to say. Only [`StopReason::End`] and [`StopReason::Tool`] are.
    pub fn is_complete(&self) -> bool {
        matches!(self, StopReason::End | StopReason::Tool)
    }

    /// The reason that [`StopReason::as_str`] calls so; words that it does not know are unknown reasons.
    pub fn of_word(word: &str) -> Self {
        let known = [
            StopReason::End,
            StopReason::Length,
            StopReason::Tool,
            StopReason::Filter,
            StopReason::Pause,
            StopReason::ContextExceeded,
            StopReason::Cut,
        ];
        known
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .unwrap_or_else(|| StopReason::Unknown(word.to_owned()))
    }

    /// The word for events and rows.
    pub fn as_str(&self) -> &str {
        match self {
            StopReason::End => "end",
            StopReason::Length => "length",
            StopReason::Tool => "tool",
            StopReason::Filter => "filter",
            StopReason::Pause => "pause",
            StopReason::ContextExceeded => "context_exceeded",
            StopReason::Cut => "cut",
            StopReason::Unknown(word) => word,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Tokens of one call. The four kinds do not overlap, whatever the provider's own counting does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens read afresh, neither from nor into a cache.
    pub input: u64,
    /// Tokens the model wrote, thinking included.
    pub output: u64,
    /// Prompt tokens that came from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written into the provider's cache.
    pub cache_write: u64,
    /// Whether any of it is an estimate, because the provider's figures never arrived.
    pub estimated: bool,
}
