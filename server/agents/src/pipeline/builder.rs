//! Reads the model's stream: talk is shown, components are handed on the moment they end, everything is kept.
//!
//! `received` shows and stores what comes, `repair` asks once more for what was not passed.

mod received;
mod repair;

use std::time::Duration;

use assist_base::{ByteRange, EventKind, PauseReason};
use assist_gateway::{Chunk, Completion, Complexity, Extras, GatewayError, Message, ModelRef, StopReason};
use assist_syntax::{Block, Component, Scanned, Scanner};
use serde_json::json;

use crate::answers;
use crate::calls;
use crate::pipeline::applier::{Applied, Applier, Failure};
use crate::pipeline::edits::{Edits, Put};
use crate::pipeline::request::Conversation;
use crate::pipeline::spoilt::{self, whole_part};
use crate::pipeline::task::{Draft, NOT_PASSED, Task};
use crate::run::{Break, Run};

/// Text is stored at the latest after this time.
const FLUSH_AFTER: Duration = Duration::from_millis(250);
/// Progress is told every so many lines of a component.
const PROGRESS_LINES: usize = 25;

/// How one reading of the draft ended.
pub(crate) enum Read {
    /// The answer is whole.
    Whole,
    /// It broke off; the cause in words.
    Cut(String),
    /// The user changed the very text that was to be replaced; its outer edges, if known.
    Touched(Option<ByteRange>),
}

pub(crate) struct Builder<'r> {
    pub(crate) run: &'r Run,
    pub(crate) task: &'r mut Task,
    applier: &'r mut Applier,
    pub(crate) conversation: Conversation,
    pub(crate) draft: Draft,
    /// The talk of this draft, as shown.
    talk: String,
    /// How much of the talk is stored.
    stored_talk: usize,
    /// How much of the raw text is stored.
    stored_raw: usize,
    /// Whether the draft's message is in the conversation already: a resumed run may have begun it and received nothing.
    opened: bool,
    last_flush: Duration,
    failures: Vec<Failure>,
    /// The component that is being received, for messages.
    current: Option<String>,
    /// How many of its lines progress was last told of.
    told_lines: usize,
    edits: Edits,
    /// Whether the draft was begun by an earlier process.
    resumed: bool,
    /// Components that wait until the answer is whole, where nothing is applied before.
    held: Vec<(Component, usize)>,
    /// Who gave the last answer.
    model: ModelRef,
    /// Whether what is read was received before the run rested or was interrupted.
    earlier: bool,
}

impl<'r> Builder<'r> {
    pub(crate) fn new(
        run: &'r Run,
        task: &'r mut Task,
        applier: &'r mut Applier,
        conversation: Conversation,
    ) -> Self {
        let draft = task.draft.take();
        let opened = draft.is_some();
        let draft = draft.unwrap_or_else(Draft::empty);
        Self {
            run,
            task,
            applier,
            conversation,
            talk: String::new(),
            stored_talk: draft.stored_talk,
            stored_raw: draft.raw.len(),
            opened,
            draft,
            last_flush: run.clock().elapsed(),
            failures: Vec::new(),
            current: None,
            told_lines: 0,
            edits: Edits::default(),
            resumed: opened,
            held: Vec::new(),
            model: ModelRef { provider: String::new(), model: String::new() },
            earlier: false,
        }
    }

    /// Whether an earlier process has begun the draft.
    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Notes whether an answer was told again.
    pub(crate) fn note_told_again(&mut self, told_again: bool) {
        self.earlier = told_again;
    }

    fn has_begun(&self) -> bool {
        !self.draft.raw.is_empty()
    }

    /// The components that are still not passed.
    pub(crate) fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Reads the draft: as it comes, as it came where its answer is kept, or as far as it had come before an earlier process
    /// was gone.
    pub(crate) async fn read(&mut self) -> Result<Read, Break> {
        if self.resumed {
            self.pass_over_spoilt().await?;
        }
        let message = self.draft.message.to_string();
        let part =
            self.has_begun() && answers::kept(self.run.store(), self.run.id, &message).await?.is_none();
        if part { self.reread().await } else { self.receive().await }
    }

    /// The first call of a draft: components are applied while the rest still streams.
    async fn receive(&mut self) -> Result<Read, Break> {
        self.open_message().await?;
        let messages = self.conversation.messages.clone();
        let mut stream = match self.call("builder", messages, self.draft.message.to_string()).await? {
            Ok(stream) => stream,
            Err(error) => return Err(broken(&error)),
        };
        self.earlier = stream.is_told_again();
        let mut scanner = Scanner::new(Some(&self.task.marker));
        let mut position = 0;
        self.edits.begin();
        self.replace_draft(String::new());
        loop {
            match self.next(&mut stream).await? {
                Chunk::Text(text) => {
                    self.draft.raw.push_str(&text);
                    if let Some(range) = self.take(scanner.push(&text), &mut position).await? {
                        return Ok(Read::Touched(range));
                    }
                    self.flush(false).await?;
                }
                Chunk::Reasoning(_) => {}
                Chunk::Done(done) => {
                    calls::account(self.run, &mut stream, &done).await?;
                    return self.end(scanner, position, done).await;
                }
            }
        }
    }

