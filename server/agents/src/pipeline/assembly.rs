//! Assembly: a skeleton takes in its components one by one.
//!
//! A skeleton holds a *slot* for each component it depends on, a comment such as `{/* assist:slot Hero <Hero /> */}` or
//! `// assist:slot cart  app.use(cart);`. It is valid code as it is. When the component is in place, its import is added and
//! the slot becomes what it carries, in one edit that is made only if the file stays as well formed as it was. So at every
//! moment the skeleton names files that are there, and nothing else.

use assist_base::change::apply_edits;
use assist_base::{ByteRange, DocPath, TextEdit};
use assist_syntax::{Exports, Language, Project};

use crate::pipeline::modules;
use crate::pipeline::plan::Part;

const WORD: &str = "assist:slot";

/// A place in a skeleton.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The component's name.
    pub(crate) name: String,
    /// The code that is to stand there; empty where none was given.
    usage: String,
    /// The comment, or all of its line where nothing is to stand there.
    range: ByteRange,
    /// Whether it is a child in JSX.
    jsx: bool,
}

/// The slots of a text, in order.
pub(crate) fn slots(text: &str) -> Vec<Slot> {
    text.match_indices(WORD).filter_map(|(at, _)| slot(text, at)).collect()
}

fn slot(text: &str, at: usize) -> Option<Slot> {
    let before = text[..at].trim_end_matches([' ', '\t']);
    let after = &text[at + WORD.len()..];
    let (start, inside, end, jsx) = if let Some(open) = before.strip_suffix("/*") {
        let close = after.find("*/")?;
        let end = at + WORD.len() + close + 2;
        // In JSX the comment stands in braces of its own.
        let outer = open.trim_end();
        let brace = text[end..].len() - text[end..].trim_start().len();
        if outer.ends_with('{') && text[end + brace..].starts_with('}') {
            (outer.len() - 1, &after[..close], end + brace + 1, true)
        } else {
            (open.len(), &after[..close], end, false)
        }
    } else {
        let sign = ["//", "#"].into_iter().find(|sign| before.ends_with(sign))?;
        let line = after.find(['\n', '\r']).unwrap_or(after.len());
        (before.len() - sign.len(), &after[..line], at + WORD.len() + line, false)
    };
    let inside = inside.strip_prefix([' ', '\t'])?.trim();
    let (name, usage) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    if name.is_empty() {
        return None;
    }
    let range = ByteRange::new(start, end);
    Some(Slot { name: name.to_owned(), usage: usage.trim().to_owned(), range, jsx })
}

/// Why a component cannot be put into a skeleton.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The skeleton has no slot of its name.
    NoSlot,
    /// The result would not be well formed; why.
    Wrong(String),
}

/// A skeleton as it is now.
pub(crate) struct Skeleton<'a> {
    pub(crate) path: &'a DocPath,
    pub(crate) text: &'a str,
    pub(crate) language: Language,
    pub(crate) project: &'a Project,
}

/// What the slots of a component say, each as it would stand there.
pub(crate) fn usages(text: &str, part: &Part) -> Vec<String> {
    let own = slots(text).into_iter().filter(|slot| slot.name == part.name);
    own.map(|slot| if slot.usage.is_empty() { element(part) } else { slot.usage }).collect()
}

/// The edits that put `part`, which exports `exports`, into its slots, and the text they lead to.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn fill(
    skeleton: &Skeleton<'_>,
    part: &Part,
    exports: &Exports,
) -> Result<(Vec<TextEdit>, String), Unfit> {
    let slots: Vec<Slot> = slots(skeleton.text).into_iter().filter(|slot| slot.name == part.name).collect();
    if slots.is_empty() {
        return Err(Unfit::NoSlot);
    }
    let faults = |text: &str| assist_syntax::faults(skeleton.path, text);
    let had = faults(skeleton.text).len();
    let mut wrong = None;
    // What the slot says; where that does not fit, the component alone.
    for plain in [false, true] {
        let code = |slot: &Slot| -> String {
            match (slot.usage.as_str(), slot.jsx) {
                ("", true) => element(part),
                (_, true) if plain => element(part),
                (_, false) if plain => String::new(),
                (usage, _) => usage.to_owned(),
            }
        };
        let used: Vec<String> = slots.iter().map(code).collect();
        let mut edits: Vec<TextEdit> = slots
            .iter()
            .zip(&used)
            .map(|(slot, code)| TextEdit { range: place(skeleton.text, slot, code), text: code.clone() })
            .collect();
        let statement = import(skeleton, part, exports, &used.join(" "));
        match assist_syntax::add_import(skeleton.text, skeleton.language, &statement) {
            Ok(imports) => edits.extend(imports),
            Err(error) => return Err(Unfit::Wrong(error.to_string())),
        }
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let after = match apply_edits(skeleton.text, &edits) {
            Ok(after) => after,
            Err(error) => return Err(Unfit::Wrong(error.to_string())),
        };
        let found = faults(&after);
        if found.len() <= had {
            return Ok((edits, after));
        }
        wrong.get_or_insert_with(|| {
            let reasons: Vec<String> = found.iter().map(ToString::to_string).collect();
            format!(
                "with `{}` in its slot the file is not well formed: {}",
                used.join(" "),
                reasons.join("; ")
            )
        });
    }
    Err(Unfit::Wrong(wrong.unwrap_or_default()))
}

