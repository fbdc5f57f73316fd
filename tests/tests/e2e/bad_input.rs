//! Everything that can be wrong with what a user has or says: one sentence that helps, and files as they were.

use std::net::TcpStream;
use std::process::Command;

use assist_simulator::{Failure, Reply, SENTINEL, Script, Simulator, answer, component};

use crate::support::{
    Desk, HERO, HERO_LINES, KEY, NEW_FOOTER, NEW_HERO, NOBODY, Running, Watch, Wire, with_new_hero,
};

const FILE: &str = "src/Hero.tsx";

fn hero() -> Script {
    Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)))
}

const ASK: [&str; 6] = ["ask", "Go", "--file", FILE, "--lines", HERO_LINES];

/// Asks about a file with these bytes, and checks that one sentence says why not and that the bytes are still those.
#[track_caller]
fn refused(bytes: &[u8], says: &[&str]) {
    let desk = Desk::new(Wire::Anthropic, &[], hero());
    desk.folder.write("odd.ts", bytes);
    desk.run(&["ask", "Go", "--file", "odd.ts"]).exits(2).says(says);
    desk.run(&["ask", "Go", "--file", "odd.ts", "--lines", "1:1"]).exits(2).says(says);
    assert!(desk.folder.bytes("odd.ts") == bytes, "the file was changed");
    assert_eq!(desk.sim.requests().len(), 0);
}

#[test]
fn without_a_key_and_a_local_model_one_sentence_says_what_to_do() {
    if TcpStream::connect("127.0.0.1:11434").is_ok() {
        eprintln!("skipped: an Ollama runs on this machine");
        return;
    }
    let mut desk = Desk::without_model(&[(FILE, HERO)], Script::default());
    desk.unset("OLLAMA_HOST");
    let ran = desk.run(&ASK).exits(2);
    ran.says(&["No model is set up", "assist auth set anthropic", "ANTHROPIC_API_KEY", "Ollama"]);
    assert_eq!(desk.folder.read(FILE), HERO);
    assert_eq!(desk.sessions(), [] as [serde_json::Value; 0]);
}

#[test]
fn a_model_that_nobody_serves_is_named_with_its_address() {
    let mut desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::default());
    desk.set("ANTHROPIC_BASE_URL", NOBODY);
    let mut ask = ASK.to_vec();
    ask.push("--json");
    desk.run(&ask).exits(1).says(&["anthropic cannot be reached at http://127.0.0.1:1", "start the server"]);
    assert_eq!(desk.folder.read(FILE), HERO);
    assert_eq!(desk.sessions()[0]["status"], "paused");
}

#[test]
fn an_unknown_provider_is_answered_with_the_known_ones() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::default());
    let mut ask = ASK.to_vec();
    ask.extend(["--provider", "antropic"]);
    desk.run(&ask).exits(2).says(&["no provider called `antropic`", "anthropic", "openai", "ollama"]);
    desk.run(&["auth", "set", "nobody"]).exits(2).says(&["no provider called `nobody`", "anthropic"]);
}

#[test]
fn a_provider_without_a_key_says_how_to_give_one() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::default());
    let mut ask = ASK.to_vec();
    ask.extend(["--provider", "openai"]);
    desk.run(&ask).exits(2).says(&["openai is not set up", "OPENAI_API_KEY"]);
}

#[test]
fn an_unknown_model_is_answered_with_the_known_ones() {
    for wire in Wire::BOTH {
        let script = Script { models: vec!["able".into(), "baker".into()], ..hero() };
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let mut ask = ASK.to_vec();
        ask.extend(["--json", "--model", "charlie"]);
        desk.run(&ask).exits(1).says(&["no model `charlie`", "able, baker"]);
        assert_eq!(desk.folder.read(FILE), HERO);
        ask[8] = "baker";
        desk.run(&ask).exits(0);
        assert_eq!(desk.folder.read(FILE), with_new_hero());
    }
}

