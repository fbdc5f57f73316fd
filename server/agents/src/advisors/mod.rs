//! The advisors: each scopes confirmed work of one kind into tasks before any of it is begun. The user never meets them.
//!
//! An advisor is one file here and one line in [`scope`]: `code` changes the workspace. Growth and analytics come beside it.

mod code;
mod tasks;

pub(crate) use tasks::{Scoped, Work};

use crate::orchestrator::Order;
use crate::run::{Break, Run};

/// The advisor for changes of code, also the module of its conversations.
pub(crate) const CODE: &str = "code";

/// Has an advisor scope an order.
pub(crate) async fn scope(run: &Run, module: &str, order: &Order) -> Result<Vec<Scoped>, Break> {
    match module {
        CODE => code::scope(run, order).await,
        other => Err(Break::Failed(format!("Assist cannot do work of the kind {other} yet."))),
    }
}
