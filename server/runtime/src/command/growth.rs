//! How much a command has written: what the folders that it may write have grown by since it began.
//!
//! A limit of the system's bounds each file by itself; this bounds all of them together. It is looked from time to time and the
//! command ended when it is over: a fast one passes the limit by what it writes between two looks. The looks cost at most
//! about a twentieth of one processor, and a command that is over within half a second is never looked at.
//!
//! Limits: what is written elsewhere, where no walls hold, is not seen, nor are files that were removed and are still held open;
//! what others write into the same folders meanwhile counts as the command's. On Windows nothing is looked at.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

/// Until the first look, and the least between two.
const BETWEEN: Duration = Duration::from_millis(500);
/// The longest between two looks.
const LONGEST: Duration = Duration::from_secs(30);
/// A look may take one part in so many of the time.
const SHARE: u32 = 20;
/// File systems tell times by a clock that is a little behind.
const BEHIND: Duration = Duration::from_millis(20);
/// So many entries are looked at; what is beyond them is not counted.
const MOST_ENTRIES: usize = 2_000_000;

/// What folders have grown by.
pub(super) struct Growth {
    folders: Vec<PathBuf>,
    /// Not the command's: left out.
    closed: Vec<PathBuf>,
    since: SystemTime,
    /// What was there before, as the first look found it.
    before: Option<u64>,
}

impl Growth {
    /// Of these folders, but for what lies in `closed`, from now on.
    pub(super) fn of(folders: Vec<PathBuf>, closed: Vec<PathBuf>) -> Self {
        let mut outermost: Vec<PathBuf> = Vec::new();
        let mut sorted: Vec<PathBuf> =
            folders.into_iter().map(|folder| folder.canonicalize().unwrap_or(folder)).collect();
        sorted.sort();
        for folder in sorted {
            if !outermost.iter().any(|outer| folder.starts_with(outer)) {
                outermost.push(folder);
            }
        }
        let closed = closed.into_iter().map(|path| path.canonicalize().unwrap_or(path)).collect();
        let now = SystemTime::now();
        Self { folders: outermost, closed, since: now.checked_sub(BEHIND).unwrap_or(now), before: None }
    }

    /// Bytes on the disk that have been added. A file that was there before and has grown until the first look counts as
    /// it is then.
    pub(super) fn look(&mut self) -> u64 {
        let (mut all, mut older) = (0_u64, 0_u64);
        let mut linked = HashSet::new();
        let mut entries = 0;
        let mut waiting = self.folders.clone();
        while let Some(folder) = waiting.pop() {
            let Ok(listed) = std::fs::read_dir(&folder) else { continue };
            for entry in listed.flatten() {
                entries += 1;
                // Of the entry itself: what a link leads to is not the command's.
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() && entries < MOST_ENTRIES && !self.closed.contains(&entry.path()) {
                    waiting.push(entry.path());
                }
                let Some(file) = on_disk(&metadata) else { continue };
                if file.names > 1 && !metadata.is_dir() && !linked.insert(file.id) {
                    continue;
                }
                all = all.saturating_add(file.bytes);
                if self.before.is_none() && metadata.created().unwrap_or(file.changed) < self.since {
                    older = older.saturating_add(file.bytes);
                }
            }
        }
        all.saturating_sub(*self.before.get_or_insert(older))
    }

    /// Looks until `over` is closed or more than `most` bytes have been added. True where they have.
    pub(super) fn passes(mut self, most: u64, over: &Receiver<()>) -> bool {
        let mut pause = BETWEEN;
        loop {
            match over.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return false,
            }
            let begun = Instant::now();
            if self.look() > most {
                return true;
            }
            pause = (begun.elapsed() * SHARE).clamp(BETWEEN, LONGEST);
        }
    }
}

/// A file as it lies on the disk.
struct OnDisk {
    bytes: u64,
    /// How many names it has.
    names: u64,
    /// What it is under all of them.
    id: (u64, u64),
    /// When anything of it changed last.
    changed: SystemTime,
}

#[cfg(unix)]
fn on_disk(metadata: &std::fs::Metadata) -> Option<OnDisk> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
    Some(OnDisk {
        // Holes take no place.
        bytes: metadata.blocks().saturating_mul(512),
        names: metadata.nlink(),
        id: (metadata.dev(), metadata.ino()),
        changed: SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds),
    })
}

#[cfg(not(unix))]
fn on_disk(_metadata: &std::fs::Metadata) -> Option<OnDisk> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::Path;

    use super::*;

    const MEGABYTE: u64 = 1 << 20;

    fn write(path: &Path, megabytes: usize) {
        std::fs::write(path, vec![1_u8; megabytes << 20]).unwrap();
        // Some file systems place a file on the disk only then.
        std::fs::File::open(path).unwrap().sync_all().unwrap();
    }

    /// A folder with a file of 4 MB that is older than what is watched.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("old"), 4);
        // Until the clock that stamps files has left the file's time behind.
        let old = std::fs::metadata(folder.path().join("old")).unwrap();
        let born = old.created().unwrap_or_else(|_| old.modified().unwrap());
        while SystemTime::now().checked_sub(BEHIND).unwrap() <= born {
            std::thread::yield_now();
        }
        folder
    }

    #[test]
    fn only_what_is_added_counts_wherever_it_is() {
        let (folder, other) = (folder(), tempfile::tempdir().unwrap());
        std::fs::create_dir_all(folder.path().join("closed")).unwrap();
        std::os::unix::fs::symlink(other.path(), folder.path().join("link")).unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir_all(&inner).unwrap();
        let closed = vec![folder.path().join("closed")];
        let mut growth = Growth::of(vec![inner.clone(), folder.path().to_owned()], closed);
        // Written before the first look, which comes late.
        write(&inner.join("new"), 2);
        let first = growth.look();
        assert!((2 * MEGABYTE..3 * MEGABYTE).contains(&first), "{first}");
        // Nothing of these is the command's growth in these folders.
        write(&folder.path().join("closed/theirs"), 3);
        write(&other.path().join("elsewhere"), 3);
        std::fs::hard_link(inner.join("new"), inner.join("again")).unwrap();
        std::fs::File::create(inner.join("hole")).unwrap().set_len(64 * MEGABYTE).unwrap();
        let same = growth.look();
        assert!((2 * MEGABYTE..3 * MEGABYTE).contains(&same), "{same}");
        // What is gone again does not count, and what was there can shrink.
        std::fs::remove_file(folder.path().join("old")).unwrap();
        assert_eq!(growth.look(), 0);
    }

    #[test]
    fn a_watch_ends_with_the_command_or_when_it_is_too_much() {
        let folder = folder();
        let (over, ended) = std::sync::mpsc::channel::<()>();
        write(&folder.path().join("new"), 2);
        // The file is younger than the watch by the clock's slack at least.
        let growth = Growth {
            since: SystemTime::now() - Duration::from_secs(3600),
            ..Growth::of(vec![folder.path().to_owned()], vec![])
        };
        assert!(growth.passes(MEGABYTE, &ended));
        let growth = Growth::of(vec![folder.path().to_owned()], vec![]);
        drop(over);
        assert!(!growth.passes(0, &ended));
    }
}
