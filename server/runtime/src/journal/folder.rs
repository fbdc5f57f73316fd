//! The journal's folder and its lock.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::WRITING;
use crate::{FileError, Workspace, disk};

/// How long to wait for another process that changes the same workspace. A set takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
const GITIGNORE: &str =
    "# Made by Assist: everything here but the rules stays on this machine.\n*\n!rules/\n!rules/**\n";

/// Whose turn it is among the threads of this process. The lock of the file is for other processes, and can only be tried
/// now and then; who waits here is woken.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    taken: Mutex<bool>,
    free: Condvar,
}

/// Leave to change the workspace, until it is dropped.
pub(super) struct Turn<'t>(&'t Turns);

impl Turns {
    /// A turn, when it comes; none where it does not come in time.
    pub(super) fn take(&self) -> Option<Turn<'_>> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, waited) = self
            .free
            .wait_timeout_while(taken, PATIENCE, |taken| *taken)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *taken = true;
        Some(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_one();
    }
}

/// The journal of a workspace, locked: nobody else changes or recovers it.
pub(super) struct Journal {
    pub(super) folder: PathBuf,
    _lock: File,
}

impl Journal {
    /// The journal, made when it is missing.
    pub(super) fn open(workspace: &Workspace) -> Result<Self, FileError> {
        let own = workspace.assist_dir();
        if make_folder(&own)? {
            let ignore = own.join(".gitignore");
            fs::write(&ignore, GITIGNORE).map_err(FileError::at(WRITING, &ignore))?;
        }
        let folder = own.join("journal");
        make_folder(&folder)?;
        Self::lock(folder)
    }

    /// The journal, if there is one.
    pub(super) fn find(workspace: &Workspace) -> Result<Option<Self>, FileError> {
        let own = workspace.assist_dir();
        let folder = own.join("journal");
        if is_real_folder(&own) && is_real_folder(&folder) { Self::lock(folder).map(Some) } else { Ok(None) }
    }

    fn lock(folder: PathBuf) -> Result<Self, FileError> {
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // A cloned repository could bring a link or a pipe of this name.
            options.custom_flags(
                (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed(),
            );
        }
        let file = options.open(&path).map_err(FileError::at(WRITING, &path))?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { folder, _lock: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Err(FileError::Busy),
                Err(TryLockError::Error(error)) => {
                    return Err(FileError::io(WRITING, path.display().to_string(), error));
                }
            }
        }
    }
}

fn is_real_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Makes a folder of Assist's own, for this user alone; whether it was missing. A link is not accepted in its place: a cloned
/// repository could lead Assist's own files elsewhere with it.
pub(crate) fn make_folder(path: &Path) -> Result<bool, FileError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    match builder.create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_real_folder(path) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(FileError::NotAFile { path: path.display().to_string() })
        }
        Err(error) => Err(FileError::io(WRITING, path.display().to_string(), error)),
    }
}

/// Ends a change set's journal. It counts as ended from the renaming on, whatever becomes of the removal.
pub(super) fn set_down(folder: &Path) -> Result<PathBuf, FileError> {
    let done = folder.with_extension("done");
    fs::rename(folder, &done).map_err(FileError::at(WRITING, folder))?;
    Ok(done)
}

/// As [`set_down`], also should the power fail now.
pub(super) fn retire(folder: &Path) -> Result<PathBuf, FileError> {
    let done = set_down(folder)?;
    if let Some(journal) = folder.parent() {
        disk::sync_folder(journal).map_err(FileError::at(WRITING, journal))?;
    }
    Ok(done)
}

/// Removes what [`retire`] or [`set_down`] set aside.
pub(super) fn discard(done: &Path) {
    if let Err(error) = fs::remove_dir_all(done) {
        tracing::debug!(%error, folder = %done.display(), "a finished journal could not be removed");
    }
}

/// Tells a journal written in this place from one that came with a copied or cloned folder.
#[cfg(unix)]
pub(super) fn birthmark(folder: &Path) -> Result<u64, FileError> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(folder.symlink_metadata().map_err(FileError::at(WRITING, folder))?.ino())
}

#[cfg(not(unix))]
pub(super) fn birthmark(_folder: &Path) -> Result<u64, FileError> {
    Ok(0)
}
