use assist_base::{ConversationId, RunId, Timestamp};

use super::*;

fn run(task: &str, reason: Option<PauseReason>) -> Session {
    Session {
        id: RunId::new(),
        project_id: "w".into(),
        module: "code".into(),
        app_name: "w".into(),
        app_path: ".".into(),
        task: task.into(),
        intent: "ask".into(),
        plan: None,
        status: RunState::Paused,
        pause_reason: reason,
        error: None,
        summary: None,
        conversation: ConversationId::new(),
        client: "test".into(),
        created_at: Timestamp(0),
        started_at: None,
        completed_at: None,
        updated_at: Timestamp(0),
        changed_files: Vec::new(),
    }
}

#[test]
fn what_rests_is_said_in_one_line() {
    let one = [run("Add\n a toggle", Some(PauseReason::Crash))];
    assert_eq!(sentence(&one), "“Add a toggle” is paused: it was cut off.");
    let long = "word ".repeat(60);
    let several = [run(&long, None), run("b", None)];
    let said = sentence(&several);
    assert!(
        said.starts_with("2 runs are paused here, the newest: “word word") && said.ends_with("word…”."),
        "{said}"
    );
    assert!(said.chars().count() < 140 && !said.contains('\n'));
    assert_eq!(sentence(&[]), "");
}

#[test]
fn the_page_says_of_each_how_it_goes_on() {
    let both = [run("a", Some(PauseReason::User)), run("b", Some(PauseReason::EditorClosed))];
    let page = page(&both);
    for run in &both {
        assert!(page.contains(&format!("assist resume {}", run.id.short())), "{page}");
    }
    assert!(page.contains("## a\n\nPaused: you asked it to rest."), "{page}");
}
