//! `assist pause`, `assist stop`, `assist tell`: what is said to a run at work, in whatever process it is.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use assist_agents::{Engine, Heard};
use assist_base::RunId;

use super::open;
use crate::args::Global;
use crate::exit::{Exit, Stop};

/// How long the owner of a run may take to hear what is said to it. It looks several times a second; this is for a machine
/// that hardly lets it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// After which time the user is told that it is waited for.
const TELL_AFTER: Duration = Duration::from_secs(3);

/// What is said.
pub enum Word {
    /// Rest.
    Pause,
    /// Stop, for good.
    Stop,
    /// Mind this.
    Tell(String),
}

/// Says it, and waits until it was heard.
pub async fn run(global: Global, run: &str, word: Word) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let run = engine.find(run).await?;
    let (heard, done) = match &word {
        Word::Pause => {
            (engine.pause(run).await?, format!("Paused. `assist resume {}` goes on with it.", run.short()))
        }
        Word::Stop => (engine.cancel(run).await?, "Stopped.".to_owned()),
        Word::Tell(words) => {
            let heard = engine.tell(run, words).await?;
            let later = "The run rests; it will mind that when it goes on.";
            let now = "Passed on: the run minds it with its model's next call.";
            (heard, if heard == Heard::Kept { later } else { now }.to_owned())
        }
    };
    reached(&engine, run, heard).await?;
    let _ = writeln!(std::io::stderr(), "{done}");
    Ok(Exit::Done)
}

/// Waits until what was sent to another process was heard there.
pub(super) async fn reached(engine: &Arc<Engine>, run: RunId, heard: Heard) -> Result<(), Stop> {
    let Heard::Sent(number) = heard else { return Ok(()) };
    if engine.passed_on(run, number, TELL_AFTER).await? {
        return Ok(());
    }
    let _ = writeln!(std::io::stderr(), "Waiting for the process that works on the run.");
    if engine.passed_on(run, number, PATIENCE).await? {
        return Ok(());
    }
    Err(Stop::failed(unheard(run)))
}

/// What is said when the owner of a run does not hear.
pub(super) fn unheard(run: RunId) -> String {
    let id = run.short();
    format!("The process that works on the run does not answer. End it; then `assist resume {id}` goes on.")
}
