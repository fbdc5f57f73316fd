//! One call of the model: its words are shown as they come and stored within a quarter of a second.

use std::time::Duration;

use assist_base::{EventKind, MessageId, PauseReason, TextDelta};
use assist_gateway::{
    Call, Chunk, Completion, Complexity, Extras, GatewayError, Request, Tier, ToolChoice, Turn,
};
use assist_syntax::{Scanned, Scanner};
use serde_json::json;

use super::bench::Bench;
use super::talk::Talk;
use super::tools;
use crate::answers;
use crate::calls;
use crate::pipeline::{Draft, Task, broken, ends_in_marker, rests, stored_talk, whole_part};
use crate::run::{Break, Run};

/// Text is stored at the latest after this time …
const FLUSH_AFTER: Duration = Duration::from_millis(250);
/// … or this many bytes.
const FLUSH_BYTES: usize = 4 * 1024;
/// How often a call that broke off with nothing worth keeping is made again.
const MAX_AGAIN: usize = 2;
/// An answer that broke off with at least so many bytes is continued, a shorter one asked for again.
pub(crate) const WORTH_KEEPING: usize = 400;

/// What a call came to.
pub(crate) enum Received {
    /// A turn: words, or calls of tools.
    Turn {
        /// The message that holds its words.
        message: MessageId,
        /// The turn.
        turn: Turn,
    },
    /// Components, or an answer that broke off: for the pipeline.
    Draft(Draft),
}

/// A guess of how hard the request is.
fn hardness(task: &Task) -> Complexity {
    Complexity::guess(task.request.prompt.as_deref().unwrap_or_default(), 0)
}

/// Calls the model and receives its turn.
pub(crate) async fn receive(
    run: &Run,
    task: &Task,
    talk: &mut Talk,
    bench: &Bench<'_>,
    tool_choice: ToolChoice,
) -> Result<Received, Break> {
    for again in 0..=MAX_AGAIN {
        let message = talk.next_message(run, task, again > 0).await?;
        let call = Call {
            run: run.id,
            agent: "assist".to_owned(),
            tier: Tier::B,
            model: None,
            request: Request {
                system: talk.system.clone(),
                messages: talk.messages.clone(),
                max_output_tokens: run.settings.max_output_tokens,
                temperature: None,
            },
        };
        let extras = Extras {
            turns: talk.turns.clone(),
            tools: tools::offered(bench),
            tool_choice: tool_choice.clone(),
            complexity: calls::complexity(run, Tier::B, hardness(task)),
            keep_as: Some(message.to_string()),
            ..Extras::default()
        };
        let mut stream = run
            .unless_halted(run.gateway.stream_with(call, extras))
            .await?
            .map_err(|error| broken(&error))?;
        let mut reader = Reader::new(run, task, message);
        if stream.is_told_again() {
            reader.stored_words = stored_talk(run.store(), run.id, message).await?;
        }
        let done = loop {
            match reader.next(&mut stream).await? {
                Chunk::Text(text) => reader.push(&text).await?,
                Chunk::Reasoning(_) => {}
                Chunk::Done(done) => break done,
            }
        };
        calls::account(run, &mut stream, &done).await?;
        if let Some(rests) = rests(&done, &stream.choice().model) {
            reader.flush(true).await?;
            let whole = whole_part(&reader.raw, &task.marker);
            if !whole.is_empty() {
                answers::keep_cut(run, message, &whole).await?;
            }
            return Err(rests);
        }
        let turn = stream.turn().cloned().unwrap_or_else(|| Turn::assistant(reader.raw.clone()));
        match reader.end(&done, turn).await? {
            Some(received) => return Ok(received),
            None if again < MAX_AGAIN => run.say("The answer broke off; asking again").await?,
            None => return Err(no_answer(done.error.as_ref())),
        }
    }
    Err(no_answer(None))
}

fn no_answer(error: Option<&GatewayError>) -> Break {
    let sentence = "The model gave no answer: resume to ask again, or with another model.";
    error.map_or_else(|| Break::Paused(PauseReason::User, sentence.to_owned()), broken)
}

/// Reads one answer.
struct Reader<'r> {
    run: &'r Run,
    message: MessageId,
    scanner: Scanner,
    /// Everything received.
    raw: String,
    /// What of it is words.
    words: String,
    stored_raw: usize,
    stored_words: usize,
    last_flush: Duration,
    /// Whether it holds a component, or the beginning of one.
    code: bool,
}

