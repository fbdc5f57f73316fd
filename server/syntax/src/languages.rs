//! The languages that can be judged, and how a file's language is found: by its name, and where that says too little by
//! its text.
//!
//! A new language is a row in `languages/table.rs`, a folder under `queries/`, the grammar's crate, and samples under
//! `tests/fixtures/`. A file of any other kind still goes through the pipeline; its components are then offered as
//! unverified. The same goes for a language whose grammar was left out of the build by a cargo feature.

mod queries;
mod table;

use assist_base::DocPath;

pub use queries::{QueryError, fingerprint, folders, override_components};
pub(crate) use table::COUNT;
use table::TABLE;

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
    /// `.java`
    Java,
    /// `.c`, and `.h` unless its text is C++
    C,
    /// `.cpp`, `.cc`, `.hpp` and their like
    Cpp,
    /// `.cs`
    CSharp,
    /// `.rb`, Gemfile, Rakefile and their like
    Ruby,
    /// `.php`
    Php,
    /// `.yml`, `.yaml`
    Yaml,
    /// `.toml`, and lock files in it
    Toml,
    /// `.sh`, `.bash`, and the shell's own files
    Bash,
    /// `.sql`
    Sql,
    /// `.md`, `.markdown`
    Markdown,
    /// `.lua`
    Lua,
    /// Dockerfile, Containerfile
    Dockerfile,
    /// `.vue`
    Vue,
    /// `.svelte`
    Svelte,
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
    /// Read line by line, because a string's end may depend on what its line began with.
    Lines(Script),
}

/// The families that are read line by line (`brackets/lines.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Directives, raw strings, digit separators: C and C++.
    C,
    /// Text blocks.
    Java,
    /// Verbatim and raw strings, directives.
    CSharp,
    /// Text around the code, here documents, `#` and `//`.
    Php,
    /// Interpolation, here documents, percent literals.
    Ruby,
    /// Quotes that hold commands, here documents; a lone `)` ends a pattern.
    Bash,
    /// Long brackets.
    Lua,
    /// Doubled quotes, dollar quotes.
    Sql,
    /// Flow collections, quotes where a value begins, block scalars.
    Yaml,
    /// Triple quotes of both kinds.
    Toml,
    /// Here documents only.
    Dockerfile,
}

/// What a component's name has to do with its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// The code declares it.
    Declared,
    /// The code mentions it at least: macros and other code that writes code may declare it.
    Mentioned,
    /// It may name the file, or a place in it.
    Free,
}

/// How the declarations of a file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// At the top level; what lies in a block or call is not for others.
    Blocks,
    /// As `Blocks`, but members are looked for by name, too.
    Members,
    /// By what lies in what alone.
    Nested,
    /// As `Nested`, and what lies deeper is looked for by name, too.
    NestedMembers,
}

/// How far a grammar can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// What it rejects is wrong.
    Decides,
    /// It rejects valid files often enough (figures in the crate's README) that its complaint alone, in code whose
    /// brackets and quotes are in order, is a question to a person.
    Advises,
}

