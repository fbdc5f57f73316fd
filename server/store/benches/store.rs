//! How fast the store is, with what raw SQLite does in the same run beside it, since disks differ.
//!
//! `cargo bench -p assist-store --bench store [-- PART]`, PART being `open`, `events`, `recall` or `snapshots`. With
//! `ASSIST_BENCH_FOLDER` set, the 100,000 memories of `recall` are kept in that folder and taken from there.
//! Beside the time that passes stands the CPU time of this process (Linux), which others on the machine hardly change.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that measures and says what it measured"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use assist_base::{ConversationId, DocPath, EventKind, RunId, Timestamp};
use assist_store::{
    Embedding, FileState, MemoryId, NewEvent, NewSession, NewSnapshotSet, Recall, SnapshotKind, Store,
};
use rusqlite::{Connection, TransactionBehavior, params};
use serde_json::json;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if is_wanted("open") {
        runtime.block_on(open());
    }
    if is_wanted("events") {
        runtime.block_on(events());
    }
    if is_wanted("recall") {
        runtime.block_on(recall());
    }
    if is_wanted("snapshots") {
        runtime.block_on(snapshots());
    }
}

/// Opening a file of 100 MB. Target: at most 5 ms.
async fn open() {
    let dir = tempfile::tempdir().unwrap();
    let (store, run) = with_run(dir.path()).await;
    let text = "x".repeat(10_000);
    for n in 0..100 {
        let event =
            |at| NewEvent { kind: EventKind::Text, data: json!({ "n": n, "text": text }), at: Timestamp(at) };
        store.events().append_all(run, (0..100).map(event).collect()).await.unwrap();
    }
    store.close().await;
    let size = dir.path().join("assist.db").metadata().unwrap().len();
    let mut took = Vec::new();
    for _ in 0..50 {
        let begin = Instant::now();
        let store = Store::open(dir.path()).unwrap();
        took.push(begin.elapsed());
        store.close().await;
    }
    println!("open, {} MB: {}; target p50 <= 5 ms", size / 1_000_000, percentiles(&mut took));
}

/// Events a second. Targets: 20,000 batched, 2,000 singly, at least 0.8 of raw SQLite.
async fn events() {
    const BATCHES: i64 = 400;
    const BATCH: i64 = 100;
    const SINGLE: i64 = 10_000;
    const SYNCED: i64 = 1_000;
    const ROUNDS: i64 = 10;
    let data = json!({ "state": "running", "message": "Looking at src/components/Hero.tsx" });

    let raw_dir = tempfile::tempdir().unwrap();
    let mut raw = Raw::open(raw_dir.path());
    let dir = tempfile::tempdir().unwrap();
    let (store, run) = with_run(dir.path()).await;
    let event = || NewEvent { kind: EventKind::Status, data: data.clone(), at: Timestamp(0) };
    // Both halves of a ratio in turns, so that other work on the machine falls on both.
    let mut pace = Pace::default();
    for _ in 0..ROUNDS {
        pace.raw(|| (0..BATCHES / ROUNDS).for_each(|_| raw.insert(BATCH)));
        let begin = Instant::now();
        for _ in 0..BATCHES / ROUNDS {
            store.events().append_all(run, (0..BATCH).map(|_| event()).collect()).await.unwrap();
        }
        pace.ours += begin.elapsed();
    }
    pace.say("events batched", BATCHES * BATCH, 20_000.0);
    let mut pace = Pace::default();
    for _ in 0..ROUNDS {
        pace.raw(|| (0..SINGLE / ROUNDS).for_each(|_| raw.insert(1)));
        let begin = Instant::now();
        for _ in 0..SINGLE / ROUNDS {
            store.events().append(run, EventKind::Status, data.clone(), Timestamp(0)).await.unwrap();
        }
        pace.ours += begin.elapsed();
    }
    pace.say("events singly, one caller", SINGLE, 2_000.0);
    let mut pace = Pace::default();
    for _ in 0..ROUNDS {
        pace.raw(|| (0..SINGLE / ROUNDS).for_each(|_| raw.insert(1)));
        let begin = Instant::now();
        let shared = data.clone();
        together(&store, SINGLE / ROUNDS, move |store| {
            let data = shared.clone();
            async move {
                store.events().append(run, EventKind::Status, data, Timestamp(0)).await.unwrap();
            }
        })
        .await;
        pace.ours += begin.elapsed();
    }
    pace.say("events singly, eight callers", SINGLE, 2_000.0);
    raw.0.pragma_update(None, "synchronous", "FULL").unwrap();
    let mut pace = Pace::default();
    for _ in 0..ROUNDS {
        pace.raw(|| (0..SYNCED / ROUNDS).for_each(|_| raw.insert(1)));
        let begin = Instant::now();
        for _ in 0..SYNCED / ROUNDS {
            store.checkpoints().add(run, "builder", None, data.clone(), Timestamp(0)).await.unwrap();
        }
        pace.ours += begin.elapsed();
    }
    pace.say("synced checkpoints, one caller", SYNCED, 2_000.0);
    let mut pace = Pace::default();
    for _ in 0..ROUNDS {
        pace.raw(|| (0..SYNCED / ROUNDS).for_each(|_| raw.insert(1)));
        let begin = Instant::now();
        let shared = data.clone();
        together(&store, SYNCED / ROUNDS, move |store| {
            let data = shared.clone();
            async move {
                store.checkpoints().add(run, "builder", None, data, Timestamp(0)).await.unwrap();
            }
        })
        .await;
        pace.ours += begin.elapsed();
    }
    pace.say("synced checkpoints, eight callers", SYNCED, 2_000.0);
}

