//! A run at work: its state, its events, its questions.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assist_base::{Clock, DocPath, Event, EventKind, PauseReason, RunId, RunState, TextDelta, Timestamp};
use assist_gateway::Gateway;
use assist_runtime::Workspace;
use assist_store::{Embedding, FileState, NewSnapshotSet, SnapshotKind, Store, StoreError, TransitionNote};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::assist::map::Cache as Maps;
use crate::calls;
use crate::engine::Wiring;
use crate::host::{Answer, Host, HostError, Question, Severity};
use crate::pipeline::ShadowStage;
use crate::remember;
use crate::settings::{Commands, Settings};
use crate::turns::{Place, Turn, Turns};

/// Why a run is told to halt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The user stopped it.
    Stop,
    /// It is to rest.
    Pause(PauseReason),
}

/// How a question that was asked elsewhere is answered here.
type Waiter = oneshot::Sender<Answer>;

/// What the rest of the process holds of a run.
pub(crate) struct Handle {
    token: CancellationToken,
    why: Mutex<Option<Halt>>,
    waiter: Mutex<Option<Waiter>>,
    /// One question at a time.
    asking: tokio::sync::Mutex<()>,
    /// Events are shown in the order of their numbers, whoever tells them.
    telling: tokio::sync::Mutex<()>,
    /// Whether the run comes to rest or to its end: nothing can be said to it any more.
    resting: AtomicBool,
    rested: watch::Sender<Option<RunState>>,
    host: Arc<dyn Host>,
}

impl Handle {
    /// The handle of a run that `host` shows.
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self {
            token: CancellationToken::new(),
            why: Mutex::default(),
            waiter: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            telling: tokio::sync::Mutex::default(),
            resting: AtomicBool::new(false),
            rested: watch::Sender::new(None),
            host,
        }
    }

    /// Stores an event of its run, then shows it.
    pub(crate) async fn emit(
        &self,
        store: &Store,
        run: RunId,
        kind: EventKind,
        data: Value,
        at: Timestamp,
    ) -> Result<Event, StoreError> {
        let _turn = self.telling.lock().await;
        let event = store.events().append(run, kind, data, at).await?;
        self.host.event(&event);
        Ok(event)
    }

    /// Tells the run to halt. The first reason counts.
    pub(crate) fn halt(&self, why: Halt) {
        lock(&self.why).get_or_insert(why);
        self.token.cancel();
    }

    /// Answers the question that is open now. False when there is none: the first answer counts.
    pub(crate) fn answer(&self, answer: Answer) -> bool {
        lock(&self.waiter).take().is_some_and(|waiter| waiter.send(answer).is_ok())
    }

    /// Whether it was told to stop for good.
    pub(crate) fn is_to_stop(&self) -> bool {
        *lock(&self.why) == Some(Halt::Stop)
    }

    /// Whether a question is open.
    pub(crate) fn waits(&self) -> bool {
        lock(&self.waiter).is_some()
    }

    /// The run is about to rest or to end.
    fn come_to_rest(&self) {
        self.resting.store(true, Ordering::Release);
    }

    /// Whether the run is about to be let go: it rests or has ended, or will in a moment.
    pub(crate) fn comes_to_rest(&self) -> bool {
        self.resting.load(Ordering::Acquire)
    }

    /// The run rests or has ended.
    pub(crate) fn rest(&self, state: RunState) {
        self.rested.send_replace(Some(state));
    }

    /// Waits until it does.
    pub(crate) async fn rested(&self) -> RunState {
        let mut rested = self.rested.subscribe();
        match rested.wait_for(Option::is_some).await {
            Ok(state) => (*state).unwrap_or(RunState::Failed),
            Err(_) => RunState::Failed,
        }
    }
}

/// Why a run does not go on.
#[derive(Debug)]
pub(crate) enum Break {
    /// It was told to halt.
    Halted,
    /// It cannot reach its end; one sentence for the user.
    Failed(String),
    /// It rests until something is set right; one sentence for the user.
    Paused(PauseReason, String),
}

impl From<HostError> for Break {
    fn from(error: HostError) -> Self {
        match error {
            // Nobody is left to work for; the run rests until someone is.
            HostError::Gone => Break::Paused(PauseReason::EditorClosed, error.to_string()),
            error => Break::Failed(error.to_string()),
        }
    }
}

impl From<StoreError> for Break {
    fn from(error: StoreError) -> Self {
        Break::Failed(format!("The workspace's database cannot be used: {error}"))
    }
}

