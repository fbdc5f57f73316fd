//! Which program minds a command: this very one, if it answers to the hidden mode.

use std::path::PathBuf;
use std::sync::OnceLock;

/// The hidden mode's name on the command line.
const MODE: &str = "__confine";

static ANSWERS: OnceLock<()> = OnceLock::new();

/// Must be the first thing in `main` of a program that starts commands. In the hidden mode it minds one command and never
/// returns; otherwise it notes that this program answers to that mode, and returns.
pub fn main_if_asked() {
    if std::env::args_os().nth(1).is_some_and(|mode| mode == MODE) {
        #[cfg(unix)]
        std::process::exit(super::supervisor::main());
        #[cfg(not(unix))]
        std::process::exit(2);
    }
    let _ = ANSWERS.set(());
}

/// A program that minds commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helper {
    program: PathBuf,
}

impl Helper {
    /// This process's own program, if [`main_if_asked`] was called in it.
    pub fn this_program() -> Option<Self> {
        ANSWERS.get()?;
        if !cfg!(unix) {
            return None;
        }
        // By this name the program is found even after an update has put another in its place.
        let own = PathBuf::from("/proc/self/exe");
        let program =
            if cfg!(target_os = "linux") && own.exists() { own } else { std::env::current_exe().ok()? };
        Some(Self { program })
    }

    /// The command line of the hidden mode.
    #[cfg(unix)]
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.arg(MODE);
        command
    }
}
