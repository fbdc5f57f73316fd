//! Documents of the society, with all their versions: `documents`, `document_versions` and what hangs on them.
//!
//! A version's content never changes once it is written; a change is a new version. Approving one supersedes those
//! approved before. Pruning never touches documents.

use assist_base::{RunId, Timestamp};
use rusqlite::{Row, Transaction, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{DocumentId, Store, rows};

/// The documents of a store.
#[derive(Debug, Clone, Copy)]
pub struct Documents<'s>(pub(crate) &'s Store);

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentStatus {
    /// Being written.
    Draft,
    /// Handed to whoever reviews it.
    InReview,
    /// Others may build on it.
    Approved,
    /// To be written again.
    Rejected,
    /// A later version was approved.
    Superseded,
}

impl DocumentStatus {
    /// Every status.
    pub const ALL: [DocumentStatus; 5] =
        [Self::Draft, Self::InReview, Self::Approved, Self::Rejected, Self::Superseded];

    /// The word in the database and in exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InReview => "in_review",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
        }
    }

    /// Whether a version may go from this status to another. `Superseded` comes by itself, never by asking.
    pub fn may_become(self, to: DocumentStatus) -> bool {
        use DocumentStatus as S;
        matches!(
            (self, to),
            (S::Draft, S::InReview | S::Approved | S::Rejected)
                | (S::InReview, S::Draft | S::Approved | S::Rejected)
                | (S::Approved, S::Rejected)
                | (S::Rejected, S::InReview)
        )
    }
}

impl std::str::FromStr for DocumentStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a document's status"))
    }
}

/// A version of a document: which, and how many-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentRef {
    /// The document.
    pub id: DocumentId,
    /// The version, from 1.
    pub version: u64,
}

/// A document to be begun.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// The project.
    pub project_id: String,
    /// What kind it is: `product_requirements`, `system_design`, `api_specification`, `task_breakdown`,
    /// `code_implementation`, `test_plan`, `deployment_guide`, `user_documentation`, or another.
    pub doc_type: String,
    /// The document it was derived from.
    pub parent: Option<DocumentId>,
    /// Its first version.
    pub first: NewVersion,
}

/// A version to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    /// Its title.
    pub title: String,
    /// The role that wrote it.
    pub created_by: String,
    /// The run it was written in.
    pub run: Option<RunId>,
    /// What it says, by the schema of its kind.
    pub content: Value,
    /// What else is to be known of it.
    pub metadata: Value,
    /// What changed since the last version, in plain language.
    pub changes_since_last: Option<String>,
    /// The versions of other documents it rests on.
    pub dependencies: Vec<DocumentRef>,
}

/// One version of a document, with what belongs to the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The document.
    pub id: DocumentId,
    /// The version, from 1.
    pub version: u64,
    /// The project.
    pub project_id: String,
    /// What kind it is.
    pub doc_type: String,
    /// The document it was derived from.
    pub parent: Option<DocumentId>,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: DocumentStatus,
    /// The role that wrote it.
    pub created_by: String,
    /// The run it was written in.
    pub run: Option<RunId>,
    /// What it says.
    pub content: Value,
    /// What else is to be known of it.
    pub metadata: Value,
    /// What changed since the last version.
    pub changes_since_last: Option<String>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When that was.
    pub approved_at: Option<Timestamp>,
    /// The versions of other documents it rests on.
    pub dependencies: Vec<DocumentRef>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
}

/// What a reviewer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Something to think about.
    Comment,
    /// It is good.
    Approved,
    /// It has to be written again.
    Rejected,
}

impl Verdict {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

impl std::str::FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Comment, Self::Approved, Self::Rejected]
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a verdict"))
    }
}

/// A review of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Who reviewed: a role, or `user`.
    pub reviewer: String,
    /// What came of it.
    pub verdict: Verdict,
    /// In words.
    pub comment: String,
    /// When.
    pub at: Timestamp,
}

/// That a run used a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentUse {
    /// The run.
    pub run: RunId,
    /// The version.
    pub document: DocumentRef,
    /// The role that read it.
    pub agent: String,
    /// When it first did.
    pub at: Timestamp,
}

/// Which documents to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentFilter {
    /// Only of this project.
    pub project: Option<String>,
    /// Only of this kind.
    pub doc_type: Option<String>,
    /// Only those that this run wrote a version of.
    pub run: Option<RunId>,
}

