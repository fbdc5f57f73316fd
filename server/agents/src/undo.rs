//! Takes a run's changes back, keeping what was edited since.

use std::collections::BTreeMap;
use std::sync::Arc;

use assist_base::change::apply_edits;
use assist_base::{
    ByteRange, ChangeSet, ChangeSetId, Clock, ContentHash, DocPath, FileChange, FileEdit, Outcome, RunId,
    TextEdit,
};
use assist_store::{FileSnapshot, Snapshot, Store};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::host::{Host, HostError};
use crate::orchestrator;

/// What undoing did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Undone {
    /// The files that are as they were, but for later edits elsewhere in them.
    pub files: Vec<DocPath>,
    /// The files that were left alone, because later edits and the run's stand in the same place.
    pub conflicts: Vec<DocPath>,
    /// What of the run's work is out of the files and stays: a commit, what was pushed, what was deployed. A sentence or two.
    pub stays: Option<String>,
}

impl Undone {
    /// For the user: a sentence about the files, and what stays.
    pub fn summary(&self) -> String {
        let files = self.of_files();
        match &self.stays {
            Some(stays) => format!("{files} {stays}"),
            None => files,
        }
    }

    fn of_files(&self) -> String {
        let list = |paths: &[DocPath]| paths.iter().map(DocPath::as_str).collect::<Vec<_>>().join(", ");
        match (self.files.is_empty(), self.conflicts.is_empty()) {
            (true, true) => "There was nothing to undo.".to_owned(),
            (false, true) => format!("Restored {}.", list(&self.files)),
            (true, false) => {
                format!("Nothing was undone: {} was edited in the same places since.", list(&self.conflicts))
            }
            (false, false) => format!(
                "Restored {}; {} was edited in the same places since and was left alone.",
                list(&self.files),
                list(&self.conflicts)
            ),
        }
    }
}

/// What a file is to become.
enum Restored {
    Unchanged,
    Conflict,
    To { present: Option<crate::host::Document>, text: Option<String> },
}

impl Engine {
    /// Takes back what a run changed: every file as it was before, with edits made since merged in. A file whose later
    /// edits stand in the same places is left alone and named. Git is never touched.
    ///
    /// # Errors
    /// [`EngineError`] when there is no such run, or a file cannot be read or written.
    pub async fn undo(self: &Arc<Self>, run: RunId, host: Arc<dyn Host>) -> Result<Undone, EngineError> {
        self.session(run).await?;
        let mut undone = take_back(&self.store, self.clock.as_ref(), run, host.as_ref()).await?;
        undone.stays = orchestrator::stays(&self.store, run).await?;
        if !undone.files.is_empty() {
            host.rested(run);
        }
        Ok(undone)
    }

    pub(crate) async fn blob(&self, hash: &ContentHash) -> Result<String, EngineError> {
        blob(&self.store, hash).await
    }
}

/// Takes back what a run changed; see [`Engine::undo`].
pub(crate) async fn take_back(
    store: &Store,
    clock: &dyn Clock,
    run: RunId,
    host: &dyn Host,
) -> Result<Undone, EngineError> {
    let mut by_path: BTreeMap<DocPath, Vec<Snapshot>> = BTreeMap::new();
    for snapshot in store.snapshots().list(run).await? {
        by_path.entry(snapshot.path.clone()).or_default().push(snapshot);
    }
    let mut undone = Undone::default();
    let mut set =
        ChangeSet { id: ChangeSetId::new(), run, label: "Assist: undo".to_owned(), files: Vec::new() };
    let mut copies = Vec::new();
    for (path, snapshots) in by_path {
        match restored(store, &path, &snapshots, host).await? {
            Restored::Unchanged => {}
            Restored::Conflict => undone.conflicts.push(path),
            Restored::To { present, text } => {
                copies.push(FileSnapshot {
                    path: path.clone(),
                    before: present.as_ref().map(|document| document.text.clone().into_bytes()),
                    after: text.clone().map(String::into_bytes),
                });
                let edit = match (present, text) {
                    (Some(document), Some(text)) => FileEdit::Modify {
                        edits: vec![difference(&document.text, &text)],
                        base: document.revision,
                    },
                    (Some(document), None) => FileEdit::Delete { base: document.revision },
                    (None, Some(text)) => FileEdit::Create { text },
                    (None, None) => continue,
                };
                undone.files.push(path.clone());
                set.files.push(FileChange { path, edit });
            }
        }
    }
    if set.files.is_empty() {
        return Ok(undone);
    }
    let now = clock.now();
    store.snapshots().record(run, set.id, copies, now).await?;
    match host.apply(&set).await? {
        Outcome::Applied { .. } => {
            store.snapshots().mark_applied(set.id).await?;
            Ok(undone)
        }
        Outcome::Stale { path } => {
            store.snapshots().discard(set.id).await?;
            Err(EngineError::BadDocument(format!(
                "{path} changed in this very moment; nothing was undone. Try again."
            )))
        }
        Outcome::Refused { path, reason } => {
            store.snapshots().discard(set.id).await?;
            Err(EngineError::BadDocument(format!("{path} could not be restored: {reason}")))
        }
    }
}

