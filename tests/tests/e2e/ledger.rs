//! What a user sees of what is kept: costs, models, memory, snapshots, exports, past sessions, recordings.

use assist_simulator::{Reply, Script, Simulator, Usage, answer};
use serde_json::Value;

use crate::support::{Desk, HERO, HERO_LINES, NEW_HERO, NOBODY, Wire, with_new_hero};

const FILE: &str = "src/Hero.tsx";
const ASK: [&str; 6] = ["ask", "Go", "--file", FILE, "--lines", HERO_LINES];

fn hero() -> Script {
    let usage = Usage { input: 1_000, output: 800, ..Usage::default() };
    Script::always(Reply { usage: Some(usage), ..Reply::text(answer("Hero", FILE, NEW_HERO)) })
}

fn desk() -> Desk {
    Desk::new(Wire::Anthropic, &[(FILE, HERO), ("notes.md", "mine\n"), (".env", "SECRET=1\n")], hero())
}

/// The one JSON document that a command prints.
#[track_caller]
fn json(desk: &Desk, args: &[&str]) -> Value {
    let mut args = args.to_vec();
    args.push("--json");
    let ran = desk.run(&args).exits(0);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

#[test]
fn costs_are_told_by_day_run_agent_and_model_with_the_reason_for_the_model() {
    let mut desk = desk();
    assert!(desk.run(&["costs"]).exits(0).stdout.contains("No model calls"));
    desk.run(&ASK).exits(0);
    let run = desk.sessions()[0]["run"].as_str().expect("an id").to_owned();
    for (by, name) in [("run", run.as_str()), ("agent", "builder"), ("model", "anthropic/claude-sonnet-4-6")]
    {
        let costs = json(&desk, &["costs", "--by", by]);
        assert_eq!(costs["by"], by);
        assert_eq!(costs["lines"][0]["name"], name);
        assert_eq!(costs["lines"][0]["inputTokens"], 1_000);
        let cost = costs["total"]["costUsd"].as_f64().expect("an amount");
        assert!((cost - 0.015).abs() < 1e-9, "{costs}");
    }
    let costs = json(&desk, &["costs", "--of", &run[..8]]);
    assert_eq!(costs["calls"][0]["reason"], "the model of tier B");
    assert_eq!(costs["today"]["leftUsd"], Value::Null);
    let page = desk.run(&["costs", "--calls"]).exits(0).stdout;
    assert!(page.contains("$0.0150") && page.contains("the model of tier B"), "{page}");
    desk.run(&["costs", "--since", "soon"]).exits(2).says(&["`soon` is not a time", "7d"]);

    // With a budget and no model named, the cheapest that can do it is asked, and it is said why.
    desk.set("ASSIST_DAILY_CAP_USD", "1");
    desk.folder.write(FILE, HERO.as_bytes());
    desk.run(&["ask", "Fix the typo", "--file", FILE, "--lines", HERO_LINES]).exits(0);
    let costs = json(&desk, &["costs", "--by", "model"]);
    assert_eq!(costs["calls"][0]["model"], "anthropic/claude-haiku-4-5", "{costs}");
    assert!(
        costs["calls"][0]["reason"].as_str().is_some_and(|why| why.contains("the task is trivial")),
        "{costs}"
    );
    assert!(costs["today"]["leftUsd"].as_f64().is_some_and(|left| left < 1.0 && left > 0.9), "{costs}");
    // A model that is named is asked, whatever it costs.
    desk.folder.write(FILE, HERO.as_bytes());
    let mut ask = ASK.to_vec();
    ask.extend(["--model", "claude-opus-4-6"]);
    desk.run(&ask).exits(0);
    let costs = json(&desk, &["costs"]);
    assert_eq!(costs["calls"][0]["model"], "anthropic/claude-opus-4-6");
}

#[test]
fn models_are_told_with_tiers_prices_and_what_is_left_alone() {
    let mut desk = desk();
    let models = json(&desk, &["models"]);
    assert_eq!(models["tiers"][1]["model"], "anthropic/claude-sonnet-4-6");
    assert!(models["tiers"][1]["why"].as_str().is_some_and(|why| why.contains("first provider")), "{models}");
    let sonnet = |models: &Value| {
        let all = models["models"].as_array().expect("a list").clone();
        all.into_iter().find(|model| model["model"] == "anthropic/claude-sonnet-4-6").expect("it is known")
    };
    assert_eq!(
        (sonnet(&models)["inputUsd"].as_f64(), &sonnet(&models)["breaker"]),
        (Some(3.0), &Value::Null)
    );
    // The user's own prices count.
    let own = "[[model]]\nprovider = 'anthropic'\nname = 'claude-sonnet-4-6'\ninput = 7.0\noutput = 9.0\n";
    std::fs::write(desk.config().join("models.toml"), own).expect("the file can be written");
    assert_eq!(sonnet(&json(&desk, &["models"]))["inputUsd"].as_f64(), Some(7.0));
    std::fs::write(desk.config().join("models.toml"), "[[model]]\nname = 1\n")
        .expect("the file can be written");
    desk.run(&["models"]).exits(2).says(&["models.toml"]);
    std::fs::remove_file(desk.config().join("models.toml")).expect("it is there");
    // What fails five times in a row is left alone, also by the next process.
    desk.set("ANTHROPIC_BASE_URL", NOBODY);
    for _ in 0..5 {
        desk.run(&["ask", "Hi"]).exits(1);
    }
    let models = json(&desk, &["models"]);
    let breaker = &sonnet(&models)["breaker"];
    assert_eq!(breaker["state"], "open", "{models}");
    let said = desk.run(&["ask", "Hi"]).exits(1).stderr;
    assert!(said.contains("left alone"), "{said}");
    assert!(desk.run(&["models"]).exits(0).stdout.contains("left alone until"));
}

#[test]
fn memory_is_added_found_corrected_forgotten_and_carried_elsewhere() {
    let desk = desk();
    let add = |key: &str, value: &str, kind: &str| {
        json(&desk, &["memory", "add", key, value, "--category", kind])["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let login = add("Social login", "Not now: too complex", "decision");
    let style = add("Style", "Fast over architecturally correct", "preference");
    let found = json(&desk, &["memory", "search", "logins"]);
    assert_eq!(found["memories"][0]["id"], login.as_str());
    let only = json(&desk, &["memory", "list", "--category", "preference"]);
    assert_eq!(only["memories"].as_array().map(Vec::len), Some(1));
    let updated = json(&desk, &["memory", "update", &style[..8], "--value", "Correct, then fast"]);
    assert_eq!((&updated["id"], &updated["value"]), (&style.as_str().into(), &"Correct, then fast".into()));
    // What contradicts takes its place; the older stays behind it.
    let args = [
        "memory",
        "add",
        "Social login",
        "Now, with GitHub",
        "--category",
        "decision",
        "--contradicts",
        &login,
    ];
    let newer = json(&desk, &args)["id"].clone();
    let listed = json(&desk, &["memory", "list", "--category", "decision"]);
    assert_eq!(listed["memories"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["memories"][0]["id"], newer);
    // Out and in again, elsewhere, both ways.
    for file in ["memory.md", "memory.json"] {
        let format = if file.ends_with("md") { "md" } else { "json" };
        desk.run(&["memory", "export", "--format", format, "-o", file]).exits(0);
        let other = Desk::new(Wire::Anthropic, &[(file, &desk.folder.read(file))], hero());
        let imported = json(&other, &["memory", "import", file]);
        assert_eq!(imported["new"], 3, "{file}: {imported}");
        let found = json(&other, &["memory", "search", "GitHub"]);
        assert_eq!(found["memories"][0]["value"], "Now, with GitHub");
    }
    assert_eq!(json(&desk, &["memory", "forget", &style])["forgotten"], true);
    assert_eq!(json(&desk, &["memory", "search", "fast"])["memories"], Value::Array(Vec::new()));
    desk.run(&["memory", "forget", &style]).exits(2).says(&["no memory", "assist memory list"]);
    desk.run(&["memory", "add", "x", "y", "--category", "wish"]).exits(2);
    desk.run(&["memory", "add", "", "y"]).exits(2);
}

#[test]
fn meaning_finds_what_words_do_not_where_embeddings_are_set_up() {
    let script = Script { alike: vec![vec!["signup".into(), "registration".into()]], ..hero() };
    let mut desk = Desk::new(Wire::Anthropic, &[], script);
    desk.run(&["memory", "add", "Funnel", "registration must be one click"]).exits(0);
    let found = |desk: &Desk| {
        let found = json(desk, &["memory", "search", "signup"]);
        found["memories"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(found(&desk), 0, "words alone do not find it");
    desk.set("ASSIST_EMBEDDINGS_URL", format!("{}/v1", desk.sim.url));
    desk.set("ASSIST_EMBEDDINGS_MODEL", "small");
    desk.set("ASSIST_EMBEDDINGS_KEY", crate::support::KEY);
    assert_eq!(found(&desk), 1);
    assert!(desk.sim.all_requests().iter().any(|request| request.path == "/v1/embeddings"));
    // An endpoint that is gone is no reason to find nothing.
    desk.set("ASSIST_EMBEDDINGS_URL", NOBODY);
    let found = json(&desk, &["memory", "search", "registration"]);
    assert_eq!(found["memories"][0]["key"], "Funnel");
}

#[test]
fn a_state_can_be_gone_back_to_and_later_edits_stay() {
    let desk = desk();
    let first = json(&desk, &["snapshot", "create", "--label", "start"]);
    assert_eq!((first["files"].as_u64(), first["leftOut"].as_u64()), (Some(2), Some(1)), "{first}");
    desk.run(&ASK).exits(0);
    let of_run = json(&desk, &["snapshot", "list"]);
    let kinds: Vec<_> =
        of_run["snapshots"].as_array().expect("a list").iter().map(|set| set["kind"].clone()).collect();
    assert_eq!(kinds, ["checkpoint", "run", "manual"]);
    let diff = json(&desk, &["snapshot", "diff", "start"]);
    assert_eq!(
        (diff["files"][0]["path"].as_str(), diff["files"].as_array().map(Vec::len)),
        (Some(FILE), Some(1))
    );
    // An edit elsewhere in the file stays, a file that only the user edited stays.
    let edited = desk.folder.read(FILE).replace("<footer>", "<footer id=\"f\">");
    desk.folder.write(FILE, edited.as_bytes());
    desk.folder.write("notes.md", b"mine, and more\n");
    let back = json(&desk, &["snapshot", "restore", "start"]);
    assert_eq!((&back["restored"][0], &back["edited"][0]), (&FILE.into(), &"notes.md".into()), "{back}");
    assert_eq!(desk.folder.read(FILE), HERO.replace("<footer>", "<footer id=\"f\">"));
    assert_eq!(desk.folder.read("notes.md"), "mine, and more\n");
    // What was before restoring is kept too, so that this can be taken back.
    let before = back["before"].as_str().expect("an id").to_owned();
    desk.run(&["snapshot", "restore", &before, "--exact"]).exits(0);
    assert_eq!(desk.folder.read(FILE), edited);
    // An edit in the same place is a conflict, and nothing is overwritten.
    let other = edited.replace("aria-label", "data-mine");
    assert_ne!(other, edited, "the new hero has a label");
    desk.folder.write(FILE, other.as_bytes());
    let ran = desk.run(&["snapshot", "restore", "start"]).exits(1);
    assert!(ran.stdout.contains("was edited in the same places since and was left alone"), "{}", ran.stdout);
    assert_eq!(desk.folder.read(FILE), other);
    desk.run(&["snapshot", "restore", "start", FILE, "--exact"]).exits(0);
    assert_eq!(desk.folder.read(FILE), HERO);
    assert_eq!(desk.folder.read("notes.md"), "mine, and more\n");
    desk.run(&["snapshot", "diff", "nowhere"])
        .exits(2)
        .says(&["no snapshot nowhere", "assist snapshot list"]);
}

#[test]
fn a_run_is_shown_exported_and_found_again() {
    let desk = desk();
    desk.run(&["ask", "Give the zebra a label", "--file", FILE, "--lines", HERO_LINES]).exits(0);
    let run = desk.sessions()[0]["run"].as_str().expect("an id").to_owned();
    let shown = json(&desk, &["show", &run[..8]]);
    assert_eq!(shown["run"]["run"], run.as_str());
    assert_eq!(shown["costs"]["total"]["calls"], 1);
    assert!(desk.run(&["show", &run]).exits(0).stdout.contains("the model of tier B"));
    desk.run(&["export", &run, "-o", "run.md"]).exits(0);
    let page = desk.folder.read("run.md");
    assert!(page.contains("Give the zebra a label") && page.contains("```diff"), "{page}");
    let ran = desk.run(&["export", &run, "--format", "json"]).exits(0);
    let document: Value = serde_json::from_str(&ran.stdout).expect("one JSON document");
    assert_eq!((&document["id"], &document["files"][0]["path"]), (&run.as_str().into(), &FILE.into()));
    let found = json(&desk, &["sessions", "--search", "zebras"]);
    assert_eq!(found["runs"][0]["run"], run.as_str());
    assert!(found["messages"][0]["excerpt"].as_str().is_some_and(|said| said.contains("zebra")), "{found}");
    assert_eq!(json(&desk, &["sessions", "--search", "giraffe"])["runs"], Value::Array(Vec::new()));
}

#[test]
fn what_was_recorded_plays_to_the_same_files() {
    let desk = desk();
    let mut ask = ASK.to_vec();
    ask.extend(["--record", "run.transcript.json"]);
    desk.run(&ask).exits(0);
    let recorded = desk.folder.read("run.transcript.json");
    assert!(!recorded.contains(crate::support::KEY));
    let other = Desk::without_model(&[(FILE, HERO), ("t.json", &recorded)], Script::default());
    let mut ask = ASK.to_vec();
    ask.extend(["--replay", "t.json"]);
    other.run(&ask).exits(0);
    assert_eq!(other.folder.read(FILE), with_new_hero());
    assert_eq!(other.folder.read(FILE), desk.folder.read(FILE));
    assert_eq!(other.sim.all_requests().len(), 0);
}

/// Everything that a run writes anywhere, with keys from the environment, the configuration and a kept file, and a
/// provider that repeats the key when it refuses it.
#[test]
fn keys_are_in_nothing_that_is_written() {
    const FROM_ENVIRONMENT: &str = "sk-environment-51e8c0d2";
    const FROM_FILE: &str = "sk-config-7ab29f66";
    const KEPT: &str = "sk-kept-c3d4e5f60718";
    let echo = |key: &str| {
        Reply::error(assist_simulator::Failure::Raw {
            status: 401,
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("request-id".into(), format!("req-{key}")),
            ],
            body: format!(
                r#"{{"type":"error","error":{{"type":"authentication_error","message":"Incorrect API key provided: {key}"}}}}"#
            ),
        })
    };
    for (source, key) in [("environment", FROM_ENVIRONMENT), ("config", FROM_FILE), ("kept", KEPT)] {
        for works in [true, false] {
            let script = if works { hero() } else { Script::always(echo(key)) };
            let mut desk = Desk::without_model(&[(FILE, HERO)], script);
            desk.set("ANTHROPIC_BASE_URL", desk.sim.url.clone());
            match source {
                "environment" => desk.set("ANTHROPIC_API_KEY", key),
                "config" => {
                    let toml = format!("[providers.anthropic]\napi_key = \"{key}\"\n");
                    std::fs::write(desk.config().join("config.toml"), toml).expect("the file can be written");
                }
                _ => {
                    desk.run_with(&["auth", "set", "anthropic"], format!("{key}\n").as_bytes()).exits(0);
                }
            }
            let mut said = String::new();
            let run = |args: &[&str], said: &mut String| {
                let ran = desk.run(args);
                said.push_str(&ran.stdout);
                said.push_str(&ran.stderr);
                ran
            };
            let mut ask = ASK.to_vec();
            ask.extend(["--record", "t.json", "--json", "-vv"]);
            run(&ask, &mut said).exits(i32::from(!works));
            assert_eq!(desk.sim.all_requests()[0].key.as_deref(), Some(key), "{source}");
            let id = desk.sessions()[0]["run"].as_str().expect("an id").to_owned();
            run(&["export", &id], &mut said).exits(0);
            run(&["logs", &id, "--json"], &mut said).exits(0);
            run(&["doctor", "--json"], &mut said);
            run(&["models", "--json"], &mut said).exits(0);
            run(&["costs", "--calls"], &mut said).exits(0);
            assert!(!said.contains(key), "{source}: the key is in the output");
            let mut looked = 0;
            for (path, bytes) in desk.all_files() {
                looked += 1;
                let holds = bytes.windows(key.len()).any(|window| window == key.as_bytes());
                assert!(!holds, "{source}: the key is in {}", path.display());
            }
            assert!(looked > 3, "the database, its log and the recording are looked at");
        }
    }
    // The embeddings' key too.
    let sim = Simulator::start(Script { keys: vec!["another".into()], ..Script::default() });
    let mut desk = Desk::new(Wire::Anthropic, &[], hero());
    desk.set("ASSIST_EMBEDDINGS_URL", sim.url.clone());
    desk.set("ASSIST_EMBEDDINGS_MODEL", "m");
    desk.set("ASSIST_EMBEDDINGS_KEY", crate::support::KEY);
    let ran = desk.run(&["memory", "search", "anything", "-vv"]).exits(0);
    assert!(!ran.stderr.contains(crate::support::KEY), "{}", ran.stderr);
    assert_eq!(sim.all_requests()[0].key.as_deref(), Some(crate::support::KEY));
}

#[test]
fn what_is_said_is_found_by_meaning_and_its_embeddings_are_paid_for() {
    let script = Script {
        alike: vec![vec!["signups".into(), "registration".into()]],
        ..Script::always(Reply::text("One click."))
    };
    let mut desk = Desk::new(Wire::Anthropic, &[], script);
    desk.set("ASSIST_EMBEDDINGS_URL", format!("{}/v1", desk.sim.url));
    desk.set("ASSIST_EMBEDDINGS_MODEL", "small");
    desk.set("ASSIST_EMBEDDINGS_KEY", crate::support::KEY);
    desk.run(&["memory", "add", "Funnel", "registration must be one click"]).exits(0);
    // Looking for it once gets what is new its embedding.
    json(&desk, &["memory", "search", "registration"]);
    desk.run(&["ask", "Why so few signups?"]).exits(0);
    let asked = desk.sim.requests()[0].asked.clone().expect("a question");
    assert!(asked.system.contains("registration must be one click"), "{}", asked.system);
    let costs = json(&desk, &["costs", "--by", "model"]);
    let lines = costs["lines"].as_array().cloned().unwrap_or_default();
    let line =
        lines.iter().find(|line| line["name"] == "embeddings/small").unwrap_or_else(|| panic!("{costs}"));
    assert!(line["inputTokens"].as_u64() > Some(0) && line["open"] == 0, "{line}");
    assert_eq!(
        (&line["costUsd"], &line["unpriced"]),
        (&serde_json::json!(0.0), &serde_json::json!(0)),
        "{line}"
    );
}
