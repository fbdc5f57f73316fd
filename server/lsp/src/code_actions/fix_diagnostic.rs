//! *Fix with Assist*: removes the diagnostics at the cursor or in the selection.

use serde_json::json;

use super::{Context, Offer, QUICKFIX};

pub fn offer(context: &Context<'_>) -> Option<Offer> {
    let diagnostics = context.diagnostics;
    if diagnostics.is_empty() {
        return None;
    }
    let mut offer = context.ask("Fix with Assist", QUICKFIX, "fix");
    offer.argument["diagnostics"] = diagnostics
        .iter()
        .map(|diagnostic| {
            json!({ "range": diagnostic.range, "message": diagnostic.message, "source": diagnostic.source })
        })
        .collect();
    offer.diagnostics = diagnostics.to_vec();
    Some(offer)
}
