//! What users may set, and how the layers are laid over one another.
//!
//! `Options` arrive from users (each field may be absent), `Settings` are resolved. Strongest first: command-line flags,
//! environment, editor settings, the workspace's `assist.toml`, the user's `config.toml`. Keys and base URLs are taken
//! from the environment and the user's file only: a cloned repository cannot point Assist at another server. Nor can it
//! raise a budget: see `spending`.

mod checks;
mod commands;
mod git;
mod pipeline;
mod race;
mod ship;
mod spending;
mod timeouts;
mod web;

use std::collections::BTreeMap;
use std::path::PathBuf;

use assist_base::Secret;
use assist_gateway::{GatewayConfig, ProviderConfig, Tier};
use serde::{Deserialize, Serialize};

pub use checks::{CheckOptions, Checks, ConfiguredCheck};
pub use commands::{CommandOptions, Commands};
pub use git::{CommitBranch, GitOptions};
pub use pipeline::{OnFailure, Pipeline, PipelineOptions};
pub use race::{EntrantOptions, Race, RaceOptions, RaceStage};
pub use ship::{Ship, ShipOptions};
pub use spending::{BudgetOptions, LimitOptions};
pub use timeouts::TimeoutOptions;
pub use web::{Web, WebOptions};

/// How a verified change reaches the user's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplyMode {
    /// At once; one undo step takes it back.
    #[default]
    Direct,
    /// After the user said yes to its diff.
    Preview,
}

/// When a plan is shown and confirmed before anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanPolicy {
    /// Before every change, also of a selection.
    Always,
    /// Before what goes beyond the file or the selection that was asked about.
    #[default]
    OutsideSelection,
    /// Plans are carried out at once. User scope only: a repository cannot confirm for its user.
    Never,
}

impl std::str::FromStr for PlanPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "always" => Ok(Self::Always),
            "outside_selection" => Ok(Self::OutsideSelection),
            "never" => Ok(Self::Never),
            _ => Err(format!("`{text}` is none of always, outside_selection and never")),
        }
    }
}

/// One layer of configuration, as written by a user.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The preferred provider.
    pub provider: Option<String>,
    /// Model for editing and answering: `model` or `provider/model`. Short for `tiers.b`.
    pub model: Option<String>,
    /// Models by tier.
    pub tiers: TierOptions,
    /// How changes are applied.
    pub apply: Option<ApplyMode>,
    /// When a plan is confirmed first.
    pub plan: Option<PlanPolicy>,
    /// Whether talks are looked through for what is worth remembering.
    pub remember: Option<bool>,
    /// Upper bound for one answer, in tokens.
    pub max_output_tokens: Option<u32>,
    /// How many runs of one process work at once.
    pub max_runs: Option<usize>,
    /// The stages of a run, each of which can be turned off.
    pub pipeline: PipelineOptions,
    /// User scope only: what is given to several models at once.
    pub race: RaceOptions,
    /// User scope only: how to reach the providers.
    pub providers: BTreeMap<String, ProviderOptions>,
    /// Which commands may run.
    pub commands: CommandOptions,
    /// Which checks run when the work is done.
    pub checks: CheckOptions,
    /// How work is committed, where the user wants it.
    pub git: GitOptions,
    /// What may be spent.
    pub budget: BudgetOptions,
    /// How often providers may be asked, by name.
    pub limits: BTreeMap<String, LimitOptions>,
    /// User scope only: how long a model is waited for.
    pub timeouts: TimeoutOptions,
    /// Models to ask when a tier's model does not answer, in this order.
    pub fallbacks: Option<FallbackOptions>,
    /// Whether the cheapest model that can do a task is looked for, where none is named for its tier. None: while a budget
    /// holds.
    pub selector: Option<bool>,
    /// Whether an answer to exactly the same question of a stage is used again.
    pub response_cache: Option<bool>,
    /// User scope only: a file that adds to the model catalogue and overrides it.
    pub catalogue: Option<PathBuf>,
    /// User scope only: where recall gets its embeddings.
    pub embeddings: EmbeddingsOptions,
    /// What of the web may be used.
    pub web: WebOptions,
    /// Where the repository is pushed to.
    pub forge: ShipOptions,
    /// What is deployed.
    pub deploy: ShipOptions,
}

/// Models to ask in place of a tier's, each `provider/model`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FallbackOptions {
    /// For cheap work.
    pub a: Vec<String>,
    /// For ordinary work.
    pub b: Vec<String>,
    /// For hard work.
    pub c: Vec<String>,
}

/// An endpoint for embeddings.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddingsOptions {
    /// Where it is: an address with OpenAI's `/embeddings` below it, or an Ollama.
    pub url: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Its key, where it needs one.
    pub api_key: Option<String>,
    /// What a million tokens cost, in US dollars. Nothing on this machine; elsewhere, without it, the price is not known.
    pub usd_per_million: Option<f64>,
}

