//! Making a change set.

use std::fs;
use std::path::{Path, PathBuf};

use assist_base::change::apply_edits;
use assist_base::{ChangeSet, ContentHash, DocPath, FileChange, FileEdit, Outcome, Revision};

use super::folder::{self, Journal};
use super::intent::{self, Entry, Intent, Place, Side};
use super::recover::{self, Recovered};
use super::{Moment, Probe, Stop, step};
use crate::disk::{self, Attributes, Content};
use crate::error::WRITING;
use crate::text::{encode, without_bom};
use crate::{FileError, MAX_FILE_BYTES, TextFile, Trust, Workspace};

/// Makes `changes`, and first recovers what a crash left, which comes back beside the outcome.
pub(crate) fn apply(
    workspace: &Workspace,
    changes: &ChangeSet,
    probe: Probe<'_>,
) -> (Result<Outcome, FileError>, Vec<Recovered>) {
    let Some(first) = changes.files.first() else {
        return (Ok(Outcome::Applied { revisions: Vec::new() }), Vec::new());
    };
    if workspace.trust() == Trust::Untrusted {
        let reason =
            "this workspace is not trusted, so nothing in it is changed; trust it in your editor first";
        return (Ok(Outcome::Refused { path: first.path.clone(), reason: reason.to_owned() }), Vec::new());
    }
    let Some(_turn) = workspace.turns.take() else { return (Err(FileError::Busy), Vec::new()) };
    let journal = match Journal::open(workspace) {
        Ok(journal) => journal,
        Err(error) => return (Err(error), Vec::new()),
    };
    let recovered = match recover::recover_locked(workspace, &journal) {
        Ok(recovered) => recovered,
        Err(error) => return (Err(error), Vec::new()),
    };
    let outcome = match make(workspace, &journal, changes, probe) {
        Ok(revisions) => Ok(Outcome::Applied { revisions }),
        Err(Stop::Stale(path)) => Ok(Outcome::Stale { path }),
        Err(Stop::Refused(path, reason)) => Ok(Outcome::Refused { path, reason }),
        Err(Stop::File(path, error)) => match error {
            FileError::Io { .. } | FileError::Full { .. } => Err(error),
            about_the_file => Ok(Outcome::Refused { path, reason: about_the_file.to_string() }),
        },
        Err(Stop::Failed(error)) => Err(error),
        #[cfg(test)]
        Err(Stop::Crash) => Err(FileError::Busy),
    };
    (outcome, recovered)
}

type Revisions = Vec<(DocPath, Option<Revision>)>;

fn make(
    workspace: &Workspace,
    journal: &Journal,
    changes: &ChangeSet,
    probe: Probe<'_>,
) -> Result<Revisions, Stop> {
    let plans = plan(workspace, changes)?;
    let folders = missing_folders(workspace, &plans)?;
    let own = journal.folder.join(changes.id.to_string());
    if !folder::make_folder(&own)? {
        // Left by a crash and not to be recovered now.
        return Err(FileError::io(
            WRITING,
            own.display().to_string(),
            std::io::ErrorKind::AlreadyExists.into(),
        )
        .into());
    }
    let places = match write_intent(workspace, changes, &own, &plans, &folders, probe) {
        Ok(places) => places,
        Err(stop) => {
            if !is_crash(&stop) {
                folder::discard(&own);
            }
            return Err(stop);
        }
    };
    match carry_out(workspace, &own, &places, &folders, probe) {
        Ok(()) => {}
        Err(stop) if is_crash(&stop) => return Err(stop),
        Err(stop) => {
            undo(workspace, &own, &places, &folders, probe)?;
            return Err(stop);
        }
    }
    probe(Moment::Complete)?;
    // The journal of one file may come back after a loss of power: then the file shows that it is done.
    let retired = if places.len() == 1 { folder::set_down(&own) } else { folder::retire(&own) };
    match retired {
        Ok(done) => {
            probe(Moment::Retired)?;
            folder::discard(&done);
        }
        // The set is made; the next recovery finds nothing left to do.
        Err(error) => tracing::warn!(%error, "the journal of an applied change set could not be closed"),
    }
    Ok(plans.into_iter().map(|plan| (plan.path, plan.revision)).collect())
}

fn is_crash(stop: &Stop) -> bool {
    #[cfg(test)]
    return matches!(stop, Stop::Crash);
    #[cfg(not(test))]
    {
        let _ = stop;
        false
    }
}

/// One file, before anything is written.
struct Plan {
    path: DocPath,
    target: PathBuf,
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
    revision: Option<Revision>,
    attributes: Option<Attributes>,
}