const SELECT: &str =
    "SELECT v.*, d.project_id AS project_id, d.doc_type AS doc_type, d.parent_doc_id AS parent_doc_id
    FROM document_versions AS v JOIN documents AS d ON d.id = v.document_id";

impl Documents<'_> {
    /// Begins a document as a draft, and returns its first version.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the parent or a dependency does not exist. Nothing is written then.
    pub async fn create(&self, new: NewDocument, at: Timestamp) -> Result<Document> {
        self.0
            .write(Durability::Normal, move |tx| {
                let id = DocumentId::new();
                let sql = "INSERT INTO documents
                        (id, project_id, run_id, doc_type, parent_doc_id, created_at, updated_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
                let (run, parent) =
                    (new.first.run.map(|id| id.to_string()), new.parent.map(|id| id.to_string()));
                rows::run(tx, sql, params![id.to_string(), new.project_id, run, new.doc_type, parent, at.0])
                    .map_err(|error| StoreError::or_missing(error, "document", parent.unwrap_or_default()))?;
                add_version(tx, id, &new.first, at)
            })
            .await
    }

    /// Writes the next version of a document, as a draft.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the document or a dependency does not exist.
    pub async fn add_version(&self, id: DocumentId, new: NewVersion, at: Timestamp) -> Result<Document> {
        self.0.write(Durability::Normal, move |tx| add_version(tx, id, &new, at)).await
    }

    /// One version.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn get(&self, document: DocumentRef) -> Result<Document> {
        self.0.read(move |tx| get(tx, document)).await
    }

    /// The last version of a document.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such document.
    pub async fn latest(&self, id: DocumentId) -> Result<Document> {
        self.0
            .read(move |tx| {
                let found =
                    read(tx, "WHERE v.document_id = ?1 ORDER BY v.version DESC LIMIT 1", [id.to_string()])?;
                found.into_iter().next().ok_or_else(|| StoreError::missing("document", id))
            })
            .await
    }

    /// The last version of a document that was approved, if any was.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn approved(&self, id: DocumentId) -> Result<Option<Document>> {
        let which = "WHERE v.document_id = ?1 AND v.status = 'approved' ORDER BY v.version DESC LIMIT 1";
        self.0.read(move |tx| Ok(read(tx, which, [id.to_string()])?.into_iter().next())).await
    }

    /// All versions of a document, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn versions(&self, id: DocumentId) -> Result<Vec<Document>> {
        self.0.read(move |tx| read(tx, "WHERE v.document_id = ?1 ORDER BY v.version", [id.to_string()])).await
    }

    /// The last versions of the documents that fit, the last changed first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn list(&self, filter: DocumentFilter) -> Result<Vec<Document>> {
        self.0.read(move |tx| list(tx, &filter)).await
    }

    /// Moves a version to another status. Approving it supersedes the document's versions approved before.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it may not make that move ([`DocumentStatus::may_become`]).
    pub async fn set_status(
        &self,
        document: DocumentRef,
        to: DocumentStatus,
        by: &str,
        at: Timestamp,
    ) -> Result<Document> {
        let by = by.to_owned();
        self.0.write(Durability::Normal, move |tx| set_status(tx, document, to, &by, at)).await
    }

    /// Adds a review. One that approves or rejects moves the version too, if it is not there already.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the version may not make that move, [`StoreError::NotFound`] when there is none.
    pub async fn review(
        &self,
        document: DocumentRef,
        reviewer: &str,
        verdict: Verdict,
        comment: &str,
        at: Timestamp,
    ) -> Result<Document> {
        let (reviewer, comment) = (reviewer.to_owned(), comment.to_owned());
        self.0
            .write(Durability::Full, move |tx| {
                let found = get(tx, document)?;
                let sql = "INSERT INTO document_reviews
                        (document_id, version, reviewer, verdict, comment, created_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let (id, version) = key(document);
                rows::run(tx, sql, params![id, version, reviewer, verdict.as_str(), comment, at.0])?;
                let to = match verdict {
                    Verdict::Comment => return Ok(found),
                    Verdict::Approved => DocumentStatus::Approved,
                    Verdict::Rejected => DocumentStatus::Rejected,
                };
                if found.status == to { Ok(found) } else { set_status(tx, document, to, &reviewer, at) }
            })
            .await
    }

    /// The reviews of a version, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn reviews(&self, document: DocumentRef) -> Result<Vec<Review>> {
        let sql = "SELECT * FROM document_reviews WHERE document_id = ?1 AND version = ?2 ORDER BY id";
        let (id, version) = key(document);
        self.0
            .read(move |tx| {
                rows::all(tx, sql, params![id, version], |row| {
                    Ok(Review {
                        reviewer: row.get("reviewer")?,
                        verdict: rows::word(row, "verdict")?,
                        comment: row.get("comment")?,
                        at: rows::time(row, "created_at")?,
                    })
                })
            })
            .await
    }

    /// Records that a run used a version. Again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such version.
    pub async fn record_use(
        &self,
        run: RunId,
        document: DocumentRef,
        agent: &str,
        at: Timestamp,
    ) -> Result<()> {
        let agent = agent.to_owned();
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "INSERT INTO document_uses (run_id, document_id, version, agent, at)
                    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
                let (id, version) = key(document);
                rows::run(tx, sql, params![run.to_string(), id, version, agent, at.0])
                    .map_err(|error| StoreError::or_missing(error, "document", id))?;
                Ok(())
            })
            .await
    }

    /// Which versions a run used, in the order it did.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn used_by(&self, run: RunId) -> Result<Vec<DocumentUse>> {
        self.0.read(move |tx| used_by(tx, run)).await
    }

    /// The runs that used a version, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn users_of(&self, document: DocumentRef) -> Result<Vec<DocumentUse>> {
        let sql = "SELECT * FROM document_uses WHERE document_id = ?1 AND version = ?2 ORDER BY at";
        let (id, version) = key(document);
        self.0.read(move |tx| rows::all(tx, sql, params![id, version], usage)).await
    }

    /// The versions that rest on this one: what has to be looked at again when it changes.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn dependents_of(&self, document: DocumentRef) -> Result<Vec<DocumentRef>> {
        let sql = "SELECT document_id, version FROM document_dependencies
            WHERE depends_on = ?1 AND depends_on_version = ?2 ORDER BY document_id, version";
        let (id, version) = key(document);
        self.0
            .read(move |tx| {
                rows::all(tx, sql, params![id, version], |row| reference(row, "document_id", "version"))
            })
            .await
    }

    /// The documents a document was derived from, the nearest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn lineage(&self, id: DocumentId) -> Result<Vec<DocumentId>> {
        // `UNION` ends at a circle, which only a forged file can hold.
        let sql = "WITH RECURSIVE line (id, depth) AS (
                SELECT parent_doc_id, 1 FROM documents WHERE id = ?1
                UNION SELECT d.parent_doc_id, line.depth + 1 FROM line JOIN documents AS d ON d.id = line.id
                    WHERE line.depth < 100)
            SELECT id FROM line WHERE id IS NOT NULL ORDER BY depth";
        self.0.read(move |tx| rows::all(tx, sql, [id.to_string()], |row| rows::word(row, "id"))).await
    }
}

