//! Following a run, in whatever process it works: its events from any number on, then those that come, to its rest or end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use assist_base::{Event, RunId, RunState};
use assist_store::Lease;

use super::{Engine, is_alive};
use crate::error::EngineError;

/// How often it is looked whether a run has something new to tell.
const LOOK: Duration = Duration::from_millis(100);
/// After so many looks in vain it is made sure that the run's owner lives.
const LOOKS_IN_VAIN: u32 = 10;

/// What a run that is followed comes to next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// It tells this.
    Event(Box<Event>),
    /// It has told everything so far and waits for the user.
    Waits,
    /// It has told everything and rests or has ended; nobody works on it any more.
    Rests(RunState),
}

/// A run that is followed.
pub struct Follow {
    engine: Arc<Engine>,
    run: RunId,
    /// The number of the next event.
    next: u64,
    read: VecDeque<Event>,
    /// Whether it was said that it waits.
    waits: bool,
    in_vain: u32,
}

impl Engine {
    /// Follows a run of this workspace from the event with number `from` (1 is the first) on.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Store`].
    pub async fn follow(self: &Arc<Self>, run: RunId, from: u64) -> Result<Follow, EngineError> {
        self.session(run).await?;
        Ok(Follow {
            engine: Arc::clone(self),
            run,
            next: from.max(1),
            read: VecDeque::new(),
            waits: false,
            in_vain: 0,
        })
    }

    /// Whether nobody works on a run any more. The run of an owner that died is paused.
    async fn is_left(&self, run: RunId) -> Result<bool, EngineError> {
        let name = Lease::of_run(run);
        let leases = self.store.leases().list().await?;
        if leases.iter().any(|lease| lease.name == name && is_alive(&lease.owner)) {
            return Ok(false);
        }
        self.pause_orphans().await?;
        Ok(true)
    }
}

impl Follow {
    /// What comes next. Waits as long as it takes; may be dropped and called again.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the run was forgotten meanwhile, [`EngineError::Store`].
    pub async fn next(&mut self) -> Result<Next, EngineError> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.next = event.seq + 1;
                self.waits = false;
                self.in_vain = 0;
                return Ok(Next::Event(Box::new(event)));
            }
            // The state first: what was told before it is read after it.
            let state = self.engine.session(self.run).await?.status;
            let rests = !state.needs_owner()
                && self.engine.handle(self.run).is_none()
                && self.engine.is_left(self.run).await?;
            self.read = self.engine.store.events().list(self.run, self.next).await?.into();
            if !self.read.is_empty() {
                continue;
            }
            if rests {
                return Ok(Next::Rests(state));
            }
            if state == RunState::AwaitingConfirmation && !std::mem::replace(&mut self.waits, true) {
                return Ok(Next::Waits);
            }
            self.in_vain += 1;
            if self.in_vain.is_multiple_of(LOOKS_IN_VAIN) && self.engine.handle(self.run).is_none() {
                self.engine.is_left(self.run).await?;
            }
            self.engine.clock.sleep(LOOK).await;
        }
    }
}
