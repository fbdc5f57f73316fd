//! Plans: shown before anything is done, confirmed, changed, declined, and carried out.

use assist_simulator::{Match, Place, Reply, Rule, Script, answer};
use assist_tests::client::Choice;
use serde_json::{Value, json};

use crate::support::{Desk, HERO, HERO_LINES, NEW_HERO, Ran, Wire, with_new_hero};

const MANIFEST: &str = "{\n  \"name\": \"shop\",\n  \"dependencies\": {}\n}\n";
const PRICING: &str = "export function Pricing() {\n  return <p>10 a month</p>;\n}\n";
pub const ROUTE: &str = "export async function checkout() {\n  return \"session\";\n}\n";
pub const BUTTON: &str = "import { checkout } from \"../api/checkout\";\n\nexport function CheckoutButton() {\n  return <button onClick={() => checkout()}>Buy</button>;\n}\n";
pub const FILES: [(&str, &str); 2] = [("package.json", MANIFEST), ("src/Pricing.tsx", PRICING)];
const NPM: &str = "#!/bin/sh\nset -e\ntest \"$1\" = install\nmkdir -p node_modules/$2\necho '{}' > node_modules/$2/package.json\nprintf '{\\n  \"name\": \"shop\",\\n  \"dependencies\": { \"%s\": \"1.0.0\" }\\n}\\n' $2 > package.json\necho \"added 1 package: $2\"\n";

pub fn in_system(text: &str, reply: Reply) -> Rule {
    Rule::when(Match { system: Some(text.into()), ..Match::default() }, reply)
}

/// The user's Assist, asked something.
pub fn assist(text: &str, reply: Reply) -> Rule {
    let when =
        Match { system: Some("## How you work".into()), last_user: Some(text.into()), ..Match::default() };
    Rule::when(when, reply)
}

/// The scoping of confirmed work.
fn scoping(text: &str, reply: Reply) -> Rule {
    let when = Match {
        system: Some("You scope changes of code".into()),
        last_user: Some(text.into()),
        ..Match::default()
    };
    Rule::when(when, reply)
}

fn plan(summary: &str, steps: Value) -> Reply {
    Reply::text("").tool("propose_plan", &json!({ "summary": summary, "steps": steps }).to_string())
}

fn stripe_plan() -> Reply {
    let steps = json!([
        { "title": "Add the Stripe package", "files": [], "commands": ["npm install stripe"], "network": ["npm install stripe"] },
        { "title": "Create a checkout", "why": "your server starts the payment", "files": ["src/api/checkout.ts"], "needs": [1] },
        { "title": "Put a button on the pricing page", "files": ["src/CheckoutButton.tsx"], "needs": [2] },
    ]);
    plan("People can pay by card.", steps)
}

fn stripe_tasks() -> Value {
    json!({ "tasks": [
        { "title": "Install the SDK", "instructions": "Add stripe.", "tier": "A", "kind": "command", "command": "npm install stripe", "network": true },
        { "title": "Checkout route", "instructions": "Write checkout().", "files": ["src/api/checkout.ts"], "depends_on": [1], "tier": "B", "kind": "edit" },
        { "title": "Checkout button", "instructions": "Call checkout().", "files": ["src/CheckoutButton.tsx"], "depends_on": [2], "tier": "B", "kind": "edit" },
    ] })
}

fn route() -> Rule {
    Rule::asked("Checkout route\n", Reply::text(answer("checkout", "src/api/checkout.ts", ROUTE)))
}

fn button() -> Rule {
    Rule::asked("Checkout button\n", Reply::text(answer("CheckoutButton", "src/CheckoutButton.tsx", BUTTON)))
}

