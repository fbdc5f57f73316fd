use proptest::prelude::*;

use super::*;
use crate::{Scanned, Scanner};

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn hunk(search: &str, replace: &str) -> Hunk {
    Hunk { search: lines(search), replace: lines(replace), line: None, at: 1 }
}

fn try_edit(before: &str, hunks: &[Hunk]) -> Result<Edited, Vec<Refused>> {
    let edited = edit(Some(before), Some(Language::TypeScript), hunks, false);
    if let Ok(edited) = &edited {
        assert_eq!(apply_edits(before, &edited.edits).unwrap(), edited.after);
        assert_eq!(apply_edits(&edited.after, &inverse(before, edited)).unwrap(), before);
    }
    edited
}

#[track_caller]
fn check(before: &str, search: &str, replace: &str, after: &str) -> How {
    let edited = try_edit(before, &[hunk(search, replace)]).unwrap();
    assert_eq!(edited.after, after);
    edited.places[0].how
}

#[track_caller]
fn refused(before: &str, search: &str, replace: &str) -> Why {
    let mut refused = try_edit(before, &[hunk(search, replace)]).unwrap_err();
    assert_eq!(refused.len(), 1);
    refused.remove(0).why
}

fn block(text: &str, id: Option<&str>) -> Component {
    let (scanned, ending) = Scanner::scan(text, id);
    let found = scanned.into_iter().chain(ending.rest).find_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    found.or(ending.partial).expect("the text holds a block")
}
use crate::scanner::Component;

const FILE: &str = "import a from \"a\";\n\nfunction one() {\n  return 1;\n}\n\nfunction two() {\n  const x = 2;\n  return x;\n}\n";

#[test]
fn lines_that_match_exactly_are_replaced() {
    let how = check(FILE, "  return 1;", "  return 11;", &FILE.replace("return 1;", "return 11;"));
    assert_eq!(how, How::Exact);
    let longer = FILE.replace("  const x = 2;\n", "  const x = 3;\n  const y = 4;\n");
    check(
        FILE,
        "function two() {\n  const x = 2;\n",
        "function two() {\n  const x = 3;\n  const y = 4;\n",
        &longer,
    );
    check(
        FILE,
        "  const x = 2;\n  return x;",
        "  return 2;",
        &FILE.replace("  const x = 2;\n  return x;", "  return 2;"),
    );
    check(FILE, "import a from \"a\";\n", "", &FILE.replace("import a from \"a\";\n", ""));
}

#[test]
fn white_space_may_differ_by_one_shift_which_is_taken_over() {
    let file = "class A {\n    go() {\n        if (x) {\n            y();\n        }\n    }\n}\n";
    let how = check(
        file,
        "if (x) {\n  y();\n}",
        "if (x) {\n  y();\n  if (z) {\n    w();\n  }\n} else {\n  v();\n}",
        "class A {\n    go() {\n        if (x) {\n            y();\n            if (z) {\n                w();\n            }\n        } else {\n            v();\n        }\n    }\n}\n",
    );
    assert_eq!(how, How::Shifted);
    // Tabs for spaces, trailing white space, blank lines at the edges.
    let tabs = "function f() {\n\tif (x) {\n\t\ty();  \n\t}\n}\n";
    check(
        tabs,
        "\n  if (x) {\n    y();\n  }\n",
        "\n  if (x) {\n    y();\n    while (z) {\n      w();\n    }\n  }\n",
        "function f() {\n\tif (x) {\n\t\ty();  \n\t\twhile (z) {\n\t\t\tw();\n\t\t}\n\t}\n}\n",
    );
    // What is level in one and not in the other is not the same code.
    let why = refused("if a:\n    b()\n    c()\n", "if a:\n    b()\nc()", "d()");
    assert!(matches!(why, Why::Missing { .. }), "{why:?}");
}

