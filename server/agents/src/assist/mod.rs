//! Assist itself: the conversation about the workspace.
//!
//! A request that names no file is not a job for the component pipeline but a talk: the model looks around with tools that
//! only read (`tools/`), asks, remembers, and answers. What it sees of the workspace is gathered within a budget of tokens
//! (`context`, `map`). Every turn of the model and every result of a tool is a checkpoint before anyone sees it (`talk`), so
//! a run that was cut off goes on without paying for a call twice.
//!
//! Limits: a run looks at most [`MAX_ROUNDS`] times; the same call is made at most [`MAX_SAME`] times. An answer that holds
//! components goes to the pipeline, which gates it as any other.

mod bench;
mod card;
mod context;
mod history;
mod memory;
mod receive;
mod sources;
mod talk;
mod tools;
pub(crate) mod wait;

pub(crate) mod map;

use assist_base::{EventKind, RunState};
use assist_gateway::ToolChoice;
use assist_store::TransitionNote;
use serde_json::json;

use crate::answers;
use crate::ask::{AskRequest, Intent};
use crate::orchestrator::{self, Report};
use crate::pipeline::{self, Applier, Task};
use crate::remember;
use crate::run::{Break, Run};
use crate::settings::PlanPolicy;
pub(crate) use bench::{Bench, material};
pub(crate) use card::{Plan, Step};
pub(crate) use context::knowledge;
pub(crate) use talk::Talk;
pub(crate) use tools::reading as reading_tools;
pub(crate) use wait::answer_later;

use receive::{Received, receive};

/// How often a run may call tools before it must answer with what it has.
const MAX_ROUNDS: usize = 24;
/// How often the very same call is made in a run.
const MAX_SAME: usize = 2;
/// After so many calls that were made before, the run must answer.
const MAX_REPEATED: usize = 4;

/// Whether a request is a talk about the workspace. What names a file goes through the pipeline, unless the user wants a
/// plan for everything that changes something.
pub(crate) fn takes(request: &AskRequest, policy: PlanPolicy, may_write: bool) -> bool {
    let talk = request.path.is_none() && request.intent == Intent::Ask;
    talk || (policy == PlanPolicy::Always && may_write && request.intent.may_edit())
}

/// Works a run through to its end, or until it must rest. Returns the state it is in then.
pub(crate) async fn work(run: Run, mut task: Task) -> RunState {
    let begun = run.become_state(RunState::Running, TransitionNote::default()).await;
    let mut applier = Applier::default();
    let result = match begun {
        Ok(()) => through(&run, &mut task, &mut applier).await,
        Err(error) => Err(error.into()),
    };
    let (result, mut changed) = carried_out(&run, result).await;
    changed.extend(applier.changed());
    run.settle(result, changed).await
}

/// What a plan came to, where one was carried out: how the run ends, and the files that were changed.
async fn carried_out(run: &Run, result: Result<String, Break>) -> (Result<String, Break>, Vec<String>) {
    let tasks = match run.store().tasks().list(run.id).await {
        Ok(tasks) => tasks,
        Err(error) => return (Err(error.into()), Vec::new()),
    };
    let Some(last) = tasks.last().map(|task| task.input["order"].clone()) else {
        return (result, Vec::new());
    };
    let files = Report::of(&tasks).files().to_vec();
    let order: Vec<_> = tasks.into_iter().filter(|task| task.input["order"] == last).collect();
    let name = last.as_str().unwrap_or_default();
    let verified = match orchestrator::verified(run, name).await {
        Ok(verified) => verified.unwrap_or_default(),
        Err(error) => return (Err(error), files),
    };
    let commit = match orchestrator::committed(run, name).await {
        Ok(made) => made.map(|made| made.sentence),
        Err(error) => return (Err(error), files),
    };
    let delivered = match orchestrator::delivered(run, name).await {
        Ok(delivered) => delivered,
        Err(error) => return (Err(error), files),
    };
    let report = Report::of(&order).with(verified).and_after(commit.into_iter().chain(delivered));
    let result = result.and_then(|_| {
        if report.is_whole() { Ok(report.sentence()) } else { Err(Break::Failed(report.sentence())) }
    });
    (result, files)
}

