//! Dependencies: shared with the user's tree by links, never copied.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::folder::{Dir, Found};
use super::listing::Sharing;

/// What tools write between the packages: the copy has its own.
const OWN: [&str; 5] = [".cache", ".vite", ".vite-temp", ".vitest", ".tmp"];

/// Shares the folder `name`, which lies at `from`, with the copy. `roots` are those of the workspace and of the copy.
pub(super) fn share(
    source: &Dir,
    copy: &Dir,
    name: &str,
    sharing: Sharing,
    from: &Path,
    roots: (&Path, &Path),
) -> io::Result<()> {
    match sharing {
        Sharing::Whole => put_link(copy, name, &from.to_string_lossy()),
        Sharing::ByEntry => {
            // The folder may itself be a link, to where the packages really are.
            match source.folder(name) {
                Ok(packages) => packages_of(&packages, &copy.own_folder(name)?, from, roots, true),
                Err(_) => put_link(copy, name, &from.to_string_lossy()),
            }
        }
    }
}

/// Links each package; a scope (`@name`) is a folder of packages.
fn packages_of(packages: &Dir, copy: &Dir, from: &Path, roots: (&Path, &Path), top: bool) -> io::Result<()> {
    let names: BTreeSet<String> = packages.names()?.0.into_iter().collect();
    for name in &names {
        if OWN.contains(&name.as_str()) {
            continue;
        }
        let Some((found, _)) = packages.look(name)? else { continue };
        let at = from.join(name);
        if top && name.starts_with('@') && found == Found::Folder {
            packages_of(&packages.folder(name)?, &copy.own_folder(name)?, &at, roots, false)?;
            continue;
        }
        let target = match found {
            // A package of this very workspace: the copy's own.
            Found::Link => packages
                .link(name)
                .map(|target| led(&target, from, roots.0, roots.1))
                .unwrap_or_else(|_| at.to_string_lossy().into_owned()),
            _ => at.to_string_lossy().into_owned(),
        };
        put_link(copy, name, &target)?;
    }
    for name in copy.names()?.0 {
        if !names.contains(&name) && !OWN.contains(&name.as_str()) {
            copy.remove(&name)?;
        }
    }
    Ok(())
}

fn put_link(copy: &Dir, name: &str, target: &str) -> io::Result<()> {
    let there = matches!(copy.look(name)?, Some((Found::Link, _)));
    if there && copy.link(name).is_ok_and(|now| now == target) {
        return Ok(());
    }
    copy.put_link(name, target)
}

/// Where a link in `folder` of the workspace must lead in the copy: into the copy, if it led to something of the workspace
/// that is copied; to the same place otherwise.
pub(super) fn led(target: &str, folder: &Path, workspace: &Path, tree: &Path) -> String {
    let whole = plain(&folder.join(target));
    match whole.strip_prefix(workspace) {
        Ok(inside) if !is_shared(inside) => {
            if Path::new(target).is_relative() && !is_shared(folder) {
                target.to_owned()
            } else {
                tree.join(inside).to_string_lossy().into_owned()
            }
        }
        _ => whole.to_string_lossy().into_owned(),
    }
}

fn is_shared(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "node_modules")
}

/// Without `.` and `..`, by spelling alone: a link's target need not exist.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
