//! The shadow stage: what the gate found whole is checked by the project's own tools in a hidden copy, before the real files
//! change. What they find new goes back to the builder; what was wrong before is nobody's fault here.
//!
//! Only quick checks run at this place (types and lint, not tests and bundles), each for at most [`PATIENCE`], behind walls
//! that let it write nothing but the copy and reach no network. Where the walls do not hold, nothing is run. A check that
//! cannot run, or takes too long, never holds a change up: the run says once that it was not made.
//!
//! What the checks have against the project as it is they are asked while the model writes ([`ShadowStage::begin`]); the
//! first change waits only for what is left of that. When the run is over, or told to halt, its checks are ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use assist_base::DocPath;
use assist_runtime::Workspace;
use assist_runtime::checks::{self, Baseline, Check, Next, Report, Tool};
use assist_runtime::command::Halt;
use assist_runtime::confine::{Confinement, Helper, available};
use assist_runtime::shadow::{Overlay, Shadow, ShadowError, default_place};

use tokio::task::JoinHandle;

use crate::run::{Break, Run};

/// How long one check may hold a change up. A compiler that begins from nothing may take longer; what it got done is kept in
/// the copy, so the next change finds it warm.
const PATIENCE: Duration = Duration::from_secs(30);

/// The shadow of one run.
#[derive(Default)]
pub(crate) struct ShadowStage {
    state: tokio::sync::Mutex<State>,
    /// Ends its checks.
    halt: Halt,
}

impl Drop for ShadowStage {
    fn drop(&mut self) {
        self.halt.halt();
    }
}

#[derive(Default)]
enum State {
    #[default]
    New,
    /// It is being made, and the checks look at the project as it is.
    Begun(JoinHandle<Option<Box<Copy>>>),
    /// There is nothing to check with.
    Off,
    On(Box<Copy>),
}

struct Copy {
    shadow: Shadow,
    checks: Vec<Check>,
    baseline: Baseline,
    attempts: BTreeMap<String, checks::Attempts>,
    /// What the user was told of already.
    told: BTreeSet<String>,
}

impl Copy {
    fn look(
        &mut self,
        overlay: &Overlay,
        changed: &[DocPath],
        helper: Option<&Helper>,
    ) -> Result<Report, ShadowError> {
        self.shadow.sync(overlay)?;
        checks::run(&mut self.shadow, &self.checks, Some(changed), &self.baseline, helper)
    }
}

/// What one round came to.
struct Round {
    copy: Option<Box<Copy>>,
    report: Option<Report>,
    /// Why nothing is checked from now on, if that is so.
    off: Option<String>,
    /// Whether a change of other files may be looked at, although there is no copy yet.
    later: bool,
}

impl ShadowStage {
    /// Begins with the copy, and with what the checks have against the project as it is, and returns at once. `path` is the
    /// file that the run is about; where no check concerns it, all that is left for the first change.
    pub(crate) async fn begin(&self, run: &Run, path: Option<&DocPath>) {
        if !is_on(run) || path.is_some_and(DocPath::is_untitled) {
            return;
        }
        let mut state = self.state.lock().await;
        if !matches!(*state, State::New) {
            return;
        }
        let present = present(run, Vec::new()).await;
        let (workspace, halt) = (Arc::clone(&run.workspace), self.halt.clone());
        let path = path.cloned();
        let working = tokio::task::spawn_blocking(move || {
            let helper = Helper::this_program();
            let checks = quick_checks(&workspace);
            let concerned = |path: &DocPath| checks.iter().any(|it| it.concerns(std::slice::from_ref(path)));
            let wanted = !checks.is_empty() && path.as_ref().is_none_or(concerned);
            if !wanted || available(helper.as_ref()) != Confinement::Full {
                return None;
            }
            begun(&workspace, checks, &present, helper.as_ref(), halt).ok().map(Box::new)
        });
        *state = State::Begun(working);
    }

    /// Gives the copy back, so that another may use it; the next check opens it again.
    pub(crate) async fn let_go(&self) {
        let mut state = self.state.lock().await;
        match std::mem::take(&mut *state) {
            State::Off => *state = State::Off,
            State::Begun(working) => drop(working.await),
            State::New | State::On(_) => {}
        }
    }

