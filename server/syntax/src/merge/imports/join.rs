//! Names that join an import which the file has: `import { a } from "m"` gains `b`.

use assist_base::{ByteRange, TextEdit};

use super::{Form, Import, Imported};
use crate::languages::Language;
use crate::merge::layout::{indentation, line_ending};

/// The edit that adds `names` to `known`, a statement of `before`; `None` where they need a statement of their own.
pub(super) fn joined(
    before: &str,
    known: &Import,
    names: &[&Imported],
    language: Language,
) -> Option<TextEdit> {
    let statement = known.range.of(before)?;
    let clause = statement.split(['"', '\'']).next().unwrap_or(statement);
    let comments: &[&str] = if language == Language::Python { &["#", "\\"] } else { &["//", "/*"] };
    if comments.iter().any(|sign| clause.contains(sign)) {
        return None;
    }
    if names.iter().any(|name| name.form == Form::Namespace) {
        return None;
    }
    let named: Vec<&str> =
        names.iter().filter(|name| name.form == Form::Named).map(|name| name.text.as_str()).collect();
    if language == Language::Python {
        return python(before, known, statement, &named);
    }
    let default = names.iter().find(|name| name.form == Form::Default);
    if known.names.iter().any(|name| name.form == Form::Namespace) || known.names.is_empty() {
        return None;
    }
    let has_default = known.names.iter().any(|name| name.form == Form::Default);
    let open = statement.find('{').filter(|&open| open < statement.find(['"', '\'']).unwrap_or(usize::MAX));
    if let Some(default) = default {
        // A type-only import cannot have both.
        if has_default || known.types_only || !named.is_empty() {
            return None;
        }
        let at = known.range.start + open?;
        return Some(TextEdit { range: ByteRange::at(at), text: format!("{}, ", default.text) });
    }
    match open {
        Some(open) => list(before, known, statement, (open, '}'), &named),
        None if known.types_only => None,
        None => {
            // `import D from "m"`
            let name = known.names.iter().find(|name| name.form == Form::Default)?;
            let at = statement.find(&name.text)? + name.text.len();
            let text = format!(", {{ {} }}", named.join(", "));
            Some(TextEdit { range: ByteRange::at(known.range.start + at), text })
        }
    }
}

fn python(before: &str, known: &Import, statement: &str, named: &[&str]) -> Option<TextEdit> {
    let star = known.names.iter().any(|name| name.text == "*");
    if !statement.starts_with("from") || star || named.is_empty() {
        return None;
    }
    match statement.find('(') {
        Some(open) => list(before, known, statement, (open, ')'), named),
        None => {
            let at = known.range.start + statement.trim_end().len();
            Some(TextEdit { range: ByteRange::at(at), text: format!(", {}", named.join(", ")) })
        }
    }
}

/// Adds names to a list in brackets, in its own layout.
fn list(
    before: &str,
    known: &Import,
    statement: &str,
    (open, closes): (usize, char),
    named: &[&str],
) -> Option<TextEdit> {
    let close = open + statement[open..].find(closes)?;
    let inner = &statement[open + 1..close];
    let kept = inner.trim_end();
    let at = ByteRange::at(known.range.start + open + 1 + kept.len());
    let comma = kept.ends_with(',');
    if kept.trim().is_empty() {
        return Some(TextEdit { range: at, text: format!(" {} ", named.join(", ")) });
    }
    let text = if inner.contains('\n') {
        let last = kept.lines().next_back().unwrap_or_default();
        let gap = format!("{}{}", line_ending(before), indentation(last));
        let added: Vec<String> = named.iter().map(|name| format!("{gap}{name}")).collect();
        let added = added.join(",");
        if comma { format!("{added},") } else { format!(",{added}") }
    } else if comma {
        format!(" {},", named.join(", "))
    } else {
        format!(", {}", named.join(", "))
    };
    Some(TextEdit { range: at, text })
}
