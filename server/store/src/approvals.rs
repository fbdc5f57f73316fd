//! What only the user may decide: `approvals`. On the disk, not only in its cache, when a call returns.

use assist_base::{RunId, Timestamp};
use rusqlite::{Row, Transaction, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{ApprovalId, DocumentRef, Store, rows};

/// The approvals of a store.
#[derive(Debug, Clone, Copy)]
pub struct Approvals<'s>(pub(crate) &'s Store);

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApprovalStatus {
    /// The user has not answered.
    Pending,
    /// The user said yes.
    Approved,
    /// The user said no.
    Rejected,
    /// Nobody answered in time.
    TimedOut,
}

impl ApprovalStatus {
    /// Every status.
    pub const ALL: [ApprovalStatus; 4] = [Self::Pending, Self::Approved, Self::Rejected, Self::TimedOut];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::TimedOut => "timed_out",
        }
    }
}

impl std::str::FromStr for ApprovalStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not an approval's status"))
    }
}

/// Something to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct NewApproval {
    /// The run that waits for it.
    pub run: RunId,
    /// Where in the work: `after_prd`, `before_deployment`, `command`, …
    pub checkpoint: String,
    /// What the user reads.
    pub message: String,
    /// What else belongs to it.
    pub data: Value,
    /// The document it is about.
    pub document: Option<DocumentRef>,
    /// When it no longer waits.
    pub expires_at: Option<Timestamp>,
}

/// A question to the user, and the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// The run that waits for it.
    pub run: RunId,
    /// Where in the work.
    pub checkpoint: String,
    /// What the user reads.
    pub message: String,
    /// What else belongs to it.
    pub data: Value,
    /// The document it is about.
    pub document: Option<DocumentRef>,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// What the user said with the answer.
    pub feedback: Option<String>,
    /// Who answered.
    pub decided_by: Option<String>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When it was answered.
    pub decided_at: Option<Timestamp>,
    /// When it no longer waits.
    pub expires_at: Option<Timestamp>,
}

impl Approvals<'_> {
    /// Asks.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    pub async fn request(&self, new: NewApproval, at: Timestamp) -> Result<Approval> {
        self.0
            .write(Durability::Full, move |tx| {
                let id = ApprovalId::new();
                let sql = "INSERT INTO approvals (id, run_id, checkpoint, message, data, document_id,
                        document_version, requested_at, expires_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
                let values = params![
                    id.to_string(),
                    new.run.to_string(),
                    new.checkpoint,
                    new.message,
                    new.data.to_string(),
                    new.document.map(|document| document.id.to_string()),
                    new.document.map(|document| rows::integer(document.version)),
                    at.0,
                    new.expires_at.map(|at| at.0),
                ];
                rows::run(tx, sql, values).map_err(|error| StoreError::or_missing(error, "run", new.run))?;
                get(tx, id)
            })
            .await
    }

    /// Answers. The first answer counts: a later one changes nothing, and gets the first back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such question.
    pub async fn decide(
        &self,
        id: ApprovalId,
        approved: bool,
        by: &str,
        feedback: Option<&str>,
        at: Timestamp,
    ) -> Result<Approval> {
        let status = if approved { ApprovalStatus::Approved } else { ApprovalStatus::Rejected };
        let (by, feedback) = (by.to_owned(), feedback.map(str::to_owned));
        self.0
            .write(Durability::Full, move |tx| {
                let sql = "UPDATE approvals SET status = ?2, decided_by = ?3, feedback = ?4, decided_at = ?5
                    WHERE id = ?1 AND status = 'pending'";
                rows::run(tx, sql, params![id.to_string(), status.as_str(), by, feedback, at.0])?;
                get(tx, id)
            })
            .await
    }

    /// Marks as timed out what should have been answered by `now`, and returns those.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn time_out(&self, now: Timestamp) -> Result<Vec<Approval>> {
        self.0
            .write(Durability::Full, move |tx| {
                let sql = "UPDATE approvals SET status = 'timed_out', decided_at = ?1
                    WHERE status = 'pending' AND expires_at <= ?1 RETURNING *";
                rows::all(tx, sql, [now.0], approval)
            })
            .await
    }

    /// One question.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn get(&self, id: ApprovalId) -> Result<Approval> {
        self.0.read(move |tx| get(tx, id)).await
    }

    /// The questions of a run, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, run: RunId) -> Result<Vec<Approval>> {
        let sql = "SELECT * FROM approvals WHERE run_id = ?1 ORDER BY number";
        self.0.read(move |tx| rows::all(tx, sql, [run.to_string()], approval)).await
    }

    /// All questions that wait for the user, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn pending(&self) -> Result<Vec<Approval>> {
        let sql = "SELECT * FROM approvals WHERE status = 'pending' ORDER BY number";
        self.0.read(move |tx| rows::all(tx, sql, [], approval)).await
    }
}

fn get(tx: &Transaction<'_>, id: ApprovalId) -> Result<Approval> {
    rows::first(tx, "SELECT * FROM approvals WHERE id = ?1", [id.to_string()], approval)?
        .ok_or_else(|| StoreError::missing("approval", id))
}

fn approval(row: &Row<'_>) -> Result<Approval> {
    let document = rows::maybe_word(row, "document_id")?;
    let version = rows::count(row, "document_version")?;
    Ok(Approval {
        id: rows::word(row, "id")?,
        run: rows::word(row, "run_id")?,
        checkpoint: row.get("checkpoint")?,
        message: row.get("message")?,
        data: rows::json(row, "data")?,
        document: document.map(|id| DocumentRef { id, version }),
        status: rows::word(row, "status")?,
        feedback: row.get("feedback")?,
        decided_by: row.get("decided_by")?,
        requested_at: rows::time(row, "requested_at")?,
        decided_at: rows::maybe_time(row, "decided_at")?,
        expires_at: rows::maybe_time(row, "expires_at")?,
    })
}
