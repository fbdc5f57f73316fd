//! `assist undo`: take back what a run changed.

use std::io::Write;

use assist_store::ListFilter;

use super::{host, open};
use crate::args::Global;
use crate::exit::{Exit, Stop};

/// Restores the files of `run`, or of the newest run that changed any.
pub async fn run(global: Global, run: Option<&str>) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let run = match run {
        Some(run) => engine.find(run).await?,
        None => {
            let sessions = engine.store().sessions().list(ListFilter { limit: 50, state: None }).await?;
            let newest = sessions.iter().find(|session| !session.changed_files.is_empty());
            newest
                .map(|session| session.id)
                .ok_or_else(|| Stop::usage("No run has changed anything here."))?
        }
    };
    let undone = engine.undo(run, host(&engine, false, false)).await?;
    let _ = writeln!(std::io::stdout(), "{}", undone.summary());
    Ok(if undone.conflicts.is_empty() { Exit::Done } else { Exit::Failed })
}
