//! The languages that can be judged: one row each.
//!
//! A new language is a row here, a folder under `queries/`, the grammar's crate, and samples under `tests/fixtures/`.
//! A file of any other kind still goes through the pipeline; its components are then offered as unverified.

use std::sync::OnceLock;

use assist_base::DocPath;
use tree_sitter::Query;

/// A language with a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// `.ts`, `.mts`, `.cts`
    TypeScript,
    /// `.tsx`
    Tsx,
    /// `.js`, `.mjs`, `.cjs`; JSX is accepted in it
    JavaScript,
    /// `.jsx`
    Jsx,
    /// `.py`, `.pyi`
    Python,
    /// `.rs`
    Rust,
    /// `.go`
    Go,
    /// `.json`, `.jsonc`
    Json,
    /// `.css`
    Css,
    /// `.html`, `.htm`
    Html,
}

/// How a language spells strings and comments: enough for the bracket scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Template literals, regular expressions, `//`, `/* */`.
    Ecma,
    /// Triple quotes and `#`.
    Python,
    /// Lifetimes, raw strings, nested block comments.
    Rust,
    /// Raw strings in backquotes.
    Go,
    /// Double quotes and comments, as in JSON with comments.
    Json,
    /// Quotes and `/* */`.
    Css,
    /// Brackets mean nothing.
    Markup,
    /// Not known: brackets, quotes and C comments.
    Plain,
}

/// One row of the table.
struct Row {
    language: Language,
    name: &'static str,
    extensions: &'static [&'static str],
    family: Family,
    grammar: fn() -> tree_sitter::Language,
    components: &'static str,
    query: OnceLock<Query>,
}

macro_rules! row {
    ($language:ident, $name:literal, [$($extension:literal),*], $family:ident, $grammar:expr, $folder:literal) => {
        Row {
            language: Language::$language,
            name: $name,
            extensions: &[$($extension),*],
            family: Family::$family,
            grammar: || $grammar.into(),
            components: include_str!(concat!("../../../queries/", $folder, "/components.scm")),
            query: OnceLock::new(),
        }
    };
}

static TABLE: [Row; 10] = [
    row!(
        TypeScript,
        "TypeScript",
        ["ts", "mts", "cts"],
        Ecma,
        tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        "typescript"
    ),
    row!(Tsx, "TSX", ["tsx"], Ecma, tree_sitter_typescript::LANGUAGE_TSX, "tsx"),
    row!(
        JavaScript,
        "JavaScript",
        ["js", "mjs", "cjs"],
        Ecma,
        tree_sitter_javascript::LANGUAGE,
        "javascript"
    ),
    row!(Jsx, "JSX", ["jsx"], Ecma, tree_sitter_javascript::LANGUAGE, "javascript"),
    row!(Python, "Python", ["py", "pyi"], Python, tree_sitter_python::LANGUAGE, "python"),
    row!(Rust, "Rust", ["rs"], Rust, tree_sitter_rust::LANGUAGE, "rust"),
    row!(Go, "Go", ["go"], Go, tree_sitter_go::LANGUAGE, "go"),
    row!(Json, "JSON", ["json", "jsonc"], Json, tree_sitter_json::LANGUAGE, "json"),
    row!(Css, "CSS", ["css"], Css, tree_sitter_css::LANGUAGE, "css"),
    row!(Html, "HTML", ["html", "htm"], Markup, tree_sitter_html::LANGUAGE, "html"),
];

impl Language {
    /// Every language of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.language)
    }

    /// The language of a file by its extension, in any case; `None` where there is no grammar for it.
    pub fn of_path(path: &DocPath) -> Option<Self> {
        let extension = path.extension()?.to_ascii_lowercase();
        TABLE.iter().find(|row| row.extensions.contains(&extension.as_str())).map(|row| row.language)
    }

    /// As a person writes it: `TypeScript`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether oxc reads it: then oxc decides what an error is.
    pub fn is_ecma(self) -> bool {
        self.family() == Family::Ecma
    }

    pub(crate) fn family(self) -> Family {
        self.row().family
    }

    /// A place in per-thread tables.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    pub(crate) fn grammar(self) -> tree_sitter::Language {
        (self.row().grammar)()
    }

    /// The compiled `components.scm`.
    pub(crate) fn components(self) -> &'static Query {
        let row = self.row();
        row.query.get_or_init(|| {
            Query::new(&self.grammar(), row.components)
                .expect("the query is part of the program, and a test compiles every one")
        })
    }

    fn row(self) -> &'static Row {
        // The table is in the order of the enum; a test holds that.
        &TABLE[self as usize]
    }
}

/// How many languages there are, for per-thread tables.
pub(crate) const COUNT: usize = TABLE.len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_every_query_compiles() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.language as usize, at, "{}", row.name);
            let query = Query::new(&row.language.grammar(), row.components);
            assert!(query.is_ok(), "{}: {:?}", row.name, query.err());
            assert!(query.unwrap().capture_names().contains(&"name"), "{}", row.name);
        }
    }

    #[test]
    fn a_language_is_known_by_the_extension() {
        let of = |path: &str| Language::of_path(&DocPath::relative(path).unwrap());
        assert_eq!(of("src/App.tsx"), Some(Language::Tsx));
        assert_eq!(of("A.TS"), Some(Language::TypeScript));
        assert_eq!(of("types/x.d.ts"), Some(Language::TypeScript));
        assert_eq!(of("Makefile"), None);
        assert_eq!(of("notes.md"), None);
    }
}