fn key(document: DocumentRef) -> (String, i64) {
    (document.id.to_string(), rows::integer(document.version))
}

fn add_version(tx: &Transaction<'_>, id: DocumentId, new: &NewVersion, at: Timestamp) -> Result<Document> {
    let text = id.to_string();
    let sql = "SELECT coalesce(max(version), 0) + 1 AS next FROM document_versions WHERE document_id = ?1";
    let version = rows::first(tx, sql, [&text], |row| rows::count(row, "next"))?.unwrap_or(1);
    let sql =
        "INSERT INTO document_versions (document_id, version, title, created_by, run_id, content, metadata,
            changes_since_last, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)";
    let values = params![
        text,
        rows::integer(version),
        new.title,
        new.created_by,
        new.run.map(|id| id.to_string()),
        new.content.to_string(),
        new.metadata.to_string(),
        new.changes_since_last,
        at.0,
    ];
    rows::run(tx, sql, values).map_err(|error| StoreError::or_missing(error, "document", id))?;
    for other in &new.dependencies {
        let sql = "INSERT INTO document_dependencies (document_id, version, depends_on, depends_on_version)
            VALUES (?1, ?2, ?3, ?4)";
        let (other, other_version) = key(*other);
        rows::run(tx, sql, params![text, rows::integer(version), other, other_version])
            .map_err(|error| StoreError::or_missing(error, "document", other))?;
    }
    rows::run(tx, "UPDATE documents SET updated_at = ?2 WHERE id = ?1", params![text, at.0])?;
    get(tx, DocumentRef { id, version })
}

