//! Google's Gemini API, `v1beta`: `streamGenerateContent` as server-sent events.
//!
//! Every event is a piece of one response. An answer is whole when a candidate had a `finishReason`; nothing else marks
//! the end. Thoughts and calls of functions are signed, and a conversation must give the signatures back at the very
//! parts they came with. Thinking is counted apart from the answer here and added to its output; cached tokens are part
//! of the prompt's count and taken out of it.

use std::borrow::Cow;

use assist_base::Secret;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Asked, Decoder, Fault, Provider, ProviderInfo, secret_header};
use crate::endpoint::Layout;
use crate::frames::{Frame, Framing};
use crate::problem::Problem;
use crate::stream::Received;
use crate::tool::is_foreign;
use crate::{GatewayError, Output, Part, Role, StopReason, Tool, ToolChoice, Turn};

pub(crate) const INFO: ProviderInfo = ProviderInfo {
    name: "gemini",
    title: "Google Gemini",
    key_var: Some("GEMINI_API_KEY"),
    base_url_var: "GEMINI_BASE_URL",
    model_var: None,
    default_base_url: Some("https://generativelanguage.googleapis.com"),
    needs_key: true,
};

/// What Google documents for calls that another model made, and which therefore have no signature.
const UNSIGNED: &str = "skip_thought_signature_validator";

pub(crate) struct Gemini;

impl Provider for Gemini {
    fn info(&self) -> &'static ProviderInfo {
        &INFO
    }

    fn layout(&self) -> Layout {
        Layout::UnderV1Beta
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn headers(&self, key: Option<&Secret>) -> Result<HeaderMap, GatewayError> {
        secret_header(&INFO, "x-goog-api-key", "", key)
    }

    fn chat(&self, asked: &Asked<'_>) -> Result<(Cow<'static, str>, Value), GatewayError> {
        let prompt = asked.prompt;
        let contents: Vec<Value> = prompt
            .turns
            .iter()
            .map(|turn| {
                let role = if turn.role == Role::User { "user" } else { "model" };
                json!({"role": role, "parts": parts(turn, asked.model)})
            })
            .collect();
        let mut generation = json!({"maxOutputTokens": asked.max_output});
        if let (Some(temperature), false) = (prompt.temperature, asked.quirks.no_temperature) {
            generation["temperature"] = json!(temperature.clamp(0.0, 2.0));
        }
        if !asked.quirks.no_format {
            match &prompt.output {
                Output::Text => {}
                Output::Json => generation["responseMimeType"] = json!("application/json"),
                Output::Schema { schema, .. } => {
                    generation["responseMimeType"] = json!("application/json");
                    generation["responseJsonSchema"] = schema.clone();
                }
            }
        }
        let mut body = json!({"contents": contents, "generationConfig": generation});
        let system = prompt.system_text(asked.quirks.no_format);
        if !system.is_empty() {
            body["systemInstruction"] = json!({"parts": [{"text": system}]});
        }
        if !prompt.tools.is_empty() {
            let declared: Vec<Value> = prompt.tools.iter().map(declaration).collect();
            body["tools"] = json!([{"functionDeclarations": declared}]);
            let choice = match &prompt.tool_choice {
                ToolChoice::Auto => None,
                ToolChoice::Never => Some(json!({"mode": "NONE"})),
                ToolChoice::Required => Some(json!({"mode": "ANY"})),
                ToolChoice::Named(name) => Some(json!({"mode": "ANY", "allowedFunctionNames": [name]})),
            };
            if let Some(choice) = choice {
                body["toolConfig"] = json!({"functionCallingConfig": choice});
            }
        }
        let model = asked.model.strip_prefix("models/").unwrap_or(asked.model);
        // The name becomes part of the address: what does not belong into a name must not reach elsewhere.
        if model.is_empty()
            || !model.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err(GatewayError::ModelNotFound {
                provider: INFO.name.to_owned(),
                model: asked.model.to_owned(),
                available: Vec::new(),
            });
        }
        Ok((format!("/models/{model}:streamGenerateContent?alt=sse").into(), body))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::<Responses>::default()
    }

    fn models_path(&self) -> &'static str {
        "/models?pageSize=1000"
    }

    fn model_names(&self, list: &Value) -> Vec<String> {
        let models = list["models"].as_array().into_iter().flatten();
        let speaks = |model: &&Value| {
            let methods = model["supportedGenerationMethods"].as_array();
            methods.is_none_or(|methods| methods.iter().any(|method| method == "generateContent"))
        };
        let names = models.filter(speaks).filter_map(|model| model["name"].as_str());
        names.map(|name| name.strip_prefix("models/").unwrap_or(name).to_owned()).collect()
    }
}

