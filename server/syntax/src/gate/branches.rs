//! One configuration of a file with conditional directives, and SQL without what is said to its shell.
//!
//! The grammars of C, C++ and C# take `#if` for a node of the language, so that a brace opened in one branch and closed in
//! another, or under `__cplusplus`, is an error to them. A compiler sees one branch. So does the gate: of each `#if` the
//! first branch that can be compiled stays, all else becomes blanks, and every offset stays as it is.

use std::borrow::Cow;

use crate::languages::Language;

/// What becomes of the lines of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branch {
    Kept,
    /// A later one may be kept.
    Skipped,
    /// One was kept already, or what surrounds it is not.
    Closed,
}

/// The text with one branch of each conditional, and without the conditionals; as it is in languages without them.
pub(super) fn first(language: Language, text: &str) -> Cow<'_, str> {
    if language == Language::Sql {
        return without_meta_commands(text);
    }
    let has = matches!(language, Language::C | Language::Cpp | Language::CSharp) && text.contains('#');
    if !has {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut open: Vec<Branch> = Vec::new();
    let mut goes_on = false;
    let mut blanks_on = false;
    let mut changed = false;
    for line in text.split_inclusive('\n') {
        let words = if goes_on { None } else { line.trim_start().strip_prefix('#').map(str::trim_start) };
        let conditional = words.is_some_and(|words| conditional(words, language, &mut open));
        let kept = !conditional && !blanks_on && open.iter().all(|branch| *branch == Branch::Kept);
        let continued = line.trim_end_matches(['\r', '\n']).ends_with('\\');
        goes_on = continued && (words.is_some() || goes_on);
        blanks_on = goes_on && (conditional || blanks_on);
        if kept {
            out.push_str(line);
        } else {
            changed = true;
            blank(&mut out, line);
        }
    }
    // A conditional without an end says that the file is cut: that must stay to be seen.
    if changed && open.is_empty() { out.into() } else { text.into() }
}

/// Without lines for psql itself, such as `\echo`.
fn without_meta_commands(text: &str) -> Cow<'_, str> {
    if !text.starts_with('\\') && !text.contains("\n\\") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.starts_with('\\') {
            blank(&mut out, line);
        } else {
            out.push_str(line);
        }
    }
    out.into()
}

/// Reads a directive; says whether it is a conditional one.
fn conditional(words: &str, language: Language, open: &mut Vec<Branch>) -> bool {
    let end = words.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(words.len());
    let (word, condition) = words.split_at(end);
    let condition = condition.split("//").next().unwrap_or_default().trim();
    let surrounded = open.iter().any(|branch| *branch != Branch::Kept);
    match word {
        "if" | "ifdef" | "ifndef" => {
            let holds = match (word, condition) {
                ("if", "0" | "false") => false,
                ("ifdef", "__cplusplus") | ("if", "defined(__cplusplus)" | "defined __cplusplus") => {
                    language != Language::C
                }
                ("ifndef", "__cplusplus") => language == Language::C,
                _ => true,
            };
            open.push(match (surrounded, holds) {
                (true, _) => Branch::Closed,
                (false, true) => Branch::Kept,
                (false, false) => Branch::Skipped,
            });
            true
        }
        "elif" | "else" | "elifdef" | "elifndef" => {
            if let Some(branch) = open.last_mut() {
                *branch = if *branch == Branch::Skipped { Branch::Kept } else { Branch::Closed };
            }
            true
        }
        "endif" => open.pop().is_some(),
        _ => false,
    }
}

/// The line with every byte but its end turned into a blank.
fn blank(out: &mut String, line: &str) {
    let end = line.trim_end_matches(['\r', '\n']).len();
    out.extend(std::iter::repeat_n(' ', end));
    out.push_str(&line[end..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_branch_stays_and_every_offset_too() {
        let text = "#if A\nif (é) {\n#else\nif (b) {\n#endif\n}\n";
        assert_eq!(first(Language::C, text), "     \nif (é) {\n     \n        \n      \n}\n");
        let guard = "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint f(void);\n";
        let c = first(Language::C, guard).into_owned();
        assert!(!c.contains("extern") && c.contains("int f") && c.len() == guard.len(), "{c}");
        assert!(first(Language::Cpp, guard).contains("extern"));
        assert_eq!(
            first(Language::C, "#if 0\n(\n#elif B\na\n#else\n)\n#endif\n"),
            "     \n \n       \na\n     \n \n      \n"
        );
        assert_eq!(
            first(Language::C, "#if A \\\n  && B\n#define C \\\n#else\nx\n#endif\n"),
            "       \n      \n#define C \\\n#else\nx\n      \n"
        );
    }

    #[test]
    fn what_is_not_closed_stays_to_be_seen() {
        let cut = "#if A\nint a;\n";
        assert_eq!(first(Language::C, cut), cut);
        assert_eq!(first(Language::Rust, "#[a]\n"), "#[a]\n");
    }
}
