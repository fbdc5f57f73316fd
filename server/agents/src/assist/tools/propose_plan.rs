//! `propose_plan`: shows the user what Assist would do, and does what is confirmed.

use assist_store::ConversationOutcome;
use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;
use crate::assist::card::{self, Plan};
use crate::assist::wait::asked;
use crate::host::{Answer, Question, Ticks};
use crate::keys::closed;
use crate::orchestrator::{self, Offer, Order};
use crate::run::lock;
use crate::settings::PlanPolicy;

pub(super) struct ProposePlan;

#[async_trait]
impl Tool for ProposePlan {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "propose_plan",
            "Shows the user a plan and, once it is confirmed, has it carried out. Say what will be there, in the user's words. List every file that a step creates or changes, and every command it needs; look at the code first.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["summary", "steps"],
                "properties": {
                    "summary": { "type": "string", "description": "what will be there when it is done, one or two sentences" },
                    "steps": { "type": "array", "items": {
                        "type": "object", "additionalProperties": false, "required": ["title"],
                        "properties": {
                            "title": { "type": "string" },
                            "why": { "type": "string" },
                            "files": { "type": "array", "items": { "type": "string" } },
                            "commands": { "type": "array", "items": { "type": "string" }, "description": "shell lines that have to be run for it, in the workspace's root; they cannot ask or stay running" },
                            "network": { "type": "array", "items": { "type": "string" }, "description": "those of the commands that need the network, word for word" },
                            "needs": { "type": "array", "items": { "type": "integer" }, "description": "numbers of the steps it builds on, from 1" }
                        }
                    } }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "summary")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        if !bench.run.may_write {
            return Err(ToolError::Failed("The workspace is read-only: nothing can be changed.".to_owned()));
        }
        let plan: Plan = read(arguments)?;
        if let Some(faults) = plan.faults() {
            return Err(ToolError::Failed(faults));
        }
        // A yes on the card must not be asked for what can never be done.
        let files = plan.files(&(1..=plan.steps.len()).collect::<Vec<_>>());
        if let Some((file, why)) = closed(bench.run, files).await {
            return Err(ToolError::Refused(format!(
                "A plan cannot be about {file}: {why}. Propose it again without it."
            )));
        }
        for (line, _) in plan.commands(&(1..=plan.steps.len()).collect::<Vec<_>>()) {
            let denied = orchestrator::denied(&lock(&bench.run.commands), line);
            if let Some(why) = denied {
                return Err(ToolError::Refused(format!("`{line}` cannot be part of a plan: {why}.")));
            }
        }
        let asked = bench.run.settings.plan != PlanPolicy::Never;
        let (chosen, note, ticks, offer) = match confirmed(bench, &plan).await? {
            Confirmed::Go { chosen, note, ticks, offer } => (chosen, note, ticks, offer),
            Confirmed::Not(outcome) => return Ok(outcome),
        };
        let (run, now) = (bench.run, bench.run.clock().now());
        let stored = json!({ "card": plan, "steps": chosen, "note": note, "commit": ticks.commit, "push": ticks.push,
                             "deploy": ticks.deploy });
        run.store().sessions().set_plan(run.id, stored, now).await?;
        let conversations = run.store().conversations();
        conversations.set_outcome(bench.conversation, ConversationOutcome::Tasked, now).await?;
        let order = Order { name: bench.call_name(), plan, chosen, note, asked, ticks, offer: *offer };
        let report = orchestrator::execute(run, &order).await?;
        Ok(Outcome::Said(report.told()))
    }
}

enum Confirmed {
    /// These steps, minding this; and what becomes of them then.
    Go { chosen: Vec<usize>, note: Option<String>, ticks: Ticks, offer: Box<Offer> },
    /// Not this plan.
    Not(Outcome),
}

async fn confirmed(bench: &mut Bench<'_>, plan: &Plan) -> Result<Confirmed, ToolError> {
    let all: Vec<usize> = (1..=plan.steps.len()).collect();
    let run = bench.run;
    if run.settings.plan == PlanPolicy::Never {
        let (ticks, offer) = (Ticks::default(), Box::default());
        return Ok(Confirmed::Go { chosen: all, note: None, ticks, offer });
    }
    let estimate = card::estimate(run, plan.steps.len()).await?;
    // A card that was shown before is shown again as it was: what is confirmed is what was on it.
    let offer = match asked(run, &bench.call_name()).await? {
        Some(data) => Offer::of(&data),
        None => orchestrator::offer(run).await,
    };
    let markdown = plan.markdown(&estimate, &orchestrator::walls().await, &offer);
    let first = plan.summary.split_whitespace().collect::<Vec<_>>().join(" ");
    let buttons = offer.buttons();
    let question = Question {
        text: format!("{first} Shall I start?"),
        detail: Some(markdown.clone()),
        choices: buttons.iter().map(|(title, _)| *title).chain(["Not now"]).map(str::to_owned).collect(),
        later: true,
    };
    let mut data = json!({ "plan": plan, "estimate": estimate });
    offer.tell(&mut data);
    let answer = bench.ask("plan", &question, data).await?;
    let pressed = |words: &str| {
        let is_it = |title: &str| title.eq_ignore_ascii_case(words.trim());
        buttons.iter().find(|(title, _)| is_it(title)).map(|(_, ticks)| *ticks)
    };
    let (chosen, note, ticks) = match answer {
        Answer::Yes => (all, None, Ticks::default()),
        Answer::Text(words) if let Some(ticks) = pressed(&words) => (all, None, ticks),
        Answer::Partly { steps, note, ticks } => {
            let chosen = if steps.is_empty() { all.clone() } else { steps };
            if let Some(unknown) = chosen.iter().find(|step| !all.contains(step)) {
                return Ok(Confirmed::Not(Outcome::Said(format!(
                    "The user confirmed step {unknown}, which the plan does not have. Propose it again and ask which steps are meant."
                ))));
            }
            (all.into_iter().filter(|step| chosen.contains(step)).collect(), note, ticks)
        }
        Answer::Text(words) => {
            bench.say(assist_store::Role::Assistant, &markdown).await?;
            bench.say(assist_store::Role::User, &words).await?;
            return Ok(Confirmed::Not(Outcome::Said(format!(
                "The user wants the plan otherwise: {words}\nChange it and call propose_plan again."
            ))));
        }
        Answer::No | Answer::Dismissed => {
            bench.say(assist_store::Role::Assistant, &markdown).await?;
            let conversations = run.store().conversations();
            let declined = ConversationOutcome::Declined;
            conversations.set_outcome(bench.conversation, declined, run.clock().now()).await?;
            return Ok(Confirmed::Not(Outcome::Over(
                "Nothing was changed: you did not want the plan.".to_owned(),
            )));
        }
    };
    let taken = offer.taken(ticks);
    for (what, lost) in [
        ("committed", ticks.commit && !taken.commit),
        ("pushed", ticks.push && !taken.push),
        ("deployed", ticks.deploy && !taken.deploy),
    ] {
        if lost {
            run.say(format!("It will not be {what}: the plan did not offer that.")).await?;
        }
    }
    let ticks = taken;
    bench.say(assist_store::Role::Assistant, &markdown).await?;
    Ok(Confirmed::Go { chosen, note, ticks, offer: Box::new(offer) })
}
