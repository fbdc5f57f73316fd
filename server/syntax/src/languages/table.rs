//! The table: one row a language.

use std::sync::{Arc, OnceLock, RwLock};

use tree_sitter::Query;

use super::{Family, Language, Layout, Naming, Script, Trust};

/// One row of the table.
pub(super) struct Row {
    pub language: Language,
    pub name: &'static str,
    pub extensions: &'static [&'static str],
    /// Whole names of files.
    pub files: &'static [&'static str],
    pub family: Family,
    pub naming: Naming,
    pub layout: Layout,
    pub trust: Trust,
    /// `None` where a cargo feature left it out.
    pub grammar: Option<fn() -> tree_sitter::Language>,
    /// The grammar of a piece of code, where it is another.
    pub fragment: Option<fn() -> tree_sitter::Language>,
    pub folder: &'static str,
    pub components: &'static str,
    /// One for each grammar.
    pub built_in: OnceLock<Vec<Arc<Query>>>,
    pub overridden: RwLock<Option<Vec<Arc<Query>>>>,
}

macro_rules! row {
    (@fragment) => { None };
    (@fragment $fragment:expr) => { $fragment };
    ($language:ident, $name:literal, $folder:literal, [$($extension:literal),*], [$($file:literal),*],
     $family:expr, $naming:ident, $layout:ident, $trust:ident, $grammar:expr $(, $fragment:expr)?) => {
        Row {
            language: Language::$language,
            name: $name,
            extensions: &[$($extension),*],
            files: &[$($file),*],
            family: $family,
            naming: Naming::$naming,
            layout: Layout::$layout,
            trust: Trust::$trust,
            grammar: $grammar,
            fragment: row!(@fragment $($fragment)?),
            folder: $folder,
            components: include_str!(concat!("../../../../queries/", $folder, "/components.scm")),
            built_in: OnceLock::new(),
            overridden: RwLock::new(None),
        }
    };
}

/// A grammar that is always there.
macro_rules! grammar {
    ($grammar:expr) => {
        Some(|| $grammar.into())
    };
}

/// A grammar that a feature may leave out.
macro_rules! optional {
    ($feature:literal, $grammar:expr) => {{
        #[cfg(feature = $feature)]
        {
            Some(|| $grammar.into())
        }
        #[cfg(not(feature = $feature))]
        {
            None
        }
    }};
}

use Family::Lines;

