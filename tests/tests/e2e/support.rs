//! A user's desk: a workspace, a private home, a model, and the command line between them.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use assist_simulator::{Script, Simulator};
use assist_store::{Seal, Store};
use assist_tests::{Folder, binary};
use serde_json::Value;

/// The user's key. It must never be seen outside the requests to the model.
pub const KEY: &str = "sk-e2e-4c1d5b7f90aa";

/// A longer wait is a failed test: something hangs. Far more than a slow machine under load takes.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// An address where nobody listens.
pub const NOBODY: &str = "http://127.0.0.1:1";

/// How the model is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Anthropic,
    OpenAi,
}

impl Wire {
    pub const BOTH: [Self; 2] = [Self::Anthropic, Self::OpenAi];

    /// What a user sets to reach the simulator.
    pub fn variables(self, sim: &Simulator) -> [(&'static str, String); 2] {
        match self {
            Self::Anthropic => {
                [("ANTHROPIC_API_KEY", KEY.to_owned()), ("ANTHROPIC_BASE_URL", sim.url.clone())]
            }
            Self::OpenAi => [("OPENAI_API_KEY", KEY.to_owned()), ("OPENAI_BASE_URL", sim.openai_url())],
        }
    }
}

/// Everything one test needs. When it goes, it checks that the simulator was asked nothing wrong, and that the key is in
/// no file of the workspace.
pub struct Desk {
    pub folder: Folder,
    pub sim: Simulator,
    variables: BTreeMap<String, String>,
}

impl Desk {
    /// A workspace with these files, and a model that keeps to the script.
    pub fn new(wire: Wire, files: &[(&str, &str)], script: Script) -> Self {
        let mut desk = Self::without_model(files, script);
        for (name, value) in wire.variables(&desk.sim) {
            desk.set(name, value);
        }
        desk
    }

    /// The same, but nothing tells where the model is: no key, no local model.
    pub fn without_model(files: &[(&str, &str)], script: Script) -> Self {
        let folder = Folder::new(files);
        let mut variables = BTreeMap::new();
        for name in ["PATH", "SYSTEMROOT", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Ok(value) = std::env::var(name) {
                variables.insert(name.to_owned(), value);
            }
        }
        let mut desk = Self { folder, sim: Simulator::start(script), variables };
        desk.set("HOME", desk.folder.beside("home").display().to_string());
        desk.set("ASSIST_CONFIG_DIR", desk.config().display().to_string());
        desk.set("OLLAMA_HOST", NOBODY);
        desk
    }

    /// Sets a variable of the user's environment.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Puts a program of this name before all others of the user's.
    pub fn program(&mut self, name: &str, script: &str) {
        let folder = self.folder.beside("bin");
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let file = folder.join(name);
        std::fs::write(&file, script).expect("a program can be written");
        #[cfg(unix)]
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("a program can be made one");
        let path = std::env::var("PATH").expect("there is a PATH");
        self.set("PATH", format!("{}:{path}", folder.display()));
    }

    /// Unsets a variable of the user's environment.
    pub fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// The user's environment.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The user's configuration folder.
    pub fn config(&self) -> PathBuf {
        self.folder.beside("config")
    }

    /// The command, in the workspace, with the user's environment and nothing else.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary::assist());
        command.args(args).current_dir(self.folder.root()).env_clear().envs(&self.variables);
        command
    }

