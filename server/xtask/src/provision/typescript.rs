//! The TypeScript compiler, as a project would have it: for tests of the checks that run before a change is made.
//!
//! `Ready` names a folder whose `node_modules` holds TypeScript at the version that `tests/typescript/package-lock.json` fixes.
//! It comes from the npm registry; no install script is run.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use super::{Outcome, keyed_folder};

const LOCK: [&str; 2] = ["package.json", "package-lock.json"];

/// Its presence says that a folder is complete.
const COMPILER: &str = "node_modules/typescript/bin/tsc";

/// Installs TypeScript unless it is there already.
///
/// # Errors
/// When files cannot be copied. What the machine cannot provide is no error but [`Outcome::Unavailable`].
pub fn provision(root: &Path) -> anyhow::Result<Outcome> {
    let source = root.join("tests").join("typescript");
    let mut lock = String::new();
    for file in LOCK {
        let path = source.join(file);
        lock.push_str(&fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    let folder = keyed_folder(root, "typescript", &lock);
    if folder.join(COMPILER).is_file() {
        return Ok(Outcome::Ready(folder));
    }
    let draft = folder.with_extension(format!("draft-{}", std::process::id()));
    fs::create_dir_all(&draft).with_context(|| format!("creating {}", draft.display()))?;
    for file in LOCK {
        fs::copy(source.join(file), draft.join(file)).with_context(|| format!("copying {file}"))?;
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&draft)
        .stdin(Stdio::null())
        .output();
    let installed = match npm {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(format!("npm could not install it: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(_) => {
            Err("npm is needed to install it; install Node and npm and put them on the PATH".to_owned())
        }
    };
    if installed.is_ok() && fs::rename(&draft, &folder).is_err() {
        // Another process may have been faster.
        ensure!(folder.join(COMPILER).is_file(), "{} cannot be put into place", folder.display());
    }
    let _ = fs::remove_dir_all(&draft);
    Ok(match installed {
        Ok(()) => Outcome::Ready(folder),
        Err(why) => Outcome::Unavailable(why),
    })
}
