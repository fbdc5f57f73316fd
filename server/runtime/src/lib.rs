//! The workspace on disk: finding its root, keeping paths inside it, reading text, and changing closed files so that a
//! crash at any moment leaves each change set either made or not made.
//!
//! Everything here blocks; callers on an async runtime use a blocking thread. Nothing here knows an editor: documents
//! that are open in one are changed through the editor, never on disk. The only crate that may start processes.

pub mod background;
pub mod checks;
pub mod command;
pub mod confine;
pub mod error;
pub mod git;
pub mod permission;
pub mod process;
pub mod root;
pub mod shadow;
pub mod text;
pub mod workspace;

mod contain;
mod disk;
mod journal;
mod kept;
mod rules;
mod walk;

pub use error::FileError;
pub use journal::{Recovered, Recovery};
pub use root::workspace_root;
pub use rules::RuleFile;
pub use text::{LineEnding, MAX_FILE_BYTES, TextFile};
pub use walk::{ListedFile, Walked, looks_secret};
pub use workspace::{Trust, Workspace};
