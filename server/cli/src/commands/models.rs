//! `assist models`: what serves which tier and why, what is known of models, and what is left alone after failures.

use assist_agents::accounts::{ModelLine, Models};
use assist_gateway::{BreakerState, BreakerStatus};

use super::{open, print, print_json};
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::render::{Style, plain};
use crate::when;

/// Lists the models.
pub async fn run(global: Global, all: bool, as_json: bool) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let models = engine.models().await?;
    if as_json {
        print_json(&models)?;
    } else {
        print(&page(&models, all, Style::of(&std::io::stdout())));
    }
    Ok(Exit::Done)
}

fn page(models: &Models, all: bool, style: Style) -> String {
    let mut page = String::new();
    for tier in &models.tiers {
        let name = tier.model.as_deref().unwrap_or("nothing");
        page.push_str(&format!(
            "{} {}  {}\n",
            style.bold(tier.tier),
            plain(name),
            style.dim(&plain(&tier.why))
        ));
    }
    if models.selector {
        page.push_str("Where no model is named, work goes to the cheapest that can do it and is no dearer than its tier's:\n");
    }
    for choice in &models.choices {
        let (model, why) = (plain(&choice.model), style.dim(&plain(&choice.why)));
        page.push_str(&format!("  {:<8} {model}  {why}\n", choice.task));
    }
    page.push('\n');
    let shown: Vec<&ModelLine> = models.models.iter().filter(|model| all || model.configured).collect();
    let width = shown.iter().map(|model| model.model.chars().count()).max().unwrap_or(5);
    let price = |usd: Option<f64>| usd.map_or_else(|| "?".to_owned(), |usd| format!("${usd:.2}"));
    for model in &shown {
        let prices = if model.free {
            "free".to_owned()
        } else {
            format!("{} in, {} out a million", price(model.input_usd), price(model.output_usd))
        };
        let context =
            model.context.map(|tokens| format!(", {} k context", tokens / 1000)).unwrap_or_default();
        let can = model.can.as_ref().map(|can| format!(", {}", can.join(" "))).unwrap_or_default();
        let tiers =
            if model.tiers.is_empty() { String::new() } else { format!(" [{}]", model.tiers.join("")) };
        let name = format!("{:<width$}", plain(&model.model));
        let name = if model.configured { name } else { style.dim(&name) };
        page.push_str(&format!("{name}  up to {:<8} {prices}{context}{can}{tiers}\n", model.skill));
        if let Some(breaker) = &model.breaker {
            page.push_str(&format!("    {}\n", told(breaker, style)));
        }
    }
    let hidden = models.models.len() - shown.len();
    if hidden > 0 {
        page.push_str(
            &style.dim(&format!("{hidden} more are known and not set up: `assist models --all`.\n")),
        );
    }
    for breaker in &models.breakers {
        if !shown.iter().any(|model| model.model == breaker.name) {
            page.push_str(&format!("{}: {}\n", plain(&breaker.name), told(breaker, style)));
        }
    }
    page
}

fn told(breaker: &BreakerStatus, style: Style) -> String {
    let why = plain(&breaker.last_error);
    match breaker.state {
        BreakerState::Closed if breaker.failures == 0 => style.good("works again"),
        BreakerState::Closed => style.warn(&format!("failed {} times in a row: {why}", breaker.failures)),
        BreakerState::HalfOpen => style.warn(&format!("is being tried again: {why}")),
        BreakerState::Open => {
            let until =
                breaker.retry_at.map(|at| format!(" until {} UTC", when::shown(at))).unwrap_or_default();
            style.bad(&format!("left alone{until}: failed {} times in a row: {why}", breaker.failures))
        }
    }
}
