//! What providers say when they refuse, made into one error that a user can act on.
//!
//! The shapes differ (`{"error":{"message","type","code"}}`, `{"error":"text"}`, `{"detail":..}`, a page of HTML), the
//! meaning hardly. The provider's words are shown at most as one shortened line, with the key taken out should the
//! server have repeated it.

use std::time::Duration;

use assist_base::Secret;
use serde_json::Value;

use crate::GatewayError;
use crate::providers::ProviderInfo;

/// A provider's own words for a failure.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Problem {
    /// `type` and `code`, joined by a space; empty where there are none.
    pub kind: String,
    /// The message; empty where there is none.
    pub message: String,
    /// Tokens of the prompt, where the body has a field for it.
    pub tokens: Option<u64>,
    /// The model's limit, where the body has a field for it.
    pub limit: Option<u64>,
    /// The provider's name for the request, where the body has it.
    pub request_id: Option<String>,
    /// How long to wait, where the body says it (Google's `RetryInfo`).
    pub retry_after: Option<Duration>,
    /// Whether the day's allowance is used up, for which no short wait helps.
    pub used_up: bool,
}

/// Where a failure happened.
pub(crate) struct Place<'a> {
    pub provider: &'a ProviderInfo,
    pub model: &'a str,
    pub address: &'a str,
    pub key: Option<&'a Secret>,
}

impl Problem {
    /// Reads a body. None where it is not JSON.
    pub(crate) fn of_body(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        // NIM and some others wrap their answer in a list.
        Some(Self::of_value(value.get(0).unwrap_or(&value)))
    }

