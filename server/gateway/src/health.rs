//! How a provider is, for `assist doctor`.

use crate::after::keep_breakers;
use crate::gateway::no_model;
use crate::providers::{self, ollama, replay};
use crate::{Gateway, GatewayError};

/// The answer to a cheap question: may we, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The registry name.
    pub provider: String,
    /// Where it was asked, without any password; empty when no address is known.
    pub base_url: String,
    /// How it is.
    pub state: HealthState,
    /// The models it lists; empty when it was not reached or lists none.
    pub models: Vec<String>,
    /// One sentence for the user, with the fix where one is needed.
    pub detail: String,
}

/// How a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthState {
    /// It answers, and takes the key where it needs one.
    Reachable,
    /// Nothing is known that would let us ask. Nothing was sent.
    NotConfigured,
    /// It answers and refuses the key.
    KeyRefused,
    /// It does not answer, or not as this provider does.
    Unreachable,
}

impl HealthState {
    /// The word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            HealthState::Reachable => "reachable",
            HealthState::NotConfigured => "not configured",
            HealthState::KeyRefused => "key refused",
            HealthState::Unreachable => "unreachable",
        }
    }
}

impl Gateway {
    /// Asks a provider a question that costs nothing: its list of models.
    pub async fn check(&self, provider: &str) -> Health {
        let inner = &self.inner;
        let mut health = Health {
            provider: provider.to_owned(),
            base_url: String::new(),
            state: HealthState::NotConfigured,
            models: Vec::new(),
            detail: String::new(),
        };
        if provider == replay::NAME && inner.config.replay.is_some() {
            health.state = HealthState::Reachable;
            health.detail = "Answers are replayed from a transcript; no live model is asked.".to_owned();
            return health;
        }
        let Some(provider) = providers::provider(provider) else {
            health.detail = crate::route::unknown(provider).to_string();
            return health;
        };
        let info = provider.info();
        let target = match inner.target_of(provider) {
            Ok(target) => target,
            Err(error) => {
                health.detail = error.to_string();
                return health;
            }
        };
        health.base_url = target.endpoint.shown();
        // Ollama is looked for without being configured; nobody else is asked without a key or an address.
        if !inner.route().configured(provider) && info.name != ollama::INFO.name {
            let fix = info.setup_fix();
            health.detail = GatewayError::NotConfigured { provider: info.name.to_owned(), fix }.to_string();
            return health;
        }
        let key = match provider.key_path() {
            Some(path) => inner.ask(&target, "", path, None).await.map(drop),
            None => Ok(()),
        };
        let models = match key {
            Ok(()) => inner.list(&target).await,
            Err(error) => Err(error),
        };
        match models {
            Ok(models) => {
                health.state = HealthState::Reachable;
                health.detail = match (models.len(), info.name) {
                    (0, name) if name == ollama::INFO.name => no_model(info.name).to_string(),
                    (0, _) => format!("{} answers; it lists no models.", info.title),
                    (1, _) => format!("{} answers and has 1 model.", info.title),
                    (n, _) => format!("{} answers and has {n} models.", info.title),
                };
                health.models = models;
                // It was seen to be well: its models need not be left alone any longer.
                inner.restore_breakers().await;
                let of_provider = format!("{}/", info.name);
                for status in inner.breakers.list() {
                    if status.name.starts_with(&of_provider) {
                        inner.breakers.reset(&status.name);
                    }
                }
                keep_breakers(&inner.breakers, inner.books.as_ref()).await;
            }
            Err(error) => {
                health.state = match error {
                    GatewayError::Auth { .. } => HealthState::KeyRefused,
                    _ => HealthState::Unreachable,
                };
                health.detail = error.to_string();
            }
        }
        health
    }
}
