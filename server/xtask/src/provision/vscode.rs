//! The real VS Code workbench: code-server, driven through Chromium.
//!
//! `Ready` names a folder whose `node_modules` holds code-server and playwright-core, at the versions that `tests/vscode/package-lock.json`
//! fixes. Everything comes from the npm registry and nothing is compiled: install scripts are not run, the password hash is replaced
//! (`tests/vscode/no-argon2`), and VS Code does without its other native modules (they serve its terminal, its log files and a watchdog).
//! Node, npm, ripgrep and Chromium must be on the machine.
//!
//! The extension's own packages are installed into `editors/vscode`, so that the tests can build it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};

use super::{Outcome, keyed_folder};

/// Changes whenever something else would be installed.
const REVISION: &str = "1";

/// The oldest Node that code-server 4.100 runs on.
const OLDEST_NODE: u32 = 20;

/// What Debian, other distributions and macOS call Chromium.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Files of `tests/vscode` that decide what is installed.
const LOCK: [&str; 5] =
    ["package.json", "package-lock.json", ".npmrc", "no-argon2/package.json", "no-argon2/index.js"];

/// Its presence says that a folder is complete.
const MARK: &str = "ready";

const NPM_QUIET: [&str; 4] = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/// Installs code-server and the extension's packages unless they are there already.
///
/// # Errors
/// When an installation breaks half-way. What the machine cannot provide is no error but [`Outcome::Unavailable`].
pub fn provision(root: &Path) -> anyhow::Result<Outcome> {
    let tools = match Tools::find() {
        Ok(tools) => tools,
        Err(why) => return Ok(Outcome::Unavailable(why)),
    };
    let source = root.join("tests").join("vscode");
    let mut lock = format!("{REVISION} node {}", tools.node_version);
    for file in LOCK {
        let path = source.join(file);
        lock.push_str(&fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    let folder = keyed_folder(root, "code-server", &lock);
    if !folder.join(MARK).is_file()
        && let Some(why) = install(&source, &folder, &tools)?
    {
        return Ok(Outcome::Unavailable(why));
    }
    if let Some(why) = extension(&root.join("editors").join("vscode"))? {
        return Ok(Outcome::Unavailable(why));
    }
    Ok(Outcome::Ready(folder))
}

/// What has to be on the machine.
struct Tools {
    node_version: u32,
    ripgrep: PathBuf,
}

impl Tools {
    /// Looks for everything; the error is one sentence with the fix.
    fn find() -> Result<Self, String> {
        if cfg!(not(unix)) {
            return Err("code-server runs on Linux and macOS only; run the tests in VS Code there".into());
        }
        let node = Command::new("node").arg("--version").output().ok();
        let node_version =
            node.and_then(|output| parse_node_version(&String::from_utf8_lossy(&output.stdout)));
        let Some(node_version) = node_version.filter(|version| *version >= OLDEST_NODE) else {
            return Err(format!(
                "Node {OLDEST_NODE} or newer is needed to run VS Code for tests; install it and put it on the PATH"
            ));
        };
        if !Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success()) {
            return Err(
                "npm is needed to install VS Code for tests; install it and put it on the PATH".into()
            );
        }
        let Some(ripgrep) = on_path("rg") else {
            return Err("ripgrep is needed by VS Code to find files; install the package ripgrep".into());
        };
        let named = std::env::var_os("ASSIST_TEST_CHROMIUM").map(PathBuf::from).filter(|path| path.is_file());
        if named.or_else(|| BROWSERS.iter().find_map(|name| on_path(name))).is_none() {
            return Err(
                "Chromium is needed to drive VS Code; install the package chromium or name the browser in ASSIST_TEST_CHROMIUM"
                    .into(),
            );
        }
        Ok(Self { node_version, ripgrep })
    }
}

/// The major version out of `v20.20.2`.
fn parse_node_version(text: &str) -> Option<u32> {
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Installs beside `folder` and moves the whole into place, so that a folder that is there is complete. The answer is one sentence when
/// the packages cannot be had.
fn install(source: &Path, folder: &Path, tools: &Tools) -> anyhow::Result<Option<String>> {
    let draft = folder.with_extension(format!("draft-{}", std::process::id()));
    let _ = fs::remove_dir_all(&draft);
    let result = install_into(source, &draft, tools);
    if matches!(result, Ok(None)) {
        let _ = fs::remove_dir_all(folder);
        if fs::rename(&draft, folder).is_err() {
            // another process may have been faster
            ensure!(folder.join(MARK).is_file(), "{} cannot be put into place", folder.display());
        }
    }
    let _ = fs::remove_dir_all(&draft);
    result
}

fn install_into(source: &Path, draft: &Path, tools: &Tools) -> anyhow::Result<Option<String>> {
    for file in LOCK {
        let to = draft.join(file);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
        }
        fs::copy(source.join(file), &to).with_context(|| format!("copying {file}"))?;
    }
    let vscode = draft.join("node_modules/code-server/lib/vscode");
    // The inner two bring shrinkwrap files; `ci` refuses the first of them, because it leaves out optional packages.
    for (place, action) in [(draft, "ci"), (&vscode, "install"), (&vscode.join("extensions"), "install")] {
        if let Some(why) = npm(place, action, &["--omit=dev"])? {
            return Ok(Some(format!(
                "VS Code for tests cannot be installed from the npm registry: {why}; \
                 make the registry reachable, or set ASSIST_TEST_CODE_SERVER to an installed folder"
            )));
        }
    }
    let bin = vscode.join("node_modules/@vscode/ripgrep/bin");
    fs::create_dir_all(&bin).context("making room for ripgrep")?;
    link(&tools.ripgrep, &bin.join("rg"))?;
    // Where the workbench looks for its modules.
    link(Path::new("node_modules"), &vscode.join("node_modules.asar"))?;
    fs::write(draft.join(MARK), "").context("marking the folder as complete")?;
    Ok(None)
}

/// Installs what the extension is built with, when its lock file has changed.
fn extension(folder: &Path) -> anyhow::Result<Option<String>> {
    let lock =
        fs::read(folder.join("package-lock.json")).context("reading the extension's package-lock.json")?;
    let key = format!("{:x?}", Sha256::digest(&lock).as_slice());
    let stamp = folder.join("node_modules").join(".installed-from");
    if fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == key) {
        return Ok(None);
    }
    if let Some(why) = npm(folder, "ci", &[])? {
        return Ok(Some(format!(
            "the packages that build the extension cannot be installed from the npm registry: {why}; \
             make the registry reachable, or run `npm ci` in editors/vscode"
        )));
    }
    fs::write(&stamp, key).context("noting what the extension's packages were installed from")?;
    Ok(None)
}

