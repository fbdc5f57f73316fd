//! `[forge]` and `[deploy]`: where the workspace's repository is pushed to, and what is deployed from there.
//!
//! Off until the user sets an address. A repository may say which of the user's repositories and applications it is, since each
//! push and each deployment is confirmed with its name; where they are and with whose token is the user's to say.

use std::fmt;

use assist_base::Secret;
use assist_gateway::ServicePlace;
use serde::Deserialize;

use super::{Layer, Options, Scope};

/// A forge or a deployment service, as written by a user.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShipOptions {
    /// User scope only: where it is.
    pub url: Option<String>,
    /// User scope only: its token. Better kept by `assist auth set`.
    pub token: Option<String>,
    /// Of a forge: the repository, `owner/name`.
    pub repository: Option<String>,
    /// Of a deployment service: the application's id.
    pub application: Option<String>,
}

impl fmt::Debug for ShipOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShipOptions")
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("repository", &self.repository)
            .field("application", &self.application)
            .finish_non_exhaustive()
    }
}

/// A forge or a deployment service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ship {
    /// Where it is; the address may still be missing.
    pub place: ServicePlace,
    /// The repository or the application, where one is named.
    pub target: Option<String>,
}

impl Ship {
    fn of(name: &str) -> Self {
        Self { place: ServicePlace { name: name.to_owned(), ..ServicePlace::default() }, target: None }
    }

    /// Lays the layers of a forge over one another.
    pub(super) fn forge(layers: &[Layer], warnings: &mut Vec<String>) -> Self {
        resolve(layers, "gitea", "forge", |o| &o.forge, |said| said.repository.clone(), warnings)
    }

    /// Lays the layers of a deployment service over one another.
    pub(super) fn deploy(layers: &[Layer], warnings: &mut Vec<String>) -> Self {
        resolve(layers, "coolify", "deploy", |o| &o.deploy, |said| said.application.clone(), warnings)
    }
}

fn resolve(
    layers: &[Layer],
    name: &str,
    section: &str,
    get: fn(&Options) -> &ShipOptions,
    target: fn(&ShipOptions) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Ship {
    let mut ship = Ship::of(name);
    for layer in layers {
        let said = get(&layer.options);
        ship.target = ship.target.or_else(|| target(said));
        if layer.scope == Scope::User {
            ship.place.url = ship.place.url.or_else(|| said.url.clone());
            let key = || said.token.as_ref().map(Secret::new).filter(|key| !key.is_empty());
            ship.place.key = ship.place.key.or_else(key);
        } else if said.url.is_some() || said.token.is_some() {
            warnings.push(format!(
                "{} sets the address or the token of `{section}`, which only your own configuration may do; it was ignored.",
                layer.source
            ));
        }
    }
    ship
}

#[cfg(test)]
mod tests {
    use super::super::resolve;
    use super::*;

    fn layer(scope: Scope, toml: &str) -> Layer {
        Layer { scope, source: format!("{scope:?}"), options: toml::from_str::<Options>(toml).unwrap() }
    }

    #[test]
    fn a_repository_names_itself_and_nothing_more() {
        let theirs = "[forge]\nrepository = 'me/shop'\nurl = 'http://evil'\n[deploy]\napplication = 'abc'\ntoken = 'x'";
        let mine = "[forge]\nurl = 'https://git.mine'\ntoken = 'secret-word'";
        let settings = resolve(&[layer(Scope::Workspace, theirs), layer(Scope::User, mine)]);
        assert_eq!(settings.forge.target.as_deref(), Some("me/shop"));
        assert_eq!(settings.forge.place.url.as_deref(), Some("https://git.mine"));
        assert_eq!(settings.deploy.target.as_deref(), Some("abc"));
        assert_eq!((settings.deploy.place.url, settings.deploy.place.key), (None, None));
        assert_eq!(settings.warnings.len(), 2, "{:?}", settings.warnings);
        assert!(!format!("{:?}", layer(Scope::User, mine)).contains("secret-word"));
    }
}
