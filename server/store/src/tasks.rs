//! The nodes of a run's dependency graph: `tasks`.

use std::collections::{HashMap, HashSet};

use assist_base::{RunId, Timestamp};
use rusqlite::{Row, Transaction, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{Store, TaskId, rows};

/// The tasks of a store.
#[derive(Debug, Clone, Copy)]
pub struct Tasks<'s>(pub(crate) &'s Store);

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskStatus {
    /// Waits for others, or for its turn.
    Pending,
    /// Being worked on.
    Running,
    /// Done.
    Done,
    /// Could not be done.
    Failed,
    /// Not needed any more, or what it waits for failed.
    Skipped,
}

impl TaskStatus {
    /// Every status.
    pub const ALL: [TaskStatus; 5] = [Self::Pending, Self::Running, Self::Done, Self::Failed, Self::Skipped];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Skipped)
    }
}

impl std::str::FromStr for TaskStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a task's status"))
    }
}

/// A task to be planned.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its id; others depend on it by this.
    pub id: TaskId,
    /// One line.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// The role that does it.
    pub agent: String,
    /// `A`, `B` or `C`.
    pub tier: char,
    /// What it is given.
    pub input: Value,
    /// The tasks of the same run that must be done before.
    pub depends_on: Vec<TaskId>,
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The run.
    pub run: RunId,
    /// Place in the plan, from 1.
    pub position: u64,
    /// One line.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// The role that does it.
    pub agent: String,
    /// `A`, `B` or `C`.
    pub tier: char,
    /// Where it stands.
    pub status: TaskStatus,
    /// How often it was begun.
    pub attempts: u64,
    /// What it is given.
    pub input: Value,
    /// What came of it.
    pub output: Option<Value>,
    /// Why it failed: one sentence.
    pub error: Option<String>,
    /// The tasks that must be done before.
    pub depends_on: Vec<TaskId>,
    /// When it was planned.
    pub created_at: Timestamp,
    /// When it was first begun.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

impl Tasks<'_> {
    /// Adds tasks to a run's plan, all or none.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when they wait for each other in a circle, for a task that is not there, or a tier is not
    /// `A`, `B` or `C`; [`StoreError::NotFound`] when there is no such run.
    pub async fn plan(&self, run: RunId, tasks: Vec<NewTask>, at: Timestamp) -> Result<Vec<Task>> {
        self.0.write(Durability::Normal, move |tx| plan(tx, run, &tasks, at)).await
    }

    /// The tasks of a run, in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, run: RunId) -> Result<Vec<Task>> {
        self.0.read(move |tx| list(tx, run)).await
    }

    /// The tasks that can be begun now: pending, with everything they wait for done.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn ready(&self, run: RunId) -> Result<Vec<Task>> {
        self.0
            .read(move |tx| {
                let tasks = list(tx, run)?;
                let done: HashSet<TaskId> =
                    tasks.iter().filter(|task| task.status == TaskStatus::Done).map(|task| task.id).collect();
                let is_ready = |task: &Task| {
                    task.status == TaskStatus::Pending
                        && task.depends_on.iter().all(|other| done.contains(other))
                };
                Ok(tasks.into_iter().filter(is_ready).collect())
            })
            .await
    }

    /// Moves a task to another status, with what came of it. One that fails or is skipped skips all that wait for it;
    /// they are pending again when it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such task.
    pub async fn set_status(
        &self,
        id: TaskId,
        to: TaskStatus,
        output: Option<Value>,
        error: Option<String>,
        at: Timestamp,
    ) -> Result<Task> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "UPDATE tasks SET status = ?2,
                        output = coalesce(?3, output),
                        error = ?4,
                        attempts = attempts + (?2 = 'running'),
                        started_at = CASE WHEN ?2 = 'running' THEN coalesce(started_at, ?5) ELSE started_at END,
                        completed_at = CASE WHEN ?6 THEN ?5 END,
                        updated_at = ?5
                    WHERE id = ?1 RETURNING run_id";
                let output = output.map(|output| output.to_string());
                let values = params![id.to_string(), to.as_str(), output, error, at.0, to.is_final()];
                let run = rows::first(tx, sql, values, |row| rows::word::<RunId>(row, "run_id"))?
                    .ok_or_else(|| StoreError::missing("task", id))?;
                match to {
                    TaskStatus::Failed | TaskStatus::Skipped => waiting(tx, id, "pending", "skipped", at)?,
                    TaskStatus::Pending | TaskStatus::Running => waiting(tx, id, "skipped", "pending", at)?,
                    TaskStatus::Done => {}
                }
                let task = list(tx, run)?.into_iter().find(|task| task.id == id);
                task.ok_or_else(|| StoreError::missing("task", id))
            })
            .await
    }

    /// Makes tasks that were running pending again: what a crash left.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn restart_interrupted(&self, run: RunId, at: Timestamp) -> Result<usize> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "UPDATE tasks SET status = 'pending', updated_at = ?2 WHERE run_id = ?1 AND status = 'running'";
                Ok(rows::run(tx, sql, params![run.to_string(), at.0])?)
            })
            .await
    }
}

