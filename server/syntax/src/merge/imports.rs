//! Imports at the top of a component: only what the file lacks is added, to an import of the same module or after the
//! file's last one, in the file's own style.
//!
//! JavaScript, TypeScript and Python here, languages whose imports are whole statements in `statements`; in all others imports
//! stay where the component has them. Nothing here looks at the disk: modules are the same where their names lead to one place ([`Project`]), or, where that is not known, by the
//! last segment of their names.

use assist_base::{ByteRange, TextEdit};
use tree_sitter::{Node, Tree};

use super::layout::{line_end, line_ending, next_line};
use super::project::Project;
use super::{PlaceError, chunks, trim_blank_lines};
use crate::languages::Language;
use crate::tree;

mod join;
mod statements;
mod unused;

pub(crate) use unused::unused;

/// One import statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The module it names.
    pub source: String,
    /// What it binds; empty where it is imported for its effect.
    pub names: Vec<Imported>,
    /// Where it stands.
    pub range: ByteRange,
    /// TypeScript's `import type`.
    pub types_only: bool,
}

/// A name that an import binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// As written: `Hero`, `{ Hero as Big }` without the braces, `* as React`.
    pub text: String,
    /// The name in this file.
    pub local: String,
    /// How it is imported.
    pub form: Form,
}

/// How a name is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `import Hero from`
    Default,
    /// `import * as Hero from`, or Python's `import hero`
    Namespace,
    /// `import { Hero } from`, or Python's `from … import`
    Named,
}

/// The imports at the top level of a text, in order; none for languages this module does not know.
pub fn imports(text: &str, language: Language) -> Vec<Import> {
    tree::parse(language, text).map_or_else(Vec::new, |tree| of_tree(&tree, text, language))
}

pub(super) fn of_tree(tree: &Tree, text: &str, language: Language) -> Vec<Import> {
    let root = tree.root_node();
    let mut cursor = root.walk();
    root.named_children(&mut cursor).filter_map(|node| import(node, text, language)).collect()
}

/// The imports of the file, for what nothing else of it matters.
fn known(before: &str, language: Language) -> Vec<Import> {
    chunks::parse(before, language, &[]).map_or_else(Vec::new, |tree| of_tree(&tree, before, language))
}

/// The edits that add `statement`, an import, to `before` in the file's own style; none where everything that it binds is
/// bound already, or the language is none of those above.
///
/// # Errors
/// [`PlaceError::ImportConflict`] when the file has one of the names from elsewhere.
pub fn add_import(before: &str, language: Language, statement: &str) -> Result<Vec<TextEdit>, PlaceError> {
    let wanted = leading(statement, language);
    missing(before, statement, &wanted, language, &Project::default())
}

/// A component without the imports at its top.
pub(super) struct Hoisted {
    /// What is left of the code.
    pub rest: String,
    /// Add what the file lacks, in order of place; none where it lacks nothing.
    pub edits: Vec<TextEdit>,
}

/// Takes the imports at the top of `code`, a component called `name`, out of it. `None` where there are none, where the
/// language is not known here, or where the selection that is replaced has imports itself, so that they belong in place.
pub(super) fn hoist(
    before: &str,
    code: &str,
    language: Language,
    selection: Option<ByteRange>,
    name: &str,
    project: &Project,
) -> Option<Result<Hoisted, PlaceError>> {
    if statements::is_known(language) {
        return statements::hoist(before, code, language, selection, name);
    }
    let starts =
        |text: &str| text.lines().any(|line| line.starts_with("import") || line.starts_with("from "));
    if !(language.is_ecma() || language == Language::Python) || !starts(code) {
        return None;
    }
    if selection.and_then(|range| range.of(before)).is_some_and(|selected| {
        selected
            .lines()
            .any(|line| line.trim_start().starts_with("import") || line.trim_start().starts_with("from "))
    }) {
        return None;
    }
    let leading = leading(code, language);
    if leading.is_empty() {
        return None;
    }
    let ranges: Vec<ByteRange> = leading.iter().map(|one| one.range).collect();
    let rest = without(code, &ranges);
    Some(missing(before, code, &leading, language, project).map(|edits| Hoisted { rest, edits }))
}

