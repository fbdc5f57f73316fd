//! The gateway itself: from a call to a stream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assist_base::{Clock, Secret};

use crate::frames::Frames;
use crate::providers::{self, Asked, Provider, Quirks, ollama, replay};
use crate::route::{AUTO, Route};
use crate::sending::Target;
use crate::stream::{Ledger, Live};
use crate::tokens::estimate_prompt;
use crate::transport::Transport;
use crate::{
    Books, Call, Catalogue, ChunkStream, Estimate, GatewayConfig, GatewayError, Health, HealthState,
    ModelRef, ProviderConfig, Tier, endpoint,
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
    /// None for now. Unknown providers, unusable addresses and missing certificates are reported by the calls that meet
    /// them, so that a program with a bad setting still starts.
    pub fn new(
        config: GatewayConfig,
        books: Arc<dyn Books>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GatewayError> {
        let transport = Arc::new(Transport::new(config.timeouts.connect));
        let catalogue = Catalogue::built_in();
        let inner = Inner { config, transport, books, clock, catalogue, learnt: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes a call. Comes back when the answer has begun; rate limits and overload are waited for and tried again up
    /// to three times in all.
    ///
    /// # Errors
    /// What went wrong before the answer began. Nothing was received then.
    pub async fn stream(&self, call: Call) -> Result<ChunkStream, GatewayError> {
        let inner = &self.inner;
        if let Some(transcript) = &inner.config.replay {
            let playback = transcript.answer(&call.request).ok_or(GatewayError::NotRecorded)?;
            let model = inner.route().model(call.tier, None)?;
            let ledger = inner.reserve(&call, &model, true, call.request.max_output_tokens).await?;
            return Ok(replay::play(playback, Arc::clone(&inner.clock), ledger));
        }
        let model = self.resolve(call.tier, call.model.as_deref()).await?;
        let target = inner.target(&model)?;
        let limit = inner.catalogue.facts(&model.provider, &model.model).and_then(|facts| facts.max_output);
        let max_output = call.request.max_output_tokens.clamp(1, limit.unwrap_or(u32::MAX));
        let context = inner.context(&target, &model).await?;
        let asked = |quirks| Asked {
            model: &model.model,
            request: &call.request,
            max_output,
            quirks,
            prompt_tokens: estimate_prompt(&call.request),
            context,
        };
        // Written once before money is set aside: a request that cannot be written must not cost a reservation.
        target.provider.chat(&asked(inner.quirks(&model)))?;
        let free = model.provider == ollama::INFO.name;
        let mut ledger = inner.reserve(&call, &model, free, max_output).await?;
        let first_token = inner.first_token(&target.endpoint);
        let began = match inner.begin(&target, &model, asked, first_token, &mut ledger).await {
            Ok(began) => began,
            Err(error) => {
                ledger.fail(&error).await;
                return Err(inner.with_models(error, &target).await);
            }
        };
        tracing::debug!(provider = model.provider, model = model.model, agent = call.agent, "answer began");
        let live = Live {
            request_id: began.request_id,
            response: began.response,
            first_by: began.sent_at + first_token,
            frames: Frames::new(target.provider.framing()),
            decoder: target.provider.decoder(),
            clock: Arc::clone(&inner.clock),
            transport: Arc::clone(&inner.transport),
            endpoint: target.endpoint,
            provider: target.provider.info(),
            model: model.model,
            key: target.key,
            first_token,
            idle: inner.config.timeouts.idle,
            ledger,
        };
        Ok(live.stream())
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
    async fn resolve(&self, tier: Tier, named: Option<&str>) -> Result<ModelRef, GatewayError> {
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
    pub(crate) fn route(&self) -> Route<'_> {
        let local_ollama = self.found(ollama::INFO.name).is_some();
        Route { config: &self.config, catalogue: &self.catalogue, local_ollama }
    }

    fn settings(&self, provider: &dyn Provider) -> Option<&ProviderConfig> {
        self.config.providers.get(provider.info().name)
    }

    fn target(&self, model: &ModelRef) -> Result<Target, GatewayError> {
        let provider =
            providers::provider(&model.provider).ok_or_else(|| crate::route::unknown(&model.provider))?;
        self.target_of(provider)
    }

    fn target_of(&self, provider: &'static dyn Provider) -> Result<Target, GatewayError> {
        let config = self.settings(provider);
        let key: Option<Secret> = config.and_then(|config| config.key.clone()).filter(|key| !key.is_empty());
        Ok(Target { provider, endpoint: provider.endpoint(config)?, key })
    }

    /// Sets money aside for a call.
    async fn reserve(
        &self,
        call: &Call,
        model: &ModelRef,
        free: bool,
        max_output: u32,
    ) -> Result<Ledger, GatewayError> {
        let facts = self.catalogue.facts(&model.provider, &model.model).cloned();
        let input_tokens = estimate_prompt(&call.request);
        let most = crate::Usage {
            input: input_tokens,
            output: u64::from(max_output),
            estimated: true,
            ..crate::Usage::default()
        };
        let cost_usd = if free { Some(0.0) } else { facts.as_ref().map(|facts| facts.cost(&most)) };
        let estimate = Estimate {
            run: call.run,
            agent: call.agent.clone(),
            provider: model.provider.clone(),
            model: model.model.clone(),
            tier: call.tier,
            input_tokens,
            max_output_tokens: u64::from(max_output),
            cost_usd,
        };
        let reserved = self.books.reserve(&estimate).await;
        let reservation = reserved.map_err(|refused| GatewayError::Budget { reason: refused.reason })?;
        Ok(Ledger::open(Arc::clone(&self.books), reservation, facts, free, input_tokens))
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
    fn found(&self, provider: &str) -> Option<String> {
        self.learnt().models.get(provider)?.first().cloned()
    }

    /// The context size of a model, where the provider must know it before a call.
    async fn context(&self, target: &Target, model: &ModelRef) -> Result<Option<u64>, GatewayError> {
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

fn no_model(provider: &str) -> GatewayError {
    let message = if provider == ollama::INFO.name {
        "Ollama answers but has no model: get one with `ollama pull qwen2.5-coder`.".to_owned()
    } else {
        format!("{provider} answers but lists no model: name one in TIER_B_MODEL, like `{provider}/NAME`.")
    };
    GatewayError::Settings { message }
}
