//! Building something of several components: planned, written one by one, put together, and taken up again.

use std::collections::BTreeMap;

use assist_base::DocPath;
use assist_simulator::{Ending, Manner, Place, Recorded, Reply, Rule, SENTINEL, Script, answer, component};
use assist_syntax::Language;
use serde_json::{Value, json};

use crate::support::{Desk, Ran, Wire};

const APP: &str = "src/App.tsx";
const BUTTON: &str = "src/components/Button.tsx";
const HERO: &str = "src/components/Hero.tsx";
pub const FOOTER: &str = "src/components/Footer.tsx";

const APP_CODE: &str = "export default function App() {\n  return (\n    <main>\n      {/* assist:slot Hero <Hero title=\"Shop\" /> */}\n      {/* assist:slot Footer <Footer /> */}\n    </main>\n  );\n}\n";
const BUTTON_CODE: &str = "export interface ButtonProps {\n  label: string;\n}\n\nexport function Button({ label }: ButtonProps) {\n  return <button type=\"button\">{label}</button>;\n}\n";
const HERO_CODE: &str = "import { Button } from \"./Button\";\n\nexport function Hero({ title }: { title: string }) {\n  return (\n    <section>\n      <h1>{title}</h1>\n      <Button label=\"Buy\" />\n    </section>\n  );\n}\n";
pub const FOOTER_CODE: &str = "export function Footer() {\n  return <footer>Shop</footer>;\n}\n";

/// What `App` is in the end.
const APP_BUILT: &str = "import { Footer } from \"./components/Footer\";\nimport { Hero } from \"./components/Hero\";\n\nexport default function App() {\n  return (\n    <main>\n      <Hero title=\"Shop\" />\n      <Footer />\n    </main>\n  );\n}\n";

/// The components of the plan, as a model writes them.
pub const COMPONENTS: [(&str, &str, &str); 4] = [
    ("App", APP, APP_CODE),
    ("Button", BUTTON, BUTTON_CODE),
    ("Hero", HERO, HERO_CODE),
    ("Footer", FOOTER, FOOTER_CODE),
];

fn part(name: &str, path: &str, kind: &str, exports: &[&str], dependencies: &[&str]) -> Value {
    json!({
        "name": name, "path": path, "kind": kind, "complexity": "low", "lines": 20,
        "exports": exports, "dependencies": dependencies,
    })
}

pub fn plan() -> Value {
    json!({
        "components": [
            part("App", APP, "skeleton", &["default"], &["Hero", "Footer"]),
            part("Hero", HERO, "component", &["Hero"], &["Button"]),
            part("Button", BUTTON, "component", &["Button"], &[]),
            part("Footer", FOOTER, "component", &["Footer"], &[]),
        ],
        "order": ["App", "Button", "Hero", "Footer"],
    })
}

pub fn planned(plan: &Value) -> Rule {
    Rule::asked("Plan what follows", Reply::text(plan.to_string())).named("plan")
}

/// The rule of a component's first call.
pub fn writes(name: &str, reply: Reply) -> Rule {
    Rule::about(&format!("Write the component {name}, and no other."), reply).named(name)
}

fn well(name: &str, path: &str, code: &str) -> Rule {
    writes(name, Reply::text(answer(name, path, code)))
}

/// A model that does everything right, after the rules given.
pub fn script(first: impl IntoIterator<Item = Rule>) -> Script {
    let rest = [
        planned(&plan()),
        well("App", APP, APP_CODE),
        well("Button", BUTTON, BUTTON_CODE),
        well("Hero", HERO, HERO_CODE),
        well("Footer", FOOTER, FOOTER_CODE),
    ];
    Script::new(first.into_iter().chain(rest))
}

pub fn desk(script: Script) -> Desk {
    Desk::new(Wire::Anthropic, &[("package.json", "{}\n")], script)
}

pub fn build(desk: &Desk) -> Ran {
    desk.run(&["ask", "Build a shop", "--build", "--json"])
}

/// How many calls were made for what the rule of this name is about.
pub fn calls(desk: &Desk, about: &str) -> usize {
    desk.sim.requests().iter().filter(|request| is_about(request, about)).count()
}

