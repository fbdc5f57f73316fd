//! Tasks, messages between roles, working memory, approvals, inputs, open documents, the cache, and what is learned.

use std::time::Duration;

use assist_base::{ContentHash, DocPath, RunId, Timestamp};
use assist_store::{
    ApprovalStatus, CacheLimits, ExperienceOutcome, ImprovementStatus, NewAgentMessage, NewApproval,
    NewExperience, NewImprovement, NewTask, Owner, Risk, Store, StoreError, TaskId, TaskStatus,
};
use serde_json::json;

use crate::{at, store_with_run};

fn task(title: &str, depends_on: Vec<TaskId>) -> NewTask {
    NewTask {
        id: TaskId::new(),
        title: title.to_owned(),
        description: format!("do {title}"),
        agent: "engineer".to_owned(),
        tier: 'B',
        input: json!({}),
        depends_on,
    }
}

#[tokio::test]
async fn tasks_become_ready_as_those_before_them_are_done() {
    let (store, run) = store_with_run().await;
    let (sdk, route) = (task("sdk", vec![]), task("route", vec![]));
    let button = task("button", vec![sdk.id, route.id]);
    let test = task("test", vec![button.id]);
    let ids = [sdk.id, route.id, button.id, test.id];
    let plan = store.tasks().plan(run, vec![sdk, route, button, test], at(1)).await.unwrap();
    assert_eq!(
        plan.iter().map(|task| (task.position, task.id)).collect::<Vec<_>>(),
        [(1, ids[0]), (2, ids[1]), (3, ids[2]), (4, ids[3])]
    );
    assert_eq!(plan[2].depends_on, ids[..2]);
    let ready = async || {
        store.tasks().ready(run).await.unwrap().iter().map(|t| t.title.clone()).collect::<Vec<_>>().join(" ")
    };
    let set = async |n: usize, to, error: Option<&str>| {
        store.tasks().set_status(ids[n], to, None, error.map(str::to_owned), at(2)).await.unwrap()
    };
    assert_eq!(ready().await, "sdk route");
    set(0, TaskStatus::Running, None).await;
    assert_eq!(ready().await, "route");
    // A crash: what was running is begun again.
    assert_eq!(store.tasks().restart_interrupted(run, at(3)).await.unwrap(), 1);
    set(0, TaskStatus::Running, None).await;
    let done = store
        .tasks()
        .set_status(ids[0], TaskStatus::Done, Some(json!({"ok": 1})), None, at(4))
        .await
        .unwrap();
    assert_eq!(
        (done.attempts, done.output, done.started_at, done.completed_at),
        (2, Some(json!({"ok": 1})), Some(at(2)), Some(at(4)))
    );
    // A failure skips what waits for it, and a new try brings that back.
    set(1, TaskStatus::Failed, Some("no network")).await;
    let status = async || {
        store.tasks().list(run).await.unwrap().iter().map(|t| t.status.as_str()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(status().await, "done failed skipped skipped");
    set(1, TaskStatus::Running, None).await;
    assert_eq!(status().await, "done running pending pending");
    set(1, TaskStatus::Done, None).await;
    assert_eq!(ready().await, "button");

    let mut first = task("a", vec![]);
    let second = task("b", vec![first.id]);
    first.depends_on = vec![second.id];
    for (wrong, run) in [
        (vec![first, second], run),
        (vec![task("c", vec![TaskId::new()])], run),
        (vec![NewTask { tier: 'X', ..task("d", vec![]) }], run),
    ] {
        let refused = store.tasks().plan(run, wrong, at(5)).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
    let lost = store.tasks().plan(RunId::new(), vec![task("e", vec![])], at(5)).await;
    assert!(matches!(lost, Err(StoreError::NotFound { what: "run", .. })), "{lost:?}");
    assert_eq!(store.tasks().list(run).await.unwrap().len(), 4);
}

#[tokio::test]
async fn roles_talk_and_a_run_keeps_in_mind_what_it_is_at() {
    let (store, run) = store_with_run().await;
    let say = async |from: &str, to: &str, text: &str, reply: Option<assist_store::AgentMessageId>| {
        let message = NewAgentMessage {
            run,
            from: from.to_owned(),
            to: to.to_owned(),
            kind: "question".to_owned(),
            payload: json!({ "text": text }),
            requires_response: reply.is_none(),
            in_reply_to: reply,
        };
        store.agent_messages().post(message, at(1)).await.unwrap()
    };
    let question = say("architect", "product_manager", "Monolith?", None).await;
    let other = say("engineer", "architect", "Which database?", None).await;
    assert_eq!(store.agent_messages().unanswered(run).await.unwrap(), [question.clone(), other.clone()]);
    let taken = store.agent_messages().take(run, "product_manager", at(2)).await.unwrap();
    assert_eq!((taken.len(), taken[0].id, taken[0].read_at), (1, question.id, Some(at(2))));
    assert_eq!(store.agent_messages().take(run, "product_manager", at(3)).await.unwrap(), []);
    let answer = say("product_manager", "architect", "Yes", Some(question.id)).await;
    assert_eq!(store.agent_messages().unanswered(run).await.unwrap(), [other]);
    let between = store.agent_messages().between(run, "architect", "product_manager").await.unwrap();
    assert_eq!(between.iter().map(|m| m.id).collect::<Vec<_>>(), [question.id, answer.id]);

    store.working().decide(run, "architect", "A monolith", Some("small team"), at(4)).await.unwrap();
    store.working().focus(run, "reading", at(4)).await.unwrap();
    store.working().focus(run, "the data model", at(5)).await.unwrap();
    store.tasks().plan(run, vec![task("schema", vec![])], at(5)).await.unwrap();
    let context = store.working().context(run, Some("architect"), 2).await.unwrap();
    assert_eq!(context.focus.as_deref(), Some("the data model"));
    assert_eq!(
        (context.decisions[0].what.as_str(), context.decisions[0].why.as_deref()),
        ("A monolith", Some("small team"))
    );
    assert_eq!(
        context.messages.iter().map(|m| m.payload["text"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Which database?", "Yes"]
    );
    assert_eq!((context.session.id, context.tasks.len()), (run, 1));
    assert_eq!(store.working().context(run, Some("qa"), 9).await.unwrap().messages, []);
    assert!(store.working().context(RunId::new(), None, 1).await.is_err());
}

#[tokio::test]
async fn the_first_answer_to_an_approval_counts() {
    let (store, run) = store_with_run().await;
    let ask = async |checkpoint: &str, expires_at: Option<Timestamp>| {
        let new = NewApproval {
            run,
            checkpoint: checkpoint.to_owned(),
            message: "Go on?".to_owned(),
            data: json!({ "command": "rm x" }),
            document: None,
            expires_at,
        };
        store.approvals().request(new, at(1)).await.unwrap()
    };
    let (plan, deploy) = (ask("after_prd", None).await, ask("before_deployment", Some(at(10))).await);
    assert_eq!(store.approvals().pending().await.unwrap(), [plan.clone(), deploy.clone()]);
    let decided = store.approvals().decide(plan.id, true, "VS Code", None, at(2)).await.unwrap();
    assert_eq!((decided.status, decided.decided_by.as_deref()), (ApprovalStatus::Approved, Some("VS Code")));
    let late = store.approvals().decide(plan.id, false, "Neovim", Some("no"), at(3)).await.unwrap();
    assert_eq!(late, decided);
    assert_eq!(store.approvals().time_out(at(9)).await.unwrap(), []);
    let out = store.approvals().time_out(at(10)).await.unwrap();
    assert_eq!((out[0].id, out[0].status), (deploy.id, ApprovalStatus::TimedOut));
    assert_eq!(store.approvals().pending().await.unwrap(), []);
    assert_eq!(store.approvals().list(run).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_sent_to_a_run_is_taken_once_also_when_several_ask() {
    let (store, run) = store_with_run().await;
    for n in 0..40 {
        store.run_inputs().send(run, "steer", json!({ "n": n }), "cli", at(n)).await.unwrap();
    }
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.run_inputs().take(run, at(99)).await.unwrap() })
        })
        .collect();
    let mut taken = Vec::new();
    for asked in asking {
        taken.extend(asked.await.unwrap());
    }
    assert!(taken.iter().map(|input| input.data["n"].as_i64().unwrap()).eq(0..40));
    assert_eq!(store.run_inputs().take(run, at(100)).await.unwrap(), []);
    assert_eq!(store.run_inputs().list(run).await.unwrap().len(), 40);
    let nobody = store.run_inputs().send(RunId::new(), "cancel", json!(null), "cli", at(0)).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
}

#[tokio::test]
async fn it_is_known_who_has_a_document_open_and_the_dead_have_none() {
    let store = Store::in_memory().unwrap();
    let owner = |pid, boot: &str| Owner {
        pid,
        boot: boot.into(),
        started: "s".into(),
        label: format!("editor {pid}"),
    };
    let (code, vim, gone) = (owner(1, "b"), owner(2, "b"), owner(3, "before"));
    let path = DocPath::relative("src/a.ts").unwrap();
    let hash = ContentHash::of("text");
    let open = store.open_documents();
    open.set(&path, &code, 1, None, false, at(1)).await.unwrap();
    open.set(&path, &vim, 7, Some(hash.clone()), true, at(2)).await.unwrap();
    open.set(&path, &gone, 1, None, false, at(0)).await.unwrap();
    open.set(&path, &code, 2, Some(hash.clone()), true, at(3)).await.unwrap();
    let holders = open.holders(&path).await.unwrap();
    assert_eq!(holders.iter().map(|held| held.owner.pid).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((holders[0].version, holders[0].dirty, holders[0].opened_at), (2, true, at(1)));
    assert_eq!(holders[0].revision, Some(hash));
    assert_eq!(open.forget_dead(&code, |_| false).await.unwrap(), 2);
    assert_eq!(open.list().await.unwrap().len(), 1);
    assert!(!open.close(&path, &vim).await.unwrap());
    open.set(&DocPath::relative("b.ts").unwrap(), &code, 1, None, false, at(4)).await.unwrap();
    assert!(open.close(&path, &code).await.unwrap());
    assert_eq!(open.close_all(&code).await.unwrap(), 1);
}

#[tokio::test]
async fn the_cache_gives_answers_again_and_stays_within_its_limits() {
    let store = Store::in_memory().unwrap();
    let cache = store.response_cache();
    let limits = CacheLimits { max_age: Duration::from_millis(100), max_bytes: 60, max_entry_bytes: 40 };
    let answer = |n: usize| json!("x".repeat(n));
    assert!(cache.put("a", "m", answer(18), limits, at(0)).await.unwrap());
    assert!(cache.put("b", "m", answer(18), limits, at(1)).await.unwrap());
    assert!(!cache.put("large", "m", answer(40), limits, at(1)).await.unwrap());
    assert_eq!(cache.get("a", limits, at(2)).await.unwrap(), Some(answer(18)));
    assert_eq!(cache.get("large", limits, at(2)).await.unwrap(), None);
    assert!(cache.put("c", "m", answer(18), limits, at(3)).await.unwrap());
    assert!(cache.put("d", "m", answer(18), limits, at(4)).await.unwrap());
    let usage = cache.usage().await.unwrap();
    assert_eq!((usage.entries, usage.bytes, usage.hits), (3, 60, 1));
    assert_eq!(cache.get("b", limits, at(5)).await.unwrap(), None, "not used longest");
    assert_eq!(cache.get("a", limits, at(99)).await.unwrap(), Some(answer(18)));
    assert_eq!(cache.get("a", limits, at(100)).await.unwrap(), None, "too old, though it was used");
    assert_eq!(cache.prune(limits, at(103)).await.unwrap(), 2);
    assert_eq!(cache.clear().await.unwrap(), 1);
}

#[tokio::test]
async fn failures_that_come_back_are_known_and_solutions_prove_themselves() {
    let store = Store::in_memory().unwrap();
    let learning = store.learning();
    let first = learning.note_failure("test", "expected `1`, got `2` in tests/a.rs:3", at(1)).await.unwrap();
    let again = learning.note_failure("test", "expected `7`, got `9` in tests/b.rs:99", at(2)).await.unwrap();
    assert_eq!(
        (again.number, again.occurrences, again.first_seen, again.last_seen),
        (first.number, 2, at(1), at(2))
    );
    learning.note_failure("test", "connection refused", at(3)).await.unwrap();
    assert_eq!(learning.recurring_failures(2, 10).await.unwrap(), [again]);
    learning.explain_failure(first.number, "off by one", "count from zero", 0.6).await.unwrap();
    for helped in [true, true, false] {
        learning.note_solution_tried(first.number, helped).await.unwrap();
    }
    let known = learning.known_failure("test", "expected `x`, got `y` in z/1.rs").await.unwrap().unwrap();
    assert_eq!((known.solution.as_deref(), known.tried, known.helped), (Some("count from zero"), 3, 2));
    assert_eq!(known.confidence, 0.6);
    assert_eq!(learning.known_failure("build", "expected `x`").await.unwrap(), None);
    assert!(learning.note_solution_tried(99, true).await.is_err());
}

#[tokio::test]
async fn experiences_are_found_by_what_was_done_and_improvements_are_judged() {
    let store = Store::in_memory().unwrap();
    let learning = store.learning();
    let experience = |task: &str, outcome, lesson: &str| NewExperience {
        agent: "engineer".to_owned(),
        task: task.to_owned(),
        outcome,
        strategy: None,
        lesson: Some(lesson.to_owned()),
        metadata: json!({ "coverage": 95 }),
        run: None,
    };
    let jwt =
        experience("Implement authentication with JWT", ExperienceOutcome::Failure, "Refresh the token");
    learning.note_experience(jwt.clone(), at(1)).await.unwrap();
    learning
        .note_experience(
            experience("REST API with FastAPI", ExperienceOutcome::Success, "Repositories"),
            at(2),
        )
        .await
        .unwrap();
    let found = learning
        .similar_experiences("implementing an authentication", Some("engineer"), None, 5)
        .await
        .unwrap();
    assert_eq!(found.iter().map(|e| &e.noted).collect::<Vec<_>>(), [&jwt]);
    let none = learning
        .similar_experiences("authentication", None, Some(ExperienceOutcome::Success), 5)
        .await
        .unwrap();
    assert_eq!(none, []);
    assert_eq!(learning.similar_experiences("?", None, None, 5).await.unwrap(), []);

    let idea = NewImprovement {
        target: "engineer".to_owned(),
        description: "Remember the token refresh".to_owned(),
        change: json!({ "prompt": "+ refresh" }),
        confidence: 0.9,
        risk: Risk::Low,
    };
    let number = learning.propose(idea.clone(), at(3)).await.unwrap();
    let set = async |to, figures| learning.set_improvement(number, to, figures, at(4)).await;
    assert!(matches!(set(ImprovementStatus::Kept, None).await, Err(StoreError::Invalid { .. })));
    set(ImprovementStatus::Applied, Some(json!({ "success": 0.6 }))).await.unwrap();
    set(ImprovementStatus::Kept, Some(json!({ "success": 0.85 }))).await.unwrap();
    let kept = learning.improvements(Some(ImprovementStatus::Kept)).await.unwrap();
    assert_eq!(
        (&kept[0].proposed, &kept[0].before, &kept[0].after),
        (&idea, &Some(json!({ "success": 0.6 })), &Some(json!({ "success": 0.85 })))
    );
    assert_eq!(learning.improvements(Some(ImprovementStatus::Proposed)).await.unwrap(), []);
}
