//! *Ask Assist…*: anything, about the selection or, where nothing is selected, about the whole file.

use super::{ASSIST, Context, Offer};

pub fn offer(context: &Context<'_>) -> Option<Offer> {
    // Without a selection it is always possible, and would put a light bulb on every line.
    let offered = context.selection.is_some() || context.invoked;
    offered.then(|| context.ask("Ask Assist…", ASSIST, "ask"))
}