    /// Reads the draft from its beginning, passing over what was dealt with. For continued and resumed drafts.
    async fn reread(&mut self) -> Result<Read, Break> {
        self.earlier = true;
        self.read_again(cut()).await
    }

    /// As [`Builder::reread`], where the last call ended as `done` says.
    pub(crate) async fn read_again(&mut self, done: Completion) -> Result<Read, Break> {
        let mut scanner = Scanner::new(Some(&self.task.marker));
        let mut position = 0;
        self.talk.clear();
        self.edits.begin();
        self.held.clear();
        let raw = self.draft.raw.clone();
        if let Some(range) = self.take(scanner.push(&raw), &mut position).await? {
            return Ok(Read::Touched(range));
        }
        self.end(scanner, position, done).await
    }

    /// Calls the model, whose answer is kept by this name. The outer error ends the run; the inner one is the call's own.
    pub(crate) async fn call(
        &self,
        agent: &str,
        messages: Vec<Message>,
        name: String,
    ) -> Result<Result<assist_gateway::ChunkStream, GatewayError>, Break> {
        let call = calls::writing(self.run, agent, self.task.tier, &self.conversation, messages);
        let complexity = calls::complexity(self.run, self.task.tier, self.complexity());
        let extras = Extras { complexity, keep_as: Some(name), ..Extras::default() };
        self.run.unless_halted(self.run.gateway.stream_with(call, extras)).await
    }

    /// How hard the task is: what the plan says of it, or a guess.
    fn complexity(&self) -> Complexity {
        if let Some(assignment) = self.applier.assignment() {
            return assignment.part.complexity.of_task();
        }
        let lines = self.task.selected.as_deref().map_or(0, |text| text.lines().count());
        Complexity::guess(&self.task.request.title(), lines)
    }

    /// The stream's next chunk. While the model is silent, what was received is stored.
    pub(crate) async fn next(&mut self, stream: &mut assist_gateway::ChunkStream) -> Result<Chunk, Break> {
        loop {
            let pending = self.stored_raw < self.draft.raw.len();
            let run = self.run;
            let step = async {
                tokio::select! {
                    biased;
                    chunk = stream.next() => Some(chunk),
                    () = run.clock().sleep(FLUSH_AFTER), if pending => None,
                }
            };
            match run.unless_halted(step).await {
                Ok(Some(chunk)) => {
                    self.model.clone_from(&stream.choice().model);
                    return Ok(chunk.unwrap_or_else(|| Chunk::Done(cut())));
                }
                Ok(None) => self.flush(true).await?,
                Err(halted) => {
                    self.flush(true).await?;
                    return Err(halted);
                }
            }
        }
    }

    /// Deals with what the scanner found. Returns where the user's text was touched, if that is why it stopped.
    async fn take(
        &mut self,
        found: Vec<Scanned>,
        position: &mut usize,
    ) -> Result<Option<Option<ByteRange>>, Break> {
        for item in found {
            match item {
                Scanned::Talk(text) => self.say(&text),
                Scanned::Started(header) => {
                    if *position >= self.draft.handled {
                        let data = json!({ "agent": "builder", "component": header.name });
                        self.run.emit(EventKind::AgentStarted, data).await?;
                        self.current = Some(header.name);
                        self.told_lines = 0;
                    }
                }
                Scanned::Code { lines, .. } => {
                    if lines > 0
                        && lines >= self.told_lines + PROGRESS_LINES
                        && *position >= self.draft.handled
                        && let Some(name) = &self.current
                    {
                        self.run.say(format!("Writing {name}: {lines} lines")).await?;
                        self.told_lines = lines;
                    }
                }
                Scanned::Component(component) => {
                    self.current = None;
                    *position += 1;
                    if component.header.block == Block::Edits && self.task.part.is_none() {
                        self.edits.add(component);
                        continue;
                    }
                    if !self.run.settings.pipeline.chunking && self.task.part.is_none() {
                        self.held.push((component, *position));
                        continue;
                    }
                    if *position > self.draft.handled
                        && let Some(touched) = self.hand_on(component, *position).await?
                    {
                        return Ok(Some(touched));
                    }
                }
                // Kept before the call counts as ended: a crash in between must not cost a continuation.
                Scanned::Sentinel => self.flush(true).await?,
            }
        }
        Ok(None)
    }

    async fn hand_on(
        &mut self,
        component: Component,
        position: usize,
    ) -> Result<Option<Option<ByteRange>>, Break> {
        self.flush(true).await?;
        let applied =
            self.applier.apply(self.run, self.task, &component, self.draft.message, position).await?;
        // What was wrong with an earlier version of it does not count any more.
        self.failures.retain(|failure| failure.name != component.header.name);
        match applied {
            Applied::InPlace | Applied::Declined => {}
            Applied::Failed(failure) => {
                // It is not in its place, whatever comes to stand behind it.
                let row = json!({ "message": self.draft.message, "failure": &failure });
                let (part, now) = (self.task.part.as_deref(), self.run.clock().now());
                self.run.store().checkpoints().add_ahead(self.run.id, NOT_PASSED, part, row, now).await?;
                self.failures.push(failure);
            }
            Applied::Touched(range) => return Ok(Some(range)),
        }
        self.draft.handled = position;
        Ok(None)
    }

