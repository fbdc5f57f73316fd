//! Chat Completions as OpenAI defined them and many others speak them: OpenAI, OpenRouter, NVIDIA NIM, and servers of
//! one's own (vLLM, llama.cpp, LM Studio) as `openai-compatible`.
//!
//! An answer is whole when a choice had a `finish_reason`; the usage comes in a chunk of its own after that, then
//! `[DONE]`, which some servers leave out. Where servers differ, the first refusal teaches: `max_tokens` or
//! `max_completion_tokens`, no temperature, no `stream_options`. Models that think inside `<think>` tags at the
//! beginning of the text are understood; the thinking is not part of the answer.

use std::borrow::Cow;

use assist_base::Secret;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::thinking::Thinking;
use super::{Asked, Decoder, Fault, Provider, ProviderInfo, Quirks, secret_header};
use crate::endpoint::Layout;
use crate::frames::{Frame, Framing};
use crate::problem::Problem;
use crate::stream::Received;
use crate::{GatewayError, Output, Part, StopReason, Tool, ToolChoice, Turn};

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

    fn chat(&self, asked: &Asked<'_>) -> Result<(Cow<'static, str>, Value), GatewayError> {
        let prompt = asked.prompt;
        let mut messages = Vec::new();
        let system = prompt.system_text(asked.quirks.no_format);
        if !system.is_empty() {
            messages.push(json!({"role": "system", "content": self.system(system, asked.model)}));
        }
        for turn in &prompt.turns {
            self.write(turn, asked.model, &mut messages);
        }
        let other = if self.limit == "max_tokens" { "max_completion_tokens" } else { "max_tokens" };
        let limit = if asked.quirks.other_max_tokens { other } else { self.limit };
        let mut body = json!({"model": asked.model, "stream": true, "messages": messages});
        body[limit] = json!(asked.max_output);
        if !asked.quirks.no_stream_options {
            body["stream_options"] = json!({"include_usage": true});
        }
        if let (Some(temperature), false) = (prompt.temperature, asked.quirks.no_temperature) {
            body["temperature"] = json!(temperature.clamp(0.0, 2.0));
        }
        if !prompt.tools.is_empty() {
            body["tools"] = prompt.tools.iter().map(declaration).collect();
            match &prompt.tool_choice {
                ToolChoice::Auto => {}
                ToolChoice::Never => body["tool_choice"] = json!("none"),
                ToolChoice::Required => body["tool_choice"] = json!("required"),
                ToolChoice::Named(name) => {
                    body["tool_choice"] = json!({"type": "function", "function": {"name": name}});
                }
            }
        }
        if !asked.quirks.no_format {
            match &prompt.output {
                Output::Text => {}
                Output::Json => body["response_format"] = json!({"type": "json_object"}),
                Output::Schema { name, schema } => {
                    let schema = json!({"name": name, "schema": schema, "strict": true});
                    body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
                }
            }
        }
        Ok(("/chat/completions".into(), body))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::<Chunks>::default()
    }

    fn key_path(&self) -> Option<&'static str> {
        self.key_path
    }

    fn learn(&self, problem: &Problem, quirks: &mut Quirks) -> bool {
        let before = *quirks;
        quirks.no_temperature |= problem.refuses("temperature");
        quirks.no_stream_options |= problem.refuses("stream_options");
        quirks.no_format |= super::refuses_format(problem);
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

impl Compatible {
    /// The system prompt. OpenRouter passes Anthropic's marks for its prompt cache on; the others cache by themselves.
    fn system(&self, text: String, model: &str) -> Value {
        if self.info.name == OPENROUTER.info.name && model.starts_with("anthropic/") {
            return json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]);
        }
        json!(text)
    }

    /// Writes a turn as messages: results of tools are messages of their own.
    fn write(&self, turn: &Turn, model: &str, messages: &mut Vec<Value>) {
        let (mut content, mut calls) = (Vec::new(), Vec::new());
        for part in turn.spoken() {
            match part {
                Part::Text(text) => content.push(json!({"type": "text", "text": text})),
                Part::Image(image) => {
                    content.push(json!({"type": "image_url", "image_url": {"url": image.data_url()}}));
                }
                Part::Call(call) => {
                    let function = json!({"name": call.name, "arguments": call.object().to_string()});
                    calls.push(json!({"id": call.id, "type": "function", "function": function}));
                }
                Part::Result(result) => messages
                    .push(json!({"role": "tool", "tool_call_id": result.id, "content": result.content})),
            }
        }
        if content.is_empty() && calls.is_empty() {
            return;
        }
        // A plain string wherever it will do: some servers know nothing else.
        let plain = content.iter().all(|part| part["type"] == "text");
        let text = || content.iter().filter_map(|part| part["text"].as_str()).collect::<String>();
        let mut message = json!({"role": turn.role.as_str()});
        message["content"] = match (content.is_empty(), plain) {
            (true, _) => Value::Null,
            (_, true) => json!(text()),
            (_, false) => Value::Array(content),
        };
        if !calls.is_empty() {
            message["tool_calls"] = Value::Array(calls);
        }
        if let Some(details) = turn.native_for(self.info.name, model) {
            message["reasoning_details"] = details.clone();
        }
        messages.push(message);
    }
}

