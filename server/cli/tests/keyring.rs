//! Keys in a real keyring of the system: a Secret Service on a session bus of its own, with a home of its own.
//!
//! Needs the feature `keyring`, `dbus-run-session` and `gnome-keyring-daemon`; where one is missing the tests say `skipped: …` and
//! pass: `cargo test -p assist --features keyring --test keyring`.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output};

use assist_simulator::{Reply, Script, Simulator};

const KEY: &str = "sk-keyring-2f9c61d07b";

/// Why it cannot be tried here, if it cannot.
fn missing() -> Option<String> {
    if !cfg!(feature = "keyring") {
        return Some("built without the feature `keyring`".to_owned());
    }
    let there = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let programs = ["dbus-run-session", "gnome-keyring-daemon"];
    programs.into_iter().find(|program| !there(program)).map(|program| format!("{program} is not installed"))
}

/// A user with nothing but a home, and a model.
fn user(home: &Path, simulator: &Simulator, program: &str) -> Command {
    std::fs::create_dir_all(home.join("work")).expect("a folder can be made");
    let mut command = Command::new(program);
    command.current_dir(home.join("work")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home).env("ASSIST_CONFIG_DIR", home.join("config"));
    command.env("ANTHROPIC_BASE_URL", &simulator.url).env("OLLAMA_HOST", "http://127.0.0.1:1");
    command
}

/// What was said, after a look for the key in it.
fn said(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!out.contains(KEY) && !err.contains(KEY), "the key is shown: {out}{err}");
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

/// The files below a folder that hold the key in the clear.
fn holding(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path));
        } else if std::fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes()))
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_key_is_kept_in_the_keyring_used_and_removed() {
    if let Some(why) = missing() {
        eprintln!("skipped: {why}");
        return;
    }
    let home = tempfile::tempdir().expect("a folder can be made");
    let simulator = Simulator::start(Script::always(Reply::text("Hello.")));
    // The daemon unlocks a new keyring, and ends with its bus.
    let script = format!(
        "printf 'a password' | gnome-keyring-daemon --unlock --components=secrets > /dev/null && \
         printf '{KEY}\\n' | \"$0\" auth set anthropic && \"$0\" auth list && \"$0\" ask Hi && \
         \"$0\" auth remove anthropic && \"$0\" auth list"
    );
    let mut session = user(home.path(), &simulator, "dbus-run-session");
    session.args(["--", "sh", "-c", &script, env!("CARGO_BIN_EXE_assist")]);
    let said = said(&session.output().expect("the session can be started"));
    let kept: Vec<&str> = said.lines().filter(|line| line.starts_with("anthropic")).collect();
    assert!(said.contains("is kept in the keyring."), "{said}");
    assert!(kept[0].contains("key from the keyring") && kept[1].contains("no key"), "{said}");
    assert!(said.contains("Hello.") && said.contains("was removed"), "{said}");
    let asked = simulator.requests();
    assert_eq!(asked[0].key.as_deref(), Some(KEY), "the model is called with it");
    assert!(!home.path().join("config/credentials.toml").exists());
    assert_eq!(holding(home.path()), [] as [std::path::PathBuf; 0], "it is nowhere in the clear");
}

#[test]
fn without_a_keyring_the_key_is_kept_in_the_private_file() {
    let home = tempfile::tempdir().expect("a folder can be made");
    let simulator = Simulator::start(Script::always(Reply::text("Hello.")));
    let run = |args: &str| {
        let mut shell = user(home.path(), &simulator, "sh");
        shell.args(["-c", &format!("printf '{KEY}\\n' | \"$0\" {args}"), env!("CARGO_BIN_EXE_assist")]);
        said(&shell.output().expect("a shell can be started"))
    };
    assert!(run("auth set anthropic").contains("credentials.toml"));
    assert!(run("auth list").contains("credentials.toml"));
    run("ask Hi");
    assert_eq!(simulator.requests()[0].key.as_deref(), Some(KEY));
    assert!(run("auth remove anthropic").contains("was removed"));
    assert_eq!(holding(home.path()), [] as [std::path::PathBuf; 0]);
}
