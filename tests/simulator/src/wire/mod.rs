//! The wire formats. One module a provider; a new provider is a new module, a line in [`of`] and one in `Provider`.
//!
//! JSON is written by hand: the order of keys and the spaces are part of "byte for byte".

mod anthropic;
mod gemini;
mod ollama;
mod openai;

use crate::asked::{Asked, Provider};
use crate::http::HttpRequest;
use crate::reply::{Failure, Stop, ToolUse, Usage};

/// What events of one answer have in common.
#[derive(Debug)]
pub(crate) struct About {
    /// The number of the request; ids in the answer are made of it.
    pub(crate) n: usize,
    pub(crate) model: String,
    /// Escape everything outside ASCII.
    pub(crate) ascii: bool,
    /// Is the usage reported in the stream?
    pub(crate) usage: Option<Usage>,
    pub(crate) reasoning: bool,
    /// How many tools are called.
    pub(crate) tools: usize,
}

impl About {
    /// A JSON string.
    pub(crate) fn quote(&self, text: &str) -> String {
        quote(text, self.ascii)
    }
}

/// An answer that is no stream.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Refusal {
    fn json(status: u16, body: String) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body }
    }
}

/// One provider's format.
pub(crate) trait Wire: Sync {
    /// Reads a model request; the error is the answer to a body that is not one.
    fn read(&self, request: &HttpRequest, n: usize) -> Result<Asked, Refusal>;
    /// The key the client sent.
    fn key(&self, request: &HttpRequest) -> Option<String>;
    /// Does a request without a key get an answer?
    fn open(&self) -> bool {
        false
    }
    /// The `content-type` of a stream.
    fn stream_type(&self) -> &'static str;
    /// Name of the header with the request's id, if the provider sends one.
    fn id_header(&self) -> Option<&'static str>;
    /// The events before any text.
    fn opening(&self, about: &About) -> Vec<String>;
    /// A piece of thinking.
    fn reasoning(&self, about: &About, text: &str) -> String;
    /// The events between thinking and text.
    fn after_reasoning(&self, about: &About) -> Vec<String>;
    /// A piece of text.
    fn text(&self, about: &About, text: &str) -> String;
    /// The events of tool calls, after the text.
    fn tools(&self, about: &About, tools: &[ToolUse]) -> Vec<String>;
    /// The last events, with the stop reason if there is one.
    fn closing(&self, about: &About, stop: Option<&str>) -> Vec<String>;
    /// An error in the stream.
    fn mid_error(&self, about: &About, kind: &str, message: &str) -> String;
    /// The answer to a request that wants no stream.
    fn whole(&self, about: &About, reasoning: &str, text: &str, stop: Option<&str>) -> String;
    /// The provider's word for a stop reason.
    fn stop_word(&self, stop: &Stop) -> Option<String>;
    /// The answer with an error status. `Html`, `Raw` and `HangUp` are not asked for here.
    fn refuse(&self, n: usize, model: &str, failure: &Failure) -> Refusal;
    /// The answer to a request that is wrong.
    fn invalid(&self, n: usize, message: &str) -> Refusal;
    /// The list of models.
    fn models(&self, models: &[String]) -> String;
}

/// The format of a provider.
pub(crate) fn of(provider: Provider) -> &'static dyn Wire {
    match provider {
        Provider::Anthropic => &anthropic::Anthropic,
        Provider::Openai => &openai::Openai,
        Provider::Ollama => &ollama::Ollama,
        Provider::Gemini => &gemini::Gemini,
    }
}

/// The `Authorization: Bearer` key.
fn bearer(request: &HttpRequest) -> Option<String> {
    let key = request.header("authorization")?.strip_prefix("Bearer ")?.trim();
    (!key.is_empty()).then(|| key.to_owned())
}

/// A JSON string, with everything outside ASCII escaped if asked.
pub(crate) fn quote(text: &str, ascii: bool) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    if !ascii {
        return quoted;
    }
    let mut escaped = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

/// The fragments of a tool's arguments. Without arguments there is none.
fn fragments(tool: &ToolUse) -> Vec<String> {
    let letters: Vec<char> = tool.arguments.chars().collect();
    letters.chunks(tool.fragment_chars.unwrap_or(5).max(1)).map(|part| part.iter().collect()).collect()
}

fn body(request: &HttpRequest) -> Result<serde_json::Value, String> {
    let value: serde_json::Value = serde_json::from_slice(&request.body)
        .map_err(|error| format!("The request body is not valid JSON: {error}"))?;
    if value.is_object() { Ok(value) } else { Err("The request body is not a JSON object".to_owned()) }
}

fn text_of(body: &serde_json::Value, key: &str) -> Option<String> {
    body.get(key).and_then(serde_json::Value::as_str).map(str::to_owned)
}

fn flag(body: &serde_json::Value, key: &str) -> Option<bool> {
    body.get(key).and_then(serde_json::Value::as_bool)
}
