//! Namespaces and modules around what a component declares.
//!
//! A model that rewrites one class of a namespace brings the namespace's lines along. They do not stand for the namespace
//! of the file, which holds more: what is in them is placed, each declaration where its namesake is.

use super::Declared;
use super::shell::Source;
use crate::languages::Language;
use crate::merge::indent;
use crate::outline::Kind;

/// Languages in which a module may be opened again, so that two of one name stand beside each other.
pub(super) fn reopen(language: Language) -> bool {
    matches!(language, Language::Cpp | Language::CSharp | Language::Php | Language::Ruby)
}

/// What stands in the one module that the code consists of, where the component is in it and the file has it already.
pub(super) fn unwrapped(
    new: &Source<'_>,
    theirs: &[Declared],
    ours: &[Declared],
    name: &str,
) -> Option<String> {
    if !reopen(new.language) {
        return None;
    }
    let mut top = theirs.iter().filter(|one| one.depth == 0);
    let module = top.next().filter(|one| one.kind == Kind::Module && one.name != name)?;
    let inner = |one: &&Declared| one.depth > 0 && one.name == name;
    if top.next().is_some() || !theirs.iter().any(|one| inner(&one)) || !ours.iter().any(|one| inner(&one)) {
        return None;
    }
    let root = new.tree.as_ref()?.root_node();
    let node = root.descendant_for_byte_range(module.range.start, module.range.end)?;
    let body = node.child_by_field_name("body")?;
    let mut cursor = body.walk();
    let mut parts = body.named_children(&mut cursor);
    let first = parts.next()?;
    let end = parts.last().unwrap_or(first).end_byte();
    // From the beginning of the first line, so that the lines keep their indentation to each other.
    let start = new.text[..first.start_byte()].rfind('\n').map_or(first.start_byte(), |at| at + 1);
    let start =
        if new.text[start..first.start_byte()].trim().is_empty() { start } else { first.start_byte() };
    Some(indent::fit(new.text.get(start..end)?, "", None, Some(new.language)))
}
