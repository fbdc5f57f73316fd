//! Where a plan is built: what all the components of one run share while they are written beside each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use assist_base::{ChangeSet, ChangeSetId, DocPath, FileChange, FileEdit, Outcome};
use assist_store::FileSnapshot;
use assist_syntax::{Block, Component};

use crate::host::{Document, HostError};
use crate::pipeline::plan::{MAX_LINES, Part, Plan};
use crate::run::{Break, Run, lock};

/// What one run is building.
pub(crate) struct Site {
    plan: Mutex<Plan>,
    /// Existing files that may be changed.
    agreed: Mutex<BTreeSet<DocPath>>,
    /// The components that are in place.
    in_place: Mutex<BTreeSet<String>>,
    /// Held by whoever places, judges and applies: the text must not change under it by our own doing.
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
    /// What is to be applied at the end, where nothing is applied before everything is whole.
    held: Option<Mutex<BTreeMap<DocPath, Held>>>,
}

/// A file that waits for the end.
struct Held {
    before: Option<Document>,
    text: String,
}

impl Site {
    /// A site for `plan`. Files that are there already may be changed only if they are among `agreed`, or after a question.
    pub(crate) async fn new(run: &Run, plan: Plan, agreed: BTreeSet<DocPath>) -> Result<Self, Break> {
        Ok(Self {
            plan: Mutex::new(plan),
            agreed: Mutex::new(agreed),
            in_place: Mutex::default(),
            turn: Arc::default(),
            held: (!run.settings.pipeline.chunking).then(Mutex::default),
        })
    }

    /// The plan as it is now.
    pub(crate) fn plan(&self) -> Plan {
        lock(&self.plan).clone()
    }

    pub(crate) fn set_plan(&self, plan: Plan) {
        *lock(&self.plan) = plan;
    }

    pub(crate) fn may_change(&self, path: &DocPath) -> bool {
        lock(&self.agreed).contains(path)
    }

    pub(crate) fn agree(&self, path: &DocPath) {
        lock(&self.agreed).insert(path.clone());
    }

    pub(crate) fn is_in_place(&self, name: &str) -> bool {
        lock(&self.in_place).contains(name)
    }

    pub(crate) fn put_in_place(&self, part: &Part) {
        self.agree(&part.path);
        lock(&self.in_place).insert(part.name.clone());
    }

