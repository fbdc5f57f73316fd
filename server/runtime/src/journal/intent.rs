//! What a journal says is to be done.

use std::path::{Path, PathBuf};

use assist_base::{ChangeSetId, ContentHash, DocPath};
use serde::{Deserialize, Serialize};

use super::{Stop, folder};
use crate::disk::{self, Attributes};
use crate::error::{READING, WRITING};
use crate::{FileError, MAX_FILE_BYTES, Workspace};

/// Of a set of several files, whose bytes are kept in the journal until it is made.
const VERSION: u32 = 1;
/// Of a set of one file, whose bytes are not needed after a crash: one step takes it from one side to the other.
const VERSION_OF_ONE: u32 = 2;
/// Larger than any intent that is written.
const MAX_INTENT_BYTES: u64 = 64 * 1024 * 1024;

/// The content of `intent.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    version: u32,
    birthmark: u64,
    /// Parent folders that were missing, outermost first.
    pub(super) folders: Vec<DocPath>,
    pub(super) files: Vec<Entry>,
}

/// One file: from which bytes to which. `None` stands for no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) path: DocPath,
    pub(super) old: Option<ContentHash>,
    pub(super) new: Option<ContentHash>,
    pub(super) attributes: Option<Attributes>,
}

/// One of the two contents of a file in a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Old => Self::New,
            Self::New => Self::Old,
        }
    }
}

impl Entry {
    pub(super) fn hash(&self, side: Side) -> Option<&ContentHash> {
        match side {
            Side::Old => self.old.as_ref(),
            Side::New => self.new.as_ref(),
        }
    }
}

impl Intent {
    pub(super) fn new(folder: &Path, folders: Vec<DocPath>, files: Vec<Entry>) -> Result<Self, FileError> {
        let version = if files.len() == 1 { VERSION_OF_ONE } else { VERSION };
        Ok(Self { version, birthmark: folder::birthmark(folder)?, folders, files })
    }

    /// Whether it is about one file and the file itself says how far it came.
    pub(super) fn is_of_one(&self) -> bool {
        self.version == VERSION_OF_ONE
    }

    /// Writes it so that it is there whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> Result<(), FileError> {
        let json = serde_json::to_vec(self)
            .map_err(|error| FileError::io(WRITING, folder.display().to_string(), error.into()))?;
        let (part, path) = (folder.join("intent.part"), path(folder));
        disk::write_new(&part, &json, None)
            .and_then(|()| std::fs::rename(&part, &path))
            .and_then(|()| disk::sync_folder(folder))
            .map_err(FileError::at(WRITING, &path))
    }

    /// Reads it back; `None` when it was never written.
    ///
    /// # Errors
    /// The outer one for the system's; the inner one is why the intent is not to be followed.
    pub(super) fn read(folder: &Path) -> Result<Option<Result<Self, String>>, FileError> {
        let path = path(folder);
        let bytes = match disk::read_up_to(&path, MAX_INTENT_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Some(Err("it is not readable".to_owned()))),
            Err(error) if disk::is_absent(&error) => return Ok(None),
            Err(error) => return Err(FileError::io(READING, path.display().to_string(), error)),
        };
        let intent = match serde_json::from_slice::<Self>(&bytes) {
            Ok(intent) if intent.version == VERSION => intent,
            Ok(intent) if intent.is_of_one() && intent.files.len() == 1 => intent,
            Ok(intent) => return Ok(Some(Err(format!("its version is {}, not {VERSION}", intent.version)))),
            Err(error) => return Ok(Some(Err(format!("it is damaged: {error}")))),
        };
        // A cloned repository must not get files changed by bringing a journal along.
        if intent.birthmark != folder::birthmark(folder)? {
            return Ok(Some(Err("it was not written in this folder".to_owned())));
        }
        Ok(Some(Ok(intent)))
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("intent.json")
}

/// Where the journal keeps the bytes of file `n`.
pub(super) fn copy(folder: &Path, n: usize, side: Side) -> PathBuf {
    folder.join(match side {
        Side::Old => format!("old.{n}"),
        Side::New => format!("new.{n}"),
    })
}

/// A file of a change set, with its places on disk.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) n: usize,
    pub(super) entry: Entry,
    pub(super) target: PathBuf,
    /// Always whole: the old, the new, or what someone else had put at the target.
    pub(super) staged: PathBuf,
    /// Perhaps half written; never anything worth keeping.
    pub(super) part: PathBuf,
}

impl Place {
    pub(super) fn new(
        workspace: &Workspace,
        id: ChangeSetId,
        n: usize,
        entry: Entry,
    ) -> Result<Self, FileError> {
        let target = workspace.absolute(&entry.path)?;
        let beside = target.parent().unwrap_or(workspace.root());
        Ok(Self {
            n,
            staged: beside.join(format!(".assist-{}-{n}.tmp", id.short())),
            part: beside.join(format!(".assist-{}-{n}.part", id.short())),
            entry,
            target,
        })
    }

    /// Why making the set stopped, when the system reports `error` for this file.
    pub(super) fn failed(&self, error: std::io::Error) -> Stop {
        let path = &self.entry.path;
        Stop::File(path.clone(), FileError::io(WRITING, path.as_str(), error))
    }

    /// The bytes of one side, from the journal, as they were written there.
    pub(super) fn bytes(&self, journal: &Path, side: Side) -> Result<Option<Vec<u8>>, FileError> {
        let Some(hash) = self.entry.hash(side) else { return Ok(None) };
        let path = copy(journal, self.n, side);
        let bytes = disk::read_up_to(&path, MAX_FILE_BYTES + 16).map_err(FileError::at(READING, &path))?;
        match bytes {
            Some(bytes) if ContentHash::of(&bytes) == *hash => Ok(Some(bytes)),
            _ => Err(FileError::Io {
                doing: READING,
                path: path.display().to_string(),
                source: std::io::ErrorKind::InvalidData.into(),
            }),
        }
    }
}
