//! Anthropic's Messages API, version 2023-06-01.
//!
//! Events: `message_start`, `content_block_start|delta|stop`, `message_delta` (stop reason, final usage),
//! `message_stop`, `ping`, `error`. Only `message_stop` makes an answer whole. Its counts of cached tokens do not
//! overlap with `input_tokens`. Assistant prefill is never sent: newer models refuse it. Long system prompts and the
//! conversation so far are marked for its prompt cache.

use std::borrow::Cow;

use assist_base::Secret;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{Asked, Decoder, Fault, Provider, ProviderInfo, secret_header};
use crate::endpoint::Layout;
use crate::frames::{Frame, Framing};
use crate::problem::Problem;
use crate::stream::Received;
use crate::{GatewayError, Output, Part, StopReason, Tool, ToolChoice, Turn};

pub(crate) const INFO: ProviderInfo = ProviderInfo {
    name: "anthropic",
    title: "Anthropic",
    key_var: Some("ANTHROPIC_API_KEY"),
    base_url_var: "ANTHROPIC_BASE_URL",
    model_var: None,
    default_base_url: Some("https://api.anthropic.com"),
    needs_key: true,
};

pub(crate) struct Anthropic;

impl Provider for Anthropic {
    fn info(&self) -> &'static ProviderInfo {
        &INFO
    }

    fn layout(&self) -> Layout {
        Layout::UnderV1
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn headers(&self, key: Option<&Secret>) -> Result<HeaderMap, GatewayError> {
        let mut headers = secret_header(&INFO, "x-api-key", "", key)?;
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        Ok(headers)
    }

    fn chat(&self, asked: &Asked<'_>) -> Result<(Cow<'static, str>, Value), GatewayError> {
        let prompt = asked.prompt;
        let last = prompt.turns.len().saturating_sub(1);
        let messages: Vec<Value> = prompt
            .turns
            .iter()
            .enumerate()
            .map(|(at, turn)| {
                // What has been said so far is read again with the next turn: worth keeping once it is a conversation.
                let keep = at == last && last > 0;
                json!({"role": turn.role.as_str(), "content": content(turn, asked.model, keep)})
            })
            .collect();
        let mut body = json!({
            "model": asked.model,
            "max_tokens": asked.max_output,
            "stream": true,
            "messages": messages,
        });
        let in_words = asked.quirks.no_format || matches!(prompt.output, Output::Json);
        let system = prompt.system_text(in_words);
        if system.len() >= LEAST_CACHED {
            body["system"] =
                json!([{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]);
        } else if !system.is_empty() {
            body["system"] = json!(system);
        }
        if !prompt.tools.is_empty() {
            let tool = |tool: &Tool| json!({"name": tool.name, "description": tool.description, "input_schema": tool.schema()});
            body["tools"] = prompt.tools.iter().map(tool).collect();
            match &prompt.tool_choice {
                ToolChoice::Auto => {}
                ToolChoice::Never => body["tool_choice"] = json!({"type": "none"}),
                ToolChoice::Required => body["tool_choice"] = json!({"type": "any"}),
                ToolChoice::Named(name) => body["tool_choice"] = json!({"type": "tool", "name": name}),
            }
        }
        if let (Output::Schema { schema, .. }, false) = (&prompt.output, in_words) {
            body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
        }
        if let (Some(temperature), false) = (prompt.temperature, asked.quirks.no_temperature) {
            // Others allow up to 2, this one up to 1.
            body["temperature"] = json!(temperature.clamp(0.0, 1.0));
        }
        Ok(("/messages".into(), body))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::<Events>::default()
    }
}

/// Anthropic keeps no prefix under 1,024 tokens (4,096 for some models), and writing one into the cache costs a quarter
/// more than reading it once: shorter system prompts are not marked.
const LEAST_CACHED: usize = 4 * 1024;

/// A turn's content: a plain string where it is no more than that.
fn content(turn: &Turn, model: &str, keep: bool) -> Value {
    let mut blocks = match turn.native_for(INFO.name, model) {
        Some(Value::Array(blocks)) => blocks.clone(),
        _ => turn.spoken().map(block).collect(),
    };
    if let [Value::Object(only)] = blocks.as_slice()
        && let (Some("text"), Some(text), false) = (only["type"].as_str(), only.get("text"), keep)
    {
        return text.clone();
    }
    if let (Some(last), true) = (blocks.last_mut(), keep) {
        last["cache_control"] = json!({"type": "ephemeral"});
    }
    Value::Array(blocks)
}

fn block(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image(image) => json!({
            "type": "image",
            "source": {"type": "base64", "media_type": image.media_type(), "data": image.base64()},
        }),
        Part::Call(call) => {
            json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.object()})
        }
        Part::Result(result) => {
            let mut block = json!({"type": "tool_result", "tool_use_id": result.id});
            if !result.content.trim().is_empty() {
                block["content"] = json!(result.content);
            }
            if result.failed {
                block["is_error"] = json!(true);
            }
            block
        }
    }
}

