//! The few file-system steps that journalled writes are made of.
//!
//! Limits: extended attributes, access lists and hard links of a replaced file are not carried over; owner and group are
//! where the system permits it. Off Unix, folders cannot be synchronised and modes mean only "read-only".

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use assist_base::ContentHash;
use serde::{Deserialize, Serialize};

use crate::MAX_FILE_BYTES;

/// What is at a path, as far as changing it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing.
    Missing,
    /// A regular file with these bytes.
    File(ContentHash),
    /// A link, a folder, a device, or a file larger than any that is changed here.
    Other,
}

impl Content {
    /// What is at `path` now; a link is not followed.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let found = match path.symlink_metadata() {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(Self::Missing),
            Err(error) => return Err(error),
        };
        // A byte-order mark counts here and does not when reading: a little room for it.
        if !found.is_file() || found.len() > MAX_FILE_BYTES + 16 {
            return Ok(Self::Other);
        }
        match fs::read(path) {
            Ok(bytes) => Ok(Self::File(ContentHash::of(bytes))),
            Err(error) if is_absent(&error) => Ok(Self::Missing),
            Err(error) => Err(error),
        }
    }

    /// Whether this is the file with `hash`, or nothing where there is none.
    pub(crate) fn is(&self, hash: Option<&ContentHash>) -> bool {
        match (self, hash) {
            (Self::Missing, None) => true,
            (Self::File(here), Some(hash)) => here == hash,
            _ => false,
        }
    }
}

pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether links lead in a circle.
pub(crate) fn is_link_loop(error: &io::Error) -> bool {
    #[cfg(unix)]
    let looped = rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP);
    #[cfg(not(unix))]
    let looped = {
        let _ = error;
        false
    };
    looped
}

/// Reads a regular file of at most `limit` bytes; `None` where it is larger. Never waits on a pipe or device.
pub(crate) fn read_up_to(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len().min(limit)).unwrap_or(0) + 1);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// What a replaced file keeps besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attributes {
    mode: u32,
    owner: u32,
    group: u32,
}

impl Attributes {
    #[cfg(unix)]
    pub(crate) fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { mode: found.mode() & 0o7777, owner: found.uid(), group: found.gid() }
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_found: &Metadata) -> Self {
        Self { mode: 0, owner: 0, group: 0 }
    }

    #[cfg(unix)]
    fn give_to(self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
        let now = file.metadata()?;
        let mut mode = self.mode;
        if (now.uid(), now.gid()) != (self.owner, self.group)
            && fchown(file, Some(self.owner), Some(self.group)).is_err()
        {
            // Another's file that we may only rewrite: it becomes ours, and must not lend our identity to others.
            mode &= 0o1777;
        }
        file.set_permissions(fs::Permissions::from_mode(mode))
    }

    #[cfg(not(unix))]
    fn give_to(self, _file: &File) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a new file and waits until it is on disk. Without `attributes` it gets what new files get.
pub(crate) fn write_new(path: &Path, bytes: &[u8], attributes: Option<Attributes>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if attributes.is_some() {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Nobody else may look before the file has the mode of the one it replaces.
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    if let Some(attributes) = attributes {
        attributes.give_to(&file)?;
    }
    file.sync_all()
}

/// Waits until the names in `folder` are on disk.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network and FUSE disks cannot do this for folders.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        done => done,
    }
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Puts the file `from` at `to`, where nothing may be yet: `AlreadyExists` otherwise.
pub(crate) fn place_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
            Err(error)
        }
        // A disk without hard links.
        Err(_) => rename_new(from, to),
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => checked_rename(from, to),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    checked_rename(from, to)
}

fn checked_rename(from: &Path, to: &Path) -> io::Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Swaps two files in one step; `false` where the system or the disk cannot.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn exchange(_one: &Path, _other: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Removes a file that may be gone already.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if is_absent(&error) => Ok(()),
        done => done,
    }
}
