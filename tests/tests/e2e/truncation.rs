//! Answers that break off: nothing of them is applied before they are whole, and they are asked for again as long as it makes
//! sense.

use assist_simulator::{
    Ending, Failure, Manner, Place, Recorded, Reply, Rule, SENTINEL, Script, Stop, answer, component,
};

use crate::support::{
    Desk, HERO, HERO_LINES, NEW_FOOTER, NEW_HERO, Ran, Watch, Wire, with_new_footer, with_new_hero,
};

const FILE: &str = "src/Hero.tsx";
const TALK: &str = "I will rework the hero, so that its button says what it does.\n\n";

fn whole() -> String {
    TALK.to_owned() + &answer("Hero", FILE, NEW_HERO)
}

#[track_caller]
fn ask(desk: &Desk) -> Ran {
    desk.run(&["ask", "Rework it", "--file", FILE, "--lines", HERO_LINES, "--json"])
}

/// The last 200 characters of a text, or all of it.
fn tail(text: &str) -> &str {
    let from = text.char_indices().rev().nth(199).map_or(0, |(at, _)| at);
    &text[from..]
}

/// Checks that a request quotes the end of what was received, and returns what was.
#[track_caller]
fn asks_to_continue(request: &Recorded, full: &str) -> String {
    let asked = request.asked.as_ref().expect("a model request");
    let received =
        asked.messages.iter().rev().find(|turn| turn.role == "assistant").expect("what was received");
    let known = received.text.trim_end();
    assert!(full.starts_with(known), "not a beginning of the answer: {known}");
    let quoted = tail(&received.text).trim_end();
    assert!(asked.last_user().contains(quoted), "{quoted:?} is not in {}", asked.last_user());
    received.text.clone()
}

/// A text as the simulator sent it, its id filled in from a request.
fn filled(text: &str, request: &Recorded) -> String {
    let system = &request.asked.as_ref().expect("a model request").system;
    let (_, after) = system.split_once(" id=").expect("the prompt issues an id");
    let id: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
    text.replace("@@id@@", &id)
}

#[test]
fn however_an_answer_of_anthropic_is_cut_it_is_continued_and_applied_whole() {
    cut_everywhere(Wire::Anthropic);
}

#[test]
fn however_an_answer_of_openai_is_cut_it_is_continued_and_applied_whole() {
    cut_everywhere(Wire::OpenAi);
}

fn cut_everywhere(wire: Wire) {
    let places = [
        ("in the talk", Place::Char(30)),
        ("in the START marker", Place::After("COMPONENT_START: He".into())),
        ("early in the code", Place::After("const [op".into())),
        ("in the middle of the code", Place::After("<button type".into())),
        ("before END", Place::Before("/// COMPONENT_END".into())),
        ("within END", Place::After("/// COMPONENT_E".into())),
        ("before the sentinel", Place::Before(SENTINEL.into())),
    ];
    let endings =
        [Ending::LengthStop, Ending::CleanEnd, Ending::UnfinishedBody, Ending::Reset, Ending::FalseStop];
    let (hero, text) = (with_new_hero(), whole());
    for (name, place) in &places {
        for ending in endings {
            // Words alone with a stop reason that says so are an answer, whatever was meant to follow.
            if *name == "in the talk" && ending == Ending::FalseStop {
                continue;
            }
            let what = format!("{wire:?}, cut {name}, {ending:?}");
            let script = Script::first_then(
                Reply::text(text.as_str()).cut(place.clone(), ending),
                Reply::continuing(text.as_str(), Manner::Exact),
            );
            let desk = Desk::new(wire, &[(FILE, HERO)], script);
            let watch = Watch::over(&desk.folder, FILE);
            let ran = ask(&desk);
            assert_eq!(ran.status.code(), Some(0), "{what}: {} {}", ran.stdout, ran.stderr);
            watch.saw_only(&[HERO, &hero]);
            let requests = desk.sim.requests();
            assert_eq!(requests.len(), 2, "{what}");
            let cut = &ran.of("truncated")[0];
            assert_eq!(cut["attempt"], 1, "{what}: {cut}");
            assert!(cut["cause"].as_str().is_some_and(|cause| !cause.is_empty()), "{what}: {cut}");
            let full = filled(&text, &requests[0]);
            // Where a reset swallowed everything, there is nothing to quote and the question is asked anew.
            if cut["receivedBytes"] != 0 {
                let received = asks_to_continue(&requests[1], &full);
                assert_eq!(cut["receivedBytes"], received.len(), "{what}");
                if ending != Ending::Reset {
                    assert_eq!(received, requests[0].text, "{what}");
                }
            }
            assert_eq!(ran.of("continued").len(), 1, "{what}");
            // All of the answer is kept, as one; of its markers nothing is shown.
            assert_eq!(desk.kept(&ran.run()), [(full, false)], "{what}");
            let told = ran.of("text").iter().map(ToString::to_string).collect::<String>();
            assert!(!told.contains("///"), "{what}: {told}");
        }
    }
}

