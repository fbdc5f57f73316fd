//! Puts one component in its place: placed, judged, asked about where needed, copied, applied, checkpointed.

use std::collections::BTreeMap;
use std::sync::Arc;

use assist_base::{
    ByteRange, ChangeSet, ChangeSetId, DocPath, EventKind, FileChange, FileEdit, MessageId, Outcome, Revision,
};
use assist_store::SnapshotKind;
use assist_syntax::{Candidate, Component, Judgement, Language, Placement, Target, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::host::{self, Answer, Document, HostError, Question, Rebased};
use crate::keys;
use crate::pipeline::assembly::{self, Skeleton};
use crate::pipeline::linter;
use crate::pipeline::modules;
use crate::pipeline::site::{self, Assignment};
use crate::pipeline::task::{BUILT, COMPONENT, ComponentRow, LINTED, Task};
use crate::run::{Break, Run};
use crate::settings::ApplyMode;

/// How often a component is placed anew because its file moved on in the very moment.
const MAX_STALE: usize = 5;

/// How often the checks of what shows a component send it back; after that it is in its place, and its slot stays empty.
const MAX_UNFIT: usize = 2;

/// What became of a component.
pub(crate) enum Applied {
    /// It is in place.
    InPlace,
    /// The user did not want it.
    Declined,
    /// It cannot be applied as it is.
    Failed(Failure),
    /// The user changed the text it was to replace.
    Touched(Option<ByteRange>),
}

/// Why a component cannot be applied, in words that help the model mend it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) name: String,
    pub(crate) reasons: Vec<String>,
}

/// Applies a run's components, one after another.
#[derive(Default)]
pub(crate) struct Applier {
    /// The names that were applied, by file.
    changed: BTreeMap<String, Vec<String>>,
    /// Files the user agreed to beyond the one that was asked about.
    agreed: Vec<DocPath>,
    declined: usize,
    ask_all: bool,
    /// The last component placed in each file: a new one goes behind it.
    last: BTreeMap<DocPath, String>,
    /// The component of a plan that this is about, where it is about one.
    assignment: Option<Assignment>,
}

/// Where a component goes, before anything is asked or written.
struct Plan {
    path: DocPath,
    before: Option<Document>,
    placement: Placement,
    judgement: Judgement,
    selection: bool,
}

enum Planned {
    Ready(Box<Plan>),
    Failed(Vec<String>),
    Touched(Option<ByteRange>, Revision),
    /// The text moved on while it was looked at.
    Stale,
}

impl Applier {
    /// An applier of what was confirmed: these files are not asked about.
    pub(crate) fn agreed_on(files: Vec<DocPath>) -> Self {
        Self { agreed: files, ..Self::default() }
    }

    /// Whether every change is shown first, whatever the settings say.
    pub(crate) fn ask_about_all(&mut self, all: bool) {
        self.ask_all = all;
    }

    /// Whether every change is shown first.
    pub(crate) fn asks_about_all(&self) -> bool {
        self.ask_all
    }

    /// Whether the user did not want something.
    pub(crate) fn was_declined(&self) -> bool {
        self.declined > 0
    }

    /// Applies one component of a plan, and nothing else.
    pub(crate) fn assigned(assignment: Assignment) -> Self {
        Self { assignment: Some(assignment), ..Self::default() }
    }

    /// The component of a plan that this is about, and what became of it.
    pub(crate) fn assignment(&self) -> Option<&Assignment> {
        self.assignment.as_ref()
    }

    /// The files that were changed.
    pub(crate) fn changed(&self) -> Vec<String> {
        self.changed.keys().cloned().collect()
    }

    /// One sentence about what was done.
    pub(crate) fn summary(&self) -> String {
        if self.changed.is_empty() {
            return if self.declined > 0 { "Nothing was changed." } else { "Answered." }.to_owned();
        }
        let files: Vec<_> =
            self.changed.iter().map(|(path, names)| format!("{} in {path}", names.join(", "))).collect();
        format!("Applied {}.", files.join("; "))
    }

    /// A file was changed by something else than a component.
    pub(crate) fn note(&mut self, path: &DocPath, name: String) {
        self.changed.entry(path.to_string()).or_default().push(name);
    }

    /// The user did not want something.
    pub(crate) fn decline(&mut self) {
        self.declined += 1;
    }