fn set_status(
    tx: &Transaction<'_>,
    document: DocumentRef,
    to: DocumentStatus,
    by: &str,
    at: Timestamp,
) -> Result<Document> {
    let from = get(tx, document)?.status;
    if !from.may_become(to) {
        let (from, to) = (from.as_str(), to.as_str());
        return Err(StoreError::invalid(format!("a document that is {from} cannot become {to}")));
    }
    let (id, version) = key(document);
    if to == DocumentStatus::Approved {
        let sql = "UPDATE document_versions SET status = 'superseded', updated_at = ?2
            WHERE document_id = ?1 AND status = 'approved'";
        rows::run(tx, sql, params![id, at.0])?;
    }
    let sql = "UPDATE document_versions SET status = ?3, updated_at = ?4,
            approved_by = CASE WHEN ?3 = 'approved' THEN ?5 END,
            approved_at = CASE WHEN ?3 = 'approved' THEN ?4 END
        WHERE document_id = ?1 AND version = ?2";
    rows::run(tx, sql, params![id, version, to.as_str(), at.0, by])?;
    rows::run(tx, "UPDATE documents SET updated_at = ?2 WHERE id = ?1", params![id, at.0])?;
    get(tx, document)
}

pub(crate) fn get(tx: &Transaction<'_>, document: DocumentRef) -> Result<Document> {
    let (id, version) = key(document);
    let found = read(tx, "WHERE v.document_id = ?1 AND v.version = ?2", params![id, version])?;
    found.into_iter().next().ok_or_else(|| StoreError::missing("document", format!("{id} version {version}")))
}

pub(crate) fn list(tx: &Transaction<'_>, filter: &DocumentFilter) -> Result<Vec<Document>> {
    let which = "WHERE (?1 IS NULL OR d.project_id = ?1) AND (?2 IS NULL OR d.doc_type = ?2)
            AND (?3 IS NULL OR d.id IN (SELECT document_id FROM document_versions WHERE run_id = ?3))
            AND v.version = (SELECT max(version) FROM document_versions WHERE document_id = d.id)
        ORDER BY d.updated_at DESC, d.number DESC";
    read(tx, which, params![filter.project, filter.doc_type, filter.run.map(|id| id.to_string())])
}

pub(crate) fn used_by(tx: &Transaction<'_>, run: RunId) -> Result<Vec<DocumentUse>> {
    let sql = "SELECT * FROM document_uses WHERE run_id = ?1 ORDER BY at, document_id, version";
    rows::all(tx, sql, [run.to_string()], usage)
}

fn read(tx: &Transaction<'_>, which: &str, values: impl rusqlite::Params) -> Result<Vec<Document>> {
    let mut found = rows::all(tx, &format!("{SELECT} {which}"), values, document)?;
    let sql = "SELECT depends_on, depends_on_version FROM document_dependencies
        WHERE document_id = ?1 AND version = ?2 ORDER BY depends_on";
    for document in &mut found {
        let (id, version) = key(DocumentRef { id: document.id, version: document.version });
        document.dependencies = rows::all(tx, sql, params![id, version], |row| {
            reference(row, "depends_on", "depends_on_version")
        })?;
    }
    Ok(found)
}

fn document(row: &Row<'_>) -> Result<Document> {
    Ok(Document {
        id: rows::word(row, "document_id")?,
        version: rows::count(row, "version")?,
        project_id: row.get("project_id")?,
        doc_type: row.get("doc_type")?,
        parent: rows::maybe_word(row, "parent_doc_id")?,
        title: row.get("title")?,
        status: rows::word(row, "status")?,
        created_by: row.get("created_by")?,
        run: rows::maybe_word(row, "run_id")?,
        content: rows::json(row, "content")?,
        metadata: rows::json(row, "metadata")?,
        changes_since_last: row.get("changes_since_last")?,
        approved_by: row.get("approved_by")?,
        approved_at: rows::maybe_time(row, "approved_at")?,
        dependencies: Vec::new(),
        created_at: rows::time(row, "created_at")?,
        updated_at: rows::time(row, "updated_at")?,
    })
}

fn reference(row: &Row<'_>, id: &str, version: &str) -> Result<DocumentRef> {
    Ok(DocumentRef { id: rows::word(row, id)?, version: rows::count(row, version)? })
}

fn usage(row: &Row<'_>) -> Result<DocumentUse> {
    Ok(DocumentUse {
        run: rows::word(row, "run_id")?,
        document: reference(row, "document_id", "version")?,
        agent: row.get("agent")?,
        at: rows::time(row, "at")?,
    })
}
