//! What is known of models: prices, room, and which serves which tier. Data, in `models.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Tier, Usage};

/// What is known of one model. Prices are US dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFacts {
    /// The registry name of the provider.
    pub provider: String,
    /// The provider's name of the model, without a release date.
    pub name: String,
    /// Prompt tokens.
    pub input: f64,
    /// Output tokens.
    pub output: f64,
    /// Prompt tokens from the provider's cache.
    pub cache_read: f64,
    /// Prompt tokens into the provider's cache.
    pub cache_write: f64,
    /// How many tokens prompt and answer may have together.
    pub context: Option<u64>,
    /// How many tokens an answer may have.
    pub max_output: Option<u32>,
}

impl ModelFacts {
    /// What `usage` costs, in US dollars.
    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
    pub fn cost(&self, usage: &Usage) -> f64 {
        let part = |tokens: u64, price: f64| tokens as f64 * price / 1_000_000.0;
        part(usage.input, self.input)
            + part(usage.output, self.output)
            + part(usage.cache_read, self.cache_read)
            + part(usage.cache_write, self.cache_write)
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Defaults {
    a: String,
    b: String,
    c: String,
}

/// The table of models.
#[derive(Debug, Clone, Deserialize)]
pub struct Catalogue {
    defaults: BTreeMap<String, Defaults>,
    #[serde(rename = "model")]
    models: Vec<ModelFacts>,
}

impl Catalogue {
    /// The table that comes with the program.
    pub fn built_in() -> Self {
        toml::from_str(include_str!("models.toml")).expect("models.toml is part of the source and tested")
    }

    /// What is known of a model; a release date behind its name does not matter.
    pub fn facts(&self, provider: &str, model: &str) -> Option<&ModelFacts> {
        self.models.iter().find(|facts| facts.provider == provider && is_release_of(model, &facts.name))
    }

    /// Every model of the table.
    pub fn models(&self) -> &[ModelFacts] {
        &self.models
    }

    /// The model that serves `tier` at `provider`, where one is fixed.
    pub(crate) fn default_model(&self, provider: &str, tier: Tier) -> Option<&str> {
        let defaults = self.defaults.get(provider)?;
        Some(match tier {
            Tier::A => &defaults.a,
            Tier::B => &defaults.b,
            Tier::C => &defaults.c,
        })
    }
}

/// Whether `model` is `name`, or `name` with a date behind it (`-20251001`, `-2026-03-05`) or `-latest`.
fn is_release_of(model: &str, name: &str) -> bool {
    let Some(rest) = model.strip_prefix(name) else { return false };
    let Some(release) = rest.strip_prefix('-') else { return rest.is_empty() };
    release == "latest"
        || (release.len() >= 8 && release.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_prices_every_default_of_the_vendors_that_charge_by_token() {
        let catalogue = Catalogue::built_in();
        for provider in ["anthropic", "openai", "openrouter"] {
            for tier in Tier::ALL {
                let model = catalogue.default_model(provider, tier).unwrap();
                let facts = catalogue.facts(provider, model).unwrap_or_else(|| panic!("{provider}/{model}"));
                assert!(facts.input > 0.0 && facts.output > facts.input, "{facts:?}");
            }
        }
        for provider in catalogue.defaults.keys() {
            assert!(crate::provider_info(provider).is_some(), "{provider} is not in the registry");
        }
    }

    #[test]
    fn a_release_date_does_not_hide_the_price() {
        let catalogue = Catalogue::built_in();
        assert!(catalogue.facts("anthropic", "claude-haiku-4-5-20251001").is_some());
        assert!(catalogue.facts("openai", "gpt-5.4-2026-03-05").is_some());
        assert_eq!(catalogue.facts("openai", "gpt-5.4-pro"), None);
        assert_eq!(catalogue.facts("openai", "claude-haiku-4-5"), None);
    }

    #[test]
    fn cost_counts_each_kind_of_token_once() {
        let catalogue = Catalogue::built_in();
        let usage = Usage { input: 1_000_000, output: 100_000, cache_read: 1_000_000, ..Usage::default() };
        let cost = catalogue.facts("anthropic", "claude-sonnet-4-6").unwrap().cost(&usage);
        assert!((cost - 4.8).abs() < 1e-9, "{cost}");
    }
}
