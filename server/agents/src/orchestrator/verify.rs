//! The project's whole checks at the end of the work: types, lint and tests, in the hidden copy. What is wrong because of the
//! work goes back to whoever wrote it; what was wrong before is nobody's fault here.
//!
//! Laws: what is not checked is said, with its reason. The same errors for the third time end the mending, and so does a
//! round too many; the user keeps the files and hears what was tried. Checks run behind walls without a network; where the
//! walls do not hold nothing is run. Commands that a repository's configuration names as checks are commands: allowed by
//! the user's rules, or asked about.

use std::sync::Arc;

use assist_base::DocPath;
use assist_runtime::Workspace;
use assist_runtime::checks::{self, Attempts, Baseline, Check, Next, Report};
use assist_runtime::command::Halt;
use assist_runtime::confine::{Confinement, Helper};
use assist_runtime::shadow::{Overlay, Shadow, ShadowError, default_place};
use assist_store::{NewTask, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::permit::{self, Permit, Wanted};
use super::{Order, command, of, waves};
use crate::advisors;
use crate::run::{Break, Run};

/// The stage of the checkpoint; its component is the order.
const CHECKED: &str = "checked";
/// How often what the checks find is mended, however different it is each time.
const MOST_MENDS: usize = 4;

/// What the checks said at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verified {
    /// What was checked.
    pub(crate) checked: Vec<String>,
    /// What was not, and why: a sentence.
    pub(crate) not_checked: Vec<(String, String)>,
    /// What is still wrong because of the work.
    pub(crate) wrong: Vec<String>,
    /// What was tried against it.
    pub(crate) tried: Vec<String>,
}

impl Verified {
    fn nothing(why: impl Into<String>) -> Self {
        Self { not_checked: vec![("the project's checks".to_owned(), why.into())], ..Self::default() }
    }

    /// Lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.checked.is_empty() {
            let found = match self.wrong.len() {
                0 => "nothing new is wrong".to_owned(),
                1 => "1 new error".to_owned(),
                count => format!("{count} new errors"),
            };
            lines.push(format!("Checked with {}: {found}.", self.checked.join(", ")));
        }
        lines.extend(self.wrong.iter().map(|error| format!("Wrong: {error}")));
        if !self.tried.is_empty() {
            lines.push(format!("Tried against it: {}.", self.tried.join("; ")));
        }
        let not = |(name, why): &(String, String)| {
            format!("Not checked with {name}: {}.", why.trim_end_matches('.'))
        };
        lines.extend(self.not_checked.iter().map(not));
        lines
    }

    /// The part of a sentence that lists show, with a space before it; empty where nothing was checked.
    pub(crate) fn short(&self) -> String {
        match (self.checked.is_empty(), self.wrong.first()) {
            (_, Some(first)) => {
                let first = first.lines().next().unwrap_or_default();
                let tried = if self.tried.is_empty() {
                    String::new()
                } else {
                    format!(" Tried {} times.", self.tried.len())
                };
                format!(" The project's checks still find: {first}.{tried}")
            }
            (false, None) => format!(" Checked with {}.", self.checked.join(", ")),
            (true, None) => String::new(),
        }
    }
}

/// What was found at the end of an order, if it was looked at.
pub(crate) async fn found(run: &Run, order: &str) -> Result<Option<Verified>, Break> {
    let checkpoints = run.store().checkpoints().list(run.id).await?;
    let last = checkpoints.into_iter().rfind(|c| c.stage == CHECKED && c.component.as_deref() == Some(order));
    Ok(last.and_then(|checkpoint| serde_json::from_value(checkpoint.data).ok()))
}

/// Checks what an order changed, and has mended what is wrong because of it.
pub(crate) async fn verify(run: &Run, order: &Order, changed: &[String]) -> Result<Verified, Break> {
    if let Some(known) = found(run, &order.name).await? {
        return Ok(known);
    }
    let verified = until_right(run, order, changed).await?;
    for line in verified.lines() {
        run.say(line).await?;
    }
    let data = serde_json::to_value(&verified).unwrap_or_default();
    run.store().checkpoints().add_ahead(run.id, CHECKED, Some(&order.name), data, run.clock().now()).await?;
    Ok(verified)
}

