//! Asking in an editor: what becomes of the text, and what the user sees.

use assist_simulator::{Reply, Rule, SENTINEL, Script, answer, component};
use assist_tests::client::{Choice, Editor, Options};
use serde_json::{Value, json};

use crate::editor::{Session, editors};
use crate::support::{Desk, HERO, NEW_FOOTER, NEW_HERO, Wire, with_new_footer, with_new_hero};

const FILE: &str = "src/Hero.tsx";

fn hero() -> Script {
    Script::always(Reply::text(format!("A toggle.\n\n{}", answer("Hero", FILE, NEW_HERO))))
}

/// The text of `Hero` in [`HERO`], with or without its last line break: as VS Code and as Neovim select lines.
fn selected(editor: Editor) -> &'static str {
    let start = HERO.find("export function Hero(").expect("it is there");
    let end = HERO.find("\nexport function Footer").expect("it is there");
    let end = if matches!(editor, Editor::Neovim { .. }) { end - 1 } else { end };
    &HERO[start..end]
}

async fn actions(session: &Session, uri: &str, range: &Value, diagnostics: Value) -> Vec<Value> {
    let context = json!({"diagnostics": diagnostics, "triggerKind": 1});
    let params = json!({"textDocument": {"uri": uri}, "range": range, "context": context});
    let answer = session.request("textDocument/codeAction", params).await;
    answer.as_array().expect("a list").clone()
}

/// The argument of the command that an action with this title carries.
fn argument(actions: &[Value], title: &str) -> (String, Value) {
    let action = actions.iter().find(|action| action["title"] == title);
    let action = action.unwrap_or_else(|| panic!("no {title:?}: {actions:?}"));
    let name = action["command"]["command"].as_str().expect("a command");
    (name.to_owned(), action["command"]["arguments"][0].clone())
}

#[tokio::test]
async fn a_selection_is_replaced_in_every_editor() {
    for (name, editor, encodings) in editors() {
        for rich in [true, false] {
            let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
            let session = desk
                .editor(Options { editor, encodings: encodings.clone(), rich, ..Options::default() })
                .await;
            let uri = session.open_file(&desk, FILE);
            // The user has typed before, unsaved.
            session.replace(&uri, "Shop", "Ünïcödé 🎉 Shop");
            let range = session.range_of(&uri, selected(editor));
            let actions = actions(&session, &uri, &range, json!([])).await;
            let (command, mut ask) = argument(&actions, "Ask Assist…");
            assert_eq!(command, "assist.ask");
            ask["prompt"] = "Give it a toggle".into();
            let run = session.ask(ask).await;

            let edit = session.expect_edit(&uri).await;
            assert_eq!(edit.answer["applied"], true, "{name}");
            let changes = edit.params()["edit"]["documentChanges"].as_array().expect("changes").clone();
            assert_eq!((changes.len(), &changes[0]["textDocument"]["version"]), (1, &2.into()), "{name}");
            assert_eq!(edit.params()["label"], "Assist: Hero");
            assert_eq!(session.expect_progress("begin").await["value"]["title"], "Assist");
            session.expect_progress("end").await;
            if rich {
                assert_eq!(session.ends(&run).await["state"], "done", "{name}");
            } else {
                session.expect_message("Applied Hero in src/Hero.tsx").await;
            }
            session.ignore(&["$/progress", "assist/delta"]);
            let expected = with_new_hero().replace("Shop", "Ünïcödé 🎉 Shop");
            assert_eq!(session.text(&uri), expected, "{name}, rich: {rich}");
            // The file is the editor's to save.
            assert_eq!(desk.folder.read(FILE), HERO);
            // One step takes it back, the user's own step is the one before.
            assert!(session.undo(&uri));
            assert_eq!(session.text(&uri), HERO.replace("Shop", "Ünïcödé 🎉 Shop"));
            assert!(
                desk.sim.requests()[0].last_user().contains("Ünïcödé 🎉 Shop"),
                "the buffer counts, not the file"
            );
            assert_eq!(session.leave().await, 0);
        }
    }
}

