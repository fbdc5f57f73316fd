//! Damaged files: noticing, and keeping a copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assist_base::ContentHash;
use rusqlite::Connection;

use crate::error::{Result, StoreError};

/// Damage in a file that the caller will name.
pub(crate) fn unplaced() -> StoreError {
    StoreError::Damaged { path: PathBuf::new(), backup: None }
}

/// Copies a damaged database beside itself and returns the error that says so.
///
/// The copy's name holds a hash of the content, so that opening the same file again makes no second copy.
pub(crate) fn preserve(path: &Path) -> StoreError {
    let backup =
        copy(path).inspect_err(|error| tracing::warn!(%error, "the damaged database could not be copied"));
    StoreError::Damaged { path: path.to_owned(), backup: backup.ok() }
}

fn copy(path: &Path) -> io::Result<PathBuf> {
    let content = fs::read(path)?;
    let log = with_suffix(path, "-wal");
    let hash = ContentHash::of(&content);
    let backup = with_suffix(path, &format!(".damaged-{}", &hash.as_str()[..12]));
    if !backup.exists() {
        // Looking at the file may have left an empty log.
        if log.metadata().is_ok_and(|log| log.len() > 0) {
            fs::copy(&log, with_suffix(&backup, "-wal"))?;
        }
        // Whole or not there: the name says that the content is complete.
        let unfinished = with_suffix(&backup, ".part");
        fs::write(&unfinished, &content)?;
        fs::rename(&unfinished, &backup)?;
    }
    Ok(backup)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Looks at every page.
///
/// # Errors
/// [`StoreError::Damaged`] without a path when one is wrong.
pub(crate) fn quick_check(conn: &Connection) -> Result<()> {
    judge(conn, "PRAGMA quick_check(1)")
}

/// Looks at every page, and whether rows and indexes agree.
///
/// # Errors
/// [`StoreError::Damaged`] without a path when something is wrong.
pub(crate) fn check(conn: &Connection) -> Result<()> {
    judge(conn, "PRAGMA integrity_check(1)")
}

fn judge(conn: &Connection, pragma: &str) -> Result<()> {
    let verdict: String = conn.query_row(pragma, [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        tracing::warn!(%verdict, "the database is damaged");
        Err(unplaced())
    }
}

/// Whether a folder lies on a disk that other machines write to as well.
#[cfg(target_os = "linux")]
pub(crate) fn on_network_disk(folder: &Path) -> bool {
    // NFS, SMB (two generations), CIFS, 9P, AFS (two implementations), Ceph, FUSE (sshfs, and other things: safe).
    const NETWORK: [u32; 9] = [
        0x6969,
        0x517B,
        0xFE53_4D42,
        0xFF53_4D42,
        0x0102_1997,
        0x5346_414F,
        0x6B41_4653,
        0x00C3_6400,
        0x6573_5546,
    ];
    // The magic numbers are 32 bits wide on every architecture; the field's type is not.
    rustix::fs::statfs(folder).is_ok_and(|disk| NETWORK.contains(&(disk.f_type as u32)))
}

/// Whether a folder lies on a disk that other machines write to as well. Not known here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn on_network_disk(_folder: &Path) -> bool {
    false
}
