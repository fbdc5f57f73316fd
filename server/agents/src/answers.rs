//! The answers of a run's calls, kept in the transaction that settles each of them.
//!
//! Law: whatever becomes of the process, a call whose answer has ended is never made again. Each call of a run has a name that
//! is the same when another process comes to it; the gateway tells a kept answer of that name again in place of asking. Names
//! are a message's id where the answer is received into a message, and the stage with its place in it elsewhere.
//!
//! An answer that broke off is gone on with in calls of their own, named by the message, by the checkpoint of the text that
//! they go on from, and by their number; so a process that goes on repeats what was joined from what is kept.
//!
//! An answer that its model refused to go on with, that filled the context or that had no end is kept as a record, and passed
//! over: its call is made anew, under the same name, when the run is resumed.

use assist_base::{MessageId, RunId};
use assist_gateway::{Keep, KeptAnswer};
use assist_store::{NewCheckpoint, Store, StoreError};

use crate::run::{Break, Run};

/// The stage of an answer; its component is the answer's name.
const ANSWER: &str = "answer";

/// The row of an answer.
pub(crate) fn checkpoint(keep: Keep) -> NewCheckpoint {
    let data = serde_json::to_value(keep.answer).unwrap_or_default();
    NewCheckpoint { run: keep.run, stage: ANSWER.to_owned(), component: Some(keep.name), data }
}

/// The answer that a run has kept under this name; none where it cannot be read any more, or is not to be told again.
pub(crate) async fn kept(store: &Store, run: RunId, name: &str) -> Result<Option<KeptAnswer>, StoreError> {
    Ok(latest(store, run, name).await?.filter(KeptAnswer::is_told_again))
}

/// Whether the last answer under this name is not to be told again.
pub(crate) async fn is_spoilt(store: &Store, run: RunId, name: &str) -> Result<bool, StoreError> {
    Ok(latest(store, run, name).await?.is_some_and(|answer| !answer.is_told_again()))
}

async fn latest(store: &Store, run: RunId, name: &str) -> Result<Option<KeptAnswer>, StoreError> {
    let row = store.checkpoints().latest_of(run, ANSWER, name).await?;
    Ok(row.and_then(|row| serde_json::from_value(row.data).ok()))
}

/// Keeps a text as what its call brought, and breaks off there.
pub(crate) async fn keep_cut(run: &Run, message: MessageId, text: &str) -> Result<i64, Break> {
    let answer = KeptAnswer::cut(text);
    let row = checkpoint(Keep { run: run.id, name: message.to_string(), answer });
    let now = run.clock().now();
    let points = run.store().checkpoints();
    Ok(points.add_ahead(run.id, &row.stage, row.component.as_deref(), row.data, now).await?)
}

/// The checkpoint from which the answer in `message` is gone on with: that of its call, or one of `raw`, where only a part
/// of the answer was received.
pub(crate) async fn base(run: &Run, message: MessageId, raw: &str) -> Result<i64, Break> {
    match run.store().checkpoints().latest_of(run.id, ANSWER, &message.to_string()).await? {
        Some(row) => Ok(row.id),
        None => keep_cut(run, message, raw).await,
    }
}

/// The calls that go on with an answer, from its `base` on.
pub(crate) struct Continuations {
    message: MessageId,
    base: i64,
    /// How many had an answer.
    answered: usize,
}

impl Continuations {
    pub(crate) fn new(message: MessageId, base: i64) -> Self {
        Self { message, base, answered: 0 }
    }

    fn beginning(&self) -> String {
        format!("{} {} {} ", self.message, self.base, self.answered)
    }

    /// The name of the next call, which is this attempt.
    pub(crate) fn name(&self, attempt: usize) -> String {
        format!("{}{attempt}", self.beginning())
    }

    /// Which attempt the next call was, where its answer is kept.
    pub(crate) async fn kept(&self, run: &Run) -> Result<Option<usize>, Break> {
        let beginning = self.beginning();
        let rows = run.store().checkpoints().list(run.id).await?;
        let answers = rows.into_iter().filter(|row| row.stage == ANSWER);
        Ok(answers
            .filter_map(|row| {
                let attempt = row.component?.strip_prefix(&beginning)?.parse().ok()?;
                let answer: KeptAnswer = serde_json::from_value(row.data).ok()?;
                answer.is_told_again().then_some(attempt)
            })
            .next())
    }

    /// The call had an answer.
    pub(crate) fn count(&mut self) {
        self.answered += 1;
    }
}
