//! `assist resume`: go on with a paused run.

use std::sync::Arc;

use assist_agents::{Host, OnFailure};

use super::{attend, host, open};
use crate::args::Global;
use crate::exit::{Exit, Stop};

/// Goes on at the last checkpoint, and waits.
pub async fn run(
    mut global: Global,
    run: &str,
    on_failure: Option<OnFailure>,
    yes: bool,
    json: bool,
) -> Result<Exit, Stop> {
    global.building(on_failure);
    let engine = open(global, None).await?;
    let run = engine.find(run).await?;
    let host = host(&engine, json, yes);
    let started = engine.resume(run, Arc::clone(&host) as Arc<dyn Host>).await?;
    attend(&engine, started, &host).await
}
