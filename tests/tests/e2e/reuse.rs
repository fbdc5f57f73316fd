//! What was answered before is not paid for again, and what was no good is not answered again. Which model a call goes to.

use assist_simulator::{Match, Place, Reply, Rule, Usage, answer};
use serde_json::{Value, json};

use crate::build::{FOOTER, FOOTER_CODE, build, built, calls, calls_for, desk, plan, script, writes};
use crate::support::Desk;

const PLAN: &str = "Plan what follows";

/// A plan that costs something.
fn planned() -> Rule {
    let usage = Usage { input: 1_000, output: 800, ..Usage::default() };
    Rule::asked(PLAN, Reply { usage: Some(usage), ..Reply::text(plan().to_string()) })
}

/// The newest run is taken back: everything is as it was before it was asked for.
#[track_caller]
fn undo(desk: &Desk) {
    let run = desk.sessions()[0]["run"].as_str().expect("an id").to_owned();
    desk.run(&["undo", &run]).exits(0);
    assert!(!desk.folder.has(FOOTER));
}

#[track_caller]
fn costs(desk: &Desk, args: &[&str]) -> Value {
    let ran = desk.run(&[&["costs", "--json"], args].concat()).exits(0);
    serde_json::from_str(&ran.stdout).expect("one JSON document")
}

#[track_caller]
fn line(costs: &Value, name: &str) -> Value {
    let lines = costs["lines"].as_array().expect("a list");
    lines.iter().find(|line| line["name"] == name).unwrap_or_else(|| panic!("no {name} in {costs}")).clone()
}

#[test]
fn the_same_plan_is_asked_for_once_and_what_that_saves_is_told() {
    let mut desk = desk(script([planned()]));
    build(&desk).exits(0);
    undo(&desk);
    let again = build(&desk).exits(0);
    built(&desk);
    assert_eq!(calls(&desk, PLAN), 1, "the second plan comes from the database");
    assert_eq!(again.of("budget")[0]["reused"], true);
    let architect = line(&costs(&desk, &["--by", "agent"]), "architect");
    assert_eq!(architect["calls"], 2);
    let saved = architect["savedUsd"].as_f64().expect("an amount");
    assert!((saved - 0.015).abs() < 1e-9 && architect["costUsd"] == 0.015, "{architect}");
    let page = desk.run(&["costs", "--calls"]).exits(0).stdout;
    assert!(page.contains("the same request was answered before") && page.contains("$0.0150"), "{page}");

    // Other words are another request, and who does not want it gets every answer anew.
    undo(&desk);
    desk.run(&["ask", "Build a small shop", "--build", "--json"]).exits(0);
    assert_eq!(calls(&desk, PLAN), 2);
    undo(&desk);
    desk.set("ASSIST_RESPONSE_CACHE", "off");
    build(&desk).exits(0);
    assert_eq!(calls(&desk, PLAN), 3);
    undo(&desk);
    desk.unset("ASSIST_RESPONSE_CACHE");
    desk.folder.write("assist.toml", b"response_cache = false\n");
    build(&desk).exits(0);
    assert_eq!(calls(&desk, PLAN), 4);
}

#[test]
fn a_plan_that_was_no_good_is_not_given_again() {
    let empty = || Rule::asked("", Reply::text("{\"components\": []}"));
    let desk = desk(script([empty().times(3), planned()]));
    build(&desk).exits(1).says(&["No usable plan came in 3 attempts"]);
    build(&desk).exits(0);
    built(&desk);
    assert_eq!(calls(&desk, PLAN), 4, "each of the three was asked for, and the fourth");
}

#[test]
fn a_plan_that_could_not_be_built_is_not_given_again() {
    let broken = || writes("Footer", Reply::text(answer("Footer", FOOTER, "export function Footer( {\n")));
    let desk = desk(script([planned(), broken().times(3)]));
    let args = ["ask", "Build a shop", "--build", "--on-failure", "restore", "--json"];
    desk.run(&args).exits(1).says(&["Footer is missing"]);
    assert!(!desk.folder.has("src/App.tsx"));
    desk.run(&args).exits(0);
    built(&desk);
    assert_eq!(calls(&desk, PLAN), 2, "a plan whose build failed is made anew");
}

