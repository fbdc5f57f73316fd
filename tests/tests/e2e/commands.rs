//! Commands: asked about or allowed, run behind walls, seen while they run, and ended with their run.

use std::time::Instant;

use assist_simulator::{Match, Reply, Rule, Script, answer};
use assist_tests::client::Choice;
use serde_json::{Value, json};

use crate::support::{Desk, PATIENCE, Ran, Wire};

const FILES: [(&str, &str); 2] = [("src/a.ts", "export const a = 1;\n"), (".git/config", "[core]\n")];

/// Assist wants to run this, and then says what it saw.
fn wants(line: &str) -> Script {
    wants_with(json!({ "command": line }))
}

fn wants_with(arguments: Value) -> Script {
    let quiet = Match { system: Some("worth remembering".into()), ..Match::default() };
    let seen = Match { last_user: Some("Now it".into()), ..Match::default() };
    let refused = Match { last_user: Some("Refused:".into()), ..Match::default() };
    Script::new([
        Rule::when(quiet, Reply::text("{\"memories\": []}")),
        Rule::when(seen, Reply::text("I saw what it printed.")),
        Rule::when(refused, Reply::text("It was not run.")),
        Rule::asked("Look", Reply::text("").tool("execute_command", &arguments.to_string())),
    ])
}

/// A desk whose user allows these commands.
fn allowing(patterns: &str, script: Script) -> Desk {
    let desk = Desk::new(Wire::Anthropic, &FILES, script);
    configure(&desk, &format!("[commands]\nallow = [{patterns}]\n"));
    desk
}

fn configure(desk: &Desk, text: &str) {
    std::fs::create_dir_all(desk.config()).expect("a folder can be made");
    std::fs::write(desk.config().join("config.toml"), text).expect("the configuration can be written");
}

/// The states that a run's commands went through.
fn states(ran: &Ran) -> Vec<String> {
    let all = ran.of("command").into_iter();
    all.map(|data| data["state"].as_str().expect("a state").to_owned()).collect()
}

fn ended(ran: &Ran) -> Value {
    ran.of("command").into_iter().rfind(|data| data["state"] == "ended").expect("it ended")
}

/// What was told to the model last.
fn told(desk: &Desk, part: &str) -> String {
    let requests = desk.sim.requests();
    let told = requests.iter().rev().map(|request| request.last_user()).find(|words| words.contains(part));
    told.unwrap_or_else(|| panic!("nothing with {part:?} was told")).to_owned()
}

#[test]
fn a_command_is_asked_about_and_may_be_allowed_for_good() {
    let desk = Desk::new(Wire::Anthropic, &FILES, wants("echo made > made.txt && cat made.txt"));
    let ran = desk.run(&["ask", "Look", "--json"]).exits(1);
    let run = ran.run();
    let asked = &ran.of("approval_requested")[0];
    assert_eq!(asked["question"], "Run `echo made > made.txt && cat made.txt`?");
    assert_eq!(asked["command"]["network"], false);
    // What sends output to a file cannot be said for good.
    assert_eq!(asked["choices"], json!(["Run it", "Do not run it"]));
    assert!(!desk.folder.has("made.txt"), "it ran before the yes");
    let ran = desk.run(&["confirm", &run, "--json"]).exits(0);
    assert_eq!(states(&ran), ["started", "output", "ended"]);
    assert_eq!(desk.folder.read("made.txt"), "made\n");
    let heard = told(&desk, "Now it ended with code 0");
    assert!(heard.contains("<material") && heard.contains("It changed: made.txt"), "{heard}");
    desk.run(&["undo", &run]).exits(0);
    assert!(!desk.folder.has("made.txt"), "what a command made is taken back");

    let desk = Desk::new(Wire::Anthropic, &FILES, wants("ls src"));
    let run = desk.run(&["ask", "Look", "--json"]).exits(1).run();
    desk.run(&["answer", &run, "Always here"]).exits(0);
    let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
    assert!(ran.of("approval_requested").is_empty() && states(&ran).contains(&"ended".to_owned()));
    let kept =
        std::fs::read_to_string(desk.config().join("commands.toml")).expect("it is kept with the user");
    assert!(kept.contains("ls src"), "{kept}");
}

