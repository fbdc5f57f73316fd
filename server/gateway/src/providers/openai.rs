//! Chat Completions as OpenAI defined them and many others speak them: OpenAI, OpenRouter, NVIDIA NIM, and servers of
//! one's own (vLLM, llama.cpp, LM Studio) as `openai-compatible`.
//!
//! An answer is whole when a choice had a `finish_reason`; the usage comes in a chunk of its own after that, then
//! `[DONE]`, which some servers leave out. Where servers differ, the first refusal teaches: `max_tokens` or
//! `max_completion_tokens`, no temperature, no `stream_options`. Models that think inside `<think>` tags at the
//! beginning of the text are understood; the thinking is not part of the answer.

use assist_base::Secret;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Asked, Decoder, Fault, Provider, ProviderInfo, Quirks, secret_header};
use crate::endpoint::Layout;
use crate::frames::{Frame, Framing};
use crate::problem::Problem;
use crate::stream::Received;
use crate::{GatewayError, Role, StopReason};

/// One server that speaks this way.
pub(crate) struct Compatible {
    info: &'static ProviderInfo,
    /// The name of the limit that it takes first; the other is tried when it refuses.
    limit: &'static str,
    key_path: Option<&'static str>,
}

pub(crate) static OPENAI: Compatible = Compatible {
    info: &ProviderInfo {
        name: "openai",
        title: "OpenAI",
        key_var: Some("OPENAI_API_KEY"),
        base_url_var: "OPENAI_BASE_URL",
        model_var: None,
        default_base_url: Some("https://api.openai.com/v1"),
        needs_key: true,
    },
    limit: "max_completion_tokens",
    key_path: None,
};

pub(crate) static OPENROUTER: Compatible = Compatible {
    info: &ProviderInfo {
        name: "openrouter",
        title: "OpenRouter",
        key_var: Some("OPENROUTER_API_KEY"),
        base_url_var: "OPENROUTER_BASE_URL",
        model_var: Some("OPENROUTER_MODEL"),
        default_base_url: Some("https://openrouter.ai/api/v1"),
        needs_key: true,
    },
    limit: "max_tokens",
    // Its list of models is public.
    key_path: Some("/key"),
};

pub(crate) static NIM: Compatible = Compatible {
    info: &ProviderInfo {
        name: "nim",
        title: "NVIDIA NIM",
        key_var: Some("NIM_API_KEY"),
        base_url_var: "NIM_BASE_URL",
        model_var: Some("NIM_MODEL"),
        default_base_url: Some("https://integrate.api.nvidia.com/v1"),
        needs_key: true,
    },
    limit: "max_tokens",
    key_path: None,
};

pub(crate) static COMPATIBLE: Compatible = Compatible {
    info: &ProviderInfo {
        name: "openai-compatible",
        title: "OpenAI-compatible server",
        key_var: Some("OPENAI_COMPATIBLE_API_KEY"),
        base_url_var: "OPENAI_COMPATIBLE_BASE_URL",
        model_var: Some("OPENAI_COMPATIBLE_MODEL"),
        default_base_url: None,
        needs_key: false,
    },
    limit: "max_tokens",
    key_path: None,
};

