//! What the files were before a command, written down before it starts: what a command did whose Assist was killed is found
//! out by whoever opens the workspace next, so that undo knows it.
//!
//! One file for each command under `.assist/commands/`, gone when what it did is kept. Beside it the command's minding
//! process notes when the command was over: what was changed later is somebody else's.
//!
//! Limits: those of [`super::traces`]. Where no minding process was left to note the end (the machine went down), only what is
//! gone counts as the command's.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use assist_base::{ChangeSetId, ContentHash, RunId, Timestamp};
use assist_runtime::Workspace;
use assist_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use super::traces::Before;

/// The folder of the notes, in Assist's own.
const FOLDER: &str = "commands";
/// A minding process that lives notes the end of its command sooner than this.
const ENDING: Duration = Duration::from_secs(5);
/// How often it is looked for.
const LOOKING: Duration = Duration::from_millis(20);

/// What is written down.
#[derive(Deserialize)]
struct Row {
    command: String,
    /// What the command does is kept as this.
    change_set: ChangeSetId,
    before: Before,
}

/// The same, borrowed.
#[derive(Serialize)]
struct RowOf<'r> {
    command: &'r str,
    change_set: ChangeSetId,
    before: &'r Before,
}

/// A note on a command that is about to start.
pub(super) struct Note {
    file: PathBuf,
}

impl Note {
    /// Writes down how the files are before `command`, which `run` knows as `key`. On the disk when this returns. Blocks.
    pub(super) fn write(
        workspace: &Workspace,
        (run, key): (RunId, &str),
        command: &str,
        (change_set, before): (ChangeSetId, &Before),
    ) -> io::Result<Self> {
        let folder = workspace.assist_dir().join(FOLDER);
        fs::create_dir_all(&folder)?;
        let name = ContentHash::of(key).to_string();
        let file = folder.join(format!("{run}-{}.json", name.get(..16).unwrap_or(&name)));
        let part = file.with_extension("part");
        let mut writing = io::BufWriter::new(File::create(&part)?);
        serde_json::to_writer(&mut writing, &RowOf { command, change_set, before })?;
        writing.flush()?;
        writing.get_ref().sync_data()?;
        fs::rename(&part, &file)?;
        Ok(Self { file })
    }

    /// The file in which the minding process notes the end.
    pub(super) fn mark(&self) -> PathBuf {
        mark(&self.file)
    }

    /// What the command did is kept: nobody needs this any more. Blocks.
    pub(super) fn done(self) {
        remove(&self.file);
    }
}

fn mark(note: &Path) -> PathBuf {
    note.with_extension("over")
}

fn remove(note: &Path) {
    for file in [note.to_path_buf(), mark(note)] {
        if let Err(error) = fs::remove_file(&file)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, file = %file.display(), "the note on a command could not be removed");
        }
    }
}

/// When the command was over; none where nobody noted it.
fn end(note: &Path) -> Option<SystemTime> {
    let (mark, until) = (mark(note), Instant::now() + ENDING);
    loop {
        match fs::metadata(&mark) {
            Ok(found) if found.len() > 0 => return found.modified().ok(),
            // It was there before the command was started, or the command never was.
            Err(_) => return None,
            Ok(_) if Instant::now() >= until => return None,
            Ok(_) => std::thread::sleep(LOOKING),
        }
    }
}

/// Keeps what the commands did that were cut off with the process of `run`. Returns for each of them its line, and the files
/// that it changed.
pub(crate) async fn recover(
    store: &Store,
    workspace: &Arc<Workspace>,
    run: RunId,
    now: Timestamp,
) -> Result<Vec<(String, Vec<String>)>, StoreError> {
    let of_run = Arc::clone(workspace);
    let found = tokio::task::spawn_blocking(move || {
        let entries = fs::read_dir(of_run.assist_dir().join(FOLDER)).into_iter().flatten().flatten();
        let ours = entries.map(|entry| entry.path()).filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&run.to_string()) && name.ends_with(".json")
        });
        let read = |path: PathBuf| {
            let row = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Row>(&bytes).ok());
            let row = row.map(|row| {
                let (copies, names) = row.before.until(end(&path), &of_run).compare(&of_run);
                (row.command, row.change_set, copies, names)
            });
            (path, row)
        };
        ours.map(read).collect::<Vec<_>>()
    });
    let kept = store.snapshots().list(run).await?;
    let mut told = Vec::new();
    for (path, row) in found.await.unwrap_or_default() {
        if let Some((command, id, copies, names)) = row
            && !kept.iter().any(|snapshot| snapshot.change_set == id)
            && !names.is_empty()
        {
            if !copies.is_empty() {
                store.snapshots().record(run, id, copies, now).await?;
                store.snapshots().mark_applied(id).await?;
            }
            told.push((command, names));
        }
        // Cannot be read, or is kept by now.
        let removed = tokio::task::spawn_blocking(move || remove(&path)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, "the note on a command could not be removed");
        }
    }
    Ok(told)
}