async fn until_right(run: &Run, order: &Order, changed: &[String]) -> Result<Verified, Break> {
    let changed: Vec<DocPath> = changed.iter().filter_map(|path| DocPath::relative(path).ok()).collect();
    if changed.is_empty() {
        return Ok(Verified::default());
    }
    if !run.settings.pipeline.shadow || !run.settings.checks.at_end {
        return Ok(Verified::nothing("they are turned off in the settings"));
    }
    if let Confinement::None(why) | Confinement::Partial(why) = command::walls().await {
        return Ok(Verified::nothing(why));
    }
    let (checks, mut not_checked) = wanted(run, &changed).await?;
    if checks.is_empty() {
        if not_checked.is_empty() {
            not_checked.push(("the project's checks".to_owned(), "none were found here".to_owned()));
        }
        return Ok(Verified { not_checked, ..Verified::default() });
    }
    let mut attempts = Attempts::default();
    // Rounds of an earlier process count too.
    let earlier = of(run, order).await?.iter().filter(|task| task.input["mends"].is_u64()).count();
    let mut tried = Vec::new();
    for round in earlier..=MOST_MENDS {
        run.say("Running the project's checks").await?;
        let report = match look(run, &checks).await? {
            Ok(report) => report,
            Err(error) => return Ok(Verified::nothing(error.to_string())),
        };
        let mut verified = Verified {
            checked: report.checked.clone(),
            not_checked: not_checked.clone(),
            ..Verified::default()
        };
        verified.not_checked.extend(report.not_checked.iter().cloned());
        if report.is_clean() {
            return Ok(verified);
        }
        verified.wrong = report.new.iter().map(ToString::to_string).take(MOST_SHOWN).collect();
        let name = if round == 0 { "the work".to_owned() } else { format!("correction {round}") };
        match attempts.note(&report.new, &name) {
            Next::Again(errors) if round < MOST_MENDS => {
                run.say(format!("The checks find {} new: it is being corrected", errors.len())).await?;
                tried.push(name);
                mend(run, order, round, &report, &changed, &errors).await?;
            }
            Next::Again(_) => return Ok(Verified { tried, ..verified }),
            Next::Stop(tried) => return Ok(Verified { tried, ..verified }),
        }
    }
    Ok(Verified::nothing("they were run too often already"))
}

/// How many errors are kept for the report.
const MOST_SHOWN: usize = 20;

/// The checks that are to be run, and why the others are not.
async fn wanted(run: &Run, changed: &[DocPath]) -> Result<(Vec<Check>, Vec<(String, String)>), Break> {
    let settings = &run.settings.checks;
    let mut not_checked = Vec::new();
    let mut wanted = Vec::new();
    if settings.detect {
        let workspace = Arc::clone(&run.workspace);
        let detected = tokio::task::spawn_blocking(move || checks::detect(workspace.root()));
        for check in detected.await.unwrap_or_default() {
            let name = check.name();
            if settings.skip.contains(&name) || settings.skip.iter().any(|skip| skip == check.tool.name()) {
                not_checked.push((name, "the settings leave it out".to_owned()));
            } else if check.concerns(changed) {
                wanted.push(check);
            } else {
                not_checked.push((name, "nothing that it looks at was changed".to_owned()));
            }
        }
    }
    let walls = command::walls().await;
    for configured in &settings.run {
        let check = Check::configured(&configured.line);
        let permit = if configured.by_user {
            match permit::denied(&crate::run::lock(&run.commands), &configured.line) {
                None => Permit::Granted,
                Some(why) => Permit::Denied(why),
            }
        } else {
            let wanted = Wanted {
                line: configured.line.clone(),
                network: false,
                key: format!("check {}", configured.line),
                confirmed: false,
                again: false,
            };
            permit::ask(run, &wanted, &walls).await?
        };
        match permit {
            Permit::Granted => wanted.push(check),
            Permit::Denied(why) | Permit::Declined(why) => not_checked.push((check.name(), why)),
        }
    }
    Ok((wanted, not_checked))
}

/// Ends the checks when nobody waits for them any more.
struct Leash(Halt);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.halt();
    }
}