impl std::fmt::Debug for EmbeddingsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.api_key.as_ref().map(|_| "***");
        f.debug_struct("EmbeddingsOptions")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("api_key", &key)
            .finish()
    }
}

impl EmbeddingsOptions {
    fn any(&self) -> bool {
        self.url.is_some() || self.model.is_some() || self.api_key.is_some() || self.usd_per_million.is_some()
    }
}

/// An endpoint for embeddings that is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Where it is.
    pub url: String,
    /// The model.
    pub model: String,
    /// Its key, where it has one.
    pub key: Option<Secret>,
    /// What a million tokens cost, in US dollars, where the user says so.
    pub usd_per_million: Option<f64>,
}

/// Models by tier, each `model` or `provider/model`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TierOptions {
    /// Cheap work.
    pub a: Option<String>,
    /// Assist itself and ordinary work.
    pub b: Option<String>,
    /// Hard work.
    pub c: Option<String>,
}

impl TierOptions {
    fn any(&self) -> bool {
        self.a.is_some() || self.b.is_some() || self.c.is_some()
    }
}

/// How to reach one provider.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderOptions {
    /// Where its API is.
    pub base_url: Option<String>,
    /// Its key. Better kept by `assist auth set`.
    pub api_key: Option<String>,
}

impl std::fmt::Debug for ProviderOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.api_key.as_ref().map(|_| "***");
        f.debug_struct("ProviderOptions").field("base_url", &self.base_url).field("api_key", &key).finish()
    }
}

/// Who wrote a layer, which decides what it may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Flags, environment and the user's own file.
    User,
    /// The editor's settings, which a workspace can set too.
    Editor,
    /// A file in the repository.
    Workspace,
}

/// A layer and where it came from.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Who wrote it.
    pub scope: Scope,
    /// What to call it in messages: a file name, `environment`, `flags`.
    pub source: String,
    /// What it says.
    pub options: Options,
}

/// Everything resolved.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How changes are applied.
    pub apply: ApplyMode,
    /// When a plan is confirmed first.
    pub plan: PlanPolicy,
    /// Whether talks are looked through for what is worth remembering.
    pub remember: bool,
    /// Upper bound for one answer, in tokens.
    pub max_output_tokens: u32,
    /// How many runs of one process work at once: 1 to 1000. The others wait for their turn.
    pub max_runs: usize,
    /// The stages of a run.
    pub pipeline: Pipeline,
    /// Which commands may run.
    pub commands: Commands,
    /// Which checks run when the work is done.
    pub checks: Checks,
    /// What is given to several models at once.
    pub race: Race,
    /// Where work is committed, where the user wants it.
    pub commit_on: CommitBranch,
    /// What the gateway needs.
    pub gateway: GatewayConfig,
    /// Whether the cheapest model that can do a task is looked for, where none is named for its tier.
    pub selector: bool,
    /// Whether an answer to exactly the same question of a stage is used again.
    pub response_cache: bool,
    /// The user's file over the model catalogue; whoever resolves the layers reads it.
    pub catalogue: Option<PathBuf>,
    /// Where recall gets its embeddings.
    pub embeddings: Option<Embeddings>,
    /// What of the web may be used.
    pub web: Web,
    /// Where the repository is pushed to.
    pub forge: Ship,
    /// What is deployed.
    pub deploy: Ship,
    /// One sentence for everything that was said in a place where it does not count.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Whether the model of a call of this tier is chosen by how hard the task is. One that the user named is meant.
    pub fn selects(&self, tier: Tier) -> bool {
        let place = Tier::ALL.iter().position(|other| *other == tier);
        self.selector && place.and_then(|place| self.gateway.tiers.get(place)).is_none_or(Option::is_none)
    }
}

impl Default for Settings {
    /// Where nobody has said anything.
    fn default() -> Self {
        resolve(&[])
    }
}

/// The default upper bound for one answer: a component is under 150 lines, an answer rarely holds more than a few.
pub const DEFAULT_MAX_OUTPUT_TOKENS: u32 = 8_192;

/// How many runs work at once where nobody says otherwise.
pub const DEFAULT_MAX_RUNS: usize = 50;

