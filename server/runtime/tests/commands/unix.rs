//! The tests themselves.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests, without the harness that clippy knows them by"
)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::Duration;

use assist_runtime::command::{Command, CommandError, End, Finished};
use assist_runtime::confine::{self, Confinement, Helper, Limits, Walls};

/// Every test by its name.
pub const TESTS: [(&str, fn()); 17] = [
    ("what_is_named_itself_is_open_below_what_is_closed", what_is_named_itself_is_open_below_what_is_closed),
    ("output_streams_and_the_code_is_known", output_streams_and_the_code_is_known),
    ("programs_that_want_to_ask_end_at_once", programs_that_want_to_ask_end_at_once),
    ("time_is_kept_and_everything_ends_with_the_command", time_is_kept_and_everything_ends),
    ("a_command_can_be_stopped_and_dropping_ends_it", a_command_can_be_stopped_and_dropping_ends_it),
    ("daemons_do_not_outlive_the_command", daemons_do_not_outlive_the_command),
    ("huge_output_is_capped_and_counted", huge_output_is_capped_and_counted),
    ("secrets_are_not_in_the_environment", secrets_are_not_in_the_environment),
    ("missing_programs_are_told_apart", missing_programs_are_told_apart),
    ("without_a_helper_there_are_no_walls_and_it_says_so", without_a_helper),
    ("writes_stay_inside", writes_stay_inside),
    ("git_and_assist_are_read_only", git_and_assist_are_read_only),
    ("secrets_of_the_home_cannot_be_read", secrets_of_the_home_cannot_be_read),
    ("the_network_is_off_unless_allowed", the_network_is_off_unless_allowed),
    ("other_programs_cannot_be_signalled_or_looked_into", other_programs_are_out_of_reach),
    ("a_flood_of_processes_is_ended", a_flood_of_processes_is_ended),
    ("files_and_memory_are_limited", files_and_memory_are_limited),
];

struct Place {
    _folder: tempfile::TempDir,
    top: PathBuf,
    workspace: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let workspace = top.join("workspace");
        fs::create_dir_all(workspace.join("src")).unwrap();
        Self { _folder: folder, top, workspace }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::shell(&self.workspace, line);
        command.timeout = Duration::from_secs(60);
        command.walls = Some(Walls { writable: vec![self.workspace.clone()], ..Walls::default() });
        command
    }

    fn run(&self, line: &str) -> Finished {
        run(self.command(line))
    }
}

fn helper() -> Helper {
    Helper::this_program().expect("main began with main_if_asked")
}

fn run(command: Command) -> Finished {
    command.run(Some(&helper())).unwrap()
}

