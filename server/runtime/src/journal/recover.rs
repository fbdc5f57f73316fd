//! What a crash left: finishing it, or undoing it.

use std::fs;
use std::path::Path;

use assist_base::{ChangeSetId, DocPath};

use super::apply::{COMMIT, ROLLBACK, make_folders, mark, remove_folders};
use super::folder::{self, Journal};
use super::intent::{Intent, Place, Side};
use super::step::{self, Rescued};
use super::{Probe, Stop};
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
    let _turn = workspace.turns.take().ok_or(FileError::Busy)?;
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
    let folders = intent.folders.clone();
    let is_of_one = intent.is_of_one();
    let found = match survey(workspace, own, id, intent)? {
        Ok(found) => found,
        Err(reason) => return set_aside(own, reason),
    };
    let committed = match is_of_one {
        // One step made it or did not.
        true => {
            matches!(found.as_slice(), [Found { state: State::New | State::Other { made: Some(true) }, .. }])
        }
        false => own.join(COMMIT).exists() && !own.join(ROLLBACK).exists(),
    };
    let toward = if committed && can_be_finished(&found) { Side::New } else { Side::Old };
    if toward == Side::New {
        make_folders(workspace, &folders).map_err(into_error)?;
    } else {
        mark(own, ROLLBACK)?;
    }
    let (mut ready, mut left_alone) = (Vec::new(), Vec::new());
    for Found { place, path, state } in found {
        match (place, state) {
            (Some(place), State::Old | State::New) => ready.push(place),
            _ => left_alone.push(path),
        }
    }
    left_alone.extend(settle(workspace, own, &ready, toward, &|_| Ok(())).map_err(into_error)?);
    if toward == Side::Old {
        remove_folders(workspace, &folders);
    }
    folder::discard(&folder::retire(own)?);
    let how = if toward == Side::New { Recovery::Finished } else { Recovery::RolledBack };
    Ok((how, left_alone))
}

/// One file as the crash, and whoever came after it, left it.
struct Found {
    path: DocPath,
    /// None where the path cannot be followed any more.
    place: Option<Place>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Old,
    New,
    /// Someone changed it. `made`: whether the set's change had been made by then, as far as can be told.
    Other {
        made: Option<bool>,
    },
}

/// Looks at every file, and puts back what lies displaced beside one. The inner error is why the journal is not to be
/// followed; nothing was touched then.
fn survey(
    workspace: &Workspace,
    own: &Path,
    id: ChangeSetId,
    intent: Intent,
) -> Result<Result<Vec<Found>, String>, FileError> {
    let mut found = Vec::with_capacity(intent.files.len());
    let has_copies = !intent.is_of_one();
    for (n, entry) in intent.files.into_iter().enumerate() {
        let path = entry.path.clone();
        // Someone may have put a link in the way since.
        let place = Place::new(workspace, id, n, entry).ok();
        if let Some(place) = place.as_ref().filter(|_| has_copies) {
            match [Side::Old, Side::New].into_iter().find_map(|side| place.bytes(own, side).err()) {
                None => {}
                // Half of a set would be worse than nothing.
                Some(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::InvalidData => {
                    return Ok(Err(format!("its copy of `{path}` is damaged")));
                }
                Some(error) => return Err(error),
            }
        }
        found.push(Found { path, place, state: State::Other { made: None } });
    }
    for Found { place, state, .. } in &mut found {
        if let Some(place) = place {
            *state = look(place).map_err(FileError::at(WRITING, &place.target))?;
        }
    }
    Ok(Ok(found))
}

fn look(place: &Place) -> std::io::Result<State> {
    let rescued = step::rescue(place)?;
    let now = Content::at(&place.target)?;
    if rescued != Rescued::Blocked {
        // A change that changes nothing has been made already.
        if now.is(place.entry.hash(Side::New)) {
            return Ok(State::New);
        }
        if now.is(place.entry.hash(Side::Old)) {
            return Ok(State::Old);
        }
    }
    let staged = Content::at(&place.staged)?;
    let made = match rescued {
        Rescued::PutBack => Some(false),
        // What is still staged has not been swapped in.
        _ if place.entry.new.is_some() => Some(!staged.is(place.entry.hash(Side::New))),
        _ => None,
    };
    if rescued != Rescued::Blocked {
        disk::remove_if_there(&place.staged)?;
    }
    Ok(State::Other { made })
}

/// Whether going on gives the set whole: in every file that someone changed, the set's change had been made before.
fn can_be_finished(found: &[Found]) -> bool {
    // Files are changed in order, so what is made stands before what is not.
    let made_from = |n: usize| {
        found[n..].iter().any(|later| matches!(later.state, State::New | State::Other { made: Some(true) }))
    };
    found.iter().enumerate().all(|(n, file)| match file.state {
        State::Old | State::New => true,
        State::Other { made } => made.unwrap_or_else(|| made_from(n)),
    })
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
        let rescued = step::rescue(place).map_err(|error| place.failed(error))?;
        if rescued == Rescued::Blocked {
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
