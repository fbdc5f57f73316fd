//! Google's Gemini API, `v1beta`, as documented for `streamGenerateContent?alt=sse` and `generateContent`.
//!
//! The model is in the path, not in the body. Every event is a whole `GenerateContentResponse`; nothing marks the end but
//! the `finishReason` of the last. Function calls come with a signature on the first of them, which must come back in the
//! next request: one that leaves it out is refused, as by the real server.

use serde_json::Value;

use super::{About, Refusal, Wire, body, quote};
use crate::asked::{Asked, Provider, Turn};
use crate::http::HttpRequest;
use crate::reply::{Failure, Stop, ToolUse, Usage};

pub(crate) struct Gemini;

/// The signature of thoughts and function calls: opaque to clients.
const SIGNATURE: &str = "c2ltdWxhdGVkLXRob3VnaHQ=";

fn error(code: u16, status: &str, message: &str, details: &str) -> Refusal {
    let details = if details.is_empty() { String::new() } else { format!(r#","details":[{details}]"#) };
    Refusal::json(
        code,
        format!(
            r#"{{"error":{{"code":{code},"message":{},"status":"{status}"{details}}}}}"#,
            quote(message, false)
        ),
    )
}

fn usage_json(usage: Usage, thoughts: bool) -> String {
    let prompt = usage.input + usage.cache_read + usage.cache_write;
    // Thinking is counted apart from the answer.
    let (said, thought) =
        if thoughts && usage.output > 1 { (usage.output - 1, 1) } else { (usage.output, 0) };
    let thought_json =
        if thought > 0 { format!(r#","thoughtsTokenCount":{thought}"#) } else { String::new() };
    let cached = if usage.cache_read > 0 {
        format!(r#","cachedContentTokenCount":{}"#, usage.cache_read)
    } else {
        String::new()
    };
    format!(
        r#"{{"promptTokenCount":{prompt},"candidatesTokenCount":{said},"totalTokenCount":{}{cached}{thought_json}}}"#,
        prompt + usage.output
    )
}

fn chunk(about: &About, parts: &str, finish: Option<&str>, usage: Option<Usage>) -> String {
    let finish = finish.map_or(String::new(), |word| format!(r#","finishReason":{}"#, quote(word, false)));
    let usage = usage
        .map_or(String::new(), |usage| format!(r#","usageMetadata":{}"#, usage_json(usage, about.reasoning)));
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{parts}],"role":"model"}}{finish},"index":0}}]{usage},"modelVersion":{},"responseId":"sim{:06}"}}"#,
        about.quote(&about.model),
        about.n
    )
}

fn event(data: &str) -> String {
    format!("data: {data}\r\n\r\n")
}