    /// Whether the user agreed to changes of a file beyond the one that was asked about.
    pub(crate) fn has_agreed(&self, path: &DocPath) -> bool {
        self.agreed.contains(path)
    }

    /// The user agreed to changes of a file beyond the one that was asked about.
    pub(crate) fn agree(&mut self, path: DocPath) {
        self.agreed.push(path);
    }

    /// Deals with one component of the message `message`, the `position`th in it.
    pub(crate) async fn apply(
        &mut self,
        run: &Run,
        task: &mut Task,
        component: &Component,
        message: MessageId,
        position: usize,
    ) -> Result<Applied, Break> {
        let name = component.header.name.clone();
        let admitted;
        let mut component = component;
        let mut turn = None;
        if let Some(assignment) = &mut self.assignment {
            match assignment.admit(component) {
                Ok(dressed) => admitted = dressed,
                Err(reason) => {
                    let path = component.header.path.as_deref();
                    self.refuse(run, &name, path, "refused", vec![reason]).await?;
                    // What to do about it is decided when the whole answer is read.
                    return Ok(Applied::Declined);
                }
            }
            component = &admitted;
            turn = Some(Arc::clone(&assignment.site.turn).lock_owned().await);
        }
        let _turn = turn;
        for _ in 0..MAX_STALE {
            run.check()?;
            let plan = match self.plan(run, task, component).await? {
                Planned::Ready(plan) => plan,
                Planned::Failed(reasons) => {
                    return self
                        .refuse(run, &name, component.header.path.as_deref(), "refused", reasons)
                        .await;
                }
                Planned::Touched(range, revision) => {
                    task.touched = Some(revision);
                    return Ok(Applied::Touched(range));
                }
                Planned::Stale => continue,
            };
            let verdict = plan.judgement.verdict;
            let reasons: Vec<_> = plan.judgement.reasons.iter().map(ToString::to_string).collect();
            match verdict {
                Verdict::Whole | Verdict::Unverified => {}
                verdict => {
                    return self
                        .refuse(run, &name, Some(plan.path.as_str()), verdict.as_str(), reasons)
                        .await;
                }
            }
            if let Some(reasons) = self.lint(run, &plan).await? {
                return self.refuse(run, &name, Some(plan.path.as_str()), "malformed", reasons).await;
            }
            let held = self.assignment.as_ref().map(|it| it.site.held_texts()).unwrap_or_default();
            let mut after = vec![(plan.path.clone(), plan.placement.after.clone())];
            let shown = self.shown(run, &plan).await?;
            after.extend(shown.iter().map(|(path, text, _)| (path.clone(), text.clone())));
            let mut found = run.shadow.check(run, &name, held, after).await?;
            if !found.is_empty() {
                if let Some(assignment) = self.assignment.as_mut().filter(|_| !shown.is_empty()) {
                    assignment.unfit += 1;
                    found.extend(shown.into_iter().map(|(path, _, usage)| {
                        format!("It was checked where it is to stand: {path} has `{usage}` for it.")
                    }));
                }
                return self.refuse(run, &name, Some(plan.path.as_str()), "refused", found).await;
            }
            let data = json!({
                "component": name, "path": plan.path, "lines": plan.judgement.lines, "verdict": verdict.as_str(),
                "reasons": reasons,
            });
            run.emit(EventKind::ComponentVerified, data).await?;
            if !self.agreed_to(run, task, &name, &plan).await? {
                self.declined += 1;
                if let Some(assignment) = &mut self.assignment {
                    assignment.declined = true;
                }
                let data = json!({
                    "component": name, "path": plan.path, "verdict": "refused", "reasons": ["You did not want it."],
                });
                run.emit(EventKind::ComponentRefused, data).await?;
                return Ok(Applied::Declined);
            }
            let set = change_set(run, &name, &plan);
            match self.put(run, &set, &plan).await? {
                Outcome::Applied { .. } => {
                    let done = ComponentRow { message, handled: position, selection: plan.selection };
                    self.applied(run, task, &name, &set, &plan, done).await?;
                    return Ok(Applied::InPlace);
                }
                Outcome::Stale { .. } => {}
                Outcome::Refused { path, reason } => {
                    return Err(Break::Failed(format!("{path} could not be changed: {reason}")));
                }
            }
        }
        Err(Break::Failed(format!(
            "{name} was not applied: its file kept changing. Ask again when it rests."
        )))
    }

