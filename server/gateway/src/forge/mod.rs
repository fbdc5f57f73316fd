//! A forge: where repositories are kept. Nothing here is done by itself; the user sets a forge up and confirms each push.

mod gitea;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use assist_base::Secret;
use serde_json::Value;

use crate::service::{Service, ServiceInfo, ServicePlace};
use crate::{Gateway, GatewayError};

pub(crate) use gitea::INFO;

/// A repository as the forge tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRepository {
    /// `owner/name`.
    pub full_name: String,
    /// Its page.
    pub page: String,
    /// Whether only some can see it.
    pub private: bool,
    /// Whether it holds no commit yet.
    pub empty: bool,
}

/// A commit as the forge tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCommit {
    /// Its whole name.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// The author's name.
    pub author: String,
    /// When it was made, as the forge writes it (RFC 3339).
    pub at: String,
}

/// A repository that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewRepository<'a> {
    /// The organization it is for. None: the owner of the token.
    pub organization: Option<&'a str>,
    /// Its name.
    pub name: &'a str,
    /// Whether only some can see it.
    pub private: bool,
}

/// A forge that is set up.
#[derive(Clone)]
pub struct Forge {
    service: Service,
    token: Secret,
}

impl Gateway {
    /// The forge at `place`.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] where there is no forge of that name, [`GatewayError::NotConfigured`] where its token or
    /// its address is missing.
    pub fn forge(&self, place: &ServicePlace) -> Result<Forge, GatewayError> {
        if place.name != INFO.name {
            let message = format!("There is no forge called `{}`: choose {}.", place.name, INFO.name);
            return Err(GatewayError::Settings { message });
        }
        let service = Service::open(self, &INFO, place)?;
        Ok(Forge { service, token: place.key.clone().unwrap_or_else(|| Secret::new("")) })
    }
}

impl Forge {
    /// What to call it to people.
    pub fn info(&self) -> &'static ServiceInfo {
        &INFO
    }

    /// Where a repository is pushed to. Reckoned from the address that the user has set, never taken from an answer: the
    /// token goes there.
    pub fn push_address(&self, owner: &str, name: &str) -> String {
        self.service.address(&format!("/{owner}/{name}.git"))
    }

    /// The value of the `Authorization` header with which Git lets the owner of the token in.
    pub fn push_login(&self, login: &str) -> Secret {
        let login = STANDARD.encode(format!("{login}:{}", self.token.expose()));
        Secret::new(format!("Authorization: Basic {login}"))
    }
}

/// Whether this can be the name of an owner, a repository: what goes into an address as it is.
pub fn is_forge_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty()
        && name.len() <= 100
        && name.chars().all(fits)
        && !name.starts_with(['-', '.'])
        && !name.ends_with(".git")
        && !name.contains("..")
}

/// A member of an object as text; nothing where it is none.
fn member(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::is_forge_name;

    #[test]
    fn names_cannot_lead_elsewhere() {
        assert!(is_forge_name("my-shop_2.0"));
        for hostile in ["", "..", ".x", "-x", "a/b", "a b", "a?b", "a#b", "a%2f", "x.git", "é", "a..b"] {
            assert!(!is_forge_name(hostile), "{hostile}");
        }
    }
}