/// Moves all tasks that wait for one, directly or not, from one status to another.
fn waiting(tx: &Transaction<'_>, id: TaskId, from: &str, to: &str, at: Timestamp) -> Result<()> {
    let sql = "WITH RECURSIVE behind (id) AS (
            SELECT task_id FROM task_dependencies WHERE depends_on = ?1
            UNION SELECT d.task_id FROM behind JOIN task_dependencies AS d ON d.depends_on = behind.id)
        UPDATE tasks SET status = ?3, updated_at = ?4,
            completed_at = CASE WHEN ?3 = 'skipped' THEN ?4 END
        WHERE status = ?2 AND id IN (SELECT id FROM behind)";
    rows::run(tx, sql, params![id.to_string(), from, to, at.0])?;
    Ok(())
}

fn plan(tx: &Transaction<'_>, run: RunId, tasks: &[NewTask], at: Timestamp) -> Result<Vec<Task>> {
    let known = list(tx, run)?;
    let mut edges: HashMap<TaskId, &[TaskId]> = HashMap::new();
    edges.extend(known.iter().map(|task| (task.id, task.depends_on.as_slice())));
    edges.extend(tasks.iter().map(|task| (task.id, task.depends_on.as_slice())));
    for task in tasks {
        if let Some(missing) = task.depends_on.iter().find(|other| !edges.contains_key(other)) {
            return Err(StoreError::invalid(format!(
                "the task {} waits for {missing}, which is not in the plan",
                task.title
            )));
        }
        if !matches!(task.tier, 'A' | 'B' | 'C') {
            return Err(StoreError::invalid(format!("the task {} has the tier {:?}", task.title, task.tier)));
        }
    }
    if has_circle(&edges) {
        return Err(StoreError::invalid("the tasks wait for each other in a circle"));
    }
    for (position, task) in (known.len() as u64 + 1..).zip(tasks) {
        let sql = "INSERT INTO tasks
                (id, run_id, position, title, description, agent, tier, input, created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)";
        let values = params![
            task.id.to_string(),
            run.to_string(),
            rows::integer(position),
            task.title,
            task.description,
            task.agent,
            task.tier.to_string(),
            task.input.to_string(),
            at.0,
        ];
        rows::run(tx, sql, values).map_err(|error| StoreError::or_missing(error, "run", run))?;
    }
    for task in tasks {
        for other in &task.depends_on {
            let sql =
                "INSERT INTO task_dependencies (task_id, depends_on) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            rows::run(tx, sql, [task.id.to_string(), other.to_string()])?;
        }
    }
    list(tx, run)
}

/// Takes away what waits for nothing until nothing is left; what cannot be taken away waits in a circle.
fn has_circle(edges: &HashMap<TaskId, &[TaskId]>) -> bool {
    let mut done: HashSet<TaskId> = HashSet::new();
    loop {
        let before = done.len();
        for (id, depends_on) in edges {
            if depends_on.iter().all(|other| done.contains(other)) {
                done.insert(*id);
            }
        }
        if done.len() == edges.len() {
            return false;
        }
        if done.len() == before {
            return true;
        }
    }
}

pub(crate) fn list(tx: &Transaction<'_>, run: RunId) -> Result<Vec<Task>> {
    let mut tasks =
        rows::all(tx, "SELECT * FROM tasks WHERE run_id = ?1 ORDER BY position", [run.to_string()], task)?;
    let sql =
        "SELECT d.depends_on AS other FROM task_dependencies AS d JOIN tasks AS t ON t.id = d.depends_on
        WHERE d.task_id = ?1 ORDER BY t.position";
    for task in &mut tasks {
        task.depends_on = rows::all(tx, sql, [task.id.to_string()], |row| rows::word(row, "other"))?;
    }
    Ok(tasks)
}

fn task(row: &Row<'_>) -> Result<Task> {
    let tier: String = row.get("tier")?;
    Ok(Task {
        id: rows::word(row, "id")?,
        run: rows::word(row, "run_id")?,
        position: rows::count(row, "position")?,
        title: row.get("title")?,
        description: row.get("description")?,
        agent: row.get("agent")?,
        tier: tier.chars().next().unwrap_or('B'),
        status: rows::word(row, "status")?,
        attempts: rows::count(row, "attempts")?,
        input: rows::json(row, "input")?,
        output: rows::maybe_json(row, "output")?,
        error: row.get("error")?,
        depends_on: Vec::new(),
        created_at: rows::time(row, "created_at")?,
        started_at: rows::maybe_time(row, "started_at")?,
        completed_at: rows::maybe_time(row, "completed_at")?,
    })
}
