//! How long a model is waited for. Only the user says so: a repository must not make every call fail, or hang.

use std::time::Duration;

use assist_gateway::Timeouts;
use serde::{Deserialize, Deserializer};

use super::{Layer, Scope};

/// `[timeouts]`, as written by a user: seconds, 1 to 86400.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutOptions {
    /// User scope only: for a connection.
    #[serde(deserialize_with = "seconds")]
    pub connect_seconds: Option<Duration>,
    /// User scope only: from the request to the answer's first event; five times as long for servers on this machine.
    #[serde(deserialize_with = "seconds")]
    pub first_token_seconds: Option<Duration>,
    /// User scope only: between two pieces of an answer; signs of life count as pieces.
    #[serde(deserialize_with = "seconds")]
    pub idle_seconds: Option<Duration>,
    /// User scope only: without anything new of the answer, whatever signs of life come.
    #[serde(deserialize_with = "seconds")]
    pub progress_seconds: Option<Duration>,
}

fn seconds<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    let Some(seconds) = Option::<u64>::deserialize(input)? else { return Ok(None) };
    if (1..=86_400).contains(&seconds) {
        Ok(Some(Duration::from_secs(seconds)))
    } else {
        Err(serde::de::Error::custom(format!("{seconds} is not a time from 1 to 86400 seconds")))
    }
}

impl TimeoutOptions {
    pub(super) fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// The user's times; where nothing is said, the gateway's own.
pub(super) fn resolve(layers: &[Layer]) -> Timeouts {
    let user =
        || layers.iter().filter(|layer| layer.scope == Scope::User).map(|layer| &layer.options.timeouts);
    let own = Timeouts::default();
    Timeouts {
        connect: user().find_map(|said| said.connect_seconds).unwrap_or(own.connect),
        first_token: user().find_map(|said| said.first_token_seconds).unwrap_or(own.first_token),
        idle: user().find_map(|said| said.idle_seconds).unwrap_or(own.idle),
        progress: user().find_map(|said| said.progress_seconds).unwrap_or(own.progress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Options, resolve};

    fn layer(scope: Scope, toml: &str) -> Layer {
        let options: Options = toml::from_str(toml).unwrap();
        Layer { scope, source: "assist.toml".to_owned(), options }
    }

    #[test]
    fn only_the_user_says_how_long_a_model_is_waited_for() {
        let settings = resolve(&[
            layer(Scope::User, "[timeouts]\nidle_seconds = 90"),
            layer(Scope::User, "[timeouts]\nidle_seconds = 5\nprogress_seconds = 30"),
            layer(Scope::Workspace, "[timeouts]\nfirst_token_seconds = 1"),
        ]);
        let timeouts = settings.gateway.timeouts;
        assert_eq!((timeouts.idle.as_secs(), timeouts.progress.as_secs()), (90, 30));
        assert_eq!(timeouts.first_token, Timeouts::default().first_token);
        assert!(settings.warnings[0].contains("assist.toml sets `timeouts`"), "{:?}", settings.warnings);
        for wrong in ["0", "86401", "-1", "'long'"] {
            assert!(toml::from_str::<Options>(&format!("[timeouts]\nidle_seconds = {wrong}")).is_err());
        }
    }
}
