//! What recall finds of a small set written for this project. Larger sets are measured by `benches/recall.rs`.

use std::collections::HashMap;

use assist_base::Timestamp;
use assist_store::{MemoryFilter, Recall, Store};
use serde_json::{Value, json};

#[path = "../recall/measure.rs"]
mod measure;

fn samples() -> Value {
    serde_json::from_str(include_str!("../recall/talks.json")).unwrap()
}

#[tokio::test]
async fn past_talk_is_recalled() {
    let measured = measure::measure(&samples(), None).await;
    assert!(measured.questions >= 45, "{measured}");
    assert!(measured.at_5 >= 0.9 && measured.at_10 >= 0.95, "{measured}");
}

/// Vectors of bare word counts, which know less than the words' index: fused with it they take nothing away, and alone
/// they find something.
#[tokio::test]
async fn poor_vectors_do_not_spoil_what_words_find() {
    let samples = samples();
    let mut vectors: HashMap<String, Vec<f32>> = HashMap::new();
    let mut keep = |text: &str| {
        let mut values = vec![0.0_f32; 128];
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            let place =
                word.to_lowercase().bytes().fold(7_usize, |hash, byte| hash * 31 % 8_191 + usize::from(byte));
            values[place % 128] += 1.0;
        }
        vectors.insert(text.to_owned(), values);
    };
    for sample in samples.as_array().unwrap() {
        measure::turns(&sample["conversation"]).into_iter().for_each(|turn| keep(&measure::text_of(turn)));
        sample["qa"].as_array().unwrap().iter().for_each(|asked| keep(asked["question"].as_str().unwrap()));
    }
    let vector = measure::measure(&samples, Some((&vectors, false))).await;
    let fused = measure::measure(&samples, Some((&vectors, true))).await;
    assert!((0.1..0.9).contains(&vector.at_5), "{vector}");
    assert!(fused.at_10 >= 0.85 && fused.at_5 > vector.at_5, "{fused}");
}

/// The same turns as memories: recall by words, endings, parts and misspellings over one store.
#[tokio::test]
async fn memories_are_recalled() {
    let store = Store::in_memory().unwrap();
    let samples = samples();
    for sample in samples.as_array().unwrap() {
        let memories: Vec<Value> = measure::turns(&sample["conversation"])
            .into_iter()
            .map(|turn| {
                json!({
                    "project_id": sample["sample_id"],
                    "category": "context",
                    "key": format!("{} {}", sample["sample_id"].as_str().unwrap(), turn["dia_id"].as_str().unwrap()),
                    "value": turn["text"],
                })
            })
            .collect();
        let document = json!({ "version": 1, "memories": memories });
        store.memory().import_json(document, "x", Timestamp(0)).await.unwrap();
    }
    assert_eq!(store.memory().list(MemoryFilter::default(), Timestamp(1)).await.unwrap().len(), 56);
    let (mut found, mut asked) = (0.0, 0.0);
    for sample in samples.as_array().unwrap() {
        for question in sample["qa"].as_array().unwrap() {
            let recall = Recall {
                project: Some(sample["sample_id"].as_str().unwrap().to_owned()),
                limit: 5,
                ..Recall::of(question["question"].as_str().unwrap())
            };
            let recalled = store.memory().recall(recall, Timestamp(1)).await.unwrap();
            let evidence: Vec<&str> =
                question["evidence"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let hits =
                evidence.iter().filter(|id| recalled.iter().any(|r| r.memory.key.ends_with(*id))).count();
            found += hits as f64 / evidence.len() as f64;
            asked += 1.0;
        }
    }
    assert!(found / asked >= 0.85, "{:.3}", found / asked);
}