#[test]
fn how_hard_a_component_is_decides_who_writes_it_while_a_budget_holds() {
    let mut own = plan();
    own["components"][1]["complexity"] = json!("medium");
    own["components"][2]["complexity"] = json!("high");
    let mut desk = desk(script([Rule::asked(PLAN, Reply::text(own.to_string()))]));
    desk.set("ASSIST_PLAN", "pro");
    build(&desk).exits(0);
    let all = costs(&desk, &["--calls"]);
    let told: Vec<(String, String)> = all["calls"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|call| {
            let word = |key: &str| call[key].as_str().expect("a word").to_owned();
            (word("agent"), format!("{}: {}", word("model"), word("reason")))
        })
        .collect();
    let count = |agent: &str, model: &str, why: &str| {
        let is =
            |(who, what): &&(String, String)| who == agent && what.starts_with(model) && what.contains(why);
        told.iter().filter(is).count()
    };
    let (haiku, sonnet) = ("anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-4");
    assert_eq!(count("architect", sonnet, "the task is moderate: the cheapest model"), 1, "{told:?}");
    assert_eq!(count("builder", haiku, "the task is simple: the cheapest model"), 2, "{told:?}");
    assert_eq!(count("builder", sonnet, "the task is moderate: the cheapest model"), 1, "{told:?}");
    // The tier allows nothing dearer than its own model, however hard it is.
    assert_eq!(count("builder", sonnet, "no model that tier B allows"), 1, "{told:?}");
    let page = desk.run(&["models"]).exits(0).stdout;
    for part in
        ["trivial  anthropic/claude-haiku-4-5", "moderate anthropic/claude-sonnet-4", "the task is simple"]
    {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    // A model that is named for the tier is asked, however easy the task is.
    undo(&desk);
    desk.set("TIER_B_MODEL", "claude-opus-4-6");
    build(&desk).exits(0);
    let newest = costs(&desk, &["--calls"]);
    assert_eq!(newest["calls"][0]["model"], "anthropic/claude-opus-4-6");
    assert_eq!(newest["calls"][0]["reason"], "the model of tier B");
}

/// What a model says to a question of these words.
fn of_model(model: &str, asked: &str, reply: Reply) -> Rule {
    let when = Match { model: Some(model.into()), messages: Some(asked.into()), ..Match::default() };
    Rule::when(when, reply)
}

const ENTRANTS: &str = "entrants = [{ model = 'claude-haiku-4-5' }, { model = 'claude-opus-4-6' }, { model = 'claude-sonnet-4-6', temperature = 0.3 }]\n";

#[test]
fn models_race_for_a_plan_and_for_a_component_and_the_losers_are_billed() {
    // The first is quick and wrong, the second never comes to its end, the third is right.
    let footer = "Write the component Footer, and no other.";
    let wrong = answer("Footer", FOOTER, "export function Footer( {\n");
    let endless = |text: String| Reply::text(text).stall(Place::Char(40));
    // It does not come before all three were asked: a race that is won at once is not run by all.
    let right = |text: String, words: &str| Reply::text(text).until_asked(words, 3);
    let desk = desk(script([
        of_model("claude-sonnet-4-6", footer, right(answer("Footer", FOOTER, FOOTER_CODE), footer)),
        of_model("claude-sonnet-4-6", PLAN, right(plan().to_string(), PLAN)),
        of_model("claude-haiku-4-5", footer, Reply::text(wrong.clone())),
        of_model("claude-opus-4-6", footer, endless(wrong)),
        of_model("claude-haiku-4-5", PLAN, Reply::text("I would rather not.")),
        of_model("claude-opus-4-6", PLAN, endless(plan().to_string())),
    ]));
    let race = format!("[race]\nstages = ['architect', 'builder']\n{ENTRANTS}");
    std::fs::create_dir_all(desk.config()).expect("the folder can be made");
    std::fs::write(desk.config().join("config.toml"), race).expect("the file can be written");
    let ran = build(&desk).exits(0);
    built(&desk);
    for said in [
        "3 models race for the plan",
        "anthropic/claude-sonnet-4-6 has won the race for the plan",
        "anthropic/claude-sonnet-4-6 has won the race for Footer",
    ] {
        assert!(ran.stdout.contains(said), "{said:?} is not in {}", ran.stdout);
    }
    // Of a race nobody is asked twice.
    assert_eq!((calls(&desk, PLAN), calls_for(&desk, "Footer")), (3, 3));
    let temperature = desk
        .sim
        .requests()
        .into_iter()
        .find(|request| request.asked.as_ref().is_some_and(|asked| asked.model == "claude-sonnet-4-6"));
    let temperature = temperature.and_then(|request| request.json()["temperature"].as_f64());
    assert!(temperature.is_some_and(|temperature| (temperature - 0.3).abs() < 1e-6), "{temperature:?}");
    // Whoever lost is in the books with what it used, at the latest when the next process looks.
    let by_model = costs(&desk, &["--by", "model"]);
    for model in ["haiku-4-5", "opus-4-6", "sonnet-4-6"] {
        let line = line(&by_model, &format!("anthropic/claude-{model}"));
        assert!(line["costUsd"].as_f64().is_some_and(|usd| usd > 0.0) && line["open"] == 0, "{line}");
    }
    let stopped = line(&by_model, "anthropic/claude-opus-4-6");
    assert!(stopped["estimated"].as_u64().is_some_and(|count| count >= 2), "{stopped}");
}

#[test]
fn a_race_that_nobody_wins_goes_the_usual_way() {
    let footer = "Write the component Footer, and no other.";
    let wrong = answer("Footer", FOOTER, "export function Footer( {\n");
    let desk = desk(script([
        Rule::about(footer, Reply::text(wrong)).times(3),
        Rule::asked(PLAN, Reply::text("{\"components\": []}")).times(3),
        Rule::asked("This plan cannot be used", Reply::text(plan().to_string())),
    ]));
    let race = format!("[race]\nstages = ['architect', 'builder']\n{ENTRANTS}");
    std::fs::create_dir_all(desk.config()).expect("the folder can be made");
    std::fs::write(desk.config().join("config.toml"), race).expect("the file can be written");
    let ran = build(&desk).exits(0);
    built(&desk);
    assert!(ran.stdout.contains("Nobody has won the race for the plan"), "{}", ran.stdout);
    assert_eq!(calls_for(&desk, "Footer"), 4, "the paid answer is mended by one more call");
    // A repository cannot have models race at the user's cost.
    undo(&desk);
    std::fs::remove_file(desk.config().join("config.toml")).expect("it is there");
    desk.folder.write("assist.toml", format!("[race]\nstages = ['architect']\n{ENTRANTS}").as_bytes());
    let ran = build(&desk).exits(0);
    assert!(ran.stdout.contains("sets `race`, which only your own configuration may do"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("models race"), "{}", ran.stdout);
}
