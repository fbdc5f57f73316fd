//! What Assist does: one run from the ask to the last applied component.
//!
//! Agents emit events and know no editor: whoever shows and holds text implements [`Host`]. This crate carries what its
//! four siblings need of one another: the gateway's books are kept in the store, the store's owners are looked up by the
//! runtime, the syntax crate's verdicts decide what the runtime may write.

pub mod accounts;
mod advisors;
pub mod answers;
mod ask;
mod assist;
pub mod books;
mod calls;
pub mod engine;
pub mod error;
pub mod host;
mod keys;
mod orchestrator;
mod pipeline;
mod prompts;
pub mod remember;
mod run;
pub mod settings;
pub mod ship;
mod steering;
pub mod travel;
mod turns;
mod undo;

/// The map of the repository: which files there are, and what the ones that matter declare.
pub mod map {
    pub use crate::assist::map::{Cache, Map, Wish};
}

pub use ask::{AskRequest, Diagnostic, Intent};
pub use engine::{Engine, Follow, Heard, Next, Started, Status, Unended, Wiring};
pub use error::{ConfigError, EngineError};
pub use host::{Answer, Document, Host, HostError, Question, Rebased, Severity, Ticks};
pub use settings::{
    ApplyMode, BudgetOptions, CheckOptions, Checks, CommandOptions, Commands, CommitBranch, Embeddings,
    EmbeddingsOptions, GitOptions, Layer, OnFailure, Options, Pipeline, PipelineOptions, PlanPolicy,
    ProviderOptions, Scope, Settings, TierOptions, Web, WebOptions,
};
pub use settings::{Race, RaceOptions, RaceStage};
pub use settings::{Ship, ShipOptions};
pub use travel::{FileDiff, Kept, Returned};
pub use undo::Undone;

pub use assist_base as base;
pub use assist_gateway as gateway;
pub use assist_runtime as runtime;
pub use assist_store as store;
