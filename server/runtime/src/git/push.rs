//! Pushing the present branch, as the user's own act: hooks run, nothing is forced.

use std::time::Duration;

use assist_base::Secret;

use super::{GitError, Repository};
use crate::Trust;

/// Pushing takes no longer.
const PUSHING: Duration = Duration::from_secs(600);
/// The variable that holds the login for as long as the push takes: arguments are seen by everyone on the machine.
const LOGIN: &str = "ASSIST_GIT_LOGIN";

/// Whether this can be the name of a commit, whole or cut, and nothing else to Git.
fn is_commit(id: &str) -> bool {
    (4..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A push of a branch to a branch of the same name.
#[derive(Debug, Clone)]
pub struct Push<'a> {
    /// Where to: `http://` or `https://`, without a name or a password.
    pub address: &'a str,
    /// The branch.
    pub branch: &'a str,
    /// The commit that the branch is to be at there, by its whole name: what was looked at, and not what came since.
    pub commit: &'a str,
    /// A header that lets one in, sent to that address and nowhere else.
    pub login: Option<&'a Secret>,
}

impl Repository {
    /// How many commits, up to `commit`, are not in `known`, a commit that the other side has; all of them where it is not known
    /// here.
    ///
    /// # Errors
    /// [`GitError::BadName`] for anything but a commit's hexadecimal name; as [`GitError`] says.
    pub fn ahead_of(&self, commit: &str, known: Option<&str>) -> Result<usize, GitError> {
        if !is_commit(commit) {
            return Err(GitError::BadName { name: commit.to_owned(), what: "commit" });
        }
        let known = known.filter(|id| is_commit(id)).filter(|id| {
            let commit = format!("{id}^{{commit}}");
            self.read(&["cat-file", "-e", &commit]).is_ok()
        });
        let without = known.map(|id| format!("^{id}"));
        let mut arguments = vec!["rev-list", "--count", commit];
        arguments.extend(without.as_deref());
        arguments.push("--");
        let count = self.read(&arguments)?;
        count
            .trim()
            .parse()
            .map_err(|_| GitError::Failed { message: "the commits cannot be counted".to_owned() })
    }

    /// Pushes. What the other side has and this one has not is never overwritten.
    ///
    /// # Errors
    /// [`GitError::Untrusted`], [`GitError::BadName`], [`GitError::Behind`] where the other side has commits that are not here,
    /// [`GitError::Refused`] when a hook or the other side says no; else as [`GitError`] says. The login is in none of them.
    pub fn push(&self, push: &Push<'_>) -> Result<(), GitError> {
        if self.trust == Trust::Untrusted {
            return Err(GitError::Untrusted);
        }
        let bad = |what| GitError::BadName { name: push.address.to_owned(), what };
        let rest = push.address.strip_prefix("https://").or_else(|| push.address.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split('/').next()).ok_or_else(|| bad("address"))?;
        if host.is_empty() || host.contains('@') {
            return Err(bad("address"));
        }
        if push.branch.is_empty() || push.branch.starts_with('-') || push.branch.contains(':') {
            return Err(GitError::BadName { name: push.branch.to_owned(), what: "branch" });
        }
        let login = format!("--config-env=http.{}.extraHeader={LOGIN}", push.address);
        let mut options = vec!["-c", "http.followRedirects=false", "-c", "credential.helper="];
        let mut environment = Vec::new();
        if let Some(secret) = push.login {
            options.push(&login);
            environment.push((LOGIN, secret.expose()));
        }
        if !is_commit(push.commit) {
            return Err(GitError::BadName { name: push.commit.to_owned(), what: "commit" });
        }
        let reference = format!("{}:refs/heads/{}", push.commit, push.branch);
        let arguments = ["push", "--porcelain", "--no-recurse-submodules", "--", push.address, &reference];
        let pushed = self.run(&arguments, &options, &environment, PUSHING);
        pushed.map(|_| ()).map_err(|error| match error {
            GitError::Failed { message } => {
                let message = match push.login {
                    Some(secret) => message.replace(secret.expose(), "***"),
                    None => message,
                };
                // Git's own words; its language is set to be English.
                let behind = ["(fetch first)", "(non-fast-forward)", "[rejected]"];
                if behind.iter().any(|mark| message.contains(mark)) {
                    GitError::Behind { branch: push.branch.to_owned() }
                } else {
                    GitError::Refused { message }
                }
            }
            other => other,
        })
    }
}