    /// Runs it to its end with nothing to read.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ran {
        self.start(args).end()
    }

    /// Runs it to its end with this on its standard input.
    #[track_caller]
    pub fn run_with(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(args);
        Running::start(command.stdin(Stdio::piped()), Some(input.to_vec())).end()
    }

    /// Starts it.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args).stdin(Stdio::null()), None)
    }

    /// Opens the workspace's database as this user's own: where the test comes first, it is the user's all the same.
    fn open_store(&self) -> Store {
        let data = self
            .variables
            .get("ASSIST_DATA_DIR")
            .map_or_else(|| Path::new(&self.variables["HOME"]).join(".local/share/assist"), PathBuf::from);
        // Where that folder cannot be used, every database is believed.
        let seal = Seal::of_user(&data).ok();
        let folder = self.folder.path(".assist");
        let store = Store::open_patiently(&folder, seal.as_ref(), |waited| waited < PATIENCE);
        store.expect("the database can be opened")
    }

    /// Looks into the workspace's database.
    pub fn store<T: Send>(&self, look: impl AsyncFnOnce(&Store) -> T + Send) -> T {
        let store = self.open_store();
        // On a thread of its own, since a test of the server is in a runtime already.
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime can be made").block_on(async {
                    let found = look(&store).await;
                    store.close().await;
                    found
                })
            });
            looking.join().expect("the database can be read")
        })
    }

    /// Waits until a run has come to this state in the database.
    pub async fn store_when(&self, run: &str, state: &str) {
        let deadline = std::time::Instant::now() + PATIENCE;
        let run = run.parse().expect("a run's id");
        let store = self.open_store();
        loop {
            let session = store.sessions().get(run).await.expect("the run is there");
            if session.status.as_str() == state {
                return store.close().await;
            }
            assert!(std::time::Instant::now() < deadline, "{session:?} does not become {state}");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a part of the newest run's answer is in the database: it is stored while the model is silent.
    pub fn wait_until_kept(&self, part: &str) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let kept = self.store(async |store| {
                let list = assist_store::ListFilter { limit: 1, state: None };
                let session = store.sessions().list(list).await.expect("sessions can be read").remove(0);
                store.messages().of_run(session.id).await.expect("messages can be read")
            });
            if kept.iter().any(|message| message.content.contains(part)) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "what was received is not kept: {kept:?}");
            std::thread::yield_now();
        }
    }

    /// Waits until the newest run has these components of its plan in place.
    pub fn wait_until_built(&self, names: &[&str]) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let built: Vec<Option<String>> = self.store(async |store| {
                let list = assist_store::ListFilter { limit: 1, state: None };
                let session = store.sessions().list(list).await.expect("sessions can be read").remove(0);
                let points = store.checkpoints().list(session.id).await.expect("checkpoints can be read");
                points
                    .into_iter()
                    .filter(|point| point.stage == "built")
                    .map(|point| point.component)
                    .collect()
            });
            if names.iter().all(|name| built.iter().flatten().any(|done| done == name)) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "only {built:?} are in place");
            std::thread::yield_now();
        }
    }

    /// The texts of the model that are kept for a run, each with whether it is only a part.
    pub fn kept(&self, run: &str) -> Vec<(String, bool)> {
        let run = run.parse().expect("a run's id");
        let messages =
            self.store(async |store| store.messages().of_run(run).await.expect("messages can be read"));
        let model = messages.into_iter().filter(|message| message.role == assist_store::Role::Assistant);
        model.map(|message| (message.content, message.partial)).collect()
    }

    /// What `assist sessions --json` lists, newest first.
    #[track_caller]
    pub fn sessions(&self) -> Vec<Value> {
        let ran = self.run(&["sessions", "--json"]).exits(0);
        let document: Value = serde_json::from_str(&ran.stdout).expect("one JSON document");
        document["sessions"].as_array().expect("a list of sessions").clone()
    }

    /// Every file below the workspace's `.assist`, with its bytes.
    pub fn own_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        read_all(&self.folder.path(".assist"), &mut found);
        found
    }

    /// Every file of the workspace and of the user's home, with its bytes; not the configuration, where keys may be.
    pub fn all_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        read_all(self.folder.root(), &mut found);
        read_all(&self.folder.beside("home"), &mut found);
        found
    }
}

fn read_all(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, bytes));
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for (path, bytes) in self.own_files() {
            let holds = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
            assert!(!holds, "the key is in {}", path.display());
        }
        assert_eq!(self.sim.problems(), [] as [String; 0]);
    }
}

