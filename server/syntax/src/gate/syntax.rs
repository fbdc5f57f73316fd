//! The parsers' part of the gate.

use assist_base::{ByteRange, TextEdit};
use tree_sitter::Tree;

use super::files::{self, Parsed};
use super::{Candidate, Decision, Fault, Names, Reason, Verdict, checks, outline, reason};
use crate::brackets::Brackets;
use crate::languages::{Language, Trust};
use crate::{injection, tree};

fn parse(language: Language, text: &str, candidate: &Candidate<'_>) -> Parsed {
    let declarations = candidate.component.header.path.as_deref().is_some_and(|path| path.ends_with(".d.ts"));
    files::parse(language, text, declarations)
}

/// Decides by what the parsers say.
///
/// Some grammars reject valid files ([`Trust::Advises`]): CSS has more than its grammar knows, C has macros, SQL has
/// dialects. Where such a grammar complains of code whose brackets and quotes are in order, that is a question to a
/// person, not a verdict; and what it had against the file before, outside of what is replaced, does not count.
pub(super) fn decide(candidate: &Candidate<'_>, language: Language) -> Decision {
    let after = candidate.placement.after.as_str();
    let code = candidate.component.code.as_str();
    // A component that goes into a script is in the script's language.
    let code_language = candidate.placement.embedded.unwrap_or(language);
    let spliced = parse(language, after, candidate);
    // Where the component is the whole file, the file's parse is the component's.
    let is_whole_file = candidate.before.is_none_or(|before| before.trim().is_empty());
    let alone = (candidate.top_level && !is_whole_file && language != Language::Json)
        .then(|| parse(code_language, code, candidate));
    if spliced.unread || alone.as_ref().is_some_and(|alone| alone.unread) {
        return (Verdict::Unverified, reason("The code nests too deeply to be checked.", None));
    }
    let own = alone.as_ref().map(|alone| &alone.faults).filter(|faults| !faults.is_empty());
    let advises = files::trust(language, after) == Trust::Advises;
    let known_complaints = advises
        && candidate.before.is_some_and(|before| {
            only_old_complaints(language, before, &spliced, &candidate.placement.edits)
        });
    let complaints = match own {
        Some(own) => own.as_slice(),
        None if known_complaints => &[],
        None => &spliced.faults,
    };
    if advises
        && !complaints.is_empty()
        && Brackets::balanced(code, code_language.family())
        && (Brackets::balanced(after, language.family())
            || candidate.before.is_some_and(|before| !Brackets::balanced(before, language.family())))
    {
        let message = format!(
            "The {} grammar does not know all of this, so nothing can vouch for it.",
            language.name()
        );
        let mut reasons = reason(message, None);
        reasons.extend(
            complaints
                .iter()
                .map(|fault| if own.is_some() { in_code(fault, code) } else { in_file(fault, candidate) }),
        );
        return (Verdict::Unverified, reasons);
    }
    if let Some(alone) = alone.as_ref().filter(|alone| !alone.faults.is_empty()) {
        let verdict = if was_cut(code, &alone.faults, code_language, false) {
            Verdict::Truncated
        } else {
            Verdict::Malformed
        };
        return (verdict, alone.faults.iter().map(|fault| in_code(fault, code)).collect());
    }
    if !spliced.faults.is_empty() && !known_complaints {
        return broken_file(candidate, language, &spliced, is_whole_file);
    }
    if let Some(decision) = swallows(candidate, language, &spliced) {
        return decision;
    }
    if let Some(decision) = doubles(candidate, language, &spliced) {
        return decision;
    }
    if candidate.top_level {
        let parsed = alone.as_ref().unwrap_or(&spliced);
        let text = if alone.is_some() { code } else { after };
        let missing =
            checks::names(candidate, code_language, &names_of(parsed, text, code_language, candidate));
        if !missing.is_empty() {
            return (Verdict::Malformed, missing);
        }
    }
    (Verdict::Whole, Vec::new())
}

fn names_of(parsed: &Parsed, text: &str, language: Language, candidate: &Candidate<'_>) -> Names {
    if let Some(reading) = &parsed.reading {
        return Names {
            declared: reading.declared.clone(),
            exported: reading.exported.clone(),
            open: reading.open_exports,
            anonymous_default: reading.anonymous_default,
        };
    }
    let promises = &candidate.component.header;
    if promises.name.is_empty() && promises.exports.is_empty() {
        return Names::default();
    }
    let outlined =
        parsed.tree.as_ref().map(|tree| outline::of_tree(tree, text, language)).unwrap_or_default();
    let declared = outlined.into_iter().map(|one| one.name).collect();
    Names { declared, ..Names::default() }
}