impl Language {
    /// Every language that this build has a grammar for.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().filter(|row| row.grammar.is_some()).map(|row| row.language)
    }

    /// The language of a file by its name: the whole of it (`Dockerfile`), or the extension in any case; `None` where
    /// there is no grammar for it. `.h` is taken for C: [`Language::of_file`] looks closer.
    pub fn of_path(path: &DocPath) -> Option<Self> {
        let path = path.as_str();
        let name = path.rsplit('/').next().unwrap_or(path);
        Self::of_name(name).filter(|language| language.row().grammar.is_some())
    }

    /// The language of a file by its name and its text, which tells a C++ header from one of C, and a script without an
    /// extension by its `#!` line.
    pub fn of_file(path: &DocPath, text: &str) -> Option<Self> {
        let name = path.as_str().rsplit('/').next().unwrap_or(path.as_str());
        let language = match Self::of_name(name) {
            Some(Self::C) if name.to_ascii_lowercase().ends_with(".h") && reads_as_cpp(text) => Self::Cpp,
            Some(language) => language,
            None if !name.trim_start_matches('.').contains('.') => of_shebang(text)?,
            None => return None,
        };
        language.row().grammar.is_some().then_some(language)
    }

    /// The language that an editor says a document is in, by its language id (LSP `TextDocumentItem.languageId`):
    /// for documents whose name does not tell.
    pub fn of_language_id(id: &str) -> Option<Self> {
        let known = match id {
            "typescriptreact" => Self::Tsx,
            "javascriptreact" => Self::Jsx,
            "shellscript" | "sh" => Self::Bash,
            _ => TABLE.iter().find(|row| row.folder == id)?.language,
        };
        known.row().grammar.is_some().then_some(known)
    }

    fn of_name(name: &str) -> Option<Self> {
        let whole = TABLE.iter().find(|row| row.files.contains(&name));
        if let Some(row) = whole {
            return Some(row.language);
        }
        // A template of Laravel is PHP in name only.
        if name.ends_with(".blade.php") {
            return None;
        }
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let by_extension = extension
            .as_deref()
            .and_then(|extension| TABLE.iter().find(|row| row.extensions.contains(&extension)))
            .map(|row| row.language);
        // `Dockerfile.dev`, `Containerfile.arm64`.
        let stage = || {
            let (stem, _) = name.split_once('.')?;
            matches!(stem, "Dockerfile" | "Containerfile").then_some(Self::Dockerfile)
        };
        by_extension.or_else(stage)
    }

    /// As a person writes it: `TypeScript`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The folder of its queries, under `queries/`.
    pub fn folder(self) -> &'static str {
        self.row().folder
    }

    /// Whether oxc reads it: then oxc decides what an error is.
    pub fn is_ecma(self) -> bool {
        self.family() == Family::Ecma
    }

    /// Whether a file of one may be named as if it were the other: the dialects of JavaScript, and `.h`.
    pub(crate) fn is_kin_of(self, other: Self) -> bool {
        let is_c = |language| matches!(language, Self::C | Self::Cpp);
        self == other || (self.is_ecma() && other.is_ecma()) || (is_c(self) && is_c(other))
    }

    /// The language that a word for it stands for, as in a fence's first line or a `lang` attribute: `ts`, `python`.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let known = match word.as_str() {
            "shell" | "console" | "zsh" => return None,
            "c++" => Self::Cpp,
            "c#" => Self::CSharp,
            "golang" => Self::Go,
            "docker" | "containerfile" => Self::Dockerfile,
            "node" | "ecmascript" => Self::JavaScript,
            "postgresql" | "mysql" | "sqlite" => Self::Sql,
            _ => {
                let row = TABLE.iter().find(|row| {
                    row.folder == word
                        || row.extensions.contains(&word.as_str())
                        || row.name.eq_ignore_ascii_case(&word)
                })?;
                row.language
            }
        };
        known.row().grammar.is_some().then_some(known)
    }

    pub(crate) fn family(self) -> Family {
        self.row().family
    }

    pub(crate) fn naming(self) -> Naming {
        self.row().naming
    }

    pub(crate) fn layout(self) -> Layout {
        self.row().layout
    }

    pub(crate) fn trust(self) -> Trust {
        self.row().trust
    }

    /// Whether it is markup with end tags, whose grammar makes a node of a stray one.
    pub(crate) fn is_markup(self) -> bool {
        matches!(self, Self::Html | Self::Vue | Self::Svelte)
    }

    /// A place in per-thread tables.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Its grammars: one, a second where a piece of code is read by another than a file, none where the build left it out.
    pub(crate) fn grammars(self) -> Vec<tree_sitter::Language> {
        let row = self.row();
        row.grammar.iter().chain(&row.fragment).map(|grammar| grammar()).collect()
    }

    /// Which of the grammars reads a text. PHP without an opening tag is taken for code; it would be text otherwise.
    pub(crate) fn grammar_of(self, text: &str) -> usize {
        let fragment = self == Self::Php && !text.contains("<?") && !text.trim_start().starts_with('<');
        usize::from(fragment)
    }

    fn row(self) -> &'static table::Row {
        // The table is in the order of the enum; a test holds that.
        &TABLE[self as usize]
    }
}

/// Whether a header's text has what C has not.
fn reads_as_cpp(text: &str) -> bool {
    let mut guarded = false;
    text.lines().take(5_000).any(|line| {
        let line = line.trim();
        // `extern "C"` and what stands under `__cplusplus` is for C++ alone, in a header of C.
        if line.starts_with('#') {
            guarded = (guarded || line.contains("__cplusplus")) && !line.starts_with("#endif");
            return false;
        }
        let word = |word: &str| {
            line.strip_prefix(word)
                .is_some_and(|rest| rest.starts_with([' ', '<', ':', '{']) || rest.is_empty())
        };
        !guarded
            && (word("namespace")
                || word("template")
                || (word("class") && !line.contains('='))
                || word("using")
                || ["public:", "private:", "protected:"].contains(&line)
                || line.contains("std::")
                || line.contains("constexpr "))
    })
}

