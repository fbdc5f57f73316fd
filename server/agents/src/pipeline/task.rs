//! What a run is about, kept so that another process can go on with it.

use std::collections::{HashMap, HashSet};

use assist_base::{ByteRange, ConversationId, DocPath, EventKind, MessageId, Revision, RunId, Timestamp};
use assist_gateway::Tier;
use assist_store::{NewCheckpoint, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::answers;
use crate::ask::AskRequest;
use crate::error::EngineError;
use crate::host::{Document, Host, Rebased};
use crate::pipeline::applier::Failure;
use crate::pipeline::edits::EditedRow;
use crate::pipeline::{request, whole_part};
use crate::run::{Break, Run};

/// The stage names of this pipeline's checkpoints.
pub(crate) const ASKED: &str = "asked";
pub(crate) const DRAFTING: &str = "drafting";
pub(crate) const COMPONENT: &str = "component";
pub(crate) const EDITED: &str = "edited";
pub(crate) const REPAIRING: &str = "repairing";
pub(crate) const NOT_PASSED: &str = "not_passed";
/// Those of the components of a plan.
pub(crate) const BUILDING: &str = "building";
pub(crate) const LINTED: &str = "linted";
pub(crate) const BUILT: &str = "built";
pub(crate) const RESTORED: &str = "restored";

/// How often a selection is followed because its document moved on in the very moment.
const MAX_FOLLOWED: usize = 8;

/// What the model said so far in one message.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) message: MessageId,
    /// Everything received, markers and all.
    pub(crate) raw: String,
    /// How many of its components were dealt with.
    pub(crate) handled: usize,
    /// Whether its edit blocks were applied.
    pub(crate) edited: bool,
    /// How much of its talk is stored, in bytes.
    pub(crate) stored_talk: usize,
}

impl Draft {
    /// A message of which nothing has been received.
    pub(crate) fn empty() -> Self {
        Self { message: MessageId::new(), raw: String::new(), handled: 0, edited: false, stored_talk: 0 }
    }
}

/// What a run is about.
pub(crate) struct Task {
    pub(crate) request: AskRequest,
    pub(crate) conversation: ConversationId,
    /// The id that markers must carry in this run.
    pub(crate) marker: String,
    /// The selected text, to find its place again when the document's history is gone.
    pub(crate) selected: Option<String>,
    /// The name that the selection's replacement must carry, as the prompt said.
    pub(crate) target: Option<String>,
    /// What a resumed run had received.
    pub(crate) draft: Option<Draft>,
    /// How strong a model writes it.
    pub(crate) tier: Tier,
    /// Whether its talk is kept to itself: it is part of a larger piece of work.
    pub(crate) quiet: bool,
    /// The component of a plan that this is about.
    pub(crate) part: Option<String>,
    /// The revision in which the user was seen to have changed the selection.
    pub(crate) touched: Option<Revision>,
}

/// The row shape of the `asked` checkpoint.
#[derive(Serialize, Deserialize)]
struct AskedRow {
    request: AskRequest,
    conversation: ConversationId,
    marker: String,
    selected: Option<String>,
}

/// The row shape of the `drafting` checkpoint.
#[derive(Serialize, Deserialize)]
pub(crate) struct DraftRow {
    pub(crate) message: MessageId,
}

/// The row shape of the `repairing` checkpoint: what a message was asked for once more.
#[derive(Serialize, Deserialize)]
pub(crate) struct RepairRow {
    pub(crate) message: MessageId,
    pub(crate) wanted: Vec<Failure>,
}

/// The row shape of the `component` checkpoint.
#[derive(Serialize, Deserialize)]
pub(crate) struct ComponentRow {
    pub(crate) message: MessageId,
    pub(crate) handled: usize,
    pub(crate) selection: bool,
}

impl Task {
    pub(crate) fn new(anchored: request::Anchored, conversation: ConversationId) -> Self {
        let mut marker = RunId::new().short();
        marker.truncate(4);
        Self {
            request: anchored.request,
            conversation,
            marker,
            selected: anchored.selected,
            target: None,
            draft: None,
            tier: Tier::B,
            quiet: false,
            part: None,
            touched: None,
        }
    }

