//! Questions that may wait for days: kept as approvals, answered here, from another process, or after a restart.

use assist_base::{RunId, Timestamp};
use assist_store::{Approval, ApprovalStatus, NewApproval, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::host::{Answer, Question};
use crate::run::{Break, Run};

/// The stage of an answer's checkpoint.
const ANSWERED: &str = "assist_answer";

/// The row of an answer.
#[derive(Serialize, Deserialize)]
struct AnswerRow {
    /// Which question, within the run.
    call: String,
    answer: Answer,
}

/// Asks the user, or takes the answer that was given while nobody was at work on the run. `kind` is what the approval is
/// called, `call` names the question within the run, `data` is kept with it and shown to rich clients.
pub(crate) async fn ask(
    run: &Run,
    kind: &str,
    call: &str,
    question: &Question,
    mut data: Value,
) -> Result<Answer, Break> {
    let checkpoints = run.store().checkpoints().list(run.id).await?;
    for checkpoint in checkpoints.into_iter().rev().filter(|checkpoint| checkpoint.stage == ANSWERED) {
        if let Ok(row) = serde_json::from_value::<AnswerRow>(checkpoint.data)
            && row.call == call
        {
            return Ok(row.answer);
        }
    }
    let known = pending(run.store(), run.id).await?.filter(|approval| approval.data["call"] == call);
    let approval = match known {
        Some(approval) => approval,
        None => {
            let mut kept = data.clone();
            if !kept.is_object() {
                kept = json!({});
            }
            kept["call"] = call.into();
            kept["words"] = question.choices.is_empty().into();
            // All but the last button agree.
            let agreeing = question.choices.len().saturating_sub(1);
            kept["agreeing"] = question.choices[..agreeing].into();
            let detail = question.detail.as_deref().map(|detail| format!("\n\n{detail}")).unwrap_or_default();
            let new = NewApproval {
                run: run.id,
                checkpoint: kind.to_owned(),
                message: format!("{}{detail}", question.text),
                data: kept,
                document: None,
                expires_at: None,
            };
            run.store().approvals().request(new, run.clock().now()).await?
        }
    };
    if let Some(data) = data.as_object_mut() {
        data.insert("approvalId".to_owned(), approval.id.to_string().into());
    }
    let answer = run.ask_with(question, data).await?;
    decide(run.store(), &approval, &answer, run.clock().now()).await?;
    Ok(answer)
}

/// What was kept with a question of a run when it was asked, where it was.
pub(crate) async fn asked(run: &Run, call: &str) -> Result<Option<Value>, Break> {
    let approvals = run.store().approvals().list(run.id).await?;
    let known = approvals.into_iter().rfind(|approval| approval.data["call"] == call);
    Ok(known.map(|approval| approval.data))
}

/// Answers the question that a resting run waits for. False when it waits for none.
pub(crate) async fn answer_later(
    store: &Store,
    run: RunId,
    answer: &Answer,
    now: Timestamp,
) -> Result<bool, StoreError> {
    match pending(store, run).await? {
        Some(approval) => decide(store, &approval, answer, now).await.map(|()| true),
        None => Ok(false),
    }
}

/// The question that a run waits for and that may be answered later, if there is one.
pub(crate) async fn pending(store: &Store, run: RunId) -> Result<Option<Approval>, StoreError> {
    let approvals = store.approvals().list(run).await?;
    let open = |approval: &&Approval| {
        approval.status == ApprovalStatus::Pending && approval.data["call"].is_string()
    };
    Ok(approvals.iter().rev().find(open).cloned())
}

async fn decide(
    store: &Store,
    approval: &Approval,
    answer: &Answer,
    now: Timestamp,
) -> Result<(), StoreError> {
    let words = approval.data["words"] == true;
    let (approved, feedback) = match answer {
        Answer::Yes => (true, None),
        Answer::Partly { steps, note, ticks: _ } => {
            let steps: Vec<_> = steps.iter().map(ToString::to_string).collect();
            let steps = (!steps.is_empty()).then(|| format!("Only the steps {}.", steps.join(", ")));
            let feedback: Vec<_> = steps.into_iter().chain(note.clone()).collect();
            (true, Some(feedback.join(" ")))
        }
        Answer::Text(text) => (words || agrees(&approval.data, text), Some(text.clone())),
        Answer::No | Answer::Dismissed => (false, None),
    };
    // The checkpoint is what the run reads; it comes first.
    let row = AnswerRow {
        call: approval.data["call"].as_str().unwrap_or_default().to_owned(),
        answer: answer.clone(),
    };
    let data = serde_json::to_value(row).unwrap_or_default();
    store.checkpoints().add_ahead(approval.run, ANSWERED, None, data, now).await?;
    store.approvals().decide(approval.id, approved, "user", feedback.as_deref(), now).await?;
    Ok(())
}

/// Whether words are those of a button that agrees.
fn agrees(data: &Value, words: &str) -> bool {
    let words = words.trim().to_lowercase();
    let buttons = data["agreeing"].as_array().into_iter().flatten().filter_map(Value::as_str);
    !words.is_empty() && buttons.into_iter().any(|button| button.to_lowercase().starts_with(&words))
}
