use super::*;
use crate::merge::{Target, place};
use crate::scanner::{Scanned, Scanner};
use assist_base::ByteRange;

/// The component of a stream that holds `code` between its markers; a START line may be given.
fn component(start: &str, code: &str) -> Component {
    let text = format!("/// COMPONENT_START: {start} ///\n{code}/// COMPONENT_END ///\n");
    let (scanned, ending) = Scanner::scan(&text, None);
    let found = scanned.into_iter().find_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    found.or(ending.partial).unwrap()
}

fn judge_placed(
    language: Option<Language>,
    before: Option<&str>,
    component: &Component,
    target: Target,
    top_level: bool,
) -> Judgement {
    let placement = place(before.unwrap_or_default(), language, component, &target, None).unwrap();
    judge(&Candidate { component, language, before, placement: &placement, top_level, complete_stream: true })
}

#[track_caller]
fn new_file(language: Language, start: &str, code: &str, verdict: Verdict, says: &str) {
    let judgement = judge_placed(Some(language), None, &component(start, code), Target::NewFile, true);
    check(&judgement, verdict, says);
}

/// A selection marked with `«` and `»` in a file.
#[track_caller]
fn fragment(language: Language, before: &str, code: &str, verdict: Verdict, says: &str) {
    let (head, rest) = before.split_once('«').unwrap();
    let (selected, tail) = rest.split_once('»').unwrap();
    let range = ByteRange::new(head.len(), head.len() + selected.len());
    let text = format!("{head}{selected}{tail}");
    let judgement =
        judge_placed(Some(language), Some(&text), &component("x", code), Target::Selection(range), false);
    check(&judgement, verdict, says);
}

#[track_caller]
fn check(judgement: &Judgement, verdict: Verdict, says: &str) {
    let said: Vec<&str> = judgement.reasons.iter().map(|reason| reason.message.as_str()).collect();
    assert_eq!(judgement.verdict, verdict, "{said:?}");
    assert!(said.join(" ").contains(says), "{said:?} should say {says:?}");
    assert_eq!(judgement.verdict == Verdict::Whole, said.is_empty());
}

const TSX: Language = Language::Tsx;

#[test]
fn whole_code_is_whole() {
    new_file(
        TSX,
        "Hero exports=Hero",
        "export const Hero = () => <p>Don't & won't</p>;\n",
        Verdict::Whole,
        "",
    );
    new_file(
        TSX,
        "Hero exports=default",
        "export default function Hero() { return null }\n",
        Verdict::Whole,
        "",
    );
    new_file(TSX, "Hero", "export default memo(() => <a/>);\n", Verdict::Whole, "");
    new_file(TSX, "A exports=A,B", "const A = 1, { x: [B] } = c;\nexport { A, B };\n", Verdict::Whole, "");
    new_file(TSX, "index path=\"src/index.ts\" exports=A", "export * from \"./a\";\n", Verdict::Whole, "");
    // What tree-sitter's grammar does not take, but TypeScript does.
    new_file(
        Language::TypeScript,
        "S",
        "export interface S<in out T> { a(): T\n b(): T }\nexport type * from \"./t\";\n",
        Verdict::Whole,
        "",
    );
    // A script: not a module, and JSX in a .js file.
    new_file(
        Language::JavaScript,
        "f",
        "var f = <a/>;\nwith (f) { yield = await; }\nreturn;\n",
        Verdict::Whole,
        "",
    );
    new_file(
        Language::TypeScript,
        "f path=\"a.d.ts\"",
        "declare function f(): void;\nexport const x: 1;\n",
        Verdict::Whole,
        "",
    );
}

#[test]
fn a_missing_end_is_truncated_whatever_the_code() {
    let text = "/// COMPONENT_START: A ///\nconst A = 1;\n";
    let partial = Scanner::scan(text, None).1.partial.unwrap();
    for language in [Some(TSX), None] {
        let judgement = judge_placed(language, None, &partial, Target::NewFile, true);
        check(&judgement, Verdict::Truncated, "END marker is missing");
    }
}

