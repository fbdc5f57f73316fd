//! Finding and ending every process that came of this one, whatever group or session it moved to.
//!
//! This process is their reaper: one that loses its parent becomes a child of this one and so stays in the tree.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::{Pid, Signal};

/// All processes below this one, zombies not among them.
pub(super) fn alive() -> Vec<Pid> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in processes() {
        if let Some((state, parent)) = state_and_parent(pid) {
            // A zombie's children have another parent by now.
            if !matches!(state, 'Z' | 'X') {
                children.entry(parent).or_default().push(pid);
            }
        }
    }
    let mut found = Vec::new();
    let mut open = vec![std::process::id()];
    while let Some(parent) = open.pop() {
        for pid in children.remove(&parent).unwrap_or_default() {
            open.push(pid);
            found.extend(i32::try_from(pid).ok().and_then(Pid::from_raw));
        }
    }
    found
}

/// Ends all of them, once; what they start in this very moment is found by the next call. Returns how many there were.
pub(super) fn kill() -> usize {
    let alive = alive();
    for &pid in &alive {
        // Stopped first: a stopped process starts no other while the rest are ended.
        let _ = rustix::process::kill_process(pid, Signal::STOP);
    }
    for &pid in &alive {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
    alive.len()
}

/// How many threads this user runs, for a limit that the kernel counts per user.
pub(super) fn threads_of_this_user() -> u64 {
    let me = rustix::process::getuid().as_raw();
    let of = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(17)?.parse::<u64>().ok()
    };
    processes()
        .filter(|pid| fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == me))
        .filter_map(of)
        .sum()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may itself hold spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
