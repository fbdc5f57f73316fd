//! The command line as host: files on disk, questions on the terminal, events on standard output.

use std::collections::HashMap;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use assist_agents::host::rebase_by_text;
use assist_agents::{Answer, Document, Engine, Host, HostError, Question, Rebased, Severity};
use assist_base::{ByteRange, ChangeSet, ContentHash, DocPath, Event, Outcome, Revision, RunId, TextDelta};
use assist_runtime::FileError;
use async_trait::async_trait;

use crate::render::Renderer;

/// Files on disk and a person (or a script) at the terminal.
pub struct DiskHost {
    engine: Arc<Engine>,
    /// Texts that were read, by hash: what edits are followed from.
    seen: Mutex<HashMap<ContentHash, String>>,
    renderer: Arc<dyn Renderer>,
    yes: bool,
    /// A question was answered with no because there was nobody to ask.
    unasked: AtomicBool,
}

impl DiskHost {
    /// A host over the engine's workspace. With `yes`, every question is answered with yes.
    pub fn new(engine: Arc<Engine>, renderer: Arc<dyn Renderer>, yes: bool) -> Arc<Self> {
        Arc::new(Self { engine, seen: Mutex::default(), renderer, yes, unasked: AtomicBool::new(false) })
    }

    /// Whether something was left undone because there was nobody to ask.
    pub fn was_alone(&self) -> bool {
        self.unasked.load(Ordering::Relaxed)
    }
}

fn failed(error: tokio::task::JoinError) -> HostError {
    HostError::Unusable(format!("Assist failed inside: {error}"))
}

fn unusable(path: &DocPath, error: FileError) -> HostError {
    match error {
        FileError::NotFound { .. } => HostError::NotFound(path.clone()),
        error => HostError::Unusable(error.to_string()),
    }
}

#[async_trait]
impl Host for DiskHost {
    async fn read(&self, path: &DocPath) -> Result<Document, HostError> {
        let (engine, wanted) = (Arc::clone(&self.engine), path.clone());
        let file =
            tokio::task::spawn_blocking(move || engine.workspace().read(&wanted)).await.map_err(failed)?;
        let file = file.map_err(|error| unusable(path, error))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(file.revision.hash.clone(), file.text.clone());
        Ok(Document { text: file.text, revision: file.revision })
    }

    async fn apply(&self, set: &ChangeSet) -> Result<Outcome, HostError> {
        let (engine, set) = (Arc::clone(&self.engine), set.clone());
        let outcome =
            tokio::task::spawn_blocking(move || engine.workspace().apply(&set)).await.map_err(failed)?;
        outcome.map_err(|error| HostError::Unusable(error.to_string()))
    }

    async fn rebase(&self, path: &DocPath, range: ByteRange, base: &Revision) -> Result<Rebased, HostError> {
        let now = self.read(path).await?;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match seen.get(&base.hash) {
            Some(text) => rebase_by_text(text, &now.text, range),
            None => Rebased::Touched { range: None, revision: now.revision },
        })
    }

    async fn ask(&self, _run: RunId, question: &Question) -> Answer {
        if self.yes {
            self.renderer.question(question, Some("yes (--yes)"));
            return Answer::Yes;
        }
        if !std::io::stdin().is_terminal() {
            self.unasked.store(true, Ordering::Relaxed);
            self.renderer
                .question(question, Some("no: there is nobody to ask; run again with --yes to agree"));
            return Answer::No;
        }
        self.renderer.question(question, None);
        let free_text = question.choices.is_empty();
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            let _ = std::io::stderr().write_all(if free_text { b"> " } else { b"[y/N] " });
            match std::io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => None,
                Ok(_) => Some(line.trim().to_owned()),
            }
        });
        match read.await.ok().flatten() {
            None => Answer::No,
            Some(line) if free_text => Answer::Text(line),
            Some(line) if matches!(line.to_lowercase().as_str(), "y" | "yes") => Answer::Yes,
            Some(_) => Answer::No,
        }
    }

    fn notify(&self, _run: RunId, severity: Severity, message: &str) {
        self.renderer.notice(severity, message);
    }

    fn show(&self, _run: RunId, _title: &str, _markdown: &str) {
        // The deltas have shown it, or the events hold it.
    }

    fn event(&self, event: &Event) {
        self.renderer.event(event);
    }

    fn delta(&self, delta: &TextDelta) {
        self.renderer.delta(delta);
    }
}
