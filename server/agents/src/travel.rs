//! Time travel: named states of the workspace's files, by hand and at every run, and the way back to them.
//!
//! Restoring keeps what people edited since: only what Assist changed is taken back, and where a later edit stands in
//! the same place the file is left alone and named. `exact` puts the very bytes of the state back. Either way the present
//! state is kept first, and files are written through the host, that is through the journal or the editor. Git is never
//! touched. Files whose names say that they hold keys are in no state.

use std::collections::BTreeMap;
use std::sync::Arc;

use assist_base::{ChangeSet, ChangeSetId, ContentHash, DocPath, FileChange, FileEdit, Outcome, RunId};
use assist_runtime::looks_secret;
use assist_store::{FileState, NewSnapshotSet, Snapshot, SnapshotKind, SnapshotSet};

use serde_json::{Value, json};

use crate::engine::{Engine, blocking};
use crate::error::EngineError;
use crate::host::{Document, Host, HostError};
use crate::undo::difference;

/// How many files a state by hand may have.
const MAX_FILES: usize = 20_000;
/// And how many bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// A larger file is left out.
const MAX_FILE: u64 = 10 * 1024 * 1024;

/// A state that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// It.
    pub set: SnapshotSet,
    /// How many files were left out: too large, not readable, or with keys in them.
    pub left_out: usize,
}

/// A file that differs between two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff {
    /// Which.
    pub path: DocPath,
    /// `created`, `deleted` or `modified`, from the first state to the second.
    pub change: &'static str,
    /// The difference; none where one of them is no text.
    pub diff: Option<String>,
}

/// What restoring did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Returned {
    /// The files that hold what they held, but for later edits elsewhere in them.
    pub files: Vec<DocPath>,
    /// Those that were left alone, because later edits and Assist's stand in the same place.
    pub conflicts: Vec<DocPath>,
    /// Those that differ from the state by people's edits alone, which stay.
    pub edited: Vec<DocPath>,
    /// Those that are open in another editor, with its name, and were left alone.
    pub open: Vec<(DocPath, String)>,
    /// The state that was kept before anything was written; none where nothing was.
    pub before: Option<SnapshotSet>,
}

impl Returned {
    /// Whether everything is as it was asked for.
    pub fn is_complete(&self) -> bool {
        self.conflicts.is_empty() && self.open.is_empty()
    }

    /// As JSON: `{restored, conflicts, edited, open: [{path, editor}], before?, summary}`.
    pub fn document(&self) -> Value {
        let open = self.open.iter().map(|(path, editor)| json!({ "path": path, "editor": editor }));
        json!({
            "restored": self.files, "conflicts": self.conflicts, "edited": self.edited,
            "open": open.collect::<Vec<_>>(), "before": self.before.as_ref().map(|set| set.id),
            "summary": self.summary(),
        })
    }

    /// Sentences for the user.
    pub fn summary(&self) -> String {
        let list = |paths: &[DocPath]| paths.iter().map(DocPath::as_str).collect::<Vec<_>>().join(", ");
        let mut said = Vec::new();
        if !self.files.is_empty() {
            said.push(format!("Restored {}.", list(&self.files)));
        }
        if !self.conflicts.is_empty() {
            said.push(format!(
                "{} was edited in the same places since and was left alone.",
                list(&self.conflicts)
            ));
        }
        if !self.edited.is_empty() {
            said.push(format!(
                "{} differs by edits that Assist did not make, which stay; `--exact` takes them back too.",
                list(&self.edited)
            ));
        }
        for (path, editor) in &self.open {
            said.push(format!(
                "{path} is open in {editor} and was left alone: close it there, or restore it from there."
            ));
        }
        if said.is_empty() {
            said.push("Nothing differs from that state.".to_owned());
        }
        if let Some(before) = &self.before {
            said.push(format!("The state before is kept as {}.", before.id.short()));
        }
        said.join(" ")
    }
}

impl Engine {
    /// Keeps the state of some files, or of all that Git would list. Open documents count with what their editor shows.
    ///
    /// # Errors
    /// [`EngineError::BadDocument`] when a named file cannot be read, or there are too many; [`EngineError::Store`].
    pub async fn keep_state(
        self: &Arc<Self>,
        label: &str,
        paths: Option<Vec<DocPath>>,
        host: &dyn Host,
    ) -> Result<Kept, EngineError> {
        let named = paths.is_some();
        let (paths, mut left_out) = match paths {
            Some(paths) => (paths, 0),
            None => self.listed().await?,
        };
        let mut files = Vec::new();
        let mut bytes = 0_u64;
        for path in paths {
            match host.read(&path).await {
                Ok(document) => {
                    bytes = bytes.saturating_add(document.text.len() as u64);
                    files.push(FileState { path, content: Some(document.text.into_bytes()) });
                }
                Err(error) if named => return Err(error.into()),
                Err(_) => left_out += 1,
            }
            if bytes > MAX_BYTES {
                return Err(too_many());
            }
        }
        let label = label.trim();
        let label = if label.is_empty() { "by hand" } else { label };
        let set = self.keep_set(SnapshotKind::Manual, label, None, None, files).await?;
        Ok(Kept { set, left_out })
    }

