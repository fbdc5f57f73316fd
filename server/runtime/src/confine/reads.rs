//! What a command may read besides its workspace: the system, and the toolchains in the user's home, by name.
//!
//! The home is closed but for what is listed, because nobody can list all that is private in it. Toolchains that live
//! elsewhere are found through `PATH` and the variables that name them; anything else is added by the user's configuration
//! ([`super::Walls::readable`]).

use std::path::{Path, PathBuf};

/// The system's own folders.
const SYSTEM: [&str; 18] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/snap",
    "/proc",
    "/sys",
    "/dev",
    "/var/lib",
    "/var/cache/fontconfig",
    "/run/systemd/resolve",
    "/run/current-system",
];

/// Toolchains and their caches, below the home.
const HOME: [&str; 46] = [
    ".asdf",
    ".bun",
    ".cabal",
    ".cache",
    ".cargo",
    ".config/git",
    ".config/go",
    ".config/pip",
    ".config/pnpm",
    ".config/uv",
    ".config/yarn",
    ".conda",
    ".deno",
    ".dotnet",
    ".elan",
    ".fnm",
    ".gem",
    ".ghcup",
    ".gitconfig",
    ".gitignore",
    ".gradle",
    ".julia",
    ".local/bin",
    ".local/lib",
    ".local/share/fnm",
    ".local/share/mise",
    ".local/share/nvm",
    ".local/share/pipx",
    ".local/share/pnpm",
    ".local/share/rtx",
    ".local/share/uv",
    ".local/share/virtualenv",
    ".local/state/nix",
    ".m2/repository",
    ".nix-profile",
    ".npm",
    ".nuget",
    ".nvm",
    ".opam",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".volta",
    "go",
    "miniconda3",
];

/// Closed even where a folder above is open.
const HOME_HIDDEN: [&str; 16] = [
    ".cache/assist",
    ".cache/google-chrome",
    ".cache/chromium",
    ".cache/mozilla",
    ".cache/thunderbird",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".config/git/credentials",
    ".config/pip/pip.conf",
    ".gem/credentials",
    ".gradle/gradle.properties",
    ".npm/_logs",
    ".npm/_cacache/tmp",
    ".bundle/config",
    ".config/uv/credentials",
    ".local/share/uv/credentials",
];

/// Closed although the system's folders are open: they matter where the command runs as root.
const SYSTEM_HIDDEN: [&str; 9] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/ssl/private",
    "/var/lib/docker",
];

/// Variables that name a toolchain's folder.
const NAMING: [&str; 20] = [
    "CARGO_HOME",
    "RUSTUP_HOME",
    "GOROOT",
    "GOPATH",
    "GOMODCACHE",
    "GOCACHE",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "NVM_DIR",
    "NVM_BIN",
    "VOLTA_HOME",
    "PNPM_HOME",
    "BUN_INSTALL",
    "DENO_DIR",
    "JAVA_HOME",
    "DOTNET_ROOT",
    "GEM_HOME",
    "RBENV_ROOT",
    "UV_PYTHON_INSTALL_DIR",
];

/// What may be read and run.
pub(super) fn readable() -> Vec<PathBuf> {
    let home = std::env::home_dir();
    let mut readable: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    if let Some(home) = &home {
        readable.extend(HOME.iter().map(|name| home.join(name)));
    }
    let roomy = |path: &Path| is_specific(path, home.as_deref());
    readable.extend(NAMING.iter().filter_map(std::env::var_os).map(PathBuf::from).filter(|path| roomy(path)));
    for folder in std::env::var_os("PATH").iter().flat_map(std::env::split_paths) {
        let Ok(folder) = folder.canonicalize() else { continue };
        // `prefix/bin` needs `prefix/lib`, and so on.
        let prefix = folder.parent().filter(|prefix| folder.ends_with("bin") && roomy(prefix));
        readable.extend(prefix.map(Path::to_path_buf));
        if roomy(&folder) {
            readable.push(folder);
        }
    }
    readable
}

/// What may not be read, wherever it is.
pub(super) fn hidden() -> Vec<PathBuf> {
    let mut hidden: Vec<PathBuf> = SYSTEM_HIDDEN.iter().map(PathBuf::from).collect();
    if let Some(home) = std::env::home_dir() {
        hidden.extend(HOME_HIDDEN.iter().map(|name| home.join(name)));
    }
    hidden
}

/// Whether a path is narrow enough to be opened because a variable names it: not the root, not the home or a folder
/// above it, and not the folder of all temporary files.
fn is_specific(path: &Path, home: Option<&Path>) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    path.is_absolute()
        && path.components().count() > 2
        && home.is_none_or(|home| !home.starts_with(&path))
        && !std::env::temp_dir().starts_with(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_variable_opens_the_home_or_what_is_above_it() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        std::fs::create_dir_all(home.join("tools/node/bin")).unwrap();
        for wide in [home.as_path(), home.parent().unwrap(), Path::new("/"), Path::new("/no-such-place")] {
            assert!(!is_specific(wide, Some(&home)), "{}", wide.display());
        }
        assert!(is_specific(&home.join("tools/node"), Some(&home)));
    }
}
