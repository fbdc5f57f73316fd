//! Ollama's native chat API.
//!
//! Not its OpenAI-compatible one, which cannot set the context size: Ollama silently drops the front of a prompt that
//! does not fit. So the model's own limit is asked for (`/api/show`), the context is set to what the call needs, and a
//! call that cannot fit is not made.

use assist_base::Secret;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::openai::Thinking;
use super::{Asked, Decoder, Fault, Provider, ProviderInfo, secret_header};
use crate::endpoint::Layout;
use crate::frames::{Frame, Framing};
use crate::problem::Problem;
use crate::stream::Received;
use crate::{GatewayError, StopReason};

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

    fn chat(&self, asked: &Asked<'_>) -> Result<(&'static str, Value), GatewayError> {
        let (context, output) = room(asked)?;
        let mut messages = Vec::new();
        if !asked.request.system.trim().is_empty() {
            messages.push(json!({"role": "system", "content": asked.request.system}));
        }
        messages.extend(
            asked
                .request
                .spoken()
                .map(|message| json!({"role": message.role.as_str(), "content": message.text})),
        );
        let mut options = json!({"num_ctx": context, "num_predict": output});
        if let Some(temperature) = asked.request.temperature {
            options["temperature"] = json!(temperature.clamp(0.0, 2.0));
        }
        let body = json!({"model": asked.model, "stream": true, "messages": messages, "options": options});
        Ok(("/api/chat", body))
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
            return Err(Fault::Problem(Problem::of_value(&line)));
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
        if line["done"].as_bool() == Some(true) {
            self.thinking.finish(received);
            let called = message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
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
    use crate::Request;
    use crate::providers::Quirks;

    fn asked(request: &Request, prompt_tokens: u64, max_output: u32, context: Option<u64>) -> Asked<'_> {
        Asked { model: "m", request, max_output, quirks: Quirks::default(), prompt_tokens, context }
    }

    #[test]
    fn the_context_holds_prompt_and_answer() {
        let request = Request::default();
        for (prompt, output, limit, expected) in [
            (100, 1_000, Some(131_072), (8_192, 1_000)),
            (9_000, 4_000, Some(131_072), (16_384, 4_000)),
            (9_000, 8_000, Some(12_000), (12_000, 3_000)),
            (30_000, 8_000, None, (32_768, 2_768)),
        ] {
            assert_eq!(room(&asked(&request, prompt, output, limit)).unwrap(), expected);
        }
    }

    #[test]
    fn a_prompt_that_ollama_would_cut_is_not_sent() {
        let error = room(&asked(&Request::default(), 9_000, 4_000, Some(8_192))).unwrap_err();
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