#[rustfmt::skip]
pub(super) static TABLE: [Row; 25] = [
    row!(TypeScript, "TypeScript", "typescript", ["ts", "mts", "cts"], [],
        Family::Ecma, Declared, Blocks, Decides, grammar!(tree_sitter_typescript::LANGUAGE_TYPESCRIPT)),
    row!(Tsx, "TSX", "tsx", ["tsx"], [],
        Family::Ecma, Declared, Blocks, Decides, grammar!(tree_sitter_typescript::LANGUAGE_TSX)),
    row!(JavaScript, "JavaScript", "javascript", ["js", "mjs", "cjs"], [],
        Family::Ecma, Declared, Blocks, Decides, grammar!(tree_sitter_javascript::LANGUAGE)),
    row!(Jsx, "JSX", "javascript", ["jsx"], [],
        Family::Ecma, Declared, Blocks, Decides, grammar!(tree_sitter_javascript::LANGUAGE)),
    row!(Python, "Python", "python", ["py", "pyi", "pyw"], [],
        Family::Python, Declared, Blocks, Decides, grammar!(tree_sitter_python::LANGUAGE)),
    row!(Rust, "Rust", "rust", ["rs"], [],
        Family::Rust, Declared, Blocks, Decides, grammar!(tree_sitter_rust::LANGUAGE)),
    row!(Go, "Go", "go", ["go"], [],
        Family::Go, Declared, Blocks, Decides, grammar!(tree_sitter_go::LANGUAGE)),
    row!(Json, "JSON", "json", ["json", "jsonc", "webmanifest"], ["composer.lock", "Pipfile.lock", "flake.lock"],
        Family::Json, Free, Nested, Decides, grammar!(tree_sitter_json::LANGUAGE)),
    row!(Css, "CSS", "css", ["css"], [],
        Family::Css, Free, NestedMembers, Advises, grammar!(tree_sitter_css::LANGUAGE)),
    row!(Html, "HTML", "html", ["html", "htm"], [],
        Family::Markup, Free, NestedMembers, Decides, grammar!(tree_sitter_html::LANGUAGE)),
    row!(Java, "Java", "java", ["java"], [],
        Lines(Script::Java), Declared, Members, Decides, grammar!(tree_sitter_java::LANGUAGE)),
    row!(C, "C", "c", ["c", "h"], [],
        Lines(Script::C), Mentioned, Nested, Advises, grammar!(tree_sitter_c::LANGUAGE)),
    row!(Cpp, "C++", "cpp", ["cpp", "cc", "cxx", "c++", "hpp", "hh", "hxx", "h++", "ipp", "tpp"], [],
        Lines(Script::C), Mentioned, NestedMembers, Advises, optional!("cpp", tree_sitter_cpp::LANGUAGE)),
    row!(CSharp, "C#", "csharp", ["cs", "csx"], [],
        Lines(Script::CSharp), Declared, Members, Decides, optional!("csharp", tree_sitter_c_sharp::LANGUAGE)),
    row!(Ruby, "Ruby", "ruby", ["rb", "rake", "gemspec", "ru"],
        ["Gemfile", "Rakefile", "Vagrantfile", "Podfile", "Fastfile", "Guardfile", "Brewfile", "Capfile", "Dangerfile"],
        Lines(Script::Ruby), Mentioned, Members, Decides, optional!("ruby", tree_sitter_ruby::LANGUAGE)),
    row!(Php, "PHP", "php", ["php", "phtml"], [],
        Lines(Script::Php), Declared, Members, Decides, optional!("php", tree_sitter_php::LANGUAGE_PHP),
        optional!("php", tree_sitter_php::LANGUAGE_PHP_ONLY)),
    row!(Yaml, "YAML", "yaml", ["yml", "yaml", "cff"], [".clang-format", ".clang-tidy", ".yamllint"],
        Lines(Script::Yaml), Free, Nested, Decides, grammar!(tree_sitter_yaml::LANGUAGE)),
    row!(Toml, "TOML", "toml", ["toml"], ["Cargo.lock", "Pipfile", "poetry.lock", "uv.lock", "pdm.lock"],
        Lines(Script::Toml), Free, Nested, Decides, grammar!(tree_sitter_toml_ng::LANGUAGE)),
    row!(Bash, "Bash", "bash", ["sh", "bash"],
        [".bashrc", ".bash_profile", ".bash_aliases", ".bash_logout", ".profile", ".envrc", "PKGBUILD", "APKBUILD"],
        Lines(Script::Bash), Declared, Blocks, Advises, grammar!(tree_sitter_bash::LANGUAGE)),
    row!(Sql, "SQL", "sql", ["sql", "psql", "pgsql"], [],
        Lines(Script::Sql), Free, Nested, Advises, optional!("sql", tree_sitter_sequel::LANGUAGE)),
    row!(Markdown, "Markdown", "markdown", ["md", "markdown", "mdown"], [],
        Family::Markup, Free, NestedMembers, Decides, grammar!(tree_sitter_md::LANGUAGE)),
    row!(Lua, "Lua", "lua", ["lua", "rockspec"], [".luacheckrc"],
        Lines(Script::Lua), Mentioned, Blocks, Decides, grammar!(tree_sitter_lua::LANGUAGE)),
    row!(Dockerfile, "Dockerfile", "dockerfile", ["dockerfile", "containerfile"], ["Dockerfile", "Containerfile"],
        Lines(Script::Dockerfile), Free, Nested, Decides, grammar!(tree_sitter_containerfile::LANGUAGE)),
    row!(Vue, "Vue", "vue", ["vue"], [],
        Family::Markup, Free, NestedMembers, Decides, grammar!(tree_sitter_vue_next::LANGUAGE)),
    row!(Svelte, "Svelte", "svelte", ["svelte"], [],
        Family::Markup, Free, NestedMembers, Decides, grammar!(tree_sitter_svelte_ng::LANGUAGE)),
];

/// How many languages there are, for per-thread tables.
pub(crate) const COUNT: usize = TABLE.len();
