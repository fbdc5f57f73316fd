//! The part of a large file that matters for a place.
//!
//! A full parse costs 100 ms for 10,000 lines, and nearly all of it tells of declarations that nobody asked about. A large
//! file is cut into chunks where a line begins at the left edge with nothing open, which the cheap bracket scanner tells;
//! parsed is what names the wanted words, and all that is no declaration: imports, exports, loose statements. Offsets stay
//! those of the file. Where a chunk turns out not to be whole statements, the file is parsed in full.

use std::ops::Range;

use tree_sitter::{Point, Tree};

use crate::brackets::Brackets;
use crate::languages::Language;
use crate::tree;

/// A smaller file is parsed in full: it costs little.
const LARGE: usize = 64 << 10;

/// Words that begin a declaration, which can be left out where it names nothing wanted.
const DECLARES: [&str; 33] = [
    "function",
    "class",
    "const",
    "let",
    "var",
    "interface",
    "type",
    "enum",
    "abstract",
    "async",
    "declare",
    "namespace",
    "module",
    "def",
    "fn",
    "pub",
    "struct",
    "trait",
    "impl",
    "mod",
    "static",
    "unsafe",
    "macro_rules!",
    "func",
    "union",
    "extern",
    "use",
    "@",
    "#[",
    "//",
    "/*",
    "#",
    "export",
];
/// What follows `export` where it exports no declaration of its own.
const LISTS: [&str; 4] = ["{", "*", "default", "="];

/// The tree of a file as far as it matters: all that names one of `wanted`, and all that is no declaration.
pub(super) fn parse(text: &str, language: Language, wanted: &[&str]) -> Option<Tree> {
    if text.len() < LARGE || !is_cut(language) {
        return tree::parse(language, text);
    }
    part(text, language, wanted)
}

fn part(text: &str, language: Language, wanted: &[&str]) -> Option<Tree> {
    let parts: Vec<tree_sitter::Range> = chunks(text, language)
        .into_iter()
        .enumerate()
        .filter(|(nth, (_, range))| *nth == 0 || matters(&text[range.clone()], wanted))
        .map(|(_, (row, range))| {
            let chunk = &text[range.clone()];
            let end = Point::new(row + chunk.bytes().filter(|&byte| byte == b'\n').count(), 0);
            let start = Point::new(row, 0);
            tree_sitter::Range {
                start_byte: range.start,
                end_byte: range.end,
                start_point: start,
                end_point: end,
            }
        })
        .collect();
    let tree = tree::parse_parts(language, text, &parts)?;
    if tree.root_node().has_error() { tree::parse(language, text) } else { Some(tree) }
}

fn is_cut(language: Language) -> bool {
    language.is_ecma() || matches!(language, Language::Python | Language::Rust | Language::Go)
}

/// Whole lines from one that begins at the left edge with nothing open to the next such; comments and decorators belong
/// to what follows them.
fn chunks(text: &str, language: Language) -> Vec<(usize, Range<usize>)> {
    let mut brackets = Brackets::new(language.family());
    let mut chunks: Vec<(usize, Range<usize>)> = Vec::new();
    let mut leads = false;
    let mut at = 0;
    for (row, line) in text.split_inclusive('\n').enumerate() {
        let first = line.bytes().next().unwrap_or(b'\n');
        let begins = (first.is_ascii_alphabetic()
            || matches!(first, b'_' | b'$' | b'@' | b'#' | b'/')
            || first >= 0x80)
            && brackets.open().is_empty()
            && !goes_on(line, language);
        if (begins && !leads) || chunks.is_empty() {
            chunks.push((row, at..at));
        }
        if begins {
            leads = matches!(first, b'@' | b'#' | b'/');
        }
        brackets.feed(line);
        at += line.len();
        if let Some((_, range)) = chunks.last_mut() {
            range.end = at;
        }
    }
    chunks
}

/// A line at the left edge that belongs to the statement above it.
fn goes_on(line: &str, language: Language) -> bool {
    const WORDS: [&str; 12] = [
        "else",
        "elif",
        "except",
        "finally",
        "catch",
        "while",
        "extends",
        "implements",
        "from",
        "as",
        "satisfies",
        "where",
    ];
    let word = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    // Python's `from` begins an import.
    WORDS.contains(&word) && !(word == "from" && language == Language::Python)
}

fn matters(chunk: &str, wanted: &[&str]) -> bool {
    if wanted.iter().any(|word| !word.is_empty() && chunk.contains(word)) {
        return true;
    }
    let begins = |text: &str, word: &&&str| {
        text.strip_prefix(**word).is_some_and(|rest| {
            !word.ends_with(char::is_alphanumeric)
                || !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    };
    let Some(word) = DECLARES.iter().find(|word| begins(chunk, word)) else { return true };
    match *word {
        // A comment leads what follows it, which was not looked at.
        "//" | "/*" | "#" => {
            let body = chunk.lines().find(|line| {
                let first = line.bytes().next().unwrap_or(b' ');
                first.is_ascii_alphabetic() || first == b'_' || first == b'$'
            });
            body.is_none_or(|body| matters(body, &[]))
        }
        "export" => {
            let rest = chunk["export".len()..].trim_start();
            LISTS.iter().any(|list| rest.starts_with(list))
        }
        "use" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
