//! Whole conversations about small real projects, from the wish to files that the project's own tools accept: in TypeScript,
//! Python and Rust, on the command line and in an editor.

mod project;
mod stories;

use assist_simulator::{Finish, Recorded};
use assist_tests::client::Choice;
use serde_json::{Value, json};

use crate::support::{Desk, Wire};
use stories::{Says, Story, Turn};

/// What the user is shown at one point of a conversation.
struct Shown {
    question: String,
    detail: String,
}

impl Shown {
    fn of(asked: &Value) -> Self {
        let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
        Self { question: text("question"), detail: text("detail") }
    }

    /// Checks it against what the story expects here.
    #[track_caller]
    fn is(&self, turn: &Turn) {
        let all = format!("{}\n{}", self.question, self.detail);
        for part in turn.sees {
            assert!(all.contains(part), "no {part:?} in {all}");
        }
        for part in turn.sees_no {
            assert!(!all.contains(part), "{part:?} in {all}");
        }
        let lower = all.to_lowercase();
        for word in ["tier", "agent", "advisor", "orchestrat"] {
            assert!(!lower.contains(word), "{word} in {all}");
        }
    }
}

fn asked_for<'a>(requests: &'a [Recorded], title: &str) -> Vec<&'a Recorded> {
    requests.iter().filter(|request| request.last_user().starts_with(&format!("{title}\n"))).collect()
}

/// While the tasks that build on nothing are held, they are all open at once, and what builds on them was not begun.
#[track_caller]
fn work_side_by_side(desk: &Desk, story: &Story) {
    let requests = desk.sim.requests();
    for title in story.together {
        let asked = asked_for(&requests, title);
        let open = asked.iter().filter(|request| request.finish.is_none()).count();
        assert_eq!((asked.len(), open), (1, 1), "{title} is not being worked on");
    }
    for title in story.after {
        assert!(asked_for(&requests, title).is_empty(), "{title} was begun before what it builds on");
    }
    for (path, _) in &story.files {
        assert_eq!(desk.folder.has(path), story.project_has(path), "{path}");
    }
}

/// What must hold at the end, however the conversation was led.
#[track_caller]
fn ended(desk: &Desk, story: &Story, completed: &Value) {
    assert_eq!(completed["state"], "done", "{completed}");
    let mut changed: Vec<&str> = story.files.iter().map(|(path, _)| *path).collect();
    changed.sort_unstable();
    assert_eq!(completed["changedFiles"], json!(changed));
    for (path, text) in &story.files {
        assert_eq!(&desk.folder.read(path), text, "{path}");
    }
    let requests = desk.sim.requests();
    for request in &requests {
        assert_eq!(request.finish, Some(Finish::Sent), "an answer was not read to its end");
    }
    for title in story.together.iter().chain(story.after) {
        assert_eq!(asked_for(&requests, title).len(), 1, "{title} was asked for more than once");
    }
    story.project.is_in_order(desk);
}

fn on_the_command_line(story: Story, wire: Wire) {
    let desk = story.project.desk(wire, story.script());
    let mut ran = desk.run(&["ask", story.wish, "--json"]).exits(1);
    let run = ran.run();
    let before: Vec<String> = story.files.iter().map(|(path, _)| story.now(&desk, path)).collect();
    for turn in &story.turns {
        let asked = ran.of("approval_requested").pop().unwrap_or_else(|| panic!("nothing asked: {ran:?}"));
        Shown::of(&asked).is(turn);
        let now: Vec<String> = story.files.iter().map(|(path, _)| story.now(&desk, path)).collect();
        assert_eq!(now, before, "something changed before the yes");
        match turn.says {
            Says::Words(words) => ran = desk.run(&["answer", &run[..8], words, "--json"]).exits(1),
            Says::Yes => {
                let running = desk.start(&["confirm", &run[..8], "--json"]);
                if !story.together.is_empty() {
                    desk.sim.blocking_stalled(story.together.len());
                    work_side_by_side(&desk, &story);
                    desk.sim.release_stall();
                }
                ran = running.end().exits(0);
            }
        }
    }
    let text: String =
        ran.of("text").iter().filter_map(|data| data["text"].as_str().map(str::to_owned)).collect();
    assert_eq!(text, story.report);
    // Before a file changed, the project's own check had looked at it in a hidden copy.
    if let Some(check) = story.project.quick_check() {
        assert!(ran.stdout.contains(&format!("checked with {check}")), "{}", ran.stdout);
    }
    // The model may notice a moment after the run has ended that its last answer was taken.
    (1..=desk.sim.requests().len()).for_each(|nth| drop(desk.sim.blocking_finished(nth)));
    ended(&desk, &story, &ran.of("completed")[0]);

    // And all of it is one undo away.
    desk.run(&["undo", &run]).exits(0);
    let after: Vec<String> = story.files.iter().map(|(path, _)| story.now(&desk, path)).collect();
    assert_eq!(after, before);
}

