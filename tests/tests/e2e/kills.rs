//! A busy run over several files, killed at random moments: nothing that it acknowledged is lost, no file is half-written,
//! and the resumed run ends as if nothing had been.
//!
//! A few kills every day; `ASSIST_PROVE_RUN_KILLS` asks for more (`cargo xtask prove run`). The moments are random by
//! their nature: the seed gives the shares of the run's length, the machine the rest. What is checked holds for every moment.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use assist_base::Timestamp;
use assist_simulator::{Cut, Ending, Manner, Place, Reply, Rule, SENTINEL, Script, component};

use crate::support::{Desk, HERO, NEW_FOOTER, NEW_HERO, Ran, Wire, with_new_footer, with_new_hero};

const FILE: &str = "src/Hero.tsx";
const ASK: [&str; 6] = ["ask", "Rework all of it", "--file", FILE, "--yes", "--json"];

const PRICE: &str = "export const price = (cents: number) => cents / 100;\n";
const NEW_PRICE: &str = "export const price = (cents: number) => {\n  return (cents / 100).toFixed(2);\n};\n";
const CART: &str =
    "export function total(prices: number[]) {\n  return prices.reduce((sum, one) => sum + one, 0);\n}\n";
const NEW_CART: &str = "export function total(prices: number[]) {\n  let sum = 0;\n  for (const price of prices) {\n    sum += price;\n  }\n  return sum;\n}\n";
const MONEY: &str = "export const euros = (cents: number) => `${(cents / 100).toFixed(2)} €`;\n";

/// What each file may hold at any moment: the first before the run, the last after it. No text: there is no such file.
fn states() -> BTreeMap<&'static str, Vec<Option<String>>> {
    let text = |text: &str| Some(text.to_owned());
    BTreeMap::from([
        (FILE, vec![text(HERO), Some(with_new_hero()), Some(with_new_footer(&with_new_hero()))]),
        ("src/price.ts", vec![text(PRICE), text(NEW_PRICE)]),
        ("src/cart.ts", vec![text(CART), text(NEW_CART)]),
        ("src/lib/money.ts", vec![None, text(MONEY)]),
    ])
}

/// A model that answers in small pieces, reaches its limit within the third component, and goes on when asked to.
fn desk(wire: Wire) -> Desk {
    let text = ["I will rework the hero, its footer and what they rest on.\n\n".to_owned()]
        .into_iter()
        .chain([
            component("Hero", FILE, NEW_HERO),
            component("price", "src/price.ts", NEW_PRICE),
            component("Footer", FILE, NEW_FOOTER),
            component("total", "src/cart.ts", NEW_CART),
            component("euros", "src/lib/money.ts", MONEY),
            SENTINEL.to_owned(),
        ])
        .collect::<Vec<_>>()
        .join("\n");
    let cut = Cut { at: Place::After("const year = new".to_owned()), ending: Ending::LengthStop, torn: 0 };
    let slow = |reply: Reply| Reply { delta_chars: Some(12), delay_ms: Some(2), ..reply };
    let first = slow(Reply { cut: Some(cut), ..Reply::text(text.as_str()) });
    let rest = slow(Reply::continuing(text.as_str(), Manner::Exact));
    let script = Script::new([Rule::asked("Your answer was cut off", rest), Rule::always(first)]);
    let files: Vec<(&str, String)> = states()
        .into_iter()
        .filter_map(|(path, states)| Some((path, states.into_iter().next().flatten()?)))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    Desk::new(wire, &files, script)
}

