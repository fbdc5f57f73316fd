//! What parses and breaks the project's own checks never reaches a file: real `tsc`, in a hidden copy behind walls.

use std::io::Write as _;
use std::path::PathBuf;

use assist_simulator::{Reply, Script, answer};

use crate::support::{Desk, Wire};

const PRICE: &str = "src/price.ts";
const OLD: &str = "export function price(cents: number): string {\n  return String(cents);\n}\n";
const GOOD: &str = "export function price(cents: number): string {\n  return (cents / 100).toFixed(2);\n}\n";
/// It parses, and `src/use.ts` is wrong with it.
const BAD: &str = "export function price(cents: number): number {\n  return cents / 100;\n}\n";

const FILES: [(&str, &str); 5] = [
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

const ASK: [&str; 6] = ["ask", "Show euros", "--file", PRICE, "--yes", "--json"];

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