    /// Keeps the task as it was asked for, for a later resume.
    pub(crate) async fn save(&self, store: &Store, run: RunId, now: Timestamp) -> Result<(), StoreError> {
        store.checkpoints().add_ahead(run, ASKED, None, self.checkpoint(run).data, now).await?;
        Ok(())
    }

    /// The task as it was asked for, as the checkpoint that its run begins from.
    pub(crate) fn checkpoint(&self, run: RunId) -> NewCheckpoint {
        let row = AskedRow {
            request: self.request.clone(),
            conversation: self.conversation,
            marker: self.marker.clone(),
            selected: self.selected.clone(),
        };
        let data = serde_json::to_value(row).unwrap_or_default();
        NewCheckpoint { run, stage: ASKED.to_owned(), component: None, data }
    }

    /// Says which message is being received, for a later resume. On the disk with what is set aside for its call.
    pub(crate) async fn save_draft(&self, run: &Run, message: MessageId) -> Result<(), StoreError> {
        let data = serde_json::to_value(DraftRow { message }).unwrap_or_default();
        let stage = if self.part.is_some() { BUILDING } else { DRAFTING };
        run.store()
            .checkpoints()
            .add_ahead(run.id, stage, self.part.as_deref(), data, run.clock().now())
            .await?;
        Ok(())
    }

    /// The task of a paused run, with what it had received and done, its selection found again in the present text.
    pub(crate) async fn load(store: &Store, run: RunId, host: &dyn Host) -> Result<Self, EngineError> {
        let conversation = store.sessions().get(run).await?.conversation;
        Self::load_of(store, run, conversation, host).await
    }

    /// As [`Task::load`], for the part of a run that has a conversation of its own.
    pub(crate) async fn load_of(
        store: &Store,
        run: RunId,
        conversation: ConversationId,
        host: &dyn Host,
    ) -> Result<Self, EngineError> {
        let damaged = || EngineError::NotFound(format!("{} with its first checkpoint", run.short()));
        let checkpoints = store.checkpoints().list(run).await?;
        let said: HashSet<MessageId> =
            store.messages().list(conversation).await?.into_iter().map(|message| message.id).collect();
        let own = conversation.to_string();
        let of_this = |stage: &str, data: &serde_json::Value| match stage {
            ASKED => data["conversation"] == own.as_str(),
            _ => {
                serde_json::from_value(data["message"].clone()).is_ok_and(|id: MessageId| said.contains(&id))
            }
        };
        let checkpoints: Vec<_> = checkpoints.into_iter().filter(|c| of_this(&c.stage, &c.data)).collect();
        let asked = checkpoints.iter().rfind(|c| c.stage == ASKED).ok_or_else(damaged)?;
        let row: AskedRow = serde_json::from_value(asked.data.clone()).map_err(|_| damaged())?;
        let mut drafts: Vec<(MessageId, usize)> = Vec::new();
        let mut edited = Vec::new();
        let mut selection_done = false;
        for checkpoint in &checkpoints {
            match checkpoint.stage.as_str() {
                ASKED => {
                    drafts.clear();
                    selection_done = false;
                }
                DRAFTING => {
                    let row: DraftRow =
                        serde_json::from_value(checkpoint.data.clone()).map_err(|_| damaged())?;
                    drafts.push((row.message, 0));
                }
                COMPONENT => {
                    let row: ComponentRow =
                        serde_json::from_value(checkpoint.data.clone()).map_err(|_| damaged())?;
                    selection_done |= row.selection;
                    if let Some((_, handled)) = drafts.iter_mut().find(|(message, _)| *message == row.message)
                    {
                        *handled = row.handled;
                    }
                }
                EDITED => {
                    let row: EditedRow =
                        serde_json::from_value(checkpoint.data.clone()).map_err(|_| damaged())?;
                    edited.push(row.message);
                }
                _ => {}
            }
        }
        let messages: Vec<MessageId> = drafts.iter().map(|(message, _)| *message).collect();
        let begun = begun(store, run, &messages, &row.marker).await?;
        let draft = match drafts.iter().zip(begun).rfind(|(_, raw)| raw.is_some()) {
            Some((&(message, handled), raw)) => {
                let raw = raw.unwrap_or_default();
                let stored_talk = stored_talk(store, run, message).await?;
                let edited = edited.contains(&message);
                Some(Draft { message, raw, handled, edited, stored_talk })
            }
            None => None,
        };
        let mut task = Self {
            request: row.request,
            conversation: row.conversation,
            marker: row.marker,
            selected: row.selected,
            target: None,
            draft,
            tier: Tier::B,
            quiet: false,
            part: None,
            touched: None,
        };
        if selection_done {
            task.request.selection = None;
            task.selected = None;
            task.request.revision = None;
        }
        request::find_again(&mut task, host).await?;
        Ok(task)
    }

