//! Runs one command for a run: permitted, behind walls, its output streamed as events, its end kept.
//!
//! Laws: nothing is started that [`permit`] has not granted, and every refusal is an event. A command whose end is kept is
//! never run again, also after a crash; one that was cut off is asked about again. A run that is told to halt ends it with
//! all that it started.
//!
//! Limits: a command sees the files on disk, not what an editor shows and has not saved: which files that were is told. While it
//! runs, no other task does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assist_base::{ChangeSetId, ContentHash, DocPath, EventKind};
use assist_runtime::command::{Chunk, Command, End, Finished, Stopper, Stream};
use assist_runtime::confine::{Confinement, Helper, Walls, available};
use assist_runtime::shadow::default_place;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::cut_off::Note;
use super::permit::{self, Permit, Wanted};
use super::traces::Before;
use crate::run::{Break, Run, lock};

/// The stages of a command's checkpoints; their component is its name within the run.
const BEGUN: &str = "command_begun";
const ENDED: &str = "command_ended";

/// Output waits so long for more before it is shown.
const GATHER: Duration = Duration::from_millis(250);
/// Or until there is so much of it, in bytes.
const GATHERED: usize = 4 * 1024;
/// What is shown while it runs, in bytes; the rest is counted.
const MOST_SHOWN: usize = 96 * 1024;
/// What a model gets to see of the output, in bytes: the end says more than the beginning.
const HEAD: usize = 2 * 1024;
const TAIL: usize = 10 * 1024;
/// Pieces of output that may wait to be shown; then the command waits too.
const WAITING: usize = 64;

/// A command that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// The code it ended with, if it ended by itself.
    pub(crate) code: Option<i32>,
    /// How it ended, as part of a sentence.
    pub(crate) how: String,
    /// Milliseconds.
    pub(crate) took: u64,
    /// The beginning and the end of what it printed.
    pub(crate) output: String,
    /// The files that Git would list and that are different now.
    pub(crate) files: Vec<String>,
    /// The files that it saw as they are saved, and not as an editor shows them.
    #[serde(default)]
    pub(crate) unsaved: Vec<String>,
}

impl Ended {
    /// Whether it ended by itself with code 0.
    pub(crate) fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// What became of a command that was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It ran.
    Ended(Ended),
    /// It was not run, and why, as part of a sentence. The user may run it.
    NotRun(String),
}

/// Whether walls hold around commands here.
pub(crate) async fn walls() -> Confinement {
    let known = tokio::task::spawn_blocking(|| available(Helper::this_program().as_ref()));
    known.await.unwrap_or_else(|error| Confinement::None(error.to_string()))
}

/// Runs it, if it may.
pub(crate) async fn run(run: &Run, mut wanted: Wanted) -> Result<Ran, Break> {
    let (begun, ended) = kept(run, &wanted.key).await?;
    if let Some(ended) = ended {
        return Ok(Ran::Ended(ended));
    }
    wanted.again = begun;
    if !run.may_write {
        return refused(run, &wanted, "the workspace is not trusted, so nothing is run in it").await;
    }
    let walls = walls().await;
    match permit::ask(run, &wanted, &walls).await? {
        Permit::Granted => {}
        Permit::Denied(why) | Permit::Declined(why) => return refused(run, &wanted, &why).await,
    }
    run.check()?;
    keep(run, BEGUN, &wanted.key, json!({ "command": wanted.line })).await?;
    let held = match &walls {
        Confinement::Full => "full",
        Confinement::Partial(_) => "partial",
        Confinement::None(_) => "none",
    };
    let unsaved = unsaved(run).await;
    let data = json!({ "network": wanted.network, "walls": held, "unsaved": unsaved });
    tell(run, &wanted, "started", data).await?;
    let before = {
        let workspace = Arc::clone(&run.workspace);
        tokio::task::spawn_blocking(move || Before::take(&workspace)).await.unwrap_or_default()
    };
    let (before, change_set, note) = noted(run, &wanted, before).await;
    let finished = execute(run, &wanted, note.as_ref().map(Note::mark)).await;
    // Also what a command did that was stopped half-way can be taken back.
    let files = before.keep(run, change_set).await?;
    if let Some(note) = note {
        let _ = tokio::task::spawn_blocking(move || note.done()).await;
    }
    let ended = match finished? {
        Ok(finished) => Ended {
            code: match finished.end {
                End::Exited(code) => Some(code),
                _ => None,
            },
            how: how(run, &finished, &unsaved),
            took: u64::try_from(finished.took.as_millis()).unwrap_or(u64::MAX),
            output: shortened(&finished.output.text),
            files,
            unsaved,
        },
        Err(why) => Ended { code: None, how: why, took: 0, output: String::new(), files, unsaved },
    };
    keep(run, ENDED, &wanted.key, serde_json::to_value(&ended).unwrap_or_default()).await?;
    let data = json!({
        "code": ended.code, "message": ended.how, "milliseconds": ended.took, "files": ended.files,
        "unsaved": ended.unsaved,
    });
    tell(run, &wanted, "ended", data).await?;
    Ok(Ran::Ended(ended))
}

