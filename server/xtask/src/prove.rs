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
pub const PROOFS: &[Proof] = &[
    Proof {
        name: "store",
        shows: "four processes write 10,000 events each and none is lost; 200 kills at seeded moments lose nothing acknowledged",
        run: store,
    },
    Proof {
        name: "run",
        shows: "200 kills at random moments of a run over several files: nothing acknowledged is lost, no file is half-written, the resumed run ends with the same files, no completed call is paid for twice",
        run: kills,
    },
];

fn store(root: &Path) -> anyhow::Result<()> {
    let test = ["--release", "--package", "assist-store", "--test", "it", "processes::"];
    cargo_test(root, &test, &[("ASSIST_PROVE_EVENTS", "10000"), ("ASSIST_PROVE_KILLS", "200")])
}

fn kills(root: &Path) -> anyhow::Result<()> {
    let test = ["--package", "assist-tests", "--test", "e2e", "kills::", "--", "--nocapture"];
    cargo_test(root, &test, &[("ASSIST_PROVE_RUN_KILLS", "200")])
}

/// Runs tests that prove more when the environment asks for it.
fn cargo_test(root: &Path, arguments: &[&str], more: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).arg("test").args(arguments).envs(more.iter().copied());
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
