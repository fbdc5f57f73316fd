//! `assist attach`: watch a run that works in any process. Ctrl-C ends the watching, not the run.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

use assist_agents::{Engine, Heard, Host, Next, Question, Severity};
use assist_base::{Event, EventKind, RunId, RunState, TextDelta};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{host, open, renderer, steer};
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::host::{how_to_answer, prompt, read_answer};
use crate::render::Renderer;
use crate::signals::Signals;

/// Shows a run from the event with number `from` on.
pub async fn run(global: Global, run: &str, from: u64, json: bool) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let run = engine.find(run).await?;
    watch(&engine, run, from, json, Signals::listen()).await
}

/// Watches a run until it rests or ends, or the user has seen enough.
pub(super) async fn watch(
    engine: &Arc<Engine>,
    run: RunId,
    from: u64,
    json: bool,
    mut signals: Signals,
) -> Result<Exit, Stop> {
    let shown = renderer(json);
    let may_ask = !json && std::io::stdin().is_terminal();
    let mut follow = engine.follow(run, from).await?;
    let mut question = None;
    let mut lines = None;
    let mut is_asked = false;
    loop {
        tokio::select! {
            biased;
            // Looked at first: whoever has seen enough need not see the rest.
            _ = signals.next() => {
                let id = run.short();
                shown.notice(Severity::Info, &format!("The run goes on: `assist attach {id}` shows it again, `assist stop {id}` stops it."));
                return Ok(Exit::Done);
            }
            next = follow.next() => match next? {
                Next::Event(event) => {
                    is_asked = false;
                    show(&*shown, &event);
                    if event.kind == EventKind::ApprovalRequested {
                        question = Some(question_of(&event));
                    }
                }
                Next::Waits => {
                    let Some(open) = &question else { continue };
                    shown.question(open, None);
                    if may_ask {
                        prompt(open);
                        is_asked = true;
                        lines.get_or_insert_with(typed);
                    } else {
                        shown.notice(Severity::Info, &how_to_answer(run, open));
                    }
                }
                Next::Rests(state) => return Ok(over(&*shown, run, state)),
            },
            line = next_line(&mut lines), if is_asked => {
                is_asked = false;
                if let (Some(line), Some(open)) = (line, &question) {
                    answer(engine, run, open, line).await?;
                }
            }
        }
    }
}

fn show(shown: &dyn Renderer, event: &Event) {
    if event.kind == EventKind::Text
        && let Ok(message_id) = serde_json::from_value(event.data["messageId"].clone())
    {
        shown.delta(&TextDelta {
            run: event.run,
            message_id,
            offset: event.data["offset"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or_default(),
            text: event.data["text"].as_str().unwrap_or_default().to_owned(),
        });
    }
    shown.event(event);
}

fn question_of(event: &Event) -> Question {
    let text = |key: &str| event.data[key].as_str().map(str::to_owned);
    let choices = event.data["choices"].as_array().into_iter().flatten();
    Question {
        text: text("question").unwrap_or_default(),
        detail: text("detail"),
        choices: choices.filter_map(Value::as_str).map(str::to_owned).collect(),
        later: true,
    }
}

/// The lines that are typed, read on a thread that nothing waits for.
fn typed() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn next_line(lines: &mut Option<mpsc::UnboundedReceiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => match lines.recv().await {
            Some(line) => Some(line),
            // The input has ended; the question stays open.
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

async fn answer(engine: &Arc<Engine>, run: RunId, question: &Question, line: String) -> Result<(), Stop> {
    let over = host(engine, false, false) as Arc<dyn Host>;
    let heard = engine.reply(run, read_answer(question, line.trim().to_owned()), over).await;
    match heard {
        Ok(Heard::Sent(number)) => {
            // Beside the watching, which shows what becomes of it.
            let engine = Arc::clone(engine);
            tokio::spawn(async move {
                if let Ok(false) = engine.passed_on(run, number, steer::PATIENCE).await {
                    let _ = writeln!(std::io::stderr(), "assist: {}", steer::unheard(run));
                }
            });
        }
        Ok(_) => {}
        // Somebody else has answered in this moment.
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "assist: {error}");
        }
    }
    Ok(())
}

/// The end of the watching: a bell for whoever looks elsewhere, and what can be done where the run only rests.
fn over(shown: &dyn Renderer, run: RunId, state: RunState) -> Exit {
    if state == RunState::Paused {
        let id = run.short();
        shown.notice(Severity::Warning, &format!("The run rests: `assist resume {id}` goes on with it."));
    }
    if std::io::stderr().is_terminal() {
        let _ = std::io::stderr().write_all(b"\x07");
    }
    Exit::of(state)
}
