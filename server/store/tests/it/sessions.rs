use assist_base::event::EVENT_VERSION;
use assist_base::{EventKind, PauseReason, RunId, RunState};
use assist_store::{Found, ListFilter, NewCheckpoint, NewEvent, Store, StoreError, TransitionNote};
use serde_json::json;

use crate::{at, new_session, store_with_run};

fn note() -> TransitionNote {
    TransitionNote::default()
}

#[tokio::test]
async fn a_run_reads_back_as_it_was_registered() {
    let store = Store::in_memory().unwrap();
    let asked = new_session(RunId::new());
    store.sessions().create(asked.clone(), at(5)).await.unwrap();

    let run = store.sessions().get(asked.id).await.unwrap();
    assert_eq!(run.task, asked.task);
    assert_eq!((run.app_name, run.app_path, run.client), (asked.app_name, asked.app_path, asked.client));
    assert_eq!((run.status, run.created_at, run.started_at), (RunState::Pending, at(5), None));
    let conversation = store.conversations().get(asked.conversation).await.unwrap();
    assert_eq!(conversation.sessions, [asked.id]);
}

#[tokio::test]
async fn a_run_begins_with_its_first_checkpoint_or_not_at_all() {
    let store = Store::in_memory().unwrap();
    let (begun, refused) = (new_session(RunId::new()), new_session(RunId::new()));
    let first = |run| NewCheckpoint { run, stage: "asked".into(), component: None, data: json!({ "n": 1 }) };
    store.sessions().begin(begun.clone(), first(begun.id), at(5)).await.unwrap();
    assert_eq!(store.sessions().get(begun.id).await.unwrap().status, RunState::Pending);
    assert_eq!(store.checkpoints().latest(begun.id).await.unwrap().unwrap().data, json!({ "n": 1 }));

    store.sessions().begin(refused.clone(), first(RunId::new()), at(6)).await.unwrap_err();
    assert!(store.sessions().get(refused.id).await.is_err());
}

#[tokio::test]
async fn a_run_that_is_not_there_is_named_in_the_error() {
    let store = Store::in_memory().unwrap();
    let id = RunId::new();
    let error = store.sessions().get(id).await.unwrap_err();
    assert_eq!(error.to_string(), format!("There is no run {id}."));
    let missing = StoreError::NotFound { what: "run", id: id.to_string() };
    assert_eq!(store.sessions().transition(id, RunState::Running, note(), at(0)).await, Err(missing.clone()));
    assert_eq!(store.events().append(id, EventKind::Status, json!({}), at(0)).await, Err(missing.clone()));
    assert_eq!(store.checkpoints().add(id, "gate", None, json!({}), at(0)).await, Err(missing.clone()));
    assert_eq!(store.sessions().set_plan(id, json!({}), at(0)).await, Err(missing));
}

#[tokio::test]
async fn the_dates_of_a_run_tell_its_story() {
    let (store, id) = store_with_run().await;
    let moves = [
        (RunState::Running, TransitionNote::default()),
        (RunState::Paused, TransitionNote { reason: Some(PauseReason::Budget), ..note() }),
        (RunState::Running, note()),
        (RunState::Done, TransitionNote { summary: Some("The button is blue.".into()), ..note() }),
        (RunState::Approved, note()),
    ];
    let mut from = RunState::Pending;
    for (index, (to, note)) in moves.into_iter().enumerate() {
        let reason = note.reason;
        let left = store.sessions().transition(id, to, note, at(10 * (index as i64 + 1))).await.unwrap();
        assert_eq!(left, from);
        assert_eq!(store.sessions().get(id).await.unwrap().pause_reason, reason);
        from = to;
    }
    let run = store.sessions().get(id).await.unwrap();
    assert_eq!((run.started_at, run.completed_at, run.updated_at), (Some(at(10)), Some(at(40)), at(50)));
    assert_eq!(run.summary.as_deref(), Some("The button is blue."));
}

