//! The stages of a build: ARCHITECT → BUILDER → LINTER → done.
//!
//! A request to build is planned first; then its components are written, those that do not need each other beside each
//! other, and each is applied as soon as it is whole. One that cannot be had leaves out those that need it, and nothing
//! else. Everything is kept as checkpoints, so that going on with the run asks only for what is missing:
//!
//! | checkpoint | after |
//! |---|---|
//! | `answered` | an answer of the architect |
//! | `planned` | a plan, or its change by a split |
//! | `building` | the first call for a component; its text follows in the message |
//! | `linted` | gate and linter have passed a component |
//! | `built` | a component was applied |
//! | `restored` | the run's changes were taken back |

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use assist_base::{ChangeSet, ChangeSetId, DocPath, EventKind, FileChange, FileEdit, MessageId, Outcome};
use assist_syntax::Language;
use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::json;

use crate::ask::Intent;
use crate::host::{Answer, Question};
use crate::orchestrator::{self, Order, Verified};
use crate::pipeline::architect::{self, ANSWERED, AnsweredRow, PLANNED};
use crate::pipeline::assembly::{self, Skeleton, Unfit};
use crate::pipeline::modules;
use crate::pipeline::part::{self, Ended};
use crate::pipeline::plan::{Part, Plan};
use crate::pipeline::site::Site;
use crate::pipeline::task::{BUILDING, BUILT, Draft, DraftRow, RESTORED, Task, begun};
use crate::run::{Break, Run};
use crate::settings::OnFailure;
use crate::undo;

/// How often a skeleton is filled anew because its file moved on in the very moment.
const MAX_STALE: usize = 5;

/// Whether a run goes through the stages: a request to build that is not about a selection, unless the user turned them
/// off. All else is one call.
pub(crate) fn wanted(run: &Run, task: &Task) -> bool {
    task.request.intent == Intent::Build
        && task.request.selection.is_none()
        && run.settings.pipeline.full_pipeline
}

/// Where a component stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    InPlace,
    Failed(String),
    Skipped(String),
}

/// What an interrupted run had.
#[derive(Default)]
struct Kept {
    answers: Vec<String>,
    splits: BTreeMap<String, Vec<String>>,
    plan: Option<Plan>,
    drafts: HashMap<String, Draft>,
    built: BTreeSet<String>,
}

impl Kept {
    async fn load(run: &Run, marker: &str) -> Result<Self, Break> {
        let mut kept = Self::default();
        let mut messages: BTreeMap<String, Vec<MessageId>> = BTreeMap::new();
        for checkpoint in run.store().checkpoints().list(run.id).await? {
            let damaged = |_| Break::Failed("A checkpoint of the run cannot be read; ask again.".to_owned());
            let name = checkpoint.component.clone();
            match checkpoint.stage.as_str() {
                ANSWERED => {
                    let row: AnsweredRow = serde_json::from_value(checkpoint.data).map_err(damaged)?;
                    match name {
                        Some(name) => kept.splits.entry(name).or_default().push(row.raw),
                        None => kept.answers.push(row.raw),
                    }
                }
                PLANNED => {
                    kept.plan = Some(serde_json::from_value(checkpoint.data).map_err(damaged)?);
                    // What a split was made of is in the plan now; what was too long is not wanted any more.
                    for name in std::mem::take(&mut kept.splits).into_keys() {
                        messages.remove(&name);
                    }
                }
                BUILDING => {
                    let row: DraftRow = serde_json::from_value(checkpoint.data).map_err(damaged)?;
                    messages.entry(name.unwrap_or_default()).or_default().push(row.message);
                }
                BUILT => kept.built.extend(name),
                RESTORED => kept.built.clear(),
                _ => {}
            }
        }
        for (name, messages) in messages {
            let texts = begun(run.store(), run.id, &messages, marker).await?;
            let last = messages.into_iter().zip(texts).rfind(|(_, raw)| raw.is_some());
            let Some((message, Some(raw))) = last else { continue };
            let stored_talk = crate::pipeline::task::stored_talk(run.store(), run.id, message).await?;
            kept.drafts.insert(name, Draft { message, raw, handled: 0, edited: false, stored_talk });
        }
        Ok(kept)
    }
}

