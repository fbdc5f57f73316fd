//! The edit blocks of an answer: one change set over all its files, applied when the answer is whole, or not at all. Not at
//! all also means: not while a component of the same answer could not be applied. It is asked for again, and so are they.
//!
//! Hunks look for their places in the present text, so what the user types elsewhere meanwhile does not matter, and what
//! they change in the very place makes the hunk refused. A refusal goes back to the model with the places it may have
//! meant; the line numbers named there hold only as long as the file is the one they were named in.

use std::collections::BTreeMap;

use assist_base::{
    ChangeSet, ChangeSetId, ContentHash, DocPath, EventKind, FileChange, FileEdit, MessageId, Outcome,
};
use assist_store::FileSnapshot;
use assist_syntax::hunks::{self, Edited, Gathered, Nearby, Refused, Why};
use assist_syntax::{Component, Judgement, Language, Verdict, judge_edits};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::host::{Answer, Document, HostError, Question};
use crate::keys;
use crate::pipeline::applier::{self, Applier, Failure};
use crate::pipeline::task::{EDITED, Task};
use crate::prompts;
use crate::run::{Break, Run};
use crate::settings::ApplyMode;

/// How often the places are looked for anew because a file moved on in the very moment.
const MAX_STALE: usize = 5;
/// So many lines of a place are shown to the model.
const SHOWN_LINES: usize = 40;

/// The row shape of the checkpoint of applied edits.
#[derive(Serialize, Deserialize)]
pub(crate) struct EditedRow {
    pub(crate) message: MessageId,
}

/// The edit blocks of the draft that is being read.
#[derive(Default)]
pub(crate) struct Edits {
    blocks: Vec<Component>,
    /// What was refused last, as the model is to be told of it.
    refused: Vec<Value>,
    /// The texts in which line numbers were named to the model.
    numbered: BTreeMap<DocPath, ContentHash>,
}

/// What became of an answer's edits.
pub(crate) enum Put {
    /// They are in place.
    InPlace,
    /// The user did not want them.
    Declined,
    /// None was applied.
    Failed(Vec<Failure>),
}

/// One file of the change set.
struct Plan {
    path: DocPath,
    before: Option<Document>,
    edited: Edited,
    judgement: Judgement,
    name: String,
}

impl Plan {
    /// The imports that the edits leave without a use.
    fn unused(&self) -> Vec<String> {
        match (&self.before, Language::of_path(&self.path)) {
            (Some(before), Some(language)) => hunks::unused(&before.text, &self.edited, language),
            _ => Vec::new(),
        }
    }
}

enum Planned {
    Ready(Vec<Plan>),
    /// All of it is in the files already.
    Done,
    Failed(Vec<Failure>),
}

impl Edits {
    /// The draft is read from its beginning.
    pub(crate) fn begin(&mut self) {
        self.blocks.clear();
    }

    /// One block more.
    pub(crate) fn add(&mut self, block: Component) {
        self.blocks.push(block);
    }

    /// Whether there is none. An answer without edits settles nothing of earlier ones.
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The words that ask for the refused edits again; `None` where none was refused.
    pub(crate) fn repair(&self, marker: &str) -> Option<String> {
        let context = json!({ "refused": self.refused, "id": marker });
        (!self.refused.is_empty()).then(|| prompts::render("edits_repair.md", context))
    }

    /// Whether a failure is of an edit, and so part of [`Edits::repair`].
    pub(crate) fn is_of_edits(failure: &Failure) -> bool {
        failure.name.starts_with(NAME)
    }

    /// Edits that an interrupted run had asked for again.
    pub(crate) fn recall(&mut self, failure: &Failure) {
        let hunk = |reason: &String| json!({ "reason": reason, "places": [] });
        let hunks: Vec<Value> = failure.reasons.iter().map(hunk).collect();
        let path = failure.name.trim_start_matches(NAME);
        self.refused.push(json!({ "path": path, "hunks": hunks }));
    }

