//! What a component looks like from outside: its exported declarations without their bodies. Shown to the model in place
//! of the whole text of what it builds on.

use assist_syntax::{Kind, Language};

/// Longer interfaces and types are cut, in lines.
const MAX_LINES: usize = 40;
/// What is shown of one file at most, in bytes.
const MAX_BYTES: usize = 4 * 1024;

/// The declarations at the top level of `text` that others can use, each without its body.
pub(crate) fn of(text: &str, language: Language) -> String {
    let top: Vec<_> =
        assist_syntax::outline(text, language).into_iter().filter(|one| one.depth == 0).collect();
    let given = |one: &&assist_syntax::Outlined| {
        !language.is_ecma() || one.range.of(text).is_some_and(|code| code.starts_with("export"))
    };
    let exported: Vec<_> = top.iter().filter(given).collect();
    // A file without one exports in some other way.
    let shown = if exported.is_empty() { top.iter().collect() } else { exported };
    let mut all = String::new();
    for one in shown {
        let Some(code) = one.range.of(text) else { continue };
        let whole = matches!(one.kind, Kind::Interface | Kind::Type | Kind::Enum | Kind::Struct);
        let line = if whole { cut(code) } else { head(code, language).to_owned() };
        if all.len() + line.len() > MAX_BYTES {
            all.push_str("…\n");
            break;
        }
        all.push_str(line.trim_end());
        all.push('\n');
    }
    all
}

fn cut(code: &str) -> String {
    let lines: Vec<&str> = code.lines().collect();
    let shown = lines.iter().take(MAX_LINES).copied().collect::<Vec<_>>().join("\n");
    if lines.len() > MAX_LINES { format!("{shown}\n…") } else { shown }
}

/// A declaration up to its body: the first brace, arrow or (in Python) colon outside of brackets.
fn head(code: &str, language: Language) -> &str {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut last = ' ';
    for (at, c) in code.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open && last != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') if language.is_ecma() || language == Language::Python => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, ':') if depth == 0 && language == Language::Python => return &code[..at],
            (None, '{') if depth == 0 && language != Language::Python => return &code[..at],
            (None, '>') if depth == 0 && last == '=' => return &code[..=at],
            _ => {}
        }
        last = c;
    }
    // Without a body, such as a constant: its first line says enough.
    code.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_and_private_things_are_left_out() {
        let text = "import x from 'x';\nconst hidden = 1;\nexport interface Props {\n  title: string;\n}\nexport function Hero({ title }: Props) {\n  return title + \"secret\";\n}\nexport const add = (a: number) => {\n  return a;\n};\nexport const LIMIT = 3;\n";
        let expected = "export interface Props {\n  title: string;\n}\nexport function Hero({ title }: Props)\nexport const add = (a: number) =>\nexport const LIMIT = 3;\n";
        assert_eq!(of(text, Language::TypeScript), expected);
        let python = "def total(items: list) -> int:\n    return 0\n\nclass Cart(Base):\n    pass\n";
        assert_eq!(of(python, Language::Python), "def total(items: list) -> int\nclass Cart(Base)\n");
        assert_eq!(of("pub fn add(a: u8) -> u8 {\n    a\n}\n", Language::Rust), "pub fn add(a: u8) -> u8\n");
    }
}
