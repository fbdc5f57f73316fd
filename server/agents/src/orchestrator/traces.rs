//! What a command did to the workspace's files: told by their sizes and times before and after, and kept so that it can be
//! taken back like everything else that a run did.
//!
//! Limits: only files that Git would list are looked at, not what is ignored (installed packages, products). Taken back is
//! what was text of at most [`MOST_FILE`] bytes, as long as all of it together is not too much to remember; the rest is
//! named only. An edit that somebody else saves while the command runs counts as the command's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use assist_base::{ChangeSetId, DocPath};
use assist_runtime::{Workspace, looks_secret};
use assist_store::FileSnapshot;
use serde::{Deserialize, Serialize};

use crate::run::{Break, Run};

/// How many files are looked at.
const MOST_FILES: usize = 50_000;
/// The largest file that is remembered, in bytes.
const MOST_FILE: u64 = 1 << 20;
/// What is remembered at most, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// How a file looked from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    bytes: u64,
    modified: Option<SystemTime>,
}

/// The files before a command.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Before {
    looks: BTreeMap<DocPath, Look>,
    texts: BTreeMap<DocPath, String>,
}

impl Before {
    /// Looks at the workspace. Blocks.
    pub(super) fn take(workspace: &Workspace) -> Self {
        let mut before = Self::default();
        let mut bytes = 0;
        for file in workspace.walk(MOST_FILES).files {
            let small = file.bytes <= MOST_FILE && bytes + file.bytes <= MOST_BYTES;
            if small
                && !looks_secret(&file.path)
                && let Ok(text) = workspace.read(&file.path)
            {
                bytes += file.bytes;
                before.texts.insert(file.path.clone(), text.text);
            }
            before.looks.insert(file.path, Look { bytes: file.bytes, modified: file.modified });
        }
        before
    }

    /// As if what was changed at `end` or after it had always been so: it is somebody else's.
    pub(super) fn until(mut self, end: Option<SystemTime>, workspace: &Workspace) -> Self {
        for file in workspace.walk(MOST_FILES).files {
            if end.is_none_or(|end| file.modified.is_none_or(|at| at >= end)) {
                self.looks.insert(file.path, Look { bytes: file.bytes, modified: file.modified });
            }
        }
        self
    }

    /// What is different now: copies of what can be taken back, and the names of all. Blocks.
    pub(super) fn compare(mut self, workspace: &Workspace) -> (Vec<FileSnapshot>, Vec<String>) {
        let now: BTreeMap<DocPath, Look> = workspace
            .walk(MOST_FILES)
            .files
            .into_iter()
            .map(|file| (file.path, Look { bytes: file.bytes, modified: file.modified }))
            .collect();
        let all: BTreeSet<&DocPath> = self.looks.keys().chain(now.keys()).collect();
        let (mut copies, mut names) = (Vec::new(), Vec::new());
        for path in all {
            let (was, is) = (self.looks.get(path), now.get(path));
            if was == is {
                continue;
            }
            let before = self.texts.remove(path);
            let after = is
                .filter(|look| look.bytes <= MOST_FILE && !looks_secret(path))
                .and_then(|_| workspace.read(path).ok())
                .map(|file| file.text);
            if before.is_some() && before == after {
                continue;
            }
            names.push(path.to_string());
            let known = (was.is_none() || before.is_some()) && (is.is_none() || after.is_some());
            if known {
                copies.push(FileSnapshot {
                    path: path.clone(),
                    before: before.map(String::into_bytes),
                    after: after.map(String::into_bytes),
                });
            }
        }
        (copies, names)
    }

    /// Keeps what a command did as the change set `id`, and returns the files it changed.
    pub(super) async fn keep(self, run: &Run, id: ChangeSetId) -> Result<Vec<String>, Break> {
        let workspace = std::sync::Arc::clone(&run.workspace);
        let compared = tokio::task::spawn_blocking(move || self.compare(&workspace)).await;
        let Ok((copies, names)) = compared else {
            return Err(Break::Failed("Assist failed inside; the log says where.".to_owned()));
        };
        if !copies.is_empty() {
            let snapshots = run.store().snapshots();
            snapshots.record(run.id, id, copies, run.clock().now()).await?;
            snapshots.mark_applied(id).await?;
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use assist_runtime::Trust;

    use super::*;

    #[test]
    fn what_was_made_changed_and_removed_is_seen_and_keys_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["same.txt", "changed.txt", "gone.txt", ".env"] {
            std::fs::write(at(name), "old").unwrap();
        }
        let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
        let before = Before::take(&workspace);
        std::fs::write(at("changed.txt"), "newer").unwrap();
        std::fs::remove_file(at("gone.txt")).unwrap();
        std::fs::write(at("made.txt"), "x").unwrap();
        std::fs::write(at(".env"), "KEY=secret").unwrap();
        std::fs::write(at("same.txt"), "old").unwrap();
        let (copies, names) = before.compare(&workspace);
        assert_eq!(names, [".env", "changed.txt", "gone.txt", "made.txt"]);
        let copy = |name: &str| {
            let copy = copies.iter().find(|copy| copy.path.as_str() == name)?;
            Some((copy.before.as_deref(), copy.after.as_deref()))
        };
        assert_eq!(copy("changed.txt"), Some((Some(&b"old"[..]), Some(&b"newer"[..]))));
        assert_eq!(copy("gone.txt"), Some((Some(&b"old"[..]), None)));
        assert_eq!(copy("made.txt"), Some((None, Some(&b"x"[..]))));
        assert_eq!(copy(".env"), None);
    }
}
