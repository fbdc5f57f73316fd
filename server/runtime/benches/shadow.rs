//! How long the shadow of a workspace of 20,000 files takes to follow one changed file, and what it costs to start a
//! command behind walls.
//!
//! `cargo bench -p assist-runtime --bench shadow`. Beside each figure stands, from the same run and machine, what the
//! system alone needs: a plain walk over the same folders that asks for each file's time, and the same command without walls.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that measures and says what it measured"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use assist_runtime::command::Command;
use assist_runtime::confine::{self, Helper};
use assist_runtime::shadow::{Overlay, Shadow};
use assist_runtime::{Trust, Workspace};

const FILES: usize = 20_000;
const FOLDERS: usize = 800;
const ROUNDS: usize = 15;

fn main() {
    confine::main_if_asked();
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("real");
    fs::create_dir(&real).unwrap();
    for number in 0..FILES {
        let folder = real.join(format!("part{}/module{}", number % 20, number % FOLDERS));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("file{number}.ts")), format!("export const x{number} = {number};\n"))
            .unwrap();
    }
    fs::write(real.join(".gitignore"), "dist\n*.log\n").unwrap();
    let workspace = Workspace::open(&real, Trust::Trusted).unwrap();
    let mut shadow = Shadow::open(&workspace, &folder.path().join("shadows")).unwrap();
    // Times that are younger than two seconds are not relied on; a workspace at rest has none.
    std::thread::sleep(Duration::from_secs(3));
    let (first, synced) = timed(|| shadow.sync(&Overlay::new()).unwrap());
    assert_eq!(synced.files, FILES + 1);
    std::thread::sleep(Duration::from_secs(3));
    shadow.sync(&Overlay::new()).unwrap();

    let (mut walks, mut quiet, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (took, seen) = timed(|| walk(&real));
        assert_eq!(seen, FILES + 1);
        walks.push(took);
        let file = real.join(format!("part3/module3/file{}.ts", 3 + round * FOLDERS));
        fs::write(&file, format!("export const changed = {round};\n")).unwrap();
        let (took, synced) = timed(|| shadow.sync(&Overlay::new()).unwrap());
        assert!(synced.written == 1, "{synced:?}");
        quiet.push(took);
        // And when a command has run in the copy, so that the copy itself is looked through, too.
        let _ = shadow.command(["true"]);
        fs::write(&file, format!("export const again = {round};\n")).unwrap();
        let (took, synced) = timed(|| shadow.sync(&Overlay::new()).unwrap());
        assert!(synced.written == 1, "{synced:?}");
        after.push(took);
    }
    println!("{FILES} files in {FOLDERS} folders; medians of {ROUNDS} rounds");
    println!("first copy                              {:>8.1} ms", millis(first));
    let walk = median(&mut walks);
    println!("plain walk that asks for each time      {:>8.1} ms", millis(walk));
    for (what, times) in
        [("sync of 1 changed file", &mut quiet), ("the same, after a command in the copy", &mut after)]
    {
        let took = median(times);
        let ratio = took.as_secs_f64() / walk.as_secs_f64();
        println!("{what:<39} {:>8.1} ms   {ratio:.2} of the walk", millis(took));
    }

    let helper = Helper::this_program();
    let run = |helper: Option<&Helper>| {
        let mut times: Vec<_> = (0..ROUNDS * 2)
            .map(|_| timed(|| assert!(Command::program(&real, ["true"]).run(helper).unwrap().success())).0)
            .collect();
        median(&mut times)
    };
    println!("`true` without walls                    {:>8.1} ms", millis(run(None)));
    println!(
        "`true` behind walls                     {:>8.1} ms   {:?}",
        millis(run(helper.as_ref())),
        confine::available(helper.as_ref())
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let done = work();
    (started.elapsed(), done)
}

fn walk(at: &Path) -> usize {
    let mut seen = 0;
    for entry in fs::read_dir(at).unwrap() {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        if found.is_dir() {
            seen += walk(&entry.path());
        } else {
            seen += usize::from(found.modified().is_ok());
        }
    }
    seen
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