fn plan(workspace: &Workspace, changes: &ChangeSet) -> Result<Vec<Plan>, Stop> {
    let mut plans: Vec<Plan> = Vec::with_capacity(changes.files.len());
    for change in &changes.files {
        let planned = plan_file(workspace, change)?;
        let clash = |other: &Plan| {
            other.target.starts_with(&planned.target) || planned.target.starts_with(&other.target)
        };
        if plans.iter().any(clash) {
            let reason =
                format!("`{}` is named twice, or is a file and a folder at once, in one change", change.path);
            return Err(Stop::Refused(change.path.clone(), reason));
        }
        plans.push(planned);
    }
    Ok(plans)
}

fn plan_file(workspace: &Workspace, change: &FileChange) -> Result<Plan, Stop> {
    let path = &change.path;
    let about = |error| Stop::File(path.clone(), error);
    if path.is_untitled() {
        let reason = format!("`{path}` was never saved, so it can be changed in its editor only");
        return Err(Stop::Refused(path.clone(), reason));
    }
    let target = workspace.absolute(path).map_err(about)?;
    let plan = |old, new: Option<Vec<u8>>, attributes| {
        let revision =
            new.as_ref().map(|bytes| Revision::of_file(without_bom(&String::from_utf8_lossy(bytes))));
        Plan { path: path.clone(), target: target.clone(), old, new, revision, attributes }
    };
    match &change.edit {
        FileEdit::Create { text } => {
            match Content::at(&target).map_err(|e| about(FileError::io(WRITING, path.as_str(), e)))? {
                Content::Missing => Ok(plan(None, Some(checked(path, text.clone().into_bytes())?), None)),
                Content::File(_) => Err(Stop::Stale(path.clone())),
                Content::Other => Err(about(FileError::NotAFile { path: path.to_string() })),
            }
        }
        FileEdit::Modify { base, edits } => {
            let (file, attributes) = present(workspace, path, &target, base)?;
            let after = apply_edits(&file.text, edits).map_err(|error| {
                Stop::Refused(path.clone(), format!("`{path}` was left as it was: {error}"))
            })?;
            let new = checked(path, encode(&after, file.bom))?;
            Ok(plan(Some(file.to_bytes()), Some(new), Some(attributes)))
        }
        FileEdit::Delete { base } => {
            let (file, attributes) = present(workspace, path, &target, base)?;
            Ok(plan(Some(file.to_bytes()), None, Some(attributes)))
        }
    }
}

/// The file at `base`, which may be written.
fn present(
    workspace: &Workspace,
    path: &DocPath,
    target: &Path,
    base: &Revision,
) -> Result<(TextFile, Attributes), Stop> {
    let about = |error| Stop::File(path.clone(), error);
    let file = match workspace.read(path) {
        Ok(file) if file.revision.hash == base.hash => file,
        Ok(_) | Err(FileError::NotFound { .. }) => return Err(Stop::Stale(path.clone())),
        Err(error) => return Err(about(error)),
    };
    let found =
        target.symlink_metadata().map_err(|error| about(FileError::io(WRITING, path.as_str(), error)))?;
    if found.permissions().readonly() {
        return Err(about(FileError::ReadOnly { path: path.to_string() }));
    }
    Ok((file, Attributes::of(&found)))
}

/// Text that could not be read back is not written in the first place.
fn checked(path: &DocPath, bytes: Vec<u8>) -> Result<Vec<u8>, Stop> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let error = FileError::TooLarge { path: path.to_string(), bytes: bytes.len() as u64 };
        return Err(Stop::File(path.clone(), error));
    }
    if bytes.contains(&0) {
        let reason = format!("the new text of `{path}` holds a NUL character, so it was not written");
        return Err(Stop::Refused(path.clone(), reason));
    }
    Ok(bytes)
}