#[test]
fn what_stops_before_its_end_is_truncated_and_what_is_wrong_is_malformed() {
    new_file(TSX, "A", "function A() {\n  return <div><p>a\n", Verdict::Truncated, "Line 2");
    new_file(TSX, "A", "function A() {\n  if (b) {\n  }\n", Verdict::Truncated, "");
    new_file(TSX, "A", "const A = `a ${b}\n", Verdict::Truncated, "");
    new_file(TSX, "A", "function A() {\n  const b = ;\n  return b;\n}\n", Verdict::Malformed, "Line 2");
    new_file(TSX, "A", "function A() {\n  return <a></b>;\n}\n", Verdict::Malformed, "Line 2");
    new_file(Language::Python, "f", "def f():\n    return [1,\n", Verdict::Truncated, "");
    new_file(Language::Python, "f", "def f():\n", Verdict::Truncated, "without statements");
    new_file(
        Language::Python,
        "f",
        "def f(:\n    return 1\n\n\ndef g():\n    return 2\n",
        Verdict::Malformed,
        "",
    );
    new_file(Language::Json, "a", "{ \"a\": [1, 2\n", Verdict::Truncated, "");
    new_file(Language::Json, "a", "{ \"a\": 1 }\n{ \"b\": 2 }\n", Verdict::Malformed, "second value");
    new_file(Language::Html, "a", "<main>\n<p>a</p>\n", Verdict::Truncated, "");
    new_file(Language::Html, "a", "<main>\n<p>a & b</p>\n", Verdict::Truncated, "`<main>` is not closed");
    new_file(Language::Html, "a", "<main>\n<p>a & b\n<ul><li>c</ul></main>\n", Verdict::Whole, "");
    new_file(Language::Html, "a", "<main>\n<p>a</p></div></main>\n", Verdict::Malformed, "closes nothing");
    new_file(Language::Css, "a", ".a {\n  color: red;\n", Verdict::Truncated, "");
    new_file(Language::Rust, "f", "fn f() {\n    let x = vec![1,\n", Verdict::Truncated, "");
    new_file(Language::Go, "F", "package a\n\nfunc F() {\n", Verdict::Truncated, "");
}

#[test]
fn names_and_exports_must_be_there() {
    new_file(TSX, "Hero", "export const Other = 1;\n", Verdict::Malformed, "does not declare `Hero`");
    new_file(TSX, "Hero exports=Hero", "const Hero = 1;\n", Verdict::Malformed, "does not export `Hero`");
    new_file(TSX, "Hero", "function f() { const Hero = 1; }\n", Verdict::Malformed, "top level");
    new_file(Language::Python, "f exports=g", "def f(): pass\n", Verdict::Malformed, "`g`");
    new_file(Language::Python, "f", "f = lambda: 1\n", Verdict::Whole, "");
    new_file(Language::Rust, "f", "pub fn f() {}\n", Verdict::Whole, "");
    new_file(Language::Go, "F", "package a\n\nfunc G() {}\n", Verdict::Malformed, "`F`");
    new_file(Language::Css, "Hero styles", ".hero { color: red }\n", Verdict::Whole, "");
}

#[test]
fn json_prose_and_markers_are_not_code() {
    new_file(TSX, "A", "{ \"plan\": { \"components\": [] } }\n", Verdict::Refused, "JSON");
    new_file(Language::Python, "A", "[{\"a\": 1}]\n", Verdict::Refused, "JSON");
    new_file(
        TSX,
        "A",
        "Sure, here is what I would do.\nFirst the header, then the rest.\n",
        Verdict::Malformed,
        "prose",
    );
    new_file(Language::Html, "a", "Here is your page.\n", Verdict::Malformed, "prose");
    new_file(
        TSX,
        "A",
        "const A = 1;\n// --- VIBECODER_COMPLETE ---\nconst b = 2;\n",
        Verdict::Refused,
        "Line 2",
    );
    new_file(TSX, "A path=\"a.py\"", "const A = 1;\n", Verdict::Refused, "Python");
    // In an object or an array, what looks like JSON may be right.
    fragment(TSX, "const a = «{ \"b\": 1 }»;\n", "{ \"b\": 2 }\n", Verdict::Whole, "");
    fragment(TSX, "const a = «f()»;\n", "{ \"b\": 2 }\n", Verdict::Refused, "JSON");
}

#[test]
fn an_unknown_language_is_for_the_user_to_decide() {
    let judgement = judge_placed(None, Some("a: 1\n"), &component("x", "b: 2\n"), Target::Named, true);
    check(&judgement, Verdict::Unverified, "no grammar");
    let judgement = judge_placed(
        None,
        Some("a: 1\n"),
        &component("x", "\n"),
        Target::Selection(ByteRange::new(0, 5)),
        false,
    );
    check(&judgement, Verdict::Unverified, "remove");
}