#[test]
fn a_no_is_told_to_the_model_and_nothing_is_run() {
    let desk = Desk::new(Wire::OpenAi, &FILES, wants("touch made.txt"));
    let run = desk.run(&["ask", "Look", "--json"]).exits(1).run();
    let ran = desk.run(&["decline", &run, "--json"]).exits(0);
    assert_eq!(states(&ran), ["refused"]);
    assert!(!desk.folder.has("made.txt"));
    assert!(told(&desk, "Refused:").contains("you did not want it"));
}

#[test]
fn a_repository_forbids_and_cannot_allow() {
    let desk = allowing("'ls *', 'cat *'", wants("ls src"));
    desk.folder.write("assist.toml", "[commands]\nallow = ['touch *']\ndeny = ['ls *']\n");
    let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
    assert_eq!(states(&ran), ["refused"]);
    let warned = ran.of("status").into_iter().any(|data| {
        data["message"].as_str().is_some_and(|why| why.contains("`touch *`") && why.contains("ignored"))
    });
    assert!(warned, "{}", ran.stdout);

    // A database that comes along can say nothing either: what was allowed for good is not in the workspace.
    let desk = allowing("", wants("touch made.txt"));
    desk.folder.write("assist.toml", "[commands]\nallow = ['*']\nnetwork = ['*']\n");
    desk.run(&["ask", "Look", "--json"]).exits(1);
    assert!(!desk.folder.has("made.txt"));
}

#[test]
fn what_is_allowed_stays_behind_walls() {
    let outside = "hold";
    let lines = [
        "echo x > ../hold/escaped",
        "echo x > .git/hooks-x",
        "echo x >> .git/config",
        "mkdir .git/hooks",
        "echo x > .assist/x",
        "ln -s ../hold out && echo x > out/escaped",
        "cat ../home/.ssh/id_rsa",
        "cat ../config/config.toml",
        "cat ~/.aws/credentials",
        "cat ~/.config/gh/hosts.yml",
        "ls ~/.config/assist",
        "cat ../config/notes",
        "cat /proc/$PPID/environ | grep -a sk-e2e",
        "cd .. && echo x > hold/escaped",
        "echo x > /proc/self/cwd/../hold/escaped",
        "ln ../home/.ssh/id_rsa stolen && cat stolen",
        "env | grep -i -e api_key -e sk-e2e",
    ];
    for line in lines {
        let desk = allowing("'sh *'", wants(&format!("sh -c '{line}'")));
        let hold = desk.folder.beside(outside);
        std::fs::create_dir_all(&hold).expect("a folder can be made");
        let ssh = desk.folder.beside("home/.ssh");
        std::fs::create_dir_all(&ssh).expect("a folder can be made");
        std::fs::write(ssh.join("id_rsa"), "PRIVATE").expect("a file can be written");
        for (folder, file) in
            [("home/.aws", "credentials"), ("home/.config/gh", "hosts.yml"), ("config", "notes")]
        {
            std::fs::write(desk.folder.beside(folder).join(file), "PRIVATE").expect("a file can be written");
        }
        let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
        let ended = ended(&ran);
        assert_ne!(ended["code"], 0, "{line}: {}", ran.stdout);
        assert!(std::fs::read_dir(&hold).expect("it is there").next().is_none(), "{line} escaped");
        assert_eq!(desk.folder.read(".git/config"), "[core]\n", "{line}");
        assert!(!desk.folder.has(".git/hooks") && !desk.folder.has(".git/hooks-x"), "{line}");
        assert!(!ran.stdout.contains("PRIVATE"), "{line}");
        let met = ran.of("command").iter().any(|data| {
            let text = data["text"].as_str().unwrap_or_default();
            ["Permission denied", "Operation not permitted", "Read-only file system"]
                .iter()
                .any(|met| text.contains(met))
        });
        let told = ended["message"].as_str().expect("a sentence").contains("is closed to it");
        assert_eq!(met, told, "{line}: {}", ran.stdout);
    }
}

#[test]
fn the_network_is_asked_for_by_itself() {
    let desk = allowing("'ls *'", wants_with(json!({ "command": "ls src", "network": true })));
    let ran = desk.run(&["ask", "Look", "--json"]).exits(1);
    let asked = &ran.of("approval_requested")[0];
    assert_eq!(asked["question"], "Run `ls src` with access to the network?");
    configure(&desk, "[commands]\nallow = ['ls *']\nnetwork = ['ls *']\n");
    let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
    assert!(ran.of("approval_requested").is_empty());
}

