//! What calls cost and which models there are: for `assist costs`, `assist models` and the same requests of editors.

use std::sync::Arc;

use assist_base::{RunId, Timestamp};
use assist_gateway::{BreakerStatus, Complexity, GatewayError, Need, Spent, Tier, day_start};
use assist_store::{CostsBy, LedgerLine, Totals};
use serde::Serialize;

use crate::books;
use crate::engine::Engine;
use crate::error::EngineError;

/// How many single calls are told of at most.
const CALLS: usize = 50;
/// How many tokens a prompt has that is neither long nor short.
const USUAL_PROMPT: u64 = 8_000;

/// The sums of some calls. US dollars.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostLine {
    /// The run, agent, model, tier or day (UTC).
    pub name: String,
    /// How many calls.
    pub calls: u64,
    /// How many of them are under way.
    pub open: u64,
    /// Tokens sent, those from and into caches included.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// What they cost, as far as prices are known.
    pub cost_usd: f64,
    /// What those under way may still cost.
    pub reserved_usd: f64,
    /// What caches saved.
    pub saved_usd: f64,
    /// How many have no known price.
    pub unpriced: u64,
    /// How many figures are reckoned.
    pub estimated: u64,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallLine {
    /// The run.
    pub run: RunId,
    /// Which part of Assist made it.
    pub agent: String,
    /// `provider/model`.
    pub model: String,
    /// Why that model.
    pub reason: Option<String>,
    /// What it cost; none while it is under way and where the price is not known.
    pub cost_usd: Option<f64>,
    /// What caches saved.
    pub saved_usd: f64,
    /// Whether it is settled.
    pub settled: bool,
    /// When it was begun, in milliseconds since 1970.
    pub at: Timestamp,
}

/// What may still be spent today. US dollars.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Today {
    /// What was spent, what is set aside included.
    pub spent_usd: f64,
    /// Whether that is over all workspaces of the user, or of this one alone.
    pub everywhere: bool,
    /// The day's budget.
    pub day_usd: Option<f64>,
    /// One run's budget.
    pub run_usd: Option<f64>,
    /// The plan: `free`, `pro`, `enterprise` or `none`.
    pub plan: String,
    /// Its cap.
    pub plan_usd: Option<f64>,
    /// What is left; none where nothing is limited.
    pub left_usd: Option<f64>,
}

/// What calls cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Costs {
    /// By what the lines are summed: `day`, `run`, `agent`, `model`, `tier`.
    pub by: &'static str,
    /// The sums: days in their order, others the dearest first.
    pub lines: Vec<CostLine>,
    /// All of them together.
    pub total: CostLine,
    /// The newest calls, newest first, and why each went to its model.
    pub calls: Vec<CallLine>,
    /// What may still be spent today.
    pub today: Today,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelLine {
    /// `provider/model`.
    pub model: String,
    /// Whether it can be called.
    pub configured: bool,
    /// The tiers it serves.
    pub tiers: Vec<&'static str>,
    /// The hardest kind of task it is trusted with.
    pub skill: &'static str,
    /// Whether it costs nothing.
    pub free: bool,
    /// US dollars for a million prompt tokens, where known.
    pub input_usd: Option<f64>,
    /// US dollars for a million output tokens, where known.
    pub output_usd: Option<f64>,
    /// How many tokens prompt and answer may have together, where known.
    pub context: Option<u64>,
    /// What it can do beside text, where known.
    pub can: Option<Vec<&'static str>>,
    /// How its breaker is, where it has heard of a failure.
    pub breaker: Option<BreakerStatus>,
}

/// Which model serves a tier, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TierLine {
    /// `A`, `B` or `C`.
    pub tier: &'static str,
    /// `provider/model`; none where nothing can.
    pub model: Option<String>,
    /// Why it, or why none: one sentence.
    pub why: String,
}

/// Which model a task goes to by how hard it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChoiceLine {
    /// `trivial`, `simple`, `moderate` or `complex`.
    pub task: &'static str,
    /// `provider/model`.
    pub model: String,
    /// Why it: one sentence.
    pub why: String,
}

/// The models there are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Models {
    /// What serves which tier.
    pub tiers: Vec<TierLine>,
    /// Whether the cheapest capable model is looked for where none is named.
    pub selector: bool,
    /// For a task of tier B that is neither long nor short, which model it would choose now; empty where it is off.
    pub choices: Vec<ChoiceLine>,
    /// The models, those that can be called first.
    pub models: Vec<ModelLine>,
    /// All breakers that have heard of a failure, also those of services that are no models.
    pub breakers: Vec<BreakerStatus>,
}

/// By what costs can be summed, by its word.
pub const COSTS_BY: [(&str, CostsBy); 5] = [
    ("day", CostsBy::Day),
    ("run", CostsBy::Run),
    ("agent", CostsBy::Agent),
    ("model", CostsBy::Model),
    ("tier", CostsBy::Tier),
];

