//! Models that do not keep to the form of markers: what they meant is applied or asked for again, never passed off as words.

use assist_simulator::{Reply, Rule, SENTINEL, Script, answer, component};

use crate::support::{
    Desk, HERO, HERO_LINES, NEW_FOOTER, NEW_HERO, Ran, Wire, with_new_footer, with_new_hero,
};

const FILE: &str = "src/Hero.tsx";

fn desk(replies: impl IntoIterator<Item = Reply>) -> Desk {
    let rules = replies.into_iter().map(|reply| Rule::always(reply).times(1));
    Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::new(rules))
}

#[track_caller]
fn rewrite(desk: &Desk) -> Ran {
    desk.run(&["ask", "Rework", "--intent", "rewrite", "--file", FILE, "--lines", HERO_LINES, "--json"])
}

/// What the model was told last.
fn told(desk: &Desk) -> String {
    desk.sim
        .requests()
        .last()
        .and_then(|request| request.asked.clone())
        .expect("a request")
        .last_user()
        .to_owned()
}

#[test]
fn markers_in_other_comments_are_markers_if_they_carry_the_id() {
    for (before, after) in [("// ", ""), ("# ", ""), ("<!-- ", " -->"), ("{/* ", " */}"), ("", "")] {
        let strict = answer("Hero", FILE, NEW_HERO);
        let text: String = strict
            .lines()
            .map(|line| match line.strip_prefix("/// ").and_then(|line| line.strip_suffix(" ///")) {
                Some(marker) => format!("{before}{marker}{after}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        assert_ne!(text, strict);
        let desk = desk([Reply::text(text)]);
        rewrite(&desk).exits(0);
        assert_eq!(desk.folder.read(FILE), with_new_hero(), "{before:?} {after:?}");
        assert_eq!(desk.sim.requests().len(), 1);
    }
}

#[test]
fn a_component_whose_marker_lacks_the_id_is_asked_for_again() {
    let footer = component("Footer", FILE, NEW_FOOTER);
    let start = "/// COMPONENT_START: Footer";
    let wrong = footer.replace(" id=@@id@@", "");
    assert!(wrong.contains(start) && wrong != footer);
    let first = component("Hero", FILE, NEW_HERO) + &wrong + SENTINEL;
    let desk = desk([Reply::text(first), Reply::text(footer + SENTINEL)]);
    let ran = desk.run(&["ask", "Rework both", "--file", FILE, "--json"]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_footer(&with_new_hero()));
    assert_eq!(ran.of("component_applied").len(), 2);
    assert_eq!(desk.sim.requests().len(), 2);
    assert!(told(&desk).contains(start), "{}", told(&desk));
}

#[test]
fn code_in_a_fence_is_asked_for_as_a_component() {
    let fenced = format!("Here it is:\n\n```tsx\n{NEW_HERO}```\n{SENTINEL}");
    let desk = desk([Reply::text(fenced), Reply::text(answer("Hero", FILE, NEW_HERO))]);
    rewrite(&desk).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert!(told(&desk).contains("fence"), "{}", told(&desk));
}

#[test]
fn a_model_that_never_keeps_to_the_form_changes_nothing_and_that_is_said() {
    let wrong = answer("Hero", FILE, NEW_HERO).replace(" id=@@id@@", "");
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], Script::always(Reply::text(wrong)));
    let ran = rewrite(&desk).exits(1);
    assert_eq!(desk.folder.read(FILE), HERO);
    let said = &ran.of("completed")[0]["summary"];
    let said = said.as_str().expect("a sentence");
    assert!(said.starts_with("Hero was not applied: Its marker is written wrong"), "{said}");
}

#[test]
fn words_alone_are_an_answer_also_where_a_change_was_asked_for() {
    let words = "Nothing is to be done: `Hero` is as you want it.\n";
    let fenced = format!("Like this?\n\n```tsx\n{NEW_HERO}```\n");
    let desk = desk([Reply::text(fenced.as_str()), Reply::text(words), Reply::text(fenced.as_str())]);
    rewrite(&desk).exits(0);
    assert_eq!(desk.folder.read(FILE), HERO);
    assert_eq!(desk.sim.requests().len(), 2);
    // Who asks for an explanation gets its code as words.
    desk.run(&["ask", "Why?", "--intent", "explain", "--file", FILE, "--lines", HERO_LINES]).exits(0);
    assert_eq!(desk.sim.requests().len(), 3);
}