#[test]
fn a_stop_without_a_reason_or_with_an_unknown_one_is_not_believed() {
    for wire in Wire::BOTH {
        for stop in [Stop::Missing, Stop::Word("tired".into())] {
            let text = whole();
            // The text ends in the middle, in good order.
            let half = &text[..text.find("<h1>").expect("it is there")];
            let script = Script::first_then(
                Reply::text(half).stop(stop),
                Reply::continuing(text.as_str(), Manner::Exact),
            );
            let desk = Desk::new(wire, &[(FILE, HERO)], script);
            let watch = Watch::over(&desk.folder, FILE);
            ask(&desk).exits(0);
            watch.saw_only(&[HERO, &with_new_hero()]);
        }
    }
}

#[test]
fn an_answer_is_continued_as_often_as_it_gets_on() {
    // Each continuation is cut too, at the third attempt it is whole.
    for wire in Wire::BOTH {
        let text = whole();
        let again = Reply::continuing(text.as_str(), Manner::Exact);
        let script = Script::new([
            Rule::always(
                Reply::text(text.as_str()).cut(Place::After("useState(true)".into()), Ending::LengthStop),
            )
            .times(1),
            Rule::always(again.clone().cut(Place::New(60), Ending::LengthStop)).times(1),
            Rule::always(again.clone().cut(Place::New(60), Ending::UnfinishedBody)).times(1),
            Rule::always(again),
        ]);
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        let ran = ask(&desk).exits(0);
        watch.saw_only(&[HERO, &with_new_hero()]);
        let attempts: Vec<_> = ran.of("truncated").iter().map(|cut| cut["attempt"].clone()).collect();
        assert_eq!(attempts, [1, 2, 3]);
    }
}

#[test]
fn a_continuation_that_does_not_fit_is_refused_and_asked_for_again() {
    let wrong = [
        ("reworded", Manner::Reworded),
        ("nothing repeated", Manner::NoOverlap),
        ("too little repeated", Manner::Overlap(6)),
    ];
    for wire in Wire::BOTH {
        for (name, manner) in &wrong {
            let text = whole();
            let script = Script::new([
                Rule::always(
                    Reply::text(text.as_str()).cut(Place::After("onClick={tog".into()), Ending::LengthStop),
                )
                .times(1),
                Rule::always(Reply::continuing(text.as_str(), manner.clone())).times(1),
                Rule::always(Reply::continuing(text.as_str(), Manner::Exact)),
            ]);
            let desk = Desk::new(wire, &[(FILE, HERO)], script);
            let watch = Watch::over(&desk.folder, FILE);
            ask(&desk).exits(0);
            watch.saw_only(&[HERO, &with_new_hero()]);
            let requests = desk.sim.requests();
            assert_eq!(requests.len(), 3, "{name}");
            // What did not fit is forgotten: the same place is asked for.
            assert_eq!(requests[1].last_user(), requests[2].last_user(), "{name}");
        }
    }
}