    /// The selection's new outer edges after the user edited inside it; the next attempt works on that.
    pub(crate) async fn moved_to(&mut self, range: Option<ByteRange>, run: &Run) -> Result<(), Break> {
        let Some(path) = self.request.path.clone() else { return Ok(()) };
        if self.request.selection.is_some() {
            self.request.selection = Some(range.ok_or_else(|| beyond_recognition(&path))?);
            self.request.revision = self.touched.take();
        }
        self.follow(run.host.as_ref(), &path).await?;
        self.draft = None;
        self.save(run.store(), run.id, run.clock().now()).await?;
        Ok(())
    }
}

impl Task {
    /// The present text of the document, with the selection brought to it. Also where the user changes it just now: nothing
    /// has been made of it yet.
    pub(crate) async fn follow(&mut self, host: &dyn Host, path: &DocPath) -> Result<Document, Break> {
        for _ in 0..MAX_FOLLOWED {
            let document = host.read(path).await?;
            let (Some(range), Some(base)) = (self.request.selection, self.request.revision.clone()) else {
                self.request.revision = Some(document.revision.clone());
                return Ok(document);
            };
            if base.hash == document.revision.hash {
                let selected = range.of(&document.text).ok_or_else(|| beyond_recognition(path))?;
                self.selected = Some(selected.to_owned());
                self.request.revision = Some(document.revision.clone());
                return Ok(document);
            }
            let (range, revision) = match host.rebase(path, range, &base).await? {
                Rebased::Moved { range, revision } => (Some(range), revision),
                Rebased::Touched { range, revision } => (range, revision),
            };
            self.request.selection = Some(range.ok_or_else(|| beyond_recognition(path))?);
            self.request.revision = Some(revision);
        }
        Err(Break::Failed(format!("{path} kept changing, so nothing was done. Ask again when it rests.")))
    }
}

fn beyond_recognition(path: &DocPath) -> Break {
    Break::Failed(format!(
        "The text in {path} that was asked about has changed beyond recognition; nothing of yours was overwritten. Select it and ask again."
    ))
}

/// What was received into each of these messages, as far as it stands; none where nothing does: such a message is not gone on
/// with but the one before it, since what it was asked for is told by that.
pub(crate) async fn begun(
    store: &Store,
    run: RunId,
    messages: &[MessageId],
    marker: &str,
) -> Result<Vec<Option<String>>, StoreError> {
    let mut texts: HashMap<MessageId, String> = store
        .messages()
        .of_run(run)
        .await?
        .into_iter()
        .map(|message| (message.id, message.content))
        .collect();
    let mut begun = Vec::new();
    for message in messages {
        let text = texts.remove(message).filter(|text| !text.is_empty());
        begun.push(match text {
            Some(text) if answers::is_spoilt(store, run, &message.to_string()).await? => {
                Some(whole_part(&text, marker)).filter(|text| !text.is_empty())
            }
            Some(text) => Some(text),
            None => answers::kept(store, run, &message.to_string()).await?.map(|_| String::new()),
        });
    }
    // The first of all has nothing before it.
    if let Some(first) = begun.first_mut() {
        first.get_or_insert_default();
    }
    Ok(begun)
}

/// How much of a message's talk is in the run's events.
pub(crate) async fn stored_talk(store: &Store, run: RunId, message: MessageId) -> Result<usize, StoreError> {
    let id = message.to_string();
    let mut stored = 0;
    for event in store.events().list(run, 1).await? {
        if event.kind == EventKind::Text && event.data["messageId"] == id.as_str() {
            let offset = event.data["offset"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
            stored = stored.max(offset + event.data["text"].as_str().map_or(0, str::len));
        }
    }
    Ok(stored)
}
