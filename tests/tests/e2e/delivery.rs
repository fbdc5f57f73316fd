//! What a plan changed is pushed and deployed where the user ticked that on its card: real Git, a small Gitea, and a Coolify of
//! fixed answers. What fails leaves the run done; a run that was killed in between repeats nothing.

use std::path::{Path, PathBuf};
use std::time::Instant;

use assist_simulator::{Gitea, Route, Script, Simulator};
use assist_tests::client::Choice;
use serde_json::{Value, json};

use crate::commits::{self, NEW, OLD, git, shown, summary};
use crate::support::{Desk, NOBODY, PATIENCE, Running, Wire};

/// The tokens. They must never be seen outside the requests to their services.
const GITEA_TOKEN: &str = "gt-77aa0c1d2e";
const COOLIFY_TOKEN: &str = "7|cool-4d3c2b1a";
const APPLICATION: &str = "xk4s0ws8kgo0";
const ALL: [&str; 3] = ["--commit", "--push", "--deploy"];

/// A workspace in a repository with one commit, a forge, and a deployment service.
struct Shop {
    desk: Desk,
    forge: Simulator,
    service: Simulator,
}

/// How the deployment ends, what stood in the history before it and stands there afterwards.
fn routes(end: &str) -> Vec<Route> {
    let at = format!("/api/v1/deployments/applications/{APPLICATION}");
    vec![
        application("main"),
        Route::json("GET", &at, &json!({ "deployments": [deployment("d1", "finished")] })).times(1),
        Route::json(
            "GET",
            &at,
            &json!({ "deployments": [deployment("d2", end), deployment("d1", "finished")] }),
        ),
        queued(),
        Route::json("GET", "/api/v1/deployments/d2", &deployment("d2", "in_progress")).times(1),
        Route::json("GET", "/api/v1/deployments/d2", &deployment("d2", end)),
    ]
}

fn application(branch: &str) -> Route {
    let application = json!({
        "uuid": APPLICATION, "name": "shop", "fqdn": "https://shop.example,https://www.shop.example",
        "git_branch": branch, "git_repository": "ada/shop", "status": "running:healthy",
    });
    Route::json("GET", &format!("/api/v1/applications/{APPLICATION}"), &application)
}

fn queued() -> Route {
    let queued =
        json!({ "deployments": [{ "message": "", "resource_uuid": APPLICATION, "deployment_uuid": "d2" }] });
    Route::json("POST", "/api/v1/deploy", &queued).holds(&format!("uuid={APPLICATION}"))
}

fn deployment(id: &str, status: &str) -> Value {
    json!({ "deployment_uuid": id, "status": status, "commit": "HEAD", "created_at": "2026-11-20T10:00:00.000000Z" })
}

impl Shop {
    fn new(wire: Wire, routes: Vec<Route>) -> Self {
        let mut desk = commits::desk(wire);
        desk.folder.write(
            "assist.toml",
            format!("[forge]\nrepository = \"ada/shop\"\n[deploy]\napplication = \"{APPLICATION}\"\n"),
        );
        git(&desk, &["add", "assist.toml"]);
        git(&desk, &["commit", "-q", "-m", "second"]);
        let gitea = Gitea {
            root: desk.folder.beside("forge"),
            login: "ada".to_owned(),
            token: GITEA_TOKEN.to_owned(),
        };
        let forge = Simulator::start(Script { gitea: Some(gitea), ..Script::default() });
        let key = format!("Bearer {COOLIFY_TOKEN}");
        let routes = routes.into_iter().map(|route| route.key("authorization", &key)).collect();
        let service = Simulator::start(Script { routes, ..Script::default() });
        desk.set("GITEA_URL", forge.url.clone());
        desk.set("GITEA_TOKEN", GITEA_TOKEN);
        desk.set("COOLIFY_URL", service.url.clone());
        desk.set("COOLIFY_TOKEN", COOLIFY_TOKEN);
        Self { desk, forge, service }
    }

    fn bare(&self) -> PathBuf {
        self.desk.folder.beside("forge").join("ada/shop.git")
    }

    /// The forge's repository, with what is committed here now.
    fn pushed_before(&self) {
        let bare = self.bare();
        std::fs::create_dir_all(&bare).expect("a folder can be made");
        let at = bare.display().to_string();
        git(&self.desk, &["init", "-q", "--bare", "--initial-branch=main", &at]);
        git(&self.desk, &["--git-dir", &at, "config", "http.receivepack", "true"]);
        git(&self.desk, &["push", "-q", &at, "main"]);
    }

    /// The commit at the head of the forge's branch.
    fn there(&self) -> String {
        git(&self.desk, &["--git-dir", &self.bare().display().to_string(), "rev-parse", "refs/heads/main"])
    }