    async fn listed(self: &Arc<Self>) -> Result<(Vec<DocPath>, usize), EngineError> {
        let engine = Arc::clone(self);
        blocking(move || {
            let walked = engine.workspace().walk(MAX_FILES);
            if walked.more {
                return Err(too_many());
            }
            let all = walked.files.len();
            let fit =
                walked.files.into_iter().filter(|file| file.bytes <= MAX_FILE && !looks_secret(&file.path));
            let paths: Vec<DocPath> = fit.map(|file| file.path).collect();
            let left_out = all - paths.len();
            Ok((paths, left_out))
        })
        .await
    }

    pub(crate) async fn keep_set(
        &self,
        kind: SnapshotKind,
        label: &str,
        run: Option<RunId>,
        checkpoint: Option<i64>,
        files: Vec<FileState>,
    ) -> Result<SnapshotSet, EngineError> {
        let new = NewSnapshotSet { label: label.to_owned(), kind, run, checkpoint, files };
        Ok(self.store.snapshots().create(new, self.clock.now()).await?)
    }

    /// The one state that a text stands for: the beginning of its id, or its whole label (the newest of that name).
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when there is none, or the id's beginning fits several.
    pub async fn find_state(&self, text: &str) -> Result<SnapshotSet, EngineError> {
        let mut found = self.store.snapshots().find_sets(text).await?;
        let by_label = found.iter().all(|set| set.label == text);
        match found.len() {
            0 => Err(EngineError::NoSnapshot(text.to_owned())),
            1 => Ok(found.remove(0)),
            _ if by_label => Ok(found.remove(0)),
            _ => Err(EngineError::NoSnapshot(format!("{text} alone; several begin so"))),
        }
    }

