//! *Assist: Add tests*: writes tests for the selection.

use super::{ASSIST, Context, Offer};

pub fn offer(context: &Context<'_>) -> Option<Offer> {
    context.ask_selection("Assist: Add tests", ASSIST, "test")
}
