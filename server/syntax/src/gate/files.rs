//! What the deciding parsers have against a whole text: the grammar's errors, what the grammar lets pass though no reader
//! of the language would, and the errors of the code that is embedded in it.

use assist_base::ByteRange;
use tree_sitter::{Node, Tree};

use super::{Fault, Reason, branches, reason};
use crate::brackets::Brackets;
use crate::ecma::{self, Doubled, Reading};
use crate::injection;
use crate::languages::{Language, Trust};
use crate::{rust, tree};

/// A text with all that the parsers say of it.
pub(super) struct Parsed {
    pub tree: Option<Tree>,
    /// What the deciding parser has against it.
    pub faults: Vec<Fault>,
    /// No parser could read it.
    pub unread: bool,
    /// What oxc says, where the whole text is its.
    pub reading: Option<Reading>,
    /// Names that stand for two things, in embedded code, too.
    pub doubled: Vec<Doubled>,
}

/// What the deciding parser has against a whole file. `declarations`: it is a `.d.ts`.
pub(in crate::gate) fn faults(language: Language, text: &str, declarations: bool) -> Vec<Reason> {
    let parsed = parse(language, text, declarations);
    if parsed.unread {
        return reason("No parser could read it.", None);
    }
    parsed.faults.iter().map(|fault| super::syntax::in_code(fault, text)).collect()
}

/// Reads a text. `declarations`: it may be a `.d.ts`.
pub(super) fn parse(language: Language, text: &str, declarations: bool) -> Parsed {
    let tree = tree_of(language, text);
    if language.is_ecma() {
        let reading = ecma::read(language, text, declarations, tree.as_ref());
        let (faults, doubled) = (reading.faults.clone(), reading.doubled.clone());
        return Parsed { tree, faults, unread: reading.too_deep, reading: Some(reading), doubled };
    }
    let Some(tree) = tree else {
        return Parsed { tree: None, faults: Vec::new(), unread: true, reading: None, doubled: Vec::new() };
    };
    let mut parsed = Parsed {
        faults: own_faults(language, &tree, text),
        tree: None,
        unread: false,
        reading: None,
        doubled: Vec::new(),
    };
    for inner in injection::embedded(&tree, text, language).into_iter().filter(|inner| inner.judged) {
        embedded(&mut parsed, inner, text);
    }
    parsed.faults.sort_by_key(|fault| fault.range.start);
    parsed.tree = Some(tree);
    parsed
}

/// The tree that errors are looked for in: of one configuration of the text, where there are several.
pub(super) fn tree_of(language: Language, text: &str) -> Option<Tree> {
    tree::parse(language, &branches::first(language, text))
}

/// How far a grammar can be relied on for a text: one that another program is to make the file from first, is not yet in
/// the language.
pub(super) fn trust(language: Language, text: &str) -> Trust {
    let tags: &[&str] = match language {
        Language::Yaml | Language::Toml | Language::Dockerfile | Language::Sql => &["{{", "{%", "<%"],
        Language::Html => &["{{", "{%", "<%", "<?"],
        Language::Vue | Language::Svelte => &["{%", "<%"],
        _ => &[],
    };
    if tags.iter().any(|tag| text.contains(tag)) { Trust::Advises } else { language.trust() }
}

/// Adds what is wrong with a piece of embedded code.
fn embedded(parsed: &mut Parsed, inner: injection::Embedded, text: &str) {
    let Some(code) = inner.range.of(text) else { return };
    let shift = inner.range.start;
    if inner.language == Language::Css {
        if let Some(open) = Brackets::of(code, inner.language.family()).last() {
            let at = code.lines().take(open.line - 1).map(|line| line.len() + 1).sum::<usize>() + shift;
            let message = format!("{} is not closed in the style", lower(open.kind.words()));
            parsed.faults.push(Fault { range: ByteRange::at(at.min(inner.range.end)), message });
        }
        return;
    }
    let found = parse(inner.language, code, false);
    parsed.unread |= found.unread;
    parsed.faults.extend(found.faults.into_iter().map(|fault| Fault {
        range: ByteRange::new(fault.range.start + shift, fault.range.end + shift),
        message: fault.message,
    }));
    parsed.doubled.extend(found.doubled.into_iter().map(|one| Doubled { at: one.at + shift, ..one }));
}

