//! Carries out what the user confirmed: an advisor scopes it into tasks, the tasks run in the order of what they build on,
//! several at once where they touch different files, and every one of them is kept in the store.
//!
//! Laws: nothing is begun that was not confirmed; a file that is not on the card is asked about as any other. A task that is
//! done is never done again, also after a crash. One that fails is tried again, then with a stronger model, then given up,
//! and what builds on it is skipped and said to be.
//! A command runs alone, since nobody knows which files it touches; one that may not run is named for the user at the end,
//! and what builds on it is done all the same.

mod command;
mod commit;
mod cut_off;
mod deliver;
mod edit;
mod offer;
mod permit;
mod report;
mod traces;
mod verify;

use std::collections::HashSet;

use assist_base::DocPath;
use assist_gateway::Tier;
use assist_store::{NewTask, Task, TaskId, TaskStatus};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::json;

pub(crate) use command::{Ended, Ran, run as run_command, walls};
pub(crate) use commit::made as committed;
pub(crate) use cut_off::recover;
pub(crate) use deliver::{delivered, stays};
pub(crate) use offer::{Offer, offer};
pub(crate) use permit::{Wanted, denied};
pub(crate) use report::Report;
pub(crate) use verify::{Verified, found as verified, verify};

use crate::advisors::{self, Scoped, Work};
use crate::assist::{Plan, Step};
use crate::host::Ticks;
use crate::run::{Break, Run};

/// How many tasks run at once.
const AT_ONCE: usize = 3;
/// How often a task is begun: twice as it is, once with a stronger model.
const MOST_ATTEMPTS: u64 = 3;

/// What the user confirmed.
pub(crate) struct Order {
    /// A name of its own within the run.
    pub(crate) name: String,
    pub(crate) plan: Plan,
    /// The steps, from 1.
    pub(crate) chosen: Vec<usize>,
    /// What is to be minded.
    pub(crate) note: Option<String>,
    /// Whether the user was asked: only then what the plan lists was agreed to.
    pub(crate) asked: bool,
    /// What becomes of it when it is done.
    pub(crate) ticks: Ticks,
    /// What was offered of that, and with what names.
    pub(crate) offer: Offer,
}

impl Order {
    /// What is corrected after a build: these files, and no others without asking.
    pub(crate) fn of_build(summary: String, files: Vec<String>) -> Self {
        let step = Step { title: summary.clone(), files, ..Step::default() };
        let plan = Plan { summary, steps: vec![step] };
        Self {
            name: "build".to_owned(),
            plan,
            chosen: vec![1],
            note: None,
            asked: true,
            ticks: Ticks::default(),
            offer: Offer::default(),
        }
    }
}

/// Carries it out, as far as it goes.
pub(crate) async fn execute(run: &Run, order: &Order) -> Result<Report, Break> {
    if order.ticks.commit {
        commit::note_before(run, order).await?;
    }
    if of(run, order).await?.is_empty() {
        let scoped = advisors::scope(run, advisors::CODE, order).await?;
        let tasks = planned(order, scoped);
        run.store().tasks().plan(run.id, tasks, run.clock().now()).await?;
    }
    run.store().tasks().restart_interrupted(run.id, run.clock().now()).await?;
    waves(run, order).await?;
    let report = Report::of(&of(run, order).await?);
    let verified = verify(run, order, report.files()).await?;
    // What was corrected is part of it.
    let report = Report::of(&of(run, order).await?).with(verified);
    let made = if order.ticks.commit { Some(commit::commit(run, order, &report).await?) } else { None };
    let delivered = deliver::deliver(run, order, &report, made.as_ref()).await?;
    Ok(report.and_after(made.map(|made| made.sentence).into_iter().chain(delivered)))
}

/// The tasks of an order.
async fn of(run: &Run, order: &Order) -> Result<Vec<Task>, Break> {
    let tasks = run.store().tasks().list(run.id).await?;
    Ok(tasks.into_iter().filter(|task| task.input["order"] == order.name.as_str()).collect())
}

fn planned(order: &Order, scoped: Vec<Scoped>) -> Vec<NewTask> {
    let ids: Vec<TaskId> = scoped.iter().map(|_| TaskId::new()).collect();
    let tasks = scoped.into_iter().zip(&ids).map(|(task, id)| {
        let input = match &task.work {
            Work::Edit { files } => json!({ "order": order.name, "kind": "edit", "files": files }),
            Work::Command { line, network } => {
                json!({ "order": order.name, "kind": "command", "command": line, "network": network })
            }
        };
        NewTask {
            id: *id,
            title: task.title,
            description: task.instructions,
            agent: advisors::CODE.to_owned(),
            tier: task.tier.as_str().chars().next().unwrap_or('B'),
            input,
            depends_on: task.depends_on.iter().filter_map(|at| ids.get(at - 1).copied()).collect(),
        }
    });
    tasks.collect()
}

