//! Which model serves a call: what was asked for by name, else the tier's model, else a default by which providers are
//! configured.

use crate::providers::{self, Provider, ollama, replay};
use crate::{Catalogue, GatewayConfig, GatewayError, ModelRef, ProviderConfig, Tier, endpoint::Endpoint};

/// A model that the server is asked for at the first call.
pub(crate) const AUTO: &str = "auto";

/// What the choice depends on.
pub(crate) struct Route<'a> {
    pub config: &'a GatewayConfig,
    pub catalogue: &'a Catalogue,
    /// Whether Ollama was found on this machine without being configured.
    pub local_ollama: bool,
}

impl Route<'_> {
    pub(crate) fn model(&self, tier: Tier, named: Option<&str>) -> Result<ModelRef, GatewayError> {
        if self.config.replay.is_some() {
            return Ok(ModelRef { provider: replay::NAME.to_owned(), model: replay::MODEL.to_owned() });
        }
        let said =
            |name: Option<&str>| name.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        match said(named).or_else(|| said(self.config.tiers[tier.index()].as_deref())) {
            Some(name) => self.named(&name),
            None => {
                let provider = self.preferred()?;
                Ok(model(provider, self.default_model(provider, tier)))
            }
        }
    }

    /// The models to ask when `first`, which serves `tier`, does not answer.
    pub(crate) fn fallbacks(&self, tier: Tier, first: &ModelRef) -> Vec<ModelRef> {
        if let Some(named) = &self.config.fallbacks {
            let models = named[tier.index()].iter().filter_map(|name| self.named(name.trim()).ok());
            return models.filter(|model| model != first).collect();
        }
        let home = providers::provider(&first.provider).is_some_and(|provider| self.is_local(provider));
        let others = providers::all().iter().copied().filter(|provider| {
            provider.info().name != first.provider
                && self.configured(*provider)
                // What runs on the user's own machine may do so because the code must not leave it.
                && (!home || self.is_local(*provider))
        });
        let models = others.map(|provider| model(provider, self.default_model(provider, tier)));
        models.filter(|model| model.model != AUTO).collect()
    }

    fn is_local(&self, provider: &dyn Provider) -> bool {
        provider.endpoint(self.settings(provider)).is_ok_and(|endpoint| endpoint.is_local())
    }

    /// Whether enough is known of a provider to call it.
    pub(crate) fn configured(&self, provider: &dyn Provider) -> bool {
        let info = provider.info();
        let config = self.settings(provider);
        if config.and_then(|config| config.key.as_ref()).is_some_and(|key| !key.is_empty()) {
            return info.default_base_url.is_some() || base_url(config).is_some();
        }
        if info.name == ollama::INFO.name && self.local_ollama {
            return true;
        }
        // A server at an address of one's own may need no key.
        base_url(config).is_some() && !self.at_home(provider)
    }

    /// Whether a provider is at its vendor's own address.
    fn at_home(&self, provider: &dyn Provider) -> bool {
        let info = provider.info();
        if !info.needs_key {
            return false;
        }
        let Some(default) = info.default_base_url else { return false };
        let home = Endpoint::parse(info.name, default, provider.layout(), None);
        match (home, provider.endpoint(self.settings(provider))) {
            (Ok(home), Ok(here)) => home.same_host(&here),
            _ => false,
        }
    }

    fn settings(&self, provider: &dyn Provider) -> Option<&ProviderConfig> {
        self.config.providers.get(provider.info().name)
    }

    /// The provider that serves what names none.
    fn preferred(&self) -> Result<&'static dyn Provider, GatewayError> {
        match self.config.provider.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => self.ready(providers::provider(name).ok_or_else(|| unknown(name))?),
            None => {
                let mut configured = providers::all().iter().copied().filter(|it| self.configured(*it));
                configured.next().ok_or(GatewayError::NoProvider)
            }
        }
    }

    fn ready(&self, provider: &'static dyn Provider) -> Result<&'static dyn Provider, GatewayError> {
        if self.configured(provider) {
            return Ok(provider);
        }
        let info = provider.info();
        Err(GatewayError::NotConfigured { provider: info.name.to_owned(), fix: info.setup_fix() })
    }

    fn default_model(&self, provider: &dyn Provider, tier: Tier) -> &str {
        let own = self.settings(provider).and_then(|config| config.model.as_deref()).map(str::trim);
        if let Some(own) = own.filter(|model| !model.is_empty()) {
            return own;
        }
        let keyed =
            self.settings(provider).and_then(|config| config.key.as_ref()).is_some_and(|key| !key.is_empty());
        match self.catalogue.default_model(provider.info().name, tier) {
            // Someone's own server without a key has its own models, not the vendor's.
            Some(default) if keyed || self.at_home(provider) => default,
            _ => AUTO,
        }
    }

    /// `provider/model`, or a bare model name, whose own slashes are those of a model's maker.
    fn named(&self, name: &str) -> Result<ModelRef, GatewayError> {
        let Some((first, rest)) = name.split_once('/') else { return self.bare(name) };
        if let Some(provider) = providers::provider(first) {
            if self.configured(provider) {
                return Ok(model(provider, rest));
            }
            // `openai/gpt-oss-120b` is also what NIM and OpenRouter call a model.
            return match self.preferred() {
                Ok(preferred) if has_makers(preferred) => Ok(model(preferred, name)),
                _ => self.ready(provider).map(|provider| model(provider, rest)),
            };
        }
        match self.preferred()? {
            preferred if has_makers(preferred) => Ok(model(preferred, name)),
            _ => Err(unknown(first)),
        }
    }

    fn bare(&self, name: &str) -> Result<ModelRef, GatewayError> {
        let preferred = self.preferred()?;
        if self.config.provider.is_none() {
            let vendor = match name {
                _ if name.starts_with("claude-") => Some("anthropic"),
                _ if name.starts_with("gpt-") => Some("openai"),
                _ if name.starts_with("gemini-") => Some("gemini"),
                _ => None,
            };
            let vendor = vendor.and_then(providers::provider).filter(|it| self.configured(*it));
            if let Some(vendor) = vendor {
                return Ok(model(vendor, name));
            }
        }
        Ok(model(preferred, name))
    }
}

/// Whether a provider's models are named `maker/model`.
fn has_makers(provider: &dyn Provider) -> bool {
    !matches!(provider.info().name, "anthropic" | "openai" | "gemini")
}

fn base_url(config: Option<&ProviderConfig>) -> Option<&str> {
    config.and_then(|config| config.base_url.as_deref()).filter(|url| !url.trim().is_empty())
}

fn model(provider: &dyn Provider, model: &str) -> ModelRef {
    ModelRef { provider: provider.info().name.to_owned(), model: model.to_owned() }
}

pub(crate) fn unknown(name: &str) -> GatewayError {
    let known = providers::registry().map(|info| info.name).collect::<Vec<_>>().join(", ");
    let name = name.chars().filter(|c| !c.is_control()).take(60).collect();
    GatewayError::UnknownProvider { name, known }
}

#[cfg(test)]
mod tests;
