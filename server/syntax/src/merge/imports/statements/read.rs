//! Reads the import statements of each language.

use assist_base::ByteRange;
use tree_sitter::Node;

use crate::languages::Language;

/// An import statement at the top level.
pub(super) struct Statement {
    /// What it brings; nothing where it counts only under a condition.
    pub brought: Vec<Brought>,
    /// Behind what others of its kind may be put.
    pub anchors: Vec<Brought>,
    /// Without the line ending that some grammars count in.
    pub range: ByteRange,
    /// As written.
    pub text: String,
    /// It means something where it stands, and is never moved.
    pub stays: bool,
}

/// One thing that an import brings.
#[derive(Debug, Clone)]
pub(super) struct Brought {
    /// What tells it from others: two of one key bring the same.
    pub key: String,
    /// The name that it binds, where no other import may bind it.
    pub local: Option<String>,
    /// Whether its path begins at the place where it stands.
    pub is_relative: bool,
    /// Imports of one group stand together.
    pub group: u8,
    /// A statement that brings it alone; in Go an entry of a list.
    pub text: String,
    /// Whether it is an entry of a list.
    pub is_listed: bool,
    /// Where it stands.
    pub range: ByteRange,
}

pub(super) fn is_comment(node: Node<'_>) -> bool {
    matches!(node.kind(), "comment" | "line_comment" | "block_comment")
}

/// Where a node ends, without the line ending that some grammars count in.
pub(super) fn end_of(text: &str, node: Node<'_>) -> usize {
    node.start_byte() + text.get(node.byte_range()).map_or(0, |own| own.trim_end().len())
}

/// What may stand among imports without ending their run.
pub(super) fn may_stand_between(node: Node<'_>, language: Language) -> bool {
    let kind = node.kind();
    is_comment(node)
        || match language {
            Language::Rust => {
                matches!(kind, "attribute_item" | "extern_crate_declaration" | "inner_attribute_item")
                    || (kind == "mod_item" && node.child_by_field_name("body").is_none())
            }
            Language::C | Language::Cpp => kind.starts_with("preproc_"),
            _ => false,
        }
}

/// The statement that a node is, if it is an import.
pub(super) fn statement(node: Node<'_>, text: &str, language: Language) -> Option<Statement> {
    let range = ByteRange::new(node.start_byte(), end_of(text, node));
    let own = range.of(text)?.to_owned();
    let mut statement =
        Statement { brought: Vec::new(), anchors: Vec::new(), range, text: own, stays: false };
    let reading = Reading { text, range };
    match (language, node.kind()) {
        (Language::Rust, "use_declaration") => reading.rust(node, &mut statement)?,
        (Language::Go, "import_declaration") => reading.go(node, &mut statement),
        (Language::Java, "import_declaration") => reading.java(&mut statement),
        (Language::CSharp, "using_directive") => reading.csharp(node, &mut statement),
        (Language::Php, "namespace_use_declaration") => reading.php(node, &mut statement)?,
        (Language::C | Language::Cpp, "preproc_include") => reading.include(node, &mut statement)?,
        (Language::Ruby, "call") => reading.ruby(node, &mut statement)?,
        (Language::Lua, "variable_declaration" | "function_call") => reading.lua(node, &mut statement)?,
        _ => return None,
    }
    if statement.anchors.is_empty() {
        statement.anchors.push(match statement.brought.first() {
            Some(first) => first.clone(),
            None => reading.brings(String::new(), String::new()),
        });
    }
    Some(statement)
}

/// One statement, being read.
struct Reading<'t> {
    text: &'t str,
    range: ByteRange,
}

