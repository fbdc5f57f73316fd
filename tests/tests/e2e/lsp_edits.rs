//! Runs meet a user who goes on typing, answers that break off, and each other.

use assist_simulator::{Ending, Manner, Place, Reply, Rule, SENTINEL, Script, answer};
use assist_tests::client::Options;
use serde_json::json;

use crate::editor::editors;
use crate::support::{Desk, HERO, NEW_FOOTER, NEW_HERO, Wire, with_new_footer, with_new_hero};

const FILE: &str = "src/Hero.tsx";

/// `Hero` in [`HERO`].
fn selected() -> &'static str {
    let start = HERO.find("export function Hero(").expect("it is there");
    let end = HERO.find("\nexport function Footer").expect("it is there");
    &HERO[start..end]
}

#[tokio::test]
async fn however_an_answer_is_cut_the_document_goes_from_whole_to_whole() {
    let text = answer("Hero", FILE, NEW_HERO);
    let code = Place::After("<button type".into());
    let mark = Place::Before("/// COMPONENT_END".into());
    let sentinel = Place::Before(SENTINEL.into());
    // Everything else about cuts is held by the tests of the command line, which goes the same way.
    let cuts = [
        (Wire::Anthropic, &code, Ending::LengthStop),
        (Wire::Anthropic, &code, Ending::CleanEnd),
        (Wire::Anthropic, &code, Ending::UnfinishedBody),
        (Wire::Anthropic, &code, Ending::Reset),
        (Wire::Anthropic, &code, Ending::FalseStop),
        (Wire::Anthropic, &mark, Ending::CleanEnd),
        (Wire::Anthropic, &sentinel, Ending::FalseStop),
        (Wire::OpenAi, &code, Ending::LengthStop),
        (Wire::OpenAi, &mark, Ending::FalseStop),
        (Wire::OpenAi, &sentinel, Ending::CleanEnd),
    ];
    for (wire, place, ending) in cuts {
        let script = Script::first_then(
            Reply::text(text.as_str()).cut(place.clone(), ending),
            Reply::continuing(text.as_str(), Manner::Exact),
        );
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let session = desk.plain_sailing().await;
        session.ignore(&["workspace/applyEdit"]);
        let uri = session.open_file(&desk, FILE);
        let run = session.ask(session.about(&uri, selected(), "Go")).await;
        let end = session.ends(&run).await;
        assert_eq!(end["state"], "done", "{wire:?} {place:?} {ending:?}: {end}");
        assert_eq!(session.text(&uri), with_new_hero());
        assert_eq!(session.document(&uri).history, [HERO], "one step, from whole to whole");
        assert_eq!(desk.sim.requests().len(), 2);
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn what_cannot_be_continued_is_not_applied_and_told_in_one_sentence() {
    let text = answer("Hero", FILE, NEW_HERO);
    for rich in [true, false] {
        let cut = Reply::text(text.as_str()).cut(Place::After("<button type".into()), Ending::LengthStop);
        let script = Script::new([
            Rule::always(cut.clone()).times(1),
            Rule::asked("could not be joined", cut),
            Rule::always(Reply::continuing(text.as_str(), Manner::Reworded)),
        ]);
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
        let session = desk.editor(Options { rich, ..Options::default() }).await;
        session.ignore(&["$/progress", "assist/delta", "assist/event"]);
        let uri = session.open_file(&desk, FILE);
        let run = session.ask(session.about(&uri, selected(), "Go")).await;
        let said = session.expect_message("Hero broke off").await;
        assert!(said.contains("as it was") && !said.contains('\n'), "{said}");
        assert_eq!(session.text(&uri), HERO);
        assert_eq!(session.document(&uri).version, 1);
        let [(part, partial)] = &desk.kept(&run)[..] else { panic!("one message is kept") };
        assert!(*partial && part.ends_with("<button type"), "{part}");
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn the_user_types_elsewhere_while_the_model_writes() {
    for (name, editor, encodings) in editors() {
        let script =
            Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)).stall(Place::After("<button".into())));
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
        let session = desk.editor(Options { editor, encodings, ..Options::default() }).await;
        session.ignore(&["$/progress", "assist/delta", "workspace/applyEdit"]);
        let uri = session.open_file(&desk, FILE);
        let run = session.ask(session.about(&uri, selected(), "Go")).await;
        desk.sim.stalled(1).await;
        session.replace(&uri, "import { useState }", "// mine 🎉\nimport { useState }");
        session.replace(&uri, "Shop", "My shop");
        desk.sim.release_stall();
        let end = session.ends(&run).await;
        assert_eq!(end["state"], "done", "{name}: {end}");
        let expected = format!("// mine 🎉\n{}", with_new_hero().replace("Shop", "My shop"));
        assert_eq!(session.text(&uri), expected, "{name}");
        assert_eq!(desk.sim.requests().len(), 1);
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn the_user_types_in_the_moment_of_the_edit() {
    // Neovim drops the stale edit and calls it applied; the others refuse it. The run notices either way.
    for (name, editor, encodings) in editors() {
        let desk = Desk::new(
            Wire::Anthropic,
            &[(FILE, HERO)],
            Script::always(Reply::text(answer("Hero", FILE, NEW_HERO))),
        );
        let session = desk.editor(Options { editor, encodings, ..Options::default() }).await;
        session.ignore(&["$/progress", "assist/delta"]);
        let uri = session.open_file(&desk, FILE);
        let typed = uri.clone();
        session.before_next_edit(move |hands| hands.replace(&typed, "Shop", "My shop"));
        let run = session.ask(session.about(&uri, selected(), "Go")).await;
        let end = session.ends(&run).await;
        assert_eq!(end["state"], "done", "{name}: {end}");
        assert_eq!(session.text(&uri), with_new_hero().replace("Shop", "My shop"), "{name}");
        let first = session.expect_edit(&uri).await;
        let second = session.expect_edit(&uri).await;
        let version = |edit: &assist_tests::client::Seen| {
            edit.params()["edit"]["documentChanges"][0]["textDocument"]["version"].clone()
        };
        assert_eq!((version(&first), version(&second)), (json!(1), json!(2)), "{name}");
        assert_eq!(desk.sim.requests().len(), 1, "the model is not asked again");
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn what_the_user_types_into_the_selection_is_never_overwritten() {
    for (name, editor, encodings) in editors() {
        let mine = NEW_HERO.replace("Details of the", "My details of the");
        let script = Script::new([
            Rule::about("My details", Reply::text(answer("Hero", FILE, &mine))),
            Rule::always(Reply::text(answer("Hero", FILE, NEW_HERO)).stall(Place::After("<button".into())))
                .times(1),
        ]);
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
        let session = desk.editor(Options { editor, encodings, ..Options::default() }).await;
        session.ignore(&["$/progress", "assist/delta", "workspace/applyEdit"]);
        let uri = session.open_file(&desk, FILE);
        let run = session.ask(session.about(&uri, selected(), "Go")).await;
        desk.sim.stalled(1).await;
        session.replace(&uri, "<p>Details</p>", "<p>My details</p>");
        // Neovim reports it with the next request at the latest.
        session.unread_after_roundtrip().await;
        desk.sim.release_stall();
        let end = session.ends(&run).await;
        assert_eq!(end["state"], "done", "{name}: {end}");
        assert_eq!(session.text(&uri), with_new_hero().replace(NEW_HERO, &mine), "{name}");
        let requests = desk.sim.requests();
        assert_eq!(requests.len(), 2, "{name}");
        assert!(requests[1].last_user().contains("<p>My details</p>"), "{}", requests[1].last_user());
        // Two steps: the user's, and the run's.
        assert_eq!(session.document(&uri).history.len(), 2);
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn a_user_who_keeps_typing_there_is_left_alone() {
    let script =
        Script::always(Reply::text(answer("Hero", FILE, NEW_HERO)).stall(Place::After("<button".into())));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let session = desk.plain_sailing().await;
    session.ignore(&["window/showMessage"]);
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(session.about(&uri, selected(), "Go")).await;
    let mut words = "Details".to_owned();
    for attempt in 1..=3 {
        desk.sim.stalled(attempt).await;
        let more = format!("{words} and more");
        session.replace(&uri, &format!("<p>{words}</p>"), &format!("<p>{more}</p>"));
        session.unread_after_roundtrip().await;
        words = more;
        desk.sim.release_stall();
    }
    let end = session.ends(&run).await;
    assert_eq!(end["state"], "failed");
    assert!(
        end["summary"].as_str().is_some_and(|why| why.contains("nothing of yours was overwritten")),
        "{end}"
    );
    assert_eq!(session.text(&uri), HERO.replace("Details", &words));
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn two_runs_at_once_on_one_file_do_not_mix() {
    for (name, editor, encodings) in editors() {
        let script = Script::new([
            Rule::about("Hero please", Reply::text(answer("Hero", FILE, NEW_HERO)).stall(Place::Line(6))),
            Rule::about(
                "Footer please",
                Reply::text(answer("Footer", FILE, NEW_FOOTER)).stall(Place::Line(3)),
            ),
        ]);
        let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], script);
        let session = desk.editor(Options { editor, encodings, ..Options::default() }).await;
        session.ignore(&["$/progress", "assist/delta", "workspace/applyEdit"]);
        let uri = session.open_file(&desk, FILE);
        let hero = session.ask(session.about(&uri, selected(), "Hero please")).await;
        let start = HERO.find("export function Footer").expect("it is there");
        let footer = session.ask(session.about(&uri, &HERO[start..], "Footer please")).await;
        desk.sim.stalled(2).await;
        desk.sim.release_stall();
        assert_eq!(session.ends(&hero).await["state"], "done", "{name}");
        assert_eq!(session.ends(&footer).await["state"], "done", "{name}");
        assert_eq!(session.text(&uri), with_new_footer(&with_new_hero()), "{name}");

        // Each can be taken back alone.
        assert_eq!(session.command("assist.undo", json!({"runId": hero})).await, Ok(json!({"ok": true})));
        session.text_becomes(&uri, &with_new_footer(HERO)).await;
        session.ignore(&["window/showMessage"]);
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn undo_keeps_what_was_typed_since() {
    for (name, editor, encodings) in editors() {
        let desk = Desk::new(
            Wire::Anthropic,
            &[(FILE, HERO)],
            Script::always(Reply::text(answer("Hero", FILE, NEW_HERO))),
        );
        let session = desk.editor(Options { editor, encodings, ..Options::default() }).await;
        session.ignore(&["$/progress", "assist/delta", "workspace/applyEdit", "window/showMessage"]);
        let uri = session.open_file(&desk, FILE);
        let run = session.ask(session.about(&uri, selected(), "Go")).await;
        session.ends(&run).await;
        session.replace(&uri, "Shop", "My shop");
        assert_eq!(session.command("assist.undo", json!({})).await, Ok(json!({"ok": true})), "{name}");
        session.text_becomes(&uri, &HERO.replace("Shop", "My shop")).await;
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn undo_leaves_a_place_alone_that_was_edited_since() {
    let desk = Desk::new(
        Wire::Anthropic,
        &[(FILE, HERO)],
        Script::always(Reply::text(answer("Hero", FILE, NEW_HERO))),
    );
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit"]);
    let uri = session.open_file(&desk, FILE);
    let run = session.ask(session.about(&uri, selected(), "Go")).await;
    session.ends(&run).await;
    session.replace(&uri, "(now) => !now", "!open");
    let edited = session.text(&uri);
    session.command("assist.undo", json!({"runId": run})).await.ok();
    session.expect_message("edited in the same places").await;
    assert_eq!(session.text(&uri), edited);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn a_file_that_was_saved_is_saved_again_and_one_that_was_not_never() {
    let text = answer("Hero", FILE, NEW_HERO);
    for dirty in [false, true] {
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::always(Reply::text(text.as_str())));
        let session = desk.plain_sailing().await;
        session.ignore(&["workspace/applyEdit"]);
        session.ignore(&["window/showMessage"]);
        session.heed(&["assist/save"]);
        let uri = session.open_file(&desk, FILE);
        if dirty {
            session.replace(&uri, "export function Footer", "// mine\nexport function Footer");
        }
        let run = session.ask(session.about(&uri, selected(), "Go")).await;
        assert_eq!(session.ends(&run).await["state"], "done");
        if dirty {
            assert!(session.text(&uri).contains("// mine"));
            let unread = session.unread_after_roundtrip().await;
            assert!(unread.iter().all(|seen| seen.method() != "assist/save"), "{unread:?}");
        } else {
            let save = session.expect_request("assist/save").await;
            assert_eq!(save["params"]["uri"], uri.as_str());
            assert_eq!(desk.folder.read(FILE), with_new_hero());
            session.command("assist.undo", json!({ "runId": run })).await.expect("it can be undone");
            session.expect_request("assist/save").await;
            assert_eq!(desk.folder.read(FILE), HERO, "undone in the file, too");
        }
        assert_eq!(session.leave().await, 0);
        assert_eq!(desk.folder.read(FILE), HERO, "undone, or never saved");
    }
}
