//! The gate for surgical edits: the file as it would be, nothing less.
//!
//! A hunk is no piece of code that could be judged alone. What counts is the whole file after all its hunks: clean, it is
//! whole; broken where it was in order, it is malformed; broken before, it is judged by errors that are new, and then at
//! best unverified.

use assist_base::{DocPath, TextEdit};

use super::checks::looks_like_json;
use super::files::{self, Parsed};
use super::syntax::{inserted, line_of, moved, only_old_complaints};
use super::{Decision, Judgement, Reason, Verdict, reason};
use crate::brackets::Brackets;
use crate::hunks::Edited;
use crate::languages::{Language, Trust};

/// Judges a file's edits. `before` is its text, `None` where there is none; `lines` are the first and the last line of the
/// hunks in the stream.
pub fn judge_edits(
    path: &DocPath,
    before: Option<&str>,
    edited: &Edited,
    lines: (usize, usize),
) -> Judgement {
    let (verdict, reasons) = decide(path, before.unwrap_or_default(), &edited.after, &edited.edits);
    Judgement { verdict, reasons, lines }
}

fn decide(path: &DocPath, before: &str, after: &str, edits: &[TextEdit]) -> Decision {
    if before == after {
        return (Verdict::Malformed, reason("The edits would change nothing.", None));
    }
    let Some(language) = Language::of_file(path, after) else {
        let message = "There is no grammar for this kind of file, so nothing can vouch for the edits.";
        return (Verdict::Unverified, reason(message, None));
    };
    if language != Language::Json && looks_like_json(after) && !looks_like_json(before) {
        let message = format!("The file would be JSON, but {} code was asked for.", language.name());
        return (Verdict::Refused, reason(message, None));
    }
    if after.trim().is_empty() {
        return (Verdict::Unverified, reason("The edits would leave nothing of the file.", None));
    }
    let declarations = path.as_str().ends_with(".d.ts");
    let new = files::parse(language, after, declarations);
    if new.unread {
        return (Verdict::Unverified, reason("The code nests too deeply to be checked.", None));
    }
    let advises = files::trust(language, after) == Trust::Advises;
    if new.faults.is_empty() || (advises && only_old_complaints(language, before, &new, edits)) {
        return match doubled(language, declarations, before, after, &new) {
            reasons if reasons.is_empty() => (Verdict::Whole, reasons),
            reasons => (Verdict::Malformed, reasons),
        };
    }
    let all: Vec<Reason> =
        new.faults.iter().map(|fault| of_file(after, fault.range.start, &fault.message)).collect();
    let balanced = |text: &str| Brackets::balanced(text, language.family());
    if advises && (balanced(after) || !balanced(before)) {
        let message = format!(
            "The {} grammar does not know all of this, so nothing can vouch for it.",
            language.name()
        );
        let mut reasons = reason(message, None);
        reasons.extend(all);
        return (Verdict::Unverified, reasons);
    }
    let old = files::parse(language, before, declarations);
    if before.trim().is_empty() || (old.faults.is_empty() && !old.unread) {
        return (Verdict::Malformed, all);
    }
    broken_before(language, before, after, edits, &old, &new)
}

/// The file had errors before: are there new ones?
fn broken_before(
    language: Language,
    before: &str,
    after: &str,
    edits: &[TextEdit],
    old: &Parsed,
    new: &Parsed,
) -> Decision {
    // oxc stops at the first error it cannot get over, so errors are counted in the trees.
    let (Some(old), Some(new)) = (&old.tree, &new.tree) else {
        return (Verdict::Unverified, reason("The file had errors before, and cannot be compared.", None));
    };
    let old = files::broken_places(language, old, before);
    let known: Vec<usize> = old.iter().filter_map(|fault| moved(fault.range.start, edits)).collect();
    // An error inside what is replaced may go on being one.
    let was_inside = old.iter().any(|fault| {
        edits.iter().any(|edit| fault.range.start <= edit.range.end && edit.range.start <= fault.range.end)
    });
    let fresh: Vec<Reason> = files::broken_places(language, new, after)
        .iter()
        .filter(|fault| !known.contains(&fault.range.start))
        .filter(|fault| !(was_inside && inserted(fault.range, edits)))
        .map(|fault| of_file(after, fault.range.start, &fault.message))
        .collect();
    if !fresh.is_empty() {
        return (Verdict::Malformed, fresh);
    }
    let message =
        "The file already had errors before this change, so it cannot be proven whole: look at the diff.";
    (Verdict::Unverified, reason(message, None))
}

/// Names that the file would declare or export twice and does not now.
fn doubled(language: Language, declarations: bool, before: &str, after: &str, new: &Parsed) -> Vec<Reason> {
    if new.doubled.is_empty() {
        return Vec::new();
    }
    let was = files::parse(language, before, declarations).doubled;
    new.doubled
        .iter()
        .filter(|one| !was.iter().any(|other| other.name == one.name && other.how == one.how))
        .map(|one| of_file(after, one.at, &format!("`{}` would be {} twice", one.name, one.how)))
        .collect()
}

fn of_file(after: &str, at: usize, what: &str) -> Reason {
    Reason { message: format!("Line {} of the file would be wrong: {what}.", line_of(after, at)), line: None }
}
