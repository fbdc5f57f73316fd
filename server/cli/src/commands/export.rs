//! `assist export`: everything that is known of a run, in one file that needs nothing else.

use std::path::Path;

use super::{open, write_to};
use crate::args::{Format, Global};
use crate::exit::{Exit, Stop};

/// Writes the run to `output`, or to standard output.
pub async fn run(global: Global, run: &str, format: Format, output: Option<&Path>) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let run = engine.find(run).await?;
    let sessions = engine.store().sessions();
    let text = match format {
        Format::Md => sessions.export_markdown(run).await?,
        Format::Json => format!("{}\n", sessions.export_whole(run).await?),
    };
    write_to(output, &text)?;
    Ok(Exit::Done)
}
