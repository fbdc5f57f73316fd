//! Which checks run when the work is done.

use serde::Deserialize;

use super::{Layer, Scope};

/// `[checks]`, as written by a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckOptions {
    /// Whether the project's checks run at the end of planned work and of builds.
    pub at_end: Option<bool>,
    /// Whether checks are looked for in the project's files.
    pub detect: Option<bool>,
    /// Names of checks that are not run: `eslint`, `cargo test`, `tsc in web`. Every layer adds to them.
    pub skip: Vec<String>,
    /// Commands that are checks, too: they end with code 0 where all is well. Every layer adds to them; those that are not in
    /// the user's own configuration are asked about like any command.
    pub run: Vec<String>,
}

/// A command that is a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredCheck {
    /// The shell line.
    pub line: String,
    /// Whether the user's own configuration names it, which allows it.
    pub by_user: bool,
}

/// Which checks run when the work is done, by all layers together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// Whether any do.
    pub at_end: bool,
    /// Whether they are looked for in the project's files.
    pub detect: bool,
    /// Names of those that are not run.
    pub skip: Vec<String>,
    /// Commands besides.
    pub run: Vec<ConfiguredCheck>,
}

impl Default for Checks {
    fn default() -> Self {
        Self { at_end: true, detect: true, skip: Vec::new(), run: Vec::new() }
    }
}

impl Checks {
    pub(super) fn resolve(layers: &[Layer]) -> Self {
        fn first(layers: &[Layer], get: impl Fn(&CheckOptions) -> Option<bool>) -> Option<bool> {
            layers.iter().find_map(|layer| get(&layer.options.checks))
        }
        let mut checks = Self {
            at_end: first(layers, |o| o.at_end).unwrap_or(true),
            detect: first(layers, |o| o.detect).unwrap_or(true),
            ..Self::default()
        };
        for layer in layers {
            checks.skip.extend(layer.options.checks.skip.iter().cloned());
            let by_user = layer.scope == Scope::User;
            for line in
                layer.options.checks.run.iter().map(|line| line.trim()).filter(|line| !line.is_empty())
            {
                match checks.run.iter_mut().find(|known| known.line == line) {
                    Some(known) => known.by_user |= by_user,
                    None => checks.run.push(ConfiguredCheck { line: line.to_owned(), by_user }),
                }
            }
        }
        checks
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, resolve};
    use super::*;

    #[test]
    fn commands_of_a_repository_are_not_the_users() {
        let layer = |scope, toml: &str| Layer {
            scope,
            source: "test".to_owned(),
            options: toml::from_str::<Options>(toml).unwrap(),
        };
        let settings = resolve(&[
            layer(
                Scope::Workspace,
                "[checks]\nrun = ['make lint', 'make types']\nskip = ['eslint']\ndetect = false",
            ),
            layer(Scope::User, "[checks]\nrun = ['make lint']\nskip = ['ruff']\ndetect = true"),
        ]);
        let by_user: Vec<_> = settings.checks.run.iter().map(|c| (c.line.as_str(), c.by_user)).collect();
        assert_eq!(by_user, [("make lint", true), ("make types", false)]);
        assert_eq!(settings.checks.skip, ["eslint", "ruff"]);
        assert!(!settings.checks.detect && settings.checks.at_end);
        assert_eq!(resolve(&[]).checks, Checks::default());
    }
}