    /// How a state's files differ from those of another state, or from what they hold now.
    ///
    /// # Errors
    /// [`EngineError::Store`], and what keeps a file from being read.
    pub async fn diff_states(
        &self,
        from: &SnapshotSet,
        to: Option<&SnapshotSet>,
        host: &dyn Host,
    ) -> Result<Vec<FileDiff>, EngineError> {
        let before = self.store.snapshots().restore_data(from.id, None).await?;
        let mut after: BTreeMap<DocPath, Option<Vec<u8>>> = BTreeMap::new();
        match to {
            Some(to) => {
                let files = self.store.snapshots().restore_data(to.id, None).await?;
                after.extend(files.into_iter().map(|file| (file.path, file.content)));
            }
            None => {
                for file in &before {
                    let now = present(&file.path, host).await?;
                    after.insert(file.path.clone(), now.map(|document| document.text.into_bytes()));
                }
            }
        }
        let mut found = Vec::new();
        for FileState { path, content: before } in before {
            let Some(after) = after.remove(&path) else { continue };
            if before == after {
                continue;
            }
            let change = match (&before, &after) {
                (None, _) => "created",
                (_, None) => "deleted",
                _ => "modified",
            };
            let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).ok();
            let diff = text(before)
                .zip(text(after))
                .map(|(before, after)| assist_syntax::unified(path.as_str(), &before, &after));
            found.push(FileDiff { path, change, diff });
        }
        Ok(found)
    }

    /// Leads files back to a state: all of its files, or only `paths`. `exact` also takes back what people edited since.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the state or a file in it is not there, [`EngineError::BadDocument`] when a file
    /// cannot be read or written; nothing is changed then.
    pub async fn restore_state(
        self: &Arc<Self>,
        set: &SnapshotSet,
        paths: Option<Vec<DocPath>>,
        exact: bool,
        host: Arc<dyn Host>,
    ) -> Result<Returned, EngineError> {
        let target = self.store.snapshots().restore_data(set.id, paths).await?;
        let mut since: BTreeMap<DocPath, Vec<Snapshot>> = BTreeMap::new();
        for change in self.store.snapshots().since(set.at).await? {
            since.entry(change.path.clone()).or_default().push(change);
        }
        let elsewhere = self.open_elsewhere().await?;
        let (mut returned, mut files, mut before) = (Returned::default(), Vec::new(), Vec::new());
        for FileState { path, content } in target {
            let wanted = match content.map(String::from_utf8).transpose() {
                Ok(wanted) => wanted,
                Err(_) => {
                    return Err(EngineError::BadDocument(format!("The kept copy of {path} is no text.")));
                }
            };
            let document = present(&path, host.as_ref()).await?;
            let now = document.as_ref().map(|document| document.text.clone());
            if now == wanted {
                continue;
            }
            if let Some(editor) = elsewhere.get(&path) {
                returned.open.push((path, editor.clone()));
                continue;
            }
            let text = if exact {
                wanted
            } else {
                let changes = since.get(&path).map(Vec::as_slice).unwrap_or_default();
                match self.peeled(now.clone(), wanted.as_deref(), changes).await? {
                    Some(text) => text,
                    None => {
                        returned.conflicts.push(path);
                        continue;
                    }
                }
            };
            let edit = match (&document, text) {
                (_, text) if text == now => {
                    returned.edited.push(path);
                    continue;
                }
                (Some(document), Some(text)) => FileEdit::Modify {
                    edits: vec![difference(&document.text, &text)],
                    base: document.revision.clone(),
                },
                (Some(document), None) => FileEdit::Delete { base: document.revision.clone() },
                (None, Some(text)) => FileEdit::Create { text },
                (None, None) => continue,
            };
            before.push(FileState { path: path.clone(), content: now.map(String::into_bytes) });
            returned.files.push(path.clone());
            files.push(FileChange { path, edit });
        }
        if files.is_empty() {
            return Ok(returned);
        }
        let label = format!("before restoring {}", set.label);
        let kept = self.keep_set(SnapshotKind::Manual, &label, None, None, before).await?;
        let label = "Assist: restore".to_owned();
        let change = ChangeSet { id: ChangeSetId::new(), run: RunId::new(), label, files };
        match host.apply(&change).await? {
            Outcome::Applied { .. } => Ok(Returned { before: Some(kept), ..returned }),
            Outcome::Stale { path } => Err(EngineError::BadDocument(format!(
                "{path} changed in this very moment; nothing was restored. Try again."
            ))),
            Outcome::Refused { path, reason } => {
                Err(EngineError::BadDocument(format!("{path} could not be restored: {reason}")))
            }
        }
    }

    /// Takes Assist's changes off a text, newest first, until it is what was wanted or there are no more. None where a later
    /// edit stands in the same place.
    async fn peeled(
        &self,
        now: Option<String>,
        wanted: Option<&str>,
        changes: &[Snapshot],
    ) -> Result<Option<Option<String>>, EngineError> {
        let goal = wanted.map(ContentHash::of);
        let mut text = now;
        for change in changes.iter().rev() {
            // What led to the wanted text was before it.
            if change.after == goal {
                break;
            }
            if text.as_deref().map(ContentHash::of) == change.after {
                text = match &change.before {
                    Some(hash) => Some(self.blob(hash).await?),
                    None => None,
                };
                continue;
            }
            let (Some(present), Some(before), Some(after)) = (&text, &change.before, &change.after) else {
                return Ok(None);
            };
            let (before, after) = (self.blob(before).await?, self.blob(after).await?);
            match assist_syntax::merge3(&after, present, &before) {
                Ok(merged) => text = Some(merged),
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(text))
    }

    /// Tells other processes which documents this one has opened and closed.
    pub async fn tell_open(
        &self,
        opened: impl Iterator<Item = &DocPath>,
        closed: impl Iterator<Item = &DocPath>,
    ) {
        let (store, now) = (self.store.open_documents(), self.now());
        for path in opened {
            if let Err(error) = store.set(path, self.owner(), 0, None, false, now).await {
                tracing::debug!(%error, "an open document was not noted");
            }
        }
        for path in closed {
            if let Err(error) = store.close(path, self.owner()).await {
                tracing::debug!(%error, "a closed document was not noted");
            }
        }
    }

    /// What other live processes hold open, and what they call themselves.
    async fn open_elsewhere(&self) -> Result<BTreeMap<DocPath, String>, EngineError> {
        let me = self.owner();
        let open = self.store.open_documents().list().await?;
        let others = open.into_iter().filter(|document| {
            let owner = &document.owner;
            (owner.pid, &owner.boot, &owner.started) != (me.pid, &me.boot, &me.started)
                && crate::engine::is_alive(owner)
        });
        Ok(others.map(|document| (document.path, document.owner.label)).collect())
    }
}

/// A state as JSON: `{id, label, kind, run?, files, bytes, at}`.
pub fn set_document(set: &SnapshotSet) -> Value {
    json!({
        "id": set.id, "label": set.label, "kind": set.kind.as_str(), "run": set.run, "files": set.files,
        "bytes": set.bytes, "at": set.at,
    })
}

/// Differences as JSON: `[{path, change, diff}]`.
pub fn diff_document(diffs: &[FileDiff]) -> Value {
    let diffs =
        diffs.iter().map(|file| json!({ "path": file.path, "change": file.change, "diff": file.diff }));
    Value::from(diffs.collect::<Vec<_>>())
}

async fn present(path: &DocPath, host: &dyn Host) -> Result<Option<Document>, EngineError> {
    match host.read(path).await {
        Ok(document) => Ok(Some(document)),
        Err(HostError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn too_many() -> EngineError {
    EngineError::BadDocument(
        "The workspace has too many files for one snapshot: name those that matter.".to_owned(),
    )
}
