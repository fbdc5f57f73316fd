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
    /// The author's day, as `2026-03-01`.
    pub day: String,
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
        let format = format!("--format={ENTRY}");
        let arguments = ["log", &count, &format, "--no-color", "--no-show-signature", "--", &path];
        let text = self.read_log(&arguments)?;
        Ok(text.split('\x1e').filter_map(|text| Some(entry(text)?.0)).collect())
    }

    /// The answer of a `git log`; empty before the first commit.
    pub(super) fn read_log(&self, arguments: &[&str]) -> Result<String, GitError> {
        match self.read(arguments) {
            Err(GitError::Failed { message }) if message.contains("does not have any commits") => {
                Ok(String::new())
            }
            result => result,
        }
    }

    /// The paths in the workspace that are not as they were committed, or that a commit changed. New files are not among
    /// the former.
    ///
    /// # Errors
    /// As [`Repository::diff`] and [`Repository::show`].
    pub fn changed(&self, commit: Option<&str>) -> Result<Vec<String>, GitError> {
        let text = match commit {
            Some(commit) => self.read_show(commit, &["--format=", "--name-only", "-z"], &[])?,
            None => self.read_diff(&["--name-only", "-z"], &[])?,
        };
        let paths = text.split('\0').map(|path| path.trim_start_matches('\n'));
        Ok(paths.filter(|path| !path.is_empty()).map(str::to_owned).collect())
    }

    /// What is not committed yet, as a unified diff; of these paths, or of the whole workspace where none is named. New
    /// files are not in it.
    ///
    /// # Errors
    /// As [`GitError`] says.
    pub fn diff(&self, paths: &[DocPath]) -> Result<String, GitError> {
        self.read_diff(&[], paths)
    }

    fn read_diff(&self, options: &[&str], paths: &[DocPath]) -> Result<String, GitError> {
        let paths = Self::pathspecs(paths)?;
        let head = self.status()?.head;
        let mut arguments = vec!["diff"];
        arguments.extend(DIFF);
        arguments.extend(options);
        arguments.push(if head.is_some() { "HEAD" } else { "--cached" });
        arguments.extend(["--relative", "--"]);
        arguments.extend(paths.iter().map(String::as_str));
        self.read(&arguments)
    }

    /// What a commit changed in the workspace, as a unified diff with its message; of these paths alone where any is named.
    ///
    /// # Errors
    /// [`GitError::BadName`] for anything but a commit's hexadecimal name; as [`GitError`] says.
    pub fn show(&self, commit: &str, paths: &[DocPath]) -> Result<String, GitError> {
        self.read_show(commit, &[], paths)
    }

    fn read_show(&self, commit: &str, options: &[&str], paths: &[DocPath]) -> Result<String, GitError> {
        let plain = (4..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !plain {
            return Err(GitError::BadName { name: commit.to_owned(), what: "commit" });
        }
        let paths = Self::pathspecs(paths)?;
        let mut arguments = vec!["show", "--no-show-signature", "--relative"];
        arguments.extend(DIFF);
        arguments.extend(options);
        arguments.extend([commit, "--"]);
        arguments.extend(paths.iter().map(String::as_str));
        self.read(&arguments)
    }

    fn pathspecs(paths: &[DocPath]) -> Result<Vec<String>, GitError> {
        if paths.is_empty() { Ok(vec![".".to_owned()]) } else { paths.iter().map(Self::literal).collect() }
    }
}

/// How a log's entry is written: a mark, and five fields, each with its end.
pub(super) const ENTRY: &str = "%x1e%H%x1f%an%x1f%at%x1f%as%x1f%s%x1f";

/// An entry of a log, and what stands after it. None for what is no entry: a message may hold anything.
pub(super) fn entry(text: &str) -> Option<(LogEntry, &str)> {
    let mut fields = text.splitn(5, '\x1f');
    let (id, author) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let (time, day) = (fields.next()?.parse().ok()?, fields.next()?.to_owned());
    // The subject may hold such a mark itself.
    let (subject, rest) = fields.next()?.rsplit_once('\x1f')?;
    Some((LogEntry { id, author, time, day, subject: subject.to_owned() }, rest))
}
