//! How long the shadow of a workspace of 20,000 files takes to follow one changed file, and what it costs to start a
//! command behind walls.
//!
//! `cargo bench -p assist-runtime --bench shadow`. Beside each figure stands, from the same run and machine, what the
//! system alone needs: a plain walk over the same folders that asks for each file's time, and the same command without walls.
//! On Linux the time of the processor is measured too, which others on the machine hardly change.

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
    println!("first copy                              {:>8.1} ms", millis(first.wall));
    let walk = median(&walks);
    for (what, times) in [
        ("plain walk that asks for each time", &walks),
        ("sync of 1 changed file", &quiet),
        ("the same, after a command in the copy", &after),
    ] {
        let took = median(times);
        println!(
            "{what:<39} {:>8.1} ms {:>8.1} ms of the processor   {:.2} and {:.2} of the walk",
            millis(took.wall),
            millis(took.cpu),
            took.wall.as_secs_f64() / walk.wall.as_secs_f64(),
            took.cpu.as_secs_f64() / walk.cpu.as_secs_f64(),
        );
    }

    let helper = Helper::this_program();
    let run = |helper: Option<&Helper>| {
        let times: Vec<_> = (0..ROUNDS * 2)
            .map(|_| timed(|| assert!(Command::program(&real, ["true"]).run(helper).unwrap().success())).0)
            .collect();
        median(&times).wall
    };
    println!("`true` without walls                    {:>8.1} ms", millis(run(None)));
    println!(
        "`true` behind walls                     {:>8.1} ms   {:?}",
        millis(run(helper.as_ref())),
        confine::available(helper.as_ref())
    );
}

/// Time that passed, and time of the processor on this thread.
#[derive(Clone, Copy, Default)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

fn timed<T>(work: impl FnOnce() -> T) -> (Took, T) {
    let (started, cpu) = (Instant::now(), cpu_time());
    let done = work();
    (Took { wall: started.elapsed(), cpu: cpu_time().saturating_sub(cpu) }, done)
}

fn cpu_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
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

fn median(times: &[Took]) -> Took {
    let middle = |of: fn(&Took) -> Duration| {
        let mut times: Vec<Duration> = times.iter().map(of).collect();
        times.sort();
        times[times.len() / 2]
    };
    Took { wall: middle(|took| took.wall), cpu: middle(|took| took.cpu) }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
