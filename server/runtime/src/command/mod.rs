//! Running a program or a shell line in a workspace.
//!
//! A command has no standard input and no terminal, so a program that wants to ask ends instead of hanging; its output
//! streams in chunks and is kept up to a cap; it ends when its time is over, when it is stopped, when its [`Running`] is
//! dropped, and when this process dies, and then everything it started ends with it.
//!
//! With a [`Helper`] a minding process holds the walls and ends also what left the command's process group; without one
//! there are no walls, only the group is ended, and where this process is killed the command runs on.

use std::path::PathBuf;
use std::time::Duration;

use crate::confine::{Confinement, Helper, Limits, Walls};

mod environment;
mod growth;
mod halt;
mod output;
mod running;
#[cfg(unix)]
mod supervised;
mod unsupervised;

pub use environment::is_secret;
pub use halt::Halt;
pub use output::{Chunk, Output, Stream};
pub use running::{Running, Stopper};

/// Bytes of output that are kept unless the caller says otherwise.
pub const OUTPUT_CAP: usize = 256 * 1024;
/// How long a command may run unless the caller says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A program and its arguments, as they are.
    Program(Vec<String>),
    /// A line for the system's shell (`sh`, on Windows `cmd`).
    Shell(String),
}

/// A command, and how it may run.
#[derive(Debug, Clone)]
pub struct Command {
    /// What is run.
    pub line: Line,
    /// The folder it starts in.
    pub folder: PathBuf,
    /// Variables besides the few that are passed on. Names that speak of a secret are left out.
    pub environment: Vec<(String, String)>,
    /// After this it is ended.
    pub timeout: Duration,
    /// How many bytes of output are kept: half from the beginning, half from the end.
    pub output_cap: usize,
    /// The walls around it. A folder for temporary files is added; it is the command's own and goes away with it.
    pub walls: Option<Walls>,
    /// What it may use up.
    pub limits: Limits,
    /// A file that gets a line when the command is over and whoever started it is gone: when that was is the file's own time.
    /// Made anew with a helper only.
    pub mark: Option<PathBuf>,
}

impl Command {
    /// A program and its arguments in `folder`, behind walls that let it write nothing but temporary files.
    pub fn program<T: Into<String>>(
        folder: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::new(Line::Program(arguments.into_iter().map(Into::into).collect()), folder.into())
    }

    /// A shell line in `folder`, behind walls that let it write nothing but temporary files.
    pub fn shell(folder: impl Into<PathBuf>, line: impl Into<String>) -> Self {
        Self::new(Line::Shell(line.into()), folder.into())
    }

    fn new(line: Line, folder: PathBuf) -> Self {
        Self {
            line,
            folder: folder.clone(),
            environment: Vec::new(),
            timeout: TIMEOUT,
            output_cap: OUTPUT_CAP,
            walls: Some(Walls { readable: vec![folder], ..Walls::default() }),
            limits: Limits::default(),
            mark: None,
        }
    }

    /// Starts it. Blocks for the few milliseconds until it runs or is known not to.
    ///
    /// # Errors
    /// [`CommandError::Missing`] when there is no such program, [`CommandError::Start`] for every other reason.
    pub fn start(self, helper: Option<&Helper>) -> Result<Running, CommandError> {
        Running::start(self, helper)
    }

    /// Starts it and waits for its end.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn run(self, helper: Option<&Helper>) -> Result<Finished, CommandError> {
        Ok(self.start(helper)?.wait())
    }

    fn arguments(&self) -> Vec<String> {
        match &self.line {
            Line::Program(arguments) => arguments.clone(),
            Line::Shell(line) if cfg!(windows) => vec!["cmd".to_owned(), "/C".to_owned(), line.clone()],
            Line::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that did not come from here; the number is the system's.
    Signalled(i32),
    /// Its time was over.
    TimedOut,
    /// Someone stopped it.
    Stopped,
    /// It started more processes than it may.
    TooManyProcesses,
    /// It wrote more than it may.
    TooMuchWritten,
    /// Its minding process is gone, and how it ended is not known.
    Lost,
}

/// A command that is over.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// What it printed.
    pub output: Output,
    /// What held around it.
    pub confinement: Confinement,
    /// Processes it left behind, all ended by now. Counted on Linux with a helper only.
    pub left_behind: u32,
    /// From start to end.
    pub took: Duration,
}

impl Finished {
    /// Whether it ended by itself with code 0.
    pub fn success(&self) -> bool {
        self.end == End::Exited(0)
    }
}

/// Why a command did not start.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such program.
    #[error("{message}; install it, or correct its name")]
    Missing {
        /// What the system says.
        message: String,
    },
    /// It could not be started for another reason.
    #[error("{message}")]
    Start {
        /// What the system says.
        message: String,
    },
}

impl CommandError {
    fn start(doing: &str, error: &std::io::Error) -> Self {
        Self::Start { message: format!("{doing} failed: {error}") }
    }
}
