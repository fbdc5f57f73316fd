//! Answers that their model spoils: refused, out of room, or without end, at the start and in the middle, in every way of
//! asking. One sentence says what to do, what was whole stays, and the run goes on when the next answer is good.

use assist_simulator::{
    Failure, Manner, Match, Place, Reply, Rule, SENTINEL, Script, Stop, ToolUse, answer, component,
};
use serde_json::{Value, json};

use crate::assist_plan::{FILES, assist, in_system};
use crate::support::{
    Desk, HERO, HERO_LINES, NEW_FOOTER, NEW_HERO, Ran, Wire, with_new_footer, with_new_hero,
};

const FILE: &str = "src/Hero.tsx";
const EDIT: [&str; 7] = ["ask", "Go", "--file", FILE, "--lines", HERO_LINES, "--json"];

const REFUSED: &str = "by its content rules";
const FULL: &str = "ran out of room in the middle of its answer";
const ENDLESS: &str = "did not keep to the limit of 8192 tokens";

/// How a model spoils an answer that begins so, with what the user reads. Only Anthropic says that the context was full.
fn faults(wire: Wire, beginning: &str) -> Vec<(Reply, &'static str)> {
    let endless =
        Reply { delta_chars: Some(64), ..Reply::text(beginning.to_owned() + &"and so on ".repeat(60_000)) };
    let mut faults = vec![
        (Reply::text("").stop(Stop::Filter), REFUSED),
        (Reply::text(beginning).stop(Stop::Filter), REFUSED),
        (endless.stall(Place::FromEnd(1)), ENDLESS),
    ];
    let arguments = format!("{{\"path\":\"{}", "src/".repeat(100_000));
    let tool = ToolUse { name: "read_file".into(), arguments, fragment_chars: Some(1024) };
    faults.push((Reply { tools: vec![tool], ..Reply::text(beginning) }.stall_in_tools(), ENDLESS));
    if wire == Wire::Anthropic {
        faults.push((Reply::text(beginning).stop(Stop::Context), FULL));
    }
    faults
}

fn once(reply: Reply) -> Rule {
    Rule::always(reply).times(1)
}

/// Checks that a command has let its run rest after one sentence; the run.
#[track_caller]
fn rests(desk: &Desk, ran: Ran, says: &str) -> String {
    let ran = ran.exits(1).says(&[says]);
    if [REFUSED, FULL, ENDLESS].contains(&says) {
        let way_out = if says == ENDLESS { "choose another model" } else { "resume" };
        assert!(ran.stderr.contains('/') && ran.stderr.contains(way_out), "{}", ran.stderr);
    }
    let session = desk.sessions().remove(0);
    assert_eq!((&session["status"], &session["reason"]), (&json!("paused"), &json!("user")), "{session}");
    session["run"].as_str().expect("a run's id").to_owned()
}

/// How often a question with these words stood last in what the model was asked.
fn times(desk: &Desk, words: &str) -> usize {
    let requests = desk.sim.requests();
    let asked = requests.iter().filter_map(|request| request.asked.as_ref());
    asked.filter(|asked| asked.last_user().contains(words)).count()
}

/// What the events of a run told as the answer, in the message that was told last.
fn told(ran: &Ran) -> String {
    let texts: Vec<Value> = ran.of("text");
    let last = texts.last().map(|text| text["messageId"].clone()).unwrap_or_default();
    texts.iter().filter(|text| text["messageId"] == last).filter_map(|text| text["text"].as_str()).collect()
}

