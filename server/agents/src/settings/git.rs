//! How work is committed, where the user wants it committed.

use serde::Deserialize;

/// `[git]`, as written by a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GitOptions {
    /// On which branch.
    pub branch: Option<CommitBranch>,
}

/// On which branch work is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitBranch {
    /// The one that the user is on.
    #[default]
    Current,
    /// One of the run's own, made from there. The user is on it afterwards.
    Run,
}