/// Takes a run through the stages. The paths of the files that were changed are added to `changed`.
pub(crate) async fn through(run: &Run, task: &Task, changed: &mut Vec<String>) -> Result<String, Break> {
    if !run.may_write {
        return Err(Break::Failed(
            "This workspace is not trusted, so nothing can be built in it.".to_owned(),
        ));
    }
    for warning in &run.settings.warnings {
        run.say(warning.clone()).await?;
    }
    run.shadow.begin(run, None).await;
    let mut kept = Kept::load(run, &task.marker).await?;
    let plan = match kept.plan.take() {
        Some(plan) => plan,
        None => architect::plan(run, task, std::mem::take(&mut kept.answers)).await?,
    };
    let site = Arc::new(Site::new(run, plan.clone(), agreed(run, task, &plan, &kept).await?).await?);
    let mut work = Work { run, task, site, kept, states: BTreeMap::new(), changed: BTreeSet::new() };
    let result = work.all().await;
    changed.extend(work.changed.iter().cloned());
    result
}

/// The files that may be changed without a question: the one that was asked about, and those that are the run's own.
async fn agreed(run: &Run, task: &Task, plan: &Plan, kept: &Kept) -> Result<BTreeSet<DocPath>, Break> {
    let mut agreed: BTreeSet<DocPath> = task.request.path.iter().cloned().collect();
    let own = plan.components.iter().filter(|part| kept.built.contains(&part.name));
    agreed.extend(own.map(|part| part.path.clone()));
    for snapshot in run.store().snapshots().list(run.id).await? {
        if snapshot.before.is_none() {
            agreed.insert(snapshot.path);
        }
    }
    Ok(agreed)
}

/// Does `work` while the others go on: they may hold what it waits for. Those that end meanwhile are put into `over`.
async fn beside<T>(
    work: impl Future<Output = T>,
    running: &mut FuturesUnordered<impl Future<Output = (Part, Result<Ended, Break>)>>,
    over: &mut VecDeque<(Part, Result<Ended, Break>)>,
) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(ended) = running.next() => over.push_back(ended),
        }
    }
}

struct Work<'r> {
    run: &'r Run,
    task: &'r Task,
    site: Arc<Site>,
    kept: Kept,
    states: BTreeMap<String, State>,
    changed: BTreeSet<String>,
}

