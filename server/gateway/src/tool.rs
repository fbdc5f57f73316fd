//! Tools: what a model may call, and putting together the calls that it makes.
//!
//! Providers send calls whole or in fragments, several at once or one after the other, with and without ids, and models
//! write arguments that are no JSON. Every one of these becomes a [`ToolCall`]; what cannot be read is an `Err` in it
//! that can be sent back to the model as it stands.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A tool that a model may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// When and how to use it, for the model.
    pub description: String,
    /// The JSON schema of its arguments, of type `object`. Null where it takes none.
    #[serde(default)]
    pub parameters: Value,
}

impl Tool {
    /// The schema, also where the tool takes nothing.
    pub(crate) fn schema(&self) -> Value {
        match &self.parameters {
            Value::Null => json!({"type": "object", "properties": {}}),
            schema => schema.clone(),
        }
    }
}

/// Whether the model shall call tools.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// As it sees fit.
    #[default]
    Auto,
    /// It must not, though the conversation so far may hold calls.
    Never,
    /// It must call at least one.
    Required,
    /// It must call this one.
    Named(String),
}

/// A call that the model wants made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What the result is to be sent back under.
    pub id: String,
    /// The tool's name as the model wrote it; it may be one that does not exist.
    pub name: String,
    /// The arguments; empty where the tool takes none.
    pub arguments: Result<Map<String, Value>, BadArguments>,
}

/// Arguments that cannot be read. Shown to the model, it says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("The arguments are not one JSON object ({problem}): call the tool again with a JSON object.")]
pub struct BadArguments {
    /// What the model wrote.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

impl ToolCall {
    /// The arguments as JSON for sending back, empty where they were unreadable, since providers take objects only.
    pub(crate) fn object(&self) -> Value {
        Value::Object(self.arguments.clone().unwrap_or_default())
    }
}

/// Ids that this program gave to calls of providers that give none. They are not sent to those.
const OWN_ID: &str = "assist-call-";

/// Whether an id is one of the provider's.
pub(crate) fn is_foreign(id: &str) -> bool {
    !id.starts_with(OWN_ID)
}

/// More calls than this in one answer are a model running wild; the rest is left out.
const MOST_CALLS: usize = 128;

/// More than any tool takes.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Calls while they arrive.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    open: Vec<Open>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Open {
    index: u64,
    id: String,
    name: String,
    arguments: String,
}

impl Calls {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many bytes of arguments came.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A new call at `index`. Fragments of its arguments may follow.
    pub(crate) fn start(&mut self, index: u64, id: &str, name: &str) {
        if self.open.len() < MOST_CALLS {
            let (id, name) = (id.to_owned(), name.to_owned());
            self.open.push(Open { index, id, name, arguments: String::new() });
        }
    }

    /// A fragment of the arguments of the newest call at `index`.
    pub(crate) fn fragment(&mut self, index: u64, text: &str) {
        self.bytes += text.len();
        if self.bytes > MOST_BYTES {
            return;
        }
        if let Some(call) = self.open.iter_mut().rev().find(|call| call.index == index) {
            call.arguments.push_str(text);
        }
    }

    /// A delta of Chat Completions, where index, id and name may each be there or not.
    pub(crate) fn delta(&mut self, index: Option<u64>, id: &str, name: &str, text: &str) {
        let at = match index {
            Some(index) => self.open.iter().rposition(|call| call.index == index),
            // Without an index, what names no call continues the last.
            None if id.is_empty() && name.is_empty() => self.open.len().checked_sub(1),
            None => self.open.iter().rposition(|call| !id.is_empty() && call.id == id),
        };
        // Some servers count every call as number 0 and tell them apart by id.
        let at = at.filter(|&at| id.is_empty() || self.open[at].id.is_empty() || self.open[at].id == id);
        let index = match at {
            Some(at) => {
                let call = &mut self.open[at];
                if call.id.is_empty() {
                    id.clone_into(&mut call.id);
                }
                if call.name.is_empty() {
                    name.clone_into(&mut call.name);
                }
                call.index
            }
            None => {
                let index = index.unwrap_or(self.open.len() as u64);
                self.start(index, id, name);
                index
            }
        };
        self.fragment(index, text);
    }