/// The language that a script's first line names.
fn of_shebang(text: &str) -> Option<Language> {
    let line = text.lines().next()?.strip_prefix("#!")?;
    let program = line
        .split_whitespace()
        .map(|word| word.rsplit('/').next().unwrap_or(word))
        .find(|word| *word != "env" && !word.starts_with('-') && !word.contains('='))?;
    match program.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.') {
        "sh" | "bash" | "dash" | "ash" => Some(Language::Bash),
        "python" => Some(Language::Python),
        "ruby" => Some(Language::Ruby),
        "lua" => Some(Language::Lua),
        "php" => Some(Language::Php),
        "node" | "nodejs" => Some(Language::JavaScript),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.language as usize, at, "{}", row.name);
        }
    }

    #[test]
    fn a_language_is_known_by_the_name_of_its_file() {
        let of = |path: &str| Language::of_path(&DocPath::relative(path).unwrap());
        assert_eq!(of("src/App.tsx"), Some(Language::Tsx));
        assert_eq!(of("A.TS"), Some(Language::TypeScript));
        assert_eq!(of("types/x.d.ts"), Some(Language::TypeScript));
        assert_eq!(of("notes.md"), Some(Language::Markdown));
        assert_eq!(of("src/main.h"), Some(Language::C));
        assert_eq!(of("docker/Dockerfile"), Some(Language::Dockerfile));
        assert_eq!(of("Dockerfile.dev"), Some(Language::Dockerfile));
        assert_eq!(of("api.dockerfile"), Some(Language::Dockerfile));
        assert_eq!(of("home/.bashrc"), Some(Language::Bash));
        assert_eq!(of("Cargo.lock"), Some(Language::Toml));
        assert_eq!(of("src/Card.vue"), Some(Language::Vue));
        assert_eq!(of("Makefile"), None);
        assert_eq!(of("Gemfile"), cfg!(feature = "ruby").then_some(Language::Ruby));
        assert_eq!(of("a/b.CS"), cfg!(feature = "csharp").then_some(Language::CSharp));
    }

    #[test]
    fn an_editors_language_ids_are_known() {
        let of = Language::of_language_id;
        assert_eq!(of("typescriptreact"), Some(Language::Tsx));
        assert_eq!(of("javascript"), Some(Language::JavaScript));
        assert_eq!(of("shellscript"), Some(Language::Bash));
        assert_eq!(of("dockerfile"), Some(Language::Dockerfile));
        assert_eq!(of("plaintext"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn the_text_tells_what_the_name_does_not() {
        let of = |path: &str, text: &str| Language::of_file(&DocPath::relative(path).unwrap(), text);
        let cpp = cfg!(feature = "cpp").then_some(Language::Cpp);
        assert_eq!(of("a.h", "#pragma once\nnamespace a {\n}\n"), cpp);
        assert_eq!(of("a.h", "template<class T>\nT f(T a);\n"), cpp);
        assert_eq!(
            of("a.h", "#ifdef __cplusplus\nextern \"C\" {\nnamespace a {}\n#endif\nint f(void);\n"),
            Some(Language::C)
        );
        assert_eq!(of("a.h", "struct class_table { int class; };\n"), Some(Language::C));
        assert_eq!(of("bin/deploy", "#!/usr/bin/env bash\necho\n"), Some(Language::Bash));
        assert_eq!(of("bin/tool", "#!/usr/bin/python3.11\n"), Some(Language::Python));
        assert_eq!(of("bin/tool", "#!/usr/bin/env -S FOO=1 node\n"), Some(Language::JavaScript));
        assert_eq!(of("bin/tool", "echo\n"), None);
        assert_eq!(of("notes.txt", "#!/bin/sh\n"), None);
    }

    #[test]
    fn a_word_stands_for_a_language() {
        assert_eq!(Language::of_word("ts"), Some(Language::TypeScript));
        assert_eq!(Language::of_word("Python"), Some(Language::Python));
        assert_eq!(Language::of_word("yml"), Some(Language::Yaml));
        assert_eq!(Language::of_word("console"), None);
        assert_eq!(Language::of_word("text"), None);
    }
}