pub fn stripe(more: impl IntoIterator<Item = Rule>) -> Script {
    let rules = [
        in_system("worth remembering", Reply::text("{\"memories\": []}")),
        scoping("\"name\": \"shop\"", Reply::text("").tool("submit_tasks", &stripe_tasks().to_string())),
        scoping("The user has confirmed", Reply::text("").tool("read_file", r#"{"path":"package.json"}"#)),
        assist("The plan was carried out", Reply::text("Stripe checkout is there. Run npm install stripe.")),
        assist("Add Stripe checkout", stripe_plan()),
    ];
    Script::new(more.into_iter().chain([route(), button()]).chain(rules))
}

/// A desk with these files and this script, and an `npm` that adds a package as the real one does, without a network.
pub fn shop(wire: Wire, script: Script) -> Desk {
    let mut desk = Desk::new(wire, &FILES, script);
    desk.program("npm", NPM);
    desk
}

/// Asks, and stops where the plan is shown. Returns the run and the card.
#[track_caller]
pub fn shown(desk: &Desk, words: &str) -> (String, String) {
    let ran = desk.run(&["ask", words, "--json"]).exits(1);
    let card = card(&ran);
    (ran.run(), card)
}

#[track_caller]
fn card(ran: &Ran) -> String {
    let asked = ran.of("approval_requested").pop().unwrap_or_else(|| panic!("no card: {}", ran.stdout));
    asked["detail"].as_str().expect("a card").to_owned()
}

/// How often a question in these words was asked of the model.
fn times(desk: &Desk, words: &str) -> usize {
    let requests = desk.sim.requests();
    let asked = requests.iter().filter_map(|request| request.asked.as_ref());
    let of_the_talk = asked.filter(|asked| !asked.system.contains("worth remembering"));
    of_the_talk.filter(|asked| asked.last_user().contains(words)).count()
}

#[test]
fn a_plan_is_shown_confirmed_scoped_carried_out_in_order_and_reported() {
    for wire in Wire::BOTH {
        let desk = shop(wire, stripe([]));
        let (run, card) = shown(&desk, "Add Stripe checkout");
        for part in [
            "People can pay by card.",
            "1. **Add the Stripe package**",
            "Runs: `npm install stripe` (with the network)",
            "Commands can write in this folder only",
            "2. **Create a checkout**: your server starts the payment",
            "Files: `src/api/checkout.ts`",
            "Builds on step 2",
            "Time: ",
            "Cost: ",
            "both are a guess",
            "Nothing is committed.",
        ] {
            assert!(card.contains(part), "no {part:?} in {card}");
        }
        let lower = card.to_lowercase();
        for word in ["tier", "agent", "advisor", "orchestrat", "model a"] {
            assert!(!lower.contains(word), "{word} in {card}");
        }
        assert!(!desk.folder.has("src/api") && !desk.folder.has("src/CheckoutButton.tsx"));
        assert_eq!(times(&desk, "The user has confirmed"), 0, "work was begun before the yes");

        let ran = desk.run(&["confirm", &run[..8], "--json"]).exits(0);
        assert_eq!(desk.folder.read("src/api/checkout.ts"), ROUTE);
        assert_eq!(desk.folder.read("src/CheckoutButton.tsx"), BUTTON);
        let completed = &ran.of("completed")[0];
        assert_eq!(
            completed["changedFiles"],
            json!(["package.json", "src/CheckoutButton.tsx", "src/api/checkout.ts"])
        );
        assert!(desk.folder.has("node_modules/stripe/package.json"), "the command was run");
        let summary = completed["summary"].as_str().expect("a sentence");
        assert!(summary.contains("Checkout route, Checkout button"), "{summary}");
        assert!(!summary.contains("You still need to run"), "{summary}");
        let command: Vec<_> = ran.of("command").iter().map(|data| data["state"].clone()).collect();
        assert_eq!(command, ["started", "output", "ended"]);
        assert!(ran.of("approval_requested").is_empty(), "what was confirmed was asked about again");
        let text: String = ran.of("text").iter().filter_map(|data| data["text"].as_str()).collect();
        assert_eq!(text, "Stripe checkout is there. Run npm install stripe.");

        // What builds on something sees what was done, and the file.
        let requests = desk.sim.requests();
        let asked = requests.iter().find(|request| request.last_user().contains("Checkout button\n"));
        let asked = asked.expect("the button was asked for").last_user();
        assert!(asked.contains("- Checkout route: Applied checkout in src/api/checkout.ts."), "{asked}");
        assert!(
            asked.contains(ROUTE) && asked.contains("src/CheckoutButton.tsx does not exist yet."),
            "{asked}"
        );
        let route = requests.iter().find(|request| request.last_user().starts_with("Checkout route\n"));
        let route = route.expect("the route was asked for").last_user();
        assert!(
            route.contains("added 1 package: stripe"),
            "what builds on a command sees its output: {route}"
        );

        let id = run.parse().expect("an id");
        let (plan, outcome, advisor) = desk.store(async |store| {
            let session = store.sessions().get(id).await.expect("the run");
            let conversation =
                store.conversations().get(session.conversation).await.expect("its conversation");
            let advisor = store.conversations().latest("code").await.expect("conversations");
            (session.plan, conversation.outcome, advisor)
        });
        assert_eq!(plan.expect("the plan is kept")["steps"], json!([1, 2, 3]));
        assert_eq!(outcome, Some(assist_store::ConversationOutcome::Tasked));
        assert!(advisor.is_some());

        desk.run(&["undo", &run]).exits(0);
        assert!(!desk.folder.has("src/api/checkout.ts") && !desk.folder.has("src/CheckoutButton.tsx"));
        assert_eq!(desk.folder.read("package.json"), MANIFEST, "what the command changed is taken back too");
    }
}

#[test]
fn the_next_plan_is_reckoned_from_what_was_done() {
    let tasks = json!({ "tasks": [
        { "title": "Checkout route", "instructions": "x", "files": ["src/api/checkout.ts"], "tier": "B", "kind": "edit" },
        { "title": "Checkout button", "instructions": "x", "files": ["src/CheckoutButton.tsx"], "tier": "B", "kind": "edit" },
        { "title": "Price list", "instructions": "x", "files": ["src/prices.ts"], "tier": "A", "kind": "edit" },
    ] });
    let prices = Rule::asked(
        "Price list\n",
        Reply::text(answer("prices", "src/prices.ts", "export const prices = [1];\n")),
    );
    let steps = json!([{ "title": "All", "files": ["src/api/checkout.ts", "src/CheckoutButton.tsx", "src/prices.ts"] }]);
    let rules = [
        prices,
        scoping("The user has confirmed", Reply::text("").tool("submit_tasks", &tasks.to_string())),
        assist("Add Stripe checkout", plan("People can pay.", steps)),
    ];
    let desk = shop(Wire::Anthropic, stripe(rules));
    desk.run(&["ask", "Add Stripe checkout", "--yes"]).exits(0);
    assert!(desk.folder.has("src/prices.ts"));
    let (_, card) = shown(&desk, "Add Stripe checkout");
    assert!(card.contains("Reckoned from 3 steps done here before.") && !card.contains("guess"), "{card}");
}

#[test]
fn from_a_wish_over_a_question_to_a_plan_that_is_changed_and_confirmed() {
    let question = "Are people finding you by search, or mostly through friends?";
    let welcome = "export const welcome = \"Hello\";\n";
    let empty = "export const empty = \"Add your first product\";\n";
    let steps = |trial: bool| {
        let mut steps = vec![
            json!({ "title": "Rewrite the welcome", "files": ["src/welcome.ts"] }),
            json!({ "title": "Add a hint to the empty dashboard", "files": ["src/empty.ts"] }),
        ];
        if trial {
            steps.push(json!({ "title": "Try a 30-day trial", "files": ["src/trial.ts"] }));
        }
        Value::from(steps)
    };
    let tasks = json!({ "tasks": [
        { "title": "Welcome", "instructions": "x", "files": ["src/welcome.ts"], "tier": "A", "kind": "edit" },
        { "title": "Empty state", "instructions": "x", "files": ["src/empty.ts"], "tier": "A", "kind": "edit" },
    ] });
    let script = Script::new([
        Rule::asked("Welcome\n", Reply::text(answer("welcome", "src/welcome.ts", welcome))),
        Rule::asked("Empty state\n", Reply::text(answer("empty", "src/empty.ts", empty))),
        in_system("worth remembering", Reply::text("{\"memories\": []}")),
        scoping("The user has confirmed", Reply::text("").tool("submit_tasks", &tasks.to_string())),
        assist("The plan was carried out", Reply::text("Both are live.")),
        assist("wants the plan otherwise: Leave the trial", plan("More people stay.", steps(false))),
        assist("The user answers: Mostly friends", {
            let mut reply = plan("More people stay after they land.", steps(true));
            reply.text = assist_simulator::Text::Plain("Then activation is the problem.".to_owned());
            reply
        }),
        assist(
            "I want more signups",
            Reply::text("").tool("ask_user", &json!({ "question": question }).to_string()),
        ),
    ]);
    let desk = Desk::new(Wire::Anthropic, &FILES, script);
    let ran = desk.run(&["ask", "I want more signups", "--json"]).exits(1);
    let run = ran.run();
    assert_eq!(ran.of("approval_requested")[0]["question"], question);
    let ran = desk.run(&["answer", &run, "Mostly friends", "--json"]).exits(1);
    assert!(card(&ran).contains("3. **Try a 30-day trial**"));
    let ran = desk.run(&["answer", &run, "Leave the trial as it is", "--json"]).exits(1);
    assert!(!card(&ran).contains("trial"), "{}", card(&ran));
    assert!(!desk.folder.has("src/welcome.ts"));
    let ran = desk.run(&["confirm", &run]).exits(0);
    assert_eq!(ran.stdout.trim(), "Both are live.");
    assert_eq!(desk.folder.read("src/welcome.ts"), welcome);
    assert_eq!(desk.folder.read("src/empty.ts"), empty);
    assert_eq!(times(&desk, "I want more signups"), 1, "a call was made twice");
}

#[test]
fn a_plan_that_is_declined_changes_nothing() {
    let desk = shop(Wire::OpenAi, stripe([]));
    let (run, _) = shown(&desk, "Add Stripe checkout");
    let ran = desk.run(&["decline", &run, "--json"]).exits(0);
    let summary = ran.of("completed")[0]["summary"].clone();
    assert!(summary.as_str().is_some_and(|summary| summary.contains("Nothing was changed")), "{summary}");
    assert!(!desk.folder.has("src/api"));
    assert_eq!(times(&desk, "The user has confirmed"), 0);
    desk.run(&["confirm", &run]).exits(1);
}

#[test]
fn only_the_steps_that_were_confirmed_are_done() {
    let tasks = json!({ "tasks": [
        { "title": "Checkout route", "instructions": "x", "files": ["src/api/checkout.ts"], "tier": "B", "kind": "edit" },
    ] });
    let rules = [scoping("The user has confirmed", Reply::text("").tool("submit_tasks", &tasks.to_string()))];
    let desk = shop(Wire::Anthropic, stripe(rules));
    let (run, _) = shown(&desk, "Add Stripe checkout");
    desk.run(&["confirm", &run, "--steps", "1,2", "--note", "Use test keys"]).exits(0);
    assert!(desk.folder.has("src/api/checkout.ts") && !desk.folder.has("src/CheckoutButton.tsx"));
    let requests = desk.sim.requests();
    let scoped = requests.iter().find(|request| request.last_user().contains("The user has confirmed"));
    let scoped = scoped.expect("it was scoped").last_user();
    assert!(scoped.contains("2. Create a checkout") && !scoped.contains("button"), "{scoped}");
    assert!(scoped.contains("Use test keys"), "{scoped}");
}

#[test]
fn work_beyond_what_was_confirmed_is_asked_about() {
    // Confirmed is the route alone; the work turns to another file all the same.
    let tasks = json!({ "tasks": [
        { "title": "Checkout route", "instructions": "x", "files": ["src/api/checkout.ts"], "tier": "B", "kind": "edit" },
        { "title": "Checkout button", "instructions": "x", "files": ["src/CheckoutButton.tsx"], "tier": "B", "kind": "edit" },
    ] });
    let rules = [scoping("The user has confirmed", Reply::text("").tool("submit_tasks", &tasks.to_string()))];
    let desk = shop(Wire::Anthropic, stripe(rules));
    let (run, _) = shown(&desk, "Add Stripe checkout");
    let ran = desk.run(&["confirm", &run, "--steps", "2", "--json"]).exits(1);
    assert_eq!(ran.of("approval_requested")[0]["question"], "Create src/CheckoutButton.tsx?");
    assert!(desk.folder.has("src/api/checkout.ts") && !desk.folder.has("src/CheckoutButton.tsx"));
}

#[test]
fn tasks_that_cannot_be_are_asked_for_again_and_no_more_than_twice() {
    let circle = json!({ "tasks": [
        { "title": "One", "instructions": "x", "files": ["a.ts"], "depends_on": [2], "tier": "B", "kind": "edit" },
        { "title": "Two", "instructions": "x", "files": ["b.ts"], "depends_on": [1], "tier": "B", "kind": "edit" },
    ] });
    let submit = |tasks: &Value| Reply::text("").tool("submit_tasks", &tasks.to_string());
    let rules =
        [scoping("in a circle", submit(&stripe_tasks())), scoping("The user has confirmed", submit(&circle))];
    let desk = shop(Wire::Anthropic, stripe(rules));
    desk.run(&["ask", "Add Stripe checkout", "--yes"]).exits(0);
    assert!(desk.folder.has("src/CheckoutButton.tsx"));

    let rules = [in_system("You scope changes of code", submit(&circle))];
    let desk = shop(Wire::Anthropic, stripe(rules));
    let ran = desk.run(&["ask", "Add Stripe checkout", "--yes", "--json"]).exits(1);
    let summary = ran.of("completed")[0]["summary"].clone();
    assert!(summary.as_str().is_some_and(|summary| summary.contains("nothing was changed")), "{summary}");
    let requests = desk.sim.requests();
    let scoped = requests.iter().filter(|request| {
        request.asked.as_ref().is_some_and(|asked| asked.system.contains("You scope changes"))
    });
    assert_eq!(scoped.count(), 3);
}

#[test]
fn what_fails_is_tried_again_then_by_a_stronger_model_and_what_builds_on_it_is_skipped() {
    let broken = answer("checkout", "src/api/checkout.ts", "export async function checkout( {\n");
    let rules = [Rule::about("Checkout route\n", Reply::text(broken))];
    let mut desk = shop(Wire::Anthropic, stripe(rules));
    desk.set("TIER_B_MODEL", "claude-sonnet-4-6");
    desk.set("TIER_C_MODEL", "claude-opus-4-8");
    let ran = desk.run(&["ask", "Add Stripe checkout", "--yes", "--json"]).exits(1);
    let completed = &ran.of("completed")[0];
    assert_eq!(completed["state"], "failed");
    let summary = completed["summary"].as_str().expect("a sentence");
    assert!(summary.contains("Checkout route could not be done"), "{summary}");
    assert!(summary.contains("skipped: Checkout button"), "{summary}");
    assert!(!desk.folder.has("src/api/checkout.ts") && !desk.folder.has("src/CheckoutButton.tsx"));
    assert_eq!(times(&desk, "Checkout button\n"), 0);
    let requests = desk.sim.requests();
    let models: Vec<String> = requests
        .iter()
        .filter(|request| request.last_user().starts_with("Checkout route\n"))
        .filter_map(|request| request.json()["model"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(models, ["claude-sonnet-4-6", "claude-sonnet-4-6", "claude-opus-4-8"]);
    let told = requests.iter().find(|request| request.last_user().contains("The plan was carried out"));
    let told = told.expect("Assist is told").last_user();
    assert!(told.contains("Skipped: Checkout button") && told.contains("Not done: Checkout route"), "{told}");
}

#[test]
fn a_run_killed_at_work_goes_on_with_the_task_it_was_at() {
    let stalls = Rule::asked("Checkout button\n", {
        Reply::text(answer("CheckoutButton", "src/CheckoutButton.tsx", BUTTON))
            .stall(Place::After("export function".into()))
    });
    let rest = Rule::about("Checkout button\n", {
        Reply::continuing(
            answer("CheckoutButton", "src/CheckoutButton.tsx", BUTTON),
            assist_simulator::Manner::Exact,
        )
    });
    let desk = shop(Wire::Anthropic, stripe([stalls.times(1), rest]));
    let (run, _) = shown(&desk, "Add Stripe checkout");
    let running = desk.start(&["confirm", &run]);
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("export function");
    running.kill();
    assert!(desk.folder.has("src/api/checkout.ts") && !desk.folder.has("src/CheckoutButton.tsx"));
    let before = desk.sim.requests().len();
    desk.run(&["resume", &run]).exits(0);
    assert_eq!(desk.folder.read("src/CheckoutButton.tsx"), BUTTON);
    let after = desk.sim.requests();
    let paid_again = after[before..].iter().any(|request| {
        let asked = request.last_user();
        asked.starts_with("Checkout route\n") || asked.contains("The user has confirmed")
    });
    assert!(!paid_again, "what was done was asked for again");
}

#[tokio::test]
async fn in_the_editor_a_card_that_was_closed_waits_and_is_confirmed_after_a_crash() {
    let desk = shop(Wire::Anthropic, stripe([]));
    let session = desk.plain_sailing().await;
    session.when_asked("Shall I start?", Choice::Dismiss);
    session.ignore(&["assist/event"]);
    let run = session.ask(json!({"intent": "ask", "prompt": "Add Stripe checkout"})).await;
    session.expect_question("People can pay by card. Shall I start?").await;
    assert_eq!(session.session(&run).await["status"], "awaiting_confirmation");
    session.crash().await;
    assert_eq!(desk.sessions()[0]["status"], "paused");
    desk.run(&["confirm", &run]).exits(0);
    assert!(desk.folder.has("src/CheckoutButton.tsx"));
}

#[tokio::test]
async fn in_the_editor_steps_are_confirmed_and_the_card_is_data_too() {
    let tasks = json!({ "tasks": [
        { "title": "Checkout route", "instructions": "x", "files": ["src/api/checkout.ts"], "tier": "B", "kind": "edit" },
    ] });
    let rules = [scoping("The user has confirmed", Reply::text("").tool("submit_tasks", &tasks.to_string()))];
    let desk = shop(Wire::OpenAi, stripe(rules));
    let session = desk.plain_sailing().await;
    session.when_asked("Shall I start?", Choice::Dismiss);
    let run = session.ask(json!({"intent": "ask", "prompt": "Add Stripe checkout"})).await;
    session.expect_question("Shall I start?").await;
    let confirmed = session.command("assist.confirm", json!({"runId": run, "steps": [2]})).await;
    assert_eq!(confirmed, Ok(json!({"ok": true})));
    let events = session.expect_run(&run).await;
    let asked = events.iter().find(|event| event["type"] == "approval_requested").expect("a card");
    assert_eq!(asked["data"]["plan"]["steps"][1]["title"], "Create a checkout");
    assert!(desk.folder.has("src/api/checkout.ts") && !desk.folder.has("src/CheckoutButton.tsx"));
    assert_eq!(session.leave().await, 0);
}

#[test]
fn who_wants_plans_always_gets_one_for_a_selection_too() {
    let file = "src/Hero.tsx";
    let steps = json!([{ "title": "Give it a toggle", "files": [file] }]);
    let tasks = json!({ "tasks": [
        { "title": "Toggle", "instructions": "x", "files": [file], "tier": "B", "kind": "edit" },
    ] });
    let script = || {
        Script::new([
            Rule::asked("Toggle\n", Reply::text(answer("Hero", file, NEW_HERO))),
            in_system("worth remembering", Reply::text("{\"memories\": []}")),
            scoping("The user has confirmed", Reply::text("").tool("submit_tasks", &tasks.to_string())),
            assist("The plan was carried out", Reply::text("Done.")),
            assist("lines 7 to 16", plan("The hero can be folded.", steps.clone())),
        ])
    };
    let mut desk = Desk::new(Wire::Anthropic, &[(file, HERO)], script());
    desk.set("ASSIST_PLAN_CARD", "always");
    let ask = ["ask", "Give it a toggle", "--file", file, "--lines", HERO_LINES, "--json"];
    let ran = desk.run(&ask).exits(1);
    assert_eq!(desk.folder.read(file), HERO);
    desk.run(&["confirm", &ran.run()]).exits(0);
    assert_eq!(desk.folder.read(file), with_new_hero());

    // And whoever wants none is not asked.
    let mut desk = shop(Wire::Anthropic, stripe([]));
    desk.set("ASSIST_PLAN_CARD", "never");
    // Nobody has agreed to its command then, unless a rule does.
    let rules = "[commands]\nallow = ['npm install *']\nnetwork = ['npm install *']\n";
    std::fs::create_dir_all(desk.config()).expect("a folder can be made");
    std::fs::write(desk.config().join("config.toml"), rules).expect("the configuration can be written");
    let ran = desk.run(&["ask", "Add Stripe checkout", "--json"]).exits(0);
    assert!(ran.of("approval_requested").is_empty() && desk.folder.has("src/CheckoutButton.tsx"));

    desk.set("ASSIST_PLAN_CARD", "sometimes");
    desk.run(&["ask", "Hi"]).exits(2).says(&["ASSIST_PLAN_CARD", "always, outside_selection or never"]);
}