#[test]
fn a_text_within_a_line_must_stand_once_and_end_at_words() {
    let how = check("let a = b + c;\nlet d = e;\n", "b + c", "b * c", "let a = b * c;\nlet d = e;\n");
    assert_eq!(how, How::Within);
    check("f(a, b); g(\n  c);\n", "g(\n  c)", "g(c)", "f(a, b); g(c);\n");
    assert!(matches!(refused("let recount = 0; x;\n", "count = 0", "count = 1"), Why::Missing { .. }));
    assert!(matches!(refused("a(b + c);\nd(b + c);\n", "b + c", "e"), Why::Ambiguous { .. }));
}

#[test]
fn two_places_are_refused_with_both_and_a_line_number_chooses() {
    let file = "function one() {\n  return x;\n}\n\nfunction two() {\n  return x;\n}\n";
    let why = refused(file, "  return x;", "  return y;");
    let Why::Ambiguous { places } = &why else { panic!("{why:?}") };
    let shown: Vec<_> = places.iter().map(|place| (place.lines, place.within.as_deref())).collect();
    assert_eq!(shown, [((2, 2), Some("function one")), ((6, 6), Some("function two"))]);
    assert_eq!(why.to_string(), "its search text stands in 2 places of the file: lines 2, 6");

    let mut named = hunk("  return x;", "  return y;");
    named.line = Some(6);
    // A number that belongs to another text chooses nothing, nor does one that is nearly right.
    assert!(edit(Some(file), None, std::slice::from_ref(&named), false).is_err());
    let after = edit(Some(file), None, std::slice::from_ref(&named), true).unwrap().after;
    assert_eq!(after, "function one() {\n  return x;\n}\n\nfunction two() {\n  return y;\n}\n");
    named.line = Some(5);
    assert!(edit(Some(file), None, &[named], true).is_err());
    // More of the surroundings chooses as well.
    check(file, "function two() {\n  return x;", "function two() {\n  return y;", &after);
}

#[test]
fn what_stands_nowhere_is_refused_with_the_nearest() {
    let why = refused(FILE, "function two() {\n  const y = 2;\n  return y;\n}", "x");
    let Why::Missing { nearest, done: None } = &why else { panic!("{why:?}") };
    assert_eq!(nearest[0].lines, (7, 10));
    assert!(nearest[0].text.contains("const x = 2;") && nearest[0].alike > 50, "{nearest:?}");
    assert_eq!(nearest[0].within.as_deref(), Some("function two"));
    // A change that is there already is said to be.
    let why = refused(FILE, "  const zebra = 2;", "  const x = 2;");
    assert!(matches!(why, Why::Missing { done: Some((8, 8)), .. }), "{why:?}");
    assert!(matches!(refused(FILE, "", "x"), Why::NothingNamed));
    assert!(matches!(refused("", "x", "y"), Why::NoText { exists: true }));
    assert!(matches!(
        edit(None, None, &[hunk("x", "y")], false).unwrap_err()[0].why,
        Why::NoText { exists: false }
    ));
}

#[test]
fn what_leaves_code_out_is_refused() {
    let why = refused(FILE, "function two() {\n  // ...\n}", "function two() {}");
    assert!(matches!(why, Why::Elided { in_search: true, .. }), "{why:?}");
    let why = refused(FILE, "function two() {\n...\n  return x;", "function two() {}");
    let Why::Elided { spans, .. } = &why else { panic!("{why:?}") };
    assert_eq!(spans[0].lines, (7, 9));
    for line in [
        "  // ... existing code ...",
        "// rest unchanged",
        "...",
        "/* ... */",
        "{/* rest of the component */}",
        "# ...",
        "<!-- … -->",
    ] {
        let why = refused(FILE, "  return 1;", &format!("  return 2;\n{line}"));
        assert!(matches!(why, Why::Elided { in_search: false, .. }), "{line}: {why:?}");
    }
    // A line that the file has may stay, and a comment about the rest of something is one.
    let file = "f(\n  // ...\n  a);\n";
    check(file, "  // ...\n  a);", "  // ...\n  b);", "f(\n  // ...\n  b);\n");
    check("a;\n", "a;", "// See the other file for more.\nb;", "// See the other file for more.\nb;\n");
    let stub = edit(
        Some("class P:\n    x = 1\n"),
        Some(Language::Python),
        &[hunk("    x = 1", "    def f(self):\n        ...")],
        false,
    );
    assert_eq!(stub.unwrap().after, "class P:\n    def f(self):\n        ...\n");
}

