//! Reading what tools print, and telling new from old.

use std::fs;

use super::*;
use crate::command::Output;

fn read_as(tool: Tool, text: &str) -> Vec<String> {
    let (root, folder) = (PathBuf::from("/w"), PathBuf::from("/w/web"));
    let output = Output { text: text.to_owned(), out: text.to_owned(), dropped: 0 };
    parse::findings(tool, &output, &Places { root: &root, folder: &folder })
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn findings_are_read_from_what_each_tool_prints() {
    let tsc = "src/a.ts(3,5): error TS2322: Type 'string' is not assignable.\n  More of it.\n../lib/b.ts(1,1): error TS1005: ';' \
               expected.\nerror TS18003: No inputs were found.\nFound 3 errors.\n";
    assert_eq!(
        read_as(Tool::Tsc, tsc),
        [
            "web/src/a.ts:3:5: TS2322: Type 'string' is not assignable.\n  More of it.",
            "lib/b.ts:1:1: TS1005: ';' expected.",
            "TS18003: No inputs were found.",
        ]
    );
    let eslint = r#"[{"filePath":"/w/web/a.js","messages":[{"ruleId":"no-undef","severity":2,"message":"'x' is not defined.",
        "line":2,"column":1},{"ruleId":"semi","severity":1,"message":"Missing","line":1,"column":1}]}]"#;
    assert_eq!(read_as(Tool::Eslint, eslint), ["web/a.js:2:1: no-undef: 'x' is not defined."]);
    let jest = "noise\n{\"testResults\":[{\"name\":\"/w/web/a.test.ts\",\"status\":\"failed\",\"assertionResults\":[{\"status\":\
                \"failed\",\"fullName\":\"adds up\",\"failureMessages\":[\"expected 1 to be 2\\n    at x.ts:1\"]}]},{\"name\":\
                \"/w/web/b.test.ts\",\"status\":\"failed\",\"message\":\"Cannot find module\",\"assertionResults\":[]}]}\n";
    assert_eq!(
        read_as(Tool::Vitest, jest),
        ["web/a.test.ts: adds up: expected 1 to be 2", "web/b.test.ts: Cannot find module"]
    );
    let cargo = r#"{"reason":"compiler-message","message":{"level":"error","message":"mismatched types","code":{"code":"E0308"},"spans":[{"file_name":"src/lib.rs","line_start":2,"column_start":5,"is_primary":true,"label":"expected `u8`"}]}}
{"reason":"compiler-message","message":{"level":"warning","message":"unused","code":null,"spans":[]}}"#;
    assert_eq!(
        read_as(Tool::CargoCheck, cargo),
        ["web/src/lib.rs:2:5: E0308: mismatched types: expected `u8`"]
    );
    let test = "\nrunning 2 tests\n.F\nfailures:\n\n---- tests::adds stdout ----\n\nthread 'tests::adds' (7) panicked at src/lib.rs:9:5:\n\
                assertion `left == right` failed\nnote: run with `RUST_BACKTRACE=1`\n\n\nfailures:\n    tests::adds\n";
    assert_eq!(
        read_as(Tool::CargoTest, test),
        ["web/src/lib.rs:9:5: tests::adds: assertion `left == right` failed"]
    );
    let ruff = r#"[{"code":"F401","filename":"/w/web/a.py","location":{"row":1,"column":8},"message":"`os` imported but unused"}]"#;
    assert_eq!(read_as(Tool::Ruff, ruff), ["web/a.py:1:8: F401: `os` imported but unused"]);
    let pytest = "FAILED tests/test_a.py::test_x - AssertionError: assert 1 == 2\nERROR tests/test_b.py - ImportError: no\n";
    assert_eq!(
        read_as(Tool::Pytest, pytest),
        [
            "web/tests/test_a.py: test_x: AssertionError: assert 1 == 2",
            "web/tests/test_b.py: ImportError: no"
        ]
    );
    let go = "# example.com/x\n./main.go:3:5: undefined: x\nvet: ./b.go:1:2: bad\n";
    assert_eq!(read_as(Tool::GoBuild, go), ["web/main.go:3:5: undefined: x", "web/b.go:1:2: bad"]);
    for tool in [
        Tool::Tsc,
        Tool::Eslint,
        Tool::Jest,
        Tool::CargoCheck,
        Tool::CargoTest,
        Tool::Ruff,
        Tool::Pytest,
        Tool::GoVet,
    ] {
        for nonsense in [
            "",
            "(",
            "error TS",
            "{",
            "[[[",
            "---- ",
            "error[",
            "FAILED ",
            ":::: :",
            "a.b(: c",
            "\u{0}é(1,2): x",
        ] {
            let _ = read_as(tool, nonsense);
        }
    }
}