impl Work<'_> {
    async fn all(&mut self) -> Result<String, Break> {
        self.take_stock().await?;
        self.build().await?;
        let missing = self.missing();
        if missing.is_empty() {
            self.changed.extend(self.site.apply_held(self.run).await?);
            let names: Vec<String> =
                self.site.plan().components.iter().map(|part| part.name.clone()).collect();
            if self.site.holds() {
                for part in &self.site.plan().components {
                    let row = json!({});
                    let now = self.run.clock().now();
                    self.run
                        .store()
                        .checkpoints()
                        .add_ahead(self.run.id, BUILT, Some(&part.name), row, now)
                        .await?;
                }
            }
            let verified = self.verify().await?;
            let done = format!("Built {}.{}", names.join(", "), verified.short());
            return if verified.wrong.is_empty() { Ok(done) } else { Err(Break::Failed(done)) };
        }
        self.give_up(missing).await
    }

    /// Has the project's own checks look at the whole, and what they find corrected.
    async fn verify(&mut self) -> Result<Verified, Break> {
        let changed: Vec<String> = self.changed.iter().cloned().collect();
        let order = Order::of_build(self.task.request.title(), changed.clone());
        orchestrator::verify(self.run, &order, &changed).await
    }

    /// Finds out what is in place already.
    async fn take_stock(&mut self) -> Result<(), Break> {
        for part in self.site.plan().components {
            let there =
                self.kept.built.contains(&part.name) && self.site.read(self.run, &part.path).await?.is_some();
            if there {
                self.site.put_in_place(&part);
                self.changed.insert(part.path.to_string());
            }
            self.states.insert(part.name, if there { State::InPlace } else { State::Waiting });
        }
        // A crash may have come between a component and its slot.
        for part in self.site.plan().components.iter().filter(|part| part.is_skeleton()) {
            if self.site.is_in_place(&part.name) {
                self.fill_all(part).await?;
            }
        }
        Ok(())
    }

    /// Writes what is missing, as far as it can be had.
    async fn build(&mut self) -> Result<(), Break> {
        let (run, task) = (self.run, self.task);
        let mut running = FuturesUnordered::new();
        let mut over = VecDeque::new();
        let mut stop = None;
        loop {
            while stop.is_none() && running.len() < run.settings.pipeline.parallel {
                let Some(next) = self.ready() else { break };
                self.states.insert(next.name.clone(), State::Running);
                let site = Arc::clone(&self.site);
                let draft = self.kept.drafts.remove(&next.name);
                let splits = self.kept.splits.remove(&next.name).unwrap_or_default();
                running.push(async move {
                    let ended = part::build(run, task, &site, &next, draft, splits).await;
                    (next, ended)
                });
            }
            // The others come to rest by themselves: told to halt, each keeps what it has received.
            if over.is_empty() {
                over.extend(running.next().await);
            }
            let Some((part, ended)) = over.pop_front() else { break };
            let settled = match ended {
                Ok(ended) => beside(self.settle(&part, ended), &mut running, &mut over).await,
                Err(halt) => Err(halt),
            };
            if let Err(halt) = settled {
                stop.get_or_insert(halt);
            }
        }
        stop.map_or(Ok(()), Err)
    }

    /// Deals with the end of the work on a component.
    async fn settle(&mut self, part: &Part, ended: Ended) -> Result<(), Break> {
        match ended {
            Ended::InPlace => self.in_place(part).await,
            Ended::Failed(reason) => self.failed(part, reason).await,
            Ended::Split(parts) => match self.site.plan().split(&part.name, parts) {
                Ok(plan) => {
                    architect::save(self.run, &plan).await?;
                    for part in &plan.components {
                        self.states.entry(part.name.clone()).or_insert(State::Waiting);
                    }
                    self.states.insert(part.name.clone(), State::Waiting);
                    self.site.set_plan(plan);
                    Ok(())
                }
                Err(reasons) => self.failed(part, reasons.join(" ")).await,
            },
        }
    }

    /// The next component whose turn it is. A skeleton comes before what it shows, so that each component can be checked
    /// where it will stand; one that cannot be had keeps nothing back.
    fn ready(&self) -> Option<Part> {
        let is = |name: &str, state: &State| self.states.get(name) == Some(state);
        let plan = self.site.plan();
        let is_coming = |name: &str| is(name, &State::Waiting) || is(name, &State::Running);
        let shown_in = |part: &Part| {
            let mut skeletons = plan.components.iter().filter(|other| other.is_skeleton());
            skeletons.any(|other| other.dependencies.contains(&part.name) && is_coming(&other.name))
        };
        let turn = plan.components.iter().find(|part| {
            let needs = part.waits_for();
            is(&part.name, &State::Waiting)
                && needs.iter().all(|name| is(name, &State::InPlace))
                && !shown_in(part)
        });
        turn.cloned()
    }

    async fn in_place(&mut self, part: &Part) -> Result<(), Break> {
        self.states.insert(part.name.clone(), State::InPlace);
        if !self.site.holds() {
            self.changed.insert(part.path.to_string());
        }
        let data = json!({ "agent": "builder", "component": part.name });
        self.run.emit(EventKind::AgentCompleted, data).await?;
        if part.is_skeleton() {
            self.fill_all(part).await?;
        }
        let plan = self.site.plan();
        let takers = plan
            .components
            .iter()
            .filter(|other| other.is_skeleton() && other.dependencies.contains(&part.name));
        for skeleton in takers {
            if self.site.is_in_place(&skeleton.name) {
                self.fill(skeleton, part).await?;
            }
        }
        Ok(())
    }

    /// Leaves out all that need `part`, directly or not.
    async fn failed(&mut self, part: &Part, reason: String) -> Result<(), Break> {
        let data = json!({ "agent": "builder", "component": part.name, "reason": reason });
        self.run.emit(EventKind::AgentFailed, data).await?;
        self.states.insert(part.name.clone(), State::Failed(reason));
        let plan = self.site.plan();
        let mut gone = vec![part.name.clone()];
        while let Some(name) = gone.pop() {
            for other in plan.components.iter().filter(|other| other.waits_for().contains(&name)) {
                if self.states.get(&other.name) != Some(&State::Waiting) {
                    continue;
                }
                let reason = format!("it needs {name}, which is missing");
                let data = json!({ "agent": "builder", "component": other.name, "reason": reason });
                self.run.emit(EventKind::AgentFailed, data).await?;
                self.states.insert(other.name.clone(), State::Skipped(name.clone()));
                gone.push(other.name.clone());
            }
        }
        Ok(())
    }

    async fn fill_all(&mut self, skeleton: &Part) -> Result<(), Break> {
        let plan = self.site.plan();
        for part in skeleton.dependencies.iter().filter_map(|name| plan.part(name)) {
            if self.site.is_in_place(&part.name) {
                self.fill(skeleton, part).await?;
            }
        }
        Ok(())
    }

    /// Puts a component that is in place into a skeleton that is.
    async fn fill(&mut self, skeleton: &Part, part: &Part) -> Result<(), Break> {
        let run = self.run;
        let (Some(language), Some(of_part)) = (
            Language::of_path(&skeleton.path),
            Language::of_path(&part.path).or(Language::of_path(&skeleton.path)),
        ) else {
            return Ok(());
        };
        let _turn = Arc::clone(&self.site.turn).lock_owned().await;
        for _ in 0..MAX_STALE {
            run.check()?;
            let (Some(document), Some(component)) =
                (self.site.read(run, &skeleton.path).await?, self.site.read(run, &part.path).await?)
            else {
                return Ok(());
            };
            let exports = assist_syntax::exports(&component.text, of_part);
            let project = modules::project(run, Some(&self.site), &skeleton.path).await;
            let view = Skeleton { path: &skeleton.path, text: &document.text, language, project: &project };
            let (edits, after) = match assembly::fill(&view, part, &exports) {
                Ok(filled) => filled,
                // It was filled before, or the user took the slot out.
                Err(Unfit::NoSlot) => return Ok(()),
                Err(Unfit::Wrong(why)) => return self.unfit(skeleton, part, why).await,
            };
            // A slot may carry code that only the project's own checks can find wrong.
            let name = format!("{} in {}", part.name, skeleton.name);
            let shown = vec![(skeleton.path.clone(), after.clone())];
            let found = match run.shadow.check(run, &name, self.site.held_texts(), shown).await {
                Err(Break::Failed(why)) => vec![why],
                found => found?,
            };
            if !found.is_empty() {
                return self.unfit(skeleton, part, found.join("; ")).await;
            }
            let edit = FileEdit::Modify { base: document.revision.clone(), edits };
            let set = ChangeSet {
                id: ChangeSetId::new(),
                run: run.id,
                label: format!("Assist: {} in {}", part.name, skeleton.name),
                files: vec![FileChange { path: skeleton.path.clone(), edit }],
            };
            match self.site.put(run, &set, &skeleton.path, Some(&document), &after).await? {
                Outcome::Applied { .. } => {
                    run.say(format!("{} stands in {} now", part.name, skeleton.path)).await?;
                    return Ok(());
                }
                Outcome::Stale { .. } => {}
                Outcome::Refused { path, reason } => {
                    return Err(Break::Failed(format!("{path} could not be changed: {reason}")));
                }
            }
        }
        Err(Break::Failed(format!(
            "{} was not put into {}: the file kept changing. `assist resume {}` goes on when it rests.",
            part.name,
            skeleton.path,
            run.id.short()
        )))
    }

    /// Notes that a component which is there cannot be shown.
    async fn unfit(&mut self, skeleton: &Part, part: &Part, why: String) -> Result<(), Break> {
        let reason = format!(
            "it is written, but could not be put into {}: {why}; correct its slot there",
            skeleton.path
        );
        let data = json!({ "agent": "linter", "component": part.name, "reason": reason });
        self.states.insert(part.name.clone(), State::Failed(reason));
        self.run.emit(EventKind::AgentFailed, data).await?;
        Ok(())
    }

    /// What is not there, in the order of the plan, with why.
    fn missing(&self) -> Vec<String> {
        let plan = self.site.plan();
        let sentence = |part: &Part| match self.states.get(&part.name) {
            Some(State::Failed(reason)) => {
                Some(format!("{} is missing: {}", part.name, reason.trim_end_matches('.')))
            }
            Some(State::Skipped(needs)) => Some(format!("{} was left out: it needs {needs}", part.name)),
            _ => None,
        };
        plan.components.iter().filter_map(sentence).collect()
    }

    /// Something is missing: the user says what becomes of the rest.
    async fn give_up(&mut self, missing: Vec<String>) -> Result<String, Break> {
        let run = self.run;
        let all = self.site.plan().components.len();
        let whole = self.states.values().filter(|state| **state == State::InPlace).count();
        let missing = missing.join(". ");
        let again = format!("`assist resume {}` asks for what is missing", run.id.short());
        if self.site.holds() || self.changed.is_empty() {
            return Err(Break::Failed(format!("{missing}. Nothing was applied. {again}.")));
        }
        let restore = match run.settings.pipeline.on_failure {
            OnFailure::Keep => false,
            OnFailure::Restore => true,
            OnFailure::Ask => {
                let question = Question {
                    text: format!("{whole} of {all} components are in place. Keep them?"),
                    detail: Some(format!("{missing}.\n")),
                    choices: vec!["Keep what is whole".to_owned(), "Restore the files".to_owned()],
                    later: false,
                };
                run.ask(&question).await? == Answer::No
            }
        };
        if !restore {
            return Err(Break::Failed(format!(
                "{missing}. The other {whole} of {all} components are in place. {again}."
            )));
        }
        let undone = undo::take_back(run.store(), run.clock(), run.id, run.host.as_ref())
            .await
            .map_err(|error| Break::Failed(format!("{missing}. The files could not be restored: {error}")))?;
        run.store().checkpoints().add(run.id, RESTORED, None, json!({}), run.clock().now()).await?;
        self.changed.retain(|path| undone.conflicts.iter().any(|left| left.as_str() == path));
        Err(Break::Failed(format!("{missing}. {} {again}.", undone.summary())))
    }
}