#[test]
fn a_replacement_that_repeats_its_surroundings_is_refused() {
    let whole = FILE.replace("\"a\"", "\"b\"");
    let why = refused(FILE, "import a from \"a\";", &whole);
    assert!(matches!(why, Why::Repeats { lines: (2, 10) }), "{why:?}");
    let why = refused(FILE, "  return x;\n}", "function two() {\n  const x = 2;\n  return y;\n}");
    assert!(matches!(why, Why::Repeats { lines: (7, 8) }), "{why:?}");
    let why = refused(
        FILE,
        "  return x;",
        "function one() {\n  return 1;\n}\n\nfunction two() {\n  const x = 2;\n  return y;",
    );
    assert!(matches!(why, Why::Repeats { lines: (3, 8) }), "{why:?}");
}

#[test]
fn hunks_of_one_file_go_together_or_not_at_all() {
    let both = [hunk("  return x;", "  return y;"), hunk("  return 1;", "  return 3;")];
    let edited = try_edit(FILE, &both).unwrap();
    assert_eq!(edited.after, FILE.replace("return x", "return y").replace("return 1", "return 3"));
    assert_eq!(edited.places.iter().map(|place| place.lines).collect::<Vec<_>>(), [(9, 9), (4, 4)]);
    let wrong = [hunk("  return x;", "  return y;"), hunk("  return 0;", "  return 3;")];
    let refused = try_edit(FILE, &wrong).unwrap_err();
    assert_eq!((refused.len(), refused[0].hunk), (1, 1));
    // The same lines twice, and lines that lie in others.
    for second in ["  return x;", "function two() {\n  const x = 2;\n  return x;\n}"] {
        let refused = try_edit(FILE, &[hunk("  return x;", "  return y;"), hunk(second, "z")]).unwrap_err();
        assert!(matches!(refused[0].why, Why::Overlap { .. }), "{refused:?}");
    }
    // Shared context is no overlap.
    let shared = [
        hunk("  return 1;\n}\n\nfunction two() {", "  return 2;\n}\n\nfunction two() {"),
        hunk("function two() {\n  const x = 2;", "function two() {\n  const x = 3;"),
    ];
    let edited = try_edit(FILE, &shared).unwrap();
    assert_eq!(edited.after, FILE.replace("return 1", "return 2").replace("x = 2", "x = 3"));
}

#[test]
fn the_file_keeps_its_conventions() {
    check("a;\r\nb;\r\nc;\r\n", "b;", "x;\ny;", "a;\r\nx;\r\ny;\r\nc;\r\n");
    check("\u{feff}a;\r\nb;", "a;", "x;", "\u{feff}x;\r\nb;");
    // The last line has no newline before and after.
    check("a;\nb;", "b;", "x;\ny;\n", "a;\nx;\ny;");
    check("a;\nb;", "a;\nb;", "a;\nb;\nc;\n", "a;\nb;\nc;");
    check("a;\nb;", "a;\nb;", "a;", "a;");
    check("a;\nb;\n", "b;", "c;", "a;\nc;\n");
    check("a;\nb;\n", "a;\nb;", "a;", "a;\n");
    // A place keeps its own ending where the file mixes them.
    check("a;\r\nb;\nc;\r\n", "b;", "x;", "a;\r\nx;\nc;\r\n");
    // Lines that stay keep their trailing white space.
    check("a;  \nb;\n", "a;\nb;", "a;\nc;", "a;  \nc;\n");
    // New lines in spaces take the file's tabs; a template's content does not.
    check(
        "function f() {\n\ta();\n}\n",
        "function f() {",
        "function f() {\n  if (b) {\n    c(`\n    text\n`);\n  }",
        "function f() {\n\tif (b) {\n\t\tc(`\n    text\n`);\n\t}\n\ta();\n}\n",
    );
}

