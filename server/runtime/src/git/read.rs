//! Reading: what is dirty, what was done, what changed.

use std::collections::BTreeSet;

use assist_base::DocPath;

use super::{GitError, Repository};

/// The most entries of a log that are read.
const MAX_LOG: u32 = 1_000;
/// Text filters would be programs of the repository's choosing.
const DIFF: [&str; 5] =
    ["--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all", "--no-renames"];

/// One path that is not as it was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Relative to the workspace.
    pub path: String,
    /// Git's letter for the index (`M`, `A`, `D`, `R`…), `.` for unchanged, `?` for a file it does not know.
    pub staged: char,
    /// Git's letter for the file on disk.
    pub unstaged: char,
}

/// The state of the workspace's part of the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The branch; none where the head is detached.
    pub branch: Option<String>,
    /// The commit that is checked out; none before the first.
    pub head: Option<String>,
    /// What is dirty, staged, or new, inside the workspace.
    pub changes: Vec<Change>,
}

impl Status {
    /// The paths that are dirty or staged.
    pub fn paths(&self) -> BTreeSet<String> {
        self.changes.iter().map(|change| change.path.clone()).collect()
    }
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its whole name.
    pub id: String,
    /// The author's name.
    pub author: String,
    /// When, in seconds since 1970.
    pub time: i64,
    /// The first line of its message.
    pub subject: String,
}

impl Repository {
    /// What is dirty, staged or new.
    ///
    /// # Errors
    /// As [`GitError`] says; the repository is left as it is in any case.
    pub fn status(&self) -> Result<Status, GitError> {
        let text = self.read(&[
            "status",
            "--porcelain=v2",
            "--branch",
            "-z",
            "--untracked-files=all",
            "--ignore-submodules=all",
            "--no-renames",
            "--",
            ".",
        ])?;
        let mut status = Status::default();
        for entry in text.split('\0') {
            if let Some(branch) = entry.strip_prefix("# branch.head ") {
                status.branch = (branch != "(detached)").then(|| branch.to_owned());
            } else if let Some(head) = entry.strip_prefix("# branch.oid ") {
                status.head = (head != "(initial)").then(|| head.to_owned());
            } else if let Some(path) = entry.strip_prefix("? ") {
                status.changes.extend(self.change(path, '?', '?'));
            } else if let Some(rest) = entry.strip_prefix("1 ").or_else(|| entry.strip_prefix("u ")) {
                // The path is the last field and may hold spaces; an unmerged entry has two more before it.
                let fields = if entry.starts_with('1') { 8 } else { 10 };
                let mut letters = rest.chars();
                let (staged, unstaged) = (letters.next().unwrap_or('.'), letters.next().unwrap_or('.'));
                if let Some(path) = rest.splitn(fields, ' ').nth(fields - 1) {
                    status.changes.extend(self.change(path, staged, unstaged));
                }
            }
        }
        Ok(status)
    }

    /// Porcelain names paths from the repository's top.
    fn change(&self, path: &str, staged: char, unstaged: char) -> Option<Change> {
        let path = path.strip_prefix(&self.prefix)?.to_owned();
        Some(Change { path, staged, unstaged })
    }

    /// The latest commits that touch the workspace, or one path in it, newest first; at most `limit` (1 to 1000).
    ///
    /// # Errors
    /// As [`GitError`] says. A repository without a commit has an empty log.
    pub fn log(&self, limit: u32, path: Option<&DocPath>) -> Result<Vec<LogEntry>, GitError> {
        let count = format!("--max-count={}", limit.clamp(1, MAX_LOG));
        let path = path.map_or_else(|| Ok(".".to_owned()), Self::literal)?;
        let format = "--format=%H%x1f%an%x1f%at%x1f%s%x1e";
        let text = match self.read(&["log", &count, format, "--no-color", "--no-show-signature", "--", &path])
        {
            Ok(text) => text,
            Err(GitError::Failed { message }) if message.contains("does not have any commits") => {
                String::new()
            }
            Err(error) => return Err(error),
        };
        let entry = |text: &str| {
            let mut fields = text.trim_start_matches('\n').split('\x1f');
            let (id, author) = (fields.next()?.to_owned(), fields.next()?.to_owned());
            let (time, subject) = (fields.next()?.parse().ok()?, fields.next()?.to_owned());
            Some(LogEntry { id, author, time, subject })
        };
        Ok(text.split('\x1e').filter_map(entry).collect())
    }

    /// What is not committed yet, as a unified diff; of one path or of the whole workspace. New files are not in it.
    ///
    /// # Errors
    /// As [`GitError`] says.
    pub fn diff(&self, path: Option<&DocPath>) -> Result<String, GitError> {
        let path = path.map_or_else(|| Ok(".".to_owned()), Self::literal)?;
        let mut arguments = vec!["diff"];
        arguments.extend(DIFF);
        let head = self.status()?.head;
        arguments.push(if head.is_some() { "HEAD" } else { "--cached" });
        arguments.extend(["--relative", "--", &path]);
        self.read(&arguments)
    }

    /// What a commit changed in the workspace, as a unified diff with its message.
    ///
    /// # Errors
    /// [`GitError::BadName`] for anything but a commit's hexadecimal name; as [`GitError`] says.
    pub fn show(&self, commit: &str) -> Result<String, GitError> {
        let plain = (4..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !plain {
            return Err(GitError::BadName { name: commit.to_owned(), what: "commit" });
        }
        let mut arguments = vec!["show", "--no-show-signature", "--relative"];
        arguments.extend(DIFF);
        arguments.extend([commit, "--", "."]);
        self.read(&arguments)
    }
}