/// Whether the kernel holds walls here; where it does not, the test can only say so.
fn walled() -> bool {
    match confine::available(Some(&helper())) {
        Confinement::None(why) => {
            eprintln!("skipped: {why}");
            false
        }
        held => {
            eprintln!("{held:?}");
            true
        }
    }
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn output_streams_and_the_code_is_known() {
    let place = Place::new();
    let running = place
        .command("echo one; echo two >&2; while [ ! -e go ]; do sleep 0.01; done; echo three; exit 7")
        .start(Some(&helper()))
        .unwrap();
    let mut seen = String::new();
    // The command waits for us: what arrives now was streamed.
    while !(seen.contains("one\n") && seen.contains("two\n")) {
        seen += &running.next_chunk().expect("it is still running").text;
    }
    assert!(!seen.contains("three"));
    fs::write(place.workspace.join("go"), "").unwrap();
    while let Some(chunk) = running.next_chunk() {
        seen += &chunk.text;
    }
    assert!(seen.ends_with("three\n"), "{seen}");
    let finished = running.wait();
    assert_eq!(finished.end, End::Exited(7));
    assert_eq!(finished.output.out, "one\nthree\n");
    assert!(finished.output.text.contains("two\n"));
    assert_eq!(place.run("kill -TERM $$").end, End::Signalled(15));
}

fn programs_that_want_to_ask_end_at_once() {
    let place = Place::new();
    // Each of these would wait for ever on a terminal. The time limit would show as another end.
    assert_eq!(place.run("cat").end, End::Exited(0));
    assert_eq!(place.run("read answer").end, End::Exited(1));
    let prompt = place.run("printf 'Password: ' > /dev/tty && read -r word < /dev/tty");
    assert!(matches!(prompt.end, End::Exited(code) if code != 0), "{prompt:?}");
    let login = place.run("git ls-remote https://user@127.0.0.1:1/x.git");
    assert!(matches!(login.end, End::Exited(code) if code != 0), "{login:?}");
    let editor = place.run("git init -q . && git -c user.name=a -c user.email=a@b commit --allow-empty");
    assert!(matches!(editor.end, End::Exited(code) if code != 0), "{editor:?}");
}

fn time_is_kept_and_everything_ends() {
    let place = Place::new();
    let mut command = place.command("echo $$ > pids; sh -c 'echo $$ >> pids; sleep 1000' & sleep 1000");
    command.timeout = Duration::from_secs(2);
    let finished = run(command);
    assert_eq!(finished.end, End::TimedOut);
    // On a machine that is busy enough, the time is over before it has begun to write.
    for pid in fs::read_to_string(place.workspace.join("pids")).unwrap_or_default().lines() {
        assert!(!is_running(pid), "{pid}");
    }
}

fn a_command_can_be_stopped_and_dropping_ends_it() {
    let place = Place::new();
    let line = "echo $$; sleep 1000";
    let running = place.command(line).start(Some(&helper())).unwrap();
    let _ = running.next_chunk();
    let stopper = running.stopper();
    stopper.stop();
    let finished = running.wait();
    assert_eq!(finished.end, End::Stopped);
    assert!(!is_running(&finished.output.out));

    let running = place.command("echo $$; exec sleep 1000").start(Some(&helper())).unwrap();
    let pid = running.next_chunk().unwrap().text;
    assert!(is_running(&pid));
    drop(running);
    wait_until(|| !is_running(&pid));
}

/// Waits for something that is bound to come; a test that waits for ever here is one that failed.
fn wait_until(done: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(180);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "it did not come");
        std::thread::yield_now();
    }
}

fn daemons_do_not_outlive_the_command() {
    let place = Place::new();
    // Left the group, the session and its parent, and closed its output.
    let finished = place.run(
        "setsid sh -c 'setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $! > daemon' & wait; echo over",
    );
    assert_eq!(finished.end, End::Exited(0), "{finished:?}");
    assert!(finished.left_behind >= 1, "{finished:?}");
    let pid = fs::read_to_string(place.workspace.join("daemon")).unwrap();
    assert!(!is_running(&pid));
}

fn huge_output_is_capped_and_counted() {
    let place = Place::new();
    let mut command = place.command("echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo last");
    command.output_cap = 10_000;
    let finished = run(command);
    assert_eq!(finished.end, End::Exited(0));
    assert!(finished.output.text.starts_with("first\n"));
    assert!(finished.output.text.ends_with("last\n"));
    assert!(finished.output.text.len() < 10_100);
    assert_eq!(finished.output.dropped, 20_000_000 + 11 - 10_000);
}

fn secrets_are_not_in_the_environment() {
    let place = Place::new();
    let mut command = place.command("env");
    command.environment = vec![("API_TOKEN".into(), "leak".into()), ("PLAIN".into(), "fine".into())];
    let text = run(command).output.text;
    assert!(!text.contains("leak") && text.contains("PLAIN=fine") && text.contains("CI=1"), "{text}");
    // Nor in that of the processes around it, the one that minds it included.
    let around = place.run("cat /proc/$PPID/environ | tr '\\0' '\\n'").output.text;
    assert!(!around.contains("CARGO_MANIFEST_DIR"), "{around}");
}