#[test]
fn a_new_file_is_written_from_an_empty_search() {
    let edited = edit(None, Some(Language::TypeScript), &[hunk("", "a;\n\nb;\n\n")], false).unwrap();
    assert_eq!((edited.after.as_str(), edited.places[0].how), ("a;\n\nb;\n", How::Created));
    assert_eq!(edit(Some("\r\n"), None, &[hunk("", "a;\nb;")], false).unwrap().after, "a;\r\nb;\r\n");
}

#[test]
fn markers_do_not_reach_a_file() {
    let why = refused(FILE, "  return 1;", "  return 2;\n/// REPLACE ///");
    assert!(matches!(why, Why::Marker { line: 2 }), "{why:?}");
    let why = refused(FILE, "  return 1;", "/// COMPONENT_END id=1 ///");
    assert!(matches!(why, Why::Marker { line: 1 }), "{why:?}");
}

const BLOCK: &str = "Two changes.\n/// EDIT_START: path=\"src/a.ts\" id=7f3a ///\n/// SEARCH id=7f3a ///\nold\n/// REPLACE id=7f3a ///\nnew\n/// SEARCH line=9 id=7f3a ///\n/// SEARCH ///\n/// REPLACE id=7f3a ///\n/// EDIT_END id=7f3a ///\n// --- VIBECODER_COMPLETE ---\n";

#[test]
fn a_block_streams_in_any_chunks_and_is_read() {
    let (scanned, ending) = Scanner::scan(BLOCK, Some("7f3a"));
    assert!(ending.sentinel && ending.partial.is_none());
    assert!(matches!(&scanned[0], Scanned::Talk(talk) if talk == "Two changes.\n"));
    let whole = block(BLOCK, Some("7f3a"));
    assert_eq!((whole.header.name.as_str(), whole.first_line, whole.last_line), ("src/a.ts", 3, 9));
    for size in 1..40 {
        let mut scanner = Scanner::new(Some("7f3a"));
        let mut found = None;
        for chunk in BLOCK.as_bytes().chunks(size) {
            for one in scanner.push(std::str::from_utf8(chunk).unwrap()) {
                if let Scanned::Component(component) = one {
                    found = Some(component);
                }
            }
        }
        assert_eq!(found.as_ref(), Some(&whole), "chunks of {size}");
    }
    let files = parse(&whole, Some("7f3a")).unwrap();
    assert_eq!(files[0].path.as_deref(), Some("src/a.ts"));
    let expected = [
        Hunk { search: lines("old"), replace: lines("new"), line: None, at: 3 },
        // A marker without the run's id is text.
        Hunk { search: lines("/// SEARCH ///"), replace: vec![], line: Some(9), at: 7 },
    ];
    assert_eq!(files[0].hunks, expected);
}

#[test]
fn a_block_without_its_end_is_cut() {
    for end in 45..BLOCK.find("/// EDIT_END").unwrap() + 20 {
        let cut = block(&BLOCK[..end.max(BLOCK.find("7f3a ///\n").unwrap() + 9)], Some("7f3a"));
        assert_eq!(parse(&cut, Some("7f3a")), Err(Unreadable::Cut), "{end}");
    }
    // A component's END is not its end.
    let other = BLOCK.replace("EDIT_END", "COMPONENT_END");
    assert_eq!(parse(&block(&other, Some("7f3a")), Some("7f3a")), Err(Unreadable::Cut));
}

fn block_of(inner: &str) -> Result<Vec<FileHunks>, Unreadable> {
    let text = format!("/// EDIT_START: path=\"a.ts\" id=1 ///\n{inner}\n/// EDIT_END id=1 ///\n");
    parse(&block(&text, Some("1")), Some("1"))
}

