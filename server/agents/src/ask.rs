//! What a user can ask for.

use std::str::FromStr;

use assist_base::{ByteRange, ConversationId, DocPath, Revision};
use serde::{Deserialize, Serialize};

/// The verb of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    /// Anything, in the user's own words.
    Ask,
    /// Change the selection as told.
    Rewrite,
    /// Remove a diagnostic or a fault.
    Fix,
    /// Say what the code does. Changes nothing.
    Explain,
    /// Write tests.
    Test,
    /// Write documentation comments.
    Document,
    /// Build something of several components: planned first, then built one by one.
    Build,
}

impl Intent {
    /// Every intent.
    pub const ALL: [Intent; 7] = [
        Intent::Ask,
        Intent::Rewrite,
        Intent::Fix,
        Intent::Explain,
        Intent::Test,
        Intent::Document,
        Intent::Build,
    ];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Intent::Ask => "ask",
            Intent::Rewrite => "rewrite",
            Intent::Fix => "fix",
            Intent::Explain => "explain",
            Intent::Test => "test",
            Intent::Document => "document",
            Intent::Build => "build",
        }
    }

    /// Whether the user must say what to do; the other intents have wording of their own.
    pub fn needs_prompt(self) -> bool {
        matches!(self, Intent::Ask | Intent::Rewrite | Intent::Build)
    }

    /// Whether code that comes back may be applied.
    pub fn may_edit(self) -> bool {
        !matches!(self, Intent::Explain)
    }
}

impl FromStr for Intent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|intent| intent.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Intent::as_str).join(", ");
            format!("`{text}` is not something Assist can be asked to do; it knows {known}")
        })
    }
}

/// A fault that the editor shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Where, in the request's revision.
    pub range: Option<ByteRange>,
    /// What is wrong.
    pub message: String,
    /// Who says so: `ts`, `eslint`, …
    pub source: Option<String>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskRequest {
    /// The verb.
    pub intent: Intent,
    /// The user's words.
    pub prompt: Option<String>,
    /// The document it is about; none asks about the workspace.
    pub path: Option<DocPath>,
    /// The revision that the ranges belong to; none means the present one.
    pub revision: Option<Revision>,
    /// The selection, in bytes of that revision.
    pub selection: Option<ByteRange>,
    /// The faults it is about.
    pub diagnostics: Vec<Diagnostic>,
    /// The conversation it goes on with; none begins a new one.
    pub conversation: Option<ConversationId>,
}

impl AskRequest {
    /// One line for lists: the user's words, or the verb and the file.
    pub fn title(&self) -> String {
        let words = self.prompt.as_deref().map(str::trim).filter(|prompt| !prompt.is_empty());
        let line = words.and_then(|words| words.lines().next()).map(str::to_owned).unwrap_or_else(|| {
            let file = self.path.as_ref().map_or("the workspace", |path| path.as_str());
            format!("{} {file}", self.intent.as_str())
        });
        match line.char_indices().nth(120) {
            Some((at, _)) => format!("{}…", &line[..at]),
            None => line,
        }
    }
}
