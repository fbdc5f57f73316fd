//! One JSON-RPC message, read with as little work as its kind allows.
//!
//! Law: whatever the bytes are, the result is a message or the error to answer with. Parameters stay unparsed here, since a
//! document's change is read straight into its own shape.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Response};

/// What the client sent.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// Wants an answer.
    Request { id: Id, method: Cow<'a, str>, params: Option<&'a RawValue> },
    /// Wants none.
    Notification { method: Cow<'a, str>, params: Option<&'a RawValue> },
    /// Answers a request of ours.
    Response(Response),
    /// Is none of these; this is the answer.
    Invalid(Response),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present")]
    id: Option<Value>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

/// Tells `null` from nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads one message.
pub fn parse(body: &[u8]) -> Incoming<'_> {
    let envelope: Envelope<'_> = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(error) if error.is_data() => {
            // A batch, or a field of the wrong type. The answer goes to whoever can be made out.
            let id = serde_json::from_slice::<Value>(body).ok().and_then(|value| id_of(value.get("id")?));
            return invalid(id.unwrap_or(Id::Null), Error::invalid_request());
        }
        Err(_) => return invalid(Id::Null, Error::parse_error()),
    };
    let Envelope { jsonrpc, method, id, params, result, error } = envelope;
    let readable = id.as_ref().and_then(id_of);
    if jsonrpc.is_some_and(|version| version != "2.0") {
        return invalid(readable.unwrap_or(Id::Null), Error::invalid_request());
    }
    match (method, id, readable) {
        (Some(method), None, _) => Incoming::Notification { method, params },
        (Some(method), Some(_), Some(id)) => Incoming::Request { id, method, params },
        (None, Some(_), Some(id)) if error.is_some() || result.is_some() => {
            let body = error.map_or_else(|| Ok(result.unwrap_or_default()), |error| Err(error_of(&error)));
            Incoming::Response(Response::from_parts(id, body))
        }
        // An answer to nothing in particular: an error report of the client. There is nobody to answer.
        (None, Some(Value::Null), _) if error.is_some() => {
            Incoming::Response(Response::from_parts(Id::Null, Ok(Value::Null)))
        }
        // Some clients leave the result out where it is null.
        (None, Some(_), Some(id)) => Incoming::Response(Response::from_ok(id, Value::Null)),
        (_, _, _) => invalid(Id::Null, Error::invalid_request()),
    }
}

fn invalid<'a>(id: Id, error: Error) -> Incoming<'a> {
    Incoming::Invalid(Response::from_error(id, error))
}

fn id_of(value: &Value) -> Option<Id> {
    match value {
        Value::Number(number) => number.as_i64().map(Id::Number),
        Value::String(text) => Some(Id::String(text.clone())),
        _ => None,
    }
}

/// A client's error, in whatever shape it came.
fn error_of(value: &Value) -> Error {
    let code = value.get("code").and_then(Value::as_i64).map_or(ErrorCode::InternalError, ErrorCode::from);
    let message = value.get("message").and_then(Value::as_str).unwrap_or("no message").to_owned();
    Error { code, message: message.into(), data: value.get("data").cloned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn invalid_with(body: &str, code: i64, id: Id) {
        match parse(body.as_bytes()) {
            Incoming::Invalid(response) => {
                assert_eq!(response.error().map(|e| e.code.code()), Some(code), "{body}");
                assert_eq!(response.id(), &id, "{body}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_read_is_answered() {
        for body in ["", "{", "nonsense", "{\"method\":", "\u{0}", "{\"a\":1}}"] {
            invalid_with(body, -32700, Id::Null);
        }
        match parse(b"{\"method\":\"\xff\"}") {
            Incoming::Invalid(_) => {}
            other => panic!("{other:?}"),
        }
        invalid_with(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), -32600, Id::Null);
        for body in [
            "[]",
            "1",
            "null",
            "[{\"method\":\"x\",\"id\":1}]",
            "{}",
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"id":{},"method":"x"}"#,
        ] {
            invalid_with(body, -32600, Id::Null);
        }
        invalid_with(r#"{"id":7,"method":5}"#, -32600, Id::Number(7));
        invalid_with(r#"{"jsonrpc":"1.0","id":"a","method":"x"}"#, -32600, Id::String("a".to_owned()));
        invalid_with(r#"{"id":1.5,"method":"x"}"#, -32600, Id::Null);
    }

    #[test]
    fn the_three_kinds_are_told_apart() {
        assert!(matches!(
            parse(br#"{"jsonrpc":"2.0","id":1,"method":"x"}"#),
            Incoming::Request { params: None, .. }
        ));
        assert!(matches!(
            parse(br#"{"method":"x","params":[]}"#),
            Incoming::Notification { params: Some(_), .. }
        ));
        for (body, ok) in [
            (r#"{"id":1,"result":null}"#, true),
            (r#"{"id":1}"#, true),
            (r#"{"id":1,"error":{"code":-1,"message":"m","more":1}}"#, false),
            (r#"{"id":1,"error":"odd"}"#, false),
        ] {
            match parse(body.as_bytes()) {
                Incoming::Response(response) => assert_eq!(response.is_ok(), ok, "{body}"),
                other => panic!("{body}: {other:?}"),
            }
        }
    }
}
