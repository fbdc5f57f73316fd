//! One file per command.

pub mod adopt;
pub mod ask;
pub mod attach;
pub mod auth;
pub mod background;
pub mod costs;
pub mod demo;
pub mod deploy;
pub mod doctor;
pub mod export;
pub mod logs;
pub mod lsp;
pub mod memory;
pub mod models;
pub mod push;
pub mod reply;
pub mod resume;
pub mod sessions;
pub mod show;
pub mod snapshot;
pub mod steer;
pub mod undo;
pub mod verify;

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assist_agents::{Engine, EngineError, Started, Wiring};
use assist_base::{Clock, RunState, SystemClock};
use assist_runtime::{Trust, workspace_root};
use assist_store::Mode;

use crate::args::Global;
use crate::config::Config;
use crate::exit::{Exit, Stop};
use crate::host::DiskHost;
use crate::render::{Json, Renderer, Text, plain};
use crate::signals::{Asked, Signals};

/// The root of the workspace that the command line means.
fn root(global: &Global, file: Option<&Path>) -> Result<PathBuf, Stop> {
    if let Some(folder) = &global.workspace {
        return folder.canonicalize().map_err(|error| {
            Stop::usage(format!("The workspace {} cannot be used: {error}.", folder.display()))
        });
    }
    let here = std::env::current_dir()?;
    Ok(workspace_root(Some(&here), file))
}

/// Opens the workspace, telling what the user should know about it.
async fn open(global: Global, file: Option<&Path>) -> Result<Arc<Engine>, Stop> {
    let root = root(&global, file)?;
    let wiring: Arc<dyn Wiring> = Arc::new(Config::new(global));
    let clock: Arc<dyn Clock> = SystemClock::shared();
    let engine = Engine::open(&root, Trust::Trusted, wiring, clock, "cli").await?;
    for notice in engine.notices().iter().chain(engine.interrupted()) {
        let _ = writeln!(std::io::stderr(), "assist: {}", plain(notice));
    }
    Ok(engine)
}

/// As [`open`], for what is done in order to be kept: not where all is forgotten when the command ends, which has been told.
async fn open_to_keep(global: Global) -> Result<Arc<Engine>, Stop> {
    let engine = open(global, None).await?;
    match engine.store().mode() {
        Mode::Memory(_) => Err(Stop::failed("This was not done, since it could not be kept.")),
        Mode::ReadWrite | Mode::ReadOnly(_) => Ok(engine),
    }
}

fn renderer(json: bool) -> Arc<dyn Renderer> {
    if json { Arc::new(Json) } else { Arc::new(Text::new()) }
}

/// Waits for a run to rest or end. Ctrl-C stops it; a request to terminate pauses it. What was left undone because there
/// was nobody to ask has failed, though the run came to its end.
async fn attend(
    engine: &Arc<Engine>,
    started: Started,
    host: &DiskHost,
    mut signals: Signals,
) -> Result<Exit, Stop> {
    let ended = engine.wait(started.run);
    tokio::pin!(ended);
    loop {
        tokio::select! {
            state = &mut ended => {
                let state = state?;
                if state == RunState::Paused {
                    let troubled = engine.session(started.run).await.is_ok_and(|session| session.error.is_some());
                    host.hint_at_resuming(started.run, troubled);
                }
                return Ok(match Exit::of(state) {
                    Exit::Done if host.was_alone() => Exit::Failed,
                    exit => exit,
                });
            }
            () = host.left_open() => {
                // Nobody is here to answer, and nobody must be: the question is kept.
                engine.shutdown().await;
                return Ok(Exit::Failed);
            }
            asked = signals.next() => match asked {
                Asked::Stop => match engine.cancel(started.run).await {
                    // It has come to its end by itself in this moment.
                    Ok(_) | Err(EngineError::WrongState { .. }) => {}
                    Err(error) => return Err(error.into()),
                },
                Asked::Terminate => {
                    engine.shutdown().await;
                    let state = engine.session(started.run).await.map_or(RunState::Paused, |session| session.status);
                    return Ok(Exit::of(state));
                }
            },
        }
    }
}

/// Writes to standard output. A reader that has gone is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Whether the user agrees: asked on the terminal, or said with `--yes`. Where there is nobody to ask, nothing is done and that
/// is said.
async fn confirmed(question: &str, yes: bool) -> Result<bool, Stop> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        let message =
            format!("{} Nothing was done: nobody is there to ask; add --yes to agree.", plain(question));
        return Err(Stop::failed(message));
    }
    let _ = write!(std::io::stderr(), "{} [y/N] ", plain(question));
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = read.await.map_err(|error| Stop::failed(error.to_string()))??;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Writes to a file, in place of what it held, or to standard output.
fn write_to(output: Option<&Path>, text: &str) -> Result<(), Stop> {
    match output {
        Some(file) => std::fs::write(file, text)
            .map_err(|error| Stop::failed(format!("{} cannot be written: {error}.", file.display()))),
        None => {
            print(text);
            Ok(())
        }
    }
}

/// One JSON document on standard output.
fn print_json(document: &impl serde::Serialize) -> Result<(), Stop> {
    let text = serde_json::to_string(document).map_err(|error| Stop::failed(error.to_string()))?;
    print(&format!("{text}\n"));
    Ok(())
}

/// A host for the command line.
fn host(engine: &Arc<Engine>, json: bool, yes: bool) -> Arc<DiskHost> {
    DiskHost::new(Arc::clone(engine), renderer(json), yes)
}

/// A host for a process in the background, or for the command line.
fn host_of(engine: &Arc<Engine>, in_background: bool, json: bool, yes: bool) -> Arc<DiskHost> {
    if in_background { DiskHost::in_background(Arc::clone(engine), yes) } else { host(engine, json, yes) }
}