#[test]
fn who_would_ask_or_never_end_is_ended() {
    let desk = allowing("'sh *'", wants("sh -c 'read answer || echo nobody; tty'"));
    let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
    assert!(told(&desk, "Now it").contains("nobody") && ended(&ran)["code"] == 1, "{}", ran.stdout);

    let desk = Desk::new(Wire::Anthropic, &FILES, wants("sleep 600"));
    configure(&desk, "[commands]\nallow = ['sleep *']\ntimeout_seconds = 1\n");
    let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
    assert_eq!(ended(&ran)["message"], "it took longer than 1 seconds and was ended");
}

#[test]
fn who_fills_the_disk_is_ended_file_by_file_too() {
    let fill = "sh -c 'i=0; while :; do head -c 65536 /dev/zero > part$i; i=$((i+1)); done'";
    let desk = Desk::new(Wire::Anthropic, &FILES, wants(fill));
    configure(&desk, "[commands]\nallow = ['sh *']\ndisk_megabytes = 1\n");
    // What a repository says can only be stricter.
    desk.folder.write("assist.toml", "[commands]\ndisk_megabytes = 100000\n");
    let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
    let message = ended(&ran)["message"].as_str().expect("a sentence").to_owned();
    assert!(message.starts_with("it wrote more than 1 MB and was ended; `disk_megabytes`"), "{message}");
    assert!(told(&desk, "Now it").contains("it wrote more than 1 MB"), "the model is told");
}

/// Waits until the command has written its process id.
fn pid(desk: &Desk) -> rustix::process::Pid {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(desk.folder.path("pid")).unwrap_or_default();
        if let Some(pid) = text.strip_suffix('\n').and_then(|text| text.parse().ok()) {
            return rustix::process::Pid::from_raw(pid).expect("a process id");
        }
        assert!(Instant::now() < deadline, "the command does not run");
        std::thread::yield_now();
    }
}

/// Waits until there is no such process.
fn gone(pid: rustix::process::Pid) {
    let deadline = Instant::now() + PATIENCE;
    while rustix::process::test_kill_process(pid).is_ok() {
        assert!(Instant::now() < deadline, "it is still there");
        std::thread::yield_now();
    }
}

const STAYS: &str = "sh -c 'echo $$ > pid; echo under way; sleep 600'";

#[test]
fn stopping_the_run_ends_the_command_and_what_it_started() {
    let desk = allowing("'sh *'", wants(STAYS));
    let running = desk.start(&["ask", "Look", "--json"]);
    let pid = pid(&desk);
    running.signal(rustix::process::Signal::INT);
    let ran = running.end().exits(130);
    gone(pid);
    assert_eq!(ran.of("completed")[0]["state"], "stopped");
}

#[test]
fn a_command_dies_with_its_process_and_is_asked_about_before_it_runs_again() {
    let desk = Desk::new(Wire::Anthropic, &FILES, wants(STAYS));
    let run = desk.run(&["ask", "Look", "--json"]).exits(1).run();
    let running = desk.start(&["confirm", &run, "--json"]);
    let pid = pid(&desk);
    running.kill();
    gone(pid);
    let ran = desk.run(&["resume", &run, "--json"]).exits(1);
    let asked = ran.of("approval_requested").pop().expect("it is asked about again");
    let detail = asked["detail"].as_str().expect("a reason");
    assert!(detail.contains("begun before and cut off"), "{detail}");
    desk.run(&["decline", &run]).exits(0);
}

/// Waits until the minding process of a killed Assist has noted that its command is over.
fn noted(desk: &Desk) {
    let deadline = Instant::now() + PATIENCE;
    let over = || {
        let notes = std::fs::read_dir(desk.folder.path(".assist/commands")).into_iter().flatten().flatten();
        let mut marks =
            notes.map(|note| note.path()).filter(|path| path.extension().is_some_and(|it| it == "over"));
        marks.any(|mark| std::fs::read_to_string(mark).is_ok_and(|text| !text.is_empty()))
    };
    while !over() {
        assert!(Instant::now() < deadline, "the end of the command is not noted");
        std::thread::yield_now();
    }
}