/// Runs the checks on the workspace as it is. What is found is new where the state before the run does not have it.
async fn look(run: &Run, checks: &[Check]) -> Result<Result<Report, ShadowError>, Break> {
    // The same copy is used again, with what its tools have cached.
    run.shadow.let_go().await;
    let now: Overlay =
        run.host.open_texts().await.into_iter().map(|(path, text)| (path, Some(text))).collect();
    let mut before = now.clone();
    for file in run.store().snapshots().before_run(run.id).await? {
        let text = file.content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        before.insert(file.path, text);
    }
    let (workspace, checks) = (Arc::clone(&run.workspace), checks.to_vec());
    let halt = Halt::default();
    let leash = Leash(halt.clone());
    let mut working = tokio::task::spawn_blocking(move || compared(&workspace, &checks, &now, &before, halt));
    let done = match run.unless_halted(&mut working).await {
        Ok(done) => done,
        Err(halted) => {
            drop(leash);
            let _ = working.await;
            return Err(halted);
        }
    };
    done.map_err(|error| Break::Failed(format!("Assist failed inside: {error}")))
}

fn compared(
    workspace: &Workspace,
    checks: &[Check],
    now: &Overlay,
    before: &Overlay,
    halt: Halt,
) -> Result<Report, ShadowError> {
    let helper = Helper::this_program();
    let mut shadow = Shadow::open(workspace, &default_place())?;
    shadow.obey(halt);
    shadow.sync(now)?;
    let report = checks::run(&mut shadow, checks, None, &Baseline::default(), helper.as_ref())?;
    if report.is_clean() {
        return Ok(report);
    }
    // Something is wrong; whether it was before is only worth knowing now.
    let again: Vec<Check> = checks
        .iter()
        .filter(|check| report.new.iter().any(|found| found.tool == check.tool))
        .cloned()
        .collect();
    shadow.sync(before)?;
    let baseline = Baseline::take(&mut shadow, &again, helper.as_ref())?;
    shadow.sync(now)?;
    Ok(report.against(&baseline))
}

/// Has what the checks found corrected, as one more task of the order.
async fn mend(
    run: &Run,
    order: &Order,
    round: usize,
    report: &Report,
    changed: &[DocPath],
    errors: &[String],
) -> Result<(), Break> {
    let named = |path: &&DocPath| report.new.iter().any(|found| found.file.as_deref() == Some(path.as_str()));
    let mut files: Vec<&DocPath> = changed.iter().filter(named).collect();
    if files.is_empty() {
        // What was changed broke something else: it is corrected where it was broken.
        files = changed.iter().collect();
    }
    let files: Vec<String> = files.into_iter().map(ToString::to_string).collect();
    let task = NewTask {
        id: TaskId::new(),
        title: format!("Correct what the checks found ({})", round + 1),
        description: format!(
            "The project's own checks ({}) find this wrong, and did not before the work:\n\n{}\n\nCorrect it in these files. Write whole components, and change nothing else. If a test is right, the code is wrong.",
            report.checked.join(", "),
            errors.join("\n")
        ),
        agent: advisors::CODE.to_owned(),
        tier: 'B',
        input: json!({ "order": order.name, "kind": "edit", "files": files, "mends": round }),
        depends_on: Vec::new(),
    };
    run.store().tasks().plan(run.id, vec![task], run.clock().now()).await?;
    waves(run, order).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_checked_and_what_not_is_said() {
        let mut verified = Verified {
            checked: vec!["tsc".to_owned(), "vitest".to_owned()],
            not_checked: vec![("eslint".to_owned(), "it is not installed.".to_owned())],
            ..Verified::default()
        };
        assert_eq!(
            verified.lines(),
            [
                "Checked with tsc, vitest: nothing new is wrong.",
                "Not checked with eslint: it is not installed."
            ]
        );
        assert_eq!(verified.short(), " Checked with tsc, vitest.");
        verified.wrong = vec!["a.ts:1: TS1: x".to_owned()];
        verified.tried = vec!["the work".to_owned()];
        assert!(
            verified.short().contains("still find: a.ts:1: TS1: x. Tried 1 times."),
            "{}",
            verified.short()
        );
        assert_eq!(Verified::default().short(), "");
    }
}
