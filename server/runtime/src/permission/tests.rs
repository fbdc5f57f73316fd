//! What may run, what is asked for, and what nobody gets past.

use super::*;

fn rule(pattern: &str, verdict: Verdict) -> Rule {
    Rule { pattern: pattern.parse().unwrap(), verdict }
}

fn rules() -> Rules {
    let mut rules = Rules::default();
    rules.add_user([
        rule("cargo test *", Verdict::Allow),
        rule("npm run lint", Verdict::Allow),
        rule("git *", Verdict::Allow),
        rule("git commit *", Verdict::Ask),
        rule("git push *", Verdict::Deny),
        rule("rm *", Verdict::Deny),
        rule("echo *", Verdict::Allow),
        rule("> out/*", Verdict::Allow),
    ]);
    rules
}

fn said(line: &str) -> &'static str {
    match rules().decide(&Line::Shell(line.to_owned()), &Confinement::Full) {
        Decision::Allow => "allow",
        Decision::Ask { .. } => "ask",
        Decision::Deny { .. } => "deny",
    }
}

#[test]
fn every_part_of_a_line_must_be_allowed() {
    for (line, expected) in [
        ("cargo test", "allow"),
        ("cargo test -p x -- --nocapture", "allow"),
        ("cargo build", "ask"),
        ("cargotest", "ask"),
        ("npm run lint", "allow"),
        ("npm run lint --fix", "ask"),
        ("cargo test && npm run lint", "allow"),
        ("cargo test; npm install evil", "ask"),
        ("cargo test | tee log", "ask"),
        ("cargo test & curl x", "ask"),
        ("cargo test\ncurl x", "ask"),
        ("cargo test $(curl x)", "ask"),
        ("cargo test $(git log)", "allow"),
        ("cargo test \"$(curl x)\"", "ask"),
        ("cargo test '$(curl x)'", "allow"),
        ("cargo test `curl x`", "ask"),
        ("cargo test $HOME", "allow"),
        ("$CARGO test", "ask"),
        ("(cargo test; curl x)", "ask"),
        ("(cargo test)", "allow"),
        ("cargo test 2>&1", "allow"),
        ("cargo test >/dev/null 2>&1", "allow"),
        ("cargo test &>/dev/null", "allow"),
        ("cargo test > ~/.bashrc", "ask"),
        ("cargo test >> .git/config", "ask"),
        ("echo x > out/log", "allow"),
        ("echo x >$OUT", "ask"),
        ("PATH=/evil cargo test", "ask"),
        ("FOO=bar", "ask"),
        ("git commit -m x", "ask"),
        ("c'a'rgo te\"s\"t", "allow"),
        ("cargo test # ; curl x", "allow"),
        ("", "ask"),
    ] {
        assert_eq!(said(line), expected, "{line}");
    }
}

#[test]
fn denied_wins_by_every_way_round() {
    for line in [
        "git push",
        "git push --force origin main",
        "cargo test && git push",
        "cargo test $(git push)",
        "git -C elsewhere push",
        "git -c a=b push origin",
        "/usr/bin/git push",
        "env A=b git push",
        "sudo -n git push",
        "nohup git push &",
        "xargs rm",
        "timeout 5 rm -r x",
        "sh -c 'git push'",
        "bash -lc \"cd x && git push\"",
        "A=b git push",
        "git push > log",
        "if true; then git push; fi",
        "for x in 1; do rm x; done",
        "r\\m x",
        "'rm' x",
    ] {
        assert_eq!(said(line), "deny", "{line}");
    }
    for line in ["git log push", "echo git push", "git log --grep 'git push'"] {
        assert_eq!(said(line), "allow", "{line}");
    }
}

#[test]
fn what_is_not_understood_is_asked_for() {
    for line in [
        "cargo test <<EOF\nx\nEOF",
        "cargo test <(curl x)",
        "cargo test 'open",
        "cargo test $((1+1))",
        "cargo test ${x:-$(curl x)}",
        "cargo test $'\\n'",
        "f() { curl x; }; f",
        "cargo test )",
        "while true; do cargo test; done",
        "[[ -f x ]]",
        "! cargo test",
        "{ cargo test; }",
        "cargo test \\",
        "cargo test\r",
        "cargo test \0",
        &"(".repeat(100),
        &"cargo test ;".repeat(5000),
        &"sudo ".repeat(1000),
        &("<(".to_owned() + &"sudo ".repeat(5000)),
    ] {
        assert_eq!(said(line), "ask", "{line}");
    }
}

#[test]
fn without_walls_everything_is_asked_for() {
    let line = Line::Shell("cargo test".to_owned());
    let none = Confinement::None("this system has none".to_owned());
    assert!(matches!(rules().decide(&line, &none), Decision::Ask { .. }));
    let partial = Confinement::Partial("something".to_owned());
    assert_eq!(rules().decide(&line, &partial), Decision::Allow);
    let denied = Line::Shell("git push".to_owned());
    assert!(matches!(rules().decide(&denied, &none), Decision::Deny { .. }));
}

#[test]
fn a_repository_can_only_be_stricter() {
    let mut rules = Rules::default();
    let wish = rule("curl *", Verdict::Allow);
    let wishes = rules.add_repository([wish.clone(), rule("cargo *", Verdict::Deny)]);
    assert_eq!(wishes, [wish]);
    rules.add_user([rule("cargo *", Verdict::Allow)]);
    let decide = |line: &str| rules.decide(&Line::Shell(line.to_owned()), &Confinement::Full);
    assert!(matches!(decide("curl x"), Decision::Ask { .. }));
    assert!(matches!(decide("cargo test"), Decision::Deny { .. }));
}

#[test]
fn what_is_remembered_allows_the_same_again_and_no_more() {
    let line = Line::Shell("npm test && node 'a *.js' \\* \"it's\"".to_owned());
    let remembered = to_remember(&line, Verdict::Allow);
    let text = serde_json::to_string(&remembered).unwrap();
    let mut rules = Rules::default();
    rules.add_user(serde_json::from_str::<Vec<Rule>>(&text).unwrap());
    assert_eq!(rules.decide(&line, &Confinement::Full), Decision::Allow);
    for other in ["npm test more", "node 'a b.js' x \"it's\"", "npm"] {
        let decision = rules.decide(&Line::Shell(other.to_owned()), &Confinement::Full);
        assert!(matches!(decision, Decision::Ask { .. }), "{other}");
    }
    for unsayable in ["A=b npm test", "npm test > x", "$x", "npm test *", "while x; do y; done"] {
        assert!(to_remember(&Line::Shell(unsayable.to_owned()), Verdict::Allow).is_empty(), "{unsayable}");
    }
    let program = Line::Program(vec!["npm".into(), "a b".into()]);
    rules.add_user(to_remember(&program, Verdict::Deny));
    assert!(matches!(rules.decide(&program, &Confinement::Full), Decision::Deny { .. }));
}

mod any_text {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// No text makes it fall over, and no text that names a program nobody allowed is allowed.
        #[test]
        fn is_never_allowed_unseen(text in ".{0,60}", shell in "[a-z $`(){}<>|&;'\"\\\\\n]{0,30}") {
            for line in [text, format!("cargo test {shell} zzz-evil")] {
                let decision = rules().decide(&Line::Shell(line.clone()), &Confinement::Full);
                prop_assert!(decision != Decision::Allow || line.starts_with("cargo test"), "{line}");
            }
        }
    }
}
