use assist_base::{ConversationId, MessageId, RunId};
use assist_store::{ConversationOutcome, NewMessage, Role, Store, StoreError};
use serde_json::json;

use crate::{at, new_session, store_with_run};

fn message(conversation: ConversationId, content: &str, time: i64) -> NewMessage {
    NewMessage {
        id: MessageId::new(),
        conversation,
        run: None,
        role: Role::User,
        content: content.to_owned(),
        partial: false,
        at: at(time),
    }
}

#[tokio::test]
async fn a_conversation_is_resumed_where_something_was_said_last() {
    let store = Store::in_memory().unwrap();
    let (first, second, internal) = (ConversationId::new(), ConversationId::new(), ConversationId::new());
    assert_eq!(store.conversations().latest("assist").await.unwrap(), None);
    store.conversations().create(first, "shop", "assist", Some("Signups".into()), at(0)).await.unwrap();
    store.conversations().create(second, "shop", "assist", None, at(1)).await.unwrap();
    store.conversations().create(internal, "shop", "code", None, at(9)).await.unwrap();
    let latest = async || store.conversations().latest("assist").await.unwrap().unwrap();
    assert_eq!(latest().await.id, second);
    store.messages().add(message(first, "And the referrals?", 2)).await.unwrap();
    let found = latest().await;
    assert_eq!((found.id, found.title.as_deref(), found.updated_at), (first, Some("Signups"), at(2)));
}

#[tokio::test]
async fn a_conversation_knows_what_it_led_to() {
    let store = Store::in_memory().unwrap();
    let mut asked = new_session(RunId::new());
    let conversation = asked.conversation;
    store.sessions().create(asked.clone(), at(0)).await.unwrap();
    asked.id = RunId::new();
    store.sessions().create(asked.clone(), at(1)).await.unwrap();
    // The run began the conversation; naming it later keeps the links.
    store.conversations().create(conversation, "x", "assist", Some("Blue".into()), at(2)).await.unwrap();
    store.conversations().set_outcome(conversation, ConversationOutcome::Tasked, at(3)).await.unwrap();
    store.conversations().set_context(conversation, json!({ "branch": "main" }), at(3)).await.unwrap();
    store.conversations().link(conversation, asked.id).await.unwrap();

    let found = store.conversations().get(conversation).await.unwrap();
    assert_eq!(found.sessions.len(), 2);
    assert_eq!(found.sessions[1], asked.id);
    assert_eq!((found.title.as_deref(), found.project_id.as_str()), (Some("Blue"), "shop"));
    assert_eq!(found.outcome, Some(ConversationOutcome::Tasked));
    assert_eq!(found.context_snapshot, Some(json!({ "branch": "main" })));

    let nowhere = ConversationId::new();
    for result in [
        store.conversations().link(nowhere, asked.id).await,
        store.conversations().link(conversation, RunId::new()).await,
        store.conversations().set_outcome(nowhere, ConversationOutcome::Declined, at(4)).await,
        store.messages().add(message(nowhere, "hello", 4)).await,
    ] {
        assert!(matches!(result, Err(StoreError::NotFound { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn a_streamed_answer_grows_and_says_where_each_piece_begins() {
    let (store, run) = store_with_run().await;
    let conversation = store.sessions().get(run).await.unwrap().conversation;
    let question = message(conversation, "Why?", 1);
    let answer =
        NewMessage {
            run: Some(run), role: Role::Assistant, partial: true, ..message(conversation, "Bé", 1)
        };
    store.messages().add(question.clone()).await.unwrap();
    store.messages().add(answer.clone()).await.unwrap();
    assert_eq!(store.messages().append(answer.id, "cause\0", true, at(2)).await.unwrap(), "Bé".len());
    assert_eq!(store.messages().append(answer.id, "…", false, at(3)).await.unwrap(), "Bécause\0".len());

    let said = store.messages().list(conversation).await.unwrap();
    assert_eq!(
        said.iter().map(|m| (m.position, m.id)).collect::<Vec<_>>(),
        [(1, question.id), (2, answer.id)]
    );
    assert_eq!((said[1].content.as_str(), said[1].partial), ("Bécause\0…", false));
    assert_eq!((said[1].role, said[1].created_at, said[1].updated_at), (Role::Assistant, at(1), at(3)));
    assert_eq!(store.messages().of_run(run).await.unwrap(), [said[1].clone()]);

    store.messages().replace(answer.id, "No.", true, at(4)).await.unwrap();
    let said = store.messages().list(conversation).await.unwrap();
    assert_eq!((said[1].content.as_str(), said[1].partial), ("No.", true));

    let missing = store.messages().append(MessageId::new(), "x", false, at(5)).await;
    assert!(matches!(missing, Err(StoreError::NotFound { what: "message", .. })), "{missing:?}");
}
