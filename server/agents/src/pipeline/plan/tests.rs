use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn shop() -> Value {
    json!({
        "components": [
            { "name": "Hero", "path": "src/components/Hero.tsx", "kind": "component", "complexity": "medium", "lines": 80, "exports": ["Hero"], "dependencies": ["Button"] },
            { "name": "App", "path": "src/App.tsx", "kind": "skeleton", "complexity": "low", "lines": 20, "exports": ["default"], "dependencies": ["Hero", "Footer"] },
            { "name": "Footer", "path": "src/components/Footer.tsx", "kind": "component", "complexity": "low", "lines": 20, "exports": ["Footer"], "dependencies": [] },
            { "name": "Button", "path": "src/components/Button.tsx", "kind": "component", "complexity": "low", "lines": 15, "exports": ["Button"], "dependencies": [] },
        ],
        "order": ["App", "Footer", "Hero", "Button"],
    })
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.components.iter().map(|part| part.name.as_str()).collect()
}

#[test]
fn the_order_is_one_in_which_it_can_be_built() {
    let plan = read(&shop().to_string()).unwrap();
    assert_eq!(names(&plan), ["App", "Footer", "Button", "Hero"]);
    let words = plan.in_words();
    assert!(
        words.contains("1. App in src/App.tsx (skeleton, low, about 20 lines): takes in Hero, Footer"),
        "{words}"
    );
    assert!(
        words.contains("Hero in src/components/Hero.tsx (component, medium, about 80 lines): needs Button")
    );
}

#[test]
fn what_models_put_around_json_and_into_it_is_mended() {
    let plain = shop().to_string();
    let expected = read(&plain).unwrap();
    for text in [
        format!("```json\n{plain}\n```\n"),
        format!("Here is {{my}} plan:\n\n{plain}\n\nShall I go on?"),
        format!("\u{feff}{{\"plan\": {plain}}}"),
        plain.replace("]}", ",]}").replace("}]", "},\n]"),
        plain.replacen("[{", "[ // first\n /* the hero */ {", 1),
    ] {
        assert_eq!(read(&text).as_ref(), Ok(&expected), "{text}");
    }
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), expected: &str) {
    let mut plan = shop();
    change(&mut plan);
    let reasons = read(&plan.to_string()).unwrap_err();
    assert!(reasons.iter().any(|reason| reason.contains(expected)), "{reasons:?}");
}

#[test]
fn what_is_wrong_is_named() {
    refused(|plan| plan["components"][0]["name"] = json!("Footer"), "`Footer` is there twice");
    refused(|plan| plan["components"][0]["name"] = json!("a /// b"), "needs a name");
    refused(|plan| plan["components"][0]["path"] = json!("../x.ts"), "leaves the workspace");
    refused(|plan| plan["components"][0]["path"] = json!("/etc/passwd"), "not relative");
    refused(|plan| plan["components"][0]["path"] = json!(".git/hooks/pre-commit"), "belongs to git");
    refused(|plan| plan["components"][0]["path"] = json!("a/.GIT/config"), "belongs to git");
    refused(|plan| plan["components"][0]["path"] = json!(".assist/assist.db"), "belongs to git or to Assist");
    refused(|plan| plan["components"][0]["path"] = json!("src/"), "is a folder");
    refused(|plan| plan["components"][0]["path"] = json!("SRC/app.tsx"), "differ only in their case");
    refused(|plan| plan["components"][0]["path"] = json!("src/App.tsx"), "must hold `App` alone");
    refused(|plan| plan["components"][0]["complexity"] = json!("huge"), "`complexity` must be");
    refused(|plan| plan["components"][0]["lines"] = json!(400), "split it into components of at most 150");
    refused(|plan| plan["components"][0]["lines"] = json!(0), "`lines` must be a number");
    refused(
        |plan| plan["components"][0]["dependencies"] = json!(["Grid"]),
        "`Grid`, which is not in the plan",
    );
    refused(|plan| plan["components"][3]["dependencies"] = json!(["Hero"]), "Hero → Button → Hero");
    refused(
        |plan| plan["components"][3]["dependencies"] = json!(["App"]),
        "circle: Hero → Button → App → Hero",
    );
    refused(|plan| plan["components"][3]["dependencies"] = json!(["Button"]), "Button → Button");
    refused(|plan| plan["components"] = json!([]), "is empty");
    refused(|plan| plan["components"] = json!("none"), "no list `components`");
    let cut = shop().to_string();
    assert!(read(&cut[..cut.len() / 2]).unwrap_err()[0].contains("cut"));
    assert!(read("I cannot plan that.").unwrap_err()[0].contains("no JSON object"));
}