#[test]
fn what_is_no_edit_block_is_said_to_be_none() {
    let says = |inner: &str| block_of(inner).unwrap_err().to_string();
    assert_eq!(says("just text"), "the edit block holds no SEARCH marker with id=1 and no unified diff");
    assert_eq!(says("/// SEARCH ///\na\n/// REPLACE ///\nb"), says("x"));
    assert_eq!(says("/// SEARCH id=1 ///\na"), "line 2: this SEARCH has no REPLACE marker after it");
    assert_eq!(
        says("a\n/// SEARCH id=1 ///\na\n/// REPLACE id=1 ///"),
        "line 2: text before the first SEARCH marker"
    );
    assert_eq!(says("/// REPLACE id=1 ///"), "line 2: a REPLACE marker without a SEARCH before it");
    assert!(says("/// SEARCH id=1 ///\n/// SEARCH id=1 ///").starts_with("line 3: a SEARCH marker where"));
    // A fence around all of it, or around each half.
    let fenced = block_of("```ts\n/// SEARCH id=1 ///\na\n/// REPLACE id=1 ///\nb\n```").unwrap();
    assert_eq!(fenced[0].hunks[0].replace, ["b"]);
    check("x\na\ny\n", "```ts\na\n```", "```ts\nb\n```", "x\nb\ny\n");
    let markdown = "```ts\na\n```\n";
    check(markdown, "```ts\na\n```", "```ts\nb\n```", "```ts\nb\n```\n");
}

