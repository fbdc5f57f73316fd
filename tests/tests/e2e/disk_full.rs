//! A workspace whose disk is full: a small file system of its own in memory, mounted where only the commands of one shell
//! see it. Needs Linux, and a kernel that lets its users mount; elsewhere the tests say that they were left out.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "says that a test was left out")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use assist_simulator::{Place, Reply, Rule, Script, answer};
use assist_store::Store;
use assist_tests::binary;

use crate::support::{Desk, HERO, HERO_LINES, NEW_HERO, Wire, with_new_hero};

const FILE: &str = "src/Hero.tsx";

/// A shell in a workspace on a disk of a few megabytes.
struct SmallDisk {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What the shell's commands leave for the test to read.
    outside: PathBuf,
}

/// What a command came to.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl SmallDisk {
    /// None where nothing can be mounted.
    fn new(desk: &Desk) -> Option<Self> {
        let mut shell = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh"])
            .env_clear()
            .envs(desk.variables())
            .env("ASSIST", binary::assist())
            .current_dir(desk.folder.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let input = shell.stdin.take()?;
        let output = BufReader::new(shell.stdout.take()?);
        let mut disk = Self { shell, input, output, outside: desk.folder.beside("outside") };
        let mounted = disk.tell("mkdir disk && mount -t tmpfs -o size=4m none disk && cd disk");
        if mounted != Some(0) {
            eprintln!("left out: no file system can be mounted here");
            return None;
        }
        disk.put(FILE, HERO);
        Some(disk)
    }

    /// Runs a line of shell; its exit code, if there still is a shell.
    fn tell(&mut self, line: &str) -> Option<i32> {
        writeln!(self.input, "{line} >&2; echo $?").ok()?;
        let mut code = String::new();
        self.output.read_line(&mut code).ok()?;
        code.trim().parse().ok()
    }

    #[track_caller]
    fn must(&mut self, line: &str) {
        assert_eq!(self.tell(line), Some(0), "{line}");
    }

    fn put(&mut self, path: &str, text: &str) {
        std::fs::write(self.outside.join("put"), text).expect("there is room outside");
        let from = self.outside.join("put").display().to_string();
        self.must(&format!("mkdir -p \"$(dirname {path})\" && cp \"{from}\" {path}"));
    }

    fn fill(&mut self) {
        // `dd` ends with an error when the disk is full, as it should.
        self.must("{ dd if=/dev/zero of=filler bs=4096; test $? -ne 0; }");
    }

    fn free(&mut self) {
        self.must("rm filler");
    }

    fn start(&mut self, arguments: &str) {
        let outside = self.outside.display().to_string();
        self.must(&format!(
            "{{ \"$ASSIST\" {arguments} < /dev/null > \"{outside}/stdout\" 2> \"{outside}/stderr\" & }}"
        ));
    }

    fn end(&mut self) -> Ended {
        let code = self.tell("wait $!").expect("the shell is there");
        let read = |name: &str| std::fs::read_to_string(self.outside.join(name)).expect("output is text");
        Ended { code, stdout: read("stdout"), stderr: read("stderr") }
    }

    fn run(&mut self, arguments: &str) -> Ended {
        self.start(arguments);
        self.end()
    }

    /// The text of a file on the small disk.
    fn read(&mut self, path: &str) -> String {
        let to = self.outside.join("got");
        self.must(&format!("cp {path} \"{}\"", to.display()));
        std::fs::read_to_string(to).expect("the file is text")
    }

    /// Checks a copy of the database.
    fn check_database(&mut self) {
        let to = self.outside.join("copy");
        self.must(&format!("rm -rf \"{0}\" && cp -r .assist \"{0}\"", to.display()));
        check(&to);
    }
}

fn check(folder: &Path) {
    let store = Store::open(folder).expect("the database can be opened");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    runtime.block_on(async {
        store.check().await.expect("the database is sound");
        store.close().await;
    });
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.shell.kill().ok();
        self.shell.wait().ok();
    }
}

fn says_what_to_do(stderr: &str) {
    let said = stderr.to_lowercase();
    assert!(said.contains("disk is full") || said.contains("no room on the disk"), "{stderr}");
    assert!(said.contains("free some space"), "{stderr}");
}

#[test]
fn a_disk_that_is_full_before_a_run_is_told_and_the_next_run_works() {
    let script = Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)));
    let desk = Desk::new(Wire::Anthropic, &[], script);
    let Some(mut disk) = SmallDisk::new(&desk) else { return };
    let ask = format!("ask Go --file {FILE} --lines {HERO_LINES} --json");
    assert_eq!(disk.run("ask 'What is it?' --intent explain --json").code, 0);
    disk.fill();
    let refused = disk.run(&ask);
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    says_what_to_do(&refused.stderr);
    assert_eq!(disk.read(FILE), HERO);
    disk.free();
    let done = disk.run(&ask);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(disk.read(FILE), with_new_hero());
    disk.check_database();
}

#[test]
fn a_disk_that_fills_during_a_run_loses_nothing_and_the_run_goes_on_when_there_is_room() {
    let text = answer("Hero", FILE, NEW_HERO);
    let script = Script::new([
        Rule::asked(
            "Your answer was cut off",
            Reply::continuing(text.as_str(), assist_simulator::Manner::Exact),
        ),
        Rule::always(Reply::text(text.as_str()).stall(Place::After("const [op".into()))).times(1),
        // What could not be kept is asked for again.
        Rule::always(Reply::text(text.as_str())),
    ]);
    let desk = Desk::new(Wire::Anthropic, &[], script);
    let Some(mut disk) = SmallDisk::new(&desk) else { return };
    disk.start(&format!("ask Go --file {FILE} --lines {HERO_LINES} --json"));
    desk.sim.blocking_stalled(1);
    disk.fill();
    desk.sim.release_stall();
    let failed = disk.end();
    assert_ne!(failed.code, 0, "{}", failed.stdout);
    says_what_to_do(&failed.stderr);
    assert_eq!(disk.read(FILE), HERO);
    disk.free();
    disk.check_database();

    let sessions = disk.run("sessions --json");
    let sessions: serde_json::Value = serde_json::from_str(&sessions.stdout).expect("one JSON document");
    let session = &sessions["sessions"][0];
    let run = session["run"].as_str().expect("a run's id").to_owned();
    let resumed = disk.run(&format!("resume {run} --json"));
    assert_eq!(resumed.code, 0, "{session}\n{}", resumed.stderr);
    assert_eq!(disk.read(FILE), with_new_hero());
    disk.check_database();
}
