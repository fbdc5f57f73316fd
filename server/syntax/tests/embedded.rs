//! Code inside other code, and grammars that do not know all of their language: what the gate, the merge and the outline
//! make of them.

use assist_base::ByteRange;
use assist_syntax::{
    Candidate, Component, How, Judgement, Language, PlaceError, Placement, Scanned, Scanner, Target, Verdict,
    enclosing, judge, outline, place,
};

fn component(head: &str, code: &str) -> Component {
    let text = format!("/// COMPONENT_START: {head} ///\n{code}/// COMPONENT_END ///\n");
    let (scanned, _) = Scanner::scan(&text, None);
    let found = scanned.into_iter().find_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    found.expect("the text has a component")
}

fn try_put(
    language: Language,
    before: &str,
    head: &str,
    code: &str,
) -> Result<(Placement, Judgement), PlaceError> {
    put_at(language, before, head, code, Target::Named)
}

fn put_at(
    language: Language,
    before: &str,
    head: &str,
    code: &str,
    target: Target,
) -> Result<(Placement, Judgement), PlaceError> {
    let component = component(head, code);
    let target = if before.is_empty() { Target::NewFile } else { target };
    let placement = place(before, Some(language), &component, &target, None)?;
    let judgement = judge(&Candidate {
        component: &component,
        language: Some(language),
        before: (!before.is_empty()).then_some(before),
        placement: &placement,
        top_level: !matches!(target, Target::Selection(_)),
        complete_stream: true,
    });
    Ok((placement, judgement))
}

#[track_caller]
fn put(language: Language, before: &str, head: &str, code: &str) -> (Placement, Judgement) {
    try_put(language, before, head, code).expect("there is a place for it")
}

const VUE: &str = "<template>\n  <p @click=\"add\">{{ a < 2 }}</p>\n</template>\n\n<script setup lang=\"ts\">\nimport { ref } from \"vue\";\n\nconst a = ref(1);\n\nfunction add(): void {\n  a.value++;\n}\n</script>\n";

#[test]
fn a_function_is_replaced_inside_a_script() {
    for (language, open) in [
        (Language::Vue, "<script setup lang=\"ts\">"),
        (Language::Svelte, "<script lang=\"ts\">"),
        (Language::Html, "<script type=\"text/typescript\">"),
    ] {
        let markup = "<p>{a}</p>\n\n";
        let script =
            "\nimport { b } from \"b\";\n\n/** Adds. */\nfunction add(): void {\n  b();\n}\n\nconst c = 1;\n";
        let before = format!("{markup}{open}{script}</script>\n");
        let code = "import { d } from 'd';\n\nfunction add(): number {\n  return d();\n}\n";
        let (placement, judgement) = put(language, &before, "add", code);
        assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
        assert_eq!(placement.embedded, Some(Language::TypeScript));
        let after = "\nimport { b } from \"b\";\nimport { d } from \"d\";\n\n/** Adds. */\nfunction add(): number {\n  return d();\n}\n\nconst c = 1;\n";
        assert_eq!(placement.after, format!("{markup}{open}{after}</script>\n"));
        assert_eq!(
            placement.inserted.of(&placement.after).unwrap_or_default().lines().next(),
            Some("function add(): number {")
        );
    }
}

#[test]
fn a_new_function_goes_into_the_script_and_markup_into_the_file() {
    let (placement, judgement) = put(Language::Vue, VUE, "remove", "function remove() {\n  a.value--;\n}\n");
    assert_eq!((judgement.verdict, &placement.how), (Verdict::Whole, &How::Inserted), "{judgement:?}");
    assert!(
        placement.after.ends_with("  a.value++;\n}\n\nfunction remove() {\n  a.value--;\n}\n</script>\n"),
        "{}",
        placement.after
    );

    let code = "<template>\n  <p>{{ a }}</p>\n</template>\n";
    let (placement, judgement) = put(Language::Vue, VUE, "template", code);
    assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
    assert!(
        placement.after.starts_with("<template>\n  <p>{{ a }}</p>\n</template>\n\n<script"),
        "{}",
        placement.after
    );
}

