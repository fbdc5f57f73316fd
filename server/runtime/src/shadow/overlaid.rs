//! Texts laid over the copy, and taken off again.

use std::io;

use assist_base::{ContentHash, DocPath};

use super::folder::{Dir, Found};
use super::tree::Stamp;
use super::{Overlay, Shadow, ShadowError};

/// Makes the coming visit restore what was laid over and is not any more. Returns those paths.
pub(super) fn take_off(shadow: &mut Shadow, overlay: &Overlay) -> Vec<DocPath> {
    let gone: Vec<DocPath> =
        shadow.overlaid.keys().filter(|path| !overlay.contains_key(*path)).cloned().collect();
    for path in &gone {
        shadow.overlaid.remove(path);
        let parts: Vec<&str> = path.as_str().split('/').collect();
        if let Some(entry) = shadow.known.file(&parts) {
            // A young entry is compared by its bytes.
            entry.young = true;
            entry.copy = Stamp::default();
        }
    }
    gone
}

/// Takes away files that only an overlay had made, and the folders that only they had needed.
pub(super) fn remove_strays(shadow: &mut Shadow, copy: &Dir, gone: &[DocPath]) -> Result<usize, ShadowError> {
    let mut removed = 0;
    for path in gone {
        let parts: Vec<&str> = path.as_str().split('/').collect();
        if shadow.known.file(&parts).is_some() {
            continue;
        }
        let failed = |error| ShadowError::at("removing", &shadow.tree.join(path.as_str()))(error);
        // The topmost part that the workspace does not have.
        let mut known = Some(&shadow.known);
        let mut dir: Option<Dir> = None;
        for part in &parts {
            let here = dir.as_ref().unwrap_or(copy);
            let next = known.and_then(|known| known.folders.get(*part));
            if next.is_none() {
                removed += usize::from(here.remove(part).map_err(failed)?);
                break;
            }
            known = next;
            match here.folder(part) {
                Ok(folder) => dir = Some(folder),
                Err(_) => break,
            }
        }
    }
    Ok(removed)
}

/// Writes the overlay's texts where they are not there already.
pub(super) fn lay_over(shadow: &mut Shadow, copy: &Dir, overlay: &Overlay) -> Result<usize, ShadowError> {
    let mut written = 0;
    for (path, text) in overlay {
        let failed = |error| ShadowError::at("writing", &shadow.tree.join(path.as_str()))(error);
        if path.is_untitled() {
            continue;
        }
        let parts: Vec<&str> = path.as_str().split('/').collect();
        let parts = parts.as_slice();
        written += usize::from(put(copy, parts, text.as_deref()).map_err(failed)?);
        shadow.overlaid.insert(path.clone(), text.as_ref().map(ContentHash::of));
    }
    Ok(written)
}

fn put(copy: &Dir, parts: &[&str], text: Option<&str>) -> io::Result<bool> {
    let Some((name, folders)) = parts.split_last() else { return Ok(false) };
    let mut dir: Option<Dir> = None;
    for folder in folders {
        let here = dir.as_ref().unwrap_or(copy);
        let next = match text {
            Some(_) => here.own_folder(folder)?,
            None => match here.folder(folder) {
                Ok(next) => next,
                Err(_) => return Ok(false),
            },
        };
        dir = Some(next);
    }
    let here = dir.as_ref().unwrap_or(copy);
    match text {
        None => here.remove(name),
        Some(text) => {
            let mode = match here.look(name)? {
                Some((Found::File, there)) => there.mode,
                _ => 0o644,
            };
            super::sync::put_if_other(here, name, text.as_bytes(), mode)
        }
    }
}
