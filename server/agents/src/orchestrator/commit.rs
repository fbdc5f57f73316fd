//! Commits what an order changed, where the user ticked that on the card.
//!
//! Laws: only the run's own paths, and of those none that was changed or staged before the run; what is left out is said.
//! Only work that is whole is committed. Hooks run as they do in the user's terminal. Nothing is reset or stashed. A commit
//! that was made in the moment the run was cut off is found again by its message, and not made twice.

use std::sync::Arc;
use std::time::Duration;

use assist_base::DocPath;
use assist_runtime::git::{Before, Commit, Committed, GitError, Repository};
use serde_json::{Value, json};

use super::deliver::tell;
use super::{Order, Report};
use crate::run::{Break, Run};
use crate::settings::CommitBranch;

/// The stages of a commit's checkpoints; their component is the order.
const BEFORE: &str = "git_before";
const BEGUN: &str = "committing";
pub(super) const MADE: &str = "committed";

/// How long an editor may take to save what was changed in it.
const SAVING: Duration = Duration::from_secs(5);
/// How often it is looked at meanwhile.
const LOOKING: Duration = Duration::from_millis(100);
/// The first line of a message is at most so long.
const SUBJECT: usize = 72;

/// The run's own branch, where the settings want one.
pub(super) fn own_branch(run: &Run) -> Option<String> {
    (run.settings.commit_on == CommitBranch::Run).then(|| format!("assist/{}", run.id.short()))
}

pub(super) async fn kept(run: &Run, stage: &str, order: &str) -> Result<Option<Value>, Break> {
    let checkpoints = run.store().checkpoints().list(run.id).await?;
    let last = checkpoints.into_iter().rfind(|c| c.stage == stage && c.component.as_deref() == Some(order));
    Ok(last.map(|checkpoint| checkpoint.data))
}

/// Notes what is changed or staged before the work begins.
pub(super) async fn note_before(run: &Run, order: &Order) -> Result<(), Break> {
    if kept(run, BEFORE, &order.name).await?.is_some() {
        return Ok(());
    }
    let workspace = Arc::clone(&run.workspace);
    let before = tokio::task::spawn_blocking(move || Repository::open(&workspace)?.before()).await;
    // Where it cannot be known, nothing is committed later.
    let data = match before {
        Ok(Ok(before)) => serde_json::to_value(before).unwrap_or_default(),
        Ok(Err(error)) => json!({ "unknown": error.to_string() }),
        Err(error) => json!({ "unknown": error.to_string() }),
    };
    run.store().checkpoints().add(run.id, BEFORE, Some(&order.name), data, run.clock().now()).await?;
    Ok(())
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// For the user.
    pub(crate) sentence: String,
    /// The commit, where one was made.
    pub(crate) commit: Option<String>,
    /// The branch it is on.
    pub(crate) branch: Option<String>,
}

/// What became of the commit of an order, if one was wanted and its time has come.
pub(crate) async fn made(run: &Run, order: &str) -> Result<Option<Made>, Break> {
    let Some(data) = kept(run, MADE, order).await? else { return Ok(None) };
    let text = |name: &str| data[name].as_str().map(str::to_owned);
    Ok(text("sentence").map(|sentence| Made { sentence, commit: text("commit"), branch: text("branch") }))
}

/// Commits what was changed. Returns what became of it.
pub(super) async fn commit(run: &Run, order: &Order, report: &Report) -> Result<Made, Break> {
    if let Some(made) = made(run, &order.name).await? {
        return Ok(made);
    }
    let made = match attempt(run, order, report).await? {
        Ok(committed) => {
            Made { sentence: told(&committed), commit: Some(committed.id), branch: committed.branch }
        }
        Err(why) => {
            let sentence = format!("Nothing was committed: {}.", why.trim_end_matches('.'));
            Made { sentence, commit: None, branch: None }
        }
    };
    let state = if made.commit.is_some() { "done" } else { "failed" };
    tell(run, "commit", state, &made.sentence, json!({ "commit": made.commit })).await?;
    let data = json!({ "sentence": made.sentence, "commit": made.commit, "branch": made.branch });
    run.store().checkpoints().add(run.id, MADE, Some(&order.name), data, run.clock().now()).await?;
    Ok(made)
}