#[test]
fn what_a_killed_command_did_is_known_and_taken_back_but_not_what_the_user_did_then() {
    let line = "sh -c 'echo changed > src/a.ts; rm src/b.ts; echo made > made.txt; echo $$ > pid; sleep 600'";
    for resumed in [false, true] {
        let files = [FILES[0], ("src/b.ts", "export const b = 1;\n"), ("src/c.ts", "export const c = 1;\n")];
        let desk = Desk::new(Wire::Anthropic, &files, wants(line));
        let run = desk.run(&["ask", "Look", "--json"]).exits(1).run();
        let running = desk.start(&["confirm", &run, "--json"]);
        let pid = pid(&desk);
        running.kill();
        gone(pid);
        noted(&desk);
        desk.folder.write("src/c.ts", "// mine\n");
        if resumed {
            let ran = desk.run(&["resume", &run, "--json"]).exits(1);
            let told =
                ran.stdout.contains("src/b.ts") || desk.run(&["logs", &run]).stdout.contains("src/b.ts");
            assert!(told, "what it changed is told: {}", ran.stdout);
            desk.run(&["decline", &run]).exits(0);
        }
        desk.run(&["undo", &run]).exits(0);
        assert_eq!(desk.folder.read("src/a.ts"), FILES[0].1);
        assert_eq!(desk.folder.read("src/b.ts"), "export const b = 1;\n");
        assert_eq!(desk.folder.read("src/c.ts"), "// mine\n", "the user's own edit is kept");
        assert!(!desk.folder.has("made.txt"));
        let notes = std::fs::read_dir(desk.folder.path(".assist/commands")).expect("the folder is there");
        assert_eq!(notes.count(), 0, "nothing is left over");
    }
}

#[test]
fn a_flood_of_processes_is_ended_to_the_last_of_them() {
    // A flood with a bottom: a machine whose walls fail survives it. The argument of `sleep` names the flood.
    let name = format!("3{}", std::process::id());
    let flood = format!("i=0\nwhile [ $i -lt 700 ]; do sleep {name} & i=$((i+1)); done\nwait\n");
    let desk = allowing("'sh *'", wants("sh flood.sh"));
    desk.folder.write("flood.sh", &flood);
    let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
    assert_eq!(ended(&ran)["message"], "it started too many processes and was ended");
    let left = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line == format!("sleep\0{name}\0").into_bytes()
    });
    assert_eq!(left.count(), 0, "every one of them is gone");
}

#[test]
fn what_is_started_aside_does_not_outlive_its_command() {
    let name = format!("4{}", std::process::id());
    let desk = allowing("'sh *'", wants("sh daemon.sh"));
    desk.folder.write("daemon.sh", format!(
        "setsid sh -c '(sleep {name} &); echo up > up; sleep {name}' >/dev/null 2>&1 &\nwhile [ ! -e up ]; do :; done\necho over\n"
    ));
    let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
    assert_eq!(ended(&ran)["code"], 0, "{}", ran.stdout);
    let left = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line == format!("sleep\0{name}\0").into_bytes()
    });
    assert_eq!(left.count(), 0, "every one of them is gone");
}

