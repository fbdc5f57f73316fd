//! How a command ends: exit codes that scripts can trust, and one sentence on standard error.

use std::io::Write;
use std::process::ExitCode;

use assist_agents::ship::ShipError;
use assist_agents::{ConfigError, EngineError};
use assist_base::RunState;

use crate::render::plain;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked is done.
    Done,
    /// The work failed or was refused.
    Failed,
    /// The command line or the configuration cannot be used.
    Usage,
    /// The user stopped it.
    Cancelled,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Cancelled => 130,
        })
    }
}

impl Exit {
    /// How a run that rests or has ended in `state` ends its command.
    pub fn of(state: RunState) -> Self {
        match state {
            RunState::Done | RunState::Approved => Exit::Done,
            RunState::Stopped => Exit::Cancelled,
            _ => Exit::Failed,
        }
    }
}

/// A sentence for the user and how the command ends.
#[derive(Debug)]
pub struct Stop {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// How the command ends.
    pub exit: Exit,
}

impl Stop {
    /// The command line cannot be used as it is.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), fix: None, exit: Exit::Usage }
    }

    /// The work failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), fix: None, exit: Exit::Failed }
    }

    /// Says it on standard error.
    pub fn report(&self) -> Exit {
        let fix = self.fix.as_deref().filter(|fix| !self.message.contains(fix));
        let fix = fix.map(|fix| format!(" {fix}")).unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "assist: {}{}", plain(&self.message), plain(&fix));
        self.exit
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        let exit = match &error {
            EngineError::WrongState { .. } | EngineError::Store { .. } => Exit::Failed,
            _ => Exit::Usage,
        };
        Self { message: error.to_string(), fix: error.fix().map(str::to_owned), exit }
    }
}

impl From<ShipError> for Stop {
    fn from(error: ShipError) -> Self {
        match error {
            ShipError::Engine(error) => error.into(),
            ShipError::NotSetUp(message) => Stop::usage(message),
            ShipError::Refused(message) => Stop::failed(message),
        }
    }
}

impl From<ConfigError> for Stop {
    fn from(error: ConfigError) -> Self {
        Self { message: error.message, fix: Some(error.fix), exit: Exit::Usage }
    }
}

impl From<assist_store::StoreError> for Stop {
    fn from(error: assist_store::StoreError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<assist_runtime::FileError> for Stop {
    fn from(error: assist_runtime::FileError) -> Self {
        Stop::usage(error.to_string())
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Stop::failed(error.to_string())
    }
}
