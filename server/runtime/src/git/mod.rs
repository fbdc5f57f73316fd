//! Git, by the `git` program: reading a repository for prompts, and committing a run's own files.
//!
//! A repository is read as if it were hostile: none of its programs is run (file-system monitor, pagers, external diffs, text
//! conversions, hooks, filters of its configuration's), it cannot ask, and it cannot reach the network. Committing is the
//! user's own act: hooks and signing run as they do in the user's terminal.
//!
//! Nothing here resets, stashes, checks out, or otherwise touches files. A path that was dirty or staged before a run is
//! never committed by it ([`Before`]).

use std::path::{Path, PathBuf};
use std::time::Duration;

use assist_base::DocPath;

use crate::command::{Command, CommandError, End, Finished};
use crate::confine::Limits;
use crate::{Trust, Workspace};

mod commit;
mod push;
mod read;
mod recent;

pub use commit::{Before, Commit, Committed};
pub use push::Push;
pub use read::{Change, LogEntry, Status};
pub use recent::{HeadSign, Touched};

/// Reading takes no longer; committing may, since hooks run tests.
const READING: Duration = Duration::from_secs(30);
const COMMITTING: Duration = Duration::from_secs(600);
/// The most that is read of any answer.
const OUTPUT_CAP: usize = 8 << 20;

/// Why Git could not do it.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git`.
    #[error("`git` is not installed, so nothing can be read from or committed to the repository")]
    Missing,
    /// The workspace is not in a repository.
    #[error("this workspace is not in a Git repository")]
    NoRepository,
    /// The repository belongs to someone else.
    #[error(
        "Git does not trust this repository because its folder belongs to another user; if you do, run `git config --global --add safe.directory {folder}`"
    )]
    NotYours {
        /// The folder that Git names.
        folder: String,
    },
    /// The user did not say that the repository is trusted, and this would run its hooks.
    #[error("the workspace is not trusted, so nothing is committed or pushed; trust it first")]
    Untrusted,
    /// A merge, a rebase or the like is under way.
    #[error("a {what} is under way in this repository; finish or abort it, then commit")]
    Unfinished {
        /// `merge`, `rebase`.
        what: &'static str,
    },
    /// All paths to commit were dirty or staged before, or are as they were.
    #[error("there is nothing to commit: {why}")]
    Nothing {
        /// Why, as part of a sentence.
        why: String,
    },
    /// A hook said no.
    #[error("it was refused by a hook or by Git: {message}")]
    Refused {
        /// What was printed.
        message: String,
    },
    /// What it would be pushed to has more than is here.
    #[error("the other side's `{branch}` has commits that are not here; pull them first, nothing was pushed")]
    Behind {
        /// The branch.
        branch: String,
    },
    /// Another Git is at work.
    #[error("another Git command is at work in this repository; try again when it is done")]
    Busy,
    /// It took too long.
    #[error("Git took longer than {seconds} seconds and was ended")]
    TooSlow {
        /// The limit.
        seconds: u64,
    },
    /// A name cannot be a branch or a path here.
    #[error("`{name}` cannot be used as a {what}")]
    BadName {
        /// The name.
        name: String,
        /// `branch`, `path`.
        what: &'static str,
    },
    /// Anything else that Git says.
    #[error("Git could not do it: {message}")]
    Failed {
        /// What was printed.
        message: String,
    },
}

/// The repository that a workspace is in.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    trust: Trust,
    /// The workspace's place in the repository, with a slash at the end; empty at its top.
    prefix: String,
    /// Options that take back the filters of the repository's own configuration: a status would run them.
    filters: Vec<String>,
}

impl Repository {
    /// The repository around a workspace.
    ///
    /// # Errors
    /// [`GitError::Missing`], [`GitError::NoRepository`], [`GitError::NotYours`].
    pub fn open(workspace: &Workspace) -> Result<Self, GitError> {
        let mut repository = Self {
            root: workspace.root().to_path_buf(),
            trust: workspace.trust(),
            prefix: String::new(),
            filters: Vec::new(),
        };
        let prefix = repository.read(&["rev-parse", "--show-prefix"])?;
        repository.prefix = prefix.trim_end_matches('\n').to_owned();
        repository.filters = repository.own_filters();
        Ok(repository)
    }

