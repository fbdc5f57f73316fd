//! The minding process: starts one command behind walls and ends all that came of it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus};

use super::{Confinement, Order, Report};

/// Longer than a tick of the clock that files get their times from.
const TICK: Duration = Duration::from_millis(20);
/// How often the command's processes are counted.
const COUNTING: Duration = Duration::from_millis(100);
/// An order is small; whatever is larger is not one.
const MAX_ORDER: u64 = 4 << 20;

/// Minds one command, and returns this process's exit code: 0 when it could report, 2 when nobody listens.
pub(super) fn main() -> i32 {
    match mind() {
        Ok(()) => 0,
        Err(_) => 2,
    }
}

fn mind() -> io::Result<()> {
    let mut wire = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut line = String::new();
    let mut reader = BufReader::new(wire.try_clone()?);
    reader.by_ref().take(MAX_ORDER).read_line(&mut line)?;
    #[cfg_attr(not(target_os = "linux"), expect(unused_mut, reason = "mounts are used on Linux only"))]
    let mut order: Order = serde_json::from_str(&line)?;
    // Opened before what is closed to the command is closed here too.
    let mark = order.mark.as_ref().and_then(|path| File::create(path).ok());
    // While there is one thread only: see there.
    #[cfg(target_os = "linux")]
    if let Some(walls) = &mut order.walls
        && super::mounts::read_only(&walls.protected)
    {
        let protected = std::mem::take(&mut walls.protected);
        walls.readable.extend(protected);
    }

    // No terminal, and a session of its own: nothing here can ask the user or be stopped by the user's keys.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    limit(&order);

    let allowed = order.limits.processes;
    // The thread that starts the command is the one that the walls bind; all others here stay free to end it.
    let started = thread::spawn(move || start(&order)).join();
    let (pid, confinement) = match started {
        Ok(Ok(started)) => started,
        Ok(Err(failed)) => return say(&mut wire, &failed),
        Err(_) => {
            let message = "the command could not be started".to_owned();
            return say(&mut wire, &Report::Failed { missing: false, message });
        }
    };
    let ended = attend(wire, reader, pid, confinement, allowed);
    if ended.is_err() {
        // Nobody listens any more, perhaps since before it was started: it must not stay.
        end_all(pid);
        end_rest(pid);
        if let Some(mut mark) = mark {
            // Later by the clock of files, which ticks slowly, than anything that the command wrote.
            thread::sleep(TICK);
            let _ = mark.write_all(b"over\n");
        }
    }
    ended
}

/// Says that the command runs, waits for its end, and says how it ended.
fn attend(
    mut wire: UnixStream,
    mut reader: BufReader<UnixStream>,
    pid: Pid,
    confinement: Confinement,
    allowed: u32,
) -> io::Result<()> {
    let too_many = Arc::new(AtomicBool::new(false));
    say(&mut wire, &Report::Started { pid: pid.as_raw_nonzero().get().cast_unsigned(), confinement })?;

    thread::spawn(move || {
        // Nothing more is ever sent: whatever ends this wait means stop.
        let _ = reader.read(&mut [0]);
        end_all(pid);
    });
    if cfg!(target_os = "linux") {
        let too_many = Arc::clone(&too_many);
        thread::spawn(move || count(pid, allowed, &too_many));
    }

    let status = wait_for(pid)?;
    let left_behind = end_rest(pid);
    let ended = Report::Ended {
        code: status.exit_status(),
        signal: status.terminating_signal(),
        left_behind,
        too_many: too_many.load(Ordering::SeqCst),
    };
    say(&mut wire, &ended)
}

fn say(wire: &mut UnixStream, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_string(report)?;
    line.push('\n');
    wire.write_all(line.as_bytes())
}

/// Inherited by the command. Where a limit cannot be set, the others still hold.
fn limit(order: &Order) {
    let most = |resource, value: u64| {
        let now = rustix::process::getrlimit(resource);
        let value = now.maximum.map_or(value, |most| most.min(value));
        let _ = rustix::process::setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) });
    };
    most(Resource::Core, 0);
    most(Resource::Fsize, order.limits.file);
    // Address space would be the wrong measure: V8 and Go reserve far more than they use.
    most(Resource::Data, order.limits.memory);
    #[cfg(target_os = "linux")]
    most(
        Resource::Nproc,
        super::descendants::threads_of_this_user().saturating_add(u64::from(order.limits.processes) * 8),
    );
}

fn start(order: &Order) -> Result<(Pid, Confinement), Report> {
    let failed = |error: &io::Error, program: &str| Report::Failed {
        missing: error.kind() == io::ErrorKind::NotFound,
        message: format!("`{program}` could not be started: {error}"),
    };
    let Some((program, arguments)) = order.arguments.split_first() else {
        return Err(Report::Failed { missing: false, message: "there is no command".to_owned() });
    };
    let mut command = Command::new(program);
    command.args(arguments);
    let confinement = match &order.walls {
        None => Confinement::None("it was started without walls, as the rules for it say".to_owned()),
        Some(walls) => put_up(walls, &mut command, &order.arguments),
    };
    command.current_dir(&order.folder).stdin(Stdio::null()).process_group(0);
    let child = command.spawn().map_err(|error| failed(&error, program))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| failed(&io::ErrorKind::Other.into(), program))?;
    Ok((pid, confinement))
}

#[cfg(target_os = "linux")]
fn put_up(walls: &super::Walls, _command: &mut Command, _arguments: &[String]) -> Confinement {
    super::put_up(walls)
}

#[cfg(target_os = "macos")]
fn put_up(walls: &super::Walls, command: &mut Command, arguments: &[String]) -> Confinement {
    match super::probe() {
        Confinement::None(why) => Confinement::None(why),
        held => {
            *command = super::seatbelt::command(walls, arguments);
            held
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn put_up(_walls: &super::Walls, _command: &mut Command, _arguments: &[String]) -> Confinement {
    super::probe()
}

/// Waits for the command itself; whatever else becomes ours on the way is taken off the system's list.
fn wait_for(command: Pid) -> io::Result<WaitStatus> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == command => return Ok(status),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Ends what the command left behind, until there is nothing. Returns how many that were.
fn end_rest(command: Pid) -> u32 {
    let mut left = 0;
    loop {
        left = left.max(end_all(command));
        // Anything but "there is one, and it ended" means there is none, or none that can be waited for.
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => return u32::try_from(left).unwrap_or(u32::MAX),
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Ends the command's group, and on Linux everything else below this process.
fn end_all(command: Pid) -> usize {
    let _ = rustix::process::kill_process_group(command, Signal::KILL);
    #[cfg(target_os = "linux")]
    return super::descendants::kill();
    #[cfg(not(target_os = "linux"))]
    0
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(unused_variables, reason = "processes are counted on Linux only")
)]
fn count(command: Pid, allowed: u32, too_many: &AtomicBool) {
    #[cfg(target_os = "linux")]
    loop {
        if super::descendants::alive().len() > allowed as usize {
            too_many.store(true, Ordering::SeqCst);
            // More may have been started meanwhile: the next round finds them.
            end_all(command);
        }
        thread::sleep(COUNTING);
    }
}
