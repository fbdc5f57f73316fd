//! What the user says to a run: yes, no, words, pause, stop.
//!
//! A run of this process is spoken to at once. To one that another process owns it is sent through the store, where its
//! owner looks a few times a second, as long as it has runs at all.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use assist_base::{EventKind, PauseReason, RunId, RunState};
use assist_store::TransitionNote;
use serde_json::json;

use super::{Engine, wrong_state};
use crate::assist;
use crate::error::EngineError;
use crate::host::{Answer, Host, Ticks};
use crate::run::{Halt, Handle, lock};
use crate::steering::{Input, MOST_BYTES};

/// How often an owner looks for what other processes say to its runs.
const LISTEN: Duration = Duration::from_millis(150);
/// After so many looks whether an owner has heard it is made sure that it lives.
const LOOKS_FOR_THE_DEAD: u32 = 20;

/// What became of something that was said to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was acted on here; words wait for the model's next call.
    Here,
    /// It is kept for the time when the run goes on.
    Kept,
    /// It was sent to the process that owns the run, under this number. [`Engine::passed_on`] waits for it to be taken.
    Sent(i64),
}

impl Engine {
    /// Answers a waiting run with yes: to everything, or only to these steps of its plan (from 1), with words to mind
    /// where there are any; what is ticked is done where that was offered. A run that rests with an open question goes on,
    /// shown by `host`.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] when the run does not wait for an answer; as [`Engine::resume`].
    pub async fn confirm(
        self: &Arc<Self>,
        run: RunId,
        steps: Vec<usize>,
        note: Option<String>,
        ticks: Ticks,
        host: Arc<dyn Host>,
    ) -> Result<Heard, EngineError> {
        let plain = steps.is_empty() && note.is_none() && !ticks.any();
        let answer = if plain { Answer::Yes } else { Answer::Partly { steps, note, ticks } };
        self.reply(run, answer, host).await
    }

    /// Answers a waiting run in words.
    ///
    /// # Errors
    /// As [`Engine::confirm`].
    pub async fn answer(
        self: &Arc<Self>,
        run: RunId,
        text: String,
        host: Arc<dyn Host>,
    ) -> Result<Heard, EngineError> {
        self.reply(run, Answer::Text(text), host).await
    }

    /// Answers a waiting run with no.
    ///
    /// # Errors
    /// As [`Engine::confirm`].
    pub async fn decline(self: &Arc<Self>, run: RunId, host: Arc<dyn Host>) -> Result<Heard, EngineError> {
        self.reply(run, Answer::No, host).await
    }

    /// Answers a waiting run.
    ///
    /// # Errors
    /// As [`Engine::confirm`].
    pub async fn reply(
        self: &Arc<Self>,
        run: RunId,
        answer: Answer,
        host: Arc<dyn Host>,
    ) -> Result<Heard, EngineError> {
        if let Some(handle) = self.handle(run) {
            if handle.answer(answer) {
                return Ok(Heard::Here);
            }
            return Err(wrong_state(self.session(run).await?.status, "it does not wait for an answer here"));
        }
        match self.state_elsewhere(run).await? {
            RunState::Paused if assist::answer_later(&self.store, run, &answer, self.clock.now()).await? => {
                self.resume(run, host).await?;
                Ok(Heard::Here)
            }
            RunState::AwaitingConfirmation => self.send(run, &Input::Reply(answer)).await,
            state => Err(wrong_state(state, "it does not wait for an answer")),
        }
    }

    /// Stops a run: its stream is dropped, nothing more is applied. Only the user's wish leads here.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] when the run has ended.
    pub async fn cancel(&self, run: RunId) -> Result<Heard, EngineError> {
        // One that was about to rest is stopped where it rests.
        if let Some(handle) = self.at_work(run).await {
            handle.halt(Halt::Stop);
            return Ok(Heard::Here);
        }
        match self.state_elsewhere(run).await? {
            RunState::Paused => {
                let now = self.clock.now();
                let sessions = self.store.sessions();
                sessions.transition(run, RunState::Stopped, TransitionNote::default(), now).await?;
                for (kind, data) in [
                    (EventKind::Status, json!({ "state": "stopped" })),
                    (
                        EventKind::Completed,
                        json!({ "state": "stopped", "summary": "Stopped.", "changedFiles": [] }),
                    ),
                ] {
                    self.store.events().append(run, kind, data, now).await?;
                }
                Ok(Heard::Here)
            }
            state if state.needs_owner() => self.send(run, &Input::Stop).await,
            state => Err(wrong_state(state, "there is nothing to stop")),
        }
    }

    /// Lets a run rest at its last checkpoint: its stream is dropped, what was received is kept.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] when the run rests already or has ended.
    pub async fn pause(&self, run: RunId) -> Result<Heard, EngineError> {
        if let Some(handle) = self.at_work(run).await {
            handle.halt(Halt::Pause(PauseReason::User));
            return Ok(Heard::Here);
        }
        match self.state_elsewhere(run).await? {
            state if state.needs_owner() => self.send(run, &Input::Pause).await,
            state => Err(wrong_state(state, "there is nothing to pause")),
        }
    }

