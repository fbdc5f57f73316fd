//! A model server for tests: a real HTTP server on loopback that speaks the providers' wire formats byte for byte
//! and misbehaves on request.
//!
//! A [`Script`] says what to answer to which request. Rules match by content (provider, model, text of the request,
//! the how-manieth time), never by order of arrival, so two runs at once do not disturb each other's script.
//! [`Simulator::start`] serves it from a thread of its own, records every request for asserts, and lets a test wait
//! for what it needs to see (`request`, `disconnected`) instead of sleeping.
//!
//! Spoken: Anthropic Messages, OpenAI Chat Completions, Ollama chat, Google Gemini; streaming and not. The checks of the real
//! servers that a client can trip over are made too: missing key, missing version header, unknown model, a
//! conversation that ends with the assistant.
//!
//! Limits: text, reasoning and tool calls (no embeddings yet), HTTP/1.1 without TLS, loopback only.

mod asked;
mod chat;
mod continuation;
mod embeddings;
mod gitea;
mod http;
mod matching;
mod playback;
mod record;
mod reply;
mod routes;
mod script;
mod simulator;
mod wire;

pub use asked::{Asked, Provider, Turn};
pub use continuation::Manner;
pub use gitea::Gitea;
pub use record::{Finish, Recorded};
pub use reply::{Compute, Cut, Ending, Failure, Inject, MidError, Place, Reply, Stall, Stop, ToolUse, Usage};
pub use routes::Route;
pub use script::{Match, Pattern, Rule, Script, ScriptError, Text};
pub use simulator::Simulator;

/// A complete component as the prompt asks for it: header, code, end marker. The run's id is filled in from the
/// request that is answered: `@@id@@` becomes what stands after `id=` on the last
/// `COMPONENT_START` line with an id in the request's system prompt (else in its messages); where the request has none, ` id=@@id@@` is left out.
///
/// `code` gets a final newline if it has none, so that the end marker stands on a line of its own.
pub fn component(name: &str, path: &str, code: &str) -> String {
    let newline = if code.ends_with('\n') || code.is_empty() { "" } else { "\n" };
    format!(
        "/// COMPONENT_START: {name} path=\"{path}\" exports={name} id=@@id@@ ///\n{code}{newline}/// COMPONENT_END id=@@id@@ ///\n"
    )
}

/// The line that says that everything was sent.
pub const SENTINEL: &str = "// --- VIBECODER_COMPLETE ---\n";

/// A whole answer: one component and the sentinel.
pub fn answer(name: &str, path: &str, code: &str) -> String {
    component(name, path, code) + SENTINEL
}
