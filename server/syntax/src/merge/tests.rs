use super::*;
use crate::scanner::Header;

fn component(name: &str, code: &str) -> Component {
    Component {
        header: Header { name: name.to_owned(), ..Header::default() },
        code: code.to_owned(),
        first_line: 1,
        last_line: code.lines().count().max(1),
        open: vec![],
        ended: true,
    }
}

fn put(
    before: &str,
    language: Language,
    name: &str,
    code: &str,
    target: Target,
) -> Result<Placement, PlaceError> {
    let placed = place(before, Some(language), &component(name, code), &target, None);
    if let Ok(placed) = &placed {
        assert_eq!(apply_edits(before, &placed.edits).unwrap(), placed.after);
        assert!(placed.inserted.of(&placed.after).is_some() && placed.replaced.of(before).is_some());
        let outside = before.len() - placed.replaced.len() + placed.inserted.len();
        assert!(placed.edits.len() > 1 || outside == placed.after.len());
    }
    placed
}

#[track_caller]
fn named(before: &str, name: &str, code: &str, after: &str) -> Placement {
    let placed = put(before, Language::Tsx, name, code, Target::Named).unwrap();
    assert_eq!(placed.after, after);
    placed
}

/// A file with the selection between `«` and `»`; with one mark only, an empty one.
#[track_caller]
fn selected(before: &str, language: Language, code: &str, after: &str) {
    let start = before.find('«').unwrap();
    let text = before.replacen('«', "", 1);
    let end = text.find('»').unwrap_or(start);
    let text = text.replacen('»', "", 1);
    let placed = put(&text, language, "x", code, Target::Selection(ByteRange::new(start, end))).unwrap();
    assert_eq!(placed.after, after);
    assert_eq!(placed.how, How::ReplacedSelection);
}

const FILE: &str = "import { a } from \"./a\";\n\n// Says hello.\nexport function Hello() {\n  return a;\n}\n\nfunction other() {}\n";

#[test]
fn a_new_file_is_the_code() {
    let placed = put("", Language::Tsx, "A", "\n\nconst a = 1;\n\n\n", Target::NewFile).unwrap();
    assert_eq!((placed.after.as_str(), placed.how), ("const a = 1;\n", How::Created));
    assert_eq!(put("x", Language::Tsx, "A", "a\n", Target::NewFile).unwrap_err(), PlaceError::Exists);
    assert_eq!(
        put("", Language::Tsx, "A", "\n", Target::NewFile).unwrap_err(),
        PlaceError::Empty { name: "A".into() }
    );
    assert_eq!(put(" \r\n \r\n", Language::Tsx, "A", "a\nb\n", Target::Named).unwrap().after, "a\r\nb\r\n");
}

#[test]
fn a_selection_of_lines_keeps_its_final_newline_once() {
    let ts = Language::TypeScript;
    selected("a;\n«b;\n»c;\n", ts, "x;\ny;\n", "a;\nx;\ny;\nc;\n");
    selected("a;\n«b;»\nc;\n", ts, "x;\ny;\n", "a;\nx;\ny;\nc;\n");
    selected("a;\n«b;\n»", ts, "x;\n", "a;\nx;\n");
    selected("a;\n«b;»", ts, "x;\n", "a;\nx;");
    selected("«a;\nb;\n»", ts, "x;\n", "x;\n");
    selected("a;\r\n«b;\r\n»c;\r\n", ts, "x;\ny;\n", "a;\r\nx;\r\ny;\r\nc;\r\n");
    selected("a;\r\n«b;»\r\nc;\r\n", ts, "x;\ny;\n", "a;\r\nx;\r\ny;\r\nc;\r\n");
    // Removing lines leaves none behind.
    selected("a;\n«b;\n»c;\n", ts, "", "a;\nc;\n");
}