#[test]
fn a_unified_diff_is_read_by_its_text() {
    let diff = "```diff\n--- a/a.ts\n+++ b/a.ts\n@@ -90,3 +90,3 @@ function two() {\n function two() {\n-  const x = 2;\n+  const x = 3;\n   return x;\n@@\n-  return 1;\n+  return 2;\n```";
    let files = block_of(diff).unwrap();
    let edited = try_edit(FILE, &files[0].hunks).unwrap();
    assert_eq!(edited.after, FILE.replace("x = 2", "x = 3").replace("return 1", "return 2"));
    // A shifted diff keeps the bytes of its context.
    let files = block_of("@@ -1 +1 @@\n function two() {\n-\tconst x = 2;\n+\tconst x = 3;\n\treturn x;\n");
    assert!(files.is_err(), "a context line without its space: {files:?}");
    let new =
        block_of("--- /dev/null\n+++ b/a.ts\n@@ -0,0 +1,2 @@\n+a\n+\n+b\n\\ No newline at end of file\n")
            .unwrap();
    assert_eq!(edit(None, None, &new[0].hunks, false).unwrap().after, "a\n\nb\n");
    for (wrong, says) in [
        ("--- a/b.ts\n+++ b/b.ts\n@@ -1 +1 @@\n-a\n+b", "the diff is of b.ts, but the block is of a.ts"),
        ("--- a/a.ts\n+++ /dev/null\n@@ -1 +0,0 @@\n-a", "cannot delete"),
        (
            "diff --git a/a.ts b/c.ts\nrename from a.ts\nrename to c.ts\n@@ -1 +1 @@\n-a\n+b",
            "not delete, rename or copy",
        ),
        ("@@ -1 +1 @@\n-a\n+b\nc", "must begin with"),
    ] {
        let error = block_of(wrong).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    // An addition without context names no place.
    let bare = block_of("@@ -3,0 +4 @@\n+x").unwrap();
    assert!(matches!(try_edit(FILE, &bare[0].hunks).unwrap_err()[0].why, Why::NothingNamed));
}

#[test]
fn a_continued_block_is_stitched_or_begun_anew() {
    let cut = BLOCK.find("new\n").unwrap() + 2;
    let tail = crate::tail(&BLOCK[..cut]);
    let joined = crate::stitch(&BLOCK[..cut], &format!("{tail}{}", &BLOCK[cut..])).unwrap();
    assert_eq!(joined.text, BLOCK);
    let restart = &BLOCK[BLOCK.find("/// EDIT_START").unwrap()..];
    assert_eq!(crate::stitch(&BLOCK[..cut], restart).unwrap().text, BLOCK);
    // Only the hunks that are missing are no new beginning.
    let other = restart.replace("old", "other");
    assert!(crate::stitch(&BLOCK[..cut], &other).is_err());
}

#[test]
fn the_gate_judges_the_file_after_the_edits() {
    use crate::{Verdict, judge_edits};
    let path = assist_base::DocPath::relative("src/a.ts").unwrap();
    let judged = |before: &str, search: &str, replace: &str| {
        let edited = try_edit(before, &[hunk(search, replace)]).unwrap();
        judge_edits(&path, Some(before), &edited, (1, 2))
    };
    assert_eq!(judged(FILE, "  return 1;", "  return 2;").verdict, Verdict::Whole);
    let broken = judged(FILE, "  return 1;", "  return (2;");
    assert_eq!(broken.verdict, Verdict::Malformed);
    assert!(broken.reasons[0].message.starts_with("Line 4 of the file would be wrong"), "{broken:?}");
    assert_eq!(judged(FILE, "  return 1;\n}", "  return 1;").verdict, Verdict::Malformed);
    assert_eq!(judged(FILE, "  return 1;", "  return 1;").verdict, Verdict::Malformed);
    let twice = judged(FILE, "function one() {", "function two() {");
    assert_eq!(twice.verdict, Verdict::Malformed, "{twice:?}");
    // A file that was broken elsewhere is the user's to judge, unless it becomes worse.
    let was = FILE.replace("const x = 2;", "const x = = 2;");
    assert_eq!(judged(&was, "  return 1;", "  return 2;").verdict, Verdict::Unverified);
    assert_eq!(judged(&was, "  return 1;", "  return ((2;").verdict, Verdict::Malformed);
    assert_eq!(judged(&was, "  const x = = 2;", "  const x = 2;").verdict, Verdict::Whole);
    assert_eq!(judged(&was, "  const x = = 2;", "  const x == 2;").verdict, Verdict::Unverified);
    assert_eq!(judged(FILE, FILE, "{\"a\": 1}").verdict, Verdict::Refused);
}

proptest! {
    #[test]
    fn nothing_panics(before in "(?s).{0,200}", search in "(?s).{0,60}", replace in "(?s).{0,60}", line in 0_usize..9) {
        let mut one = hunk(&search, &replace);
        one.line = Some(line);
        for language in [None, Some(Language::TypeScript), Some(Language::Python)] {
            let _ = edit(Some(&before), language, &[one.clone(), hunk(&replace, &search)], true);
        }
        let _ = edit(None, None, &[one], false);
    }

    #[test]
    fn nothing_panics_on_likely_text(before in "[ab \\t\\r\\n{}.`]{0,80}", search in "[ab \\t\\n{}.]{0,12}", replace in "[ab \\t\\n{}.`]{0,20}") {
        if let Ok(edited) = edit(Some(&before), Some(Language::JavaScript), &[hunk(&search, &replace)], true) {
            prop_assert_eq!(&apply_edits(&before, &edited.edits).unwrap(), &edited.after);
            prop_assert_eq!(apply_edits(&edited.after, &inverse(&before, &edited)).unwrap(), before);
        }
    }

    #[test]
    fn no_block_panics(text in "(?s)(/// SEARCH id=1 ///\\n|/// REPLACE id=1 ///\\n|@@ -1 \\+1 @@\\n|--- a/x\\n|\\+\\+\\+ b/x\\n|[ +-]?a\\n|```\\n|.){0,24}") {
        let _ = block_of(&text);
    }

    #[test]
    fn unique_lines_are_replaced_exactly_there(
        file in prop::collection::vec("[ \\t]{0,3}[a-d]{1,2}(\\r)?", 1..24),
        at in 0_usize..24, count in 1_usize..6, new in prop::collection::vec("[ \\t]{0,2}[x-z]{1,2}", 0..5), last in any::<bool>(),
    ) {
        let at = at % file.len();
        let end = (at + count).min(file.len());
        let bare: Vec<String> = file.iter().map(|line| line.trim_end_matches('\r').to_owned()).collect();
        let wanted = &bare[at..end];
        prop_assume!(bare.windows(wanted.len()).filter(|window| *window == wanted).count() == 1);
        let text = file.join("\n") + if last { "\n" } else { "" };
        // A lone carriage return at the very end is no line ending.
        prop_assume!(last || !text.ends_with('\r'));
        let one = Hunk { search: wanted.to_vec(), replace: new.clone(), line: None, at: 1 };
        let edited = edit(Some(&text), None, &[one], false);
        let edited = edited.map_err(|refused| TestCaseError::fail(format!("{refused:?}")))?;
        prop_assert_eq!(edited.places[0].lines, (at + 1, end));
        let mut expected = bare.clone();
        expected.splice(at..end, new);
        let after: Vec<&str> = edited.after.lines().collect();
        prop_assert_eq!(after, expected);
        // What lies outside keeps its bytes.
        let head: String = file[..at].iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        prop_assert!(edited.after.starts_with(&head) || end == file.len());
        prop_assert_eq!(apply_edits(&edited.after, &inverse(&text, &edited)).unwrap(), text);
    }

    #[test]
    fn a_unique_text_is_replaced_there_or_nowhere(text in "[ab ;\\n]{4,40}", from in 0_usize..40, len in 1_usize..12) {
        let from = from % text.len();
        let end = (from + len).min(text.len());
        let wanted = &text[from..end];
        prop_assume!(!wanted.trim().is_empty() && !wanted.ends_with('\n'));
        let again = (0..text.len()).filter(|&at| text[at..].starts_with(wanted)).count();
        prop_assume!(again == 1);
        let one = Hunk { search: wanted.split('\n').map(str::to_owned).collect(), replace: vec!["Z".into()], line: None, at: 1 };
        if let Ok(edited) = edit(Some(&text), None, &[one], false)
            && edited.places[0].how != How::Shifted
        {
            prop_assert_eq!(edited.after, format!("{}Z{}", &text[..from], &text[end..]));
        }
    }
}

#[test]
fn imports_that_an_edit_leaves_without_a_use_are_named() {
    let file = "import { a, b, c } from \"m\";\nimport d from \"d\";\n\nf(a, b);\ng(d);\nh(b);\n";
    let named = |hunks: &[Hunk]| {
        let edited = try_edit(file, hunks).unwrap();
        unused(file, &edited, Language::TypeScript)
    };
    // `c` was not used before, `b` is used elsewhere.
    assert_eq!(named(&[hunk("f(a, b);", "f();")]), ["a"]);
    assert_eq!(named(&[hunk("f(a, b);", "f();"), hunk("h(b);", "h();")]), ["a", "b"]);
    assert_eq!(named(&[hunk("f(a, b);", "f(b, a);")]), [] as [String; 0]);
    // The import goes with what needed it.
    assert_eq!(named(&[hunk("import d from \"d\";", ""), hunk("g(d);", "")]), [] as [String; 0]);
}

#[test]
fn search_and_replace_in_other_comments_count_if_they_carry_the_id() {
    let text = BLOCK
        .replace("/// SEARCH id=7f3a ///", "# SEARCH id=7f3a")
        .replace("/// REPLACE id=7f3a ///", "<!-- REPLACE: id=7f3a -->");
    assert_ne!(text, BLOCK);
    let (found, without) = (hunks_of(BLOCK, Some("7f3a")), hunks_of(&text, Some("0000")));
    assert_eq!(hunks_of(&text, Some("7f3a")), found);
    assert!(without.is_none());
}

fn hunks_of(text: &str, id: Option<&str>) -> Option<Vec<Vec<String>>> {
    let (scanned, _) = Scanner::scan(text, Some("7f3a"));
    let block = scanned.into_iter().find_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    })?;
    let files = parse(&block, id).ok()?;
    Some(files.into_iter().flat_map(|file| file.hunks).flat_map(|hunk| [hunk.search, hunk.replace]).collect())
}
