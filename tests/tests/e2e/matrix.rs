//! The fault matrix: real files, one rename each, every answer cut somewhere, in every way that an answer can be cut.
//!
//! Ordinarily over a few sources of this repository. `cargo xtask prove matrix` takes 60 files of fetched packages, all
//! combinations, and prints the table.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use assist_simulator::{Ending, Manner, Place, Reply, Rule, Script, answer};

use crate::support::{Desk, Wire};

const ENDINGS: [(Ending, &str); 5] = [
    (Ending::LengthStop, "max-tokens stop"),
    (Ending::FalseStop, "false normal stop"),
    (Ending::UnfinishedBody, "unfinished body"),
    (Ending::CleanEnd, "clean end, no final event"),
    (Ending::Reset, "reset"),
];

fn manners() -> [(Manner, &'static str); 4] {
    [
        (Manner::Exact, "exact"),
        (Manner::Overlap(30), "30 repeated"),
        (Manner::Prose("Sure, here is the rest of it:\n".to_owned()), "remark"),
        (Manner::Reindented(4), "re-indented"),
    ]
}

/// A file and what becomes of it.
struct Task {
    path: String,
    before: String,
    after: String,
}

/// One cell of the matrix, for one file.
#[derive(Clone)]
struct Case {
    file: usize,
    ending: usize,
    manner: usize,
    always: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Renamed everywhere. Where only the end of the answer never came, the exit code may be 1 all the same.
    Full,
    /// As it was, exit code 1.
    Unchanged,
    /// Neither as it was nor as it should be.
    Broken,
    /// As it was, exit code 0.
    Silent,
}

#[test]
fn however_often_an_answer_is_cut_a_file_is_whole_or_unchanged() {
    let corpus = std::env::var_os("ASSIST_PROVE_CORPUS").map(PathBuf::from);
    let seed =
        std::env::var("ASSIST_PROVE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
    let mut dice = Dice(seed | 1);
    let full = corpus.is_some();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../editors/vscode/src");
    let tasks = tasks(&corpus.unwrap_or(own), if full { 60 } else { 5 }, &mut dice);
    let mut cases = Vec::new();
    for file in 0..tasks.len() {
        for ending in 0..ENDINGS.len() {
            for (manner, always) in
                [0, 1, 2, 3].into_iter().flat_map(|manner| [(manner, false), (manner, true)])
            {
                // The sample goes once through everything that meets in pairs.
                let chosen =
                    full || (file + ending) % 5 == manner || (manner == 3 && (file + ending) % 5 == 4);
                if chosen && (full || always == (file % 2 == 0)) {
                    cases.push((Case { file, ending, manner, always }, dice.roll(usize::MAX)));
                }
            }
        }
    }
    let next = AtomicUsize::new(0);
    let outcomes: Vec<(Case, Outcome, String)> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            while let Some((case, random)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let ran = std::panic::catch_unwind(|| run(&tasks[case.file], case, *random));
                let (outcome, words) = ran.unwrap_or_else(|_| {
                    // Whatever it was, the table shall say where.
                    (Outcome::Broken, format!("case {random}: the command did not end as it should"))
                });
                done.push((case.clone(), outcome, words));
            }
            done
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no case panics")).collect()
    });
    println!(
        "\nfault matrix (seed {seed}, {} files, {} runs): full / unchanged / broken / silent",
        tasks.len(),
        cases.len()
    );
    for (always, when) in [(false, "cut once"), (true, "cut always")] {
        for (ending, name) in ENDINGS.iter().map(|ending| ending.1).enumerate() {
            let cells: Vec<String> = manners()
                .iter()
                .enumerate()
                .map(|(manner, (_, word))| {
                    let of = |wanted: Outcome| {
                        let here = |case: &Case| {
                            case.always == always && case.ending == ending && case.manner == manner
                        };
                        outcomes.iter().filter(|(case, outcome, _)| here(case) && *outcome == wanted).count()
                    };
                    let [full, unchanged, broken, silent] =
                        [Outcome::Full, Outcome::Unchanged, Outcome::Broken, Outcome::Silent].map(of);
                    format!("{word} {full}/{unchanged}/{broken}/{silent}")
                })
                .collect();
            println!("  {when:<10} {name:<26} {}", cells.join("  "));
        }
    }
    let mut wrong = 0;
    for (case, outcome, words) in &outcomes {
        let (ending, manner) = (ENDINGS[case.ending].1, manners()[case.manner].1);
        let fine = *outcome == Outcome::Full || (case.always && *outcome == Outcome::Unchanged);
        if !fine {
            wrong += 1;
            let when = if case.always { "always" } else { "once" };
            println!("    {}, {ending}, {manner}, {when}: {outcome:?}: {words}", tasks[case.file].path);
        }
    }
    assert_eq!(wrong, 0);
}

