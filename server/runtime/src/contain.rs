//! Keeping paths inside the workspace.
//!
//! A [`DocPath`] cannot leave by its spelling. Here the links on the way are followed, and what they lead to must lie
//! inside too. Git's and Assist's own folders are closed, however their names are spelled.
//!
//! Limit: a path is checked, then used. Someone who may already run programs here could swap a folder for a link in
//! between; writes check again right before they happen, which narrows that window and does not close it.

use std::io;
use std::path::{Path, PathBuf};

use assist_base::DocPath;

use crate::error::READING;
use crate::{FileError, disk};

/// The real place of `doc` below `root` (canonical). The file, and folders on the way to it, may be missing.
pub(crate) fn locate(root: &Path, doc: &DocPath) -> Result<PathBuf, FileError> {
    let name = || doc.to_string();
    if doc.is_untitled() {
        return Err(FileError::NotFound { path: name() });
    }
    // `a/../C:` is normalised to something that would not be accepted as it stands.
    DocPath::relative(doc.as_str()).map_err(|error| FileError::bad_name(name(), &error))?;
    let mut at = root.to_path_buf();
    let mut parts = doc.as_str().split('/');
    while let Some(part) = parts.next() {
        check_part(doc, part)?;
        at.push(part);
        match at.symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                at = at.canonicalize().map_err(|error| {
                    if disk::is_absent(&error) || disk::is_link_loop(&error) {
                        FileError::BrokenLink { path: name() }
                    } else {
                        FileError::io(READING, name(), error)
                    }
                })?;
                if !at.starts_with(root) {
                    return Err(FileError::Outside { path: name() });
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Nothing below a missing folder can be a link.
                for part in parts.by_ref() {
                    check_part(doc, part)?;
                    at.push(part);
                }
            }
            Err(error) => return Err(FileError::io(READING, name(), error)),
        }
    }
    // A link may lead into a closed folder from inside the workspace, or to the root itself.
    let inside = at.strip_prefix(root).map_err(|_| FileError::Outside { path: name() })?;
    for part in inside.components() {
        if is_protected(&part.as_os_str().to_string_lossy()) {
            return Err(FileError::Protected { path: name() });
        }
    }
    if inside.as_os_str().is_empty() {
        return Err(FileError::NotAFile { path: name() });
    }
    // A link may lead to a place that has no name of its own here (`link/C:`).
    name_inside(inside, &name())?;
    Ok(at)
}

/// The document that `inside`, a path relative to the root without links, names; `spelled` is what errors call it.
pub(crate) fn name_inside(inside: &Path, spelled: &str) -> Result<DocPath, FileError> {
    let bad = |reason: &str| FileError::BadName { path: spelled.to_owned(), reason: reason.to_owned() };
    let mut parts = Vec::new();
    for part in inside.components() {
        let part = part.as_os_str().to_str().ok_or_else(|| bad("the name is not UTF-8"))?;
        // It would be taken for a separator, and name another file.
        if part.contains('\\') {
            return Err(bad("the name holds a backslash"));
        }
        parts.push(part);
    }
    DocPath::relative(&parts.join("/")).map_err(|error| FileError::bad_name(spelled, &error))
}

fn check_part(doc: &DocPath, part: &str) -> Result<(), FileError> {
    if is_protected(part) {
        return Err(FileError::Protected { path: doc.to_string() });
    }
    if cfg!(windows) && (part.contains([':', '<', '>', '"', '|', '?', '*']) || part.ends_with(['.', ' '])) {
        return Err(FileError::BadName {
            path: doc.to_string(),
            reason: "Windows cannot hold such a name".to_owned(),
        });
    }
    Ok(())
}

/// Whether some file system takes `part` for `.git` or `.assist`: letters in the other case, characters that HFS+
/// ignores, dots, spaces and streams that NTFS drops, and its short names.
pub(crate) fn is_protected(part: &str) -> bool {
    let kept = |c: &char| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let plain: String = part.chars().filter(kept).collect::<String>().to_lowercase();
    let plain = plain.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    let short = |stem: &str| {
        plain.strip_prefix(stem).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    matches!(plain, ".git" | ".assist") || short("git~") || short("assist~")
}

#[cfg(test)]
mod tests;