#[test]
fn a_refused_key_says_whose_and_how_to_replace_it() {
    for (wire, variable) in [(Wire::Anthropic, "ANTHROPIC_API_KEY"), (Wire::OpenAi, "OPENAI_API_KEY")] {
        let script = Script { keys: vec!["another".into()], ..hero() };
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let mut ask = ASK.to_vec();
        ask.push("--json");
        desk.run(&ask).exits(1).says(&["refused the key", variable]);
        assert_eq!(desk.sim.all_requests()[0].key.as_deref(), Some(KEY));
    }
}

#[test]
fn failures_of_the_provider_are_told_in_one_sentence() {
    let failures = [
        (Failure::ContextTooLong, "too long"),
        (Failure::NoCredit, "credit"),
        (Failure::Html(502), "overloaded or failing"),
        (
            Failure::Raw {
                status: 418,
                headers: vec![("content-type".into(), "application/json".into())],
                body: r#"{"type": "error", "error": {"type": "teapot", "message": "short and stout"}}"#
                    .into(),
            },
            "short and stout",
        ),
        (Failure::Raw { status: 418, headers: Vec::new(), body: "tea".into() }, "check the base URL"),
    ];
    for wire in Wire::BOTH {
        for (failure, says) in &failures {
            let desk = Desk::new(wire, &[(FILE, HERO)], Script::always(Reply::error(failure.clone())));
            let mut ask = ASK.to_vec();
            ask.push("--json");
            desk.run(&ask).exits(1).says(&[says]);
            assert_eq!(desk.folder.read(FILE), HERO);
        }
    }
}

