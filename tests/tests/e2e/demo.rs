//! `assist demo`: the first thing a newcomer runs.

use assist_simulator::Script;

use crate::support::{Desk, NOBODY};

#[test]
fn the_demo_needs_no_key_and_no_network_and_ends_with_valid_files() {
    let mut desk = Desk::without_model(&[], Script::default());
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        desk.set(variable, NOBODY);
    }
    let output = desk.folder.path("shop");
    let place = output.display().to_string();
    let ran = desk.run(&["demo", "--output", &place]).exits(0);
    for said in [
        "✂ CartSummary broke off",
        "⟲ continued",
        "applied CartSummary in src/components/CartSummary.tsx",
        "✓ valid  src/components/CartSummary.tsx",
        "were replayed from a recording",
        place.as_str(),
    ] {
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains(said), "no {said:?} in {all}");
    }
    assert!(!ran.stdout.contains("✗"), "{}", ran.stdout);
    let command = format!("assist --workspace \"{place}\" undo ");
    assert!(ran.stdout.contains(&command), "it cannot be copied into a shell: {}", ran.stdout);
    assert_eq!(desk.sim.all_requests().len(), 0);
    let cart = std::fs::read_to_string(output.join("src/components/CartSummary.tsx")).expect("it is there");
    assert!(cart.contains("formatMoney(total)") && !cart.contains("COMPONENT_"), "{cart}");

    // The commands that it names work: what happened, and back.
    let listed = desk.run(&["--workspace", &place, "sessions", "--json"]).exits(0);
    let document: serde_json::Value = serde_json::from_str(&listed.stdout).expect("one JSON document");
    let run = document["sessions"][0]["run"].as_str().expect("a run").to_owned();
    desk.run(&["--workspace", &place, "logs", &run[..8]]).exits(0);
    desk.run(&["--workspace", &place, "undo", &run[..8]]).exits(0);
    assert!(!output.join("src/money.ts").exists());
    let back = std::fs::read_to_string(output.join("src/components/CartSummary.tsx")).expect("it is there");
    assert!(!back.contains("formatMoney"), "{back}");

    // A folder with something in it is not taken.
    desk.run(&["demo", "--output", &place]).exits(2);
}