#[test]
fn an_error_in_a_script_is_an_error_of_the_file_on_its_own_line() {
    let broken = VUE.replace("ref(1);", "ref(1;");
    let judged = |language, code: &str| put(language, "", "Card", code).1;
    let judgement = judged(Language::Vue, &broken);
    assert_eq!(judgement.verdict, Verdict::Malformed);
    assert_eq!(judgement.reasons[0].line, Some(8), "{judgement:?}");
    assert_eq!(judged(Language::Vue, VUE).verdict, Verdict::Whole);

    let judgement = put(Language::Vue, VUE, "add", "function add( {\n  a.value++;\n}\n").1;
    assert_ne!(judgement.verdict, Verdict::Whole);
    // The parts of a page that are not scripts of the page.
    let page = |script: &str| judged(Language::Html, &format!("<body>\n{script}\n</body>\n")).verdict;
    assert_eq!(page("<script>let a = ;</script>"), Verdict::Malformed);
    assert_eq!(page("<script type=\"module\">import a from 'a';\nawait a();</script>"), Verdict::Whole);
    assert_eq!(page("<script type=\"application/json\">{\"a\": 1,, }</script>"), Verdict::Malformed);
    assert_eq!(page("<script type=\"text/x-template\"><p>{{ if }}</p></script>"), Verdict::Whole);
    assert_eq!(page("<script>let a = {% if b %}1{% else %}2{% endif %};</script>"), Verdict::Whole);
    assert_eq!(page("<style>.a { color: red;</style>"), Verdict::Malformed);
    assert_eq!(page("<style>@media (width >= 40em) { .a { color: red } }</style>"), Verdict::Whole);
}

#[test]
fn a_name_that_a_script_has_already_is_not_declared_again() {
    let start = VUE.find("const a").expect("it is there");
    let target = Target::Selection(ByteRange::new(start, start + "const a = ref(1);".len()));
    let (_, judgement) =
        put_at(Language::Vue, VUE, "a", "const a = ref(2);\nfunction add() {}\n", target).expect("a place");
    assert_eq!(judgement.verdict, Verdict::Malformed);
    assert!(judgement.reasons[0].message.contains("`add` would be declared twice"), "{judgement:?}");
}

#[test]
fn a_selection_inside_a_script_must_not_swallow_what_follows() {
    let start = VUE.find("  a.value++;").expect("it is there");
    let target = Target::Selection(ByteRange::new(start, start + "  a.value++;\n".len()));
    let (_, judgement) =
        put_at(Language::Vue, VUE, "add", "  a.value++;\n}\nfunction more() {\n", target).expect("a place");
    assert_ne!(judgement.verdict, Verdict::Whole);
    let (placement, judgement) =
        put_at(Language::Vue, VUE, "add", "a.value += 2;\n", target).expect("a place");
    assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
    assert!(placement.after.contains("{\n  a.value += 2;\n}"), "{}", placement.after);
}

#[test]
fn the_outline_looks_inside() {
    let names = |text: &str, language| -> Vec<String> {
        outline(text, language).into_iter().map(|one| format!("{} {}", one.depth, one.name)).collect()
    };
    let text = "# A\n\n```python\ndef f():\n    pass\n```\n\n> ```js\n> function quoted() {}\n> ```\n\n```text\nfn g() {}\n```\n";
    assert_eq!(names(text, Language::Markdown), ["0 A", "1 f"]);
    assert_eq!(names(VUE, Language::Vue), ["0 template", "0 script", "1 a", "1 add"]);
    let at = VUE.find("value++").expect("it is there");
    assert_eq!(enclosing(VUE, Language::Vue, ByteRange::at(at)).map(|one| one.name), Some("add".to_owned()));
}

#[test]
fn examples_do_not_hold_up_a_document() {
    let text = "# Use\n\n```rust\nfn main() {\n    ...\n```\n\nAnd so on ( [ { \"\n";
    assert_eq!(put(Language::Markdown, "", "Use", text).1.verdict, Verdict::Whole);
    let judgement = put(Language::Markdown, "", "Use", "# Use\n\n```rust\nfn main() {}\n").1;
    assert_eq!((judgement.verdict, judgement.reasons[0].line), (Verdict::Truncated, Some(3)));
    // One section takes the place of its namesake, up to the next heading.
    let before = "# A\n\none\n\n## B\n\ntwo\n\n## C\n\nthree\n";
    let (placement, judgement) = put(Language::Markdown, before, "B", "## B\n\nnew\n");
    assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
    assert!(
        placement.after.contains("one\n\n## B\n\nnew\n") && placement.after.contains("## C\n\nthree\n"),
        "{}",
        placement.after
    );
}

#[test]
fn a_table_leaves_the_comment_of_the_next_one_alone() {
    let before = "[a]\nx = 1\n\n# About b.\n[b]\ny = 2\n";
    let (placement, judgement) = put(Language::Toml, before, "a", "[a]\nx = 3\n");
    assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
    assert_eq!(placement.after, before.replace("x = 1", "x = 3"));
}

