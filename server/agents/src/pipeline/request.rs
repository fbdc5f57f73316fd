//! From a request to the messages the model sees.

use assist_base::{ByteRange, DocPath};
use assist_gateway::{Message, Role};
use assist_store::NewMessage;
use serde::Serialize;

use crate::ask::{AskRequest, Intent};
use crate::error::EngineError;
use crate::host::{Document, Host, Rebased};
use crate::pipeline::Task;
use crate::prompts;
use crate::run::{Break, Run};

/// What of one file is shown to the model, in bytes. Larger files are shown around the selection, with line numbers named.
const MAX_FILE_BYTES: usize = 96 * 1024;
/// How many earlier messages of the conversation the model sees.
const MAX_HISTORY: usize = 12;
/// And how many bytes of them.
const MAX_HISTORY_BYTES: usize = 48 * 1024;
/// The name a selection goes by when no component of the file covers it.
const SELECTION: &str = "Selection";

/// A request whose ranges are of the present text.
pub(crate) struct Anchored {
    pub(crate) request: AskRequest,
    pub(crate) selected: Option<String>,
}

/// Checks that the document can be worked on, and brings the request's ranges to the present text.
pub(crate) async fn anchor(mut request: AskRequest, host: &dyn Host) -> Result<Anchored, EngineError> {
    let Some(path) = request.path.clone() else {
        request.selection = None;
        return Ok(Anchored { request, selected: None });
    };
    let document = host.read(&path).await?;
    if request.selection.is_some_and(|range| range.is_empty()) {
        request.selection = None;
    }
    if request.intent == Intent::Fix && request.selection.is_none() {
        let fault = request.diagnostics.iter().find_map(|diagnostic| diagnostic.range);
        let base = request.revision.as_ref();
        if base.is_none_or(|base| base.hash == document.revision.hash) {
            request.selection = fault.and_then(|range| surroundings(&path, &document, range));
        }
    }
    let mut document = document;
    while let (Some(range), Some(base)) = (request.selection, &request.revision)
        && base.hash != document.revision.hash
    {
        match host.rebase(&path, range, base).await? {
            // The user may type at this very moment: the range must be of the text that is read.
            Rebased::Moved { range, revision } => {
                request.selection = Some(range);
                if revision.hash != document.revision.hash {
                    document = host.read(&path).await?;
                }
                request.revision = Some(revision);
            }
            Rebased::Touched { .. } => {
                return Err(EngineError::BadDocument(format!(
                    "{path} changed since the selection was made; select it and ask again."
                )));
            }
        }
    }
    let selected = match request.selection {
        Some(range) => Some(range.of(&document.text).map(str::to_owned).ok_or_else(|| {
            EngineError::BadDocument(format!(
                "The selection is outside {path}, which has {} lines.",
                document.text.lines().count()
            ))
        })?),
        None => None,
    };
    request.revision = Some(document.revision);
    Ok(Anchored { request, selected })
}

