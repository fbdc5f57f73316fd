//! The same with a process that is really killed: a copy of the test program makes the set and waits at one moment.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use super::*;

const AT: &str = "ASSIST_RUNTIME_TEST_KILL_AT";
const ROOT: &str = "ASSIST_RUNTIME_TEST_ROOT";
const READY: &str = "waiting to be killed";

/// Not a test by itself: what the killed process runs.
#[test]
fn victim() {
    let (Ok(at), Ok(root)) = (std::env::var(AT), std::env::var(ROOT)) else { return };
    let at: usize = at.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground { workspace: Workspace::open(Path::new(&root), Trust::Trusted).unwrap(), folder };
    let count = Cell::new(0);
    let probe = |_| {
        if count.replace(count.get() + 1) == at {
            println!("{READY}");
            std::io::stdout().flush().unwrap();
            // Until the other end closes, which it does by killing this process.
            let _ = std::io::stdin().read(&mut [0]);
        }
        Ok(())
    };
    super::super::apply(&ground.workspace, &ground.changes(), &probe).0.unwrap();
}

#[test]
fn a_killed_process_leaves_all_or_nothing() {
    let moments = moments(&ground());
    let commit = moments.iter().position(|moment| *moment == Moment::Committed).unwrap();
    // What the killed leave behind goes with this.
    let scratch = tempfile::tempdir().unwrap();
    for (n, moment) in moments.iter().enumerate() {
        let ground = ground();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "journal::tests::killed::victim", "--nocapture"])
            .env(AT, n.to_string())
            .env(ROOT, ground.folder.path())
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains(READY)), "{moment:?} was not reached");
        child.kill().unwrap();
        child.wait().unwrap();
        // A new process recovers.
        let workspace = Workspace::open(ground.folder.path(), Trust::Trusted).unwrap();
        let recovered = workspace.recover().unwrap();
        assert!(recovered.len() <= 1, "{recovered:?}");
        assert_eq!(ground.tree(), if n >= commit { after() } else { before() }, "{moment:?}");
        assert!(journal_is_empty(ground.folder.path()), "{moment:?}");
    }
}