/// Runs what is ready until nothing is. Tasks that touch the same file wait for each other.
async fn waves(run: &Run, order: &Order) -> Result<(), Break> {
    let confirmed: HashSet<DocPath> = order.plan.files(&order.chosen).into_iter().collect();
    let mut at_work = FuturesUnordered::new();
    // What each touches; none is everything.
    let mut busy: Vec<(TaskId, Option<Vec<String>>)> = Vec::new();
    let mut rests = None;
    loop {
        run.check()?;
        // A run that comes to rest begins nothing more; what is at work is paid for, and comes to its end.
        let begins = rests.is_none();
        for task in run.store().tasks().ready(run.id).await? {
            let files = task.input["command"].is_null().then(|| files(&task));
            let clash =
                busy.iter().any(|(id, others)| *id == task.id || touch(others.as_deref(), files.as_deref()));
            if !begins || task.input["order"] != order.name.as_str() || clash || at_work.len() >= AT_ONCE {
                continue;
            }
            busy.push((task.id, files));
            at_work.push(one(run, order, task, &confirmed));
        }
        match at_work.next().await {
            None => return rests.map_or(Ok(()), Err),
            Some(Ok(id)) => busy.retain(|(other, _)| *other != id),
            Some(Err(halted @ Break::Paused(..))) => {
                rests.get_or_insert(halted);
            }
            Some(Err(halted)) => return Err(halted),
        }
    }
}

/// Whether two tasks touch the same.
fn touch(one: Option<&[String]>, other: Option<&[String]>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.iter().any(|file| other.contains(file)),
        _ => true,
    }
}

fn files(task: &Task) -> Vec<String> {
    let files = task.input["files"].as_array().into_iter().flatten();
    files.filter_map(|file| file.as_str().map(str::to_owned)).collect()
}

/// Works on one task until it is done or given up.
async fn one(
    run: &Run,
    order: &Order,
    mut task: Task,
    confirmed: &HashSet<DocPath>,
) -> Result<TaskId, Break> {
    let tasks = run.store().tasks();
    if let Some(line) = task.input["command"].as_str() {
        return execute_task(run, order, &task, line).await;
    }
    loop {
        task = tasks.set_status(task.id, TaskStatus::Running, None, None, run.clock().now()).await?;
        run.say(format!("{}: working", task.title)).await?;
        let tier = tier(&task);
        match edit::work(run, order, &task, tier, confirmed).await {
            Ok(done) => {
                let output = json!({ "summary": done.summary, "files": done.files });
                tasks.set_status(task.id, TaskStatus::Done, Some(output), None, run.clock().now()).await?;
                run.say(format!("{}: done", task.title)).await?;
                return Ok(task.id);
            }
            Err(edit::Undone::Break(halted)) => return Err(halted),
            Err(edit::Undone::Failed(why)) if task.attempts < MOST_ATTEMPTS => {
                edit::ended(run, &task).await?;
                run.say(format!("{}: trying again ({why})", task.title)).await?;
            }
            Err(edit::Undone::Failed(why) | edit::Undone::Unwanted(why)) => {
                run.say(format!("{}: given up ({why})", task.title)).await?;
                tasks.set_status(task.id, TaskStatus::Failed, None, Some(why), run.clock().now()).await?;
                return Ok(task.id);
            }
        }
    }
}

/// Runs a task that is a command. One that may not run is left to the user; one that fails is not tried again.
async fn execute_task(run: &Run, order: &Order, task: &Task, line: &str) -> Result<TaskId, Break> {
    let tasks = run.store().tasks();
    let network = task.input["network"] == true;
    let listed = order.plan.commands(&order.chosen).contains(&(line, true))
        || (!network && order.plan.commands(&order.chosen).contains(&(line, false)));
    let wanted = Wanted {
        line: line.to_owned(),
        network,
        key: task.id.to_string(),
        confirmed: order.asked && listed,
        again: false,
    };
    tasks.set_status(task.id, TaskStatus::Running, None, None, run.clock().now()).await?;
    let (status, output, error) = match run_command(run, wanted).await? {
        Ran::NotRun(why) => (TaskStatus::Done, json!({ "command": line, "notRun": why }), None),
        Ran::Ended(ended) => {
            let error = (!ended.success()).then(|| failure(line, &ended));
            let status = if error.is_some() { TaskStatus::Failed } else { TaskStatus::Done };
            (status, json!({ "command": line, "ended": ended, "files": ended.files }), error)
        }
    };
    tasks.set_status(task.id, status, Some(output), error, run.clock().now()).await?;
    Ok(task.id)
}

/// Why a command failed, with the last that it said.
fn failure(line: &str, ended: &Ended) -> String {
    let last = ended.output.lines().rev().find(|line| !line.trim().is_empty());
    match last {
        Some(last) => format!("`{line}` failed, {}: {}", ended.how, last.trim()),
        None => format!("`{line}` failed, {}", ended.how),
    }
}

/// The model for this attempt: a stronger one for the last.
fn tier(task: &Task) -> Tier {
    let own = task.tier.to_string().parse().unwrap_or(Tier::B);
    match own {
        _ if task.attempts < MOST_ATTEMPTS => own,
        Tier::A => Tier::B,
        Tier::B | Tier::C => Tier::C,
    }
}
