//! *Assist: Rewrite…*: changes the selection as told; the client asks for the words.

use super::{Context, Offer, REWRITE};

pub fn offer(context: &Context<'_>) -> Option<Offer> {
    context.ask_selection("Assist: Rewrite…", REWRITE, "rewrite")
}
