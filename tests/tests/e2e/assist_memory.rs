//! What Assist remembers: drawn from talks, shown, used later, contradicted, followed up, forgotten.

use assist_simulator::{Match, Reply, Rule, Script};
use assist_store::{Category, MemoryFilter};
use serde_json::{Value, json};

use crate::support::{Desk, Wire};

const FILES: [(&str, &str); 1] = [("README.md", "A shop.\n")];

fn drawing(reply: Reply) -> Rule {
    Rule::when(Match { system: Some("worth remembering".into()), ..Match::default() }, reply)
}

fn drawing_from(words: &str, reply: Reply) -> Rule {
    let when =
        Match { system: Some("worth remembering".into()), last_user: Some(words.into()), ..Match::default() };
    Rule::when(when, reply)
}

fn note(category: &str, key: &str, value: &str) -> Value {
    json!({ "category": category, "key": key, "value": value, "contradicts": "" })
}

fn notes(notes: &[Value]) -> Reply {
    Reply::text(json!({ "memories": notes }).to_string())
}

/// The system prompt of the newest request of a talk.
fn known(desk: &Desk) -> String {
    let requests = desk.sim.requests();
    let mut talks = requests.iter().filter_map(|request| request.asked.as_ref());
    talks.rfind(|asked| asked.system.contains("## How you work")).expect("a talk").system.clone()
}

fn drawn(desk: &Desk) -> usize {
    let requests = desk.sim.requests();
    let asked = requests.iter().filter_map(|request| request.asked.as_ref());
    asked.filter(|asked| asked.system.contains("worth remembering")).count()
}

#[test]
fn what_was_decided_in_one_conversation_is_known_in_the_next() {
    for wire in Wire::BOTH {
        let decision = note("decision", "social login", "No social login for now: too complex.");
        let script = Script::new([
            drawing_from("I decided against", notes(&[decision])),
            drawing(notes(&[])),
            Rule::always(Reply::text("Noted.")),
        ]);
        let desk = Desk::new(wire, &FILES, script);
        let first =
            desk.run(&["ask", "I decided against social login, it is too complex", "--json"]).exits(0);
        let shown = &first.of("memory")[0];
        assert_eq!((&shown["change"], &shown["key"]), (&"remembered".into(), &"social login".into()));
        assert!(!first.of("memory")[0]["memoryId"].as_str().expect("an id").is_empty());

        let second = desk.run(&["ask", "Should people log in with social accounts?", "--json"]).exits(0);
        let system = known(&desk);
        assert!(system.contains("decision: social login: No social login for now: too complex."), "{system}");
        assert_eq!(second.of("memory")[0]["change"], "used");
        assert_ne!(desk.sessions()[0]["conversation"], desk.sessions()[1]["conversation"]);

        // With its source, and with where it was used.
        let (first, second) = (first.run(), second.run());
        let (history, used) = desk.store(async |store| {
            let all = store
                .memory()
                .list(MemoryFilter::default(), assist_base::Timestamp(0))
                .await
                .expect("memories");
            let used = store.memory().used_by(second.parse().expect("an id")).await.expect("uses");
            (store.memory().history(all[0].id).await.expect("its history"), used)
        });
        assert_eq!(history[0].source.run.map(|run| run.to_string()), Some(first));
        assert_eq!(used.len(), 1);
        assert!(used[0].message.is_some());
    }
}

#[test]
fn for_people_it_is_one_line_with_the_way_back() {
    let script = Script::new([
        drawing(notes(&[note("preference", "speed", "Fast over perfect.")])),
        Rule::always(Reply::text("Fine.")),
    ]);
    let desk = Desk::new(Wire::Anthropic, &FILES, script);
    let ran = desk.run(&["ask", "I like it fast, not perfect"]).exits(0);
    assert!(ran.stderr.contains("remembered: speed: Fast over perfect."), "{}", ran.stderr);
    assert!(ran.stderr.contains("assist memory forget "), "{}", ran.stderr);
    // How the user likes things counts whatever is asked.
    desk.run(&["ask", "What does the README hold?"]).exits(0);
    assert!(known(&desk).contains("preference: speed: Fast over perfect."));
}

#[test]
fn what_assist_remembers_by_itself_is_not_drawn_again() {
    let remember = note("context", "users", "Founders without a technical background.");
    let mut arguments = remember;
    arguments.as_object_mut().expect("an object").remove("contradicts");
    let script = Script::new([
        Rule::asked("Remembered as", Reply::text("Good to know.")),
        Rule::always(Reply::text("").tool("remember", &arguments.to_string())),
    ]);
    let desk = Desk::new(Wire::OpenAi, &FILES, script);
    let ran = desk.run(&["ask", "Our users are founders, not engineers", "--json"]).exits(0);
    assert_eq!(ran.of("memory")[0]["category"], "context");
    assert_eq!(drawn(&desk), 0);
}

