//! Real code to prove things over: packages of the npm registry that ship their TypeScript sources.
//!
//! `packages.txt` beside this file pins each by version and by the SHA-256 of its tarball, so that every machine sees the
//! same files. They are kept under `target/corpus` and never committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

const PACKAGES: &str = include_str!("packages.txt");

/// Fetches what is missing, and returns the folder with one folder for each package.
///
/// # Errors
/// Where npm or tar are missing, the registry cannot be reached, or a tarball is not the pinned one.
pub fn fetch(root: &Path) -> anyhow::Result<PathBuf> {
    let folder = root.join("target/corpus");
    let sources = folder.join("sources");
    let tarballs = folder.join("tarballs");
    fs::create_dir_all(&tarballs).with_context(|| format!("making {}", tarballs.display()))?;
    for line in PACKAGES.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let (package, hash) = line.split_once(' ').with_context(|| format!("`{line}` lacks its hash"))?;
        let name = package.trim_start_matches('@').replace(['/', '@'], "-");
        let place = sources.join(&name);
        if place.join(".complete").exists() {
            continue;
        }
        println!("fetching {package}");
        let tarball = tarballs.join(format!("{name}.tgz"));
        if !tarball.exists() {
            run(Command::new("npm").args(["pack", "--silent", package]).current_dir(&tarballs))?;
        }
        let bytes = fs::read(&tarball).with_context(|| format!("reading {}", tarball.display()))?;
        let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        anyhow::ensure!(found == hash.trim(), "{package} is not the pinned one: its SHA-256 is {found}");
        fs::create_dir_all(&place)?;
        run(Command::new("tar").arg("-xzf").arg(&tarball).arg("-C").arg(&place))?;
        fs::write(place.join(".complete"), "")?;
    }
    Ok(sources)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    anyhow::ensure!(status.success(), "{command:?} failed");
    Ok(())
}
