//! `assist snapshot`: states of files to go back to.

use std::path::PathBuf;
use std::sync::Arc;

use assist_agents::travel::{diff_document, set_document};
use assist_agents::{Engine, Host};
use assist_base::DocPath;
use assist_store::SnapshotSet;
use serde_json::json;

use super::{host, open, open_to_keep, print, print_json};
use crate::args::{Global, SnapshotAction};
use crate::exit::{Exit, Stop};
use crate::render::{Style, plain};
use crate::when;

/// Does what was asked with the kept states.
pub async fn run(global: Global, action: SnapshotAction) -> Result<Exit, Stop> {
    let engine = match action {
        SnapshotAction::Create { .. } => open_to_keep(global).await?,
        _ => open(global, None).await?,
    };
    let host = host(&engine, false, false);
    let style = Style::of(&std::io::stdout());
    match action {
        SnapshotAction::Create { files, label, json } => {
            let kept = engine.keep_state(&label, named(&engine, &files)?, host.as_ref()).await?;
            if json {
                let mut document = set_document(&kept.set);
                document["leftOut"] = kept.left_out.into();
                print_json(&document)?;
            } else {
                print(&line(&kept.set, style));
                if kept.left_out > 0 {
                    print(&format!(
                        "{} files were left out: no text, too large, or named like files with keys.\n",
                        kept.left_out
                    ));
                }
            }
        }
        SnapshotAction::List { run, limit, json } => {
            let run = match run {
                Some(run) => Some(engine.find(&run).await?),
                None => None,
            };
            let sets = engine.store().snapshots().sets(run, limit).await?;
            if json {
                let sets: Vec<_> = sets.iter().map(set_document).collect();
                print_json(&json!({ "snapshots": sets }))?;
            } else if sets.is_empty() {
                print("No snapshots yet: `assist snapshot create` takes one, and so does every run.\n");
            } else {
                sets.iter().for_each(|set| print(&line(set, style)));
            }
        }
        SnapshotAction::Diff { from, to, json } => {
            let from = engine.find_state(&from).await?;
            let to = match to {
                Some(to) => Some(engine.find_state(&to).await?),
                None => None,
            };
            let diffs = engine.diff_states(&from, to.as_ref(), host.as_ref()).await?;
            if json {
                print_json(&json!({ "files": diff_document(&diffs) }))?;
            } else if diffs.is_empty() {
                print("Nothing differs.\n");
            } else {
                for file in &diffs {
                    match &file.diff {
                        Some(diff) => print(&format!("{}\n", style.diff(&plain(diff)))),
                        None => print(&format!("{} {}\n", file.change, plain(file.path.as_str()))),
                    }
                }
            }
        }
        SnapshotAction::Restore { snapshot, files, exact, json } => {
            let set = engine.find_state(&snapshot).await?;
            let paths = named(&engine, &files)?;
            let returned = engine.restore_state(&set, paths, exact, host as Arc<dyn Host>).await?;
            if json {
                print_json(&returned.document())?;
            } else {
                print(&format!("{}\n", plain(&returned.summary())));
            }
            return Ok(if returned.is_complete() { Exit::Done } else { Exit::Failed });
        }
    }
    Ok(Exit::Done)
}

/// The documents that files name; none where none is named.
fn named(engine: &Engine, files: &[PathBuf]) -> Result<Option<Vec<DocPath>>, Stop> {
    if files.is_empty() {
        return Ok(None);
    }
    let paths = files.iter().map(|file| Ok(engine.workspace().doc_path(&std::path::absolute(file)?)?));
    paths.collect::<Result<Vec<_>, Stop>>().map(Some)
}

fn line(set: &SnapshotSet, style: Style) -> String {
    let run = set.run.map(|run| format!("  run {}", run.short())).unwrap_or_default();
    format!(
        "{}  {}  {:<10}  {}  {}\n",
        style.bold(&set.id.short()),
        when::shown(set.at),
        set.kind.as_str(),
        plain(&set.label),
        style.dim(&format!("{} files, {} KB{run}", set.files, set.bytes.div_ceil(1024)))
    )
}
