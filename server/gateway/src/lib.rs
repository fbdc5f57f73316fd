//! The gateway: how the server talks to models.
//!
//! A thin layer of our own over HTTP, because reading every stop reason exactly is what the product stands on: text
//! that was cut must never look finished. One provider is one file in `providers/`; the README beside this crate says
//! how to add one. All HTTP of the server lives here, and nothing here knows an editor, a file or a database: money is
//! accounted through [`Books`], time comes from the base crate's `Clock`.
//!
//! Keys are [`assist_base::Secret`]s and appear in no error, log line or debug output of this crate.

mod books;
mod call;
mod catalogue;
mod chunk;
mod config;
mod endpoint;
mod error;
mod frames;
mod gateway;
mod health;
mod problem;
mod providers;
mod retry;
mod route;
mod sending;
mod stream;
mod tokens;
mod transcript;
mod transport;

pub use books::{Books, BudgetRefused, Estimate, NoBooks, Reservation, Settlement};
pub use call::{Call, Message, ModelRef, Request, Role, Tier};
pub use catalogue::{Catalogue, ModelFacts};
pub use chunk::{Chunk, Completion, StopReason, Usage};
pub use config::{GatewayConfig, ProviderConfig, Timeouts};
pub use error::{GatewayError, Phase};
pub use gateway::{Gateway, ProviderStatus};
pub use health::{Health, HealthState};
pub use providers::{ProviderInfo, provider_info, registry};
pub use stream::ChunkStream;
pub use tokens::estimate_tokens;
pub use transcript::{Entry, ReplayCut, Transcript, TranscriptError};
