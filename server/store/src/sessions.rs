//! Runs, as rows of `agent_sessions`, and the files they changed.

use assist_base::{ConversationId, PauseReason, RunId, RunState, Timestamp};
use rusqlite::{Row, Transaction, named_params, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::leases::{self, Owner};
use crate::{ChangedFile, NewCheckpoint, Store, changed_files, conversations, rows};

/// The runs of a store.
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'s>(pub(crate) &'s Store);

/// A run to be registered. It begins `pending`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub id: RunId,
    /// The project: usually the workspace's name or path.
    pub project_id: String,
    /// `code`, `growth` or `analytics`.
    pub module: String,
    /// The app within the project that the work is about.
    pub app_name: String,
    /// Where the app lies, relative to the workspace.
    pub app_path: String,
    /// What the user asked, in the user's words.
    pub task: String,
    /// What kind of request it is: `ask`, `fix`, …
    pub intent: String,
    /// The conversation it belongs to. It is begun if it does not exist yet.
    pub conversation: ConversationId,
    /// Who asked: the editor's or program's name.
    pub client: String,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: RunId,
    /// The project.
    pub project_id: String,
    /// `code`, `growth` or `analytics`.
    pub module: String,
    /// The app within the project.
    pub app_name: String,
    /// Where the app lies.
    pub app_path: String,
    /// What the user asked.
    pub task: String,
    /// What kind of request it is.
    pub intent: String,
    /// The plan, once there is one.
    pub plan: Option<Value>,
    /// Where it stands.
    pub status: RunState,
    /// Why it rests, while it is paused.
    pub pause_reason: Option<PauseReason>,
    /// Why it failed: one sentence.
    pub error: Option<String>,
    /// What it did, in plain language.
    pub summary: Option<String>,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Who asked.
    pub client: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it first ran.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When its row last changed.
    pub updated_at: Timestamp,
    /// The files that differ from what the run found, by path.
    pub changed_files: Vec<ChangedFile>,
}

/// What is noted with a move.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransitionNote {
    /// Why the run rests; kept only while it is paused.
    pub reason: Option<PauseReason>,
    /// Why it failed: one sentence. An error noted before stays when this is none.
    pub error: Option<String>,
    /// What it did. A summary noted before stays when this is none.
    pub summary: Option<String>,
}

/// Which runs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListFilter {
    /// At most so many.
    pub limit: usize,
    /// Only runs in this state.
    pub state: Option<RunState>,
}

impl Default for ListFilter {
    fn default() -> Self {
        Self { limit: 50, state: None }
    }
}

/// What the first digits of an id stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// One run.
    One(RunId),
    /// No run, or not the beginning of an id.
    None,
    /// Several runs, newest first, at most 20.
    Many(Vec<RunId>),
}

const INSERT: &str = "INSERT INTO agent_sessions (id, project_id, module, app_name, app_path, task, status, intent,
        conversation_id, client, created_at, updated_at)
    VALUES (:id, :project, :module, :app_name, :app_path, :task, 'pending', :intent, :conversation, :client, :at, :at)";

const MOVE: &str = "UPDATE agent_sessions SET
        status = :to,
        pause_reason = :reason,
        error = coalesce(:error, error),
        summary = coalesce(:summary, summary),
        started_at = CASE WHEN :running THEN coalesce(started_at, :at) ELSE started_at END,
        completed_at = CASE WHEN :ended THEN coalesce(completed_at, :at) ELSE completed_at END,
        updated_at = :at
    WHERE id = :id";

fn insert(tx: &Transaction<'_>, session: &NewSession, at: Timestamp) -> Result<()> {
    let conversation = session.conversation;
    conversations::begin(tx, conversation, &session.project_id, "assist", None, at)?;
    rows::run(
        tx,
        INSERT,
        named_params! {
            ":id": session.id.to_string(),
            ":project": session.project_id,
            ":module": session.module,
            ":app_name": session.app_name,
            ":app_path": session.app_path,
            ":task": session.task,
            ":intent": session.intent,
            ":conversation": conversation.to_string(),
            ":client": session.client,
            ":at": at.0,
        },
    )?;
    conversations::link(tx, conversation, session.id)
}