fn declaration(tool: &Tool) -> Value {
    let function = json!({"name": tool.name, "description": tool.description, "parameters": tool.schema()});
    json!({"type": "function", "function": function})
}

#[derive(Default)]
struct Chunks {
    thinking: Thinking,
    refused: bool,
    /// OpenRouter's form of signed thoughts, which goes back as it came.
    details: Vec<Value>,
}

impl Decoder for Chunks {
    fn frame(&mut self, frame: &Frame, received: &mut Received) -> Result<(), Fault> {
        if frame.data.trim() == "[DONE]" {
            received.finished = true;
            return Ok(());
        }
        if received.request_id.is_some()
            && frame.event.is_empty()
            && let Some(text) = plain_text(&frame.data)
        {
            self.thinking.push(&text, received);
            return Ok(());
        }
        let chunk = super::json(frame)?;
        if !chunk.is_object() {
            return Err(Fault::Malformed);
        }
        if !chunk["error"].is_null() || frame.event == "error" {
            return Err(Fault::Problem(Box::new(Problem::of_value(&chunk))));
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

    fn native(&mut self) -> Option<Value> {
        let details = std::mem::take(&mut self.details);
        (!details.is_empty()).then(|| Value::Array(joined(details)))
    }
}

/// The text of a chunk that holds nothing but text: almost all do, and reading only that much of them takes a third of the
/// time. Whatever else is in one, it is read in full.
fn plain_text(data: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        choices: [Choice<'a>; 1],
        #[serde(default)]
        usage: Option<IgnoredAny>,
        #[serde(default)]
        error: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Choice<'a> {
        #[serde(default)]
        index: u64,
        #[serde(borrow)]
        delta: Delta<'a>,
        #[serde(default)]
        finish_reason: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Delta<'a> {
        #[serde(borrow)]
        content: Cow<'a, str>,
        #[serde(default, rename = "role")]
        _role: IgnoredAny,
    }
    let chunk: Chunk<'_> = serde_json::from_str(data).ok()?;
    let [choice] = chunk.choices;
    let only = chunk.usage.is_none() && chunk.error.is_none() && choice.finish_reason.is_none();
    (only && choice.index == 0).then_some(choice.delta.content)
}

/// Fragments of one thought made whole again.
fn joined(details: Vec<Value>) -> Vec<Value> {
    let mut whole: Vec<Value> = Vec::new();
    for mut detail in details {
        let same = |last: &&mut Value| {
            last["type"] == detail["type"]
                && last["index"] == detail["index"]
                && detail["type"] == "reasoning.text"
        };
        let Some(last) = whole.last_mut().filter(same) else {
            whole.push(detail);
            continue;
        };
        if let (Some(Value::String(kept)), Some(more)) = (last.get_mut("text"), detail["text"].as_str()) {
            kept.push_str(more);
        }
        if detail["signature"].is_string() {
            last["signature"] = detail["signature"].take();
        }
    }
    whole
}

impl Chunks {
    fn choice(&mut self, choice: &Value, received: &mut Received) -> Result<(), Fault> {
        let delta = &choice["delta"];
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let (function, id) = (&call["function"], call["id"].as_str().unwrap_or(""));
            let name = function["name"].as_str().unwrap_or("");
            match &function["arguments"] {
                // Some servers send an object where the format has a string.
                whole @ Value::Object(_) => received.calls.whole(id, name, whole),
                arguments => {
                    received.calls.delta(call["index"].as_u64(), id, name, arguments.as_str().unwrap_or(""));
                }
            }
        }
        self.details.extend(delta["reasoning_details"].as_array().into_iter().flatten().cloned());
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
                    // Some servers end every answer with this word.
                    "stop" | "eos" | "end_turn" if !received.calls.is_empty() => StopReason::Tool,
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
    let details = &usage["prompt_tokens_details"];
    // DeepSeek's servers have a field of their own.
    let cached = details["cached_tokens"].as_u64().or(usage["prompt_cache_hit_tokens"].as_u64());
    let cached = cached.unwrap_or(0).min(prompt);
    let written = details["cache_write_tokens"].as_u64().unwrap_or(0).min(prompt - cached);
    received.usage.input = prompt - cached - written;
    received.usage.cache_read = cached;
    received.usage.cache_write = written;
    received.usage.output = output;
    received.final_figures = true;
    // OpenRouter says what it charged.
    received.cost_usd = usage["cost"].as_f64().filter(|cost| cost.is_finite() && *cost >= 0.0);
}
