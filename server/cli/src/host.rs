//! The command line as host: files on disk, questions on the terminal, events on standard output.

use std::collections::HashMap;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use assist_agents::host::rebase_by_text;
use assist_agents::{Answer, Document, Engine, Host, HostError, Question, Rebased, Severity, Ticks};
use assist_base::{ByteRange, ChangeSet, ContentHash, DocPath, Event, Outcome, Revision, RunId, TextDelta};
use assist_runtime::FileError;
use async_trait::async_trait;

use crate::render::{Renderer, Silent};

/// Files on disk and a person (or a script) at the terminal.
pub struct DiskHost {
    engine: Arc<Engine>,
    /// Texts that were read, by hash: what edits are followed from.
    seen: Mutex<HashMap<ContentHash, String>>,
    renderer: Arc<dyn Renderer>,
    yes: bool,
    /// Every question waits until someone answers it from elsewhere.
    waits: bool,
    /// A question was left open because there was nobody to ask.
    open: tokio::sync::Notify,
    /// A question was answered with no because there was nobody to ask.
    unasked: AtomicBool,
}

impl DiskHost {
    /// A host over the engine's workspace. With `yes`, every question is answered with yes.
    pub fn new(engine: Arc<Engine>, renderer: Arc<dyn Renderer>, yes: bool) -> Arc<Self> {
        Arc::new(Self {
            engine,
            seen: Mutex::default(),
            renderer,
            yes,
            waits: false,
            open: tokio::sync::Notify::new(),
            unasked: AtomicBool::new(false),
        })
    }

    /// The host of a process in the background: it shows nothing, and its questions wait to be answered from elsewhere.
    pub fn in_background(engine: Arc<Engine>, yes: bool) -> Arc<Self> {
        Arc::new(Self {
            engine,
            seen: Mutex::default(),
            renderer: Arc::new(Silent),
            yes,
            waits: true,
            open: tokio::sync::Notify::new(),
            unasked: AtomicBool::new(false),
        })
    }

    /// Comes back once a question was left open because there was nobody to ask.
    pub async fn left_open(&self) {
        self.open.notified().await;
    }

    /// Says how a run that rests goes on; `troubled`: something has to be mended before.
    pub fn hint_at_resuming(&self, run: RunId, troubled: bool) {
        let other = if troubled { ", with `--model NAME` by another model" } else { "" };
        self.renderer.hint(&format!("`assist resume {}` goes on with it{other}.", run.short()));
    }

    /// Whether something was left undone because there was nobody to ask.
    pub fn was_alone(&self) -> bool {
        self.unasked.load(Ordering::Relaxed)
    }
}

/// What a line says to a plan: steps, or words.
fn reply(line: String) -> Answer {
    let steps: Result<Vec<usize>, _> =
        line.split([',', ' ']).filter(|n| !n.is_empty()).map(str::parse).collect();
    match steps {
        Ok(steps) if !steps.is_empty() => Answer::Partly { steps, note: None, ticks: Ticks::default() },
        _ => Answer::Text(line),
    }
}

/// Says what may be typed.
pub fn prompt(question: &Question) {
    let prompt = match (question.choices.as_slice(), question.later) {
        ([], _) => "> ".to_owned(),
        ([yes, between @ .., no], true) if !between.is_empty() => {
            format!("[y: {yes}, {}, n: {no}, or words] ", between.join(", "))
        }
        (_, true) => "[y/n, steps like 1,3, or what should be otherwise] ".to_owned(),
        (_, false) => "[y/N] ".to_owned(),
    };
    let _ = std::io::stderr().write_all(prompt.as_bytes());
}

/// What a typed line says to a question.
pub fn read_answer(question: &Question, line: String) -> Answer {
    let (free_text, later) = (question.choices.is_empty(), question.later);
    match line.to_lowercase().as_str() {
        "" if free_text && later => Answer::Yes,
        _ if free_text => Answer::Text(line),
        "y" | "yes" => Answer::Yes,
        "" | "n" | "no" => Answer::No,
        _ if later => reply(line),
        _ => Answer::No,
    }
}

/// How a question that was left open is answered later.
pub fn how_to_answer(run: RunId, question: &Question) -> String {
    let id = run.short();
    if question.choices.is_empty() {
        return format!("Assist waits for your answer: `assist answer {id} TEXT`.");
    }
    if let [_, between @ .., _] = question.choices.as_slice()
        && let Some(other) = between.first()
    {
        return format!(
            "Assist waits for your word: `assist confirm {id}` agrees, `assist answer {id} \"{other}\"` does that, `assist answer {id} TEXT` says it otherwise, `assist decline {id}` says no."
        );
    }
    format!(
        "Assist waits for your word: `assist confirm {id}` begins, `assist answer {id} TEXT` says what should be otherwise, `assist decline {id}` drops it."
    )
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
        Ok(Document::of_file(file.text, file.revision))
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

    async fn ask(&self, run: RunId, question: &Question) -> Answer {
        if self.yes {
            self.renderer.question(question, Some("yes (--yes)"));
            return Answer::Yes;
        }
        if self.waits {
            return Answer::Dismissed;
        }
        if !std::io::stdin().is_terminal() && question.later {
            self.renderer.question(question, None);
            self.renderer.notice(Severity::Info, &how_to_answer(run, question));
            self.open.notify_one();
            return Answer::Dismissed;
        }
        if !std::io::stdin().is_terminal() {
            self.unasked.store(true, Ordering::Relaxed);
            self.renderer
                .question(question, Some("no: there is nobody to ask; run again with --yes to agree"));
            return Answer::No;
        }
        self.renderer.question(question, None);
        prompt(question);
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            match std::io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => None,
                Ok(_) => Some(line.trim().to_owned()),
            }
        });
        match read.await.ok().flatten() {
            None if question.later => {
                self.renderer.notice(Severity::Info, &how_to_answer(run, question));
                self.open.notify_one();
                Answer::Dismissed
            }
            None => Answer::No,
            Some(line) => read_answer(question, line),
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
