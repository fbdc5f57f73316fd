//! Developer tasks: tests with real editors, proofs, benchmarks, and the tidy test that holds the walls of the house.
//!
//! Nothing here is shipped. Tasks talk to a developer at a terminal or in a CI log, so printing is what they are for.
#![expect(clippy::print_stdout, reason = "a task's result is what it prints")]

use std::path::{Path, PathBuf};

pub mod bench;
pub mod prove;
pub mod provision;
pub mod test;
pub mod tidy;

/// The repository's top folder.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_path_buf()
}
