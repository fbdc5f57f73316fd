//! Folders by handle: each step goes from an open folder to one name in it and never follows a link.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::tree::Stamp;

/// The largest file that is copied.
pub(super) const MAX_COPIED: u64 = 64 << 20;

/// An open folder.
pub(super) struct Dir(OwnedFd);

/// What is in a folder by some name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    File,
    Link,
    Folder,
    Other,
}

#[expect(clippy::useless_conversion, reason = "the fields differ between systems")]
fn stamp(stat: &Stat) -> (Found, Stamp) {
    let found = match FileType::from_raw_mode(stat.st_mode as _) {
        FileType::RegularFile => Found::File,
        FileType::Symlink => Found::Link,
        FileType::Directory => Found::Folder,
        _ => Found::Other,
    };
    let nanos = |seconds: i128, rest: i128| seconds * 1_000_000_000 + rest;
    let stamp = Stamp {
        modified: nanos(i128::from(stat.st_mtime), stat.st_mtime_nsec as i128),
        changed: nanos(i128::from(stat.st_ctime), stat.st_ctime_nsec as i128),
        size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
        number: u64::from(stat.st_ino),
        mode: u32::from(stat.st_mode),
    };
    (found, stamp)
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Dir {
    /// A folder by its path, whose own links are followed: for the two roots.
    pub(super) fn open(path: &std::path::Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    pub(super) fn folder(&self, name: &str) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(&self.0, name, FOLDER, Mode::empty())?))
    }

    /// A folder that is made where it is missing; anything else of that name goes away.
    pub(super) fn own_folder(&self, name: &str) -> io::Result<Self> {
        match self.folder(name) {
            Ok(folder) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => {
                self.remove(name)?;
            }
        }
        match rustix::fs::mkdirat(&self.0, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.folder(name),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn own_stamp(&self) -> io::Result<Stamp> {
        Ok(stamp(&rustix::fs::fstat(&self.0)?).1)
    }

    /// What is there by that name; nothing where there is nothing.
    pub(super) fn look(&self, name: &str) -> io::Result<Option<(Found, Stamp)>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stamp(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The names in it that are text, and how many are not.
    pub(super) fn names(&self) -> io::Result<(Vec<String>, usize)> {
        let (mut names, mut odd) = (Vec::new(), 0);
        for entry in rustix::fs::Dir::read_from(self.0.as_fd())? {
            match entry?.file_name().to_str() {
                Ok("." | "..") => {}
                Ok(name) => names.push(name.to_owned()),
                Err(_) => odd += 1,
            }
        }
        Ok((names, odd))
    }

    /// The bytes of a regular file; none where it is not one, or larger than what is copied.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP | Errno::NOENT | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let found = file.metadata()?;
        if !found.is_file() || found.len() > MAX_COPIED {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
        file.take(MAX_COPIED + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= MAX_COPIED).then_some(bytes))
    }

    pub(super) fn link(&self, name: &str) -> io::Result<String> {
        let target = rustix::fs::readlinkat(&self.0, name, Vec::new())?;
        target.into_string().map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Puts a file there, whatever was there before. Nothing that stands there is written into: it is replaced.
    pub(super) fn put(&self, name: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
        const NEW: &str = ".assist-new";
        let mode = if executable { 0o755 } else { 0o644 };
        let _ = self.remove(NEW);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.0, NEW, flags, Mode::from_raw_mode(mode))?);
        file.write_all(bytes)?;
        drop(file);
        if matches!(self.look(name)?, Some((Found::Folder, _))) {
            self.remove(name)?;
        }
        Ok(rustix::fs::renameat(&self.0, NEW, &self.0, name)?)
    }

    pub(super) fn put_link(&self, name: &str, target: &str) -> io::Result<()> {
        self.remove(name)?;
        Ok(rustix::fs::symlinkat(target, &self.0, name)?)
    }

    /// Takes it away, a folder with all that is in it; links in it are taken away and not followed. Returns whether there
    /// was something.
    pub(super) fn remove(&self, name: &str) -> io::Result<bool> {
        match self.look(name)? {
            None => return Ok(false),
            Some((Found::Folder, _)) => {
                let below = self.folder(name)?;
                // A command may have closed it.
                let _ = rustix::fs::fchmod(&below.0, Mode::RWXU);
                for entry in rustix::fs::Dir::read_from(below.0.as_fd())? {
                    let entry = entry?;
                    match entry.file_name().to_str() {
                        Ok("." | "..") => {}
                        Ok(name) => {
                            below.remove(name)?;
                        }
                        Err(_) => rustix::fs::unlinkat(&below.0, entry.file_name(), AtFlags::empty())?,
                    }
                }
                rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?;
            }
            Some(_) => rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?,
        }
        Ok(true)
    }
}
