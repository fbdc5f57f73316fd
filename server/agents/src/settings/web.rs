//! `[web]`: whether Assist may search the web and read pages.
//!
//! Off until the user names a search: a question and an address tell a stranger something. What a repository says can only
//! turn it off. Pages are read where a search is set up, unless the user says otherwise.

use std::fmt;

use assist_base::Secret;
use assist_gateway::ServicePlace;
use serde::Deserialize;

use super::{Layer, Scope};

/// The word that turns searching off.
const OFF: &str = "off";

/// The web, as written by a user.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebOptions {
    /// The search: `searxng`, `brave`, `tavily`, or `off`. Anything but `off` in user scope only.
    pub search: Option<String>,
    /// User scope only: the search's address, where it is not its own.
    pub url: Option<String>,
    /// User scope only: the search's key. Better kept by `assist auth set`.
    pub api_key: Option<String>,
    /// Whether pages are read; `true` in user scope only.
    pub fetch: Option<bool>,
    /// User scope only: whether pages on this machine and in private networks may be read.
    pub allow_private: Option<bool>,
}

impl fmt::Debug for WebOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebOptions")
            .field("search", &self.search)
            .field("api_key", &self.api_key.as_ref().map(|_| "***"))
            .field("fetch", &self.fetch)
            .field("allow_private", &self.allow_private)
            .finish_non_exhaustive()
    }
}

/// What of the web may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Web {
    /// The search, where there is one.
    pub search: Option<ServicePlace>,
    /// Whether pages are read.
    pub fetch: bool,
    /// Also pages on this machine and in private networks.
    pub allow_private: bool,
}

impl Web {
    /// Lays the layers over one another.
    pub(super) fn resolve(layers: &[Layer], warnings: &mut Vec<String>) -> Self {
        let user: Vec<&WebOptions> = layers
            .iter()
            .filter(|layer| layer.scope == Scope::User)
            .map(|layer| &layer.options.web)
            .collect();
        let named = user.iter().find_map(|web| web.search.clone()).filter(|name| name != OFF);
        let mut search = named.map(|name| {
            // Where another layer speaks of another search, its address and its key are not this one's.
            let own = || user.iter().filter(|web| web.search.as_ref().is_none_or(|other| *other == name));
            let url = own().find_map(|web| web.url.clone());
            let key = own().find_map(|web| web.api_key.as_ref()).map(Secret::new);
            let key = key.filter(|key| !key.is_empty());
            ServicePlace { url, key, name: name.clone(), key_source: None }
        });
        let mut fetch = user.iter().find_map(|web| web.fetch).unwrap_or(search.is_some());
        for layer in layers.iter().filter(|layer| layer.scope != Scope::User) {
            let web = &layer.options.web;
            if web.search.as_deref() == Some(OFF) {
                search = None;
            }
            fetch &= web.fetch != Some(false);
            let more = web.search.as_deref().is_some_and(|name| name != OFF)
                || web.url.is_some()
                || web.api_key.is_some()
                || web.fetch == Some(true)
                || web.allow_private.is_some();
            if more {
                warnings.push(format!(
                    "{} sets `web`, which only your own configuration may do but for turning it off; it was ignored.",
                    layer.source
                ));
            }
        }
        let allow_private = user.iter().find_map(|web| web.allow_private).unwrap_or(false);
        Self { search, fetch, allow_private }
    }

    /// Whether any of it may be used.
    pub fn is_on(&self) -> bool {
        self.search.is_some() || self.fetch
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, resolve};
    use super::*;

    fn layer(scope: Scope, toml: &str) -> Layer {
        Layer { scope, source: format!("{scope:?}"), options: toml::from_str::<Options>(toml).unwrap() }
    }

    #[test]
    fn nothing_of_the_web_is_used_until_the_user_says_so() {
        assert_eq!(resolve(&[]).web, Web::default());
        let web = resolve(&[layer(Scope::User, "[web]\nsearch = 'brave'\napi_key = 'k'")]).web;
        assert_eq!(web.search.map(|place| place.name).as_deref(), Some("brave"));
        assert!(web.fetch && !web.allow_private);
        let only_pages = resolve(&[layer(Scope::User, "web.fetch = true")]).web;
        assert!(only_pages.fetch && only_pages.search.is_none());
        let only_search = resolve(&[layer(Scope::User, "web = { search = 'brave', fetch = false }")]).web;
        assert!(!only_search.fetch && only_search.search.is_some());
    }

    #[test]
    fn a_repository_only_turns_it_off() {
        let mine = || layer(Scope::User, "[web]\nsearch = 'searxng'\nurl = 'http://mine'");
        for theirs in [
            "search = 'brave'",
            "url = 'http://evil'",
            "api_key = 'x'",
            "fetch = true",
            "allow_private = true",
        ] {
            for scope in [Scope::Workspace, Scope::Editor] {
                let settings = resolve(&[layer(scope, &format!("[web]\n{theirs}")), mine()]);
                assert_eq!(settings.web, resolve(&[mine()]).web, "{theirs}");
                assert_eq!(settings.warnings.len(), 1, "{theirs}");
            }
        }
        let off = resolve(&[layer(Scope::Workspace, "web = { search = 'off', fetch = false }"), mine()]);
        assert!(!off.web.is_on() && off.warnings.is_empty(), "{:?}", off.warnings);
    }

    #[test]
    fn a_key_goes_to_the_search_it_is_for() {
        let settings = resolve(&[
            layer(Scope::User, "web.search = 'tavily'"),
            layer(Scope::User, "[web]\nsearch = 'searxng'\nurl = 'http://mine'\napi_key = 'secret-word'"),
        ]);
        let place = settings.web.search.unwrap();
        assert_eq!((place.name.as_str(), place.url, place.key), ("tavily", None, None));
        let options: Options = toml::from_str("[web]\napi_key = 'secret-word'").unwrap();
        assert!(!format!("{options:?}").contains("secret-word"));
    }
}
