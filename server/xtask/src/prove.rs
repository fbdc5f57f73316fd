//! `cargo xtask prove`: the full proofs, which take too long for every change.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

/// One proof that can be run by name.
pub struct Proof {
    /// What it is called.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub shows: &'static str,
    /// Runs it in the repository at the given root.
    pub run: fn(&Path) -> anyhow::Result<()>,
}

/// All proofs. Each is added together with what it proves.
pub const PROOFS: &[Proof] = &[Proof {
    name: "store",
    shows: "four processes write 10,000 events each and none is lost; 200 kills at seeded moments lose nothing acknowledged",
    run: store,
}];

fn store(root: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args([
        "test",
        "--release",
        "--package",
        "assist-store",
        "--test",
        "it",
        "processes::",
    ]);
    command.env("ASSIST_PROVE_EVENTS", "10000").env("ASSIST_PROVE_KILLS", "200");
    let status = command.status().context("starting cargo test")?;
    anyhow::ensure!(status.success(), "the proof failed");
    Ok(())
}

/// Runs the proof `name`, or lists all.
///
/// # Errors
/// When there is no such proof, or it fails.
pub fn run(root: &Path, name: Option<&str>) -> anyhow::Result<()> {
    let Some(name) = name else {
        if PROOFS.is_empty() {
            println!("There are no proofs yet.");
        }
        for proof in PROOFS {
            println!("{:<16} {}", proof.name, proof.shows);
        }
        return Ok(());
    };
    match PROOFS.iter().find(|proof| proof.name == name) {
        Some(proof) => (proof.run)(root),
        None => anyhow::bail!("there is no proof named `{name}`; `cargo xtask prove` lists them"),
    }
}
