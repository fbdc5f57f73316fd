//! The way of a run: the request becomes a prompt, the model's stream becomes components, and every component that the
//! gate finds whole is put in its place before the next one is awaited.
//!
//! `builder` reads the stream, `ghost_fixer` has broken-off output continued, `applier` places, judges and applies, `edits`
//! does so with the surgical edits of a whole answer. A request to build goes through more: `stages` says how.

mod applier;
mod architect;
mod assembly;
mod builder;
mod edits;
mod ghost_fixer;
mod linter;
mod misprints;
mod modules;
mod part;
mod plan;
mod race;
mod request;
mod shadow;
mod signatures;
mod site;
mod spoilt;
mod stages;
mod task;

use assist_base::{ByteRange, EventKind, RunState};
use assist_store::{SnapshotKind, TransitionNote};
use serde_json::json;

pub(crate) use applier::Applier;
pub(crate) use builder::{broken, ends_in_marker};
pub(crate) use request::{Conversation, anchor};
pub(crate) use shadow::ShadowStage;
pub(crate) use spoilt::{rests, whole_part};
pub(crate) use task::{Draft, Task, stored_talk};

use crate::ask::AskRequest;
use crate::run::{Break, Run};
use builder::{Builder, Read};

/// How often components that the gate did not pass are asked for again.
const MAX_REPAIRS: usize = 2;
/// How often the user may change the very text a run works on before it gives up.
const MAX_RESTARTS: usize = 2;

/// Works a run through to its end, or until it must rest. Returns the state it is in then.
pub(crate) async fn work(run: Run, mut task: Task) -> RunState {
    let begun = run.become_state(RunState::Running, TransitionNote::default()).await;
    let mut applier = applier::Applier::default();
    let mut changed = Vec::new();
    let result = match begun {
        Ok(()) if stages::wanted(&run, &task) => stages::through(&run, &task, &mut changed).await,
        Ok(()) => through(&run, &mut task, &mut applier).await,
        Err(error) => Err(error.into()),
    };
    changed.extend(applier.changed());
    run.settle(result, changed).await
}

async fn through(run: &Run, task: &mut Task, applier: &mut applier::Applier) -> Result<String, Break> {
    for warning in &run.settings.warnings {
        run.say(warning.clone()).await?;
    }
    if task.draft.is_none() {
        run.keep_state(SnapshotKind::Run, &task.request.title(), None, &task.request.path).await;
    }
    run.emit(EventKind::AgentStarted, json!({ "agent": "builder" })).await?;
    if task.request.intent.may_edit() {
        run.shadow.begin(run, task.request.path.as_ref()).await;
    }
    for restart in 0..=MAX_RESTARTS {
        let conversation = request::messages(run, task, restart > 0).await?;
        let mut builder = Builder::new(run, task, applier, conversation);
        match receive_whole(&mut builder).await? {
            Built::Whole => {
                let words = builder.words().to_owned();
                if applier.changed().is_empty() && !words.trim().is_empty() {
                    // An answer in words. Hosts that do not stream have shown nothing of it yet.
                    run.host.show(run.id, &task.request.title(), &words);
                }
                run.emit(EventKind::AgentCompleted, json!({ "agent": "builder" })).await?;
                return Ok(applier.summary());
            }
            Built::Touched(range) => {
                run.say("You changed the text Assist is working on; reading it again.").await?;
                task.moved_to(range, run).await?;
            }
        }
    }
    Err(Break::Failed("You changed the text Assist was working on each time it was ready; nothing of yours was overwritten. Ask again when you are done there.".to_owned()))
}

/// Deals with an answer that was received elsewhere and stands in the task's draft: its components are applied, what broke
/// off is continued in `conversation`. Returns one sentence about what was done.
pub(crate) async fn finish(
    run: &Run,
    task: &mut Task,
    applier: &mut Applier,
    conversation: Conversation,
) -> Result<String, Break> {
    let mut builder = Builder::new(run, task, applier, conversation);
    match receive_whole(&mut builder).await? {
        Built::Whole => {
            let words = builder.words().to_owned();
            if applier.changed().is_empty() && !words.trim().is_empty() && !task.quiet {
                run.host.show(run.id, &task.request.title(), &words);
            }
            Ok(applier.summary())
        }
        Built::Touched(_) => {
            Err(Break::Failed("The text changed while Assist was working on it; ask again.".to_owned()))
        }
    }
}

/// Writes one part of a larger piece of work, whose task says everything. Returns one sentence about what was done.
pub(crate) async fn build_task(run: &Run, task: &mut Task, applier: &mut Applier) -> Result<String, Break> {
    run.shadow.begin(run, task.request.path.as_ref()).await;
    let conversation = request::messages(run, task, false).await?;
    finish(run, task, applier, conversation).await
}

/// What a request says to the model, with the file and the selection it is about.
pub(crate) async fn request_text(run: &Run, request: &AskRequest) -> Result<String, Break> {
    let document = match &request.path {
        Some(path) => Some(run.host.read(path).await?),
        None => None,
    };
    Ok(request::render_request(request, document.as_ref()))
}

/// How building ended.
enum Built {
    /// Everything that was said is dealt with.
    Whole,
    /// The user changed the very text that was to be replaced; its outer edges, if known.
    Touched(Option<ByteRange>),
}

/// Receives the answer, has it continued and repaired where needed, and applies what is whole.
async fn receive_whole(builder: &mut Builder<'_>) -> Result<Built, Break> {
    if builder.is_resumed() {
        builder.recall().await?;
    }
    for repair in 0..=MAX_REPAIRS {
        let read = match builder.read().await? {
            Read::Cut(cause) => ghost_fixer::mend(builder, cause).await?,
            read => read,
        };
        if let Read::Touched(range) = read {
            return Ok(Built::Touched(range));
        }
        builder.note_misprints();
        if builder.failures().is_empty() {
            builder.note_lacking();
        }
        if builder.failures().is_empty() {
            return Ok(Built::Whole);
        }
        if repair < MAX_REPAIRS {
            builder.ask_for_repair().await?;
        }
    }
    let reasons: Vec<_> = builder
        .failures()
        .iter()
        .map(|failure| format!("{} was not applied: {}", failure.name, failure.reasons.join("; ")))
        .collect();
    let kept = if builder.applied_something() { "; what was whole has been applied" } else { "" };
    Err(Break::Failed(format!("{}. Its place is as it was{kept}.", reasons.join(". "))))
}
