//! `assist.ask`: begin a run.
//!
//! Ranges are turned into bytes of the very version that the client names, as that was when a request last named it; the
//! engine brings them to the present text. A selection of whole lines means the same in every editor: Neovim's ends behind the
//! last character, VS Code's at the beginning of the next line, and [`linewise`] makes both the latter.

use std::sync::Arc;

use assist_agents::{AskRequest, Diagnostic, EngineError, Intent};
use assist_base::{ByteRange, ConversationId, DocPath, Revision};
use ropey::Rope;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Error;

use crate::documents::{Documents, Snapshot};
use crate::failure;
use crate::position::{self, Encoding, Range};
use crate::transport::Captured;
use crate::workspaces::{Desk, Workspaces, blocking};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    intent: Intent,
    #[serde(default)]
    prompt: Option<String>,
    #[serde(default)]
    uri: Option<String>,
    #[serde(default)]
    version: Option<i64>,
    #[serde(default)]
    range: Option<Range>,
    #[serde(default)]
    diagnostics: Option<Vec<Fault>>,
    #[serde(default)]
    conversation_id: Option<String>,
}

/// A diagnostic as the client shows it. What else it carries is of no use here.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    #[serde(default)]
    range: Option<Range>,
    message: String,
    #[serde(default)]
    source: Option<String>,
}

/// The text that a request's ranges belong to.
struct Anchor {
    rope: Rope,
    encoding: Encoding,
    revision: Revision,
}

pub async fn execute(
    workspaces: &Workspaces,
    captured: Captured,
    argument: Argument,
) -> Result<Value, Error> {
    let failed = |error: EngineError| failure::of_engine(&error);
    let conversation = match &argument.conversation_id {
        Some(text) => {
            Some(text.parse::<ConversationId>().map_err(|_| failure::not_found(format!("`{text}`")))?)
        }
        None => None,
    };
    let (desk, path) = match &argument.uri {
        Some(uri) => {
            let (desk, path) = workspaces.of_uri(uri).await.map_err(failed)?;
            (desk, Some(path))
        }
        None => (workspaces.first().await.map_err(failed)?, None),
    };
    let mut request = AskRequest {
        intent: argument.intent,
        prompt: argument.prompt.clone(),
        path: path.clone(),
        revision: None,
        selection: None,
        diagnostics: Vec::new(),
        conversation,
    };
    if let Some(path) = path {
        let anchor = anchor(workspaces, &desk, &captured, &path, argument.version).await?;
        about(&mut request, &argument, anchor)?;
    }
    let started = desk.engine.ask(request, Arc::clone(&desk.host)).await.map_err(failed)?;
    Ok(json!({ "runId": started.run, "conversationId": started.conversation }))
}

/// Fills in what is said in ranges of the document.
fn about(request: &mut AskRequest, argument: &Argument, anchor: Anchor) -> Result<(), Error> {
    let Anchor { rope, encoding, revision } = anchor;
    let span = |range: Range| position::span(&rope, range, encoding);
    let text = || rope.to_string();
    if let Some(range) = argument.range {
        let first = range.start.line.min(range.end.line) as usize;
        if first >= rope.len_lines() {
            return Err(failure::bad_document(format!(
                "The selection begins at line {}, but the document has {}.",
                first + 1,
                rope.len_lines()
            )));
        }
        let selection = linewise(&rope, span(range));
        let asked = request.prompt.as_deref().is_some_and(|prompt| !prompt.trim().is_empty());
        if !asked && argument.intent.needs_prompt() {
            request.prompt = selection.of(&text()).and_then(instruction);
        }
        request.selection = Some(selection).filter(|selection| !selection.is_empty());
    }
    let faults = argument.diagnostics.iter().flatten();
    request.diagnostics = faults
        .map(|fault| Diagnostic {
            range: fault.range.map(span),
            message: fault.message.clone(),
            source: fault.source.clone(),
        })
        .collect();
    request.revision = Some(revision);
    Ok(())
}

/// Finds the text that the request's version names.
async fn anchor(
    workspaces: &Workspaces,
    desk: &Desk,
    captured: &Captured,
    path: &DocPath,
    version: Option<i64>,
) -> Result<Anchor, Error> {
    if let Some(now) = captured.document.clone() {
        let documents = workspaces.documents();
        let meant = match version {
            Some(version) => documents.at_version(&now, version).ok_or_else(|| {
                failure::bad_document(format!(
                    "{path} has changed since (version {version}, now {}); select the text and ask again.",
                    now.version
                ))
            })?,
            None => now,
        };
        return of_snapshot(documents, meant).await.map_err(|error| failure::of_engine(&error));
    }
    let document = desk.host.read(path).await.map_err(|error| failure::of_engine(&error.into()))?;
    Ok(Anchor {
        rope: Rope::from_str(&document.text),
        encoding: workspaces.documents().encoding(),
        revision: document.revision,
    })
}

