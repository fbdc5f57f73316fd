//! Imports that are whole statements: Rust's `use`, Go's and Java's `import`, C#'s and PHP's `use` and `using`, `#include`,
//! `require` in Ruby and Lua.
//!
//! What a component has at its top and the file lacks goes behind the file's last import of the same kind, in the file's
//! first run of imports; what the file has already is left out. Nothing is joined but Go's lists. Where a statement would
//! mean something else at the top of the file (inside of a Rust module, a function, a class of PHP with its traits), or
//! would come only after the code that needs it, it stays where the component has it.

use assist_base::{ByteRange, TextEdit};
use tree_sitter::{Node, Tree};

use super::{Hoisted, PlaceError, without};
use crate::languages::Language;
use crate::merge::chunks;
use crate::merge::layout::{indentation, line_end, line_ending, line_start, next_line};
use crate::{outline, tree};

mod preamble;
mod read;

#[cfg(test)]
mod tests;

use read::{Brought, Statement};

/// Whether this module knows the language.
pub(super) fn is_known(language: Language) -> bool {
    matches!(
        language,
        Language::Rust
            | Language::Go
            | Language::Java
            | Language::CSharp
            | Language::Php
            | Language::C
            | Language::Cpp
            | Language::Ruby
            | Language::Lua
    )
}

/// Whether a line of the text looks like an import: a cheap look before any parsing.
fn shows(text: &str, language: Language) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        match language {
            Language::Rust | Language::Php => line.starts_with("use "),
            Language::Go | Language::Java => line.starts_with("import"),
            Language::CSharp => line.starts_with("using "),
            Language::C | Language::Cpp => line.starts_with('#') && line.contains("include"),
            Language::Ruby => line.starts_with("require"),
            _ => line.contains("require"),
        }
    })
}

/// As [`super::hoist`]. `name` is what the component goes by where it does not replace a selection.
pub(super) fn hoist(
    before: &str,
    code: &str,
    language: Language,
    selection: Option<ByteRange>,
    name: &str,
) -> Option<Result<Hoisted, PlaceError>> {
    let is_open = language != Language::Php || preamble::opens_as_php(before);
    let selected = selection.and_then(|range| range.of(before));
    if !is_open || !shows(code, language) || selected.is_some_and(|selected| shows(selected, language)) {
        return None;
    }
    let leading = leading(code, language);
    if leading.is_empty() {
        return None;
    }
    let ranges: Vec<ByteRange> = leading.iter().map(|one| one.range).collect();
    let rest = without(code, &ranges);
    if rest.is_empty() {
        return None;
    }
    let declared: Vec<String> = match selection {
        Some(_) => Vec::new(),
        None => {
            // A namespace around it is opened again wherever it stands.
            let own = outline::outline(&rest, language);
            let own = own.into_iter().filter(|one| one.depth == 0 && one.kind != outline::Kind::Module);
            own.map(|one| one.name).chain([name.to_owned()]).collect()
        }
    };
    let wanted: Vec<&str> = declared.iter().flat_map(|name| name.split_whitespace()).collect();
    let file = chunks::parse(before, language, &wanted)?;
    let place = match selection {
        Some(range) => Some(trimmed(before, range)),
        None => {
            let all = outline::of_tree(&file, before, language);
            let named = all.into_iter().filter(|one| declared.contains(&one.name));
            named.min_by_key(|one| (one.depth, one.range.start)).map(|one| one.range)
        }
    };
    if place.is_some_and(|place| stays(&file, place, language)) {
        return None;
    }
    let edits = match missing(before, &file, &leading, language) {
        Ok(edits) => edits?,
        Err(error) => return Some(Err(error)),
    };
    // What is only named further down does not reach the code.
    if place.is_some_and(|place| edits.iter().any(|edit| edit.range.start > place.start)) {
        return None;
    }
    Some(Ok(Hoisted { rest, edits }))
}

/// The range without the white space at its edges.
fn trimmed(text: &str, range: ByteRange) -> ByteRange {
    let selected = range.of(text).unwrap_or_default();
    let start = range.start + (selected.len() - selected.trim_start().len());
    ByteRange::new(start, start + selected.trim().len())
}