impl Engine {
    /// What calls begun at or after `since` cost, by day, run, agent, model or tier; with a run, only its calls.
    ///
    /// # Errors
    /// [`EngineError::Store`], [`EngineError::Config`].
    pub async fn costs(
        self: &Arc<Self>,
        by: CostsBy,
        run: Option<RunId>,
        since: Timestamp,
    ) -> Result<Costs, EngineError> {
        let (settings, _) = self.configured().await?;
        let ledger = self.store.ledger();
        let lines = ledger.totals_by(by, run, since).await?;
        let total = match run {
            Some(run) => lines_total(&ledger.totals_by(CostsBy::Run, Some(run), since).await?),
            None => ledger.totals_since(since).await?,
        };
        let calls = ledger.calls(run, since, CALLS).await?;
        let budgets = settings.gateway.budgets;
        let (spent, everywhere) = self.spent(run).await?;
        Ok(Costs {
            by: COSTS_BY.iter().find(|(_, other)| *other == by).map_or("day", |(word, _)| word),
            lines: lines.iter().map(|(name, totals)| cost_line(name, totals)).collect(),
            total: cost_line("total", &total),
            calls: calls.into_iter().map(call_line).collect(),
            today: Today {
                spent_usd: spent.day_usd,
                everywhere,
                day_usd: budgets.day_usd,
                run_usd: budgets.run_usd,
                plan: budgets.plan.to_string(),
                plan_usd: budgets.plan_cap(),
                left_usd: budgets.remaining(&spent),
            },
        })
    }

    /// What a run and this day have spent, and whether the day is counted over all workspaces of the user.
    async fn spent(self: &Arc<Self>, run: Option<RunId>) -> Result<(Spent, bool), EngineError> {
        let (run, day) = (run.unwrap_or_else(RunId::new), day_start(self.clock.now()));
        let here = books::spent(&self.store.ledger().outlay(run, day).await?);
        Ok(match &self.purse().await.store {
            Some(user) => {
                (books::over_all(here, &books::spent(&user.ledger().outlay(run, day).await?)), true)
            }
            None => (here, false),
        })
    }

    /// The models that are known, which of them serves which tier and why, and how their breakers are.
    ///
    /// # Errors
    /// [`EngineError::Config`].
    pub async fn models(self: &Arc<Self>) -> Result<Models, EngineError> {
        let (settings, gateway) = self.configured().await?;
        if matches!(gateway.model_for(Tier::B), Err(GatewayError::NoProvider)) {
            gateway.find_local().await;
        }
        let breakers = gateway.breakers().await;
        let tiers = Tier::ALL.into_iter().enumerate().map(|(index, tier)| {
            let named = settings.gateway.tiers[index].is_some();
            match gateway.model_for(tier) {
                Ok(model) => TierLine {
                    tier: tier.as_str(),
                    why: if gateway.is_replay() {
                        "A transcript is replayed; no live model is asked.".to_owned()
                    } else if named {
                        "It is named for this tier.".to_owned()
                    } else if settings.gateway.provider.is_some() {
                        format!("{} is the chosen provider; this is its model for the tier.", model.provider)
                    } else {
                        format!(
                            "{} is the first provider that is set up; this is its model for the tier.",
                            model.provider
                        )
                    },
                    model: Some(model.to_string()),
                },
                Err(error) => TierLine { tier: tier.as_str(), model: None, why: error.to_string() },
            }
        });
        let models = gateway.models().into_iter().map(|listing| {
            let name = listing.model.to_string();
            let facts = listing.facts.as_ref();
            ModelLine {
                breaker: breakers.iter().find(|status| status.name == name).cloned(),
                model: name,
                configured: listing.configured,
                tiers: listing.tiers.iter().map(|tier| tier.as_str()).collect(),
                skill: listing.skill.as_str(),
                free: listing.free,
                input_usd: facts.map(|facts| facts.input),
                output_usd: facts.map(|facts| facts.output),
                context: facts.and_then(|facts| facts.context),
                can: facts
                    .and_then(|facts| facts.can.as_ref())
                    .map(|can| can.iter().map(|ability| ability.as_str()).collect()),
            }
        });
        let choices = if settings.selects(Tier::B) && !gateway.is_replay() {
            let (spent, _) = self.spent(None).await?;
            let remaining_usd = settings.gateway.budgets.remaining(&spent);
            Complexity::ALL
                .into_iter()
                .filter_map(|complexity| {
                    let need = Need {
                        complexity: Some(complexity),
                        input_tokens: USUAL_PROMPT,
                        output_tokens: u64::from(settings.max_output_tokens),
                        abilities: Vec::new(),
                        remaining_usd,
                        tier: Some(Tier::B),
                    };
                    let choice = gateway.choose(&need)?;
                    Some(ChoiceLine {
                        task: complexity.as_str(),
                        model: choice.model.to_string(),
                        why: choice.reason,
                    })
                })
                .collect()
        } else {
            Vec::new()
        };
        let (tiers, models) = (tiers.collect(), models.collect());
        Ok(Models { tiers, selector: settings.selector, choices, models, breakers })
    }
}

fn lines_total(lines: &[(String, Totals)]) -> Totals {
    lines.first().map(|(_, totals)| *totals).unwrap_or_default()
}

fn cost_line(name: &str, totals: &Totals) -> CostLine {
    CostLine {
        name: name.to_owned(),
        calls: totals.calls,
        open: totals.open,
        input_tokens: totals.input.saturating_add(totals.cache_read).saturating_add(totals.cache_write),
        output_tokens: totals.output,
        cost_usd: totals.cost_usd,
        reserved_usd: totals.reserved_usd,
        saved_usd: totals.saved_usd,
        unpriced: totals.unpriced,
        estimated: totals.estimated,
    }
}

fn call_line(line: LedgerLine) -> CallLine {
    CallLine {
        run: line.run,
        agent: line.agent,
        model: line.model,
        reason: line.reason,
        cost_usd: line.cost_usd,
        saved_usd: line.saved_usd,
        settled: line.settled_at.is_some(),
        at: line.at,
    }
}