fn missing_programs_are_told_apart() {
    let place = Place::new();
    let missing = Command::program(&place.workspace, ["no-such-program-here"]).run(Some(&helper()));
    assert!(matches!(missing, Err(CommandError::Missing { .. })), "{missing:?}");
    let nothing = Command::program(&place.workspace, Vec::<String>::new()).run(Some(&helper()));
    assert!(matches!(nothing, Err(CommandError::Start { .. })), "{nothing:?}");
    let nowhere = Command::program(place.top.join("gone"), ["true"]).run(Some(&helper()));
    assert!(nowhere.is_err());
}

fn without_a_helper() {
    let place = Place::new();
    assert!(confine::available(None).is_none());
    let finished = place.command("echo out; sleep 1000 & exit 3").run(None).unwrap();
    assert_eq!(finished.end, End::Exited(3));
    assert!(finished.confinement.is_none());
    assert_eq!(finished.output.out, "out\n");
    let mut slow = place.command("sleep 1000");
    slow.timeout = Duration::from_millis(100);
    assert_eq!(slow.run(None).unwrap().end, End::TimedOut);
}

fn writes_stay_inside() {
    if !walled() {
        return;
    }
    let place = Place::new();
    let outside = place.top.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept.txt"), "kept").unwrap();
    fs::write(place.workspace.join("mine.txt"), "mine").unwrap();
    symlink(&outside, place.workspace.join("link")).unwrap();
    symlink(outside.join("kept.txt"), place.workspace.join("file-link")).unwrap();
    let absolute = outside.display();
    for attempt in [
        format!("echo x > {absolute}/new.txt"),
        "echo x > ../outside/new.txt".to_owned(),
        "echo x > link/new.txt".to_owned(),
        "echo x > file-link".to_owned(),
        "rm -f ../outside/kept.txt; test ! -e ../outside/kept.txt".to_owned(),
        "mv ../outside/kept.txt .".to_owned(),
        "ln ../outside/kept.txt hard && echo x > hard".to_owned(),
        "mv mine.txt ../outside/".to_owned(),
        "truncate -s 0 ../outside/kept.txt".to_owned(),
        "mkdir ../outside/folder".to_owned(),
        "echo x > /dev/shm/assist-test".to_owned(),
        format!("echo x > {}/assist-test-{}", std::env::temp_dir().display(), std::process::id()),
        "cat ../outside/kept.txt".to_owned(),
        "echo x > /proc/self/cwd/../outside/new.txt".to_owned(),
        format!("echo x > /proc/self/root{absolute}/new.txt"),
        "exec 7< ../outside/kept.txt && echo x > /proc/self/fd/7".to_owned(),
        "exec 7< . && echo x > /proc/self/fd/7/../outside/new.txt".to_owned(),
        "cd .. && echo x > outside/new.txt".to_owned(),
        "cd link && echo x > new.txt".to_owned(),
        "ln -s ../outside deep && mkdir deep/folder".to_owned(),
        "cp -al ../outside copy && echo x > copy/kept.txt".to_owned(),
        "(setsid sh -c 'echo x > ../outside/new.txt' & wait) && test -e ../outside/new.txt".to_owned(),
    ] {
        let finished = place.run(&attempt);
        assert!(!finished.success(), "{attempt}: {finished:?}");
    }
    let left: Vec<_> = fs::read_dir(&outside).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["kept.txt"]);
    assert_eq!(fs::read_to_string(outside.join("kept.txt")).unwrap(), "kept");
    // And what a build does works.
    let work = place.run(
        "echo a > new.txt && mkdir -p src/deep && mv new.txt src/deep/ && ln src/deep/new.txt hard && \
         chmod +x src/deep/new.txt && t=$(mktemp) && echo b > $t && cat $t src/deep/new.txt && rm -r src/deep",
    );
    assert!(work.success(), "{work:?}");
    assert_eq!(work.output.out, "b\na\n");
}

