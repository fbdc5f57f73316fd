//! What is remembered out of conversations: kept with its source, shown, and used later.

use assist_base::EventKind;
use assist_store::{Category, FoundMemory, Memory, MemoryId, NewMemory, Remembered, Source};
use serde_json::{Value, json};

use super::tools::ToolError;
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
