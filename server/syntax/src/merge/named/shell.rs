//! What surrounds a declaration: comments above it, decorators, `export`.
//!
//! The new code's own count; where it has none, those of the old one stay.

use std::ops::Range;

use assist_base::ByteRange;
use tree_sitter::{Node, Tree};

use crate::languages::Language;
use crate::merge::layout::{line_start, next_line};

/// A text and its tree.
pub(super) struct Source<'t> {
    pub text: &'t str,
    pub language: Language,
    pub tree: Option<Tree>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Export {
    Named,
    Default,
}

/// The surroundings of one declaration.
pub(super) struct Shell {
    /// Decorators, from the first to the end of the last.
    decorators: Option<Range<usize>>,
    export: Option<(Export, Range<usize>)>,
    /// Where the declaration itself begins: `class`, `function`, `const`, `def`.
    core: usize,
    /// What kind of node the declaration is.
    core_kind: String,
    /// Comments and attributes directly above.
    lead: Option<Range<usize>>,
}

impl Shell {
    fn of(source: &Source<'_>, range: ByteRange) -> Option<Self> {
        let outer = outermost(source, range)?;
        let mut shell = Self {
            decorators: None,
            export: None,
            core: outer.start_byte(),
            core_kind: outer.kind().to_owned(),
            lead: None,
        };
        shell.peel(outer);
        shell.lead = lead(source, outer);
        Some(shell)
    }

    /// Looks through `export` and decorators to the declaration.
    fn peel(&mut self, node: Node<'_>) {
        let mut cursor = node.walk();
        let mut export_start = None;
        for child in node.children(&mut cursor) {
            match child.kind() {
                "decorator" => {
                    let range = child.byte_range();
                    let start = self.decorators.as_ref().map_or(range.start, |known| known.start);
                    self.decorators = Some(start..range.end);
                }
                "export" => {
                    export_start = Some(child.start_byte());
                    self.export = Some((Export::Named, child.byte_range()));
                }
                "default" => {
                    if let Some(start) = export_start {
                        self.export = Some((Export::Default, start..child.end_byte()));
                    }
                }
                "comment" => {}
                _ if matches!(node.kind(), "export_statement" | "decorated_definition")
                    && child.is_named() =>
                {
                    self.core = child.start_byte();
                    self.core_kind = child.kind().to_owned();
                    return self.peel(child);
                }
                // A class's own decorators come before its keyword.
                _ => {
                    self.core = child.start_byte();
                    return;
                }
            }
        }
    }
}

/// The widest node that begins and ends with the declaration, or the statement at the top level that begins with it.
fn outermost<'t>(source: &'t Source<'_>, range: ByteRange) -> Option<Node<'t>> {
    let root = source.tree.as_ref()?.root_node();
    let mut found = root.descendant_for_byte_range(range.start, range.end)?;
    let same = |node: Node<'_>| ByteRange::from(node.byte_range()) == range;
    while let Some(parent) = found.parent().filter(|parent| same(*parent) && *parent != root) {
        found = parent;
    }
    if same(found) && found != root {
        return Some(found);
    }
    let mut cursor = root.walk();
    let child = root.named_children(&mut cursor).find(|node| node.end_byte() > range.start);
    child.filter(|child| child.start_byte() == range.start)
}

/// Comments and attributes directly above a declaration, with no blank line between.
fn lead(source: &Source<'_>, outer: Node<'_>) -> Option<Range<usize>> {
    let mut first = outer;
    let mut found = None;
    while let Some(above) = first.prev_sibling() {
        let is_lead =
            above.kind().ends_with("comment") || matches!(above.kind(), "attribute_item" | "decorator");
        // Rust's doc comments hold their line's end.
        let between = source.text.get(above.end_byte()..first.start_byte()).unwrap_or("\n\n");
        let own_line =
            source.text[line_start(source.text, above.start_byte())..above.start_byte()].trim().is_empty();
        let held_end = source.text[..above.end_byte()].ends_with('\n');
        let breaks = between.matches('\n').count() + usize::from(held_end);
        if !is_lead || !own_line || breaks > 1 {
            break;
        }
        found = Some(above.start_byte()..outer.start_byte());
        first = above;
    }
    found
}

