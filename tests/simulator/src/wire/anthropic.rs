//! Anthropic Messages, as documented for `anthropic-version: 2023-06-01`.

use super::{About, Refusal, Wire, bearer, body, flag, fragments, quote, text_of};
use crate::asked::{Asked, Provider, content_text, turns};
use crate::http::HttpRequest;
use crate::reply::{Failure, Stop, ToolUse};

pub(crate) struct Anthropic;

fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

fn error(n: usize, status: u16, kind: &str, message: &str) -> Refusal {
    let message = quote(message, false);
    Refusal::json(
        status,
        format!(
            r#"{{"type":"error","error":{{"type":"{kind}","message":{message}}},"request_id":"req_sim{n:06}"}}"#
        ),
    )
}

fn stop_json(stop: Option<&str>) -> String {
    stop.map_or("null".to_owned(), |word| quote(word, false))
}

/// Every `tool_use` must be answered by a `tool_result` in the next message.
fn tools_unanswered(messages: &[serde_json::Value]) -> Option<String> {
    let ids = |message: Option<&serde_json::Value>, kind: &str, field: &str| -> Vec<String> {
        let blocks = message.and_then(|message| message["content"].as_array()).into_iter().flatten();
        blocks
            .filter(|block| block["type"] == kind)
            .filter_map(|block| block[field].as_str().map(str::to_owned))
            .collect()
    };
    for at in 0..messages.len() {
        let mut called = ids(messages.get(at), "tool_use", "id");
        let mut answered = ids(messages.get(at + 1), "tool_result", "tool_use_id");
        called.sort();
        answered.sort();
        if called != answered {
            return Some(format!(
                "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}.",
                called.join(", ")
            ));
        }
    }
    None
}

impl Wire for Anthropic {
    fn read(&self, request: &HttpRequest, n: usize) -> Result<Asked, Refusal> {
        let invalid = |message: &str| self.invalid(n, message);
        if request.header("anthropic-version").is_none() {
            return Err(invalid("anthropic-version: header is required"));
        }
        let body = body(request).map_err(|message| invalid(&message))?;
        let model = text_of(&body, "model").ok_or_else(|| invalid("model: Field required"))?;
        if body["max_tokens"].as_u64().unwrap_or(0) == 0 {
            return Err(invalid("max_tokens: Field required"));
        }
        let messages = turns(&body);
        let Some(last) = messages.last() else {
            return Err(invalid("messages: at least one message is required"));
        };
        if last.role != "user" {
            return Err(invalid(
                "This model does not support assistant message prefill. The conversation must end with a user message.",
            ));
        }
        if let Some(wrong) = messages.iter().find(|turn| turn.role != "user" && turn.role != "assistant") {
            let role = &wrong.role;
            return Err(invalid(&format!("messages: Unexpected role \"{role}\".")));
        }
        let list = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        if let Some(message) = tools_unanswered(list) {
            return Err(invalid(&message));
        }
        let wordless = |(turn, message): (&crate::asked::Turn, &serde_json::Value)| {
            let others =
                message["content"].as_array().into_iter().flatten().any(|block| block["type"] != "text");
            turn.text.is_empty() && !others
        };
        if messages.iter().zip(list).any(wordless) {
            return Err(invalid("messages: text content blocks must be non-empty"));
        }
        let system = body.get("system").map(content_text).unwrap_or_default();
        let stream = flag(&body, "stream").unwrap_or(false);
        Ok(Asked { provider: Provider::Anthropic, model, system, messages, stream, stream_usage: true })
    }

    fn key(&self, request: &HttpRequest) -> Option<String> {
        let key = request.header("x-api-key").map(str::trim).filter(|key| !key.is_empty());
        key.map(str::to_owned).or_else(|| bearer(request))
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn id_header(&self) -> Option<&'static str> {
        Some("request-id")
    }

