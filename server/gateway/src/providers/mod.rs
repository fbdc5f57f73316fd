//! The providers. One is one file and one line in [`ALL`]; the conformance test finds it there.

pub(crate) mod anthropic;
pub(crate) mod gemini;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod replay;
mod thinking;

use std::borrow::Cow;

use assist_base::Secret;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::endpoint::{Endpoint, Layout};
use crate::extras::Prompt;
use crate::frames::{Frame, Framing};
use crate::problem::Problem;
use crate::stream::Received;
use crate::{GatewayError, ProviderConfig};

static ALL: [&dyn Provider; 7] = [
    &anthropic::Anthropic,
    &openai::OPENAI,
    &gemini::Gemini,
    &openai::OPENROUTER,
    &openai::NIM,
    &openai::COMPATIBLE,
    &ollama::Ollama,
];

/// Every provider that is called over HTTP, in the order in which one is chosen where several are configured.
pub(crate) fn all() -> &'static [&'static dyn Provider] {
    &ALL
}

/// What one must know of a provider to configure it. The variables are read by the `cli` crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderInfo {
    /// The word in settings and in `provider/model`.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The variable that holds the key.
    pub key_var: Option<&'static str>,
    /// The variable that holds the base URL.
    pub base_url_var: &'static str,
    /// The variable that holds the model for all tiers.
    pub model_var: Option<&'static str>,
    /// Where it is when no base URL is set.
    pub default_base_url: Option<&'static str>,
    /// Whether it works only with a key, at its own address.
    pub needs_key: bool,
}

impl ProviderInfo {
    /// What to do when the key is missing or refused.
    pub(crate) fn key_fix(&self) -> String {
        match self.key_var {
            Some(var) => format!("run `assist auth set {}` or set {var}", self.name),
            None => format!("check {}", self.base_url_var),
        }
    }

    /// What to do when it is not set up at all.
    pub(crate) fn setup_fix(&self) -> String {
        if self.needs_key {
            self.key_fix()
        } else if self.name == ollama::INFO.name {
            format!("start Ollama on this machine or set {}", self.base_url_var)
        } else {
            format!("set {} to the server's address", self.base_url_var)
        }
    }
}

/// Every provider's [`ProviderInfo`], in the order in which one is chosen where several are configured.
pub fn registry() -> impl Iterator<Item = &'static ProviderInfo> {
    all().iter().map(|provider| provider.info())
}

/// The provider of that name.
pub fn provider_info(name: &str) -> Option<&'static ProviderInfo> {
    registry().find(|info| info.name == name)
}

pub(crate) fn provider(name: &str) -> Option<&'static dyn Provider> {
    all().iter().copied().find(|provider| provider.info().name == name)
}

/// What models of a provider have been found to refuse, learnt from its errors and remembered for the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Quirks {
    /// Leave the temperature out.
    pub no_temperature: bool,
    /// Use the other of `max_tokens` and `max_completion_tokens`.
    pub other_max_tokens: bool,
    /// Leave `stream_options` out.
    pub no_stream_options: bool,
    /// Ask for the shape of the answer in words, not in a field.
    pub no_format: bool,
}

/// One call, ready to be written in a provider's words.
pub(crate) struct Asked<'a> {
    pub model: &'a str,
    pub prompt: &'a Prompt,
    pub max_output: u32,
    pub quirks: Quirks,
    /// Prompt tokens, estimated on the high side.
    pub prompt_tokens: u64,
    /// The model's context, where it was asked for.
    pub context: Option<u64>,
}

/// Where one piece of a stream cannot be understood.
#[derive(Debug, PartialEq)]
pub(crate) enum Fault {
    /// It is not what this provider sends.
    Malformed,
    /// It is the provider's own report of a failure.
    Problem(Box<Problem>),
}

