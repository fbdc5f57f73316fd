//! What parses and breaks the project's own checks never reaches a file: real `tsc`, in a hidden copy behind walls.

use std::io::Write as _;
use std::path::PathBuf;

use assist_simulator::{Place, Reply, Rule, Script, answer};

use crate::support::{Desk, PATIENCE, Wire};

pub const PRICE: &str = "src/price.ts";
const OLD: &str = "export function price(cents: number): string {\n  return String(cents);\n}\n";
pub const GOOD: &str =
    "export function price(cents: number): string {\n  return (cents / 100).toFixed(2);\n}\n";
/// It parses, and `src/use.ts` is wrong with it.
const BAD: &str = "export function price(cents: number): number {\n  return cents / 100;\n}\n";

pub const FILES: [(&str, &str); 5] = [
    (
        "tsconfig.json",
        r#"{"compilerOptions":{"strict":true,"skipLibCheck":true,"types":[]},"include":["src"]}"#,
    ),
    ("package.json", "{}"),
    (PRICE, OLD),
    ("src/use.ts", "import { price } from './price';\nexport const shown: string = price(1);\n"),
    ("src/old.ts", "export const wrong: number = 'was wrong before';\n"),
];

/// A project with a compiler of its own, or nothing where none was installed.
fn desk(script: Script) -> Option<Desk> {
    let Some(typescript) = std::env::var_os("ASSIST_TEST_TYPESCRIPT").map(PathBuf::from) else {
        writeln!(std::io::stderr(), "skipped: there is no TypeScript here; `cargo xtask test` installs it")
            .expect("stderr can be written");
        return None;
    };
    let mut desk = Desk::new(Wire::Anthropic, &FILES, script);
    std::os::unix::fs::symlink(typescript.join("node_modules"), desk.folder.path("node_modules"))
        .expect("the dependencies can be linked");
    let cache = desk.folder.beside("cache");
    desk.set("XDG_CACHE_HOME", cache.display().to_string());
    desk.set("PATH", std::env::var("PATH").expect("there is a PATH"));
    Some(desk)
}

fn says(code: &str) -> Reply {
    Reply::text(answer("price", PRICE, code))
}

/// A project whose compiler is a script: it notes each of its runs beside its cache, and then does this.
pub fn scripted(files: &[(&str, &str)], script: Script, then: &str) -> Desk {
    use std::os::unix::fs::PermissionsExt as _;
    let mut desk = Desk::new(Wire::Anthropic, files, script);
    let compiler = desk.folder.path("node_modules/.bin/tsc");
    let parent = compiler.parent().expect("it is in a folder");
    std::fs::create_dir_all(parent).expect("folders can be made");
    let text = format!("#!/bin/sh\nfor last; do :; done\necho run >> \"${{last%/*}}/runs\"\n{then}\n");
    std::fs::write(&compiler, text).expect("files can be written");
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&compiler, all).expect("a script can be made a program");
    let cache = desk.folder.beside("cache");
    desk.set("XDG_CACHE_HOME", cache.display().to_string());
    desk
}

/// How often the compiler of [`scripted`] was run.
fn runs(desk: &Desk) -> usize {
    let shadows = std::fs::read_dir(desk.folder.beside("cache").join("assist/shadow"));
    let notes = shadows.into_iter().flatten().flatten().map(|copy| copy.path().join("cache/runs"));
    notes.filter_map(|note| std::fs::read_to_string(note).ok()).map(|runs| runs.lines().count()).sum()
}

/// Waits until the compiler of [`scripted`] has left a note of this name. Returns the folder of the note.
pub fn wait_for_note(desk: &Desk, name: &str) -> PathBuf {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let shadows = std::fs::read_dir(desk.folder.beside("cache").join("assist/shadow"));
        let mut caches = shadows.into_iter().flatten().flatten().map(|copy| copy.path().join("cache"));
        if let Some(cache) = caches.find(|cache| cache.join(name).exists()) {
            return cache;
        }
        assert!(std::time::Instant::now() < deadline, "the compiler left no note {name}");
        std::thread::yield_now();
    }
}

