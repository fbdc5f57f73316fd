//! Streams of answers: what was received so far, the accounting that follows a stream wherever it ends, and the loop
//! that reads one from a socket.
//!
//! A stream never loses text and never fails after it began: whatever happens becomes the last chunk. Dropping it drops
//! the response, which closes the socket, and settles what was used as an estimate.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use assist_base::{Clock, RunId, Secret};
use futures::Stream;
use futures::stream::StreamExt;
use reqwest::Response;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use crate::after::After;
use crate::tool::Calls;

use crate::endpoint::Endpoint;
use crate::frames::Frames;
use crate::keeping;
use crate::problem::Place;
use crate::providers::{Decoder, Fault, ProviderInfo};
use crate::tokens::complete_usage;
use crate::transport::Transport;
use crate::{
    Books, Choice, Chunk, Completion, GatewayError, Keep, KeptAnswer, ModelFacts, ModelRef, Part, Permit,
    Phase, Reservation, Reusable, Settlement, StopReason, ToolCall, Turn, Usage,
};

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

/// The accounting of one call: closed exactly once, at the latest when it is dropped.
pub(crate) struct Ledger {
    books: Arc<dyn Books>,
    reservation: Option<Reservation>,
    runtime: Option<Handle>,
    facts: Option<ModelFacts>,
    /// Local and replayed answers cost nothing, which is not the same as a price that is not known.
    free: bool,
    /// Prompt tokens, estimated.
    prompt: u64,
    /// Whether a request is under way that the provider may charge for.
    pub sent: bool,
    reported: Usage,
    final_figures: bool,
    cost_usd: Option<f64>,
    request_id: Option<String>,
    bytes: u64,
    /// What a kept answer cost when it was made; the use of it costs nothing.
    kept: Option<f64>,
    /// The run that keeps the answer, its name for it, and the model that gives it.
    keep_as: Option<(RunId, String, ModelRef)>,
}

impl Ledger {
    pub(crate) fn open(
        books: Arc<dyn Books>,
        reservation: Reservation,
        facts: Option<ModelFacts>,
        free: bool,
        prompt: u64,
    ) -> Self {
        Self {
            books,
            reservation: Some(reservation),
            runtime: Handle::try_current().ok(),
            facts,
            free,
            prompt,
            sent: false,
            reported: Usage::default(),
            final_figures: false,
            cost_usd: None,
            request_id: None,
            bytes: 0,
            kept: None,
            keep_as: None,
        }
    }

    /// For a call whose answer its run keeps.
    pub(crate) fn keeping(mut self, run: RunId, name: Option<&str>, model: &ModelRef) -> Self {
        self.keep_as = name.map(|name| (run, name.to_owned(), model.clone()));
        self
    }

    /// For an answer that is used again, and cost this much when it was made.
    pub(crate) fn of_kept(mut self, cost_usd: Option<f64>) -> Self {
        self.kept = Some(cost_usd.unwrap_or(0.0));
        self
    }

    /// Counts a chunk on its way to the caller.
    pub(crate) fn note(&mut self, chunk: &Chunk) {
        if let Chunk::Text(text) | Chunk::Reasoning(text) = chunk {
            self.bytes += text.len() as u64;
        }
    }

    /// Keeps what was reported, for the case that the stream is dropped.
    fn keep(&mut self, received: &Received) {
        self.reported = received.usage;
        self.final_figures = received.final_figures;
        self.cost_usd = received.cost_usd;
        if self.request_id != received.request_id {
            self.request_id.clone_from(&received.request_id);
        }
    }

    fn usage(&self) -> Usage {
        if self.kept.is_some() || !self.sent && self.bytes == 0 {
            return Usage::default();
        }
        complete_usage(self.reported, self.final_figures, self.prompt, self.bytes)
    }

    fn cost(&self, usage: &Usage) -> Option<f64> {
        if self.free || self.kept.is_some() {
            return Some(0.0);
        }
        self.cost_usd.or_else(|| self.facts.as_ref().map(|facts| facts.cost(usage)))
    }

    fn saved(&self, usage: &Usage) -> f64 {
        let by_provider = self.facts.as_ref().filter(|_| !self.free).map_or(0.0, |facts| facts.saved(usage));
        self.kept.unwrap_or(by_provider)
    }

