//! Settings of the gateway, already resolved: which flag, variable or file they came from is the `cli` crate's matter.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use assist_base::Secret;

use crate::{BreakerSettings, Budgets, Catalogue, RateLimit, Transcript, endpoint};

/// Everything the gateway needs to know.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GatewayConfig {
    /// Settings by registry name. A provider without an entry has its defaults and no key.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// Models of tiers A, B, C: `provider/model` or a bare model name. None: by which keys are present.
    pub tiers: [Option<String>; 3],
    /// The provider to prefer where several are configured.
    pub provider: Option<String>,
    /// Recorded answers; where given, they answer every call and nothing goes over the network.
    pub replay: Option<Transcript>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// What may be spent. Kept by the books, which are asked before every call.
    pub budgets: Budgets,
    /// How often providers may be asked, by registry name.
    pub limits: BTreeMap<String, RateLimit>,
    /// Models to ask when a tier's model is away, full or out of credit, in this order, for tiers A, B, C. None: the same
    /// tier's models of the other configured providers; from a model on this machine never to one elsewhere. A call that
    /// names its model has none.
    pub fallbacks: Option<[Vec<String>; 3]>,
    /// When what keeps failing is left alone, and for how long.
    pub breakers: BreakerSettings,
    /// What is known of models, where the user has added to it.
    pub catalogue: Option<Catalogue>,
    /// Write all answers to this file as a transcript, without secrets.
    pub record: Option<PathBuf>,
}

/// Settings of one provider.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProviderConfig {
    /// Where it is, with or without `/v1`. None: the provider's own address.
    pub base_url: Option<String>,
    /// The key.
    pub key: Option<Secret>,
    /// The model for all tiers that have none of their own (`NIM_MODEL`).
    pub model: Option<String>,
    /// Where the key came from, in words for `assist doctor`: `ANTHROPIC_API_KEY`, `keyring`.
    pub key_source: Option<String>,
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A base URL can hold a password (`https://user:password@proxy`): never shown as it is.
        f.debug_struct("ProviderConfig")
            .field("base_url", &self.base_url.as_deref().map(endpoint::shown))
            .field("key", &self.key)
            .field("model", &self.model)
            .field("key_source", &self.key_source)
            .finish()
    }
}

/// How long to wait. Each must be longer than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// From sending the request to the first event of the answer. Five times as long for servers on this machine,
    /// which may have to load the model first.
    pub first_token: Duration,
    /// Between two pieces of the answer; a provider's keep-alive signs count as pieces.
    pub idle: Duration,
    /// Without anything new of the answer, whatever keep-alive signs come meanwhile.
    pub progress: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            progress: Duration::from_secs(600),
        }
    }
}
