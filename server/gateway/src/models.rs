//! What models there are to choose from: for `assist models`, and for the smart selector.

use crate::providers::{self, ollama, replay};
use crate::route::AUTO;
use crate::selector::{Candidate, allowed, choose};
use crate::{Choice, Complexity, Gateway, ModelFacts, ModelRef, Need, Tier};

/// A model, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelListing {
    /// Which.
    pub model: ModelRef,
    /// Context, longest answer, prices and abilities, where they are known.
    pub facts: Option<ModelFacts>,
    /// The hardest kind of task that it is trusted with.
    pub skill: Complexity,
    /// Whether its provider is configured, so that it can be called.
    pub configured: bool,
    /// Whether it costs nothing, because it runs on the user's own machine.
    pub free: bool,
    /// The tiers that it serves.
    pub tiers: Vec<Tier>,
}

impl Gateway {
    /// Every model that is known: those of the catalogue, those that serve a tier, and those of local servers that were
    /// found. Those that can be called come first.
    pub fn models(&self) -> Vec<ModelListing> {
        let inner = &self.inner;
        let route = inner.route();
        let serving: Vec<(Tier, ModelRef)> =
            Tier::ALL.into_iter().filter_map(|tier| Some((tier, self.model_for(tier).ok()?))).collect();
        let configured =
            |name: &str| providers::provider(name).is_some_and(|provider| route.configured(provider));
        let of_catalogue = inner
            .catalogue
            .models()
            .iter()
            .map(|facts| ModelRef { provider: facts.provider.clone(), model: facts.name.clone() });
        let local = inner
            .found_all(ollama::INFO.name)
            .into_iter()
            .map(|model| ModelRef { provider: ollama::INFO.name.to_owned(), model });
        let served = serving.iter().map(|(_, model)| model.clone());
        let real = |model: &ModelRef| model.model != AUTO && model.provider != replay::NAME;
        let mut models: Vec<ModelRef> = Vec::new();
        for model in of_catalogue.chain(local).chain(served.filter(real)) {
            let facts =
                |model: &ModelRef| inner.catalogue.facts(&model.provider, &model.model).map(|f| &f.name);
            // A dated name of a model that the catalogue has without its date is the same model.
            let known = models.iter().any(|other| {
                *other == model
                    || (other.provider == model.provider
                        && facts(&model).is_some_and(|name| *name == other.model))
            });
            if !known {
                models.push(model);
            }
        }
        let mut listings: Vec<ModelListing> = models
            .into_iter()
            .map(|model| {
                let facts = inner.catalogue.facts(&model.provider, &model.model);
                let serves = |other: &ModelRef| {
                    *other == model
                        || (other.provider == model.provider
                            && facts.is_some()
                            && inner.catalogue.facts(&other.provider, &other.model) == facts)
                };
                let tiers: Vec<Tier> =
                    serving.iter().filter(|(_, other)| serves(other)).map(|(tier, _)| *tier).collect();
                let skill = match (facts, tiers.last()) {
                    (Some(facts), _) => inner.catalogue.skill(facts),
                    // Who serves a tier is trusted with its tasks: the user said so.
                    (None, Some(Tier::A)) => Complexity::Simple,
                    (None, Some(Tier::C)) => Complexity::Complex,
                    (None, Some(Tier::B) | None) => Complexity::Moderate,
                };
                let free = model.provider == ollama::INFO.name;
                let configured = configured(&model.provider);
                ModelListing { facts: facts.cloned(), skill, configured, free, tiers, model }
            })
            .collect();
        listings.sort_by_key(|listing| !listing.configured);
        listings
    }

    /// The cheapest model that can do what is needed, among those that can be called and are no dearer than the model of
    /// the tier it belongs to; with a preferred provider, among its own. None where there is none.
    pub fn choose(&self, need: &Need) -> Option<Choice> {
        let preferred = self.inner.config.provider.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let candidates: Vec<Candidate> = self
            .models()
            .into_iter()
            .filter(|listing| listing.configured)
            .filter(|listing| {
                !listing.tiers.is_empty()
                    || preferred.is_none_or(|preferred| preferred == listing.model.provider)
            })
            .map(|listing| {
                let facts = listing.facts.as_ref();
                let room = need.input_tokens.saturating_add(need.output_tokens.min(1_024));
                let most = facts.map(|facts| {
                    let most = u64::from(facts.max_output.unwrap_or(u32::MAX));
                    facts.most(need.input_tokens, need.output_tokens.min(most))
                });
                Candidate {
                    skill: listing.skill,
                    most_usd: if listing.free { Some(0.0) } else { most },
                    fits: facts.and_then(|facts| facts.context).is_none_or(|context| room <= context),
                    able: facts.is_none_or(|facts| need.abilities.iter().all(|ability| facts.can(*ability))),
                    model: listing.model,
                }
            })
            .collect();
        let own = need.tier.and_then(|tier| self.model_for(tier).ok());
        choose(&allowed(candidates, own.as_ref()), need)
    }
}