#[test]
fn a_continuation_may_be_wrapped_in_words_or_a_fence() {
    for manner in [Manner::Prose("Sure, here is the rest:".into()), Manner::Fenced("tsx".into())] {
        let text = whole();
        let script = Script::first_then(
            Reply::text(text.as_str()).cut(Place::After("onClick={tog".into()), Ending::LengthStop),
            Reply::continuing(text.as_str(), manner),
        );
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        ask(&desk).exits(0);
        watch.saw_only(&[HERO, &with_new_hero()]);
    }
}

#[test]
fn after_three_attempts_the_file_is_as_it_was_and_the_part_is_kept() {
    for wire in Wire::BOTH {
        let text = whole();
        let again = answer("Hero", FILE, NEW_HERO);
        let place = Place::After("onClick={tog".into());
        let script = Script::new([
            Rule::always(Reply::text(text.as_str()).cut(place.clone(), Ending::LengthStop)).times(1),
            Rule::asked("could not be joined", Reply::text(again).cut(place, Ending::LengthStop)),
            Rule::always(Reply::continuing(text.as_str(), Manner::Reworded)),
        ]);
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        let ran = ask(&desk).exits(1).says(&["Hero broke off", "3 attempts", "as it was"]);
        watch.saw_only(&[HERO]);
        let requests = desk.sim.requests();
        assert_eq!(requests.len(), 4);
        let attempts: Vec<_> = ran.of("truncated").iter().map(|cut| cut["attempt"].clone()).collect();
        assert_eq!(attempts, [1, 2, 3, 3]);
        let full = filled(&text, &requests[0]);
        let [(part, partial)] = &desk.kept(&ran.run())[..] else { panic!("one message is kept") };
        assert!(*partial && full.starts_with(part) && part.ends_with("onClick={tog"), "{part}");
        let session = &desk.sessions()[0];
        assert_eq!(session["status"], "failed");
        assert!(session["error"].as_str().is_some_and(|error| error.contains("broke off")), "{session}");
        assert_eq!(session["changedFiles"], serde_json::json!([]));
    }
}

#[test]
fn what_cannot_be_joined_is_written_anew_in_the_last_attempt() {
    for manner in [Manner::Reworded, Manner::Reindented(4), Manner::NoOverlap] {
        for ending in
            [Ending::LengthStop, Ending::FalseStop, Ending::UnfinishedBody, Ending::CleanEnd, Ending::Reset]
        {
            let text = TALK.to_owned()
                + &component("Hero", FILE, NEW_HERO)
                + "\n"
                + &component("Footer", FILE, NEW_FOOTER)
                + SENTINEL;
            let fresh = format!("Here it is again.\n\n{}", answer("Footer", FILE, NEW_FOOTER));
            let script = Script::new([
                Rule::asked("could not be joined", Reply::text(fresh)),
                Rule::always(Reply::text(text.as_str()).cut(Place::After("getFullYear".into()), ending))
                    .times(1),
                Rule::always(Reply::continuing(text.as_str(), manner.clone())),
            ]);
            let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
            let watch = Watch::over(&desk.folder, FILE);
            let ran = desk.run(&["ask", "Rework both", "--file", FILE, "--json"]);
            let what = format!("{manner:?} {ending:?}: {} {}", ran.stdout, ran.stderr);
            assert_eq!(ran.status.code(), Some(0), "{what}");
            watch.saw_only(&[HERO, &with_new_hero(), &with_new_footer(&with_new_hero())]);
            assert_eq!(ran.of("component_applied").len(), 2, "{what}");
            let requests = desk.sim.requests();
            let last = requests.last().expect("requests were made");
            if requests.len() == 4 {
                assert!(last.last_user().contains("cut in the component Footer"), "{}", last.last_user());
                let [(kept, partial)] = &desk.kept(&ran.run())[..] else { panic!("one message is kept") };
                assert!(!partial && kept.matches("COMPONENT_START: Footer").count() == 1, "{kept}");
            }
        }
    }
}