impl Provider for Compatible {
    fn info(&self) -> &'static ProviderInfo {
        self.info
    }

    fn layout(&self) -> Layout {
        Layout::AtBase
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn headers(&self, key: Option<&Secret>) -> Result<HeaderMap, GatewayError> {
        secret_header(self.info, "authorization", "Bearer ", key)
    }

    fn chat(&self, asked: &Asked<'_>) -> Result<(&'static str, Value), GatewayError> {
        let mut messages = Vec::new();
        if !asked.request.system.trim().is_empty() {
            messages.push(json!({"role": "system", "content": asked.request.system}));
        }
        messages.extend(asked.request.spoken().map(|message| {
            let role = match message.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            json!({"role": role, "content": message.text})
        }));
        let other = if self.limit == "max_tokens" { "max_completion_tokens" } else { "max_tokens" };
        let limit = if asked.quirks.other_max_tokens { other } else { self.limit };
        let mut body = json!({"model": asked.model, "stream": true, "messages": messages});
        body[limit] = json!(asked.max_output);
        if !asked.quirks.no_stream_options {
            body["stream_options"] = json!({"include_usage": true});
        }
        if let (Some(temperature), false) = (asked.request.temperature, asked.quirks.no_temperature) {
            body["temperature"] = json!(temperature.clamp(0.0, 2.0));
        }
        Ok(("/chat/completions", body))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(Chunks { thinking: Thinking::default(), refused: false })
    }

    fn key_path(&self) -> Option<&'static str> {
        self.key_path
    }

    fn learn(&self, problem: &Problem, quirks: &mut Quirks) -> bool {
        let before = *quirks;
        quirks.no_temperature |= problem.refuses("temperature");
        quirks.no_stream_options |= problem.refuses("stream_options");
        let sent = if before.other_max_tokens == (self.limit == "max_tokens") {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        // Once the other name was tried as well, there is nothing left to learn.
        quirks.other_max_tokens |= problem.refuses(sent);
        *quirks != before
    }
}

struct Chunks {
    thinking: Thinking,
    refused: bool,
}

impl Decoder for Chunks {
    fn frame(&mut self, frame: &Frame, received: &mut Received) -> Result<(), Fault> {
        if frame.data.trim() == "[DONE]" {
            received.finished = true;
            return Ok(());
        }
        let chunk = super::json(frame)?;
        if !chunk.is_object() {
            return Err(Fault::Malformed);
        }
        if !chunk["error"].is_null() || frame.event == "error" {
            return Err(Fault::Problem(Problem::of_value(&chunk)));
        }
        if let Some(id) = chunk["id"].as_str().filter(|id| !id.is_empty()) {
            received.request_id.get_or_insert_with(|| id.to_owned());
        }
        let choices = chunk["choices"].as_array().map_or(&[][..], Vec::as_slice);
        for choice in choices.iter().filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0) {
            self.choice(choice, received)?;
        }
        read_usage(&chunk["usage"], received);
        Ok(())
    }

    fn end(&mut self, received: &mut Received) {
        self.thinking.finish(received);
    }
}

impl Chunks {
    fn choice(&mut self, choice: &Value, received: &mut Received) -> Result<(), Fault> {
        let delta = &choice["delta"];
        for field in ["reasoning_content", "reasoning"] {
            if let Some(text) = delta[field].as_str().filter(|text| !text.is_empty()) {
                received.reasoning(text);
                break;
            }
        }
        match &delta["content"] {
            Value::String(text) => self.thinking.push(text, received),
            // A list of parts, as some servers send.
            Value::Array(parts) => {
                for text in parts.iter().filter_map(|part| part["text"].as_str()) {
                    self.thinking.push(text, received);
                }
            }
            Value::Null => {}
            _ => return Err(Fault::Malformed),
        }
        if let Some(text) = delta["refusal"].as_str().filter(|text| !text.is_empty()) {
            self.refused = true;
            received.text(text);
        }
        match choice["finish_reason"].as_str() {
            None | Some("") => {}
            Some("error" | "abort" | "insufficient_system_resource") => {
                self.thinking.finish(received);
                received.stop = Some(StopReason::Cut);
                received.whole = true;
            }
            Some(word) => {
                self.thinking.finish(received);
                received.stop = Some(match word {
                    "stop" | "eos" | "end_turn" if self.refused => StopReason::Filter,
                    "stop" | "eos" | "end_turn" => StopReason::End,
                    "length" | "max_tokens" => StopReason::Length,
                    "tool_calls" | "function_call" => StopReason::Tool,
                    "content_filter" => StopReason::Filter,
                    other => StopReason::Unknown(other.to_owned()),
                });
                received.whole = true;
            }
        }
        Ok(())
    }
}