fn git_and_assist_are_read_only() {
    if !walled() {
        return;
    }
    let place = Place::new();
    for folder in [".git/hooks", ".assist"] {
        fs::create_dir_all(place.workspace.join(folder)).unwrap();
    }
    fs::write(place.workspace.join(".git/config"), "[core]\n").unwrap();
    let script = place.workspace.join("src/evil.sh");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let confined = |line: &str| {
        let mut command = place.command(line);
        let protected = vec![place.workspace.join(".git"), place.workspace.join(".assist")];
        command.walls.as_mut().unwrap().protected = protected;
        run(command)
    };
    for attempt in [
        "echo x > .git/hooks/pre-commit",
        "cp src/evil.sh .git/hooks/pre-commit",
        "ln src/evil.sh .git/hooks/pre-commit",
        "ln -s ../../src/evil.sh .git/hooks/pre-commit",
        "mv src/evil.sh .git/hooks/pre-commit",
        "echo x >> .git/config",
        "mv .git .git-old",
        "rm -r .git/hooks",
        "echo x > .assist/assist.db",
        "git config core.fsmonitor ./src/evil.sh",
    ] {
        let finished = confined(attempt);
        assert!(!finished.success(), "{attempt}: {finished:?}");
    }
    assert_eq!(fs::read_dir(place.workspace.join(".git/hooks")).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(place.workspace.join(".git/config")).unwrap(), "[core]\n");
    let reading = confined("cat .git/config && echo y > src/y && mv src/y src/z && rm src/z");
    assert!(reading.success(), "{reading:?}");
    if !mounts_of_its_own() {
        eprintln!("skipped: this system gives a process no mounts of its own");
        return;
    }
    // And what an installer does beside them works, without a way around.
    let beside =
        confined("mkdir node_modules && echo 1 > lock && mv lock package-lock.json && rm -r node_modules");
    assert!(beside.success(), "{beside:?}");
    assert_eq!(fs::read_to_string(place.workspace.join("package-lock.json")).unwrap(), "1\n");
    for attempt in ["umount .git", "mount -o remount,rw .git", "rmdir .assist", "mv .assist .other"] {
        let finished = confined(attempt);
        assert!(!finished.success(), "{attempt}: {finished:?}");
    }
    let outside = fs::write(place.workspace.join(".git/own"), "of the user");
    assert!(outside.is_ok(), "the mounts are the command's alone");
}

