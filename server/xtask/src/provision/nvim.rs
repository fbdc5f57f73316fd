//! Neovim, two versions: the oldest that is supported and the newest that Debian has.
//!
//! `Ready` names a folder that holds the executables `nvim-0.10` and `nvim-0.12` (the second may be newer than its name). Both come
//! from Debian's newer suites: a private apt root resolves and downloads the package with everything below it, `dpkg -x` unpacks it,
//! and a wrapper script starts it with that suite's own loader and libraries, so nothing of the system is touched or needed. Where
//! that cannot work, a Neovim on the `PATH` is taken under the name that its version fits, and the other one is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, bail, ensure};

use super::{Outcome, keyed_folder};

/// Changes whenever something else would be installed.
const REVISION: &str = "2";

/// Name of the executable, the suite it comes from, and the version that it must at least have.
const WANTED: [(&str, &str, (u32, u32)); 2] =
    [("nvim-0.10", "trixie", (0, 10)), ("nvim-0.12", "sid", (0, 12))];

/// Where Debian's packages are when the system is not a Debian itself.
const PUBLIC_MIRROR: &str = "http://deb.debian.org/debian";

const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// Installs both versions unless they are there already.
///
/// # Errors
/// When an installation breaks half-way. What the machine cannot provide is no error but [`Outcome::Unavailable`].
pub fn provision(root: &Path) -> anyhow::Result<Outcome> {
    let lock = format!("{REVISION} {WANTED:?} {} {}", std::env::consts::OS, std::env::consts::ARCH);
    let folder = keyed_folder(root, "nvim", &lock);
    if WANTED.iter().all(|(name, ..)| folder.join(name).is_file()) {
        return Ok(Outcome::Ready(folder));
    }
    let why = match apt_source() {
        Ok(source) => match install(&folder, &source)? {
            None => return Ok(Outcome::Ready(folder)),
            Some(why) => why,
        },
        Err(why) => why,
    };
    from_path(&folder, &why)
}

/// A Debian mirror, and the keys that its packages are signed with.
#[derive(Debug, PartialEq, Eq)]
struct AptSource {
    mirror: String,
    keyring: String,
}

/// What apt can be asked on this machine, or one sentence why not.
fn apt_source() -> Result<AptSource, String> {
    if !cfg!(target_os = "linux") {
        return Err("Neovim for tests is installed from Debian packages, which this system cannot run".into());
    }
    for tool in ["apt-get", "dpkg"] {
        if Command::new(tool).arg("--version").output().is_err() {
            return Err(format!(
                "`{tool}` is needed to install Neovim for tests, and is not on this machine"
            ));
        }
    }
    let debian = fs::read_to_string("/etc/os-release")
        .is_ok_and(|release| release.lines().any(|line| line.trim() == "ID=debian"));
    let (mirror, keyring) = if debian { system_mirror() } else { (None, None) };
    let keyring = keyring
        .into_iter()
        .chain(KEYRINGS.map(String::from))
        .find(|path| Path::new(path).is_file())
        .ok_or("Debian's signing keys are missing: install the package debian-archive-keyring")?;
    Ok(AptSource { mirror: mirror.unwrap_or_else(|| PUBLIC_MIRROR.into()), keyring })
}

/// The first mirror in the system's apt sources that is not the one for security updates, and its keys if they are named.
fn system_mirror() -> (Option<String>, Option<String>) {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        let mut parts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        parts.sort();
        files.extend(parts);
    }
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let found = match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => from_stanzas(&text),
            Some("list") => from_lines(&text),
            _ => None,
        };
        if let Some((mirror, keyring)) = found {
            return (Some(mirror), keyring);
        }
    }
    (None, None)
}

fn is_main_archive(mirror: &str) -> bool {
    mirror.contains("debian") && !mirror.contains("security")
}

/// The newer format: stanzas of `Field: value`.
fn from_stanzas(text: &str) -> Option<(String, Option<String>)> {
    text.split("\n\n").find_map(|stanza| {
        let field = |name: &str| {
            let line = stanza.lines().find(|line| {
                line.split_once(':').is_some_and(|(field, _)| field.trim().eq_ignore_ascii_case(name))
            })?;
            line.split_once(':').map(|(_, value)| value.trim().to_owned())
        };
        let mirror = field("URIs")?.split_whitespace().find(|uri| is_main_archive(uri))?.to_owned();
        Some((mirror, field("Signed-By").filter(|path| path.starts_with('/'))))
    })
}

/// The older format: `deb [options] URI suite components`, one a line.
fn from_lines(text: &str) -> Option<(String, Option<String>)> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("deb ")?.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let mirror = rest.split_whitespace().next().filter(|uri| is_main_archive(uri))?.to_owned();
        let keyring = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
        Some((mirror, keyring.map(String::from)))
    })
}

