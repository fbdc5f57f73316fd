//! One run's part of a conversation: what the model is sent, and what is kept so that another process can go on.
//!
//! Law: a turn of the model and a result of a tool is in the store before it is acted on or shown, and on the disk before the next
//! call is made or a file is changed. A turn with all its results is never asked for again.

use std::collections::HashSet;

use assist_base::{ConversationId, MessageId};
use assist_gateway::{Message, Part, Role, ToolCall, ToolResult, Turn, estimate_tokens};
use assist_store::{Memory, MemoryId, NewMessage};
use serde::{Deserialize, Serialize};

use super::context;
use crate::answers;
use crate::pipeline::{self, Conversation, Task};
use crate::run::{Break, Run};
use crate::steering;

/// The stages of this conversation's checkpoints.
const CALLED: &str = "assist_call";
const TURN: &str = "assist_turn";
const RESULT: &str = "assist_result";
const WORDS: &str = "assist_words";

/// How many tokens of earlier runs of the conversation the model sees.
const HISTORY_TOKENS: u64 = 16_000;

/// The row of a call that was begun.
#[derive(Serialize, Deserialize)]
struct CallRow {
    message: MessageId,
}

/// The row of a turn that the model finished.
#[derive(Serialize, Deserialize)]
struct TurnRow {
    message: MessageId,
    turn: Turn,
}

/// The row of words that were said to the model in between.
#[derive(Serialize, Deserialize)]
struct WordsRow {
    words: String,
    /// The number of the user's input that they are, where the user added them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<i64>,
}

/// One run's part of a conversation.
pub(crate) struct Talk {
    /// Whose talk it is, where a run has several: none for that with the user.
    scope: Option<String>,
    pub(crate) system: String,
    /// Earlier runs of the conversation, and this run's request.
    pub(crate) messages: Vec<Message>,
    /// What was said since.
    pub(crate) turns: Vec<Turn>,
    /// The message of the last turn of the model.
    last: Option<MessageId>,
    /// The message of a call that has no turn: it was cut off.
    cut: Option<MessageId>,
    rounds: usize,
    /// The number of the last words that the user added, of those that are in it.
    told: i64,
    /// How often the user added some.
    added: usize,
    /// The calls that have a result, by what they asked.
    done: Vec<String>,
    /// What is remembered and was shown to the model, with how well it fitted.
    pub(crate) used: Vec<(MemoryId, Option<f64>)>,
    /// The same, as it is remembered.
    pub(crate) memories: Vec<Memory>,
}

/// What a call asks: its tool and its arguments.
fn key(call: &ToolCall) -> String {
    let arguments =
        call.arguments.as_ref().map(|object| serde_json::Value::Object(object.clone()).to_string());
    format!("{} {}", call.name, arguments.unwrap_or_else(|bad| bad.text.clone()))
}

impl Talk {
    /// The talk of a run: new, or as far as it had come.
    pub(crate) async fn open(run: &Run, task: &Task) -> Result<Self, Break> {
        let own = run.store().messages().of_run(run.id).await?;
        let words = task.request.prompt.clone().unwrap_or_default();
        if !own.iter().any(|message| message.role == assist_store::Role::User) {
            say(run, task.conversation, assist_store::Role::User, &words).await?;
        }
        let mut messages = history(run, task).await?;
        let first = messages.is_empty();
        let known = context::gather(run, task, &words, first).await?;
        messages.push(Message::user(pipeline::request_text(run, &task.request).await?));
        let mut talk =
            Self { used: known.used, memories: known.memories, ..Self::new(None, known.system, messages) };
        talk.replay(run).await?;
        Ok(talk)
    }

    fn new(scope: Option<String>, system: String, messages: Vec<Message>) -> Self {
        Self {
            scope,
            system,
            messages,
            turns: Vec::new(),
            last: None,
            cut: None,
            rounds: 0,
            told: 0,
            added: 0,
            done: Vec::new(),
            used: Vec::new(),
            memories: Vec::new(),
        }
    }

