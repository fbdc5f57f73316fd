//! Installing the editors that tests drive.
//!
//! Each editor lands in a folder of its own below [`cache_folder`], named by a hash of what was asked for
//! ([`keyed_folder`]), so that a second run finds it and a changed lock installs anew. An editor that cannot be had on
//! this machine is not an error here: the tests that need it are skipped, with the reason said, unless editors are
//! required.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

pub mod nvim;
pub mod typescript;
pub mod vscode;

/// Where an editor is, or why it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Installed, or found from an earlier time; the folder that holds it.
    Ready(PathBuf),
    /// Not to be had on this machine: one sentence why, and the fix.
    Unavailable(String),
}

/// The folder that holds all installed editors: `ASSIST_EDITOR_CACHE`, else `target/editors`.
pub fn cache_folder(root: &Path) -> PathBuf {
    match std::env::var_os("ASSIST_EDITOR_CACHE") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => root.join("target").join("editors"),
    }
}

/// A folder for one installation of `name`; `lock` is everything that decides what is installed (versions, lock files, the
/// installing script's own revision). It may not exist yet.
pub fn keyed_folder(root: &Path, name: &str, lock: &str) -> PathBuf {
    use std::fmt::Write as _;
    let mut key = String::new();
    for byte in Sha256::digest(lock.as_bytes()).iter().take(6) {
        let _ = write!(key, "{byte:02x}");
    }
    cache_folder(root).join(format!("{name}-{key}"))
}

/// Installs the chosen editors and prints where they are.
///
/// # Errors
/// When an installation breaks half-way, or an editor cannot be had here.
pub fn run(root: &Path, with_nvim: bool, with_vscode: bool) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    let mut report = |name: &str, outcome: Outcome| match outcome {
        Outcome::Ready(folder) => println!("{name}: {}", folder.display()),
        Outcome::Unavailable(why) => missing.push(format!("{name}: {why}")),
    };
    if with_nvim {
        report("Neovim", nvim::provision(root).context("installing Neovim")?);
    }
    if with_vscode {
        report("VS Code", vscode::provision(root).context("installing code-server")?);
    }
    if missing.is_empty() { Ok(()) } else { anyhow::bail!("{}", missing.join("\n")) }
}
