//! The user's file keeps its conventions, whatever the model writes: line endings, indentation, the last newline, a
//! byte-order mark. What is expected is rendered from the same program in the file's own style.

use assist_base::ByteRange;
use assist_syntax::hunks::{Hunk, edit};
use assist_syntax::{Candidate, Component, Header, Language, Target, Verdict, judge, place};
use proptest::prelude::*;

/// A program small enough to be rendered in any style.
#[derive(Debug, Clone)]
enum Part {
    Line(u8),
    Blank,
    If(u8, Vec<Part>),
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let leaf = prop_oneof![4 => (0_u8..26).prop_map(Part::Line), 1 => Just(Part::Blank)];
    let part = leaf.prop_recursive(3, 16, 4, |inner| {
        (0_u8..26, prop::collection::vec(inner, 0..4)).prop_map(|(name, body)| Part::If(name, body))
    });
    prop::collection::vec(part, 0..5)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    unit: &'static str,
    eol: &'static str,
}

fn styles() -> impl Strategy<Value = Style> {
    (prop::sample::select(vec!["\t", "  ", "    "]), prop::sample::select(vec!["\n", "\r\n"]))
        .prop_map(|(unit, eol)| Style { unit, eol })
}

fn letter(name: u8) -> char {
    char::from(b'a' + name % 26)
}

fn line(out: &mut String, style: Style, level: usize, text: &str) {
    if !text.is_empty() {
        out.push_str(&style.unit.repeat(level));
        out.push_str(text);
    }
    out.push_str(style.eol);
}

fn braces(out: &mut String, parts: &[Part], style: Style, level: usize) {
    for part in parts {
        match part {
            Part::Line(name) => line(out, style, level, &format!("{}();", letter(*name))),
            Part::Blank => line(out, style, level, ""),
            Part::If(name, body) => {
                line(out, style, level, &format!("if ({}) {{", letter(*name)));
                braces(out, body, style, level + 1);
                line(out, style, level, "}");
            }
        }
    }
}

fn colons(out: &mut String, parts: &[Part], style: Style, level: usize) {
    line(out, style, level, "pass");
    for part in parts {
        match part {
            Part::Line(name) => line(out, style, level, &format!("{}()", letter(*name))),
            Part::Blank => {}
            Part::If(name, body) => {
                line(out, style, level, &format!("if {}:", letter(*name)));
                colons(out, body, style, level + 1);
            }
        }
    }
}

fn function(body: &[Part], style: Style, level: usize, head: &str) -> String {
    let mut out = String::new();
    line(&mut out, style, level, head);
    line(&mut out, style, level + 1, "first();");
    braces(&mut out, body, style, level + 1);
    line(&mut out, style, level, "}");
    out
}

/// Enough of the file's own style to know it by.
fn around(style: Style) -> String {
    function(
        &[Part::If(0, vec![Part::If(1, vec![Part::Line(2)])]), Part::Line(3)],
        style,
        0,
        "function other() {",
    )
}

fn component(name: &str, code: &str) -> Component {
    Component {
        header: Header { name: name.to_owned(), ..Header::default() },
        code: code.replace("\r\n", "\n"),
        first_line: 1,
        last_line: 1,
        open: vec![],
        ended: true,
    }
}

#[track_caller]
fn placed(before: &str, language: Language, component: &Component, target: Target) -> String {
    let placement = place(before, Some(language), component, &target, None).expect("it has a place");
    let judgement = judge(&Candidate {
        component,
        language: Some(language),
        before: Some(before),
        placement: &placement,
        top_level: !matches!(target, Target::Selection(_)),
        complete_stream: true,
    });
    assert_eq!(judgement.verdict, Verdict::Whole, "{:?}\n{}", judgement.reasons, placement.after);
    placement.after
}

