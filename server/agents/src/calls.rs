//! What the calls of all stages have in common: how hard a model is needed, answers that are used again, and the events that tell
//! what a call took.
//!
//! Laws of using answers again: only steps whose answer is checked before anything is made of it and that no user talks with
//! (plans, splits, the code advisor, drawing memory). An answer is kept when its step has found it good, and forgotten when it
//! turns out bad or its run fails or is stopped: asking again then asks a model.

use assist_base::{EventKind, RunState};
use assist_gateway::{
    Answer, CacheKey, Call, ChunkStream, Completion, Complexity, Message, ModelRef, Request, Reuse, Tier,
};
use serde_json::{Value, json};

use crate::pipeline::Conversation;
use crate::run::{Break, Run};

/// The checkpoint of an answer that the run has kept or used again.
const REUSABLE: &str = "reusable";

/// A call that writes code in a conversation.
pub(crate) fn writing(
    run: &Run,
    agent: &str,
    tier: Tier,
    conversation: &Conversation,
    messages: Vec<Message>,
) -> Call {
    let request = Request {
        system: conversation.system.clone(),
        messages,
        max_output_tokens: run.settings.max_output_tokens,
        temperature: None,
    };
    Call { run: run.id, agent: agent.to_owned(), tier, model: None, request }
}

/// How hard the task is, for a call of this tier whose model may be chosen by that. None where the model is settled.
pub(crate) fn complexity(run: &Run, tier: Tier, guess: Complexity) -> Option<Complexity> {
    run.settings.selects(tier).then_some(guess)
}

/// Whether a step whose answers are checked may have one that was given before.
pub(crate) fn reuse(run: &Run) -> Reuse {
    if run.settings.response_cache { Reuse::Exact } else { Reuse::Never }
}

/// The step found the answer good: the next who asks the same has it for nothing.
pub(crate) async fn good(run: &Run, answer: &Answer) -> Result<(), Break> {
    let Some(reuse) = &answer.reuse else { return Ok(()) };
    // First of all, so that what the run has kept is known should it fail: the log has it before the answer.
    let row = json!({ "hash": reuse.key.hash, "model": reuse.key.model });
    run.store().checkpoints().add_ahead(run.id, REUSABLE, None, row, run.clock().now()).await?;
    run.gateway.keep(answer).await;
    Ok(())
}

/// The step cannot use the answer.
pub(crate) async fn bad(run: &Run, answer: &Answer) {
    if let Some(reuse) = &answer.reuse {
        run.gateway.forget(&reuse.key).await;
    }
}

/// The run has ended so: one that failed or was stopped takes its answers with it, since they may be why.
pub(crate) async fn ended(run: &Run, state: RunState) {
    if !matches!(state, RunState::Failed | RunState::Stopped) {
        return;
    }
    let Ok(checkpoints) = run.store().checkpoints().list(run.id).await else { return };
    for row in checkpoints.into_iter().filter(|row| row.stage == REUSABLE) {
        if let Some(key) = key(&row.data) {
            run.gateway.forget(&key).await;
        }
    }
}

fn key(row: &Value) -> Option<CacheKey> {
    let hash = serde_json::from_value(row["hash"].clone()).ok()?;
    Some(CacheKey { hash, model: row["model"].as_str()?.to_owned() })
}

/// What a whole answer took, as an event; none for one that was kept, which took nothing.
pub(crate) async fn account_for(run: &Run, answer: &Answer) -> Result<(), Break> {
    if answer.told_again {
        return Ok(());
    }
    let reused = answer.reuse.as_ref().is_some_and(|reuse| reuse.reused);
    tell(run, &answer.choice.model, &answer.done, reused).await
}

/// What a call took, as an event; none for an answer that was kept, which took nothing.
pub(crate) async fn account(run: &Run, stream: &mut ChunkStream, done: &Completion) -> Result<(), Break> {
    if stream.is_told_again() {
        return Ok(());
    }
    tell(run, &stream.choice().model, done, false).await
}

async fn tell(run: &Run, model: &ModelRef, done: &Completion, reused: bool) -> Result<(), Break> {
    let mut data = json!({
        "model": format!("{}/{}", model.provider, model.model),
        "inputTokens": done.usage.input,
        "outputTokens": done.usage.output,
        "cachedTokens": done.usage.cache_read,
        "estimated": done.usage.estimated,
        "costUsd": done.cost_usd,
        "stop": done.stop.as_str(),
    });
    if reused {
        data["reused"] = true.into();
    }
    run.emit(EventKind::Budget, data).await?;
    Ok(())
}