#[test]
fn an_edit_rests_and_is_asked_for_anew_when_it_is_resumed() {
    let beginning = component("Hero", FILE, NEW_HERO);
    let beginning = &beginning[..beginning.len() / 2];
    let words = "I begin with the heading.\n";
    let good = format!("Here you are:\n{}", answer("Hero", FILE, NEW_HERO));
    for wire in Wire::BOTH {
        for (fault, says) in faults(wire, &format!("{words}{beginning}")) {
            // The fault comes twice: the run rests twice, and is not in a circle.
            let rules = [Rule::always(fault).times(2), Rule::always(Reply::text(good.as_str()))];
            let desk = Desk::new(wire, &[(FILE, HERO)], Script::new(rules));
            let run = rests(&desk, desk.run(&EDIT), says);
            assert_eq!(desk.sim.requests().len(), 1, "{says}");
            let again = rests(&desk, desk.run(&["resume", &run, "--json"]), says);
            assert_eq!((again, desk.sim.requests().len()), (run.clone(), 2), "{says}");
            assert_eq!(desk.folder.read(FILE), HERO);
            let ran = desk.run(&["resume", &run, "--json"]).exits(0);
            assert_eq!(desk.folder.read(FILE), with_new_hero());
            assert_eq!(told(&ran).trim(), "Here you are:", "{says}");
            // Each time the very question, and nothing of what was spoilt.
            let requests = desk.sim.requests();
            assert_eq!(requests.len(), 3, "{says}");
            let asked: Vec<_> = requests.iter().filter_map(|request| request.asked.as_ref()).collect();
            for later in &asked[1..] {
                assert_eq!(later.last_user(), asked[0].last_user(), "{says}");
                assert_eq!(later.messages.len(), asked[0].messages.len(), "{says}");
            }
            // The conversation holds the good answer alone.
            let kept: Vec<_> = desk.kept(&run).into_iter().filter(|(text, _)| !text.is_empty()).collect();
            assert!(kept.len() == 1 && kept[0].0.contains("Here you are:") && !kept[0].1, "{kept:?}");
        }
    }
}

#[test]
fn what_was_whole_stays_and_only_the_rest_is_asked_for() {
    let text =
        format!("{}\n{}{SENTINEL}", component("Hero", FILE, NEW_HERO), component("Footer", FILE, NEW_FOOTER));
    let cut = text.find("getFullYear").expect("the footer is there");
    for wire in Wire::BOTH {
        for (fault, says) in faults(wire, &text[..cut]).into_iter().skip(1) {
            let rest = Reply::continuing(text.as_str(), Manner::Exact);
            let desk = Desk::new(wire, &[(FILE, HERO)], Script::first_then(fault, rest));
            let run = rests(&desk, desk.run(&["ask", "Rework both", "--file", FILE, "--json"]), says);
            assert_eq!(desk.folder.read(FILE), with_new_hero(), "{says}");
            let ran = desk.run(&["resume", &run, "--json"]).exits(0);
            assert_eq!(desk.folder.read(FILE), with_new_footer(&with_new_hero()), "{says}");
            assert_eq!(ran.of("component_applied").len(), 1, "{}", ran.stdout);
            assert_eq!(ran.of("truncated")[0]["cause"], "the run had rested there", "{}", ran.stdout);
            assert_eq!(desk.sim.requests().len(), 2, "{says}");
        }
    }
}

#[test]
fn a_continuation_that_is_spoilt_is_asked_for_anew() {
    let text = answer("Hero", FILE, NEW_HERO);
    let cut = Reply::text(text.as_str())
        .cut(Place::After("useState(true)".into()), assist_simulator::Ending::LengthStop);
    let refuses = Reply::text("I cannot go on with this.").stop(Stop::Filter);
    let breaks_off = Reply::continuing(text.as_str(), Manner::Exact).stop(Stop::Filter);
    let breaks_off = Reply { cut: None, ..breaks_off };
    for (fault, says) in
        [(refuses, REFUSED), (Reply::text("").stop(Stop::Filter), REFUSED), (breaks_off, REFUSED)]
    {
        let whole = fault.continue_of.is_some();
        let rest = Rule::always(Reply::continuing(text.as_str(), Manner::Exact));
        let rules = [once(cut.clone()), once(fault), rest];
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::new(rules));
        let ran = desk.run(&EDIT);
        if whole {
            // It had its end mark: nothing of it is lacking, whatever the model says of itself.
            ran.exits(0);
            assert_eq!(desk.sim.requests().len(), 2);
        } else {
            let run = rests(&desk, ran, says);
            assert_eq!(desk.folder.read(FILE), HERO);
            desk.run(&["resume", &run, "--json"]).exits(0);
            assert_eq!(desk.sim.requests().len(), 3);
        }
        assert_eq!(desk.folder.read(FILE), with_new_hero());
    }
}

/// The user's talk with Assist; nothing is worth remembering.
fn talk(rules: impl IntoIterator<Item = Rule>) -> Script {
    Script::new(
        std::iter::once(in_system("worth remembering", Reply::text("{\"memories\": []}"))).chain(rules),
    )
}