#[test]
fn for_people_a_failure_is_told_once() {
    let text = whole();
    let cut = Reply::text(text.as_str()).cut(Place::After("onClick={tog".into()), Ending::UnfinishedBody);
    let script = Script::new([
        Rule::always(cut.clone()).times(1),
        Rule::asked("could not be joined", cut),
        Rule::always(Reply::continuing(text.as_str(), Manner::NoOverlap)),
    ]);
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let ran = desk.run(&["ask", "Rework it", "--file", FILE, "--lines", HERO_LINES]).exits(1);
    assert_eq!(ran.stderr.matches("could not be continued").count(), 1, "{}", ran.stderr);
    assert!(!ran.stdout.contains("useState"), "code is not talk: {}", ran.stdout);
}

#[test]
fn what_was_whole_before_the_cut_stays_applied() {
    for wire in Wire::BOTH {
        let text =
            component("Hero", FILE, NEW_HERO) + "\n" + &component("Footer", FILE, NEW_FOOTER) + SENTINEL;
        let cut = Reply::text(text.as_str()).cut(Place::After("getFullYear".into()), Ending::LengthStop);
        let again = Reply::text(component("Footer", FILE, NEW_FOOTER));
        let again = again.cut(Place::After("getFullYear".into()), Ending::LengthStop);
        let script = Script::new([
            Rule::always(cut).times(1),
            Rule::asked("could not be joined", again),
            Rule::always(Reply::continuing(text.as_str(), Manner::Reworded)),
        ]);
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        let ran = desk.run(&["ask", "Rework both", "--file", FILE, "--json"]).exits(1);
        ran.says(&["Footer broke off", "what was whole before it has been applied"]);
        watch.saw_only(&[HERO, &with_new_hero()]);
        assert_eq!(desk.sessions()[0]["changedFiles"], serde_json::json!([FILE]));
    }
}

#[test]
fn the_second_component_is_continued_without_touching_the_first() {
    for wire in Wire::BOTH {
        let text =
            component("Hero", FILE, NEW_HERO) + "\n" + &component("Footer", FILE, NEW_FOOTER) + SENTINEL;
        let script = Script::first_then(
            Reply::text(text.as_str()).cut(Place::After("getFullYear".into()), Ending::CleanEnd),
            Reply::continuing(text.as_str(), Manner::Exact),
        );
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        let ran = desk.run(&["ask", "Rework both", "--file", FILE, "--json"]).exits(0);
        watch.saw_only(&[HERO, &with_new_hero(), &with_new_footer(&with_new_hero())]);
        assert_eq!(ran.of("component_applied").len(), 2);
    }
}

#[test]
fn an_error_in_the_middle_of_the_stream_is_a_cut() {
    for wire in Wire::BOTH {
        let text = whole();
        let script = Script::first_then(
            Reply::text(text.as_str()).mid_error(
                Place::After("<section".into()),
                "overloaded_error",
                "Overloaded",
            ),
            Reply::continuing(text.as_str(), Manner::Exact),
        );
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        ask(&desk).exits(0);
        watch.saw_only(&[HERO, &with_new_hero()]);
    }
}

#[test]
fn a_malformed_component_is_repaired_once_the_model_corrects_it() {
    for wire in Wire::BOTH {
        let broken = NEW_HERO.replace("</section>", "</secton>");
        let script = Script::first_then(
            Reply::text(answer("Hero", FILE, &broken)),
            Reply::text(answer("Hero", FILE, NEW_HERO)),
        );
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        let ran = ask(&desk).exits(0);
        watch.saw_only(&[HERO, &with_new_hero()]);
        let refused = &ran.of("component_refused")[0];
        assert_eq!(refused["verdict"], "malformed");
        let reason = refused["reasons"][0].as_str().expect("a reason").to_owned();
        let repair = desk.sim.requests()[1].last_user().to_owned();
        assert!(repair.contains(&reason) && repair.contains("Hero"), "{repair}");
    }
}