/// Whether a file with errors has only those that it had before, all outside of what the edits put there.
pub(super) fn only_old_complaints(
    language: Language,
    before: &str,
    after: &Parsed,
    edits: &[TextEdit],
) -> bool {
    let Some(tree) = after.tree.as_ref().filter(|_| !after.faults.is_empty()) else { return false };
    let Some(old) = files::tree_of(language, before).filter(|_| !before.trim().is_empty()) else {
        return false;
    };
    let known: Vec<usize> =
        tree::misplaced(&old).iter().filter_map(|range| moved(range.start, edits)).collect();
    tree::misplaced(tree)
        .iter()
        .all(|range| known.contains(&range.start) && !inserted(range.clone().into(), edits))
}

/// The spliced file has faults: whose are they?
fn broken_file(
    candidate: &Candidate<'_>,
    language: Language,
    spliced: &Parsed,
    is_whole_file: bool,
) -> Decision {
    let placement = candidate.placement;
    let code = candidate.component.code.as_str();
    let before = candidate.before.unwrap_or_default();
    let code_language = placement.embedded.unwrap_or(language);
    let was = if is_whole_file { None } else { Some(parse(language, before, candidate)) };
    let Some(was) = was.filter(|was| !was.faults.is_empty() || was.unread) else {
        let verdict = if was_cut(code, &spliced.faults, code_language, !is_whole_file) {
            Verdict::Truncated
        } else {
            Verdict::Malformed
        };
        return (verdict, spliced.faults.iter().map(|fault| in_file(fault, candidate)).collect());
    };
    // oxc stops at the first error it cannot get over, so errors are counted in the trees.
    let (Some(old), Some(new)) = (&was.tree, &spliced.tree) else {
        return (Verdict::Unverified, reason("The file had errors before, and cannot be compared.", None));
    };
    let old = files::broken_places(language, old, before);
    let new = files::broken_places(language, new, &placement.after);
    let outside: Vec<usize> =
        old.iter().filter_map(|fault| moved(fault.range.start, &placement.edits)).collect();
    let new_outside: Vec<Reason> = new
        .iter()
        .filter(|fault| !inserted(fault.range, &placement.edits))
        .filter(|fault| !outside.contains(&fault.range.start))
        .map(|fault| in_file(fault, candidate))
        .collect();
    let inside_only = !candidate.top_level && !Brackets::of(code, code_language.family()).is_empty();
    if inside_only {
        return (Verdict::Truncated, unclosed(code, code_language));
    }
    if !new_outside.is_empty() {
        return (Verdict::Malformed, new_outside);
    }
    if !candidate.top_level {
        // A fragment cannot be judged alone, but it must not be at fault where what it replaces was not.
        let within = |fault: &&Fault| {
            placement.replaced.start <= fault.range.end && fault.range.start <= placement.replaced.end
        };
        let was_sound = !old.iter().any(|fault| within(&fault));
        let at_fault: Vec<Reason> = new
            .iter()
            .filter(|fault| was_sound && inserted(fault.range, &placement.edits))
            .map(|fault| in_file(fault, candidate))
            .collect();
        if !at_fault.is_empty() {
            return (Verdict::Malformed, at_fault);
        }
        let family = code_language.family();
        let replaced = placement.replaced.of(before).unwrap_or_default();
        if Brackets::balanced(replaced, family) && !Brackets::balanced(code, family) {
            return (Verdict::Malformed, reason("The code closes a block that is not its own.", None));
        }
    }
    let message =
        "The file already had errors before this change, so it cannot be proven whole: look at the diff.";
    (Verdict::Unverified, reason(message, None))
}

/// Where an offset of the text before lies after the edits; `None` inside what they replace.
pub(super) fn moved(offset: usize, edits: &[TextEdit]) -> Option<usize> {
    let mut place = offset;
    for edit in edits.iter().take_while(|edit| edit.range.start <= offset) {
        if offset < edit.range.end {
            return None;
        }
        place = (place + edit.text.len()).checked_sub(edit.range.len())?;
    }
    Some(place)
}

/// Whether a range of the text after touches something that the edits put there.
pub(super) fn inserted(range: ByteRange, edits: &[TextEdit]) -> bool {
    let mut shift = 0_isize;
    edits.iter().any(|edit| {
        let start = edit.range.start.saturating_add_signed(shift);
        shift += edit.text.len() as isize - edit.range.len() as isize;
        range.start <= start + edit.text.len() && range.end >= start
    })
}