fn found(file: &str, line: u32, message: &str) -> Finding {
    Finding {
        tool: Tool::Tsc,
        file: Some(file.into()),
        line: Some(line),
        column: None,
        code: None,
        message: message.into(),
    }
}

#[test]
fn what_was_wrong_before_is_not_new_even_when_it_moved() {
    let mut baseline = Baseline::default();
    baseline
        .found
        .insert("tsc".into(), vec![found("a.ts", 1, "x"), found("a.ts", 2, "x"), found("b.ts", 1, "y")]);
    let now = [found("a.ts", 11, "x"), found("a.ts", 12, "x"), found("a.ts", 13, "x"), found("b.ts", 1, "z")];
    assert_eq!(baseline.new_in("tsc", &now), [found("a.ts", 13, "x"), found("b.ts", 1, "z")]);
    assert_eq!(baseline.new_in("eslint", &now).len(), 4);
}

#[test]
fn checks_are_found_from_the_projects_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    assert!(detect(folder.path()).is_empty());
    write("web/package.json", r#"{"devDependencies":{"vitest":"1","vite":"5"}}"#);
    write("web/tsconfig.json", "{}");
    write("web/index.html", "");
    write("web/eslint.config.js", "");
    write("node_modules/.bin/tsc", "");
    write("Cargo.toml", "[workspace]");
    write("crates/a/Cargo.toml", "");
    write("api/pyproject.toml", "[tool.ruff]\n[tool.pytest.ini_options]\n");
    write("svc/go.mod", "");
    write("node_modules/x/package.json", r#"{"jest":{}}"#);
    let checks = detect(folder.path());
    let names: Vec<String> = checks.iter().map(Check::name).collect();
    assert_eq!(
        names,
        [
            "cargo check",
            "ruff in api",
            "go build in svc",
            "go vet in svc",
            "tsc in web",
            "eslint in web",
            "cargo test",
            "pytest in api",
            "vitest in web",
            "vite build in web",
        ]
    );
    let by_name = |name: &str| checks.iter().find(|check| check.name() == name).unwrap();
    // Its own is above; one that is nowhere is looked for at home.
    assert_eq!(by_name("tsc in web").program, "node_modules/.bin/tsc");
    assert_eq!(by_name("eslint in web").program, "web/node_modules/.bin/eslint");
    let why = find_program(folder.path(), &by_name("eslint in web").program).unwrap_err();
    assert!(why.contains("install"), "{why}");
}

#[test]
fn only_what_a_change_concerns_is_run_and_narrowed() {
    let path = |text: &str| DocPath::relative(text).unwrap();
    let check = |tool, folder: &str, arguments: &[&str]| Check {
        tool,
        folder: folder.into(),
        program: "x".into(),
        arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
        timeout: Duration::from_secs(1),
    };
    let eslint = check(Tool::Eslint, "web", &["--format", "json", "."]);
    assert!(eslint.concerns(&[path("web/a.ts")]));
    assert!(!eslint.concerns(&[path("a.ts"), path("web/a.py"), path("website/a.ts")]));
    let changed =
        [path("web/a.ts"), path("web/-b.tsx"), path("web/c.css"), path("other.ts"), path("web/gone.ts")];
    let there = |path: &DocPath| !path.as_str().contains("gone");
    assert_eq!(eslint.narrowed(Some(&changed), there), ["--format", "json", "./a.ts", "./-b.tsx"]);
    assert_eq!(eslint.narrowed(Some(&[path("web/c.css")]), there), ["--format", "json", "."]);
    assert_eq!(eslint.narrowed(None, there), ["--format", "json", "."]);
    let vitest = check(Tool::Vitest, "", &["run", "--reporter=json"]);
    assert_eq!(
        vitest.narrowed(Some(&[path("a.ts")]), there),
        ["related", "--reporter=json", "./a.ts", "--run"]
    );
    let tsc = check(Tool::Tsc, "", &["--noEmit"]);
    assert_eq!(tsc.narrowed(Some(&changed), there), ["--noEmit"]);
}