impl<'r> Reader<'r> {
    fn new(run: &'r Run, task: &Task, message: MessageId) -> Self {
        Self {
            run,
            message,
            scanner: Scanner::new(Some(&task.marker)),
            raw: String::new(),
            words: String::new(),
            stored_raw: 0,
            stored_words: 0,
            last_flush: run.clock().elapsed(),
            code: false,
        }
    }

    /// The stream's next chunk. While the model is silent, what was received is stored.
    async fn next(&mut self, stream: &mut assist_gateway::ChunkStream) -> Result<Chunk, Break> {
        loop {
            let pending = self.stored_raw < self.raw.len();
            let run = self.run;
            let step = async {
                tokio::select! {
                    biased;
                    chunk = stream.next() => Some(chunk),
                    () = run.clock().sleep(FLUSH_AFTER), if pending => None,
                }
            };
            match run.unless_halted(step).await {
                Ok(Some(Some(chunk))) => return Ok(chunk),
                Ok(Some(None)) => {
                    return Err(Break::Failed("The model's answer had no end. Ask again.".to_owned()));
                }
                Ok(None) => self.flush(true).await?,
                Err(halted) => {
                    self.flush(true).await?;
                    return Err(halted);
                }
            }
        }
    }

    async fn push(&mut self, text: &str) -> Result<(), Break> {
        self.raw.push_str(text);
        let found = self.scanner.push(text);
        self.take(found);
        self.flush(false).await
    }

    fn take(&mut self, found: Vec<Scanned>) {
        for item in found {
            match item {
                Scanned::Talk(text) => self.say(&text),
                Scanned::Started(_) | Scanned::Component(_) => self.code = true,
                Scanned::Code { .. } | Scanned::Sentinel => {}
            }
        }
    }

    fn say(&mut self, text: &str) {
        let delta = TextDelta {
            run: self.run.id,
            message_id: self.message,
            offset: self.words.len(),
            text: text.to_owned(),
        };
        self.words.push_str(text);
        self.run.stream(&delta);
    }

    /// Judges the end. None: nothing came that is worth keeping, so it is to be asked for again.
    async fn end(mut self, done: &Completion, turn: Turn) -> Result<Option<Received>, Break> {
        let ending = self.scanner.finish();
        let held = ending.talk.clone();
        self.code |= ending.partial.is_some();
        // The beginning of a marker is no word to anybody; what goes on with the answer reads it with its rest.
        if let Some(text) = held.filter(|_| done.stop.is_complete() || !ends_in_marker(&self.raw)) {
            self.say(&text);
        }
        self.take(ending.rest);
        self.flush(true).await?;
        let whole = done.stop.is_complete();
        let calls = turn.tool_calls().next().is_some();
        let nothing = self.raw.trim().is_empty() && !calls;
        if nothing || (!whole && !self.code && self.raw.len() < WORTH_KEEPING) {
            return Ok(None);
        }
        if self.code || !whole {
            let draft = Draft {
                message: self.message,
                raw: self.raw,
                handled: 0,
                edited: false,
                stored_talk: self.stored_words,
            };
            return Ok(Some(Received::Draft(draft)));
        }
        let now = self.run.clock().now();
        self.run.store().messages().replace(self.message, self.raw.as_str(), false, now).await?;
        Ok(Some(Received::Turn { message: self.message, turn }))
    }

    /// Stores what was received since the last time, when enough has come together or `now`.
    async fn flush(&mut self, now: bool) -> Result<(), Break> {
        let elapsed = self.run.clock().elapsed();
        let bytes = self.raw.len() - self.stored_raw;
        let due = now || bytes >= FLUSH_BYTES || elapsed.saturating_sub(self.last_flush) >= FLUSH_AFTER;
        if !due {
            return Ok(());
        }
        if bytes > 0 {
            let at = self.run.clock().now();
            self.run.store().messages().replace(self.message, self.raw.as_str(), true, at).await?;
            self.stored_raw = self.raw.len();
        }
        if self.words.len() > self.stored_words {
            let data = json!({
                "messageId": self.message,
                "offset": self.stored_words,
                "text": &self.words[self.stored_words..],
            });
            self.run.emit(EventKind::Text, data).await?;
            self.stored_words = self.words.len();
        }
        self.last_flush = elapsed;
        Ok(())
    }
}