    /// The answer ended: settles, and says how. `turn` makes the answer of it, which is kept with the settlement.
    pub(crate) async fn close(
        &mut self,
        received: Received,
        error: Option<GatewayError>,
        turn: impl FnOnce(&StopReason) -> Turn,
    ) -> (Completion, Turn) {
        self.sent = true;
        self.keep(&received);
        let stop = match received.stop {
            Some(stop) if received.whole => stop,
            _ => StopReason::Cut,
        };
        let usage = self.usage();
        let completion = Completion {
            // An error after the whole answer (a reset instead of a clean end) does not make it less whole.
            error: error.filter(|_| stop == StopReason::Cut),
            cost_usd: self.cost(&usage),
            request_id: received.request_id,
            stop,
            usage,
        };
        let turn = turn(&completion.stop);
        self.settle(Some((&completion, &turn))).await;
        (completion, turn)
    }

    /// The call failed before there was an answer.
    pub(crate) async fn fail(mut self, error: &GatewayError) {
        // A provider that was slow may have worked, and charge for it. One that refused does not.
        self.sent = matches!(error, GatewayError::Timeout { phase: Phase::FirstToken | Phase::Idle, .. });
        self.settle(None).await;
    }

    async fn settle(&mut self, ended: Option<(&Completion, &Turn)>) {
        if let Some(task) = self.settling(ended) {
            // In a task of its own, so that a caller who goes away now does not leave it half done.
            match &self.runtime {
                Some(runtime) => drop(runtime.spawn(task).await),
                None => task.await,
            }
        }
    }

    fn settling(
        &mut self,
        ended: Option<(&Completion, &Turn)>,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let reservation = self.reservation.take()?;
        let usage = self.usage();
        let cost_usd = self.cost(&usage);
        let saved_usd = self.saved(&usage);
        let keep = self.keep_as.take().zip(ended).map(|((run, name, model), (done, turn))| {
            let answer = KeptAnswer::of(turn, done, &model);
            Box::new(Keep { run, name, answer })
        });
        let (stop, request_id) = (ended.map(|(done, _)| done.stop.clone()), self.request_id.take());
        let settlement = Settlement { usage, cost_usd, stop, request_id, saved_usd, keep };
        let books = Arc::clone(&self.books);
        Some(async move { books.settle(reservation, settlement).await })
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let Some(task) = self.settling(None) else { return };
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn(task)),
            None => tracing::warn!("a call was dropped outside of the runtime; its reservation stands"),
        }
    }
}

/// What a whole answer is as a turn. Calls of one that is not whole are left out.
fn turn(
    text: String,
    calls: Vec<ToolCall>,
    native: Option<Value>,
    stop: &StopReason,
    model: &ModelRef,
) -> Turn {
    let mut turn = Turn::assistant(text);
    if stop.is_complete() {
        turn.parts.extend(calls.into_iter().map(Part::Call));
        if let Some(native) = native {
            turn.keep_native(model, native);
        }
    }
    turn
}

/// Tells a breaker how an answer that began went on.
fn judge(permit: Permit, completion: &Completion) {
    match &completion.error {
        Some(error) if error.is_outage() => permit.failed(&error.to_string()),
        None if completion.stop == StopReason::Cut => permit.failed("its answer broke off"),
        _ => permit.succeeded(),
    }
}

/// A wait on the clock.
pub(crate) type Alarm = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A stream that has begun.
pub(crate) struct Live {
    pub response: Response,
    pub frames: Frames,
    pub decoder: Box<dyn Decoder>,
    pub clock: Arc<dyn Clock>,
    pub transport: Arc<Transport>,
    pub endpoint: Endpoint,
    pub provider: &'static ProviderInfo,
    pub model: String,
    /// How many tokens the answer may have.
    pub max_output: u32,
    /// How many bytes of the stream were read.
    pub taken: usize,
    pub key: Option<Secret>,
    pub request_id: Option<String>,
    /// When the first event must be there, on the clock's scale.
    pub first_by: Duration,
    /// What that allowed in all, for the message.
    pub first_token: Duration,
    pub idle: Duration,
    /// When something was heard last, on the clock's scale.
    pub heard_at: Duration,
    /// Goes off at that moment, or before the time at which silence is too long.
    pub alarm: Option<(Duration, Alarm)>,
    pub ledger: Ledger,
    pub choice: Choice,
    /// Told how the call went.
    pub permit: Option<Permit>,
    /// Kept for as long as the answer takes.
    pub seat: Option<OwnedSemaphorePermit>,
    pub after: After,
}