fn call_part(tool: &ToolUse, first: bool) -> String {
    let signature = if first { format!(r#","thoughtSignature":"{SIGNATURE}""#) } else { String::new() };
    let args =
        if tool.arguments.is_empty() { String::new() } else { format!(r#","args":{}"#, tool.arguments) };
    format!(r#"{{"functionCall":{{"name":{}{args}}}{signature}}}"#, quote(&tool.name, false))
}

/// The text of a turn: its text parts, and what functions gave back.
fn text(content: &Value) -> String {
    let parts = content["parts"].as_array().map_or(&[][..], Vec::as_slice);
    parts
        .iter()
        .filter_map(|part| match (&part["text"], &part["functionResponse"]["response"]) {
            (Value::String(text), _) => Some(text.clone()),
            (_, Value::Null) => None,
            (_, response) => Some(response.to_string()),
        })
        .collect()
}

/// Whether a turn of the model calls functions and none of its calls is signed.
fn unsigned(content: &Value) -> bool {
    let parts = content["parts"].as_array().map_or(&[][..], Vec::as_slice);
    let mut calls = parts.iter().filter(|part| part["functionCall"].is_object());
    calls.next().is_some_and(|first| first["thoughtSignature"].as_str().is_none_or(str::is_empty))
}

/// The model in `/v1beta/models/NAME:METHOD`.
fn model_of(path: &str) -> Option<&str> {
    let name = path.split('?').next()?.strip_prefix("/v1beta/models/")?;
    name.split_once(':').map(|(model, _)| model).filter(|model| !model.is_empty())
}

impl Wire for Gemini {
    fn read(&self, request: &HttpRequest, n: usize) -> Result<Asked, Refusal> {
        let invalid = |message: &str| self.invalid(n, message);
        let model = model_of(&request.path).ok_or_else(|| invalid("a model is missing"))?.to_owned();
        let stream = request.path.contains(":streamGenerateContent");
        if stream && !request.path.contains("alt=sse") {
            return Err(invalid("The simulator streams server-sent events only: alt=sse is missing."));
        }
        let body = body(request).map_err(|message| invalid(&message))?;
        let contents = body["contents"].as_array().map_or(&[][..], Vec::as_slice);
        if contents.is_empty() {
            return Err(invalid("* GenerateContentRequest.contents: contents is not specified"));
        }
        for (index, content) in contents.iter().enumerate() {
            let role = content["role"].as_str().unwrap_or("user");
            if role != "user" && role != "model" {
                return Err(invalid("Please use a valid role: user, model."));
            }
            if content["parts"].as_array().is_none_or(Vec::is_empty) {
                let what = format!(
                    "* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty."
                );
                return Err(invalid(&what));
            }
            if role == "model" && unsigned(content) {
                return Err(invalid("Function call is missing a thought_signature in functionCall parts."));
            }
        }
        let messages = contents
            .iter()
            .map(|content| Turn {
                role: if content["role"] == "model" { "assistant" } else { "user" }.to_owned(),
                text: text(content),
            })
            .collect();
        let system = text(&body["systemInstruction"]);
        Ok(Asked { provider: Provider::Gemini, model, system, messages, stream, stream_usage: true })
    }

    fn key(&self, request: &HttpRequest) -> Option<String> {
        let key = request.header("x-goog-api-key").map(str::trim).filter(|key| !key.is_empty());
        key.map(str::to_owned)
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream"
    }

    fn id_header(&self) -> Option<&'static str> {
        None
    }

    fn opening(&self, _: &About) -> Vec<String> {
        Vec::new()
    }

    fn reasoning(&self, about: &About, text: &str) -> String {
        event(&chunk(about, &format!(r#"{{"text":{},"thought":true}}"#, about.quote(text)), None, None))
    }

    fn after_reasoning(&self, _: &About) -> Vec<String> {
        Vec::new()
    }

    fn text(&self, about: &About, text: &str) -> String {
        event(&chunk(about, &format!(r#"{{"text":{}}}"#, about.quote(text)), None, None))
    }

    fn tools(&self, about: &About, tools: &[ToolUse]) -> Vec<String> {
        // Whole calls, all in one event.
        let parts: Vec<String> =
            tools.iter().enumerate().map(|(at, tool)| call_part(tool, at == 0)).collect();
        if parts.is_empty() { Vec::new() } else { vec![event(&chunk(about, &parts.join(","), None, None))] }
    }

    fn closing(&self, about: &About, stop: Option<&str>) -> Vec<String> {
        let part = format!(r#"{{"text":"","thoughtSignature":"{SIGNATURE}"}}"#);
        vec![event(&chunk(about, &part, stop, about.usage))]
    }

    fn mid_error(&self, _: &About, _: &str, message: &str) -> String {
        let message = quote(message, false);
        event(&format!(r#"{{"error":{{"code":503,"message":{message},"status":"UNAVAILABLE"}}}}"#))
    }

    fn whole(&self, about: &About, reasoning: &str, text: &str, stop: Option<&str>) -> String {
        let thinking = if reasoning.is_empty() {
            String::new()
        } else {
            format!(r#"{{"text":{},"thought":true}},"#, about.quote(reasoning))
        };
        let parts = format!(r#"{thinking}{{"text":{}}}"#, about.quote(text));
        chunk(about, &parts, stop, about.usage)
    }

    fn stop_word(&self, stop: &Stop) -> Option<String> {
        let word = match stop {
            // A turn that calls functions ends like any other.
            Stop::End | Stop::Tool => "STOP",
            Stop::Length | Stop::Context => "MAX_TOKENS",
            Stop::Filter => "SAFETY",
            Stop::Pause => "OTHER",
            Stop::Missing => return None,
            Stop::Word(word) => word,
        };
        Some(word.to_owned())
    }

    fn refuse(&self, _: usize, model: &str, failure: &Failure) -> Refusal {
        match failure {
            Failure::RateLimited(seconds) => {
                let retry = seconds.map_or(String::new(), |seconds| {
                    format!(
                        r#"{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{seconds}s"}}"#
                    )
                });
                let message = "Resource has been exhausted (e.g. check quota).";
                error(429, "RESOURCE_EXHAUSTED", message, &retry)
            }
            Failure::Overloaded => {
                error(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", "")
            }
            Failure::Unauthorized => error(
                400,
                "INVALID_ARGUMENT",
                "API key not valid. Please pass a valid API key.",
                r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}"#,
            ),
            Failure::ModelNotFound => error(
                404,
                "NOT_FOUND",
                &format!(
                    "models/{model} is not found for API version v1beta, or is not supported for generateContent."
                ),
                "",
            ),
            Failure::ContextTooLong => error(
                400,
                "INVALID_ARGUMENT",
                "The input token count (210000) exceeds the maximum number of tokens allowed (131072).",
                "",
            ),
            Failure::NoCredit => error(
                429,
                "RESOURCE_EXHAUSTED",
                "You exceeded your current quota, please check your plan and billing details.",
                r#"{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}"#,
            ),
            Failure::Internal | Failure::Html(_) | Failure::Raw { .. } | Failure::HangUp => {
                error(500, "INTERNAL", "An internal error has occurred.", "")
            }
        }
    }

    fn invalid(&self, _: usize, message: &str) -> Refusal {
        error(400, "INVALID_ARGUMENT", message, "")
    }

    fn models(&self, models: &[String]) -> String {
        let list: Vec<String> = models
            .iter()
            .map(|model| {
                format!(
                    r#"{{"name":{},"version":"001","displayName":{},"inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"]}}"#,
                    quote(&format!("models/{model}"), false),
                    quote(model, false)
                )
            })
            .collect();
        format!(r#"{{"models":[{}]}}"#, list.join(","))
    }
}
