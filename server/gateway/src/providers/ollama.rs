//! Ollama's native chat API.
//!
//! Not its OpenAI-compatible one, which cannot set the context size: Ollama silently drops the front of a prompt that
//! does not fit. So the model's own limit is asked for (`/api/show`), the context is set to what the call needs, and a
//! call that cannot fit is not made.

use std::borrow::Cow;

use assist_base::Secret;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::thinking::Thinking;
use super::{Asked, Decoder, Fault, Provider, ProviderInfo, secret_header};
use crate::endpoint::Layout;
use crate::frames::{Frame, Framing};
use crate::problem::Problem;
use crate::stream::Received;
use crate::{GatewayError, Output, Part, StopReason, Tool, ToolChoice, Turn};

pub(crate) const INFO: ProviderInfo = ProviderInfo {
    name: "ollama",
    title: "Ollama",
    key_var: None,
    base_url_var: "OLLAMA_HOST",
    model_var: Some("OLLAMA_MODEL"),
    default_base_url: Some("http://127.0.0.1:11434"),
    needs_key: false,
};

/// A changed context size makes Ollama load the model again, so sizes come in few steps.
const SMALLEST_CONTEXT: u64 = 8 * 1024;

/// What is taken for the limit of a model that does not tell its own.
const UNKNOWN_CONTEXT: u64 = 32 * 1024;

/// An answer shorter than this is not worth asking for.
const LEAST_OUTPUT: u64 = 256;

pub(crate) struct Ollama;

impl Provider for Ollama {
    fn info(&self) -> &'static ProviderInfo {
        &INFO
    }

    fn layout(&self) -> Layout {
        Layout::AtRoot
    }

    fn default_port(&self) -> Option<u16> {
        Some(11434)
    }

    fn framing(&self) -> Framing {
        Framing::JsonLines
    }

    fn headers(&self, key: Option<&Secret>) -> Result<HeaderMap, GatewayError> {
        // Only a server behind a proxy has one.
        secret_header(&INFO, "authorization", "Bearer ", key)
    }

    fn chat(&self, asked: &Asked<'_>) -> Result<(Cow<'static, str>, Value), GatewayError> {
        let prompt = asked.prompt;
        let (context, output) = room(asked)?;
        let mut messages = Vec::new();
        let system = prompt.system_text(asked.quirks.no_format);
        if !system.is_empty() {
            messages.push(json!({"role": "system", "content": system}));
        }
        for turn in &prompt.turns {
            write(turn, &mut messages);
        }
        let mut options = json!({"num_ctx": context, "num_predict": output});
        if let Some(temperature) = prompt.temperature {
            options["temperature"] = json!(temperature.clamp(0.0, 2.0));
        }
        let mut body =
            json!({"model": asked.model, "stream": true, "messages": messages, "options": options});
        // It has no word for "must" or "must not": without tools it cannot call any.
        if !prompt.tools.is_empty() && prompt.tool_choice != ToolChoice::Never {
            let only = |tool: &&Tool| match &prompt.tool_choice {
                ToolChoice::Named(name) => tool.name == *name,
                _ => true,
            };
            body["tools"] = prompt.tools.iter().filter(only).map(declaration).collect();
        }
        if !asked.quirks.no_format {
            match &prompt.output {
                Output::Text => {}
                Output::Json => body["format"] = json!("json"),
                Output::Schema { schema, .. } => body["format"] = schema.clone(),
            }
        }
        Ok(("/api/chat".into(), body))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(Lines { thinking: Thinking::default() })
    }

    fn models_path(&self) -> &'static str {
        "/api/tags"
    }

    /// Models for code first, then the largest; those that only embed are left out.
    fn model_names(&self, list: &Value) -> Vec<String> {
        let mut found: Vec<(bool, u64, String)> = Vec::new();
        for model in list["models"].as_array().into_iter().flatten() {
            let Some(name) = model["name"].as_str().or(model["model"].as_str()) else { continue };
            let family = model["details"]["family"].as_str().unwrap_or("");
            if name.contains("embed") || family.contains("bert") {
                continue;
            }
            let code = name.contains("code") || name.contains("coder") || name.contains("devstral");
            found.push((code, model["size"].as_u64().unwrap_or(0), name.to_owned()));
        }
        found.sort_by(|a, b| (b.0, b.1, &a.2).cmp(&(a.0, a.1, &b.2)));
        found.into_iter().map(|(_, _, name)| name).collect()
    }

    fn context_question(&self, model: &str) -> Option<(&'static str, Value)> {
        Some(("/api/show", json!({"model": model})))
    }

    fn context_size(&self, answer: &Value) -> Option<u64> {
        let facts = answer["model_info"].as_object()?;
        facts.iter().find(|(name, _)| name.ends_with(".context_length")).and_then(|(_, size)| size.as_u64())
    }
}

fn declaration(tool: &Tool) -> Value {
    let function = json!({"name": tool.name, "description": tool.description, "parameters": tool.schema()});
    json!({"type": "function", "function": function})
}

