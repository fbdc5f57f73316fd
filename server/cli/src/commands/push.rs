//! `assist push`: the present branch to the forge.

use super::{confirmed, open, print};
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::render::{Style, plain};

/// Pushes, once the user has said yes to what it will do.
pub async fn run(global: Global, repository: Option<&str>, yes: bool) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let plan = engine.look_before_push(repository).await?;
    let place = format!("{} of {}/{}", plan.branch, plan.owner, plan.name);
    if plan.commits == 0 && !plan.is_new {
        print(&plain(&format!("There is nothing to push: {place} has every commit.\n")));
        return Ok(Exit::Done);
    }
    let commits = if plan.commits == 1 { "1 commit".to_owned() } else { format!("{} commits", plan.commits) };
    let new = if plan.is_new { "Create the private repository and push" } else { "Push" };
    let rest = match plan.uncommitted {
        0 => String::new(),
        1 => " 1 changed file is not committed and stays here.".to_owned(),
        more => format!(" {more} changed files are not committed and stay here."),
    };
    let question = format!("{new} {commits} to {place} ({})?{rest}", plan.address);
    if !confirmed(&question, yes).await? {
        return Ok(Exit::Failed);
    }
    let pushed = engine.push(&plan).await?;
    let style = Style::of(&std::io::stdout());
    let head = pushed.head.get(..10).unwrap_or(&pushed.head);
    print(&format!("{} {}\n", style.good("✓"), plain(&format!("{place} is at {head}: {}", pushed.page))));
    Ok(Exit::Done)
}
