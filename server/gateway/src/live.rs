//! Reads an answer from a socket: bytes into frames, frames into chunks, for as long as the server keeps to its bounds.
//!
//! Bounds: what an answer may hold and what it may be wrapped in, by the tokens it was allowed; the time to its first event,
//! between two pieces, and without anything new of the answer, on the gateway's clock and only while it waits for the server.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use assist_base::{Clock, Secret};
use reqwest::Response;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use crate::after::After;
use crate::endpoint::Endpoint;
use crate::frames::Frames;
use crate::ledger::Ledger;
use crate::problem::Place;
use crate::providers::{Decoder, Fault, ProviderInfo};
use crate::stream::{Item, Received};
use crate::transport::Transport;
use crate::{
    Choice, Chunk, ChunkStream, Completion, GatewayError, ModelRef, Part, Permit, Phase, StopReason,
    Timeouts, ToolCall, Turn,
};

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

/// How far an answer has got: signs of life are no progress.
fn progress(received: &Received) -> (usize, usize, bool) {
    (received.ready.len(), received.calls.bytes(), received.stop.is_some())
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
    pub timeouts: Timeouts,
    /// How long the server was waited for since the answer got on last.
    pub waited: Duration,
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
        let since = self.clock.elapsed();
        let Timeouts { idle, progress, .. } = self.timeouts;
        let (phase, after, until) = if !begun {
            (Phase::FirstToken, self.first_token, self.first_by)
        } else if idle <= progress.saturating_sub(self.waited) {
            (Phase::Idle, idle, since + idle)
        } else {
            (Phase::Progress, progress, since + progress.saturating_sub(self.waited))
        };
        loop {
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
            // Only time that was spent waiting: a reader that is slow itself is no fault of the server's.
            self.waited += self.clock.elapsed().saturating_sub(since);
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
        let before = progress(received);
        let was_begun = *begun;
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
        if !was_begun || progress(received) != before {
            self.waited = Duration::ZERO;
        } else if self.waited >= self.timeouts.progress && !received.finished {
            // The next sign of life may be there already, and again, so that no alarm would go off.
            let (provider, after) = (self.provider.name.to_owned(), self.timeouts.progress);
            return Some(GatewayError::Timeout { provider, phase: Phase::Progress, after });
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