/// Has eight callers at the same time do `count` things.
async fn together<F: Future<Output = ()> + Send + 'static>(
    store: &Store,
    count: i64,
    one: impl Fn(Store) -> F + Clone + Send + Sync + 'static,
) {
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let (store, one) = (store.clone(), one.clone());
            tokio::spawn(async move {
                for _ in (caller..count).step_by(8) {
                    one(store.clone()).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

/// How long both halves of a ratio took.
#[derive(Default)]
struct Pace {
    raw: Duration,
    ours: Duration,
}

impl Pace {
    fn raw(&mut self, work: impl FnOnce()) {
        let begin = Instant::now();
        work();
        self.raw += begin.elapsed();
    }

    fn say(&self, what: &str, count: i64, target: f64) {
        let rate = |took: Duration| count as f64 / took.as_secs_f64();
        let (ours, raw) = (rate(self.ours), rate(self.raw));
        println!(
            "{what}: {ours:.0}/s, raw SQLite {raw:.0}/s, ratio {:.2}; target {target:.0}/s, ratio 0.80",
            ours / raw
        );
    }
}

/// What the store does for an event, without the store.
struct Raw(Connection);

impl Raw {
    fn open(folder: &Path) -> Self {
        let conn = Connection::open(folder.join("raw.db")).unwrap();
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;
            CREATE TABLE runs (id TEXT PRIMARY KEY NOT NULL) STRICT;
            INSERT INTO runs VALUES ('11111111-1111-4111-8111-111111111111');
            CREATE TABLE events (id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs (id), seq INTEGER NOT NULL,
                v INTEGER NOT NULL, ts INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (run_id, seq)) STRICT;",
        )
        .unwrap();
        Self(conn)
    }

    fn insert(&mut self, count: i64) {
        let tx = self.0.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let run = "11111111-1111-4111-8111-111111111111";
        let sql = "SELECT coalesce(max(seq), 0) + 1 FROM events WHERE run_id = ?1";
        let first: i64 = tx.prepare_cached(sql).unwrap().query_row([run], |row| row.get(0)).unwrap();
        let sql = "INSERT INTO events (run_id, seq, v, ts, type, data) VALUES (?1, ?2, 1, 0, 'status', ?3)";
        let mut statement = tx.prepare_cached(sql).unwrap();
        for seq in first..first + count {
            let data = json!({ "state": "running", "message": "Looking at src/components/Hero.tsx" });
            statement.execute(params![run, seq, data.to_string()]).unwrap();
        }
        drop(statement);
        tx.commit().unwrap();
    }
}

/// Top 10 of 100,000 memories. Targets: p99 at most 40 ms by words, 60 ms with vectors.
async fn recall() {
    const MEMORIES: usize = 100_000;
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("ASSIST_BENCH_FOLDER").map(std::path::PathBuf::from);
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let is_filled = folder.join("assist.db").exists();
    let store = Store::open(folder).unwrap();
    let mut dice = Dice(7);
    let categories = ["decision", "preference", "open", "context", "experiment"];
    let begin = Instant::now();
    for part in (0..MEMORIES / 5_000).filter(|_| !is_filled) {
        let memories: Vec<_> = (0..5_000)
            .map(|n| {
                let text =
                    |dice: &mut Dice, words| (0..words).map(|_| dice.word()).collect::<Vec<_>>().join(" ");
                json!({
                    "id": format!("00000000-0000-4000-8000-{:012x}", part * 5_000 + n),
                    "project_id": "shop",
                    "category": categories[n % 5],
                    "key": text(&mut dice, 3),
                    "value": text(&mut dice, 20),
                })
            })
            .collect();
        let document = json!({ "version": 1, "memories": memories });
        store.memory().import_json(document, "shop", Timestamp(0)).await.unwrap();
    }
    println!("remembered {MEMORIES} memories in {:.1} s", begin.elapsed().as_secs_f64());
    let topics = Topics::new();
    let begin = Instant::now();
    loop {
        let waiting = store.vectors().waiting_memories("bench", 5_000).await.unwrap();
        if waiting.is_empty() {
            break;
        }
        let vectors = waiting.iter().map(|waiting| (waiting.number, topics.vector(waiting.number))).collect();
        store.vectors().keep_memories("bench", vectors).await.unwrap();
    }
    println!("kept their vectors in {:.1} s", begin.elapsed().as_secs_f64());
    println!(
        "of the exact ten nearest of {MEMORIES} vectors, found: {:.3}",
        nearest_found(&store, &topics, MEMORIES as i64).await
    );
    let mut dice = Dice(11);
    let questions: Vec<String> =
        (0..300).map(|_| (0..5).map(|_| dice.word()).collect::<Vec<_>>().join(" ")).collect();
    for (what, fused, misspelt, target) in [
        ("by words", false, false, 40),
        ("fused", true, false, 60),
        ("by words, one misspelt", false, true, 40),
        ("fused, one misspelt", true, true, 60),
    ] {
        let (mut took, mut worked) = (Vec::new(), Vec::new());
        for question in &questions {
            let embedding = fused.then(|| Embedding {
                model: "bench".to_owned(),
                values: topics.vector(-(took.len() as i64)),
            });
            let query = if misspelt { format!("{question} {}", dice.misspelt()) } else { question.clone() };
            let wanted = Recall { embedding, ..Recall::of(query) };
            let (begin, cpu) = (Instant::now(), process_cpu());
            let found = store.memory().recall(wanted, Timestamp(1)).await.unwrap();
            took.push(begin.elapsed());
            worked.push(process_cpu().saturating_sub(cpu));
            assert_eq!(found.len(), 10);
        }
        println!(
            "recall, top 10 of {MEMORIES}, {what}: {}; of it CPU {}; target p99 <= {target} ms",
            percentiles(&mut took),
            percentiles(&mut worked)
        );
    }
    let raw = Connection::open(folder.join("assist.db")).unwrap();
    let (mut took, mut worked, mut same) = (Vec::new(), Vec::new(), 0);
    for question in &questions {
        let words = question.split(' ').map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ");
        let (begin, cpu) = (Instant::now(), process_cpu());
        let sql = "SELECT rowid FROM memory_words WHERE memory_words MATCH ?1
            ORDER BY bm25(memory_words, 2.0, 1.0), rowid DESC LIMIT 10";
        let mut statement = raw.prepare_cached(sql).unwrap();
        let exact: Vec<i64> =
            statement.query_map([words], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        took.push(begin.elapsed());
        worked.push(process_cpu().saturating_sub(cpu));
        let recalled = store.memory().recall(Recall::of(question), Timestamp(1)).await.unwrap();
        let numbers: Vec<i64> = recalled.iter().map(|one| number_of(one.memory.id)).collect();
        same += exact.iter().filter(|number| numbers.contains(number)).count();
    }
    println!("of the ten that raw FTS5 ranks first, recalled: {:.3}", same as f64 / took.len() as f64 / 10.0);
    println!(
        "raw FTS5 on the same index, any of the words, 10 row numbers by bm25: {}; of it CPU {}",
        percentiles(&mut took),
        percentiles(&mut worked)
    );
}

/// The number of a memory's row, which its id was made of.
fn number_of(id: MemoryId) -> i64 {
    let id = id.to_string();
    i64::from_str_radix(&id[id.len() - 12..], 16).unwrap() + 1
}

/// The CPU time of this process's threads so far; zero where the system does not tell it.
fn process_cpu() -> Duration {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let of = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.flatten().filter_map(of).sum())
}

/// A snapshot of 1,000 files that are kept already. Target: at most 100 ms.
async fn snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut dice = Dice(3);
    let files: Vec<FileState> = (0..1_000)
        .map(|n| FileState {
            path: DocPath::relative(&format!("src/{n}.ts")).unwrap(),
            content: Some((0..1_000).map(|_| dice.word()).collect::<Vec<_>>().join(" ").into_bytes()),
        })
        .collect();
    let bytes: usize = files.iter().filter_map(|file| file.content.as_ref()).map(Vec::len).sum();
    let new = |n: i32| NewSnapshotSet {
        label: format!("{n}"),
        kind: SnapshotKind::Manual,
        run: None,
        checkpoint: None,
        files: files.clone(),
    };
    let begin = Instant::now();
    store.snapshots().create(new(0), Timestamp(0)).await.unwrap();
    println!("snapshot of 1000 new files, {} KB: {:.1} ms", bytes / 1_000, milliseconds(begin.elapsed()));
    let mut took = Vec::new();
    for n in 1..=20 {
        let new = new(n);
        let begin = Instant::now();
        store.snapshots().create(new, Timestamp(0)).await.unwrap();
        took.push(begin.elapsed());
    }
    println!("snapshot of 1000 unchanged files: {}; target p50 <= 100 ms", percentiles(&mut took));
}

async fn with_run(folder: &Path) -> (Store, RunId) {
    let store = Store::open(folder).unwrap();
    let run = RunId::new();
    let session = NewSession {
        id: run,
        project_id: "bench".to_owned(),
        module: "code".to_owned(),
        app_name: "bench".to_owned(),
        app_path: ".".to_owned(),
        task: "bench".to_owned(),
        intent: "ask".to_owned(),
        conversation: ConversationId::new(),
        client: "bench".to_owned(),
    };
    store.sessions().create(session, Timestamp(0)).await.unwrap();
    (store, run)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn percentiles(took: &mut [Duration]) -> String {
    took.sort();
    let at = |part: usize| milliseconds(took[(took.len() * part / 100).min(took.len() - 1)]);
    format!("p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms", at(50), at(95), at(99))
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// A word of 20,000; as in real text, few of them are frequent.
    fn word(&mut self) -> String {
        let even = self.next() as f64 / (1_u64 << 31) as f64;
        let rank = (20_000.0_f64.powf(even)) as u64;
        spell(rank)
    }

    /// A word of those that are not frequent, with one letter wrong.
    fn misspelt(&mut self) -> String {
        let mut word = spell(2_000 + self.next() % 18_000);
        word.replace_range(1..2, "w");
        word
    }

    /// Between -1 and 1, evenly.
    fn number(&mut self) -> f32 {
        (self.next() % 2_001) as f32 / 1_000.0 - 1.0
    }
}

/// Vectors that lie around common points, as those of texts do.
struct Topics(Vec<Vec<f32>>);

impl Topics {
    const DIMENSIONS: usize = 384;

    fn new() -> Self {
        let mut dice = Dice(13);
        Self((0..1_000).map(|_| (0..Self::DIMENSIONS).map(|_| dice.number()).collect()).collect())
    }

    /// The vector of a number: always the same.
    fn vector(&self, number: i64) -> Vec<f32> {
        let mut dice = Dice(number.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let topic = &self.0[(dice.next() % 1_000) as usize];
        topic.iter().map(|value| value + 0.8 * dice.number()).collect()
    }
}

/// What part of the ten vectors that are nearest, measured one by one as they were given, a search by vector finds.
async fn nearest_found(store: &Store, topics: &Topics, count: i64) -> f64 {
    const QUESTIONS: i64 = 40;
    let unit = |mut vector: Vec<f32>| {
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|value| *value /= length);
        vector
    };
    let all: Vec<Vec<f32>> = (1..=count).map(|number| unit(topics.vector(number))).collect();
    let mut found = 0;
    for question in 0..QUESTIONS {
        let values = unit(topics.vector(-1_000 - question));
        let cosine = |other: &Vec<f32>| values.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
        let mut exact: Vec<(f32, i64)> = all.iter().map(cosine).zip(1..).collect();
        exact.select_nth_unstable_by(10, |a, b| b.0.total_cmp(&a.0));
        let embedding = Some(Embedding { model: "bench".to_owned(), values });
        let by_vector = Recall { embedding, ..Recall::of("") };
        for recalled in store.memory().recall(by_vector, Timestamp(1)).await.unwrap() {
            let number = number_of(recalled.memory.id);
            found += usize::from(exact[..10].iter().any(|(_, nearest)| *nearest == number));
        }
    }
    found as f64 / (QUESTIONS * 10) as f64
}

/// A number as syllables: five to nine letters.
fn spell(rank: u64) -> String {
    let syllables =
        ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "fe", "ga", "hi", "jo", "pu", "da"];
    let mut mixed = rank.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF;
    let mut word = String::new();
    for _ in 0..4 {
        word.push_str(syllables[(mixed & 15) as usize]);
        mixed >>= 4;
    }
    word.push_str(if mixed & 1 == 0 { "n" } else { "" });
    word
}
