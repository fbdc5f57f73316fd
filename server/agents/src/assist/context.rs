//! What Assist knows before it looks: rules, what is remembered, documents, past work, the map. Each part has its budget of
//! tokens, less where the model's context is small.

use std::collections::HashSet;
use std::sync::Arc;

use assist_gateway::{Tier, estimate_tokens};
use assist_runtime::RuleFile;
use assist_store::{
    Category, Document, DocumentFilter, ListFilter, Memory, MemoryFilter, MemoryId, Recall, Session,
};
use serde_json::{Value, json};

use super::map::Wish;
use super::memory;
use crate::pipeline::Task;
use crate::prompts;
use crate::run::{Break, Run};
use crate::settings::PlanPolicy;

/// Tokens of all of it where the model's context is large.
const TOKENS: u64 = 28_000;
/// Of a small context it takes at most one part in so many.
const SHARE: u64 = 4;
/// Memories that are shown without being asked for.
const MOST_MEMORIES: usize = 8;
/// Open questions that are shown at the beginning of a conversation.
const MOST_OPEN: usize = 5;
/// Recent commits have one part in so many of the budget.
const HISTORY_SHARE: u64 = 24;
/// Past runs that are shown.
const MOST_PAST: usize = 12;

/// What is known.
pub(crate) struct Known {
    /// The system prompt with all of it.
    pub(crate) system: String,
    /// What of the memory is in it.
    pub(crate) used: Vec<(MemoryId, Option<f64>)>,
    /// The same, as it is remembered.
    pub(crate) memories: Vec<Memory>,
}

/// Gathers it for a request in these words; `first` says that the conversation begins with it.
pub(crate) async fn gather(run: &Run, task: &Task, words: &str, first: bool) -> Result<Known, Break> {
    let budget = budget(run);
    let rules = rules(run, budget / 4).await?;
    let (memories, used) = recalled(run, words).await?;
    let open = if first { open_questions(run, &memories).await? } else { Vec::new() };
    let documents = documents(run, budget / 4).await?;
    let past = past(run, budget / 12).await?;
    let open_texts = run.host.open_texts().await;
    let mut dirty: Vec<String> = open_texts.iter().map(|(path, _)| path.to_string()).collect();
    dirty.sort();
    dirty.truncate(40);
    let wish = Wish {
        words: words.to_owned(),
        open: open_texts.into_iter().map(|(path, _)| path).collect(),
        tokens: budget / 3,
    };
    let (workspace, maps) = (Arc::clone(&run.workspace), Arc::clone(&run.maps));
    let map = tokio::task::spawn_blocking(move || maps.draw(&workspace, &wish))
        .await
        .map_err(|error| Break::Failed(format!("Assist failed inside: {error}")))?;

    let history = within_the_mark(map.recent.lines(budget / HISTORY_SHARE));

    let used_names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    if !used_names.is_empty() {
        run.say(format!("Following {}", used_names.join(", "))).await?;
    }
    let known: Vec<Memory> = memories.iter().chain(&open).cloned().collect();
    memory::tell_used(run, &known).await?;

    let context = prompts::render(
        "assist/context.md",
        json!({
            "memories": memories.iter().map(remembered).collect::<Vec<_>>(),
            "open": open.iter().map(remembered).collect::<Vec<_>>(),
            "documents": documents, "past": past, "dirty": dirty, "history": history,
            "map": map.text, "files": map.files, "more": map.more,
        }),
    );
    if first {
        let snapshot = json!({ "rules": used_names, "context": context });
        run.store().conversations().set_context(task.conversation, snapshot, run.clock().now()).await?;
    }
    let rules: Vec<Value> =
        rules.iter().map(|rule| json!({ "name": rule.name, "text": rule.text.trim() })).collect();
    let system = prompts::render(
        "assist/system.md",
        json!({
            "may_edit": run.may_write, "components": run.settings.plan != PlanPolicy::Always,
            "id": task.marker, "rules": rules,
        }),
    );
    let system = match run.may_write && run.settings.plan != PlanPolicy::Always {
        true => format!("{system}\n\n{}", prompts::render("edits.md", json!({ "id": task.marker }))),
        false => system,
    };
    let used = used.into_iter().chain(open.iter().map(|memory| (memory.id, None))).collect();
    Ok(Known { system: format!("{system}\n\n{context}"), used, memories: known })
}

/// What an advisor knows before it looks: the rules and the map.
pub(crate) async fn knowledge(run: &Run, words: &str) -> Result<String, Break> {
    let budget = budget(run);
    let rules = rules(run, budget / 4).await?;
    let wish = Wish { words: words.to_owned(), open: HashSet::new(), tokens: budget / 3 };
    let (workspace, maps) = (Arc::clone(&run.workspace), Arc::clone(&run.maps));
    let map = tokio::task::spawn_blocking(move || maps.draw(&workspace, &wish))
        .await
        .map_err(|error| Break::Failed(format!("Assist failed inside: {error}")))?;
    let mut text = String::new();
    for rule in rules {
        text.push_str(&format!("## Rules of this workspace: {}\n\n{}\n\n", rule.name, rule.text.trim()));
    }
    Ok(format!("{text}<context>\n{}</context>", map.text))
}