/// Every state against every state: the store makes exactly the moves of the table, and a refused one leaves no trace.
#[tokio::test]
async fn only_the_moves_of_the_table_are_made() {
    use RunState::{Approved, AwaitingConfirmation, Done, Failed, Paused, Pending, Running, Stopped};
    for (state, way) in [
        (Pending, &[][..]),
        (Running, &[Running]),
        (AwaitingConfirmation, &[Running, AwaitingConfirmation]),
        (Paused, &[Running, Paused]),
        (Done, &[Running, Done]),
        (Failed, &[Running, Failed]),
        (Stopped, &[Stopped]),
        (Approved, &[Running, Done, Approved]),
    ] {
        for to in RunState::ALL {
            let (store, id) = store_with_run().await;
            for step in way {
                store.sessions().transition(id, *step, note(), at(1)).await.unwrap();
            }
            let before = store.sessions().get(id).await.unwrap();
            let note = TransitionNote { error: Some("no".into()), ..note() };
            let result = store.sessions().transition(id, to, note, at(2)).await;
            match state.to(to) {
                Ok(_) => assert_eq!(result, Ok(state)),
                Err(refusal) => {
                    assert_eq!(result, Err(StoreError::Transition(refusal)));
                    assert_eq!(store.sessions().get(id).await.unwrap(), before);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_run_is_found_by_the_first_digits_people_see() {
    let store = Store::in_memory().unwrap();
    let ids: Vec<RunId> = [
        "0a1b2c3d-0000-4000-8000-000000000001",
        "0a1b2c3d-1000-4000-8000-000000000002",
        "ffffffff-ffff-4fff-bfff-ffffffffffff",
    ]
    .map(|id| id.parse().unwrap())
    .to_vec();
    for (index, id) in ids.iter().enumerate() {
        store.sessions().create(new_session(*id), at(index as i64)).await.unwrap();
    }
    for (prefix, found) in [
        ("ff", Found::One(ids[2])),
        ("FFFFFFFFFFFF4fff", Found::One(ids[2])),
        ("0a1b2c3d", Found::Many(vec![ids[1], ids[0]])),
        ("0a1b2c3d-1", Found::One(ids[1])),
        (" 0a1b2c3d1", Found::One(ids[1])),
        ("0a1b2c3d-0000-4000-8000-000000000001", Found::One(ids[0])),
        ("0b", Found::None),
        ("", Found::None),
        ("-", Found::None),
        ("%", Found::None),
        ("0a' OR 1 --", Found::None),
        ("é", Found::None),
        (&"f".repeat(33), Found::None),
    ] {
        assert_eq!(store.sessions().find(prefix).await.unwrap(), found, "{prefix:?}");
    }
}

#[tokio::test]
async fn runs_are_listed_newest_first() {
    let store = Store::in_memory().unwrap();
    let ids: Vec<RunId> = (0..5).map(|_| RunId::new()).collect();
    for (index, id) in ids.iter().enumerate() {
        // Two in the same millisecond.
        store.sessions().create(new_session(*id), at(index as i64 / 2)).await.unwrap();
    }
    store.sessions().transition(ids[1], RunState::Running, note(), at(9)).await.unwrap();
    let list = async |filter| -> Vec<RunId> {
        store.sessions().list(filter).await.unwrap().into_iter().map(|run| run.id).collect()
    };
    assert_eq!(list(ListFilter::default()).await, [ids[4], ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(list(ListFilter { limit: 2, state: None }).await, [ids[4], ids[3]]);
    assert_eq!(list(ListFilter { limit: 9, state: Some(RunState::Running) }).await, [ids[1]]);
    assert_eq!(list(ListFilter { limit: usize::MAX, state: Some(RunState::Done) }).await, []);

    store.sessions().transition(ids[0], RunState::Stopped, note(), at(9)).await.unwrap();
    let unfinished: Vec<RunId> =
        store.sessions().unfinished().await.unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(unfinished.len(), 4);
    assert!(!unfinished.contains(&ids[0]));
}

#[tokio::test]
async fn events_are_numbered_without_gaps_also_when_many_write_at_once() {
    let (store, run) = store_with_run().await;
    let other = RunId::new();
    store.sessions().create(new_session(other), at(0)).await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..50 {
                    let run = if n % 5 == 0 { other } else { run };
                    let data = json!({ "writer": writer, "n": n });
                    let event =
                        store.events().append(run, EventKind::Status, data.clone(), at(n)).await.unwrap();
                    assert_eq!((event.run, event.data, event.v), (run, data, EVENT_VERSION));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for (run, count) in [(run, 320), (other, 80)] {
        let events = store.events().list(run, 1).await.unwrap();
        assert!(events.iter().map(|event| event.seq).eq(1..=count), "{run:?}");
        for writer in 0..8 {
            let own = events.iter().filter(|event| event.data["writer"] == writer);
            assert!(own.map(|event| event.data["n"].as_i64()).is_sorted(), "writer {writer} out of order");
        }
    }
    let tail = store.events().list(run, 319).await.unwrap();
    assert_eq!(tail.iter().map(|event| event.seq).collect::<Vec<_>>(), [319, 320]);
    assert_eq!(store.events().list(run, 321).await.unwrap(), []);
    assert_eq!(store.events().list(run, u64::MAX).await.unwrap(), []);
}

#[tokio::test]
async fn several_events_are_written_together_or_not_at_all() {
    let (store, run) = store_with_run().await;
    let events: Vec<NewEvent> = (0..3)
        .map(|n| NewEvent {
            kind: EventKind::Text,
            data: json!({ "offset": n, "text": "\u{0}é" }),
            at: at(n),
        })
        .collect();
    let written = store.events().append_all(run, events.clone()).await.unwrap();
    assert_eq!(written.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.events().list(run, 1).await.unwrap(), written);

    store.events().append_all(RunId::new(), events).await.unwrap_err();
    assert_eq!(store.events().append_all(run, Vec::new()).await.unwrap(), []);
    assert_eq!(store.events().list(run, 1).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_run_goes_on_from_its_last_checkpoint() {
    let (store, run) = store_with_run().await;
    assert_eq!(store.checkpoints().latest(run).await.unwrap(), None);
    let first = store.checkpoints().add(run, "architect", None, json!({ "plan": [1] }), at(1)).await.unwrap();
    let second =
        store.checkpoints().add(run, "builder", Some("Hero"), json!({ "text": "…" }), at(2)).await.unwrap();
    assert!(first < second);
    let latest = store.checkpoints().latest(run).await.unwrap().unwrap();
    assert_eq!(
        (latest.id, latest.stage.as_str(), latest.component.as_deref()),
        (second, "builder", Some("Hero"))
    );
    assert_eq!(latest.data, json!({ "text": "…" }));
    assert_eq!(store.checkpoints().list(run).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_export_has_the_shape_of_the_data_model() {
    let (store, id) = store_with_run().await;
    store.sessions().set_plan(id, json!({ "steps": ["one"] }), at(1)).await.unwrap();
    store.sessions().transition(id, RunState::Running, note(), at(1500)).await.unwrap();
    store.events().append(id, EventKind::Status, json!({ "state": "running" }), at(1501)).await.unwrap();
    let run = store.sessions().get(id).await.unwrap();

    let exported = store.sessions().export(id).await.unwrap();
    assert_eq!(
        exported,
        json!({
            "id": id.to_string(),
            "project_id": "shop",
            "module": "code",
            "app_name": "web",
            "app_path": "apps/web",
            "task": run.task,
            "plan": { "steps": ["one"] },
            "status": "running",
            "output": [{
                "seq": 1,
                "ts": "2026-03-01T12:00:01.501Z",
                "type": "status",
                "data": { "state": "running" },
            }],
            "changed_files": [],
            "error": null,
            "started_at": "2026-03-01T12:00:01.500Z",
            "completed_at": null,
            "created_at": "2026-03-01T12:00:00.000Z",
            "updated_at": "2026-03-01T12:00:01.500Z",
            "intent": "ask",
            "pause_reason": null,
            "summary": null,
            "conversation_id": run.conversation.to_string(),
            "client": "Neovim",
        })
    );
    assert_eq!(store.sessions().export_list(ListFilter::default()).await.unwrap(), [exported]);
}