#[tokio::test]
async fn a_part_of_a_line_is_replaced_in_every_encoding() {
    let text = "export const greet = (name: string) => \"🎉 é \" + name.trim() + \"!\"; // 🎉\n";
    for encoding in ["utf-8", "utf-16", "utf-32"] {
        let script = Script::always(Reply::text(
            answer("Selection", "greet.ts", "name.trim().toUpperCase()\n").replace(" exports=Selection", ""),
        ));
        let desk = Desk::new(Wire::OpenAi, &[("greet.ts", text)], script);
        let options = Options { encodings: vec![encoding.to_owned()], ..Options::default() };
        let session = desk.editor(options).await;
        session.ignore(&["$/progress", "assist/delta", "workspace/applyEdit"]);
        assert_eq!(session.capabilities["capabilities"]["positionEncoding"], encoding);
        let uri = session.open_file(&desk, "greet.ts");
        let run = session.ask(session.about(&uri, "name.trim()", "Louder")).await;
        assert_eq!(session.ends(&run).await["state"], "done");
        assert_eq!(
            session.text(&uri),
            text.replace("name.trim()", "name.trim().toUpperCase()"),
            "{encoding}"
        );
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn a_diagnostic_is_fixed() {
    let broken = HERO.replace("useState(false)", "useStat(false)");
    let code = NEW_HERO;
    let desk = Desk::new(
        Wire::Anthropic,
        &[(FILE, &broken)],
        Script::always(Reply::text(answer("Hero", FILE, code))),
    );
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit"]);
    let uri = session.open_file(&desk, FILE);
    let range = session.range_of(&uri, "useStat(");
    let fault =
        json!([{"range": range, "message": "Cannot find name 'useStat'.", "source": "ts", "severity": 1}]);
    let actions = actions(&session, &uri, &range, fault).await;
    let (_, ask) = argument(&actions, "Fix with Assist");
    let run = session.ask(ask).await;
    assert_eq!(session.ends(&run).await["state"], "done");
    assert_eq!(session.text(&uri), with_new_hero());
    let asked = desk.sim.requests()[0].last_user().to_owned();
    assert!(asked.contains("line 8: Cannot find name 'useStat'. (ts)"), "{asked}");
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn without_a_selection_components_go_by_name_and_each_is_one_step() {
    let text = component("Hero", FILE, NEW_HERO) + "\n" + &component("Footer", FILE, NEW_FOOTER) + SENTINEL;
    for (name, editor, encodings) in editors() {
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::always(Reply::text(text.as_str())));
        let session = desk.editor(Options { editor, encodings, ..Options::default() }).await;
        session.ignore(&["$/progress", "assist/delta", "workspace/applyEdit"]);
        let uri = session.open_file(&desk, FILE);
        let run = session.ask(json!({"intent": "ask", "prompt": "Tidy both", "uri": uri})).await;
        let end = session.ends(&run).await;
        assert_eq!(end["state"], "done", "{name}: {end}");
        let both = with_new_footer(&with_new_hero());
        assert_eq!(session.text(&uri), both, "{name}");
        assert_eq!(session.document(&uri).history, [HERO.to_owned(), with_new_hero()], "{name}");
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn a_closed_file_is_changed_on_disk() {
    let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], hero());
    let session = desk.plain_sailing().await;
    let run = session.ask(json!({"intent": "ask", "prompt": "Go", "uri": desk.folder.uri(FILE)})).await;
    assert_eq!(session.ends(&run).await["state"], "done");
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn an_explanation_reaches_every_client_and_changes_nothing() {
    let words = "It shows a *title*.\n\nAnd, once opened, details.";
    for rich in [true, false] {
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::always(Reply::text(words)));
        let session = desk.editor(Options { rich, ..Options::default() }).await;
        session.ignore(&["$/progress"]);
        let uri = session.open_file(&desk, FILE);
        let mut ask = session.about(&uri, selected(Editor::VsCode), "");
        ask["intent"] = "explain".into();
        let run = session.ask(ask).await;
        if rich {
            let events = session.expect_run(&run).await;
            let text = events.iter().filter(|event| event["type"] == "text");
            let text: String = text.filter_map(|event| event["data"]["text"].as_str()).collect();
            assert_eq!(text, words);
            session.ignore(&["assist/delta"]);
        } else {
            let shown = session.expect_request("window/showDocument").await;
            let uri = shown["params"]["uri"].as_str().expect("a document").to_owned();
            assert!(uri.contains("/.assist/answers/") && uri.ends_with(&format!("{run}.md")), "{uri}");
            let page = desk.folder.read(&format!(".assist/answers/{run}.md"));
            assert!(page.contains(words), "{page}");
        }
        assert_eq!(session.text(&uri), HERO);
        assert_eq!(session.document(&uri).version, 1);
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn deltas_and_text_events_join_by_offset() {
    let words = "One two three four. ".repeat(40);
    let desk = Desk::new(Wire::OpenAi, &[], Script::always(Reply::text(words.as_str())));
    let session = desk.editor(Options::default()).await;
    session.ignore(&["$/progress"]);
    let run = session.ask(json!({"intent": "ask", "prompt": "Count"})).await;
    let events = session.expect_run(&run).await;
    let mut text = String::new();
    for event in events.iter().filter(|event| event["type"] == "text") {
        assert_eq!(event["data"]["offset"], text.len());
        text.push_str(event["data"]["text"].as_str().expect("text"));
    }
    assert_eq!(text, words);
    for seen in session.unread().iter().filter(|seen| seen.method() == "assist/delta") {
        let (offset, part) = (&seen.params()["offset"], &seen.params()["text"]);
        let from = usize::try_from(offset.as_u64().expect("an offset")).expect("it fits");
        let part = part.as_str().expect("text");
        assert_eq!(words.get(from..from + part.len()), Some(part));
        assert_eq!(seen.params()["run"], run.as_str());
    }
    session.ignore(&["assist/delta"]);
    // The same events can be had again.
    let again = session.request("assist/events", json!({"runId": run})).await;
    assert_eq!(again["events"], Value::from(events));
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn the_instruction_can_stand_in_the_selection() {
    let text = HERO.replace("  return (\n", "  // assist: give it a toggle\n  return (\n");
    let desk = Desk::new(Wire::Anthropic, &[(FILE, &text)], hero());
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit"]);
    let uri = session.open_file(&desk, FILE);
    let selected =
        selected(Editor::VsCode).replace("  return (\n", "  // assist: give it a toggle\n  return (\n");
    let mut ask = session.about(&uri, &selected, "");
    ask.as_object_mut().expect("an object").remove("prompt");
    let run = session.ask(ask).await;
    session.ends(&run).await;
    assert_eq!(session.text(&uri), with_new_hero());
    assert!(desk.sim.requests()[0].last_user().starts_with("give it a toggle"));
    // Without one, the client is told to ask for it.
    let error =
        session.command("assist.ask", json!({"intent": "ask", "uri": uri})).await.expect_err("no prompt");
    assert_eq!(error["data"]["kind"], "prompt_needed");
    assert_eq!(session.leave().await, 0);
}

const MONEY: &str = "export const money = (cents: number) => (cents / 100).toFixed(2);\n";

fn money() -> Script {
    Script::always(Reply::text(answer("money", "src/lib/money.ts", MONEY)))
}

#[tokio::test]
async fn a_new_file_needs_a_yes() {
    for rich in [true, false] {
        for (button, created) in [("Apply", true), ("Skip", false)] {
            let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], money());
            let session = desk.editor(Options { rich, ..Options::default() }).await;
            session.ignore(&["$/progress", "assist/delta", "assist/event", "window/showMessage"]);
            let run = session.ask(json!({"intent": "ask", "prompt": "Add a money helper"})).await;
            let question = session.expect_question("Create src/lib/money.ts?").await;
            assert!(!desk.folder.has("src/lib"));
            assert_eq!(session.session(&run).await["status"], "awaiting_confirmation");
            if !rich {
                let card = session.expect_request("window/showDocument").await;
                assert!(card["params"]["uri"].as_str().is_some_and(|uri| uri.contains("/.assist/cards/")));
            }
            session.choose(&question, Choice::Press(button.into()));
            desk.store_when(&run, "done").await;
            assert_eq!(desk.folder.has("src/lib/money.ts"), created);
            assert_eq!(session.leave().await, 0);
        }
    }
}

#[tokio::test]
async fn a_question_that_was_closed_waits_and_can_be_answered_later() {
    for (answer, created) in [("assist.confirm", true), ("assist.decline", false), ("the action", true)] {
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], money());
        let session = desk.plain_sailing().await;
        session.when_asked("Create", Choice::Dismiss);
        let uri = session.open_file(&desk, FILE);
        let run = session.ask(json!({"intent": "ask", "prompt": "Add a money helper"})).await;
        session.expect_question("Create src/lib/money.ts?").await;
        assert_eq!(session.session(&run).await["status"], "awaiting_confirmation");
        assert!(!desk.folder.has("src/lib"));
        let (command, argument) = if answer == "the action" {
            let start = json!({"line": 0, "character": 0});
            let actions = actions(&session, &uri, &json!({"start": start, "end": start}), json!([])).await;
            argument(&actions, "Assist: Continue waiting run")
        } else {
            (answer.to_owned(), json!({"runId": run}))
        };
        assert_eq!(session.command(&command, argument).await, Ok(json!({"ok": true})));
        assert_eq!(session.ends(&run).await["state"], "done");
        assert_eq!(desk.folder.has("src/lib/money.ts"), created, "{answer}");
        let late = session.command("assist.confirm", json!({"runId": run})).await.expect_err("it is over");
        assert_eq!(late["data"]["kind"], "wrong_state");
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn an_edit_that_the_editor_refuses_is_not_called_applied() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    session.refuse_next_edit("the buffer is locked");
    let run = session.ask(session.about(&uri, selected(Editor::VsCode), "Go")).await;
    let end = session.ends(&run).await;
    assert_eq!((&end["state"], &end["changedFiles"]), (&"failed".into(), &json!([])));
    assert!(end["summary"].as_str().is_some_and(|why| why.contains("the buffer is locked")), "{end}");
    assert_eq!(session.text(&uri), HERO);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn preview_asks_before_every_change() {
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    let session = desk.editor(Options { settings: json!({"apply": "preview"}), ..Options::default() }).await;
    session.ignore(&["$/progress", "assist/delta", "workspace/applyEdit"]);
    let uri = session.open_file(&desk, FILE);
    session.when_asked("Apply Hero in src/Hero.tsx?", Choice::Press("Skip".into()));
    let run = session.ask(session.about(&uri, selected(Editor::VsCode), "Go")).await;
    session.ends(&run).await;
    session.expect_question("Apply Hero").await;
    assert_eq!(session.text(&uri), HERO);
    // The setting can be changed while the server runs.
    session.configure(json!({"apply": "direct"}));
    let run = session.ask(session.about(&uri, selected(Editor::VsCode), "Go")).await;
    session.ends(&run).await;
    assert_eq!(session.text(&uri), with_new_hero());
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn an_untrusted_workspace_is_read_only() {
    let script = Script::new([
        Rule::asked("What", Reply::text("A hero.")),
        Rule::always(Reply::text(answer("Hero", FILE, NEW_HERO))),
    ]);
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let session = desk.editor(Options { settings: json!({"trusted": false}), ..Options::default() }).await;
    session.ignore(&["$/progress", "assist/delta", "window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(json!({"intent": "ask", "prompt": "What is it?", "uri": uri})).await;
    assert_eq!(session.ends(&run).await["state"], "done");
    let run = session.ask(session.about(&uri, selected(Editor::VsCode), "Go")).await;
    let end = session.ends(&run).await;
    assert_eq!(session.text(&uri), HERO, "{end}");
    assert_eq!(end["changedFiles"], json!([]));
    assert!(!desk.folder.has(".assist"), "something was written into an untrusted workspace");
    assert_eq!(session.leave().await, 0);
}