async fn through(run: &Run, task: &mut Task, applier: &mut Applier) -> Result<String, Break> {
    for warning in &run.settings.warnings {
        run.say(warning.clone()).await?;
    }
    run.emit(EventKind::AgentStarted, json!({ "agent": "assist" })).await?;
    let mut talk = Talk::open(run, task).await?;
    keep_cut(run, task, &talk).await?;
    if task.draft.is_some() {
        // The run was cut off within its answer, or while the answer's components were dealt with.
        applier.ask_about_all(run.settings.plan == PlanPolicy::Always);
        return finish(run, task, applier, &talk).await;
    }
    let mut bench = Bench::new(run, task, std::mem::take(&mut talk.used));
    loop {
        run.check()?;
        let pending = talk.pending();
        if !pending.is_empty() {
            for call in pending {
                let result = bench.call(&call, &talk).await?;
                talk.add_result(run, &call, result).await?;
            }
            if let Some(sentence) = bench.over() {
                bench.answered(None).await?;
                learn(run, task, &talk, "(The user did not want this plan.)").await?;
                return Ok(sentence);
            }
            continue;
        }
        let answer = talk.answer();
        // A kept answer has not seen what was added since: that goes with the next question.
        let added = !talk.has_kept(run).await? && talk.listen(run).await?;
        if let Some((message, words)) = answer {
            bench.answered(message).await?;
            if added {
                // The user had more to say while it was given: it is not the last.
                run.host.show(run.id, &task.request.title(), &words);
                continue;
            }
            run.host.show(run.id, &task.request.title(), &words);
            learn(run, task, &talk, &words).await?;
            sources::completed(run, &words).await?;
            return Ok("Answered.".to_owned());
        }
        let choice = match limit(&talk) {
            None => ToolChoice::Auto,
            Some(sentence) => {
                run.say(sentence).await?;
                ToolChoice::Never
            }
        };
        match receive(run, task, &mut talk, &bench, choice).await? {
            Received::Turn { message, turn } => talk.add_turn(run, message, turn).await?,
            Received::Draft(draft) => {
                task.save_draft(run, draft.message).await?;
                task.draft = Some(draft);
                applier.ask_about_all(run.settings.plan == PlanPolicy::Always);
                bench.answered(None).await?;
                return finish(run, task, applier, &talk).await;
            }
        }
    }
}

/// An answer that was cut off and of which much had come is gone on with, not asked for again.
async fn keep_cut(run: &Run, task: &mut Task, talk: &Talk) -> Result<(), Break> {
    let Some(cut) = talk.cut().filter(|_| task.draft.is_none()) else { return Ok(()) };
    if talk.has_kept(run).await? || answers::is_spoilt(run.store(), run.id, &cut.to_string()).await? {
        return Ok(());
    }
    let messages = run.store().messages().of_run(run.id).await?;
    let code = |text: &str| text.contains("COMPONENT_START") || text.contains("EDIT_START");
    let much = |text: &str| text.len() >= receive::WORTH_KEEPING || code(text);
    if messages.iter().any(|message| message.id == cut && much(&message.content)) {
        task.save_draft(run, cut).await?;
        let loaded = Task::load(run.store(), run.id, run.host.as_ref()).await;
        *task = loaded.map_err(|error| Break::Failed(error.to_string()))?;
    }
    Ok(())
}

/// Has what is worth remembering drawn from a talk that is over. Nothing more is drawn where Assist has remembered something
/// while it talked.
async fn learn(run: &Run, task: &Task, talk: &Talk, answer: &str) -> Result<(), Break> {
    if !talk.has_called("remember") {
        memory::draw(run, task, answer, &talk.memories).await?;
    }
    run.unless_halted(remember::embed_new(&run.settings, &run.gateway, run.id, run.store())).await
}

/// Why no more tools may be called, if that is so.
fn limit(talk: &Talk) -> Option<&'static str> {
    if talk.rounds() >= MAX_ROUNDS {
        return Some("Assist has looked long enough; it answers with what it has found.");
    }
    (talk.repeated() >= MAX_REPEATED)
        .then_some("Assist keeps looking at the same things; it answers with what it has found.")
}

/// Has the pipeline deal with an answer that holds components, or that broke off.
async fn finish(run: &Run, task: &mut Task, applier: &mut Applier, talk: &Talk) -> Result<String, Break> {
    let summary = pipeline::finish(run, task, applier, talk.plain()).await?;
    sources::completed(run, "").await?;
    Ok(summary)
}
