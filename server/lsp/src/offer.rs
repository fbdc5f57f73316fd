//! Reopening: the runs that rest in a workspace are offered once, when it is opened.
//!
//! Laws: nothing begins by itself; nobody is kept waiting, and a client that does not answer has lost nothing; a run is offered
//! once a connection, and not again once the user has said "not now" ([`Engine::put_off`](assist_agents::Engine::put_off)). A
//! rich client shows the offer itself. Neovim without the plugin shows requests in a way that holds up all typing: it is told in
//! a sentence.

use std::sync::Arc;
use std::time::Duration;

use assist_agents::Severity;
use assist_agents::store::Session;
use assist_base::{PauseReason, RunState};
use serde_json::{Value, json};

use crate::link::Link;
use crate::workspaces::Desk;
use crate::{board, ext};

const RESUME: &str = "Resume";
const SHOW: &str = "Show";
const NOT_NOW: &str = "Not now";

/// How often it is looked whether an open offer still stands.
const LOOK: Duration = Duration::from_secs(2);
/// A task is shown up to so many characters.
const TASK: usize = 80;

/// Offers what rests.
pub async fn offer(link: Arc<Link>, desk: Desk) {
    let resting = match desk.engine.resting().await {
        Ok(resting) => resting,
        Err(error) => return tracing::warn!(%error, "the paused runs could not be listed"),
    };
    let resting: Vec<Session> = resting.into_iter().filter(|run| link.runs.offer(run.id)).collect();
    let Some(newest) = resting.first() else { return };
    let handshake = link.handshake();
    if handshake.rich {
        let runs: Vec<Value> = resting.iter().map(board::resting).collect();
        link.outbox.notify(ext::RESTING, &json!({ "runs": runs }));
    } else if handshake.keeps_lone_returns() {
        let how = "The code action “Assist: Continue waiting run” goes on with it.";
        link.say(Severity::Info, &format!("{} {how}", sentence(&resting)));
    } else {
        tokio::spawn(ask(Arc::clone(&link), desk, newest.clone(), resting));
    }
}

/// Asks about the newest, with a page about all of them where that is wished for.
async fn ask(link: Arc<Link>, desk: Desk, newest: Session, resting: Vec<Session>) {
    let mut buttons = vec![RESUME, SHOW, NOT_NOW];
    loop {
        let actions: Vec<_> = buttons.iter().map(|title| json!({ "title": title })).collect();
        let which = if resting.len() == 1 { "Go on with it?" } else { "Go on with the newest?" };
        let message = format!("{} {which}", sentence(&resting));
        let params = json!({ "type": 3, "message": message, "actions": actions });
        let chosen = tokio::select! {
            chosen = link.question("window/showMessageRequest", params) => chosen,
            () = goes_on(&link, &desk, &newest) => return,
        };
        match chosen.ok().as_ref().and_then(|chosen| chosen["title"].as_str()) {
            Some(RESUME) => {
                if let Err(error) = desk.engine.resume(newest.id, Arc::clone(&desk.host)).await {
                    link.say(Severity::Error, &error.to_string());
                }
                return;
            }
            Some(SHOW) => {
                desk.host.show(newest.id, "Runs that are paused", &page(&resting));
                buttons.retain(|button| *button != SHOW);
            }
            Some(NOT_NOW) => {
                for run in &resting {
                    if let Err(error) = desk.engine.put_off(run.id).await {
                        tracing::info!(run = %run.id, %error, "it does not rest any more");
                    }
                }
                return;
            }
            // Closed without a choice, or never shown: another start may ask again.
            _ => return,
        }
    }
}

/// Waits until the run rests no more: someone else has gone on with it, or stopped it.
async fn goes_on(link: &Link, desk: &Desk, run: &Session) {
    loop {
        link.clock.sleep(LOOK).await;
        let state = desk.engine.session(run.id).await.map(|session| session.status);
        if state.is_ok_and(|state| state != RunState::Paused) {
            return;
        }
    }
}

/// What rests, in one sentence.
fn sentence(resting: &[Session]) -> String {
    let Some(newest) = resting.first() else { return String::new() };
    let task = task(newest);
    match resting.len() {
        1 => format!("“{task}” is paused: {}.", why(newest.pause_reason)),
        count => format!("{count} runs are paused here, the newest: “{task}”."),
    }
}

fn task(run: &Session) -> String {
    let words = run.task.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= TASK {
        return words;
    }
    let kept: String = words.chars().take(TASK - 1).collect();
    format!("{}…", kept.trim_end())
}

/// Why a run rests, in words.
fn why(reason: Option<PauseReason>) -> &'static str {
    match reason {
        Some(PauseReason::EditorClosed) => "its editor was closed",
        Some(PauseReason::Crash) => "it was cut off",
        Some(PauseReason::Budget) => "its budget was reached",
        Some(PauseReason::User) => "you asked it to rest",
        None => "it can go on",
    }
}

fn page(resting: &[Session]) -> String {
    let mut page = String::new();
    for run in resting {
        page.push_str(&format!("## {}\n\nPaused: {}.\n", task(run), why(run.pause_reason)));
        let changed: Vec<_> =
            run.changed_files.iter().map(|file| format!("- `{}`", file.path.as_str())).collect();
        if !changed.is_empty() {
            page.push_str(&format!("\nChanged so far:\n\n{}\n", changed.join("\n")));
        }
        page.push_str(&format!("\n`assist resume {}` goes on with it in a terminal.\n\n", run.id.short()));
    }
    page
}

#[cfg(test)]
mod tests;
