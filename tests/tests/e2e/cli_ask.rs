//! `assist ask`: a request from the terminal, and what becomes of the files.

use assist_simulator::{Reply, SENTINEL, Script, answer, component};

use crate::support::{
    Desk, HERO, HERO_LINES, NEW_FOOTER, NEW_HERO, Watch, Wire, with_new_footer, with_new_hero,
};

const FILE: &str = "src/Hero.tsx";

#[test]
fn a_selection_is_replaced_exactly_and_the_events_tell_it() {
    for wire in Wire::BOTH {
        let talk = "I will give the hero a proper toggle.\n\n";
        let script = Script::always(Reply::text(format!("{talk}{}", answer("Hero", FILE, NEW_HERO))));
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        let ask = ["ask", "Give it a toggle", "--file", FILE, "--lines", HERO_LINES, "--yes", "--json"];
        let ran = desk.run(&ask).exits(0);
        watch.saw_only(&[HERO, &with_new_hero()]);
        assert_eq!(ran.stderr, "");

        let events = ran.events();
        assert_eq!(events[0]["seq"], 1);
        let text: String = ran.of("text").iter().filter_map(|data| data["text"].as_str()).collect();
        assert_eq!(text.trim(), talk.trim());
        let verified = &ran.of("component_verified")[0];
        assert_eq!((&verified["component"], &verified["verdict"]), (&"Hero".into(), &"whole".into()));
        let applied = &ran.of("component_applied")[0];
        assert_eq!(applied["path"], FILE);
        assert_eq!(applied["lines"], serde_json::json!([7, 19]));
        let budget = &ran.of("budget")[0];
        assert!(budget["inputTokens"].as_u64() > Some(100) && budget["outputTokens"].as_u64() > Some(50));
        assert_eq!(budget["estimated"], false);
        let completed = &ran.of("completed")[0];
        assert_eq!(completed["state"], "done");
        assert_eq!(completed["changedFiles"], serde_json::json!([FILE]));
        assert_eq!(events.last().map(|event| &event["type"]), Some(&"completed".into()));

        let requests = desk.sim.requests();
        assert_eq!(requests.len(), 1);
        let asked = requests[0].last_user();
        assert!(asked.contains("Give it a toggle") && asked.contains(HERO), "{asked}");
        assert!(asked.contains("lines 7 to 16"), "{asked}");
    }
}