fn is_about(request: &Recorded, about: &str) -> bool {
    let asked = request.asked.as_ref().expect("a model request");
    asked.all_messages().contains(about)
}

pub fn calls_for(desk: &Desk, name: &str) -> usize {
    calls(desk, &format!("Write the component {name}, and no other."))
}

#[track_caller]
pub fn built(desk: &Desk) {
    for (path, code) in [(APP, APP_BUILT), (BUTTON, BUTTON_CODE), (HERO, HERO_CODE), (FOOTER, FOOTER_CODE)] {
        let text = desk.folder.read(path);
        // The imports stand in the order in which the components arrived.
        let lines = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if path == APP {
                lines[..2].sort();
            }
            lines
        };
        assert_eq!(lines(&text), lines(code), "{path}: {text}");
    }
    after_every_change_set_the_project_is_valid(desk);
}

/// A file and its text after a change set.
type Changed = (String, Option<String>);

/// Replays the newest run's change sets one by one: each time every file is well formed and imports only what is there.
#[track_caller]
fn after_every_change_set_the_project_is_valid(desk: &Desk) {
    let steps: Vec<Vec<Changed>> = desk.store(async |store| {
        let list = assist_store::ListFilter { limit: 1, state: None };
        let session = store.sessions().list(list).await.expect("sessions can be read").remove(0);
        let mut steps: Vec<(String, Vec<Changed>)> = Vec::new();
        for snapshot in store.snapshots().list(session.id).await.expect("snapshots can be read") {
            let after = match &snapshot.after {
                Some(hash) => store.blobs().get(hash).await.expect("blobs can be read"),
                None => None,
            };
            let file =
                (snapshot.path.to_string(), after.map(|bytes| String::from_utf8(bytes).expect("text")));
            let set = snapshot.change_set.to_string();
            match steps.last_mut().filter(|(last, _)| *last == set) {
                Some((_, files)) => files.push(file),
                None => steps.push((set, vec![file])),
            }
        }
        steps.into_iter().map(|(_, files)| files).collect()
    });
    assert!(!steps.is_empty(), "nothing was changed");
    let mut project: BTreeMap<String, String> = BTreeMap::new();
    for (at, step) in steps.into_iter().enumerate() {
        for (path, text) in step {
            match text {
                Some(text) => project.insert(path, text),
                None => project.remove(&path),
            };
        }
        for (path, text) in &project {
            let doc = DocPath::relative(path).expect("a path of the workspace");
            assert_eq!(assist_syntax::faults(&doc, text), [], "step {at}: {path}:\n{text}");
            let language = Language::of_path(&doc).expect("a language");
            for source in assist_syntax::sources(text, language) {
                let Some(relative) = source.module.strip_prefix("./") else { continue };
                let folder = path.rsplit_once('/').expect("it is in a folder").0;
                let file = format!("{folder}/{relative}.tsx");
                assert!(project.contains_key(&file), "step {at}: {path} imports {file}, which is not there");
            }
        }
    }
}

#[test]
fn a_build_is_planned_and_put_together_component_by_component() {
    for wire in Wire::BOTH {
        let desk = Desk::new(wire, &[], script([]));
        let ran = build(&desk).exits(0);
        built(&desk);
        assert_eq!(desk.sim.requests().len(), 5, "one plan and four components");
        assert!(!desk.folder.read(APP).contains("assist:slot"));

        // The plan is shown in plain words, before anything is written.
        let events = ran.events();
        let place = |fits: &dyn Fn(&Value) -> bool| events.iter().position(fits).expect("it is there");
        let told = place(&|event| {
            event["type"] == "text"
                && event["data"]["text"].as_str().is_some_and(|text| {
                    text.contains(
                        "Hero in src/components/Hero.tsx (component, low, about 20 lines): needs Button",
                    )
                })
        });
        assert!(told < place(&|event| event["type"] == "component_applied"));
        let agents: Vec<_> = ran.of("agent_completed").iter().map(|data| data["agent"].clone()).collect();
        for (agent, times) in [("architect", 1), ("builder", 4), ("linter", 4)] {
            assert_eq!(agents.iter().filter(|done| **done == agent).count(), times, "{agent}");
        }

        // Hero is told how Button looks from outside, and nothing of how it is made.
        let requests = desk.sim.requests();
        let asked = requests
            .iter()
            .find(|request| request.last_user().contains("Write the component Hero,"))
            .expect("Hero was asked for");
        let text = asked.last_user();
        assert!(
            text.contains("export function Button({ label }: ButtonProps)") && text.contains("label: string"),
            "{text}"
        );
        assert!(!text.contains("type=\"button\""), "{text}");
        assert!(text.contains("module=\"./Button\""), "{text}");

        // It can be taken back as a whole.
        desk.run(&["undo"]).exits(0);
        for path in [APP, BUTTON, HERO, FOOTER] {
            assert!(!desk.folder.has(path), "{path}");
        }
    }
}

