//! What is remembered out of conversations: kept with its source, shown, and used later.

use assist_base::EventKind;
use assist_gateway::{Call, Complexity, Extras, Message, Output, Request, Tier};
use assist_store::{Category, FoundMemory, Memory, MemoryId, NewMemory, Remembered, Role, Source};
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::within;
use super::tools::ToolError;
use crate::calls;
use crate::pipeline::Task;
use crate::prompts;
use crate::run::{Break, Run};

/// How sure something is that was just said.
const SAID: f64 = 0.9;

/// Something worth remembering.
pub(crate) struct Noted {
    pub(crate) category: Category,
    pub(crate) key: String,
    pub(crate) value: String,
    /// The beginning of the id of what it contradicts.
    pub(crate) contradicts: Option<String>,
}

/// Remembers it, and tells the user.
pub(crate) async fn keep(run: &Run, noted: Noted, source: Source) -> Result<MemoryId, ToolError> {
    let memories = run.store().memory();
    let now = run.clock().now();
    let new = NewMemory {
        project_id: run.project(),
        category: noted.category,
        key: noted.key.split_whitespace().collect::<Vec<_>>().join(" "),
        value: noted.value.trim().to_owned(),
        confidence: SAID,
        source,
        expires_at: None,
    };
    let older = match noted.contradicts.as_deref().map(|id| id.trim_matches(['[', ']', ' '])) {
        Some(id) => match memories.find(id).await? {
            FoundMemory::One(older) => Some(memories.get(older).await?),
            // What is not there any more cannot be contradicted; the new is worth keeping all the same.
            FoundMemory::None | FoundMemory::Many(_) => None,
        },
        None => None,
    };
    let (memory, known) = match &older {
        Some(older) => (memories.contradict(older.id, new, now).await?, false),
        None => match memories.remember(new, now).await? {
            Remembered::New(memory) => (memory, false),
            Remembered::Known(memory) => (memory, true),
        },
    };
    let mut data = shown(&memory);
    data["change"] = if known { "confirmed" } else { "remembered" }.into();
    if let Some(older) = older {
        data["replaces"] = older.value.into();
    }
    run.emit(EventKind::Memory, data).await?;
    Ok(memory.id)
}

/// Tells the user which memories an answer is made with.
pub(crate) async fn tell_used(run: &Run, used: &[Memory]) -> Result<(), Break> {
    for memory in used {
        let mut data = shown(memory);
        data["change"] = "used".into();
        run.emit(EventKind::Memory, data).await?;
    }
    Ok(())
}

fn shown(memory: &Memory) -> Value {
    json!({
        "memoryId": memory.id, "category": memory.category.as_str(), "key": memory.key, "value": memory.value,
    })
}

/// The stage that says that a run's talk was drawn from.
const DRAWN: &str = "assist_drawn";
/// Fewer words of the user hold nothing.
const FEWEST_WORDS: usize = 3;
/// The most that is kept of one exchange.
const MOST_DRAWN: usize = 4;
/// Tokens of either side that are looked at.
const EXCHANGE_TOKENS: u64 = 3_000;

/// What the model notes.
#[derive(Deserialize)]
struct Notes {
    memories: Vec<Note>,
}

#[derive(Deserialize)]
struct Note {
    category: String,
    key: String,
    value: String,
    #[serde(default)]
    contradicts: String,
}

/// Draws from a talk that has ended in `answer` what is worth remembering: one call of the cheap tier, none where Assist has
/// remembered something by itself already, where the user hardly said anything, or where the setting `remember` is off.
/// What goes wrong here is no fault of the run.
pub(crate) async fn draw(run: &Run, task: &Task, answer: &str, known: &[Memory]) -> Result<(), Break> {
    let messages = run.store().messages().of_run(run.id).await?;
    let user: Vec<&str> = messages
        .iter()
        .filter(|message| message.conversation == task.conversation && message.role == Role::User)
        .map(|message| message.content.trim())
        .collect();
    let user = user.join("\n\n");
    let few = user.split_whitespace().count() < FEWEST_WORDS;
    let drawn = run.store().checkpoints().list(run.id).await?.iter().any(|c| c.stage == DRAWN);
    if !run.settings.remember || !run.may_write || few || drawn {
        return Ok(());
    }
    let known: Vec<Value> = known
        .iter()
        .map(|m| json!({ "id": m.id.short(), "category": m.category.as_str(), "key": m.key, "value": m.value }))
        .collect();
    let (user, answer) = (within(&user, EXCHANGE_TOKENS), within(answer, EXCHANGE_TOKENS));
    let exchange =
        prompts::render("assist/exchange.md", json!({ "known": known, "user": user, "answer": answer }));
    let call = Call {
        run: run.id,
        agent: "memory".to_owned(),
        tier: Tier::A,
        model: None,
        request: Request {
            system: prompts::render("assist/memory.md", json!({})),
            messages: vec![Message::user(exchange)],
            max_output_tokens: run.settings.max_output_tokens.min(1_024),
            temperature: None,
        },
    };
    let output = Output::Schema { name: "memories".to_owned(), schema: schema() };
    let extras = Extras {
        output,
        reuse: calls::reuse(run),
        complexity: calls::complexity(run, Tier::A, Complexity::Trivial),
        keep_as: Some("memory".to_owned()),
        ..Extras::default()
    };
    let answer = match run.unless_halted(run.gateway.ask(call, extras)).await? {
        Ok(answer) => answer,
        Err(error) => {
            tracing::info!(%error, "nothing was drawn from a talk");
            return Ok(());
        }
    };
    calls::account_for(run, &answer).await?;
    run.store().checkpoints().add_ahead(run.id, DRAWN, None, json!({}), run.clock().now()).await?;
    let notes = answer.json().ok().and_then(|value| serde_json::from_value::<Notes>(value).ok());
    match &notes {
        Some(_) => calls::good(run, &answer).await?,
        None => calls::bad(run, &answer).await,
    }
    for note in notes.into_iter().flat_map(|notes| notes.memories).take(MOST_DRAWN) {
        let Ok(category) = note.category.parse() else { continue };
        let contradicts = Some(note.contradicts).filter(|id| !id.trim().is_empty());
        let noted = Noted { category, key: note.key, value: note.value, contradicts };
        let source = Source { conversation: Some(task.conversation), run: Some(run.id), note: None };
        match keep(run, noted, source).await {
            Ok(_) => {}
            Err(ToolError::Break(halted)) => return Err(halted),
            Err(ToolError::Failed(why) | ToolError::Refused(why)) => {
                tracing::info!(why, "something was not remembered");
            }
        }
    }
    Ok(())
}

fn schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["memories"],
        "properties": { "memories": { "type": "array", "items": {
            "type": "object", "additionalProperties": false,
            "required": ["category", "key", "value", "contradicts"],
            "properties": {
                "category": { "type": "string", "enum": ["decision", "preference", "open", "context", "experiment"] },
                "key": { "type": "string" },
                "value": { "type": "string" },
                "contradicts": { "type": "string" }
            }
        } } }
    })
}
