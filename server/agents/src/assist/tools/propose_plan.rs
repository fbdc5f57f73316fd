//! `propose_plan`: shows the user what Assist would do, and does what is confirmed.

use assist_store::ConversationOutcome;
use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;
use crate::assist::card::{self, Plan, START_AND_COMMIT};
use crate::host::{Answer, Question};
use crate::orchestrator::{self, Order};
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
        for file in plan.files(&(1..=plan.steps.len()).collect::<Vec<_>>()) {
            if let Err(error) = bench.run.workspace.absolute(&file) {
                return Err(ToolError::Refused(format!("A plan cannot be about {file}: {error}.")));
            }
        }
        for (line, _) in plan.commands(&(1..=plan.steps.len()).collect::<Vec<_>>()) {
            let denied = orchestrator::denied(&lock(&bench.run.commands), line);
            if let Some(why) = denied {
                return Err(ToolError::Refused(format!("`{line}` cannot be part of a plan: {why}.")));
            }
        }
        let asked = bench.run.settings.plan != PlanPolicy::Never;
        let (chosen, note, commit) = match confirmed(bench, &plan).await? {
            Confirmed::Go(chosen, note, commit) => (chosen, note, commit),
            Confirmed::Not(outcome) => return Ok(outcome),
        };
        let (run, now) = (bench.run, bench.run.clock().now());
        let stored = json!({ "card": plan, "steps": chosen, "note": note, "commit": commit });
        run.store().sessions().set_plan(run.id, stored, now).await?;
        let conversations = run.store().conversations();
        conversations.set_outcome(bench.conversation, ConversationOutcome::Tasked, now).await?;
        let order = Order { name: bench.call_name(), plan, chosen, note, asked, commit };
        let report = orchestrator::execute(run, &order).await?;
        Ok(Outcome::Said(report.told()))
    }
}

enum Confirmed {
    /// These steps, minding this; and whether they are committed.
    Go(Vec<usize>, Option<String>, bool),
    /// Not this plan.
    Not(Outcome),
}

async fn confirmed(bench: &mut Bench<'_>, plan: &Plan) -> Result<Confirmed, ToolError> {
    let all: Vec<usize> = (1..=plan.steps.len()).collect();
    let run = bench.run;
    if run.settings.plan == PlanPolicy::Never {
        return Ok(Confirmed::Go(all, None, false));
    }
    let estimate = card::estimate(run, plan.steps.len()).await?;
    let offer = orchestrator::offer(run).await;
    let markdown = plan.markdown(&estimate, &orchestrator::walls().await, offer.as_deref());
    let first = plan.summary.split_whitespace().collect::<Vec<_>>().join(" ");
    let question = Question {
        text: format!("{first} Shall I start?"),
        detail: Some(markdown.clone()),
        choices: match offer {
            Some(_) => ["Start", START_AND_COMMIT, "Not now"].map(str::to_owned).to_vec(),
            None => ["Start", "Not now"].map(str::to_owned).to_vec(),
        },
        later: true,
    };
    let mut data = json!({ "plan": plan, "estimate": estimate });
    if let Some(branch) = &offer {
        data["commit"] = json!({ "branch": branch });
    }
    let answer = bench.ask("plan", &question, data).await?;
    let (chosen, note, commit) = match answer {
        Answer::Yes => (all, None, false),
        Answer::Text(words) if offer.is_some() && ticks(&words) => (all, None, true),
        Answer::Partly { steps, note, commit } => {
            let chosen = if steps.is_empty() { all.clone() } else { steps };
            if let Some(unknown) = chosen.iter().find(|step| !all.contains(step)) {
                return Ok(Confirmed::Not(Outcome::Said(format!(
                    "The user confirmed step {unknown}, which the plan does not have. Propose it again and ask which steps are meant."
                ))));
            }
            (all.into_iter().filter(|step| chosen.contains(step)).collect(), note, commit && offer.is_some())
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
    bench.say(assist_store::Role::Assistant, &markdown).await?;
    Ok(Confirmed::Go(chosen, note, commit))
}

/// Whether words are those of the button that ticks the commit.
fn ticks(words: &str) -> bool {
    words.trim().eq_ignore_ascii_case(START_AND_COMMIT)
}