/// Writes down how the files are, for whoever comes after a process that was killed. What cannot be written down is told in
/// the log, and the command runs all the same.
async fn noted(run: &Run, wanted: &Wanted, before: Before) -> (Before, ChangeSetId, Option<Note>) {
    let (workspace, id, key, line) =
        (Arc::clone(&run.workspace), run.id, wanted.key.clone(), wanted.line.clone());
    let change_set = ChangeSetId::new();
    let writing = tokio::task::spawn_blocking(move || {
        let note = Note::write(&workspace, (id, &key), &line, (change_set, &before));
        (before, note)
    });
    let Ok((before, note)) = writing.await else { return (Before::default(), change_set, None) };
    if let Err(error) = &note {
        tracing::warn!(run = %run.id, %error, "the files before a command could not be written down");
    }
    (before, change_set, note.ok())
}

/// The documents that an editor shows otherwise than they are saved.
async fn unsaved(run: &Run) -> Vec<String> {
    let (open, workspace) = (run.host.open_texts().await, Arc::clone(&run.workspace));
    let differing = tokio::task::spawn_blocking(move || {
        let differs =
            |path: &DocPath, shown: &str| workspace.read(path).map_or(true, |file| file.text != shown);
        let open = open.into_iter().filter(|(path, _)| !path.is_untitled());
        open.filter(|(path, text)| differs(path, text)).map(|(path, _)| path.to_string()).collect()
    });
    differing.await.unwrap_or_default()
}

/// Whether it was begun, and how it ended.
async fn kept(run: &Run, key: &str) -> Result<(bool, Option<Ended>), Break> {
    let (mut begun, mut ended) = (false, None);
    for checkpoint in run.store().checkpoints().list(run.id).await? {
        if checkpoint.component.as_deref() != Some(key) {
            continue;
        }
        match checkpoint.stage.as_str() {
            BEGUN => begun = true,
            ENDED => ended = serde_json::from_value(checkpoint.data).ok(),
            _ => {}
        }
    }
    Ok((begun, ended))
}

async fn keep(run: &Run, stage: &str, key: &str, data: Value) -> Result<(), Break> {
    run.store().checkpoints().add(run.id, stage, Some(key), data, run.clock().now()).await?;
    Ok(())
}

async fn refused(run: &Run, wanted: &Wanted, why: &str) -> Result<Ran, Break> {
    tell(run, wanted, "refused", json!({ "message": why })).await?;
    Ok(Ran::NotRun(why.to_owned()))
}

async fn tell(run: &Run, wanted: &Wanted, state: &str, more: Value) -> Result<(), Break> {
    let mut data = json!({ "command": wanted.line, "state": state });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    run.emit(EventKind::Command, data).await?;
    Ok(())
}