/// Whether a place lies in something where an import is a statement of its own, or means another thing.
fn stays(file: &Tree, place: ByteRange, language: Language) -> bool {
    let kinds: &[&str] = match language {
        Language::Rust => &["block", "mod_item"],
        Language::Php => &["declaration_list", "namespace_definition"],
        Language::C | Language::Cpp => {
            &["compound_statement", "enumerator_list", "initializer_list", "field_declaration_list"]
        }
        Language::Ruby => &["method", "singleton_method", "block", "do_block", "lambda"],
        Language::Lua => &["block"],
        _ => return false,
    };
    let mut node = file.root_node().descendant_for_byte_range(place.start, place.end);
    while let Some(one) = node {
        let around = one.start_byte() < place.start || place.end < one.end_byte() || one.kind() == "block";
        if around && kinds.contains(&one.kind()) {
            return true;
        }
        node = one.parent();
    }
    false
}

/// The imports at the top of a component.
fn leading(code: &str, language: Language) -> Vec<Statement> {
    let Some(tree) = tree::parse(language, code) else { return Vec::new() };
    let root = tree.root_node();
    let mut cursor = root.walk();
    let mut found = Vec::new();
    for node in root.named_children(&mut cursor) {
        if node.has_error() {
            break;
        }
        match read::statement(node, code, language) {
            Some(one) if !one.stays => found.push(one),
            None if read::is_comment(node) => {}
            // A piece of PHP may begin with its tag.
            None if node.kind() == "php_tag" => {}
            _ => break,
        }
    }
    found
}

/// Where a file has its imports: at its top level, inside of a header's guard, or of the one namespace.
fn region(root: Node<'_>, language: Language) -> Node<'_> {
    let mut cursor = root.walk();
    let mut parts = root.named_children(&mut cursor).filter(|node| !read::is_comment(*node));
    let (first, second) = (parts.next(), parts.next());
    match (language, first, second) {
        (Language::C | Language::Cpp, Some(guard), None) if guard.kind().starts_with("preproc_if") => guard,
        (Language::CSharp, Some(namespace), None) if namespace.kind() == "namespace_declaration" => {
            let body = namespace.child_by_field_name("body");
            let has_own = |body: &Node<'_>| {
                let mut cursor = body.walk();
                body.named_children(&mut cursor).any(|node| node.kind() == "using_directive")
            };
            body.filter(has_own).unwrap_or(root)
        }
        _ => root,
    }
}

/// The edits that bring what the file lacks; `None` where there is no place for it.
fn missing(
    before: &str,
    file: &Tree,
    wanted: &[Statement],
    language: Language,
) -> Result<Option<Vec<TextEdit>>, PlaceError> {
    let region = region(file.root_node(), language);
    let mut cursor = region.walk();
    let children: Vec<Node<'_>> = region.named_children(&mut cursor).collect();
    let read = |node: &Node<'_>| read::statement(*node, before, language);
    let known: Vec<Brought> = children.iter().filter_map(read).flat_map(|one| one.brought).collect();
    let mut lines: Vec<Brought> = Vec::new();
    for statement in wanted {
        let mut lacking = Vec::new();
        for one in &statement.brought {
            if known.iter().chain(&lines).any(|other| other.key == one.key) {
                continue;
            }
            match known.iter().find(|other| other.local.is_some() && other.local == one.local) {
                None => lacking.push(one.clone()),
                // One thing has many paths from inside of its crate.
                Some(other) if other.is_relative || one.is_relative => {}
                Some(other) => {
                    return Err(PlaceError::ImportConflict {
                        name: one.local.clone().unwrap_or_default(),
                        ours: other.key.clone(),
                        theirs: one.key.clone(),
                    });
                }
            }
        }
        match (lacking.len() == statement.brought.len(), lacking.first()) {
            // All of it is new: it comes as it was written.
            (true, Some(first)) if language != Language::Go => {
                lines.push(Brought { text: statement.text.clone(), ..first.clone() });
                // The rest of it is only remembered.
                lines.extend(lacking[1..].iter().map(|one| Brought { text: String::new(), ..one.clone() }));
            }
            _ => lines.extend(lacking),
        }
    }
    lines.retain(|one| !one.text.is_empty());
    if lines.is_empty() {
        return Ok(Some(Vec::new()));
    }
    read::in_quotes_of(&known, &mut lines, language);
    // The first run of imports, with what may stand between them.
    let is_import = |node: &&Node<'_>| read(node).is_some();
    let run: Vec<Brought> = children
        .iter()
        .skip_while(|node| !is_import(node))
        .take_while(|node| is_import(node) || read::may_stand_between(**node, language))
        .filter_map(read)
        .flat_map(|one| one.anchors)
        .collect();
    if run.is_empty() {
        return Ok(first(before, region, &lines, language));
    }
    let mut edits: Vec<TextEdit> = Vec::new();
    for line in &lines {
        let anchor = run.iter().rfind(|one| one.group == line.group).or(run.last());
        let Some(anchor) = anchor else { return Ok(None) };
        let edit = behind(before, anchor, &line.text, language);
        match edits.iter_mut().find(|other| other.range == edit.range) {
            Some(other) => other.text.push_str(&edit.text),
            None => edits.push(edit),
        }
    }
    edits.sort_by_key(|edit| edit.range.start);
    Ok(Some(edits))
}