/// Fails a run with `failure`, checks the one sentence, and that the run is paused and goes on to its end when the fault is
/// gone.
#[track_caller]
fn goes_on_after(wire: Wire, failure: Failure, says: &[&str]) {
    let mended = Reply::text(answer("Hero", FILE, NEW_HERO));
    // Waits for rate limits are for the gateway's own tests.
    let first = assist_simulator::Rule { times: Some(1), ..rule(Reply::error(failure)) };
    let script = Script { rules: vec![first, rule(mended)], ..Script::default() };
    let desk = Desk::new(wire, &[(FILE, HERO)], script);
    let mut ask = ASK.to_vec();
    ask.push("--json");
    desk.run(&ask).exits(1).says(says);
    assert_eq!(desk.folder.read(FILE), HERO);
    let session = desk.sessions().remove(0);
    assert_eq!(
        (session["status"].as_str(), session["reason"].as_str()),
        (Some("paused"), Some("user")),
        "{says:?}"
    );
    let run = session["run"].as_str().expect("an id");
    desk.run(&["resume", run]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
}

fn rule(reply: Reply) -> assist_simulator::Rule {
    assist_simulator::Rule { reply, ..assist_simulator::Rule::default() }
}

fn json_failure(status: u16, body: &str) -> Failure {
    let headers = vec![("content-type".into(), "application/json".into())];
    Failure::Raw { status, headers, body: body.into() }
}

#[test]
fn what_can_be_mended_pauses_the_run_until_it_is() {
    for wire in Wire::BOTH {
        goes_on_after(wire, Failure::Unauthorized, &["refused the key"]);
        goes_on_after(wire, Failure::NoCredit, &["no quota or credit left", "add credit there"]);
        goes_on_after(wire, Failure::ModelNotFound, &["has no model", "sim-model"]);
        // By how much, in tokens.
        goes_on_after(wire, Failure::ContextTooLong, &["too long", "by ", " of at most ", "larger context"]);
        goes_on_after(wire, Failure::Html(403), &["check"]);
    }
    let paid = r#"{"error":{"message":"Insufficient balance","code":402}}"#;
    goes_on_after(Wire::OpenAi, json_failure(402, paid), &["no quota or credit left"]);
    let filtered = r#"{"error":{"message":"The response was filtered","type":"invalid_request_error","code":"content_filter"}}"#;
    goes_on_after(Wire::OpenAi, json_failure(400, filtered), &["content rules", "other words"]);
}

#[test]
fn an_answer_without_end_is_stopped_and_the_run_goes_on_when_it_is_asked_again() {
    for wire in Wire::BOTH {
        // The server would go on for as long as it is listened to.
        let endless = Reply { delta_chars: Some(64), ..Reply::text("and so on ".repeat(60_000)) };
        let first = assist_simulator::Rule {
            times: Some(1),
            ..rule(endless.stall(assist_simulator::Place::FromEnd(1)))
        };
        let mended = rule(Reply::text(answer("Hero", FILE, NEW_HERO)));
        let script = Script { rules: vec![first, mended], ..Script::default() };
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let mut ask = ASK.to_vec();
        ask.push("--json");
        desk.run(&ask).exits(1).says(&["did not keep to the limit of 8192 tokens", "choose another model"]);
        desk.sim.blocking_disconnected();
        assert_eq!(desk.sim.requests().len(), 1, "it was not asked to go on");
        assert_eq!(desk.folder.read(FILE), HERO);
        let session = desk.sessions().remove(0);
        assert_eq!(session["status"], "paused", "{session}");
        desk.run(&["ask", "Go", "--file", FILE, "--lines", HERO_LINES]).exits(0);
        assert_eq!(desk.folder.read(FILE), with_new_hero());
    }
}

#[test]
fn a_server_without_tls_and_a_dead_proxy_are_told_apart() {
    // A listener that answers a TLS greeting in plain text.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            use std::io::{Read as _, Write as _};
            let mut socket = socket;
            let _ = socket.read(&mut [0; 16]);
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            // Closed with something unread, the connection would be reset, and the answer may never be seen.
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        }
    });
    let mut desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    let good = desk.variables()["ANTHROPIC_BASE_URL"].clone();
    let mut ask = ASK.to_vec();
    ask.push("--json");
    desk.set("ANTHROPIC_BASE_URL", format!("https://{address}"));
    let ran = desk.run(&ask).exits(1);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("secure connection"), "{}", ran.stderr);
    assert_eq!(desk.sessions()[0]["status"], "paused");
    // The name is never looked up: everything goes to the proxy, and nobody is there.
    desk.set("ANTHROPIC_BASE_URL", "https://model.example");
    desk.set("HTTPS_PROXY", NOBODY);
    let ran = desk.run(&ask).exits(1);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("HTTPS_PROXY") || ran.stderr.contains("certificates"), "{}", ran.stderr);
    let session = desk.sessions().remove(0);
    assert_eq!(session["status"], "paused");
    // This machine's own servers are not asked for through a proxy.
    desk.set("ANTHROPIC_BASE_URL", good);
    desk.run(&["resume", session["run"].as_str().expect("an id")]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
}

#[test]
fn a_configuration_that_cannot_be_read_is_named_with_its_line() {
    let secret = "sk-in-the-file";
    let user = format!("provider = \"anthropic\"\n\n[providers.anthropic]\napi_key = \"{secret}\n");
    for (workspace, user, says) in [
        ("model = \n", None, ["assist.toml", "line 1"]),
        ("\nmodell = \"x\"\n", None, ["assist.toml", "modell"]),
        ("apply = \"sometimes\"\n", None, ["assist.toml", "line 1"]),
        ("", Some(user.as_str()), ["config.toml", "line 4"]),
        ("", Some("providers = 3\n"), ["config.toml", "line 1"]),
    ] {
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO), ("assist.toml", workspace)], hero());
        if let Some(user) = user {
            std::fs::write(desk.config().join("config.toml"), user).expect("the file can be written");
        }
        let ran = desk.run(&ASK).exits(2).says(&says);
        assert!(!ran.stderr.contains(secret), "the key is shown: {}", ran.stderr);
        let doctor = desk.run(&["doctor", "--json"]).exits(1);
        assert!(doctor.stdout.contains(says[1]) && !doctor.stdout.contains(secret), "{}", doctor.stdout);
        assert_eq!(desk.folder.read(FILE), HERO);
        assert_eq!(desk.sim.requests().len(), 0);
    }
    // Not a file at all.
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO), ("assist.toml/inside", "")], hero());
    desk.run(&ASK).exits(2).says(&["assist.toml", "cannot be read"]);
}