/// Installs both suites beside `folder` and moves the whole into place, so that a folder that is there is complete. The answer is one
/// sentence when the packages cannot be had.
fn install(folder: &Path, source: &AptSource) -> anyhow::Result<Option<String>> {
    let draft = folder.with_extension(format!("draft-{}", std::process::id()));
    fs::create_dir_all(&draft).with_context(|| format!("creating {}", draft.display()))?;
    let results: Vec<anyhow::Result<Option<String>>> = std::thread::scope(|scope| {
        let running: Vec<_> = WANTED
            .iter()
            .map(|(name, suite, least)| {
                let draft = &draft;
                scope.spawn(move || install_one(draft, source, name, suite, *least))
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("an installing thread panicked")))
            .collect()
    });
    let mut unavailable = None;
    for result in results {
        match result {
            Ok(None) => {}
            Ok(Some(why)) => unavailable = Some(why),
            Err(error) => {
                let _ = fs::remove_dir_all(&draft);
                return Err(error);
            }
        }
    }
    if unavailable.is_none() {
        let _ = fs::remove_dir_all(folder);
        if fs::rename(&draft, folder).is_ok() || folder.is_dir() {
            let _ = fs::remove_dir_all(&draft);
            return Ok(None);
        }
        bail!("{} cannot be put into place", folder.display());
    }
    let _ = fs::remove_dir_all(&draft);
    Ok(unavailable)
}

fn install_one(
    draft: &Path,
    source: &AptSource,
    name: &str,
    suite: &str,
    least: (u32, u32),
) -> anyhow::Result<Option<String>> {
    let apt = draft.join(format!("apt-{suite}"));
    let unpacked = draft.join(suite);
    for below in ["lists/partial", "cache/archives/partial", "state", "etc"] {
        fs::create_dir_all(apt.join(below))?;
    }
    fs::create_dir_all(&unpacked)?;
    let line = format!("deb [signed-by={}] {} {suite} main\n", source.keyring, source.mirror);
    fs::write(apt.join("etc/sources.list"), line)?;
    fs::write(apt.join("state/status"), "")?;

    for action in [&["update", "-qq"][..], &["install", "-qq", "-y", "--download-only", "neovim"]] {
        let output = apt_get(&apt, action).output().context("starting apt-get")?;
        if !output.status.success() {
            return Ok(Some(format!(
                "Neovim cannot be fetched from {} ({suite}): {}",
                source.mirror,
                last_words(&output)
            )));
        }
    }
    let mut packages = 0;
    for entry in fs::read_dir(apt.join("cache/archives"))? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            let output = Command::new("dpkg").arg("-x").arg(&package).arg(&unpacked).output()?;
            ensure!(output.status.success(), "unpacking {}: {}", package.display(), last_words(&output));
            packages += 1;
        }
    }
    ensure!(packages > 0, "apt-get downloaded no package for {suite}");
    fs::remove_dir_all(&apt)?;

    link_parsers(&unpacked)?;
    let wrapper = draft.join(name);
    fs::write(&wrapper, wrapper_script(&unpacked, suite)?)?;
    make_executable(&wrapper)?;
    let version = version_of(&wrapper).with_context(|| format!("Neovim of {suite} does not start"))?;
    if version < least {
        return Ok(Some(format!("{suite} has only Neovim {}.{}", version.0, version.1)));
    }
    Ok(None)
}

/// apt-get with everything it would read or write of the system pointed into `apt`.
fn apt_get(apt: &Path, action: &[&str]) -> Command {
    let at = |below: &str| apt.join(below).display().to_string();
    let mut command = Command::new("apt-get");
    command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
    for option in [
        format!("Dir::Etc::sourcelist={}", at("etc/sources.list")),
        "Dir::Etc::sourceparts=/dev/null".into(),
        "Dir::Etc::preferences=/dev/null".into(),
        "Dir::Etc::preferencesparts=/dev/null".into(),
        format!("Dir::State={}", at("state")),
        format!("Dir::State::lists={}", at("lists")),
        format!("Dir::State::status={}", at("state/status")),
        format!("Dir::Cache={}", at("cache")),
        // the sandbox user of apt may not be able to write below a private folder
        "APT::Sandbox::User=root".into(),
        // nothing is installed, so there is nothing to lock, and no root is needed
        "Debug::NoLocking=1".into(),
        "APT::Install-Recommends=0".into(),
        "Acquire::Languages=none".into(),
        "Acquire::Retries=3".into(),
    ] {
        command.arg("-o").arg(option);
    }
    command.args(action);
    command
}

fn last_words(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let line =
        errors.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason was given");
    line.to_owned()
}

