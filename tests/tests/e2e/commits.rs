//! What a plan changed is committed where the user ticked it, with real Git: the run's own paths, and nothing of the user's.

use std::process::Command;

use assist_simulator::{Match, Reply, Rule, Script, answer};
use assist_tests::client::Choice;
use serde_json::{Value, json};

use crate::support::{Desk, Ran, Wire};

pub const NEW: &str = "src/new.ts";
pub const OLD: &str = "src/old.ts";
const FILES: [(&str, &str); 3] =
    [(OLD, "export const old = 1;\n"), ("src/mine.ts", "export const mine = 1;\n"), ("notes.md", "one\n")];

/// Assist plans to make one file and to change another.
pub fn script() -> Script {
    let in_system =
        |text: &str, reply| Rule::when(Match { system: Some(text.into()), ..Match::default() }, reply);
    let plan = json!({ "summary": "People can pay. It is quick.", "steps": [{ "title": "Pay", "files": [NEW, OLD] }] });
    let tasks = json!({ "tasks": [
        { "title": "Write new", "instructions": "x", "files": [NEW], "tier": "B", "kind": "edit" },
        { "title": "Change old", "instructions": "x", "files": [OLD], "tier": "B", "kind": "edit" } ] });
    Script::new([
        in_system("worth remembering", Reply::text("{\"memories\": []}")),
        Rule::asked("Write new\n", Reply::text(answer("fresh", NEW, "export const fresh = 1;\n"))),
        Rule::asked("Change old\n", Reply::text(answer("old", OLD, "export const old = 2;\n"))),
        Rule::asked(
            "Correct what the checks found",
            Reply::text(answer("fresh", NEW, "export const fresh = 1;\n")),
        ),
        in_system("You scope changes", Reply::text("").tool("submit_tasks", &tasks.to_string())),
        Rule::asked("The plan was carried out", Reply::text("That is how it went.")),
        Rule::asked("Build it", Reply::text("").tool("propose_plan", &plan.to_string())),
    ])
}

pub fn git(desk: &Desk, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(desk.folder.root()).env_clear().envs(desk.variables());
    let ran = command.output().expect("there is git");
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text").trim_end().to_owned()
}

/// A desk in a repository with one commit.
pub fn desk(wire: Wire) -> Desk {
    let desk = Desk::new(wire, &FILES, script());
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["config", "user.name", "A"],
        &["config", "user.email", "a@example.com"],
        &["add", "."],
        &["commit", "-q", "-m", "first"],
    ] {
        git(&desk, arguments);
    }
    desk
}

fn hook(desk: &Desk, script: &str) {
    let file = desk.folder.path(".git/hooks/pre-commit");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder can be made");
    std::fs::write(&file, script).expect("a hook can be written");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it runs");
}

fn configure(desk: &Desk, text: &str) {
    std::fs::create_dir_all(desk.config()).expect("a folder can be made");
    std::fs::write(desk.config().join("config.toml"), text).expect("the configuration can be written");
}

/// Asks, and returns the run and what was shown.
pub fn shown(desk: &Desk) -> (String, Value) {
    let ran = desk.run(&["ask", "Build it", "--json"]).exits(1);
    (ran.run(), ran.of("approval_requested").remove(0))
}

pub fn summary(ran: &Ran) -> String {
    ran.of("completed")[0]["summary"].as_str().expect("a sentence").to_owned()
}

/// The files of the last commit.
fn committed(desk: &Desk) -> Vec<String> {
    let named = git(desk, &["show", "--name-only", "--format=", "HEAD"]);
    named.lines().map(str::to_owned).collect()
}

#[test]
fn nothing_is_committed_unless_it_is_ticked() {
    for wire in Wire::BOTH {
        let desk = desk(wire);
        let (run, card) = shown(&desk);
        let detail = card["detail"].as_str().expect("a card");
        assert!(detail.contains("- [ ] Commit what is changed, and nothing else, on `main`"), "{detail}");
        assert_eq!(card["commit"]["branch"], "main");
        desk.run(&["confirm", &run]).exits(0);
        assert!(desk.folder.has(NEW));
        assert_eq!(git(&desk, &["rev-list", "--count", "HEAD"]), "1");
    }
}

