//! What is known of models: prices, room, abilities, and which serves which tier. Data, in `models.toml`; a file of the
//! user's own in the same form adds to it and overrides it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Complexity, Tier, Usage};

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
    /// Prompt tokens from the provider's cache. Absent: as fresh ones.
    #[serde(default)]
    pub cache_read: Option<f64>,
    /// Prompt tokens into the provider's cache. Absent: as fresh ones.
    #[serde(default)]
    pub cache_write: Option<f64>,
    /// How many tokens prompt and answer may have together.
    pub context: Option<u64>,
    /// How many tokens an answer may have.
    pub max_output: Option<u32>,
    /// The hardest kind of task that it is trusted with. Absent: as its provider's default models of a tier, else
    /// moderate.
    #[serde(default)]
    pub skill: Option<Complexity>,
    /// What it can do beside text. Absent: not known, so nothing is refused.
    #[serde(default)]
    pub can: Option<Vec<Ability>>,
    /// Prices of calls with long prompts.
    #[serde(default)]
    pub long: Option<LongPrompt>,
}

/// What a model may be able to do beside text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// Call tools.
    Tools,
    /// Look at pictures.
    Images,
    /// Answer in JSON that a schema allows.
    Json,
    /// Think before it answers.
    Thinking,
    /// Read what it has read before at a lower price.
    Cache,
}

impl Ability {
    /// The word in the file and in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Ability::Tools => "tools",
            Ability::Images => "images",
            Ability::Json => "json",
            Ability::Thinking => "thinking",
            Ability::Cache => "cache",
        }
    }
}

/// Prices of calls whose prompt has more than `above` tokens. US dollars per million tokens, for all of the call's tokens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongPrompt {
    /// Prompt tokens of any kind.
    pub above: u64,
    /// Prompt tokens.
    pub input: f64,
    /// Output tokens.
    pub output: f64,
    /// Prompt tokens from the provider's cache.
    pub cache_read: f64,
}

impl ModelFacts {
    /// What `usage` costs, in US dollars.
    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
    pub fn cost(&self, usage: &Usage) -> f64 {
        let part = |tokens: u64, price: f64| tokens as f64 * price / 1_000_000.0;
        let prompt = usage.input.saturating_add(usage.cache_read).saturating_add(usage.cache_write);
        let long = self.long.as_ref().filter(|long| prompt > long.above);
        let (input, output, cache_read, cache_write) = match long {
            Some(long) => (long.input, long.output, long.cache_read, long.input),
            None => (
                self.input,
                self.output,
                self.cache_read.unwrap_or(self.input),
                self.cache_write.unwrap_or(self.input),
            ),
        };
        part(usage.input, input)
            + part(usage.output, output)
            + part(usage.cache_read, cache_read)
            + part(usage.cache_write, cache_write)
    }

    /// The most that so many tokens can cost, whatever the provider's cache does.
    pub fn most(&self, input: u64, output: u64) -> f64 {
        let fresh = Usage { input, output, ..Usage::default() };
        self.cost(&fresh).max(self.cost(&Usage { input: 0, cache_write: input, ..fresh }))
    }

    /// What the provider's cache saved of `usage`, in US dollars; below zero when writing into it cost more.
    pub fn saved(&self, usage: &Usage) -> f64 {
        let prompt = usage.input + usage.cache_read + usage.cache_write;
        let fresh = Usage { input: prompt, cache_read: 0, cache_write: 0, ..*usage };
        self.cost(&fresh) - self.cost(usage)
    }

    /// Whether it can do something; unknown counts as yes.
    pub fn can(&self, ability: Ability) -> bool {
        self.can.as_ref().is_none_or(|abilities| abilities.contains(&ability))
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    a: String,
    b: String,
    c: String,
}

/// The table of models.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    #[serde(default)]
    defaults: BTreeMap<String, Defaults>,
    #[serde(rename = "model", default)]
    models: Vec<ModelFacts>,
}

/// A catalogue of the user's own that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model catalogue cannot be used: {0}")]
pub struct CatalogueError(String);

impl Default for Catalogue {
    fn default() -> Self {
        Self::built_in()
    }
}

impl Catalogue {
    /// The table that comes with the program.
    pub fn built_in() -> Self {
        toml::from_str(include_str!("models.toml")).expect("models.toml is part of the source and tested")
    }

    /// This table with a user's own over it, in the same form: entries of the same provider and name are replaced, others
    /// are added, and so are default models.
    ///
    /// # Errors
    /// One sentence that says where the file is wrong.
    pub fn overridden(&self, toml: &str) -> Result<Self, CatalogueError> {
        let own: Self = toml::from_str(toml).map_err(|error| CatalogueError(one_line(&error.to_string())))?;
        let mut catalogue = self.clone();
        for facts in own.models {
            let prices = [Some(facts.input), Some(facts.output), facts.cache_read, facts.cache_write];
            if prices.into_iter().flatten().any(|price| !price.is_finite() || price < 0.0) {
                return Err(CatalogueError(format!("a price of {} is not an amount", facts.name)));
            }
            if crate::provider_info(&facts.provider).is_none() {
                return Err(CatalogueError(crate::route::unknown(&facts.provider).to_string()));
            }
            let same = |known: &ModelFacts| known.provider == facts.provider && known.name == facts.name;
            match catalogue.models.iter_mut().find(|known| same(known)) {
                Some(known) => *known = facts,
                // Before the others: a name of the user's own is meant more exactly.
                None => catalogue.models.insert(0, facts),
            }
        }
        catalogue.defaults.extend(own.defaults);
        Ok(catalogue)
    }

    /// What is known of a model; a release date behind its name does not matter.
    pub fn facts(&self, provider: &str, model: &str) -> Option<&ModelFacts> {
        self.models.iter().find(|facts| facts.provider == provider && is_release_of(model, &facts.name))
    }

    /// Every model of the table.
    pub fn models(&self) -> &[ModelFacts] {
        &self.models
    }

    /// The hardest kind of task that a model is trusted with.
    pub fn skill(&self, facts: &ModelFacts) -> Complexity {
        let of_tier = |tier: Tier| {
            (self.default_model(&facts.provider, tier) == Some(&facts.name)).then_some(match tier {
                Tier::A => Complexity::Simple,
                Tier::B => Complexity::Moderate,
                Tier::C => Complexity::Complex,
            })
        };
        let tiers = Tier::ALL.into_iter().rev();
        facts.skill.or_else(|| tiers.into_iter().find_map(of_tier)).unwrap_or(Complexity::Moderate)
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

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

/// Whether `model` is `name`, or `name` with a date behind it (`-20251001`, `-2026-03-05`) or `-latest`.
fn is_release_of(model: &str, name: &str) -> bool {
    let Some(rest) = model.strip_prefix(name) else { return false };
    let Some(release) = rest.strip_prefix('-') else { return rest.is_empty() };
    release == "latest"
        || (release.len() >= 8 && release.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

#[cfg(test)]
mod tests;