#[test]
fn fragments_are_judged_in_their_place() {
    fragment(
        TSX,
        "const a = (\n  <ul>\n    «<li>a</li>»\n  </ul>\n);\n",
        "<li>b</li>\n<li>c</li>\n",
        Verdict::Whole,
        "",
    );
    fragment(
        TSX,
        "const a = (\n  <ul>\n    «<li>a</li>»\n  </ul>\n);\n",
        "<li>b</li>\n<li>c\n",
        Verdict::Malformed,
        "",
    );
    fragment(TSX, "class A {\n«  b() {}\n»}\n", "  b() {\n    return 1;\n  }\n", Verdict::Whole, "");
    fragment(TSX, "class A {\n«  b() {}\n»}\n", "  b() {\n    return 1;\n", Verdict::Truncated, "");
    fragment(TSX, "const a = {\n  «b: 1,»\n  c: 2,\n};\n", "b: () => 3,\nd,\n", Verdict::Whole, "");
    fragment(TSX, "const a = {\n  «b: 1,»\n  c: 2,\n};\n", "b: 3\n", Verdict::Malformed, "of the file");
    fragment(
        Language::Rust,
        "fn f(x: u8) {\n    match x {\n        «1 => {}»\n        _ => {}\n    }\n}\n",
        "1 => g(),\n2 => {}\n",
        Verdict::Whole,
        "",
    );
    fragment(
        Language::Rust,
        "fn f(x: u8) {\n    match x {\n        «1 => {}»\n        _ => {}\n    }\n}\n",
        "1 => { g(\n",
        Verdict::Truncated,
        "",
    );
    fragment(
        Language::Python,
        "class A:\n«    def f(self):\n        pass\n»\n",
        "def f(self):\n    return 1\n",
        Verdict::Whole,
        "",
    );
}

#[test]
fn a_fragment_must_not_swallow_its_surroundings() {
    // The file parses after splicing, but not because the fragment is whole.
    fragment(
        TSX,
        "class A {\n«  b() {}\n»  c() {}\n}\n",
        "  b() {}\n}\nclass D {\n",
        Verdict::Truncated,
        "not closed",
    );
    fragment(TSX, "f(() => {\n«  a();\n»  b();\n});\n", "  a();\n});\ng(() => {\n", Verdict::Truncated, "");
    fragment(TSX, "const a = `\n«x\n»${b}`;\n", "y` + `\n", Verdict::Malformed, "swallow");
    // A selection that cut through blocks may be replaced by one that does.
    fragment(TSX, "«if (a) {\n»  b();\n}\n", "if (c) {\n", Verdict::Whole, "");
}

#[test]
fn a_file_that_was_broken_is_the_users_to_judge() {
    let broken = "function a( {\n}\n\nfunction b() {\n  return 1;\n}\n";
    let at = |code: &str| {
        let target = Target::Selection(ByteRange::new(17, broken.len()));
        judge_placed(Some(TSX), Some(broken), &component("b", code), target, true)
    };
    check(&at("function b() {\n  return 2;\n}\n"), Verdict::Unverified, "already had errors");
    check(&at("function b() {\n  return ;;2)\n}\n"), Verdict::Malformed, "Line 2");
    // What mends the file is whole.
    let target = Target::Selection(ByteRange::new(0, 15));
    let judgement =
        judge_placed(Some(TSX), Some(broken), &component("a", "function a() {\n}\n"), target, true);
    check(&judgement, Verdict::Whole, "");
}

