//! Which commands may run: rules that allow come from the user's own configuration alone, all others can only be stricter.
//!
//! An editor's settings count as the repository's here, since a repository can bring settings for an editor along.

use std::time::Duration;

use assist_runtime::confine::Limits;
use assist_runtime::permission::{Pattern, Rule, Rules, Verdict};
use serde::Deserialize;

use super::{Layer, Scope};

/// `[commands]`: patterns over the words of a command, such as `npm test` or `cargo test *`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandOptions {
    /// User scope only: these may run.
    pub allow: Vec<Pattern>,
    /// The user is asked each time.
    pub ask: Vec<Pattern>,
    /// These may not run.
    pub deny: Vec<Pattern>,
    /// User scope only: these may use the network, where they may run.
    pub network: Vec<Pattern>,
    /// After so many seconds a command is ended. Of several layers' the strongest counts, and none may raise the user's.
    pub timeout_seconds: Option<u64>,
    /// A command that has written so many megabytes in all is ended. As with the time, none may raise the user's.
    pub disk_megabytes: Option<u64>,
}

/// Which commands may run, by all layers together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// Whether a command may run at all.
    pub rules: Rules,
    /// Whether it may use the network: what is allowed here may.
    pub network: Rules,
    /// How long it may take.
    pub timeout: Duration,
    /// How many bytes it may write in all.
    pub disk: u64,
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            network: Rules::default(),
            timeout: TIMEOUT,
            disk: Limits::default().disk,
        }
    }
}

/// Installing what a project needs takes its time.
const TIMEOUT: Duration = Duration::from_secs(600);
const MEGABYTE: u64 = 1 << 20;

impl Commands {
    /// Adds what the user has said to questions in this workspace.
    pub fn add_said(
        &mut self,
        rules: impl IntoIterator<Item = Rule>,
        network: impl IntoIterator<Item = Rule>,
    ) {
        self.rules.add_user(rules);
        self.network.add_user(network);
    }

    pub(super) fn resolve(layers: &[Layer], warnings: &mut Vec<String>) -> Self {
        let mut commands = Self::default();
        let rules = |patterns: &[Pattern], verdict: Verdict| -> Vec<Rule> {
            patterns.iter().map(|pattern| Rule { pattern: pattern.clone(), verdict }).collect()
        };
        // The strongest of the user's own, and no more than any other says; at least 1.
        let bound = |usual: u64, said: fn(&CommandOptions) -> Option<u64>| {
            let of = |user: bool| {
                let layers = layers.iter().filter(move |layer| (layer.scope == Scope::User) == user);
                layers.filter_map(move |layer| said(&layer.options.commands))
            };
            let own = of(true).next().unwrap_or(usual);
            of(false).min().map_or(own, |theirs| theirs.min(own)).max(1)
        };
        commands.timeout = Duration::from_secs(bound(TIMEOUT.as_secs(), |said| said.timeout_seconds));
        commands.disk = bound(commands.disk / MEGABYTE, |said| said.disk_megabytes).saturating_mul(MEGABYTE);
        for layer in layers {
            let said = &layer.options.commands;
            let all = [
                rules(&said.deny, Verdict::Deny),
                rules(&said.ask, Verdict::Ask),
                rules(&said.allow, Verdict::Allow),
            ]
            .concat();
            if layer.scope == Scope::User {
                commands.rules.add_user(all);
                commands.network.add_user(rules(&said.network, Verdict::Allow));
                continue;
            }
            let mut wishes = commands.rules.add_repository(all);
            wishes.extend(rules(&said.network, Verdict::Allow));
            if !wishes.is_empty() {
                let wishes: Vec<String> = wishes.iter().map(|rule| format!("`{}`", rule.pattern)).collect();
                warnings.push(format!(
                    "{} allows commands ({}), which only your own configuration may do; that was ignored.",
                    layer.source,
                    wishes.join(", ")
                ));
            }
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use assist_runtime::command::Line;
    use assist_runtime::confine::Confinement;
    use assist_runtime::permission::Decision;

    use super::super::{Options, resolve};
    use super::*;

    fn layer(scope: Scope, toml: &str) -> Layer {
        Layer { scope, source: format!("{scope:?}"), options: toml::from_str::<Options>(toml).unwrap() }
    }

    fn decide(rules: &Rules, line: &str) -> Decision {
        rules.decide(&Line::Shell(line.to_owned()), &Confinement::Full)
    }

    #[test]
    fn only_the_user_allows_and_everyone_may_be_stricter() {
        let own = "[commands]\nallow = ['npm test', 'npm run *']\nnetwork = ['npm install *']\ntimeout_seconds = 60\ndisk_megabytes = 700";
        let theirs = "[commands]\nallow = ['rm *']\nnetwork = ['curl *']\ndeny = ['npm run deploy']\ntimeout_seconds = 900\ndisk_megabytes = 90000";
        for scope in [Scope::Workspace, Scope::Editor] {
            let settings = resolve(&[layer(scope, theirs), layer(Scope::User, own)]);
            let commands = &settings.commands;
            assert_eq!(decide(&commands.rules, "npm test && npm run lint"), Decision::Allow);
            assert!(matches!(decide(&commands.rules, "npm run deploy"), Decision::Deny { .. }));
            assert!(matches!(decide(&commands.rules, "rm x"), Decision::Ask { .. }));
            assert_eq!(decide(&commands.network, "npm install left-pad"), Decision::Allow);
            assert!(matches!(decide(&commands.network, "curl x"), Decision::Ask { .. }));
            assert_eq!((commands.timeout, commands.disk), (Duration::from_secs(60), 700 << 20));
            assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
            assert!(settings.warnings[0].contains("`rm *`, `curl *`"), "{:?}", settings.warnings);
        }
        let shorter =
            resolve(&[layer(Scope::Workspace, "[commands]\ntimeout_seconds = 5\ndisk_megabytes = 3")]);
        assert_eq!((shorter.commands.timeout, shorter.commands.disk), (Duration::from_secs(5), 3 << 20));
        assert_eq!(resolve(&[]).commands.disk, 10 << 30);
        assert!(toml::from_str::<Options>("[commands]\nallow = ['']").is_err());
    }
}
