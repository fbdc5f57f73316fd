//! `assist logs`: what happened in a run, as stored.

use assist_base::EventKind;

use super::{open, print};
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::render::{Style, describe, plain};

/// Prints the events of a run from number `from` on.
pub async fn run(global: Global, run: &str, from: u64, json: bool) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let run = engine.find(run).await?;
    let style = Style::of(&std::io::stdout());
    let mut in_text = false;
    for event in engine.store().events().list(run, from).await? {
        if json {
            let line = serde_json::to_string(&event).map_err(|error| Stop::failed(error.to_string()))?;
            print(&format!("{line}\n"));
            continue;
        }
        if event.kind == EventKind::Text {
            let text = plain(event.data["text"].as_str().unwrap_or_default());
            if in_text || !text.trim().is_empty() {
                print(&text);
                in_text = !text.ends_with('\n');
            }
            continue;
        }
        if let Some(line) = describe(&event, style) {
            let begin = if std::mem::take(&mut in_text) { "\n" } else { "" };
            print(&format!("{begin}{:>4}  {line}\n", event.seq));
        }
    }
    Ok(Exit::Done)
}
