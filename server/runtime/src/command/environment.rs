//! The environment a command gets: what programs need to work, nothing that opens a door, nothing that waits for a person.

/// Taken over from this process, if set.
const KEPT: [&str; 62] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTFLAGS",
    "GOPATH",
    "GOROOT",
    "GOCACHE",
    "GOMODCACHE",
    "GOTOOLCHAIN",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "UV_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR",
    "NVM_DIR",
    "NVM_BIN",
    "VOLTA_HOME",
    "PNPM_HOME",
    "BUN_INSTALL",
    "DENO_DIR",
    "COREPACK_HOME",
    "JAVA_HOME",
    "SDKMAN_DIR",
    "ANDROID_HOME",
    "DOTNET_ROOT",
    "GEM_HOME",
    "GEM_PATH",
    "RBENV_ROOT",
    "ASDF_DIR",
    "ASDF_DATA_DIR",
    "MISE_DATA_DIR",
    "CC",
    "CXX",
    "PKG_CONFIG_PATH",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SystemRoot",
    "SystemDrive",
    "windir",
    "ComSpec",
    "PATHEXT",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramData",
    "ProgramFiles",
    "USERPROFILE",
    "NUMBER_OF_PROCESSORS",
];

/// Set for every command: no questions, no pager, no colours, no editor.
const FIXED: [(&str, &str); 21] = [
    ("CI", "1"),
    ("TERM", "dumb"),
    ("NO_COLOR", "1"),
    ("FORCE_COLOR", "0"),
    ("CARGO_TERM_COLOR", "never"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("MANPAGER", "cat"),
    ("SYSTEMD_PAGER", "cat"),
    ("EDITOR", "false"),
    ("VISUAL", "false"),
    ("GIT_EDITOR", "false"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "false"),
    ("SSH_ASKPASS", "false"),
    ("SUDO_ASKPASS", "/bin/false"),
    ("GCM_INTERACTIVE", "never"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("PIP_NO_INPUT", "1"),
    ("npm_config_yes", "false"),
    ("PYTHONUNBUFFERED", "1"),
];

/// Set where the network is off, so that tools fall back on what they have instead of trying.
const OFFLINE: [(&str, &str); 4] =
    [("CARGO_NET_OFFLINE", "true"), ("GOPROXY", "off"), ("npm_config_offline", "true"), ("UV_OFFLINE", "1")];

/// Parts of names that speak of a secret, in any case.
const SECRET: [&str; 10] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "COOKIE",
    "SESSION",
    "PRIVATE",
];

/// Whether a variable's name speaks of a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET.iter().any(|part| name.contains(part))
}

/// The variables of a command, out of `present` (this process's own) and `extra` (what the caller adds; secrets are left
/// out there too). Later entries win over earlier ones of the same name.
pub(super) fn scrubbed(
    present: impl Iterator<Item = (String, String)>,
    extra: &[(String, String)],
    network: bool,
) -> Vec<(String, String)> {
    let kept = |name: &str| KEPT.contains(&name) || name.starts_with("LC_");
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let mut variables: Vec<_> =
        present.filter(|(name, value)| kept(name) && !is_secret(name) && !holds_login(value)).collect();
    variables.extend(owned(&FIXED));
    if !network {
        variables.extend(owned(&OFFLINE));
    }
    variables.extend(extra.iter().filter(|(name, _)| !is_secret(name)).cloned());
    variables
}

/// `https://name:word@host`
fn holds_login(value: &str) -> bool {
    value
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn only_what_is_listed_passes_and_no_secret_by_any_way() {
        let present = pairs(&[
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("ANTHROPIC_API_KEY", "x"),
            ("MY_THING", "y"),
            ("GOPATH", "https://me:word@host/x"),
        ]);
        let extra = pairs(&[("PORT", "1"), ("github_token", "z"), ("DB_PASSWORD", "z")]);
        let given = scrubbed(present.into_iter(), &extra, false);
        let get = |name: &str| given.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!(get("PATH"), Some("/bin"));
        assert_eq!(get("LC_ALL"), Some("C"));
        assert_eq!(get("PORT"), Some("1"));
        for absent in ["ANTHROPIC_API_KEY", "MY_THING", "GOPATH", "github_token", "DB_PASSWORD"] {
            assert_eq!(get(absent), None, "{absent}");
        }
        assert_eq!(get("GIT_TERMINAL_PROMPT"), Some("0"));
        assert_eq!(get("CARGO_NET_OFFLINE"), Some("true"));
    }
}