async fn in_the_editor(story: Story, wire: Wire) {
    let desk = story.project.desk(wire, story.script());
    let session = desk.plain_sailing().await;
    session.ignore(&["workspace/applyEdit"]);
    // A file of those that change is open, as it would be.
    let uri = session.open_file(&desk, story.open);
    let run = session.ask(json!({"intent": "ask", "prompt": story.wish})).await;
    for turn in &story.turns {
        let shown = Shown::of(&session.expect_event(&run, "approval_requested").await);
        shown.is(turn);
        // Where there are buttons, the editor shows them.
        let buttons = match turn.buttons {
            true => Some(session.expect_question(&shown.question).await),
            false => None,
        };
        match (turn.says, buttons) {
            (Says::Words(words), buttons) => {
                let answer = json!({"runId": run, "text": words});
                assert_eq!(session.command("assist.answer", answer).await, Ok(json!({"ok": true})));
                if buttons.is_some() {
                    // What was answered in words takes its buttons away.
                    session.expect_notification("$/cancelRequest").await;
                }
            }
            (Says::Yes, Some(buttons)) => session.choose(&buttons, Choice::Press("Start".to_owned())),
            (Says::Yes, None) => panic!("a yes needs a button"),
        }
    }
    if !story.together.is_empty() {
        desk.sim.stalled(story.together.len()).await;
        work_side_by_side(&desk, &story);
        desk.sim.release_stall();
    }
    let completed = session.expect_event(&run, "completed").await;
    session.ignore(&["assist/event"]);
    let opened = story.files.iter().find(|(path, _)| *path == story.open).expect("it is one of them");
    assert_eq!(session.text(&uri), opened.1);
    // It was saved before, and is again.
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while desk.folder.read(story.open) != opened.1 {
        assert!(tokio::time::Instant::now() < deadline, "it is not saved\n{}", session.log());
        session.unread_after_roundtrip().await;
    }
    assert_eq!(session.leave().await, 0);
    for nth in 1..=desk.sim.requests().len() {
        desk.sim.finished(nth).await;
    }
    ended(&desk, &story, &completed);
}

#[test]
fn card_payment_is_planned_confirmed_and_built_in_typescript() {
    on_the_command_line(stories::stripe(), Wire::Anthropic);
}

#[tokio::test]
async fn card_payment_is_planned_confirmed_and_built_in_typescript_in_an_editor() {
    in_the_editor(stories::stripe(), Wire::OpenAi).await;
}

#[test]
fn the_parts_of_a_referral_program_in_python_are_built_side_by_side() {
    on_the_command_line(stories::referrals(), Wire::OpenAi);
}

#[tokio::test]
async fn the_parts_of_a_referral_program_in_python_are_built_side_by_side_in_an_editor() {
    in_the_editor(stories::referrals(), Wire::Anthropic).await;
}

#[test]
fn from_more_signups_over_a_question_and_another_plan_to_a_changed_rust_program() {
    on_the_command_line(stories::signups(), Wire::Anthropic);
}

#[tokio::test]
async fn from_more_signups_over_a_question_and_another_plan_to_a_changed_rust_program_in_an_editor() {
    in_the_editor(stories::signups(), Wire::OpenAi).await;
}