#[test]
fn the_file_after_splicing_counts() {
    // Right by itself, wrong where it goes: the file exports the name already.
    let before = "export const a = 1;\n\nfunction b() {}\n";
    let code = component("b", "function b() {}\nexport { b as a };\n");
    let judgement = judge_placed(Some(TSX), Some(before), &code, Target::Named, true);
    check(&judgement, Verdict::Malformed, "`a` would be exported twice");
    // A model that answers with the whole file where a part was asked for.
    let judge = |language: Language, before: &str, code: &str| {
        let start = before.find("function b").unwrap();
        let target = Target::Selection(ByteRange::new(start, before.len()));
        judge_placed(Some(language), Some(before), &component("b", code), target, true)
    };
    check(
        &judge(TSX, before, "export const a = 1;\n\nfunction b() {}\n"),
        Verdict::Malformed,
        "`a` would be declared twice",
    );
    let before = "import { a } from \"a\";\nimport x from \"x\";\nfunction b() {}\n";
    check(
        &judge(TSX, before, "const c = 1;\nimport { a } from \"a\";\nfunction b() {}\n"),
        Verdict::Malformed,
        "`a` would be imported twice",
    );
    check(
        &judge(
            TSX,
            before,
            "type T = 1;\nconst T = 1;\ninterface I {}\nclass I {}\nfunction b(): void;\nfunction b() {}\nexport { b, T };\nexport type { T as b };\n",
        ),
        Verdict::Whole,
        "",
    );
    check(
        &judge(Language::JavaScript, "function b() {}\n", "var b, c;\nvar c;\nfunction b() {}\n"),
        Verdict::Whole,
        "",
    );
}

#[test]
fn css_that_the_grammar_does_not_know_is_shown_and_not_refused() {
    new_file(
        Language::Css,
        "a",
        "@media (width >= 40em) { .a { color: red } }\n",
        Verdict::Unverified,
        "grammar",
    );
    new_file(Language::Css, "a", ".a { content: \"{\"; }\n", Verdict::Unverified, "grammar");
}

#[test]
fn lines_are_those_of_the_stream() {
    let text =
        "Hi\n/// COMPONENT_START: A ///\n```tsx\nconst A = 1;\nconst B = ;\n```\n/// COMPONENT_END ///\n";
    let Some(Scanned::Component(found)) =
        Scanner::scan(text, None).0.into_iter().find(|one| matches!(one, Scanned::Component(_)))
    else {
        panic!()
    };
    let judgement = judge_placed(Some(TSX), None, &found, Target::NewFile, true);
    assert_eq!(judgement.lines, (4, 5));
    assert_eq!(judgement.reasons[0].line, Some(2));
    assert_eq!(judgement.verdict.as_str(), "malformed");
}

#[test]
fn text_that_nests_beyond_any_stack_is_not_read() {
    let deep = |count: usize| format!("const a = {}1{};\n", "[".repeat(count), "]".repeat(count));
    new_file(TSX, "a", &deep(5_000), Verdict::Whole, "");
    new_file(TSX, "a", &deep(60_000), Verdict::Unverified, "too deeply");
    new_file(
        TSX,
        "a",
        &format!("const a = {}\n", "[{(`${".repeat(30_000)),
        Verdict::Unverified,
        "too deeply",
    );
}

#[test]
fn long_files_that_only_tree_sitter_rejects_are_read_part_by_part() {
    // Variance annotations make tree-sitter give up on all of it.
    let part = |n: usize| {
        let rows = "    { a: [1, (2 + -3)], b: (x: number) => ({ ...x }) },\n".repeat(400);
        format!("export interface Box{n}<in out T> {{ value: T }}\n\nexport const a{n} = [\n{rows}];\n\n")
    };
    let text: String = (0..9).map(part).collect();
    new_file(Language::TypeScript, "a1", &text, Verdict::Whole, "");
    // One part that is too deep is too much.
    let deep = format!("{text}export const b = {};\n", "[".repeat(60_000));
    new_file(Language::TypeScript, "a1", &deep, Verdict::Unverified, "too deeply");
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn nothing_panics(before in any::<String>(), code in any::<String>(), soup in "[(){}\\[\\]<>`'\"$/*\\\\#:;=a-c \n\t&!?é]{0,60}", start in 0_usize..40, len in 0_usize..40, at in 0_usize..26, top in any::<bool>(), ended in any::<bool>()) {
            let language = Language::all().nth(at);
            for (before, code) in [(before.as_str(), code.as_str()), (soup.as_str(), code.as_str()), (before.as_str(), soup.as_str())] {
                let mut component = component("a exports=b", "x\n");
                component.code = code.to_owned();
                component.ended = ended;
                for target in [Target::Selection(ByteRange::new(start, start + len)), Target::Named] {
                    if let Ok(placement) = place(before, language, &component, &target, None) {
                        let judgement = judge(&Candidate { component: &component, language, before: Some(before), placement: &placement, top_level: top, complete_stream: ended });
                        prop_assert!(ended || judgement.verdict == Verdict::Truncated);
                    }
                }
            }
        }
    }
}
