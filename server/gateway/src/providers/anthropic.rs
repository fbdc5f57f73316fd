//! Anthropic's Messages API, version 2023-06-01.
//!
//! Events: `message_start`, `content_block_start|delta|stop`, `message_delta` (stop reason, final usage),
//! `message_stop`, `ping`, `error`. Only `message_stop` makes an answer whole. Its counts of cached tokens do not
//! overlap with `input_tokens`. Assistant prefill is never sent: newer models refuse it.

use assist_base::Secret;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{Asked, Decoder, Fault, Provider, ProviderInfo, secret_header};
use crate::endpoint::Layout;
use crate::frames::{Frame, Framing};
use crate::problem::Problem;
use crate::stream::Received;
use crate::{GatewayError, StopReason};

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

    fn chat(&self, asked: &Asked<'_>) -> Result<(&'static str, Value), GatewayError> {
        let messages: Vec<Value> = asked
            .request
            .spoken()
            .map(|message| json!({"role": message.role.as_str(), "content": message.text}))
            .collect();
        let mut body = json!({
            "model": asked.model,
            "max_tokens": asked.max_output,
            "stream": true,
            "messages": messages,
        });
        if !asked.request.system.trim().is_empty() {
            body["system"] = json!(asked.request.system);
        }
        if let (Some(temperature), false) = (asked.request.temperature, asked.quirks.no_temperature) {
            // Others allow up to 2, this one up to 1.
            body["temperature"] = json!(temperature.clamp(0.0, 1.0));
        }
        Ok(("/messages", body))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(Events)
    }
}

struct Events;

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
                match block["type"].as_str() {
                    Some("text") => received.text(block["text"].as_str().unwrap_or("")),
                    Some("thinking") => received.reasoning(block["thinking"].as_str().unwrap_or("")),
                    _ => {}
                }
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                match delta["type"].as_str() {
                    Some("text_delta") => received.text(delta["text"].as_str().ok_or(Fault::Malformed)?),
                    Some("thinking_delta") => received.reasoning(delta["thinking"].as_str().unwrap_or("")),
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
            "error" => return Err(Fault::Problem(Problem::of_value(&event))),
            _ => {}
        }
        Ok(())
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
