//! Stopping, leaving, coming back; and everything that a client can say wrongly.

use assist_simulator::{Manner, Place, Reply, Script, Stall, answer};
use assist_tests::client::{Options, frame_body};
use serde_json::{Value, json};

use crate::support::{Desk, HERO, NEW_HERO, NOBODY, Wire, with_new_hero};

const FILE: &str = "src/Hero.tsx";

fn selected() -> &'static str {
    let start = HERO.find("export function Hero(").expect("it is there");
    let end = HERO.find("\nexport function Footer").expect("it is there");
    &HERO[start..end]
}

/// A model that stops in the middle, and goes on when asked to.
fn stalls() -> Script {
    let text = answer("Hero", FILE, NEW_HERO);
    Script::first_then(
        Reply::text(text.as_str()).stall(Place::After("<button type".into())),
        Reply::continuing(text, Manner::Exact),
    )
}

#[tokio::test]
async fn a_run_is_cancelled_by_its_progress_or_by_the_command() {
    for wire in Wire::BOTH {
        for by_progress in [true, false] {
            let desk = Desk::new(wire, &[(FILE, HERO)], stalls());
            let session = desk.editor(Options::default()).await;
            session.ignore(&["assist/delta"]);
            let uri = session.open_file(&desk, FILE);
            let run = session.ask(session.about(&uri, selected(), "Go")).await;
            let begin = session.expect_progress("begin").await;
            desk.sim.stalled(1).await;
            if by_progress {
                assert_eq!(begin["value"]["cancellable"], true);
                session.notify("window/workDoneProgress/cancel", json!({"token": begin["token"]}));
            } else {
                assert_eq!(
                    session.command("assist.cancel", json!({"runId": run})).await,
                    Ok(json!({"ok": true}))
                );
            }
            assert_eq!(session.ends(&run).await["state"], "stopped");
            desk.sim.disconnected().await;
            session.expect_progress("end").await;
            session.ignore(&["$/progress"]);
            assert_eq!(session.text(&uri), HERO);
            assert_eq!(session.session(&run).await["status"], "stopped");
            let again =
                session.command("assist.resume", json!({"runId": run})).await.expect_err("it was stopped");
            assert_eq!(again["data"]["kind"], "wrong_state");
            assert_eq!(session.leave().await, 0);
            assert_eq!(desk.sessions()[0]["status"], "stopped");
            assert_eq!(desk.folder.read(FILE), HERO);
        }
    }
}

