//! The gateway itself: from a call to a stream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assist_base::{Clock, Secret};
use tokio::sync::OnceCell;

use crate::after::keep_breakers;
use crate::limits::Limits;
use crate::providers::{self, Provider, Quirks, ollama, replay};
use crate::route::{AUTO, Route};
use crate::sending::Target;
use crate::transport::Transport;
use crate::{
    Books, BreakerStatus, Breakers, Catalogue, GatewayConfig, GatewayError, Guarded, ModelRef,
    ProviderConfig, Recorder, Tier, endpoint,
};

/// Calls models. Cheap to clone; clones share connections and what was learnt of servers.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub config: GatewayConfig,
    pub transport: Arc<Transport>,
    pub books: Arc<dyn Books>,
    pub clock: Arc<dyn Clock>,
    pub catalogue: Catalogue,
    pub breakers: Breakers,
    pub limits: Limits,
    pub recorder: Option<Recorder>,
    /// Whether the breakers of an earlier run of the program were taken over.
    restored: OnceCell<()>,
    learnt: Mutex<Learnt>,
}

/// What servers have told, for the life of the process.
#[derive(Default)]
struct Learnt {
    quirks: HashMap<ModelRef, Quirks>,
    contexts: HashMap<ModelRef, u64>,
    /// The models of servers that were asked for them, best first.
    models: HashMap<&'static str, Vec<String>>,
}

