//! A run as one file that needs nothing else: everything the store knows of it, as JSON or as a Markdown page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use assist_base::{DocPath, Event, EventKind, RunId};
use rusqlite::Transaction;
use serde_json::{Value, json};
use similar::TextDiff;

use crate::error::Result;
use crate::sessions::Sessions;
use crate::{Message, Role, Session, blobs, events, export, ledger, messages, rows, working};

/// A difference longer than this is cut in the page; the JSON has all of it.
const MAX_DIFF_LINES: usize = 2_000;

/// A file of a run, before and after it.
struct File {
    path: DocPath,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

impl Sessions<'_> {
    /// Everything the store knows of a run, as one JSON document: what [`Sessions::export`] gives, and with it
    /// `version` (1), `messages`, `tasks`, `documents` (in the versions written and used), `agent_messages`, `decisions`,
    /// `costs`, and `files` as `{path, diff, before, after}`. Contents that are not UTF-8 text, or were pruned, are null.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] when there is no such run.
    pub async fn export_whole(&self, id: RunId) -> Result<Value> {
        self.0.read(move |tx| whole(tx, id)).await
    }

    /// The same for people, as a Markdown page: what was asked, what came of it, the conversation, the documents, the
    /// differences of the files, the course of events, and the costs.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] when there is no such run.
    pub async fn export_markdown(&self, id: RunId) -> Result<String> {
        self.0.read(move |tx| page(tx, id)).await
    }
}

