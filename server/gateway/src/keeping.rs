//! Answers that a run keeps: in the very step that settles its call, so that what is paid for is never lost with the process.
//!
//! A call that carries [`crate::Extras::keep_as`] is kept by the [`crate::Books`] under that name of its run when its answer
//! ends, however it ends. Made once more under the same name, by another process perhaps, it is not made: the kept answer is
//! told again, for nothing. Such a call is also read to its end whatever its reader does meanwhile, for an answer that waits in
//! a socket is lost with the process. A call that is dropped keeps nothing.
//!
//! An answer that its model refused to go on with, that filled the context, or that had no end is kept as well, so that
//! nothing received is lost, but not told again: whoever comes back to it wants another.
//!
//! Limits: a stream runs at most [`AHEAD`] pieces ahead of its reader.

use std::pin::Pin;
use std::task::{Context, Poll};

use assist_base::RunId;
use futures::stream::{self, Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::stream::Item;
use crate::{Choice, Chunk, ChunkStream, Completion, GatewayError, ModelRef, StopReason, Turn, Usage};

/// How many pieces may wait for a reader: more than a long answer has, and no door for a server that never ends.
const AHEAD: usize = 16 * 1024;

/// How the end of an answer is called that was stopped since it went on past its limit.
const ENDLESS: &str = "endless";

/// An answer of a run, whole or broken off. It is stored as JSON; fields may be added, so unknown ones are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// What the model said. Of an answer that is not whole the text only.
    pub turn: Turn,
    /// How it ended, as [`StopReason::as_str`] calls it; `endless` where it had to be stopped.
    pub stop: String,
    /// The registry name of the provider that answered.
    pub provider: String,
    /// Its name of the model.
    pub model: String,
}

/// An answer that is to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Keep {
    /// The run that asked.
    pub run: RunId,
    /// Its name for the answer.
    pub name: String,
    /// The answer.
    pub answer: KeptAnswer,
}

impl KeptAnswer {
    /// A text that was received of an answer which then broke off.
    pub fn cut(text: impl Into<String>) -> Self {
        let stop = StopReason::Cut.as_str().to_owned();
        Self { turn: Turn::assistant(text), stop, provider: String::new(), model: String::new() }
    }

    pub(crate) fn of(turn: &Turn, done: &Completion, model: &ModelRef) -> Self {
        let ModelRef { provider, model } = model.clone();
        let stop = match done.error {
            Some(GatewayError::Endless { .. }) => ENDLESS,
            _ => done.stop.as_str(),
        };
        Self { turn: turn.clone(), stop: stop.to_owned(), provider, model }
    }

    /// Whether it is told again to whoever makes its call once more. One that was refused, had no room or had no end is not:
    /// its call is made anew.
    pub fn is_told_again(&self) -> bool {
        let spoilt = [StopReason::Filter.as_str(), StopReason::ContextExceeded.as_str(), ENDLESS];
        !spoilt.contains(&self.stop.as_str())
    }

    /// The stream of it: all of its text, and the end.
    pub(crate) fn again(self) -> ChunkStream {
        let model = ModelRef { provider: self.provider, model: self.model };
        let reason = "this run was answered before".to_owned();
        let choice = Choice { model, reason, passed_over: Vec::new() };
        let text = self.turn.text();
        let done = Completion {
            stop: StopReason::of_word(&self.stop),
            usage: Usage::default(),
            request_id: None,
            error: None,
            cost_usd: None,
        };
        let text = (!text.is_empty()).then_some(Item::Chunk(Chunk::Text(text)));
        let end = [Item::Turn(self.turn), Item::Chunk(Chunk::Done(done))];
        ChunkStream::new(choice, stream::iter(text.into_iter().chain(end))).told_again()
    }
}

/// Reads a stream in a task of its own, which ends with whoever holds what is returned.
pub(crate) fn ahead(
    items: impl Stream<Item = Item> + Send + 'static,
) -> impl Stream<Item = Item> + Send + 'static {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let reading = tokio::spawn(async move {
        tokio::pin!(items);
        while let Some(item) = items.next().await {
            if sender.send(item).await.is_err() {
                break;
            }
        }
    });
    Ahead { receiver, reading: reading.abort_handle() }
}

/// What was read and not taken yet.
struct Ahead {
    receiver: mpsc::Receiver<Item>,
    reading: AbortHandle,
}

impl Stream for Ahead {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        self.receiver.poll_recv(context)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // The response goes with the task, which closes the socket and settles the call.
        self.reading.abort();
    }
}
