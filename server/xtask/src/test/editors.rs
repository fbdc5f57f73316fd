//! Which editors the tests can have on this machine.

use std::path::{Path, PathBuf};

use crate::provision::{self, Outcome};

const NVIM: [(&str, &str); 2] = [("nvim-0.10", NVIM_OLD), ("nvim-0.12", NVIM_NEW)];
const NVIM_OLD: &str = "ASSIST_TEST_NVIM_0_10";
const NVIM_NEW: &str = "ASSIST_TEST_NVIM_0_12";
const CODE_SERVER: &str = "ASSIST_TEST_CODE_SERVER";
const CHROMIUM: &str = "ASSIST_TEST_CHROMIUM";
const VSCODE: &str = "vscode";

/// The variables that carry editors' places to the tests. Set by hand, they win over what would be installed.
pub(super) const VARIABLES: [&str; 4] = [NVIM_OLD, NVIM_NEW, CODE_SERVER, CHROMIUM];

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// An editor's variables, or one sentence why it is not there and what to do.
type Place = Result<Vec<(&'static str, PathBuf)>, String>;

/// All editors by name.
pub(super) fn names() -> Vec<&'static str> {
    NVIM.iter().map(|(name, _)| *name).chain([VSCODE]).collect()
}

/// Finds or installs every editor.
pub(super) fn find(root: &Path) -> Vec<(&'static str, Place)> {
    let mut found = Vec::new();
    let by_hand = NVIM.map(|(_, variable)| given(variable));
    let installed = if by_hand.iter().all(Option::is_some) {
        Err("not looked for".to_owned())
    } else {
        folder(provision::nvim::provision(root))
    };
    for ((name, variable), by_hand) in NVIM.into_iter().zip(by_hand) {
        let place = match by_hand {
            Some(place) => place.map(|place| vec![(variable, place)]),
            None => installed
                .clone()
                .and_then(|folder| in_folder(&folder, name))
                .map(|place| vec![(variable, place)]),
        };
        found.push((name, place));
    }
    found.push((VSCODE, vscode(root)));
    found
}

fn in_folder(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let place = folder.join(name);
    if place.is_file() {
        Ok(place)
    } else {
        Err(format!("only another version could be had; set {} to run its tests", variable_of(name)))
    }
}

fn variable_of(name: &str) -> &'static str {
    NVIM.iter().find(|(other, _)| *other == name).map_or(NVIM_NEW, |(_, variable)| variable)
}

fn vscode(root: &Path) -> Place {
    let browser = match given(CHROMIUM) {
        Some(browser) => browser?,
        None => BROWSERS
            .iter()
            .find_map(|name| on_path(name))
            .ok_or(format!("Chromium drives it; install the package chromium, or set {CHROMIUM}"))?,
    };
    let server = match given(CODE_SERVER) {
        Some(folder) => folder?,
        None => folder(provision::vscode::provision(root))?,
    };
    Ok(vec![(CODE_SERVER, server), (CHROMIUM, browser)])
}

/// What the variable names, if it is set; it must be there then.
fn given(variable: &str) -> Option<Result<PathBuf, String>> {
    let place = std::env::var_os(variable).filter(|place| !place.is_empty()).map(PathBuf::from)?;
    // Tests run in folders of their own.
    Some(std::path::absolute(&place).ok().filter(|place| place.exists()).ok_or_else(|| {
        format!("{variable} names {}, which is not there; correct or unset it", place.display())
    }))
}

fn folder(outcome: anyhow::Result<Outcome>) -> Result<PathBuf, String> {
    match outcome {
        Ok(Outcome::Ready(folder)) => Ok(std::path::absolute(&folder).unwrap_or(folder)),
        Ok(Outcome::Unavailable(why)) => Err(why),
        Err(error) => Err(format!("installing it failed: {error:#}")),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
