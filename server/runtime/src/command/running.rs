//! A command under way: its output, its end, and the ways to end it.

use std::io::Read;
use std::process::Command as Process;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::growth::Growth;
use super::output::{Chunk, Decoder, Kept, Output, Stream};
use super::{Command, CommandError, End, Finished, environment, unsupervised};
use crate::confine::{Confinement, Helper};

/// Chunks that may wait to be taken; then the command waits too.
const WAITING: usize = 64;
/// The largest chunk in bytes.
const CHUNK: usize = 8 * 1024;
/// How long the last output may take to arrive when the command is over: it is in the pipe already, but a busy machine may be
/// slow to let it be read. Only what nobody can end holds it open longer.
const LAST_OUTPUT: Duration = Duration::from_secs(5);
/// How long an ended command may take to be gone.
const ENDING: Duration = Duration::from_secs(10);

/// What can happen to a running command.
pub(super) enum Happened {
    /// It is over.
    Ended { end: End, left_behind: u32 },
    /// It shall end.
    Stop,
    /// It has written more than it may.
    TooMuch,
}

/// What ends a command and all that came of it.
pub(super) trait Leash: Send {
    /// Asks for the end; [`Happened::Ended`] follows.
    fn end(&mut self);
    /// The last resort, when it did not follow.
    fn force(&mut self);
}

/// A command that was just started.
pub(super) struct Begun {
    pub(super) leash: Box<dyn Leash>,
    pub(super) confinement: Confinement,
    pub(super) streams: [(Stream, Box<dyn Read + Send>); 2],
}

/// A running command. Dropping it ends the command.
#[derive(Debug)]
pub struct Running {
    output: Option<Receiver<Chunk>>,
    finished: Receiver<Finished>,
    stopper: Stopper,
    confinement: Confinement,
}

/// Ends a command from elsewhere. Also after its [`Running`] was given away; without effect when it is over.
#[derive(Debug, Clone)]
pub struct Stopper(Sender<Happened>);

impl Stopper {
    /// Ends the command and all it started. Returns at once.
    pub fn stop(&self) {
        let _ = self.0.send(Happened::Stop);
    }
}

impl Running {
    pub(super) fn start(command: Command, helper: Option<&Helper>) -> Result<Self, CommandError> {
        let room = tempfile::Builder::new()
            .prefix("assist-")
            .tempdir()
            .map_err(|error| CommandError::start("making a folder for temporary files", &error))?;
        let network = command.walls.as_ref().is_none_or(|walls| walls.network);
        let present = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut variables = environment::scrubbed(present, &command.environment, network);
        for name in ["TMPDIR", "TMP", "TEMP"] {
            variables.push((name.to_owned(), room.path().display().to_string()));
        }
        let prepare = move |process: &mut Process| {
            process.env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
        };

        let (happened, happens) = channel();
        let started = Instant::now();
        let grows = command.walls.as_ref().map(|walls| {
            let mut places = walls.writable.clone();
            places.push(room.path().to_owned());
            Growth::of(places, walls.protected.clone())
        });
        let begun = match helper {
            #[cfg(unix)]
            Some(helper) => {
                super::supervised::begin(&command, helper, room.path(), prepare, happened.clone())?
            }
            _ => unsupervised::begin(&command, prepare, happened.clone())?,
        };
        let (chunks, output) = sync_channel(WAITING);
        let kept = Arc::new(Mutex::new(Captured::new(command.output_cap)));
        let (open, closed) = channel::<()>();
        for (stream, source) in begun.streams {
            let (kept, chunks, open) = (Arc::clone(&kept), chunks.clone(), open.clone());
            thread::spawn(move || {
                read(stream, source, &kept, chunks);
                drop(open);
            });
        }
        drop((chunks, open));

        let (running, over) = channel::<()>();
        if let Some(grows) = grows {
            let (most, happened) = (command.limits.disk, happened.clone());
            thread::spawn(move || {
                if grows.passes(most, &over) {
                    let _ = happened.send(Happened::TooMuch);
                }
            });
        }
        let confinement = begun.confinement.clone();
        let (tell, finished) = channel();
        let (mut leash, held) = (begun.leash, begun.confinement);
        let deadline = started + command.timeout;
        thread::spawn(move || {
            let (end, left_behind) = mind(&happens, leash.as_mut(), deadline);
            // Nobody looks at what it writes any more.
            drop(running);
            // Closed by both readers; nothing is ever sent.
            let _ = closed.recv_timeout(LAST_OUTPUT);
            let output = kept.lock().unwrap_or_else(PoisonError::into_inner).output();
            drop(room);
            let took = started.elapsed();
            let _ = tell.send(Finished { end, output, confinement: held, left_behind, took });
        });
        Ok(Self { output: Some(output), finished, stopper: Stopper(happened), confinement })
    }

    /// What holds around it.
    pub fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    /// Ends it from elsewhere.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// The next piece of output; `None` when there will be no more. A command whose output is not taken waits, like one
    /// that writes into a full pipe; [`Self::wait`] takes and drops what is left.
    pub fn next_chunk(&self) -> Option<Chunk> {
        self.output.as_ref()?.recv().ok()
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Finished {
        // The readers go on keeping what nobody takes.
        self.output = None;
        self.finished.recv().unwrap_or_else(|_| Finished {
            end: End::Lost,
            output: Output::default(),
            confinement: self.confinement.clone(),
            left_behind: 0,
            took: Duration::ZERO,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

/// Waits for the end or for a reason to bring it about.
fn mind(happens: &Receiver<Happened>, leash: &mut dyn Leash, deadline: Instant) -> (End, u32) {
    let why = match happens.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(Happened::Ended { end, left_behind }) => return (end, left_behind),
        Err(RecvTimeoutError::Disconnected) => return (End::Lost, 0),
        Err(RecvTimeoutError::Timeout) => End::TimedOut,
        Ok(Happened::Stop) => End::Stopped,
        Ok(Happened::TooMuch) => End::TooMuchWritten,
    };
    leash.end();
    let patience = Instant::now() + ENDING;
    loop {
        match happens.recv_timeout(patience.saturating_duration_since(Instant::now())) {
            Ok(Happened::Ended { left_behind, .. }) => return (why, left_behind),
            Ok(Happened::Stop | Happened::TooMuch) => {}
            Err(_) => {
                leash.force();
                return (why, 0);
            }
        }
    }
}

/// Both streams as they were read, and standard output alone.
struct Captured {
    all: Kept,
    out: Kept,
}

impl Captured {
    fn new(cap: usize) -> Self {
        Self { all: Kept::new(cap), out: Kept::new(cap) }
    }

    fn output(&self) -> Output {
        Output { text: self.all.text(), out: self.out.text(), dropped: self.all.dropped() }
    }
}

fn read(stream: Stream, mut source: impl Read, kept: &Mutex<Captured>, chunks: SyncSender<Chunk>) {
    let mut buffer = vec![0; CHUNK];
    let mut decoder = Decoder::default();
    let mut taker = Some(chunks);
    loop {
        let length = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let bytes = &buffer[..length];
        {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.all.push(bytes);
            if stream == Stream::Out {
                kept.out.push(bytes);
            }
        }
        let text = decoder.push(bytes);
        if !text.is_empty() && taker.as_ref().is_some_and(|taker| taker.send(Chunk { stream, text }).is_err())
        {
            taker = None;
        }
    }
    let text = decoder.finish();
    if let Some(taker) = taker.filter(|_| !text.is_empty()) {
        let _ = taker.send(Chunk { stream, text });
    }
}
