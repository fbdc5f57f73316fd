//! The documents an editor holds, and its three ways to treat an edit from the server.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Value, json};

use super::text::{Encoding, offset, position};

/// Whose behaviour the client shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Editor {
    /// As the protocol wants it: a stale edit is refused, the change is reported before the answer.
    Honest,
    /// Neovim: a stale edit is dropped but called applied; the answer comes first and the change is reported later,
    /// together with others; requests report pending changes first.
    Neovim {
        /// How long changes wait. Neovim's own is 150 ms.
        debounce: Duration,
    },
    /// VS Code: as `Honest`, and inserted line ends become the document's.
    VsCode,
}

/// A document in the editor.
#[derive(Clone, Debug)]
pub struct Document {
    /// The text in the editor.
    pub text: String,
    /// The editor's version; ahead of what the server knows while changes are pending.
    pub version: i64,
    /// Texts before each step, for undo.
    pub history: Vec<String>,
    /// Changes that were made but not reported.
    pending: Vec<Value>,
}

/// All of them, by URI.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) open: BTreeMap<String, Document>,
    pub(super) editor: Editor,
    pub(super) encoding: Encoding,
    /// Does the server want whole texts?
    pub(super) full_sync: bool,
}

/// What the client says to an edit.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) answer: Value,
    /// Why the edit breaks the protocol, whatever the editor would say.
    pub(super) wrong: Option<String>,
    /// The documents that changed.
    pub(super) changed: Vec<String>,
}

impl Documents {
    pub(super) fn new(editor: Editor) -> Self {
        Self { open: BTreeMap::new(), editor, encoding: Encoding::Utf16, full_sync: false }
    }

    pub(super) fn add(&mut self, uri: &str, text: &str) {
        let document =
            Document { text: text.to_owned(), version: 1, history: Vec::new(), pending: Vec::new() };
        self.open.insert(uri.to_owned(), document);
    }

    /// Replaces bytes of a document as one undo step and notes the change.
    pub(super) fn change(&mut self, uri: &str, edits: &[(Range<usize>, String)]) {
        let (encoding, editor) = (self.encoding, self.editor);
        let document = self.open.get_mut(uri).expect("the document is open");
        document.history.push(document.text.clone());
        document.version += 1;
        let mut order: Vec<usize> = (0..edits.len()).collect();
        order.sort_by_key(|index| (edits[*index].0.start, *index));
        // From the end, so that the places of the others stay.
        for index in order.into_iter().rev() {
            let (range, new) = &edits[index];
            let new = if editor == Editor::Honest { new.clone() } else { own_line_ends(&document.text, new) };
            let lsp = json!({"start": position(&document.text, range.start, encoding), "end": position(&document.text, range.end, encoding)});
            document.text.replace_range(range.clone(), &new);
            document.pending.push(json!({"range": lsp, "text": new}));
        }
    }

    /// Goes back one step. False if there is none.
    pub(super) fn undo(&mut self, uri: &str) -> bool {
        let document = self.open.get_mut(uri).expect("the document is open");
        let Some(before) = document.history.pop() else { return false };
        let range = json!({"start": position(&document.text, 0, self.encoding), "end": position(&document.text, document.text.len(), self.encoding)});
        document.version += 1;
        document.pending.push(json!({"range": range, "text": before}));
        document.text = before;
        true
    }

    /// The notification that reports what is pending.
    pub(super) fn report(&mut self, uri: &str) -> Option<Value> {
        let full = self.full_sync;
        let document = self.open.get_mut(uri)?;
        let pending = std::mem::take(&mut document.pending);
        if pending.is_empty() {
            return None;
        }
        let changes = if full { json!([{"text": document.text}]) } else { Value::from(pending) };
        Some(json!({
            "jsonrpc": "2.0",
            "method": "textDocument/didChange",
            "params": {"textDocument": {"uri": uri, "version": document.version}, "contentChanges": changes},
        }))
    }

    /// Treats a `workspace/applyEdit` as this editor does. The change is noted, not yet reported.
    pub(super) fn apply(&mut self, params: &Value) -> Verdict {
        let refuse = |reason: &str| json!({"applied": false, "failureReason": reason});
        let wrong =
            |wrong: String| Verdict { answer: refuse(&wrong), wrong: Some(wrong), changed: Vec::new() };
        let unchanged = |answer| Verdict { answer, wrong: None, changed: Vec::new() };
        let edit = match self.read(&params["edit"]) {
            Ok(edit) => edit,
            Err(why) => return wrong(why),
        };
        let own = self.open[&edit.uri].version;
        match self.editor {
            // Neovim knows only that a buffer can be newer than an edit, and does not tell.
            Editor::Neovim { .. } if own > edit.version => return unchanged(json!({"applied": true})),
            Editor::Honest | Editor::VsCode if own != edit.version => {
                return unchanged(refuse("the document has changed"));
            }
            _ => {}
        }
        match self.places(&edit) {
            Ok(places) => self.change(&edit.uri, &places),
            Err(why) => return wrong(why),
        }
        Verdict { answer: json!({"applied": true}), wrong: None, changed: vec![edit.uri] }
    }

    /// Reads an edit. What our protocol rules out is an error: no version, several documents, file operations.
    fn read(&self, edit: &Value) -> Result<DocumentEdit, String> {
        let list = edit["documentChanges"].as_array().map_or(&[][..], Vec::as_slice);
        let [change] = list else {
            return Err(format!("an edit is of one document, with documentChanges: {edit}"));
        };
        let document = &change["textDocument"];
        let uri = document["uri"].as_str().ok_or("the edit names no document")?.to_owned();
        if !self.open.contains_key(&uri) {
            return Err(format!("{uri} is not open"));
        }
        let version = document["version"].as_i64().ok_or("the edit has no version")?;
        let edits = change["edits"].as_array().ok_or("the edit has no edits")?.clone();
        Ok(DocumentEdit { uri, version, edits })
    }

    fn places(&self, edit: &DocumentEdit) -> Result<Vec<(Range<usize>, String)>, String> {
        let text = &self.open[&edit.uri].text;
        let mut places = Vec::new();
        for one in &edit.edits {
            let start = offset(text, &one["range"]["start"], self.encoding)?;
            let end = offset(text, &one["range"]["end"], self.encoding)?;
            if start > end {
                return Err(format!("the range is backwards: {}", one["range"]));
            }
            let new = one["newText"].as_str().ok_or("the edit has no newText")?;
            places.push((start..end, new.to_owned()));
        }
        let mut sorted: Vec<_> = places.iter().map(|(range, _)| range.clone()).collect();
        sorted.sort_by_key(|range| (range.start, range.end));
        if sorted.windows(2).any(|two| two[0].end > two[1].start) {
            return Err(format!("the edits overlap: {sorted:?}"));
        }
        Ok(places)
    }
}

struct DocumentEdit {
    uri: String,
    version: i64,
    edits: Vec<Value>,
}

/// Line ends as the document has them.
fn own_line_ends(document: &str, new: &str) -> String {
    let plain = new.replace("\r\n", "\n");
    let crlf = document.matches("\r\n").count();
    if crlf * 2 > document.matches('\n').count() { plain.replace('\n', "\r\n") } else { plain }
}