    fn opening(&self, about: &About) -> Vec<String> {
        let usage = about.usage.map_or(String::new(), |usage| {
            format!(
                r#","usage":{{"input_tokens":{},"cache_creation_input_tokens":{},"cache_read_input_tokens":{},"output_tokens":1}}"#,
                usage.input, usage.cache_write, usage.cache_read
            )
        });
        let block = if about.reasoning {
            r#"{"type":"thinking","thinking":"","signature":""}"#
        } else {
            r#"{"type":"text","text":""}"#
        };
        vec![
            event(
                "message_start",
                &format!(
                    r#"{{"type":"message_start","message":{{"id":"msg_sim{:06}","type":"message","role":"assistant","model":{},"content":[],"stop_reason":null,"stop_sequence":null{usage}}}}}"#,
                    about.n,
                    about.quote(&about.model)
                ),
            ),
            event(
                "content_block_start",
                &format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#),
            ),
            event("ping", r#"{"type": "ping"}"#),
        ]
    }

    fn reasoning(&self, about: &About, text: &str) -> String {
        let text = about.quote(text);
        event(
            "content_block_delta",
            &format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"thinking_delta","thinking":{text}}}}}"#
            ),
        )
    }

    fn after_reasoning(&self, _: &About) -> Vec<String> {
        vec![
            event(
                "content_block_delta",
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ltdWxhdGVk"}}"#,
            ),
            event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
            event(
                "content_block_start",
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            ),
        ]
    }

    fn text(&self, about: &About, text: &str) -> String {
        let index = usize::from(about.reasoning);
        let text = about.quote(text);
        event(
            "content_block_delta",
            &format!(
                r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"text_delta","text":{text}}}}}"#
            ),
        )
    }

    fn tools(&self, about: &About, tools: &[ToolUse]) -> Vec<String> {
        let mut events = Vec::new();
        for (at, tool) in tools.iter().enumerate() {
            let before = usize::from(about.reasoning) + at;
            let index = before + 1;
            events.push(event(
                "content_block_stop",
                &format!(r#"{{"type":"content_block_stop","index":{before}}}"#),
            ));
            let (n, name) = (about.n, quote(&tool.name, false));
            events.push(event(
                "content_block_start",
                &format!(
                    r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"tool_use","id":"toolu_sim{n:04}{at:02}","name":{name},"input":{{}}}}}}"#
                ),
            ));
            for part in fragments(tool) {
                let part = about.quote(&part);
                events.push(event(
                    "content_block_delta",
                    &format!(
                        r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"input_json_delta","partial_json":{part}}}}}"#
                    ),
                ));
            }
        }
        events
    }

    fn closing(&self, about: &About, stop: Option<&str>) -> Vec<String> {
        let index = usize::from(about.reasoning) + about.tools;
        let stop = stop_json(stop);
        let usage = about
            .usage
            .map_or(String::new(), |usage| format!(r#","usage":{{"output_tokens":{}}}"#, usage.output));
        vec![
            event("content_block_stop", &format!(r#"{{"type":"content_block_stop","index":{index}}}"#)),
            event(
                "message_delta",
                &format!(
                    r#"{{"type":"message_delta","delta":{{"stop_reason":{stop},"stop_sequence":null}}{usage}}}"#
                ),
            ),
            event("message_stop", r#"{"type":"message_stop"}"#),
        ]
    }

    fn mid_error(&self, _: &About, kind: &str, message: &str) -> String {
        let (kind, message) = (quote(kind, false), quote(message, false));
        event("error", &format!(r#"{{"type":"error","error":{{"type":{kind},"message":{message}}}}}"#))
    }

    fn whole(&self, about: &About, reasoning: &str, text: &str, stop: Option<&str>) -> String {
        let thinking = if reasoning.is_empty() {
            String::new()
        } else {
            let reasoning = about.quote(reasoning);
            format!(r#"{{"type":"thinking","thinking":{reasoning},"signature":"c2ltdWxhdGVk"}},"#)
        };
        let usage = about.usage.map_or(String::new(), |usage| {
            format!(
                r#","usage":{{"input_tokens":{},"cache_creation_input_tokens":{},"cache_read_input_tokens":{},"output_tokens":{}}}"#,
                usage.input, usage.cache_write, usage.cache_read, usage.output
            )
        });
        format!(
            r#"{{"id":"msg_sim{:06}","type":"message","role":"assistant","model":{},"content":[{thinking}{{"type":"text","text":{}}}],"stop_reason":{},"stop_sequence":null{usage}}}"#,
            about.n,
            about.quote(&about.model),
            about.quote(text),
            stop_json(stop)
        )
    }

    fn stop_word(&self, stop: &Stop) -> Option<String> {
        let word = match stop {
            Stop::End => "end_turn",
            Stop::Length => "max_tokens",
            Stop::Tool => "tool_use",
            Stop::Filter => "refusal",
            Stop::Context => "model_context_window_exceeded",
            Stop::Pause => "pause_turn",
            Stop::Missing => return None,
            Stop::Word(word) => word,
        };
        Some(word.to_owned())
    }

    fn refuse(&self, n: usize, model: &str, failure: &Failure) -> Refusal {
        match failure {
            Failure::RateLimited(seconds) => {
                let mut refusal = error(
                    n,
                    429,
                    "rate_limit_error",
                    "This request would exceed your organization's rate limit.",
                );
                let after = seconds.map(|seconds| ("retry-after".to_owned(), seconds.to_string()));
                refusal.headers.extend(after);
                refusal
            }
            Failure::Overloaded => error(n, 529, "overloaded_error", "Overloaded"),
            Failure::Unauthorized => error(n, 401, "authentication_error", "invalid x-api-key"),
            Failure::ModelNotFound => error(n, 404, "not_found_error", &format!("model: {model}")),
            Failure::ContextTooLong => {
                error(n, 400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
            }
            Failure::NoCredit => error(
                n,
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
            ),
            Failure::Internal | Failure::Html(_) | Failure::Raw { .. } | Failure::HangUp => {
                error(n, 500, "api_error", "Internal server error")
            }
        }
    }

    fn invalid(&self, n: usize, message: &str) -> Refusal {
        error(n, 400, "invalid_request_error", message)
    }

    fn models(&self, models: &[String]) -> String {
        let list: Vec<String> = models
            .iter()
            .map(|model| {
                let name = quote(model, false);
                format!(
                    r#"{{"type":"model","id":{name},"display_name":{name},"created_at":"2025-02-19T00:00:00Z"}}"#
                )
            })
            .collect();
        let id = |model: Option<&String>| model.map_or("null".to_owned(), |model| quote(model, false));
        format!(
            r#"{{"data":[{}],"has_more":false,"first_id":{},"last_id":{}}}"#,
            list.join(","),
            id(models.first()),
            id(models.last())
        )
    }
}
