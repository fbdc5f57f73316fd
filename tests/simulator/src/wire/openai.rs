//! OpenAI Chat Completions, and what the servers that copy it add (`reasoning_content`).

use super::{About, Refusal, Wire, bearer, body, flag, fragments, quote, text_of};
use crate::asked::{Asked, Provider, turns};
use crate::http::HttpRequest;
use crate::reply::{Failure, Stop, ToolUse, Usage};

pub(crate) struct Openai;

/// All answers were made at this second.
const CREATED: u64 = 1_741_569_952;

fn error(status: u16, kind: &str, param: &str, code: &str, message: &str) -> Refusal {
    let or_null = |word: &str| if word.is_empty() { "null".to_owned() } else { quote(word, false) };
    let message = quote(message, false);
    Refusal::json(
        status,
        format!(
            r#"{{"error":{{"message":{message},"type":"{kind}","param":{},"code":{}}}}}"#,
            or_null(param),
            or_null(code)
        ),
    )
}

fn chunk(about: &About, delta: &str, finish: &str) -> String {
    // With `stream_options.include_usage` every chunk has the field, and only the last a value.
    let usage = if about.usage.is_some() { r#","usage":null"# } else { "" };
    format!(
        "data: {{\"id\":\"chatcmpl-sim{:06}\",\"object\":\"chat.completion.chunk\",\"created\":{CREATED},\"model\":{},\"system_fingerprint\":\"fp_sim\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{usage}}}\n\n",
        about.n,
        about.quote(&about.model)
    )
}

fn usage_json(usage: Usage) -> String {
    let prompt = usage.input + usage.cache_read + usage.cache_write;
    format!(
        r#"{{"prompt_tokens":{prompt},"completion_tokens":{},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":{},"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#,
        usage.output,
        prompt + usage.output,
        usage.cache_read
    )
}

fn stop_json(stop: Option<&str>) -> String {
    stop.map_or("null".to_owned(), |word| quote(word, false))
}

/// The calls of an assistant's message must be answered by the `tool` messages right after it.
fn tools_unanswered(messages: &serde_json::Value) -> Option<String> {
    let messages = messages.as_array()?;
    for (at, message) in messages.iter().enumerate() {
        let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        let mut called: Vec<&str> = calls.iter().filter_map(|call| call["id"].as_str()).collect();
        let after = messages[at + 1..].iter().take_while(|message| message["role"] == "tool");
        let mut answered: Vec<&str> = after.filter_map(|message| message["tool_call_id"].as_str()).collect();
        if message["role"] == "tool" {
            continue;
        }
        called.sort_unstable();
        answered.sort_unstable();
        if called != answered {
            return Some(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
                    .to_owned(),
            );
        }
    }
    None
}

impl Wire for Openai {
    fn read(&self, request: &HttpRequest, n: usize) -> Result<Asked, Refusal> {
        let invalid = |message: &str| self.invalid(n, message);
        let body = body(request).map_err(|message| invalid(&message))?;
        let model = text_of(&body, "model").ok_or_else(|| invalid("you must provide a model parameter"))?;
        let all = turns(&body);
        if all.is_empty() {
            return Err(invalid("[] is too short - 'messages'"));
        }
        if let Some(message) = tools_unanswered(&body["messages"]) {
            return Err(invalid(&message));
        }
        let rules = |role: &str| role == "system" || role == "developer";
        let system: Vec<&str> =
            all.iter().filter(|turn| rules(&turn.role)).map(|turn| turn.text.as_str()).collect();
        let system = system.join("\n");
        let messages = all.iter().filter(|turn| !rules(&turn.role)).cloned().collect();
        let stream = flag(&body, "stream").unwrap_or(false);
        let options = body.get("stream_options");
        if options.is_some_and(|options| !options.is_null()) && !stream {
            return Err(invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled."));
        }
        let stream_usage = options.and_then(|options| flag(options, "include_usage")).unwrap_or(false);
        Ok(Asked { provider: Provider::Openai, model, system, messages, stream, stream_usage })
    }

    fn key(&self, request: &HttpRequest) -> Option<String> {
        bearer(request)
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn id_header(&self) -> Option<&'static str> {
        Some("x-request-id")
    }

    fn opening(&self, about: &About) -> Vec<String> {
        vec![chunk(about, r#"{"role":"assistant","content":"","refusal":null}"#, "null")]
    }

    fn reasoning(&self, about: &About, text: &str) -> String {
        chunk(about, &format!(r#"{{"reasoning_content":{}}}"#, about.quote(text)), "null")
    }

    fn after_reasoning(&self, _: &About) -> Vec<String> {
        Vec::new()
    }

    fn text(&self, about: &About, text: &str) -> String {
        chunk(about, &format!(r#"{{"content":{}}}"#, about.quote(text)), "null")
    }

    fn tools(&self, about: &About, tools: &[ToolUse]) -> Vec<String> {
        let mut events = Vec::new();
        for (at, tool) in tools.iter().enumerate() {
            let (n, name) = (about.n, quote(&tool.name, false));
            events.push(chunk(
                about,
                &format!(
                    r#"{{"tool_calls":[{{"index":{at},"id":"call_sim{n:04}{at:02}","type":"function","function":{{"name":{name},"arguments":""}}}}]}}"#
                ),
                "null",
            ));
        }
        // The fragments of parallel calls come interleaved, which the index is there for.
        let mut rest: Vec<_> = tools.iter().map(|tool| fragments(tool).into_iter()).collect();
        loop {
            let mut any = false;
            for (at, parts) in rest.iter_mut().enumerate() {
                let Some(part) = parts.next() else { continue };
                any = true;
                let part = about.quote(&part);
                events.push(chunk(
                    about,
                    &format!(r#"{{"tool_calls":[{{"index":{at},"function":{{"arguments":{part}}}}}]}}"#),
                    "null",
                ));
            }
            if !any {
                return events;
            }
        }
    }

    fn closing(&self, about: &About, stop: Option<&str>) -> Vec<String> {
        let mut events = vec![chunk(about, "{}", &stop_json(stop))];
        if let Some(usage) = about.usage {
            events.push(format!(
                "data: {{\"id\":\"chatcmpl-sim{:06}\",\"object\":\"chat.completion.chunk\",\"created\":{CREATED},\"model\":{},\"system_fingerprint\":\"fp_sim\",\"choices\":[],\"usage\":{}}}\n\n",
                about.n,
                about.quote(&about.model),
                usage_json(usage)
            ));
        }
        events.push("data: [DONE]\n\n".to_owned());
        events
    }

    fn mid_error(&self, _: &About, kind: &str, message: &str) -> String {
        let (kind, message) = (quote(kind, false), quote(message, false));
        format!(
            "data: {{\"error\":{{\"message\":{message},\"type\":{kind},\"param\":null,\"code\":null}}}}\n\n"
        )
    }

    fn whole(&self, about: &About, reasoning: &str, text: &str, stop: Option<&str>) -> String {
        let thinking = if reasoning.is_empty() {
            String::new()
        } else {
            format!(r#""reasoning_content":{},"#, about.quote(reasoning))
        };
        let usage = about.usage.map_or(String::new(), |usage| format!(r#","usage":{}"#, usage_json(usage)));
        format!(
            r#"{{"id":"chatcmpl-sim{:06}","object":"chat.completion","created":{CREATED},"model":{},"choices":[{{"index":0,"message":{{"role":"assistant",{thinking}"content":{},"refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":{}}}]{usage},"system_fingerprint":"fp_sim"}}"#,
            about.n,
            about.quote(&about.model),
            about.quote(text),
            stop_json(stop)
        )
    }

    fn stop_word(&self, stop: &Stop) -> Option<String> {
        let word = match stop {
            Stop::End => "stop",
            Stop::Length | Stop::Context => "length",
            Stop::Filter => "content_filter",
            Stop::Tool => "tool_calls",
            Stop::Pause => "pause_turn",
            Stop::Missing => return None,
            Stop::Word(word) => word,
        };
        Some(word.to_owned())
    }

    fn refuse(&self, _: usize, model: &str, failure: &Failure) -> Refusal {
        let invalid = "invalid_request_error";
        match failure {
            Failure::RateLimited(seconds) => {
                let message = format!(
                    "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3, Requested 1."
                );
                let mut refusal = error(429, "requests", "", "rate_limit_exceeded", &message);
                let after = seconds.map(|seconds| ("retry-after".to_owned(), seconds.to_string()));
                refusal.headers.extend(after);
                refusal
            }
            Failure::Overloaded => error(
                503,
                "server_error",
                "",
                "",
                "The server is currently overloaded with other requests. Sorry about that!",
            ),
            Failure::Unauthorized => {
                error(401, invalid, "", "invalid_api_key", "Incorrect API key provided.")
            }
            Failure::ModelNotFound => error(
                404,
                invalid,
                "",
                "model_not_found",
                &format!("The model `{model}` does not exist or you do not have access to it."),
            ),
            Failure::ContextTooLong => error(
                400,
                invalid,
                "messages",
                "context_length_exceeded",
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 210000 tokens. Please reduce the length of the messages.",
            ),
            Failure::NoCredit => error(
                429,
                "insufficient_quota",
                "",
                "insufficient_quota",
                "You exceeded your current quota, please check your plan and billing details.",
            ),
            Failure::Internal | Failure::Html(_) | Failure::Raw { .. } | Failure::HangUp => error(
                500,
                "server_error",
                "",
                "",
                "The server had an error while processing your request. Sorry about that!",
            ),
        }
    }

    fn invalid(&self, _: usize, message: &str) -> Refusal {
        error(400, "invalid_request_error", "", "", message)
    }

    fn models(&self, models: &[String]) -> String {
        let list: Vec<String> = models
            .iter()
            .map(|model| {
                let name = quote(model, false);
                format!(r#"{{"id":{name},"object":"model","created":{CREATED},"owned_by":"simulator"}}"#)
            })
            .collect();
        format!(r#"{{"object":"list","data":[{}]}}"#, list.join(","))
    }
}
