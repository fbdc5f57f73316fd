use assist_base::DocPath;

use crate::merge::{Alias, PlaceError, Placement, Project, Target, place_in};
use crate::scanner::{Component, Header};
use crate::{Language, Verdict, judge};

fn project(path: &str, aliases: &[(&str, &str)]) -> Project {
    let alias =
        |(pattern, target): &(&str, &str)| Alias { pattern: (*pattern).into(), target: (*target).into() };
    Project { path: DocPath::relative(path).ok(), aliases: aliases.iter().map(alias).collect(), base: None }
}

fn put(imports: &str, wanted: &str, project: &Project, language: Language) -> Result<Placement, PlaceError> {
    let (gap, body) = match language {
        Language::Python => ("\n\n", "def target():\n    return 1\n"),
        _ => ("\n", "function target() {}\n"),
    };
    let before = format!("{imports}{gap}{body}");
    let component = Component {
        header: Header { name: "target".into(), ..Header::default() },
        code: format!("{wanted}\n{body}"),
        first_line: 1,
        last_line: 3,
        open: vec![],
        ended: true,
    };
    let placed = place_in(&before, Some(language), &component, &Target::Named, None, project)?;
    let judged = judge(&crate::Candidate {
        component: &component,
        language: Some(language),
        before: Some(&before),
        placement: &placed,
        top_level: true,
        complete_stream: true,
    });
    assert_eq!(judged.verdict, Verdict::Whole, "{:?}\n{}", judged.reasons, placed.after);
    Ok(placed)
}

#[track_caller]
fn check_in(project: &Project, language: Language, imports: &str, wanted: &str, expected: &str) {
    let placed = put(imports, wanted, project, language).unwrap();
    let end = placed.after.find("\n\n").map_or(placed.after.as_str(), |at| &placed.after[..at + 1]);
    assert_eq!(end, expected);
}

#[track_caller]
fn check(imports: &str, wanted: &str, expected: &str) {
    check_in(&Project::default(), Language::TypeScript, imports, wanted, expected);
}

#[test]
fn names_join_the_import_of_their_module() {
    check("import { a } from \"m\";\n", "import { b } from 'm'\n", "import { a, b } from \"m\";\n");
    check("import {a} from 'm'\n", "import { a, b as c } from \"m\";\n", "import {a, b as c} from 'm'\n");
    check("import D from \"m\";\n", "import { b } from \"m\";\n", "import D, { b } from \"m\";\n");
    check("import { a } from \"m\";\n", "import D from \"m\";\n", "import D, { a } from \"m\";\n");
    check(
        "import {\n    a,\n    b,\n} from \"m\";\n",
        "import { c, d } from \"m\";\n",
        "import {\n    a,\n    b,\n    c,\n    d,\n} from \"m\";\n",
    );
    check(
        "import {\n  a,\n  b\n} from 'm'\n",
        "import { c } from 'm'\n",
        "import {\n  a,\n  b,\n  c\n} from 'm'\n",
    );
    check("import { a, } from \"m\";\n", "import { b } from \"m\";\n", "import { a, b, } from \"m\";\n");
    // Two imports of one module in the component are one in the file.
    check(
        "import { a } from \"m\";\n",
        "import { b } from \"m\";\nimport { c } from \"m\";\n",
        "import { a, b, c } from \"m\";\n",
    );
}

#[test]
fn what_cannot_be_joined_is_a_statement_of_its_own() {
    check(
        "import * as m from \"m\";\n",
        "import { b } from \"m\";\n",
        "import * as m from \"m\";\nimport { b } from \"m\";\n",
    );
    check(
        "import { a } from \"m\";\n",
        "import * as n from \"m\";\n",
        "import { a } from \"m\";\nimport * as n from \"m\";\n",
    );
    check("import \"m\";\n", "import { b } from \"m\";\n", "import \"m\";\nimport { b } from \"m\";\n");
    check(
        "import { a /* first */ } from \"m\";\n",
        "import { b } from \"m\";\n",
        "import { a /* first */ } from \"m\";\nimport { b } from \"m\";\n",
    );
    check("import \"m\";\n", "import \"m\";\n", "import \"m\";\n");
}

