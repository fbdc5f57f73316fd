//! `assist memory`: what Assist remembers of this workspace, to be seen, corrected, forgotten and carried elsewhere.

use std::sync::Arc;

use assist_agents::Engine;
use assist_agents::remember::{memory_document, recalled_document};
use assist_base::SystemClock;
use assist_store::{Memory, MemoryChange, MemoryFilter, NewMemory, Remembered, Source};
use serde_json::json;

use super::{open, open_to_keep, print, print_json, write_to};
use crate::args::{Format, Global, MemoryAction};
use crate::exit::{Exit, Stop};
use crate::render::{Style, plain};

/// Does what was asked with the memory.
pub async fn run(global: Global, action: MemoryAction) -> Result<Exit, Stop> {
    let engine = match action {
        MemoryAction::List { .. } | MemoryAction::Search { .. } | MemoryAction::Export { .. } => {
            open(global, None).await?
        }
        _ => open_to_keep(global).await?,
    };
    let now = SystemClock::shared().now();
    let memory = engine.store().memory();
    match action {
        MemoryAction::List { category, all, json } => {
            let filter = MemoryFilter { categories: category, all, ..MemoryFilter::default() };
            let found = memory.list(filter, now).await?;
            if json {
                let found: Vec<_> = found.iter().map(memory_document).collect();
                print_json(&json!({ "memories": found }))?;
            } else if found.is_empty() {
                print("Nothing is remembered yet: `assist memory add LABEL TEXT` begins.\n");
            } else {
                found.iter().for_each(show);
            }
        }
        MemoryAction::Search { text, category, limit, json } => {
            // A command is over too soon for the background.
            engine.embed_waiting().await;
            let found = engine.recall(&text, category, limit).await?;
            if json {
                let found: Vec<_> = found.iter().map(recalled_document).collect();
                print_json(&json!({ "memories": found }))?;
            } else if found.is_empty() {
                print("Nothing that is remembered fits.\n");
            } else {
                found.iter().for_each(|found| show(&found.memory));
            }
        }
        MemoryAction::Add { key, value, category, confidence, contradicts, json } => {
            let told = match contradicts {
                Some(older) => {
                    let older = engine.find_memory(&older).await?;
                    let new = NewMemory {
                        project_id: engine.project(),
                        category,
                        key,
                        value,
                        confidence: confidence.unwrap_or(0.9),
                        source: Source::default(),
                        expires_at: None,
                    };
                    Remembered::New(memory.contradict(older, new, now).await?)
                }
                None => engine.remember(category, key, value, confidence, Source::default()).await?,
            };
            say(told.memory(), matches!(told, Remembered::Known(_)).then_some("known, and confirmed"), json)?;
        }
        MemoryAction::Update { id, key, value, category, confidence, json } => {
            let id = engine.find_memory(&id).await?;
            let change = MemoryChange { category, key, value, confidence, expires_at: None };
            say(&memory.update(id, change, Source::default(), now).await?, None, json)?;
        }
        MemoryAction::Forget { id, json } => {
            let id = engine.find_memory(&id).await?;
            let forgotten = memory.forget(id).await?;
            if json {
                print_json(&json!({ "id": id, "forgotten": forgotten }))?;
            } else {
                print("Forgotten.\n");
            }
        }
        MemoryAction::Export { format, output } => {
            let filter = MemoryFilter { all: true, limit: usize::MAX, ..MemoryFilter::default() };
            let text = match format {
                Format::Md => memory.export_markdown(filter, now).await?,
                Format::Json => format!("{}\n", memory.export_json(filter, now).await?),
            };
            write_to(output.as_deref(), &text)?;
        }
        MemoryAction::Import { file, json } => import(&engine, &file, json).await?,
    }
    Ok(Exit::Done)
}

async fn import(engine: &Arc<Engine>, file: &std::path::Path, as_json: bool) -> Result<(), Stop> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Stop::usage(format!("{} cannot be read: {error}.", file.display())))?;
    let (memory, now) = (engine.store().memory(), SystemClock::shared().now());
    let is_json = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let imported = if is_json {
        let document = serde_json::from_str(&text)
            .map_err(|error| Stop::usage(format!("{} is not JSON: {error}.", file.display())))?;
        memory.import_json(document, &engine.project(), now).await?
    } else {
        memory.import_markdown(&text, &engine.project(), now).await?
    };
    if as_json {
        return print_json(
            &json!({ "new": imported.new, "confirmed": imported.confirmed, "kept": imported.kept }),
        );
    }
    print(&format!(
        "{} new, {} known and confirmed, {} there already.\n",
        imported.new, imported.confirmed, imported.kept
    ));
    Ok(())
}

fn say(memory: &Memory, note: Option<&str>, as_json: bool) -> Result<(), Stop> {
    if as_json {
        return print_json(&memory_document(memory));
    }
    show(memory);
    if let Some(note) = note {
        print(&format!("          ({note})\n"));
    }
    Ok(())
}

fn show(memory: &Memory) {
    let style = Style::of(&std::io::stdout());
    let state = match (memory.contradicted_by, memory.expires_at) {
        (Some(_), _) => "  (contradicted)",
        (None, Some(_)) => "  (expires)",
        _ => "",
    };
    print(&format!(
        "{}  {:<10} {:>4.0}%  {}: {}{}\n",
        style.bold(&memory.id.short()),
        memory.category.as_str(),
        memory.confidence * 100.0,
        plain(&memory.key),
        plain(&memory.value).replace('\n', " "),
        style.dim(state)
    ));
}