/// Code without these statements and the lines that they leave empty.
fn without(code: &str, statements: &[ByteRange]) -> String {
    let mut rest = String::with_capacity(code.len());
    let mut at = 0;
    for one in statements {
        rest.push_str(&code[at..one.start.max(at)]);
        at = next_line(code, one.end);
        // What follows on the same line stays.
        if !code[one.end..at].trim().is_empty() {
            at = one.end;
        }
    }
    rest.push_str(&code[at..]);
    trim_blank_lines(&rest).to_owned()
}

fn leading(code: &str, language: Language) -> Vec<Import> {
    let Some(tree) = tree::parse(language, code) else { return Vec::new() };
    let root = tree.root_node();
    let mut cursor = root.walk();
    let mut found = Vec::new();
    for node in root.named_children(&mut cursor) {
        match import(node, code, language) {
            Some(one) => found.push(one),
            None if node.kind() == "comment" || is_string_statement(node) => {}
            None => break,
        }
    }
    found
}

/// The edits that bind what `before` does not bind yet: names that join an import of their module, and new statements.
fn missing(
    before: &str,
    code: &str,
    wanted: &[Import],
    language: Language,
    project: &Project,
) -> Result<Vec<TextEdit>, PlaceError> {
    let known = known(before, language);
    let mut lines: Vec<String> = Vec::new();
    // Which names join which of the file's imports.
    let mut joins: Vec<(usize, Vec<&Imported>)> = Vec::new();
    for import in wanted {
        let same = |one: &Import| match language {
            Language::Python => one.source == import.source,
            _ => project.same(&one.source, &import.source),
        };
        if import.names.is_empty() {
            if !known.iter().any(same) {
                lines.push(styled(import, &code[import.range.as_range()], &known, before, language, project));
            }
            continue;
        }
        let mut lacking = Vec::new();
        for name in &import.names {
            let bound = known.iter().find(|one| one.names.iter().any(|other| other.local == name.local));
            match bound {
                None => lacking.push(name),
                Some(one) if project.same(&one.source, &import.source) => {}
                Some(one) => {
                    return Err(PlaceError::ImportConflict {
                        name: name.local.clone(),
                        ours: one.source.clone(),
                        theirs: import.source.clone(),
                    });
                }
            }
        }
        if lacking.is_empty() {
            continue;
        }
        // Only what is certainly the same module is joined.
        let certain = |one: &Import| {
            one.source == import.source
                || project
                    .resolve(&one.source)
                    .is_some_and(|path| Some(path) == project.resolve(&import.source))
        };
        let takes = |one: &Import, lacking: &[&Imported]| {
            certain(one)
                && one.types_only == import.types_only
                && join::joined(before, one, lacking, language).is_some()
        };
        let open = |at: usize| joins.iter().find(|(known, _)| *known == at);
        let at = (0..known.len()).find(|&at| {
            let mut all = open(at).map(|(_, names)| names.clone()).unwrap_or_default();
            all.extend(&lacking);
            takes(&known[at], &all)
        });
        if let Some(at) = at {
            match joins.iter_mut().find(|(known, _)| *known == at) {
                Some((_, names)) => names.extend(lacking),
                None => joins.push((at, lacking)),
            }
        } else if lacking.len() == import.names.len() {
            lines.push(styled(import, &code[import.range.as_range()], &known, before, language, project));
        } else {
            lines.push(styled(
                import,
                &rebuilt(import, &lacking, language),
                &known,
                before,
                language,
                project,
            ));
        }
    }
    let mut edits: Vec<TextEdit> =
        joins.iter().filter_map(|(at, names)| join::joined(before, &known[*at], names, language)).collect();
    if !lines.is_empty() {
        edits.push(insertion(before, &lines, &known, language));
    }
    edits.sort_by_key(|edit| edit.range.start);
    Ok(edits)
}