#[test]
fn types_stay_types() {
    check(
        "import type { A } from \"m\";\n",
        "import type { B } from \"m\";\n",
        "import type { A, B } from \"m\";\n",
    );
    check(
        "import { a } from \"m\";\n",
        "import type { B } from \"m\";\n",
        "import { a } from \"m\";\nimport type { B } from \"m\";\n",
    );
    check(
        "import { a } from \"m\";\n",
        "import { type B } from \"m\";\n",
        "import { a, type B } from \"m\";\n",
    );
    check(
        "import type { A } from \"m\";\n",
        "import { b } from \"m\";\n",
        "import type { A } from \"m\";\nimport { b } from \"m\";\n",
    );
}

#[test]
fn quotes_and_semicolons_are_those_of_most() {
    check(
        "import a from 'a'\nimport b from 'b'\nimport c from \"c\";\n",
        "import d from \"d\";\n",
        "import a from 'a'\nimport b from 'b'\nimport c from \"c\";\nimport d from 'd'\n",
    );
}

#[test]
fn endings_are_those_of_the_neighbours() {
    let local = project("src/app.ts", &[]);
    let ts = Language::TypeScript;
    check_in(
        &local,
        ts,
        "import { a } from \"./a.js\";\n",
        "import { b } from \"./b\";\nimport \"./b.css\";\nimport x from \"x\";\n",
        "import { a } from \"./a.js\";\nimport { b } from \"./b.js\";\nimport \"./b.css\";\nimport x from \"x\";\n",
    );
    check_in(
        &local,
        ts,
        "import { a } from \"./a\";\n",
        "import { b } from \"./b.js\";\n",
        "import { a } from \"./a\";\nimport { b } from \"./b\";\n",
    );
    // Neighbours that differ decide nothing, nor do packages.
    check_in(
        &local,
        ts,
        "import { a } from \"./a\";\nimport { c } from \"./c.js\";\nimport x from \"x.js\";\n",
        "import { b } from \"./b.ts\";\n",
        "import { a } from \"./a\";\nimport { c } from \"./c.js\";\nimport x from \"x.js\";\nimport { b } from \"./b.ts\";\n",
    );
}

const ALIASES: [(&str, &str); 2] = [("@/*", "src/*"), ("@ui/*", "src/components/ui/*")];

#[test]
fn an_alias_is_used_where_the_neighbours_use_one() {
    let deep = project("src/pages/home/Home.tsx", &ALIASES);
    let tsx = Language::Tsx;
    check_in(
        &deep,
        tsx,
        "import { a } from \"@/lib/a\";\n",
        "import { b } from \"../../lib/b\";\nimport { Button } from \"../../components/ui/Button\";\n",
        "import { a } from \"@/lib/a\";\nimport { b } from \"@/lib/b\";\nimport { Button } from \"@ui/Button\";\n",
    );
    // What stands beside the file stays beside it; what leads out of the aliases is written as it was.
    check_in(
        &deep,
        tsx,
        "import { a } from \"@/lib/a\";\n",
        "import { h } from \"./Hero\";\nimport { t } from \"../../../tools/t\";\n",
        "import { a } from \"@/lib/a\";\nimport { h } from \"./Hero\";\nimport { t } from \"../../../tools/t\";\n",
    );
    // And the other way round.
    check_in(
        &deep,
        tsx,
        "import { a } from \"../../lib/a\";\n",
        "import { b } from \"@/lib/b\";\n",
        "import { a } from \"../../lib/a\";\nimport { b } from \"../../lib/b\";\n",
    );
    // Without neighbours the component's own way counts.
    check_in(
        &deep,
        tsx,
        "import r from \"r\";\n",
        "import { b } from \"@/b\";\n",
        "import r from \"r\";\nimport { b } from \"@/b\";\n",
    );
}

