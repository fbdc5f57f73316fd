//! Neovim, two versions: the oldest that is supported and the newest.
//!
//! `Ready` names a folder that holds the executables `nvim-0.10` and `nvim-0.12`.

use std::path::Path;

use super::Outcome;

/// Installs both versions unless they are there already.
///
/// # Errors
/// When an installation breaks half-way.
pub fn provision(_root: &Path) -> anyhow::Result<Outcome> {
    Ok(Outcome::Unavailable(
        "this build cannot install Neovim yet; set ASSIST_TEST_NVIM_0_10 and ASSIST_TEST_NVIM_0_12".into(),
    ))
}