/// Ends a command when nobody waits for it any more.
struct Leash(Stopper);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Starts it and shows its output until it is over. `Err` within says why it did not start.
async fn execute(
    run: &Run,
    wanted: &Wanted,
    mark: Option<PathBuf>,
) -> Result<Result<Finished, String>, Break> {
    let (timeout, disk) = {
        let commands = lock(&run.commands);
        (commands.timeout, commands.disk)
    };
    let (root, line, network) = (run.workspace.root().to_owned(), wanted.line.clone(), wanted.network);
    let (chunks, mut coming) = mpsc::channel::<Chunk>(WAITING);
    let (tell_started, mut started) = oneshot::channel::<Stopper>();
    let mut working = tokio::task::spawn_blocking(move || {
        let helper = Helper::this_program();
        let mut command = Command { mark, ..prepared(&root, line, network, timeout) };
        command.limits.disk = disk;
        let running = command.start(helper.as_ref()).map_err(|e| e.to_string())?;
        // Where nobody waits any more, dropping it ends it.
        if tell_started.send(running.stopper()).is_err() {
            return Err("it was stopped".to_owned());
        }
        while let Some(chunk) = running.next_chunk() {
            if chunks.blocking_send(chunk).is_err() {
                break;
            }
        }
        Ok(running.wait())
    });
    let failed = |error: tokio::task::JoinError| Err(format!("Assist failed inside: {error}"));
    let stopper = match run.unless_halted(&mut started).await {
        Ok(Ok(stopper)) => stopper,
        // It did not start, and the thread knows why.
        Ok(Err(_)) => return Ok(working.await.unwrap_or_else(failed)),
        Err(halted) => {
            // The thread finds nobody waiting and ends what it has just started, or has told of it in this very moment.
            started.close();
            if let Ok(stopper) = started.try_recv() {
                stopper.stop();
            }
            let _ = working.await;
            return Err(halted);
        }
    };
    let leash = Leash(stopper);
    let shown = show(run, wanted, &mut coming).await;
    coming.close();
    let over = match shown {
        // Its output may have ended before it did.
        Ok(()) => run.unless_halted(&mut working).await,
        Err(halted) => Err(halted),
    };
    match over {
        Ok(finished) => Ok(finished.unwrap_or_else(failed)),
        Err(halted) => {
            drop(leash);
            // Nothing of it is at work any more when the run rests.
            let _ = working.await;
            Err(halted)
        }
    }
}

/// Shows the output as it comes, in pieces that are worth a line in the database.
async fn show(run: &Run, wanted: &Wanted, coming: &mut mpsc::Receiver<Chunk>) -> Result<(), Break> {
    let (mut held, mut stream, mut shown) = (String::new(), Stream::Out, 0);
    loop {
        let next = run.unless_halted(tokio::time::timeout(GATHER, coming.recv())).await?;
        let (flush, over) = match &next {
            Ok(None) => (true, true),
            Ok(Some(chunk)) => (chunk.stream != stream || held.len() >= GATHERED, false),
            Err(_) => (true, false),
        };
        if flush && !held.is_empty() {
            let text = std::mem::take(&mut held);
            if shown < MOST_SHOWN {
                shown += text.len();
                let name = if stream == Stream::Out { "out" } else { "err" };
                tell(run, wanted, "output", json!({ "stream": name, "text": text })).await?;
                if shown >= MOST_SHOWN {
                    let message = "there is more output than is shown";
                    tell(run, wanted, "output", json!({ "stream": "err", "text": "", "message": message }))
                        .await?;
                }
            }
        }
        if over {
            return Ok(());
        }
        if let Ok(Some(chunk)) = next {
            stream = chunk.stream;
            held.push_str(&chunk.text);
        }
    }
}

/// The command as it is started: in the workspace's root, able to write there and nowhere else, with caches of its own.
fn prepared(root: &Path, line: String, network: bool, timeout: Duration) -> Command {
    let mut command = Command::shell(root, line);
    command.timeout = timeout;
    let mut writable = vec![root.to_owned()];
    if let Some(caches) = caches(root) {
        command.environment = variables(&caches, network);
        writable.push(caches);
    }
    let protected = vec![root.join(".git"), root.join(".assist")];
    command.walls = Some(Walls { writable, protected, network, ..Walls::default() });
    command
}