fn wait_for_runs(desk: &Desk, wanted: usize) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while runs(desk) < wanted {
        assert!(std::time::Instant::now() < deadline, "the compiler was run {} times", runs(desk));
        std::thread::yield_now();
    }
}

pub const ASK: [&str; 6] = ["ask", "Show euros", "--file", PRICE, "--yes", "--json"];

#[test]
fn what_breaks_the_types_goes_back_to_the_model_and_never_into_the_file() {
    let Some(desk) = desk(Script::first_then(says(BAD), says(GOOD))) else { return };
    let ran = desk.run(&ASK).exits(0);
    assert_eq!(desk.folder.read(PRICE), GOOD);
    let refused = ran.of("component_refused");
    let reasons = refused[0]["reasons"].to_string();
    assert!(reasons.contains("src/use.ts:2") && reasons.contains("TS2322"), "{reasons}");
    assert!(!reasons.contains("old.ts"), "what was wrong before is not blamed on the change: {reasons}");
    assert_eq!(desk.sim.requests().len(), 2);
    assert!(ran.stdout.contains("checked with tsc"), "{}", ran.stdout);
    assert!(!desk.folder.has("tsconfig.tsbuildinfo"), "the check left nothing behind");
}

#[test]
fn the_same_error_three_times_ends_the_run_with_what_was_tried() {
    let Some(desk) = desk(Script::always(says(BAD))) else { return };
    let ran = desk.run(&ASK).exits(1);
    assert_eq!(desk.folder.read(PRICE), OLD);
    assert_eq!(desk.sim.requests().len(), 3);
    let end = &ran.of("completed")[0];
    let sentence = end["summary"].as_str().expect("a sentence");
    assert!(sentence.contains("same errors") && sentence.contains("TS2322"), "{sentence}");
}

#[test]
fn without_the_shadow_what_parses_is_applied() {
    let Some(mut desk) = desk(Script::always(says(BAD))) else { return };
    desk.set("ASSIST_PIPELINE_SHADOW", "false");
    desk.run(&ASK).exits(0);
    assert_eq!(desk.folder.read(PRICE), BAD);
    assert_eq!(desk.sim.requests().len(), 1);
}

#[test]
fn the_project_as_it_is_is_looked_at_while_the_model_writes() {
    let held = says(GOOD).stall(Place::Before("return".to_owned()));
    let desk = scripted(&FILES, Script::always(held), "exit 0");
    let running = desk.start(&ASK);
    desk.sim.blocking_stalled(1);
    // The model is silent in the middle of the component.
    wait_for_runs(&desk, 1);
    desk.sim.release_stall();
    let ran = running.end().exits(0);
    assert_eq!(desk.folder.read(PRICE), GOOD);
    assert!(ran.stdout.contains("checked with tsc"), "{}", ran.stdout);
    // Once as it is, once with the change.
    assert_eq!(runs(&desk), 2);
}

#[test]
fn a_run_that_is_cancelled_takes_its_checks_with_it() {
    let held = says(GOOD).stall(Place::Before("return".to_owned()));
    let desk = scripted(&FILES, Script::always(held), "sleep 20\necho late >> \"${last%/*}/runs\"");
    let running = desk.start(&ASK);
    desk.sim.blocking_stalled(1);
    wait_for_runs(&desk, 1);
    running.signal(rustix::process::Signal::INT);
    running.end().exits(130);
    assert_eq!(desk.folder.read(PRICE), OLD);
    assert_eq!(runs(&desk), 1, "it did not wait for the compiler's end");
}

#[test]
fn a_file_that_no_check_concerns_is_not_waited_for() {
    let files: Vec<(&str, &str)> = FILES.into_iter().chain([("notes.md", "# Notes\n\nOld.\n")]).collect();
    let text = "# Notes\n\nNew.\n";
    let desk = scripted(&files, Script::always(Reply::text(answer("Notes", "notes.md", text))), "exit 0");
    desk.run(&["ask", "Make it new", "--file", "notes.md", "--yes"]).exits(0);
    assert!(desk.folder.read("notes.md").contains("New."));
    assert_eq!(runs(&desk), 0);
}

