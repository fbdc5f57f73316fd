//! The way of a call: which model, may it, its turn, the money, and the next model when one does not answer.

use std::sync::Arc;
use std::time::Duration;

use crate::after::After;
use crate::cache::is_deterministic;
use crate::extras::Prompt;
use crate::frames::Frames;
use crate::gateway::Inner;
use crate::ledger::Ledger;
use crate::live::Live;
use crate::providers::{Asked, ollama, replay};
use crate::sending::{Began, Target, breaker_name};
use crate::tokens::Tokenizer;
use crate::{
    Ability, CacheKey, CachedAnswer, Call, Choice, ChunkStream, Estimate, Extras, Gateway, GatewayError,
    ModelRef, Need, Reusable, Reuse, UsageSummary,
};

/// One call on its way.
struct Way<'a> {
    call: &'a Call,
    extras: &'a Extras,
    prompt: Arc<Prompt>,
}

impl Gateway {
    /// Makes a call. Comes back when the answer has begun; rate limits and overload are waited for and tried again up
    /// to three times in all, then the next model of the tier is asked.
    ///
    /// # Errors
    /// What went wrong before the answer began, with the first model where several were asked. Nothing was received
    /// then.
    pub async fn stream(&self, call: Call) -> Result<ChunkStream, GatewayError> {
        self.stream_with(call, Extras::default()).await
    }

    /// As [`Gateway::stream`], with tools, pictures, a shape for the answer and what else [`Extras`] has.
    ///
    /// # Errors
    /// As [`Gateway::stream`]; [`GatewayError::Unable`] when the model is known not to be able to do what is asked.
    pub async fn stream_with(&self, call: Call, extras: Extras) -> Result<ChunkStream, GatewayError> {
        let inner = &self.inner;
        if let Some(name) = &extras.keep_as
            && let Some(answer) = inner.books.kept(call.run, name).await
            && answer.is_told_again()
        {
            return Ok(answer.again());
        }
        let prompt = Arc::new(Prompt::of(&call, &extras));
        let way = Way { call: &call, extras: &extras, prompt };
        if let Some(transcript) = &inner.config.replay {
            let playback = transcript.answer(&way.prompt).ok_or(GatewayError::NotRecorded)?;
            let model = inner.route().model(call.tier, None)?;
            let choice =
                Choice { model, reason: "a transcript is replayed".to_owned(), passed_over: Vec::new() };
            let tokens = way.prompt.tokens(Tokenizer::Estimate);
            let ledger = inner.reserve(&way, &choice, true, call.request.max_output_tokens, tokens).await?;
            return Ok(replay::play(playback, choice, Arc::clone(&inner.clock), ledger));
        }
        inner.restore_breakers().await;
        let mut choice = self.first_choice(&way).await?;
        let mut others = None;
        let mut first_error: Option<GatewayError> = None;
        loop {
            let error = match inner.attempt(&way, &choice).await {
                Ok(stream) if extras.keep_as.is_some() => return Ok(stream.ahead()),
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let stay = extras.no_fallback || call.model.is_some();
            if stay || matches!(error, GatewayError::Budget { .. }) {
                return Err(first_error.unwrap_or(error));
            }
            if first_error.is_none() && !error.another_may_help() {
                return Err(error);
            }
            let others = others.get_or_insert_with(|| {
                let fallbacks = inner.route().fallbacks(call.tier, &choice.model);
                fallbacks.into_iter()
            });
            tracing::info!(provider = choice.model.provider, model = choice.model.model, "does not answer");
            let Some(next) = others.next() else { return Err(first_error.unwrap_or(error)) };
            choice.reason = format!("{} did not answer: the next of tier {}", choice.model, call.tier);
            choice.passed_over.push((std::mem::replace(&mut choice.model, next), error.to_string()));
            first_error.get_or_insert(error);
        }
    }

    async fn first_choice(&self, way: &Way<'_>) -> Result<Choice, GatewayError> {
        let call = way.call;
        if let (Some(_), None) = (way.extras.complexity, &call.model) {
            let spent = self.inner.books.spent(call.run).await;
            let remaining_usd = spent.and_then(|spent| self.inner.config.budgets.remaining(&spent));
            let need = Need {
                complexity: way.extras.complexity,
                input_tokens: way.prompt.tokens(Tokenizer::Estimate),
                output_tokens: u64::from(call.request.max_output_tokens),
                abilities: abilities(&way.prompt),
                remaining_usd,
                tier: Some(call.tier),
            };
            if let Some(choice) = self.choose(&need) {
                return Ok(choice);
            }
        }
        let model = self.resolve(call.tier, call.model.as_deref()).await?;
        let reason = match &call.model {
            Some(_) => "named by the call".to_owned(),
            None => format!("the model of tier {}", call.tier),
        };
        Ok(Choice { model, reason, passed_over: Vec::new() })
    }
}

/// What a prompt asks of a model beside text.
fn abilities(prompt: &Prompt) -> Vec<Ability> {
    let wanted = [(Ability::Tools, !prompt.tools.is_empty()), (Ability::Images, prompt.has_images())];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(ability, _)| ability).collect()
}