    /// A call that came whole.
    pub(crate) fn whole(&mut self, id: &str, name: &str, arguments: &Value) {
        let index = self.open.len() as u64;
        let text = match arguments {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.start(index, id, name);
        self.fragment(index, &text);
    }

    /// The calls, read.
    pub(crate) fn finish(self) -> Vec<ToolCall> {
        let calls = self.open.into_iter().map(|call| ToolCall {
            id: if call.id.is_empty() { own_id() } else { call.id },
            name: call.name,
            arguments: read(call.arguments),
        });
        calls.collect()
    }
}

/// A new id. Unique in a conversation is enough.
fn own_id() -> String {
    format!("{OWN_ID}{:016x}", RandomState::new().hash_one(0u8))
}

/// Reads arguments. Nothing at all is no arguments; an object inside a string, as some models write it, is the object.
fn read(text: String) -> Result<Map<String, Value>, BadArguments> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let problem = match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => return Ok(object),
        Ok(Value::Null) => return Ok(Map::new()),
        Ok(Value::String(inner)) => match serde_json::from_str(&inner) {
            Ok(Value::Object(object)) => return Ok(object),
            _ => "it is a string".to_owned(),
        },
        Ok(Value::Array(_)) => "it is a list".to_owned(),
        Ok(_) => "it is a plain value".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(BadArguments { text, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(calls: &[ToolCall]) -> Vec<(&str, String)> {
        calls.iter().map(|call| (call.name.as_str(), call.object().to_string())).collect()
    }

    #[test]
    fn fragments_find_their_call_however_servers_count() {
        let whole = [("a", r#"{"x":1}"#.to_owned()), ("b", "{}".to_owned())];
        // As documented: an index each, interleaved.
        let mut calls = Calls::default();
        calls.delta(Some(0), "1", "a", "");
        calls.delta(Some(1), "2", "b", "");
        calls.delta(Some(0), "", "", r#"{"x""#);
        calls.delta(Some(1), "", "", "{");
        calls.delta(Some(0), "", "", ":1}");
        calls.delta(Some(1), "", "", "}");
        assert_eq!(names(&calls.finish()), whole);
        // Every call number 0, ids tell them apart; id and name repeated.
        let mut calls = Calls::default();
        calls.delta(Some(0), "1", "a", r#"{"x""#);
        calls.delta(Some(0), "1", "a", ":1}");
        calls.delta(Some(0), "2", "b", "{}");
        assert_eq!(names(&calls.finish()), whole);
        // No index at all.
        let mut calls = Calls::default();
        calls.delta(None, "1", "a", r#"{"x""#);
        calls.delta(None, "", "", ":1}");
        calls.delta(None, "2", "b", "");
        assert_eq!(names(&calls.finish()), whole);
    }

    #[test]
    fn what_models_write_is_read_or_told_but_never_a_panic() {
        for (text, expected) in [("", "{}"), (" ", "{}"), ("null", "{}"), (r#""{\"a\":2}""#, r#"{"a":2}"#)] {
            assert_eq!(Value::Object(read(text.to_owned()).unwrap()).to_string(), expected, "{text}");
        }
        for text in ["{", "[1]", "7", r#"{"a":1}{"b":2}"#, "\"x\"", "{'a': 1}", "\u{0}", "{\"a\":1,}"] {
            let bad = read(text.to_owned()).unwrap_err();
            assert_eq!(bad.text, text);
            assert!(bad.to_string().ends_with("call the tool again with a JSON object."), "{bad}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(deep).is_err());
    }

    #[test]
    fn calls_without_an_id_get_one_of_their_own() {
        let mut calls = Calls::default();
        calls.whole("", "a", &json!({"x": 1}));
        calls.whole("given", "a", &Value::Null);
        let calls = calls.finish();
        assert!(!is_foreign(&calls[0].id) && is_foreign(&calls[1].id));
        assert_ne!(calls[0].id, own_id());
    }

    #[test]
    fn a_model_running_wild_is_bounded() {
        let mut calls = Calls::default();
        for n in 0..10_000 {
            calls.delta(Some(n), &n.to_string(), "a", "x");
        }
        assert_eq!(calls.finish().len(), MOST_CALLS);
        let mut calls = Calls::default();
        calls.start(0, "1", "a");
        let piece = "x".repeat(MOST_BYTES / 4);
        for _ in 0..40 {
            calls.fragment(0, &piece);
        }
        assert!(calls.finish()[0].arguments.as_ref().unwrap_err().text.len() <= MOST_BYTES);
    }
}