/// A provider, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderStatus {
    /// The registry name.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// Whether enough is known to call it.
    pub configured: bool,
    /// Where it is, without any password. None where no address is known.
    pub base_url: Option<String>,
    /// Where its key comes from, where it has one.
    pub key_source: Option<String>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway. Opens no connection yet and reads no certificates, so that it costs nothing at the server's start.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] when answers shall be recorded and the file cannot be written. Unknown providers, unusable
    /// addresses and missing certificates are reported by the calls that meet them, so that a program with a bad setting
    /// still starts.
    pub fn new(
        config: GatewayConfig,
        books: Arc<dyn Books>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GatewayError> {
        let transport = Arc::new(Transport::new(config.timeouts.connect));
        let catalogue = config.catalogue.clone().unwrap_or_default();
        let keys = config.providers.values().filter_map(|provider| provider.key.clone());
        let recorder = match &config.record {
            Some(path) => Some(Recorder::open(path, keys)?),
            None => None,
        };
        let inner = Inner {
            breakers: Breakers::new(Arc::clone(&clock), config.breakers),
            limits: Limits::new(Arc::clone(&clock), config.limits.clone()),
            config,
            transport,
            books,
            clock,
            catalogue,
            recorder,
            restored: OnceCell::new(),
            learnt: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How the breakers are that have heard of a failure: of models (`provider/model`) and of whatever else is called
    /// through [`Gateway::outside`].
    pub async fn breakers(&self) -> Vec<BreakerStatus> {
        self.inner.restore_breakers().await;
        self.inner.breakers.list()
    }

    /// Closes a breaker, because the user or a check has seen that all is well.
    pub async fn reset_breaker(&self, name: &str) {
        let inner = &self.inner;
        inner.restore_breakers().await;
        inner.breakers.reset(name);
        keep_breakers(&inner.breakers, inner.books.as_ref()).await;
    }

    /// Makes any call to the outside (embeddings, search, a forge, a deployment) behind the breaker `name`, which is kept
    /// with those of models. `counts` says which errors are failures of what is called, and not of the question.
    ///
    /// # Errors
    /// The call's own, or that it was not made because it failed too often.
    pub async fn outside<T, E: std::error::Error + 'static>(
        &self,
        name: &str,
        counts: impl Fn(&E) -> bool,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Guarded<E>> {
        let inner = &self.inner;
        inner.restore_breakers().await;
        let result = inner.breakers.guard(name, counts, call).await;
        keep_breakers(&inner.breakers, inner.books.as_ref()).await;
        result
    }

    /// The model that serves a tier. The name is `auto` while a local server has not been asked for its models.
    ///
    /// # Errors
    /// [`GatewayError::NoProvider`] when nothing is configured (a local Ollama counts once [`Gateway::find_local`] or a
    /// call has found it), or what is wrong with the settings.
    pub fn model_for(&self, tier: Tier) -> Result<ModelRef, GatewayError> {
        let mut model = self.inner.route().model(tier, None)?;
        if model.model == AUTO
            && let Some(found) = self.inner.found(&model.provider)
        {
            model.model = found;
        }
        Ok(model)
    }

    /// Looks for Ollama on this machine. True when it answers and has a model.
    pub async fn find_local(&self) -> bool {
        let inner = &self.inner;
        let Some(provider) = providers::provider(ollama::INFO.name) else { return false };
        let Ok(target) = inner.target_of(provider) else { return false };
        inner.list(&target).await.is_ok_and(|models| !models.is_empty())
    }

    /// Every provider, and whether it is configured; first of all the transcript, where one is replayed.
    pub fn providers(&self) -> Vec<ProviderStatus> {
        let inner = &self.inner;
        let route = inner.route();
        let replayed = inner.config.replay.is_some().then_some(ProviderStatus {
            name: replay::NAME,
            title: "Replay of a transcript (no live model)",
            configured: true,
            base_url: None,
            key_source: None,
        });
        let live = providers::all().iter().map(|provider| {
            let info = provider.info();
            let config = inner.settings(*provider);
            let base = config.and_then(|config| config.base_url.as_deref()).or(info.default_base_url);
            let keyed = config.is_some_and(|config| config.key.as_ref().is_some_and(|key| !key.is_empty()));
            ProviderStatus {
                name: info.name,
                title: info.title,
                configured: route.configured(*provider),
                base_url: base.map(endpoint::shown),
                key_source: config.and_then(|config| config.key_source.clone()).filter(|_| keyed),
            }
        });
        replayed.into_iter().chain(live).collect()
    }

    /// What is known of models.
    pub fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    /// Whether answers are replayed, which must be said wherever they show.
    pub fn is_replay(&self) -> bool {
        self.inner.config.replay.is_some()
    }

    /// The model of a call, local servers asked where needed.
    pub(crate) async fn resolve(&self, tier: Tier, named: Option<&str>) -> Result<ModelRef, GatewayError> {
        let inner = &self.inner;
        let routed = inner.route().model(tier, named);
        let mut model = match routed {
            Err(GatewayError::NoProvider) if self.find_local().await => inner.route().model(tier, named)?,
            other => other?,
        };
        if model.model == AUTO {
            model.model = match inner.found(&model.provider) {
                Some(found) => found,
                None => {
                    let target = inner.target(&model)?;
                    let models = inner.list(&target).await?;
                    models.into_iter().next().ok_or_else(|| no_model(&model.provider))?
                }
            };
        }
        Ok(model)
    }
}

impl Inner {
    pub(crate) async fn restore_breakers(&self) {
        let restore = async { self.breakers.restore(self.books.kept_breakers().await) };
        self.restored.get_or_init(|| restore).await;
    }

    pub(crate) fn route(&self) -> Route<'_> {
        let local_ollama = self.found(ollama::INFO.name).is_some();
        Route { config: &self.config, catalogue: &self.catalogue, local_ollama }
    }

    fn settings(&self, provider: &dyn Provider) -> Option<&ProviderConfig> {
        self.config.providers.get(provider.info().name)
    }

    pub(crate) fn target(&self, model: &ModelRef) -> Result<Target, GatewayError> {
        let provider =
            providers::provider(&model.provider).ok_or_else(|| crate::route::unknown(&model.provider))?;
        self.target_of(provider)
    }

    pub(crate) fn target_of(&self, provider: &'static dyn Provider) -> Result<Target, GatewayError> {
        let config = self.settings(provider);
        let key: Option<Secret> = config.and_then(|config| config.key.clone()).filter(|key| !key.is_empty());
        Ok(Target { provider, endpoint: provider.endpoint(config)?, key })
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn quirks(&self, model: &ModelRef) -> Quirks {
        self.learnt().quirks.get(model).copied().unwrap_or_default()
    }

    pub(crate) fn remember_quirks(&self, model: &ModelRef, quirks: Quirks) {
        self.learnt().quirks.insert(model.clone(), quirks);
    }

    pub(crate) fn remember_models(&self, provider: &'static str, models: &[String]) {
        self.learnt().models.insert(provider, models.to_vec());
    }

    /// The best model of a server that was asked.
    pub(crate) fn found(&self, provider: &str) -> Option<String> {
        self.learnt().models.get(provider)?.first().cloned()
    }

    /// All models of a server that was asked.
    pub(crate) fn found_all(&self, provider: &str) -> Vec<String> {
        self.learnt().models.get(provider).cloned().unwrap_or_default()
    }

    /// The context size of a model, where the provider must know it before a call.
    pub(crate) async fn context(
        &self,
        target: &Target,
        model: &ModelRef,
    ) -> Result<Option<u64>, GatewayError> {
        let Some((path, question)) = target.provider.context_question(&model.model) else { return Ok(None) };
        if let Some(known) = self.learnt().contexts.get(model) {
            return Ok(Some(*known));
        }
        let asked = self.ask(target, &model.model, path, Some(question)).await;
        let answer = match asked {
            Ok(answer) => answer,
            // A server that stands in for this provider may not know the question; the default does then.
            Err(GatewayError::Protocol { .. } | GatewayError::Rejected { .. }) => return Ok(None),
            Err(error) => return Err(self.with_models(error, target).await),
        };
        let size = target.provider.context_size(&answer);
        if let Some(size) = size {
            self.learnt().contexts.insert(model.clone(), size);
        }
        Ok(size)
    }
}

pub(crate) fn no_model(provider: &str) -> GatewayError {
    let message = if provider == ollama::INFO.name {
        "Ollama answers but has no model: get one with `ollama pull qwen2.5-coder`.".to_owned()
    } else {
        format!("{provider} answers but lists no model: name one in TIER_B_MODEL, like `{provider}/NAME`.")
    };
    GatewayError::Settings { message }
}