fn trimmed(text: &str, ends: bool, eol: &str) -> String {
    if ends { text.to_owned() } else { text.strip_suffix(eol).unwrap_or(text).to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replaced_function_is_in_the_files_style(
        old in parts(), new in parts(), theirs in styles(), ours in styles(), last in any::<bool>(), ends in any::<bool>(),
    ) {
        let file = |body: &[Part]| {
            let own = function(body, theirs, 0, "function target() {");
            let text = match last {
                true => format!("{}{}{own}", around(theirs), theirs.eol),
                false => format!("{own}{}{}", theirs.eol, around(theirs)),
            };
            trimmed(&text, ends, theirs.eol)
        };
        let component = component("target", &function(&new, ours, 0, "function target() {"));
        let after = placed(&file(&old), Language::TypeScript, &component, Target::Named);
        prop_assert_eq!(after, file(&new));
    }

    #[test]
    fn an_added_function_is_in_the_files_style(
        new in parts(), theirs in styles(), ours in styles(), ends in any::<bool>(),
    ) {
        let before = trimmed(&around(theirs), ends, theirs.eol);
        let component = component("target", &function(&new, ours, 0, "function target() {"));
        let after = placed(&before, Language::TypeScript, &component, Target::Named);
        let own = function(&new, theirs, 0, "function target() {");
        prop_assert_eq!(after, trimmed(&format!("{}{}{own}", around(theirs), theirs.eol), ends, theirs.eol));
    }

    #[test]
    fn a_selected_method_takes_the_indentation_of_its_place(
        old in parts(), new in parts(), theirs in styles(), ours in styles(), written in 0_usize..3,
    ) {
        let method = |body: &[Part], style: Style, level: usize| function(body, style, level, "target() {");
        let (head, tail) = (format!("{}class A {{{}", around(theirs), theirs.eol), format!("}}{}", theirs.eol));
        let selected = method(&old, theirs, 1);
        let before = format!("{head}{selected}{tail}");
        let target = Target::Selection(ByteRange::new(head.len(), head.len() + selected.len()));
        let component = component("target", &method(&new, ours, written));
        let after = placed(&before, Language::TypeScript, &component, target);
        prop_assert_eq!(after, format!("{head}{}{tail}", method(&new, theirs, 1)));
    }

    #[test]
    fn a_method_of_python_takes_the_indentation_of_its_place(
        old in parts(), new in parts(), theirs in styles(), ours in styles(), written in 0_usize..3,
    ) {
        let method = |body: &[Part], style: Style, level: usize| {
            let mut out = String::new();
            line(&mut out, style, level, "def target(self):");
            colons(&mut out, body, style, level + 1);
            out
        };
        let mut head = String::new();
        line(&mut head, theirs, 0, "class A:");
        line(&mut head, theirs, 1, "def other(self):");
        colons(&mut head, &[Part::If(0, vec![Part::If(1, vec![])])], theirs, 2);
        let mut tail = String::new();
        line(&mut tail, theirs, 1, "x = 1");
        let selected = method(&old, theirs, 1);
        let before = format!("{head}{selected}{tail}");
        let target = Target::Selection(ByteRange::new(head.len(), head.len() + selected.len()));
        let component = component("target", &method(&new, ours, written));
        let after = placed(&before, Language::Python, &component, target);
        prop_assert_eq!(after, format!("{head}{}{tail}", method(&new, theirs, 1)));
    }

    #[test]
    fn a_hunk_is_in_the_files_style(
        old in parts(), new in parts(), theirs in styles(), ours in styles(), mark in any::<bool>(), ends in any::<bool>(),
    ) {
        let mark = if mark { "\u{feff}" } else { "" };
        let file = |body: &[Part]| {
            let own = function(body, theirs, 0, "function target() {");
            trimmed(&format!("{mark}{}{}{own}", around(theirs), theirs.eol), ends, theirs.eol)
        };
        let lines = |body: &[Part]| -> Vec<String> {
            let text = function(body, ours, 0, "function target() {");
            text.lines().map(str::to_owned).collect()
        };
        let hunk = Hunk { search: lines(&old), replace: lines(&new), line: None, at: 1 };
        let before = file(&old);
        match edit(Some(&before), Some(Language::TypeScript), &[hunk], false) {
            Ok(edited) => prop_assert_eq!(edited.after, file(&new)),
            Err(refused) => prop_assert!(false, "{:?}", refused),
        }
    }
}
