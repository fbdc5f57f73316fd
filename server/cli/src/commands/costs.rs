//! `assist costs`: what model calls cost, and what may still be spent.

use assist_agents::accounts::{COSTS_BY, CostLine, Costs};
use assist_agents::store::CostsBy;
use assist_base::SystemClock;

use super::{open, print, print_json};
use crate::args::{self, Global};
use crate::exit::{Exit, Stop};
use crate::render::{Style, plain};
use crate::when;

/// Sums up the ledger.
pub async fn run(global: Global, args: args::Costs) -> Result<Exit, Stop> {
    let by = COSTS_BY.iter().find(|(word, _)| *word == args.by).map_or(CostsBy::Day, |(_, by)| *by);
    let since = when::since(&args.since, SystemClock::shared().now()).map_err(Stop::usage)?;
    let engine = open(global, None).await?;
    let of = match &args.of {
        Some(run) => Some(engine.find(run).await?),
        None => None,
    };
    let costs = engine.costs(by, of, since).await?;
    if args.json {
        print_json(&costs)?;
    } else {
        print(&page(&costs, args.calls, Style::of(&std::io::stdout())));
    }
    Ok(Exit::Done)
}

fn page(costs: &Costs, calls: bool, style: Style) -> String {
    if costs.total.calls == 0 {
        return format!("No model calls in that time.\n{}", today(costs));
    }
    let shown = |name: &str| match costs.by {
        "run" => name.chars().take(8).collect(),
        _ => plain(name),
    };
    let width = costs.lines.iter().map(|line| shown(&line.name).chars().count()).max().unwrap_or(0).max(5);
    let head = format!(
        "{:<width$} {:>6} {:>10} {:>10} {:>10} {:>9}",
        costs.by, "calls", "in", "out", "cost", "saved"
    );
    let mut page = format!("{}\n", style.bold(&head));
    for line in &costs.lines {
        page.push_str(&row(&shown(&line.name), line, width, style));
    }
    if costs.lines.len() > 1 {
        page.push_str(&style.bold(&row("total", &costs.total, width, style)));
    }
    if calls {
        page.push('\n');
        for call in &costs.calls {
            let cost = match (call.cost_usd, call.settled) {
                (Some(cost), _) => format!("${cost:.4}"),
                (None, true) => "no price".to_owned(),
                (None, false) => "open".to_owned(),
            };
            page.push_str(&format!(
                "{}  {}  {:<12} {:<9} {}\n    {}\n",
                when::shown(call.at),
                call.run.short(),
                plain(&call.agent),
                cost,
                plain(&call.model),
                style.dim(&plain(call.reason.as_deref().unwrap_or("why is not recorded")))
            ));
        }
    }
    page.push('\n');
    page.push_str(&today(costs));
    page
}

fn row(name: &str, line: &CostLine, width: usize, style: Style) -> String {
    let mut notes = Vec::new();
    if line.open > 0 {
        notes.push(format!("{} under way, up to ${:.4} more", line.open, line.reserved_usd));
    }
    if line.unpriced > 0 {
        notes.push(format!("{} without a known price", line.unpriced));
    }
    if line.estimated > 0 {
        notes.push(format!("{} reckoned", line.estimated));
    }
    let notes =
        if notes.is_empty() { String::new() } else { style.dim(&format!("  ({})", notes.join(", "))) };
    format!(
        "{name:<width$} {:>6} {:>10} {:>10} {:>10} {:>9}{notes}\n",
        line.calls,
        line.input_tokens,
        line.output_tokens,
        format!("${:.4}", line.cost_usd),
        format!("${:.4}", line.saved_usd),
    )
}

fn today(costs: &Costs) -> String {
    let today = &costs.today;
    let mut limits = Vec::new();
    if let Some(limit) = today.day_usd {
        limits.push(format!("${limit:.2} a day"));
    }
    if let Some(limit) = today.plan_usd {
        limits.push(format!("${limit:.2} a day by the {} plan", today.plan));
    }
    if let Some(limit) = today.run_usd {
        limits.push(format!("${limit:.2} a run"));
    }
    let left = today.left_usd.map(|left| format!(", ${left:.4} left")).unwrap_or_default();
    let limits = if limits.is_empty() { "no budget is set".to_owned() } else { limits.join(", ") };
    let over = if today.everywhere { " in all your workspaces" } else { " in this workspace" };
    format!("Today: ${:.4}{over}{left} ({limits}).\n", today.spent_usd)
}
