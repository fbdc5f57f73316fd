//! Paths that stay read-only below a folder that may be written, by mounts of the minding process's own.
//!
//! Landlock can grant and not except: with it alone nothing could be made directly in a folder that holds a protected one.
//! So before any thread is started the minding process takes mounts of its own (as an ordinary user in a user namespace of
//! its own), and lays each protected path over itself, read-only. The command inherits these mounts, and Landlock keeps it
//! from changing them. Where the system does not allow it, Landlock alone protects, at that price.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::UnshareFlags;

/// Makes these paths read-only for this process and all it starts. Must be called while it has one thread only.
///
/// Returns whether they are; if not, nothing that the command needs has changed.
pub(super) fn read_only(paths: &[PathBuf]) -> bool {
    let real: Vec<PathBuf> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    if real.is_empty() {
        return false;
    }
    let done = of_its_own().and_then(|()| real.iter().try_for_each(|path| over_itself(path)));
    done.is_ok()
}

fn of_its_own() -> rustix::io::Result<()> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    if user.is_root() {
        unshare(UnshareFlags::NEWNS)?;
    } else {
        unshare(UnshareFlags::NEWNS | UnshareFlags::NEWUSER)?;
        // The same user and group as outside; without these files the names of both would be unknown, nothing else.
        let (user, group) = (user.as_raw(), group.as_raw());
        let _ = fs::write("/proc/self/setgroups", "deny");
        let _ = fs::write("/proc/self/uid_map", format!("{user} {user} 1"));
        let _ = fs::write("/proc/self/gid_map", format!("{group} {group} 1"));
    }
    // What is mounted outside later is still seen here, and nothing of here outside.
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
}

#[expect(deprecated, reason = "it is only unsound for namespaces of open files, which are not asked for")]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    rustix::thread::unshare(flags)
}

fn over_itself(path: &Path) -> rustix::io::Result<()> {
    rustix::mount::mount_bind_recursive(path, path)?;
    // What the mount forbids already must be said again.
    let now = rustix::fs::statvfs(path)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (has, keep) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if now.contains(has) {
            flags |= keep;
        }
    }
    rustix::mount::mount_remount(path, flags, "")
}
