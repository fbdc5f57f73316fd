//! tree-sitter: parsers kept per thread, and what their error nodes say.

use std::cell::RefCell;

use assist_base::ByteRange;
use tree_sitter::{Node, Parser, Tree};

use crate::languages::{COUNT, Language};

thread_local! {
    /// Building a parser costs more than parsing a small component: each thread keeps its own.
    static PARSERS: RefCell<[[Option<Parser>; 2]; COUNT]> = const { RefCell::new([const { [None, None] }; COUNT]) };
}

/// Something that a parser did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where; empty for something missing.
    pub range: ByteRange,
    /// In plain words, without a place.
    pub message: String,
}

/// How many faults are reported of one text; more would not help anyone.
pub(crate) const MAX_FAULTS: usize = 20;

/// The tree of `text`, or `None` where the grammar cannot be loaded.
pub(crate) fn parse(language: Language, text: &str) -> Option<Tree> {
    parse_parts(language, text, &[])
}

/// As [`parse`], of nothing but these parts of the text, which are in order; of all of it where there is none.
pub(crate) fn parse_parts(language: Language, text: &str, parts: &[tree_sitter::Range]) -> Option<Tree> {
    PARSERS.with_borrow_mut(|parsers| {
        let grammar = language.grammar_of(text);
        let parser = match &mut parsers[language.index()][grammar] {
            Some(parser) => parser,
            empty => {
                let mut parser = Parser::new();
                parser.set_language(language.grammars().get(grammar)?).ok()?;
                empty.insert(parser)
            }
        };
        parser.set_included_ranges(parts).ok()?;
        let tree = parser.parse(text, None);
        if !parts.is_empty() {
            parser.set_included_ranges(&[]).ok()?;
        }
        tree
    })
}

/// The error and missing nodes of a tree, outermost first, in order of place.
pub(crate) fn faults(tree: &Tree, text: &str, language: Language) -> Vec<Fault> {
    let mut found = Vec::new();
    if !tree.root_node().has_error() && !language.is_markup() {
        return found;
    }
    let mut cursor = tree.walk();
    'walk: loop {
        let node = cursor.node();
        // A stray end tag of HTML is a node of its own, not an error.
        let mut descend = node.has_error() || language.is_markup();
        if node.kind() == "erroneous_end_tag" {
            found.push(Fault {
                range: node.byte_range().into(),
                message: "this tag closes nothing".to_owned(),
            });
            descend = false;
        } else if node.is_missing() {
            found.push(Fault { range: node.byte_range().into(), message: missing(node) });
            descend = false;
        } else if node.is_error() {
            found.push(Fault { range: node.byte_range().into(), message: unexpected(node, text, language) });
            descend = false;
        }
        if found.len() >= MAX_FAULTS {
            break;
        }
        if descend && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                break 'walk;
            }
        }
    }
    if found.is_empty() && tree.root_node().has_error() && !language.is_markup() {
        // Some missing tokens have no node that a cursor visits.
        let message = "something is not closed".to_owned();
        found.push(Fault { range: ByteRange::at(tree.root_node().end_byte()), message });
    }
    found
}

fn missing(node: Node<'_>) -> String {
    let what = node.kind();
    if what.contains("end_tag") {
        return "an end tag is missing here".to_owned();
    }
    if node.is_named() {
        format!("{} is missing here", article(what))
    } else {
        format!("`{what}` is missing here")
    }
}

fn article(kind: &str) -> String {
    let words = kind.replace('_', " ");
    let vowel = words.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {words}", if vowel { "an" } else { "a" })
}

fn unexpected(node: Node<'_>, text: &str, language: Language) -> String {
    let piece = text.get(node.byte_range()).unwrap_or_default().trim();
    let piece = piece.lines().next().unwrap_or_default().trim();
    if piece.is_empty() {
        return format!("this is not valid {}", language.name());
    }
    let short: String = piece.chars().take(40).collect();
    let dots = if short.len() < piece.len() { "…" } else { "" };
    format!("`{short}{dots}` is not valid {} here", language.name())
}

/// An upper bound of how deep the tree goes: exact above `enough`, and at most `enough` where it goes no deeper.
///
/// A node with few descendants cannot be deep, so most of a usual tree is never looked at.
pub(crate) fn depth(tree: &Tree, enough: usize) -> usize {
    let mut cursor = tree.walk();
    // Counted here: the cursor counts its way up anew each time it is asked.
    let mut depth = 1_usize;
    let mut deepest = 0;
    loop {
        let below = cursor.node().descendant_count();
        if depth + below > enough {
            deepest = deepest.max(depth);
            if cursor.goto_first_child() {
                depth += 1;
                continue;
            }
        } else {
            deepest = deepest.max(depth + below);
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return deepest;
            }
            depth = depth.saturating_sub(1);
        }
    }
}

/// The ranges of the outermost error nodes.
pub(crate) fn misplaced(tree: &Tree) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    if !tree.root_node().has_error() {
        return found;
    }
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            found.push(node.byte_range());
        } else if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return found;
            }
        }
    }
}

/// The first node, outer before inner, that is as asked.
pub(crate) fn find<'t>(tree: &'t Tree, wanted: impl Fn(Node<'t>) -> bool) -> Option<Node<'t>> {
    let mut cursor = tree.walk();
    loop {
        if wanted(cursor.node()) {
            return Some(cursor.node());
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return None;
            }
        }
    }
}

/// Whether `range` holds whole nodes only: nothing that starts inside ends outside, or the other way round.
pub(crate) fn holds_whole_nodes(tree: &Tree, text: &str, range: ByteRange) -> bool {
    let Some(inner) = range.of(text) else { return false };
    let start = range.start + (inner.len() - inner.trim_start().len());
    let end = start + inner.trim().len();
    if start >= end {
        return true;
    }
    let Some(around) = tree.root_node().descendant_for_byte_range(start, end) else { return false };
    let mut cursor = around.walk();
    if around.start_byte() == start && around.end_byte() == end {
        return true;
    }
    around.children(&mut cursor).all(|child| {
        let (from, to) = (child.start_byte(), child.end_byte());
        to <= start || from >= end || (start <= from && to <= end)
    })
}
