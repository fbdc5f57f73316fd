//! Bringing one file from one side of a change set to the other. Making, finishing and undoing a set all go through here.

use std::fs;
use std::io;
use std::path::Path;

use super::intent::{Place, Side};
use super::{Moment, Probe, Stop};
use crate::disk::{self, Content};
use crate::error::WRITING;
use crate::{FileError, Workspace};

/// Writes the content of `side` beside the target, unless it lies there already.
pub(super) fn stage(place: &Place, journal: &Path, side: Side, probe: Probe<'_>) -> Result<(), Stop> {
    let Some(bytes) = place.bytes(journal, side)? else { return Ok(()) };
    let failed = |error| place.failed(error);
    if Content::at(&place.staged).map_err(failed)?.is(place.entry.hash(side)) {
        return Ok(());
    }
    disk::remove_if_there(&place.part).map_err(failed)?;
    probe(Moment::Staging(place.n))?;
    disk::write_new(&place.part, &bytes, place.entry.attributes)
        .and_then(|()| fs::rename(&place.part, &place.staged))
        .map_err(failed)?;
    probe(Moment::Staged(place.n))
}

/// Brings the target from the other side to `to`, whose content is staged. `false`, and nothing changed, when the target
/// turns out to be something else by now.
pub(super) fn advance(
    workspace: &Workspace,
    place: &Place,
    to: Side,
    probe: Probe<'_>,
) -> Result<bool, Stop> {
    let failed = |error| place.failed(error);
    // The way to the file must still be the way that was checked.
    let now =
        workspace.absolute(&place.entry.path).map_err(|error| Stop::File(place.entry.path.clone(), error))?;
    if now != place.target {
        return Ok(false);
    }
    let from = to.other();
    let done = match (place.entry.hash(from).is_some(), place.entry.hash(to).is_some()) {
        (true, true) => replace(place, from, probe)?,
        (false, true) => match disk::place_new(&place.staged, &place.target) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(error)),
        },
        (true, false) => take_away(place, from, probe)?,
        (false, false) => true,
    };
    disk::remove_if_there(&place.staged).map_err(failed)?;
    if let Some(folder) = place.target.parent().filter(|folder| folder.is_dir()) {
        disk::sync_folder(folder).map_err(failed)?;
    }
    Ok(done)
}

fn replace(place: &Place, from: Side, probe: Probe<'_>) -> Result<bool, Stop> {
    let failed = |error| place.failed(error);
    match disk::exchange(&place.staged, &place.target) {
        Ok(true) => {
            probe(Moment::Swapped(place.n))?;
            if Content::at(&place.staged).map_err(failed)?.is(place.entry.hash(from)) {
                return Ok(true);
            }
            disk::exchange(&place.staged, &place.target).map_err(failed)?;
            kept_or_ours(place, from.other())?;
            Ok(false)
        }
        Ok(false) => {
            if !Content::at(&place.target).map_err(failed)?.is(place.entry.hash(from)) {
                return Ok(false);
            }
            fs::rename(&place.staged, &place.target).map_err(failed)?;
            Ok(true)
        }
        // The target is gone; the staged file is not needed then.
        Err(error) if disk::is_absent(&error) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

fn take_away(place: &Place, from: Side, probe: Probe<'_>) -> Result<bool, Stop> {
    let failed = |error| place.failed(error);
    match fs::rename(&place.target, &place.staged) {
        Ok(()) => {}
        Err(error) if disk::is_absent(&error) => return Ok(false),
        Err(error) => return Err(failed(error)),
    }
    probe(Moment::Swapped(place.n))?;
    if Content::at(&place.staged).map_err(failed)?.is(place.entry.hash(from)) {
        return Ok(true);
    }
    // Someone saved the file in this moment: back with it. Should yet another stand there, both stay.
    disk::place_new(&place.staged, &place.target).map_err(failed)?;
    Ok(false)
}

/// After swapping back, what lies beside the target must be ours to remove. Else someone saved twice within the two
/// swaps, and both texts stay.
fn kept_or_ours(place: &Place, ours: Side) -> Result<(), Stop> {
    let failed = |error| place.failed(error);
    if Content::at(&place.staged).map_err(failed)?.is(place.entry.hash(ours)) {
        return Ok(());
    }
    Err(place
        .failed(io::Error::other(format!("it changed twice meanwhile; see also {}", place.staged.display()))))
}

/// Puts back what someone else had at the target when a crash fell between swapping and looking. Afterwards nothing but
/// the set's own content lies beside the target. `false` when it could not be put back and was left beside it.
pub(super) fn rescue(place: &Place) -> Result<bool, FileError> {
    let put_back = || -> io::Result<bool> {
        disk::remove_if_there(&place.part)?;
        let staged = Content::at(&place.staged)?;
        let own = |content: &Content| {
            *content == Content::Missing
                || content.is(place.entry.hash(Side::Old))
                || content.is(place.entry.hash(Side::New))
        };
        if own(&staged) {
            return Ok(true);
        }
        let target = Content::at(&place.target)?;
        if !target.is(place.entry.hash(Side::Old)) && !target.is(place.entry.hash(Side::New)) {
            return Ok(false);
        }
        match target {
            Content::Missing => disk::place_new(&place.staged, &place.target)?,
            _ => fs::rename(&place.staged, &place.target)?,
        }
        Ok(true)
    };
    put_back().map_err(FileError::at(WRITING, &place.target))
}
