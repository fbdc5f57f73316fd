//! Checks in the shadow, with the real tools where this machine has them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests, without the harness that clippy knows them by"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use assist_base::DocPath;
use assist_runtime::checks::{self, Baseline, Check, Report};
use assist_runtime::command::Halt;
use assist_runtime::confine::{Confinement, Helper};
use assist_runtime::shadow::{Overlay, Shadow};
use assist_runtime::{Trust, Workspace};

/// Every test by its name.
pub const TESTS: [(&str, fn()); 5] = [
    ("tsc_sees_what_would_break_before_it_is_made", tsc_sees_what_would_break),
    ("cargo_sees_what_would_break_before_it_is_made", cargo_sees_what_would_break),
    ("configured_checks_and_missing_tools_are_told", configured_and_missing),
    ("checks_cannot_write_into_the_users_tree", checks_cannot_write_into_the_users_tree),
    ("checks_end_when_they_are_told_to", checks_end_when_they_are_told_to),
];

struct Project {
    _folder: tempfile::TempDir,
    real: PathBuf,
    shadow: Shadow,
}

impl Project {
    fn new(files: &[(&str, &str)], prepare: impl FnOnce(&PathBuf)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join("real");
        for (path, text) in files {
            let path = real.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        prepare(&real);
        let workspace = Workspace::open(&real, Trust::Trusted).unwrap();
        let shadow = Shadow::open(&workspace, &folder.path().join("shadows")).unwrap();
        Self { _folder: folder, real, shadow }
    }

    /// The checks of the project itself, and then with these texts laid over it.
    fn check(&mut self, texts: &[(&str, &str)]) -> Report {
        let found: Vec<Check> = checks::detect(&self.real);
        self.shadow.sync(&Overlay::new()).unwrap();
        let baseline = Baseline::take(&mut self.shadow, &found, helper().as_ref()).unwrap();
        let overlay: Overlay = texts
            .iter()
            .map(|(path, text)| (DocPath::relative(path).unwrap(), Some((*text).to_owned())))
            .collect();
        self.shadow.sync(&overlay).unwrap();
        let changed: Vec<DocPath> = overlay.keys().cloned().collect();
        checks::run(&mut self.shadow, &found, Some(&changed), &baseline, helper().as_ref()).unwrap()
    }
}

fn helper() -> Option<Helper> {
    Helper::this_program()
}

fn new(report: &Report) -> Vec<String> {
    report.new.iter().map(ToString::to_string).collect()
}

fn tsc_sees_what_would_break() {
    let Some(typescript) = std::env::var_os("ASSIST_TEST_TYPESCRIPT").map(PathBuf::from) else {
        eprintln!("skipped: there is no TypeScript here; `cargo xtask test` installs it");
        return;
    };
    let files = [
        (
            "tsconfig.json",
            r#"{"compilerOptions":{"strict":true,"skipLibCheck":true,"types":[]},"include":["src"]}"#,
        ),
        ("package.json", "{}"),
        ("src/price.ts", "export function price(cents: number): string {\n  return String(cents);\n}\n"),
        ("src/old.ts", "export const wrong: number = 'was wrong before';\n"),
        ("src/use.ts", "import { price } from './price';\nexport const shown: string = price(1);\n"),
    ];
    let mut project = Project::new(&files, |real| {
        symlink(typescript.join("node_modules"), real.join("node_modules")).unwrap();
    });
    // It parses, and breaks another file.
    let report = project
        .check(&[("src/price.ts", "export function price(cents: string): number {\n  return 1;\n}\n")]);
    assert_eq!(report.checked, ["tsc"], "{report:?}");
    let found = new(&report);
    assert!(
        found.iter().any(|found| found.starts_with("src/use.ts:2:") && found.contains("TS2322")),
        "{found:?}"
    );
    assert!(!found.iter().any(|found| found.contains("old.ts")), "{found:?}");
    assert_eq!(report.known, 1);
    // One that is right is right, and what was wrong is not its fault.
    let fine = "export function price(cents: number): string {\n  return cents.toFixed(2);\n}\n";
    let report = project.check(&[("src/price.ts", fine)]);
    assert!(report.is_clean() && report.known == 1, "{report:?}");
    assert_eq!(report.checked, ["tsc"]);
    // The user's tree has seen nothing of it.
    assert!(fs::read_to_string(project.real.join("src/price.ts")).unwrap().contains("String(cents)"));
    let names: Vec<_> = fs::read_dir(&project.real).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

fn cargo_sees_what_would_break() {
    let files = [
        ("Cargo.toml", "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
        (
            "src/lib.rs",
            "pub fn one() -> u8 {\n    1\n}\n#[test]\nfn is_one() {\n    assert_eq!(one(), 1);\n}\n#[test]\nfn old() {\n    assert!(false);\n}\n",
        ),
    ];
    let mut project = Project::new(&files, |_| {});
    let lib = files[1].1;
    let report = project.check(&[("src/lib.rs", &lib.replace("{\n    1\n}", "{\n    \"one\"\n}"))]);
    let found = new(&report);
    assert!(found.iter().any(|found| found.starts_with("src/lib.rs:2:5: E0308")), "{report:?}");
    let report = project.check(&[("src/lib.rs", &lib.replace("{\n    1\n}", "{\n    2\n}"))]);
    let found = new(&report);
    assert!(found.len() == 1 && found[0].contains("is_one: assertion"), "{report:?}");
    assert_eq!(
        (report.checked.as_slice(), report.known),
        (&["cargo check".to_owned(), "cargo test".to_owned()][..], 1)
    );
    assert!(!project.real.join("target").exists() && !project.real.join("Cargo.lock").exists());
}

fn configured_and_missing() {
    let mut project =
        Project::new(&[("a.txt", "good\n"), ("tsconfig.json", "{}"), ("package.json", "{}")], |_| {});
    let mut found = checks::detect(&project.real);
    found.push(Check::configured(
        "grep -n bad a.txt | sed 's/^\\([0-9]*\\):.*/a.txt:\\1: bad word/'; ! grep -q bad a.txt",
    ));
    let overlay: Overlay = [(DocPath::relative("a.txt").unwrap(), Some("fine\nbad\n".to_owned()))].into();
    project.shadow.sync(&overlay).unwrap();
    let report =
        checks::run(&mut project.shadow, &found, None, &Baseline::default(), helper().as_ref()).unwrap();
    assert_eq!(new(&report), ["a.txt:2: bad word"]);
    assert_eq!(report.not_checked.len(), 1);
    assert!(report.not_checked[0].0 == "tsc" && report.not_checked[0].1.contains("install"), "{report:?}");
    assert!(report.summary().iter().any(|line| line.starts_with("Not checked with tsc:")));
}

fn checks_cannot_write_into_the_users_tree() {
    let mut project = Project::new(&[("a.txt", "a"), ("node_modules/dep/index.js", "dep")], |_| {});
    project.shadow.sync(&Overlay::new()).unwrap();
    let real = project.real.display().to_string();
    let line = format!(
        "echo x > {real}/a.txt; echo x > node_modules/dep/index.js; rm -rf node_modules/dep/*; cat {real}/a.txt; \
         cat node_modules/dep/index.js; kill -9 $$"
    );
    let finished = project.shadow.shell(line).run(helper().as_ref()).unwrap();
    if finished.confinement.is_none() {
        eprintln!("skipped: {:?}", finished.confinement);
        return;
    }
    assert_eq!(fs::read_to_string(project.real.join("a.txt")).unwrap(), "a");
    assert_eq!(fs::read_to_string(project.real.join("node_modules/dep/index.js")).unwrap(), "dep");
    // Of the user's tree only the dependencies can be read.
    assert_eq!(finished.output.out, "dep", "{finished:?}");
    assert!(matches!(finished.confinement, Confinement::Full | Confinement::Partial(_)));
}

fn checks_end_when_they_are_told_to() {
    let mut project = Project::new(&[("a.txt", "a")], |_| {});
    let halt = Halt::default();
    project.shadow.obey(halt.clone());
    project.shadow.sync(&Overlay::new()).unwrap();
    let begun = project.shadow.cache().unwrap().join("begun");
    let check = Check::configured(&format!("echo > '{}'; sleep 600", begun.display()));
    let halting = std::thread::spawn(move || {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(180);
        while !begun.exists() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        halt.halt();
        begun
    });
    let mut run = |check: &Check| {
        let checks = std::slice::from_ref(check);
        let report = checks::run(&mut project.shadow, checks, None, &Baseline::default(), helper().as_ref());
        report.unwrap().not_checked
    };
    let stopped = [(check.name(), "it was stopped.".to_owned())];
    assert_eq!(run(&check), stopped);
    let begun = halting.join().unwrap();
    // And none begins any more.
    fs::remove_file(&begun).unwrap();
    assert_eq!(run(&check), stopped);
    assert!(!begun.exists());
}