#[test]
fn a_plan_is_mended_or_asked_for_again_with_what_is_wrong() {
    let mut circular = plan();
    circular["components"][2]["dependencies"] = json!(["Hero"]);
    let mut outside = plan();
    outside["components"][0]["path"] = json!("../App.tsx");
    let wrong: [(String, &[&str]); 5] = [
        ("I would make a hero and a footer.".to_owned(), &["no JSON object"]),
        (plan().to_string()[..120].to_owned(), &["cut"]),
        (circular.to_string(), &["circle", "Hero → Button → Hero"]),
        (outside.to_string(), &["leaves the workspace"]),
        (plan().to_string().replacen("\"lines\":20", "\"lines\":900", 1), &["900 lines", "at most 150"]),
    ];
    for (text, reasons) in wrong {
        let desk = desk(script([
            Rule::asked("Plan what follows", Reply::text(&*text)).times(1),
            Rule::asked(
                "This plan cannot be used",
                Reply::text(format!("Sure:\n```json\n{},\n```\n", plan())),
            ),
        ]));
        build(&desk).exits(0);
        built(&desk);
        let requests = desk.sim.requests();
        assert_eq!(requests.len(), 6, "{text}");
        for reason in reasons {
            assert!(requests[1].last_user().contains(reason), "{}", requests[1].last_user());
        }
        assert!(is_about(&requests[1], &text), "the model sees what it had written");
    }
}

#[test]
fn a_plan_that_stays_wrong_ends_the_run_and_nothing_is_written() {
    let desk = desk(script([Rule::always(Reply::text("{\"components\": []}"))]));
    build(&desk).exits(1).says(&["No usable plan came in 3 attempts", "is empty"]);
    assert_eq!(desk.sim.requests().len(), 3);
    assert!(!desk.folder.has("src"));
    let refused = desk.run(&["resume", desk.sessions()[0]["run"].as_str().expect("an id")]).exits(1);
    assert!(refused.stderr.contains("failed"), "{}", refused.stderr);
}

#[test]
fn a_component_that_is_too_long_is_split() {
    let long: String = (0..200).map(|n| format!("      <p>{n}</p>\n")).collect();
    let long = format!(
        "export function Hero({{ title }}: {{ title: string }}) {{\n  return (\n    <section title={{title}}>\n{long}    </section>\n  );\n}}\n"
    );
    let split = json!({ "components": [
        part("HeroArt", "src/components/HeroArt.tsx", "component", &["HeroArt"], &[]),
        part("Hero", HERO, "component", &["Hero"], &["Button", "HeroArt"]),
    ], "order": [] });
    let art = "export function HeroArt() {\n  return <img alt=\"\" />;\n}\n";
    let small = HERO_CODE
        .replace("<Button", "<HeroArt />\n      <Button")
        .replace("./Button\";\n", "./Button\";\nimport { HeroArt } from \"./HeroArt\";\n");
    let desk = desk(script([
        Rule::asked("came with 206 lines", Reply::text(split.to_string())),
        writes("HeroArt", Reply::text(answer("HeroArt", "src/components/HeroArt.tsx", art))),
        writes("Hero", Reply::text(answer("Hero", HERO, &long))).times(1),
        well("Hero", HERO, &small),
    ]));
    build(&desk).exits(0);
    assert_eq!(desk.folder.read(HERO), small);
    assert_eq!(desk.folder.read("src/components/HeroArt.tsx"), art);
    after_every_change_set_the_project_is_valid(&desk);
    assert_eq!(desk.sim.requests().len(), 8);
}

