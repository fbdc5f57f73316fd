//! macOS: the walls as a profile of `sandbox-exec`.
//!
//! Written from the documentation of the profile language; it was never run. `sandbox-exec` is marked as deprecated and is
//! still what the system's own tools use.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::{Walls, reads};

/// The system's program.
pub(super) const PROGRAM: &str = "/usr/bin/sandbox-exec";

/// `arguments` behind the walls.
pub(super) fn command(walls: &Walls, arguments: &[String]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("-p").arg(profile(walls)).args(arguments);
    command
}

/// Later rules win: closed, opened by need, and closed again for what is hidden and protected.
fn profile(walls: &Walls) -> String {
    let mut text = String::from(
        "(version 1)\n(deny default)\n(allow process-fork)\n(allow process-exec)\n(allow sysctl-read)\n(allow mach-lookup)\n\
         (allow signal (target same-sandbox))\n(allow file-read-metadata)\n(allow file-read* (literal \"/\"))\n\
         (allow file-write-data (literal \"/dev/null\"))\n",
    );
    let mut rule = |rule: &str, path: &Path| {
        let Ok(path) = path.canonicalize() else { return };
        let quoted = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(text, "({rule} (subpath \"{quoted}\"))");
    };
    for system in ["/System", "/Library", "/private/etc", "/private/var/db", "/Applications/Xcode.app"] {
        rule("allow file-read*", Path::new(system));
    }
    for path in reads::readable().iter().chain(&walls.readable).chain(&walls.writable) {
        rule("allow file-read*", path);
    }
    for path in &walls.writable {
        rule("allow file-write*", path);
    }
    for path in &walls.protected {
        rule("deny file-write*", path);
    }
    for path in reads::hidden().iter().chain(&walls.hidden) {
        rule("deny file*", path);
    }
    if walls.network {
        text.push_str("(allow network*)\n");
    }
    text
}