#[test]
fn a_selection_takes_the_indentation_of_its_place() {
    let ts = Language::TypeScript;
    selected(
        "f(() => {\n    «old();»\n    g();\n});\n",
        ts,
        "if (a) {\n  b();\n}\n",
        "f(() => {\n    if (a) {\n        b();\n    }\n    g();\n});\n",
    );
    selected(
        "function f() {\n\tif (x) {\n«\t\told();\n»\t}\n}\n",
        ts,
        "    if (a) {\n      b();\n    }\n",
        "function f() {\n\tif (x) {\n\t\tif (a) {\n\t\t\tb();\n\t\t}\n\t}\n}\n",
    );
    selected(
        "a {\n  b {\n«    c();\n»  }\n}\n",
        ts,
        "\tif (a) {\n\t\tb();\n\t}\n",
        "a {\n  b {\n    if (a) {\n      b();\n    }\n  }\n}\n",
    );
    // Content of a template is content.
    selected(
        "{\n  «old();»\n}\n",
        ts,
        "const s = `\na\n  b`;\nnext();\n",
        "{\n  const s = `\na\n  b`;\n  next();\n}\n",
    );
    selected(
        "class A:\n    «def f(self):\n        pass\n»\n    x = 1\n",
        Language::Python,
        "def f(self):\n    return '''\na\n'''\n",
        "class A:\n    def f(self):\n        return '''\na\n'''\n\n    x = 1\n",
    );
    // A selection that began after its first line's indentation comes back as it was.
    selected(
        "class A {\n    «f() {\n        a;\n    }»\n}\n",
        ts,
        "f() {\n        b;\n    }\n",
        "class A {\n    f() {\n        b;\n    }\n}\n",
    );
    selected(
        "class A:\n    «def f(self):\n        pass»\n",
        Language::Python,
        "def f(self):\n        return 1\n",
        "class A:\n    def f(self):\n        return 1\n",
    );
    selected(
        "class A:\n    «def f(self):\n        pass»\n",
        Language::Python,
        "def f(self):\n    return 1\n",
        "class A:\n    def f(self):\n        return 1\n",
    );
    // Lines further left than the first one.
    selected("a(\n    «b»\n);\n", ts, "  b\n}\n", "a(\n    b\n  }\n);\n");
}

#[test]
fn a_selection_within_a_line_stays_in_it() {
    let ts = Language::TypeScript;
    selected("const a = «1 + 2»;\n", ts, "3\n", "const a = 3;\n");
    selected("  const a = «1»;\n", ts, "f({\n  b,\n})\n", "  const a = f({\n    b,\n  });\n");
    selected("  const a = «1»;\n", ts, "f({\n    b,\n  })\n", "  const a = f({\n    b,\n  });\n");
    selected("const «é» = 1;\n", ts, "e\n", "const e = 1;\n");
}

#[test]
fn an_empty_selection_inserts() {
    let ts = Language::TypeScript;
    selected("a;\n«b;\n", ts, "x;\n", "a;\nx;\nb;\n");
    selected("a;\n«", ts, "x;\n", "a;\nx;\n");
    selected("f() {\n«\n}\n", ts, "x;\n", "f() {\nx;\n}\n");
    selected("f() {\n  a;\n«\n  b;\n}\n", ts, "x;\n", "f() {\n  a;\n  x;\n  b;\n}\n");
    selected("f(«)\n", ts, "x\n", "f(x)\n");
    selected("«", ts, "x;\n", "x;\n");
}

#[test]
fn a_selection_outside_the_text_is_an_error() {
    for (start, end) in [(0, 9), (8, 9), (1, 2)] {
        let target = Target::Selection(ByteRange::new(start, end));
        let error = put("é;", Language::Tsx, "x", "a\n", target).unwrap_err();
        assert_eq!(error, PlaceError::OutOfText { start, end });
    }
}