/// Lines of material that cannot end the mark they stand in.
fn within_the_mark(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| line.replace("</context", "<\\/context")).collect()
}

/// How many tokens all of it may have.
fn budget(run: &Run) -> u64 {
    let model = run.gateway.model_for(Tier::B).ok();
    let facts = model.and_then(|model| run.gateway.catalogue().facts(&model.provider, &model.model).cloned());
    let context = facts.and_then(|facts| facts.context).unwrap_or(TOKENS * SHARE);
    (context / SHARE).min(TOKENS)
}

/// `text` up to so many tokens, cut at a line where it is longer.
pub(super) fn within(text: &str, tokens: u64) -> String {
    if estimate_tokens(text) <= tokens {
        return text.trim().to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for line in text.lines() {
        used += estimate_tokens(line) + 1;
        if used > tokens {
            break;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    format!("{}\n(cut)", kept.trim())
}

async fn rules(run: &Run, tokens: u64) -> Result<Vec<RuleFile>, Break> {
    let workspace = Arc::clone(&run.workspace);
    let found = tokio::task::spawn_blocking(move || workspace.rules())
        .await
        .map_err(|error| Break::Failed(format!("Assist failed inside: {error}")))?;
    let each = tokens / found.len().max(1) as u64;
    Ok(found.into_iter().map(|rule| RuleFile { text: within(&rule.text, each), ..rule }).collect())
}

type Used = Vec<(MemoryId, Option<f64>)>;

async fn recalled(run: &Run, words: &str) -> Result<(Vec<Memory>, Used), Break> {
    let embedding = run.embedding(words).await?;
    let recall = Recall { limit: MOST_MEMORIES, embedding, ..Recall::of(words) };
    let found = run.store().memory().recall(recall, run.clock().now()).await?;
    let mut memories: Vec<Memory> = Vec::new();
    let mut used = Vec::new();
    for recalled in found {
        used.push((recalled.memory.id, Some(recalled.score)));
        memories.push(recalled.memory);
    }
    // How the user likes things holds whatever is asked.
    let filter = MemoryFilter {
        categories: vec![Category::Preference],
        limit: MOST_MEMORIES,
        ..MemoryFilter::default()
    };
    for memory in run.store().memory().list(filter, run.clock().now()).await? {
        if memories.len() < 2 * MOST_MEMORIES && !memories.iter().any(|known| known.id == memory.id) {
            used.push((memory.id, None));
            memories.push(memory);
        }
    }
    Ok((memories, used))
}

async fn open_questions(run: &Run, shown: &[Memory]) -> Result<Vec<Memory>, Break> {
    let filter =
        MemoryFilter { categories: vec![Category::Open], limit: MOST_OPEN, ..MemoryFilter::default() };
    let mut open = run.store().memory().list(filter, run.clock().now()).await?;
    open.retain(|memory| !shown.iter().any(|known| known.id == memory.id));
    Ok(open)
}

fn remembered(memory: &Memory) -> Value {
    json!({
        "id": memory.id.short(), "category": memory.category.as_str(), "key": memory.key, "value": memory.value,
        "doubtful": memory.confidence < 0.6,
    })
}

async fn documents(run: &Run, tokens: u64) -> Result<Vec<Value>, Break> {
    let found = run.store().documents().list(DocumentFilter::default()).await?;
    // What the product is to be comes first.
    let mut found: Vec<Document> = found;
    found.sort_by_key(|document| {
        (document.doc_type != "product_requirements", std::cmp::Reverse(document.updated_at))
    });
    let mut left = tokens;
    let mut shown = Vec::new();
    for document in found {
        let text = match &document.content {
            Value::String(text) => text.clone(),
            Value::Object(object) if object.get("markdown").is_some_and(Value::is_string) => {
                object["markdown"].as_str().unwrap_or_default().to_owned()
            }
            other => serde_json::to_string_pretty(other).unwrap_or_default(),
        };
        if left < 200 {
            break;
        }
        let text = within(&text, left);
        left = left.saturating_sub(estimate_tokens(&text) + 20);
        shown.push(json!({
            "title": document.title, "kind": document.doc_type, "version": document.version,
            "status": document.status.as_str(), "text": text,
        }));
    }
    Ok(shown)
}

async fn past(run: &Run, tokens: u64) -> Result<Vec<Value>, Break> {
    let filter = ListFilter { limit: MOST_PAST + 1, state: None };
    let mut left = tokens;
    let mut shown = Vec::new();
    for session in run.store().sessions().list(filter).await? {
        if session.id == run.id {
            continue;
        }
        let outcome = outcome(&session);
        let cost = estimate_tokens(&session.task) + estimate_tokens(&outcome) + 4;
        if cost > left {
            break;
        }
        left -= cost;
        shown.push(json!({ "task": session.task, "outcome": outcome }));
    }
    Ok(shown)
}

fn outcome(session: &Session) -> String {
    let words = session.summary.as_deref().or(session.error.as_deref()).unwrap_or_default();
    format!("{} {}", session.status, words).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_line() {
        assert_eq!(within(" short \n", 100), "short");
        let cut = within(&"a line of words\n".repeat(200), 100);
        assert!(cut.ends_with("a line of words\n(cut)"), "{cut}");
        assert!(estimate_tokens(&cut) < 120);
    }
}
