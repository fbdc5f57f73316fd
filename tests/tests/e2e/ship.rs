//! Getting work out: `assist push` to a forge and `assist deploy`, with real Git against a small Gitea and a Coolify of fixed
//! answers.

use std::process::Command;

use assist_simulator::{Gitea, Route, Script, Simulator};
use serde_json::{Value, json};

use crate::support::{Desk, NOBODY};

/// The tokens. They must never be seen outside the requests to their services.
const GITEA_TOKEN: &str = "gt-0c9f4d2a7b";
const COOLIFY_TOKEN: &str = "3|cool-5e8a1b9c";
const APPLICATION: &str = "xk4s0ws8kgo0";

#[track_caller]
fn git(folder: &std::path::Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
    let mut git = Command::new("git");
    git.args(identity).args(arguments).current_dir(folder);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = git.output().expect("git can be run");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("git says UTF-8").trim().to_owned()
}

/// A workspace with one commit, and a forge.
fn desk() -> (Desk, Simulator) {
    let mut desk = Desk::without_model(&[("a.txt", "1\n")], Script::default());
    let root = desk.folder.root().to_owned();
    git(&root, &["init", "-q", "-b", "main"]);
    git(&root, &["add", "a.txt"]);
    git(&root, &["commit", "-q", "-m", "First"]);
    let gitea =
        Gitea { root: desk.folder.beside("forge"), login: "ada".to_owned(), token: GITEA_TOKEN.to_owned() };
    let forge = Simulator::start(Script { gitea: Some(gitea), ..Script::default() });
    desk.set("GITEA_URL", forge.url.clone());
    desk.set("GITEA_TOKEN", GITEA_TOKEN);
    (desk, forge)
}

/// No token is in what was printed or written.
#[track_caller]
fn kept_secret(desk: &Desk, outputs: &[&str]) {
    for token in [GITEA_TOKEN, COOLIFY_TOKEN] {
        assert!(outputs.iter().all(|output| !output.contains(token)), "{outputs:?}");
        for (path, bytes) in desk.all_files() {
            assert!(!bytes.windows(token.len()).any(|w| w == token.as_bytes()), "{}", path.display());
        }
    }
}

#[test]
fn a_branch_is_pushed_to_a_repository_that_is_made_for_it() {
    let (desk, forge) = desk();
    let root = desk.folder.root().to_owned();
    let bare = desk.folder.beside("forge").join("ada/shop.git");
    let asked = desk.run(&["push", "--repository", "ada/shop"]).exits(1);
    let question = "Create the private repository and push 1 commit to main of ada/shop";
    assert!(asked.stderr.contains(question) && asked.stderr.contains("add --yes"), "{}", asked.stderr);
    assert!(!bare.exists(), "it was made without a yes");

    let pushed = desk.run(&["push", "--repository", "ada/shop", "--yes"]).exits(0);
    let head = git(&root, &["rev-parse", "HEAD"]);
    assert!(pushed.stdout.contains(&head[..10]), "{}", pushed.stdout);
    assert_eq!(git(&bare, &["rev-parse", "refs/heads/main"]), head);
    kept_secret(&desk, &[&pushed.stdout, &pushed.stderr]);
    // The token went to the address that was set, whatever the forge says of itself.
    assert!(forge.all_requests().iter().any(|request| request.path.starts_with("/ada/shop.git/")));

    let nothing = desk.run(&["push", "--repository", "ada/shop"]).exits(0);
    assert!(nothing.stdout.contains("nothing to push"), "{}", nothing.stdout);

    // What the user has not committed stays; a repository's own file may name it.
    desk.folder.write("a.txt", "2\n");
    git(&root, &["commit", "-qam", "Second"]);
    desk.folder.write("a.txt", "3\n");
    desk.folder.write("assist.toml", "[forge]\nrepository = \"ada/shop\"\n");
    let asked = desk.run(&["push"]).exits(1);
    assert!(asked.stderr.contains("Push 1 commit to main of ada/shop"), "{}", asked.stderr);
    assert!(asked.stderr.contains("2 changed files are not committed"), "{}", asked.stderr);
    desk.run(&["push", "--yes"]).exits(0);
    assert_eq!(git(&bare, &["rev-list", "--count", "refs/heads/main"]), "2");
    assert_eq!(forge.problems(), [] as [String; 0]);
}

