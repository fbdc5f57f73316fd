//! Finding the places of hunks in a file of 1 MB, and of a component in one of 10,000 lines.
//!
//! Each row is the median of the rounds, each round beside its baseline: counting the file's lines, and one full
//! tree-sitter parse of the file. Run with `cargo bench -p assist-syntax --bench edits`.

#![expect(clippy::print_stdout, reason = "a benchmark's table is for whoever runs it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use assist_syntax::hunks::{Hunk, edit};
use assist_syntax::{Block, Component, Header, Language, Target, place};

#[path = "../tests/support/generate.rs"]
mod generate;

const SEED: u64 = 20_261_121;
const ROUNDS: usize = 41;
const HUNK_TARGET: Duration = Duration::from_millis(5);
const PLACE_TARGET: Duration = Duration::from_millis(30);

fn main() {
    let mut failed = false;
    println!("{:<44} {:>9} {:>9} {:>9} {:>8}", "what", "bytes", "median", "baseline", "target");
    let file = lines_of(|text| text.len() >= 1 << 20);
    let before = file.lines().count();
    for (what, search) in searches(&file) {
        let hunk = Hunk { replace: vec!["  done();".to_owned()], search, line: None, at: 1 };
        let (time, baseline) = median(|| {
            let start = Instant::now();
            let found = edit(Some(black_box(&file)), Some(Language::Tsx), std::slice::from_ref(&hunk), false);
            let time = start.elapsed();
            assert_eq!(found.is_ok(), what.ends_with("applied"), "{what}");
            let start = Instant::now();
            assert_eq!(black_box(&file).lines().count(), before);
            (time, start.elapsed())
        });
        failed |= row(what, file.len(), time, baseline, HUNK_TARGET);
    }
    let file = lines_of(|text| text.lines().count() >= 10_000);
    for (what, name, code) in components(&file) {
        let component = Component {
            header: Header { block: Block::Component, name, ..Header::default() },
            last_line: code.lines().count(),
            code,
            first_line: 1,
            open: vec![],
            ended: true,
        };
        let (time, baseline) = median(|| {
            let start = Instant::now();
            let placed = place(black_box(&file), Some(Language::Tsx), &component, &Target::Named, None);
            let time = start.elapsed();
            assert!(placed.is_ok(), "{placed:?}");
            (time, parse(&file))
        });
        failed |= row(what, file.len(), time, baseline, PLACE_TARGET);
    }
    if failed {
        println!("a target was missed");
        std::process::exit(1);
    }
}

fn row(what: &str, bytes: usize, time: Duration, baseline: Duration, target: Duration) -> bool {
    let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    println!(
        "{what:<44} {bytes:>9} {:>9} {:>9} {:>8}",
        ms(time),
        ms(baseline),
        format!("≤ {} ms", target.as_millis())
    );
    time > target
}

fn median(mut round: impl FnMut() -> (Duration, Duration)) -> (Duration, Duration) {
    let (mut times, mut baselines): (Vec<_>, Vec<_>) = (0..ROUNDS + 3).map(|_| round()).skip(3).unzip();
    times.sort();
    baselines.sort();
    (times[ROUNDS / 2], baselines[ROUNDS / 2])
}

/// A module of generated components, with names of their own, until it is long enough.
fn lines_of(enough: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for nth in 0_u64.. {
        if enough(&text) {
            break;
        }
        let code = generate::tsx(SEED + nth, 4 << 10);
        // One file imports a name once, and declares it once.
        let own: Vec<&str> = code.lines().filter(|line| !line.starts_with("import ") || nth == 0).collect();
        text.push_str(&renamed(&own.join("\n"), nth));
        text.push_str("\n\n");
    }
    text
}

/// What a generated text declares, under names that no other has.
fn renamed(code: &str, nth: u64) -> String {
    let declared: Vec<String> = assist_syntax::outline(code, Language::Tsx)
        .into_iter()
        .filter(|one| one.depth == 0)
        .map(|one| one.name)
        .collect();
    let mut text = code.to_owned();
    for name in declared {
        text = text.replace(&name, &format!("{name}{nth}"));
    }
    text.replace("export default", "export")
}

fn searches(file: &str) -> Vec<(&'static str, Vec<String>)> {
    let lines: Vec<&str> = file.lines().collect();
    // Near the end, twelve lines that hold a name of their own.
    let at = (lines.len() * 9 / 10..lines.len())
        .find(|&at| lines[at].starts_with("export ") && lines[at].ends_with('{'))
        .expect("the file declares something there");
    let exact: Vec<String> = lines[at..at + 12].iter().map(|line| (*line).to_owned()).collect();
    let shifted: Vec<String> = exact.iter().map(|line| format!("    {line}  ")).collect();
    let mut missing = exact.clone();
    missing[0] = missing[0].replace("export ", "exported ");
    let twice = lines[at + 1..]
        .iter()
        .find(|line| lines.iter().filter(|other| other == line).count() > 2 && line.len() > 4);
    vec![
        ("hunk, exact, applied", exact),
        ("hunk, indentation shifted, applied", shifted),
        ("hunk, nowhere: the nearest shown", missing),
        ("hunk, several places: all shown", vec![(*twice.expect("a line stands twice")).to_owned()]),
    ]
}

fn components(file: &str) -> Vec<(&'static str, String, String)> {
    let declared = assist_syntax::outline(file, Language::Tsx);
    let top: Vec<_> = declared.iter().filter(|one| one.depth == 0).collect();
    let one = top[top.len() * 9 / 10];
    let code = one.range.of(file).unwrap_or_default().to_owned() + "\n";
    let new = "export function Added() {\n  return <p>new</p>;\n}\n";
    let imports = format!("import {{ added }} from \"./added\";\n\n{new}");
    vec![
        ("component, replaced", one.name.clone(), code),
        ("component, added at the end", "Added".to_owned(), new.to_owned()),
        ("component, added with an import", "Added".to_owned(), imports),
    ]
}

fn parse(text: &str) -> Duration {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_typescript::LANGUAGE_TSX.into()).expect("the grammar loads");
    let start = Instant::now();
    let tree = parser.parse(black_box(text), None);
    let time = start.elapsed();
    assert!(tree.is_some());
    time
}
