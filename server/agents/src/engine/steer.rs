//! What the user says to a run: yes, no, words, stop.

use std::sync::Arc;

use assist_base::{RunId, RunState};
use assist_store::TransitionNote;

use super::{Engine, wrong_state};
use crate::assist;
use crate::error::EngineError;
use crate::host::{Answer, Host};
use crate::run::Halt;

impl Engine {
    /// Answers a waiting run with yes: to everything, or only to these steps of its plan (from 1), with words to mind
    /// where there are any. A run that rests with an open question goes on, shown by `host`.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] when the run does not wait for an answer here; as [`Engine::resume`].
    pub async fn confirm(
        self: &Arc<Self>,
        run: RunId,
        steps: Vec<usize>,
        note: Option<String>,
        host: Arc<dyn Host>,
    ) -> Result<(), EngineError> {
        let answer =
            if steps.is_empty() && note.is_none() { Answer::Yes } else { Answer::Partly { steps, note } };
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
    ) -> Result<(), EngineError> {
        self.reply(run, Answer::Text(text), host).await
    }

    /// Answers a waiting run with no.
    ///
    /// # Errors
    /// As [`Engine::confirm`].
    pub async fn decline(self: &Arc<Self>, run: RunId, host: Arc<dyn Host>) -> Result<(), EngineError> {
        self.reply(run, Answer::No, host).await
    }

    async fn reply(
        self: &Arc<Self>,
        run: RunId,
        answer: Answer,
        host: Arc<dyn Host>,
    ) -> Result<(), EngineError> {
        let waiter = self.handle(run).and_then(|handle| handle.take_waiter());
        if waiter.is_some_and(|waiter| waiter.send(answer.clone()).is_ok()) {
            return Ok(());
        }
        let session = self.session(run).await?;
        if session.status == RunState::Paused
            && assist::answer_later(&self.store, run, &answer, self.clock.now()).await?
        {
            self.resume(run, host).await?;
            return Ok(());
        }
        Err(wrong_state(session.status, "it does not wait for an answer here"))
    }

    /// Stops a run: its stream is dropped, nothing more is applied. Only the user's wish leads here.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] when the run has ended, or another process owns it.
    pub async fn cancel(&self, run: RunId) -> Result<(), EngineError> {
        if let Some(handle) = self.handle(run) {
            handle.halt(Halt::Stop);
            return Ok(());
        }
        let session = self.session(run).await?;
        if session.status == RunState::Paused {
            let now = self.clock.now();
            self.store.sessions().transition(run, RunState::Stopped, TransitionNote::default(), now).await?;
            return Ok(());
        }
        Err(wrong_state(session.status, "there is nothing here to stop"))
    }
}