fn run(task: &Task, case: &Case, random: usize) -> (Outcome, String) {
    let mut dice = Dice(random as u64 | 1);
    let (ending, _) = ENDINGS[case.ending];
    let (manner, _) = manners()[case.manner].clone();
    // What is asked for is the selection, which is all of the file.
    let text = answer("Selection", &task.path, &task.after).replace(" exports=Selection", "");
    let last = text.chars().count() - 2;
    let reply = |reply: Reply| Reply { delta_chars: Some(24), ..reply };
    let cut = |reply: Reply, place: Place| reply.cut(place, ending);
    let first = cut(reply(Reply::text(text.as_str())), Place::Char(1 + dice.roll(last)));
    let mut again = reply(Reply::continuing(text.as_str(), manner));
    // A request that quotes nothing is for the answer as a whole.
    let mut fresh = reply(Reply::text(text.as_str()));
    if case.always {
        again = cut(again, Place::New(1 + dice.roll(last / 2)));
        fresh = cut(fresh, Place::Char(1 + dice.roll(last)));
    }
    let script = Script::new([
        Rule::always(first).times(1),
        Rule::asked("Your answer was cut off", again),
        Rule::always(fresh),
    ]);
    let desk = Desk::new(Wire::Anthropic, &[(&task.path, &task.before)], script);
    let lines = format!("1:{}", task.before.lines().count());
    let ran = desk.run(&["ask", "Rename it", "--file", &task.path, "--lines", &lines]);
    let now = desk.folder.read(&task.path);
    // A model that begins anew and indents some of it as it likes has its say; nothing but white space may differ.
    let as_written = matches!(manners()[case.manner].0, Manner::Reindented(_))
        && now.lines().map(str::trim_start).eq(task.after.lines().map(str::trim_start));
    let outcome = match ran.status.code() {
        Some(0 | 1) if now == task.after || as_written => Outcome::Full,
        Some(1) if now == task.before => Outcome::Unchanged,
        _ if now == task.before => Outcome::Silent,
        _ => Outcome::Broken,
    };
    let mut words = ran.stderr;
    if outcome == Outcome::Broken {
        let differs = now.lines().zip(task.after.lines()).find(|(one, other)| one != other);
        words.push_str(&format!("exit code {:?}, first difference {differs:?}", ran.status.code()));
    }
    (outcome, words)
}

/// Files with a name in each that is renamed.
fn tasks(folder: &Path, count: usize, dice: &mut Dice) -> Vec<Task> {
    let mut paths = Vec::new();
    walk(folder, &mut paths);
    paths.sort();
    let mut tasks = Vec::new();
    while tasks.len() < count {
        assert!(!paths.is_empty(), "not enough files in {}", folder.display());
        let path = paths.swap_remove(dice.roll(paths.len()));
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let plain =
            !text.contains('\r') && text.trim() == text.trim_end_matches('\n') && text.ends_with('\n');
        if !plain
            || text.ends_with("\n\n")
            || !(800..9000).contains(&text.len())
            || text.contains("COMPONENT_")
        {
            continue;
        }
        let Some(after) = renamed(&text) else { continue };
        let extension = path.extension().and_then(|end| end.to_str()).unwrap_or("ts");
        tasks.push(Task { path: format!("src/file{}.{extension}", tasks.len()), before: text, after });
    }
    tasks
}

fn walk(at: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
    for entry in entries {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "ts" || end == "tsx")
            && !path.to_string_lossy().ends_with(".d.ts")
        {
            found.push(path);
        }
    }
}

/// The text with one constant or function renamed that it mentions several times.
fn renamed(text: &str) -> Option<String> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let count = |name: &str| text.split(|c| !is_word(c)).filter(|word| *word == name).count();
    let name = text.lines().find_map(|line| {
        let line = line.trim_start().trim_start_matches("export ");
        let rest = ["const ", "function ", "class "].iter().find_map(|kind| line.strip_prefix(kind))?;
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        (name.len() > 3 && count(&name) >= 3).then_some(name)
    })?;
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if is_word(c) {
            word.push(c);
            continue;
        }
        out.push_str(&word);
        out.push_str(if word == name { "Renamed" } else { "" });
        word.clear();
        out.push(c);
    }
    out.pop();
    Some(out)
}

/// A small, seeded generator (xorshift with a multiplier).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as usize % below.max(1)
    }
}