/// What one reading gave.
enum Read {
    Bytes(bytes::Bytes),
    End,
    Failed(GatewayError),
}

/// A server that does not keep to the limit on output tokens is stopped, in text and in what it is wrapped in. No answer of a
/// model is near this: a token has 4 bytes in the middle, and an event of one token some 300.
const MOST_BYTES_A_TOKEN: usize = 32;
const LEAST_MOST_BYTES: usize = 256 * 1024;
const MOST_STREAM_A_TOKEN: usize = 2 * 1024;
const LEAST_MOST_STREAM: usize = 16 * 1024 * 1024;

/// How much of what was read is taken in before it is handed out: a server that sends much at once must not fill queues
/// that no later piece needs.
const PIECE: usize = 8 * 1024;

impl Read {
    /// The beginning of it, and the rest.
    fn piece(self) -> (Self, Option<Self>) {
        match self {
            Self::Bytes(mut bytes) if bytes.len() > PIECE => {
                let first = bytes.split_to(PIECE);
                (Self::Bytes(first), Some(Self::Bytes(bytes)))
            }
            read => (read, None),
        }
    }
}

impl Live {
    /// The chunks, as they come.
    pub(crate) fn stream(mut self) -> ChunkStream {
        let room = Some(self.at_most(MOST_BYTES_A_TOKEN, LEAST_MOST_BYTES));
        let mut received = Received { request_id: self.request_id.take(), room, ..Received::default() };
        let choice = self.choice.clone();
        ChunkStream::new(
            choice,
            async_stream::stream! {
                let mut begun = false;
                let (mut text, mut reasoning) = (String::new(), String::new());
                let mut rest: Option<Read> = None;
                let error = loop {
                    let read = match rest.take() {
                        Some(read) => read,
                        None => self.read(begun).await,
                    };
                    let (read, more) = read.piece();
                    rest = more;
                    let ended = !matches!(read, Read::Bytes(_));
                    let error = self.understand(read, &mut begun, &mut received);
                    if begun && self.permit.as_ref().is_some_and(Permit::is_probe) {
                        // It answers: the others need not wait for the end of a long answer.
                        if let Some(probe) = self.permit.take() {
                        probe.succeeded();
                    }
                    }
                    if ended || error.is_some() {
                        self.decoder.end(&mut received);
                    }
                    // What did not fit is gone: what is left is not whole, whatever was said after it.
                    received.whole &= !received.overflowed;
                    self.ledger.keep(&received);
                    while let Some(chunk) = received.ready.pop_front() {
                        self.ledger.note(&chunk);
                        match &chunk {
                            Chunk::Text(piece) => text.push_str(piece),
                            Chunk::Reasoning(piece) if self.after.wants_reasoning() => reasoning.push_str(piece),
                            Chunk::Reasoning(_) | Chunk::Done(_) => {}
                        }
                        yield Item::Chunk(chunk);
                    }
                    if ended || error.is_some() || received.finished {
                        break error;
                    }
                };
                let calls = std::mem::take(&mut received.calls).finish();
                let native = self.decoder.native();
                let model = self.choice.model.clone();
                let answer = |stop: &StopReason| turn(text, calls, native, stop, &model);
                let (completion, turn) = self.ledger.close(received, error, answer).await;
                if let Some(permit) = self.permit.take() {
                    judge(permit, &completion);
                }
                self.seat = None;
                self.after.done(&turn, &reasoning, &completion).await;
                if completion.error.is_none() && completion.stop != StopReason::Cut {
                    self.let_go();
                } else {
                    drop(self);
                }
                yield Item::Turn(turn);
                yield Item::Chunk(Chunk::Done(completion));
            },
        )
    }

