//! The parsers' part of the gate.

use assist_base::{ByteRange, TextEdit};
use tree_sitter::Tree;

use super::{Candidate, Decision, Fault, Names, Reason, Verdict, checks, outline, reason};
use crate::brackets::Brackets;
use crate::ecma::{self, Reading};
use crate::languages::Language;
use crate::tree;

/// A text with all that the parsers say of it.
pub(super) struct Parsed {
    pub tree: Option<Tree>,
    /// What the deciding parser has against it.
    pub faults: Vec<Fault>,
    /// No parser could read it.
    pub unread: bool,
    pub reading: Option<Reading>,
}

fn parse(language: Language, text: &str, candidate: &Candidate<'_>) -> Parsed {
    let declarations = candidate.component.header.path.as_deref().is_some_and(|path| path.ends_with(".d.ts"));
    parse_file(language, text, declarations)
}

/// What the deciding parser has against a whole file. `declarations`: it is a `.d.ts`.
pub(super) fn faults(language: Language, text: &str, declarations: bool) -> Vec<Reason> {
    let parsed = parse_file(language, text, declarations);
    if parsed.unread {
        return reason("No parser could read it.", None);
    }
    parsed.faults.iter().map(|fault| in_code(fault, text)).collect()
}

pub(super) fn parse_file(language: Language, text: &str, declarations: bool) -> Parsed {
    let tree = tree::parse(language, text);
    if language.is_ecma() {
        let reading = ecma::read(language, text, declarations, tree.as_ref());
        let faults = reading.faults.clone();
        return Parsed { tree, faults, unread: reading.too_deep, reading: Some(reading) };
    }
    let Some(tree) = tree else {
        return Parsed { tree: None, faults: Vec::new(), unread: true, reading: None };
    };
    let mut faults = tree::faults(&tree, text, language);
    if language == Language::Html {
        // The grammar wants every `&` to begin an entity; browsers and people do not.
        faults.retain(|fault| {
            let piece = fault.range.of(text).unwrap_or_default().trim_start();
            !piece.starts_with('&') || piece.contains(['<', '>'])
        });
    }
    if faults.is_empty() {
        match language {
            Language::Json => faults.extend(extra_value(&tree)),
            Language::Python => faults.extend(empty_block(&tree)),
            Language::Html => {
                faults.extend(unclosed_element(&tree, text));
                faults.extend(no_element(&tree));
            }
            _ => {}
        }
    }
    Parsed { tree: Some(tree), faults, unread: false, reading: None }
}

/// The grammar of JSON takes several values in a row, or none; a file holds one.
fn extra_value(tree: &Tree) -> Option<Fault> {
    let root = tree.root_node();
    let mut cursor = root.walk();
    let values: Vec<_> = root.named_children(&mut cursor).filter(|node| node.kind() != "comment").collect();
    match values.as_slice() {
        [] => Some(Fault { range: ByteRange::at(root.end_byte()), message: "there is no value".to_owned() }),
        [_] => None,
        [_, second, ..] => Some(Fault {
            range: second.byte_range().into(),
            message: "a second value follows the first".to_owned(),
        }),
    }
}

/// The grammar of Python takes a head without a body.
fn empty_block(tree: &Tree) -> Option<Fault> {
    tree::find(tree, |node| node.kind() == "block" && node.named_child_count() == 0).map(|node| Fault {
        range: ByteRange::at(node.end_byte()),
        message: "a block without statements".to_owned(),
    })
}

/// Elements that may stand without an end tag.
const MAY_STAY_OPEN: [&str; 34] = [
    "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html", "img",
    "input", "li", "link", "meta", "optgroup", "option", "p", "param", "rp", "rt", "source", "tbody", "td",
    "tfoot", "th", "thead", "tr", "track", "wbr", "basefont", "frame",
];

/// An element without its end tag, which the grammar only marks where a cursor does not go.
fn unclosed_element(tree: &Tree, text: &str) -> Option<Fault> {
    let name = |node: tree_sitter::Node<'_>| {
        let tag = node.child(0).filter(|tag| tag.kind() == "start_tag")?;
        Some(text.get(tag.named_child(0)?.byte_range())?.to_ascii_lowercase())
    };
    let found = tree::find(tree, |node| {
        let ends =
            || node.child(node.child_count().saturating_sub(1)).is_some_and(|last| last.kind() == "end_tag");
        node.kind() == "element"
            && name(node).is_some_and(|name| !MAY_STAY_OPEN.contains(&name.as_str()) && !ends())
    })?;
    let message = format!("`<{}>` is not closed", name(found).unwrap_or_default());
    Some(Fault { range: ByteRange::at(found.end_byte()), message })
}