impl Inner {
    /// Asks one model.
    async fn attempt(&self, way: &Way<'_>, choice: &Choice) -> Result<ChunkStream, GatewayError> {
        let (model, prompt) = (&choice.model, &way.prompt);
        let target = self.target(model)?;
        let facts = self.catalogue.facts(&model.provider, &model.model);
        for ability in abilities(prompt) {
            if facts.is_some_and(|facts| !facts.can(ability)) {
                let what = if ability == Ability::Images { "look at pictures" } else { "call tools" };
                let (provider, model) = (model.provider.clone(), model.model.clone());
                return Err(GatewayError::Unable { provider, model, what });
            }
        }
        let limit = facts.and_then(|facts| facts.max_output).unwrap_or(u32::MAX);
        let max_output = way.call.request.max_output_tokens.clamp(1, limit);
        let free = model.provider == ollama::INFO.name;
        let prompt_tokens = prompt.tokens(Tokenizer::of(&model.provider, &model.model));
        let keep = (way.extras.reuse == Reuse::Exact && is_deterministic(prompt))
            .then(|| CacheKey::of(model, prompt, max_output));
        // A recording holds every answer of a run: one that comes from the cache would be missing in it.
        if let Some(key) = &keep
            && self.recorder.is_none()
            && let Some(answer) = self.books.cached(key).await
        {
            let stream = self.use_again(way, choice, answer).await?;
            return Ok(stream.with_reuse(Some(Reusable { key: key.clone(), reused: true })));
        }
        let context = self.context(&target, model).await?;
        let asked =
            |quirks| Asked { model: &model.model, prompt, max_output, quirks, prompt_tokens, context };
        // Written once before money is set aside: a request that cannot be written must not cost a reservation.
        target.provider.chat(&asked(self.quirks(model)))?;
        let seat = self.limits.wait_turn(model, prompt_tokens + u64::from(max_output)).await?;
        let permit = self
            .breakers
            .admit(&breaker_name(model))
            .map_err(|open| GatewayError::LeftAlone { provider: model.provider.clone(), open })?;
        let mut ledger = self.reserve(way, choice, free, max_output, prompt_tokens).await?;
        let first_token = self.first_token(&target.endpoint);
        let began = match self.begin(&target, model, asked, first_token, permit, &mut ledger).await {
            Ok(began) => began,
            Err(error) => {
                ledger.fail(&error).await;
                return Err(self.with_models(error, &target).await);
            }
        };
        tracing::debug!(
            provider = model.provider,
            model = model.model,
            agent = way.call.agent,
            "answer began"
        );
        let after = After {
            books: Arc::clone(&self.books),
            breakers: self.breakers.clone(),
            recorder: self.recorder.clone(),
            prompt: Arc::clone(prompt),
        };
        let Target { provider, endpoint, key } = target;
        let Began { response, request_id, sent_at, permit } = began;
        let live = Live {
            request_id,
            response,
            first_by: sent_at + first_token,
            frames: Frames::new(provider.framing()),
            decoder: provider.decoder(),
            clock: Arc::clone(&self.clock),
            transport: Arc::clone(&self.transport),
            endpoint,
            provider: provider.info(),
            model: model.model.clone(),
            max_output,
            taken: 0,
            key,
            first_token,
            timeouts: self.config.timeouts,
            waited: Duration::ZERO,
            alarm: None,
            ledger,
            choice: choice.clone(),
            permit,
            seat,
            after,
        };
        Ok(live.stream().with_reuse(keep.map(|key| Reusable { key, reused: false })))
    }

    /// A kept answer in place of a new one: it costs nothing, and what it cost is written down as saved.
    async fn use_again(
        &self,
        way: &Way<'_>,
        choice: &Choice,
        answer: CachedAnswer,
    ) -> Result<ChunkStream, GatewayError> {
        let mut choice = choice.clone();
        choice.reason = "the same request was answered before".to_owned();
        let ledger = self.reserve(way, &choice, true, 0, 0).await?.of_kept(answer.cost_usd);
        Ok(replay::play(replay::kept(answer), choice, Arc::clone(&self.clock), ledger))
    }

    /// Sets money aside for a call.
    async fn reserve(
        &self,
        way: &Way<'_>,
        choice: &Choice,
        free: bool,
        max_output: u32,
        input_tokens: u64,
    ) -> Result<Ledger, GatewayError> {
        let ModelRef { provider, model } = &choice.model;
        let facts = self.catalogue.facts(provider, model).cloned();
        let most = || facts.as_ref().map(|facts| facts.most(input_tokens, u64::from(max_output)));
        let estimate = Estimate {
            run: way.call.run,
            agent: way.call.agent.clone(),
            provider: provider.clone(),
            model: model.clone(),
            tier: way.call.tier,
            input_tokens,
            max_output_tokens: u64::from(max_output),
            cost_usd: if free { Some(0.0) } else { most() },
            reason: choice.reason.clone(),
            budgets: self.config.budgets,
        };
        match self.books.reserve(&estimate).await {
            Ok(reservation) => {
                let ledger = Ledger::open(Arc::clone(&self.books), reservation, facts, free, input_tokens);
                Ok(ledger.keeping(way.call.run, way.extras.keep_as.as_deref(), &choice.model))
            }
            Err(refused) => {
                let usage = self.books.spent(estimate.run).await.map(|spent| {
                    let (budgets, estimate_usd) = (estimate.budgets, estimate.cost_usd);
                    Box::new(UsageSummary { spent, budgets, estimate_usd })
                });
                Err(GatewayError::Budget { reason: refused.reason, usage })
            }
        }
    }
}
