use assist_base::{ConversationId, MessageId, RunId, RunState};
use assist_store::{Embedding, NewMessage, PastFilter, Role, Store, TransitionNote};

use crate::{at, new_session};

async fn say(
    store: &Store,
    conversation: ConversationId,
    role: Role,
    content: &str,
    partial: bool,
) -> MessageId {
    let id = MessageId::new();
    let message =
        NewMessage { id, conversation, run: None, role, content: content.to_owned(), partial, at: at(1) };
    store.messages().add(message).await.unwrap();
    id
}

#[tokio::test]
async fn past_conversations_are_searched_with_what_stands_beside() {
    let store = Store::in_memory().unwrap();
    let (talk, internal) = (ConversationId::new(), ConversationId::new());
    store.conversations().create(talk, "shop", "assist", None, at(0)).await.unwrap();
    store.conversations().create(internal, "shop", "code", None, at(0)).await.unwrap();
    let question = say(&store, talk, Role::User, "Which provider did we pick for the invoices?", false).await;
    let answer = say(&store, talk, Role::Assistant, "Stripe, since it sends them itself.", false).await;
    say(&store, talk, Role::User, "Thanks, that is all for today", false).await;
    say(&store, internal, Role::User, "Scope the invoicing", false).await;
    say(&store, talk, Role::System, "invoices invoices invoices", false).await;

    let ask = async |query: &str, filter: PastFilter| {
        let found = store.past().messages(query, filter).await.unwrap();
        found.into_iter().map(|found| found.message).collect::<Vec<_>>()
    };
    let with_user = PastFilter { module: Some("assist".to_owned()), ..PastFilter::default() };
    assert_eq!(
        ask("invoice", with_user.clone()).await,
        [question, answer],
        "the answer stands beside the question"
    );
    assert_eq!(ask("invoice", PastFilter::default()).await.len(), 3);
    assert_eq!(
        ask("strip", PastFilter { limit: 1, ..with_user.clone() }).await,
        [answer],
        "a beginning of a word"
    );
    assert_eq!(ask("invoice", PastFilter { since: Some(at(2)), ..with_user.clone() }).await, []);
    assert_eq!(
        ask("invoice", PastFilter { conversation: Some(internal), ..PastFilter::default() }).await.len(),
        1
    );
    assert_eq!(ask("\"* OR", PastFilter::default()).await, []);

    let waiting = store.vectors().waiting_messages("m", 10).await.unwrap();
    assert_eq!(waiting.len(), 4);
    let vectors =
        waiting.iter().map(|w| (w.number, vec![f32::from(w.text.starts_with("Thanks")), 0.1])).collect();
    store.vectors().keep_messages("m", vectors).await.unwrap();
    let embedding = Some(Embedding { model: "m".to_owned(), values: vec![1.0, 0.1] });
    let found = store.past().messages("bye", PastFilter { embedding, limit: 1, ..with_user }).await.unwrap();
    assert_eq!(found[0].excerpt, "Thanks, that is all for today");
}

#[tokio::test]
async fn a_streamed_answer_is_found_by_all_of_its_text_once_it_is_complete() {
    let store = Store::in_memory().unwrap();
    let talk = ConversationId::new();
    store.conversations().create(talk, "shop", "assist", None, at(0)).await.unwrap();
    let id = say(&store, talk, Role::Assistant, "The beginning, ", true).await;
    let long =
        format!("{} then a Zeppelin\nflies over the hills {}", "word ".repeat(100), "more ".repeat(100));
    store.messages().append(id, long, false, at(2)).await.unwrap();
    let found = store.past().messages("zeppelins", PastFilter::default()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].excerpt.contains("a Zeppelin flies over"), "{}", found[0].excerpt);
    assert!(found[0].excerpt.starts_with('…') && found[0].excerpt.ends_with('…'), "{}", found[0].excerpt);
    store.messages().replace(id, "Nothing of it", false, at(3)).await.unwrap();
    assert_eq!(store.past().messages("zeppelins", PastFilter::default()).await.unwrap(), []);
}

#[tokio::test]
async fn past_runs_are_found_by_what_was_asked_and_what_came_of_it() {
    let store = Store::in_memory().unwrap();
    let (blue, other) = (RunId::new(), RunId::new());
    store.sessions().create(new_session(blue), at(0)).await.unwrap();
    let mut session = new_session(other);
    session.task = "Add a referral program".to_owned();
    store.sessions().create(session, at(5)).await.unwrap();
    let note = TransitionNote { summary: Some("Rewards for both sides".into()), ..TransitionNote::default() };
    store.sessions().transition(other, RunState::Running, note, at(6)).await.unwrap();
    let ask = async |query: &str, filter: PastFilter| {
        let found = store.past().runs(query, filter).await.unwrap();
        found.into_iter().map(|found| found.session.id).collect::<Vec<_>>()
    };
    assert_eq!(ask("blue buttons", PastFilter::default()).await, [blue]);
    assert_eq!(ask("the reward", PastFilter::default()).await, [other]);
    assert_eq!(ask("program blue", PastFilter::default()).await.len(), 2);
    assert_eq!(
        ask("program blue", PastFilter { since: Some(at(5)), ..PastFilter::default() }).await,
        [other]
    );
    assert_eq!(ask("program blue", PastFilter { limit: 1, ..PastFilter::default() }).await.len(), 1);
}
