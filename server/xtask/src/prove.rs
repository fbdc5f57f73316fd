//! `cargo xtask prove`: the full proofs, which take too long for every change.

use std::path::Path;

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
pub const PROOFS: &[Proof] = &[];

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