#[test]
fn a_declaration_is_replaced_and_all_else_stays() {
    let placed = named(
        FILE,
        "Hello",
        "export function Hello() {\n  return 1;\n}\n",
        "import { a } from \"./a\";\n\n// Says hello.\nexport function Hello() {\n  return 1;\n}\n\nfunction other() {}\n",
    );
    assert_eq!(placed.how, How::Replaced { name: "Hello".into(), kind: Kind::Function });
    assert_eq!(placed.inserted.of(&placed.after), Some("export function Hello() {\n  return 1;\n}"));
    assert_eq!(placed.replaced.of(FILE), Some("export function Hello() {\n  return a;\n}"));
}

#[test]
fn comments_and_export_stay_unless_the_code_brings_its_own() {
    named(FILE, "Hello", "function Hello() {}\n", &FILE.replace("{\n  return a;\n}", "{}"));
    named(
        FILE,
        "Hello",
        "/** Greets. */\nexport const Hello = () => 1;\n",
        "import { a } from \"./a\";\n\n/** Greets. */\nexport const Hello = () => 1;\n\nfunction other() {}\n",
    );
    named(
        "export default function A() {}\n",
        "A",
        "function A() { x }\n",
        "export default function A() { x }\n",
    );
    named(
        "export default function A() {}\n",
        "A",
        "const A = () => x;\n",
        "const A = () => x;\n\nexport default A;\n",
    );
    named(
        "function A() {}\nexport default A;\n",
        "A",
        "function A() { x }\n\nexport default A;\n",
        "function A() { x }\nexport default A;\n",
    );
    named(
        "function A() {}\nexport { A };\n",
        "A",
        "export function A() { x }\n",
        "function A() { x }\nexport { A };\n",
    );
    named(
        "function A() {}\nexport default A;\n",
        "A",
        "export default function A() { x }\n",
        "function A() { x }\nexport default A;\n",
    );
    named(
        "@dec({ a: 1 })\nexport class A {}\n",
        "A",
        "class A { x = 1 }\n",
        "@dec({ a: 1 })\nexport class A { x = 1 }\n",
    );
    named(
        "@dec\nexport class A {}\n",
        "A",
        "@other\nexport class A { x = 1 }\n",
        "@other\nexport class A { x = 1 }\n",
    );
    named(
        "/*! License: MIT */\nfunction A() {}\n",
        "A",
        "// New.\nfunction A() { x }\n",
        "/*! License: MIT */\n// New.\nfunction A() { x }\n",
    );
}

#[test]
fn python_keeps_decorators_and_its_spacing() {
    let file = "import os\n\n\n@cache\ndef f():\n    return 1\n\n\ndef g():\n    return 2\n";
    let placed = put(file, Language::Python, "f", "def f():\n    return 3\n", Target::Named).unwrap();
    assert_eq!(placed.after, file.replace("return 1", "return 3"));
    let placed = put(
        file,
        Language::Python,
        "h",
        "from os import path\nimport os\n\ndef h():\n    return path\n",
        Target::Named,
    );
    assert_eq!(
        placed.unwrap().after,
        format!(
            "{}\n\n\ndef h():\n    return path\n",
            file.replacen("import os\n", "import os\nfrom os import path\n", 1).trim_end()
        )
    );
}

#[test]
fn rust_attributes_and_docs_go_with_what_they_describe() {
    let file = "/// Old.\n#[derive(Debug)]\nstruct A;\n\nfn f() {}\n";
    let put = |code: &str| put(file, Language::Rust, "A", code, Target::Named).unwrap().after;
    assert_eq!(put("struct A(u8);\n"), "/// Old.\n#[derive(Debug)]\nstruct A(u8);\n\nfn f() {}\n");
    assert_eq!(
        put("/// New.\n#[derive(Clone)]\nstruct A(u8);\n"),
        "/// New.\n#[derive(Clone)]\nstruct A(u8);\n\nfn f() {}\n"
    );
}

