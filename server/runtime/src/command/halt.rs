//! Ends commands from elsewhere, for good.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Running, Stopper};

/// Ends the command that is under way, and every later one that is put under it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Halt(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    halted: bool,
    running: Option<Stopper>,
}

impl Halt {
    /// From now on nothing runs under it any more. Returns at once.
    pub fn halt(&self) {
        let mut state = self.state();
        state.halted = true;
        if let Some(running) = state.running.take() {
            running.stop();
        }
    }

    /// Whether it was halted.
    pub fn is_halted(&self) -> bool {
        self.state().halted
    }

    /// Puts a command under it, in the place of the one before.
    pub fn hold(&self, running: &Running) {
        let mut state = self.state();
        if state.halted {
            running.stopper().stop();
        } else {
            state.running = Some(running.stopper());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
