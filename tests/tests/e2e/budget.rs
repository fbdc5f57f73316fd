//! What may be spent, as a user sets it and meets it.

use assist_simulator::{Reply, Script, Usage, answer};

use crate::support::{Desk, HERO, HERO_LINES, NEW_HERO, Wire, with_new_hero};

const FILE: &str = "src/Hero.tsx";
const ASK: [&str; 6] = ["ask", "Go", "--file", FILE, "--lines", HERO_LINES];

/// A model whose every answer changes the hero and costs 1.5 cents with `claude-sonnet-4-6`.
fn hero() -> Script {
    let usage = Usage { input: 1_000, output: 800, ..Usage::default() };
    Script::always(Reply { usage: Some(usage), ..Reply::text(answer("Hero", FILE, NEW_HERO)) })
}

#[test]
fn over_budget_the_call_is_not_made_and_the_run_goes_on_once_the_cap_is_raised() {
    let mut desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], hero());
    desk.set("ASSIST_PLAN", "free");
    desk.set("FREE_DAILY_CAP_USD", "0.0001");
    let ran = desk.run(&ASK).exits(1);
    for part in
        ["could cost", "the free plan's $0.0001", "raise FREE_DAILY_CAP_USD", "this run: $0.00 in 0 calls"]
    {
        assert!(ran.stderr.contains(part), "no {part:?} in {}", ran.stderr);
    }
    assert_eq!(desk.sim.requests().len(), 0);
    assert_eq!(desk.folder.read(FILE), HERO);
    let session = desk.sessions().remove(0);
    assert_eq!((session["status"].as_str(), session["reason"].as_str()), (Some("paused"), Some("budget")));
    let id = session["run"].as_str().expect("an id").to_owned();
    // Asking again changes nothing.
    desk.run(&["resume", &id]).exits(1);
    desk.set("FREE_DAILY_CAP_USD", "$1");
    desk.run(&["resume", &id]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert_eq!(desk.sim.requests().len(), 1);
}

#[test]
fn a_repository_lowers_what_may_be_spent_and_cannot_raise_it() {
    let toml = |text: &str| {
        let mut desk = Desk::new(Wire::Anthropic, &[(FILE, HERO), ("assist.toml", text)], hero());
        desk.set("ASSIST_DAILY_CAP_USD", "1");
        desk
    };
    let desk = toml("[budget]\nrun_usd = 0.001\n");
    let ran = desk.run(&ASK).exits(1);
    assert!(ran.stderr.contains("the run's budget of $0.0010"), "{}", ran.stderr);
    let mut desk = toml("[budget]\nday_usd = 99\nplan = 'none'\n");
    desk.set("ASSIST_DAILY_CAP_USD", "0.001");
    let ran = desk.run(&ASK).exits(1);
    assert!(ran.stderr.contains("only your own configuration may do"), "{}", ran.stderr);
    assert!(ran.stderr.contains("today's budget of $0.0010"), "{}", ran.stderr);
    assert_eq!(desk.sim.requests().len(), 0);
    desk.set("ASSIST_DAILY_CAP_USD", "a lot");
    desk.run(&ASK).exits(2).says(&["ASSIST_DAILY_CAP_USD", "`a lot` is not an amount"]);
}

#[test]
fn processes_at_once_keep_one_budget() {
    // Room for three answers at what each may cost at most; each costs as much less as it uses less.
    let mut desk = Desk::new(
        Wire::Anthropic,
        &[],
        Script::always(Reply {
            usage: Some(Usage { input: 1_000, output: 800, ..Usage::default() }),
            ..Reply::text("Hello.")
        }),
    );
    desk.set("ASSIST_DAILY_CAP_USD", "0.1");
    desk.run(&["sessions"]).exits(0);
    let asks: Vec<_> = (0..10).map(|_| desk.start(&["ask", "Hi"])).collect();
    let ended: Vec<_> = asks.into_iter().map(|ask| ask.end().status.code()).collect();
    let done = ended.iter().filter(|code| **code == Some(0)).count();
    assert!(ended.iter().all(|code| matches!(code, Some(0 | 1))), "{ended:?}");
    assert_eq!(desk.sim.requests().len(), done, "a refused call is not made");
    let totals = desk.store(async |store| {
        store.ledger().totals_since(assist_base::Timestamp(0)).await.expect("the ledger can be read")
    });
    assert!(totals.cost_usd <= 0.1 && totals.open == 0 && done < 10, "{totals:?} {ended:?}");
}

#[test]
fn a_day_is_counted_over_all_workspaces_of_a_user() {
    // Each answer costs 12.3 cents; before it is made, as much and a little more is set aside.
    let dear = || {
        let usage = Usage { input: 1_000, output: 8_000, ..Usage::default() };
        Script::always(Reply { usage: Some(usage), ..Reply::text(answer("Hero", FILE, NEW_HERO)) })
    };
    let desk = || {
        let mut desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], dear());
        desk.set("TIER_B_MODEL", "claude-sonnet-4-6");
        desk.set("ASSIST_DAILY_CAP_USD", "0.2");
        desk
    };
    let (first, mut second) = (desk(), desk());
    let home = second.variables()["HOME"].clone();
    first.run(&ASK).exits(0);
    second.set("HOME", first.variables()["HOME"].clone());
    let ran = second.run(&ASK).exits(1);
    assert!(ran.stderr.contains("today's budget of $0.20"), "{}", ran.stderr);
    assert_eq!(second.sim.requests().len(), 0);
    let costs = second.run(&["costs"]).exits(0).stdout;
    assert!(costs.contains("Today: $0.1230 in all your workspaces, $0.0770 left"), "{costs}");
    // Of another user, the same workspace has the whole day, once they say that it is theirs, too.
    second.set("HOME", home);
    second.run(&["adopt"]).exits(0);
    let id = second.sessions()[0]["run"].as_str().expect("an id").to_owned();
    second.run(&["resume", &id]).exits(0);

    // Without a place for that ledger, a day is counted here, and that is said once.
    let mut third = desk();
    let nowhere = third.folder.beside("data").join("a file");
    std::fs::write(&nowhere, "").expect("a file can be written");
    third.set("ASSIST_DATA_DIR", nowhere.join("ledger").display().to_string());
    let ran = third.run(&["ask", "Go", "--file", FILE, "--lines", HERO_LINES, "--json"]).exits(0);
    assert_eq!(ran.stdout.matches("counted in this workspace alone").count(), 1, "{}", ran.stdout);
    let ran = third.run(&ASK).exits(1);
    assert!(ran.stderr.contains("today's budget of $0.20"), "{}", ran.stderr);
    assert!(
        third.run(&["costs"]).exits(0).stdout.contains("Today: $0.1230 in this workspace"),
        "counted here"
    );
}
