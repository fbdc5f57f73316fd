//! Code actions, one file for each verb.
//!
//! Law: listing is pure. It looks at the request, the captured document and what is known of waiting runs, never at a model,
//! the disk or the client; each action carries a command, and the command starts the run.

mod add_tests;
mod ask_assist;
mod continue_run;
mod document_selection;
mod explain_selection;
mod fix_diagnostic;
mod rewrite_selection;

use serde_json::{Value, json};
use tower_lsp::ls_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionTriggerKind, Command,
    Diagnostic,
};

use crate::position::{Position, Range};
use crate::runs::Waiting;
use crate::transport::Captured;

/// The kind of actions that repair something.
const QUICKFIX: &str = "quickfix";
/// The kind of actions that talk about the code or add to it. Below `refactor.rewrite`, so that VS Code lists all of ours in
/// one group and in our order; a kind that it does not know comes last, behind "More Actions".
const ASSIST: &str = "refactor.rewrite.assist";
/// The kind of actions that change the selection.
const REWRITE: &str = "refactor.rewrite";

/// Every kind.
pub const KINDS: [&str; 3] = [QUICKFIX, ASSIST, REWRITE];

/// What there is to choose from.
pub struct Context<'p> {
    /// The document as the client spells it.
    uri: &'p str,
    /// Its version.
    version: Option<i64>,
    /// What is selected; none when nothing is.
    selection: Option<Range>,
    /// The diagnostics there.
    diagnostics: &'p [Diagnostic],
    /// Whether the user asked for the list, and did not only move the cursor.
    invoked: bool,
    /// A run that waits for the user.
    waiting: Option<Waiting>,
}

/// One thing to choose.
pub struct Offer {
    /// What the user reads.
    title: String,
    /// What kind of action it is.
    kind: &'static str,
    /// The diagnostics it is about.
    diagnostics: Vec<Diagnostic>,
    /// What it does.
    command: &'static str,
    /// With what.
    argument: Value,
}

/// Every verb.
fn all() -> [fn(&Context<'_>) -> Option<Offer>; 7] {
    [
        continue_run::offer,
        fix_diagnostic::offer,
        ask_assist::offer,
        rewrite_selection::offer,
        explain_selection::offer,
        add_tests::offer,
        document_selection::offer,
    ]
}

/// Lists what can be done where the client points.
pub fn list(
    params: &CodeActionParams,
    captured: &Captured,
    waiting: Option<Waiting>,
    literals: bool,
) -> Vec<CodeActionOrCommand> {
    // What is not open is not worked on: its scheme is not ours, or the client did not tell of it.
    let Some(document) = &captured.document else { return Vec::new() };
    let place = |at: tower_lsp::ls_types::Position| Position { line: at.line, character: at.character };
    let range = Range { start: place(params.range.start), end: place(params.range.end) };
    let invoked = params.context.trigger_kind != Some(CodeActionTriggerKind::AUTOMATIC);
    let context = Context {
        uri: &document.uri,
        version: Some(document.version),
        selection: (!document.span(range).is_empty()).then_some(range),
        diagnostics: &params.context.diagnostics,
        invoked,
        waiting,
    };
    let wanted = |kind: &str| match &params.context.only {
        Some(only) => only.iter().any(|only| {
            let only = only.as_str();
            only.is_empty()
                || kind == only
                || kind.strip_prefix(only).is_some_and(|rest| rest.starts_with('.'))
        }),
        None => true,
    };
    let offers = all().into_iter().filter_map(|offer| offer(&context)).filter(|offer| wanted(offer.kind));
    offers.map(|offer| offer.shown(literals)).collect()
}

impl Context<'_> {
    /// An offer to ask about the selection.
    fn ask(&self, title: &str, kind: &'static str, intent: &str) -> Offer {
        let mut argument = json!({ "intent": intent, "uri": self.uri, "version": self.version });
        if let Some(selection) = self.selection {
            argument["range"] = json!(selection);
        }
        Offer {
            title: title.to_owned(),
            kind,
            diagnostics: Vec::new(),
            command: crate::commands::ASK,
            argument,
        }
    }

    /// An offer that needs a selection.
    fn ask_selection(&self, title: &str, kind: &'static str, intent: &str) -> Option<Offer> {
        self.selection.map(|_| self.ask(title, kind, intent))
    }
}

impl Offer {
    fn shown(self, literals: bool) -> CodeActionOrCommand {
        let command = Command {
            title: self.title.clone(),
            command: self.command.to_owned(),
            arguments: Some(vec![self.argument]),
        };
        if !literals {
            return CodeActionOrCommand::Command(command);
        }
        CodeActionOrCommand::CodeAction(CodeAction {
            title: self.title,
            kind: Some(CodeActionKind::from(self.kind)),
            diagnostics: Some(self.diagnostics).filter(|diagnostics| !diagnostics.is_empty()),
            command: Some(command),
            ..CodeAction::default()
        })
    }
}

#[cfg(test)]
mod tests;