    /// Checks `files` as they would be, with `held` laid over the workspace as well. Returns what is wrong because of them,
    /// for the builder; nothing where all is well or nothing can be checked.
    ///
    /// # Errors
    /// [`Break::Failed`] when the same errors came back too often, with what was tried.
    pub(crate) async fn check(
        &self,
        run: &Run,
        name: &str,
        held: Vec<(DocPath, String)>,
        files: Vec<(DocPath, String)>,
    ) -> Result<Vec<String>, Break> {
        if !is_on(run) || files.iter().any(|(path, _)| path.is_untitled()) {
            return Ok(Vec::new());
        }
        let mut state = self.state.lock().await;
        let copy = match std::mem::take(&mut *state) {
            State::Off => {
                *state = State::Off;
                return Ok(Vec::new());
            }
            State::New => None,
            // Where it came to nothing, that is tried again: it may have been another run's turn.
            State::Begun(working) => run.unless_halted(working).await?.ok().flatten(),
            State::On(copy) => Some(copy),
        };
        let present = present(run, held).await;
        let (workspace, halt) = (Arc::clone(&run.workspace), self.halt.clone());
        let working = tokio::task::spawn_blocking(move || round(&workspace, copy, present, files, halt));
        let Round { copy, report, off, later } = run.unless_halted(working).await?.unwrap_or_else(|_| {
            Round { copy: None, report: None, off: Some("the checks failed inside".to_owned()), later: false }
        });
        if let Some(why) = off {
            run.say(format!("The project's checks are not run before the change: {why}.")).await?;
        }
        let Some(mut copy) = copy else {
            *state = if later { State::New } else { State::Off };
            return Ok(Vec::new());
        };
        let Some(report) = report else {
            *state = State::On(copy);
            return Ok(Vec::new());
        };
        let mut news: Vec<String> = Vec::new();
        for (check, why) in &report.not_checked {
            let line = format!("Not checked with {check} before the change: {why}");
            if copy.told.insert(line.clone()) {
                news.push(line);
            }
        }
        let reasons = if report.is_clean() {
            if !report.checked.is_empty() {
                news.push(format!("{name}: checked with {}.", report.checked.join(", ")));
            }
            copy.baseline = report.into_baseline();
            Ok(Vec::new())
        } else {
            match copy.attempts.entry(name.to_owned()).or_default().note(&report.new, name) {
                Next::Again(errors) => Ok(errors),
                Next::Stop(tried) => Err(Break::Failed(format!(
                    "{name} was not applied: {} reports the same errors each time. Tried: {}",
                    report.checked.join(", "),
                    tried.join("; ")
                ))),
            }
        };
        *state = State::On(copy);
        drop(state);
        for line in news {
            run.say(line).await?;
        }
        reasons
    }
}

/// Whether changes of the run are checked.
fn is_on(run: &Run) -> bool {
    run.settings.pipeline.shadow && run.may_write
}

/// The texts that count instead of those on disk: what is open, and what waits to be written.
async fn present(run: &Run, held: Vec<(DocPath, String)>) -> Overlay {
    let open = run.host.open_texts().await;
    open.into_iter().chain(held).map(|(path, text)| (path, Some(text))).collect()
}

/// One round, on a thread that may block.
fn round(
    workspace: &Workspace,
    copy: Option<Box<Copy>>,
    present: Overlay,
    files: Vec<(DocPath, String)>,
    halt: Halt,
) -> Round {
    let off = |why: String| Round { copy: None, report: None, off: Some(why), later: false };
    let quiet = |later: bool| Round { copy: None, report: None, off: None, later };
    let helper = Helper::this_program();
    let changed: Vec<DocPath> = files.iter().map(|(path, _)| path.clone()).collect();
    let mut copy = match copy {
        Some(copy) => copy,
        None => {
            let checks = quick_checks(workspace);
            if !checks.iter().any(|check| check.concerns(&changed)) {
                return quiet(!checks.is_empty());
            }
            match available(helper.as_ref()) {
                Confinement::Full => {}
                Confinement::Partial(why) | Confinement::None(why) => return off(why),
            }
            match begun(workspace, checks, &present, helper.as_ref(), halt) {
                Ok(copy) => Box::new(copy),
                Err(error) => return off(error.to_string()),
            }
        }
    };
    if !copy.checks.iter().any(|check| check.concerns(&changed)) {
        return Round { copy: Some(copy), report: None, off: None, later: false };
    }
    let mut overlay = present.clone();
    overlay.extend(files.into_iter().map(|(path, text)| (path, Some(text))));
    let mut checked = || {
        let report = copy.look(&overlay, &changed, helper.as_ref())?;
        if report.is_clean() {
            return Ok(report);
        }
        // Since the last look the user may have brought it about: only what the change itself brings counts.
        copy.shadow.sync(&present)?;
        copy.baseline = Baseline::take(&mut copy.shadow, &copy.checks, helper.as_ref())?;
        copy.look(&overlay, &changed, helper.as_ref())
    };
    match checked() {
        Ok(report) => Round { copy: Some(copy), report: Some(report), off: None, later: false },
        Err(error) => off(error.to_string()),
    }
}

/// The checks of the project that are quick enough to run before a change, and whose programs are there.
fn quick_checks(workspace: &Workspace) -> Vec<Check> {
    let root = workspace.root();
    let mut checks = checks::detect(root);
    checks.retain(|check| !check.tool.is_test() && check.tool != Tool::ViteBuild);
    checks.retain(|check| checks::find_program(root, &check.program).is_ok());
    for check in &mut checks {
        check.timeout = check.timeout.min(PATIENCE);
    }
    checks
}

/// A copy of the workspace as it is, with what the checks have against it already.
fn begun(
    workspace: &Workspace,
    checks: Vec<Check>,
    present: &Overlay,
    helper: Option<&Helper>,
    halt: Halt,
) -> Result<Copy, ShadowError> {
    let mut shadow = Shadow::open(workspace, &default_place())?;
    shadow.obey(halt);
    shadow.sync(present)?;
    let baseline = Baseline::take(&mut shadow, &checks, helper)?;
    Ok(Copy { shadow, checks, baseline, attempts: BTreeMap::new(), told: BTreeSet::new() })
}