#[test]
fn the_runs_own_paths_are_committed_and_nothing_of_the_users() {
    let desk = desk(Wire::Anthropic);
    hook(&desk, "#!/bin/sh\necho ran >> .git/hook-ran\n");
    desk.folder.write("src/mine.ts", "export const mine = 2;\n");
    desk.folder.write("notes.md", "two\n");
    git(&desk, &["add", "notes.md"]);
    let (run, _) = shown(&desk);
    let ran = desk.run(&["confirm", &run, "--commit", "--json"]).exits(0);
    assert_eq!(committed(&desk), [NEW, OLD]);
    assert_eq!(git(&desk, &["log", "-1", "--format=%s"]), "People can pay");
    let body = git(&desk, &["log", "-1", "--format=%b"]);
    assert!(body.contains("- Write new") && body.contains(&format!("Assist run {}", &run[..8])), "{body}");
    assert_eq!(git(&desk, &["branch", "--show-current"]), "main");
    assert_eq!(
        git(&desk, &["status", "--porcelain"]),
        "M  notes.md\n M src/mine.ts",
        "the user's stays as it was"
    );
    assert_eq!(desk.folder.read(".git/hook-ran"), "ran\n");
    let id = git(&desk, &["rev-parse", "HEAD"]);
    let sentence = format!("Committed 2 files on main as {}.", &id[..10]);
    assert!(summary(&ran).contains(&sentence), "{}", summary(&ran));

    // Undoing touches files, never Git.
    desk.run(&["undo", &run]).exits(0);
    assert_eq!(git(&desk, &["rev-parse", "HEAD"]), id);
}

#[test]
fn a_path_that_was_changed_before_is_left_out_and_named() {
    let desk = desk(Wire::OpenAi);
    desk.folder.write(OLD, "// mine\nexport const old = 1;\n");
    let (run, _) = shown(&desk);
    let ran = desk.run(&["confirm", &run, "--commit", "--json"]).exits(0);
    assert_eq!(committed(&desk), [NEW]);
    assert!(
        summary(&ran).contains(&format!("Left out, because you had changed it before: {OLD}.")),
        "{}",
        summary(&ran)
    );
    assert!(git(&desk, &["show", &format!("HEAD:{OLD}")]).starts_with("export const old = 1;"));
}

#[test]
fn a_branch_of_the_run_and_a_hook_that_says_no() {
    let own = desk(Wire::Anthropic);
    configure(&own, "[git]\nbranch = 'run'\n");
    let (run, card) = shown(&own);
    let branch = format!("assist/{}", &run[..8]);
    assert_eq!(card["commit"]["branch"], branch);
    own.run(&["answer", &run, "start and commit"]).exits(0);
    assert_eq!(git(&own, &["branch", "--show-current"]), branch);
    assert_eq!(git(&own, &["rev-list", "--count", "main"]), "1");
    assert_eq!(committed(&own), [NEW, OLD]);

    let refusing = desk(Wire::Anthropic);
    hook(&refusing, "#!/bin/sh\necho no secrets here; exit 1\n");
    let (run, _) = shown(&refusing);
    let ran = refusing.run(&["confirm", &run, "--commit", "--json"]).exits(0);
    assert!(
        summary(&ran).contains("Nothing was committed") && summary(&ran).contains("no secrets here"),
        "{}",
        summary(&ran)
    );
    assert_eq!(git(&refusing, &["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(git(&refusing, &["diff", "--cached", "--name-only"]), "", "nothing is left staged");
    assert!(refusing.folder.has(NEW));
}

#[test]
fn what_the_checks_do_not_pass_is_not_committed() {
    let desk = desk(Wire::Anthropic);
    configure(&desk, "[checks]\nrun = ['! grep -q fresh src/new.ts']\n");
    let (run, _) = shown(&desk);
    let ran = desk.run(&["confirm", &run, "--commit", "--json"]).exits(1);
    assert!(summary(&ran).contains("Nothing was committed: not everything is done"), "{}", summary(&ran));
    assert_eq!(git(&desk, &["rev-list", "--count", "HEAD"]), "1");
}

#[tokio::test]
async fn in_the_editor_the_commit_is_a_button_of_the_card() {
    let desk = desk(Wire::OpenAi);
    let session = desk.plain_sailing().await;
    session.when_asked("Shall I start?", Choice::Press("Start and commit".to_owned()));
    let run = session.ask(json!({"intent": "ask", "prompt": "Build it"})).await;
    session.expect_question("Shall I start?").await;
    session.expect_run(&run).await;
    assert_eq!(session.leave().await, 0);
    assert_eq!(committed(&desk), [NEW, OLD]);
}
