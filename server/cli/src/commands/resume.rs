//! `assist resume`: go on with a paused run.

use std::sync::Arc;

use assist_agents::Host;

use super::{attend, host, open};
use crate::args::Global;
use crate::exit::{Exit, Stop};

/// Goes on at the last checkpoint, and waits.
pub async fn run(global: Global, run: &str, yes: bool, json: bool) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let run = engine.find(run).await?;
    let host = host(&engine, json, yes);
    let started = engine.resume(run, Arc::clone(&host) as Arc<dyn Host>).await?;
    attend(&engine, started, &host).await
}