    /// Adds words to a run that has not ended: the next call of the model that begins something sees them. A run that rests
    /// sees them when it goes on.
    ///
    /// # Errors
    /// [`EngineError::PromptNeeded`] without words, [`EngineError::BadDocument`] for more than 16 KB of them,
    /// [`EngineError::WrongState`] when the run has ended.
    pub async fn tell(self: &Arc<Self>, run: RunId, words: &str) -> Result<Heard, EngineError> {
        let words = words.trim();
        if words.is_empty() {
            return Err(EngineError::PromptNeeded);
        }
        if words.len() > MOST_BYTES {
            return Err(EngineError::BadDocument(
                "That is more than 16 KB: put it into a file, and name the file.".to_owned(),
            ));
        }
        let input = Input::Tell(words.to_owned());
        if self.at_work(run).await.is_some() {
            self.send(run, &input).await?;
            self.listen().await?;
            return Ok(Heard::Here);
        }
        match self.state_elsewhere(run).await? {
            RunState::Paused => self.send(run, &input).await.map(|_| Heard::Kept),
            state if state.needs_owner() => self.send(run, &input).await,
            state => Err(wrong_state(state, "ask anew, and name what is to be otherwise")),
        }
    }

    /// Waits until the owner has taken what was sent, at most `patience`. False where it has not.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] when the run came to rest or to its end without having taken it; [`EngineError::Store`].
    pub async fn passed_on(&self, run: RunId, number: i64, patience: Duration) -> Result<bool, EngineError> {
        let deadline = self.clock.elapsed() + patience;
        for look in 1_u32.. {
            // The state first: what was taken before it changed is seen after it.
            let state = match look % LOOKS_FOR_THE_DEAD {
                0 => self.state_elsewhere(run).await?,
                _ => self.session(run).await?.status,
            };
            let inputs = self.store.run_inputs().list(run).await?;
            if inputs.iter().any(|input| input.id == number && input.taken_at.is_some()) {
                return Ok(true);
            }
            if !state.needs_owner() {
                return Err(wrong_state(state, "it did not hear that any more"));
            }
            if self.clock.elapsed() >= deadline {
                break;
            }
            self.clock.sleep(LISTEN / 3).await;
        }
        Ok(false)
    }

    /// A run that is at work here. One that comes to rest in this moment is waited for: to halt or to tell it would be without effect.
    async fn at_work(&self, run: RunId) -> Option<Arc<Handle>> {
        let handle = self.handle(run)?;
        if handle.comes_to_rest() {
            handle.rested().await;
            return None;
        }
        Some(handle)
    }

    /// Where a run stands that this process does not own. If its owner has died, it is paused.
    async fn state_elsewhere(&self, run: RunId) -> Result<RunState, EngineError> {
        let session = self.session(run).await?;
        if !session.status.needs_owner() {
            return Ok(session.status);
        }
        self.pause_orphans().await?;
        Ok(self.session(run).await?.status)
    }

    async fn send(&self, run: RunId, input: &Input) -> Result<Heard, EngineError> {
        let (kind, data) = input.row();
        let number = self.store.run_inputs().send(run, kind, data, &self.client, self.clock.now()).await?;
        Ok(Heard::Sent(number))
    }

    /// Takes a run in, and sees to it that it is told what other processes say.
    pub(super) fn attend(self: &Arc<Self>, run: RunId, handle: Arc<Handle>) {
        lock(&self.runs).insert(run, handle);
        if !self.listens.swap(true, Ordering::AcqRel) {
            tokio::spawn(listen(Arc::downgrade(self)));
        }
    }

    /// Takes what was said to the runs of this process, and acts on it.
    async fn listen(&self) -> Result<(), EngineError> {
        for run in self.store.run_inputs().waiting().await? {
            let Some(handle) = self.handle(run) else { continue };
            for input in self.store.run_inputs().take(run, self.clock.now()).await? {
                match Input::read(&input) {
                    Some(Input::Pause) => handle.halt(Halt::Pause(PauseReason::User)),
                    Some(Input::Stop) => handle.halt(Halt::Stop),
                    Some(Input::Reply(answer)) => {
                        if !handle.answer(answer) {
                            tracing::debug!(%run, "an answer came, and no question is open");
                        }
                    }
                    Some(Input::Tell(words)) => {
                        let data = json!({ "message": format!("You added: {words}"), "input": input.id });
                        handle.emit(&self.store, run, EventKind::Status, data, self.clock.now()).await?;
                    }
                    None => tracing::info!(%run, kind = input.kind, "what was said is of no known kind"),
                }
            }
        }
        Ok(())
    }
}

/// Looks for what other processes say, for as long as there are runs.
async fn listen(engine: Weak<Engine>) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        {
            let runs = lock(&strong.runs);
            if runs.is_empty() {
                // Under the lock: a run that comes now finds that nobody listens.
                strong.listens.store(false, Ordering::Release);
                return;
            }
        }
        if let Err(error) = strong.listen().await {
            tracing::warn!(%error, "what other processes say could not be read");
        }
        let clock = Arc::clone(&strong.clock);
        drop(strong);
        clock.sleep(LISTEN).await;
    }
}
