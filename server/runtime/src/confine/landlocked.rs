//! Landlock: files, TCP and signals.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError,
    Scope,
};

use super::{Walls, reads};

/// The newest Landlock that was thought through here.
const ASKED: ABI = ABI::V6;

/// Devices every program writes to.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Binds the calling thread.
///
/// # Errors
/// Why there is no Landlock here. Otherwise what this kernel's Landlock cannot do.
pub(super) fn put_up(walls: &Walls) -> Result<Vec<&'static str>, String> {
    let status = restrict(walls).map_err(|error| format!("Landlock could not be used: {error}"))?;
    give_up_privileges().map_err(|error| format!("root's privileges could not be given up: {error}"))?;
    match status {
        LandlockStatus::Available { effective_abi, .. } => Ok(lacking(effective_abi)),
        LandlockStatus::NotEnabled => Err(
            "Landlock is switched off, so files are not protected; start the kernel with `lsm=landlock,…`"
                .to_owned(),
        ),
        _ => Err("this kernel has no Landlock, so files are not protected; Linux 5.13 has it".to_owned()),
    }
}

/// As root, privileges open doors that no wall covers (the memory of other programs, raw disks): only those over files stay,
/// and files have walls. Landlock has seen to it that no program gives them back.
fn give_up_privileges() -> rustix::io::Result<()> {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let kept =
        CapabilitySet::CHOWN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER | CapabilitySet::FSETID;
    let mut sets = capabilities(None)?;
    sets.effective &= kept;
    sets.permitted &= kept;
    sets.inheritable = CapabilitySet::empty();
    set_capabilities(None, sets)
}

fn lacking(abi: ABI) -> Vec<&'static str> {
    let mut lacking = Vec::new();
    if abi < ABI::V2 {
        lacking.push("this kernel refuses all moves between folders (Linux 5.19 does not)");
    }
    if abi < ABI::V3 {
        lacking.push("this kernel does not keep files from being cut short (Linux 6.2 does)");
    }
    if abi < ABI::V6 {
        lacking
            .push("this kernel does not keep commands from signalling your other programs (Linux 6.12 does)");
    }
    lacking
}

fn restrict(walls: &Walls) -> Result<LandlockStatus, RulesetError> {
    let everything = AccessFs::from_all(ASKED);
    let mut asked = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(everything)?
        .scope(Scope::Signal)?
        .scope(Scope::AbstractUnixSocket)?;
    if !walls.network {
        // No port is granted below: TCP is closed here, and once more, with all the rest, by seccomp.
        asked = asked.handle_access(AccessNet::from_all(ASKED))?;
    }
    let mut rules = asked.create()?;
    let read = AccessFs::from_read(ASKED);
    // Where they really are; what does not exist needs no closing.
    let real =
        |paths: &[PathBuf]| paths.iter().filter_map(|path| path.canonicalize().ok()).collect::<Vec<_>>();
    let hidden = real(&[reads::hidden(), walls.hidden.clone()].concat());
    for path in reads::readable().iter().chain(&walls.readable) {
        for (path, access) in granted(path, &hidden, read, AccessFs::ReadDir.into()) {
            rules = grant(rules, &path, access)?;
        }
    }
    // What is closed for writing is still open for reading, unless it is hidden too.
    let closed: Vec<PathBuf> = real(&walls.protected).into_iter().chain(hidden.iter().cloned()).collect();
    for path in &walls.writable {
        for (path, access) in granted(path, &closed, everything, AccessFs::ReadDir.into()) {
            rules = grant(rules, &path, access)?;
        }
    }
    for path in &walls.protected {
        for (path, access) in granted(path, &hidden, read, AccessFs::ReadDir.into()) {
            rules = grant(rules, &path, access)?;
        }
    }
    for device in DEVICES {
        rules = grant(rules, Path::new(device), AccessFs::ReadFile | AccessFs::WriteFile)?;
    }
    Ok(rules.restrict_self()?.landlock)
}

/// `path` with `access`; where something below it is closed, its entries one by one, and the folders on the way with `way`.
fn granted(
    path: &Path,
    closed: &[PathBuf],
    access: BitFlags<AccessFs>,
    way: BitFlags<AccessFs>,
) -> Vec<(PathBuf, BitFlags<AccessFs>)> {
    let Ok(real) = path.canonicalize() else { return Vec::new() };
    // What is named itself is meant, also where a folder above it is closed.
    let closed: Vec<&PathBuf> = closed.iter().filter(|at| at.starts_with(&real)).collect();
    let mut granted = Vec::new();
    let mut open = vec![real];
    while let Some(at) = open.pop() {
        if closed.iter().any(|closed| at.starts_with(closed.as_path())) {
            continue;
        }
        if !closed.iter().any(|closed| closed.starts_with(&at)) {
            granted.push((at, access));
            continue;
        }
        granted.push((at.clone(), way));
        // Links are granted where they lead, if that is granted itself.
        let entries = std::fs::read_dir(&at).into_iter().flatten().flatten();
        open.extend(entries.filter(|e| e.file_type().is_ok_and(|kind| !kind.is_symlink())).map(|e| e.path()));
    }
    granted
}

fn grant(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    // Gone since, or never there.
    let Ok(opened) = PathFd::new(path) else { return Ok(rules) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(ASKED) };
    if access.is_empty() { Ok(rules) } else { rules.add_rule(PathBeneath::new(opened, access)) }
}
