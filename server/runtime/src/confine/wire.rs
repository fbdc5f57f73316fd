//! What the starting process and the minding process tell each other: one JSON document a line, over the minding process's
//! standard input, which is a socket. Its end of file means: stop.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Confinement, Limits, Walls};

/// The one line that the minding process reads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// Where it starts.
    pub folder: PathBuf,
    /// The walls around it; none where the user wants it to run free.
    pub walls: Option<Walls>,
    pub limits: Limits,
    /// See [`crate::command::Command::mark`].
    pub mark: Option<PathBuf>,
}

/// What the minding process says: `Started`, then `Ended`; or `Failed` alone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Started {
        /// The command's process and process group.
        pid: u32,
        confinement: Confinement,
    },
    Failed {
        /// Whether there is no such program.
        missing: bool,
        message: String,
    },
    Ended {
        code: Option<i32>,
        signal: Option<i32>,
        /// Processes that were still there and were ended.
        left_behind: u32,
        /// It started more processes than it may.
        too_many: bool,
    },
}