/// The component that a fault lies in, or else its whole lines.
fn surroundings(path: &DocPath, document: &Document, fault: ByteRange) -> Option<ByteRange> {
    let text = document.text.as_str();
    fault.of(text)?;
    if let Some(language) = document.language(path)
        && let Some(component) = assist_syntax::enclosing(text, language, fault)
        && text[component.range.as_range()].lines().count() <= 150
    {
        return Some(component.range);
    }
    let start = text[..fault.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[fault.end..].find('\n').map_or(text.len(), |at| fault.end + at + 1);
    Some(ByteRange::new(start, end))
}

/// Finds a resumed run's selection in the present text: by the document's history, or else by the selected words where
/// they stand exactly once.
pub(crate) async fn find_again(task: &mut Task, host: &dyn Host) -> Result<(), EngineError> {
    let Some(path) = task.request.path.clone() else { return Ok(()) };
    let document = host.read(&path).await?;
    let (Some(range), Some(base)) = (task.request.selection, task.request.revision.clone()) else {
        task.request.revision = Some(document.revision);
        return Ok(());
    };
    let mut found = None;
    if base.hash == document.revision.hash {
        found = Some(range);
    } else if let Some(selected) = task.selected.as_deref().filter(|selected| !selected.trim().is_empty()) {
        let mut places = document.text.match_indices(selected);
        if let (Some((at, _)), None) = (places.next(), places.next()) {
            found = Some(ByteRange::new(at, at + selected.len()));
        }
    }
    let range = found.ok_or_else(|| {
        EngineError::BadDocument(format!(
            "The text in {path} that the run was about is no longer there; select it and ask again."
        ))
    })?;
    task.request.selection = Some(range);
    task.request.revision = Some(document.revision);
    Ok(())
}

/// The name the selection's replacement must carry.
pub(crate) fn target_name(path: &DocPath, document: &Document, selection: ByteRange) -> String {
    let text = document.text.as_str();
    let covered = document.language(path).and_then(|language| {
        let trimmed = trim(text, selection);
        let outline = assist_syntax::outline(text, language);
        outline.into_iter().find(|item| {
            item.range.start >= trimmed.start && item.range.end <= trimmed.end && {
                // The component must fill the selection; otherwise its name would stand for more than itself.
                let outside =
                    |range: ByteRange| text.get(range.as_range()).is_some_and(|t| t.trim().is_empty());
                outside(ByteRange::new(trimmed.start, item.range.start))
                    && outside(ByteRange::new(item.range.end, trimmed.end))
            }
        })
    });
    covered.map_or_else(|| SELECTION.to_owned(), |item| item.name)
}

/// The selection without the white space around what it selects.
fn trim(text: &str, range: ByteRange) -> ByteRange {
    let Some(selected) = range.of(text) else { return range };
    let start = range.start + (selected.len() - selected.trim_start().len());
    ByteRange::new(start, start + selected.trim().len())
}

/// What is sent to the model.
pub(crate) struct Conversation {
    pub(crate) system: String,
    pub(crate) messages: Vec<Message>,
    /// The number of the last words that the user added, of those that are in it.
    pub(crate) told: i64,
}

#[derive(Serialize)]
struct ShownDiagnostic {
    line: Option<usize>,
    message: String,
    source: Option<String>,
}

/// Renders the request as it stands now, after the conversation's earlier turns, and stores it as the user's message.
pub(crate) async fn messages(run: &Run, task: &mut Task, again: bool) -> Result<Conversation, Break> {
    let document = match task.request.path.clone() {
        // What an interrupted run had received was made of the text as it was then.
        Some(path) if task.draft.is_some() => Some(run.host.read(&path).await?),
        Some(path) => Some(task.follow(run.host.as_ref(), &path).await?),
        None => None,
    };
    let request = task.request.clone();
    let may_edit = request.intent.may_edit() && run.may_write;
    let target = match (&request.path, request.selection, &document) {
        (Some(path), Some(range), Some(document)) => Some(target_name(path, document, range)),
        _ => None,
    };
    let path = request.path.as_ref().map(DocPath::as_str);
    task.target.clone_from(&target);
    let system = prompts::render(
        "system.md",
        serde_json::json!({ "may_edit": may_edit, "id": task.marker, "target": target, "path": path }),
    );
    // A selection is replaced whole; elsewhere a change of some lines needs no more than these.
    let system = match target.is_none() && may_edit {
        true => {
            format!("{system}\n\n{}", prompts::render("edits.md", serde_json::json!({ "id": task.marker })))
        }
        false => system,
    };
    let mut text = render_request(&request, document.as_ref());
    if again {
        text = format!("{}\n\n{text}", prompts::render("again.md", serde_json::json!({ "path": path })));
    }
    let mut messages = history(run, task).await?;
    if task.draft.is_none() {
        keep_words(run, task).await?;
    }
    let (text, told) = run.with_added(text).await?;
    messages.push(Message { role: Role::User, text });
    Ok(Conversation { system, messages, told })
}

/// Stores what was asked, for people and for later turns; the file's text is not repeated in the database.
pub(crate) async fn keep_words(run: &Run, task: &Task) -> Result<(), Break> {
    let message = NewMessage {
        id: assist_base::MessageId::new(),
        conversation: task.conversation,
        run: Some(run.id),
        role: assist_store::Role::User,
        content: instruction(&task.request),
        partial: false,
        at: run.clock().now(),
    };
    run.store().messages().add(message).await?;
    Ok(())
}

pub(crate) fn instruction(request: &AskRequest) -> String {
    let own = prompts::intent(request.intent, request.selection.is_some(), !request.diagnostics.is_empty());
    let words = request.prompt.as_deref().map(str::trim).filter(|prompt| !prompt.is_empty());
    match (own, words) {
        (Some(own), Some(words)) => format!("{own}\n\n{words}"),
        (Some(own), None) => own,
        (None, words) => words.unwrap_or_default().to_owned(),
    }
}

pub(crate) fn render_request(request: &AskRequest, document: Option<&Document>) -> String {
    let text = document.map(|document| document.text.as_str());
    let selection =
        request.selection.zip(text).and_then(|(range, text)| range.of(text).map(|s| (range, text, s)));
    let language = request.path.as_ref().zip(document).and_then(|(path, document)| document.language(path));
    let line_at = |offset: usize| text.map(|text| 1 + text[..offset.min(text.len())].matches('\n').count());
    let shown = text.map(|text| excerpt(text, request.selection));
    let enclosing = selection.zip(language).and_then(|((range, text, _), language)| {
        assist_syntax::enclosing(text, language, range)
            .map(|item| format!("{} {}", item.kind.as_str(), item.name))
    });
    let diagnostics: Vec<_> = request
        .diagnostics
        .iter()
        .map(|diagnostic| ShownDiagnostic {
            line: diagnostic
                .range
                .filter(|range| range.of(text.unwrap_or_default()).is_some())
                .and_then(|r| line_at(r.start)),
            message: diagnostic.message.clone(),
            source: diagnostic.source.clone(),
        })
        .collect();
    prompts::render(
        "request.md",
        serde_json::json!({ "instruction": instruction(request), "path": request.path.as_ref().map(DocPath::as_str), "language": language.map(assist_syntax::Language::name), "text": shown.as_ref().map(|(text, _)| *text), "lines": shown.as_ref().and_then(|(_, lines)| lines.clone()), "selection": selection.map(|(_, _, selected)| selected), "first_line": selection.and_then(|(range, _, _)| line_at(range.start)), "last_line": selection.and_then(|(range, _, selected)| {
                line_at(range.end - usize::from(selected.ends_with('\n')))
            }), "enclosing": enclosing, "diagnostics": diagnostics }),
    )
}

/// What of the text is shown: all of it, or the lines around the selection with their numbers.
fn excerpt(text: &str, selection: Option<ByteRange>) -> (&str, Option<String>) {
    if text.len() <= MAX_FILE_BYTES {
        return (text, None);
    }
    let around = selection.unwrap_or(ByteRange::at(0));
    let room = MAX_FILE_BYTES.saturating_sub(around.len()) / 2;
    let mut start = around.start.saturating_sub(room);
    let mut end = around.end.saturating_add(room).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    end = text[end..].find('\n').map_or(text.len(), |at| end + at);
    let first = 1 + text[..start].matches('\n').count();
    let last = first + text[start..end].matches('\n').count();
    (&text[start..end], Some(format!("{first}-{last}")))
}

/// The earlier turns of the conversation, the newest that fit.
async fn history(run: &Run, task: &Task) -> Result<Vec<Message>, Break> {
    let stored = run.store().messages().list(task.conversation).await?;
    let mut kept = Vec::new();
    let mut bytes = 0;
    for message in stored.iter().rev().filter(|message| message.run != Some(run.id)).take(MAX_HISTORY) {
        bytes += message.content.len();
        if bytes > MAX_HISTORY_BYTES {
            break;
        }
        if message.content.trim().is_empty() {
            continue;
        }
        let role = if message.role == assist_store::Role::Assistant { Role::Assistant } else { Role::User };
        kept.push(Message { role, text: message.content.clone() });
    }
    kept.reverse();
    while kept.first().is_some_and(|message| message.role == Role::Assistant) {
        kept.remove(0);
    }
    Ok(kept)
}