    fn here(&self) -> String {
        git(&self.desk, &["rev-parse", "HEAD"])
    }

    /// How often a branch was sent to the forge.
    fn pushes(&self) -> usize {
        let sent = |path: &str| path.ends_with("/git-receive-pack");
        self.forge.all_requests().iter().filter(|request| sent(&request.path)).count()
    }

    /// How often a deployment was asked for.
    fn deployments(&self) -> usize {
        self.service.all_requests().iter().filter(|request| request.method == "POST").count()
    }

    fn confirm(&self, run: &str, more: &[&str], code: i32) -> crate::support::Ran {
        let arguments: Vec<&str> =
            ["confirm", run, "--json"].into_iter().chain(more.iter().copied()).collect();
        self.desk.run(&arguments).exits(code)
    }

    /// No token is in what was printed or written.
    #[track_caller]
    fn kept_secret(&self, printed: &[&str]) {
        for token in [GITEA_TOKEN, COOLIFY_TOKEN] {
            assert!(printed.iter().all(|output| !output.contains(token)), "{printed:?}");
            for (path, bytes) in self.desk.all_files() {
                assert!(!bytes.windows(token.len()).any(|w| w == token.as_bytes()), "{}", path.display());
            }
        }
    }
}

/// Runs when Git comes to that point: it leaves a mark, and waits until it may go on.
fn waiting_hook(hooks: &Path, name: &str, marks: &Path) {
    std::fs::create_dir_all(hooks).expect("a folder can be made");
    std::fs::create_dir_all(marks).expect("a folder can be made");
    let marks = marks.display();
    let script =
        format!("#!/bin/sh\necho here >> {marks}/came\nwhile [ ! -e {marks}/go ]; do sleep 0.02; done\n");
    let hook = hooks.join(name);
    std::fs::write(&hook, script).expect("a hook can be written");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it runs");
}

/// Waits for the hook's mark, kills the program there, and lets the hook go on.
fn killed_at(running: Running, marks: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !marks.join("came").exists() {
        assert!(Instant::now() < deadline, "the hook does not run");
        std::thread::yield_now();
    }
    running.kill();
    std::fs::write(marks.join("go"), "").expect("it can be written");
}

#[test]
fn what_is_ticked_is_committed_pushed_and_deployed_with_the_links() {
    for wire in Wire::BOTH {
        let shop = Shop::new(wire, routes("finished"));
        let (run, card) = shown(&shop.desk);
        assert_eq!(card["commit"]["branch"], "main");
        assert_eq!(card["push"]["repository"], "ada/shop");
        assert_eq!(
            (&card["deploy"]["application"], &card["deploy"]["name"], &card["deploy"]["needsPush"]),
            (&json!(APPLICATION), &json!("shop"), &json!(true))
        );
        let detail = card["detail"].as_str().expect("a card");
        for line in [
            "- [ ] Commit what is changed, and nothing else, on `main` (“Start and commit”, or `--commit`)",
            "- [ ] Push `main` to `ada/shop` on 127.0.0.1:",
            ", a private repository that is made for it (`--push`, too)",
            "- [ ] Deploy `shop` at https://shop.example (`--deploy`, too)",
        ] {
            assert!(detail.contains(line), "no {line:?} in {detail}");
        }
        assert!(!shop.bare().exists() && shop.deployments() == 0, "a card changes nothing");

        let ran = shop.confirm(&run, &ALL, 0);
        assert_eq!(shop.there(), shop.here());
        assert_eq!((shop.pushes(), shop.deployments()), (1, 1));
        let said = summary(&ran);
        for part in [
            "Committed 2 files on main",
            "Pushed main to ada/shop: https://git.example/ada/shop.",
            "Deployed shop: https://shop.example.",
        ] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
        let delivery = ran.of("delivery");
        let steps: Vec<_> = delivery
            .iter()
            .map(|data| format!("{} {}", data["what"], data["state"]).replace('"', ""))
            .collect();
        assert_eq!(
            steps,
            ["commit done", "push started", "push done", "deploy started", "deploy running", "deploy done"]
        );
        assert_eq!(delivery[0]["commit"], shop.here());
        assert_eq!(delivery[2]["link"], "https://git.example/ada/shop");
        assert_eq!(delivery[5]["link"], "https://shop.example");
        // It is kept: in the log, in the list, in the export.
        let log = shop.desk.run(&["logs", &run]).exits(0).stdout;
        assert!(log.contains("Deployed shop: https://shop.example."), "{log}");
        assert_eq!(shop.desk.sessions()[0]["summary"], said);
        let export = shop.desk.run(&["export", &run]).exits(0).stdout;
        assert!(export.contains("Pushed main to ada/shop"), "{export}");

        let undone = shop.desk.run(&["undo", &run]).exits(0).stdout;
        let short = &shop.here()[..10];
        let stays =
            format!("What was committed stays, and what was pushed to ada/shop; `git revert {short}`");
        assert!(undone.contains(&stays) && undone.contains("shop stays deployed"), "{undone}");
        assert!(!shop.desk.folder.has(NEW));
        assert_eq!(shop.there(), shop.here());
        shop.kept_secret(&[&ran.stdout, &ran.stderr, &log, &export]);
        assert_eq!(shop.forge.problems(), [] as [String; 0]);
    }
}

