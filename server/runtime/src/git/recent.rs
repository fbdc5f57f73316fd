//! What was changed lately, and a sign by which it is seen without running Git whether that may have become more.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::read::{ENTRY, entry};
use super::{GitError, LogEntry, Repository};
use crate::{Workspace, disk};

/// The most commits that are looked at.
const MAX_COMMITS: u32 = 200;
/// Git's small files (`HEAD`, the `.git` of a worktree) are read up to here.
const SMALL: u64 = 4096;

/// A commit and what it touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The commit.
    pub commit: LogEntry,
    /// The paths in the workspace that it changed, relative to it; none for a merge.
    pub paths: Vec<String>,
}

impl Repository {
    /// The latest commits that touch the workspace with their paths, newest first; at most `limit` (1 to 200).
    ///
    /// # Errors
    /// As [`GitError`] says. A repository without a commit has none.
    pub fn touched(&self, limit: u32) -> Result<Vec<Touched>, GitError> {
        let count = format!("--max-count={}", limit.clamp(1, MAX_COMMITS));
        let format = format!("--format={ENTRY}");
        let arguments = [
            "log",
            &count,
            &format,
            "--no-color",
            "--no-show-signature",
            "--name-only",
            "--no-renames",
            "--relative",
            "-z",
            "--",
            ".",
        ];
        let text = self.read_log(&arguments)?;
        let touched = text.split('\x1e').filter_map(|text| {
            let (commit, names) = entry(text)?;
            let paths = names.split('\0').map(|name| name.trim_start_matches('\n'));
            let paths = paths.filter(|path| !path.is_empty()).map(str::to_owned).collect();
            Some(Touched { commit, paths })
        });
        Ok(touched.collect())
    }
}

/// How Git's own files about the head looked: as long as it stays the same, no commit and no checkout was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadSign {
    head: Vec<u8>,
    files: Vec<Option<(SystemTime, u64)>>,
}

impl HeadSign {
    /// The sign of the repository around a workspace; none where there is none. Costs a few looks at files.
    pub fn of(workspace: &Workspace) -> Option<Self> {
        let folder = workspace.root().ancestors().find_map(git_folder)?;
        let head = disk::read_up_to(&folder.join("HEAD"), SMALL).ok()??;
        let text = String::from_utf8_lossy(&head);
        // Where no log of the head is kept, the branch's own file tells.
        let branch = text.trim().strip_prefix("ref: ").filter(|name| !name.contains("..")).unwrap_or("HEAD");
        let look = |name: &str| {
            let facts = std::fs::metadata(folder.join(name)).ok()?;
            Some((facts.modified().ok()?, facts.len()))
        };
        let files = ["HEAD", "logs/HEAD", "packed-refs", branch].map(look).to_vec();
        Some(Self { head, files })
    }
}

/// The folder that `.git` in `folder` is, or leads to.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let dot_git = folder.join(".git");
    if dot_git.is_dir() {
        return Some(dot_git);
    }
    let text = disk::read_up_to(&dot_git, SMALL).ok()??;
    let text = String::from_utf8(text).ok()?;
    Some(folder.join(text.strip_prefix("gitdir: ")?.trim()))
}