    /// The talk with an advisor about one order. [`Talk::replay`] brings it as far as it had come.
    pub(crate) fn of_advisor(order: &str, system: String, messages: Vec<Message>) -> Self {
        Self::new(Some(format!("advisor {order}")), system, messages)
    }

    /// Reads what was kept of it.
    pub(crate) async fn replay(&mut self, run: &Run) -> Result<(), Break> {
        for checkpoint in run.store().checkpoints().list(run.id).await? {
            if checkpoint.component != self.scope {
                continue;
            }
            let damaged = || Break::Failed("What was kept of this run cannot be read; ask again.".to_owned());
            let data = checkpoint.data;
            match checkpoint.stage.as_str() {
                CALLED => {
                    let row: CallRow = serde_json::from_value(data).map_err(|_| damaged())?;
                    self.cut = Some(row.message);
                }
                TURN => {
                    let row: TurnRow = serde_json::from_value(data).map_err(|_| damaged())?;
                    self.push_turn(row.message, row.turn);
                }
                RESULT => {
                    let result: ToolResult = serde_json::from_value(data).map_err(|_| damaged())?;
                    self.push_result(result);
                }
                WORDS => {
                    let row: WordsRow = serde_json::from_value(data).map_err(|_| damaged())?;
                    self.push_words(row);
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn keep(&self, run: &Run, stage: &str, row: impl Serialize) -> Result<(), Break> {
        let data = serde_json::to_value(row).unwrap_or_default();
        run.store()
            .checkpoints()
            .add_ahead(run.id, stage, self.scope.as_deref(), data, run.clock().now())
            .await?;
        Ok(())
    }

    /// Keeps a turn of an advisor, and what it said in its conversation.
    pub(crate) async fn add_advice(
        &mut self,
        run: &Run,
        conversation: ConversationId,
        said: &str,
        turn: Turn,
    ) -> Result<(), Break> {
        let message = say(run, conversation, assist_store::Role::Assistant, said).await?;
        self.add_turn(run, message, turn).await
    }

    /// Says something to the model that no tool gave back.
    pub(crate) async fn add_words(&mut self, run: &Run, words: &str) -> Result<(), Break> {
        let row = WordsRow { words: words.to_owned(), input: None };
        self.keep(run, WORDS, &row).await?;
        self.push_words(row);
        Ok(())
    }

    /// Takes in what the user has added since the last time. True where that is something.
    pub(crate) async fn listen(&mut self, run: &Run) -> Result<bool, Break> {
        let told = run.told_since(self.told).await?;
        for one in &told {
            let words = steering::said(std::slice::from_ref(one));
            let row = WordsRow { words, input: Some(one.id) };
            self.keep(run, WORDS, &row).await?;
            self.push_words(row);
        }
        Ok(!told.is_empty())
    }

    fn push_words(&mut self, row: WordsRow) {
        let own = usize::from(row.input.is_some());
        self.told = self.told.max(row.input.unwrap_or_default());
        // The speakers take turns: behind what the user, or a tool, has said last.
        match (self.turns.last_mut(), self.messages.last_mut()) {
            (Some(turn), _) if turn.role == Role::User => {
                turn.parts.push(Part::Text(format!("\n\n{}", row.words)));
                self.added += own;
            }
            (None, Some(asked)) if asked.role == Role::User => {
                asked.text.push_str(&format!("\n\n{}", row.words));
            }
            _ => {
                self.turns.push(Turn::user(row.words));
                self.added += own;
            }
        }
    }

    /// How often a tool was called in vain, or had to be asked for.
    pub(crate) fn failures(&self, tool: &str) -> usize {
        let parts = self.turns.iter().filter(|turn| turn.role == Role::User).flat_map(|turn| &turn.parts);
        parts
            .filter(|part| match part {
                Part::Result(result) => result.failed && result.name == tool,
                Part::Text(_) => true,
                Part::Image(_) | Part::Call(_) => false,
            })
            .count()
            .saturating_sub(self.added)
    }

    /// The message that a call is received into, kept before the call is made: that of a call whose answer is kept, where there
    /// is one and another is not wanted (`again`). What a call that was cut off had brought,
    /// and is asked for again, leaves the conversation; the events still hold it.
    pub(crate) async fn next_message(
        &mut self,
        run: &Run,
        task: &Task,
        again: bool,
    ) -> Result<MessageId, Break> {
        if let Some(cut) = self.cut.take() {
            if !again && answers::kept(run.store(), run.id, &cut.to_string()).await?.is_some() {
                self.cut = Some(cut);
                return Ok(cut);
            }
            run.store().messages().replace(cut, "", true, run.clock().now()).await?;
        }
        let message = NewMessage {
            id: MessageId::new(),
            conversation: task.conversation,
            run: Some(run.id),
            role: assist_store::Role::Assistant,
            content: String::new(),
            partial: true,
            at: run.clock().now(),
        };
        let id = message.id;
        run.store().messages().add(message).await?;
        // On the disk with the money that is set aside for it.
        self.keep(run, CALLED, CallRow { message: id }).await?;
        self.cut = Some(id);
        Ok(id)
    }

    /// Whether the last call's answer is kept and was not taken in yet.
    pub(crate) async fn has_kept(&self, run: &Run) -> Result<bool, Break> {
        let Some(cut) = self.cut else { return Ok(false) };
        Ok(answers::kept(run.store(), run.id, &cut.to_string()).await?.is_some())
    }

    /// Whose talk it is, where a run has several.
    pub(crate) fn scope(&self) -> &str {
        self.scope.as_deref().unwrap_or_default()
    }

    /// How often the model has spoken.
    pub(crate) fn said(&self) -> usize {
        self.turns.iter().filter(|turn| turn.role == Role::Assistant).count()
    }

    /// The message of a call that was cut off, if there is one.
    pub(crate) fn cut(&self) -> Option<MessageId> {
        self.cut
    }

    /// Keeps a turn of the model.
    pub(crate) async fn add_turn(&mut self, run: &Run, message: MessageId, turn: Turn) -> Result<(), Break> {
        self.keep(run, TURN, TurnRow { message, turn: turn.clone() }).await?;
        self.push_turn(message, turn);
        Ok(())
    }

    /// Keeps the result of a call.
    pub(crate) async fn add_result(
        &mut self,
        run: &Run,
        call: &ToolCall,
        (content, failed): (String, bool),
    ) -> Result<(), Break> {
        let result = ToolResult { id: call.id.clone(), name: call.name.clone(), content, failed };
        self.keep(run, RESULT, &result).await?;
        self.push_result(result);
        Ok(())
    }

    fn push_turn(&mut self, message: MessageId, turn: Turn) {
        self.rounds += usize::from(turn.tool_calls().next().is_some());
        self.last = Some(message);
        self.cut = None;
        self.turns.push(turn);
    }

    fn push_result(&mut self, result: ToolResult) {
        let model = self.turns.iter().rev().find(|turn| turn.role == Role::Assistant);
        if let Some(call) = model.and_then(|turn| turn.tool_calls().find(|call| call.id == result.id)) {
            self.done.push(key(call));
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == Role::User => turn.parts.push(Part::Result(result)),
            _ => self.turns.push(Turn::results([result])),
        }
    }

    /// The calls of the last turn that have no result.
    pub(crate) fn pending(&self) -> Vec<ToolCall> {
        let Some(at) = self.turns.iter().rposition(|turn| turn.role == Role::Assistant) else {
            return Vec::new();
        };
        let has = |id: &str| {
            self.turns[at + 1..]
                .iter()
                .flat_map(|turn| &turn.parts)
                .any(|part| matches!(part, Part::Result(result) if result.id == id))
        };
        self.turns[at].tool_calls().filter(|call| !has(&call.id)).cloned().collect()
    }

    /// The model's last words, where it wants nothing more.
    pub(crate) fn answer(&self) -> Option<(Option<MessageId>, String)> {
        let last = self.turns.last().filter(|turn| turn.role == Role::Assistant)?;
        last.tool_calls().next().is_none().then(|| (self.last, last.text()))
    }

    /// How often the model has called tools.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds
    }

    /// How often this very call was made before.
    pub(crate) fn seen(&self, call: &ToolCall) -> usize {
        let wanted = key(call);
        self.done.iter().filter(|done| **done == wanted).count()
    }

    /// Whether the user, or something that a tool found, has named an address exactly so. What the model says does not count.
    pub(crate) fn has_named(&self, address: &str) -> bool {
        let said = self.messages.iter().filter(|message| message.role == Role::User);
        let found = self.turns.iter().filter(|turn| turn.role == Role::User).flat_map(|turn| &turn.parts);
        !address.trim().is_empty()
            && (said.into_iter().any(|message| message.text.contains(address))
                || found.into_iter().any(|part| match part {
                    Part::Text(text) => text.contains(address),
                    Part::Result(result) => !result.failed && result.content.contains(address),
                    Part::Image(_) | Part::Call(_) => false,
                }))
    }

    /// Whether a tool was called.
    pub(crate) fn has_called(&self, tool: &str) -> bool {
        self.done.iter().any(|done| done.split(' ').next() == Some(tool))
    }

    /// How many calls were made that had been made before.
    pub(crate) fn repeated(&self) -> usize {
        self.done.len() - self.done.iter().collect::<HashSet<_>>().len()
    }

    /// The talk as plain messages, for whoever goes on with it without tools.
    pub(crate) fn plain(&self) -> Conversation {
        let mut messages = self.messages.clone();
        let (mut found, mut added) = (String::new(), String::new());
        let users = self.turns.iter().filter(|turn| turn.role == Role::User);
        for part in users.flat_map(|turn| &turn.parts) {
            match part {
                Part::Result(result) => found.push_str(&format!("\n\n{}", result.content)),
                Part::Text(words) => added.push_str(&format!("\n\n{}", words.trim())),
                Part::Image(_) | Part::Call(_) => {}
            }
        }
        if let Some(last) = messages.last_mut()
            && !found.is_empty()
        {
            last.text.push_str(&format!("\n\nThis was found in the workspace:{found}"));
        }
        if let Some(last) = messages.last_mut() {
            last.text.push_str(&added);
        }
        Conversation { system: self.system.clone(), messages, told: self.told }
    }
}

/// Writes what someone said into the conversation.
pub(crate) async fn say(
    run: &Run,
    conversation: ConversationId,
    role: assist_store::Role,
    words: &str,
) -> Result<MessageId, Break> {
    let message = NewMessage {
        id: MessageId::new(),
        conversation,
        run: Some(run.id),
        role,
        content: words.to_owned(),
        partial: false,
        at: run.clock().now(),
    };
    let id = message.id;
    run.store().messages().add(message).await?;
    Ok(id)
}

/// What was said in earlier runs of the conversation, the newest that fit.
async fn history(run: &Run, task: &Task) -> Result<Vec<Message>, Break> {
    let stored = run.store().messages().list(task.conversation).await?;
    let mut kept: Vec<Message> = Vec::new();
    let mut tokens = 0;
    for message in stored.iter().rev().filter(|message| message.run != Some(run.id)) {
        let role = match message.role {
            assist_store::Role::User => Role::User,
            assist_store::Role::Assistant => Role::Assistant,
            assist_store::Role::System | assist_store::Role::Tool => continue,
        };
        if message.content.trim().is_empty() {
            continue;
        }
        tokens += estimate_tokens(&message.content);
        if tokens > HISTORY_TOKENS {
            break;
        }
        match kept.last_mut() {
            // Providers want the speakers to take turns.
            Some(next) if next.role == role => next.text = format!("{}\n\n{}", message.content, next.text),
            _ => kept.push(Message { role, text: message.content.clone() }),
        }
    }
    kept.reverse();
    while kept.first().is_some_and(|message| message.role == Role::Assistant) {
        kept.remove(0);
    }
    if kept.last().is_some_and(|message| message.role == Role::User) {
        // A question that got no answer.
        kept.push(Message::assistant("(no answer)"));
    }
    Ok(kept)
}