#[test]
fn nothing_goes_out_that_is_not_ticked() {
    let shop = Shop::new(Wire::Anthropic, routes("finished"));
    let (run, _) = shown(&shop.desk);
    shop.desk.run(&["confirm", &run, "--push"]).exits(2);
    let ran = shop.confirm(&run, &["--commit", "--deploy"], 0);
    assert!(summary(&ran).contains("Nothing was deployed: it needs the push, which was not ticked."));
    assert!(!shop.bare().exists());
    assert_eq!(shop.deployments(), 0);
    assert_eq!(git(&shop.desk, &["rev-list", "--count", "HEAD"]), "3");
}

#[test]
fn what_would_not_deploy_this_work_is_not_offered() {
    let other = Shop::new(Wire::OpenAi, vec![application("release")]);
    other.pushed_before();
    git(&other.desk, &["commit", "-q", "--allow-empty", "-m", "third"]);
    let (_, card) = shown(&other.desk);
    assert!(card.get("deploy").is_none(), "{card}");
    let detail = card["detail"].as_str().expect("a card");
    assert!(detail.contains("`shop` is built from `release`, which this work is not on"), "{detail}");
    assert!(detail.contains("with 1 earlier commit that is not there yet"), "{detail}");

    // A forge that cannot be asked is said to be.
    let mut away = Shop::new(Wire::OpenAi, routes("finished"));
    away.desk.set("GITEA_URL", NOBODY);
    let (run, card) = shown(&away.desk);
    assert!(card.get("push").is_none() && card.get("deploy").is_none(), "{card}");
    let detail = card["detail"].as_str().expect("a card");
    assert!(detail.contains("It cannot be pushed from here: gitea cannot be reached"), "{detail}");
    let ran = away.confirm(&run, &ALL, 0);
    let said: Vec<Value> = ran.of("status").into_iter().map(|data| data["message"].clone()).collect();
    assert!(said.contains(&json!("It will not be pushed: the plan did not offer that.")), "{said:?}");
    assert_eq!(away.deployments(), 0);
}

#[test]
fn a_push_or_a_deployment_that_fails_leaves_the_run_done_with_what_to_do() {
    let behind = Shop::new(Wire::Anthropic, routes("finished"));
    behind.pushed_before();
    let (run, _) = shown(&behind.desk);
    // Somebody else pushes meanwhile.
    let theirs = behind.desk.folder.beside("theirs");
    std::fs::create_dir_all(&theirs).expect("a folder can be made");
    let (at, bare) = (theirs.display().to_string(), behind.bare().display().to_string());
    git(&behind.desk, &["clone", "-q", &bare, &at]);
    let author = ["-c", "user.name=B", "-c", "user.email=b@b"];
    git(
        &behind.desk,
        &[&["-C", &at][..], &author, &["commit", "-q", "--allow-empty", "-m", "theirs"]].concat(),
    );
    git(&behind.desk, &["-C", &at, "push", "-q", "origin", "main"]);
    let head = behind.there();
    let ran = behind.confirm(&run, &ALL, 0);
    for part in [
        "Committed 2 files",
        "The push did not succeed:",
        "pull them first",
        "`assist push --repository ada/shop` does it by hand.",
        "Nothing was deployed: it was not pushed.",
    ] {
        assert!(summary(&ran).contains(part), "no {part:?} in {}", summary(&ran));
    }
    assert_eq!((behind.there(), behind.deployments()), (head, 0));
    assert_eq!(behind.desk.sessions()[0]["status"], "done");

    let failing = Shop::new(Wire::Anthropic, routes("failed"));
    let (run, _) = shown(&failing.desk);
    let ran = failing.confirm(&run, &ALL, 0);
    let by_hand = format!("`assist deploy --application {APPLICATION}` does it by hand.");
    for part in ["Pushed main", "Deploying shop failed (deployment d2)", &by_hand] {
        assert!(summary(&ran).contains(part), "no {part:?} in {}", summary(&ran));
    }
    assert_eq!(ran.of("delivery").last().expect("an event")["state"], "failed");
    assert_eq!(failing.there(), failing.here());
}