    /// The skeletons that are there and show the component of a plan, as they will be with it, and what of it they show. None
    /// where that was tried too often: then it is checked alone, and the skeleton keeps its slot.
    async fn shown(&self, run: &Run, plan: &Plan) -> Result<Vec<(DocPath, String, String)>, Break> {
        let Some(assignment) = self.assignment.as_ref().filter(|it| it.unfit < MAX_UNFIT) else {
            return Ok(Vec::new());
        };
        let (site, part) = (&assignment.site, &assignment.part);
        let mut shown = Vec::new();
        for skeleton in site.plan().components.iter().filter(|other| other.is_skeleton()) {
            let takes = skeleton.dependencies.contains(&part.name) && site.is_in_place(&skeleton.name);
            let Some(language) = Language::of_path(&skeleton.path).filter(|_| takes) else { continue };
            let Some(document) = site.read(run, &skeleton.path).await? else { continue };
            let exports = Language::of_path(&plan.path).unwrap_or(language);
            let exports = assist_syntax::exports(&plan.placement.after, exports);
            let project = modules::project(run, Some(site), &skeleton.path).await;
            let view = Skeleton { path: &skeleton.path, text: &document.text, language, project: &project };
            if let Ok((_, text)) = assembly::fill(&view, part, &exports) {
                let usage = assembly::usages(&document.text, part).join("` and `");
                shown.push((skeleton.path.clone(), text, usage));
            }
        }
        Ok(shown)
    }

    /// What stands against a component, without telling anyone or changing anything: as it would be judged by
    /// [`Applier::apply`], but for the project's own checks.
    pub(crate) async fn trial(
        &mut self,
        run: &Run,
        task: &Task,
        component: &Component,
    ) -> Result<Vec<String>, Break> {
        let component = match self.assignment.as_mut().map(|assignment| assignment.admit(component)) {
            Some(Ok(dressed)) => dressed,
            Some(Err(reason)) => return Ok(vec![reason]),
            None => component.clone(),
        };
        let plan = match self.plan(run, task, &component).await? {
            Planned::Ready(plan) => plan,
            Planned::Failed(reasons) => return Ok(reasons),
            Planned::Touched(..) | Planned::Stale => {
                return Ok(vec!["Its file is being changed.".to_owned()]);
            }
        };
        if !matches!(plan.judgement.verdict, Verdict::Whole | Verdict::Unverified) {
            return Ok(plan.judgement.reasons.iter().map(ToString::to_string).collect());
        }
        let Some(Assignment { site, part, .. }) = &self.assignment else { return Ok(Vec::new()) };
        let before = plan.before.as_ref().map_or("", |document| document.text.as_str());
        Ok(linter::check(run, site, part, before, &plan.placement.after).await?)
    }

    /// What the linter has against a component of a plan, if anything.
    async fn lint(&self, run: &Run, plan: &Plan) -> Result<Option<Vec<String>>, Break> {
        let Some(assignment) = &self.assignment else { return Ok(None) };
        let (site, part) = (&assignment.site, &assignment.part);
        let data = json!({ "agent": "linter", "component": part.name });
        run.emit(EventKind::AgentStarted, data.clone()).await?;
        let before = plan.before.as_ref().map_or("", |document| document.text.as_str());
        let reasons = linter::check(run, site, part, before, &plan.placement.after).await?;
        if reasons.is_empty() {
            run.store()
                .checkpoints()
                .add_ahead(run.id, LINTED, Some(&part.name), json!({}), run.clock().now())
                .await?;
            run.emit(EventKind::AgentCompleted, data).await?;
            return Ok(None);
        }
        let data = json!({ "agent": "linter", "component": part.name, "reason": reasons.join(" ") });
        run.emit(EventKind::AgentFailed, data).await?;
        Ok(Some(reasons))
    }