/// An import of only some of its names.
fn rebuilt(import: &Import, names: &[&Imported], language: Language) -> String {
    let list = |form: Form| {
        let of: Vec<&str> =
            names.iter().filter(|name| name.form == form).map(|name| name.text.as_str()).collect();
        of.join(", ")
    };
    if language == Language::Python {
        let named = list(Form::Named);
        return if named.is_empty() {
            format!("import {}", list(Form::Namespace))
        } else {
            format!("from {} import {named}", import.source)
        };
    }
    let named = list(Form::Named);
    let named = if named.is_empty() { named } else { format!("{{ {named} }}") };
    let clause = [list(Form::Default), list(Form::Namespace), named];
    let clause: Vec<String> = clause.into_iter().filter(|part| !part.is_empty()).collect();
    let types = if import.types_only { "type " } else { "" };
    format!("import {types}{} from \"{}\";", clause.join(", "), import.source)
}

/// An import in the file's style: its quotes, its semicolons, its way to name modules.
fn styled(
    import: &Import,
    text: &str,
    known: &[Import],
    before: &str,
    language: Language,
    project: &Project,
) -> String {
    let text = text.trim();
    if !language.is_ecma() {
        return text.to_owned();
    }
    let mut text = text.to_owned();
    let spelled = project.spelled(&import.source, known);
    if let Some(at) = text.rfind(&import.source).filter(|_| spelled != import.source) {
        text.replace_range(at..at + import.source.len(), &spelled);
    }
    let Some(style) = Style::of(known, before) else { return text };
    let mut text = text.trim_end_matches(';').to_owned();
    let (quote, other) = if style.single { ('\'', '"') } else { ('"', '\'') };
    if !text.contains(quote) {
        text = text.replace(other, &quote.to_string());
    }
    if style.semicolon {
        text.push(';');
    }
    text
}

/// How a file writes its statements.
struct Style {
    single: bool,
    semicolon: bool,
}

impl Style {
    /// As most of its imports are written, or else most of its lines; `None` where nothing shows.
    fn of(known: &[Import], before: &str) -> Option<Self> {
        let statements: Vec<&str> = known.iter().filter_map(|one| one.range.of(before)).collect();
        let most = |yes: usize, all: usize| yes * 2 > all;
        if !statements.is_empty() {
            let single = statements.iter().filter(|text| text.contains('\'')).count();
            let semicolon = statements.iter().filter(|text| text.trim_end().ends_with(';')).count();
            let all = statements.len();
            return Some(Self { single: most(single, all), semicolon: most(semicolon, all) });
        }
        let (single, double) = (before.matches('\'').count(), before.matches('"').count());
        let ends = |sign: char| before.lines().filter(|line| line.trim_end().ends_with(sign)).count();
        let (semicolons, calls) = (ends(';'), ends(')'));
        (single + double > 0 && semicolons + calls > 0)
            .then_some(Self { single: single > double, semicolon: semicolons > 0 })
    }
}

fn insertion(before: &str, lines: &[String], known: &[Import], language: Language) -> TextEdit {
    let eol = line_ending(before);
    let joined = lines.join("\n").replace('\n', eol);
    // Python wants imports from the future first.
    let first = lines.iter().any(|line| line.starts_with("from __future__"));
    match known.last() {
        Some(last) if !first => {
            let at = line_end(before, last.range.end);
            TextEdit { range: ByteRange::at(at), text: format!("{eol}{joined}") }
        }
        Some(_) => TextEdit { range: ByteRange::at(known[0].range.start), text: format!("{joined}{eol}") },
        None => {
            let at = after_preamble(before, language);
            let above = before[..at].trim_start_matches('\u{feff}');
            let gap = if above.is_empty() || above.ends_with('\n') { "" } else { eol };
            TextEdit { range: ByteRange::at(at), text: format!("{gap}{joined}{eol}{eol}") }
        }
    }
}