#[test]
fn what_the_checks_do_not_pass_goes_nowhere() {
    let shop = Shop::new(Wire::OpenAi, routes("finished"));
    std::fs::create_dir_all(shop.desk.config()).expect("a folder can be made");
    let checks = "[checks]\nrun = ['! grep -q fresh src/new.ts']\n";
    std::fs::write(shop.desk.config().join("config.toml"), checks).expect("it can be written");
    let (run, _) = shown(&shop.desk);
    let ran = shop.confirm(&run, &ALL, 1);
    assert!(summary(&ran).contains("Nothing was pushed: nothing was committed."), "{}", summary(&ran));
    assert!(!shop.bare().exists());
    assert_eq!(shop.deployments(), 0);
}

/// Goes on with a run that was killed, and looks that everything happened once.
fn goes_on(shop: &Shop, run: &str, case: &str) {
    let ran = shop.desk.run(&["resume", run, "--json"]);
    assert!(ran.status.success(), "{case}: {ran:?}");
    let said = summary(&ran);
    for part in ["Committed 2 files on main", "Pushed main to ada/shop", "Deployed shop"] {
        assert!(said.contains(part), "{case}: no {part:?} in {said}");
    }
    assert_eq!(git(&shop.desk, &["rev-list", "--count", "HEAD"]), "3", "{case}");
    assert_eq!(shop.there(), shop.here(), "{case}");
    assert_eq!((shop.pushes(), shop.deployments()), (1, 1), "{case}");
}

#[test]
fn a_run_killed_between_commit_push_and_deployment_repeats_none_of_them() {
    // The commit is made, and nobody has kept that.
    let shop = Shop::new(Wire::Anthropic, routes("finished"));
    shop.pushed_before();
    let marks = shop.desk.folder.beside("marks");
    waiting_hook(&shop.desk.folder.path(".git/hooks"), "post-commit", &marks);
    let (run, _) = shown(&shop.desk);
    let arguments = [&["confirm", &run][..], &ALL].concat();
    killed_at(shop.desk.start(&arguments), &marks);
    goes_on(&shop, &run, "killed in the commit");

    // The forge has it, and has not said so.
    let shop = Shop::new(Wire::OpenAi, routes("finished"));
    shop.pushed_before();
    let marks = shop.desk.folder.beside("marks");
    waiting_hook(&shop.bare().join("hooks"), "post-receive", &marks);
    let (run, _) = shown(&shop.desk);
    let arguments = [&["confirm", &run][..], &ALL].concat();
    killed_at(shop.desk.start(&arguments), &marks);
    goes_on(&shop, &run, "killed in the push");

    // The deployment is asked for, and the answer has not come.
    let mut held = routes("finished");
    held[3] = queued().held();
    let shop = Shop::new(Wire::Anthropic, held);
    let (run, _) = shown(&shop.desk);
    let arguments = [&["confirm", &run][..], &ALL].concat();
    let running = shop.desk.start(&arguments);
    shop.service.blocking_stalled(1);
    running.kill();
    goes_on(&shop, &run, "killed in the deployment");
}

#[tokio::test]
async fn in_an_editor_each_of_them_is_a_button_or_a_box() {
    let plain = Shop::new(Wire::OpenAi, routes("finished"));
    let session = plain.desk.plain_sailing().await;
    session.when_asked("Shall I start?", Choice::Press("Start, commit and push".to_owned()));
    let run = session.ask(json!({"intent": "ask", "prompt": "Build it"})).await;
    session.expect_question("Shall I start?").await;
    session.expect_run(&run).await;
    assert_eq!(session.leave().await, 0);
    assert_eq!((plain.there(), plain.deployments()), (plain.here(), 0));

    let rich = Shop::new(Wire::Anthropic, routes("finished"));
    let session = rich.desk.plain_sailing().await;
    session.when_asked("Shall I start?", Choice::Dismiss);
    let run = session.ask(json!({"intent": "ask", "prompt": "Build it"})).await;
    session.expect_question("Shall I start?").await;
    let ticked = json!({"runId": run, "commit": true, "push": true, "deploy": true});
    assert_eq!(session.command("assist.confirm", ticked).await, Ok(json!({"ok": true})));
    let events = session.expect_run(&run).await;
    assert!(events.iter().any(|event| event["type"] == "delivery" && event["data"]["what"] == "deploy"));
    assert_eq!(session.leave().await, 0);
    assert_eq!((rich.there(), rich.deployments()), (rich.here(), 1));
    assert_eq!(git(&rich.desk, &["show", "--name-only", "--format=", "HEAD"]), format!("{NEW}\n{OLD}"));
}