impl Sessions<'_> {
    /// Registers a run as `pending`, and links it with its conversation.
    ///
    /// A process that owns runs takes the run's lease first ([`leases::Leases::acquire`] with
    /// [`leases::Lease::of_run`]'s name), so that another process never takes the new run for an orphan.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn create(&self, session: NewSession, at: Timestamp) -> Result<()> {
        self.0.write(Durability::Normal, move |tx| insert(tx, &session, at)).await
    }

    /// As [`Sessions::create`], with the checkpoint that the run begins from, in the same transaction: a run that is there at all can
    /// go on. On the disk, not only in its cache, when the call returns.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn begin(&self, session: NewSession, first: NewCheckpoint, at: Timestamp) -> Result<()> {
        self.0
            .write(Durability::Full, move |tx| {
                insert(tx, &session, at)?;
                first.insert(tx, at).map(drop)
            })
            .await
    }

    /// One run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn get(&self, id: RunId) -> Result<Session> {
        self.0.read(move |tx| get(tx, id)).await
    }

    /// The run whose id begins with `prefix`: hexadecimal digits, hyphens and case do not matter.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn find(&self, prefix: &str) -> Result<Found> {
        let Some(prefix) = rows::hyphenate(prefix) else { return Ok(Found::None) };
        let sql = "SELECT id FROM agent_sessions WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY created_at DESC LIMIT 20";
        let mut ids =
            self.0.read(move |tx| rows::all(tx, sql, [prefix], |row| rows::word::<RunId>(row, "id"))).await?;
        Ok(match (ids.pop(), ids.is_empty()) {
            (None, _) => Found::None,
            (Some(id), true) => Found::One(id),
            (Some(id), false) => {
                ids.push(id);
                Found::Many(ids)
            }
        })
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, filter: ListFilter) -> Result<Vec<Session>> {
        self.0.read(move |tx| list(tx, filter)).await
    }

    /// Moves a run to another state, and returns the state it left. Checked against the transition table in the
    /// transaction that makes the move, so that of two processes only one makes it.
    ///
    /// # Errors
    /// [`StoreError::Transition`] when the table does not have the move, [`StoreError::NotFound`] without such a run.
    /// Nothing is changed then.
    pub async fn transition(
        &self,
        id: RunId,
        to: RunState,
        note: TransitionNote,
        at: Timestamp,
    ) -> Result<RunState> {
        // A run that comes to rest or to its end is on the disk, and so is everything that was written for it before.
        let rests = to.is_final() || to == RunState::Paused;
        let durability = if rests { Durability::Full } else { Durability::Normal };
        self.0.write(durability, move |tx| transition(tx, id, to, &note, at)).await
    }

    /// Keeps the plan of a run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn set_plan(&self, id: RunId, plan: Value, at: Timestamp) -> Result<()> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "UPDATE agent_sessions SET plan = ?2, updated_at = ?3 WHERE id = ?1";
                match rows::run(tx, sql, params![id.to_string(), plan.to_string(), at.0])? {
                    0 => Err(StoreError::missing("run", id)),
                    _ => Ok(()),
                }
            })
            .await
    }

    /// The runs that a live process must own: pending, running or awaiting confirmation. Oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn unfinished(&self) -> Result<Vec<Session>> {
        self.0.read(unfinished).await
    }

    /// Marks as paused by a crash every unfinished run that no live process owns, and returns them. One transaction:
    /// of several processes that start at once, one gets each run.
    ///
    /// Ownership is judged as in [`leases::Leases::acquire`]; the leases of the dead are dropped.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn pause_orphans(
        &self,
        me: Owner,
        now: Timestamp,
        stale_after: std::time::Duration,
        is_alive: impl Fn(&Owner) -> bool + Send + 'static,
    ) -> Result<Vec<RunId>> {
        self.0
            .write(Durability::Full, move |tx| {
                let mut paused = Vec::new();
                for session in unfinished(tx)? {
                    let name = leases::Lease::of_run(session.id);
                    let held = leases::get(tx, &name)?;
                    if held.is_some_and(|held| leases::is_live(&held, &me, now, stale_after, &is_alive)) {
                        continue;
                    }
                    let note =
                        TransitionNote { reason: Some(PauseReason::Crash), ..TransitionNote::default() };
                    transition(tx, session.id, RunState::Paused, &note, now)?;
                    rows::run(tx, "DELETE FROM leases WHERE name = ?1", [&name])?;
                    paused.push(session.id);
                }
                Ok(paused)
            })
            .await
    }
}