    /// The edit blocks of the answer, which is whole, are applied together; none of them where a component of it was not.
    async fn apply_edits(&mut self) -> Result<(), Break> {
        if self.draft.edited || self.edits.is_empty() {
            return Ok(());
        }
        self.failures.retain(|failure| !Edits::is_of_edits(failure));
        let lacking: Vec<String> = self.failures.iter().map(|failure| failure.name.clone()).collect();
        if !lacking.is_empty() {
            self.failures.extend(self.edits.hold_back(self.run, &lacking).await?);
            return Ok(());
        }
        let (message, resumed) = (self.draft.message, self.resumed);
        match self.edits.apply(self.run, self.task, self.applier, message, resumed).await? {
            Put::InPlace | Put::Declined => self.draft.edited = true,
            Put::Failed(failures) => self.failures.extend(failures),
        }
        Ok(())
    }

    /// Judges the end of the answer.
    async fn end(
        &mut self,
        mut scanner: Scanner,
        mut position: usize,
        done: Completion,
    ) -> Result<Read, Break> {
        let ending = scanner.finish();
        // The beginning of a marker is no word to anybody; if it turns out to be one, it is read again with its rest.
        if let Some(text) = ending.talk.as_ref().filter(|_| !ends_in_marker(&self.draft.raw)) {
            self.say(text);
        }
        if let Some(touched) = self.take(ending.rest, &mut position).await? {
            return Ok(Read::Touched(touched));
        }
        self.flush(true).await?;
        let components = position > 0;
        let whole = match &ending.partial {
            Some(_) => false,
            None if ending.sentinel => true,
            // Unless the user does not insist on it.
            None if components && !self.run.settings.pipeline.sentinel && done.stop.is_complete() => {
                !ends_in_marker(&self.draft.raw)
            }
            // An answer in words ends when the model says so; code ends with the sentinel.
            None => !components && done.stop.is_complete() && !ends_in_marker(&self.draft.raw),
        };
        if whole {
            for (component, position) in std::mem::take(&mut self.held) {
                if position > self.draft.handled
                    && let Some(touched) = self.hand_on(component, position).await?
                {
                    return Ok(Read::Touched(touched));
                }
            }
            self.apply_edits().await?;
            self.close_message(false).await?;
            return Ok(Read::Whole);
        }
        self.current = ending.partial.map(|component| component.header.name);
        if let Some(rests) = self.rests(&done) {
            let whole = whole_part(&self.draft.raw, &self.task.marker);
            if !whole.is_empty() {
                self.keep_cut(&whole).await?;
            }
            return Err(rests);
        }
        let cause = match (&done.error, &done.stop) {
            (Some(error), _) => error.to_string(),
            (None, StopReason::Length) => "the model reached its output limit".to_owned(),
            (None, StopReason::Cut) if self.earlier => "the run had rested there".to_owned(),
            (None, StopReason::Cut) => "the connection was cut".to_owned(),
            (None, _) if self.current.is_some() => "the component was not ended".to_owned(),
            (None, _) => "the end mark is missing".to_owned(),
        };
        Ok(Read::Cut(cause))
    }

    /// The answer's words: everything that is no component.
    pub(crate) fn words(&self) -> &str {
        &self.talk
    }

    /// What names the present component in events and messages.
    pub(crate) fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// The failures so far, and whether something was applied.
    pub(crate) fn applied_something(&self) -> bool {
        !self.applier.changed().is_empty()
    }

    /// Why the run rests after a call that ended so, if it does.
    pub(crate) fn rests(&self, done: &Completion) -> Option<Break> {
        spoilt::rests(done, &self.model)
    }
}

/// Whether a text ends within a START marker: whatever the model says, that is no end of an answer.
pub(crate) fn ends_in_marker(raw: &str) -> bool {
    const STARTS: [&str; 2] = ["/// COMPONENT_START:", "/// EDIT_START:"];
    let line = raw.rsplit('\n').next().unwrap_or_default().trim_start();
    STARTS.iter().any(|start| line.starts_with(start) || (line.len() >= 3 && start.starts_with(line)))
}

/// The end of a stream that has none.
fn cut() -> Completion {
    Completion {
        stop: StopReason::Cut,
        usage: assist_gateway::Usage::default(),
        request_id: None,
        error: None,
        cost_usd: None,
    }
}

/// A call that failed before it began: the run rests until the key, the credit, the budget, the name, the network or the
/// choice of the model is mended. A transcript that has no answer will never have one.
pub(crate) fn broken(error: &GatewayError) -> Break {
    match error {
        GatewayError::Budget { usage, .. } => {
            let used = usage.as_ref().map(|usage| format!(" So far: {usage}.")).unwrap_or_default();
            Break::Paused(PauseReason::Budget, format!("{error}{used}"))
        }
        GatewayError::NotRecorded => Break::Failed(error.to_string()),
        error => Break::Paused(PauseReason::User, error.to_string()),
    }
}