/// The files of a workspace but for Assist's own, by path.
fn files(folder: &Path) -> BTreeMap<String, String> {
    fn below(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).expect("the folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                if entry.file_name() != ".assist" {
                    below(root, &path, found);
                }
            } else {
                let name = path.strip_prefix(root).expect("it is below").display().to_string();
                let bytes = std::fs::read(&path).expect("the file can be read");
                found.insert(name, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
    let mut found = BTreeMap::new();
    below(folder, folder, &mut found);
    found
}

/// How it is when nobody is killed.
struct Undisturbed {
    took: Duration,
    requests: usize,
    files: BTreeMap<String, String>,
}

fn undisturbed(wire: Wire) -> Undisturbed {
    let desk = desk(wire);
    // The first start of a binary takes longer.
    desk.run(&["--version"]).exits(0);
    let begin = Instant::now();
    desk.run(&ASK).exits(0);
    let took = begin.elapsed();
    let files = files(desk.folder.root());
    for (path, states) in states() {
        assert_eq!(files.get(path), states.last().cloned().flatten().as_ref(), "{path}");
    }
    assert_eq!(files.len(), states().len(), "{:?}", files.keys());
    Undisturbed { took, requests: desk.sim.requests().len(), files }
}

/// What a killed process leaves: whole files, a sound database, and everything that it printed.
fn check_left(desk: &Desk, killed: &Ran, case: &str) {
    for (path, states) in states() {
        let now = desk.folder.has(path).then(|| desk.folder.read(path));
        assert!(states.contains(&now), "{case}: {path} holds {now:?}");
    }
    // Half a line was not acknowledged.
    let lines = killed.stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let printed: Vec<serde_json::Value> =
        lines.map(|line| serde_json::from_str(line).expect("a line is an event")).collect();
    let run = printed.first().map(|event| event["run"].as_str().expect("a run's id").to_owned());
    let kept = desk.store(async |store| {
        store.check().await.unwrap_or_else(|error| panic!("{case}: {error}"));
        match &run {
            Some(run) => store.events().list(run.parse().expect("a run's id"), 1).await.expect("events"),
            None => Vec::new(),
        }
    });
    for event in &printed {
        let is_kept = kept.iter().any(|kept| {
            event["seq"] == kept.seq && event["type"] == kept.kind.as_str() && event["data"] == kept.data
        });
        assert!(is_kept, "{case}: printed, but not kept: {event}");
    }
}

/// How many calls the books have as ended by themselves, and whether money is still set aside for one.
fn completed_calls(desk: &Desk) -> usize {
    desk.store(async |store| {
        let calls = store.ledger().calls(None, Timestamp(0), 1_000).await.expect("the ledger can be read");
        calls.iter().filter(|call| call.settled_at.is_some() && !call.estimated).count()
    })
}

/// Runs it, killed after each of these shares of the run's usual time, and then to its end.
fn killed_after(wire: Wire, usual: &Undisturbed, shares: &[f64]) {
    let case = format!("{wire:?}, killed after {shares:.3?} of {:?}", usual.took);
    let desk = desk(wire);
    let mut ask: Vec<String> = ASK.map(str::to_owned).to_vec();
    let arguments = |ask: &[String]| ask.iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
    let mut kills = 0;
    let mut is_done = false;
    for share in shares {
        let words = arguments(&ask);
        let running = desk.start(&words.iter().map(String::as_str).collect::<Vec<_>>());
        // The moment is what is being tried out; nothing waits for it.
        std::thread::sleep(usual.took.mul_f64(*share));
        let killed = running.kill();
        kills += 1;
        check_left(&desk, &killed, &case);
        let sessions = desk.sessions();
        assert!(sessions.len() <= 1, "{case}: {sessions:?}");
        match sessions.first() {
            // Nothing was begun: the user asks again.
            None => {}
            Some(session) if session["status"] == "done" => is_done = true,
            Some(session) => {
                let state = (&session["status"], &session["reason"]);
                assert_eq!(state, (&"paused".into(), &"crash".into()), "{case}: {session}");
                let run = session["run"].as_str().expect("a run's id").to_owned();
                ask = ["resume", &run, "--yes", "--json"].map(str::to_owned).to_vec();
            }
        }
        if is_done {
            break;
        }
    }
    if !is_done {
        let words = arguments(&ask);
        let ran = desk.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(ran.status.success(), "{case}\n{ran:?}");
        assert_eq!(desk.sessions()[0]["status"], "done", "{case}");
    }
    assert_eq!(files(desk.folder.root()), usual.files, "{case}");

    let (asked, completed) = (desk.sim.requests().len(), completed_calls(&desk));
    assert!(completed <= usual.requests, "{case}: {completed} calls were completed and paid for");
    assert!(asked - completed <= kills, "{case}: {asked} calls, {completed} completed, {kills} kills");
}

#[test]
fn a_run_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let kills = std::env::var("ASSIST_PROVE_RUN_KILLS").ok().and_then(|number| number.parse().ok());
    let kills: usize = kills.unwrap_or(6);
    let usual = Wire::BOTH.map(undisturbed);
    let mut seed = 41_u64;
    let mut share = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f64 / (1_u64 << 24) as f64 * 1.05
    };
    let mut done = 0;
    for round in 0.. {
        if done >= kills {
            break;
        }
        // Every third run is killed again when it is resumed.
        let shares: Vec<f64> = (0..if round % 3 == 2 { 2 } else { 1 }).map(|_| share()).collect();
        done += shares.len();
        killed_after(Wire::BOTH[round % 2], &usual[round % 2], &shares);
    }
}