fn lower(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Where the trees have errors, embedded code's included: what can be compared before and after an edit, even where the
/// deciding parser stops at its first error.
pub(super) fn broken_places(language: Language, tree: &Tree, text: &str) -> Vec<Fault> {
    if language == Language::Markdown {
        return own_faults(language, tree, text);
    }
    let mut found = tree::faults(tree, text, language);
    for inner in injection::embedded(tree, text, language).into_iter().filter(|inner| inner.judged) {
        let Some(code) = inner.range.of(text).filter(|_| inner.language != Language::Css) else { continue };
        let Some(tree) = tree::parse(inner.language, code) else { continue };
        found.extend(tree::faults(&tree, code, inner.language).into_iter().map(|fault| Fault {
            range: ByteRange::new(fault.range.start + inner.range.start, fault.range.end + inner.range.start),
            message: fault.message,
        }));
    }
    found.sort_by_key(|fault| fault.range.start);
    found
}

/// What is wrong with the text apart from what is embedded in it.
fn own_faults(language: Language, tree: &Tree, text: &str) -> Vec<Fault> {
    if language == Language::Markdown {
        // Any text is a document; what the grammar stumbles over is not the writer's mistake.
        return open_fence(tree, text).into_iter().collect();
    }
    let mut faults = tree::faults(tree, text, language);
    if language == Language::Rust && !faults.is_empty() && rust::accepts(text, tree) {
        faults.clear();
    }
    if language.is_markup() {
        faults.retain(|fault| !is_known_gap(fault, text, language));
    }
    if faults.is_empty() {
        match language {
            Language::Json => faults.extend(extra_value(tree)),
            Language::Python => faults.extend(empty_block(tree)),
            Language::Html | Language::Vue | Language::Svelte => {
                faults.extend(unclosed_element(tree, text, language));
                faults.extend(no_element(tree));
            }
            _ => {}
        }
    }
    faults
}

/// What the grammars of markup reject though it is right.
fn is_known_gap(fault: &Fault, text: &str, language: Language) -> bool {
    let piece = fault.range.of(text).unwrap_or_default().trim_start();
    // The grammars want every `&` to begin an entity; browsers and people do not.
    if piece.starts_with('&') && !piece.contains(['<', '>']) {
        return true;
    }
    match language {
        // `<Calendar.Prev>`
        Language::Vue => {
            let head = text.get(..fault.range.start).unwrap_or_default();
            let name = head.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
            let tag = head[..head.len() - name.len()].ends_with(['<', '/', '.']) && !name.is_empty();
            let member = |rest: &str| rest.chars().all(|letter| letter.is_alphanumeric() || letter == '.');
            tag && piece.strip_prefix('.').is_some_and(|rest| !rest.is_empty() && member(rest.trim_end()))
        }
        // `{@attach …}` among attributes
        Language::Svelte => {
            piece.starts_with("{@attach ") && Brackets::balanced(piece, Language::TypeScript.family())
        }
        _ => false,
    }
}

/// A fence that is open at the end of a document. That is allowed, but it is how a document looks that was cut.
fn open_fence(tree: &Tree, text: &str) -> Option<Fault> {
    let end = text.trim_end().len();
    let fence = tree::find(tree, |node| {
        let mut cursor = node.walk();
        node.kind() == "fenced_code_block"
            && node.end_byte() >= end
            && node
                .children(&mut cursor)
                .filter(|child| child.kind() == "fenced_code_block_delimiter")
                .count()
                < 2
    })?;
    Some(Fault { range: fence.byte_range().into(), message: "a code fence is not closed".to_owned() })
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
fn unclosed_element(tree: &Tree, text: &str, language: Language) -> Option<Fault> {
    // In HTML letters' case means nothing; elsewhere `Link` is a component.
    let name = |node: Node<'_>| {
        let tag = node.child(0).filter(|tag| tag.kind() == "start_tag")?;
        let name = text.get(tag.named_child(0)?.byte_range())?;
        Some(if language == Language::Html { name.to_ascii_lowercase() } else { name.to_owned() })
    };
    let found = tree::find(tree, |node| {
        let ends =
            || node.child(node.child_count().saturating_sub(1)).is_some_and(|last| last.kind() == "end_tag");
        matches!(node.kind(), "element" | "template_element")
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