fn declaration(tool: &Tool) -> Value {
    let mut declaration = json!({"name": tool.name, "description": tool.description});
    if !tool.parameters.is_null() {
        declaration["parametersJsonSchema"] = tool.parameters.clone();
    }
    declaration
}

fn parts(turn: &Turn, model: &str) -> Value {
    if let Some(native @ Value::Array(_)) = turn.native_for(INFO.name, model) {
        return native.clone();
    }
    let mut first_call = true;
    let part = |part: &Part| match part {
        Part::Text(text) => json!({"text": text}),
        Part::Image(image) => json!({"inlineData": {"mimeType": image.media_type(), "data": image.base64()}}),
        Part::Call(call) => {
            let mut part = json!({"functionCall": {"name": call.name, "args": call.object()}});
            if is_foreign(&call.id) {
                part["functionCall"]["id"] = json!(call.id);
            }
            if std::mem::take(&mut first_call) {
                part["thoughtSignature"] = json!(UNSIGNED);
            }
            part
        }
        Part::Result(result) => {
            let field = if result.failed { "error" } else { "output" };
            let mut part =
                json!({"functionResponse": {"name": result.name, "response": {field: result.content}}});
            if is_foreign(&result.id) {
                part["functionResponse"]["id"] = json!(result.id);
            }
            part
        }
    };
    turn.spoken().map(part).collect()
}

#[derive(Default)]
struct Responses {
    /// The answer's parts as they came, neighbours of one kind joined unless signed.
    parts: Vec<Value>,
    signed: bool,
}

impl Responses {
    fn keep(&mut self, part: &Value) {
        let signed = part["thoughtSignature"].as_str().is_some_and(|signature| !signature.is_empty());
        self.signed |= signed;
        let plain = |part: &Value| part["text"].is_string() && part["thoughtSignature"].is_null();
        if let (Some(last), true) = (self.parts.last_mut(), !signed && part["text"].is_string())
            && plain(last)
            && last["thought"] == part["thought"]
            && let (Some(Value::String(kept)), Some(more)) = (last.get_mut("text"), part["text"].as_str())
        {
            kept.push_str(more);
            return;
        }
        let empty = part["text"].as_str().is_some_and(str::is_empty);
        if signed || !empty {
            self.parts.push(part.clone());
        }
    }

    fn part(&mut self, part: &Value, received: &mut Received) -> Result<(), Fault> {
        self.keep(part);
        if part["functionCall"].is_object() {
            let call = &part["functionCall"];
            let word = |field: &str| call[field].as_str().unwrap_or("");
            received.calls.whole(word("id"), word("name"), &call["args"]);
        }
        match &part["text"] {
            Value::Null => {}
            Value::String(text) if part["thought"].as_bool() == Some(true) => received.reasoning(text),
            Value::String(text) => received.text(text),
            _ => return Err(Fault::Malformed),
        }
        Ok(())
    }
}

impl Decoder for Responses {
    fn frame(&mut self, frame: &Frame, received: &mut Received) -> Result<(), Fault> {
        if frame.data.trim() == "[DONE]" {
            // Not sent by Google, but by some that stand in for it.
            received.finished = received.whole;
            return Ok(());
        }
        let response = super::json(frame)?;
        // A failure in the middle may come as a list of one.
        let response = response.get(0).unwrap_or(&response);
        if !response.is_object() {
            return Err(Fault::Malformed);
        }
        if !response["error"].is_null() {
            return Err(Fault::Problem(Box::new(Problem::of_value(response))));
        }
        if let Some(id) = response["responseId"].as_str().filter(|id| !id.is_empty()) {
            received.request_id.get_or_insert_with(|| id.to_owned());
        }
        read_usage(&response["usageMetadata"], received);
        if response["promptFeedback"]["blockReason"].is_string() {
            received.stop = Some(StopReason::Filter);
            received.whole = true;
        }
        let candidates = response["candidates"].as_array().map_or(&[][..], Vec::as_slice);
        for candidate in candidates.iter().filter(|candidate| candidate["index"].as_u64().unwrap_or(0) == 0) {
            for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
                self.part(part, received)?;
            }
            if let Some(word) = candidate["finishReason"].as_str() {
                received.stop = Some(stop_reason(word, !received.calls.is_empty()));
                received.whole = true;
            }
        }
        if received.whole && response["usageMetadata"].is_object() {
            received.final_figures = true;
        }
        Ok(())
    }

    fn native(&mut self) -> Option<Value> {
        let parts = std::mem::take(&mut self.parts);
        self.signed.then_some(Value::Array(parts))
    }
}

