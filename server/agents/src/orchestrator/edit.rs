//! One task that changes files: one pass of the pipeline, in a conversation of its own.

use std::collections::HashSet;

use assist_base::{ConversationId, DocPath};
use assist_gateway::Tier;
use assist_store::{StoreError, Task, TaskStatus};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Order;
use crate::advisors;
use crate::ask::{AskRequest, Intent};
use crate::assist::material;
use crate::host::HostError;
use crate::keys;
use crate::pipeline::{self, Applier};
use crate::prompts;
use crate::run::{Break, Run};

/// The stage of an attempt's checkpoint; its component is the task.
const BEGUN: &str = "task_begun";

/// What of the files a task is about is shown, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// The row of an attempt.
#[derive(Serialize, Deserialize)]
struct BegunRow {
    conversation: ConversationId,
    attempt: u64,
}

/// What a task came to.
pub(super) struct Done {
    pub(super) summary: String,
    pub(super) files: Vec<String>,
}

/// Why it came to nothing.
pub(super) enum Undone {
    /// It may be tried again.
    Failed(String),
    /// The user did not want it.
    Unwanted(String),
    /// The run does not go on.
    Break(Break),
}

impl From<Break> for Undone {
    fn from(halted: Break) -> Self {
        Undone::Break(halted)
    }
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Undone::Break(error.into())
    }
}

/// Makes one attempt, or goes on with one that was cut off.
pub(super) async fn work(
    run: &Run,
    order: &Order,
    task: &Task,
    tier: Tier,
    confirmed: &HashSet<DocPath>,
) -> Result<Done, Undone> {
    let mut job = match cut_off(run, task).await? {
        Some(conversation) => pipeline::Task::load_of(run.store(), run.id, conversation, run.host.as_ref())
            .await
            .map_err(|error| Undone::Failed(error.to_string()))?,
        None => begin(run, order, task).await?,
    };
    job.tier = tier;
    job.quiet = true;
    let dealt_with = job.draft.as_ref().is_some_and(|draft| draft.handled > 0 || draft.edited);
    let files = super::files(task).into_iter().filter_map(|file| DocPath::relative(&file).ok());
    let mut applier = Applier::agreed_on(files.filter(|file| confirmed.contains(file)).collect());
    let built = pipeline::build_task(run, &mut job, &mut applier).await;
    let mut changed = applier.changed();
    let before = if dealt_with { put_before(run, task, &changed).await? } else { Vec::new() };
    match built {
        Ok(summary) if !before.is_empty() => {
            // What was in place when the attempt was cut off is not asked for again.
            let summary =
                if changed.is_empty() { format!("Changed {}.", before.join(", ")) } else { summary };
            changed.extend(before);
            Ok(Done { summary, files: changed })
        }
        Ok(summary) if !changed.is_empty() => Ok(Done { summary, files: changed }),
        Ok(_) if applier.was_declined() => Err(Undone::Unwanted("you did not want it".to_owned())),
        Ok(_) => Err(Undone::Failed("no code came".to_owned())),
        Err(Break::Failed(why)) => Err(Undone::Failed(why)),
        Err(halted) => Err(Undone::Break(halted)),
    }
}

/// The task's files that are changed, and not by what was received now.
async fn put_before(run: &Run, task: &Task, now: &[String]) -> Result<Vec<String>, Undone> {
    let files = super::files(task);
    let session = run.store().sessions().get(run.id).await?;
    let changed = session.changed_files.iter().map(|file| file.path.to_string());
    Ok(changed.filter(|path| files.contains(path) && !now.contains(path)).collect())
}

/// The conversation of an attempt that a crash or a pause cut off.
async fn cut_off(run: &Run, task: &Task) -> Result<Option<ConversationId>, Undone> {
    let id = task.id.to_string();
    let checkpoints = run.store().checkpoints().list(run.id).await?;
    let last = checkpoints.iter().rfind(|c| c.stage == BEGUN && c.component.as_deref() == Some(&id));
    let row = last.and_then(|last| serde_json::from_value::<BegunRow>(last.data.clone()).ok());
    // An attempt that ended is followed by one with the next number; one that was cut off is begun again by the store,
    // which counts it too.
    let Some(row) = row else { return Ok(None) };
    let ended = checkpoints
        .iter()
        .any(|c| c.stage == ENDED && c.component.as_deref() == Some(&id) && c.data["attempt"] == row.attempt);
    Ok((!ended).then_some(row.conversation))
}