/// The parent folders that have to be made, outermost first.
fn missing_folders(workspace: &Workspace, plans: &[Plan]) -> Result<Vec<DocPath>, Stop> {
    let mut folders = Vec::new();
    for plan in plans.iter().filter(|plan| plan.new.is_some() && plan.old.is_none()) {
        let missing = plan.target.ancestors().skip(1).take_while(|folder| !folder.exists());
        let mut missing: Vec<&Path> = missing.collect();
        missing.reverse();
        for folder in missing {
            let folder = workspace.doc_path(folder).map_err(|error| Stop::File(plan.path.clone(), error))?;
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    Ok(folders)
}

/// From the end of this on, the journal alone is enough to finish or to undo.
fn write_intent(
    workspace: &Workspace,
    changes: &ChangeSet,
    own: &Path,
    plans: &[Plan],
    folders: &[DocPath],
    probe: Probe<'_>,
) -> Result<Vec<Place>, Stop> {
    probe(Moment::Opened)?;
    let is_alone = plans.len() == 1;
    let mut places = Vec::with_capacity(plans.len());
    for (n, plan) in plans.iter().enumerate() {
        for (side, bytes) in [(Side::Old, &plan.old), (Side::New, &plan.new)] {
            if let Some(bytes) = bytes {
                let path = intent::copy(own, n, side);
                // The copies of a file that is alone serve this process only: a crash leaves one side or the other.
                let written =
                    if is_alone { fs::write(&path, bytes) } else { disk::write_new(&path, bytes, None) };
                written.map_err(FileError::at(WRITING, &path))?;
            }
        }
        let entry = Entry {
            path: plan.path.clone(),
            old: plan.old.as_ref().map(ContentHash::of),
            new: plan.new.as_ref().map(ContentHash::of),
            attributes: plan.attributes,
        };
        let place = Place::new(workspace, changes.id, n, entry)
            .map_err(|error| Stop::File(plan.path.clone(), error))?;
        places.push(place);
    }
    probe(Moment::Copied)?;
    let entries = places.iter().map(|place| place.entry.clone()).collect();
    Intent::new(own, folders.to_vec(), entries)?.write(own)?;
    if let Some(journal) = own.parent() {
        disk::sync_folder(journal).map_err(FileError::at(WRITING, journal))?;
    }
    probe(Moment::Intended)?;
    Ok(places)
}

fn carry_out(
    workspace: &Workspace,
    own: &Path,
    places: &[Place],
    folders: &[DocPath],
    probe: Probe<'_>,
) -> Result<(), Stop> {
    make_folders(workspace, folders)?;
    probe(Moment::Folders)?;
    for place in places {
        step::stage(place, own, Side::New, probe)?;
    }
    // Everything that can fail for lack of room or permission has been done; what can still stop the set is a file that
    // changed since it was read.
    for place in places {
        if !Content::at(&place.target).map_err(|error| place.failed(error))?.is(place.entry.hash(Side::Old)) {
            return Err(Stop::Stale(place.entry.path.clone()));
        }
    }
    // One file changes in one step, and whether that was made is seen from the file.
    if places.len() > 1 {
        mark(own, COMMIT)?;
        probe(Moment::Committed)?;
    }
    for place in places {
        if !step::advance(workspace, place, Side::New, probe)? {
            return Err(Stop::Stale(place.entry.path.clone()));
        }
        probe(Moment::Changed(place.n))?;
    }
    Ok(())
}

/// Undoes what was done so far; files that someone else changed meanwhile stay as they are.
fn undo(
    workspace: &Workspace,
    own: &Path,
    places: &[Place],
    folders: &[DocPath],
    probe: Probe<'_>,
) -> Result<(), Stop> {
    mark(own, ROLLBACK)?;
    probe(Moment::RollingBack)?;
    let left_alone = recover::settle(workspace, own, places, Side::Old, probe)?;
    if !left_alone.is_empty() {
        tracing::warn!(
            ?left_alone,
            "files that changed meanwhile were left alone while undoing a change set"
        );
    }
    remove_folders(workspace, folders);
    let done = folder::retire(own)?;
    folder::discard(&done);
    Ok(())
}

pub(super) const COMMIT: &str = "commit";
pub(super) const ROLLBACK: &str = "rollback";

pub(super) fn mark(own: &Path, name: &str) -> Result<(), FileError> {
    let path = own.join(name);
    // There is nothing in it: with its name it is on the disk.
    match fs::File::create_new(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|_| disk::sync_folder(own)).map_err(FileError::at(WRITING, &path)),
    }
}

pub(super) fn make_folders(workspace: &Workspace, folders: &[DocPath]) -> Result<(), Stop> {
    for folder in folders {
        let failed = |error| Stop::File(folder.clone(), error);
        let path = workspace.absolute(folder).map_err(failed)?;
        match fs::create_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists || !path.is_dir() => {
                return Err(failed(FileError::io(WRITING, folder.as_str(), error)));
            }
            _ => {}
        }
        if let Some(parent) = path.parent() {
            disk::sync_folder(parent)
                .map_err(|error| failed(FileError::io(WRITING, folder.as_str(), error)))?;
        }
    }
    Ok(())
}

/// Removes folders that were made for the set, as far as they are empty.
pub(super) fn remove_folders(workspace: &Workspace, folders: &[DocPath]) {
    for folder in folders.iter().rev() {
        if let Ok(path) = workspace.absolute(folder)
            && let Err(error) = fs::remove_dir(&path)
        {
            tracing::debug!(%error, folder = %folder, "a folder made for a change set stays");
        }
    }
}