/// Lays `layers` over one another, strongest first.
pub fn resolve(layers: &[Layer]) -> Settings {
    let first = |get: fn(&Options) -> Option<&String>| layers.iter().find_map(|l| get(&l.options)).cloned();
    let mut warnings = Vec::new();
    let mut providers: BTreeMap<String, ProviderConfig> = BTreeMap::new();
    for layer in layers {
        if layer.options.providers.is_empty() {
            continue;
        }
        if layer.scope != Scope::User {
            warnings.push(format!(
                "{} sets `providers`, which only your own configuration may do; it was ignored.",
                layer.source
            ));
            continue;
        }
        for (name, options) in &layer.options.providers {
            let entry = providers.entry(name.clone()).or_default();
            if entry.base_url.is_none() {
                entry.base_url.clone_from(&options.base_url);
            }
            if entry.key.is_none() {
                entry.key = options.api_key.as_ref().map(Secret::new).filter(|key| !key.is_empty());
            }
        }
    }
    for layer in layers.iter().filter(|layer| layer.scope != Scope::User) {
        for (name, said) in [
            ("catalogue", layer.options.catalogue.is_some()),
            ("embeddings", layer.options.embeddings.any()),
            ("timeouts", layer.options.timeouts.any()),
        ] {
            if said {
                warnings.push(format!(
                    "{} sets `{name}`, which only your own configuration may do; it was ignored.",
                    layer.source
                ));
            }
        }
    }
    let user = || layers.iter().filter(|layer| layer.scope == Scope::User).map(|layer| &layer.options);
    let budgets = spending::budgets(layers, &mut warnings);
    let web = Web::resolve(layers, &mut warnings);
    let forge = Ship::forge(layers, &mut warnings);
    let deploy = Ship::deploy(layers, &mut warnings);
    let fallbacks = layers.iter().find_map(|l| l.options.fallbacks.clone());
    let price = user().find_map(|o| o.embeddings.usd_per_million);
    let embeddings = embeddings(
        user().find_map(|o| o.embeddings.url.clone()),
        user().find_map(|o| o.embeddings.model.clone()),
        user().find_map(|o| o.embeddings.api_key.as_ref()),
        price.filter(|price| price.is_finite() && *price >= 0.0),
        &mut warnings,
    );
    let tier_b = layers.iter().find_map(|l| l.options.model.clone().or_else(|| l.options.tiers.b.clone()));
    let gateway = GatewayConfig {
        providers,
        tiers: [first(|o| o.tiers.a.as_ref()), tier_b, first(|o| o.tiers.c.as_ref())],
        provider: first(|o| o.provider.as_ref()),
        budgets,
        limits: spending::limits(layers),
        timeouts: timeouts::resolve(layers),
        fallbacks: fallbacks.map(|said| [said.a, said.b, said.c]),
        ..GatewayConfig::default()
    };
    Settings {
        apply: layers.iter().find_map(|l| l.options.apply).unwrap_or_default(),
        plan: plan(layers, &mut warnings),
        remember: layers.iter().find_map(|l| l.options.remember).unwrap_or(true),
        max_output_tokens: layers
            .iter()
            .find_map(|l| l.options.max_output_tokens)
            .unwrap_or(DEFAULT_MAX_OUTPUT_TOKENS),
        max_runs: layers
            .iter()
            .find_map(|l| l.options.max_runs)
            .map_or(DEFAULT_MAX_RUNS, |most| most.clamp(1, 1000)),
        selector: layers.iter().find_map(|l| l.options.selector).unwrap_or(budgets.any()),
        response_cache: layers.iter().find_map(|l| l.options.response_cache).unwrap_or(true),
        catalogue: user().find_map(|o| o.catalogue.clone()),
        embeddings,
        web,
        forge,
        deploy,
        pipeline: Pipeline::resolve(layers),
        commands: Commands::resolve(layers, &mut warnings),
        checks: Checks::resolve(layers),
        race: Race::resolve(layers, &mut warnings),
        commit_on: layers.iter().find_map(|l| l.options.git.branch).unwrap_or_default(),
        gateway,
        warnings,
    }
}

fn embeddings(
    url: Option<String>,
    model: Option<String>,
    key: Option<&String>,
    usd_per_million: Option<f64>,
    warnings: &mut Vec<String>,
) -> Option<Embeddings> {
    match (url, model) {
        (Some(url), Some(model)) => {
            let key = key.map(Secret::new).filter(|key| !key.is_empty());
            Some(Embeddings { url, model, key, usd_per_million })
        }
        (None, None) => None,
        _ => {
            warnings
                .push("`embeddings` needs both `url` and `model`; recall goes on by words alone.".to_owned());
            None
        }
    }
}