#[test]
fn a_split_keeps_what_others_need() {
    let plan = read(&shop().to_string()).unwrap();
    let part = |name: &str, path: &str, needs: &[&str]| json!({ "name": name, "path": path, "complexity": "low", "lines": 60, "exports": [name], "dependencies": needs });
    let hero = part("Hero", "src/components/Hero.tsx", &["Button", "HeroArt"]);
    let art = part("HeroArt", "src/components/HeroArt.tsx", &[]);
    let into = |list: Value| parts(&json!({ "components": list }).to_string()).unwrap().0;
    let split = plan.split("Hero", into(json!([hero, art]))).unwrap();
    assert_eq!(names(&split), ["App", "Footer", "Button", "HeroArt", "Hero"]);
    assert!(split.components.iter().all(|part| (part.splits == 1) == part.name.starts_with("Hero")));
    assert!(plan.split("Hero", into(json!([art]))).unwrap_err()[0].contains("keep the name"));
    let moved = part("Hero", "src/Hero.tsx", &[]);
    assert!(plan.split("Hero", into(json!([moved, art]))).unwrap_err()[0].contains("keep its path"));
    let clash = part("Footer", "src/components/Other.tsx", &[]);
    assert!(plan.split("Hero", into(json!([hero, art, clash]))).unwrap_err()[0].contains("there twice"));
}

#[test]
fn a_file_of_another_language_is_no_skeleton() {
    let mut plan = shop();
    plan["components"][1]["path"] = json!("src/main.rs");
    let plan = read(&plan.to_string()).unwrap();
    assert_eq!(names(&plan).last(), Some(&"App"), "it comes behind what it needs");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop_oneof![Just("low"), Just("Hero"), Just("src/a.tsx"), Just("skeleton")].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        let key = prop_oneof![
            Just("components".to_owned()),
            Just("plan".to_owned()),
            Just("name".to_owned()),
            Just("path".to_owned()),
            Just("lines".to_owned()),
            Just("complexity".to_owned()),
            Just("dependencies".to_owned()),
            Just("exports".to_owned()),
            Just("order".to_owned()),
            "[a-z]{1,4}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(text in "\\PC{0,200}", value in any_json(), cut in 0_usize..400) {
        let json = value.to_string();
        let part: String = json.chars().take(cut).collect();
        for text in [text.as_str(), &json, &part, &format!("{{\"components\": [{json}, {json}]}}")] {
            if let Err(reasons) = read(text) {
                prop_assert!(!reasons.is_empty() && reasons.len() <= MAX_REASONS);
            }
        }
    }

    /// Whatever depends on whatever: either a circle is named, or everything comes behind what it needs.
    #[test]
    fn any_dependencies_are_ordered_or_refused(edges in prop::collection::vec((0_usize..8, 0_usize..8), 0..14)) {
        let components: Vec<Value> = (0..8).map(|at| {
            let needs: Vec<String> =
                edges.iter().filter(|(from, _)| *from == at).map(|(_, to)| format!("C{to}")).collect();
            json!({ "name": format!("C{at}"), "path": format!("c{at}.ts"), "complexity": "low", "lines": 9, "dependencies": needs })
        }).collect();
        match read(&json!({ "components": components }).to_string()) {
            Ok(plan) => {
                for (at, part) in plan.components.iter().enumerate() {
                    for name in &part.dependencies {
                        prop_assert!(plan.components[..at].iter().any(|other| other.name == *name));
                    }
                }
            }
            Err(reasons) => {
                let circle = reasons[0].split_once("circle: ").expect("a circle").1.trim_end_matches('.');
                let names: Vec<&str> = circle.split(" → ").collect();
                prop_assert_eq!(names.first(), names.last());
                for pair in names.windows(2) {
                    let number = |name: &str| name[1..].parse::<usize>().expect("a number");
                    prop_assert!(edges.contains(&(number(pair[0]), number(pair[1]))));
                }
            }
        }
    }
}
