//! Walls around a command: what it may write, read and reach.
//!
//! A command does not start from this process directly. The program starts itself again in a hidden mode
//! ([`main_if_asked`]) which minds exactly one command: it leads a session without a terminal, becomes the parent of whatever
//! the command leaves behind, puts the walls around the one thread that starts the command, and ends everything when the
//! command is over, when it is told to stop, or when whoever asked is gone. Walls and limits are inherited and cannot be
//! taken off again.
//!
//! - Linux: Landlock for files, signals and TCP; seccomp for sockets, terminals and a few calls no build needs; resource
//!   limits; a count of processes.
//! - macOS: the same minding process around `sandbox-exec`. Written from its documentation, never run.
//! - Elsewhere: none, and [`available`] says so; then every command must be asked for.
//!
//! Limits, on Linux too: Landlock does not govern `chmod`, `chown` and file times, so a command may change the modes of
//! the user's files that it may not write. What it may read it may also print. See the crate's README.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

mod helper;
mod reads;
#[cfg(unix)]
mod supervisor;
#[cfg(unix)]
mod wire;

#[cfg(target_os = "linux")]
mod descendants;
#[cfg(target_os = "linux")]
mod landlocked;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod seccomp;

#[cfg(target_os = "macos")]
mod seatbelt;

pub use helper::{Helper, main_if_asked};
#[cfg(unix)]
pub(crate) use wire::{Order, Report};

/// What holds around a command on this system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confinement {
    /// Everything that [`Walls`] says.
    Full,
    /// Some of it; the sentence says what does not hold.
    Partial(String),
    /// Nothing of it; the sentence says why. Ask before every command.
    None(String),
}

impl Confinement {
    /// Whether nothing holds, so that every command must be asked for.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None(_))
    }
}

/// What a command may touch. Everything else is closed to it.
///
/// Paths that do not exist are passed over. A path names the file, or the folder with all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    /// What may be read, changed, and run.
    pub writable: Vec<PathBuf>,
    /// Below a writable folder and still only readable (`.git`, `.assist`). On a Linux that gives the minding process no
    /// mounts of its own, no file can then be made or removed directly in the folders above such a path, because Landlock
    /// can only grant, not except.
    pub protected: Vec<PathBuf>,
    /// What may be read and run, besides the system's folders and the toolchains of the user's home.
    pub readable: Vec<PathBuf>,
    /// Never readable, even below a readable folder.
    pub hidden: Vec<PathBuf>,
    /// Whether sockets to the network may be made. Local ones, behind which the user's other programs are, never may on Linux.
    pub network: bool,
}

/// What a command and all it starts may use up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processes that may run at a time. Counted ten times a second: a quick burst may pass it before all are ended.
    pub processes: u32,
    /// Bytes of private memory of each process.
    pub memory: u64,
    /// Bytes of each file that is written.
    pub file: u64,
    /// Bytes that the folders behind its walls may grow by in all, its temporary files with them. Looked at from time to time: a
    /// fast command passes it by what it writes between two looks.
    pub disk: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { processes: 512, memory: 8 << 30, file: 4 << 30, disk: 10 << 30 }
    }
}

/// What would hold around a command started now, by this process's own program or by `helper`.
///
/// Asks the kernel once and keeps the answer.
pub fn available(helper: Option<&Helper>) -> Confinement {
    static SYSTEM: std::sync::OnceLock<Confinement> = std::sync::OnceLock::new();
    if helper.is_none() {
        return Confinement::None(
            "this program cannot start commands behind walls, because it is not `assist` itself".to_owned(),
        );
    }
    SYSTEM.get_or_init(probe).clone()
}

#[cfg(target_os = "linux")]
fn probe() -> Confinement {
    // Landlock and seccomp bind the thread that calls them; this one ends at once.
    let tried =
        std::thread::Builder::new().spawn(|| put_up(&Walls::default())).map(std::thread::JoinHandle::join);
    match tried {
        Ok(Ok(confinement)) => confinement,
        _ => Confinement::None("the kernel could not be asked for walls".to_owned()),
    }
}

#[cfg(target_os = "macos")]
fn probe() -> Confinement {
    if std::path::Path::new(seatbelt::PROGRAM).exists() {
        Confinement::Partial("on macOS the number of processes is not limited".to_owned())
    } else {
        Confinement::None(format!("`{}` is not on this machine", seatbelt::PROGRAM))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn probe() -> Confinement {
    Confinement::None("this system has no walls that Assist knows how to use".to_owned())
}

/// Puts the walls around the calling thread and all it starts from now on. There is no way back.
#[cfg(target_os = "linux")]
fn put_up(walls: &Walls) -> Confinement {
    let files = landlocked::put_up(walls);
    let calls = seccomp::put_up(walls.network);
    let mut lacking = Vec::new();
    match (&files, &calls) {
        (Err(files), Err(calls)) => return Confinement::None(format!("{files}; {calls}")),
        (Err(why), Ok(())) => lacking.push(why.clone()),
        (Ok(missing), Ok(())) => lacking.extend(missing.iter().map(|&why| why.to_owned())),
        (Ok(missing), Err(why)) => {
            lacking.extend(missing.iter().map(|&why| why.to_owned()));
            lacking.push(why.clone());
        }
    }
    if lacking.is_empty() { Confinement::Full } else { Confinement::Partial(lacking.join("; ")) }
}