/// A run at work.
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) store: Store,
    pub(crate) workspace: Arc<Workspace>,
    /// What is known of the workspace's files.
    pub(crate) maps: Arc<Maps>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether files may be changed in this workspace.
    pub(crate) may_write: bool,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) settings: Settings,
    /// What may be run: as the settings say, and what the user has said since.
    pub(crate) commands: Mutex<Commands>,
    /// Keeps what the user says for good.
    pub(crate) wiring: Arc<dyn Wiring>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) handle: Arc<Handle>,
    /// Whose turn it is among the runs of this process.
    pub(crate) turns: Arc<Turns>,
    /// This run's, while it works.
    pub(crate) turn: Mutex<Option<Turn>>,
    /// The words of the user, by their numbers, of which it is noted that a call has seen them.
    pub(crate) minded: Mutex<BTreeSet<i64>>,
    /// Where changes are checked before they are made.
    pub(crate) shadow: ShadowStage,
}

impl Run {
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The embedding of a question, for recall by meaning; none where no endpoint is set up or it does not answer in time.
    pub(crate) async fn embedding(&self, text: &str) -> Result<Option<Embedding>, Break> {
        self.unless_halted(remember::embedding(&self.settings, &self.gateway, self.id, text)).await
    }

    /// What the store calls this project.
    pub(crate) fn project(&self) -> String {
        self.workspace.root().display().to_string()
    }

    /// Fails once the run was told to halt.
    pub(crate) fn check(&self) -> Result<(), Break> {
        if self.handle.token.is_cancelled() { Err(Break::Halted) } else { Ok(()) }
    }

    /// A place among those that wait to work.
    pub(crate) fn queue(&self) -> Place {
        self.turns.queue(self.workspace.root(), self.settings.max_runs)
    }

    /// Waits until it is this run's turn to work.
    pub(crate) async fn take_turn(&self, mut place: Place) -> Result<(), Break> {
        let turn = match place.try_take() {
            Some(turn) => turn,
            None => {
                let limit = self.settings.max_runs;
                self.say(format!("Waiting for its turn: {limit} runs are at work")).await?;
                self.unless_halted(place.take()).await?.ok_or(Break::Halted)?
            }
        };
        *lock(&self.turn) = Some(turn);
        Ok(())
    }

    /// Comes to rest without having had a turn: told to halt while it waited.
    pub(crate) async fn rest_untouched(&self, broken: Break) -> RunState {
        self.handle.come_to_rest();
        match self.store().sessions().get(self.id).await {
            // It rested before; there is nothing to settle.
            Ok(session) if session.status == RunState::Paused && !self.handle.is_to_stop() => {
                self.host.rested(self.id);
                RunState::Paused
            }
            _ => self.settle(Err(broken), Vec::new()).await,
        }
    }

    /// `work`, or a break as soon as the run is told to halt. The work is dropped then: it must be safe to drop.
    pub(crate) async fn unless_halted<T>(&self, work: impl Future<Output = T>) -> Result<T, Break> {
        tokio::select! {
            biased;
            () = self.handle.token.cancelled() => Err(Break::Halted),
            result = work => Ok(result),
        }
    }

    /// Stores an event, then shows it.
    pub(crate) async fn emit(&self, kind: EventKind, data: Value) -> Result<Event, StoreError> {
        self.handle.emit(self.store(), self.id, kind, data, self.clock().now()).await
    }

    /// A line of progress.
    pub(crate) async fn say(&self, message: impl Into<String>) -> Result<(), StoreError> {
        self.emit(EventKind::Status, json!({ "message": message.into() })).await?;
        Ok(())
    }

    /// Shows a piece of the answer as it streams.
    pub(crate) fn stream(&self, delta: &TextDelta) {
        self.host.delta(delta);
    }

    /// Moves the run to another state and says so.
    pub(crate) async fn become_state(&self, to: RunState, note: TransitionNote) -> Result<(), StoreError> {
        let mut data = json!({ "state": to.as_str() });
        if let Some(reason) = note.reason {
            data["reason"] = reason.as_str().into();
        }
        if let Some(error) = &note.error {
            data["message"] = error.as_str().into();
        }
        self.store().sessions().transition(self.id, to, note, self.clock().now()).await?;
        self.emit(EventKind::Status, data).await?;
        Ok(())
    }