#[tokio::test]
async fn leaving_pauses_a_run_and_coming_back_goes_on_with_it() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let session = desk.plain_sailing().await;
    session.ignore(&["assist/event", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(session.about(&uri, selected(), "Go")).await;
    desk.sim.stalled(1).await;
    desk.wait_until_kept("<button type");
    assert_eq!(session.leave().await, 0);
    desk.sim.disconnected().await;
    let listed = &desk.sessions()[0];
    assert_eq!(
        (&listed["status"], &listed["reason"]),
        (&"paused".into(), &"editor_closed".into()),
        "{listed}"
    );

    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    session.replace(&uri, "Shop", "My shop");
    assert_eq!(session.command("assist.resume", json!({"runId": run})).await, Ok(json!({"ok": true})));
    assert_eq!(session.ends(&run).await["state"], "done");
    assert_eq!(session.text(&uri), with_new_hero().replace("Shop", "My shop"));
    let requests = desk.sim.requests();
    assert_eq!(requests.len(), 2);
    assert!(!requests[1].text.contains("COMPONENT_START: Hero"), "all of it was asked for again");
    assert_eq!(session.leave().await, 0);
}

/// Paused is said a moment before the run is let go; what goes on in that moment is not let go with it.
#[tokio::test]
async fn a_run_that_goes_on_in_the_moment_of_its_pause_keeps_its_owner() {
    let held = Reply { stall: Some(Stall::BeforeHeaders), ..Reply::text(answer("Hero", FILE, NEW_HERO)) };
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::always(held));
    let session = desk.plain_sailing().await;
    session.ignore(&["assist/event", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(session.about(&uri, selected(), "Go")).await;
    let (this, ok) = (json!({"runId": run}), Ok(json!({"ok": true})));
    for calls in 1..=8 {
        desk.sim.stalled(calls).await;
        let twice = session.command("assist.resume", this.clone()).await.expect_err("it is at work");
        assert_eq!(twice["data"]["kind"], "wrong_state");
        assert_eq!(session.command("assist.pause", this.clone()).await, ok);
        desk.store_when(&run, "paused").await;
        assert_eq!(session.command("assist.resume", this.clone()).await, ok);
    }
    desk.sim.stalled(9).await;
    // Nobody takes it for a run whose owner has died, and it can be reached.
    assert_eq!(desk.sessions()[0]["status"], "running");
    assert_eq!(session.command("assist.cancel", this).await, ok);
    desk.store_when(&run, "stopped").await;
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn a_client_that_goes_without_a_word_leaves_a_paused_run_and_exit_code_1() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let session = desk.plain_sailing().await;
    session.ignore(&["assist/event", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    session.ask(session.about(&uri, selected(), "Go")).await;
    desk.sim.stalled(1).await;
    assert_eq!(session.gone().await, 1);
    assert_eq!(desk.sessions()[0]["status"], "paused");
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_is_to_terminate_pauses_its_runs() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let session = desk.plain_sailing().await;
    session.ignore(&["assist/event", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    session.ask(session.about(&uri, selected(), "Go")).await;
    desk.sim.stalled(1).await;
    session.signal(rustix::process::Signal::TERM);
    assert_eq!(session.gone().await, 1);
    let listed = &desk.sessions()[0];
    assert_eq!(
        (&listed["status"], &listed["reason"]),
        (&"paused".into(), &"editor_closed".into()),
        "{listed}"
    );
}

#[tokio::test]
async fn a_crash_of_the_server_leaves_a_paused_run_that_the_command_line_goes_on_with() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], stalls());
    let session = desk.plain_sailing().await;
    session.ignore(&["assist/event", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(session.about(&uri, selected(), "Go")).await;
    desk.sim.stalled(1).await;
    desk.wait_until_kept("<button type");
    session.crash().await;
    let listed = &desk.sessions()[0];
    assert_eq!((&listed["status"], &listed["reason"]), (&"paused".into(), &"crash".into()), "{listed}");
    desk.run(&["resume", &run]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
}

#[tokio::test]
async fn a_run_can_be_stopped_while_it_waits_for_an_answer() {
    let script = Script::always(Reply::text(answer("money", "src/money.ts", "export const money = 1;\n")));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let session = desk.plain_sailing().await;
    let run = session.ask(json!({"intent": "ask", "prompt": "Add it"})).await;
    session.expect_question("Create src/money.ts?").await;
    assert_eq!(session.command("assist.cancel", json!({})).await, Ok(json!({"ok": true})));
    assert_eq!(session.ends(&run).await["state"], "stopped");
    assert!(!desk.folder.has("src/money.ts"));
    session.ignore(&["$/cancelRequest"]);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn without_a_model_the_server_says_what_to_do_and_keeps_working() {
    let script = Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)));
    let mut desk = Desk::without_model(&[(FILE, HERO)], script);
    desk.unset("OLLAMA_HOST");
    if std::net::TcpStream::connect("127.0.0.1:11434").is_ok() {
        eprintln!("skipped: an Ollama runs on this machine");
        return;
    }
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    let ask = session.about(&uri, selected(), "Go");
    let error = session.command("assist.ask", ask.clone()).await.expect_err("there is no model");
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32803), &"no_provider".into()));
    assert!(error["data"]["fix"].as_str().is_some_and(|fix| fix.contains("assist auth set")), "{error}");
    let status = session.request("assist/status", json!({})).await;
    assert_eq!(status["ready"], false);
    assert!(status["fix"].as_str().is_some_and(|fix| fix.contains("assist auth set")), "{status}");

    // A key that is kept meanwhile counts at once.
    let toml = format!("[providers.anthropic]\nbase_url = \"{}\"\napi_key = \"sk-mine\"\n", desk.sim.url);
    std::fs::write(desk.config().join("config.toml"), toml).expect("the file can be written");
    let status = session.request("assist/status", json!({})).await;
    assert_eq!((&status["ready"], &status["provider"]), (&true.into(), &"anthropic".into()));
    let run = session.ask(ask).await;
    assert_eq!(session.ends(&run).await["state"], "done");
    assert_eq!(session.text(&uri), with_new_hero());
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn a_model_that_cannot_be_reached_pauses_the_run_and_not_the_server() {
    let mut desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::default());
    desk.set("ANTHROPIC_BASE_URL", NOBODY);
    let session = desk.plain_sailing().await;
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(session.about(&uri, selected(), "Go")).await;
    session.expect_message("cannot be reached").await;
    desk.store_when(&run, "paused").await;
    session.ignore(&["assist/event"]);
    assert_eq!(session.request("assist/status", json!({})).await["ready"], true);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_named() {
    let desk =
        Desk::new(Wire::Anthropic, &[(FILE, HERO), ("assist.toml", "modell = 'x'\n")], Script::default());
    let session = desk.plain_sailing().await;
    let uri = session.open_file(&desk, FILE);
    let error =
        session.command("assist.ask", session.about(&uri, selected(), "Go")).await.expect_err("it is wrong");
    assert_eq!(error["data"]["kind"], "config");
    assert!(
        error["message"].as_str().is_some_and(|why| why.contains("assist.toml") && why.contains("modell")),
        "{error}"
    );
    assert!(error["data"]["fix"].is_string());
    session.ignore(&["window/showMessage"]);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_answered_and_passed_over() {
    let desk = Desk::new(
        Wire::Anthropic,
        &[(FILE, HERO)],
        Script::always(Reply::text(answer("Hero", FILE, NEW_HERO))),
    );
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit"]);
    for body in ["{", "nonsense", "{\"jsonrpc\":\"2.0\",\"id\":7,", "\u{0}\u{1}"] {
        session.send_raw(&frame_body(body.as_bytes()));
        let wrong = session.expect("an error", |seen| seen.message["error"]["code"] == -32700).await;
        assert_eq!(wrong.message["id"], Value::Null, "{body}");
    }
    session.send_raw(&frame_body(b"\xff\xfe\xfd"));
    session.expect("an error", |seen| seen.message["error"]["code"] == -32700).await;
    let error = session.try_request("no/such/method", json!({})).await.expect_err("there is none");
    assert_eq!(error["code"], -32601);
    for (command, argument) in [
        ("assist.ask", json!({})),
        ("assist.ask", json!({"intent": "conquer", "prompt": "the world"})),
        ("assist.ask", json!({"intent": "ask", "prompt": 3})),
        ("assist.ask", json!([])),
        ("assist.cancel", json!({"runId": 12})),
        ("assist.undo", json!("now")),
    ] {
        let error = session.command(command, argument.clone()).await.expect_err("it is wrong");
        assert_eq!(error["code"], -32602, "{command} {argument}: {error}");
    }
    for command in ["assist.cancel", "assist.resume", "assist.undo", "assist.confirm", "assist.decline"] {
        let error = session.command(command, json!({"runId": "7f3a7f3a"})).await.expect_err("no such run");
        assert_eq!(error["data"]["kind"], "not_found", "{command}: {error}");
    }
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(session.about(&uri, selected(), "Go")).await;
    session.ends(&run).await;
    assert_eq!(session.text(&uri), with_new_hero());
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn documents_that_cannot_be_worked_on_are_declined() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::default());
    let session = desk.plain_sailing().await;
    desk.folder.write("image.png", b"\x89PNG\0\0");
    desk.folder.write("latin.ts", b"// caf\xe9\n");
    session.open("git:/src/Hero.tsx?ref", "typescript", HERO);
    let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}});
    for uri in [
        desk.folder.uri("src/Nobody.tsx"),
        desk.folder.uri("src"),
        desk.folder.uri("image.png"),
        desk.folder.uri("latin.ts"),
        desk.folder.uri(".git/config"),
        "git:/src/Hero.tsx?ref".to_owned(),
        "https://example.com/a.ts".to_owned(),
        "untitled:Nobody".to_owned(),
        "not a uri".to_owned(),
        String::new(),
    ] {
        let ask = json!({"intent": "ask", "prompt": "Go", "uri": uri, "range": range});
        let error = session.command("assist.ask", ask).await;
        let Err(error) = error else { panic!("{uri:?} was accepted") };
        assert_eq!(error["data"]["kind"], "bad_document", "{uri}: {error}");
        let why = error["message"].as_str().expect("a sentence");
        assert!(!why.is_empty() && !why.contains('\n'), "{why}");
    }
    let uri = session.open_file(&desk, FILE);
    let far = json!({"start": {"line": 500, "character": 0}, "end": {"line": 501, "character": 0}});
    let ask = json!({"intent": "ask", "prompt": "Go", "uri": uri, "range": far});
    let error = session.command("assist.ask", ask).await.expect_err("it is outside");
    assert_eq!(error["data"]["kind"], "bad_document", "{error}");
    // A version that never was.
    let mut ask = session.about(&uri, selected(), "Go");
    ask["version"] = 99.into();
    let error = session.command("assist.ask", ask).await.expect_err("there is no such version");
    assert_eq!(error["data"]["kind"], "bad_document", "{error}");
    assert_eq!(desk.sim.requests().len(), 0);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn an_untitled_document_is_edited_in_place() {
    let old = "export const a = 1;\n";
    let new = "export const a = 2;\n";
    let script = Script::new([assist_simulator::Rule::always(Reply::from_request(move |asked| {
        let id = asked.system.split_once(" id=").map(|(_, rest)| rest).unwrap_or_default();
        let id: String = id.chars().take_while(char::is_ascii_alphanumeric).collect();
        let (_, named) = asked.system.split_once("with the name ").expect("the selection has a name");
        let name = named.split(' ').next().expect("a name");
        answer(name, "x", new)
            .replace(" path=\"x\"", "")
            .replace("@@id@@", &id)
            .replace(&format!(" exports={name}"), "")
    }))]);
    let desk = Desk::new(Wire::Anthropic, &[], script);
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit", "window/showMessageRequest"]);
    let uri = "untitled:Untitled-1";
    // The name tells no language, the editor does: the gate decides, and nobody is asked.
    session.open(uri, "typescript", old);
    let run = session.ask(session.about(uri, old, "Two")).await;
    let end = session.ends(&run).await;
    assert_eq!(end["state"], "done", "{end}");
    assert_eq!(session.text(uri), new);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn line_ends_of_the_buffer_stay() {
    let script = Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, &HERO.replace('\n', "\r\n"))], script);
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit"]);
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(session.about(&uri, &selected().replace('\n', "\r\n"), "Go")).await;
    session.ends(&run).await;
    assert_eq!(session.text(&uri), with_new_hero().replace('\n', "\r\n"));
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn the_server_ends_as_the_protocol_wants() {
    let desk = Desk::new(Wire::Anthropic, &[], Script::default());
    // `exit` without `shutdown`.
    let session = desk.plain_sailing().await;
    session.notify("exit", Value::Null);
    assert_eq!(session.gone().await, 1);
    // Nothing at all.
    let session = desk.raw_editor(Options::default());
    assert_eq!(session.gone().await, 1);
    // Requests before `initialize` and after `shutdown` are refused.
    let session = desk.raw_editor(Options::default());
    let early = session.try_request("assist/status", json!({})).await.expect_err("too early");
    assert_eq!(early["code"], -32002);
    assert_eq!(session.gone().await, 1);
    let session = desk.plain_sailing().await;
    session.request("shutdown", Value::Null).await;
    let late = session.try_request("assist/status", json!({})).await.expect_err("too late");
    assert_eq!(late["code"], -32600);
    session.notify("exit", Value::Null);
    assert_eq!(session.gone().await, 0);
}

#[tokio::test]
async fn a_folder_that_is_only_looked_at_keeps_no_trace() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::new(Vec::new()));
    let session = desk.editor(Options { rich: false, ..Options::default() }).await;
    let uri = session.open_file(&desk, FILE);
    let status = session.request("assist/status", json!({})).await;
    assert_eq!(status["ready"], true, "{status}");
    session.close(&uri);
    assert_eq!(session.leave().await, 0);
    assert!(!desk.folder.has(".assist"));
}