    /// Makes none of the edits, because components of the same answer were not applied: together they were one change.
    pub(crate) async fn hold_back(&mut self, run: &Run, lacking: &[String]) -> Result<Vec<Failure>, Break> {
        self.refused.clear();
        let mut paths: Vec<String> = Vec::new();
        for block in &self.blocks {
            let path = block.header.path.as_ref().unwrap_or(&block.header.name);
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        let mut failures = Vec::new();
        for path in paths {
            let why = format!("It goes together with {}, which was not applied.", lacking.join(", "));
            failures.push(self.fail(run, &path, "refused", vec![why], &[]).await?);
        }
        Ok(failures)
    }

    /// Applies the edits of a whole answer.
    pub(crate) async fn apply(
        &mut self,
        run: &Run,
        task: &Task,
        applier: &mut Applier,
        message: MessageId,
        resumed: bool,
    ) -> Result<Put, Break> {
        self.refused.clear();
        if !task.request.intent.may_edit() || !run.may_write {
            return Err(Break::Failed(
                "The answer holds edits, but this request may not change files; nothing was applied."
                    .to_owned(),
            ));
        }
        for _ in 0..MAX_STALE {
            run.check()?;
            let plans = match self.plan(run, task, resumed).await? {
                Planned::Ready(plans) => plans,
                Planned::Done => {
                    self.refused.clear();
                    keep(run, message).await?;
                    return Ok(Put::InPlace);
                }
                Planned::Failed(failures) => return Ok(Put::Failed(failures)),
            };
            let after = plans.iter().map(|plan| (plan.path.clone(), plan.edited.after.clone())).collect();
            let found = run.shadow.check(run, "The edits", Vec::new(), after).await?;
            if let (false, Some(first)) = (found.is_empty(), plans.first()) {
                let path = first.path.clone();
                return Ok(Put::Failed(vec![self.fail(run, path.as_str(), "refused", found, &[]).await?]));
            }
            for plan in &plans {
                let data = json!({
                    "component": plan.name, "path": plan.path, "lines": plan.judgement.lines,
                    "verdict": plan.judgement.verdict.as_str(), "reasons": reasons(&plan.judgement),
                });
                run.emit(EventKind::ComponentVerified, data).await?;
            }
            if !agreed_to(run, task, applier, &plans).await? {
                applier.decline();
                for plan in &plans {
                    let why = vec!["You did not want it.".to_owned()];
                    refuse(run, &plan.name, Some(plan.path.as_str()), "refused", &why).await?;
                }
                return Ok(Put::Declined);
            }
            let set = change_set(run, &plans);
            match put(run, &set, &plans).await? {
                Outcome::Applied { .. } => {
                    keep(run, message).await?;
                    for plan in &plans {
                        applier.note(&plan.path, plan.name.clone());
                        let data = json!({
                            "component": plan.name, "path": plan.path, "lines": lines_of(&plan.edited),
                            "changeSet": set.id,
                        });
                        run.emit(EventKind::ComponentApplied, data).await?;
                        applier::tell_unused(run, &plan.path, &plan.unused()).await?;
                    }
                    return Ok(Put::InPlace);
                }
                Outcome::Stale { .. } => {}
                Outcome::Refused { path, reason } => {
                    return Err(Break::Failed(format!("{path} could not be changed: {reason}")));
                }
            }
        }
        Err(Break::Failed(
            "The edits were not applied: their files kept changing. Ask again when they rest.".to_owned(),
        ))
    }

    /// Finds all places in the present texts and has the gate judge every file.
    async fn plan(&mut self, run: &Run, task: &Task, resumed: bool) -> Result<Planned, Break> {
        let files = match hunks::gather(&self.blocks, Some(&task.marker), task.request.path.as_ref()) {
            Ok(files) => files,
            Err(unusable) => {
                let mut failures = Vec::new();
                for one in unusable {
                    let name =
                        self.blocks.get(one.block).map(|block| block.header.name.clone()).unwrap_or_default();
                    let why = vec![format!("The edit block cannot be used: {}.", one.reason)];
                    failures.push(self.fail(run, &name, "malformed", why, &[]).await?);
                }
                return Ok(Planned::Failed(failures));
            }
        };
        let mut plans = Vec::new();
        let mut failures = Vec::new();
        let (mut done, mut all) = (0, 0);
        for file in files {
            all += file.hunks.len();
            let by_user = task.request.path.as_ref() == Some(&file.path);
            if !by_user && let Some(why) = keys::kept_from_models(run, &file.path).await {
                let why = vec![format!("{} is neither shown nor changed: {why}.", file.path)];
                failures.push(self.fail(run, file.path.as_str(), "refused", why, &[]).await?);
                continue;
            }
            let before = match run.host.read(&file.path).await {
                Ok(document) => Some(document),
                Err(HostError::NotFound(_)) => None,
                Err(error) => {
                    let why = vec![error.to_string()];
                    failures.push(self.fail(run, file.path.as_str(), "refused", why, &[]).await?);
                    continue;
                }
            };
            let text = before.as_ref().map(|document| document.text.as_str());
            let language = Language::of_path(&file.path);
            let hash = before.as_ref().map(|document| document.revision.hash.clone());
            let lines_hold = hash.is_some() && self.numbered.get(&file.path) == hash.as_ref();
            match hunks::edit(text, language, &file.hunks, lines_hold) {
                Ok(edited) => {
                    let judgement = judge_edits(&file.path, text, &edited, file.lines);
                    match judgement.verdict {
                        Verdict::Whole | Verdict::Unverified => {
                            let name = named(&file);
                            plans.push(Plan { path: file.path, before, edited, judgement, name });
                        }
                        verdict => {
                            let why = reasons(&judgement);
                            failures
                                .push(self.fail(run, file.path.as_str(), verdict.as_str(), why, &[]).await?);
                        }
                    }
                }
                Err(refused) => {
                    if let Some(hash) = hash {
                        self.numbered.insert(file.path.clone(), hash);
                    }
                    done += refused.iter().filter(|one| is_done(one)).count();
                    let why = refused.iter().map(|one| sentence(one, &file)).collect();
                    failures.push(self.fail(run, file.path.as_str(), "refused", why, &refused).await?);
                }
            }
        }
        if failures.is_empty() {
            return Ok(Planned::Ready(plans));
        }
        // A crash between the change and its checkpoint: what was to be done is there.
        if resumed && done == all {
            return Ok(Planned::Done);
        }
        let others: Vec<&str> = plans.iter().map(|plan| plan.path.as_str()).collect();
        if let Some(last) = failures.last_mut().filter(|_| !others.is_empty()) {
            last.reasons
                .push(format!("All edits go together, so none of {} was made either", others.join(", ")));
        }
        Ok(Planned::Failed(failures))
    }

    /// Says that a file's edits were refused, to the user now and to the model later.
    async fn fail(
        &mut self,
        run: &Run,
        path: &str,
        verdict: &str,
        reasons: Vec<String>,
        refused: &[Refused],
    ) -> Result<Failure, Break> {
        let name = format!("{NAME}{path}");
        refuse(run, &name, Some(path), verdict, &reasons).await?;
        let hunks: Vec<Value> = match refused {
            [] => reasons.iter().map(|reason| json!({ "reason": reason, "places": [] })).collect(),
            refused => refused
                .iter()
                .zip(&reasons)
                .map(|(one, reason)| {
                    let places: Vec<Value> = one.why.places().iter().map(shown).collect();
                    json!({ "reason": reason, "places": places })
                })
                .collect(),
        };
        self.refused.push(json!({ "path": path, "hunks": hunks }));
        Ok(Failure { name, reasons })
    }
}

/// What a file's edits go by in failures.
const NAME: &str = "The edit of ";

fn named(file: &Gathered) -> String {
    match file.hunks.len() {
        1 => "1 edit".to_owned(),
        several => format!("{several} edits"),
    }
}

fn is_done(refused: &Refused) -> bool {
    matches!(refused.why, Why::Missing { done: Some(_), .. })
}

fn sentence(refused: &Refused, file: &Gathered) -> String {
    if file.hunks.len() == 1 {
        let mut words = refused.why.to_string();
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        return format!("{words}.");
    }
    format!("Hunk {} of {}: {}.", refused.hunk + 1, file.hunks.len(), refused.why)
}

/// A place as the model is shown it.
fn shown(place: &Nearby) -> Value {
    let lines: Vec<&str> = place.text.lines().take(SHOWN_LINES).collect();
    json!({
        "first": place.lines.0, "last": place.lines.1, "within": place.within, "alike": place.alike,
        "text": lines.join("\n"), "cut": place.text.lines().count() > SHOWN_LINES,
    })
}

fn reasons(judgement: &Judgement) -> Vec<String> {
    judgement.reasons.iter().map(ToString::to_string).collect()
}

async fn refuse(
    run: &Run,
    name: &str,
    path: Option<&str>,
    verdict: &str,
    reasons: &[String],
) -> Result<(), Break> {
    let data = json!({ "component": name, "path": path, "verdict": verdict, "reasons": reasons });
    run.emit(EventKind::ComponentRefused, data).await?;
    Ok(())
}

/// The change set is done, whatever happens next.
async fn keep(run: &Run, message: MessageId) -> Result<(), Break> {
    let row = serde_json::to_value(EditedRow { message }).unwrap_or_default();
    run.store().checkpoints().add_ahead(run.id, EDITED, None, row, run.clock().now()).await?;
    Ok(())
}

/// Whether the user agrees, asked once for all files: to files beyond the one that was asked about, to changes outside a
/// selection, to what no judge is sure of, to what is left of an answer of which they declined something, and in preview
/// mode to everything.
async fn agreed_to(run: &Run, task: &Task, applier: &mut Applier, plans: &[Plan]) -> Result<bool, Break> {
    let elsewhere = |plan: &&Plan| {
        (task.request.path.as_ref() != Some(&plan.path) || task.request.selection.is_some())
            && !applier.has_agreed(&plan.path)
    };
    let others: Vec<DocPath> = plans.iter().filter(elsewhere).map(|plan| plan.path.clone()).collect();
    let unsure: Vec<&str> = plans
        .iter()
        .filter(|plan| plan.judgement.verdict == Verdict::Unverified)
        .map(|plan| plan.path.as_str())
        .collect();
    if others.is_empty()
        && unsure.is_empty()
        && run.settings.apply == ApplyMode::Direct
        && !applier.asks_about_all()
        && !applier.was_declined()
    {
        return Ok(true);
    }
    let paths: Vec<&str> = plans.iter().map(|plan| plan.path.as_str()).collect();
    let text = match (unsure.is_empty(), plans) {
        (false, _) => {
            format!("The edits of {} could not be checked. Apply them all the same?", unsure.join(", "))
        }
        (true, _) if applier.was_declined() => {
            format!(
                "You did not want all of this answer. Apply the edits of {} all the same?",
                paths.join(", ")
            )
        }
        (true, [plan]) if plan.before.is_none() => format!("Create {}?", plan.path),
        (true, _) => format!("Apply the edits of {}?", paths.join(", ")),
    };
    let mut detail = String::new();
    for plan in plans {
        for reason in &plan.judgement.reasons {
            detail.push_str(&format!("- {}: {reason}\n", plan.path));
        }
    }
    for plan in plans {
        let before = plan.before.as_ref().map_or("", |document| document.text.as_str());
        let diff = assist_syntax::unified(plan.path.as_str(), before, &plan.edited.after);
        detail.push_str(&format!("\n```diff\n{diff}```\n"));
    }
    let choices = vec!["Apply".to_owned(), "Skip".to_owned()];
    let yes = matches!(
        run.ask(&Question { text, detail: Some(detail), choices, later: false }).await?,
        Answer::Yes
    );
    if yes {
        others.into_iter().for_each(|path| applier.agree(path));
    }
    Ok(yes)
}

/// Copies what is about to change, then has the host apply it.
async fn put(run: &Run, set: &ChangeSet, plans: &[Plan]) -> Result<Outcome, Break> {
    let copies = plans
        .iter()
        .map(|plan| FileSnapshot {
            path: plan.path.clone(),
            before: plan.before.as_ref().map(|document| document.text.clone().into_bytes()),
            after: Some(plan.edited.after.clone().into_bytes()),
        })
        .collect();
    let snapshots = run.store().snapshots();
    snapshots.record(run.id, set.id, copies, run.clock().now()).await?;
    let outcome = run.host.apply(set).await?;
    match outcome {
        Outcome::Applied { .. } => snapshots.mark_applied(set.id).await?,
        // What stays neither applied nor discarded is what a crash left.
        _ => snapshots.discard(set.id).await?,
    }
    Ok(outcome)
}

fn change_set(run: &Run, plans: &[Plan]) -> ChangeSet {
    let change = |plan: &Plan| {
        let edit = match &plan.before {
            None => FileEdit::Create { text: plan.edited.after.clone() },
            Some(document) => {
                FileEdit::Modify { base: document.revision.clone(), edits: plan.edited.edits.clone() }
            }
        };
        FileChange { path: plan.path.clone(), edit }
    };
    ChangeSet {
        id: ChangeSetId::new(),
        run: run.id,
        label: format!("Assist: {}", plans.first().map_or("edits", |plan| plan.path.as_str())),
        files: plans.iter().map(change).collect(),
    }
}

/// First and last line of the new text that the edits made, from 1.
fn lines_of(edited: &Edited) -> (usize, usize) {
    let line_at = |offset: usize| 1 + edited.after[..offset].matches('\n').count();
    let mut shift = 0_isize;
    let (mut first, mut last) = (usize::MAX, 1);
    for edit in &edited.edits {
        let start = edit.range.start.saturating_add_signed(shift);
        shift += edit.text.len() as isize - edit.range.len() as isize;
        first = first.min(line_at(start));
        last = last.max(line_at(start + edit.text.trim_end_matches('\n').len()));
    }
    (first.min(last), last)
}
