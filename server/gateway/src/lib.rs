//! The gateway: how the server talks to models.
//!
//! A thin layer of our own over HTTP, because reading every stop reason exactly is what the product stands on: text
//! that was cut must never look finished. One provider is one file in `providers/`; the README beside this crate says
//! how to add one. All HTTP of the server lives here, and nothing here knows an editor, a file or a database: money is
//! accounted through [`Books`], time comes from the base crate's `Clock`.
//!
//! Keys are [`assist_base::Secret`]s and appear in no error, log line or debug output of this crate.

mod after;
mod answer;
mod books;
mod breaker;
mod budget;
mod cache;
mod call;
mod catalogue;
mod chunk;
mod config;
mod deploy;
mod dispatch;
mod endpoint;
mod error;
mod extras;
mod forge;
mod frames;
mod gateway;
mod health;
mod http;
mod keeping;
mod ledger;
mod limits;
mod live;
mod memory_books;
mod models;
mod plain;
mod problem;
mod providers;
mod race;
mod record;
mod redact;
mod retry;
mod route;
mod selector;
mod sending;
mod service;
mod stream;
mod tokens;
mod tool;
mod transcript;
mod transport;
mod turn;
mod web;

pub use answer::{Answer, NotJson};
pub use books::{Books, BudgetRefused, Estimate, NoBooks, Reservation, Settlement};
pub use breaker::{BreakerOpen, BreakerSettings, BreakerState, BreakerStatus, Breakers, Guarded, Permit};
pub use budget::{BudgetKind, Budgets, OverBudget, Plan, Spent, UsageSummary, day_start, parse_usd};
pub use cache::{CacheKey, CachedAnswer, Reusable};
pub use call::{Call, Message, ModelRef, Request, Role, Tier};
pub use catalogue::{Ability, Catalogue, CatalogueError, LongPrompt, ModelFacts};
pub use chunk::{Chunk, Completion, StopReason, Usage};
pub use config::{GatewayConfig, ProviderConfig, Timeouts};
pub use deploy::{Application, DeployState, Deployer, Deployment};
pub use error::{GatewayError, Phase};
pub use extras::{Extras, Output, Reuse};
pub use forge::{Forge, NewRepository, RemoteCommit, RemoteRepository, is_forge_name};
pub use gateway::{Gateway, ProviderStatus};
pub use health::{Health, HealthState};
pub use http::embeddings::{Embedder, Payer};
pub use keeping::{Keep, KeptAnswer};
pub use limits::RateLimit;
pub use memory_books::{CacheLimits, LedgerEntry, MemoryBooks};
pub use models::ModelListing;
pub use providers::{ProviderInfo, provider_info, registry};
pub use race::{Entrant, RaceLost, Validator, Won};
pub use record::Recorder;
pub use selector::{Choice, Complexity, Need};
pub use service::{ServiceInfo, ServiceKind, ServicePlace, service_info, services};
pub use stream::ChunkStream;
pub use tokens::estimate_tokens;
pub use tool::{BadArguments, Tool, ToolCall, ToolChoice};
pub use transcript::{Entry, RecordedCall, ReplayCut, Transcript, TranscriptError};
pub use turn::{Image, ImageError, MAX_IMAGE_BYTES, Part, ToolResult, Turn};
pub use web::{Found, Page, WebError};