    /// Asks the user and waits, however long it takes. The answer may come from the question itself or from anywhere else
    /// that confirms the run; the first one counts.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Answer, Break> {
        self.ask_with(question, Value::Null).await
    }

    /// As [`Run::ask`], with more for rich clients in the event: the members of `extra`.
    pub(crate) async fn ask_with(&self, question: &Question, extra: Value) -> Result<Answer, Break> {
        let _turn = self.unless_halted(self.handle.asking.lock()).await?;
        let (sender, receiver) = oneshot::channel();
        *lock(&self.handle.waiter) = Some(sender);
        self.become_state(RunState::AwaitingConfirmation, TransitionNote::default()).await?;
        let mut data =
            json!({ "question": question.text, "detail": question.detail, "choices": question.choices });
        if let (Some(data), Value::Object(extra)) = (data.as_object_mut(), extra) {
            data.extend(extra);
        }
        self.emit(EventKind::ApprovalRequested, data).await?;
        // Others may work while the user thinks.
        drop(lock(&self.turn).take());
        let answer = self.unless_halted(self.first_answer(question, receiver)).await;
        lock(&self.handle.waiter).take();
        let answer = answer?;
        self.take_turn(self.queue()).await?;
        self.become_state(RunState::Running, TransitionNote::default()).await?;
        Ok(answer)
    }

    async fn first_answer(&self, question: &Question, elsewhere: oneshot::Receiver<Answer>) -> Answer {
        let here = async {
            match self.host.ask(self.id, question).await {
                // Closed without an answer: the run waits on for `confirm`, `answer` or `decline`.
                Answer::Dismissed => std::future::pending().await,
                answer => answer,
            }
        };
        tokio::select! {
            answer = here => answer,
            answer = elsewhere => answer.unwrap_or(Answer::No),
        }
    }

    /// Keeps the state of files as they are now. Undo does not need it (every change keeps both of its sides); it is there to
    /// be gone back to, so a failure is told in the log and stops nothing.
    pub(crate) async fn keep_state(
        &self,
        kind: SnapshotKind,
        label: &str,
        checkpoint: Option<i64>,
        paths: impl IntoIterator<Item = &DocPath>,
    ) {
        let mut files = Vec::new();
        for path in paths {
            // One that cannot be read now may be deleted by the user, or be no longer open.
            if let Ok(document) = self.host.read(path).await {
                files.push(FileState { path: path.clone(), content: Some(document.text.into_bytes()) });
            }
        }
        if files.is_empty() {
            return;
        }
        let new = NewSnapshotSet { label: label.to_owned(), kind, run: Some(self.id), checkpoint, files };
        if let Err(error) = self.store().snapshots().create(new, self.clock().now()).await {
            tracing::warn!(run = %self.id, %error, "a snapshot was not kept");
        }
    }

    /// Words that the user added, and that no call of the model has seen, are not passed over in silence.
    async fn name_what_came_too_late(&self) {
        for words in self.too_late().await.unwrap_or_default() {
            let sentence = format!("This came too late for the run; ask again with it: {words}");
            if let Err(error) = self.say(sentence.as_str()).await {
                tracing::warn!(run = %self.id, %error, "what came too late could not be told");
            }
            self.host.notify(self.id, Severity::Warning, &sentence);
        }
    }

    /// Ends the run, or lets it rest, after `result`. Returns the state it is in now.
    pub(crate) async fn settle(&self, result: Result<String, Break>, changed: Vec<String>) -> RunState {
        self.handle.come_to_rest();
        if !matches!(result, Err(Break::Halted | Break::Paused(..))) {
            self.name_what_came_too_late().await;
        }
        let (state, note) = match result {
            Ok(summary) => {
                (RunState::Done, TransitionNote { summary: Some(summary), ..TransitionNote::default() })
            }
            Err(Break::Failed(error)) => {
                (RunState::Failed, TransitionNote { error: Some(error), ..TransitionNote::default() })
            }
            Err(Break::Paused(reason, error)) => (
                RunState::Paused,
                TransitionNote { reason: Some(reason), error: Some(error), ..TransitionNote::default() },
            ),
            Err(Break::Halted) => match *lock(&self.handle.why) {
                Some(Halt::Pause(reason)) => {
                    (RunState::Paused, TransitionNote { reason: Some(reason), ..TransitionNote::default() })
                }
                _ => (RunState::Stopped, TransitionNote::default()),
            },
        };
        let sentence = note.summary.clone().or_else(|| note.error.clone()).unwrap_or_else(|| match state {
            RunState::Stopped => "Stopped.".to_owned(),
            _ => "Paused; it can go on later.".to_owned(),
        });
        let stored = async {
            self.become_state(state, note).await?;
            if state.is_final() {
                let data = json!({ "state": state.as_str(), "summary": sentence, "changedFiles": changed });
                self.emit(EventKind::Completed, data).await?;
            }
            Ok::<_, StoreError>(())
        };
        let stored = stored.await;
        calls::ended(self, state).await;
        self.host.rested(self.id);
        if let Err(error) = stored {
            tracing::error!(run = %self.id, %error, "the run's end could not be stored");
            self.host.notify(
                self.id,
                Severity::Error,
                &format!("{sentence} (It could not be stored: {error})"),
            );
            return state;
        }
        match state {
            RunState::Failed => self.host.notify(self.id, Severity::Error, &sentence),
            RunState::Paused => self.host.notify(self.id, Severity::Warning, &sentence),
            _ => {}
        }
        state
    }
}

/// The lock, also after a panic of whoever held it: what it guards is replaced whole, never half.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