const MAIN: &str = "src/main.ts";
const MAIN_CODE: &str =
    "export function show(text: string): string {\n  return text;\n}\n\n// assist:slot total show(total);\n";

/// A build of a skeleton whose slot carries `show(total)`, and of `total` as it is given, the last one for all later calls.
fn build(totals: &[&str]) -> Script {
    let plan = r#"{"components":[
        {"name":"main","path":"src/main.ts","kind":"skeleton","complexity":"low","lines":9,"exports":["show"],"dependencies":["total"]},
        {"name":"total","path":"src/total.ts","kind":"module","complexity":"low","lines":9,"exports":["total"],"dependencies":[]}
    ],"order":["main","total"]}"#;
    let main = Reply::text(answer("main", MAIN, MAIN_CODE));
    let mut rules = vec![
        Rule::asked("Plan what follows", Reply::text(plan)).named("plan"),
        Rule::about("Write the component main,", main).named("main"),
    ];
    for (nth, total) in totals.iter().enumerate() {
        let total = Reply::text(answer("total", "src/total.ts", total));
        let rule = Rule::about("Write the component total,", total).named(&format!("total {nth}"));
        rules.push(if nth + 1 < totals.len() { rule.times(1) } else { rule });
    }
    Script::new(rules)
}

/// Both files are well formed, and each passes the compiler alone; only the filled slot does not.
#[track_caller]
fn a_slot_that_breaks_the_types_stays_empty(desk: &Desk) {
    let ran = desk.run(&["ask", "Build a shop", "--build", "--yes", "--json"]).exits(1);
    assert_eq!(desk.folder.read(MAIN), MAIN_CODE);
    assert!(desk.folder.has("src/total.ts"));
    let said = ran.of("completed")[0]["summary"].to_string();
    assert!(said.contains("could not be put into src/main.ts") && said.contains("TS2345"), "{said}");
}

const NUMBER: &str = "export const total: number = 1;\n";
const STRING: &str = "export const total: string = '1';\n";
const FILLED: &str = "import { total } from \"./total\";\n";

/// A compiler to which a number shown is an error.
const PICKY: &str = "if grep -q '^show(total)' src/main.ts 2>/dev/null && grep -q number src/total.ts; then\n  echo \"src/main.ts(5,6): error TS2345: not assignable\"\n  exit 2\nfi";

#[test]
fn a_filled_slot_is_checked_as_every_other_change() {
    a_slot_that_breaks_the_types_stays_empty(&scripted(&FILES, build(&[NUMBER]), PICKY));
    let desk = scripted(&FILES, build(&[STRING]), PICKY);
    desk.run(&["ask", "Build a shop", "--build", "--yes", "--json"]).exits(0);
    let text = desk.folder.read(MAIN);
    assert!(text.starts_with(FILLED) && text.ends_with("\nshow(total);\n"), "{text}");
}

#[test]
fn a_component_that_does_not_fit_where_it_is_shown_goes_back_to_the_model() {
    let scripted = scripted(&FILES, build(&[NUMBER, STRING]), PICKY);
    for desk in [Some(scripted), desk(build(&[NUMBER, STRING]))].into_iter().flatten() {
        let ran = desk.run(&["ask", "Build a shop", "--build", "--yes", "--json"]).exits(0);
        assert!(desk.folder.read(MAIN).starts_with(FILLED) && desk.folder.read("src/total.ts") == STRING);
        let reasons = ran.of("component_refused")[0]["reasons"].to_string();
        assert!(reasons.contains("TS2345") && reasons.contains("has `show(total);` for it"), "{reasons}");
    }
}

#[test]
fn the_real_compiler_looks_at_filled_slots_too() {
    let Some(desk) = desk(build(&[NUMBER])) else { return };
    a_slot_that_breaks_the_types_stays_empty(&desk);
    let Some(desk) = self::desk(build(&[STRING])) else { return };
    desk.run(&["ask", "Build a shop", "--build", "--yes", "--json"]).exits(0);
    assert!(desk.folder.read(MAIN).starts_with(FILLED));
}