#[test]
fn what_the_forge_has_and_this_one_has_not_is_never_overwritten() {
    let (desk, _forge) = desk();
    let root = desk.folder.root().to_owned();
    let bare = desk.folder.beside("forge").join("ada/shop.git");
    desk.run(&["push", "--repository", "ada/shop", "--yes"]).exits(0);
    // Someone else pushes, and this one goes another way.
    let other = desk.folder.beside("other");
    git(&other, &["clone", "-q", &bare.display().to_string(), "."]);
    git(&other, &["commit", "-q", "--allow-empty", "-m", "Theirs"]);
    git(&other, &["push", "-q", "origin", "main"]);
    let theirs = git(&bare, &["rev-parse", "refs/heads/main"]);
    git(&root, &["commit", "-q", "--allow-empty", "-m", "Mine"]);
    let refused = desk.run(&["push", "--repository", "ada/shop", "--yes"]).exits(1);
    refused.says(&["commits that are not here", "pull them first"]);
    assert_eq!(git(&bare, &["rev-parse", "refs/heads/main"]), theirs);
}

#[test]
fn a_hook_of_the_users_can_stop_a_push() {
    use std::os::unix::fs::PermissionsExt as _;
    let (desk, _forge) = desk();
    desk.folder.write(".git/hooks/pre-push", "#!/bin/sh\necho not on Fridays >&2\nexit 1\n");
    let hook = desk.folder.path(".git/hooks/pre-push");
    std::fs::set_permissions(hook, std::fs::Permissions::from_mode(0o755)).expect("it is there");
    let refused = desk.run(&["push", "--yes"]).exits(1);
    assert!(refused.stderr.contains("not on Fridays"), "{}", refused.stderr);
    kept_secret(&desk, &[&refused.stdout, &refused.stderr]);
}

#[test]
fn what_keeps_a_push_from_being_made_is_one_sentence_with_the_fix() {
    let (mut desk, _forge) = desk();
    for hostile in ["shop", "ada/../x", "ada/sh op", "-x/y", "a/b/c"] {
        let named = format!("--repository={hostile}");
        desk.run(&["push", &named, "--yes"]).exits(2).says(&["OWNER/NAME"]);
    }
    desk.set("GITEA_TOKEN", "wrong");
    desk.run(&["push", "--yes"]).exits(2).says(&["refused the key", "assist auth set gitea"]);
    desk.set("GITEA_TOKEN", GITEA_TOKEN);
    desk.set("GITEA_URL", NOBODY);
    desk.run(&["push", "--yes"]).exits(1).says(&["gitea cannot be reached", "nothing listens there"]);
    desk.unset("GITEA_URL");
    desk.run(&["push", "--yes"]).exits(2).says(&["gitea is not set up", "GITEA_URL"]);
    desk.unset("GITEA_TOKEN");
    desk.run(&["push", "--yes"]).exits(2).says(&["gitea is not set up", "assist auth set gitea"]);
    // A repository cannot say where.
    desk.folder.write("assist.toml", "[forge]\nurl = \"http://evil.example\"\ntoken = \"x\"\n");
    desk.run(&["push", "--yes"]).exits(2).says(&["gitea is not set up"]);
}

fn deployment(id: &str, status: &str) -> Value {
    json!({
        "id": 12, "application_id": "3", "deployment_uuid": id, "pull_request_id": 0, "force_rebuild": false,
        "commit": "0123456789abcdef0123", "status": status, "is_webhook": false, "is_api": true,
        "created_at": "2026-11-20T10:00:00.000000Z", "updated_at": "2026-11-20T10:02:00.000000Z",
        "application_name": "shop", "server_name": "localhost", "commit_message": "Sell shoes\n\nMore",
    })
}

/// A Coolify as its documentation has it.
fn coolify() -> Simulator {
    let key = format!("Bearer {COOLIFY_TOKEN}");
    let application = json!({
        "uuid": APPLICATION, "name": "shop", "fqdn": "https://shop.example,https://www.shop.example",
        "git_branch": "main", "git_repository": "ada/shop", "status": "running:healthy",
    });
    let queued = json!({ "deployments": [{
        "message": "Application shop deployment queued.", "resource_uuid": APPLICATION, "deployment_uuid": "d0new" }] });
    let history =
        json!({ "count": 2, "deployments": [deployment("d2", "failed"), deployment("d1", "finished")] });
    let routes = vec![
        Route::json("GET", &format!("/api/v1/applications/{APPLICATION}"), &application),
        Route::json("GET", "/api/v1/applications/gone", &json!({ "message": "Application not found." }))
            .status(404),
        Route::json("POST", "/api/v1/deploy", &queued).holds(&format!("uuid={APPLICATION}&force=true")),
        Route::json("GET", "/api/v1/deployments/d0new", &deployment("d0new", "in_progress")),
        Route::json("GET", &format!("/api/v1/deployments/applications/{APPLICATION}"), &history),
    ];
    let routes = routes.into_iter().map(|route| route.key("authorization", &key)).collect();
    Simulator::start(Script { routes, ..Script::default() })
}

