//! What the user says to a run that is at work, in this process or another: `run_inputs` in the store.
//!
//! Laws: what is to make the run halt or answers its question is acted on when it is taken; words for its work are read by
//! the run itself, at each safe point: before the next call of the model that begins something. Words are never lost: they
//! stay in the store, a checkpoint says which of them a call has seen, and those that came too late are named at the end.
//!
//! Limits: an answer that was cut off is continued without them, since a continuation must repeat what was there.

use std::collections::BTreeSet;

use assist_store::RunInput;
use serde_json::{Value, json};

use crate::host::Answer;
use crate::prompts;
use crate::run::{Break, Run, lock};

/// Words for the work.
const STEER: &str = "steer";
/// The stage of the checkpoint that says that a call has seen words.
const MINDED: &str = "minded";
/// The most that may be added at once, in bytes.
pub(crate) const MOST_BYTES: usize = 16 * 1024;

/// Something that is said to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// Rest, and go on later.
    Pause,
    /// Stop, for good.
    Stop,
    /// Mind this.
    Tell(String),
    /// The answer to its question.
    Reply(Answer),
}

impl Input {
    /// As it is kept: kind and data.
    pub(crate) fn row(&self) -> (&'static str, Value) {
        match self {
            Input::Pause => ("pause", json!({})),
            Input::Stop => ("cancel", json!({})),
            Input::Tell(text) => (STEER, json!({ "text": text })),
            Input::Reply(answer @ (Answer::Yes | Answer::Partly { .. })) => {
                ("confirm", json!({ "answer": answer }))
            }
            Input::Reply(answer @ Answer::Text(_)) => ("answer", json!({ "answer": answer })),
            Input::Reply(answer) => ("decline", json!({ "answer": answer })),
        }
    }

    /// What a kept input says; none where it is of a kind that only other versions know.
    pub(crate) fn read(input: &RunInput) -> Option<Self> {
        let reply = || serde_json::from_value(input.data["answer"].clone()).ok().map(Input::Reply);
        match input.kind.as_str() {
            "pause" => Some(Input::Pause),
            "cancel" => Some(Input::Stop),
            STEER => input.data["text"].as_str().map(|text| Input::Tell(text.to_owned())),
            "confirm" | "answer" | "decline" => reply(),
            _ => None,
        }
    }
}

/// Words that were added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Their number among the inputs of the store.
    pub(crate) id: i64,
    pub(crate) words: String,
}

/// What the model is told of them.
pub(crate) fn said(told: &[Told]) -> String {
    let words: Vec<_> = told.iter().map(|told| told.words.as_str()).collect();
    prompts::render("added.md", json!({ "words": words }))
}

impl Run {
    /// The words that were added after the input with this number, oldest first. A call that is about to be made must see
    /// them: they count as minded.
    pub(crate) async fn told_since(&self, seen: i64) -> Result<Vec<Told>, Break> {
        let mut told = self.told().await?;
        told.retain(|told| told.id > seen);
        let unnoted: Vec<i64> = {
            let mut minded = lock(&self.minded);
            told.iter().map(|told| told.id).filter(|id| minded.insert(*id)).collect()
        };
        for id in unnoted {
            let now = self.clock().now();
            self.store().checkpoints().add_ahead(self.id, MINDED, None, json!({ "input": id }), now).await?;
        }
        Ok(told)
    }

    async fn told(&self) -> Result<Vec<Told>, Break> {
        let inputs = self.store().run_inputs().list(self.id).await?;
        let words = inputs.iter().filter_map(|input| match Input::read(input) {
            Some(Input::Tell(words)) => Some(Told { id: input.id, words }),
            _ => None,
        });
        Ok(words.collect())
    }

    /// `text`, and behind it all that was added since the run began. Also returns the number of the last of it.
    pub(crate) async fn with_added(&self, text: String) -> Result<(String, i64), Break> {
        let told = self.told_since(0).await?;
        let last = told.last().map_or(0, |told| told.id);
        Ok(if told.is_empty() { (text, last) } else { (format!("{text}\n\n{}", said(&told)), last) })
    }

    /// The words that no call has seen.
    pub(crate) async fn too_late(&self) -> Result<Vec<String>, Break> {
        let told = self.told().await?;
        if told.is_empty() {
            return Ok(Vec::new());
        }
        let checkpoints = self.store().checkpoints().list(self.id).await?;
        let minded: BTreeSet<i64> = checkpoints
            .iter()
            .filter(|checkpoint| checkpoint.stage == MINDED)
            .filter_map(|checkpoint| checkpoint.data["input"].as_i64())
            .collect();
        Ok(told.into_iter().filter(|told| !minded.contains(&told.id)).map(|told| told.words).collect())
    }
}

#[cfg(test)]
mod tests {
    use assist_base::{RunId, Timestamp};

    use super::*;
    use crate::host::Ticks;

    fn kept(kind: &str, data: Value) -> RunInput {
        let at = Timestamp(0);
        RunInput {
            id: 1,
            run: RunId::new(),
            kind: kind.to_owned(),
            data,
            sender: "cli".to_owned(),
            at,
            taken_at: None,
        }
    }

    #[test]
    fn what_is_sent_reads_back() {
        for input in [
            Input::Pause,
            Input::Stop,
            Input::Tell("mind the tests".to_owned()),
            Input::Reply(Answer::Yes),
            Input::Reply(Answer::Partly {
                steps: vec![1, 3],
                note: Some("soon".to_owned()),
                ticks: Ticks { commit: true, push: true, deploy: false },
            }),
            Input::Reply(Answer::Text("blue".to_owned())),
            Input::Reply(Answer::No),
        ] {
            let (kind, data) = input.row();
            assert_eq!(Input::read(&kept(kind, data)), Some(input));
        }
    }

    #[test]
    fn an_answer_of_an_older_version_reads_back() {
        let kept =
            kept("confirm", json!({ "answer": { "partly": { "steps": [], "note": null, "commit": true } } }));
        let ticks = Ticks { commit: true, ..Ticks::default() };
        let answer = Answer::Partly { steps: vec![], note: None, ticks };
        assert_eq!(Input::read(&kept), Some(Input::Reply(answer)));
    }

    #[test]
    fn nonsense_in_the_database_is_passed_over() {
        for (kind, data) in [
            ("confirm", json!(null)),
            ("answer", json!({ "answer": 3 })),
            ("steer", json!({ "text": [] })),
            ("dance", json!({})),
        ] {
            assert_eq!(Input::read(&kept(kind, data)), None, "{kind}");
        }
    }
}
