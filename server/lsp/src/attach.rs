//! `assist/attach`: an editor watches a run of another process.
//!
//! Laws: a run is followed once, however often it is asked for; its end is told once. What happened before the editor came
//! is replayed as events and shown as nothing else. One that comes to work here is told by its host, and followed no more.

use std::sync::Arc;

use assist_agents::{Engine, Follow, Next, Severity};
use assist_base::{Event, EventKind, RunId};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;

use crate::ext::{self, engine, read};
use crate::failure;
use crate::link::Link;
use crate::workspaces::Workspaces;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attach {
    run_id: String,
    #[serde(default)]
    from: Option<u64>,
}

/// `assist/attach`: follows a run from a number on.
pub async fn attach(workspaces: &Workspaces, params: &Value) -> Result<Value> {
    let asked: Attach = read(params)?;
    let run: RunId = asked.run_id.parse().map_err(|_| failure::not_found(format!("`{}`", asked.run_id)))?;
    let desk = workspaces.of_run(run).await.map_err(engine)?;
    let session = desk.engine.session(run).await.map_err(engine)?;
    let known = desk.engine.store().events().list(run, 1).await.map_err(engine)?;
    let last = known.last().map_or(0, |event| event.seq);
    let answer =
        |following: bool| json!({ "status": session.status.as_str(), "following": following, "last": last });
    let link = workspaces.link();
    if desk.engine.active().contains(&run) || !link.runs.follow(run) {
        return Ok(answer(false));
    }
    let follow = desk.engine.follow(run, asked.from.unwrap_or(1)).await.map_err(engine)?;
    link.runs.stands(run, session.status);
    tokio::spawn(watch(Arc::clone(link), Arc::clone(&desk.engine), follow, run, session.task.clone(), last));
    Ok(answer(true))
}

/// Shows a run to its rest or end, or until the client is gone. What has a number up to `last` had happened before.
async fn watch(
    link: Arc<Link>,
    engine: Arc<Engine>,
    mut follow: Follow,
    run: RunId,
    task: String,
    last: u64,
) {
    loop {
        let next = tokio::select! {
            biased;
            () = link.gone.cancelled() => break,
            next = follow.next() => next,
        };
        match next {
            Ok(_) if engine.active().contains(&run) => break,
            Ok(Next::Event(event)) => {
                if link.handshake().rich {
                    link.outbox.notify_if_room(ext::EVENT, &*event);
                }
                if event.seq > last {
                    link.runs.event(&link, &event);
                    tell_end(&link, &event, &task);
                }
            }
            Ok(Next::Waits) => {}
            Ok(Next::Rests(_)) => break,
            Err(error) => {
                tracing::warn!(%run, %error, "a run cannot be followed any more");
                break;
            }
        }
    }
    link.runs.unfollow(run);
}

/// Says how it ended, or that it rests.
fn tell_end(link: &Link, event: &Event, task: &str) {
    let text = |key: &str| event.data[key].as_str();
    match (event.kind, text("state")) {
        (EventKind::Completed, Some(state)) => {
            let severity = if state == "done" { Severity::Info } else { Severity::Warning };
            link.say(severity, &format!("“{task}”: {}", text("summary").unwrap_or(state)));
        }
        (EventKind::Status, Some("paused")) => {
            link.say(Severity::Warning, &format!("“{task}” is paused; it can go on."));
        }
        _ => {}
    }
}