#[test]
fn something_that_is_always_too_long_is_split_only_so_often() {
    let long: String = (0..200).map(|n| format!("// {n}\n")).collect();
    let long = format!("{long}{FOOTER_CODE}");
    let again = Reply::from_request(|asked| {
        let other = if asked.last_user().contains("Rest0") { "Rest1" } else { "Rest0" };
        json!({ "components": [
            part(other, &format!("src/components/{other}.tsx"), "component", &[], &[]),
            part("Footer", FOOTER, "component", &["Footer"], &[other]),
        ] })
        .to_string()
    });
    let rest = |name: &str| {
        let path = format!("src/components/{name}.tsx");
        well(name, &path, &format!("export const {name} = 1;\n"))
    };
    let desk = desk(script([
        Rule::asked("came with", again),
        rest("Rest0"),
        rest("Rest1"),
        writes("Footer", Reply::text(answer("Footer", FOOTER, &long))),
    ]));
    let ran = build(&desk).exits(1);
    assert!(
        ran.stderr.contains("Footer is missing") && ran.stderr.contains("split 2 times"),
        "{}",
        ran.stderr
    );
    assert_eq!(calls_for(&desk, "Footer"), 3);
    assert!(!desk.folder.has(FOOTER));
    after_every_change_set_the_project_is_valid(&desk);
}

#[test]
fn a_component_that_is_cut_is_continued_and_the_others_do_not_notice() {
    let text = answer("Hero", HERO, HERO_CODE);
    let desk = desk(script([
        writes("Hero", Reply::text(text.as_str()).cut(Place::After("<section".into()), Ending::LengthStop))
            .times(1),
        writes("Hero", Reply::continuing(text.as_str(), Manner::Exact)),
    ]));
    let ran = build(&desk).exits(0);
    built(&desk);
    assert_eq!(ran.of("truncated").len(), 1);
    assert_eq!((calls_for(&desk, "Hero"), calls_for(&desk, "Footer")), (2, 1));
}

#[test]
fn what_the_linter_finds_is_mended_by_the_model() {
    let nowhere = HERO_CODE.replace("./Button", "./Knob");
    let too_early = HERO_CODE.replace("import {", "import { Footer } from \"./Footer\";\nimport {");
    let no_export = HERO_CODE.replace("export function", "function");
    for (code, reason) in
        [(&nowhere, "`./Knob`, and there is no such file"), (&no_export, "does not export `Hero`")]
    {
        let desk = desk(script([writes("Hero", Reply::text(answer("Hero", HERO, code))).times(1)]));
        build(&desk).exits(0);
        built(&desk);
        let repair =
            desk.sim.requests().into_iter().find(|request| request.last_user().contains("cannot be applied"));
        let repair = repair.expect("a repair was asked for");
        assert!(repair.last_user().contains(reason), "{}", repair.last_user());
    }
    // An import of what is planned but may not be there yet.
    let desk = desk(script([
        writes("Footer", Reply::text(answer("Footer", FOOTER, "export function Footer( {\n"))),
        writes("Hero", Reply::text(answer("Hero", HERO, &too_early))).times(1),
    ]));
    build(&desk).exits(1);
    let repair = desk
        .sim
        .requests()
        .into_iter()
        .find(|request| request.last_user().contains("The component Hero cannot be applied"));
    let repair = repair.expect("a repair was asked for");
    assert!(repair.last_user().contains("Footer is not among its dependencies"), "{}", repair.last_user());
    assert_eq!(desk.folder.read(HERO), HERO_CODE);
    after_every_change_set_the_project_is_valid(&desk);
}