#[test]
fn a_talk_rests_and_is_asked_anew_when_it_is_resumed() {
    let long = "The footer is a part of every page, and what it says is the name of the shop. ".repeat(8);
    for wire in Wire::BOTH {
        for (fault, says) in faults(wire, &long) {
            let rules = [
                assist("   18  export function", fault).times(2),
                assist("   18  export function", Reply::text("It says “Shop”.")),
                assist("What does", Reply::text("").tool("read_file", r#"{"path":"src/Hero.tsx"}"#)),
            ];
            let desk = Desk::new(wire, &[(FILE, HERO)], talk(rules));
            let run = rests(&desk, desk.run(&["ask", "What does the footer say?", "--json"]), says);
            rests(&desk, desk.run(&["resume", &run, "--json"]), says);
            let ran = desk.run(&["resume", &run, "--json"]).exits(0);
            assert_eq!(told(&ran), "It says “Shop”.", "{says}");
            // The look was paid for once.
            assert_eq!(times(&desk, "   18  export function"), 3, "{says}");
            assert_eq!(ran.of("tool"), [] as [Value; 0], "{says}");
            let kept = desk.kept(&run);
            assert!(kept.iter().all(|(text, _)| !text.contains("every page")), "{kept:?}");
        }
    }
}

#[test]
fn for_people_the_way_on_is_named_and_what_is_mended_is_not_told_as_wrong() {
    let rules = [
        assist("What does", Reply::text("It").stop(Stop::Filter)).times(1),
        assist("What does", Reply::text("It says “Shop”.")),
    ];
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], talk(rules));
    let ran = desk.run(&["ask", "What does the footer say?"]).exits(1);
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    let way = format!("`assist resume {}` goes on with it, with `--model NAME` by another model.", &run[..8]);
    assert!(ran.stderr.trim_end().ends_with(&way), "{}", ran.stderr);
    assert!(desk.run(&["show", &run]).exits(0).stdout.contains("went wrong: "));
    let ran = desk.run(&["resume", &run, "--model", "other-model"]).exits(0);
    assert_eq!(ran.stdout.trim(), "It says “Shop”.");
    let models = desk.sim.requests().into_iter().filter_map(|request| Some(request.asked?.model));
    assert!(models.collect::<Vec<_>>().contains(&"other-model".to_owned()));
    assert!(!desk.run(&["show", &run]).exits(0).stdout.contains("went wrong"));
}

#[test]
fn what_a_provider_refuses_rests_in_a_talk_and_in_every_part_of_a_plan() {
    let filtered =
        r#"{"error":{"message":"It was filtered","type":"invalid_request_error","code":"content_filter"}}"#;
    let json = vec![("content-type".to_owned(), "application/json".to_owned())];
    let refusals = [
        (Failure::Unauthorized, "refused the key"),
        (Failure::NoCredit, "no quota or credit left: add credit there"),
        (Failure::ModelNotFound, "it has sim-model"),
        (Failure::ContextTooLong, " of at most "),
        (Failure::Html(403), "check"),
        (
            Failure::Raw { status: 400, headers: json, body: filtered.into() },
            "content rules: put it in other words",
        ),
    ];
    for (failure, says) in refusals {
        let fault = || Reply::error(failure.clone());
        let rules =
            [assist("What does", fault()).times(1), assist("What does", Reply::text("It says “Shop”."))];
        let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], talk(rules));
        let run = rests(&desk, desk.run(&["ask", "What does the footer say?", "--json"]), says);
        assert_eq!(told(&desk.run(&["resume", &run, "--json"]).exits(0)), "It says “Shop”.");

        let faults = [in_scoping(fault()).times(1), Rule::asked("Checkout route\n", fault()).times(1)];
        let (desk, run) = planned(Wire::OpenAi, faults);
        rests(&desk, desk.run(&["confirm", &run, "--json"]), says);
        rests(&desk, desk.run(&["resume", &run, "--json"]), says);
        assert_eq!(desk.folder.read("src/fees.ts"), FEES, "{says}");
        desk.run(&["resume", &run, "--json"]).exits(0);
        assert_eq!(desk.folder.read("src/checkout.ts"), ROUTE, "{says}");
        // The plan and the report, scoping twice, the one task twice and the other once.
        assert_eq!(desk.sim.requests().len(), 2 + 2 + 3, "{says}");
    }
}