#[test]
fn what_no_longer_holds_is_contradicted_and_left_out() {
    let contradict = Reply::from_request(|asked| {
        let text = asked.last_user();
        let id = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(id, _)| id);
        json!({ "memories": [{
            "category": "decision", "key": "trial length", "value": "The trial has 30 days.", "contradicts": id,
        }] })
        .to_string()
    });
    let script = Script::new([
        drawing_from("Make the trial 14 days", {
            notes(&[note("decision", "trial length", "The trial has 14 days.")])
        }),
        drawing_from("Now make the trial 30 days", contradict),
        drawing(notes(&[])),
        Rule::always(Reply::text("Fine.")),
    ]);
    let desk = Desk::new(Wire::Anthropic, &FILES, script);
    desk.run(&["ask", "Make the trial 14 days"]).exits(0);
    let ran = desk.run(&["ask", "Now make the trial 30 days", "--json"]).exits(0);
    let shown = ran.of("memory").pop().expect("something is remembered");
    assert_eq!(shown["replaces"], "The trial has 14 days.", "{shown}");
    desk.run(&["ask", "How long is the trial?"]).exits(0);
    let system = known(&desk);
    assert!(
        system.contains("The trial has 30 days.") && !system.contains("The trial has 14 days."),
        "{system}"
    );
}

#[test]
fn an_open_question_is_taken_up_in_the_next_conversation() {
    let script = Script::new([
        drawing_from("Why do phones convert so badly", {
            notes(&[note("open", "mobile conversion", "Why so few buy on phones is not known.")])
        }),
        drawing(notes(&[])),
        Rule::always(Reply::text("I do not know yet.")),
    ]);
    let desk = Desk::new(Wire::Anthropic, &FILES, script);
    desk.run(&["ask", "Why do phones convert so badly?"]).exits(0);
    desk.run(&["ask", "What should I build next?"]).exits(0);
    let system = known(&desk);
    let open = system.split("## Open questions from before").nth(1).expect("open questions");
    assert!(open.contains("mobile conversion: Why so few buy on phones is not known."), "{open}");
    assert!(open.contains("Last time"));
    // Within the conversation it is not brought up again.
    desk.run(&["ask", "And after that, please?", "--continue"]).exits(0);
    assert!(!known(&desk).contains("## Open questions from before"));
}

#[test]
fn a_model_that_notes_nonsense_changes_nothing() {
    for reply in [
        Reply::text("I remember everything!"),
        Reply::text("{\"memories\": 7}"),
        notes(&[note("gossip", "a", "b"), note("open", "", "")]),
        Reply::error(assist_simulator::Failure::RateLimited(None)),
    ] {
        let script = Script::new([drawing(reply), Rule::always(Reply::text("Fine."))]);
        let desk = Desk::new(Wire::Anthropic, &FILES, script);
        let ran = desk.run(&["ask", "I like it fast, not perfect", "--json"]).exits(0);
        assert!(ran.of("memory").is_empty(), "{}", ran.stdout);
        assert_eq!(ran.of("completed")[0]["state"], "done");
    }
}

#[test]
fn who_does_not_want_it_pays_nothing() {
    let script = Script::always(Reply::text("Fine."));
    let desk = Desk::new(Wire::Anthropic, &[("assist.toml", "remember = false\n")], script);
    desk.run(&["ask", "I like it fast, not perfect"]).exits(0);
    assert_eq!(drawn(&desk), 0);
    // A word or two hold nothing either.
    let desk = Desk::new(Wire::Anthropic, &FILES, Script::always(Reply::text("Fine.")));
    desk.run(&["ask", "Hello there"]).exits(0);
    assert_eq!(drawn(&desk), 0);
}

#[tokio::test]
async fn in_the_editor_what_was_remembered_is_forgotten_again() {
    let script = Script::new([
        drawing(notes(&[note("preference", "speed", "Fast over perfect.")])),
        Rule::always(Reply::text("Fine.")),
    ]);
    let desk = Desk::new(Wire::Anthropic, &FILES, script);
    let session = desk.plain_sailing().await;
    let run = session.ask(json!({"intent": "ask", "prompt": "I like it fast, not perfect"})).await;
    let events = session.expect_run(&run).await;
    let memory = events.iter().find(|event| event["type"] == "memory").expect("it is shown")["data"].clone();
    let forget = json!({ "memoryId": memory["memoryId"] });
    assert_eq!(session.command("assist.forget", forget.clone()).await, Ok(json!({"ok": true})));
    let left = desk.store(async |store| {
        let all = MemoryFilter { categories: vec![Category::Preference], ..MemoryFilter::default() };
        store.memory().list(all, assist_base::Timestamp(0)).await.expect("memories")
    });
    assert!(left.is_empty());
    let again = session.command("assist.forget", forget).await.expect_err("it is gone");
    assert_eq!(again["data"]["kind"], "not_found");
    assert_eq!(session.leave().await, 0);
}
