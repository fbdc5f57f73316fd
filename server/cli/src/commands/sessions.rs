//! `assist sessions`: the runs of this workspace.

use assist_base::{DocPath, Timestamp};
use assist_store::{ListFilter, Session};
use serde_json::json;

use super::{open, print};
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::render::{Style, plain};

/// Lists runs, newest first.
pub async fn run(global: Global, search: Option<&str>, limit: usize, as_json: bool) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    if let Some(text) = search {
        let found = engine.search_past(text, limit).await?;
        if as_json {
            print(&format!("{found}\n"));
        } else {
            print(&hits(&found, Style::of(&std::io::stdout())));
        }
        return Ok(Exit::Done);
    }
    let sessions = engine.store().sessions().list(ListFilter { limit, state: None }).await?;
    if as_json {
        let sessions: Vec<_> = sessions.iter().map(document).collect();
        print(&format!("{}\n", json!({ "sessions": sessions })));
    } else if sessions.is_empty() {
        print("No runs yet: `assist ask` begins one.\n");
    } else {
        let style = Style::of(&std::io::stdout());
        for session in &sessions {
            print(&line(session, style));
        }
    }
    Ok(Exit::Done)
}

/// What a search found, for people.
fn hits(found: &serde_json::Value, style: Style) -> String {
    let list = |name: &str| found[name].as_array().cloned().unwrap_or_default();
    let (runs, messages) = (list("runs"), list("messages"));
    if runs.is_empty() && messages.is_empty() {
        return "Nothing in past sessions fits.\n".to_owned();
    }
    let word = |value: &serde_json::Value| plain(value.as_str().unwrap_or_default());
    let short = |value: &serde_json::Value| word(value).chars().take(8).collect::<String>();
    let mut page = String::new();
    for run in &runs {
        let (id, status, task) = (short(&run["run"]), word(&run["status"]), word(&run["task"]));
        page.push_str(&format!("{}  {status:<10}  {task}\n", style.bold(&id)));
    }
    for message in &messages {
        let (run, role, said) = (short(&message["run"]), word(&message["role"]), word(&message["excerpt"]));
        page.push_str(&format!("{}  {role:<10}  {}\n", style.bold(&format!("{run:<8}")), style.dim(&said)));
    }
    page
}

/// A run as JSON.
pub(super) fn document(session: &Session) -> serde_json::Value {
    json!({
        "run": session.id,
        "task": session.task,
        "intent": session.intent,
        "status": session.status,
        "reason": session.pause_reason,
        "summary": session.summary,
        "error": session.error,
        "conversation": session.conversation,
        "createdAt": session.created_at,
        "updatedAt": session.updated_at,
        "changedFiles": paths(session),
    })
}

fn paths(session: &Session) -> Vec<DocPath> {
    session.changed_files.iter().map(|file| file.path.clone()).collect()
}

/// One line.
pub(super) fn line(session: &Session, style: Style) -> String {
    let status = session.status.as_str();
    let status = match status {
        "done" | "approved" => style.good(&format!("{status:<22}")),
        "failed" | "stopped" => style.bad(&format!("{status:<22}")),
        _ => style.warn(&format!("{status:<22}")),
    };
    let files = paths(session).iter().map(DocPath::to_string).collect::<Vec<_>>().join(", ");
    let files = if files.is_empty() { String::new() } else { style.dim(&format!("  [{}]", plain(&files))) };
    let when = age(session.updated_at);
    format!("{}  {status}{when:>8}  {}{files}\n", style.bold(&session.id.short()), plain(&session.task))
}

/// How long ago, in the largest unit that fits.
fn age(then: Timestamp) -> String {
    let seconds = assist_base::SystemClock::shared().now().since(then).as_secs();
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..86_400 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}
