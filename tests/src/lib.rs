//! What the tests across crates share: an LSP client in memory, workspace folders, and the built binary.
//!
//! The tests themselves are in `tests/`. They see the product as its users do: through an editor's protocol, the
//! command line, the files, and the model's wire.

pub mod binary;
pub mod client;
pub mod folder;

pub use client::{Client, Editor, Pending};
pub use folder::Folder;