pub(crate) fn list(tx: &Transaction<'_>, filter: ListFilter) -> Result<Vec<Session>> {
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let mut sessions = match filter.state {
        Some(state) => rows::all(
            tx,
            "SELECT * FROM agent_sessions WHERE status = ?2 ORDER BY created_at DESC, rowid DESC LIMIT ?1",
            params![limit, state.as_str()],
            session,
        ),
        None => rows::all(
            tx,
            "SELECT * FROM agent_sessions ORDER BY created_at DESC, rowid DESC LIMIT ?1",
            [limit],
            session,
        ),
    }?;
    for session in &mut sessions {
        session.changed_files = changed_files::list(tx, session.id)?;
    }
    Ok(sessions)
}

pub(crate) fn get(tx: &Transaction<'_>, id: RunId) -> Result<Session> {
    let found = rows::first(tx, "SELECT * FROM agent_sessions WHERE id = ?1", [id.to_string()], session)?;
    let mut session = found.ok_or_else(|| StoreError::missing("run", id))?;
    session.changed_files = changed_files::list(tx, id)?;
    Ok(session)
}

fn unfinished(tx: &Transaction<'_>) -> Result<Vec<Session>> {
    let mut found = Vec::new();
    for state in RunState::ALL.into_iter().filter(|state| state.needs_owner()) {
        let sql = "SELECT * FROM agent_sessions WHERE status = ?1";
        found.extend(rows::all(tx, sql, [state.as_str()], session)?);
    }
    found.sort_by_key(|session| (session.created_at, session.id));
    for session in &mut found {
        session.changed_files = changed_files::list(tx, session.id)?;
    }
    Ok(found)
}

fn transition(
    tx: &Transaction<'_>,
    id: RunId,
    to: RunState,
    note: &TransitionNote,
    at: Timestamp,
) -> Result<RunState> {
    let sql = "SELECT status FROM agent_sessions WHERE id = ?1";
    let from = rows::first(tx, sql, [id.to_string()], |row| rows::word::<RunState>(row, "status"))?
        .ok_or_else(|| StoreError::missing("run", id))?;
    from.to(to)?;
    let reason = note.reason.filter(|_| to == RunState::Paused).map(PauseReason::as_str);
    rows::run(
        tx,
        MOVE,
        named_params! {
            ":id": id.to_string(),
            ":to": to.as_str(),
            ":reason": reason,
            ":error": note.error,
            ":summary": note.summary,
            ":running": to == RunState::Running,
            ":ended": to.is_final(),
            ":at": at.0,
        },
    )?;
    Ok(from)
}

fn session(row: &Row<'_>) -> Result<Session> {
    Ok(Session {
        id: rows::word(row, "id")?,
        project_id: row.get("project_id")?,
        module: row.get("module")?,
        app_name: row.get("app_name")?,
        app_path: row.get("app_path")?,
        task: row.get("task")?,
        intent: row.get("intent")?,
        plan: rows::maybe_json(row, "plan")?,
        status: rows::word(row, "status")?,
        pause_reason: rows::maybe_word(row, "pause_reason")?,
        error: row.get("error")?,
        summary: row.get("summary")?,
        conversation: rows::word(row, "conversation_id")?,
        client: row.get("client")?,
        created_at: rows::time(row, "created_at")?,
        started_at: rows::maybe_time(row, "started_at")?,
        completed_at: rows::maybe_time(row, "completed_at")?,
        updated_at: rows::time(row, "updated_at")?,
        changed_files: Vec::new(),
    })
}