/// Where a file's first import would stand: after a hash-bang line, directives, a docstring, and a comment that a blank
/// line sets off.
fn after_preamble(before: &str, language: Language) -> usize {
    let Some(tree) = chunks::parse(before, language, &[]) else { return 0 };
    let root = tree.root_node();
    let mut cursor = root.walk();
    // A byte-order mark stays the first thing of the file.
    let mut at = if before.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut comments_from = None;
    for node in root.named_children(&mut cursor) {
        let next = next_line(before, node.end_byte());
        match node.kind() {
            "hash_bang_line" => at = next,
            "comment" if node.start_position().row == 0 && before.starts_with("#!") => at = next,
            "comment" => {
                comments_from.get_or_insert(at);
                if before[next..].starts_with(['\n', '\r']) {
                    at = next_line(before, next);
                    comments_from = None;
                }
            }
            _ if is_string_statement(node) => {
                at = next;
                if before[at..].starts_with(['\n', '\r']) {
                    at = next_line(before, at);
                }
                comments_from = None;
            }
            _ => break,
        }
    }
    at
}

/// `"use client";`, or a docstring.
fn is_string_statement(node: Node<'_>) -> bool {
    node.kind() == "expression_statement" && node.named_child(0).is_some_and(|child| child.kind() == "string")
}

fn import(node: Node<'_>, text: &str, language: Language) -> Option<Import> {
    let range = ByteRange::from(node.byte_range());
    let of = |node: Node<'_>| text.get(node.byte_range()).unwrap_or_default().to_owned();
    let mut names = Vec::new();
    let mut cursor = node.walk();
    match node.kind() {
        "import_statement" if language.is_ecma() => {
            let source = of(node.child_by_field_name("source")?);
            let source = source.trim_matches(['"', '\'']).to_owned();
            let types_only = node.child(1).is_some_and(|child| child.kind() == "type");
            if let Some(clause) =
                node.named_children(&mut cursor).find(|child| child.kind() == "import_clause")
            {
                clause_names(clause, text, &mut names);
            }
            Some(Import { source, names, range, types_only })
        }
        "import_statement" | "import_from_statement" | "future_import_statement"
            if language == Language::Python =>
        {
            let plain = node.kind() == "import_statement";
            let source = match node.child_by_field_name("module_name") {
                Some(module) => of(module),
                None if plain => String::new(),
                None => "__future__".to_owned(),
            };
            for name in node.children_by_field_name("name", &mut cursor) {
                let text = of(name);
                let local = name.child_by_field_name("alias").map_or_else(|| text.clone(), of);
                let form = if plain { Form::Namespace } else { Form::Named };
                names.push(Imported { text, local, form });
            }
            if names.is_empty() {
                names.push(Imported { text: "*".into(), local: format!("* of {source}"), form: Form::Named });
            }
            let source = if plain { names[0].text.clone() } else { source };
            Some(Import { source, names, range, types_only: false })
        }
        _ => None,
    }
}

fn clause_names(clause: Node<'_>, text: &str, names: &mut Vec<Imported>) {
    let of = |node: Node<'_>| text.get(node.byte_range()).unwrap_or_default().to_owned();
    let mut cursor = clause.walk();
    for part in clause.named_children(&mut cursor) {
        match part.kind() {
            "identifier" => names.push(Imported { text: of(part), local: of(part), form: Form::Default }),
            "namespace_import" => {
                let local = part.named_child(0).map(of).unwrap_or_default();
                names.push(Imported { text: of(part), local, form: Form::Namespace });
            }
            "named_imports" => {
                let mut inner = part.walk();
                for one in part.named_children(&mut inner).filter(|one| one.kind() == "import_specifier") {
                    let bound = one.child_by_field_name("alias").or_else(|| one.child_by_field_name("name"));
                    let local = bound.map(of).unwrap_or_default();
                    names.push(Imported { text: of(one), local, form: Form::Named });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
