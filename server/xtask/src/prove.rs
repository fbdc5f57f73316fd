//! `cargo xtask prove`: the full proofs, which take too long for every change.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

mod corpus;
mod fuzz;

/// How a proof is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What random choices begin with; each proof has its own without it.
    pub seed: Option<u64>,
    /// How long each target is fuzzed.
    pub minutes: u64,
}

/// One proof that can be run by name.
pub struct Proof {
    /// What it is called.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub shows: &'static str,
    /// Runs it in the repository at the given root.
    pub run: fn(&Path, Options) -> anyhow::Result<()>,
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
    Proof {
        name: "checkpoints",
        shows: "a planned run and a build, killed before, within and after each of their answers and at each of their checkpoints: they go on to the same files, and no call whose answer has come is made again",
        run: checkpoints,
    },
    Proof {
        name: "typing",
        shows: "200 runs on a document that its user edits at random all the while, in the manner of three editors: every keystroke is there in the end, and what was valid stays valid",
        run: typing,
    },
    Proof {
        name: "gate",
        shows: "over the files of 26 packages: no false alarm, nothing cut is applied broken, continuations are joined rightly or not at all, merges move nothing else",
        run: gate,
    },
    Proof {
        name: "matrix",
        shows: "60 real files through `assist ask`, every answer cut in five ways, once and always: whole or unchanged, never broken and never silently incomplete",
        run: matrix,
    },
    Proof {
        name: "fuzz",
        shows: "scanner, gate, stitcher and edit blocks do not panic on hostile text (cargo-fuzz, nightly, `--minutes` each)",
        run: fuzz::run,
    },
];

fn store(root: &Path, _options: Options) -> anyhow::Result<()> {
    let test = ["--release", "--package", "assist-store", "--test", "it", "processes::"];
    cargo_test(root, &test, &[("ASSIST_PROVE_EVENTS", "10000".into()), ("ASSIST_PROVE_KILLS", "200".into())])
}

fn kills(root: &Path, _options: Options) -> anyhow::Result<()> {
    let test = ["--package", "assist-tests", "--test", "e2e", "kills::", "--", "--nocapture"];
    cargo_test(root, &test, &[("ASSIST_PROVE_RUN_KILLS", "200".into())])
}

fn checkpoints(root: &Path, _options: Options) -> anyhow::Result<()> {
    let test = ["--package", "assist-tests", "--test", "e2e", "checkpoints::", "--", "--nocapture"];
    cargo_test(root, &test, &[("ASSIST_PROVE_CHECKPOINTS", "1".into())])
}

fn typing(root: &Path, _options: Options) -> anyhow::Result<()> {
    let test = ["--package", "assist-tests", "--test", "e2e", "typing::", "--", "--nocapture"];
    cargo_test(root, &test, &[("ASSIST_PROVE_TYPING", "200".into())])
}

fn gate(root: &Path, options: Options) -> anyhow::Result<()> {
    let test = ["--release", "--package", "assist-syntax", "--test", "proof", "--", "--nocapture"];
    over_corpus(root, &test, options)
}

fn matrix(root: &Path, options: Options) -> anyhow::Result<()> {
    let test = ["--package", "assist-tests", "--test", "e2e", "matrix::", "--", "--nocapture"];
    over_corpus(root, &test, options)
}

/// Runs tests over the fetched packages.
fn over_corpus(root: &Path, arguments: &[&str], options: Options) -> anyhow::Result<()> {
    let mut more = vec![("ASSIST_PROVE_CORPUS", corpus::fetch(root)?.into_os_string())];
    more.extend(options.seed.map(|seed| ("ASSIST_PROVE_SEED", seed.to_string().into())));
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root).output();
    let commit = commit.map(|found| String::from_utf8_lossy(&found.stdout).trim().to_owned());
    println!("commit {}", commit.unwrap_or_else(|_| "unknown".to_owned()));
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--test-threads", "1"]).collect();
    cargo_test(root, &arguments, &more)
}

/// Runs tests that prove more when the environment asks for it.
fn cargo_test(root: &Path, arguments: &[&str], more: &[(&str, OsString)]) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).arg("test").args(arguments).envs(more.iter().cloned());
    let status = command.status().context("starting cargo test")?;
    anyhow::ensure!(status.success(), "the proof failed");
    Ok(())
}

/// Runs the proof `name`, or lists all.
///
/// # Errors
/// When there is no such proof, or it fails.
pub fn run(root: &Path, name: Option<&str>, options: Options) -> anyhow::Result<()> {
    let Some(name) = name else {
        for proof in PROOFS {
            println!("{:<16} {}", proof.name, proof.shows);
        }
        return Ok(());
    };
    match PROOFS.iter().find(|proof| proof.name == name) {
        Some(proof) => (proof.run)(root, options),
        None => anyhow::bail!("there is no proof named `{name}`; `cargo xtask prove` lists them"),
    }
}