/// The grammar of HTML takes any text; a page has elements.
fn no_element(tree: &Tree) -> Option<Fault> {
    let root = tree.root_node();
    let mut cursor = root.walk();
    let plain = root.named_children(&mut cursor).all(|node| matches!(node.kind(), "text" | "entity"));
    plain.then(|| Fault { range: ByteRange::at(0), message: "there is no element".to_owned() })
}

/// Decides by what the parsers say.
///
/// The grammar of CSS lacks parts of the language (media ranges, braces in strings), and a browser skips what it does not
/// understand: where brackets and quotes are in order, its complaints are a question to a person, not a verdict.
pub(super) fn decide(candidate: &Candidate<'_>, language: Language) -> Decision {
    let after = candidate.placement.after.as_str();
    let code = candidate.component.code.as_str();
    let spliced = parse(language, after, candidate);
    // Where the component is the whole file, the file's parse is the component's.
    let is_whole_file = candidate.before.is_none_or(|before| before.trim().is_empty());
    let alone = (candidate.top_level && !is_whole_file && language != Language::Json)
        .then(|| parse(language, code, candidate));
    if spliced.unread || alone.as_ref().is_some_and(|alone| alone.unread) {
        return (Verdict::Unverified, reason("The code nests too deeply to be checked.", None));
    }
    let complaints = alone.as_ref().map_or(&spliced.faults, |alone| &alone.faults);
    if language == Language::Css
        && !complaints.is_empty()
        && Brackets::balanced(code, language.family())
        && Brackets::balanced(after, language.family())
    {
        let mut reasons =
            reason("The CSS grammar does not know all of this, so nothing can vouch for it.", None);
        reasons.extend(
            complaints
                .iter()
                .map(|fault| if alone.is_some() { in_code(fault, code) } else { in_file(fault, candidate) }),
        );
        return (Verdict::Unverified, reasons);
    }
    if let Some(alone) = alone.as_ref().filter(|alone| !alone.faults.is_empty()) {
        let verdict = if was_cut(code, &alone.faults, language, false) {
            Verdict::Truncated
        } else {
            Verdict::Malformed
        };
        return (verdict, alone.faults.iter().map(|fault| in_code(fault, code)).collect());
    }
    if !spliced.faults.is_empty() {
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
        let missing = checks::names(candidate, language, &names_of(parsed, text, language, candidate));
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
    let was = if is_whole_file { None } else { Some(parse(language, before, candidate)) };
    let Some(was) = was.filter(|was| !was.faults.is_empty() || was.unread) else {
        let verdict = if was_cut(code, &spliced.faults, language, !is_whole_file) {
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
    let outside: Vec<usize> = tree::faults(old, before, language)
        .iter()
        .filter_map(|fault| moved(fault.range.start, &placement.edits))
        .collect();
    let new_outside: Vec<Reason> = tree::faults(new, &placement.after, language)
        .iter()
        .filter(|fault| !inserted(fault.range, &placement.edits))
        .filter(|fault| !outside.contains(&fault.range.start))
        .map(|fault| in_file(fault, candidate))
        .collect();
    let inside_only = !candidate.top_level && !Brackets::of(code, language.family()).is_empty();
    if inside_only {
        return (Verdict::Truncated, unclosed(code, language));
    }
    if !new_outside.is_empty() {
        return (Verdict::Malformed, new_outside);
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

/// The code would close or open a block that is not its own, and what follows in the file makes up for it.
fn swallows(candidate: &Candidate<'_>, language: Language, spliced: &Parsed) -> Option<Decision> {
    if candidate.top_level {
        return None;
    }
    let placement = candidate.placement;
    let tree = spliced.tree.as_ref()?;
    if tree.root_node().has_error() || tree::holds_whole_nodes(tree, &placement.after, placement.inserted) {
        return None;
    }
    // A selection that cut through blocks to begin with may be replaced by one that does.
    let before = candidate.before?;
    let old = tree::parse(language, before)?;
    if !tree::holds_whole_nodes(&old, before, placement.replaced) {
        return None;
    }
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
    let doubled = &spliced.reading.as_ref()?.doubled;
    if doubled.is_empty() {
        return None;
    }
    let was = candidate.before.filter(|before| !before.trim().is_empty());
    let known = was.map(|before| parse(language, before, candidate)).and_then(|was| was.reading);
    let known = known.map(|reading| reading.doubled).unwrap_or_default();
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
        fault.range.start >= end
            || fault.range.end > end
            || (language == Language::Html && fault.range.end >= end)
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
fn in_code(fault: &Fault, code: &str) -> Reason {
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
