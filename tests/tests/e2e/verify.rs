//! `assist verify`: verdicts for scripts, in the shapes and with the exit codes that DESIGN promises.

use assist_simulator::{SENTINEL, Script, component};
use serde_json::{Value, json};

use crate::support::{Desk, HERO, NEW_FOOTER, NEW_HERO, Ran, Wire, with_new_footer, with_new_hero};

const FILE: &str = "src/Hero.tsx";

fn stream(parts: &[(&str, &str, &str)]) -> String {
    let parts: String = parts.iter().map(|(name, path, code)| component(name, path, code)).collect();
    parts.replace("@@id@@", "7f3a")
}

fn desk() -> Desk {
    Desk::new(Wire::Anthropic, &[], Script::default())
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[track_caller]
fn verdicts(input: &str, code: i32) -> Vec<Value> {
    lines(&desk().run_with(&["verify"], input.as_bytes()).exits(code))
}

#[test]
fn a_whole_stream_is_whole() {
    let text = stream(&[("Hero", FILE, NEW_HERO), ("Footer", FILE, NEW_FOOTER)]) + SENTINEL;
    let hero = NEW_HERO.lines().count();
    let footer = NEW_FOOTER.lines().count();
    let expected = [
        json!({"component": "Hero", "path": FILE, "verdict": "whole", "reasons": [], "lines": [2, 1 + hero]}),
        json!({"component": "Footer", "path": FILE, "verdict": "whole", "reasons": [],
            "lines": [hero + 4, hero + 3 + footer]}),
        json!({"sentinel": true, "whole": 2, "total": 2}),
    ];
    assert_eq!(verdicts(&text, 0), expected);
    assert_eq!(verdicts(&text.replace('\n', "\r\n"), 0), expected);

    // From a file as well as from standard input.
    let desk = desk();
    desk.folder.write("answer.txt", &text);
    assert_eq!(lines(&desk.run(&["verify", "answer.txt"]).exits(0)), expected);
}

#[test]
fn a_cut_stream_is_truncated() {
    let text = stream(&[("Footer", FILE, NEW_FOOTER), ("Hero", FILE, NEW_HERO)]);
    let cut = &text[..text.find("{open ?").expect("it is there")];
    let lines = verdicts(cut, 1);
    assert_eq!(lines[0]["verdict"], "whole");
    assert_eq!((&lines[1]["component"], &lines[1]["verdict"]), (&"Hero".into(), &"truncated".into()));
    assert!(lines[1]["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{}", lines[1]);
    assert_eq!(lines[2], json!({"sentinel": false, "whole": 1, "total": 2}));
}

#[test]
fn without_the_sentinel_a_stream_is_not_whole() {
    let lines = verdicts(&stream(&[("Hero", FILE, NEW_HERO)]), 1);
    assert_eq!(lines[0]["verdict"], "whole");
    assert_eq!(lines[1], json!({"sentinel": false, "whole": 1, "total": 1}));
}

#[test]
fn wrong_code_is_malformed_and_what_is_no_code_refused() {
    let broken = NEW_HERO.replace("</section>", "</secton>");
    let lines = verdicts(&(stream(&[("Hero", FILE, &broken)]) + SENTINEL), 1);
    assert_eq!(lines[0]["verdict"], "malformed");
    assert_eq!(lines[1], json!({"sentinel": true, "whole": 0, "total": 1}));
    let lines = verdicts(&(stream(&[("Hero", FILE, "{\"a\": 1}\n")]) + SENTINEL), 1);
    assert_eq!(lines[0]["verdict"], "refused");
    let lines = verdicts(&(stream(&[("Hero", "../Hero.tsx", NEW_HERO)]) + SENTINEL), 1);
    assert_eq!((&lines[0]["verdict"], &lines[0]["path"]), (&"refused".into(), &"../Hero.tsx".into()));
}

#[test]
fn a_component_without_a_path_is_judged_by_the_one_given() {
    let text = (stream(&[("Hero", FILE, NEW_HERO)]) + SENTINEL).replace(" path=\"src/Hero.tsx\"", "");
    let desk = desk();
    let ran = desk.run_with(&["verify", "--path", FILE], text.as_bytes()).exits(0);
    assert_eq!(lines(&ran)[0]["path"], FILE);
    let ran = desk.run_with(&["verify"], text.as_bytes()).exits(1);
    assert_eq!((&lines(&ran)[0]["verdict"], &lines(&ran)[0]["path"]), (&"refused".into(), &Value::Null));
}

#[test]
fn only_markers_with_the_given_id_count() {
    let text = stream(&[("Hero", FILE, NEW_HERO)]) + SENTINEL;
    let desk = desk();
    desk.run_with(&["verify", "--id", "7f3a"], text.as_bytes()).exits(0);
    let ran = desk.run_with(&["verify", "--id", "other"], text.as_bytes()).exits(1);
    assert_eq!(lines(&ran), [json!({"sentinel": true, "whole": 0, "total": 0})]);
}

#[test]
fn input_that_is_no_answer_is_refused() {
    let desk = desk();
    let ran = desk.run_with(&["verify"], b"").exits(1);
    assert_eq!(lines(&ran), [json!({"sentinel": false, "whole": 0, "total": 0})]);
    desk.run_with(&["verify"], b"\xff\xfe").exits(2).says(&["not UTF-8"]);
    desk.run(&["verify", "nowhere.txt"]).exits(2).says(&["nowhere.txt"]);
    desk.run_with(&["verify", "--path", "../x.ts"], b"").exits(2);
    // Looking leaves nothing behind.
    assert!(!desk.folder.has(".assist"));
}

/// `assist verify --apply out`, with this on standard input.
#[track_caller]
fn apply(desk: &Desk, input: &str, code: i32) -> Vec<Value> {
    lines(&desk.run_with(&["verify", "--apply", "out"], input.as_bytes()).exits(code))
}

#[test]
fn what_is_whole_is_written_where_it_belongs() {
    let desk = Desk::new(Wire::Anthropic, &[("out/src/Hero.tsx", HERO)], Script::default());
    let card = "import { useState } from \"react\";\n\nexport function Card() {\n  return <p>{useState(1)[0]}</p>;\n}\n";
    let badge =
        "import { one } from \"./one\";\n\nexport function Badge() {\n  return <b>{one(() => 1)}</b>;\n}\n";
    let text =
        stream(&[("Hero", FILE, NEW_HERO), ("Badge", FILE, badge), ("Card", "src/new/Card.tsx", card)])
            + SENTINEL;
    let found = apply(&desk, &text, 0);
    let told: Vec<_> = found[..3].iter().map(|line| (&line["applied"], &line["change"])).collect();
    assert_eq!(
        told,
        [
            (&json!(true), &json!("replaced")),
            (&json!(true), &json!("inserted")),
            (&json!(true), &json!("created"))
        ]
    );
    assert_eq!(found[3], json!({"sentinel": true, "whole": 3, "total": 3, "applied": 3}));
    // Hero took its own place, Badge stands behind it, its import beside the one that was there; the rest is as it was.
    let (_, new_badge) = badge.split_once("\n\n").expect("code after the import");
    let hero = with_new_hero();
    let footer = hero.find("\nexport function Footer").expect("Footer is there");
    let expected = format!("{}\n{new_badge}{}", &hero[..footer], &hero[footer..]);
    let (first, rest) = expected.split_once('\n').expect("its import");
    let expected = format!("{first}\nimport {{ one }} from \"./one\";\n{rest}");
    let after = desk.folder.read("out/src/Hero.tsx");
    assert_eq!(after, expected);
    assert_eq!(desk.folder.read("out/src/new/Card.tsx"), card);
    // The lines that are told are the component's in the file as it was when it was placed.
    let hero_lines = found[0]["fileLines"].as_array().expect("a range").iter().map(|n| n.as_u64());
    let hero_lines: Vec<usize> = hero_lines.map(|n| n.expect("a line") as usize).collect();
    let shown: Vec<&str> =
        hero.lines().skip(hero_lines[0] - 1).take(hero_lines[1] + 1 - hero_lines[0]).collect();
    assert_eq!(shown, NEW_HERO.lines().collect::<Vec<_>>());

    // The same once more changes nothing.
    apply(&desk, &text, 0);
    assert_eq!(desk.folder.read("out/src/Hero.tsx"), after);
    assert_eq!(desk.folder.read("out/src/new/Card.tsx"), card);
}

#[test]
fn what_is_not_whole_is_not_written_and_the_rest_is() {
    let desk = Desk::new(Wire::Anthropic, &[("out/src/Hero.tsx", HERO)], Script::default());
    let broken = NEW_HERO.replace("</section>", "</secton>");
    let all =
        stream(&[("Hero", FILE, &broken), ("Footer", FILE, NEW_FOOTER), ("Card", "src/Card.tsx", NEW_HERO)]);
    let cut = &all[..all.rfind("{open ?").expect("it is there")];
    let found = apply(&desk, cut, 1);
    let told: Vec<_> = found[..3]
        .iter()
        .map(|line| (line["verdict"].as_str().expect("a verdict"), line["applied"] == true))
        .collect();
    assert_eq!(told, [("malformed", false), ("whole", true), ("truncated", false)]);
    assert_eq!(found[3], json!({"sentinel": false, "whole": 1, "total": 3, "applied": 1}));
    assert_eq!(desk.folder.read("out/src/Hero.tsx"), with_new_footer(HERO));
    assert!(!desk.folder.has("out/src/Card.tsx"));
}

#[test]
fn a_file_keeps_its_mark_its_line_endings_and_its_last_line() {
    let windows = format!("\u{feff}{}", HERO.trim_end().replace('\n', "\r\n"));
    let desk = Desk::new(Wire::Anthropic, &[("out/src/Hero.tsx", &windows)], Script::default());
    apply(&desk, &(stream(&[("Hero", FILE, NEW_HERO)]) + SENTINEL), 0);
    let expected = format!("\u{feff}{}", with_new_hero().trim_end().replace('\n', "\r\n"));
    assert_eq!(desk.folder.read("out/src/Hero.tsx"), expected);
}

#[test]
fn nothing_is_written_outside_the_folder_or_where_nobody_can_vouch_for_it() {
    let had_errors = HERO.replace("</footer>", "</foter>");
    let desk = Desk::new(Wire::Anthropic, &[("out/src/Hero.tsx", &had_errors)], Script::default());
    let outside = desk.folder.beside("elsewhere");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, desk.folder.path("out/link")).expect("a link can be made");
    let code = "export const Hero = 1;\n";
    let places = [
        "../Hero.ts",
        "/etc/Hero.ts",
        "src/../../Hero.ts",
        #[cfg(unix)]
        "link/Hero.ts",
        ".git/Hero.ts",
        ".assist/Hero.ts",
        "src",
        "src/Hero.unknown",
    ];
    for place in places {
        let found = apply(&desk, &(stream(&[("Hero", place, code)]) + SENTINEL), 1);
        assert_eq!(
            (&found[0]["verdict"], &found[0]["applied"]),
            (&json!("refused"), &json!(false)),
            "{place}"
        );
        assert!(found[0]["reasons"][0].as_str().is_some_and(|reason| !reason.is_empty()), "{place}");
    }
    assert!(std::fs::read_dir(&outside).expect("it is there").next().is_none());
    assert!(!desk.folder.has("Hero.ts") && !desk.folder.has("out/src/Hero.unknown"));
    // A file that had errors before cannot be proven whole afterwards.
    let found = apply(&desk, &(stream(&[("Hero", FILE, NEW_HERO)]) + SENTINEL), 1);
    assert_eq!((&found[0]["verdict"], &found[0]["applied"]), (&json!("refused"), &json!(false)));
    assert_eq!(desk.folder.read("out/src/Hero.tsx"), had_errors);
    // Without a path there is no place; with `--path` there is, and a missing folder is made.
    let bare = (stream(&[("Hero", FILE, code)]) + SENTINEL).replace(" path=\"src/Hero.tsx\"", "");
    assert_eq!(apply(&desk, &bare, 1)[0]["verdict"], "refused");
    desk.run_with(&["verify", "--apply", "made/here", "--path", "a/Hero.ts"], bare.as_bytes()).exits(0);
    assert_eq!(desk.folder.read("made/here/a/Hero.ts"), code);
    desk.run_with(&["verify", "--apply", "made/here/a/Hero.ts"], bare.as_bytes()).exits(2).says(&["Hero.ts"]);
}

fn edits(path: &str, search: &str, replace: &str) -> String {
    format!(
        "/// EDIT_START: path=\"{path}\" id=7f3a ///\n/// SEARCH id=7f3a ///\n{search}\n/// REPLACE id=7f3a ///\n{replace}\n/// EDIT_END id=7f3a ///\n"
    )
}

#[test]
fn an_edit_block_has_a_line_of_its_own() {
    let block = edits("src/a.ts", "let a = 1;", "let a = 2;");
    let found = verdicts(&(block.clone() + SENTINEL), 0);
    let expected = [
        json!({"component": "src/a.ts", "path": "src/a.ts", "verdict": "whole", "reasons": [], "lines": [2, 5], "edits": 1}),
        json!({"sentinel": true, "whole": 1, "total": 1}),
    ];
    assert_eq!(found, expected);
    for (text, verdict) in [
        (block[..block.find("/// EDIT_END").expect("it is there")].to_owned(), "truncated"),
        (block.replace("/// SEARCH id=7f3a ///\n", ""), "malformed"),
        (edits("../a.ts", "a", "b"), "malformed"),
        (edits("src/a.ts", "a", "// ... existing code ..."), "refused"),
    ] {
        assert_eq!(verdicts(&(text + SENTINEL), 1)[0]["verdict"], verdict);
    }
}

#[test]
fn edit_blocks_are_applied_together_or_not_at_all() {
    let desk = desk();
    let (a, b) = ("let a = 1;\n", "let b = 1;\r\n");
    let text = |second: &str| {
        edits("src/a.ts", "let a = 1;", "let a = 2;") + &edits("src/b.ts", second, "let b = 2;") + SENTINEL
    };
    desk.folder.write("out/src/a.ts", a);
    desk.folder.write("out/src/b.ts", b);
    let found = apply(&desk, &text("let c = 1;"), 1);
    let verdicts: Vec<_> = found[..2].iter().map(|line| (&line["verdict"], &line["applied"])).collect();
    assert_eq!(verdicts, [(&"refused".into(), &false.into()), (&"refused".into(), &false.into())]);
    assert_eq!((desk.folder.read("out/src/a.ts"), desk.folder.read("out/src/b.ts")), (a.into(), b.into()));
    // A file that the edits would break is as good as one without a place.
    let found = apply(&desk, &text("let b = 1;").replace("let b = 2;", "let b = ;"), 1);
    assert_eq!(found[1]["verdict"], "malformed");
    assert_eq!(desk.folder.read("out/src/a.ts"), a);
    let found = apply(&desk, &text("let b = 1;"), 0);
    assert_eq!((&found[1]["change"], &found[1]["fileLines"]), (&"edited".into(), &json!([1, 1])));
    assert_eq!(found[2], json!({"sentinel": true, "whole": 2, "total": 2, "applied": 2}));
    assert_eq!(desk.folder.read("out/src/a.ts"), "let a = 2;\n");
    assert_eq!(desk.folder.read("out/src/b.ts"), "let b = 2;\r\n");
}

#[test]
fn a_users_own_query_says_what_a_language_declares() {
    let code = "pub struct Order {\n    pub id: u32,\n}\n";
    let text = stream(&[("Order", "src/order.rs", code)]) + SENTINEL;
    let desk = desk();
    let queries = desk.config().join("queries/rust");
    std::fs::create_dir_all(&queries).expect("the folder can be made");
    let file = queries.join("components.scm");

    std::fs::write(&file, "(function_item\n  name: (no_such_node) @name) @function\n")
        .expect("it can be written");
    let ran = desk.run_with(&["verify"], text.as_bytes()).exits(0);
    assert_eq!(lines(&ran)[0]["verdict"], "whole");
    let told = format!("{} cannot be used: line 2", file.display());
    assert_eq!(ran.stderr.matches(&told).count(), 1, "{}", ran.stderr);

    // One that knows functions alone finds no struct.
    std::fs::write(&file, "(function_item name: (identifier) @name) @function\n").expect("it can be written");
    let ran = desk.run_with(&["verify"], text.as_bytes()).exits(1);
    assert_eq!(lines(&ran)[0]["verdict"], "malformed");
    assert_eq!(ran.stderr, "");
}
