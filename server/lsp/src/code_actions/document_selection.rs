//! *Assist: Document*: writes documentation comments for the selection.

use super::{ASSIST, Context, Offer};

pub fn offer(context: &Context<'_>) -> Option<Offer> {
    context.ask_selection("Assist: Document", ASSIST, "document")
}