/// Words of comments that speak to tools or lawyers rather than of the declaration: those stay.
const KEPT_COMMENTS: [&str; 8] =
    ["license", "copyright", "spdx", "eslint-disable ", "@ts-nocheck", "@jsx", "#!", "coding:"];

/// The range of the file that `text` replaces, and the text with what the old declaration had and the new one lacks.
pub(super) fn dress(
    file: &Source<'_>,
    old_range: ByteRange,
    text: &str,
    name: &str,
    replaced: &[ByteRange],
) -> (ByteRange, String) {
    let new = Source::new(text, file.language);
    let new_range = super::declared(&new).into_iter().find(|one| one.name == name).map(|one| one.range);
    let (Some(old), Some(new_range)) = (Shell::of(file, old_range), new_range) else {
        return (old_range, text.to_owned());
    };
    let Some(shell) = Shell::of(&new, new_range) else { return (old_range, text.to_owned()) };
    let mut text = text.to_owned();
    if let (Some((export, _)), None) = (&old.export, &shell.export)
        && file.language.is_ecma()
        && !exports_elsewhere(&new, name, None, &[])
        && !exports_elsewhere(file, name, None, replaced)
    {
        let takes_default = matches!(
            shell.core_kind.as_str(),
            "function_declaration"
                | "generator_function_declaration"
                | "class_declaration"
                | "abstract_class_declaration"
                | "interface_declaration"
        );
        match export {
            Export::Named => text.insert_str(shell.core, "export "),
            Export::Default if takes_default => text.insert_str(shell.core, "export default "),
            Export::Default => {
                text.push_str(&format!("\n\nexport default {name};"));
            }
        }
    }
    if let (Some(decorators), None) = (&old.decorators, &shell.decorators)
        && let Some(kept) = file.text.get(decorators.clone())
    {
        text.insert_str(new_range.start, &format!("{}\n", kept.replace("\r\n", "\n")));
    }
    let mut range = old_range;
    if let (Some(above), Some(_)) = (&old.lead, &shell.lead) {
        let words = file.text.get(above.clone()).unwrap_or_default().to_lowercase();
        if !KEPT_COMMENTS.iter().any(|word| words.contains(word)) {
            range.start = above.start.min(range.start);
        }
    }
    (range, text)
}

/// Whether a statement other than the declaration exports the name: `export { Hero }`, `export default Hero`.
fn exports_elsewhere(source: &Source<'_>, name: &str, only: Option<Export>, outside: &[ByteRange]) -> bool {
    let Some(tree) = &source.tree else { return false };
    let root = tree.root_node();
    let mut cursor = root.walk();
    root.named_children(&mut cursor)
        .filter(|node| node.kind() == "export_statement" && node.child_by_field_name("declaration").is_none())
        .filter(|node| node.child_by_field_name("source").is_none())
        .filter(|node| !outside.iter().any(|range| range.touches(node.byte_range().into())))
        .any(|node| {
            if let Some(value) = node.child_by_field_name("value") {
                return only != Some(Export::Named) && source.text.get(value.byte_range()) == Some(name);
            }
            only != Some(Export::Default) && exported_names(node, source.text).any(|known| known == name)
        })
}

/// Whether the function declared at `start` is a head without a body: an overload, or an answer that left the body out.
pub(super) fn is_head(source: &Source<'_>, start: usize) -> bool {
    let Some(tree) = &source.tree else { return false };
    let root = tree.root_node();
    let mut cursor = root.walk();
    let found = root.named_children(&mut cursor).find(|node| node.end_byte() > start);
    let declared = found.and_then(|node| match node.kind() {
        "export_statement" => node.child_by_field_name("declaration"),
        _ => Some(node),
    });
    declared.is_some_and(|node| node.kind() == "function_signature")
}