/// Peels the run's changes off the present text, newest first.
async fn restored(
    store: &Store,
    path: &DocPath,
    snapshots: &[Snapshot],
    host: &dyn Host,
) -> Result<Restored, EngineError> {
    let present = match host.read(path).await {
        Ok(document) => Some(document),
        Err(HostError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let original = present.as_ref().map(|document| document.text.clone());
    let mut text = original.clone();
    for snapshot in snapshots.iter().rev() {
        let is_present = text.as_deref().map(ContentHash::of) == snapshot.after;
        if is_present {
            text = match &snapshot.before {
                Some(hash) => Some(blob(store, hash).await?),
                None => None,
            };
            continue;
        }
        if !snapshot.applied {
            continue; // it was prepared, and never came into the file
        }
        let (Some(now), Some(before), Some(after)) = (&text, &snapshot.before, &snapshot.after) else {
            return Ok(Restored::Conflict);
        };
        let (before, after) = (blob(store, before).await?, blob(store, after).await?);
        match assist_syntax::merge3(&after, now, &before) {
            Ok(merged) => text = Some(merged),
            Err(_) => return Ok(Restored::Conflict),
        }
    }
    if text == original { Ok(Restored::Unchanged) } else { Ok(Restored::To { present, text }) }
}

async fn blob(store: &Store, hash: &ContentHash) -> Result<String, EngineError> {
    let bytes = store.blobs().get(hash).await?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| EngineError::Store {
        message: format!("The copy {hash} of a file is missing from the database."),
        fix: "Restore the file from version control.".to_owned(),
    })
}

/// The one edit that leads from `from` to `to`, without what they share at both ends.
pub(crate) fn difference(from: &str, to: &str) -> TextEdit {
    let mut prefix = from.bytes().zip(to.bytes()).take_while(|(a, b)| a == b).count();
    while !from.is_char_boundary(prefix) || !to.is_char_boundary(prefix) {
        prefix -= 1;
    }
    let longest = from.len().min(to.len()) - prefix;
    let mut suffix =
        from.bytes().rev().zip(to.bytes().rev()).take(longest).take_while(|(a, b)| a == b).count();
    while !from.is_char_boundary(from.len() - suffix) || !to.is_char_boundary(to.len() - suffix) {
        suffix -= 1;
    }
    let edit = TextEdit {
        range: ByteRange::new(prefix, from.len() - suffix),
        text: to[prefix..to.len() - suffix].to_owned(),
    };
    debug_assert_eq!(apply_edits(from, std::slice::from_ref(&edit)).as_deref(), Ok(to));
    edit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_leads_from_one_text_to_the_other() {
        for (from, to) in
            [("", ""), ("a", ""), ("", "a"), ("aaa", "aa"), ("é", "è"), ("x é y", "x è y"), ("abcabc", "abc")]
        {
            let edit = difference(from, to);
            assert_eq!(apply_edits(from, &[edit]).as_deref(), Ok(to), "{from:?} -> {to:?}");
        }
    }
}
