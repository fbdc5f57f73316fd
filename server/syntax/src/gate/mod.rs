//! The gate: may this component be applied?
//!
//! Judged is the file as it would be after splicing, and the component alone where it stands at the top level. For
//! JavaScript and TypeScript oxc decides what an error is; a tree-sitter error that oxc does not share never blocks. For
//! other languages tree-sitter decides, unless its grammar is known to reject valid files: then its complaint is a question
//! to a person. Scripts inside markup are judged with their file. A file that was broken before is judged by errors that are new, and then at best
//! `Unverified`: a person says yes to a diff. The same goes for a language without a grammar.
//!
//! Limits: syntax only. Types, missing imports and whether the code does what was asked are for later checks. Paths are
//! the caller's to check: the gate sees text, not the workspace.

mod branches;
mod checks;
mod edits;
mod files;
mod syntax;

pub(crate) use checks::is_prose_line;
pub use edits::judge_edits;

use assist_base::DocPath;

use crate::languages::Language;
use crate::merge::{How, Placement};
use crate::outline;
use crate::scanner::Component;
use crate::tree::Fault;

/// What is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The component as the scanner gave it.
    pub component: &'a Component,
    /// The language of the file it goes into.
    pub language: Option<Language>,
    /// The file's text now; `None` where there is no file yet.
    pub before: Option<&'a str>,
    /// Where the component would go.
    pub placement: &'a Placement,
    /// Whether the component stands at the top level of its file, so that it must be well formed by itself.
    pub top_level: bool,
    /// Whether the stream it came from ended as it should. A component with its END is judged all the same.
    pub complete_stream: bool,
}

/// The gate's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// May be applied.
    Whole,
    /// It was cut: ask for the rest.
    Truncated,
    /// It is complete but wrong: ask for a corrected one.
    Malformed,
    /// It is not what was asked for, whatever its syntax: never apply it.
    Refused,
    /// No judge is sure: offer the diff, and apply it only on a person's yes.
    Unverified,
}

impl Verdict {
    /// As `assist verify` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::Unverified => "unverified",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// A sentence for the user and for the model.
    pub message: String,
    /// The line in the component's code, from 1, where there is one.
    pub line: Option<usize>,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// A verdict and what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Its reasons; none for `Whole`.
    pub reasons: Vec<Reason>,
    /// First and last line of the code in the stream.
    pub lines: (usize, usize),
}

/// Judges a component.
pub fn judge(candidate: &Candidate<'_>) -> Judgement {
    let component = candidate.component;
    let (verdict, reasons) = decide(candidate);
    Judgement { verdict, reasons, lines: (component.first_line, component.last_line) }
}

/// What is wrong with a whole file, as the gate sees it: nothing for a file that is valid.
pub fn faults(path: &DocPath, text: &str) -> Vec<Reason> {
    match Language::of_file(path, text) {
        Some(language) => files::faults(language, text, path.as_str().ends_with(".d.ts")),
        None => Vec::new(),
    }
}

type Decision = (Verdict, Vec<Reason>);

fn reason(message: impl Into<String>, line: Option<usize>) -> Vec<Reason> {
    vec![Reason { message: message.into(), line }]
}

fn decide(candidate: &Candidate<'_>) -> Decision {
    let Candidate { component, language, placement, .. } = *candidate;
    if !component.ended {
        let last = component.code.lines().count().max(1);
        let message = format!("The code was cut: its END marker is missing after line {last}.");
        return (Verdict::Truncated, reason(message, Some(last)));
    }
    if let Some(refusal) = checks::refusal(candidate) {
        return (Verdict::Refused, refusal);
    }
    if component.code.trim().is_empty() {
        return match placement.how {
            How::ReplacedSelection => (
                Verdict::Unverified,
                reason("The answer holds no code: it would remove the selected text.", None),
            ),
            _ => (Verdict::Malformed, reason("The component holds no code.", None)),
        };
    }
    if !component.code.ends_with('\n') {
        let message = "The last line is not finished: there is no line break before the END marker.";
        return (Verdict::Malformed, reason(message, None));
    }
    let Some(language) = language else {
        let mut reasons =
            reason("There is no grammar for this kind of file, so nothing can vouch for the code.", None);
        if !candidate.complete_stream {
            reasons.extend(reason("The model's answer did not end as it should.", None));
        }
        return (Verdict::Unverified, reasons);
    };
    let decision = syntax::decide(candidate, language);
    // Documents are prose, and capitals begin the lines of these others.
    let reads_as_prose = !matches!(language, Language::Markdown | Language::Dockerfile | Language::Sql)
        && checks::is_prose(&component.code);
    if decision.0 == Verdict::Malformed && reads_as_prose {
        let mut reasons = reason(format!("The answer reads as prose, not as {}.", language.name()), Some(1));
        reasons.extend(decision.1);
        return (Verdict::Malformed, reasons);
    }
    decision
}

/// Which names a piece of code stands for.
#[derive(Debug, Default)]
struct Names {
    declared: Vec<String>,
    exported: Vec<String>,
    /// Other names may be exported too.
    open: bool,
    anonymous_default: bool,
}

impl Names {
    fn declares(&self, name: &str) -> bool {
        self.declared.iter().chain(&self.exported).any(|known| known == name)
    }
}

#[cfg(test)]
mod tests;
