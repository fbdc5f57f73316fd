//! `assist show`: one run at a glance.

use assist_agents::store::CostsBy;
use assist_base::{RunState, Timestamp};
use serde_json::json;

use super::sessions::{document, line};
use super::{open, print, print_json};
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::render::{Style, plain};
use crate::when;

/// Shows a run.
pub async fn run(global: Global, run: &str, as_json: bool) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let run = engine.find(run).await?;
    let session = engine.session(run).await?;
    let costs = engine.costs(CostsBy::Model, Some(run), Timestamp(0)).await?;
    let states = engine.store().snapshots().sets(Some(run), 1000).await?;
    if as_json {
        let states: Vec<_> = states.iter().map(assist_agents::travel::set_document).collect();
        print_json(&json!({ "run": document(&session), "costs": costs, "snapshots": states }))?;
        return Ok(Exit::Done);
    }
    let style = Style::of(&std::io::stdout());
    let mut page = line(&session, style);
    // What a run rested for on its way is mended once it is done.
    let wrong = session.error.clone().filter(|_| session.status != RunState::Done);
    for (name, text) in [("came of it", &session.summary), ("went wrong", &wrong)] {
        if let Some(text) = text {
            page.push_str(&format!("  {name}: {}\n", plain(text)));
        }
    }
    page.push_str(&format!("  begun: {} UTC\n", when::shown(session.created_at)));
    for file in &session.changed_files {
        page.push_str(&format!("  {} {}\n", file.change.as_str(), plain(file.path.as_str())));
    }
    let total = &costs.total;
    page.push_str(&format!(
        "  calls: {}, ${:.4}, {} tokens in, {} out\n",
        total.calls, total.cost_usd, total.input_tokens, total.output_tokens
    ));
    for call in costs.calls.iter().rev() {
        let why = call.reason.as_deref().unwrap_or("not recorded");
        page.push_str(&style.dim(&format!("    {} {}: {}\n", call.agent, call.model, plain(why))));
    }
    if !states.is_empty() {
        page.push_str(&format!(
            "  snapshots: {} (`assist snapshot list --run {}`)\n",
            states.len(),
            run.short()
        ));
    }
    print(&page);
    Ok(Exit::Done)
}