/// A script that finds everything relative to itself, so that the folder can be moved.
fn wrapper_script(unpacked: &Path, suite: &str) -> anyhow::Result<String> {
    let loader = find(unpacked, &["usr/lib64", "lib64", "usr/lib", "lib"], |name| {
        name.starts_with("ld-linux") && name.contains(".so")
    });
    let triplet = find(unpacked, &["usr/lib"], |name| name.contains("-linux-gnu"));
    let (Some(loader), Some(triplet)) = (loader, triplet) else {
        bail!("{suite}'s packages hold no loader for this machine");
    };
    let below =
        |path: &Path| -> anyhow::Result<String> { Ok(path.strip_prefix(unpacked)?.display().to_string()) };
    let (loader, libraries) = (below(&loader)?, below(&triplet)?);
    Ok(format!(
        r#"#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
top=$here/{suite}
export VIMRUNTIME="$top/usr/share/nvim/runtime"
exec "$top/{loader}" --library-path "$top/{libraries}" --argv0 "$0" "$top/usr/bin/nvim" "$@"
"#
    ))
}

/// Neovim looks for its tree-sitter parsers in `../lib/nvim` of its executable's folder, and takes the loader for its executable.
#[cfg(unix)]
fn link_parsers(unpacked: &Path) -> std::io::Result<()> {
    fs::create_dir_all(unpacked.join("usr/lib/lib"))?;
    std::os::unix::fs::symlink("../nvim", unpacked.join("usr/lib/lib/nvim"))
}

#[cfg(not(unix))]
fn link_parsers(_unpacked: &Path) -> std::io::Result<()> {
    Ok(())
}

fn find(top: &Path, folders: &[&str], fits: impl Fn(&str) -> bool) -> Option<PathBuf> {
    folders.iter().find_map(|folder| {
        let entries = fs::read_dir(top.join(folder)).ok()?;
        entries.flatten().find(|entry| fits(&entry.file_name().to_string_lossy())).map(|entry| entry.path())
    })
}

#[cfg(unix)]
fn make_executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_file: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Major and minor version of a Neovim.
fn version_of(nvim: &Path) -> anyhow::Result<(u32, u32)> {
    let output = Command::new(nvim).arg("--version").output()?;
    ensure!(output.status.success(), "{}", last_words(&output));
    parse_version(&String::from_utf8_lossy(&output.stdout)).context("its version is not understood")
}

/// `NVIM v0.10.4` and what follows.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Takes the Neovim on the `PATH` where none can be installed.
fn from_path(folder: &Path, why: &str) -> anyhow::Result<Outcome> {
    let fix = "set ASSIST_TEST_NVIM_0_10 and ASSIST_TEST_NVIM_0_12 to run the tests in Neovim";
    let unavailable = || Ok(Outcome::Unavailable(format!("{why}; {fix}")));
    let Some(path) = std::env::var_os("PATH") else { return unavailable() };
    let nvim = std::env::split_paths(&path).map(|entry| entry.join("nvim")).find(|nvim| nvim.is_file());
    let Some(nvim) = nvim else { return unavailable() };
    let Ok(version) = version_of(&nvim) else { return unavailable() };
    let Some((name, ..)) = WANTED.iter().rev().find(|(_, _, least)| version >= *least) else {
        return unavailable();
    };
    fs::create_dir_all(folder)?;
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", nvim.display().to_string().replace('\'', r"'\''"));
    let wrapper = folder.join(name);
    fs::write(&wrapper, script)?;
    make_executable(&wrapper)?;
    Ok(Outcome::Ready(folder.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_comes_from_both_formats_and_is_not_the_one_for_security() {
        let stanzas = "Types: deb\n# a remark: with a colon\nURIs: http://security.debian.org/debian-security\nSuites: stable\n\n\
                       Types: deb\nURIs: http://mirror.example/debian\nSuites: stable\nSigned-By: /usr/share/keyrings/a.gpg\n";
        let expected =
            ("http://mirror.example/debian".to_owned(), Some("/usr/share/keyrings/a.gpg".to_owned()));
        assert_eq!(from_stanzas(stanzas), Some(expected.clone()));

        let lines = "# deb http://old.example/debian x main\ndeb http://s.example/debian-security stable main\n\
                     deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian stable main\n";
        assert_eq!(from_lines(lines), Some(expected));
        assert_eq!(from_lines("deb http://archive.ubuntu.com/ubuntu noble main\n"), None);
    }

    #[test]
    fn a_version_is_read_from_what_neovim_says() {
        assert_eq!(parse_version("NVIM v0.10.4\nBuild type: Release\n"), Some((0, 10)));
        assert_eq!(parse_version("NVIM v0.13.0-dev-1+g12\n"), Some((0, 13)));
        assert_eq!(parse_version("VIM - Vi IMproved 9.1"), None);
    }
}
