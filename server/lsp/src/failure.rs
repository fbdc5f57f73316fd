//! What the user is told when something cannot be done, in the protocol's words.
//!
//! Law: only this crate knows JSON-RPC; every error of the engine keeps its kind and its fix (PROTOCOL.md, Errors).

use assist_agents::EngineError;
use serde_json::json;
use tower_lsp::jsonrpc::{Error, ErrorCode};

/// `RequestFailed`: the request was fine, doing it was not possible.
pub const REQUEST_FAILED: i64 = -32803;

/// The engine's error as the client gets it.
pub fn of_engine(error: &EngineError) -> Error {
    let code = match error {
        EngineError::PromptNeeded | EngineError::BadDocument(_) => ErrorCode::InvalidParams,
        _ => ErrorCode::ServerError(REQUEST_FAILED),
    };
    let mut data = json!({ "kind": error.kind() });
    if let Some(fix) = error.fix() {
        data["fix"] = fix.into();
    }
    Error { code, message: error.to_string().into(), data: Some(data) }
}

/// Arguments that are not what the command takes.
pub fn arguments(what: impl std::fmt::Display) -> Error {
    Error::invalid_params(what.to_string())
}

/// A document that cannot be worked on.
pub fn bad_document(message: impl Into<String>) -> Error {
    of_engine(&EngineError::BadDocument(message.into()))
}

/// A run that is not there.
pub fn not_found(what: impl Into<String>) -> Error {
    of_engine(&EngineError::NotFound(what.into()))
}