#[test]
fn a_name_that_two_declarations_bear_is_refused() {
    let two = "if (a) {\n  function f() {}\n}\nvar f = 1;\nvar f = 2;\n";
    let error = put(two, Language::JavaScript, "f", "var f = 3;\n", Target::Named).unwrap_err();
    assert_eq!(error, PlaceError::Ambiguous { name: "f".into(), lines: vec![4, 5] });
    // By kind, where the name alone would not do.
    let both = "interface A { x: 1 }\nfunction A() {}\n";
    named(both, "A", "function A() { y }\n", "interface A { x: 1 }\nfunction A() { y }\n");
    named(both, "A", "interface A { y: 1 }\n", "interface A { y: 1 }\nfunction A() {}\n");
    // A function does not replace an interface.
    named("interface A {}\n", "A", "function A() {}\n", "interface A {}\n\nfunction A() {}\n");
    // One of several names of a statement.
    let error =
        put("const a = 1, b = 2;\n", Language::Tsx, "a", "const a = 3;\n", Target::Named).unwrap_err();
    assert!(matches!(error, PlaceError::Ambiguous { .. }));
    named("const a = 1, b = 2;\n", "a", "const a = 3, b = 4;\n", "const a = 3, b = 4;\n");
}

#[test]
fn overloads_are_one() {
    named(
        "function f(a: string): void;\nfunction f(a: number): void;\nfunction f(a: unknown) {}\n",
        "f",
        "function f(a: string): void;\nfunction f(a: unknown) { a }\n",
        "function f(a: string): void;\nfunction f(a: unknown) { a }\n",
    );
}

#[test]
fn an_implementation_keeps_its_overloads() {
    named(
        "export function f(a: string): void;\nexport function f(a: unknown) {}\n",
        "f",
        "function f(a: unknown) { a }\n",
        "export function f(a: string): void;\nexport function f(a: unknown) { a }\n",
    );
}

#[test]
fn comments_between_overloads_do_not_part_them() {
    let heads = "/** A. */\nexport function f(a: string): string;\n\n/** B. */\n// Two.\nexport function f(a: number): number;\n";
    let file = format!("{heads}export function f(a: any) {{\n  return a;\n}}\n");
    let new = "export function f(a: any) {\n  return a + 1;\n}\n";
    named(&file, "f", new, &format!("{heads}{new}"));
}

#[test]
fn a_head_does_not_take_the_place_of_a_body() {
    for file in [
        "function f(a: number) {\n  return a;\n}\n",
        "function f(a: number): number;\nfunction f(a: any) {\n  return a;\n}\n",
    ] {
        let error =
            put(file, Language::Tsx, "f", "function f(a: number): number;\n", Target::Named).unwrap_err();
        assert_eq!(error, PlaceError::Bodiless { name: "f".into() });
    }
    let file = "declare function f(a: number): number;\n";
    named(file, "f", "declare function f(a: string): number;\n", "declare function f(a: string): number;\n");
}

#[test]
fn an_export_under_another_name_is_another_export() {
    let file = "export const a = 1;\n\nexport { a as b };\n";
    named(file, "a", "export const a = 2;\n", "export const a = 2;\n\nexport { a as b };\n");
    named(file, "a", "const a = 2;\n", "export const a = 2;\n\nexport { a as b };\n");
    let file = "const a = 1;\n\nexport { a };\n";
    named(file, "a", "export const a = 2;\n", "const a = 2;\n\nexport { a };\n");
}

#[test]
fn what_lies_in_a_block_is_not_at_the_top_level() {
    let file = "describe(() => {\n  const a = 1;\n});\n";
    named(file, "a", "const a = 2;\n", &format!("{file}\nconst a = 2;\n"));
    let rust = "impl A for T {}\n\nimpl B for T {}\n";
    let placed = put(rust, Language::Rust, "B for T", "impl B for T { x!{} }\n", Target::Named).unwrap();
    assert_eq!(placed.after, "impl A for T {}\n\nimpl B for T { x!{} }\n");
}