    /// Reads a JSON value: a body, or an error event of a stream.
    pub(crate) fn of_value(value: &Value) -> Self {
        let inner = match &value["error"] {
            Value::Null => value,
            inner => inner,
        };
        let word = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let first = |candidates: &[&Value]| {
            candidates.iter().map(|value| word(value)).find(|text| !text.is_empty()).unwrap_or_default()
        };
        let message = match inner {
            Value::String(text) => text.clone(),
            _ => first(&[
                &inner["message"],
                &inner["detail"],
                &value["message"],
                &value["detail"],
                &value["detail"][0]["msg"],
                &value["title"],
            ]),
        };
        let details = inner["details"].as_array().map_or(&[][..], Vec::as_slice);
        let reason = details.iter().map(|detail| word(&detail["reason"])).find(|reason| !reason.is_empty());
        let words =
            [word(&inner["type"]), word(&inner["code"]), word(&inner["status"]), reason.unwrap_or_default()];
        let kind = words.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" ");
        let quotas = details.iter().flat_map(|detail| detail["violations"].as_array().into_iter().flatten());
        let used_up = quotas.filter_map(|quota| quota["quotaId"].as_str()).any(|id| id.contains("PerDay"));
        Self {
            kind,
            message,
            tokens: inner["n_prompt_tokens"].as_u64(),
            limit: inner["n_ctx"].as_u64(),
            request_id: value["request_id"].as_str().map(str::to_owned),
            retry_after: details.iter().find_map(|detail| seconds(detail["retryDelay"].as_str()?)),
            used_up,
        }
    }

    fn says(&self, phrases: &[&str]) -> bool {
        let text = format!("{} {}", self.kind, self.message).to_lowercase();
        phrases.iter().any(|phrase| text.contains(phrase))
    }

    pub(crate) fn is_about_length(&self) -> bool {
        self.says(&[
            "context_length_exceeded",
            "exceed_context_size",
            "maximum context length",
            "prompt is too long",
            "exceed context limit",
            "exceeds the available context",
            "context window",
            "request_too_large",
            "input is too long",
            "exceeds the maximum number of tokens",
        ])
    }

    pub(crate) fn is_about_credit(&self) -> bool {
        // Google says the same of a limit by the minute, with a time after which it is lifted.
        let lifted_soon = self.retry_after.is_some() && !self.used_up;
        self.used_up
            || !lifted_soon
                && self.says(&[
                    "insufficient_quota",
                    "credit balance",
                    "billing",
                    "insufficient credit",
                    "exceeded your current quota",
                ])
    }

    /// Whether a parameter of this name was refused.
    pub(crate) fn refuses(&self, parameter: &str) -> bool {
        self.says(&[parameter])
            && self.says(&[
                "unsupported",
                "not supported",
                "does not support",
                "deprecated",
                "unrecognized",
                "unknown",
                "extra inputs",
                "extra_forbidden",
                "not permitted",
                "unexpected",
                "not allowed",
            ])
    }

    /// The error for an answer with `status` and these words.
    pub(crate) fn into_error(
        self,
        status: u16,
        place: &Place<'_>,
        request_id: Option<String>,
        retry_after: Option<Duration>,
    ) -> GatewayError {
        let provider = place.provider.name.to_owned();
        let request_id = request_id.or(self.request_id.clone()).map(|id| one_line(&id, place.key));
        let model = place.model.to_owned();
        if self.is_about_credit() || status == 402 {
            return GatewayError::Quota { provider, request_id };
        }
        if self.is_about_length() || (status == 413) {
            let (tokens, limit) = self.figures();
            return GatewayError::ContextTooLong { provider, model, tokens, limit };
        }
        if self.says(&["content_filter", "content_policy", "content management policy", "moderation"]) {
            return GatewayError::Filtered { provider, request_id };
        }
        let retry_after = retry_after.or(self.retry_after);
        if status == 400 && self.says(&["api_key_invalid", "api key not valid", "api key expired"]) {
            return GatewayError::Auth { provider, fix: place.provider.key_fix(), request_id };
        }
        match status {
            401 | 403 => GatewayError::Auth { provider, fix: place.provider.key_fix(), request_id },
            404 if self.says(&["model"]) => {
                GatewayError::ModelNotFound { provider, model, available: Vec::new() }
            }
            404 | 405 => GatewayError::Protocol {
                provider,
                address: place.address.to_owned(),
                detail: format!("status {status}: nothing is there"),
            },
            400 | 422
                if self.says(&[
                    "model_not_found",
                    "model not found",
                    "does not exist",
                    "not a valid model",
                    "invalid model",
                ]) =>
            {
                GatewayError::ModelNotFound { provider, model, available: Vec::new() }
            }
            408 | 504 | 529 | 500..=599 => {
                GatewayError::Unavailable { provider, detail: status_word(status), request_id }
            }
            429 => GatewayError::RateLimited { provider, retry_after, request_id },
            300..=399 => GatewayError::Protocol {
                provider,
                address: place.address.to_owned(),
                detail: format!("status {status}: it points elsewhere, and keys are not sent on"),
            },
            _ => {
                let message = if self.message.is_empty() { &self.kind } else { &self.message };
                let message = match one_line(message, place.key) {
                    line if line.is_empty() => "it gave no reason.".to_owned(),
                    line => line,
                };
                GatewayError::Rejected { provider, status, message, request_id }
            }
        }
    }

    /// The error for an error event in the middle of a stream, which has no status of its own.
    pub(crate) fn into_stream_error(self, place: &Place<'_>, request_id: Option<String>) -> GatewayError {
        let status = if self.says(&["overloaded", "unavailable"]) {
            529
        } else if self.says(&["rate_limit", "rate limit", "429", "resource_exhausted"]) {
            429
        } else if self.says(&["authentication", "permission", "invalid_api_key"]) {
            401
        } else if self.says(&["invalid_request", "invalid_argument"]) {
            400
        } else {
            500
        };
        let detail = one_line(if self.message.is_empty() { &self.kind } else { &self.message }, place.key);
        match self.into_error(status, place, request_id, None) {
            GatewayError::Unavailable { provider, request_id, .. } if !detail.is_empty() => {
                GatewayError::Unavailable { provider, detail, request_id }
            }
            other => other,
        }
    }

    /// How long the prompt is and may be, from fields or from the figures in the sentence.
    fn figures(&self) -> (Option<u64>, Option<u64>) {
        if self.limit.is_some() {
            return (self.tokens, self.limit);
        }
        let numbers = numbers(&self.message);
        let text = self.message.to_lowercase();
        match numbers.as_slice() {
            // `input length and max_tokens exceed context limit: 190000 + 20000 > 200000`
            [a, b, limit, ..] if text.contains('+') && text.contains('>') => {
                (Some(a.saturating_add(*b)), Some(*limit))
            }
            // `prompt is too long: 210000 tokens > 200000 maximum`
            [tokens, limit, ..] if text.contains('>') => (Some(*tokens), Some(*limit)),
            // `maximum context length is 8192 tokens. However, you requested 10000 tokens`
            [limit, tokens, ..] if text.contains("maximum context length") => (Some(*tokens), Some(*limit)),
            // `token count (210000) exceeds the maximum number of tokens allowed (131072)`
            [tokens, limit] if text.contains("maximum number of tokens") => (Some(*tokens), Some(*limit)),
            [limit] => (None, Some(*limit)),
            _ => (None, None),
        }
    }
}

/// A duration as Google writes it: `34s`, `0.5s`.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    (seconds.is_finite() && (0.0..1e9).contains(&seconds)).then(|| Duration::from_secs_f64(seconds))
}

/// The numbers of a sentence, thousands separators read through.
fn numbers(text: &str) -> Vec<u64> {
    let mut found = Vec::new();
    let mut digits = String::new();
    let mut previous = ' ';
    for character in text.chars().chain([' ']) {
        match character {
            '0'..='9' if !digits.is_empty() || !(previous.is_alphanumeric() || previous == '_') => {
                digits.push(character)
            }
            ',' if !digits.is_empty() => {}
            _ => {
                if !digits.is_empty() && !character.is_alphabetic() {
                    found.extend(digits.parse::<u64>());
                }
                digits.clear();
            }
        }
        previous = character;
    }
    found
}

fn status_word(status: u16) -> String {
    match status {
        529 => "overloaded".to_owned(),
        503 => "status 503, overloaded".to_owned(),
        _ => format!("status {status}"),
    }
}

/// A provider's words as one short line, the key taken out.
pub(crate) fn one_line(text: &str, key: Option<&Secret>) -> String {
    const SHOWN: usize = 300;
    let text = match key {
        Some(key) if !key.is_empty() => text.replace(key.expose(), "***"),
        _ => text.to_owned(),
    };
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    let mut short: String = line.chars().take(SHOWN).collect();
    short.push('…');
    short
}