/// Writes a turn as messages. Calls have no ids here; results find theirs by order and name.
fn write(turn: &Turn, messages: &mut Vec<Value>) {
    let (mut text, mut images, mut calls) = (String::new(), Vec::new(), Vec::new());
    for part in turn.spoken() {
        match part {
            Part::Text(said) => text.push_str(said),
            Part::Image(image) => images.push(json!(image.base64())),
            Part::Call(call) => {
                calls.push(json!({"function": {"name": call.name, "arguments": call.object()}}));
            }
            Part::Result(result) => {
                messages.push(json!({"role": "tool", "tool_name": result.name, "content": result.content}))
            }
        }
    }
    if text.is_empty() && images.is_empty() && calls.is_empty() {
        return;
    }
    let mut message = json!({"role": turn.role.as_str(), "content": text});
    if !images.is_empty() {
        message["images"] = Value::Array(images);
    }
    if !calls.is_empty() {
        message["tool_calls"] = Value::Array(calls);
    }
    messages.push(message);
}

/// The context to ask for, and the longest answer that fits into it.
fn room(asked: &Asked<'_>) -> Result<(u64, u64), GatewayError> {
    let limit = asked.context.unwrap_or(UNKNOWN_CONTEXT).max(1);
    let left = limit.saturating_sub(asked.prompt_tokens);
    if left < LEAST_OUTPUT.min(u64::from(asked.max_output)) {
        return Err(GatewayError::ContextTooLong {
            provider: INFO.name.to_owned(),
            model: asked.model.to_owned(),
            tokens: Some(asked.prompt_tokens + LEAST_OUTPUT),
            limit: Some(limit),
        });
    }
    let output = u64::from(asked.max_output).min(left);
    let needed = (asked.prompt_tokens + output).max(SMALLEST_CONTEXT);
    Ok((needed.next_power_of_two().min(limit), output))
}

struct Lines {
    thinking: Thinking,
}

impl Decoder for Lines {
    fn frame(&mut self, frame: &Frame, received: &mut Received) -> Result<(), Fault> {
        let line = super::json(frame)?;
        if !line["error"].is_null() {
            return Err(Fault::Problem(Box::new(Problem::of_value(&line))));
        }
        if !line.is_object() {
            return Err(Fault::Malformed);
        }
        let message = &line["message"];
        if let Some(text) = message["thinking"].as_str() {
            received.reasoning(text);
        }
        if let Some(text) = message["content"].as_str() {
            self.thinking.push(text, received);
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let (id, function) = (call["id"].as_str().unwrap_or(""), &call["function"]);
            received.calls.whole(id, function["name"].as_str().unwrap_or(""), &function["arguments"]);
        }
        if line["done"].as_bool() == Some(true) {
            self.thinking.finish(received);
            let called = !received.calls.is_empty();
            received.stop = Some(match line["done_reason"].as_str() {
                Some("stop") if called => StopReason::Tool,
                Some("stop") => StopReason::End,
                Some("length") => StopReason::Length,
                Some("load" | "unload") => StopReason::Cut,
                Some(other) => StopReason::Unknown(other.to_owned()),
                None => StopReason::Unknown("none given".to_owned()),
            });
            if let (Some(input), Some(output)) =
                (line["prompt_eval_count"].as_u64(), line["eval_count"].as_u64())
            {
                received.usage.input = input;
                received.usage.output = output;
                received.final_figures = true;
            }
            received.whole = true;
            received.finished = true;
        }
        Ok(())
    }

    fn end(&mut self, received: &mut Received) {
        self.thinking.finish(received);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extras::Prompt;
    use crate::providers::Quirks;

    fn asked(prompt: &Prompt, prompt_tokens: u64, max_output: u32, context: Option<u64>) -> Asked<'_> {
        Asked { model: "m", prompt, max_output, quirks: Quirks::default(), prompt_tokens, context }
    }

    #[test]
    fn the_context_holds_prompt_and_answer() {
        let prompt = Prompt::default();
        for (tokens, output, limit, expected) in [
            (100, 1_000, Some(131_072), (8_192, 1_000)),
            (9_000, 4_000, Some(131_072), (16_384, 4_000)),
            (9_000, 8_000, Some(12_000), (12_000, 3_000)),
            (30_000, 8_000, None, (32_768, 2_768)),
        ] {
            assert_eq!(room(&asked(&prompt, tokens, output, limit)).unwrap(), expected);
        }
    }

    #[test]
    fn a_prompt_that_ollama_would_cut_is_not_sent() {
        let error = room(&asked(&Prompt::default(), 9_000, 4_000, Some(8_192))).unwrap_err();
        assert!(error.to_string().contains("too long for ollama/m by 1064 tokens"), "{error}");
    }

    #[test]
    fn models_for_code_come_first_and_embedders_never() {
        let list = json!({"models": [
            {"name": "llama3:8b", "size": 5},
            {"name": "nomic-embed-text", "size": 9},
            {"name": "qwen2.5-coder:7b", "size": 4},
            {"name": "all-minilm", "size": 9, "details": {"family": "bert"}},
            {"name": "mixtral", "size": 7},
            {"nonsense": true},
        ]});
        assert_eq!(Ollama.model_names(&list), ["qwen2.5-coder:7b", "mixtral", "llama3:8b"]);
        assert!(Ollama.model_names(&json!([1])).is_empty());
    }

    #[test]
    fn the_models_own_limit_is_found() {
        let answer =
            json!({"model_info": {"general.architecture": "llama", "llama.context_length": 131_072}});
        assert_eq!(Ollama.context_size(&answer), Some(131_072));
    }
}
