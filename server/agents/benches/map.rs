//! How long the map of a repository of 5,000 files takes: the first, when everything is read, and those that follow.
//!
//! `cargo bench -p assist-agents --bench map`. Beside each figure stands, from the same run and machine, what the system alone
//! needs: a plain walk over the same folders that asks for each file's time, and the same with every file read.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that measures and says what it measured"
)]

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use assist_agents::map::{Cache, Wish};
use assist_agents::runtime::{Trust, Workspace};

const FILES: usize = 5_000;
const FOLDERS: usize = 250;
const COLD: usize = 5;
const WARM: usize = 31;

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bytes: usize = (0..FILES).map(|number| write(folder.path(), number)).sum();
    fs::write(folder.path().join(".gitignore"), "dist\n*.log\n").unwrap();
    let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
    let wish = || Wish {
        words: "Why does the checkout of order 17 fail?".to_owned(),
        open: HashSet::new(),
        tokens: 9_000,
    };
    println!("{FILES} files in {FOLDERS} folders, {} KB", bytes / 1024);

    let cold: Vec<Duration> = (0..COLD)
        .map(|_| {
            let (took, map) = timed(|| Cache::default().draw(&workspace, &wish()));
            assert_eq!(map.files, FILES + 1);
            took
        })
        .collect();
    let read: Vec<Duration> = (0..COLD).map(|_| timed(|| walk(folder.path(), true)).0).collect();
    row("first map", &cold, "walk that reads each file", &read);

    // As a process that is over in a moment finds it: what the first has read is kept in Assist's own folder. Files that were
    // written in the last two seconds are not relied on.
    fs::create_dir(folder.path().join(".assist")).unwrap();
    std::thread::sleep(Duration::from_millis(2_100));
    Cache::default().draw(&workspace, &wish());
    let next: Vec<Duration> =
        (0..WARM).map(|_| timed(|| Cache::default().draw(&workspace, &wish())).0).collect();
    let stats: Vec<Duration> = (0..WARM).map(|_| timed(|| walk(folder.path(), false)).0).collect();
    row("first map of the next process", &next, "walk that asks for each time", &stats);

    let cache = Cache::default();
    cache.draw(&workspace, &wish());
    let (mut warm, mut changed, mut stats) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WARM {
        stats.push(timed(|| walk(folder.path(), false)).0);
        warm.push(timed(|| cache.draw(&workspace, &wish())).0);
        let name = format!("orderSeventeen{round}");
        fs::write(folder.path().join("order17.ts"), format!("export const {name} = 1;\n")).unwrap();
        let (took, map) = timed(|| cache.draw(&workspace, &wish()));
        assert!(map.text.contains(&name), "what was changed is not in the map");
        changed.push(took);
    }
    row("a map again", &warm, "walk that asks for each time", &stats);
    row("a map again, one file changed", &changed, "walk that asks for each time", &stats);
}

fn row(what: &str, times: &[Duration], baseline: &str, base: &[Duration]) {
    let (took, base) = (median(times), median(base));
    let (millis, base_millis) = (took.as_secs_f64() * 1000.0, base.as_secs_f64() * 1000.0);
    println!(
        "{what:<30} {millis:>8.1} ms   {baseline}: {base_millis:.1} ms, {:.2} of it",
        millis / base_millis
    );
}

/// A file of some sixty lines that imports two others and declares a few names. Returns its length.
fn write(root: &Path, number: usize) -> usize {
    let folder = root.join(format!("part{}/module{}", number % 10, number % FOLDERS));
    fs::create_dir_all(&folder).unwrap();
    let body: String =
        (0..50).map(|line| format!("  total += values[{line}] * {};\n", line + number)).collect();
    let text = format!(
        "import {{ total{0} }} from \"../module{1}/file{0}\";\nimport {{ helper }} from \"./helper\";\n\n\
         export interface Shape{number} {{\n  size: number;\n}}\n\n\
         export function total{number}(values: number[]): number {{\n  let total = 0;\n{body}  return total;\n}}\n\n\
         export const limit{number} = {number};\n",
        (number + 1) % FILES,
        (number + 1) % FOLDERS,
    );
    fs::write(folder.join(format!("file{number}.ts")), &text).unwrap();
    text.len()
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let done = work();
    (started.elapsed(), done)
}

fn walk(at: &Path, reads: bool) -> usize {
    let mut seen = 0;
    for entry in fs::read_dir(at).unwrap() {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        if found.is_dir() {
            seen += walk(&entry.path(), reads);
        } else if reads {
            seen += fs::read(entry.path()).unwrap().len();
        } else {
            seen += usize::from(found.modified().is_ok());
        }
    }
    seen
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}
