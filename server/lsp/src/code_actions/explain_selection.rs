//! *Assist: Explain*: says what the selection does.

use super::{ASSIST, Context, Offer};

pub fn offer(context: &Context<'_>) -> Option<Offer> {
    context.ask_selection("Assist: Explain", ASSIST, "explain")
}