#[test]
fn a_repository_cannot_send_the_code_elsewhere() {
    let stranger = Simulator::start(hero());
    let toml = format!("[providers.anthropic]\nbase_url = \"{}\"\napi_key = \"theirs\"\n", stranger.url);
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO), ("assist.toml", &toml)], hero());
    let ran = desk.run(&ASK).exits(0);
    assert!(ran.stderr.contains("only your own configuration may do"), "{}", ran.stderr);
    assert_eq!(stranger.all_requests().len(), 0);
    assert_eq!(desk.sim.all_requests()[0].key.as_deref(), Some(KEY));
}

#[test]
fn files_that_are_no_text_are_refused_and_left_alone() {
    refused(b"export const a = 1;\0\n", &["odd.ts", "binary"]);
    refused(b"\x89PNG\r\n\x1a\n\0\0", &["odd.ts", "binary"]);
    refused(b"// caf\xe9\n", &["odd.ts", "not UTF-8", "convert"]);
    refused(b"\xff\xfe/\0/\0", &["odd.ts", "not UTF-8"]);
    refused(&b"// line\n".repeat(1_400_000), &["odd.ts", "too large", "limit is 10 MB"]);
}

#[test]
fn a_selection_outside_the_file_is_refused() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    for (lines, says) in [
        ("19:22", "which has 20 lines"),
        ("500:600", "which has 20 lines"),
        ("0:3", "not a range of lines"),
        ("9:3", "not a range of lines"),
        ("-1:3", "not a range of lines"),
        ("all", "not a range of lines"),
        ("99999999999999999999:3", "not a range of lines"),
    ] {
        let lines = format!("--lines={lines}");
        desk.run(&["ask", "Go", "--file", FILE, &lines]).exits(2).says(&[says]);
    }
    assert_eq!(desk.folder.read(FILE), HERO);
}

#[test]
fn what_is_not_there_is_said_so() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    desk.run(&["ask", "Go", "--file", "src/Nobody.tsx"]).exits(2).says(&["src/Nobody.tsx"]);
    desk.run(&["ask", "Go", "--file", "src"]).exits(2).says(&["src"]);
    desk.run(&["ask", "--file", FILE]).exits(2).says(&["Say what Assist should do"]);
    desk.run(&["ask", "   ", "--file", FILE]).exits(2).says(&["Say what Assist should do"]);
    desk.run(&["ask", "Go", "--conversation", "nonsense"]).exits(2).says(&["is not a conversation"]);
    let nowhere = desk.folder.path("nowhere").display().to_string();
    desk.run(&["ask", "Go", "--workspace", &nowhere]).exits(2).says(&["nowhere"]);
    assert_eq!(desk.sim.requests().len(), 0);
}

#[test]
fn windows_line_ends_stay() {
    for wire in Wire::BOTH {
        let desk = Desk::new(wire, &[(FILE, &HERO.replace('\n', "\r\n"))], hero());
        desk.run(&ASK).exits(0);
        assert_eq!(desk.folder.read(FILE), with_new_hero().replace('\n', "\r\n"));
    }
    // Also those of the model do no harm.
    let script = Script::always(Reply::text(answer("Hero", FILE, NEW_HERO).replace('\n', "\r\n")));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    desk.run(&ASK).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
}

#[test]
fn a_byte_order_mark_stays() {
    for text in [HERO.to_owned(), HERO.replace('\n', "\r\n")] {
        let desk = Desk::new(Wire::Anthropic, &[(FILE, &format!("\u{feff}{text}"))], hero());
        desk.run(&ASK).exits(0);
        let expected = if text == HERO { with_new_hero() } else { with_new_hero().replace('\n', "\r\n") };
        assert_eq!(desk.folder.read(FILE), format!("\u{feff}{expected}"));
        assert!(!desk.sim.requests()[0].last_user().contains('\u{feff}'));
        desk.run(&["undo"]).exits(0);
        assert_eq!(desk.folder.read(FILE), format!("\u{feff}{text}"));
    }
}

