//! What Assist can make again at any time and keeps in `.assist/cache` so as not to: the next process finds it there.
//!
//! Nothing of it is relied on: what is missing, damaged or brought along by a cloned repository costs time, or is told by its
//! content, and never an error to the user.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::journal::make_folder;
use crate::{Trust, Workspace, disk};

/// A larger one is neither kept nor read.
const MOST_BYTES: u64 = 16 << 20;

impl Workspace {
    /// What was kept under `name` (a plain file name); none where there is nothing, a link, too much, or no trust. Blocks.
    pub fn kept(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.cache_folder()?.join(name);
        if self.trust() == Trust::Untrusted || !file.symlink_metadata().ok()?.is_file() {
            return None;
        }
        disk::read_up_to(&file, MOST_BYTES).ok()?
    }

    /// Keeps `bytes` under `name`, in place of what was there, whole or not at all. In a workspace without a `.assist` folder,
    /// or without trust, nothing is kept. Blocks; not waited for by the disk, so that it may be lost with the power.
    ///
    /// # Errors
    /// When it could not be written; what was kept before is still there then.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if self.trust() == Trust::Untrusted || bytes.len() as u64 > MOST_BYTES {
            return Ok(());
        }
        let Some(folder) = self.cache_folder() else { return Ok(()) };
        make_folder(&folder).map_err(io::Error::other)?;
        // Two processes may do so at once: the last one counts.
        let part = folder.join(format!("{name}.{}", std::process::id()));
        disk::remove_if_there(&part)?;
        let mut options = fs::OpenOptions::new();
        let written = options
            .write(true)
            .create_new(true)
            .open(&part)
            .and_then(|mut file| io::Write::write_all(&mut file, bytes))
            .and_then(|()| fs::rename(&part, folder.join(name)));
        if written.is_err() {
            let _ = disk::remove_if_there(&part);
        }
        written
    }

    /// Where it is kept, if Assist has a folder of its own here, and that is no link.
    fn cache_folder(&self) -> Option<PathBuf> {
        let is_real = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| found.is_dir());
        let own = Some(self.assist_dir()).filter(is_real)?;
        let folder = own.join("cache");
        (is_real(&folder) || folder.symlink_metadata().is_err()).then_some(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".assist")).unwrap();
        let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
        (folder, workspace)
    }

    #[test]
    fn what_is_kept_is_there_for_the_next_until_something_else_is() {
        let (folder, workspace) = workspace();
        assert_eq!(workspace.kept("map"), None);
        for bytes in [b"one".as_slice(), b"two"] {
            workspace.keep("map", bytes).unwrap();
            let next = Workspace::open(folder.path(), Trust::Trusted).unwrap();
            assert_eq!(next.kept("map").as_deref(), Some(bytes));
        }
        assert_eq!(fs::read_dir(folder.path().join(".assist/cache")).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_kept_without_trust_or_a_folder_of_its_own() {
        let (folder, workspace) = workspace();
        workspace.keep("map", b"x").unwrap();
        let untrusted = Workspace::open(folder.path(), Trust::Untrusted).unwrap();
        untrusted.keep("map", b"y").unwrap();
        assert_eq!((untrusted.kept("map"), workspace.kept("map").as_deref()), (None, Some(b"x".as_slice())));
        fs::remove_dir_all(folder.path().join(".assist")).unwrap();
        workspace.keep("map", b"x").unwrap();
        assert!(!folder.path().join(".assist").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_neither_read_nor_written_through() {
        let (folder, workspace) = workspace();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("map"), "theirs").unwrap();
        let cache = folder.path().join(".assist/cache");
        std::os::unix::fs::symlink(outside.path(), &cache).unwrap();
        workspace.keep("map", b"ours").unwrap();
        assert_eq!(workspace.kept("map"), None);
        fs::remove_file(&cache).unwrap();
        fs::create_dir(&cache).unwrap();
        std::os::unix::fs::symlink(outside.path().join("map"), cache.join("map")).unwrap();
        assert_eq!(workspace.kept("map"), None);
        workspace.keep("map", b"ours").unwrap();
        assert_eq!(workspace.kept("map").as_deref(), Some(b"ours".as_slice()));
        assert_eq!(fs::read(outside.path().join("map")).unwrap(), b"theirs");
    }
}