/// A folder for what package managers keep between commands: of this workspace alone, so that a command cannot leave
/// anything for another project. None where it cannot be made.
fn caches(root: &Path) -> Option<PathBuf> {
    let key = ContentHash::of(root.as_os_str().as_encoded_bytes()).to_string();
    let place = default_place().parent()?.join("packages").join(key.get(..16)?);
    std::fs::create_dir_all(&place).ok()?;
    place.canonicalize().ok()
}

fn variables(caches: &Path, network: bool) -> Vec<(String, String)> {
    let at = |name: &str| caches.join(name).display().to_string();
    let mut variables = vec![
        ("XDG_CACHE_HOME".to_owned(), at("cache")),
        ("npm_config_cache".to_owned(), at("npm")),
        ("YARN_CACHE_FOLDER".to_owned(), at("yarn")),
        ("PIP_CACHE_DIR".to_owned(), at("pip")),
        ("GOCACHE".to_owned(), at("go-build")),
    ];
    if network {
        // What is fetched must be written somewhere; without the network, what the user has is read.
        variables.push(("CARGO_HOME".to_owned(), at("cargo")));
        variables.push(("GOMODCACHE".to_owned(), at("go-mod")));
    }
    variables
}

/// What programs say that met a wall.
const MET: [&str; 3] = ["Permission denied", "Operation not permitted", "Read-only file system"];

fn how(run: &Run, finished: &Finished, unsaved: &[String]) -> String {
    let mut how = end(run, finished);
    let met = !finished.success() && MET.iter().any(|words| finished.output.text.contains(words));
    if met && !finished.confinement.is_none() {
        how.push_str("; something that it tried is closed to it (writing outside the workspace, private files, other programs, or the network)");
    }
    if !unsaved.is_empty() {
        how.push_str(&format!("; it saw {} as saved, not as the editor shows it", unsaved.join(", ")));
    }
    how
}

fn end(run: &Run, finished: &Finished) -> String {
    match finished.end {
        End::Exited(code) => format!("it ended with code {code}"),
        End::Signalled(signal) => format!("it was ended by signal {signal}"),
        End::TimedOut => {
            format!("it took longer than {} seconds and was ended", lock(&run.commands).timeout.as_secs())
        }
        End::Stopped => "it was stopped".to_owned(),
        End::TooMuchWritten => format!(
            "it wrote more than {} and was ended; `disk_megabytes` in `[commands]` of your own config.toml allows more",
            size(lock(&run.commands).disk)
        ),
        End::TooManyProcesses => "it started too many processes and was ended".to_owned(),
        End::Lost => "how it ended is not known".to_owned(),
    }
}

/// So many bytes, for people.
fn size(bytes: u64) -> String {
    let megabytes = bytes >> 20;
    if megabytes >= 1024 && megabytes.is_multiple_of(1024) {
        return format!("{} GB", megabytes / 1024);
    }
    format!("{megabytes} MB")
}

/// The beginning and the end, cut at lines.
fn shortened(output: &str) -> String {
    let output = output.trim_end();
    if output.len() <= HEAD + TAIL {
        return output.to_owned();
    }
    let head_end = output[..floor(output, HEAD)].rfind('\n').map_or_else(|| floor(output, HEAD), |at| at + 1);
    let from = floor(output, output.len() - TAIL);
    let tail_start = output[from..].find('\n').map_or(from, |at| from + at + 1);
    let left_out = tail_start - head_end;
    format!("{}[… {left_out} bytes left out …]\n{}", &output[..head_end], &output[tail_start..])
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_keeps_its_beginning_and_its_end() {
        assert_eq!(shortened("a\nb\n\n"), "a\nb");
        let lines: String = (0..5_000).map(|n| format!("zeile {n} ü\n")).collect();
        let short = shortened(&lines);
        assert!(short.len() < HEAD + TAIL + 100);
        assert!(short.starts_with("zeile 0 ü\n") && short.ends_with("zeile 4999 ü"), "{short}");
        assert!(short.contains("bytes left out …]\nzeile "), "{short}");
        let one = "ü".repeat(HEAD + TAIL);
        assert!(shortened(&one).contains("left out"));
    }
}