/// The command while it runs. Killed when dropped.
pub struct Running {
    child: Child,
    out: Output,
    err: Output,
}

impl Running {
    /// Starts a command, feeds it, and reads what it writes.
    pub fn start(command: &mut Command, input: Option<Vec<u8>>) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            // It may well end without having read everything.
            std::thread::spawn(move || std::io::Write::write_all(&mut pipe, &input));
        }
        let out = Output::collect(child.stdout.take().expect("standard output is piped"));
        let err = Output::collect(child.stderr.take().expect("standard error is piped"));
        Self { child, out, err }
    }

    /// Waits until it has said this on its standard error.
    #[track_caller]
    pub fn has_said(&self, part: &str) {
        let so_far = self.err.wait_until(|bytes| String::from_utf8_lossy(bytes).contains(part));
        let so_far = String::from_utf8_lossy(&so_far).into_owned();
        assert!(so_far.contains(part), "no {part:?} in {so_far}");
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    /// Kills it, as a crash would.
    pub fn kill(mut self) -> Ran {
        self.child.kill().expect("the process is there");
        self.end()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ran {
        // Until nothing more comes.
        let (out, err) = (self.out.wait_until(|_| false), self.err.wait_until(|_| false));
        if !(self.out.has_ended() && self.err.has_ended()) {
            self.child.kill().ok();
            let said = String::from_utf8_lossy(&err).into_owned();
            panic!("the command does not end; it said: {said}");
        }
        let status = self.child.wait().expect("the process has an end");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        let ran = Ran { status, stdout: text(out), stderr: text(err) };
        for output in [&ran.stdout, &ran.stderr] {
            assert!(!output.contains(KEY), "the key is in the output: {output}");
            assert!(!output.contains("panicked"), "a panic: {output}");
        }
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or nobody waits for it any more.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What comes out of a pipe.
struct Output(Arc<(Mutex<SoFar>, Condvar)>);

#[derive(Default)]
struct SoFar {
    bytes: Vec<u8>,
    has_ended: bool,
}

impl Output {
    fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let output = Arc::new((Mutex::new(SoFar::default()), Condvar::new()));
        let filled = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut part = [0; 8192];
            loop {
                let count = match pipe.read(&mut part) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    read => read.unwrap_or(0),
                };
                let mut so_far = filled.0.lock().expect("nobody panics with it");
                so_far.bytes.extend_from_slice(&part[..count]);
                so_far.has_ended = count == 0;
                filled.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self(output)
    }

    fn has_ended(&self) -> bool {
        self.0.0.lock().expect("nobody panics with it").has_ended
    }

    /// Waits until what came suits, or nothing more comes, or it is too long; returns what came.
    fn wait_until(&self, suits: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let (so_far, changed) = &*self.0;
        let so_far = so_far.lock().expect("nobody panics with it");
        let waiting = |so_far: &mut SoFar| !so_far.has_ended && !suits(&so_far.bytes);
        let (so_far, _) =
            changed.wait_timeout_while(so_far, PATIENCE, waiting).expect("nobody panics with it");
        so_far.bytes.clone()
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "out: {}\nerr: {}", self.stdout, self.stderr);
        self
    }

    /// Checks that standard error is one sentence with all of these parts.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "not one sentence: {}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {}", self.stderr);
        }
        self
    }

    /// The events that `--json` printed, checked for their shape.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let events: Vec<Value> = self
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect();
        for (n, event) in events.iter().enumerate() {
            assert_eq!(event["v"], 1, "{event}");
            assert_eq!(event["run"], events[0]["run"], "{event}");
            assert!(
                event["ts"].is_u64() && event["type"].is_string() && event["data"].is_object(),
                "{event}"
            );
            if let Some(before) = n.checked_sub(1) {
                assert_eq!(
                    event["seq"].as_u64(),
                    events[before]["seq"].as_u64().map(|seq| seq + 1),
                    "{event}"
                );
            }
        }
        events
    }

    /// The run that the events belong to.
    #[track_caller]
    pub fn run(&self) -> String {
        let events = self.events();
        let first = events.first().unwrap_or_else(|| panic!("no events; err: {}", self.stderr));
        first["run"].as_str().expect("a run's id").to_owned()
    }

    /// The data of the events of a kind.
    #[track_caller]
    pub fn of(&self, kind: &str) -> Vec<Value> {
        let events = self.events().into_iter();
        events.filter(|event| event["type"] == kind).map(|event| event["data"].clone()).collect()
    }
}