/// What the slot's code takes the place of: nothing is left of a line that held only the slot.
fn place(text: &str, slot: &Slot, code: &str) -> ByteRange {
    if !code.is_empty() {
        return slot.range;
    }
    let line = text[..slot.range.start].rfind('\n').map_or(0, |at| at + 1);
    let next = text[slot.range.end..].find('\n').map_or(text.len(), |at| slot.range.end + at + 1);
    let alone =
        text[line..slot.range.start].trim().is_empty() && text[slot.range.end..next].trim().is_empty();
    if alone { ByteRange::new(line, next) } else { slot.range }
}

/// The component as a child without properties.
fn element(part: &Part) -> String {
    let component = part.name.chars().next().is_some_and(char::is_uppercase);
    if component && is_identifier(&part.name) { format!("<{} />", part.name) } else { String::new() }
}

/// The import of what `code` uses of the component; of all that it exports where the code names nothing.
fn import(skeleton: &Skeleton<'_>, part: &Part, exports: &Exports, code: &str) -> String {
    let module =
        modules::name_in(skeleton.path, skeleton.text, &part.path, skeleton.language, skeleton.project);
    let given = |name: &str| exports.open || exports.names.iter().any(|export| export == name);
    let mut named: Vec<&str> =
        part.exports.iter().map(String::as_str).filter(|name| *name != "default" && given(name)).collect();
    if named.is_empty() && given(&part.name) && is_identifier(&part.name) {
        named.push(&part.name);
    }
    let used: Vec<&str> = named.iter().copied().filter(|name| uses(code, name)).collect();
    let default = skeleton.language.is_ecma() && exports.names.iter().any(|name| name == "default");
    // A component that is exported in both ways is imported by its name.
    let default = default && used.is_empty() && (named.is_empty() || uses(code, &part.name));
    let named = if used.is_empty() && !default { named } else { used };
    if skeleton.language == Language::Python {
        return match named.is_empty() {
            true => format!("import {module}\n"),
            false => format!("from {module} import {}\n", named.join(", ")),
        };
    }
    match (default, named.is_empty()) {
        (true, _) => format!("import {} from \"{module}\";\n", local_name(&part.name)),
        (false, true) => format!("import \"{module}\";\n"),
        (false, false) => format!("import {{ {} }} from \"{module}\";\n", named.join(", ")),
    }
}

/// Whether a text holds a name as a word.
fn uses(code: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    code.match_indices(name).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(part)
            && !code[at + name.len()..].chars().next().is_some_and(part)
    })
}

