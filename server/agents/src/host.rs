//! The one seam between agents and whoever shows and holds text.
//!
//! The language server implements [`Host`] over an editor's open documents, the command line over the disk. Agents know
//! no editor: they read, apply, ask and tell through this trait only.

use assist_base::{ByteRange, ChangeSet, DocPath, Event, Outcome, Revision, RunId, TextDelta};
use assist_syntax::Language;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A document as the host holds it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The text, without a byte-order mark, with its own line endings. For an open document this includes unsaved edits.
    pub text: String,
    /// Which text this is.
    pub revision: Revision,
    /// The language id that the editor gives an open document (LSP `TextDocumentItem.languageId`).
    pub language_id: Option<String>,
}

impl Document {
    /// A file on disk, or a text that stands for one.
    pub fn of_file(text: String, revision: Revision) -> Self {
        Self { text, revision, language_id: None }
    }

    /// The language of the document at `path`: by its name and text, and where these do not tell, as the editor says.
    pub fn language(&self, path: &DocPath) -> Option<Language> {
        language(path, &self.text, self.language_id.as_deref())
    }
}

/// The language of a text at `path`: by its name and the text, and where these do not tell, by the editor's language id.
pub(crate) fn language(path: &DocPath, text: &str, id: Option<&str>) -> Option<Language> {
    Language::of_file(path, text).or_else(|| Language::of_language_id(id?))
}

/// Where a span of an earlier revision is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebased {
    /// No edit touched it; it may have moved.
    Moved {
        /// The span in the present text.
        range: ByteRange,
        /// The present revision.
        revision: Revision,
    },
    /// The user (or another program) edited inside it.
    Touched {
        /// Where its outer edges are in the present text, if that is known.
        range: Option<ByteRange>,
        /// The present revision.
        revision: Revision,
    },
}

/// Follows a span from one text to another by what the two share at both ends: for hosts that do not see single edits.
pub fn rebase_by_text(base: &str, now: &str, range: ByteRange) -> Rebased {
    let revision = Revision::of_file(now);
    let prefix = base.bytes().zip(now.bytes()).take_while(|(a, b)| a == b).count();
    let longest = base.len().min(now.len()) - prefix;
    let suffix = base.bytes().rev().zip(now.bytes().rev()).take(longest).take_while(|(a, b)| a == b).count();
    let changed = ByteRange::new(prefix, base.len() - suffix);
    // Only for places at or behind the change: what follows it is as far from the end as before.
    let moved = |at: usize| now.len().saturating_sub(base.len() - at);
    if base == now || range.end <= changed.start {
        return Rebased::Moved { range, revision };
    }
    if range.start >= changed.end {
        return Rebased::Moved { range: ByteRange::new(moved(range.start), moved(range.end)), revision };
    }
    let start = range.start.min(changed.start);
    let end = moved(range.end.max(changed.end)).max(start);
    let fits = now.is_char_boundary(start) && now.is_char_boundary(end);
    Rebased::Touched { range: fits.then(|| ByteRange::new(start, end)), revision }
}

/// Something the user must decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// One line.
    pub text: String,
    /// The whole of it as Markdown, where one line is not enough: a plan card, a diff.
    pub detail: Option<String>,
    /// The buttons; the first means yes, the last means no. An empty list asks for free text.
    pub choices: Vec<String>,
    /// Whether the run may rest until someone answers, for days if need be: a host that has nobody to ask leaves such a
    /// question open ([`Answer::Dismissed`]) and says how it can be answered. Any other it answers with no.
    pub later: bool,
}

/// What becomes of work that is done, where the user has ticked it on the card of its plan. Off by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ticks {
    /// It is committed.
    pub commit: bool,
    /// The commit is pushed. Without a commit there is nothing to push.
    pub push: bool,
    /// What was pushed is deployed.
    pub deploy: bool,
}

impl Ticks {
    /// Whether anything is ticked.
    pub fn any(self) -> bool {
        self.commit || self.push || self.deploy
    }
}

/// What the user said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Go ahead.
    Yes,
    /// Go ahead, but only so.
    Partly {
        /// These steps of a plan, from 1; empty for all.
        steps: Vec<usize>,
        /// What is to be minded.
        note: Option<String>,
        /// What is ticked, of what was offered.
        #[serde(flatten)]
        ticks: Ticks,
    },
    /// Do not.
    No,
    /// Words.
    Text(String),
    /// The question was closed without an answer, or the host has nobody to ask. The run keeps waiting.
    Dismissed,
}

/// How loud a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something was not done.
    Warning,
    /// The run ended badly.
    Error,
}

/// What a host could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is no such document.
    #[error("{0} does not exist")]
    NotFound(DocPath),
    /// It cannot be read or written; the sentence says why and names the fix.
    #[error("{0}")]
    Unusable(String),
    /// The editor has gone.
    #[error("the editor has closed the connection")]
    Gone,
}

/// Whoever shows and holds text.
#[async_trait]
pub trait Host: Send + Sync + 'static {
    /// The present text of a document: the open buffer where there is one, else the file.
    async fn read(&self, path: &DocPath) -> Result<Document, HostError>;

    /// Applies a change set completely or not at all. `Applied` means seen in place, not only sent.
    async fn apply(&self, set: &ChangeSet) -> Result<Outcome, HostError>;

    /// Where `range` of revision `base` is in the present text.
    async fn rebase(&self, path: &DocPath, range: ByteRange, base: &Revision) -> Result<Rebased, HostError>;

    /// Asks the user. May take for ever; the caller drops the future when someone answered elsewhere.
    async fn ask(&self, run: RunId, question: &Question) -> Answer;

    /// The present texts of the documents that are open in the workspace, unsaved edits included. A host that holds no
    /// documents open has none.
    async fn open_texts(&self) -> Vec<(DocPath, String)> {
        Vec::new()
    }

    /// Tells the user one sentence.
    fn notify(&self, run: RunId, severity: Severity, message: &str);

    /// Shows an answer in words as a whole, once it has ended. A host that shows deltas has nothing left to do.
    fn show(&self, run: RunId, title: &str, markdown: &str);

    /// An event of a run, already stored.
    fn event(&self, event: &Event);

    /// A run has come to rest or to its end, or was undone: nothing more is changed for it now. What it changed may be saved.
    fn rested(&self, run: RunId) {
        let _ = run;
    }

    /// A piece of the answer as it streams. May be dropped by a slow host.
    fn delta(&self, delta: &TextDelta);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(base: &str, now: &str, what: &str, expected: Option<&str>) {
        let start = base.find(what).expect("the span is in the base");
        let range = ByteRange::new(start, start + what.len());
        match (rebase_by_text(base, now, range), expected) {
            (Rebased::Moved { range, .. }, Some(expected)) => assert_eq!(range.of(now), Some(expected)),
            (Rebased::Touched { .. }, None) => {}
            (rebased, expected) => panic!("{rebased:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_span_moves_with_edits_beside_it() {
        check("one two three", "one two three", "two", Some("two"));
        check("one two three", "zero one two three", "two", Some("two"));
        check("one two three", "one two three four", "two", Some("two"));
        check("one two three", "two three", "two", Some("two"));
    }

    #[test]
    fn an_edit_inside_touches() {
        check("one two three", "one tw0 three", "two", None);
        check("one two three", "one three", "two", None);
        check("one two three", "", "two", None);
    }
}