/// Runs npm; the answer is its complaint when it fails.
fn npm(folder: &Path, action: &str, more: &[&str]) -> anyhow::Result<Option<String>> {
    let output = Command::new("npm")
        .arg(action)
        .args(NPM_QUIET)
        .args(more)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("starting npm")?;
    if output.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let complaint =
        said.lines().filter_map(|line| line.strip_prefix("npm error")).map(str::trim).find(|line| {
            !line.is_empty()
                && !line.starts_with("code ")
                && !line.starts_with("errno ")
                && !line.starts_with("syscall ")
        });
    Ok(Some(complaint.unwrap_or("npm gave no reason").to_owned()))
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_file(at);
    std::os::unix::fs::symlink(to, at).with_context(|| format!("linking {}", at.display()))
}

#[cfg(not(unix))]
fn link(_to: &Path, at: &Path) -> anyhow::Result<()> {
    anyhow::bail!("{} cannot be linked on this system", at.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(parse_node_version("v20.20.2\n"), Some(20));
        assert_eq!(parse_node_version("command not found"), None);
    }

    #[test]
    fn a_failing_npm_gives_its_reason_in_one_line() {
        if Command::new("npm").arg("--version").output().is_err() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let why = npm(folder.path(), "ci", &["--offline"]).unwrap();
        let why = why.expect("there is nothing to install from");
        assert!(!why.contains('\n') && why != "npm gave no reason", "{why}");
    }
}