    /// For every filter that the repository's own configuration names: what the user's says of it, or nothing.
    fn own_filters(&self) -> Vec<String> {
        let keys = r"^filter\..*\.(clean|smudge|process|required)$";
        // It ends with another code where there is none.
        let listed =
            self.read(&["config", "--show-scope", "--null", "--get-regexp", keys]).unwrap_or_default();
        let mut fields = listed.split('\0');
        let (mut own, mut users) = (std::collections::BTreeSet::new(), std::collections::BTreeMap::new());
        while let (Some(scope), Some(entry)) = (fields.next(), fields.next()) {
            let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
            match scope {
                "system" | "global" => {
                    users.insert(key, value);
                }
                _ => {
                    own.insert(key);
                }
            }
        }
        let nothing = |key: &str| if key.ends_with(".required") { "false" } else { "" };
        own.into_iter()
            .flat_map(|key| {
                let value = users.get(key).copied().unwrap_or_else(|| nothing(key));
                ["-c".to_owned(), format!("{key}={value}")]
            })
            .collect()
    }

    /// Runs a command that only reads, and returns what it printed.
    fn read(&self, arguments: &[&str]) -> Result<String, GitError> {
        let options: Vec<&str> =
            HOSTILE.iter().copied().chain(self.filters.iter().map(String::as_str)).collect();
        let finished = self.run(arguments, &options, &[("GIT_OPTIONAL_LOCKS", "0")], READING)?;
        Ok(finished.output.out)
    }

    fn run(
        &self,
        arguments: &[&str],
        options: &[&str],
        environment: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Finished, GitError> {
        let words =
            ["git", "--no-pager", "-c", "core.quotePath=false"].iter().chain(options).chain(arguments);
        let mut command = Command::program(&self.root, words.copied());
        // Git itself is the user's own program; what the repository could make it run is switched off instead.
        command.walls = None;
        command.limits = Limits::default();
        command.timeout = timeout;
        command.output_cap = OUTPUT_CAP;
        let always = [("LC_ALL", "C"), ("LANGUAGE", "C")];
        let pairs = always.iter().chain(environment);
        command.environment = pairs.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let finished = command.run(None).map_err(|error| match error {
            CommandError::Missing { .. } => GitError::Missing,
            CommandError::Start { message } => GitError::Failed { message },
        })?;
        match finished.end {
            End::Exited(0) => Ok(finished),
            End::TimedOut => Err(GitError::TooSlow { seconds: timeout.as_secs() }),
            _ => Err(failure(&finished)),
        }
    }

    /// A document's path as Git names it from the workspace's folder, taken as it is and not as a pattern.
    fn literal(path: &DocPath) -> Result<String, GitError> {
        if path.is_untitled() || path.as_str().contains('\n') {
            return Err(GitError::BadName { name: path.to_string(), what: "path" });
        }
        Ok(format!(":(literal){}", path.as_str()))
    }

    fn git_dir(&self) -> Result<PathBuf, GitError> {
        let text = self.read(&["rev-parse", "--absolute-git-dir"])?;
        Ok(Path::new(text.trim_end_matches('\n')).to_path_buf())
    }
}

/// Options for reading what somebody else may have configured: nothing of it is run.
const HOSTILE: [&str; 14] = [
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.sshCommand=false",
    "-c",
    "credential.helper=",
    "-c",
    "protocol.allow=never",
    "-c",
    "submodule.recurse=false",
    "-c",
    "diff.external=",
];

fn failure(finished: &Finished) -> GitError {
    let text = &finished.output.text;
    if text.contains("not a git repository") || text.contains("must be run in a work tree") {
        return GitError::NoRepository;
    }
    if let Some((_, rest)) = text.split_once("dubious ownership in repository at '") {
        return GitError::NotYours { folder: rest.split('\'').next().unwrap_or_default().to_owned() };
    }
    if text.contains("index.lock") || text.contains("Another git process seems to be running") {
        return GitError::Busy;
    }
    GitError::Failed { message: short(text) }
}

/// The last lines of what was printed.
fn short(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(12);
    if lines.is_empty() { "it said nothing".to_owned() } else { lines[from..].join("\n") }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
