//! A process of this very program that goes on when its terminal is closed.
//!
//! The one who starts it waits for the first line that it prints, and lets it go. On Unix it is the leader of a session of
//! its own; on Windows it has no console.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// The longest first line that is read.
const LONGEST_LINE: u64 = 64 * 1024;
/// A log that is longer is begun anew.
const LONGEST_LOG: u64 = 1024 * 1024;

/// Starts this program with `arguments` and comes back with the first line that it prints, without its end; empty where it
/// prints nothing and ends. What it writes on standard error goes into `log`, whose folder is made. Blocks until then.
///
/// # Errors
/// Where the log cannot be written or the program cannot be started.
pub fn spawn(arguments: impl IntoIterator<Item = OsString>, log: &Path) -> io::Result<String> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(open(log)?);
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt as _;
        const DETACHED_PROCESS: u32 = 0x0000_0008;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
        command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
    }
    // It is not waited for: whoever is its parent when it ends takes note of it.
    let mut child = command.spawn()?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output.take(LONGEST_LINE)).read_line(&mut line)?;
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Leaves the terminal that this process was started from: closing it, or Ctrl-C in it, does nothing to this process.
///
/// # Errors
/// Where the system does not allow it, as to the leader of a process group.
pub fn leave_terminal() -> io::Result<()> {
    #[cfg(unix)]
    rustix::process::setsid()?;
    Ok(())
}

fn open(log: &Path) -> io::Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    let long = fs::metadata(log).is_ok_and(|log| log.len() > LONGEST_LOG);
    if long {
        fs::remove_file(log)?;
    }
    OpenOptions::new().create(true).append(true).open(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_grew_too_long_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs/background.log");
        for (before, after) in [(10, 10), (LONGEST_LOG + 1, 0)] {
            open(&log).unwrap().set_len(before).unwrap();
            drop(open(&log).unwrap());
            assert_eq!(fs::metadata(&log).unwrap().len(), after);
        }
    }
}