#[test]
fn what_comes_along_replaces_its_namesake_where_that_stands() {
    named(
        "// Props.\ntype Props = { a: 1 };\n\nconst x = 1;\n\nexport function A(p: Props) {}\n",
        "A",
        "type Props = { a: 2 };\n\ntype Extra = 1;\n\nexport function A(p: Props) { x }\n\nA.displayName = \"A\";\n",
        "// Props.\ntype Props = { a: 2 };\n\nconst x = 1;\n\ntype Extra = 1;\n\nexport function A(p: Props) { x }\n\nA.displayName = \"A\";\n",
    );
}

#[test]
fn a_new_component_goes_after_its_predecessor_or_to_the_end() {
    let code = "export function New() {}\n";
    let at = |predecessor: Option<&str>| {
        place(FILE, Some(Language::Tsx), &component("New", code), &Target::Named, predecessor).unwrap()
    };
    let end = format!("{FILE}\n{code}");
    assert_eq!(at(None).after, end);
    assert_eq!(at(Some("nobody")).after, end);
    assert_eq!(at(Some("other")).after, end);
    assert_eq!(
        at(Some("Hello")).after,
        FILE.replace("}\n\nfunction other", "}\n\nexport function New() {}\n\nfunction other")
    );
    assert_eq!(at(None).how, How::Inserted);
    // The file's habits.
    named("const a = 1;", "B", "const B = 2;\n", "const a = 1;\n\nconst B = 2;");
    named("const a = 1;\r\n\r\n\r\n", "B", "const B = {\n};\n", "const a = 1;\r\n\r\nconst B = {\r\n};\r\n");
    named(
        "f(() => {\n\ta;\n\tb;\n});\n",
        "B",
        "const B = {\n  a: {\n    b,\n  },\n};\n",
        "f(() => {\n\ta;\n\tb;\n});\n\nconst B = {\n\ta: {\n\t\tb,\n\t},\n};\n",
    );
}

#[test]
fn imports_are_hoisted_and_only_what_is_missing_is_added() {
    let file = "'use client'\n\nimport React, { useState } from 'react'\nimport { b } from '../b'\n\nexport function A() {}\n";
    let placed = named(
        file,
        "A",
        "import React, { useState, useMemo as memo } from \"react\";\nimport { b } from \"@/b\";\nimport type { C } from \"./c\";\nimport \"./a.css\";\n\nexport function A() { memo }\n",
        "'use client'\n\nimport React, { useState, useMemo as memo } from 'react'\nimport { b } from '../b'\nimport type { C } from './c'\nimport './a.css'\n\nexport function A() { memo }\n",
    );
    assert_eq!(placed.inserted.of(&placed.after), Some("export function A() { memo }"));
    assert_eq!(placed.edits.len(), 3);
    // Imports of what the file declares elsewhere from another place are not guessed about.
    let error = put(file, Language::Tsx, "A", "import { b } from \"lib\";\nfunction A() {}\n", Target::Named)
        .unwrap_err();
    assert_eq!(
        error,
        PlaceError::ImportConflict { name: "b".into(), ours: "../b".into(), theirs: "lib".into() }
    );
    // The first import of a file.
    named(
        "#!/usr/bin/env node\n// About.\n\nfunction A() {}\n",
        "A",
        "import a from \"a\";\nfunction A() { a }\n",
        "#!/usr/bin/env node\n// About.\n\nimport a from \"a\";\n\nfunction A() { a }\n",
    );
    // Before a selection, too, but not out of one that holds imports.
    selected(
        "import a from \"a\";\nfunction f() {\n  «a;»\n}\n",
        Language::Tsx,
        "import b from \"b\";\n\nb;\n",
        "import a from \"a\";\nimport b from \"b\";\nfunction f() {\n  b;\n}\n",
    );
    selected(
        "«import a from \"a\";\na;\n»b;\n",
        Language::Tsx,
        "import c from \"c\";\nc;\n",
        "import c from \"c\";\nc;\nb;\n",
    );
    let python = put(
        "\"\"\"Doc.\"\"\"\nx = 1\n",
        Language::Python,
        "f",
        "from __future__ import annotations\nimport a.b as c\ndef f(): return c\n",
        Target::Named,
    );
    assert_eq!(
        python.unwrap().after,
        "\"\"\"Doc.\"\"\"\nfrom __future__ import annotations\nimport a.b as c\n\nx = 1\n\ndef f(): return c\n"
    );
}

