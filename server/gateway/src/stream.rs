//! Streams of answers, and what was received so far of one.
//!
//! A stream never loses text and never fails after it began: whatever happens becomes the last chunk. Dropping it drops
//! the response, which closes the socket, and settles what was used as an estimate. `live` reads one from a socket, `ledger`
//! accounts for it wherever it ends.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::StreamExt;

use crate::keeping;
use crate::tool::Calls;
use crate::{Choice, Chunk, Reusable, StopReason, ToolCall, Turn, Usage};

/// The chunks of one answer. Ends after [`Chunk::Done`].
pub struct ChunkStream {
    items: Pin<Box<dyn Stream<Item = Item> + Send>>,
    turn: Option<Turn>,
    choice: Choice,
    reuse: Option<Reusable>,
    again: bool,
}

/// What a stream is made of inside.
pub(crate) enum Item {
    Chunk(Chunk),
    /// The whole answer, just before the last chunk.
    Turn(Turn),
}

impl ChunkStream {
    pub(crate) fn new(choice: Choice, items: impl Stream<Item = Item> + Send + 'static) -> Self {
        Self { items: Box::pin(items), turn: None, choice, reuse: None, again: false }
    }

    /// Read to its end, whatever its reader does meanwhile.
    pub(crate) fn ahead(self) -> Self {
        let Self { items, turn, choice, reuse, again } = self;
        Self { items: Box::pin(keeping::ahead(items)), turn, choice, reuse, again }
    }

    pub(crate) fn told_again(self) -> Self {
        Self { again: true, ..self }
    }

    /// Whether no call was made: its run had kept the answer.
    pub fn is_told_again(&self) -> bool {
        self.again
    }

    pub(crate) fn with_reuse(self, reuse: Option<Reusable>) -> Self {
        Self { reuse, ..self }
    }

    /// The next chunk; none after the last.
    pub async fn next(&mut self) -> Option<Chunk> {
        StreamExt::next(self).await
    }

    /// The model that answers, why it was chosen, and which were tried before it.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// What the answer may be kept under, where it was asked for with [`crate::Reuse::Exact`].
    pub fn reuse(&self) -> Option<&Reusable> {
        self.reuse.as_ref()
    }

    /// The answer as the conversation's next turn; there once [`Chunk::Done`] was seen. Of an answer that is not whole it
    /// holds the text only: a call that was cut must not be made.
    pub fn turn(&self) -> Option<&Turn> {
        self.turn.as_ref()
    }

    /// The tools that the model wants called: none before [`Chunk::Done`], none of an answer that is not whole.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.turn.iter().flat_map(Turn::tool_calls)
    }
}

impl Stream for ChunkStream {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Chunk>> {
        loop {
            match self.items.as_mut().poll_next(context) {
                Poll::Ready(Some(Item::Turn(turn))) => self.turn = Some(turn),
                Poll::Ready(Some(Item::Chunk(chunk))) => return Poll::Ready(Some(chunk)),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl std::fmt::Debug for ChunkStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkStream")
    }
}

/// What a decoder has understood so far.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Chunks that were not handed out yet.
    pub ready: VecDeque<Chunk>,
    /// Tools that the model calls, as far as they have arrived.
    pub calls: Calls,
    /// Why the model stopped, once it said so.
    pub stop: Option<StopReason>,
    /// Tokens as reported so far.
    pub usage: Usage,
    /// Whether that report is the last.
    pub final_figures: bool,
    /// What the provider says it charged.
    pub cost_usd: Option<f64>,
    /// The provider's name for the request.
    pub request_id: Option<String>,
    /// Whether the sign was seen that makes an answer of this provider whole.
    pub whole: bool,
    /// Whether nothing more is to come.
    pub finished: bool,
    /// How many bytes of text and thoughts may still come. None: any number.
    pub room: Option<usize>,
    /// Whether more came than that.
    pub overflowed: bool,
}

impl Received {
    pub(crate) fn text(&mut self, text: &str) {
        let text = self.fitting(text);
        if !text.is_empty() {
            self.ready.push_back(Chunk::Text(text.to_owned()));
        }
    }

    pub(crate) fn reasoning(&mut self, text: &str) {
        let text = self.fitting(text);
        if !text.is_empty() {
            self.ready.push_back(Chunk::Reasoning(text.to_owned()));
        }
    }

    /// What of a text there is room for.
    fn fitting<'a>(&mut self, text: &'a str) -> &'a str {
        let Some(room) = &mut self.room else { return text };
        if text.len() > *room {
            self.overflowed = true;
        }
        let fits = &text[..text.floor_char_boundary(*room)];
        *room -= fits.len();
        fits
    }
}
