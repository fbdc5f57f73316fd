//! A database that came with the folder: what it holds is not believed, and the way out is named.

use assist_simulator::{Manner, Place, Reply, SENTINEL, Script, component};

use assist_tests::client::{Choice, Options};
use serde_json::{Value, json};

use crate::support::{Desk, HERO, NEW_FOOTER, NEW_HERO, Wire, with_new_footer, with_new_hero};

const FILE: &str = "src/Hero.tsx";

#[test]
fn a_run_of_a_database_that_came_with_the_folder_goes_on_only_when_the_user_takes_it_over() {
    let text = component("Hero", FILE, NEW_HERO) + "\n" + &component("Footer", FILE, NEW_FOOTER) + SENTINEL;
    let script = Script::first_then(
        Reply::text(text.as_str()).stall(Place::After("getFullYear".into())),
        Reply::continuing(text.as_str(), Manner::Exact),
    );
    let mut desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let running = desk.start(&["ask", "Rework both", "--file", FILE, "--json"]);
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("getFullYear");
    running.kill();
    desk.run(&["sessions"]).exits(0);
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    desk.store(async |_| ());
    let database = desk.folder.bytes(".assist/assist.db");

    // The same folder, as somebody else has it.
    let own = desk.variables()["HOME"].clone();
    desk.set("HOME", desk.folder.beside("another-home").display().to_string());
    let listed = desk.run(&["sessions", "--json"]).exits(0);
    assert!(listed.stderr.contains("was not made by you"), "{}", listed.stderr);
    assert!(listed.stderr.contains("run `assist adopt`"), "{}", listed.stderr);
    assert!(!listed.stdout.contains(&run), "{}", listed.stdout);
    for args in [["resume", &run], ["confirm", &run], ["show", &run], ["undo", &run]] {
        let ran = desk.run(&args);
        assert!(matches!(ran.status.code(), Some(1 | 2)), "{args:?}: {ran:?}");
    }
    for args in [&["memory", "add", "Style", "Plain"][..], &["snapshot", "create"]] {
        let ran = desk.run(args).exits(1);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("could not be kept"), "{args:?}: {ran:?}");
    }
    let looked = desk.run(&["doctor"]);
    assert!(looked.stdout.contains("was not made by you"), "{}", looked.stdout);
    assert_eq!(desk.sim.requests().iter().filter(|request| request.asked.is_some()).count(), 1);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert!(desk.folder.bytes(".assist/assist.db") == database, "it was changed");

    let adopted = desk.run(&["adopt"]).exits(0);
    assert!(adopted.stdout.contains("is yours from now on"), "{}", adopted.stdout);
    let resumed = desk.run(&["resume", &run, "--json"]).exits(0);
    assert!(!resumed.stderr.contains("was not made by you"), "{}", resumed.stderr);
    assert_eq!(desk.folder.read(FILE), with_new_footer(&with_new_hero()));

    // It stays its maker's, too.
    desk.set("HOME", own);
    let listed = desk.run(&["sessions", "--json"]).exits(0);
    assert!(listed.stdout.contains(&run) && listed.stderr.is_empty(), "{}", listed.stderr);
    assert!(desk.run(&["adopt"]).exits(0).stdout.contains("was yours already"));
}

/// A desk with a database of a run that somebody else made, and that run.
fn somebodys() -> (Desk, String) {
    let text = component("Hero", FILE, NEW_HERO) + SENTINEL;
    let mut desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], Script::always(Reply::text(text)));
    let run = desk.run(&["ask", "Rework it", "--file", FILE, "--json"]).exits(0).run();
    desk.set("HOME", desk.folder.beside("another-home").display().to_string());
    (desk, run)
}

fn listed(sessions: &Value) -> Vec<&str> {
    let rows = sessions["sessions"].as_array().expect("a list");
    rows.iter().filter_map(|row| row["runId"].as_str()).collect()
}

#[tokio::test]
async fn an_editor_offers_to_take_it_over_and_the_workspace_goes_on_with_it() {
    for rich in [true, false] {
        let (desk, run) = somebodys();
        let session = desk.editor(Options { rich, ..Options::default() }).await;
        session.ignore(&["$/progress", "assist/runs"]);
        let offer = session.expect_question("was not made by you").await;
        let buttons: Vec<_> = offer["params"]["actions"]
            .as_array()
            .expect("buttons")
            .iter()
            .map(|b| b["title"].clone())
            .collect();
        assert_eq!(buttons, ["Adopt", "Not now"]);
        let sessions = session.request("assist/sessions", json!({})).await;
        assert!(listed(&sessions).is_empty(), "it is used: {sessions}");
        session.choose(&offer, Choice::Press("Adopt".to_owned()));
        session.expect_message("is yours from now on").await;
        let sessions = session.request("assist/sessions", json!({})).await;
        assert_eq!(listed(&sessions), [run.as_str()]);
        assert_eq!(session.leave().await, 0);
        assert!(desk.run(&["adopt"]).exits(0).stdout.contains("was yours already"));
    }
}

#[tokio::test]
async fn the_command_takes_it_over_and_a_no_does_not() {
    let (desk, run) = somebodys();
    let database = desk.folder.bytes(".assist/assist.db");
    let session = desk.editor(Options::default()).await;
    session.ignore(&["$/progress", "assist/runs", "assist/delta", "assist/event"]);
    let offer = session.expect_question("was not made by you").await;
    session.choose(&offer, Choice::Press("Not now".to_owned()));
    session.request("assist/sessions", json!({})).await;
    assert!(desk.folder.bytes(".assist/assist.db") == database, "a no took it over");

    assert_eq!(session.command("assist.adopt", json!({})).await, Ok(json!({"ok": true})));
    session.expect_message("is yours from now on").await;
    let sessions = session.request("assist/sessions", json!({})).await;
    assert_eq!(listed(&sessions), [run.as_str()]);
    assert_eq!(session.command("assist.adopt", json!({})).await, Ok(json!({"ok": true})));
    session.expect_message("was yours already").await;
    assert_eq!(session.leave().await, 0);
}
