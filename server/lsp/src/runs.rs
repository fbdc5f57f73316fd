//! The runs as the user sees them: progress while they work, and which of them wait.
//!
//! Laws: the server creates the progress, since a client's own token dies with its request; each begins once and ends once,
//! whatever happens to the run. What the client shows is told in a task of its own, so that a run never waits for it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assist_base::{Event, EventKind, RunId, RunState};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use crate::link::Link;

/// The title of every progress. The user knows one Assist, and no stages.
const TITLE: &str = "Assist";

/// A line of a command's output is shown up to so many characters.
const OUTPUT_LINE: usize = 120;

/// The runs of one connection.
#[derive(Debug, Default)]
pub struct Runs {
    inner: Mutex<Inner>,
    /// Told when a run comes to stand otherwise.
    pub stirred: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    shown: HashMap<RunId, Shown>,
    /// Oldest first.
    waiting: Vec<Waiting>,
    begun: u64,
    /// The runs of other processes that are followed.
    followed: HashSet<RunId>,
    /// Those that were offered to go on with.
    offered: HashSet<RunId>,
}

#[derive(Debug)]
struct Shown {
    token: String,
    steps: mpsc::UnboundedSender<Step>,
}

/// A run that waits for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The run.
    pub run: RunId,
    /// `awaiting_confirmation` or `paused`.
    pub state: RunState,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Say { message: Option<String>, percent: Option<u64> },
    Over,
}

impl Runs {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run that waits for the user's word, or else one that rests: the newest.
    pub fn waiting(&self) -> Option<Waiting> {
        let inner = self.lock();
        let newest =
            |state: RunState| inner.waiting.iter().rev().find(|waiting| waiting.state == state).copied();
        newest(RunState::AwaitingConfirmation).or_else(|| newest(RunState::Paused))
    }

    /// Notes that a run of another process is followed. False when it is already.
    pub fn follow(&self, run: RunId) -> bool {
        self.lock().followed.insert(run)
    }

    /// Notes that it is followed no more. A progress that was begun for it ends.
    pub fn unfollow(&self, run: RunId) {
        let mut inner = self.lock();
        inner.followed.remove(&run);
        if let Some(shown) = inner.shown.remove(&run) {
            let _ = shown.steps.send(Step::Over);
        }
    }

    /// Notes that a run that rests is offered. False when it was already.
    pub fn offer(&self, run: RunId) -> bool {
        self.lock().offered.insert(run)
    }

    /// Notes where a run stands.
    pub fn stands(&self, run: RunId, state: RunState) {
        let mut inner = self.lock();
        inner.waiting.retain(|waiting| waiting.run != run);
        if matches!(state, RunState::AwaitingConfirmation | RunState::Paused) {
            inner.waiting.push(Waiting { run, state });
        }
        drop(inner);
        self.stirred.notify_waiters();
    }

    /// The run whose progress has this token.
    pub fn by_token(&self, token: &Value) -> Option<RunId> {
        let token = token.as_str()?;
        self.lock().shown.iter().find(|(_, shown)| shown.token == token).map(|(run, _)| *run)
    }

    /// Takes in an event: the progress of its run begins, goes on or ends.
    pub fn event(&self, link: &Arc<Link>, event: &Event) {
        let state =
            event.data.get("state").and_then(Value::as_str).and_then(|state| state.parse::<RunState>().ok());
        if let Some(state) = state {
            self.stands(event.run, state);
        }
        let Some(step) = step(event, state) else { return };
        if !link.handshake().progress {
            return;
        }
        let mut inner = self.lock();
        match step {
            Step::Over => {
                if let Some(shown) = inner.shown.remove(&event.run) {
                    let _ = shown.steps.send(Step::Over);
                }
            }
            step => {
                if let Some(shown) = inner.shown.get(&event.run) {
                    let _ = shown.steps.send(step);
                    return;
                }
                inner.begun += 1;
                let token = format!("assist/{}/{}", event.run, inner.begun);
                let (steps, coming) = mpsc::unbounded_channel();
                let _ = steps.send(step);
                inner.shown.insert(event.run, Shown { token: token.clone(), steps });
                tokio::spawn(show(Arc::clone(link), token, coming));
            }
        }
    }
}

/// What an event means for the progress of its run.
fn step(event: &Event, state: Option<RunState>) -> Option<Step> {
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).map(str::to_owned);
    let say = |message: String| Some(Step::Say { message: Some(message), percent: None });
    let component = || text("component").unwrap_or_else(|| "The answer".to_owned());
    match event.kind {
        EventKind::Status => match state {
            Some(RunState::AwaitingConfirmation) => say("Waiting for your answer".to_owned()),
            Some(RunState::Pending | RunState::Running) | None => Some(Step::Say {
                message: text("message"),
                percent: event.data.get("percent").and_then(Value::as_u64).map(|percent| percent.min(100)),
            }),
            Some(_) => Some(Step::Over),
        },
        EventKind::Completed => Some(Step::Over),
        EventKind::ComponentApplied => say(format!("Applied {}", component())),
        EventKind::ComponentRefused => say(format!("{} was not applied", component())),
        EventKind::Truncated => say(format!("{} was cut off; asking for the rest", component())),
        EventKind::Command => {
            let command = text("command").unwrap_or_default();
            match event.data["state"].as_str() {
                Some("started") => say(format!("Running {command}")),
                Some("output") => {
                    text("text")?.lines().rfind(|line| !line.trim().is_empty()).and_then(|line| {
                        let line: String =
                            line.chars().filter(|c| !c.is_control()).take(OUTPUT_LINE).collect();
                        say(format!("{command}: {}", line.trim()))
                    })
                }
                Some("refused") => say(format!("{command} was not run")),
                _ => None,
            }
        }
        EventKind::Delivery => say(text("message")?),
        EventKind::Continued => say("Going on where it broke off".to_owned()),
        _ => None,
    }
}

/// Shows one run's progress from beginning to end.
async fn show(link: Arc<Link>, token: String, mut steps: mpsc::UnboundedReceiver<Step>) {
    if let Err(error) = link.request("window/workDoneProgress/create", json!({ "token": token })).await {
        return tracing::debug!(?error, "the client shows no progress");
    }
    let tell = |value: Value| link.outbox.notify("$/progress", &json!({ "token": token, "value": value }));
    tell(json!({ "kind": "begin", "title": TITLE, "cancellable": true }));
    while let Some(Step::Say { message, percent }) = steps.recv().await {
        let mut value = json!({ "kind": "report", "cancellable": true });
        if let Some(message) = message {
            value["message"] = message.into();
        }
        if let Some(percent) = percent {
            value["percentage"] = percent.into();
        }
        if value.get("message").is_some() || value.get("percentage").is_some() {
            tell(value);
        }
    }
    tell(json!({ "kind": "end" }));
}
