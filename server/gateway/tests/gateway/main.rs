//! The gateway from outside: real HTTP against the simulator, in one binary, since linking is what takes the time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod conformance;
mod embeddings;
mod fixtures;
mod governance;
mod race;
mod recording;
mod resilience;
mod support;
mod tools;
mod web;