#[test]
fn other_languages_are_placed_by_name() {
    let css = ".a { x: y }\n\n.b { x: y }\n";
    assert_eq!(
        put(css, Language::Css, ".b", ".b { x: z }\n", Target::Named).unwrap().after,
        ".a { x: y }\n\n.b { x: z }\n"
    );
    let go = "package a\n\n// F is f.\nfunc F() {}\n\nfunc G() {}\n";
    assert_eq!(
        put(go, Language::Go, "F", "func F() { G() }\n", Target::Named).unwrap().after,
        go.replace("F() {}", "F() { G() }")
    );
    let html = "<body>\n  <main id=\"top\">\n    <p>a</p>\n  </main>\n</body>\n";
    let placed =
        put(html, Language::Html, "top", "<main id=\"top\">\n  <p>b</p>\n</main>\n", Target::Named).unwrap();
    assert_eq!(placed.after, html.replace("<p>a</p>", "<p>b</p>"));
    let json = "{\n  \"a\": 1,\n  \"b\": { \"a\": 2 }\n}\n";
    let placed = put(json, Language::Json, "a", "\"a\": [\n  3\n],\n", Target::Named).unwrap();
    assert_eq!(placed.after, "{\n  \"a\": [\n    3\n  ],\n  \"b\": { \"a\": 2 }\n}\n");
    let nested = "@media print {\n  .a { x: y }\n}\n\n.b { x: y }\n";
    let placed = put(nested, Language::Css, ".a", ".a {\n  x: z;\n}\n", Target::Named).unwrap();
    assert_eq!(placed.after, "@media print {\n  .a {\n    x: z;\n  }\n}\n\n.b { x: y }\n");
}

#[test]
fn an_unknown_language_is_still_placed() {
    let placed = place("a: 1\n", None, &component("b", "b: 2\n"), &Target::Named, None).unwrap();
    assert_eq!(placed.after, "a: 1\n\nb: 2\n");
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn nothing_panics_and_edits_fit(
            before in "[a-f{}();=\"'`\\n\\r\\t é@/*<>]{0,80}|(import a from 'a';\n|export |function f|\\(\\) \\{\\}\n|class A |\\{\n|\\}\n|const f = 1;\n|// c\n|\r\n|interface A |default ){0,12}",
            code in "[a-f{}();=\"'`\\n\\t é@/*<>]{0,80}|(import a, \\{ b \\} from 'a';\n|export |function f|\\(\\) \\{\\}\n|class A |\\{\n|\\}\n|const f = 1;\n|// c\n|interface A |default ){0,12}",
            start in 0_usize..90, len in 0_usize..40, which in 0_usize..3, at in 0_usize..10,
        ) {
            let language = Language::all().nth(at).unwrap();
            let target = [Target::Selection(ByteRange::new(start, start + len)), Target::Named, Target::NewFile][which];
            for language in [Some(language), Some(Language::Tsx), None] {
                if let Ok(placed) = place(&before, language, &component("f", &code), &target, Some("A")) {
                    prop_assert_eq!(apply_edits(&before, &placed.edits).unwrap(), placed.after.clone());
                    prop_assert!(placed.inserted.of(&placed.after).is_some());
                }
            }
        }
    }
}