/// Whether a part of a text holds whole blocks only, in the language of the place; true where errors leave that open.
fn keeps_blocks(language: Language, text: &str, part: ByteRange, tree: Option<&Tree>) -> Option<bool> {
    if let Some(inner) = injection::around(text, language, part).filter(|_| language.is_markup()) {
        let code = inner.range.of(text)?;
        let tree = tree::parse(inner.language, code)?;
        let part = ByteRange::new(part.start - inner.range.start, part.end - inner.range.start);
        return Some(tree.root_node().has_error() || tree::holds_whole_nodes(&tree, code, part));
    }
    let tree = tree?;
    Some(tree.root_node().has_error() || tree::holds_whole_nodes(tree, text, part))
}

/// The code would close or open a block that is not its own, and what follows in the file makes up for it.
fn swallows(candidate: &Candidate<'_>, language: Language, spliced: &Parsed) -> Option<Decision> {
    if candidate.top_level {
        return None;
    }
    let placement = candidate.placement;
    // A heading takes what follows it into its section, and means to.
    if language == Language::Markdown
        || keeps_blocks(language, &placement.after, placement.inserted, spliced.tree.as_ref())?
    {
        return None;
    }
    // A selection that cut through blocks to begin with may be replaced by one that does.
    let before = candidate.before?;
    let old = files::tree_of(language, before)?;
    if !keeps_blocks(language, before, placement.replaced, Some(&old))? {
        return None;
    }
    let language = placement.embedded.unwrap_or(language);
    let code = candidate.component.code.as_str();
    if !Brackets::of(code, language.family()).is_empty() {
        return Some((Verdict::Truncated, unclosed(code, language)));
    }
    let message =
        "The code closes or opens a block that is not its own, so it would swallow what follows it.";
    Some((Verdict::Malformed, reason(message, None)))
}

/// The file would declare or export a name twice that it does not have twice now: a model that answered with more than
/// the selection, or an export that the file has at its end.
fn doubles(candidate: &Candidate<'_>, language: Language, spliced: &Parsed) -> Option<Decision> {
    let doubled = &spliced.doubled;
    if doubled.is_empty() {
        return None;
    }
    let was = candidate.before.filter(|before| !before.trim().is_empty());
    let known = was.map(|before| parse(language, before, candidate).doubled).unwrap_or_default();
    let reasons: Vec<Reason> = doubled
        .iter()
        .filter(|one| !known.iter().any(|other| other.name == one.name && other.how == one.how))
        .map(|one| {
            let message = format!("`{}` would be {} twice", one.name, one.how);
            in_file(&Fault { range: ByteRange::at(one.at), message }, candidate)
        })
        .collect();
    (!reasons.is_empty()).then_some((Verdict::Malformed, reasons))
}

fn unclosed(code: &str, language: Language) -> Vec<Reason> {
    let open = Brackets::of(code, language.family());
    let Some(innermost) = open.last() else { return Vec::new() };
    let what = innermost.kind.words();
    let message = format!("{what} opened on line {} is not closed at the end of the code.", innermost.line);
    reason(message, Some(innermost.line))
}

/// Whether faults mean that the end is missing, rather than that something is wrong.
fn was_cut(code: &str, faults: &[Fault], language: Language, fragment: bool) -> bool {
    let open = !Brackets::of(code, language.family()).is_empty();
    let end = code.trim_end().len();
    let reaches_end = |fault: &Fault| {
        fault.range.start >= end || fault.range.end > end || (language.is_markup() && fault.range.end >= end)
    };
    let at_end = !fragment && faults.iter().any(reaches_end);
    if fragment {
        open
    } else if language.is_ecma() {
        at_end && (open || faults.len() == 1)
    } else {
        at_end || (open && faults.iter().any(|fault| fault.range.end >= end))
    }
}

/// A fault of the component's own text.
pub(super) fn in_code(fault: &Fault, code: &str) -> Reason {
    let line = line_of(code, fault.range.start);
    Reason { message: format!("Line {line}: {}.", fault.message), line: Some(line) }
}

/// A fault of the spliced file, by the line of the component where it lies in it.
fn in_file(fault: &Fault, candidate: &Candidate<'_>) -> Reason {
    let placement = candidate.placement;
    let inserted = placement.inserted;
    let code_lines = candidate.component.code.lines().count().max(1);
    if inserted.start <= fault.range.start && fault.range.start <= inserted.end {
        let first = line_of(&placement.after, inserted.start);
        let leading = candidate.component.code.lines().take_while(|line| line.trim().is_empty()).count();
        let line = (line_of(&placement.after, fault.range.start) - first + 1 + leading).min(code_lines);
        return Reason { message: format!("Line {line}: {}.", fault.message), line: Some(line) };
    }
    let line = line_of(&placement.after, fault.range.start);
    Reason { message: format!("Line {line} of the file would be wrong: {}.", fault.message), line: None }
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let head = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    head.iter().filter(|&&byte| byte == b'\n').count() + 1
}