    async fn read(&mut self, begun: bool) -> Read {
        loop {
            let (phase, after, until) = if begun {
                (Phase::Idle, self.idle, self.heard_at + self.idle)
            } else {
                (Phase::FirstToken, self.first_token, self.first_by)
            };
            let alarm = match &mut self.alarm {
                // One alarm serves many pieces: each piece only moves the moment at which silence is too long.
                Some((at, alarm)) if *at <= until => alarm,
                alarm => {
                    let clock = Arc::clone(&self.clock);
                    let wait = until.saturating_sub(clock.elapsed());
                    let sleep: Alarm = Box::pin(async move { clock.sleep(wait).await });
                    &mut alarm.insert((until, sleep)).1
                }
            };
            let provider = self.provider.name;
            let read = tokio::select! {
                biased;
                chunk = self.response.chunk() => match chunk {
                    Ok(Some(bytes)) => Read::Bytes(bytes),
                    Ok(None) => Read::End,
                    Err(error) => Read::Failed(self.transport.explain(provider, &self.endpoint, error)),
                },
                () = alarm => {
                    self.alarm = None;
                    if self.clock.elapsed() < until {
                        continue;
                    }
                    Read::Failed(GatewayError::Timeout { provider: provider.to_owned(), phase, after })
                }
            };
            self.heard_at = self.clock.elapsed();
            return read;
        }
    }

    /// Takes in what was read. An error says why the stream shall not be read on.
    fn understand(&mut self, read: Read, begun: &mut bool, received: &mut Received) -> Option<GatewayError> {
        let (taken, failure, ended) = match read {
            Read::Bytes(bytes) => {
                self.taken += bytes.len();
                (self.frames.push(&bytes), None, false)
            }
            Read::End => (self.frames.finish(), None, true),
            Read::Failed(error) => (self.frames.finish(), Some(error), true),
        };
        while let Some(frame) = self.frames.next() {
            *begun |= frame.event != "ping";
            if received.finished {
                break;
            }
            let understood = self.decoder.frame(&frame, received);
            received.overflowed |=
                received.calls.bytes() > self.at_most(MOST_BYTES_A_TOKEN, LEAST_MOST_BYTES);
            if received.overflowed {
                return Some(self.endless());
            }
            match understood {
                Ok(()) => {}
                // The last event of a stream that broke may be half an event: the break is what is reported.
                Err(Fault::Malformed) if ended => break,
                Err(Fault::Malformed) => {
                    return Some(self.protocol("an event of its stream is not readable"));
                }
                Err(Fault::Problem(problem)) => {
                    let address = self.endpoint.shown();
                    let place = Place {
                        provider: self.provider,
                        model: &self.model,
                        address: &address,
                        key: self.key.as_ref(),
                    };
                    return Some(problem.into_stream_error(&place, received.request_id.clone()));
                }
            }
        }
        if self.taken > self.at_most(MOST_STREAM_A_TOKEN, LEAST_MOST_STREAM) && !received.finished {
            return Some(self.endless());
        }
        if taken.is_err() {
            return failure.or_else(|| Some(self.protocol("an event of its stream has no end")));
        }
        failure
    }

    /// So many bytes for each token of the answer, but never less than `least`.
    fn at_most(&self, a_token: usize, least: usize) -> usize {
        usize::try_from(self.max_output).unwrap_or(usize::MAX).saturating_mul(a_token).max(least)
    }

    fn endless(&self) -> GatewayError {
        GatewayError::Endless {
            provider: self.provider.name.to_owned(),
            model: self.model.clone(),
            limit: self.max_output,
        }
    }

    fn protocol(&self, detail: &str) -> GatewayError {
        GatewayError::Protocol {
            provider: self.provider.name.to_owned(),
            address: self.endpoint.shown(),
            detail: detail.to_owned(),
        }
    }

    /// Reads the last bytes of a whole answer aside, so that the connection can serve the next call.
    fn let_go(self) {
        const LONGEST: Duration = Duration::from_secs(1);
        const MOST_BYTES: usize = 64 * 1024;
        let Self { mut response, .. } = self;
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let rest = async {
                    let mut bytes = 0;
                    while let Ok(Some(chunk)) = response.chunk().await {
                        bytes += chunk.len();
                        if bytes > MOST_BYTES {
                            break;
                        }
                    }
                };
                let _ = tokio::time::timeout(LONGEST, rest).await;
            });
        }
    }
}
