//! Where configuration comes from: flags, environment, the editor, the workspace's `assist.toml`, the user's
//! `config.toml`, and kept keys. The rules of which layer may say what are in `assist_agents::settings`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use assist_agents::{
    BudgetOptions, ConfigError, EmbeddingsOptions, Layer, OnFailure, Options, PipelineOptions, PlanPolicy,
    ProviderOptions, Scope, Settings, ShipOptions, TierOptions, WebOptions, Wiring, settings,
};
use assist_base::Secret;
use assist_gateway::{Catalogue, Plan, ServicePlace, Transcript, parse_usd, registry, service_info};
use assist_runtime::permission::Rule;

use crate::args::Global;
use crate::folders::{data_folder, user_folder};
use crate::{keys, queries, said};

/// The name of a workspace's configuration file.
pub const WORKSPACE_FILE: &str = "assist.toml";
/// The name of the user's configuration file, inside the configuration folder.
pub const USER_FILE: &str = "config.toml";
/// The name of the user's own model catalogue, beside it.
pub const CATALOGUE_FILE: &str = "models.toml";

/// Configuration of this process.
#[derive(Debug, Clone)]
pub struct Config {
    flags: Global,
}

impl Config {
    /// With the flags of the command line.
    pub fn new(flags: Global) -> Self {
        Self { flags }
    }

    /// The layers as they are now, strongest first.
    ///
    /// # Errors
    /// [`ConfigError`] where a file cannot be read or understood.
    pub fn layers(&self, root: &Path, editor: &Options) -> Result<Vec<Layer>, ConfigError> {
        let flags = Options {
            provider: self.flags.provider.clone(),
            model: self.flags.model.clone(),
            pipeline: PipelineOptions { on_failure: self.flags.on_failure, ..PipelineOptions::default() },
            ..Options::default()
        };
        let mut layers = vec![
            Layer { scope: Scope::User, source: "the command line".to_owned(), options: flags },
            Layer { scope: Scope::User, source: "the environment".to_owned(), options: environment()? },
            Layer {
                scope: Scope::Editor,
                source: "the editor's settings".to_owned(),
                options: editor.clone(),
            },
        ];
        let workspace = root.join(WORKSPACE_FILE);
        if let Some(options) = read(&workspace)? {
            layers.push(Layer { scope: Scope::Workspace, source: workspace.display().to_string(), options });
        }
        if let Some(user) = user_folder().map(|folder| folder.join(USER_FILE))
            && let Some(options) = read(&user)?
        {
            layers.push(Layer { scope: Scope::User, source: user.display().to_string(), options });
        }
        if self.flags.unattended {
            let pipeline =
                PipelineOptions { on_failure: Some(OnFailure::Keep), ..PipelineOptions::default() };
            let options = Options { pipeline, ..Options::default() };
            layers.push(Layer {
                scope: Scope::User,
                source: "nobody being there to ask".to_owned(),
                options,
            });
        }
        Ok(layers)
    }
}

impl Wiring for Config {
    fn ledger_folder(&self) -> Option<PathBuf> {
        data_folder()
    }

    fn notices(&self) -> Vec<String> {
        queries::load().to_vec()
    }

    fn settings(&self, root: &Path, editor: &Options) -> Result<Settings, ConfigError> {
        let mut settings = settings::resolve(&self.layers(root, editor)?);
        for info in registry() {
            let provider = settings.gateway.providers.entry(info.name.to_owned()).or_default();
            if provider.key.is_some() {
                let from_environment = info.key_var.is_some_and(|var| variable(var).is_some());
                let source = if from_environment { info.key_var.unwrap_or_default() } else { USER_FILE };
                provider.key_source = Some(source.to_owned());
            } else if let Some((key, source)) = keys::find(info.name)? {
                provider.key = Some(key);
                provider.key_source = Some(source);
            }
            if let Some(model) = info.model_var.and_then(variable) {
                provider.model = Some(model);
            }
        }
        if let Some(place) = &mut settings.web.search {
            complete(place)?;
        }
        complete(&mut settings.forge.place)?;
        complete(&mut settings.deploy.place)?;
        // A provider that nobody knows is kept, so that naming it leads to the sentence that lists the known ones.
        if let Some(file) = &self.flags.replay {
            settings.gateway.replay = Some(transcript(file)?);
        }
        settings.gateway.record.clone_from(&self.flags.record);
        settings.gateway.catalogue = catalogue(settings.catalogue.as_deref())?;
        let said = said::of(root)?;
        settings.commands.add_said(said.rules, said.network);
        Ok(settings)
    }