async fn of_snapshot(documents: Arc<Documents>, snapshot: Snapshot) -> Result<Anchor, EngineError> {
    blocking(move || {
        let (_, revision) = documents.revision(&snapshot);
        Ok(Anchor { rope: snapshot.rope, encoding: snapshot.encoding, revision })
    })
    .await
}

/// A selection from the beginning of a line to the end of a line is one of whole lines, line break included.
fn linewise(rope: &Rope, span: ByteRange) -> ByteRange {
    if span.is_empty() {
        return span;
    }
    let at_start = |at: usize| rope.line_to_byte(rope.byte_to_line(at)) == at;
    let line_break = match (rope.get_byte(span.end), rope.get_byte(span.end + 1)) {
        (Some(b'\r'), Some(b'\n')) => 2,
        (Some(b'\r' | b'\n'), _) => 1,
        _ => 0,
    };
    if line_break > 0 && at_start(span.start) && !at_start(span.end) {
        return ByteRange::new(span.start, span.end + line_break);
    }
    span
}

/// The instruction of an `assist:` comment in `text`: the rest of the line behind the first such word that a comment's
/// opening stands before, without the comment's closing.
fn instruction(text: &str) -> Option<String> {
    const OPENINGS: [&str; 7] = ["//", "#", "/*", "*", "<!--", "--", ";"];
    const CLOSINGS: [&str; 4] = ["*/}", "*/", "-->", "--}}"];
    for line in text.lines() {
        let Some((before, after)) = line.split_once("assist:") else { continue };
        let before = before.trim_end();
        if !OPENINGS.iter().any(|opening| before.ends_with(opening)) {
            continue;
        }
        let mut words = after.trim();
        for closing in CLOSINGS {
            words = words.strip_suffix(closing).unwrap_or(words).trim_end();
        }
        if !words.is_empty() {
            return Some(words.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_of_whole_lines_is_the_same_in_every_editor() {
        let text = "one\ntwo\r\nthree\r";
        let rope = Rope::from_str(text);
        let check = |span: (usize, usize), expected: &str| {
            let found = linewise(&rope, ByteRange::new(span.0, span.1));
            assert_eq!(found.of(text), Some(expected), "{span:?}");
        };
        check((0, 3), "one\n");
        check((0, 4), "one\n");
        check((4, 7), "two\r\n");
        check((0, 7), "one\ntwo\r\n");
        check((9, 14), "three\r");
        // Part of a line, and a place, stay what they are.
        check((1, 3), "ne");
        check((0, 2), "on");
        check((5, 9), "wo\r\n");
        check((4, 4), "");
        assert_eq!(linewise(&Rope::from_str("\n"), ByteRange::at(0)), ByteRange::at(0));
    }

    #[test]
    fn an_instruction_is_taken_from_a_comment() {
        for (text, expected) in [
            ("x\n  // assist: add a loading state\ny", Some("add a loading state")),
            ("# assist: do it", Some("do it")),
            ("{/* assist: use a list */}", Some("use a list")),
            ("<!-- assist: center it -->", Some("center it")),
            ("/**\n * assist: document\n */", Some("document")),
            ("const assist: string = 1", None),
            ("// assist:", None),
            ("nothing", None),
        ] {
            assert_eq!(instruction(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_selection_outside_the_document_is_refused() {
        let anchor = || Anchor {
            rope: Rope::from_str("one\ntwo\n"),
            encoding: Encoding::Utf16,
            revision: Revision::of_file("one\ntwo\n"),
        };
        let ask = |line: u32| {
            let range = json!({ "start": { "line": line, "character": 0 }, "end": { "line": line, "character": 99 } });
            let argument: Argument =
                serde_json::from_value(json!({ "intent": "explain", "range": range })).unwrap();
            let mut request = AskRequest {
                intent: Intent::Explain,
                prompt: None,
                path: None,
                revision: None,
                selection: None,
                diagnostics: Vec::new(),
                conversation: None,
            };
            about(&mut request, &argument, anchor()).map(|()| request.selection)
        };
        assert_eq!(ask(1).unwrap(), Some(ByteRange::new(4, 8)));
        assert_eq!(ask(2).unwrap(), None);
        assert_eq!(ask(3).unwrap_err().data.unwrap()["kind"], "bad_document");
    }
}
