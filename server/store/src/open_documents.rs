//! Which process holds a document open: `open_documents`. An edit goes to the buffer, not to the file below it.

use assist_base::{ContentHash, DocPath, Timestamp};
use rusqlite::{Row, params};

use crate::error::Result;
use crate::lane::Durability;
use crate::{Owner, Store, rows};

/// The open documents of a workspace.
#[derive(Debug, Clone, Copy)]
pub struct OpenDocuments<'s>(pub(crate) &'s Store);

/// A document that a process holds open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDocument {
    /// Which.
    pub path: DocPath,
    /// By whom.
    pub owner: Owner,
    /// The editor's number of the text.
    pub version: i64,
    /// The hash of the text, where it is known.
    pub revision: Option<ContentHash>,
    /// Whether it differs from the file.
    pub dirty: bool,
    /// Since when it is open.
    pub opened_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl OpenDocuments<'_> {
    /// Says that a process holds a document open, or that it has changed there.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn set(
        &self,
        path: &DocPath,
        owner: &Owner,
        version: i64,
        revision: Option<ContentHash>,
        dirty: bool,
        at: Timestamp,
    ) -> Result<()> {
        let (path, owner) = (path.as_str().to_owned(), owner.clone());
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "INSERT INTO open_documents
                        (path, pid, boot, started, label, version, revision, dirty, opened_at, updated_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
                    ON CONFLICT (path, pid, boot, started) DO UPDATE SET version = excluded.version,
                        revision = excluded.revision, dirty = excluded.dirty, updated_at = excluded.updated_at";
                let revision = revision.as_ref().map(ContentHash::as_str);
                let values = params![
                    path,
                    owner.pid,
                    owner.boot,
                    owner.started,
                    owner.label,
                    version,
                    revision,
                    dirty,
                    at.0
                ];
                rows::run(tx, sql, values)?;
                Ok(())
            })
            .await
    }

    /// Says that a process has closed a document. False when it had it not open.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn close(&self, path: &DocPath, owner: &Owner) -> Result<bool> {
        let (path, owner) = (path.as_str().to_owned(), owner.clone());
        self.0
            .write(Durability::Normal, move |tx| {
                let sql =
                    "DELETE FROM open_documents WHERE path = ?1 AND pid = ?2 AND boot = ?3 AND started = ?4";
                Ok(rows::run(tx, sql, params![path, owner.pid, owner.boot, owner.started])? > 0)
            })
            .await
    }

    /// Who holds a document open, the last changed first. An owner may be dead: ask [`OpenDocuments::forget_dead`] first.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn holders(&self, path: &DocPath) -> Result<Vec<OpenDocument>> {
        let path = path.as_str().to_owned();
        let sql = "SELECT * FROM open_documents WHERE path = ?1 ORDER BY updated_at DESC";
        self.0.read(move |tx| rows::all(tx, sql, [path], open_document)).await
    }

    /// Everything that is open, by path.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn list(&self) -> Result<Vec<OpenDocument>> {
        let sql = "SELECT * FROM open_documents ORDER BY path, updated_at DESC";
        self.0.read(move |tx| rows::all(tx, sql, [], open_document)).await
    }

    /// Closes everything a process has open: when it ends.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn close_all(&self, owner: &Owner) -> Result<usize> {
        let owner = owner.clone();
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "DELETE FROM open_documents WHERE pid = ?1 AND boot = ?2 AND started = ?3";
                Ok(rows::run(tx, sql, params![owner.pid, owner.boot, owner.started])?)
            })
            .await
    }

    /// Closes what dead processes left open, and returns how many documents that were. An owner with another `boot` than
    /// `me` is dead to us: this machine was restarted, or the process runs where our edits cannot reach it.
    ///
    /// # Errors
    /// [`crate::StoreError`] when it could not be written.
    pub async fn forget_dead(
        &self,
        me: &Owner,
        is_alive: impl Fn(&Owner) -> bool + Send + 'static,
    ) -> Result<usize> {
        let me = me.clone();
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "SELECT DISTINCT pid, boot, started, label FROM open_documents";
                let mut gone = 0;
                for owner in rows::all(tx, sql, [], owner)? {
                    if owner.boot != me.boot || !(owner.is(&me) || is_alive(&owner)) {
                        let sql = "DELETE FROM open_documents WHERE pid = ?1 AND boot = ?2 AND started = ?3";
                        gone += rows::run(tx, sql, params![owner.pid, owner.boot, owner.started])?;
                    }
                }
                Ok(gone)
            })
            .await
    }
}

fn owner(row: &Row<'_>) -> Result<Owner> {
    Ok(Owner {
        pid: row.get("pid")?,
        boot: row.get("boot")?,
        started: row.get("started")?,
        label: row.get("label")?,
    })
}

fn open_document(row: &Row<'_>) -> Result<OpenDocument> {
    Ok(OpenDocument {
        path: rows::path(row, "path")?,
        owner: owner(row)?,
        version: row.get("version")?,
        revision: rows::maybe_word(row, "revision")?,
        dirty: row.get("dirty")?,
        opened_at: rows::time(row, "opened_at")?,
        updated_at: rows::time(row, "updated_at")?,
    })
}
