//! Bringing one file from one side of a change set to the other. Making, finishing and undoing a set all go through here.

use std::fs;
use std::io;
use std::path::Path;

use super::intent::{Place, Side};
use super::{Moment, Probe, Stop};
use crate::Workspace;
use crate::disk::{self, Content};

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

/// What lay beside a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rescued {
    /// Nothing that is not the set's own.
    Nothing,
    /// What someone else had at the target; it is there again.
    PutBack,
    /// The same, but the target has changed yet again, so it stays beside it.
    Blocked,
}

/// Puts back what someone else had at the target when a crash fell between swapping and looking.
pub(super) fn rescue(place: &Place) -> io::Result<Rescued> {
    disk::remove_if_there(&place.part)?;
    let of_the_set =
        |content: &Content| [Side::Old, Side::New].into_iter().any(|side| content.is(place.entry.hash(side)));
    let staged = Content::at(&place.staged)?;
    if staged == Content::Missing || of_the_set(&staged) {
        return Ok(Rescued::Nothing);
    }
    match Content::at(&place.target)? {
        target if !of_the_set(&target) => Ok(Rescued::Blocked),
        Content::Missing => disk::place_new(&place.staged, &place.target).map(|()| Rescued::PutBack),
        _ => fs::rename(&place.staged, &place.target).map(|()| Rescued::PutBack),
    }
}