#[test]
fn a_missing_last_line_end_stays_missing() {
    let script = Script::always(Reply::text(answer("Footer", FILE, NEW_FOOTER)));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO.trim_end())], script);
    desk.run(&["ask", "Go", "--file", FILE, "--lines", "18:20"]).exits(0);
    let expected = crate::support::with_new_footer(HERO);
    assert_eq!(desk.folder.read(FILE), expected.trim_end());
}

#[test]
fn a_file_outside_the_workspace_is_not_touched() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    let outside = desk.folder.beside("elsewhere").join("Hero.tsx");
    std::fs::write(&outside, HERO).expect("the file can be written");
    let path = outside.display().to_string();
    let root = desk.folder.root().display().to_string();
    let mut ask = vec!["--workspace", &root];
    ask.extend(["ask", "Go", "--file", &path, "--lines", HERO_LINES]);
    desk.run(&ask).exits(2).says(&["outside the workspace"]);
    assert_eq!(std::fs::read_to_string(&outside).expect("it is there"), HERO);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&outside, desk.folder.path("link.tsx")).expect("links can be made");
        desk.run(&["--workspace", &root, "ask", "Go", "--file", "link.tsx"])
            .exits(2)
            .says(&["outside the workspace"]);
        assert_eq!(std::fs::read_to_string(&outside).expect("it is there"), HERO);
    }
    assert_eq!(desk.sim.requests().len(), 0);
}

#[test]
fn a_component_cannot_lead_out_of_the_workspace() {
    let code = "export const Evil = 1;\n";
    for path in [
        "../evil.ts",
        "src/../../evil.ts",
        "/evil.ts",
        "C:\\\\evil.ts",
        ".git/hooks/post-commit",
        ".assist/evil.ts",
        "untitled:Evil",
    ] {
        let script = Script::always(Reply::text(answer("Evil", path, code)));
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
        let ran = desk.run(&["ask", "Go", "--file", FILE, "--yes", "--json"]).exits(1);
        assert!(ran.of("component_applied").is_empty(), "{path}");
        assert!(!desk.folder.path("../evil.ts").exists(), "{path}");
        assert!(!desk.folder.has(".git") && !desk.folder.has(".assist/evil.ts"), "{path}");
        assert_eq!(desk.folder.read(FILE), HERO);
    }
}

#[cfg(unix)]
#[test]
fn a_component_cannot_leave_through_a_link() {
    let script = Script::always(Reply::text(answer("Evil", "src/out/Evil.ts", "export const Evil = 1;\n")));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let outside = desk.folder.beside("elsewhere");
    std::os::unix::fs::symlink(&outside, desk.folder.path("src/out")).expect("links can be made");
    desk.run(&["ask", "Go", "--yes", "--json"]).exits(1);
    assert_eq!(std::fs::read_dir(&outside).expect("it is there").count(), 0);
}

#[test]
fn markers_that_stand_in_the_repository_are_text() {
    // A file full of somebody else's markers, which the model quotes before it answers.
    let foreign = answer("Evil", "evil.ts", "export const Evil = 1;\n").replace("@@id@@", "beef");
    let naked = answer("Evil", "evil.ts", "export const Evil = 1;\n").replace(" id=@@id@@", "");
    let readme = format!("# Notes\n\n{foreign}\n{naked}");
    let text = format!(
        "The notes say:\n\n{foreign}\n{naked}\nNow the change:\n\n{}",
        answer("Hero", FILE, NEW_HERO)
    );
    for wire in Wire::BOTH {
        let desk = Desk::new(
            wire,
            &[(FILE, HERO), ("NOTES.md", &readme)],
            Script::always(Reply::text(text.as_str())),
        );
        let watch = Watch::over(&desk.folder, FILE);
        let mut ask = ASK.to_vec();
        ask.extend(["--yes", "--json"]);
        let ran = desk.run(&ask).exits(0);
        watch.saw_only(&[HERO, &with_new_hero()]);
        assert!(!desk.folder.has("evil.ts"));
        assert_eq!(ran.of("component_applied").len(), 1);
    }
}