/// Whether a process of this user may have mounts of its own.
fn mounts_of_its_own() -> bool {
    let root = rustix::process::getuid().is_root();
    let user: &[&str] = if root { &[] } else { &["--user", "--map-current-user"] };
    let tried = std::process::Command::new("unshare").args(user).args(["--mount", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

fn secrets_of_the_home_cannot_be_read() {
    if !walled() {
        return;
    }
    let place = Place::new();
    let home = std::env::home_dir().unwrap();
    let mut command = place.command("cat secret/key; ls ~/.ssh; cat ~/.netrc; ls ~/.config/assist");
    let secret = place.workspace.join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("key"), "sk-hidden").unwrap();
    command.walls.as_mut().unwrap().hidden = vec![secret];
    let finished = run(command);
    assert!(!finished.output.text.contains("sk-hidden"), "{finished:?}");
    // Listing the home is not possible, so nothing in it is found by chance.
    let listed = place.run(&format!("ls {}", home.display()));
    assert!(!listed.success(), "{listed:?}");
    if rustix::process::getuid().is_root() {
        assert!(!place.run("cat /etc/shadow").success());
    }
}

fn what_is_named_itself_is_open_below_what_is_closed() {
    if !walled() {
        return;
    }
    let place = Place::new();
    let (closed, open) = (place.workspace.join("closed"), place.workspace.join("closed/open"));
    fs::create_dir_all(&open).unwrap();
    fs::write(closed.join("key"), "sk-hidden").unwrap();
    let mut command =
        place.command("cat closed/key; cat closed/open/x; echo y > closed/open/x && cat closed/open/x");
    let walls = command.walls.as_mut().unwrap();
    walls.hidden = vec![closed];
    walls.writable.push(open);
    let finished = run(command);
    assert_eq!((finished.end, finished.output.out.as_str()), (End::Exited(0), "y\n"), "{finished:?}");
}

fn the_network_is_off_unless_allowed() {
    if !walled() {
        return;
    }
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(python) = find("python3") else {
        eprintln!("skipped: there is no python3 to make sockets with");
        return;
    };
    let script = format!(
        "import socket,sys\nfor make in (lambda: socket.create_connection(('127.0.0.1',{port}),2), \
         lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), lambda: socket.socket(socket.AF_UNIX), \
         lambda: socket.socket(socket.AF_INET6)):\n  try:\n    make(); print('made')\n  except PermissionError: \
         print('refused')\na,b=socket.socketpair(); print('pair')\n"
    );
    fs::write(place.workspace.join("reach.py"), script).unwrap();
    let line = format!("{} reach.py", python.display());
    let closed = place.run(&line);
    assert_eq!(closed.output.out, "refused\nrefused\nrefused\nrefused\npair\n", "{closed:?}");
    let mut command = place.command(&line);
    command.walls.as_mut().unwrap().network = true;
    let open = run(command);
    assert!(open.output.out.starts_with("made\nmade\nrefused\n"), "no local socket, ever: {open:?}");
    assert!(open.output.out.ends_with("pair\n"), "{open:?}");
}

fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|at| at.join(program)).find(|at| at.is_file())
}

fn other_programs_are_out_of_reach() {
    if confine::available(Some(&helper())) != Confinement::Full {
        eprintln!("skipped: this kernel does not hold back signals");
        return;
    }
    let place = Place::new();
    let mut other = Other(std::process::Command::new("sleep").arg("1000").spawn().unwrap());
    let pid = other.0.id();
    for attempt in [
        format!("kill -9 {pid}"),
        "kill -9 $PPID".to_owned(),
        format!("kill -9 {}", std::process::id()),
        format!("cat /proc/{pid}/environ | grep -q ."),
        format!("cat /proc/{}/environ | grep -q .", std::process::id()),
        format!("cat /proc/{pid}/mem | grep -q ."),
        format!("ls -l /proc/{}/fd/0", std::process::id()),
        format!("head -c 1 /proc/{}/cwd/Cargo.toml", std::process::id()),
    ] {
        let finished = place.run(&attempt);
        assert!(matches!(finished.end, End::Exited(code) if code != 0), "{attempt}: {finished:?}");
    }
    assert!(other.0.try_wait().unwrap().is_none(), "it still runs");
}

/// A program of the user's that has nothing to do with the command.
struct Other(std::process::Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_flood_of_processes_is_ended() {
    let place = Place::new();
    // A flood with a bottom, so that a machine where the limit fails survives: 150 processes that do nothing.
    let mut command =
        place.command("i=0; while [ $i -lt 150 ]; do sleep 300 & i=$((i+1)); done; wait; echo survived");
    command.limits = Limits { processes: 40, ..Limits::default() };
    let finished = run(command);
    assert_eq!(finished.end, End::TooManyProcesses, "{finished:?}");
    assert!(!finished.output.text.contains("survived"));
}

fn files_and_memory_are_limited() {
    let place = Place::new();
    let mut command = place.command("head -c 5000000 /dev/zero > big");
    command.limits = Limits { file: 1_000_000, ..Limits::default() };
    assert!(!run(command).success());
    assert!(fs::metadata(place.workspace.join("big")).unwrap().len() <= 1_000_000);
    let mut command = place.command("x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}");
    command.limits = Limits { memory: 100_000_000, ..Limits::default() };
    assert!(!run(command).success());
}