/// The names under which `export { a, b as c }` exports: an alias is another export than the name it stands for.
fn exported_names<'t>(statement: Node<'t>, text: &'t str) -> impl Iterator<Item = &'t str> {
    let children = |node: Node<'t>| -> Vec<Node<'t>> {
        let mut cursor = node.walk();
        node.named_children(&mut cursor).collect()
    };
    let clause = children(statement).into_iter().find(|child| child.kind() == "export_clause");
    clause.map(children).unwrap_or_default().into_iter().filter_map(move |one| {
        let name = one.child_by_field_name("alias").or_else(|| one.child_by_field_name("name"))?;
        text.get(name.byte_range())
    })
}

/// Statements of the component that the file has already, word for word, outside what is replaced: `export default
/// Hero;` at the end, a display name, a main guard.
pub(super) fn repeated_statements(
    new: &Source<'_>,
    file: &Source<'_>,
    replaced: &[ByteRange],
) -> Vec<Range<usize>> {
    let (Some(tree), Some(file_tree)) = (&new.tree, &file.tree) else { return Vec::new() };
    let is_loose = |node: &Node<'_>| match node.kind() {
        "export_statement" => node.child_by_field_name("declaration").is_none(),
        kind => kind == "expression_statement" || kind == "if_statement",
    };
    let words = |text: &str| text.trim().trim_end_matches(';').replace("\r\n", "\n");
    let root = file_tree.root_node();
    let mut cursor = root.walk();
    let known: Vec<String> = root
        .named_children(&mut cursor)
        .filter(is_loose)
        .filter(|node| !replaced.iter().any(|range| range.touches(node.byte_range().into())))
        .filter_map(|node| file.text.get(node.byte_range()).map(words))
        .collect();
    let root = tree.root_node();
    let mut cursor = root.walk();
    root.named_children(&mut cursor)
        .filter(is_loose)
        .filter(|node| new.text.get(node.byte_range()).is_some_and(|text| known.contains(&words(text))))
        .map(|node| node.byte_range())
        .collect()
}

/// A part of the text without the statements that are dropped, and without their lines.
pub(super) fn without(source: &Source<'_>, part: Range<usize>, drops: &[Range<usize>]) -> String {
    let text = source.text;
    let mut out = String::new();
    let mut at = part.start;
    for drop in drops.iter().filter(|drop| drop.start >= part.start && drop.end <= part.end) {
        let start = line_start(text, drop.start).max(at);
        let end = next_line(text, drop.end).min(part.end);
        let alone = text[start..drop.start].trim().is_empty()
            && text[drop.end..end].trim().trim_matches(';').is_empty();
        let (start, end) = if alone { (start, end) } else { (drop.start.max(at), drop.end) };
        out.push_str(&text[at..start]);
        at = end;
    }
    out.push_str(&text[at..part.end.max(at)]);
    out
}

/// Takes `export` from a declaration that the file already exports in another statement.
pub(super) fn without_double_export(
    new: &Source<'_>,
    file: &Source<'_>,
    name: &str,
    range: ByteRange,
    text: String,
    replaced: &[ByteRange],
) -> String {
    if !file.language.is_ecma() {
        return text;
    }
    let Some(shell) = Shell::of(new, range) else { return text };
    let Some((export, _)) = shell.export else { return text };
    if !exports_elsewhere(file, name, Some(export), replaced) {
        return text;
    }
    // The text is a part of the source, cut at declarations: the declaration is found in it again by its words.
    let Some(outer) = new.text.get(range.start..shell.core) else { return text };
    let Some(core) = new.text.get(shell.core..range.end) else { return text };
    match text.find(&format!("{outer}{core}")) {
        Some(at) => {
            let bare = outer.replacen("export default ", "", 1).replacen("export ", "", 1);
            format!("{}{bare}{}", &text[..at], &text[at + outer.len()..])
        }
        None => text,
    }
}