#[test]
fn one_module_by_two_names_is_one() {
    let deep = project("src/pages/Home.tsx", &ALIASES);
    let tsx = Language::Tsx;
    check_in(
        &deep,
        tsx,
        "import { a } from \"@/lib/a\";\n",
        "import { a, b } from \"../lib/a.ts\";\n",
        "import { a, b } from \"@/lib/a\";\n",
    );
    check_in(
        &deep,
        tsx,
        "import { a } from \"../lib\";\n",
        "import { b } from \"@/lib/index\";\n",
        "import { a, b } from \"../lib\";\n",
    );
    // Two modules whose names end alike are two.
    let error = put("import { a } from \"../x/util\";\n", "import { a } from \"../y/util\";\n", &deep, tsx)
        .unwrap_err();
    assert!(matches!(error, PlaceError::ImportConflict { .. }), "{error}");
    let base = Project { base: Some("src".into()), ..project("src/pages/Home.tsx", &[]) };
    check_in(
        &base,
        tsx,
        "import { a } from \"lib/a\";\n",
        "import { b } from \"../lib/b\";\nimport { c } from \"../lib/a\";\n",
        "import { a, c } from \"lib/a\";\nimport { b } from \"lib/b\";\n",
    );
}

#[test]
fn python_joins_too() {
    let check = |imports: &str, wanted: &str, expected: &str| {
        check_in(&Project::default(), Language::Python, imports, wanted, expected);
    };
    check("from m import a\n", "from m import b\n", "from m import a, b\n");
    check("from m import (\n    a,\n)\n", "from m import b\n", "from m import (\n    a,\n    b,\n)\n");
    check("from m import *\n", "from m import b\n", "from m import *\nfrom m import b\n");
    check("import m\n", "import n\n", "import m\nimport n\n");
    check("from m import a  # first\n", "from m import b\n", "from m import a, b  # first\n");
}

#[test]
fn line_endings_are_the_files() {
    let before = "import {\r\n  a,\r\n} from \"m\";\r\n";
    let placed = put(
        before,
        "import { b } from \"m\";\nimport { c } from \"c\";\n",
        &Project::default(),
        Language::TypeScript,
    );
    let expected = "import {\r\n  a,\r\n  b,\r\n} from \"m\";\r\nimport { c } from \"c\";\r\n";
    assert!(placed.as_ref().is_ok_and(|placed| placed.after.starts_with(expected)), "{placed:?}");
}

#[test]
fn what_only_the_replaced_code_needed_is_told() {
    let before = "import React, { useMemo, useState as state } from \"react\";\nimport \"./a.css\";\nimport { b, c, d } from \"b\";\n\nexport function A() {\n  return useMemo(() => state(b) + c, []);\n}\n\nexport const e = c;\n";
    let component = Component {
        header: Header { name: "A".into(), ..Header::default() },
        code: "export function A() {\n  return b;\n}\n".into(),
        first_line: 1,
        last_line: 3,
        open: vec![],
        ended: true,
    };
    let placed = |target: &Target, before: &str| {
        place_in(before, Some(Language::Tsx), &component, target, None, &Project::default()).unwrap()
    };
    let named = placed(&Target::Named, before);
    // `d` was not used before; `React`, `b` and `c` are needed still. The file keeps all of them.
    assert_eq!(named.unused, ["useMemo", "state"]);
    assert!(named.after.starts_with(&before[..before.find("export").unwrap()]));
    assert_eq!(placed(&Target::NewFile, "").unused, [] as [String; 0]);
}

#[test]
fn hostile_names_are_names() {
    let deep = project("a/b.ts", &[("*", "*"), ("@/*", "../../*"), ("", ""), ("x", "src/x.ts")]);
    for source in ["", ".", "..", "../../..", "./", "@/", "@/../../x", "x", "é/é", "a*b", "?", "#"] {
        let _ = put(
            "import { a } from \"x\";\n",
            &format!("import {{ b }} from \"{source}\";\n"),
            &deep,
            Language::TypeScript,
        );
    }
}
