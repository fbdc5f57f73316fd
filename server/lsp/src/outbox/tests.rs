use assist_base::{MessageId, RunId};
use serde_json::{Value, json};

use super::*;

fn delta(run: RunId, message: MessageId, offset: usize, text: &str) -> TextDelta {
    TextDelta { run, message_id: message, offset, text: text.to_owned() }
}

/// What a client reads once everything is written.
async fn written(outbox: Outbox) -> Vec<Value> {
    outbox.finish();
    let mut bytes = Vec::new();
    outbox.write(&mut bytes).await;
    let mut reader = crate::framing::FrameReader::new(bytes.as_slice());
    let mut messages = Vec::new();
    while let Some(crate::framing::Frame::Body(body)) = reader.next().await.unwrap() {
        messages.push(serde_json::from_slice(&body).unwrap());
    }
    messages
}

#[tokio::test]
async fn deltas_that_follow_one_another_are_joined() {
    let outbox = Outbox::new();
    let (run, one, two) = (RunId::new(), MessageId::new(), MessageId::new());
    outbox.delta(&delta(run, one, 0, "He"));
    outbox.delta(&delta(run, two, 0, "x"));
    outbox.delta(&delta(run, one, 2, "llo"));
    outbox.delta(&delta(run, one, 9, "!"));
    let texts: Vec<_> = written(outbox)
        .await
        .iter()
        .map(|m| {
            assert_eq!(m["method"], "assist/delta");
            (m["params"]["offset"].as_u64().unwrap(), m["params"]["text"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(texts, [(0, "Hello".to_owned()), (0, "x".to_owned()), (9, "!".to_owned())]);
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_deltas_and_events_but_no_answer() {
    let outbox = Outbox::new();
    let big = "x".repeat(1 << 20);
    for i in 0..100 {
        outbox.delta(&delta(RunId::new(), MessageId::new(), 0, &big));
        outbox.notify_if_room("assist/event", &json!({ "n": i, "pad": big }));
        outbox.send(&json!({ "jsonrpc": "2.0", "id": i, "result": null }));
    }
    let messages = written(outbox).await;
    let answers: Vec<_> = messages.iter().filter_map(|m| m["id"].as_u64()).collect();
    assert_eq!(answers, (0..100).collect::<Vec<_>>());
    assert!(messages.len() < 120, "{}", messages.len());
}

#[tokio::test]
async fn requests_wait_for_room() {
    let outbox = Outbox::new();
    outbox.room().await;
    outbox.send(&"x".repeat(DROPPABLE + 1));
    let waiting = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.room().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    written(outbox).await;
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_reader_that_went_away_is_noticed() {
    let outbox = Outbox::new();
    let (near, far) = tokio::io::duplex(16);
    drop(far);
    let writer = tokio::spawn(outbox.clone().write(near));
    outbox.send(&json!(1));
    outbox.closed().await;
    outbox.room().await;
    writer.await.unwrap();
}