impl Reading<'_> {
    fn of(&self, node: Node<'_>) -> String {
        let own = self.text.get(node.byte_range()).unwrap_or_default();
        own.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn brings(&self, key: String, text: String) -> Brought {
        let range = self.range;
        Brought { key, local: None, is_relative: false, group: 0, text, is_listed: false, range }
    }

    fn rust(&self, node: Node<'_>, into: &mut Statement) -> Option<()> {
        let is_public = node.named_child(0).is_some_and(|first| first.kind() == "visibility_modifier");
        let is_conditional = node.prev_named_sibling().is_some_and(|above| above.kind() == "attribute_item");
        into.stays = is_public || is_conditional;
        if is_conditional {
            return Some(());
        }
        self.rust_tree(node.child_by_field_name("argument")?, "", &mut into.brought);
        Some(())
    }

    fn rust_tree(&self, node: Node<'_>, prefix: &str, into: &mut Vec<Brought>) {
        let joined = |path: &str| match (prefix, path) {
            ("", path) => path.trim_start_matches("::").to_owned(),
            (prefix, "self") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}::{path}"),
        };
        let mut bring = |path: String, local: Option<String>, alias: Option<&str>| {
            let key = alias.map_or_else(|| path.clone(), |alias| format!("{path} as {alias}"));
            let is_relative = ["crate", "self", "super"].contains(&path.split("::").next().unwrap_or(&path));
            let text = format!("use {key};");
            into.push(Brought { local, is_relative, ..self.brings(key, text) });
        };
        match node.kind() {
            "use_as_clause" => {
                let field = |name| node.child_by_field_name(name).map(|node| self.of(node));
                let (path, alias) = (field("path").unwrap_or_default(), field("alias").unwrap_or_default());
                let local = (alias != "_").then(|| alias.clone());
                bring(joined(&path), local, Some(&alias));
            }
            "use_wildcard" => {
                let path = self.of(node);
                bring(joined(path.trim_start_matches("::")), None, None);
            }
            "use_list" | "scoped_use_list" => {
                let path = node.child_by_field_name("path").map(|path| joined(&self.of(path)));
                let list = node.child_by_field_name("list").unwrap_or(node);
                let mut cursor = list.walk();
                for one in list.named_children(&mut cursor).filter(|one| !is_comment(*one)) {
                    self.rust_tree(one, path.as_deref().unwrap_or(prefix), into);
                }
            }
            _ => {
                let path = joined(&self.of(node));
                let local = path.rsplit("::").next().map(str::to_owned);
                bring(path, local, None);
            }
        }
    }

    fn go(&self, node: Node<'_>, into: &mut Statement) {
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            let is_listed = child.kind() == "import_spec_list";
            let mut inner = child.walk();
            let specs: Vec<Node<'_>> = match is_listed {
                true => child.named_children(&mut inner).filter(|one| one.kind() == "import_spec").collect(),
                false => vec![child],
            };
            for spec in specs.into_iter().filter(|spec| spec.kind() == "import_spec") {
                let Some(path) = spec.child_by_field_name("path").map(|path| self.of(path)) else { continue };
                let path = path.trim_matches(['"', '`']);
                // What stands above it is code in C.
                into.stays |= path == "C";
                let alias = spec.child_by_field_name("name").map(|name| self.of(name));
                let local = match alias.as_deref() {
                    Some("_" | ".") => None,
                    Some(alias) => Some(alias.to_owned()),
                    None => Some(package(path).to_owned()),
                };
                let group = u8::from(path.split('/').next().unwrap_or(path).contains('.'));
                let text = match &alias {
                    Some(alias) => format!("{alias} \"{path}\""),
                    None => format!("\"{path}\""),
                };
                let key = format!("{path} as {}", alias.as_deref().unwrap_or(package(path)));
                let range = ByteRange::from(spec.byte_range());
                into.brought.push(Brought { local, group, is_listed, range, ..self.brings(key, text) });
            }
        }
        into.anchors.clone_from(&into.brought);
    }

    fn java(&self, into: &mut Statement) {
        let key = into.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let key = key.replace([' ', ';'], "/").replace("import/", "").trim_matches('/').to_owned();
        let is_static = key.starts_with("static/");
        let last = key.rsplit('.').next().filter(|last| *last != "*" && !is_static);
        let local = last.map(str::to_owned);
        let text = into.text.clone();
        into.brought.push(Brought { local, group: u8::from(is_static), ..self.brings(key, text) });
    }

    fn csharp(&self, node: Node<'_>, into: &mut Statement) {
        let words = into.text.split_whitespace().collect::<Vec<_>>().join(" ");
        // It must come before all others.
        into.stays = words.starts_with("global ");
        let words = words.trim_start_matches("global ").trim_end_matches([';', ' ']);
        let group = match node.child_by_field_name("name") {
            Some(_) => 2,
            None => u8::from(words.starts_with("using static")),
        };
        let local = node.child_by_field_name("name").map(|name| self.of(name));
        let text = into.text.clone();
        into.brought.push(Brought { local, group, ..self.brings(words.to_owned(), text) });
    }

    fn php(&self, node: Node<'_>, into: &mut Statement) -> Option<()> {
        let kind_of = |node: Node<'_>| node.child_by_field_name("type").map(|kind| self.of(kind));
        let kind = kind_of(node).or_else(|| {
            // The grammar names it only in some forms.
            let words = into.text.split_whitespace().nth(1)?;
            matches!(words, "function" | "const").then(|| words.to_owned())
        });
        let mut cursor = node.walk();
        let mut prefix = String::new();
        let mut clauses: Vec<Node<'_>> = Vec::new();
        for child in node.named_children(&mut cursor) {
            match child.kind() {
                "namespace_name" => prefix = format!("{}\\", self.of(child).trim_matches('\\')),
                "namespace_use_clause" => clauses.push(child),
                "namespace_use_group" => {
                    let mut inner = child.walk();
                    clauses.extend(child.named_children(&mut inner));
                }
                _ => {}
            }
        }
        for clause in clauses.into_iter().filter(|clause| clause.kind() == "namespace_use_clause") {
            let alias = clause.child_by_field_name("alias").map(|alias| self.of(alias));
            let mut inner = clause.walk();
            let named = |node: &Node<'_>| matches!(node.kind(), "name" | "qualified_name");
            let name = self.of(clause.named_children(&mut inner).find(named)?);
            let path = format!("{prefix}{}", name.trim_start_matches('\\'));
            let kind = kind_of(clause).or_else(|| kind.clone());
            let last = path.rsplit('\\').next().unwrap_or(&path).to_owned();
            let bound = alias.clone().unwrap_or(last);
            let word = kind.as_deref().map(|kind| format!("{kind} ")).unwrap_or_default();
            // Only constants care about case.
            let local = if kind.as_deref() == Some("const") { bound } else { bound.to_lowercase() };
            let alias = alias.map(|alias| format!(" as {alias}")).unwrap_or_default();
            let (group, text) = match kind.as_deref() {
                None => (0, format!("use {path}{alias};")),
                Some("function") => (1, format!("use {word}{path}{alias};")),
                Some(_) => (2, format!("use {word}{path}{alias};")),
            };
            let key = format!("{word}{path}{alias}");
            let local = Some(format!("{word}{local}"));
            into.brought.push(Brought { local, group, ..self.brings(key, text) });
        }
        (!into.brought.is_empty()).then_some(())
    }

    fn include(&self, node: Node<'_>, into: &mut Statement) -> Option<()> {
        let path = node.child_by_field_name("path")?;
        let group = match path.kind() {
            "system_lib_string" => 0,
            "string_literal" => 1,
            _ => return None,
        };
        let text = into.text.clone();
        into.brought.push(Brought { group, ..self.brings(self.of(path), text) });
        Some(())
    }

    fn ruby(&self, node: Node<'_>, into: &mut Statement) -> Option<()> {
        let method = self.of(node.child_by_field_name("method")?);
        if node.child_by_field_name("receiver").is_some()
            || node.child_by_field_name("block").is_some()
            || !matches!(method.as_str(), "require" | "require_relative")
        {
            return None;
        }
        let path = self.only_string(node.child_by_field_name("arguments")?)?;
        let text = into.text.clone();
        let group = u8::from(method == "require_relative");
        into.brought.push(Brought { group, ..self.brings(format!("{method} {path}"), text) });
        Some(())
    }

    fn lua(&self, node: Node<'_>, into: &mut Statement) -> Option<()> {
        let (call, local) = if node.kind() == "function_call" {
            (node, None)
        } else {
            let assignment = node.named_child(0).filter(|one| one.kind() == "assignment_statement")?;
            let (names, values) = (assignment.named_child(0)?, assignment.named_child(1)?);
            if names.named_child_count() != 1 || values.named_child_count() != 1 {
                return None;
            }
            (values.named_child(0)?, Some(self.of(names.named_child(0)?)))
        };
        if call.kind() != "function_call" || self.of(call.child_by_field_name("name")?) != "require" {
            return None;
        }
        let path = self.only_string(call.child_by_field_name("arguments")?)?;
        let key = match &local {
            Some(local) => format!("{path} as {local}"),
            None => path,
        };
        let text = into.text.clone();
        into.brought.push(Brought { local, ..self.brings(key, text) });
        Some(())
    }

    /// The one plain string that a call has for its arguments.
    fn only_string(&self, arguments: Node<'_>) -> Option<String> {
        let string = arguments.named_child(0).filter(|one| one.kind() == "string")?;
        if arguments.named_child_count() != 1 || string.named_child_count() > 1 {
            return None;
        }
        let content = string.named_child(0)?;
        matches!(content.kind(), "string_content").then(|| self.of(content))
    }
}

/// The name that a package of Go most likely has: the last part of its path that is no version.
fn package(path: &str) -> &str {
    let is_version = |part: &str| {
        part.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit()))
    };
    path.rsplit('/').find(|part| !is_version(part)).unwrap_or(path)
}

/// Writes strings as the file's imports do, where the language lets one choose.
pub(super) fn in_quotes_of(known: &[Brought], lines: &mut [Brought], language: Language) {
    if !matches!(language, Language::Ruby | Language::Lua) || known.is_empty() {
        return;
    }
    let single = known.iter().filter(|one| one.text.contains('\'')).count();
    let (quote, other) = if single * 2 > known.len() { ('\'', '"') } else { ('"', '\'') };
    for line in lines {
        if !line.text.contains([quote, '\\', '#', '[']) {
            line.text = line.text.replace(other, &quote.to_string());
        }
    }
}