/// Looks at a file all the time and remembers every content it saw.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Option<Vec<u8>>>>>,
}

impl Watch {
    pub fn over(folder: &Folder, path: &str) -> Self {
        let (path, stop) = (folder.path(path), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen: Vec<Option<Vec<u8>>> = Vec::new();
            loop {
                let last = stopped.load(Ordering::Acquire);
                let now = std::fs::read(&path).ok();
                if seen.last() != Some(&now) {
                    seen.push(now);
                }
                if last {
                    return seen;
                }
                // Only to leave the processor to those who are watched.
                std::thread::sleep(Duration::from_micros(300));
            }
        });
        Self { stop, thread: Some(thread) }
    }

    /// Checks that the file went through these contents and no other. What was there only for a moment may have been
    /// missed, the first and the last not.
    #[track_caller]
    pub fn saw_only(mut self, contents: &[&str]) {
        self.stop.store(true, Ordering::Release);
        let seen = self.thread.take().expect("it watches once").join().expect("the watcher is well");
        let mut left = contents.iter();
        for content in &seen {
            let Some(content) = content else { panic!("the file was gone") };
            let text = String::from_utf8_lossy(content);
            let expected = left.by_ref().any(|known| *known == text);
            assert!(expected, "the file held for a while: {text}");
        }
        let last = seen.last().cloned().flatten().unwrap_or_default();
        assert_eq!(Some(&*String::from_utf8_lossy(&last)), contents.last().copied(), "the file at the end");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// A file to work on.
pub const HERO: &str = r#"import { useState } from "react";

export interface HeroProps {
  title: string;
}

export function Hero({ title }: HeroProps) {
  const [open, setOpen] = useState(false);
  return (
    <section>
      <h1>{title}</h1>
      <button onClick={() => setOpen(!open)}>More</button>
      {open && <p>Details</p>}
    </section>
  );
}

export function Footer() {
  return <footer>Shop</footer>;
}
"#;

/// The lines of [`HERO`] that hold `Hero`.
pub const HERO_LINES: &str = "7:16";

/// What the model makes of `Hero`.
pub const NEW_HERO: &str = r#"export function Hero({ title }: HeroProps) {
  const [open, setOpen] = useState(true);
  const toggle = () => setOpen((now) => !now);
  return (
    <section className="hero" aria-label={title}>
      <h1>{title}</h1>
      <button type="button" onClick={toggle}>
        {open ? "Less" : "More"}
      </button>
      {open && <p>Details of the “{title}” — 100 %</p>}
    </section>
  );
}
"#;

/// What it makes of `Footer`.
pub const NEW_FOOTER: &str = r#"export function Footer() {
  const year = new Date().getFullYear();
  return <footer>Shop, {year}</footer>;
}
"#;

/// [`HERO`] with the new `Hero`.
pub fn with_new_hero() -> String {
    let start = HERO.find("export function Hero(").expect("Hero is there");
    let end = HERO.find("\nexport function Footer").expect("Footer is there");
    format!("{}{NEW_HERO}{}", &HERO[..start], &HERO[end..])
}

/// A text with the new `Footer` in the place of the old one.
pub fn with_new_footer(text: &str) -> String {
    let start = text.find("export function Footer").expect("Footer is there");
    format!("{}{NEW_FOOTER}", &text[..start])
}