/// A name that can be bound: `api-client` becomes `apiClient`.
fn local_name(name: &str) -> String {
    let mut local = String::new();
    let mut upper = false;
    for c in name.chars() {
        match c {
            '-' | '.' => upper = !local.is_empty(),
            c if upper => {
                local.extend(c.to_uppercase());
                upper = false;
            }
            c => local.push(c),
        }
    }
    if is_identifier(&local) { local } else { format!("_{local}") }
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || matches!(first, '_' | '$'))
        && letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '$'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::plan::{self, Complexity};

    const APP: &str = "import React from 'react'\n\nexport default function App() {\n  return (\n    <main>\n      {/* assist:slot Hero <Hero title=\"Shop\" onOpen={() => {}} /> */}\n      {/* assist:slot Footer */}\n    </main>\n  )\n}\n";

    fn part(name: &str, path: &str, exports: &[&str]) -> Part {
        Part {
            name: name.to_owned(),
            path: DocPath::relative(path).unwrap(),
            kind: "component".to_owned(),
            complexity: Complexity::Low,
            lines: 10,
            exports: exports.iter().map(|&export| export.to_owned()).collect(),
            dependencies: Vec::new(),
            splits: 0,
        }
    }

    #[track_caller]
    fn filled(path: &str, text: &str, part: &Part, code: &str) -> Result<String, Unfit> {
        let path = DocPath::relative(path).unwrap();
        let language = Language::of_path(&path).unwrap();
        let exports = assist_syntax::exports(code, Language::of_path(&part.path).unwrap());
        let skeleton = Skeleton { path: &path, text, language, project: &Project::default() };
        let (edits, after) = fill(&skeleton, part, &exports)?;
        assert_eq!(apply_edits(text, &edits).as_ref(), Ok(&after));
        assert_eq!(assist_syntax::faults(&path, &after), []);
        Ok(after)
    }

    #[test]
    fn a_component_takes_its_slot_and_is_imported_in_the_files_style() {
        let hero = part("Hero", "src/components/Hero.tsx", &["Hero", "HeroProps"]);
        let code = "export interface HeroProps {}\nexport function Hero() { return <p/>; }\n";
        let after = filled("src/App.tsx", APP, &hero, code).unwrap();
        let expected = APP
            .replace(
                "{/* assist:slot Hero <Hero title=\"Shop\" onOpen={() => {}} /> */}",
                "<Hero title=\"Shop\" onOpen={() => {}} />",
            )
            .replace("'react'\n", "'react'\nimport { Hero } from './components/Hero'\n");
        assert_eq!(after, expected);
        let footer = part("Footer", "src/Footer.tsx", &["default"]);
        let after =
            filled("src/App.tsx", &after, &footer, "export default function Footer() { return <p/>; }\n");
        let expected = expected
            .replace("{/* assist:slot Footer */}", "<Footer />")
            .replace("components/Hero'\n", "components/Hero'\nimport Footer from './Footer'\n");
        assert_eq!(after, Ok(expected.clone()));
        assert_eq!(slots(&expected), []);
        assert_eq!(filled("src/App.tsx", &expected, &footer, ""), Err(Unfit::NoSlot));
    }

    #[test]
    fn a_slot_whose_code_does_not_fit_takes_the_component_alone() {
        let text = APP.replace("<Hero title=\"Shop\" onOpen={() => {}} />", "<Hero title= />");
        let hero = part("Hero", "src/components/Hero.tsx", &["Hero"]);
        let after = filled("src/App.tsx", &text, &hero, "export const Hero = () => <p/>;\n").unwrap();
        assert!(after.contains("      <Hero />\n"), "{after}");
    }

    #[test]
    fn other_languages_have_slots_in_comments() {
        let text = "import express from \"express\";\n\nconst app = express();\n// assist:slot cart app.use(cart);\n// assist:slot theme\napp.listen(1);\n";
        let cart = part("cart", "src/cart.ts", &["cart"]);
        let after = filled("src/main.ts", text, &cart, "export const cart = 1;\n").unwrap();
        assert!(
            after.contains("import { cart } from \"./cart\";\n") && after.contains("\napp.use(cart);\n"),
            "{after}"
        );
        let theme = part("theme", "src/theme.css", &[]);
        let after = filled("src/main.ts", &after, &theme, "a {}\n").unwrap();
        assert!(
            after.contains("import \"./theme.css\";\n") && after.contains("app.use(cart);\napp.listen"),
            "{after}"
        );
        let python = "import os\n\n# assist:slot cart cart.show(os.name)\n";
        let cart = part("cart", "views/cart.py", &["cart"]);
        let after = filled("main.py", python, &cart, "cart = 1\n").unwrap();
        assert_eq!(after, "import os\nfrom views.cart import cart\n\ncart.show(os.name)\n");
    }

    #[test]
    fn what_only_looks_like_a_slot_is_none() {
        for text in [
            "assist:slot Hero",
            "{/* assist:slot Hero",
            "// assist:slots Hero",
            "/* assist:slot */",
            "\"assist:slot a\"",
        ] {
            assert_eq!(slots(text), [], "{text}");
        }
        assert_eq!(local_name("api-client.v2"), "apiClientV2");
        assert!(plan::read("{}").is_err());
    }
}