    /// The text of a file as the run sees it: what waits for the end counts as written.
    pub(crate) async fn read(&self, run: &Run, path: &DocPath) -> Result<Option<Document>, HostError> {
        if let Some(held) = &self.held
            && let Some(waiting) = lock(held).get(path)
        {
            let revision = assist_base::Revision::of_file(&waiting.text);
            return Ok(Some(Document::of_file(waiting.text.clone(), revision)));
        }
        match run.host.read(path).await {
            Ok(document) => Ok(Some(document)),
            Err(HostError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Applies a change of one file, or keeps it for the end.
    pub(crate) async fn put(
        &self,
        run: &Run,
        set: &ChangeSet,
        path: &DocPath,
        before: Option<&Document>,
        after: &str,
    ) -> Result<Outcome, Break> {
        let Some(held) = &self.held else { return put(run, set, path, before, after).await };
        lock(held)
            .entry(path.clone())
            .and_modify(|waiting| waiting.text = after.to_owned())
            .or_insert_with(|| Held { before: before.cloned(), text: after.to_owned() });
        Ok(Outcome::Applied { revisions: Vec::new() })
    }

    /// The texts that wait for the end.
    pub(crate) fn held_texts(&self) -> Vec<(DocPath, String)> {
        let texts = |held: &Mutex<BTreeMap<DocPath, Held>>| {
            lock(held).iter().map(|(path, waiting)| (path.clone(), waiting.text.clone())).collect()
        };
        self.held.as_ref().map(texts).unwrap_or_default()
    }

    /// Whether changes wait for the end.
    pub(crate) fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Applies everything that waited, in one change set. What the user did to the same files meanwhile is merged.
    pub(crate) async fn apply_held(&self, run: &Run) -> Result<Vec<String>, Break> {
        let Some(held) = &self.held else { return Ok(Vec::new()) };
        let waiting = std::mem::take(&mut *lock(held));
        let label = "Assist: build".to_owned();
        let mut set = ChangeSet { id: ChangeSetId::new(), run: run.id, label, files: Vec::new() };
        let mut copies = Vec::new();
        for (path, Held { before, text }) in waiting {
            let now = match run.host.read(&path).await {
                Ok(document) => Some(document),
                Err(HostError::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            };
            let clash = || {
                Break::Failed(format!(
                    "You changed {path} in the same places while Assist was building; nothing was applied. Ask again."
                ))
            };
            let (edit, after) = match (&before, &now) {
                (None, None) => (FileEdit::Create { text: text.clone() }, text),
                (Some(before), Some(now)) => {
                    let merged = if before.text == now.text {
                        text
                    } else {
                        assist_syntax::merge3(&before.text, &now.text, &text).map_err(|_| clash())?
                    };
                    let faults = |text: &str| assist_syntax::faults(&path, text).len();
                    if faults(&merged) > faults(&now.text) {
                        return Err(clash());
                    }
                    let edits = vec![crate::undo::difference(&now.text, &merged)];
                    (FileEdit::Modify { base: now.revision.clone(), edits }, merged)
                }
                _ => return Err(clash()),
            };
            copies.push(FileSnapshot {
                path: path.clone(),
                before: now.map(|document| document.text.into_bytes()),
                after: Some(after.into_bytes()),
            });
            set.files.push(FileChange { path, edit });
        }
        let paths = set.files.iter().map(|file| file.path.to_string()).collect();
        match record_and_apply(run, &set, copies).await? {
            Outcome::Applied { .. } => Ok(paths),
            Outcome::Stale { path } => Err(Break::Failed(format!(
                "{path} changed in this very moment; nothing was applied. Ask again."
            ))),
            Outcome::Refused { path, reason } => {
                Err(Break::Failed(format!("{path} could not be changed, so nothing was: {reason}")))
            }
        }
    }
}

/// Copies what is about to change, then has the host apply it.
pub(crate) async fn put(
    run: &Run,
    set: &ChangeSet,
    path: &DocPath,
    before: Option<&Document>,
    after: &str,
) -> Result<Outcome, Break> {
    let copy = FileSnapshot {
        path: path.clone(),
        before: before.map(|document| document.text.clone().into_bytes()),
        after: Some(after.as_bytes().to_vec()),
    };
    record_and_apply(run, set, vec![copy]).await
}

async fn record_and_apply(run: &Run, set: &ChangeSet, copies: Vec<FileSnapshot>) -> Result<Outcome, Break> {
    let snapshots = run.store().snapshots();
    snapshots.record(run.id, set.id, copies, run.clock().now()).await?;
    // A run that was told to halt, because its folder was closed for one, changes nothing any more.
    if let Err(halted) = run.check() {
        snapshots.discard(set.id).await?;
        return Err(halted);
    }
    let outcome = run.host.apply(set).await?;
    match outcome {
        Outcome::Applied { .. } => snapshots.mark_applied(set.id).await?,
        // What stays neither applied nor discarded is what a crash left.
        _ => snapshots.discard(set.id).await?,
    }
    Ok(outcome)
}

/// One component of the plan, while it is being built.
pub(crate) struct Assignment {
    pub(crate) site: Arc<Site>,
    pub(crate) part: Part,
    /// It is in place.
    pub(crate) in_place: bool,
    /// The user did not want it.
    pub(crate) declined: bool,
    /// It came with this many lines, which are too many.
    pub(crate) oversize: Option<usize>,
    /// What came in its place.
    pub(crate) others: Vec<String>,
    /// How often the project's checks had something against it where it is shown.
    pub(crate) unfit: usize,
}

impl Assignment {
    pub(crate) fn new(site: Arc<Site>, part: Part) -> Self {
        Self { site, part, in_place: false, declined: false, oversize: None, others: Vec::new(), unfit: 0 }
    }

    /// Checks a component against what was asked for, and gives it the plan's path and exports. `Err` says why it is left
    /// alone.
    pub(crate) fn admit(&mut self, component: &Component) -> Result<Component, String> {
        let header = &component.header;
        if header.block == Block::Edits {
            self.others.push("edits".to_owned());
            return Err(format!("Edits are not taken here: {} was asked for, whole.", self.part.name));
        }
        let path = header.path.as_deref().map(DocPath::relative);
        let elsewhere = matches!(&path, Some(found) if found.as_ref() != Ok(&self.part.path));
        if header.name != self.part.name || elsewhere {
            self.others.push(header.name.clone());
            return Err(format!("Only {} in {} was asked for.", self.part.name, self.part.path));
        }
        let lines = component.code.trim().lines().count();
        if component.ended && lines > MAX_LINES {
            self.oversize = Some(lines);
            return Err(format!("It has {lines} lines, and may have {MAX_LINES}; it is to be split."));
        }
        self.oversize = None;
        let mut component = component.clone();
        component.header.path = Some(self.part.path.to_string());
        component.header.exports.clone_from(&self.part.exports);
        Ok(component)
    }

    /// What is missing once the answer was read: the component itself, if it is not dealt with in some way.
    pub(crate) fn lacking(&self) -> Option<String> {
        let settled = self.in_place || self.declined || self.oversize.is_some();
        if settled {
            return None;
        }
        let others = self.others.join(", ");
        Some(match others.is_empty() {
            true => format!("The answer holds no component {}.", self.part.name),
            false => format!("The answer holds no component {}, but {others}.", self.part.name),
        })
    }
}
