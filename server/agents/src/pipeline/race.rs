//! Race mode for the stages of a build: the same task goes to several models or temperatures, and the first answer that the
//! stage itself finds good is taken. The others are stopped, and each is in the ledger with what it used.
//!
//! A plan wins by the checks of plans, a component by the gate and the linter. Where nobody wins, the first whole answer
//! goes the usual way, since it is paid for: what is wrong with it is told and asked for again. Where nobody has answered, the
//! stage asks as if there were no race, and tells what is wrong as always.
//!
//! Limits: what an entrant sends is not kept before it has ended, so a run that is interrupted in a race races again with
//! those who had not ended; the answers of the others are kept. The project's own checks are made of the winner alone.

use std::sync::{Arc, Mutex};

use assist_base::MessageId;
use assist_gateway::{Answer, Call, Extras, ModelRef, RaceLost, Reuse, Validator, Won};
use assist_store::NewMessage;
use assist_syntax::{Scanned, Scanner};
use async_trait::async_trait;

use crate::calls;
use crate::pipeline::applier::Applier;
use crate::pipeline::plan::Part;
use crate::pipeline::request::Conversation;
use crate::pipeline::site::{Assignment, Site};
use crate::pipeline::task::{Draft, Task};
use crate::run::{Break, Run, lock};
use crate::settings::RaceStage;

/// Answers that came whole and did not pass, in their order.
type Refused = Mutex<Vec<Answer>>;

/// Gives `call` to all entrants. The winner, or the first that came whole; none where nobody answered, or where the stage
/// does not race.
pub(crate) async fn plan(
    run: &Run,
    call: &Call,
    extras: &Extras,
    check: impl Fn(&str) -> Result<(), Vec<String>> + Send + Sync,
) -> Result<Option<Answer>, Break> {
    if !run.settings.race.is_on(RaceStage::Architect) {
        return Ok(None);
    }
    let refused = Refused::default();
    let judge = |answer: &Answer| {
        check(&answer.text).map_err(|reasons| {
            lock(&refused).push(answer.clone());
            reasons.join(" ")
        })
    };
    run_race(run, "the plan", call, extras, &judge, &refused).await
}

/// Gives the component `part` to all entrants. What comes of it is a draft as if it had been received by one call.
pub(crate) async fn component(
    run: &Run,
    task: &Task,
    site: &Arc<Site>,
    part: &Part,
    conversation: &Conversation,
) -> Result<Option<Draft>, Break> {
    if !run.settings.race.is_on(RaceStage::Builder) {
        return Ok(None);
    }
    let call = calls::writing(run, "builder", task.tier, conversation, conversation.messages.clone());
    let trial = Trial { run, task, site, part, refused: Refused::default() };
    let extras = Extras::default();
    let Some(answer) = run_race(run, &part.name, &call, &extras, &trial, &trial.refused).await? else {
        return Ok(None);
    };
    let (message, now) = (MessageId::new(), run.clock().now());
    let row = NewMessage {
        id: message,
        conversation: task.conversation,
        run: Some(run.id),
        role: assist_store::Role::Assistant,
        content: answer.text.clone(),
        partial: true,
        at: now,
    };
    run.store().messages().add(row).await?;
    task.save_draft(run, message).await?;
    Ok(Some(Draft { message, raw: answer.text, handled: 0, edited: false, stored_talk: 0 }))
}

async fn run_race(
    run: &Run,
    what: &str,
    call: &Call,
    extras: &Extras,
    judge: &dyn Validator,
    refused: &Refused,
) -> Result<Option<Answer>, Break> {
    let entrants = &run.settings.race.entrants;
    run.say(format!("{} models race for {what}", entrants.len())).await?;
    // Whoever races wants more than one answer: none comes from the cache, and each entrant has its model.
    let keep_as = Some(format!("race for {what}"));
    let extras = Extras { complexity: None, reuse: Reuse::Never, keep_as, ..extras.clone() };
    let result = run.unless_halted(run.gateway.race(call, &extras, entrants, judge)).await?;
    let (answer, said) = match result {
        Ok(Won { answer, lost, .. }) => {
            let said =
                format!("{} has won the race for {what}{}", named(&answer.choice.model), losers(&lost));
            (Some(answer), said)
        }
        Err(RaceLost { lost }) => {
            let first = lock(refused).drain(..).next();
            (first, format!("Nobody has won the race for {what}{}", losers(&lost)))
        }
    };
    run.say(said).await?;
    if let Some(answer) = &answer {
        calls::account_for(run, answer).await?;
    }
    Ok(answer)
}

fn named(model: &ModelRef) -> String {
    format!("{}/{}", model.provider, model.model)
}

fn losers(lost: &[(usize, String)]) -> String {
    let reasons: Vec<String> =
        lost.iter().map(|(place, why)| format!("number {}: {why}", place + 1)).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}

/// Judges components as they will be judged when they are applied.
struct Trial<'r> {
    run: &'r Run,
    task: &'r Task,
    site: &'r Arc<Site>,
    part: &'r Part,
    refused: Refused,
}

#[async_trait]
impl Validator for Trial<'_> {
    async fn judge(&self, answer: &Answer) -> Result<(), String> {
        let verdict = self.verdict(&answer.text).await;
        if verdict.is_err() {
            lock(&self.refused).push(answer.clone());
        }
        verdict
    }
}

impl Trial<'_> {
    async fn verdict(&self, text: &str) -> Result<(), String> {
        let (found, ending) = Scanner::scan(text, Some(&self.task.marker));
        if ending.partial.is_some() || !ending.sentinel {
            return Err("its end is missing".to_owned());
        }
        let components = found.into_iter().chain(ending.rest).filter_map(|found| match found {
            Scanned::Component(component) if component.header.name == self.part.name => Some(component),
            _ => None,
        });
        let [component] =
            components.collect::<Vec<_>>().try_into().map_err(|found: Vec<_>| match found.len() {
                0 => format!("it holds no component {}", self.part.name),
                _ => format!("it holds {} twice", self.part.name),
            })?;
        let mut applier = Applier::assigned(Assignment::new(Arc::clone(self.site), self.part.clone()));
        match applier.trial(self.run, self.task, &component).await {
            Ok(reasons) if reasons.is_empty() => Ok(()),
            Ok(reasons) => Err(reasons.join(" ")),
            Err(_) => Err("it could not be judged".to_owned()),
        }
    }
}