    fn remember_commands(&self, root: &Path, rules: &[Rule], network: bool) -> Result<(), ConfigError> {
        said::keep(root, rules, network)
    }

    fn waiting(&self, why: &str) {
        let _ = writeln!(std::io::stderr(), "assist: {why}");
    }
}

/// Adds what the environment says of a service, and its kept key.
fn complete(place: &mut ServicePlace) -> Result<(), ConfigError> {
    let Some(info) = service_info(&place.name) else { return Ok(()) };
    place.url = variable(info.url_var).or_else(|| place.url.take());
    let Some(key_var) = info.key_var else { return Ok(()) };
    if let Some(key) = variable(key_var) {
        place.key = Some(Secret::new(key));
        place.key_source = Some(key_var.to_owned());
    } else if place.key.is_some() {
        place.key_source = Some(USER_FILE.to_owned());
    } else if let Some((key, source)) = keys::find(info.name)? {
        place.key = Some(key);
        place.key_source = Some(source);
    }
    Ok(())
}

/// The model catalogue with the user's file over it: the one that is named, or else `models.toml` beside `config.toml`.
fn catalogue(named: Option<&Path>) -> Result<Option<Catalogue>, ConfigError> {
    let Some(folder) = user_folder() else { return Ok(None) };
    let file = named.map_or_else(|| folder.join(CATALOGUE_FILE), |named| folder.join(named));
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => return Ok(None),
        Err(error) => {
            return Err(ConfigError {
                message: format!("The model catalogue {} cannot be read: {error}.", file.display()),
                fix: "Correct `catalogue` in your config.toml, or make the file readable.".to_owned(),
            });
        }
    };
    Catalogue::built_in().overridden(&text).map(Some).map_err(|error| ConfigError {
        message: format!("{}: {error}.", file.display()),
        fix: format!("Correct {}.", file.display()),
    })
}

/// A recorded transcript.
///
/// # Errors
/// [`ConfigError`] where it cannot be read or is not one.
pub fn transcript(file: &Path) -> Result<Transcript, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
        message: format!("The transcript {} cannot be read: {error}.", file.display()),
        fix: "Name a file that was recorded for `--replay`.".to_owned(),
    })?;
    Transcript::parse(&text).map_err(|error| ConfigError {
        message: format!("{} is not a transcript: {error}.", file.display()),
        fix: "Name a file that was recorded for `--replay`.".to_owned(),
    })
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// An amount of money in a variable.
fn amount(name: &str) -> Result<Option<f64>, ConfigError> {
    variable(name).map(|text| parse_usd(&text)).transpose().map_err(|problem| ConfigError {
        message: format!("{name} cannot be used: {problem}."),
        fix: format!("Correct or unset {name}."),
    })
}

fn budget() -> Result<BudgetOptions, ConfigError> {
    let plan = variable("ASSIST_PLAN").map(|text| text.parse::<Plan>()).transpose();
    let cap = |plan: Plan| plan.cap_var().map_or(Ok(None), amount);
    Ok(BudgetOptions {
        plan: plan.map_err(|problem| ConfigError {
            message: format!("ASSIST_PLAN cannot be used: {problem}."),
            fix: "Correct or unset ASSIST_PLAN.".to_owned(),
        })?,
        run_usd: amount("ASSIST_RUN_CAP_USD")?,
        day_usd: amount("ASSIST_DAILY_CAP_USD")?,
        free_daily_cap_usd: cap(Plan::Free)?,
        pro_daily_cap_usd: cap(Plan::Pro)?,
        enterprise_daily_cap_usd: cap(Plan::Enterprise)?,
        refuse_unpriced: None,
    })
}

/// When plans are confirmed, where the environment says.
fn plan_card() -> Result<Option<PlanPolicy>, ConfigError> {
    let Some(word) = variable("ASSIST_PLAN_CARD") else { return Ok(None) };
    word.parse().map(Some).map_err(|error| ConfigError {
        message: format!("ASSIST_PLAN_CARD cannot be used: {error}."),
        fix: "Set ASSIST_PLAN_CARD to always, outside_selection or never.".to_owned(),
    })
}

