//! *Assist: Continue waiting run*: says yes to a run whose question was closed, or goes on with one that rests.

use assist_base::RunState;
use serde_json::json;

use super::{ASSIST, Context, Offer};
use crate::commands::{CONFIRM, RESUME};

pub fn offer(context: &Context<'_>) -> Option<Offer> {
    let waiting = context.waiting.filter(|_| context.invoked)?;
    let command = if waiting.state == RunState::Paused { RESUME } else { CONFIRM };
    Some(Offer {
        title: "Assist: Continue waiting run".to_owned(),
        kind: ASSIST,
        diagnostics: Vec::new(),
        command,
        argument: json!({ "runId": waiting.run }),
    })
}
