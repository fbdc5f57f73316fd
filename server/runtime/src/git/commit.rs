//! Committing a run's own files and nothing else.

use std::collections::BTreeSet;

use assist_base::DocPath;

use super::{COMMITTING, GitError, Repository};
use crate::Trust;

/// What was dirty or staged before a run began: never committed by it. Keep it with the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Before {
    /// Paths relative to the workspace.
    pub paths: BTreeSet<String>,
}

/// A commit to be made.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// What the run changed, made or removed.
    pub paths: &'a [DocPath],
    /// The whole message.
    pub message: &'a str,
    /// A branch of the run's own, made from where the head is; none commits on the current branch. The user stays on that
    /// branch afterwards: going back would change files.
    pub branch: Option<&'a str>,
}

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its whole name.
    pub id: String,
    /// The branch it is on; none where the head is detached.
    pub branch: Option<String>,
    /// The paths in it.
    pub paths: Vec<String>,
    /// Paths of the run that are not in it, because they were dirty or staged before the run.
    pub left_out: Vec<String>,
}

impl Repository {
    /// What must not be committed later. Call before a run changes anything.
    ///
    /// # Errors
    /// As [`GitError`] says.
    pub fn before(&self) -> Result<Before, GitError> {
        Ok(Before { paths: self.status()?.paths() })
    }

    /// Commits the run's own paths as they are on disk. What else is staged stays staged and is not in the commit; hooks run.
    ///
    /// # Errors
    /// [`GitError::Nothing`] when no path is left, [`GitError::Refused`] when a hook says no,
    /// [`GitError::Unfinished`] during a merge or rebase, [`GitError::Untrusted`]; else as [`GitError`] says.
    pub fn commit(&self, commit: &Commit<'_>, before: &Before) -> Result<Committed, GitError> {
        if self.trust == Trust::Untrusted {
            return Err(GitError::Untrusted);
        }
        self.must_be_at_rest()?;
        let dirty = self.status()?;
        let now = dirty.paths();
        let (mut paths, mut left_out) = (BTreeSet::new(), Vec::new());
        for path in commit.paths {
            let name = path.as_str().to_owned();
            if before.paths.contains(&name) {
                left_out.push(name);
            } else if now.contains(&name) {
                paths.insert(name);
            }
        }
        if paths.is_empty() {
            let why = if left_out.is_empty() {
                "the files are as they were committed".to_owned()
            } else {
                format!("{} had changes of yours before; commit them yourself", left_out.join(", "))
            };
            return Err(GitError::Nothing { why });
        }
        if let Some(branch) = commit.branch {
            self.begin_branch(branch)?;
        }
        let literal = |name: &String| format!(":(literal){name}");
        let new: Vec<String> = dirty
            .changes
            .iter()
            .filter(|c| c.staged == '?' && paths.contains(&c.path))
            .map(|c| literal(&c.path))
            .collect();
        if !new.is_empty() {
            // Git must know a file before `commit -- path` takes it; its text is not staged by this.
            let mut arguments = vec!["add", "--intent-to-add", "--"];
            arguments.extend(new.iter().map(String::as_str));
            self.write(&arguments)?;
        }
        let literals: Vec<String> = paths.iter().map(literal).collect();
        let message = format!("--message={}", commit.message);
        let mut arguments = vec!["commit", "--quiet", &message, "--only", "--cleanup=strip", "--"];
        arguments.extend(literals.iter().map(String::as_str));
        if let Err(error) = self.write(&arguments) {
            if !new.is_empty() {
                // As it was: unknown to Git, and on disk untouched.
                let mut arguments = vec!["rm", "--cached", "--quiet", "--force", "--"];
                arguments.extend(new.iter().map(String::as_str));
                let _ = self.write(&arguments);
            }
            return Err(match error {
                GitError::Failed { message } => GitError::Refused { message },
                other => other,
            });
        }
        let after = self.status()?;
        Ok(Committed {
            id: after.head.unwrap_or_default(),
            branch: after.branch,
            paths: paths.into_iter().collect(),
            left_out,
        })
    }

    /// The commit that was made on top of `since` (the head then; none: there was no commit) and whose message holds `mark`, with
    /// its paths and the present branch: how a commit is found whose maker was cut off before it could keep its name.
    ///
    /// # Errors
    /// [`GitError::BadName`] where `since` is no commit's name; else as [`GitError`] says.
    pub fn made_since(&self, since: Option<&str>, mark: &str) -> Result<Option<Committed>, GitError> {
        if let Some(since) = since
            && !((4..=64).contains(&since.len()) && since.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(GitError::BadName { name: since.to_owned(), what: "commit" });
        }
        let without = since.map(|since| format!("^{since}"));
        let mark = format!("--grep={mark}");
        let mut arguments = vec!["log", "--format=%H", "--max-count=1", "--fixed-strings", &mark, "HEAD"];
        arguments.extend(without.as_deref());
        arguments.push("--");
        let status = self.status()?;
        if status.head.is_none() {
            return Ok(None);
        }
        let found = self.read_log(&arguments)?;
        let Some(id) = found.lines().next().filter(|id| !id.is_empty()) else { return Ok(None) };
        let paths = self.changed(Some(id))?;
        Ok(Some(Committed { id: id.to_owned(), branch: status.branch, paths, left_out: Vec::new() }))
    }

    /// Makes the branch where the head is and goes there, which changes no file.
    fn begin_branch(&self, branch: &str) -> Result<(), GitError> {
        let bad = || GitError::BadName { name: branch.to_owned(), what: "branch" };
        if branch.starts_with('-') {
            return Err(bad());
        }
        if self.status()?.branch.as_deref() == Some(branch) {
            return Ok(());
        }
        self.read(&["check-ref-format", "--branch", branch]).map_err(|error| match error {
            GitError::Failed { .. } => bad(),
            other => other,
        })?;
        let reference = format!("refs/heads/{branch}");
        if self.read(&["show-ref", "--verify", "--quiet", &reference]).is_ok() {
            // It leads elsewhere; going there would change files.
            return Err(GitError::Failed {
                message: format!("the branch `{branch}` exists already; choose another name"),
            });
        }
        // Unlike a checkout this touches neither files nor the index.
        self.write(&["symbolic-ref", "HEAD", &reference])
    }

    fn must_be_at_rest(&self) -> Result<(), GitError> {
        let folder = self.git_dir()?;
        for (mark, what) in [
            ("MERGE_HEAD", "merge"),
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
            ("BISECT_LOG", "bisection"),
        ] {
            if folder.join(mark).exists() {
                return Err(GitError::Unfinished { what });
            }
        }
        Ok(())
    }

    /// A command of the user's own: with the repository's configuration and hooks.
    fn write(&self, arguments: &[&str]) -> Result<(), GitError> {
        self.run(arguments, &[], &[], COMMITTING).map(|_| ())
    }
}