/// The strongest word on plans. What a repository can write may ask for more plans, not for fewer.
fn plan(layers: &[Layer], warnings: &mut Vec<String>) -> PlanPolicy {
    for layer in layers {
        match layer.options.plan {
            Some(PlanPolicy::Never) if layer.scope != Scope::User => warnings.push(format!(
                "{} sets `plan` to `never`, which only your own configuration may do; it was ignored.",
                layer.source
            )),
            Some(policy) => return policy,
            None => {}
        }
    }
    PlanPolicy::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(scope: Scope, toml: &str) -> Layer {
        Layer { scope, source: format!("{scope:?}"), options: toml::from_str(toml).unwrap() }
    }

    #[test]
    fn the_strongest_layer_that_says_something_counts() {
        let settings = resolve(&[
            layer(Scope::User, "model = 'flag'"),
            layer(Scope::Workspace, "model = 'repo'\napply = 'preview'\ntiers.a = 'small'"),
            layer(Scope::User, "apply = 'direct'\nprovider = 'openai'"),
        ]);
        assert_eq!(settings.gateway.tiers, [Some("small".into()), Some("flag".into()), None]);
        assert_eq!(settings.apply, ApplyMode::Preview);
        assert_eq!(settings.gateway.provider.as_deref(), Some("openai"));
        assert!(settings.warnings.is_empty());
    }

    #[test]
    fn a_repository_cannot_point_assist_at_another_server() {
        for scope in [Scope::Workspace, Scope::Editor] {
            let settings = resolve(&[
                layer(scope, "[providers.anthropic]\nbase_url = 'http://evil.example'\napi_key = 'x'"),
                layer(Scope::User, "[providers.anthropic]\napi_key = 'mine'"),
            ]);
            let provider = &settings.gateway.providers["anthropic"];
            assert_eq!(provider.base_url, None);
            assert_eq!(provider.key.as_ref().map(Secret::expose), Some("mine"));
            assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
        }
    }

    #[test]
    fn a_repository_cannot_confirm_plans_for_its_user() {
        let plan = |scope, value: &str| {
            let settings = resolve(&[layer(scope, &format!("plan = '{value}'"))]);
            (settings.plan, settings.warnings.len())
        };
        assert_eq!(plan(Scope::User, "never"), (PlanPolicy::Never, 0));
        assert_eq!(plan(Scope::Workspace, "always"), (PlanPolicy::Always, 0));
        for scope in [Scope::Workspace, Scope::Editor] {
            assert_eq!(plan(scope, "never"), (PlanPolicy::OutsideSelection, 1));
        }
    }

    #[test]
    fn every_stage_is_on_until_a_layer_turns_it_off() {
        assert_eq!(resolve(&[]).pipeline, Pipeline::default());
        let settings = resolve(&[
            layer(Scope::User, "pipeline.chunking = true\npipeline.parallel = 99"),
            layer(Scope::Workspace, "[pipeline]\nsentinel = false\nchunking = false\non_failure = 'restore'"),
        ]);
        let expected =
            Pipeline { sentinel: false, parallel: 8, on_failure: OnFailure::Restore, ..Pipeline::default() };
        assert_eq!(settings.pipeline, expected);
        assert!(toml::from_str::<Options>("pipeline.ghostfixer = false").is_err());
    }

    #[test]
    fn only_the_user_has_models_race() {
        let race = "[race]\nstages = ['architect']\nentrants = [{ temperature = 0.2 }, { model = 'openai/gpt-5.4' }]";
        let on = resolve(&[layer(Scope::User, race)]).race;
        assert!(on.is_on(RaceStage::Architect) && !on.is_on(RaceStage::Builder));
        assert_eq!((on.entrants.len(), on.entrants[1].model.as_deref()), (2, Some("openai/gpt-5.4")));
        for scope in [Scope::Workspace, Scope::Editor] {
            let settings = resolve(&[layer(scope, race)]);
            assert_eq!((settings.race, settings.warnings.len()), (Race::default(), 1));
        }
        let settings = resolve(&[layer(Scope::User, "[race]\nstages = ['builder']\nentrants = [{}]")]);
        assert_eq!((settings.race, settings.warnings.len()), (Race::default(), 1));
        for wrong in ["stages = ['linter']", "entrants = [{ temperature = 3.0 }]", "entrant = []"] {
            assert!(toml::from_str::<Options>(&format!("[race]\n{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn at_least_one_run_may_always_work() {
        let most = |layers: &[Layer]| resolve(layers).max_runs;
        assert_eq!(most(&[]), DEFAULT_MAX_RUNS);
        assert_eq!(most(&[layer(Scope::User, "max_runs = 0")]), 1);
        assert_eq!(most(&[layer(Scope::Workspace, "max_runs = 8"), layer(Scope::User, "max_runs = 3")]), 8);
    }

    #[test]
    fn a_misspelt_setting_is_an_error() {
        assert!(toml::from_str::<Options>("modell = 'x'").unwrap_err().message().contains("modell"));
    }

    #[test]
    fn options_do_not_print_keys() {
        let options: Options = toml::from_str("[providers.openai]\napi_key = 'sk-secret'").unwrap();
        assert!(!format!("{options:?}").contains("sk-secret"));
    }
}
