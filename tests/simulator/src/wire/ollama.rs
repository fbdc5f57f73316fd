//! Ollama's own chat API: one JSON object a line.

use super::{About, Refusal, Wire, bearer, body, flag, quote, text_of};
use crate::asked::{Asked, Provider, turns};
use crate::http::HttpRequest;
use crate::reply::{Failure, Stop, ToolUse};

pub(crate) struct Ollama;

const CREATED: &str = "2025-03-10T01:05:52.000000000Z";

fn error(status: u16, message: &str) -> Refusal {
    Refusal::json(status, format!(r#"{{"error":{}}}"#, quote(message, false)))
}

fn line(about: &About, message: &str, rest: &str) -> String {
    let model = about.quote(&about.model);
    format!(
        "{{\"model\":{model},\"created_at\":\"{CREATED}\",\"message\":{{\"role\":\"assistant\",{message}}},{rest}}}\n"
    )
}

fn done(about: &About, stop: Option<&str>) -> String {
    let reason = stop.map_or(String::new(), |word| format!(r#","done_reason":{}"#, quote(word, false)));
    let usage = about.usage.map_or(String::new(), |usage| {
        format!(
            r#","total_duration":4883583458,"load_duration":1334875,"prompt_eval_count":{},"prompt_eval_duration":342546000,"eval_count":{},"eval_duration":4535599000"#,
            usage.input, usage.output
        )
    });
    format!(r#""done":true{reason}{usage}"#)
}

impl Wire for Ollama {
    fn read(&self, request: &HttpRequest, n: usize) -> Result<Asked, Refusal> {
        let body = body(request).map_err(|message| self.invalid(n, &message))?;
        let model = text_of(&body, "model").ok_or_else(|| self.invalid(n, "model is required"))?;
        let all = turns(&body);
        let system: Vec<&str> =
            all.iter().filter(|turn| turn.role == "system").map(|turn| turn.text.as_str()).collect();
        let system = system.join("\n");
        let messages = all.iter().filter(|turn| turn.role != "system").cloned().collect();
        // Here a stream is the default.
        let stream = flag(&body, "stream").unwrap_or(true);
        Ok(Asked { provider: Provider::Ollama, model, system, messages, stream, stream_usage: true })
    }

    fn key(&self, request: &HttpRequest) -> Option<String> {
        bearer(request)
    }

    fn open(&self) -> bool {
        true
    }

    fn stream_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn id_header(&self) -> Option<&'static str> {
        None
    }

    fn opening(&self, _: &About) -> Vec<String> {
        Vec::new()
    }

    fn reasoning(&self, about: &About, text: &str) -> String {
        line(about, &format!(r#""content":"","thinking":{}"#, about.quote(text)), r#""done":false"#)
    }

    fn after_reasoning(&self, _: &About) -> Vec<String> {
        Vec::new()
    }

    fn text(&self, about: &About, text: &str) -> String {
        line(about, &format!(r#""content":{}"#, about.quote(text)), r#""done":false"#)
    }

    fn tools(&self, about: &About, tools: &[ToolUse]) -> Vec<String> {
        // Whole calls, without ids, a line each.
        tools
            .iter()
            .map(|tool| {
                let arguments = if tool.arguments.is_empty() { "{}" } else { tool.arguments.as_str() };
                let call = format!(
                    r#"{{"function":{{"name":{},"arguments":{arguments}}}}}"#,
                    quote(&tool.name, false)
                );
                line(about, &format!(r#""content":"","tool_calls":[{call}]"#), r#""done":false"#)
            })
            .collect()
    }

    fn closing(&self, about: &About, stop: Option<&str>) -> Vec<String> {
        vec![line(about, r#""content":"""#, &done(about, stop))]
    }

    fn mid_error(&self, _: &About, _: &str, message: &str) -> String {
        format!("{{\"error\":{}}}\n", quote(message, false))
    }

    fn whole(&self, about: &About, reasoning: &str, text: &str, stop: Option<&str>) -> String {
        let thinking = if reasoning.is_empty() {
            String::new()
        } else {
            format!(r#","thinking":{}"#, about.quote(reasoning))
        };
        let message = format!(r#""content":{}{thinking}"#, about.quote(text));
        line(about, &message, &done(about, stop)).trim_end().to_owned()
    }

    fn stop_word(&self, stop: &Stop) -> Option<String> {
        let word = match stop {
            Stop::End | Stop::Filter | Stop::Pause | Stop::Tool => "stop",
            Stop::Length | Stop::Context => "length",
            Stop::Missing => return None,
            Stop::Word(word) => word,
        };
        Some(word.to_owned())
    }

    fn refuse(&self, _: usize, model: &str, failure: &Failure) -> Refusal {
        match failure {
            Failure::RateLimited(_) | Failure::NoCredit => error(429, "too many requests"),
            Failure::Overloaded => {
                error(503, "server busy, please try again.  maximum pending requests exceeded")
            }
            Failure::Unauthorized => error(401, "unauthorized"),
            Failure::ModelNotFound => error(404, &format!("model '{model}' not found")),
            Failure::ContextTooLong => error(400, "the input length exceeds the context length"),
            Failure::Internal | Failure::Html(_) | Failure::Raw { .. } | Failure::HangUp => {
                error(500, "llama runner process has terminated: exit status 2")
            }
        }
    }

    fn invalid(&self, _: usize, message: &str) -> Refusal {
        error(400, message)
    }

    fn models(&self, models: &[String]) -> String {
        let list: Vec<String> = models
            .iter()
            .map(|model| {
                let name = quote(model, false);
                format!(
                    r#"{{"name":{name},"model":{name},"modified_at":"{CREATED}","size":3825819519,"digest":"fe938a131f40e6f6d40083c9f0f430a515233eb2edaa6d72eb85c50d64f2300e","details":{{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"7B","quantization_level":"Q4_0"}}}}"#
                )
            })
            .collect();
        format!(r#"{{"models":[{}]}}"#, list.join(","))
    }
}
