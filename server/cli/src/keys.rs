//! Kept keys: the operating system's keyring where this build has it, else a file that only its owner can read.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use assist_agents::ConfigError;
use assist_base::Secret;

use crate::folders::user_folder;

/// The name of the private file, inside the configuration folder.
const FILE: &str = "credentials.toml";

/// What a keyring entry is filed under.
#[cfg(feature = "keyring")]
const SERVICE: &str = "assist";

fn file() -> Result<PathBuf, ConfigError> {
    user_folder().map(|folder| folder.join(FILE)).ok_or_else(|| ConfigError {
        message: "There is no folder for your configuration.".to_owned(),
        fix: "Set HOME or ASSIST_CONFIG_DIR.".to_owned(),
    })
}

fn unusable(file: &Path, what: &str) -> ConfigError {
    ConfigError {
        message: format!("{} cannot be used: {what}.", file.display()),
        fix: format!("Repair or remove {}, then run `assist auth set` again.", file.display()),
    }
}

fn read_all(file: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(unusable(file, &error.to_string())),
    };
    // The parser's message would repeat the line, and with it a key.
    toml::from_str(&text).map_err(|_| unusable(file, "it is not a list of keys"))
}

fn write_all(file: &Path, keys: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let failed = |error: std::io::Error| unusable(file, &error.to_string());
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let text = toml::to_string(keys).map_err(|error| unusable(file, &error.to_string()))?;
    // A temporary file of this kind is born readable by its owner alone.
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

/// The key kept for a provider, and where.
///
/// # Errors
/// [`ConfigError`] where the private file cannot be read.
pub fn find(provider: &str) -> Result<Option<(Secret, String)>, ConfigError> {
    #[cfg(feature = "keyring")]
    if let Ok(key) = keyring::Entry::new(SERVICE, provider).and_then(|entry| entry.get_password()) {
        return Ok(Some((Secret::new(key), "the keyring".to_owned())));
    }
    let Ok(file) = file() else { return Ok(None) };
    let key = read_all(&file)?.remove(provider).map(Secret::new).filter(|key| !key.is_empty());
    Ok(key.map(|key| (key, file.display().to_string())))
}

/// Keeps a key, and says where.
///
/// # Errors
/// [`ConfigError`] where it can be kept nowhere.
pub fn keep(provider: &str, key: &Secret) -> Result<String, ConfigError> {
    #[cfg(feature = "keyring")]
    if keyring::Entry::new(SERVICE, provider).and_then(|entry| entry.set_password(key.expose())).is_ok() {
        return Ok("the keyring".to_owned());
    }
    let file = file()?;
    let mut keys = read_all(&file)?;
    keys.insert(provider.to_owned(), key.expose().to_owned());
    write_all(&file, &keys)?;
    Ok(file.display().to_string())
}

/// Removes a key. Says whether there was one.
///
/// # Errors
/// [`ConfigError`] where the private file cannot be written.
pub fn remove(provider: &str) -> Result<bool, ConfigError> {
    let mut removed = false;
    #[cfg(feature = "keyring")]
    {
        removed |= keyring::Entry::new(SERVICE, provider).and_then(|entry| entry.delete_credential()).is_ok();
    }
    let file = file()?;
    let mut keys = read_all(&file)?;
    if keys.remove(provider).is_some() {
        write_all(&file, &keys)?;
        removed = true;
    }
    Ok(removed)
}
