//! The built `assist` binary, for tests that run it as its users do.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The path of the binary: what `ASSIST_TEST_BIN` names, else `assist` in the folder cargo built this test into. It is built once a
/// test process if it is not there or older than the sources (cargo decides).
///
/// # Panics
/// If it cannot be built.
pub fn assist() -> PathBuf {
    // A build that failed is not tried again by every test.
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BINARY.get_or_init(|| match std::env::var_os("ASSIST_TEST_BIN") {
        Some(path) => Some(PathBuf::from(path)),
        None => build(),
    });
    built.clone().expect("the binary could be built")
}

fn build() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a test knows its own path");
    // target/<profile>/deps/<test>
    let profile = test.ancestors().nth(2).expect("tests are built into target/<profile>/deps");
    let name = profile.file_name().and_then(|name| name.to_str()).unwrap_or("debug");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "assist", "--bin", "assist"]);
    build.args(["--profile", if name == "debug" { "dev" } else { name }]);
    build.env("CARGO_TARGET_DIR", profile.parent().expect("a profile's folder is in the target folder"));
    build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let status = build.status().expect("cargo can be started");
    status.success().then(|| profile.join(format!("assist{}", std::env::consts::EXE_SUFFIX)))
}
