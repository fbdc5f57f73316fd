//! The engine's host over an editor: what is open is read from and changed through the client, all else on disk.
//!
//! Laws: an open document is never written behind the editor's back, and a closed file never through it. Everything that
//! touches the disk or hashes a text runs on a blocking thread.

mod apply;
mod ask;
mod put;
mod save;
mod seen;

use std::sync::Arc;

use assist_agents::runtime::FileError;
use assist_agents::{Answer, Document, Engine, Host, HostError, Question, Rebased, Severity};
use assist_base::{ByteRange, ChangeSet, DocPath, Event, EventKind, Outcome, Revision, RunId, TextDelta};
use async_trait::async_trait;
use serde_json::Value;

use crate::documents::{Documents, Followed, Snapshot};
use crate::link::Link;
use crate::uri::Place;
use crate::{ext, uri};

/// One workspace in one editor.
#[derive(Clone)]
pub struct EditorHost {
    link: Arc<Link>,
    engine: Arc<Engine>,
    saves: Arc<save::Saves>,
}

impl EditorHost {
    /// The host of `engine`'s runs.
    pub fn new(link: Arc<Link>, engine: Arc<Engine>) -> Self {
        Self { link, engine, saves: Arc::default() }
    }

    /// Does `work` where blocking is allowed.
    async fn blocking<T, F>(&self, work: F) -> Result<T, HostError>
    where
        T: Send + 'static,
        F: FnOnce(&Engine, &Documents) -> T + Send + 'static,
    {
        let (engine, documents) = (Arc::clone(&self.engine), Arc::clone(&self.link.documents));
        let result = tokio::task::spawn_blocking(move || work(&engine, &documents)).await;
        result.map_err(|error| HostError::Unusable(format!("Assist failed inside: {error}")))
    }
}

/// The open document of that name, if it is open.
fn open_document(engine: &Engine, documents: &Documents, path: &DocPath) -> Option<Snapshot> {
    if path.is_untitled() {
        return documents.get(path.as_str());
    }
    let workspace = engine.workspace();
    let lexical = workspace.root().join(path.as_str());
    if let Some(open) = documents.at(&Place::File(lexical.clone())) {
        return Some(open);
    }
    // The client may have come here through a link, or spell the path in another case.
    documents.on_disk(&lexical, |path| Some(workspace.root().join(workspace.doc_path(path).ok()?.as_str())))
}

fn unusable(error: FileError, path: &DocPath) -> HostError {
    match error {
        FileError::NotFound { .. } => HostError::NotFound(path.clone()),
        error => HostError::Unusable(error.to_string()),
    }
}

#[async_trait]
impl Host for EditorHost {
    async fn read(&self, path: &DocPath) -> Result<Document, HostError> {
        let path = path.clone();
        self.blocking(move |engine, documents| {
            if let Some(open) = open_document(engine, documents, &path) {
                let (text, revision) = documents.revision(&open);
                let language_id = Some(open.language.to_string());
                return Ok(Document { text, revision, language_id });
            }
            if path.is_untitled() {
                return Err(HostError::NotFound(path));
            }
            let file = engine.workspace().read(&path).map_err(|error| unusable(error, &path))?;
            Ok(Document::of_file(file.text, file.revision))
        })
        .await?
    }

    async fn apply(&self, set: &ChangeSet) -> Result<Outcome, HostError> {
        // Its folder was closed in the meantime: what is still to come must not land in it.
        if self.engine.is_closed() {
            return Err(HostError::Gone);
        }
        self.apply_set(set).await
    }

    async fn rebase(&self, path: &DocPath, range: ByteRange, base: &Revision) -> Result<Rebased, HostError> {
        let (path, base) = (path.clone(), base.clone());
        self.blocking(move |engine, documents| {
            if let Some(open) = open_document(engine, documents, &path)
                && let Some((followed, now)) = documents.follow(&open.place, range, &base)
            {
                let (_, revision) = documents.revision(&now);
                return Ok(match followed {
                    Followed::Moved(range) => Rebased::Moved { range, revision },
                    Followed::Touched(range) => Rebased::Touched { range, revision },
                });
            }
            if path.is_untitled() {
                return Err(HostError::NotFound(path));
            }
            let file = engine.workspace().read(&path).map_err(|error| unusable(error, &path))?;
            let revision = file.revision;
            // A file on disk has no history; only the same text is the same place.
            Ok(if revision.hash == base.hash {
                Rebased::Moved { range, revision }
            } else {
                Rebased::Touched { range: None, revision }
            })
        })
        .await?
    }

    async fn ask(&self, run: RunId, question: &Question) -> Answer {
        self.ask_client(run, question).await
    }

    async fn open_texts(&self) -> Vec<(DocPath, String)> {
        let texts = self.blocking(|engine, documents| {
            let open = documents.all().into_iter();
            let named = open.filter_map(|snapshot| {
                let Place::File(file) = &snapshot.place else { return None };
                Some((engine.workspace().doc_path(file).ok()?, snapshot.text()))
            });
            named.collect()
        });
        texts.await.unwrap_or_default()
    }

    fn notify(&self, _run: RunId, severity: Severity, message: &str) {
        self.link.say(severity, message);
    }

    fn show(&self, run: RunId, title: &str, markdown: &str) {
        // A rich client has it already, from the events.
        if !self.link.handshake().rich {
            self.open_page(ask::ANSWERS, run, title, markdown, true);
        }
    }

    fn event(&self, event: &Event) {
        let rich = self.link.handshake().rich;
        if rich {
            self.link.outbox.notify_if_room(ext::EVENT, event);
        }
        self.link.runs.event(&self.link, event);
        let changed =
            event.data.get("changedFiles").and_then(Value::as_array).is_some_and(|files| !files.is_empty());
        if !rich
            && event.kind == EventKind::Completed
            && changed
            && event.data["state"] == "done"
            && let Some(summary) = event.data.get("summary").and_then(Value::as_str)
        {
            self.link.say(Severity::Info, summary);
        }
    }

    fn rested(&self, run: RunId) {
        self.save_changed(run);
    }

    fn delta(&self, delta: &TextDelta) {
        if self.link.handshake().rich {
            self.link.outbox.delta(delta);
        }
    }
}

/// The URI of a file that is not open.
fn uri_of(path: &std::path::Path) -> String {
    uri::of_path(path)
}

#[cfg(test)]
mod tests;
