//! `assist resume`: go on with a paused run.

use std::sync::Arc;

use assist_agents::{Host, OnFailure};

use super::{attend, background, host_of, open};
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::signals::Signals;

/// Goes on at the last checkpoint, and waits.
pub async fn run(
    mut global: Global,
    run: &str,
    on_failure: Option<OnFailure>,
    yes: bool,
    json: bool,
    detach: bool,
) -> Result<Exit, Stop> {
    global.building(on_failure);
    if detach {
        return background::start(global, None, json).await;
    }
    let in_background = global.background;
    let engine = open(global, None).await?;
    let run = engine.find(run).await?;
    let host = host_of(&engine, in_background, json, yes);
    let signals = Signals::listen();
    let started = engine.resume(run, Arc::clone(&host) as Arc<dyn Host>).await?;
    if in_background {
        background::begun(started);
    }
    attend(&engine, started, &host, signals).await
}