#[test]
fn a_broken_file_is_changed_only_after_a_yes() {
    let broken = HERO.replace("return <footer>Shop</footer>;", "return <footer>Shop</foter>;");
    let desk = Desk::new(Wire::Anthropic, &[(FILE, &broken)], hero());
    desk.run(&ASK);
    assert_eq!(desk.folder.read(FILE), broken);
    let mut ask = ASK.to_vec();
    ask.push("--yes");
    desk.run(&ask).exits(0);
    assert!(desk.folder.read(FILE).contains("aria-label"));
}

#[test]
fn a_language_without_a_grammar_is_changed_only_after_a_yes() {
    let script = Script::always(Reply::text(component("notes", "notes.txt", "New words.\n") + SENTINEL));
    let desk = Desk::new(Wire::Anthropic, &[("notes.txt", "Old words.\nMore.\n")], script);
    let ask = ["ask", "Go", "--file", "notes.txt", "--lines", "1:1"];
    desk.run(&ask);
    assert_eq!(desk.folder.read("notes.txt"), "Old words.\nMore.\n");
    let script = Script::always(Reply::text(
        (component("Selection", "notes.txt", "New words.\n") + SENTINEL).replace("exports=Selection ", ""),
    ));
    let desk = Desk::new(Wire::Anthropic, &[("notes.txt", "Old words.\nMore.\n")], script);
    desk.run(&["ask", "Go", "--file", "notes.txt", "--lines", "1:1", "--yes"]).exits(0);
    assert_eq!(desk.folder.read("notes.txt"), "New words.\nMore.\n");
}

#[test]
fn a_workspace_whose_database_cannot_be_made_still_answers() {
    // `.assist` is a file, so there is no place for a database.
    let desk = Desk::new(
        Wire::Anthropic,
        &[(FILE, HERO), (".assist", "mine")],
        Script::always(Reply::text("Hello.")),
    );
    let ran = desk.run(&["ask", "Hi"]);
    assert_eq!(desk.folder.read(".assist"), "mine");
    assert!(!ran.stderr.is_empty(), "nothing is said about the database");
    assert!(ran.stdout.contains("Hello.") || ran.status.code() != Some(0), "{ran:?}");
}

/// A command without root's rights over a workspace it cannot write, or `None` where that cannot be had.
#[cfg(unix)]
fn powerless(desk: &Desk, args: &[&str]) -> Option<Command> {
    use std::os::unix::fs::PermissionsExt as _;
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("modes can be set");
    };
    let above = desk.folder.root().parent()?.to_owned();
    for folder in [above.join("home"), above.join("config")] {
        set(&folder, 0o777);
    }
    set(&desk.folder.path(FILE), 0o444);
    set(&desk.folder.path("src"), 0o555);
    set(desk.folder.root(), 0o555);
    set(&above, 0o755);
    let plain = desk.command(args);
    if !rustix::process::geteuid().is_root() {
        return Some(plain);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(plain.get_program()).args(args);
    command.current_dir(desk.folder.root()).env_clear().envs(desk.variables());
    let tried = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(plain.get_program())
        .arg("--version")
        .output();
    tried.is_ok_and(|tried| tried.status.success()).then_some(command)
}

#[cfg(unix)]
#[test]
fn a_workspace_that_cannot_be_written_is_answered_and_not_changed() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    let ran = powerless(&desk, &ASK)
        .map(|mut command| Running::start(command.stdin(std::process::Stdio::null()), None).end());
    for path in [desk.folder.root().to_owned(), desk.folder.path("src")] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("modes can be set");
    }
    let Some(ran) = ran else {
        eprintln!("skipped: as root without setpriv, or the binary is out of reach for others");
        return;
    };
    let ran = ran.exits(1);
    assert!(ran.stderr.contains("cannot be written"), "{}", ran.stderr);
    assert_eq!(desk.folder.read(FILE), HERO);
}
