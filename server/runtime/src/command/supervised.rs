//! Starting a command through a minding process (see [`crate::confine`]).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::output::Stream;
use super::running::{Begun, Happened, Leash};
use super::{Command, CommandError, End};
use crate::confine::{Helper, Order, Report};

/// How long the minding process may take to start a command.
const STARTING: Duration = Duration::from_secs(60);

struct Minded {
    wire: UnixStream,
    helper: Child,
    command: Option<Pid>,
}

impl Leash for Minded {
    fn end(&mut self) {
        // The end of its input tells the minding process to stop.
        let _ = self.wire.shutdown(Shutdown::Write);
    }

    fn force(&mut self) {
        let _ = self.helper.kill();
        if let Some(command) = self.command {
            let _ = rustix::process::kill_process_group(command, Signal::KILL);
        }
    }
}

impl Drop for Minded {
    fn drop(&mut self) {
        self.end();
        // It ends right after its last report, or was killed.
        let _ = self.helper.wait();
    }
}

pub(super) fn begin(
    command: &Command,
    helper: &Helper,
    room: &Path,
    prepare: impl FnOnce(&mut Process),
    happened: Sender<Happened>,
) -> Result<Begun, CommandError> {
    let failed =
        |error: &std::io::Error| CommandError::start("starting the command's minding process", error);
    let mut walls = command.walls.clone();
    if let Some(walls) = &mut walls {
        walls.writable.push(room.to_path_buf());
    }
    let arguments = command.arguments();
    let order = Order {
        arguments,
        folder: command.folder.clone(),
        walls,
        limits: command.limits.clone(),
        mark: command.mark.clone(),
    };
    let mut order = serde_json::to_string(&order).map_err(|error| failed(&error.into()))?;
    order.push('\n');

    let (mut wire, theirs) = UnixStream::pair().map_err(|error| failed(&error))?;
    let mut process = helper.command();
    prepare(&mut process);
    process.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process.spawn().map_err(|error| failed(&error))?;
    // The other end of the wire is still open in here until this is gone.
    drop(process);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut minded =
        Minded { wire: wire.try_clone().map_err(|error| failed(&error))?, helper: child, command: None };
    let (Some(out), Some(err)) = (out, err) else { return Err(failed(&std::io::ErrorKind::Other.into())) };
    wire.write_all(order.as_bytes()).map_err(|error| failed(&error))?;
    wire.set_read_timeout(Some(STARTING)).map_err(|error| failed(&error))?;
    let mut reports = BufReader::new(wire);
    let confinement = match next(&mut reports) {
        Some(Report::Started { pid, confinement }) => {
            minded.command = i32::try_from(pid).ok().and_then(Pid::from_raw);
            confinement
        }
        Some(Report::Failed { missing: true, message }) => return Err(CommandError::Missing { message }),
        Some(Report::Failed { message, .. }) => return Err(CommandError::Start { message }),
        _ => {
            minded.force();
            return Err(CommandError::Start {
                message: "the command's minding process did not start it; try again".to_owned(),
            });
        }
    };
    reports.get_ref().set_read_timeout(None).map_err(|error| failed(&error))?;
    let group = minded.command;
    thread::spawn(move || {
        let event = match next(&mut reports) {
            Some(Report::Ended { too_many: true, left_behind, .. }) => {
                Happened::Ended { end: End::TooManyProcesses, left_behind }
            }
            Some(Report::Ended { code: Some(code), left_behind, .. }) => {
                Happened::Ended { end: End::Exited(code), left_behind }
            }
            Some(Report::Ended { signal: Some(signal), left_behind, .. }) => {
                Happened::Ended { end: End::Signalled(signal), left_behind }
            }
            _ => {
                // The minding process itself was killed: at least the group can still be ended.
                if let Some(command) = group {
                    let _ = rustix::process::kill_process_group(command, Signal::KILL);
                }
                Happened::Ended { end: End::Lost, left_behind: 0 }
            }
        };
        let _ = happened.send(event);
    });
    Ok(Begun {
        leash: Box::new(minded),
        confinement,
        streams: [(Stream::Out, Box::new(out)), (Stream::Err, Box::new(err))],
    })
}

fn next(reports: &mut BufReader<UnixStream>) -> Option<Report> {
    let mut line = String::new();
    reports.read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}