/// Counts are cumulative.
fn read_usage(usage: &Value, received: &mut Received) {
    let count = |field: &str| usage[field].as_u64();
    if let Some(prompt) = count("promptTokenCount") {
        let prompt = prompt + count("toolUsePromptTokenCount").unwrap_or(0);
        let cached = count("cachedContentTokenCount").unwrap_or(0).min(prompt);
        received.usage.input = prompt - cached;
        received.usage.cache_read = cached;
    }
    let output = count("candidatesTokenCount").unwrap_or(0) + count("thoughtsTokenCount").unwrap_or(0);
    received.usage.output = received.usage.output.max(output);
}

fn stop_reason(word: &str, called: bool) -> StopReason {
    match word {
        "STOP" if called => StopReason::Tool,
        "STOP" => StopReason::End,
        "MAX_TOKENS" => StopReason::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE"
        | "IMAGE_SAFETY" => StopReason::Filter,
        // A call that the model began and got wrong (MALFORMED_FUNCTION_CALL and the like) is not whole either.
        other => StopReason::Unknown(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extras::Prompt;
    use crate::providers::Quirks;
    use crate::{Call, Extras, ToolCall, ToolResult};
    use serde_json::Map;

    fn asked(prompt: &Prompt, model: &str) -> Result<(Cow<'static, str>, Value), GatewayError> {
        let quirks = Quirks::default();
        Gemini.chat(&Asked { model, prompt, max_output: 10, quirks, prompt_tokens: 1, context: None })
    }

    fn prompt(turns: Vec<Turn>) -> Prompt {
        let call = Call {
            run: assist_base::RunId::new(),
            agent: String::new(),
            tier: crate::Tier::A,
            model: None,
            request: crate::Request::default(),
        };
        Prompt::of(&call, &Extras { turns, ..Extras::default() })
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_address() {
        let prompt = prompt(vec![Turn::user("x")]);
        assert_eq!(
            asked(&prompt, "models/gemini-2.5-flash").unwrap().0,
            "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
        );
        for model in ["../../x", "a?key=1", "", "a/b", "a:b"] {
            assert!(matches!(asked(&prompt, model), Err(GatewayError::ModelNotFound { .. })), "{model}");
        }
    }

    #[test]
    fn calls_of_another_model_go_without_its_signature_and_our_ids() {
        let call = ToolCall { id: "assist-call-1".into(), name: "read".into(), arguments: Ok(Map::new()) };
        let other = ToolCall { id: "toolu_1".into(), ..call.clone() };
        let turn =
            Turn { role: Role::Assistant, parts: vec![Part::Call(call), Part::Call(other)], native: None };
        let result =
            ToolResult { id: "toolu_1".into(), name: "read".into(), content: "x".into(), failed: true };
        let prompt = prompt(vec![Turn::user("x"), turn, Turn::results([result])]);
        let body = asked(&prompt, "gemini-3-flash").unwrap().1;
        assert_eq!(
            body["contents"][1]["parts"],
            json!([
                {"functionCall": {"name": "read", "args": {}}, "thoughtSignature": UNSIGNED},
                {"functionCall": {"name": "read", "args": {}, "id": "toolu_1"}},
            ])
        );
        assert_eq!(
            body["contents"][2]["parts"][0],
            json!({"functionResponse": {"name": "read", "id": "toolu_1", "response": {"error": "x"}}})
        );
    }
}
