//! `cargo xtask test`: every test, with real editors.

use std::path::Path;

/// Runs every test.
///
/// # Errors
/// When a test fails.
pub fn run(root: &Path, _require_editors: bool, rest: &[String]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .current_dir(root)
        .args(["test", "--workspace"])
        .args(rest)
        .status()?;
    anyhow::ensure!(status.success(), "some tests failed");
    Ok(())
}