#[test]
fn an_answer_of_a_talk_that_broke_off_early_is_asked_for_again() {
    let cut = Reply::text("It says nothing").cut(Place::Char(9), assist_simulator::Ending::CleanEnd);
    let rules = [assist("What does", cut).times(1), assist("What does", Reply::text("It says “Shop”."))];
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], talk(rules));
    let ran = desk.run(&["ask", "What does the footer say?", "--json"]).exits(0);
    assert_eq!(told(&ran), "It says “Shop”.");
    assert_eq!(times(&desk, "What does"), 2 + 1, "the talk, twice, and what is worth remembering");
}

const ROUTE: &str = "export async function checkout() {\n  return \"session\";\n}\n";
const FEES: &str = "export function fees() {\n  return 2;\n}\n";

fn in_scoping(reply: Reply) -> Rule {
    let when = Match { system: Some("You scope changes of code".into()), ..Match::default() };
    Rule::when(when, reply)
}

/// A plan of two files, confirmed at once, with these rules before all others.
fn planned(wire: Wire, more: impl IntoIterator<Item = Rule>) -> (Desk, String) {
    let steps = json!([{ "title": "Take money", "files": ["src/checkout.ts", "src/fees.ts"] }]);
    let plan = json!({ "summary": "People can pay.", "steps": steps }).to_string();
    let tasks = json!({ "tasks": [
        { "title": "Checkout route", "instructions": "Write checkout().", "files": ["src/checkout.ts"], "tier": "B", "kind": "edit" },
        { "title": "Fees", "instructions": "Write fees().", "files": ["src/fees.ts"], "tier": "B", "kind": "edit" },
    ] });
    let rules = [
        Rule::asked("Checkout route\n", Reply::text(answer("checkout", "src/checkout.ts", ROUTE))),
        Rule::asked("Fees\n", Reply::text(answer("fees", "src/fees.ts", FEES))),
        in_system("worth remembering", Reply::text("{\"memories\": []}")),
        in_scoping(Reply::text("").tool("submit_tasks", &tasks.to_string())),
        assist("The plan was carried out", Reply::text("Paying works.")),
        assist("Take money", Reply::text("").tool("propose_plan", &plan)),
    ];
    let desk = Desk::new(wire, &FILES, Script::new(more.into_iter().chain(rules)));
    let ran = desk.run(&["ask", "Take money", "--json"]).exits(1);
    let run = ran.run();
    (desk, run)
}

#[test]
fn a_plan_rests_where_it_is_scoped_and_goes_on() {
    for wire in Wire::BOTH {
        for (fault, says) in faults(wire, "{\"tasks\": [") {
            let (desk, run) = planned(wire, [in_scoping(fault).times(2)]);
            rests(&desk, desk.run(&["confirm", &run, "--json"]), says);
            rests(&desk, desk.run(&["resume", &run, "--json"]), says);
            assert!(!desk.folder.has("src/checkout.ts"));
            desk.run(&["resume", &run, "--json"]).exits(0);
            assert_eq!(desk.folder.read("src/checkout.ts"), ROUTE);
            assert_eq!(desk.folder.read("src/fees.ts"), FEES);
            // The plan and the report; scoping it three times; each task once.
            assert_eq!(desk.sim.requests().len(), 2 + 3 + 2, "{says}");
        }
    }
}

#[test]
fn a_task_of_a_plan_rests_while_the_others_are_done_and_goes_on() {
    let beginning = component("checkout", "src/checkout.ts", ROUTE);
    let beginning = &beginning[..beginning.len() / 2];
    for wire in Wire::BOTH {
        for (fault, says) in faults(wire, beginning) {
            let faulty = Rule::asked("Checkout route\n", fault).times(3);
            let (desk, run) = planned(wire, [faulty]);
            rests(&desk, desk.run(&["confirm", &run, "--json"]), says);
            // What was at work beside it came to its end.
            assert_eq!(desk.folder.read("src/fees.ts"), FEES, "{says}");
            assert!(!desk.folder.has("src/checkout.ts"));
            rests(&desk, desk.run(&["resume", &run, "--json"]), says);
            rests(&desk, desk.run(&["resume", &run, "--json"]), says);
            let ran = desk.run(&["resume", &run, "--json"]).exits(0);
            assert_eq!(desk.folder.read("src/checkout.ts"), ROUTE);
            assert_eq!(told(&ran), "Paying works.");
            assert_eq!((times(&desk, "Checkout route\n"), times(&desk, "Fees\n")), (4, 1), "{says}");
        }
    }
}
