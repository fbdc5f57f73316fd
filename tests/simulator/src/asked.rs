//! A model request, read from any of the wire formats into one shape that rules can look at.

use serde::Deserialize;
use serde_json::Value;

/// The wire format a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Anthropic Messages, `POST /v1/messages`.
    Anthropic,
    /// OpenAI Chat Completions and all that speak it, `POST /v1/chat/completions`.
    Openai,
    /// Ollama's own chat API, `POST /api/chat`.
    Ollama,
    /// Google's Gemini API, `POST /v1beta/models/MODEL:streamGenerateContent?alt=sse`.
    Gemini,
}

/// One message of the conversation, flattened to its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// `user`, `assistant`, or whatever else was sent.
    pub role: String,
    /// All text blocks and the text of tool results, joined by nothing.
    pub text: String,
}

/// What a model request asks.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The wire format.
    pub provider: Provider,
    /// The model by the name the client used.
    pub model: String,
    /// The system prompt; empty if there is none.
    pub system: String,
    /// The conversation without the system prompt.
    pub messages: Vec<Turn>,
    /// Does the client want a stream of events?
    pub stream: bool,
    /// Does an OpenAI client want the usage in the stream? Always true for the others, which send it anyway.
    pub stream_usage: bool,
}

impl Asked {
    /// The text of the newest user message; empty if there is none.
    pub fn last_user(&self) -> &str {
        self.messages.iter().rev().find(|turn| turn.role == "user").map_or("", |turn| &turn.text)
    }

    /// The text of all messages in order, a line break between two. The system prompt is not in it.
    pub fn all_messages(&self) -> String {
        let texts: Vec<&str> = self.messages.iter().map(|turn| turn.text.as_str()).collect();
        texts.join("\n")
    }

    /// System prompt and all messages.
    pub fn everything(&self) -> String {
        format!("{}\n{}", self.system, self.all_messages())
    }
}

/// The text in a message's `content`: a string, or an array of blocks of which those of type `text` and tool results
/// count.
pub(crate) fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .map(|block| match block.get("text").and_then(Value::as_str) {
                Some(text) => text.to_owned(),
                None if block["type"] == "tool_result" => content_text(&block["content"]),
                None => String::new(),
            })
            .collect(),
        _ => String::new(),
    }
}

/// The `messages` array of a body; every provider here calls it so.
pub(crate) fn turns(body: &Value) -> Vec<Turn> {
    let Some(list) = body.get("messages").and_then(Value::as_array) else { return Vec::new() };
    list.iter()
        .map(|message| Turn {
            // What a tool gave back is said to the model as the user's words are.
            role: match message.get("role").and_then(Value::as_str).unwrap_or_default() {
                "tool" => "user".to_owned(),
                role => role.to_owned(),
            },
            text: message.get("content").map(content_text).unwrap_or_default(),
        })
        .collect()
}