#[test]
fn a_component_that_stays_malformed_is_never_applied() {
    for wire in Wire::BOTH {
        let broken = NEW_HERO.replace("{title}</h1>", "{title</h1>");
        let script = Script::always(Reply::text(answer("Hero", FILE, &broken)));
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        let ran = ask(&desk).exits(1).says(&["Hero was not applied", "as it was"]);
        watch.saw_only(&[HERO]);
        assert_eq!(desk.sim.requests().len(), 3, "asked once, and twice for a repair");
        assert_eq!(ran.of("component_refused").len(), 3);
    }
}

#[test]
fn a_repair_that_leaves_the_component_out_is_no_repair() {
    let broken = NEW_HERO.replace("{title}</h1>", "{title</h1>");
    let script = Script::first_then(
        Reply::text(answer("Hero", FILE, &broken)),
        Reply::text("Sorry, I cannot see what is wrong with it."),
    );
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let watch = Watch::over(&desk.folder, FILE);
    ask(&desk).exits(1).says(&["Hero was not applied", "as it was"]);
    watch.saw_only(&[HERO]);
    assert_eq!(desk.sim.requests().len(), 3, "asked once, and twice for a repair");
}

#[test]
fn code_that_was_cut_but_ended_in_good_order_is_not_applied() {
    // The model forgot the rest and wrote END all the same.
    let half = NEW_HERO.lines().take(6).map(|line| format!("{line}\n")).collect::<String>();
    let script = Script::first_then(
        Reply::text(answer("Hero", FILE, &half)),
        Reply::text(answer("Hero", FILE, NEW_HERO)),
    );
    let desk = Desk::new(Wire::OpenAi, &[(FILE, HERO)], script);
    let watch = Watch::over(&desk.folder, FILE);
    ask(&desk).exits(0);
    watch.saw_only(&[HERO, &with_new_hero()]);
}

#[test]
fn a_model_that_is_overloaded_for_a_moment_is_asked_again() {
    for wire in Wire::BOTH {
        let script = Script::first_then(
            Reply::error(Failure::Overloaded),
            Reply::text(answer("Hero", FILE, NEW_HERO)),
        );
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        ask(&desk).exits(0);
        assert_eq!(desk.folder.read(FILE), with_new_hero());
    }
}

#[test]
fn json_and_prose_do_not_become_code() {
    for text in
        ["{\"component\": \"Hero\", \"code\": \"...\"}\n", "Here is what I would change in the hero.\n"]
    {
        let script = Script::always(Reply::text(answer("Hero", FILE, text)));
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
        let watch = Watch::over(&desk.folder, FILE);
        ask(&desk).exits(1);
        watch.saw_only(&[HERO]);
    }
}

#[test]
fn an_answer_that_is_sent_again_and_again_without_its_end_is_not_asked_for_without_end() {
    for wire in Wire::BOTH {
        // Whatever is asked, the same answer comes, and never its last line.
        let script =
            Script::always(Reply::text(whole()).cut(Place::Before(SENTINEL.into()), Ending::LengthStop));
        let desk = Desk::new(wire, &[(FILE, HERO)], script);
        let ran = ask(&desk).exits(1).says(&["could not be continued", "has been applied"]);
        assert_eq!(desk.folder.read(FILE), with_new_hero());
        assert_eq!(desk.sim.requests().len(), 4, "asked once, and three times for the rest");
        assert_eq!(ran.of("component_applied").len(), 1);
    }
}

#[test]
fn a_talk_that_is_cut_in_a_marker_shows_nothing_of_it() {
    let text = "The hero has a button that says nothing of what it does.\n".repeat(8) + &whole();
    let cut =
        Reply::text(text.as_str()).cut(Place::After("COMPONENT_START: He".into()), Ending::UnfinishedBody);
    let script = Script::first_then(cut, Reply::continuing(text.as_str(), Manner::Exact));
    let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
    let ran = desk.run(&["ask", "Rework the hero", "--yes", "--json"]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    let told = ran.of("text").iter().map(ToString::to_string).collect::<String>();
    assert!(told.contains("rework the hero") && !told.contains("///"), "{told}");
}