#[test]
fn macros_are_a_question_and_broken_code_is_not() {
    let judged = |code: &str| put(Language::C, "", "a.h", code).1;
    let macros = judged("#define API\nAPI_BEGIN(a) {\n  LOOP(x, 3) int y = x\n}\nDECLARE(b, int)\n");
    assert_eq!(macros.verdict, Verdict::Unverified, "{macros:?}");
    assert_ne!(judged("int f(void)\n{\n    return (1;\n}\n").verdict, Verdict::Unverified);
    // One branch of a directive is one program.
    let branches = "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint f(int a)\n{\n#if A\n    if (a) {\n#else\n    if (!a) {\n#endif\n        return 1;\n    }\n    return 0;\n}\n#ifdef __cplusplus\n}\n#endif\n";
    assert_eq!(judged(branches).verdict, Verdict::Whole, "{:?}", judged(branches));
    // What the file had that the grammar does not know is no reason against a change elsewhere.
    let before = "API_BEGIN(a) {\n  LOOP(x, 3) int y = x\n}\n\nint f(void)\n{\n    return 1;\n}\n";
    let (placement, judgement) = put(Language::C, before, "f", "int f(void)\n{\n    return 2;\n}\n");
    assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
    assert_eq!(placement.after, before.replace("return 1", "return 2"));
    let judgement = put(Language::C, before, "f", "int f(void)\n{\n    return (2;\n}\n").1;
    assert_ne!(judgement.verdict, Verdict::Whole);
}

#[test]
fn a_file_that_is_made_from_a_template_is_a_question() {
    let chart = "metadata:\n  {{- if .Values.labels }}\n  labels: {a: {{ .Values.a }}}\n  {{- end }}\n";
    assert_eq!(put(Language::Yaml, "", "chart", chart).1.verdict, Verdict::Unverified);
    assert_eq!(put(Language::Yaml, "", "chart", "a: [1, 2\nb: 3\n").1.verdict, Verdict::Malformed);
}

#[test]
fn a_member_is_replaced_where_it_stands() {
    let before = "package a;\n\n/** A. */\nclass A {\n    int one() {\n        return 1;\n    }\n\n    /** Two. */\n    int two() {\n        return 2;\n    }\n}\n";
    let code = "int two() {\n    return 22;\n}\n";
    let (placement, judgement) = put(Language::Java, before, "two", code);
    assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
    assert_eq!(placement.after, before.replace("return 2;", "return 22;"));
    // With a comment of its own in place of the old one, which is the method's, not the class's.
    let (placement, _) = put(Language::Java, before, "two", "/** Twice. */\nint two() {\n    return 2;\n}\n");
    assert_eq!(placement.after, before.replace("/** Two. */", "/** Twice. */"));
    // Overloads are two places.
    let overloaded = before.replace("int one()", "int two(int a)");
    assert!(matches!(try_put(Language::Java, &overloaded, "two", code), Err(PlaceError::Ambiguous { .. })));
}

#[cfg(feature = "cpp")]
#[test]
fn the_lines_of_a_namespace_do_not_stand_for_all_of_it() {
    let before =
        "namespace a {\n\nclass B {\n  int one;\n};\n\nint other() { return 1; }\n\n}  // namespace a\n";
    let code = "namespace a {\n\nclass B {\n  int two;\n};\n\n}  // namespace a\n";
    let (placement, judgement) = put(Language::Cpp, before, "B", code);
    assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
    assert_eq!(placement.after, before.replace("int one", "int two"));
    // A new class comes with the namespace's lines and opens it again.
    let (placement, _) = put(Language::Cpp, before, "C", "namespace a {\n\nclass C {};\n\n}\n");
    assert!(placement.after.starts_with(before.trim_end()), "{}", placement.after);
}

#[cfg(feature = "php")]
#[test]
fn php_is_read_with_and_without_its_opening_tag() {
    let before = "<?php\n\nnamespace A;\n\nfunction f(): int\n{\n    return 1;\n}\n\n$a = f();\n";
    for code in
        ["function f(): int\n{\n    return 2;\n}\n", "<?php\n\nfunction f(): int\n{\n    return 2;\n}\n"]
    {
        let (placement, judgement) = put(Language::Php, before, "f", code);
        assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
        assert_eq!(placement.after, before.replace("return 1", "return 2"));
    }
    let judgement = put(Language::Php, before, "f", "function f(): int\n{\n    return 2 +;\n}\n").1;
    assert_eq!(judgement.verdict, Verdict::Malformed);
}

#[test]
fn here_documents_keep_their_indentation() {
    let before = "f() {\n    if a; then\n        b\n    fi\n}\n";
    let start = before.find("        b").expect("it is there");
    let target = Target::Selection(ByteRange::new(start, start + "        b\n".len()));
    let code = "cat <<EOF\ntext\n  more\nEOF\nif c; then\n    d\nfi\n";
    let (placement, judgement) = put_at(Language::Bash, before, "b", code, target).expect("a place");
    assert_eq!(judgement.verdict, Verdict::Whole, "{judgement:?}");
    let expected = "        cat <<EOF\ntext\n  more\nEOF\n        if c; then\n            d\n        fi\n";
    assert!(placement.after.contains(expected), "{}", placement.after);
}