    /// Reads the present text and finds the component's place in it.
    async fn plan(&self, run: &Run, task: &Task, component: &Component) -> Result<Planned, Break> {
        if !component.ended {
            return Ok(Planned::Failed(vec!["It was not ended before the next component began.".to_owned()]));
        }
        if !task.request.intent.may_edit() || !run.may_write {
            return Err(Break::Failed(
                "The answer holds code, but this request may not change files; nothing was applied."
                    .to_owned(),
            ));
        }
        let path = match (&component.header.path, &task.request.path) {
            (Some(path), Some(asked)) if path == asked.as_str() => asked.clone(),
            (Some(path), _) => match DocPath::relative(path) {
                Ok(path) => path,
                Err(error) => return Ok(Planned::Failed(vec![format!("Its path cannot be used: {error}.")])),
            },
            (None, Some(asked)) => asked.clone(),
            (None, None) => return Ok(Planned::Failed(vec!["It needs a path.".to_owned()])),
        };
        let read = match &self.assignment {
            Some(assignment) => assignment.site.read(run, &path).await,
            None => run.host.read(&path).await.map(Some),
        };
        let before = match read {
            Ok(document) => document,
            Err(HostError::NotFound(_)) => None,
            Err(error) => return Ok(Planned::Failed(vec![error.to_string()])),
        };
        if before.is_some()
            && task.request.path.as_ref() != Some(&path)
            && let Some(why) = keys::kept_from_models(run, &path).await
        {
            return Ok(Planned::Failed(vec![format!("{path} is neither shown nor changed: {why}.")]));
        }
        let text = before.as_ref().map_or("", |document| document.text.as_str());
        let mut target = if before.is_some() { Target::Named } else { Target::NewFile };
        let mut selection = false;
        if let (Some(range), Some(base)) = (task.request.selection, &task.request.revision)
            && task.request.path.as_ref() == Some(&path)
            && task.target.as_ref() == Some(&component.header.name)
        {
            match run.host.rebase(&path, range, base).await? {
                // The range must be of the very text that was read: the user may have typed in between.
                Rebased::Moved { revision, .. }
                    if before.as_ref().is_none_or(|read| read.revision.hash != revision.hash) =>
                {
                    return Ok(Planned::Stale);
                }
                Rebased::Moved { range, .. } => target = Target::Selection(range),
                Rebased::Touched { range, revision } => return Ok(Planned::Touched(range, revision)),
            }
            selection = true;
        }
        // The text may tell more than the name: a new file's is the component's.
        let known = if text.trim().is_empty() { component.code.as_str() } else { text };
        let id = before.as_ref().and_then(|document| document.language_id.as_deref());
        let language = host::language(&path, known, id);
        let predecessor = self.last.get(&path).map(String::as_str);
        let site = self.assignment.as_ref().map(|assignment| assignment.site.as_ref());
        let project = modules::project(run, site, &path).await;
        let placed = assist_syntax::place_in(text, language, component, &target, predecessor, &project);
        let placement = match placed {
            Ok(placement) => placement,
            Err(error) => return Ok(Planned::Failed(vec![error.to_string()])),
        };
        let judgement = assist_syntax::judge(&Candidate {
            component,
            language,
            before: before.as_ref().map(|document| document.text.as_str()),
            placement: &placement,
            top_level: !selection,
            complete_stream: true,
        });
        Ok(Planned::Ready(Box::new(Plan { path, before, placement, judgement, selection })))
    }

    /// Whether the user agrees: to a file beyond the one that was asked about, to what no judge is sure of, and in preview
    /// mode to everything.
    async fn agreed_to(&mut self, run: &Run, task: &Task, name: &str, plan: &Plan) -> Result<bool, Break> {
        let elsewhere = match &self.assignment {
            // The plan is what was asked for; only files that are there already are somebody's.
            Some(assignment) => plan.before.is_some() && !assignment.site.may_change(&plan.path),
            None => task.request.path.as_ref() != Some(&plan.path) && !self.agreed.contains(&plan.path),
        };
        let unsure = plan.judgement.verdict == Verdict::Unverified;
        if !elsewhere && !unsure && run.settings.apply == ApplyMode::Direct && !self.ask_all {
            return Ok(true);
        }
        let before = plan.before.as_ref().map_or("", |document| document.text.as_str());
        let text = match (&plan.before, unsure) {
            (_, true) => format!("{name} in {} could not be checked. Apply it all the same?", plan.path),
            (None, _) => format!("Create {}?", plan.path),
            (Some(_), _) if elsewhere => format!("Also change {name} in {}?", plan.path),
            (Some(_), _) => format!("Apply {name} in {}?", plan.path),
        };
        let mut detail = String::new();
        for reason in &plan.judgement.reasons {
            detail.push_str(&format!("- {}\n", reason));
        }
        let diff = assist_syntax::unified(plan.path.as_str(), before, &plan.placement.after);
        detail.push_str(&format!("\n```diff\n{diff}```\n"));
        let choices = vec!["Apply".to_owned(), "Skip".to_owned()];
        let question = Question { text, detail: Some(detail), choices, later: false };
        let yes = matches!(run.ask(&question).await?, Answer::Yes | Answer::Partly { .. });
        if yes && elsewhere {
            match &self.assignment {
                Some(assignment) => assignment.site.agree(&plan.path),
                None => self.agreed.push(plan.path.clone()),
            }
        }
        Ok(yes)
    }