/// Reads one stream.
pub(crate) trait Decoder: Send {
    /// Takes the next frame and notes in `received` what it says. Kinds of events that are not known are passed over.
    fn frame(&mut self, frame: &Frame, received: &mut Received) -> Result<(), Fault>;

    /// The stream has ended, however it did: hands out text that was held back.
    fn end(&mut self, _received: &mut Received) {}

    /// The answer in the provider's own form, where it must come back so: with signed thoughts. Asked once, at the end.
    fn native(&mut self) -> Option<Value> {
        None
    }
}

/// One provider's way of speaking. Pure: what to send, and what the answer means.
pub(crate) trait Provider: Send + Sync {
    fn info(&self) -> &'static ProviderInfo;
    fn layout(&self) -> Layout;
    fn framing(&self) -> Framing;

    /// The header with the key, and others that each request needs.
    fn headers(&self, key: Option<&Secret>) -> Result<HeaderMap, GatewayError>;

    /// Path and body of a streaming call.
    fn chat(&self, asked: &Asked<'_>) -> Result<(Cow<'static, str>, Value), GatewayError>;

    fn decoder(&self) -> Box<dyn Decoder>;

    /// The path that lists models.
    fn models_path(&self) -> &'static str {
        "/models"
    }

    /// The path whose answer shows whether the key is right, where listing models does not.
    fn key_path(&self) -> Option<&'static str> {
        None
    }

    /// The models' names in a list, best first where none was chosen.
    fn model_names(&self, list: &Value) -> Vec<String> {
        let names = list["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str());
        names.map(str::to_owned).collect()
    }

    /// The question for a model's context size, where it must be known before a call.
    fn context_question(&self, _model: &str) -> Option<(&'static str, Value)> {
        None
    }

    /// The context size in the answer to that.
    fn context_size(&self, _answer: &Value) -> Option<u64> {
        None
    }

    /// Learns from a refusal. True when the call may be made once more because of it.
    fn learn(&self, problem: &Problem, quirks: &mut Quirks) -> bool {
        let before = *quirks;
        quirks.no_temperature |= problem.refuses("temperature");
        quirks.no_format |= refuses_format(problem);
        *quirks != before
    }

    /// The address: the configured one, or the provider's own.
    fn endpoint(&self, config: Option<&ProviderConfig>) -> Result<Endpoint, GatewayError> {
        let info = self.info();
        let written =
            config.and_then(|config| config.base_url.as_deref()).filter(|text| !text.trim().is_empty());
        let Some(text) = written.or(info.default_base_url) else {
            return Err(GatewayError::NotConfigured {
                provider: info.name.to_owned(),
                fix: info.setup_fix(),
            });
        };
        Endpoint::parse(info.name, text, self.layout(), self.default_port())
    }

    /// The port of a server that was named without one.
    fn default_port(&self) -> Option<u16> {
        None
    }
}

/// Whether a field for the shape of the answer was refused, under any of its names.
pub(crate) fn refuses_format(problem: &Problem) -> bool {
    let names = [
        "response_format",
        "output_config",
        "json_schema",
        "json_object",
        "responsejsonschema",
        "response_json_schema",
        "responsemimetype",
        "response_mime_type",
    ];
    names.iter().any(|name| problem.refuses(name))
}

/// A header whose value is never printed.
pub(crate) fn secret_header(
    info: &ProviderInfo,
    name: &'static str,
    prefix: &str,
    key: Option<&Secret>,
) -> Result<HeaderMap, GatewayError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        let value = HeaderValue::from_str(&format!("{prefix}{}", key.expose()));
        let mut value = value.map_err(|_| GatewayError::Settings {
            message: format!(
                "The key for {} holds characters that no key has: {}.",
                info.name,
                info.key_fix()
            ),
        })?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

/// The data of a frame as JSON.
pub(crate) fn json(frame: &Frame) -> Result<Value, Fault> {
    serde_json::from_str(&frame.data).map_err(|_| Fault::Malformed)
}