/// `prompt_tokens` counts the cached ones too, here taken apart.
fn read_usage(usage: &Value, received: &mut Received) {
    let Some(output) = usage["completion_tokens"].as_u64() else { return };
    let prompt = usage["prompt_tokens"].as_u64().unwrap_or(0);
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0).min(prompt);
    received.usage.input = prompt - cached;
    received.usage.cache_read = cached;
    received.usage.output = output;
    received.final_figures = true;
    // OpenRouter says what it charged.
    received.cost_usd = usage["cost"].as_f64().filter(|cost| cost.is_finite() && *cost >= 0.0);
}

/// Takes `<think>…</think>` off the front of a text, wherever the chunks are cut.
#[derive(Debug, Default)]
pub(crate) struct Thinking {
    state: ThinkState,
    /// The beginning of a tag that is not complete yet.
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ThinkState {
    #[default]
    Start,
    Inside,
    After,
    Text,
}

impl Thinking {
    pub(crate) fn push(&mut self, text: &str, received: &mut Received) {
        if self.state == ThinkState::Text {
            received.text(text);
            return;
        }
        self.held.push_str(text);
        self.take(received);
    }

    /// What is held back and turned out to be no tag.
    pub(crate) fn finish(&mut self, received: &mut Received) {
        let held = std::mem::take(&mut self.held);
        match self.state {
            ThinkState::Inside => received.reasoning(&held),
            _ => received.text(&held),
        }
        self.state = ThinkState::Text;
    }

    fn take(&mut self, received: &mut Received) {
        const OPEN: &str = "<think>";
        const CLOSE: &str = "</think>";
        loop {
            match self.state {
                ThinkState::Start => {
                    let spoken = self.held.trim_start();
                    if let Some(rest) = spoken.strip_prefix(OPEN) {
                        self.held = rest.to_owned();
                        self.state = ThinkState::Inside;
                    } else if OPEN.starts_with(spoken) {
                        return;
                    } else {
                        self.state = ThinkState::Text;
                    }
                }
                ThinkState::Inside => {
                    if let Some(at) = self.held.find(CLOSE) {
                        received.reasoning(&self.held[..at]);
                        self.held.drain(..at + CLOSE.len());
                        self.state = ThinkState::After;
                    } else {
                        let tail = held_back(&self.held, CLOSE);
                        let ready = self.held.len() - tail;
                        received.reasoning(&self.held[..ready]);
                        self.held.drain(..ready);
                        return;
                    }
                }
                ThinkState::After => {
                    // The blank line between thinking and answer belongs to neither.
                    let spoken = self.held.trim_start().to_owned();
                    self.held = spoken;
                    if self.held.is_empty() {
                        return;
                    }
                    self.state = ThinkState::Text;
                }
                ThinkState::Text => {
                    received.text(&self.held);
                    self.held.clear();
                    return;
                }
            }
        }
    }
}

/// How many bytes at the end of `text` may be the beginning of `tag`.
fn held_back(text: &str, tag: &str) -> usize {
    (1..tag.len()).rev().find(|&length| text.ends_with(&tag[..length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Chunk;

    fn think(text: &str, size: usize) -> (String, String) {
        let mut received = Received::default();
        let mut thinking = Thinking::default();
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(size) {
            thinking.push(&piece.iter().collect::<String>(), &mut received);
        }
        thinking.finish(&mut received);
        let (mut thought, mut said) = (String::new(), String::new());
        for chunk in received.ready {
            match chunk {
                Chunk::Reasoning(text) => thought.push_str(&text),
                Chunk::Text(text) => said.push_str(&text),
                Chunk::Done(_) => unreachable!(),
            }
        }
        (thought, said)
    }

    #[test]
    fn thinking_is_taken_off_the_front_only() {
        for (text, thought, said) in [
            ("<think>a < b </th</think>\n\nanswer", "a < b </th", "answer"),
            ("\n<think>x</think>y", "x", "y"),
            ("plain <think>no</think>", "", "plain <think>no</think>"),
            ("<thin", "", "<thin"),
            ("  <div>", "", "  <div>"),
            ("<think>never closed", "never closed", ""),
            ("", "", ""),
        ] {
            for size in 1..=text.len().max(1) {
                assert_eq!(think(text, size), (thought.to_owned(), said.to_owned()), "{text:?} {size}");
            }
        }
    }
}