/// A statement of its own, or an entry of a list, behind one that is there.
fn behind(before: &str, anchor: &Brought, text: &str, language: Language) -> TextEdit {
    let eol = line_ending(before);
    let lead = &before[line_start(before, anchor.range.start)..anchor.range.start];
    if !lead.trim().is_empty() && anchor.is_listed {
        // `import ("a"; "b")`
        return TextEdit { range: ByteRange::at(anchor.range.end), text: format!("; {text}") };
    }
    let statement = if language == Language::Go && !anchor.is_listed {
        format!("import {text}")
    } else {
        text.to_owned()
    };
    let end = line_end(before, anchor.range.end);
    let tail = before[anchor.range.end..end].trim_start();
    let comments = ["//", "#", "--", "/*"];
    let is_free = tail.is_empty()
        || (comments.iter().any(|sign| tail.starts_with(sign))
            && (!tail.starts_with("/*") || tail.trim_end().ends_with("*/")));
    let at = if is_free { end } else { anchor.range.end };
    let gap = format!("{eol}{}", indentation(lead));
    let lines = statement.replace("\r\n", "\n").replace('\n', eol);
    TextEdit { range: ByteRange::at(at), text: format!("{gap}{lines}") }
}

/// The first imports of a file.
fn first(before: &str, region: Node<'_>, lines: &[Brought], language: Language) -> Option<Vec<TextEdit>> {
    let eol = line_ending(before);
    let at = preamble::end(before, region, language)?;
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    let joined = match (language, texts.as_slice()) {
        (Language::Go, [one]) => format!("import {one}"),
        (Language::Go, several) => format!("import (\n\t{}\n)", several.join("\n\t")),
        (_, several) => several.join("\n"),
    };
    let joined = joined.replace("\r\n", "\n").replace('\n', eol);
    let above = before[..at].trim_start_matches('\u{feff}');
    if before[at..].trim().is_empty() {
        // Nothing follows: what is added there brings its own distance.
        let gap = if above.trim().is_empty() { "" } else { &eol.repeat(2) };
        let at = before.trim_end().len();
        return Some(vec![TextEdit { range: ByteRange::at(at), text: format!("{gap}{joined}") }]);
    }
    let is_blank = |line: &str| line.trim().is_empty();
    let gap = match above.lines().next_back() {
        Some(last) if !is_blank(last) => eol,
        _ => "",
    };
    let below = if is_blank(&before[at..next_line(before, at)]) { "" } else { eol };
    Some(vec![TextEdit { range: ByteRange::at(at), text: format!("{gap}{joined}{eol}{below}") }])
}