#[test]
fn for_people_the_answer_is_on_standard_output_and_the_rest_on_standard_error() {
    let talk = "The button becomes a toggle.";
    let script = Script::always(Reply::text(format!("{talk}\n\n{}", answer("Hero", FILE, NEW_HERO))));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let ran = desk.run(&["ask", "Give it a toggle", "--file", FILE, "--lines", HERO_LINES]).exits(0);
    assert_eq!(ran.stdout.trim(), talk);
    assert!(ran.stderr.contains("applied Hero in src/Hero.tsx (lines 7-19)"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "colours without a terminal: {:?}", ran.stderr);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
}

#[test]
fn without_a_selection_a_component_replaces_the_one_of_its_name() {
    for wire in Wire::BOTH {
        let script = Script::always(Reply::text(answer("Footer", FILE, NEW_FOOTER)));
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        desk.run(&["ask", "Show the year", "--file", FILE]).exits(0);
        assert_eq!(desk.folder.read(FILE), with_new_footer(HERO));
    }
}

#[test]
fn without_a_selection_a_new_component_is_added() {
    let code = "export function Badge() {\n  return <span>New</span>;\n}\n";
    let script = Script::always(Reply::text(answer("Badge", FILE, code)));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    desk.run(&["ask", "Add a badge", "--file", FILE]).exits(0);
    assert_eq!(desk.folder.read(FILE), format!("{HERO}\n{code}"));
}

#[test]
fn several_components_of_one_answer_are_all_applied() {
    for wire in Wire::BOTH {
        let text =
            component("Hero", FILE, NEW_HERO) + "\n" + &component("Footer", FILE, NEW_FOOTER) + SENTINEL;
        let desk = Desk::new(wire, &[(FILE, HERO)], Script::always(Reply::text(text)));
        let watch = Watch::over(&desk.folder, FILE);
        let ran = desk.run(&["ask", "Tidy both", "--file", FILE, "--json"]).exits(0);
        let (hero, both) = (with_new_hero(), with_new_footer(&with_new_hero()));
        watch.saw_only(&[HERO, &hero, &both]);
        assert_eq!(ran.of("component_applied").len(), 2);
    }
}

const MONEY: &str = "export const money = (cents: number) => (cents / 100).toFixed(2);\n";

#[test]
fn a_new_file_is_created_after_a_yes() {
    for wire in Wire::BOTH {
        let script = Script::always(Reply::text(answer("money", "src/lib/money.ts", MONEY)));
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let ran = desk.run(&["ask", "Add a money helper", "--yes", "--json"]).exits(0);
        assert_eq!(desk.folder.read("src/lib/money.ts"), MONEY);
        assert_eq!(desk.folder.read(FILE), HERO);
        let question = &ran.of("approval_requested")[0];
        assert_eq!(question["question"], "Create src/lib/money.ts?");
        assert!(question["detail"].as_str().is_some_and(|diff| diff.contains("+export const money")));
    }
}

#[test]
fn without_anyone_to_ask_no_new_file_is_created() {
    let script = Script::always(Reply::text(answer("money", "src/lib/money.ts", MONEY)));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let ran = desk.run(&["ask", "Add a money helper"]);
    assert!(!desk.folder.has("src/lib"), "the file was created all the same");
    assert!(ran.stderr.contains("run again with --yes"), "{}", ran.stderr);
    // What was asked for was not done.
    ran.exits(1);
}

#[test]
fn a_change_to_another_existing_file_needs_a_yes_too() {
    let other = "export const price = 1;\n";
    let changed = "export const price = 2;\n";
    let text =
        component("Footer", FILE, NEW_FOOTER) + &component("price", "src/price.ts", changed) + SENTINEL;
    let files = [(FILE, HERO), ("src/price.ts", other)];
    let desk = Desk::new(Wire::Anthropic, &files, Script::always(Reply::text(text)));
    desk.run(&["ask", "Raise the price", "--file", FILE]);
    assert_eq!(desk.folder.read("src/price.ts"), other);
    assert_eq!(desk.folder.read(FILE), with_new_footer(HERO));
    desk.folder.write(FILE, HERO);
    desk.run(&["ask", "Raise the price", "--file", FILE, "--yes"]).exits(0);
    assert_eq!(desk.folder.read("src/price.ts"), changed);
    assert_eq!(desk.folder.read(FILE), with_new_footer(HERO));
}

#[test]
fn an_explanation_is_printed_and_changes_nothing() {
    for wire in Wire::BOTH {
        let words = "It shows a *title* and, once opened, details.";
        let desk = Desk::new(wire, &[(FILE, HERO)], Script::always(Reply::text(words)));
        let ask = ["ask", "--intent", "explain", "--file", FILE, "--lines", HERO_LINES];
        let ran = desk.run(&ask).exits(0);
        assert_eq!(ran.stdout.trim(), words);
        assert_eq!(desk.folder.read(FILE), HERO);
        let system = desk.sim.requests()[0].asked.clone().expect("a model request").system;
        assert!(!system.contains("COMPONENT_START"), "{system}");
    }
}

#[test]
fn code_that_answers_an_explanation_is_not_applied() {
    let script = Script::always(Reply::text(answer("Hero", FILE, NEW_HERO).replace(" id=@@id@@", "")));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    desk.run(&["ask", "--intent", "explain", "--file", FILE]);
    assert_eq!(desk.folder.read(FILE), HERO);
}

#[test]
fn a_conversation_goes_on() {
    let script = Script::new([
        assist_simulator::Rule::asked("What is it?", Reply::text("A hero.")),
        assist_simulator::Rule::asked("And below?", Reply::text("A footer.")),
    ]);
    let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], script);
    desk.run(&["ask", "What is it?", "--file", FILE]).exits(0);
    let conversation = desk.sessions()[0]["conversation"].as_str().expect("an id").to_owned();
    let ran = desk.run(&["ask", "And below?", "--conversation", &conversation]).exits(0);
    assert_eq!(ran.stdout.trim(), "A footer.");
    let messages = desk.sim.requests()[1].asked.clone().expect("a model request").messages;
    let roles: Vec<&str> = messages.iter().map(|turn| turn.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert!(messages[0].text.contains("What is it?") && messages[1].text == "A hero.", "{messages:?}");
}

#[test]
fn answers_come_over_the_wire_in_any_pieces() {
    for wire in Wire::BOTH {
        for pieces in [1, 7] {
            let text = format!("Ünïcödé talk 🎉\n\n{}", answer("Hero", FILE, NEW_HERO));
            let script = Script::always(Reply::text(text).chunk_bytes(pieces).delta_chars(3));
            let desk = Desk::new(wire, &[(FILE, HERO)], script);
            let ran = desk.run(&["ask", "Go", "--file", FILE, "--lines", HERO_LINES]).exits(0);
            assert_eq!(desk.folder.read(FILE), with_new_hero());
            assert_eq!(ran.stdout.trim(), "Ünïcödé talk 🎉");
        }
    }
}

#[test]
fn two_commands_at_once_in_one_workspace_do_not_mix() {
    let script = Script::new([
        assist_simulator::Rule::about("Hero please", {
            Reply::text(answer("Hero", FILE, NEW_HERO)).stall(assist_simulator::Place::Line(6))
        }),
        assist_simulator::Rule::about("Footer please", {
            Reply::text(answer("Footer", FILE, NEW_FOOTER)).stall(assist_simulator::Place::Line(2))
        }),
    ]);
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let hero = desk.start(&["ask", "Hero please", "--file", FILE, "--lines", HERO_LINES]);
    let footer = desk.start(&["ask", "Footer please", "--file", FILE]);
    desk.sim.blocking_stalled(2);
    assert_eq!(desk.folder.read(FILE), HERO);
    desk.sim.release_stall();
    hero.end().exits(0);
    footer.end().exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_footer(&with_new_hero()));
    let sessions = desk.sessions();
    assert!(sessions.iter().all(|session| session["status"] == "done"), "{sessions:?}");
}
