//! `cargo xtask bench`: the repository's benchmarks.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

/// Runs the benchmarks of every package that has some; with `name` only those whose name holds it.
///
/// # Errors
/// When a benchmark fails.
pub fn run(root: &Path, name: Option<&str>) -> anyhow::Result<()> {
    let packages = [
        ("assist-syntax", "server/syntax"),
        ("assist-gateway", "server/gateway"),
        ("assist-store", "server/store"),
        ("assist-runtime", "server/runtime"),
        ("assist-agents", "server/agents"),
        ("assist-tests", "tests"),
    ];
    let mut ran = false;
    for (package, folder) in packages {
        if !root.join(folder).join("benches").is_dir() {
            continue;
        }
        println!("== benchmarks of {package}");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(root).args(["bench", "--package", package, "--benches"]);
        if let Some(name) = name {
            command.args(["--", name]);
        }
        let status = command.status().context("starting cargo bench")?;
        anyhow::ensure!(status.success(), "the benchmarks of {package} failed");
        ran = true;
    }
    if !ran {
        println!("There are no benchmarks yet.");
    }
    Ok(())
}