/// The stage that says that an attempt came to nothing.
const ENDED: &str = "task_failed";

async fn begin(run: &Run, order: &Order, task: &Task) -> Result<pipeline::Task, Undone> {
    let (conversation, now) = (ConversationId::new(), run.clock().now());
    let title = Some(task.title.clone());
    run.store().conversations().create(conversation, run.project(), advisors::CODE, title, now).await?;
    let request = AskRequest {
        intent: Intent::Ask,
        prompt: Some(words(run, order, task).await?),
        path: None,
        revision: None,
        selection: None,
        diagnostics: Vec::new(),
        conversation: Some(conversation),
    };
    let anchored = pipeline::anchor(request, run.host.as_ref())
        .await
        .map_err(|error| Undone::Failed(error.to_string()))?;
    let job = pipeline::Task::new(anchored, conversation);
    job.save(run.store(), run.id, now).await?;
    let row = serde_json::to_value(BegunRow { conversation, attempt: task.attempts }).unwrap_or_default();
    run.store().checkpoints().add_ahead(run.id, BEGUN, Some(&task.id.to_string()), row, now).await?;
    Ok(job)
}

/// What the model is told: the task, what it builds on, and the files as they are.
async fn words(run: &Run, order: &Order, task: &Task) -> Result<String, Undone> {
    let tasks = run.store().tasks().list(run.id).await?;
    let before: Vec<_> = tasks
        .iter()
        .filter(|other| task.depends_on.contains(&other.id) && other.status == TaskStatus::Done)
        .map(|other| {
            let output = other.output.clone().unwrap_or_default();
            let done = match output["command"].as_str() {
                Some(command) if output["notRun"].is_string() => format!("the user will run `{command}`"),
                Some(command) => {
                    let printed = output["ended"]["output"].as_str().unwrap_or_default();
                    format!("`{command}` ran.\n{}", material(command, printed))
                }
                None => output["summary"].as_str().unwrap_or_default().to_owned(),
            };
            json!({ "title": other.title, "done": done })
        })
        .collect();
    let (mut files, mut bytes) = (Vec::new(), 0);
    let own = super::files(task);
    let earlier = tasks.iter().filter(|other| task.depends_on.contains(&other.id)).flat_map(super::files);
    for file in own.iter().cloned().chain(earlier) {
        let Ok(path) = DocPath::relative(&file) else { continue };
        let is_shown = files.iter().any(|shown: &serde_json::Value| shown["path"] == file.as_str());
        if is_shown || keys::kept_from_models(run, &path).await.is_some() {
            continue;
        }
        let text = match run.host.read(&path).await {
            Ok(document) => Some(document.text),
            Err(HostError::Gone) => return Err(Undone::Break(HostError::Gone.into())),
            Err(_) => None,
        };
        bytes += text.as_ref().map_or(0, String::len);
        if bytes > MOST_BYTES {
            break;
        }
        files.push(json!({ "path": file, "text": text }));
    }
    let last = task.error.clone();
    Ok(prompts::render(
        "assist/task.md",
        json!({
            "title": task.title, "instructions": task.description, "goal": order.plan.summary,
            "note": order.note, "before": before, "files": files, "own": own, "last": last,
        }),
    ))
}

/// Says that an attempt came to nothing, so that it is not gone on with.
pub(super) async fn ended(run: &Run, task: &Task) -> Result<(), Break> {
    let id = task.id.to_string();
    let checkpoints = run.store().checkpoints().list(run.id).await?;
    let last = checkpoints.iter().rfind(|c| c.stage == BEGUN && c.component.as_deref() == Some(&id));
    let attempt = last.map_or(json!(task.attempts), |last| last.data["attempt"].clone());
    run.store()
        .checkpoints()
        .add_ahead(run.id, ENDED, Some(&id), json!({ "attempt": attempt }), run.clock().now())
        .await?;
    Ok(())
}
