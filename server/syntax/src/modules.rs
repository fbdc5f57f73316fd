//! What a file takes from other modules and gives to them: the sources it names, and the names it exports.
//!
//! JavaScript, TypeScript and Python. Sources are as the text spells them; nothing here looks at the disk. What is
//! imported at run time (`import()`, `require`, `__import__`) is not seen.

use crate::ecma;
use crate::languages::Language;
use crate::outline;
use crate::tree;

/// A module that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As written, without quotes: `./Hero`, `react`, `.models`.
    pub module: String,
    /// The line that names it, from 1.
    pub line: usize,
}

/// What a module gives to others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exports {
    /// The names, `default` among them.
    pub names: Vec<String>,
    /// Other names may be exported too: `export *`, CommonJS.
    pub open: bool,
}

/// The modules that the statements at the top level of `text` name, in order; a module that is named twice is there
/// twice. None for other languages than this module knows.
pub fn sources(text: &str, language: Language) -> Vec<Source> {
    if !(language.is_ecma() || language == Language::Python) {
        return Vec::new();
    }
    let Some(tree) = tree::parse(language, text) else { return Vec::new() };
    let root = tree.root_node();
    let mut cursor = root.walk();
    let mut found = Vec::new();
    for node in root.named_children(&mut cursor) {
        let line = node.start_position().row + 1;
        let mut name = |node: tree_sitter::Node<'_>| {
            let module = text.get(node.byte_range()).unwrap_or_default().trim_matches(['"', '\'']);
            found.push(Source { module: module.to_owned(), line });
        };
        match node.kind() {
            "import_statement" | "export_statement" if language.is_ecma() => {
                if let Some(source) = node.child_by_field_name("source") {
                    name(source);
                }
            }
            "import_from_statement" => {
                if let Some(module) = node.child_by_field_name("module_name") {
                    name(module);
                }
            }
            "import_statement" => {
                let mut names = node.walk();
                for one in node.children_by_field_name("name", &mut names) {
                    name(one.child_by_field_name("name").unwrap_or(one));
                }
            }
            _ => {}
        }
    }
    found
}

/// The names that a module gives to others: its exports in JavaScript and TypeScript, what it declares at the top level
/// elsewhere.
pub fn exports(text: &str, language: Language) -> Exports {
    if language.is_ecma() {
        let reading = ecma::read(language, text, false, None);
        let mut names = reading.exported;
        if reading.anonymous_default && !names.iter().any(|name| name == "default") {
            names.push("default".to_owned());
        }
        return Exports { names, open: reading.open_exports };
    }
    let top = outline::outline(text, language).into_iter().filter(|one| one.depth == 0);
    Exports { names: top.map(|one| one.name).collect(), open: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_that_names_a_module_is_seen() {
        let text = "import a from './a';\nimport \"./b.css\";\nexport { c } from './c';\nexport * from \"d\";\nexport const e = 1;\n";
        let found: Vec<_> =
            sources(text, Language::TypeScript).into_iter().map(|s| (s.module, s.line)).collect();
        let expected = [("./a", 1), ("./b.css", 2), ("./c", 3), ("d", 4)]
            .map(|(module, line)| (module.to_owned(), line));
        assert_eq!(found, expected);
        let python = "import os, a.b as c\nfrom .models import User\nfrom . import views\n";
        let found: Vec<_> = sources(python, Language::Python).into_iter().map(|s| s.module).collect();
        assert_eq!(found, ["os", "a.b", ".models", "."]);
    }

    #[test]
    fn exports_name_the_default_too() {
        let found = exports("export default () => 1;\nexport const a = 1;\nconst b = 2;\n", Language::Tsx);
        assert!(found.names.contains(&"default".to_owned()) && found.names.contains(&"a".to_owned()));
        assert!(!found.names.contains(&"b".to_owned()) && !found.open);
        assert!(exports("export * from './x';\n", Language::TypeScript).open);
        assert_eq!(exports("def f():\n    pass\n", Language::Python).names, ["f"]);
    }
}
