//! What the user said for good to questions about commands: `commands.toml` in the user's configuration folder, by
//! workspace. Never in the workspace itself, where a repository could bring it along.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use assist_agents::ConfigError;
use assist_runtime::permission::{Pattern, Rule, Verdict};
use serde::{Deserialize, Serialize};

use crate::folders::user_folder;

/// The file's name.
const FILE: &str = "commands.toml";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Said {
    /// By the workspace's folder.
    #[serde(default)]
    workspaces: BTreeMap<String, Allowed>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Allowed {
    #[serde(default)]
    allow: Vec<Pattern>,
    #[serde(default)]
    network: Vec<Pattern>,
}

/// The rules for one workspace.
#[derive(Debug, Default)]
pub struct Rules {
    /// What may run.
    pub rules: Vec<Rule>,
    /// What may use the network.
    pub network: Vec<Rule>,
}

/// What was said in the workspace at `root`.
///
/// # Errors
/// [`ConfigError`] where the file cannot be read or understood.
pub fn of(root: &Path) -> Result<Rules, ConfigError> {
    let Some(file) = user_folder().map(|folder| folder.join(FILE)) else { return Ok(Rules::default()) };
    let Some(allowed) = read(&file)?.workspaces.remove(&key(root)) else { return Ok(Rules::default()) };
    let rules = |patterns: Vec<Pattern>| -> Vec<Rule> {
        patterns.into_iter().map(|pattern| Rule { pattern, verdict: Verdict::Allow }).collect()
    };
    Ok(Rules { rules: rules(allowed.allow), network: rules(allowed.network) })
}

/// Keeps that these may always run in the workspace at `root`.
///
/// # Errors
/// [`ConfigError`] where the file cannot be read or written.
pub fn keep(root: &Path, rules: &[Rule], network: bool) -> Result<(), ConfigError> {
    let Some(folder) = user_folder() else {
        return Err(ConfigError {
            message: "There is no configuration folder to keep it in.".to_owned(),
            fix: "Set ASSIST_CONFIG_DIR to a folder of yours.".to_owned(),
        });
    };
    let file = folder.join(FILE);
    let mut said = read(&file)?;
    let allowed = said.workspaces.entry(key(root)).or_default();
    for rule in rules {
        for list in [Some(&mut allowed.allow), network.then_some(&mut allowed.network)].into_iter().flatten()
        {
            if !list.contains(&rule.pattern) {
                list.push(rule.pattern.clone());
            }
        }
    }
    write(&folder, &file, &said).map_err(|error| ConfigError {
        message: format!("{} cannot be written: {error}.", file.display()),
        fix: format!("Make {} writable.", folder.display()),
    })
}

fn key(root: &Path) -> String {
    root.display().to_string()
}

fn read(file: &PathBuf) -> Result<Said, ConfigError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Said::default()),
        Err(error) => {
            return Err(ConfigError {
                message: format!("{} cannot be read: {error}.", file.display()),
                fix: format!("Make {} readable, or move it away.", file.display()),
            });
        }
    };
    toml::from_str(&text).map_err(|error| ConfigError {
        message: format!("{} cannot be used: {}.", file.display(), error.message().trim()),
        fix: format!("Correct {}, or move it away: you are asked again then.", file.display()),
    })
}

/// Whole or not at all.
fn write(folder: &Path, file: &Path, said: &Said) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let text = toml::to_string(said).map_err(std::io::Error::other)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(b"# Commands that you allowed for good when Assist asked, by workspace.\n\n")?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}
