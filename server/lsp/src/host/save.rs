//! Files that were saved before a run changed them are saved again when it rests.
//!
//! LSP has no request for it: rich clients know `assist/save`. A document with unsaved changes of the user's own is never
//! saved, nor one that changed after the run's last edit, nor one whose file changed on disk meanwhile. A client that
//! declines leaves the document as it is: unsaved, as with plain LSP.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use assist_base::{DocPath, RunId};
use serde_json::json;

use super::{EditorHost, open_document};
use crate::documents::Snapshot;
use crate::ext;

/// A document that a run changed.
#[derive(Debug)]
struct Changed {
    path: DocPath,
    /// What its file held before the run's first change; none when the document had other text then.
    saved: Option<String>,
    /// The document after the run's last edit.
    last: Option<Snapshot>,
}

/// What the runs at work changed in open documents.
#[derive(Debug, Default)]
pub(super) struct Saves(Mutex<HashMap<RunId, Vec<Changed>>>);

impl Saves {
    fn with<T>(&self, run: RunId, work: impl FnOnce(&mut Vec<Changed>) -> T) -> T {
        work(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(run).or_default())
    }

    fn take(&self, run: RunId) -> Vec<Changed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&run).unwrap_or_default()
    }
}

impl EditorHost {
    /// Notes, before the run's first edit of a document, whether it is saved.
    pub(super) async fn note_before(&self, run: RunId, path: &DocPath, base: &Snapshot) {
        let rich = self.link.handshake().rich;
        if !rich || path.is_untitled() || self.saves.with(run, |all| all.iter().any(|c| c.path == *path)) {
            return;
        }
        let (document, base) = (path.clone(), base.clone());
        let saved = self
            .blocking(move |engine, documents| {
                let (text, _) = documents.revision(&base);
                let file = engine.workspace().read(&document).ok()?;
                (file.text == text).then_some(text)
            })
            .await
            .unwrap_or(None);
        let changed = Changed { path: path.clone(), saved, last: None };
        self.saves.with(run, |all| all.push(changed));
    }

    /// Notes an edit that was seen in place.
    pub(super) fn note_after(&self, run: RunId, path: &DocPath, now: &Snapshot) {
        self.saves.with(run, |all| {
            if let Some(changed) = all.iter_mut().find(|changed| changed.path == *path) {
                changed.last = Some(now.clone());
            }
        });
    }

    /// Asks the client to save what the run changed, in a task of its own.
    pub(super) fn save_changed(&self, run: RunId) {
        let changed = self.saves.take(run);
        let due: Vec<_> = changed
            .into_iter()
            .filter_map(|changed| Some((changed.path, changed.saved?, changed.last?)))
            .collect();
        if due.is_empty() {
            return;
        }
        let host = self.clone();
        tokio::spawn(async move {
            for (path, saved, last) in due {
                host.save(path, saved, last).await;
            }
        });
    }

    async fn save(&self, path: DocPath, saved: String, last: Snapshot) {
        let name = path.clone();
        let unchanged = self.blocking(move |engine, documents| {
            let open = open_document(engine, documents, &path)?;
            let same = open.opening == last.opening && open.rope == last.rope;
            // Another program wrote the file: which text counts is the user's to say.
            let file = engine.workspace().read(&path).ok()?;
            (same && file.text == saved).then_some(open)
        });
        let Ok(Some(open)) = unchanged.await else { return };
        let params = json!({ "uri": &*open.uri, "version": open.version });
        match self.link.request(ext::SAVE, params).await {
            Ok(answer) if answer["saved"] == true => {}
            Ok(answer) => tracing::debug!(path = %name, %answer, "the client did not save"),
            Err(error) => tracing::debug!(path = %name, ?error, "the client cannot save"),
        }
    }
}
