//! What is known of the workspace and of its copy from the time they were last compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What tells an unchanged file or folder without reading it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// When it was changed, in nanoseconds of the system's clock; and its entry.
    pub modified: i128,
    pub changed: i128,
    pub size: u64,
    pub number: u64,
    pub mode: u32,
}

impl Stamp {
    /// Whether it was changed so shortly before `now` that a later change could have the same times: two seconds, the
    /// coarsest clock of a file system in use.
    pub(super) fn is_young(&self, now: i128) -> bool {
        self.modified.max(self.changed) > now - 2_000_000_000
    }
}

/// A regular file or a link that is copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Of the workspace's file when it was compared.
    pub source: Stamp,
    /// Of the copy afterwards.
    pub copy: Stamp,
    /// The source was too young then: its bytes decide.
    pub young: bool,
    pub link: bool,
}

/// A folder of the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Folder {
    /// Of the workspace's folder when it was listed; none where it must be listed anew.
    pub source: Option<Stamp>,
    /// Of the copy's folder when it was last as it should be.
    pub copy: Option<Stamp>,
    pub files: BTreeMap<String, Entry>,
    pub folders: BTreeMap<String, Folder>,
    /// Names of shared dependencies.
    pub shared: BTreeMap<String, super::listing::Sharing>,
}

impl Folder {
    /// The file at `parts`, if it is known.
    pub(super) fn file(&mut self, parts: &[&str]) -> Option<&mut Entry> {
        let (name, folders) = parts.split_last()?;
        let mut at = self;
        for folder in folders {
            at = at.folders.get_mut(*folder)?;
        }
        at.files.get_mut(*name)
    }
}
