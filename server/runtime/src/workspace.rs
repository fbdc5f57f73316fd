//! One workspace on disk.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use assist_base::{ChangeSet, DocPath, Outcome};

use crate::error::READING;
use crate::journal::{self, Recovered};
use crate::text::{MAX_FILE_BYTES, TextFile};
use crate::{FileError, contain, disk, root};

/// Whether the user trusts the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Files may be changed.
    Trusted,
    /// Files may be read only.
    Untrusted,
}

/// A workspace: its folder, and whether it may be changed.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    trust: Trust,
    /// What was recovered on the way to a write, kept until someone asks.
    recovered: Mutex<Vec<Recovered>>,
    /// Who changes it now, of this process.
    pub(crate) turns: journal::Turns,
}

impl Workspace {
    /// The workspace at `root`. Nothing is read or written yet; see [`Self::recover`].
    ///
    /// # Errors
    /// [`FileError::NoWorkspace`] when there is no such folder.
    pub fn open(root: &Path, trust: Trust) -> Result<Self, FileError> {
        let failed = |source| FileError::NoWorkspace { path: root.display().to_string(), source };
        let real = root.canonicalize().map_err(failed)?;
        if !real.is_dir() {
            return Err(failed(std::io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { root: real, trust, recovered: Mutex::default(), turns: journal::Turns::default() })
    }

    /// The workspace's folder, absolute and without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where Assist keeps its own things. May not exist yet.
    pub fn assist_dir(&self) -> PathBuf {
        self.root.join(".assist")
    }

    /// Whether files may be changed.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// The document that an absolute path names. Links are resolved, so one file has one name; the file need not exist.
    ///
    /// # Errors
    /// [`FileError::Outside`], [`FileError::Protected`], [`FileError::BrokenLink`], or [`FileError::BadName`] for names that
    /// are not UTF-8 or hold a backslash or a control character.
    pub fn doc_path(&self, absolute: &Path) -> Result<DocPath, FileError> {
        let name = || absolute.display().to_string();
        if !absolute.is_absolute() {
            return Err(FileError::BadName { path: name(), reason: "the path is not absolute".to_owned() });
        }
        let settled = root::settled(absolute);
        let inside = settled.strip_prefix(&self.root).map_err(|_| FileError::Outside { path: name() })?;
        let doc = contain::name_inside(inside, &name())?;
        contain::locate(&self.root, &doc)?;
        Ok(doc)
    }

    /// Where a document is on disk: inside the workspace with all links resolved, never in `.git` or `.assist`. It may not
    /// exist.
    ///
    /// # Errors
    /// [`FileError::Outside`], [`FileError::Protected`], [`FileError::BrokenLink`], [`FileError::BadName`];
    /// [`FileError::NotFound`] for an unsaved document.
    pub fn absolute(&self, doc: &DocPath) -> Result<PathBuf, FileError> {
        contain::locate(&self.root, doc)
    }

    /// Reads a document from disk.
    ///
    /// # Errors
    /// As [`Self::absolute`] and [`TextFile::decode`]; [`FileError::NotFound`], [`FileError::NotAFile`].
    pub fn read(&self, doc: &DocPath) -> Result<TextFile, FileError> {
        let path = self.absolute(doc)?;
        let failed = |error| FileError::io(READING, doc.to_string(), error);
        match disk::read_up_to(&path, MAX_FILE_BYTES).map_err(failed)? {
            Some(bytes) => TextFile::decode(doc, bytes),
            None => {
                let bytes = path.metadata().map_or(MAX_FILE_BYTES + 1, |found| found.len());
                Err(FileError::TooLarge { path: doc.to_string(), bytes })
            }
        }
    }

    /// Whether there is something at the document's path, of whatever kind.
    pub fn exists(&self, doc: &DocPath) -> bool {
        self.absolute(doc).is_ok_and(|path| path.symlink_metadata().is_ok())
    }

    /// Makes a change set on files that no editor holds open: all of it or, where that fails, nothing.
    ///
    /// Every file's hash is compared with the base revision before anything is changed and again as each file is changed; a
    /// file that moved on makes the set [`Outcome::Stale`], also a file to be created that exists by now. What may not be
    /// done is [`Outcome::Refused`] with the reason. After a crash in here, [`Self::recover`] finishes or rolls back.
    ///
    /// Blocks: while another process changes the workspace (for at most ten seconds), and for the disk.
    ///
    /// # Errors
    /// [`FileError::Busy`], [`FileError::Full`], [`FileError::ReadOnly`] when Assist's own folder cannot be written,
    /// [`FileError::Io`]. Nothing was applied, unless the message says that undoing failed too.
    pub fn apply(&self, changes: &ChangeSet) -> Result<Outcome, FileError> {
        let (outcome, recovered) = journal::apply(self, changes, &|_| Ok(()));
        self.note(recovered);
        outcome
    }

    /// Finishes or rolls back what a crash left behind. Call once at the start; [`Self::apply`] does the same before it
    /// writes, and what it found is returned by the next call here. An untrusted workspace is left as it is.
    ///
    /// # Errors
    /// [`FileError::Busy`], or when the journal cannot be read. What fails for one change set alone is told in its
    /// [`Recovered`].
    pub fn recover(&self) -> Result<Vec<Recovered>, FileError> {
        let found = journal::recover(self)?;
        let mut kept = std::mem::take(&mut *self.recovered.lock().unwrap_or_else(PoisonError::into_inner));
        kept.extend(found);
        Ok(kept)
    }

    fn note(&self, recovered: Vec<Recovered>) {
        self.recovered.lock().unwrap_or_else(PoisonError::into_inner).extend(recovered);
    }
}

#[cfg(test)]
mod tests;