fn whole(tx: &Transaction<'_>, id: RunId) -> Result<Value> {
    let context = working::context(tx, id, None, usize::MAX)?;
    let mut document = export::document(tx, &context.session)?;
    let mut said = Vec::new();
    for message in messages::of_run(tx, id)? {
        said.push(json!({
            "id": message.id,
            "position": message.position,
            "role": message.role.as_str(),
            "content": message.content,
            "partial": message.partial,
            "created_at": rows::iso(tx, Some(message.created_at))?,
        }));
    }
    let documents: Vec<Value> = context
        .documents
        .iter()
        .map(|document| {
            json!({
                "id": document.id.to_string(),
                "version": document.version,
                "type": document.doc_type,
                "title": document.title,
                "status": document.status.as_str(),
                "created_by": document.created_by,
                "approved_by": document.approved_by,
                "content": document.content,
            })
        })
        .collect();
    let tasks: Vec<Value> = context
        .tasks
        .iter()
        .map(|task| {
            json!({
                "id": task.id.to_string(),
                "title": task.title,
                "description": task.description,
                "agent": task.agent,
                "tier": task.tier.to_string(),
                "status": task.status.as_str(),
                "attempts": task.attempts,
                "output": task.output,
                "error": task.error,
                "depends_on": task.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    let talk: Vec<Value> = context
        .messages
        .iter()
        .map(|m| json!({ "from": m.from, "to": m.to, "type": m.kind, "payload": m.payload }))
        .collect();
    let decisions: Vec<Value> = context
        .decisions
        .iter()
        .map(|decision| json!({ "agent": decision.agent, "what": decision.what, "why": decision.why }))
        .collect();
    let costs = ledger::of_run(tx, id)?;
    let mut files = Vec::new();
    for file in changed(tx, id)? {
        files.push(json!({
            "path": file.path,
            "diff": diff(&file),
            "before": text(file.before.as_deref()),
            "after": text(file.after.as_deref()),
        }));
    }
    if let Value::Object(fields) = &mut document {
        for (name, value) in [
            ("version", json!(1)),
            ("messages", json!(said)),
            ("documents", json!(documents)),
            ("tasks", json!(tasks)),
            ("agent_messages", json!(talk)),
            ("decisions", json!(decisions)),
            ("files", json!(files)),
            (
                "costs",
                json!({
                    "calls": costs.calls,
                    "input_tokens": costs.input,
                    "output_tokens": costs.output,
                    "cost_usd": costs.cost_usd,
                    "unpriced": costs.unpriced,
                    "estimated": costs.estimated,
                }),
            ),
        ] {
            fields.insert(name.to_owned(), value);
        }
    }
    Ok(document)
}

fn page(tx: &Transaction<'_>, id: RunId) -> Result<String> {
    let context = working::context(tx, id, None, usize::MAX)?;
    let session = &context.session;
    let mut page = format!("# {}\n\n", line(&session.task));
    summary(tx, &mut page, session)?;
    if let Some(plan) = &session.plan {
        section(&mut page, "Plan");
        fence(&mut page, "json", &pretty(plan));
    }
    if !context.tasks.is_empty() {
        section(&mut page, "Tasks");
        for task in &context.tasks {
            let _ =
                write!(page, "- [{}] {} ({})", task.status.as_str(), line(&task.title), line(&task.agent));
            let _ = writeln!(
                page,
                "{}",
                task.error.as_deref().map_or(String::new(), |e| format!(": {}", line(e)))
            );
        }
    }
    let said = messages::of_run(tx, id)?;
    if !said.is_empty() {
        section(&mut page, "Conversation");
        said.iter().for_each(|message| spoken(&mut page, message));
    }
    if !context.decisions.is_empty() {
        section(&mut page, "Decisions");
        for decision in &context.decisions {
            let why = decision.why.as_deref().map_or(String::new(), |why| format!(" ({})", line(why)));
            let _ = writeln!(page, "- {}: {}{why}", line(&decision.agent), line(&decision.what));
        }
    }
    if !context.documents.is_empty() {
        section(&mut page, "Documents");
        for document in &context.documents {
            fence(&mut page, "markdown", &document.to_markdown());
        }
    }
    let files = changed(tx, id)?;
    if !files.is_empty() {
        section(&mut page, "Files");
        for file in &files {
            let _ = write!(page, "\n### `{}`\n\n", line(file.path.as_str()));
            match diff(file) {
                Some(diff) => {
                    let cut: String = diff.split_inclusive('\n').take(MAX_DIFF_LINES).collect();
                    fence(&mut page, "diff", &cut);
                    if cut.len() < diff.len() {
                        page.push_str("\nThe difference goes on; the JSON export has all of it.\n");
                    }
                }
                None => page.push_str("Its content is not text.\n"),
            }
        }
    }
    section(&mut page, "Events");
    for event in events::list(tx, id, 1)? {
        happened(tx, &mut page, &event)?;
    }
    let costs = ledger::of_run(tx, id)?;
    section(&mut page, "Costs");
    let _ = writeln!(
        page,
        "{} model calls, {} tokens in, {} out, {:.4} US dollars{}.",
        costs.calls,
        costs.input,
        costs.output,
        costs.cost_usd,
        if costs.unpriced > 0 {
            format!(" and {} calls whose price is not known", costs.unpriced)
        } else {
            String::new()
        }
    );
    Ok(page)
}

fn summary(tx: &Transaction<'_>, page: &mut String, session: &Session) -> Result<()> {
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(page, "- {name}: {}", line(value));
    };
    row("Run", &session.id.to_string());
    row("State", session.status.as_str());
    for (name, value) in [("Summary", &session.summary), ("Error", &session.error)] {
        if let Some(value) = value {
            row(name, value);
        }
    }
    row("Project", &session.project_id);
    row("Asked from", &session.client);
    for (name, at) in
        [("Asked", Some(session.created_at)), ("Begun", session.started_at), ("Ended", session.completed_at)]
    {
        if let Some(at) = rows::iso(tx, at)? {
            row(name, &at);
        }
    }
    Ok(())
}

fn spoken(page: &mut String, message: &Message) {
    let who = match message.role {
        Role::User => "User",
        Role::Assistant => "Assist",
        Role::System => "Instructions",
        Role::Tool => "Tool",
    };
    let cut = if message.partial { " (broke off)" } else { "" };
    let _ = write!(page, "\n**{who}**{cut}\n\n");
    // As a quotation: whatever it holds, it cannot end its own section.
    for text in message.content.lines() {
        let _ = writeln!(page, "> {text}");
    }
}

fn happened(tx: &Transaction<'_>, page: &mut String, event: &Event) -> Result<()> {
    // The text is in the conversation.
    if event.kind == EventKind::Text {
        return Ok(());
    }
    let at = rows::iso(tx, Some(event.ts))?.unwrap_or_default();
    let data = event.data.to_string();
    let short: String = data.chars().take(300).collect();
    let more = if short.len() < data.len() { "…" } else { "" };
    let _ = writeln!(page, "{}. {at} {}: {}{more}", event.seq, event.kind.as_str(), line(&short));
    Ok(())
}

/// The files a run changed: what they held before its first change, and after its last.
fn changed(tx: &Transaction<'_>, id: RunId) -> Result<Vec<File>> {
    let sql =
        "SELECT path, before_hash, after_hash FROM snapshots WHERE run_id = ?1 AND applied = 1 ORDER BY id";
    let mut hashes: BTreeMap<DocPath, _> = BTreeMap::new();
    for (path, before, after) in rows::all(tx, sql, [id.to_string()], |row| {
        Ok((
            rows::path(row, "path")?,
            rows::maybe_word(row, "before_hash")?,
            rows::maybe_word(row, "after_hash")?,
        ))
    })? {
        let net = hashes.entry(path).or_insert((before, None));
        net.1 = after;
    }
    let read = |hash: Option<assist_base::ContentHash>| match hash {
        Some(hash) => blobs::get(tx, &hash),
        None => Ok(None),
    };
    let mut files = Vec::new();
    for (path, (before, after)) in hashes {
        files.push(File { path, before: read(before)?, after: read(after)? });
    }
    Ok(files)
}

/// A unified difference; none where a content is not text.
fn diff(file: &File) -> Option<String> {
    let read = |content: &Option<Vec<u8>>| match content {
        Some(content) => std::str::from_utf8(content).ok().map(str::to_owned),
        None => Some(String::new()),
    };
    let (before, after) = (read(&file.before)?, read(&file.after)?);
    let name = |side: &str, content: &Option<Vec<u8>>| match content {
        Some(_) => format!("{side}/{}", file.path),
        None => "/dev/null".to_owned(),
    };
    let diff = TextDiff::from_lines(&before, &after);
    Some(diff.unified_diff().header(&name("a", &file.before), &name("b", &file.after)).to_string())
}

fn text(content: Option<&[u8]>) -> Option<&str> {
    content.and_then(|content| std::str::from_utf8(content).ok())
}

fn section(page: &mut String, title: &str) {
    let _ = write!(page, "\n## {title}\n\n");
}

/// Text in a fence that is longer than any within it.
fn fence(page: &mut String, language: &str, text: &str) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = write!(page, "{fence}{language}\n{}\n{fence}\n", text.trim_end());
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