#[tokio::test]
async fn a_command_beside_unsaved_text_says_that_it_saw_the_saved() {
    let desk = allowing("'cat *'", wants("cat src/a.ts"));
    let session = desk.plain_sailing().await;
    let uri = session.open_file(&desk, "src/a.ts");
    session.replace(&uri, "a = 1", "a = 2");
    let run = session.ask(json!({"intent": "ask", "prompt": "Look"})).await;
    let events = session.expect_run(&run).await;
    let of = |state: &str| {
        let found = events.iter().find(|event| event["type"] == "command" && event["data"]["state"] == state);
        found.unwrap_or_else(|| panic!("no {state}: {events:?}"))["data"].clone()
    };
    assert_eq!(of("started")["unsaved"], json!(["src/a.ts"]));
    assert_eq!(of("output")["text"], FILES[0].1, "it sees the disk");
    let message = of("ended")["message"].as_str().expect("a sentence").to_owned();
    assert!(message.contains("it saw src/a.ts as saved, not as the editor shows it"), "{message}");
    assert!(told(&desk, "Now it ended").contains("src/a.ts as saved"), "the model is told too");
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn in_the_editor_a_button_allows_it_for_good_and_its_output_is_seen() {
    let desk = Desk::new(Wire::Anthropic, &FILES, wants("ls src"));
    let session = desk.plain_sailing().await;
    session.when_asked("Run `ls src`?", Choice::Press("Always here".to_owned()));
    let run = session.ask(json!({"intent": "ask", "prompt": "Look"})).await;
    session.expect_question("Run `ls src`?").await;
    let events = session.expect_run(&run).await;
    let output = events.iter().find(|event| event["type"] == "command" && event["data"]["state"] == "output");
    assert_eq!(output.expect("output")["data"]["text"], "a.ts\n");
    assert_eq!(session.leave().await, 0);
    let ran = desk.run(&["ask", "Look", "--json"]).exits(0);
    assert!(ran.of("approval_requested").is_empty());
}

#[test]
fn a_step_that_fails_or_was_not_confirmed_stops_no_more_than_it_must() {
    let plan = |commands: Value| {
        json!({ "summary": "It is there.", "steps": [
            { "title": "Prepare", "commands": commands, "files": [] }, { "title": "Write", "files": ["src/b.ts"] } ] })
    };
    let tasks = |command: &str| {
        json!({ "tasks": [
            { "title": "Prepare it", "instructions": "x", "tier": "A", "kind": "command", "command": command },
            { "title": "Write it", "instructions": "x", "files": ["src/b.ts"], "depends_on": [1], "tier": "B", "kind": "edit" },
        ] })
    };
    let script = |listed: &str, wanted: &str| {
        let in_system =
            |text: &str, reply| Rule::when(Match { system: Some(text.into()), ..Match::default() }, reply);
        Script::new([
            in_system("worth remembering", Reply::text("{\"memories\": []}")),
            Rule::asked("Write it\n", Reply::text(answer("b", "src/b.ts", "export const b = 2;\n"))),
            in_system("You scope changes", Reply::text("").tool("submit_tasks", &tasks(wanted).to_string())),
            Rule::asked("The plan was carried out", Reply::text("That is how it went.")),
            Rule::asked("Build it", Reply::text("").tool("propose_plan", &plan(json!([listed])).to_string())),
        ])
    };
    // It fails: what builds on it is skipped, and the reason is what it said.
    let desk = Desk::new(
        Wire::Anthropic,
        &FILES,
        script("sh -c 'echo no space; exit 3'", "sh -c 'echo no space; exit 3'"),
    );
    let ran = desk.run(&["ask", "Build it", "--yes", "--json"]).exits(1);
    let summary = ran.of("completed")[0]["summary"].as_str().expect("a sentence").to_owned();
    assert!(
        summary.contains("it ended with code 3: no space") && summary.contains("skipped: Write it"),
        "{summary}"
    );
    assert!(!desk.folder.has("src/b.ts"));

    // It is not the one on the card: it is asked about, and whoever does not want it gets the rest.
    let desk = Desk::new(Wire::Anthropic, &FILES, script("touch src/one", "touch src/two"));
    let run = desk.run(&["ask", "Build it", "--json"]).exits(1).run();
    let ran = desk.run(&["confirm", &run, "--json"]).exits(1);
    assert_eq!(ran.of("approval_requested")[0]["question"], "Run `touch src/two`?");
    let ran = desk.run(&["decline", &run, "--json"]).exits(0);
    let summary = ran.of("completed")[0]["summary"].as_str().expect("a sentence").to_owned();
    assert!(summary.contains("You still need to run: touch src/two."), "{summary}");
    assert!(desk.folder.has("src/b.ts") && !desk.folder.has("src/two") && !desk.folder.has("src/one"));
}

#[test]
fn what_a_rule_forbids_is_not_even_planned() {
    let steps = json!([{ "title": "Publish", "commands": ["git push origin main"] }]);
    let plan = json!({ "summary": "It is out.", "steps": steps });
    let script = Script::new([
        Rule::asked("Refused:", Reply::text("I cannot push for you.")),
        Rule::asked("Build it", Reply::text("").tool("propose_plan", &plan.to_string())),
        Rule::when(Match::default(), Reply::text("{\"memories\": []}")),
    ]);
    let desk = Desk::new(Wire::Anthropic, &FILES, script);
    configure(&desk, "[commands]\ndeny = ['git push *']\n");
    let ran = desk.run(&["ask", "Build it", "--json"]).exits(0);
    assert!(ran.of("approval_requested").is_empty());
    let refused = ran.of("tool").into_iter().find(|data| data["state"] == "refused").expect("it is an event");
    assert!(
        refused["message"].as_str().is_some_and(|why| why.contains("`git push *` forbids it")),
        "{refused}"
    );
}