/// A variable that turns something on or off.
fn switch(name: &str) -> Result<Option<bool>, ConfigError> {
    let Some(value) = variable(name) else { return Ok(None) };
    match value.to_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(Some(true)),
        "false" | "0" | "off" | "no" => Ok(Some(false)),
        _ => Err(unusable(name, &value, "true or false")),
    }
}

/// A variable that says something else.
fn parsed<T: std::str::FromStr>(name: &str, wanted: &str) -> Result<Option<T>, ConfigError> {
    let Some(value) = variable(name) else { return Ok(None) };
    value.parse().map(Some).map_err(|_| unusable(name, &value, wanted))
}

fn unusable(name: &str, value: &str, wanted: &str) -> ConfigError {
    ConfigError {
        message: format!("The variable {name} cannot be `{value}`."),
        fix: format!("Set {name} to {wanted}, or unset it."),
    }
}

fn environment() -> Result<Options, ConfigError> {
    let mut providers = BTreeMap::new();
    for info in registry() {
        let options = ProviderOptions {
            base_url: variable(info.base_url_var),
            api_key: info.key_var.and_then(variable),
        };
        if options.base_url.is_some() || options.api_key.is_some() {
            providers.insert(info.name.to_owned(), options);
        }
    }
    Ok(Options {
        provider: variable("ASSIST_PROVIDER"),
        model: variable("ASSIST_MODEL"),
        plan: plan_card()?,
        max_runs: parsed("ASSIST_MAX_RUNS", "a number from 1 to 1000")?,
        response_cache: switch("ASSIST_RESPONSE_CACHE")?,
        tiers: TierOptions {
            a: variable("TIER_A_MODEL"),
            b: variable("TIER_B_MODEL"),
            c: variable("TIER_C_MODEL"),
        },
        pipeline: PipelineOptions {
            sentinel: switch("ASSIST_PIPELINE_SENTINEL")?,
            ghost_fixer: switch("ASSIST_PIPELINE_GHOST_FIXER")?,
            chunking: switch("ASSIST_PIPELINE_CHUNKING")?,
            shadow: switch("ASSIST_PIPELINE_SHADOW")?,
            full_pipeline: switch("ASSIST_PIPELINE_FULL_PIPELINE")?,
            parallel: parsed("ASSIST_PIPELINE_PARALLEL", "a number from 1 to 8")?,
            on_failure: parsed("ASSIST_PIPELINE_ON_FAILURE", "ask, keep or restore")?,
        },
        providers,
        budget: budget()?,
        embeddings: EmbeddingsOptions {
            url: variable("ASSIST_EMBEDDINGS_URL"),
            model: variable("ASSIST_EMBEDDINGS_MODEL"),
            api_key: variable("ASSIST_EMBEDDINGS_KEY"),
            usd_per_million: amount("ASSIST_EMBEDDINGS_USD_PER_MILLION")?,
        },
        web: WebOptions {
            search: variable("ASSIST_WEB_SEARCH"),
            fetch: switch("ASSIST_WEB_FETCH")?,
            allow_private: switch("ASSIST_WEB_ALLOW_PRIVATE")?,
            ..WebOptions::default()
        },
        deploy: ShipOptions { application: variable("COOLIFY_APPLICATION"), ..ShipOptions::default() },
        ..Options::default()
    })
}

/// The options in `file`, or nothing where there is no such file.
fn read(file: &Path) -> Result<Option<Options>, ConfigError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(ConfigError {
                message: format!("{} cannot be read: {error}.", file.display()),
                fix: format!("Make {} readable, or move it away.", file.display()),
            });
        }
    };
    toml::from_str(&text).map(Some).map_err(|error| ConfigError {
        message: format!("{} cannot be used: {}", file.display(), sentence(&text, &error)),
        fix: format!("Correct that line of {}.", file.display()),
    })
}

/// What is wrong and in which line. The line itself is not repeated: it may hold a key.
fn sentence(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', " ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}.", 1 + before.matches('\n').count()),
        None => format!("{message}."),
    }
}

/// A key typed or piped in.
///
/// # Errors
/// One sentence when there is none, or it holds white space.
pub fn checked_key(typed: &str) -> Result<Secret, String> {
    let key = Secret::new(typed);
    if key.is_empty() {
        return Err("No key was given: type or paste it, or pipe it in.".to_owned());
    }
    if key.expose().chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("That is not a key: it holds white space.".to_owned());
    }
    Ok(key)
}
