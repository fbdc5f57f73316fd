//! What a crash left: finishing it, or undoing it.

use std::fs;
use std::path::Path;

use assist_base::{ChangeSetId, DocPath};

use super::apply::{COMMIT, ROLLBACK, make_folders, mark, remove_folders};
use super::folder::{self, Journal};
use super::intent::{Intent, Place, Side};
use super::{Probe, Stop, step};
use crate::disk::{self, Content};
use crate::error::{READING, WRITING};
use crate::{FileError, Trust, Workspace};

/// What became of a change set that a crash had interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Which.
    pub change_set: ChangeSetId,
    /// What became of it.
    pub how: Recovery,
    /// Files that were neither as before nor as after it, because someone changed them since. They were not touched.
    pub left_alone: Vec<DocPath>,
}

/// How an interrupted change set was brought to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// All its files, but those left alone, are as after it.
    Finished,
    /// All its files, but those left alone, are as before it.
    RolledBack,
    /// Its journal cannot be trusted, for the reason given; it was put aside, and no file was touched.
    SetAside(String),
    /// It could not be brought to an end now, for the reason given; the next start tries again.
    Pending(String),
}

pub(crate) fn recover(workspace: &Workspace) -> Result<Vec<Recovered>, FileError> {
    if workspace.trust() == Trust::Untrusted {
        return Ok(Vec::new());
    }
    match Journal::find(workspace)? {
        Some(journal) => recover_locked(workspace, &journal),
        None => Ok(Vec::new()),
    }
}

pub(super) fn recover_locked(workspace: &Workspace, journal: &Journal) -> Result<Vec<Recovered>, FileError> {
    let mut recovered = Vec::new();
    let entries = fs::read_dir(&journal.folder).map_err(FileError::at(READING, &journal.folder))?;
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for name in names {
        let own = journal.folder.join(&name);
        if !own.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            continue;
        }
        if name.ends_with(".done") {
            folder::discard(&own);
        } else if let Ok(id) = name.parse::<ChangeSetId>()
            // Only in the spelling that is written here.
            && id.to_string() == name
        {
            recovered.push(recover_one(workspace, &own, id));
        }
    }
    Ok(recovered)
}

fn recover_one(workspace: &Workspace, own: &Path, id: ChangeSetId) -> Recovered {
    let ended = |how, left_alone| Recovered { change_set: id, how, left_alone };
    match end(workspace, own, id) {
        Ok((how, left_alone)) => ended(how, left_alone),
        Err(error) => ended(Recovery::Pending(error.to_string()), Vec::new()),
    }
}

fn end(workspace: &Workspace, own: &Path, id: ChangeSetId) -> Result<(Recovery, Vec<DocPath>), FileError> {
    let intent = match Intent::read(own)? {
        Some(Ok(intent)) => intent,
        // Nothing in the workspace had been touched yet.
        None => {
            folder::discard(&folder::retire(own)?);
            return Ok((Recovery::RolledBack, Vec::new()));
        }
        Some(Err(reason)) => return set_aside(own, reason),
    };
    let mut places = Vec::with_capacity(intent.files.len());
    let mut left_alone = Vec::new();
    for (n, entry) in intent.files.into_iter().enumerate() {
        let path = entry.path.clone();
        match Place::new(workspace, id, n, entry) {
            // A journal that fails here was damaged, and half of it would be worse than nothing.
            Ok(place) => match [Side::Old, Side::New]
                .into_iter()
                .find_map(|side| place.bytes(own, side).err())
            {
                None => places.push(place),
                Some(FileError::Io { source, .. }) if source.kind() != std::io::ErrorKind::InvalidData => {
                    return Err(FileError::io(READING, own.display().to_string(), source));
                }
                Some(_) => return set_aside(own, format!("its copy of `{path}` is damaged")),
            },
            // Someone put a link or something else in the way since.
            Err(_) => left_alone.push(path),
        }
    }
    let mut ready = Vec::new();
    let (mut old, mut new) = (0, 0);
    for place in places {
        let content =
            |place: &Place| Content::at(&place.target).map_err(FileError::at(READING, &place.target));
        if !step::rescue(&place)? {
            left_alone.push(place.entry.path);
            continue;
        }
        let now = content(&place)?;
        // A change that changes nothing is made already.
        if now.is(place.entry.hash(Side::New)) {
            new += 1;
        } else if now.is(place.entry.hash(Side::Old)) {
            old += 1;
        } else {
            disk::remove_if_there(&place.staged).map_err(FileError::at(WRITING, &place.staged))?;
            left_alone.push(place.entry.path);
            continue;
        }
        ready.push(place);
    }
    let committed = own.join(COMMIT).exists() && !own.join(ROLLBACK).exists();
    // Finishing beside a file that someone changed could mix two states; then only what is complete stays.
    let toward =
        if committed && (left_alone.is_empty() || (old == 0 && new > 0)) { Side::New } else { Side::Old };
    let go_on = |_| Ok(());
    let more = match toward {
        Side::New => {
            make_folders(workspace, &intent.folders).map_err(into_error)?;
            settle(workspace, own, &ready, Side::New, &go_on).map_err(into_error)?
        }
        Side::Old => {
            mark(own, ROLLBACK)?;
            let more = settle(workspace, own, &ready, Side::Old, &go_on).map_err(into_error)?;
            remove_folders(workspace, &intent.folders);
            more
        }
    };
    left_alone.extend(more);
    folder::discard(&folder::retire(own)?);
    let how = if toward == Side::New { Recovery::Finished } else { Recovery::RolledBack };
    Ok((how, left_alone))
}

/// Brings every file to the side `toward`; those that are on neither side are left alone and returned.
pub(super) fn settle(
    workspace: &Workspace,
    own: &Path,
    places: &[Place],
    toward: Side,
    probe: Probe<'_>,
) -> Result<Vec<DocPath>, Stop> {
    let mut left_alone = Vec::new();
    let mut order: Vec<&Place> = places.iter().collect();
    if toward == Side::Old {
        order.reverse();
    }
    for place in order {
        if !step::rescue(place)? {
            left_alone.push(place.entry.path.clone());
            continue;
        }
        let now = Content::at(&place.target).map_err(|error| place.failed(error))?;
        let there = if now.is(place.entry.hash(toward)) {
            true
        } else if now.is(place.entry.hash(toward.other())) {
            step::stage(place, own, toward, probe)?;
            step::advance(workspace, place, toward, probe)?
        } else {
            false
        };
        disk::remove_if_there(&place.staged).map_err(|error| place.failed(error))?;
        if !there {
            left_alone.push(place.entry.path.clone());
        }
    }
    Ok(left_alone)
}

fn set_aside(own: &Path, reason: String) -> Result<(Recovery, Vec<DocPath>), FileError> {
    let aside = own.with_extension("aside");
    fs::rename(own, &aside).map_err(FileError::at(WRITING, own))?;
    Ok((Recovery::SetAside(reason), Vec::new()))
}

fn into_error(stop: Stop) -> FileError {
    match stop {
        Stop::File(_, error) | Stop::Failed(error) => error,
        Stop::Stale(path) | Stop::Refused(path, _) => {
            FileError::io(WRITING, path.as_str(), std::io::Error::other("it changed meanwhile"))
        }
        #[cfg(test)]
        Stop::Crash => FileError::Busy,
    }
}