#[test]
fn an_application_is_deployed_after_a_yes_and_its_deployments_are_told() {
    let service = coolify();
    let mut desk = Desk::without_model(&[], Script::default());
    desk.folder.write("assist.toml", format!("[deploy]\napplication = \"{APPLICATION}\"\n"));
    desk.set("COOLIFY_URL", service.url.clone());
    let doctor = |desk: &Desk| desk.run(&["doctor"]).stdout;
    assert!(doctor(&desk).contains("Coolify has no token: run `assist auth set coolify`"));
    desk.run_with(&["auth", "set", "coolify"], format!("{COOLIFY_TOKEN}\n").as_bytes()).exits(0);
    assert!(doctor(&desk).contains(&format!("credentials.toml), {APPLICATION}")));
    let asked = desk.run(&["deploy", "--force"]).exits(1);
    let question = "Deploy shop from main at https://shop.example (now running:healthy)?";
    assert!(asked.stderr.contains(question) && asked.stderr.contains("add --yes"), "{}", asked.stderr);
    let posts = |service: &Simulator| service.all_requests().iter().filter(|r| r.method == "POST").count();
    assert_eq!(posts(&service), 0, "it was deployed without a yes");
    let done = desk.run(&["deploy", "--force", "--yes"]).exits(0);
    assert!(done.stdout.contains("Deployment d0new is queued"), "{}", done.stdout);
    assert_eq!(posts(&service), 1);

    let status = desk.run(&["deploy", "status", "d0new"]).exits(0);
    assert!(
        status.stdout.contains("d0new running") && status.stdout.contains("Sell shoes"),
        "{}",
        status.stdout
    );
    let newest = desk.run(&["deploy", "status", "--json"]).exits(1);
    let newest: Value = serde_json::from_str(&newest.stdout).expect("one document");
    assert_eq!(
        (&newest["id"], &newest["state"], &newest["over"]),
        (&json!("d2"), &json!("failed"), &json!(true))
    );
    let history = desk.run(&["deploy", "history", "--json"]).exits(0);
    let history: Value = serde_json::from_str(&history.stdout).expect("one document");
    assert_eq!(history["deployments"][1]["commit"], "0123456789abcdef0123");
    kept_secret(&desk, &[&done.stdout, &status.stdout, &status.stderr]);
}

#[test]
fn a_deployment_is_waited_for_and_its_end_is_the_exit_code() {
    for (last, code) in [("finished", 0), ("failed", 1), ("cancelled-by-user", 1)] {
        let application =
            json!({ "uuid": APPLICATION, "name": "shop", "git_branch": "main", "status": "running" });
        let queued = json!({ "deployments": [{ "message": "", "resource_uuid": APPLICATION, "deployment_uuid": "d0" }] });
        let at = "/api/v1/deployments/d0";
        let routes = vec![
            Route::json("GET", &format!("/api/v1/applications/{APPLICATION}"), &application),
            Route::json("POST", "/api/v1/deploy", &queued),
            Route::json("GET", at, &deployment("d0", "queued")).times(1),
            Route::json("GET", at, &deployment("d0", "in_progress")).times(1),
            Route::json("GET", at, &deployment("d0", last)),
        ];
        let service = Simulator::start(Script { routes, ..Script::default() });
        let mut desk = Desk::without_model(&[], Script::default());
        desk.set("COOLIFY_TOKEN", COOLIFY_TOKEN);
        desk.set("COOLIFY_URL", service.url.clone());
        let ran = desk.run(&["deploy", "--application", APPLICATION, "--yes", "--wait"]).exits(code);
        let states: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        let end = if last.starts_with("cancelled") { "cancelled" } else { last };
        assert_eq!(states, ["queued", "running", end], "{}", ran.stdout);
    }
}

#[test]
fn what_keeps_a_deployment_from_being_made_is_one_sentence_with_the_fix() {
    let service = coolify();
    let mut desk = Desk::without_model(&[], Script::default());
    desk.run(&["deploy", "--yes"]).exits(2).says(&["coolify is not set up", "assist auth set coolify"]);
    desk.set("COOLIFY_TOKEN", COOLIFY_TOKEN);
    desk.run(&["deploy", "--yes"]).exits(2).says(&["coolify is not set up", "COOLIFY_URL"]);
    desk.set("COOLIFY_URL", service.url.clone());
    desk.run(&["deploy", "--yes"]).exits(2).says(&["which application", "--application"]);
    desk.run(&["deploy", "--application", "gone", "--yes"]).exits(2).says(&["no application `gone`"]);
    desk.run(&["deploy", "--application", "../teams", "--yes"]).exits(2).says(&["is no id"]);
    desk.set("COOLIFY_TOKEN", "wrong");
    desk.run(&["deploy", "--application", APPLICATION, "--yes"]).exits(2).says(&["refused the key"]);
    desk.set("COOLIFY_URL", NOBODY);
    for _ in 0..5 {
        desk.run(&["deploy", "history", "--application", APPLICATION]).exits(1).says(&["cannot be reached"]);
    }
    desk.run(&["deploy", "history", "--application", APPLICATION]).exits(1).says(&["left alone"]);
}