#[derive(Default)]
struct Events {
    /// The answer's blocks as they came: signed thoughts must go back unchanged.
    blocks: Vec<Value>,
    signed: bool,
}

impl Events {
    /// Adds to a text of the newest block.
    fn add(&mut self, field: &str, text: &str) {
        if let Some(Value::String(kept)) = self.blocks.last_mut().and_then(|block| block.get_mut(field)) {
            kept.push_str(text);
        }
    }
}

impl Decoder for Events {
    fn frame(&mut self, frame: &Frame, received: &mut Received) -> Result<(), Fault> {
        let event = super::json(frame)?;
        let kind = event["type"].as_str().unwrap_or(&frame.event);
        match kind {
            "message_start" => {
                let message = &event["message"];
                if let Some(id) = message["id"].as_str() {
                    received.request_id.get_or_insert_with(|| id.to_owned());
                }
                read_usage(&message["usage"], received);
            }
            "content_block_start" => {
                let block = &event["content_block"];
                self.blocks.push(block.clone());
                match block["type"].as_str() {
                    Some("text") => received.text(block["text"].as_str().unwrap_or("")),
                    Some("thinking") => {
                        self.signed = true;
                        received.reasoning(block["thinking"].as_str().unwrap_or(""));
                    }
                    Some("redacted_thinking") => self.signed = true,
                    Some("tool_use") => {
                        let word = |field: &str| block[field].as_str().unwrap_or("");
                        received.calls.start(event["index"].as_u64().unwrap_or(0), word("id"), word("name"));
                    }
                    _ => {}
                }
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                match delta["type"].as_str() {
                    Some("text_delta") => {
                        let text = delta["text"].as_str().ok_or(Fault::Malformed)?;
                        self.add("text", text);
                        received.text(text);
                    }
                    Some("thinking_delta") => {
                        let text = delta["thinking"].as_str().unwrap_or("");
                        self.add("thinking", text);
                        received.reasoning(text);
                    }
                    Some("signature_delta") => {
                        self.add("signature", delta["signature"].as_str().unwrap_or(""))
                    }
                    Some("input_json_delta") => {
                        let text = delta["partial_json"].as_str().unwrap_or("");
                        received.calls.fragment(event["index"].as_u64().unwrap_or(0), text);
                    }
                    _ => {}
                }
            }
            "message_delta" => {
                if let Some(reason) = event["delta"]["stop_reason"].as_str() {
                    received.stop = Some(stop_reason(reason));
                }
                if event["usage"].is_object() {
                    read_usage(&event["usage"], received);
                    received.final_figures = true;
                }
            }
            "message_stop" => {
                received.whole = true;
                received.finished = true;
            }
            "error" => return Err(Fault::Problem(Box::new(Problem::of_value(&event)))),
            _ => {}
        }
        Ok(())
    }

    fn native(&mut self) -> Option<Value> {
        // Only what is signed must come back in this form; the rest is as good in plain parts.
        let kept = |block: &Value| match block["type"].as_str() {
            Some("text") => block["text"].as_str().is_some_and(|text| !text.trim().is_empty()),
            // An unsigned thought is refused.
            Some("thinking") => block["signature"].as_str().is_some_and(|signature| !signature.is_empty()),
            Some("redacted_thinking" | "tool_use") => true,
            _ => false,
        };
        let blocks = std::mem::take(&mut self.blocks);
        self.signed.then(|| Value::Array(blocks.into_iter().filter(kept).collect()))
    }
}

/// Counts are cumulative; a later event repeats or raises what an earlier one said, or leaves it out.
fn read_usage(usage: &Value, received: &mut Received) {
    let mut read = |field: &str, place: fn(&mut Received) -> &mut u64| {
        if let Some(count) = usage[field].as_u64() {
            *place(received) = count;
        }
    };
    read("input_tokens", |received| &mut received.usage.input);
    read("output_tokens", |received| &mut received.usage.output);
    read("cache_read_input_tokens", |received| &mut received.usage.cache_read);
    read("cache_creation_input_tokens", |received| &mut received.usage.cache_write);
}

fn stop_reason(word: &str) -> StopReason {
    match word {
        "end_turn" | "stop_sequence" => StopReason::End,
        "max_tokens" => StopReason::Length,
        "tool_use" => StopReason::Tool,
        "pause_turn" => StopReason::Pause,
        "refusal" => StopReason::Filter,
        "model_context_window_exceeded" => StopReason::ContextExceeded,
        other => StopReason::Unknown(other.to_owned()),
    }
}
