//! Measures recall over samples in LoCoMo's format, turn by turn, as messages of one conversation each.

use std::collections::{HashMap, HashSet};
use std::fmt;

use assist_base::{ConversationId, MessageId, Timestamp};
use assist_store::{Embedding, NewMessage, PastFilter, Role, Store};
use serde_json::Value;

/// What was found.
#[derive(Debug, Default)]
pub struct Measured {
    /// Questions asked.
    pub questions: usize,
    /// The part of the evidence among the first 5, over all questions.
    pub at_5: f64,
    /// The part of the evidence among the first 10.
    pub at_10: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R@5 {:.3}, R@10 {:.3} over {} questions", self.at_5, self.at_10, self.questions)
    }
}

/// With vectors: by them alone, or fused with the words.
pub async fn measure(samples: &Value, vectors: Option<(&HashMap<String, Vec<f32>>, bool)>) -> Measured {
    let mut measured = Measured::default();
    for sample in samples.as_array().unwrap() {
        let store = Store::in_memory().unwrap();
        let conversation = ConversationId::new();
        store.conversations().create(conversation, "x", "assist", None, Timestamp(0)).await.unwrap();
        let mut ids: HashMap<MessageId, String> = HashMap::new();
        for (index, turn) in turns(&sample["conversation"]).into_iter().enumerate() {
            let id = MessageId::new();
            ids.insert(id, turn["dia_id"].as_str().unwrap_or_default().to_owned());
            let message = NewMessage {
                id,
                conversation,
                run: None,
                role: Role::User,
                content: text_of(turn),
                partial: false,
                at: Timestamp(index as i64),
            };
            store.messages().add(message).await.unwrap();
        }
        if let Some((vectors, _)) = vectors {
            let waiting = store.vectors().waiting_messages("m", usize::MAX).await.unwrap();
            let known =
                waiting.iter().filter_map(|w| Some((w.number, vectors.get(&w.text)?.clone()))).collect();
            store.vectors().keep_messages("m", known).await.unwrap();
        }
        for asked in sample["qa"].as_array().unwrap() {
            let evidence: HashSet<&str> =
                asked["evidence"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if asked["category"] == 5 || evidence.is_empty() {
                continue;
            }
            let question = asked["question"].as_str().unwrap();
            let embedding = vectors.and_then(|(vectors, _)| {
                Some(Embedding { model: "m".to_owned(), values: vectors.get(question)?.clone() })
            });
            let words = if vectors.is_some_and(|(_, fused)| !fused) { "" } else { question };
            let filter = PastFilter { embedding, limit: 10, ..PastFilter::default() };
            let found = store.past().messages(words, filter).await.unwrap();
            let found: Vec<&str> = found.iter().map(|found| ids[&found.message].as_str()).collect();
            let part = |first: usize| {
                let hits = found.iter().take(first).filter(|id| evidence.contains(**id)).count();
                hits as f64 / evidence.len() as f64
            };
            measured.questions += 1;
            measured.at_5 += part(5);
            measured.at_10 += part(10);
        }
    }
    measured.at_5 /= measured.questions.max(1) as f64;
    measured.at_10 /= measured.questions.max(1) as f64;
    measured
}

/// The turns of a sample, in order.
pub fn turns(conversation: &Value) -> Vec<&Value> {
    let sessions = (1..).map(|n| conversation.get(format!("session_{n}")));
    // Sessions have no gaps, but some samples name the dates of sessions they lack.
    sessions.take(100).flatten().filter_map(Value::as_array).flatten().collect()
}

/// A turn as it is said.
pub fn text_of(turn: &Value) -> String {
    let text = |name: &str| turn[name].as_str().unwrap_or_default();
    format!("{}: {}", text("speaker"), text("text"))
}