async fn attempt(run: &Run, order: &Order, report: &Report) -> Result<Result<Committed, String>, Break> {
    if !report.is_whole() {
        return Ok(Err("not everything is done, or the checks are not passed".to_owned()));
    }
    let before = kept(run, BEFORE, &order.name).await?.unwrap_or_default();
    let Ok(before) = serde_json::from_value::<Before>(before.clone()) else {
        let why = before["unknown"].as_str().unwrap_or("what was changed before is not known");
        return Ok(Err(why.to_owned()));
    };
    let paths: Vec<DocPath> = report.files().iter().filter_map(|path| DocPath::relative(path).ok()).collect();
    let unsaved = unsaved(run, &paths).await;
    if !unsaved.is_empty() {
        return Ok(Err(format!("{} is not saved in the editor", unsaved.join(", "))));
    }
    let message = message(run, order, report);
    let (workspace, branch) = (Arc::clone(&run.workspace), own_branch(run));
    run.check()?;
    let mark = mark(run);
    if let Some(begun) = kept(run, BEGUN, &order.name).await? {
        // It was made, and the run was cut off before it could keep that.
        let (workspace, mark) = (Arc::clone(&workspace), mark.clone());
        let head = begun["head"].as_str().map(str::to_owned);
        let found = tokio::task::spawn_blocking(move || {
            Repository::open(&workspace)?.made_since(head.as_deref(), &mark)
        });
        if let Ok(Ok(Some(mut committed))) = found.await {
            let own = |path: &&DocPath| before.paths.contains(path.as_str());
            committed.left_out = paths.iter().filter(own).map(ToString::to_string).collect();
            return Ok(Ok(committed));
        }
    } else {
        let looked = Arc::clone(&workspace);
        let head = tokio::task::spawn_blocking(move || Repository::open(&looked)?.status());
        let head = head.await.ok().and_then(Result::ok).and_then(|status| status.head);
        let checkpoints = run.store().checkpoints();
        checkpoints.add(run.id, BEGUN, Some(&order.name), json!({ "head": head }), run.clock().now()).await?;
    }
    // Not cut short: a commit is made or not.
    let made = tokio::task::spawn_blocking(move || {
        let commit = Commit { paths: &paths, message: &message, branch: branch.as_deref() };
        Repository::open(&workspace)?.commit(&commit, &before)
    });
    Ok(match made.await {
        Ok(made) => made.map_err(|error| match error {
            GitError::Nothing { why } => why,
            error => error.to_string(),
        }),
        Err(error) => Err(error.to_string()),
    })
}

/// The paths whose text on disk is not what the host shows, after it had its time to save them.
async fn unsaved(run: &Run, paths: &[DocPath]) -> Vec<String> {
    let mut waited = Duration::ZERO;
    loop {
        let mut unsaved = Vec::new();
        for path in paths {
            let shown = run.host.read(path).await.ok().map(|document| document.text);
            let (workspace, named) = (Arc::clone(&run.workspace), path.clone());
            let read = tokio::task::spawn_blocking(move || workspace.read(&named).ok().map(|file| file.text));
            if shown != read.await.ok().flatten() {
                unsaved.push(path.to_string());
            }
        }
        if unsaved.is_empty() || waited >= SAVING {
            return unsaved;
        }
        if waited.is_zero() {
            // Nothing more is changed by this order: what it changed may be saved.
            run.host.rested(run.id);
        }
        run.clock().sleep(LOOKING).await;
        waited += LOOKING;
    }
}

fn told(committed: &Committed) -> String {
    let short = committed.id.get(..10).unwrap_or(&committed.id);
    let branch = committed.branch.as_deref().map(|branch| format!(" on {branch}")).unwrap_or_default();
    let count = match committed.paths.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let mut sentence = format!("Committed {count}{branch} as {short}.");
    if !committed.left_out.is_empty() {
        let left_out = committed.left_out.join(", ");
        sentence.push_str(&format!(" Left out, because you had changed it before: {left_out}."));
    }
    sentence
}

/// The line of a commit's message that names the run.
fn mark(run: &Run) -> String {
    format!("Assist run {}", run.id.short())
}

/// What was done, in the plan's words.
fn message(run: &Run, order: &Order, report: &Report) -> String {
    let summary = order.plan.summary.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = summary.split_inclusive(['.', '!', '?']).next().unwrap_or(&summary).trim_end_matches('.');
    let mut subject = first.to_owned();
    if subject.chars().count() > SUBJECT {
        subject = subject.chars().take(SUBJECT - 1).collect::<String>().trim_end().to_owned() + "…";
    }
    let done: String = report.done().map(|title| format!("- {title}\n")).collect();
    format!("{subject}\n\n{done}\n{}\n", mark(run))
}
