//! Race mode: the same task given to several models or temperatures. It multiplies what a step costs, so only the user turns
//! it on.

use assist_gateway::Entrant;
use serde::{Deserialize, Deserializer};

use super::{Layer, Scope};

/// `[race]`, as written by a user.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RaceOptions {
    /// User scope only: the stages that race.
    pub stages: Option<Vec<RaceStage>>,
    /// User scope only: who takes part, two to eight.
    pub entrants: Option<Vec<EntrantOptions>>,
}

/// A stage that can race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RaceStage {
    /// The plan of a build.
    Architect,
    /// Each component of a build.
    Builder,
}

/// One that takes part.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntrantOptions {
    /// `provider/model` or a bare model name; none: the model of the tier.
    pub model: Option<String>,
    /// 0 to 2; none: the model's own.
    #[serde(deserialize_with = "temperature")]
    pub temperature: Option<f32>,
}

/// What races, resolved. Nothing unless the user says so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Race {
    /// The stages that race.
    pub stages: Vec<RaceStage>,
    /// Who takes part: two to eight where a stage races.
    pub entrants: Vec<Entrant>,
}

/// How many may take part.
const ENTRANTS: std::ops::RangeInclusive<usize> = 2..=8;

fn temperature<'de, D: Deserializer<'de>>(input: D) -> Result<Option<f32>, D::Error> {
    let Some(temperature) = Option::<f32>::deserialize(input)? else { return Ok(None) };
    if (0.0..=2.0).contains(&temperature) {
        Ok(Some(temperature))
    } else {
        Err(serde::de::Error::custom(format!("{temperature} is not a temperature from 0 to 2")))
    }
}

impl Race {
    /// Whether a stage races.
    pub fn is_on(&self, stage: RaceStage) -> bool {
        self.stages.contains(&stage)
    }

    pub(super) fn resolve(layers: &[Layer], warnings: &mut Vec<String>) -> Self {
        for layer in layers.iter().filter(|layer| layer.scope != Scope::User) {
            if layer.options.race != RaceOptions::default() {
                warnings.push(format!(
                    "{} sets `race`, which only your own configuration may do; it was ignored.",
                    layer.source
                ));
            }
        }
        let user =
            || layers.iter().filter(|layer| layer.scope == Scope::User).map(|layer| &layer.options.race);
        let stages = user().find_map(|race| race.stages.clone()).unwrap_or_default();
        let entrants = user().find_map(|race| race.entrants.clone()).unwrap_or_default();
        if !stages.is_empty() && !ENTRANTS.contains(&entrants.len()) {
            warnings.push(format!(
                "`race` needs {} to {} `entrants`; nothing races.",
                ENTRANTS.start(),
                ENTRANTS.end()
            ));
            return Self::default();
        }
        let entrants = entrants
            .into_iter()
            .map(|entrant| Entrant { model: entrant.model, temperature: entrant.temperature });
        Self { stages, entrants: entrants.collect() }
    }
}
