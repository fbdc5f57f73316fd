//! `assist confirm`, `assist answer`, `assist decline`: what a run that waits is told. It goes on in this process.

use std::io::Write;
use std::sync::Arc;

use assist_agents::{Heard, Host, Started, Ticks};

use super::{attach, attend, host, open, steer};
use crate::args::{Global, Show};
use crate::exit::{Exit, Stop};
use crate::signals::Signals;

/// What is said.
pub enum Reply {
    /// Yes: to these steps, or to all where there are none.
    Confirm { steps: Vec<usize>, note: Option<String>, ticks: Ticks },
    /// Words.
    Answer(String),
    /// No.
    Decline,
}

/// Says it, and waits for the run to end or to rest again.
pub async fn run(global: Global, run: &str, reply: Reply, show: Show) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let run = engine.find(run).await?;
    let shown = host(&engine, show.json, show.yes);
    let over = Arc::clone(&shown) as Arc<dyn Host>;
    let conversation = engine.session(run).await?.conversation;
    let next = engine.store().events().list(run, 1).await?.last().map_or(1, |last| last.seq + 1);
    let mut signals = Signals::listen();
    let heard = match reply {
        Reply::Confirm { steps, note, ticks } => engine.confirm(run, steps, note, ticks, over).await?,
        Reply::Answer(text) => engine.answer(run, text, over).await?,
        Reply::Decline => engine.decline(run, over).await?,
    };
    if heard != Heard::Here {
        tokio::select! {
            reached = steer::reached(&engine, run, heard) => reached?,
            // What was said is on its way; only the waiting for it ends.
            _ = signals.next() => return Ok(Exit::Cancelled),
        }
        let _ = writeln!(std::io::stderr(), "Passed on to the process that works on the run.");
        return attach::watch(&engine, run, next, show.json, signals).await;
    }
    attend(&engine, Started { run, conversation }, &shown, signals).await
}
