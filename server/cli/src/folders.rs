//! Where the user's own files are.

use std::path::PathBuf;

/// The folder for what the program keeps for the user over all workspaces: `ASSIST_DATA_DIR`, or the platform's own place.
pub fn data_folder() -> Option<PathBuf> {
    match std::env::var_os("ASSIST_DATA_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => Some(directories::ProjectDirs::from("", "", "assist")?.data_dir().to_owned()),
    }
}

/// The user's configuration folder: `ASSIST_CONFIG_DIR`, or the platform's own place.
pub fn user_folder() -> Option<PathBuf> {
    match std::env::var_os("ASSIST_CONFIG_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => Some(directories::ProjectDirs::from("", "", "assist")?.config_dir().to_owned()),
    }
}
