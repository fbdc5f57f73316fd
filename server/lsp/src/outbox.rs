//! What goes out to the client, in order, without anyone waiting for a slow reader.
//!
//! Laws: answers are never dropped and adding one never waits. Text deltas are joined while they wait, and dropped when
//! [`DROPPABLE`] bytes of notifications have piled up: the same text comes again in `text` events. Event notifications are
//! dropped then too; their numbers show the gap and `assist/events` fills it. Requests to the client wait for
//! [`Outbox::room`] before they are added. A client that lets [`DEAD`] bytes pile up does not read at all: the connection is
//! given up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use assist_base::TextDelta;
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How many bytes may wait before notifications are dropped and requests held back.
pub const DROPPABLE: usize = 4 * 1024 * 1024;
/// How many bytes may wait before the connection is given up.
pub const DEAD: usize = 256 * 1024 * 1024;
/// A joined delta is not made longer than this.
const DELTA_MAX: usize = 64 * 1024;
/// How far back a delta is looked for that another can be joined to.
const RECENT: usize = 64;
/// How many bytes go to the client in one write, if that many wait.
const BATCH: usize = 128 * 1024;

/// The sending side. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Mutex<Queue>,
    /// Something was added, or no more will be.
    filled: Notify,
    /// The queue became shorter.
    drained: Notify,
    /// Nobody writes any more.
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Outgoing>,
    bytes: usize,
    finished: bool,
    dropped: u64,
}

#[derive(Debug)]
enum Outgoing {
    Body(Vec<u8>),
    Delta(TextDelta),
}

impl Outgoing {
    fn len(&self) -> usize {
        match self {
            Outgoing::Body(body) => body.len(),
            Outgoing::Delta(delta) => delta.text.len(),
        }
    }
}

#[derive(Serialize)]
struct Notification<'a, P> {
    jsonrpc: &'static str,
    method: &'a str,
    params: &'a P,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbox {
    /// An empty one.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            queue: Mutex::default(),
            filled: Notify::new(),
            drained: Notify::new(),
            closed: CancellationToken::new(),
        }))
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, outgoing: Outgoing) {
        let mut queue = self.queue();
        if queue.finished || self.0.closed.is_cancelled() {
            return;
        }
        queue.bytes += outgoing.len();
        queue.waiting.push_back(outgoing);
        let dead = queue.bytes > DEAD;
        drop(queue);
        if dead {
            tracing::error!("the client does not read; giving the connection up");
            self.0.closed.cancel();
        }
        self.0.filled.notify_one();
    }

    /// Adds a whole message: an answer, or a request for which there was room.
    pub fn send(&self, message: &impl Serialize) {
        match serde_json::to_vec(message) {
            Ok(body) => self.add(Outgoing::Body(body)),
            Err(error) => tracing::error!(%error, "a message could not be written as JSON"),
        }
    }

    /// Adds a notification that must arrive.
    pub fn notify(&self, method: &str, params: &impl Serialize) {
        self.send(&Notification { jsonrpc: "2.0", method, params });
    }

    /// Adds a notification that a slow client can do without.
    pub fn notify_if_room(&self, method: &str, params: &impl Serialize) {
        if !self.full() {
            self.notify(method, params);
        }
    }

    /// Adds a piece of text, joined to one that still waits where they belong together.
    pub fn delta(&self, delta: &TextDelta) {
        let mut queue = self.queue();
        let same = |waiting: &Outgoing| matches!(waiting, Outgoing::Delta(last) if last.message_id == delta.message_id && last.run == delta.run);
        let recent = queue.waiting.len().saturating_sub(RECENT);
        let joins = queue.waiting.range(recent..).rposition(same).map(|at| recent + at);
        if let Some(Outgoing::Delta(last)) = joins.and_then(|at| queue.waiting.get_mut(at))
            && last.offset + last.text.len() == delta.offset
            && last.text.len() + delta.text.len() <= DELTA_MAX
        {
            last.text.push_str(&delta.text);
            queue.bytes += delta.text.len();
            return;
        }
        if queue.bytes > DROPPABLE {
            queue.dropped += 1;
            return;
        }
        drop(queue);
        self.add(Outgoing::Delta(delta.clone()));
    }

    fn full(&self) -> bool {
        let mut queue = self.queue();
        let full = queue.bytes > DROPPABLE;
        queue.dropped += u64::from(full);
        full
    }

    /// Returns when a request may be added, or when nobody will read it.
    pub async fn room(&self) {
        loop {
            let drained = self.0.drained.notified();
            if self.queue().bytes <= DROPPABLE || self.0.closed.is_cancelled() {
                return;
            }
            tokio::select! {
                () = drained => {}
                () = self.0.closed.cancelled() => {}
            }
        }
    }

    /// No more will be added; the writer ends when all is written.
    pub fn finish(&self) {
        self.queue().finished = true;
        self.0.filled.notify_one();
    }

    /// Returns when nobody writes any more: the client has gone.
    pub async fn closed(&self) {
        self.0.closed.cancelled().await;
    }

    /// Writes what is added to `output` until [`Outbox::finish`], or until the client is gone.
    pub async fn write<W: AsyncWrite + Unpin>(self, mut output: W) {
        let guard = self.0.closed.clone().drop_guard();
        loop {
            let filled = self.0.filled.notified();
            let (batch, finished) = self.take();
            if batch.is_empty() {
                if finished {
                    break;
                }
                filled.await;
                continue;
            }
            self.0.drained.notify_waiters();
            let written = async {
                output.write_all(&batch).await?;
                output.flush().await
            };
            tokio::select! {
                result = written => if let Err(error) = result {
                    tracing::info!(%error, "the client has closed its side");
                    break;
                },
                () = self.0.closed.cancelled() => break,
            }
        }
        drop(guard);
    }

    /// The next messages, framed, and whether they are the last.
    fn take(&self) -> (Vec<u8>, bool) {
        let mut batch = Vec::new();
        let mut queue = self.queue();
        if queue.dropped > 0 && queue.bytes <= DROPPABLE {
            tracing::debug!(dropped = queue.dropped, "notifications dropped for a slow client");
            queue.dropped = 0;
        }
        while batch.len() < BATCH {
            let Some(outgoing) = queue.waiting.pop_front() else { break };
            queue.bytes -= outgoing.len();
            let body = match outgoing {
                Outgoing::Body(body) => body,
                Outgoing::Delta(delta) => {
                    let message = Notification { jsonrpc: "2.0", method: crate::ext::DELTA, params: &delta };
                    // A struct of strings and numbers always becomes JSON.
                    serde_json::to_vec(&message).unwrap_or_default()
                }
            };
            batch.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            batch.extend_from_slice(&body);
        }
        (batch, queue.finished && queue.waiting.is_empty())
    }
}

#[cfg(test)]
mod tests;
