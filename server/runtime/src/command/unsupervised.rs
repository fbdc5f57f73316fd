//! Starting a command from this very process: no walls, and only its process group is ended.

use std::process::{Command as Process, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::output::Stream;
use super::running::{Begun, Happened, Leash};
use super::{Command, CommandError, End};
use crate::confine::Confinement;

/// The process, as long as its number is its own.
struct Group(Arc<Mutex<Option<u32>>>);

impl Leash for Group {
    fn end(&mut self) {
        let group = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = *group {
            kill(pid);
        }
    }

    fn force(&mut self) {
        self.end();
    }
}

#[cfg(unix)]
fn kill(group: u32) {
    if let Some(group) = i32::try_from(group).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(windows)]
fn kill(process: u32) {
    // The system's own way to end a process with all it started.
    let _ = Process::new("taskkill").args(["/T", "/F", "/PID", &process.to_string()]).output();
}

pub(super) fn begin(
    command: &Command,
    prepare: impl FnOnce(&mut Process),
    happened: Sender<Happened>,
) -> Result<Begun, CommandError> {
    let arguments = command.arguments();
    let Some((program, rest)) = arguments.split_first() else {
        return Err(CommandError::Start { message: "there is no command".to_owned() });
    };
    let mut process = Process::new(program);
    prepare(&mut process);
    process.args(rest).current_dir(&command.folder);
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut process, 0);
    let mut child = process.spawn().map_err(|error| {
        let message = format!("`{program}` could not be started: {error}");
        match error.kind() {
            std::io::ErrorKind::NotFound => CommandError::Missing { message },
            _ => CommandError::Start { message },
        }
    })?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(CommandError::Start { message: "the command has no output".to_owned() });
    };
    let group = Arc::new(Mutex::new(Some(child.id())));
    let mine = Arc::clone(&group);
    thread::spawn(move || {
        let end = ended(&mut child, &mine);
        let _ = happened.send(Happened::Ended { end, left_behind: 0 });
    });
    Ok(Begun {
        leash: Box::new(Group(group)),
        confinement: Confinement::None("it was started without a minding process".to_owned()),
        streams: [(Stream::Out, Box::new(out)), (Stream::Err, Box::new(err))],
    })
}

/// Waits for the command, ends what is left of its group, and gives the number back.
fn ended(child: &mut std::process::Child, group: &Mutex<Option<u32>>) -> End {
    #[cfg(unix)]
    {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        // Looked at without taking it off the system's list, so that its number stays its own until the group is ended.
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
        }
    }
    #[cfg(not(unix))]
    let _ = child.wait();
    let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pid) = group.take().filter(|_| cfg!(unix)) {
        kill(pid);
    }
    match child.wait() {
        Ok(status) => end_of(status),
        Err(_) => End::Lost,
    }
}

fn end_of(status: std::process::ExitStatus) -> End {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return End::Signalled(signal);
    }
    status.code().map_or(End::Lost, End::Exited)
}
