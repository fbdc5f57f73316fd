//! Fuzzing of the syntax crate: `cargo fuzz` over the targets of `server/syntax/fuzz`, which needs a nightly toolchain.
//!
//! What it builds and finds stays under `target/fuzz`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::Options;

/// Inputs that libFuzzer makes are no longer than this: what is wrong shows in short ones, too.
const MAX_LEN: usize = 4096;

/// Runs every target for the given time.
///
/// # Errors
/// Where `cargo fuzz` is missing, or a target crashed; it then names the input that did it.
pub fn run(root: &Path, options: Options) -> anyhow::Result<()> {
    let folder = root.join("server/syntax/fuzz");
    let kept = root.join("target/fuzz");
    let targets = folder.join("fuzz_targets");
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&targets).with_context(|| format!("reading {}", targets.display()))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    for name in names {
        println!("fuzzing {name} for {} minutes", options.minutes);
        let (corpus, found) = (kept.join("corpus").join(&name), kept.join("found").join(&name));
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&found)?;
        let mut command = Command::new("cargo");
        // The toolchain is chosen here, whatever toolchain this task itself was started with.
        command.current_dir(&folder).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        command.env("CARGO_TARGET_DIR", kept.join("build"));
        // The grammars are C sources with tables of the same names, each its own.
        command.env("ASAN_OPTIONS", "detect_odr_violation=0");
        command.args(["+nightly", "fuzz", "run", "--fuzz-dir", ".", &name]).arg(&corpus).arg("--");
        command.arg(format!("-max_total_time={}", options.minutes * 60));
        command.arg(format!("-max_len={MAX_LEN}")).arg("-timeout=20");
        command.arg(format!("-artifact_prefix={}/", found.display())).arg("-print_final_stats=1");
        let status =
            command.status().context("starting cargo fuzz; `cargo install cargo-fuzz` installs it")?;
        anyhow::ensure!(status.success(), "the target {name} failed");
    }
    Ok(())
}