    /// Copies what is about to change, then has the host apply it.
    async fn put(&self, run: &Run, set: &ChangeSet, plan: &Plan) -> Result<Outcome, Break> {
        let (before, after) = (plan.before.as_ref(), plan.placement.after.as_str());
        match &self.assignment {
            // A run that was interrupted in the very moment finds its own work.
            Some(_) if before.is_some_and(|document| document.text == after) => {
                Ok(Outcome::Applied { revisions: Vec::new() })
            }
            Some(assignment) => assignment.site.put(run, set, &plan.path, before, after).await,
            None => site::put(run, set, &plan.path, before, after).await,
        }
    }

    async fn applied(
        &mut self,
        run: &Run,
        task: &mut Task,
        name: &str,
        set: &ChangeSet,
        plan: &Plan,
        done: ComponentRow,
    ) -> Result<(), Break> {
        if plan.selection {
            // The selection has been replaced; what else comes for this file goes by name.
            task.request.selection = None;
            task.selected = None;
        }
        self.changed.entry(plan.path.to_string()).or_default().push(name.to_owned());
        self.last.insert(plan.path.clone(), name.to_owned());
        let row = serde_json::to_value(done).unwrap_or_default();
        let stage = if self.assignment.is_some() { BUILT } else { COMPONENT };
        if let Some(assignment) = &mut self.assignment {
            assignment.in_place = true;
            assignment.site.put_in_place(&assignment.part);
            if assignment.site.holds() {
                return Ok(());
            }
        }
        let at =
            run.store().checkpoints().add_ahead(run.id, stage, Some(name), row, run.clock().now()).await?;
        run.keep_state(SnapshotKind::Checkpoint, name, Some(at), self.last.keys()).await;
        let lines = lines_of(&plan.placement);
        let data = json!({ "component": name, "path": plan.path, "lines": lines, "changeSet": set.id });
        run.emit(EventKind::ComponentApplied, data).await?;
        tell_unused(run, &plan.path, &plan.placement.unused).await
    }

    async fn refuse(
        &self,
        run: &Run,
        name: &str,
        path: Option<&str>,
        verdict: &str,
        reasons: Vec<String>,
    ) -> Result<Applied, Break> {
        let data = json!({ "component": name, "path": path, "verdict": verdict, "reasons": reasons });
        run.emit(EventKind::ComponentRefused, data).await?;
        Ok(Applied::Failed(Failure { name: name.to_owned(), reasons }))
    }
}

/// Names the imports of a file that a change left without a use. They stay: they may have effects.
pub(crate) async fn tell_unused(run: &Run, path: &DocPath, unused: &[String]) -> Result<(), Break> {
    let [first, rest @ ..] = unused else { return Ok(()) };
    let names = rest.iter().fold(format!("`{first}`"), |names, name| format!("{names}, `{name}`"));
    let verb = if rest.is_empty() { "is" } else { "are" };
    run.say(format!("{names} {verb} still imported in {path} but no longer used there")).await?;
    Ok(())
}

/// The first and last line of the file that the component now takes up, from 1.
fn lines_of(placement: &Placement) -> (usize, usize) {
    let line_at = |offset: usize| 1 + placement.after[..offset].matches('\n').count();
    let ByteRange { start, end } = placement.inserted;
    let first = line_at(start);
    let ends_line = placement.after[start..end].ends_with('\n');
    (first, line_at(end).saturating_sub(usize::from(ends_line)).max(first))
}

fn change_set(run: &Run, name: &str, plan: &Plan) -> ChangeSet {
    let edit = match &plan.before {
        None => FileEdit::Create { text: plan.placement.after.clone() },
        Some(document) => {
            let base: Revision = document.revision.clone();
            FileEdit::Modify { base, edits: plan.placement.edits.clone() }
        }
    };
    ChangeSet {
        id: ChangeSetId::new(),
        run: run.id,
        label: format!("Assist: {name}"),
        files: vec![FileChange { path: plan.path.clone(), edit }],
    }
}