#[test]
fn a_skeleton_without_its_slots_is_mended() {
    let bare = APP_CODE.replace("      {/* assist:slot Footer <Footer /> */}\n", "");
    let eager = APP_CODE.replace("{/* assist:slot Footer <Footer /> */}", "<Footer />");
    let eager = format!("import {{ Footer }} from \"./components/Footer\";\n\n{eager}");
    for (code, reason) in [(bare, "no slot for `Footer`"), (eager, "Assist adds it when Footer is there")] {
        let desk = desk(script([writes("App", Reply::text(answer("App", APP, &code))).times(1)]));
        build(&desk).exits(0);
        built(&desk);
        let repair =
            desk.sim.requests().into_iter().find(|request| request.last_user().contains("cannot be applied"));
        let repair = repair.expect("a repair was asked for");
        assert!(repair.last_user().contains(reason), "{}", repair.last_user());
    }
}

#[test]
fn a_component_that_cannot_be_had_leaves_out_only_what_needs_it_and_is_had_later() {
    let broken = BUTTON_CODE.replace("</button>", "</buton>");
    let desk = desk(script([writes("Button", Reply::text(answer("Button", BUTTON, &broken))).times(3)]));
    let ran = build(&desk).exits(1);
    let said = ran.stderr.clone();
    for part in [
        "Button is missing",
        "Hero was left out: it needs Button",
        "2 of 4 components are in place",
        "assist resume",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert!(!desk.folder.has(BUTTON) && !desk.folder.has(HERO));
    assert_eq!(desk.folder.read(FOOTER), FOOTER_CODE);
    let app = desk.folder.read(APP);
    assert!(app.contains("<Footer />") && app.contains("assist:slot Hero"), "{app}");
    after_every_change_set_the_project_is_valid(&desk);
    assert_eq!(calls_for(&desk, "Hero"), 0, "nothing is paid for what cannot be used");
    let session = &desk.sessions()[0];
    assert_eq!(session["status"], "failed");

    let before = desk.sim.requests().len();
    desk.run(&["resume", session["run"].as_str().expect("an id"), "--json"]).exits(0);
    built(&desk);
    assert_eq!(desk.sessions()[0]["status"], "done");
    assert_eq!(calls(&desk, "Plan what follows"), 1);
    assert_eq!((calls_for(&desk, "App"), calls_for(&desk, "Footer"), calls_for(&desk, "Hero")), (1, 1, 1));
    assert_eq!(desk.sim.requests().len(), before + 2, "Button and Hero are asked for, and nothing else");
}

#[test]
fn when_something_is_missing_the_files_can_be_restored() {
    let fails = || writes("Footer", Reply::text(answer("Footer", FOOTER, "export function Footer( {\n")));
    let present = "export default function App() {\n  return <p>Old</p>;\n}\n";
    let desk = Desk::new(Wire::OpenAi, &[(APP, present)], script([fails().times(3)]));
    let ask = ["ask", "Build a shop", "--build", "--file", APP, "--on-failure", "restore", "--json"];
    let ran = desk.run(&ask).exits(1);
    assert!(ran.stderr.contains("Footer is missing") && ran.stderr.contains("Restored"), "{}", ran.stderr);
    assert_eq!(desk.folder.read(APP), present);
    for path in [BUTTON, HERO, FOOTER] {
        assert!(!desk.folder.has(path), "{path}");
    }
    assert_eq!(ran.of("completed")[0]["changedFiles"], json!([]));

    // What was written is not forgotten: only what is missing is paid for.
    let run = desk.sessions()[0]["run"].as_str().expect("an id").to_owned();
    let before = desk.sim.requests().len();
    desk.run(&["resume", &run]).exits(0);
    assert_eq!(desk.sim.requests().len(), before + 1);
    built(&desk);
}

#[test]
fn an_existing_file_that_nobody_named_is_changed_only_after_a_yes() {
    let present = "export function Footer() {\n  return <footer>Mine</footer>;\n}\n";
    let desk = Desk::new(Wire::Anthropic, &[(FOOTER, present)], script([]));
    let ran = build(&desk).exits(1);
    assert!(ran.stderr.contains("Footer is missing: you did not want it"), "{}", ran.stderr);
    assert_eq!(desk.folder.read(FOOTER), present);
    let desk = Desk::new(Wire::Anthropic, &[(FOOTER, present)], script([]));
    desk.run(&["ask", "Build a shop", "--build", "--yes"]).exits(0);
    assert_eq!(desk.folder.read(FOOTER), FOOTER_CODE);
}

#[cfg(unix)]
#[test]
fn a_build_that_is_killed_between_components_goes_on_without_paying_twice() {
    for wire in Wire::BOTH {
        let text = answer("Hero", HERO, HERO_CODE);
        let desk = Desk::new(
            wire,
            &[],
            script([
                writes("Hero", Reply::text(text.as_str()).stall(Place::After("<section".into()))).times(1),
                writes("Hero", Reply::continuing(text.as_str(), Manner::Exact)),
            ]),
        );
        let running = desk.start(&["ask", "Build a shop", "--build", "--json"]);
        desk.sim.blocking_stalled(1);
        desk.wait_until_kept("<section");
        // The others are written meanwhile; when the last of them is in place, only Hero is missing.
        desk.wait_until_built(&["App", "Button", "Footer"]);
        running.kill();
        assert!(desk.folder.read(APP).contains("assist:slot Hero"));
        after_every_change_set_the_project_is_valid(&desk);

        desk.run(&["sessions"]).exits(0);
        let session = &desk.sessions()[0];
        assert_eq!((&session["status"], &session["reason"]), (&"paused".into(), &"crash".into()));
        let run = session["run"].as_str().expect("an id").to_owned();
        let before = desk.sim.requests().len();
        desk.run(&["resume", &run, "--json"]).exits(0);
        built(&desk);
        let requests = desk.sim.requests();
        assert_eq!(requests.len(), before + 1, "only the rest of Hero is asked for");
        assert!(requests[before].last_user().contains("Go on from exactly where it stopped"));
    }
}

#[test]
fn a_request_about_a_selection_is_one_call() {
    let desk = Desk::new(Wire::Anthropic, &[(FOOTER, FOOTER_CODE)], Script::always(Reply::text("Fine.")));
    desk.run(&["ask", "Change it", "--intent", "build", "--file", FOOTER, "--lines", "1:3"]).exits(0);
    assert_eq!(desk.sim.requests().len(), 1);
    assert_eq!(calls(&desk, "Plan what follows"), 0);
}

/// All components in one answer, as a model sends them that was not asked for a plan.
fn at_once(end: &str) -> String {
    let app = APP_CODE
        .replace("{/* assist:slot Hero <Hero title=\"Shop\" /> */}", "<p />")
        .replace("{/* assist:slot Footer <Footer /> */}", "<p />");
    component("App", APP, &app).replace("exports=App", "exports=default")
        + &component("Footer", FOOTER, FOOTER_CODE)
        + end
}

#[test]
fn without_the_full_pipeline_a_build_is_one_call() {
    let mut desk = Desk::new(Wire::Anthropic, &[], Script::always(Reply::text(at_once(SENTINEL))));
    desk.set("ASSIST_PIPELINE_FULL_PIPELINE", "false");
    desk.run(&["ask", "Build a shop", "--build", "--yes"]).exits(0);
    assert_eq!(desk.sim.requests().len(), 1);
    assert_eq!(calls(&desk, "Plan what follows"), 0);
    assert_eq!(desk.folder.read(FOOTER), FOOTER_CODE);
}

#[test]
fn without_chunking_nothing_is_applied_before_everything_is_whole() {
    // Everything is there but the last component.
    let fails = writes("Footer", Reply::text(answer("Footer", FOOTER, "export function Footer( {\n")));
    let mut broken = desk(script([fails.clone().times(3)]));
    broken.set("ASSIST_PIPELINE_CHUNKING", "off");
    let ran = build(&broken).exits(1);
    assert!(ran.stderr.contains("Nothing was applied"), "{}", ran.stderr);
    assert!(!broken.folder.has("src"));
    let run = broken.sessions()[0]["run"].as_str().expect("an id").to_owned();
    let before = broken.sim.requests().len();
    broken.run(&["resume", &run]).exits(0);
    assert_eq!(broken.sim.requests().len(), before + 1);
    built(&broken);

    let mut whole = desk(script([]));
    whole.set("ASSIST_PIPELINE_CHUNKING", "off");
    build(&whole).exits(0);
    built(&whole);
}

#[test]
fn without_the_sentinel_an_answer_with_whole_components_is_done() {
    for (value, requests) in [("true", 2), ("false", 1)] {
        let text = at_once(SENTINEL);
        let script = Script::first_then(Reply::text(at_once("")), Reply::continuing(text, Manner::Exact));
        let mut desk = Desk::new(Wire::Anthropic, &[], script);
        desk.set("ASSIST_PIPELINE_FULL_PIPELINE", "false");
        desk.set("ASSIST_PIPELINE_SENTINEL", value);
        desk.run(&["ask", "Build a shop", "--build", "--yes"]).exits(0);
        assert_eq!(desk.sim.requests().len(), requests);
        assert_eq!(desk.folder.read(FOOTER), FOOTER_CODE);
    }
    // A limit that was reached is no end, whatever is whole.
    let text = at_once(SENTINEL);
    let cut = Reply::text(at_once("")).stop(assist_simulator::Stop::Length);
    let mut desk =
        Desk::new(Wire::Anthropic, &[], Script::first_then(cut, Reply::continuing(text, Manner::Exact)));
    desk.set("ASSIST_PIPELINE_FULL_PIPELINE", "false");
    desk.set("ASSIST_PIPELINE_SENTINEL", "false");
    desk.run(&["ask", "Build a shop", "--build", "--yes"]).exits(0);
    assert_eq!(desk.sim.requests().len(), 2);
}

#[test]
fn without_the_ghost_fixer_nothing_is_continued() {
    let cut = Reply::text(answer("Footer", FOOTER, FOOTER_CODE))
        .cut(Place::After("<footer".into()), Ending::LengthStop);
    let present = "export function Footer() {\n  return <footer>Mine</footer>;\n}\n";
    let desk = Desk::new(Wire::Anthropic, &[(FOOTER, present)], Script::always(cut));
    desk.folder.write("assist.toml", "[pipeline]\nghost_fixer = false\n");
    let ran = desk.run(&["ask", "Change it", "--file", FOOTER, "--lines", "1:3", "--json"]).exits(1);
    assert!(ran.stderr.contains("Footer broke off") && ran.stderr.contains("ghost_fixer"), "{}", ran.stderr);
    assert_eq!(desk.sim.requests().len(), 1);
    assert_eq!(desk.folder.read(FOOTER), present);
    assert_eq!(ran.of("truncated").len(), 1);
}

#[test]
fn without_chunking_one_answer_is_applied_when_it_is_whole() {
    let text = at_once(SENTINEL);
    for (chunking, there) in [("true", true), ("false", false)] {
        let place = Place::After("COMPONENT_START: Footer".into());
        let mut desk =
            Desk::new(Wire::Anthropic, &[], Script::always(Reply::text(text.as_str()).stall(place)));
        desk.set("ASSIST_PIPELINE_FULL_PIPELINE", "false");
        desk.set("ASSIST_PIPELINE_CHUNKING", chunking);
        let running = desk.start(&["ask", "Build a shop", "--build", "--yes"]);
        desk.sim.blocking_stalled(1);
        desk.wait_until_kept("COMPONENT_START: Footer");
        assert_eq!(desk.folder.has(APP), there, "chunking {chunking}");
        desk.sim.release_stall();
        running.end().exits(0);
        assert!(desk.folder.has(APP) && desk.folder.has(FOOTER));
    }
}

#[test]
fn a_setting_that_makes_no_sense_is_named() {
    let mut desk = desk(script([]));
    desk.set("ASSIST_PIPELINE_CHUNKING", "perhaps");
    desk.run(&["ask", "Build a shop", "--build"])
        .exits(2)
        .says(&["ASSIST_PIPELINE_CHUNKING", "true or false"]);
    assert_eq!(desk.sim.requests().len(), 0);
}

#[tokio::test]
async fn an_editor_builds_with_a_file_open_that_takes_the_components_in() {
    let present = "export default function App() {\n  return <p>Old</p>;\n}\n";
    let desk = Desk::new(Wire::Anthropic, &[(APP, present)], script([]));
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit"]);
    let uri = session.open_file(&desk, APP);
    let run =
        session.ask(json!({ "intent": "build", "prompt": "Build a shop", "uri": uri, "version": 1 })).await;
    let end = session.ends(&run).await;
    assert_eq!(end["state"], "done", "{end}");
    let text = session.text(&uri);
    assert!(text.contains("<Hero title=\"Shop\" />") && text.contains("<Footer />"), "{text}");
    let path = DocPath::relative(APP).expect("a path");
    for text in session.document(&uri).history {
        assert_eq!(assist_syntax::faults(&path, &text), [], "{text}");
    }
    after_every_change_set_the_project_is_valid(&desk);
    assert_eq!(session.leave().await, 0);
}

#[tokio::test]
async fn an_editor_is_asked_what_becomes_of_a_build_with_a_part_missing() {
    for (choice, kept) in [("Keep what is whole", true), ("Restore the files", false)] {
        let broken = writes("Footer", Reply::text(answer("Footer", FOOTER, "export function Footer( {\n")));
        let desk = Desk::new(Wire::Anthropic, &[], script([broken.times(3)]));
        let session = desk.plain_sailing().await;
        session.ignore(&["window/showMessage"]);
        session.when_asked(
            "3 of 4 components are in place",
            assist_tests::client::Choice::Press(choice.to_owned()),
        );
        let run = session.ask(json!({ "intent": "build", "prompt": "Build a shop" })).await;
        let end = session.ends(&run).await;
        assert_eq!(end["state"], "failed", "{end}");
        assert_eq!(desk.folder.has(HERO), kept, "{choice}");
        // What is missing is had later, and nothing is paid twice.
        let before = desk.sim.requests().len();
        session.command("assist.resume", json!({ "runId": run })).await.expect("it goes on");
        desk.store_when(&run, "done").await;
        assert_eq!(desk.sim.requests().len(), before + 1);
        assert!(desk.folder.read(APP).contains("<Footer />"));
        session.ignore(&["assist/event"]);
        session.ignore(&["window/showMessageRequest"]);
        assert_eq!(session.leave().await, 0);
    }
}

#[tokio::test]
async fn a_folder_that_is_closed_gets_nothing_more() {
    let text = answer("Footer", FOOTER, FOOTER_CODE);
    let desk = desk(script([
        writes("Footer", Reply::text(text.as_str()).stall(Place::Before("/// COMPONENT_END".into())))
            .times(1),
        writes("Footer", Reply::continuing(text.as_str(), Manner::Exact)),
    ]));
    let session = desk.plain_sailing().await;
    session.ignore(&["assist/event", "window/showMessage"]);
    let run = session.ask(json!({ "intent": "build", "prompt": "Build a shop" })).await;
    desk.sim.stalled(1).await;
    let folder = json!({ "uri": desk.folder.uri(""), "name": "it" });
    session.notify(
        "workspace/didChangeWorkspaceFolders",
        json!({ "event": { "added": [], "removed": [folder] } }),
    );
    desk.store_when(&run, "paused").await;
    desk.sim.release_stall();
    let there = desk.folder.has(APP).then(|| desk.folder.read(APP));
    session.unread_after_roundtrip().await;
    assert!(!desk.folder.has(FOOTER), "nothing is applied any more");
    assert_eq!(desk.folder.has(APP).then(|| desk.folder.read(APP)), there);

    session.notify(
        "workspace/didChangeWorkspaceFolders",
        json!({ "event": { "added": [folder], "removed": [] } }),
    );
    session.command("assist.resume", json!({ "runId": run })).await.expect("it goes on");
    desk.store_when(&run, "done").await;
    built(&desk);
    assert_eq!(session.leave().await, 0);
}
