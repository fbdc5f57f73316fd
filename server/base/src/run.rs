//! The states of a run and the moves between them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a run rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The editor that owned it was closed.
    EditorClosed,
    /// Its owner died without a word.
    Crash,
    /// The next call would go over a budget.
    Budget,
    /// The user asked it to rest.
    User,
}

/// Where a run stands. The words are those of the `agent_sessions.status` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Registered, not begun.
    Pending,
    /// At work.
    Running,
    /// Waits for the user's yes, no or answer.
    AwaitingConfirmation,
    /// Rests and can go on.
    Paused,
    /// Ended well.
    Done,
    /// Ended without what was asked; the reason is kept.
    Failed,
    /// Ended by the user.
    Stopped,
    /// Done, and the user accepted the result.
    Approved,
}

/// A move that the transition table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {from} cannot become {to}")]
pub struct TransitionError {
    /// The present state.
    pub from: RunState,
    /// The state that was asked for.
    pub to: RunState,
}

use RunState::{Approved, AwaitingConfirmation, Done, Failed, Paused, Pending, Running, Stopped};

impl RunState {
    /// Every state, in the order of a run's life.
    pub const ALL: [RunState; 8] =
        [Pending, Running, AwaitingConfirmation, Paused, Done, Failed, Stopped, Approved];

    /// The transition table. Every move not listed is refused.
    ///
    /// | from | to |
    /// |---|---|
    /// | pending | running, paused, failed, stopped |
    /// | running | awaiting_confirmation, paused, done, failed, stopped |
    /// | awaiting_confirmation | running, paused, done, failed, stopped |
    /// | paused | running, failed, stopped |
    /// | done | approved |
    /// | failed | running |
    ///
    /// `failed → running` is the user's wish to have what is missing of a build. `awaiting_confirmation → done` is the user's no: the run ends without having done anything. Only the user sets
    /// `stopped`.
    pub fn next(self) -> &'static [RunState] {
        match self {
            Pending => &[Running, Paused, Failed, Stopped],
            Running => &[AwaitingConfirmation, Paused, Done, Failed, Stopped],
            AwaitingConfirmation => &[Running, Paused, Done, Failed, Stopped],
            Paused => &[Running, Failed, Stopped],
            Done => &[Approved],
            Failed => &[Running],
            Stopped | Approved => &[],
        }
    }

    /// Checks a move against the table.
    ///
    /// # Errors
    /// [`TransitionError`] when the table does not have it.
    pub fn to(self, to: RunState) -> Result<RunState, TransitionError> {
        if self.next().contains(&to) { Ok(to) } else { Err(TransitionError { from: self, to }) }
    }

    /// Whether a live process must own a run in this state.
    pub fn needs_owner(self) -> bool {
        matches!(self, Pending | Running | AwaitingConfirmation)
    }

    /// Whether the run has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Done | Failed | Stopped | Approved)
    }

    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Pending => "pending",
            Running => "running",
            AwaitingConfirmation => "awaiting_confirmation",
            Paused => "paused",
            Done => "done",
            Failed => "failed",
            Stopped => "stopped",
            Approved => "approved",
        }
    }
}

impl PauseReason {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            PauseReason::EditorClosed => "editor_closed",
            PauseReason::Crash => "crash",
            PauseReason::Budget => "budget",
            PauseReason::User => "user",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RunState {
    type Err = super::id::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || super::id::IdError { kind: "run state", text: text.to_owned() };
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(unknown)
    }
}

impl FromStr for PauseReason {
    type Err = super::id::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use PauseReason::{Budget, Crash, EditorClosed, User};
        let unknown = || super::id::IdError { kind: "pause reason", text: text.to_owned() };
        [EditorClosed, Crash, Budget, User]
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_run_does_not_start_again() {
        for state in [Stopped, Approved] {
            assert!(state.next().is_empty(), "{state}");
        }
        assert_eq!(Done.to(Running), Err(TransitionError { from: Done, to: Running }));
        assert_eq!(Done.to(Running).unwrap_err().to_string(), "a run that is done cannot become running");
    }

    #[test]
    fn a_failed_run_can_only_be_taken_up_again() {
        assert_eq!(Failed.next(), [Running]);
    }

    #[test]
    fn every_unfinished_run_can_be_stopped_by_the_user() {
        for state in RunState::ALL.into_iter().filter(|state| !state.is_final()) {
            assert_eq!(state.to(Stopped), Ok(Stopped));
        }
    }

    #[test]
    fn the_words_read_back() {
        for state in RunState::ALL {
            assert_eq!(state.as_str().parse::<RunState>(), Ok(state));
        }
    }
}
