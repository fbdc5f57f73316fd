//! Bringing the copy up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::folder::{Dir, Found, MAX_COPIED};
use super::listing::{Kind, Rules, Sharing};
use super::tree::{Entry, Folder, Stamp};
use super::{Overlay, Shadow, ShadowError, Synced, dependencies, overlaid};

/// Deeper folders are left out: only a circle of mounts is as deep.
const MAX_DEPTH: usize = 100;

pub(super) fn sync(shadow: &mut Shadow, overlay: &Overlay) -> Result<Synced, ShadowError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos().cast_signed());
    let source = Dir::open(&shadow.workspace).map_err(ShadowError::at("reading", &shadow.workspace))?;
    let copy = Dir::open(&shadow.tree).map_err(ShadowError::at("reading", &shadow.tree))?;
    let taken_off = overlaid::take_off(shadow, overlay);
    let covered: BTreeSet<&str> = overlay.keys().map(assist_base::DocPath::as_str).collect();
    let mut run = Run {
        workspace: &shadow.workspace,
        tree: &shadow.tree,
        verify: shadow.used,
        now,
        covered,
        done: Synced::default(),
        shared: Vec::new(),
        changed: false,
    };
    let rules = Rules::of_workspace(&shadow.workspace);
    let mut known = std::mem::take(&mut shadow.known);
    let visited = run.visit(&mut known, &source, &copy, &mut At::root(), &rules, false);
    let (mut done, shared, changed) = (run.done, run.shared, run.changed);
    shadow.known = known;
    // The names that commands may have found through the old list are the same ones: nothing is lost by an error here.
    visited?;
    shadow.shared = shared;
    shadow.generation += u64::from(changed);
    done.removed += overlaid::remove_strays(shadow, &copy, &taken_off)?;
    done.written += overlaid::lay_over(shadow, &copy, overlay)?;
    shadow.used = false;
    Ok(done)
}

/// Where in the workspace a visit is.
pub(super) struct At {
    parts: Vec<String>,
}

impl At {
    fn root() -> Self {
        Self { parts: Vec::new() }
    }

    fn with(&self, name: &str) -> String {
        let mut path = self.parts.join("/");
        if !path.is_empty() {
            path.push('/');
        }
        path + name
    }

    fn below(&self, root: &Path) -> PathBuf {
        let mut path = root.to_path_buf();
        path.extend(&self.parts);
        path
    }
}

struct Run<'a> {
    workspace: &'a Path,
    tree: &'a Path,
    /// The copy may have been changed by a command.
    verify: bool,
    now: i128,
    /// Paths that an overlay replaces, and that are not copied therefore.
    covered: BTreeSet<&'a str>,
    done: Synced,
    shared: Vec<PathBuf>,
    /// The workspace is another than at the last time.
    changed: bool,
}

impl Run<'_> {
    fn visit(
        &mut self,
        known: &mut Folder,
        source: &Dir,
        copy: &Dir,
        at: &mut At,
        rules: &Rules,
        anew: bool,
    ) -> Result<(), ShadowError> {
        let (workspace, tree) = (self.workspace, self.tree);
        let (from, to) = (at.below(workspace), at.below(tree));
        let reading = |error| ShadowError::at("reading", &from)(error);
        let writing = |error| ShadowError::at("writing", &to)(error);
        let stamp = source.own_stamp().map_err(reading)?;
        let listed = known.source == Some(stamp) && !anew;
        // Rules are read only where something is judged by them.
        let mut own_rules = None;
        if !listed {
            let rules = own_rules.get_or_insert_with(|| rules.within(&from));
            self.list(known, source, copy, at, rules).map_err(reading)?;
            known.source = (!stamp.is_young(self.now)).then_some(stamp);
        }
        let mut rules_changed = false;
        for (name, entry) in &mut known.files {
            self.done.files += 1;
            if !self.covered.is_empty() && self.covered.contains(at.with(name).as_str()) {
                // Another text stands there. What is below it is only noted, and compared when it is taken off.
                if let Some((_, stamp)) = source.look(name).map_err(reading)? {
                    self.changed |= stamp != entry.source;
                    *entry = Entry { source: stamp, young: true, ..Entry::default() };
                }
                continue;
            }
            let Some((found, stamp)) = source.look(name).map_err(reading)? else {
                // Gone since the folder was listed; its own time says so at the next visit.
                continue;
            };
            let same = stamp == entry.source && !entry.young;
            let right = same
                && (!self.verify || copy.look(name).map_err(writing)?.is_some_and(|it| it.1 == entry.copy));
            if right {
                continue;
            }
            let changed = stamp != entry.source;
            let written = match found {
                Found::Link => self.link(source, copy, at, name).map_err(writing)?,
                Found::File if stamp.size <= MAX_COPIED => {
                    let Some(bytes) = source.read(name).map_err(reading)? else { continue };
                    put_if_other(copy, name, &bytes, stamp.mode).map_err(writing)?
                }
                Found::File => {
                    self.done
                        .left_out
                        .push(format!("`{}` is larger than 64 MiB and was not copied.", at.with(name)));
                    copy.remove(name).map_err(writing)?
                }
                Found::Folder | Found::Other => continue,
            };
            self.done.written += usize::from(written);
            self.changed |= changed && written;
            rules_changed |= written && name == ".gitignore";
            let after = copy.look(name).map_err(writing)?.map_or_else(Stamp::default, |it| it.1);
            *entry = Entry {
                source: stamp,
                copy: after,
                young: stamp.is_young(self.now),
                link: found == Found::Link,
            };
        }
        if rules_changed && listed {
            let rules = own_rules.get_or_insert_with(|| rules.within(&from));
            self.list(known, source, copy, at, rules).map_err(reading)?;
        }
        for (name, sharing) in &known.shared {
            let place = from.join(name);
            dependencies::share(source, copy, name, *sharing, &place, (workspace, tree)).map_err(writing)?;
            self.shared.push(place);
        }
        if self.verify {
            let now = copy.own_stamp().map_err(writing)?;
            if known.copy != Some(now) {
                let rules = own_rules.get_or_insert_with(|| rules.within(&from));
                self.done.removed +=
                    remove_unknown(known, copy, at, rules, workspace, &self.covered).map_err(writing)?;
            }
        }
        let anew = anew || rules_changed;
        if at.parts.len() < MAX_DEPTH && !known.folders.is_empty() {
            let rules = own_rules.unwrap_or_else(|| rules.within(&from));
            for (name, folder) in &mut known.folders {
                let Ok(source) = source.folder(name) else { continue };
                let copy = copy.own_folder(name).map_err(writing)?;
                at.parts.push(name.clone());
                let visited = self.visit(folder, &source, &copy, at, &rules, anew);
                at.parts.pop();
                visited?;
            }
        }
        let after = copy.own_stamp().map_err(writing)?;
        known.copy = (!after.is_young(self.now)).then_some(after);
        Ok(())
    }

    /// Reads the names of a folder anew.
    fn list(
        &mut self,
        known: &mut Folder,
        source: &Dir,
        copy: &Dir,
        at: &At,
        rules: &Rules,
    ) -> io::Result<()> {
        let (mut files, mut folders, mut shared) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (names, odd) = source.names()?;
        if odd > 0 {
            self.done.left_out.push(format!(
                "{odd} names in `{}` are not UTF-8; those files were not copied.",
                at.with("")
            ));
        }
        let here = at.below(self.workspace);
        for name in names {
            let Some((found, _)) = source.look(&name)? else { continue };
            let path = here.join(&name);
            let is_folder = found == Found::Folder || (found == Found::Link && path.is_dir());
            match (rules.kind(&path, &name, is_folder), found) {
                (Some(Kind::Shared(sharing)), _) if is_folder => {
                    shared.insert(name, sharing);
                }
                (Some(Kind::Copied), Found::Folder) => {
                    let folder = known.folders.remove(&name).unwrap_or_default();
                    folders.insert(name, folder);
                }
                (Some(Kind::Copied), Found::File | Found::Link) => {
                    let entry = known.files.remove(&name).unwrap_or_default();
                    files.insert(name, entry);
                }
                _ => {}
            }
        }
        let gone = known.files.keys().chain(known.folders.keys()).chain(known.shared.keys());
        for name in gone {
            let kept = files.contains_key(name) || folders.contains_key(name) || shared.contains_key(name);
            if !kept && !self.covered.contains(at.with(name).as_str()) && copy.remove(name)? {
                self.done.removed += 1;
                self.changed = true;
            }
        }
        (known.files, known.folders, known.shared) = (files, folders, shared);
        Ok(())
    }

    /// Copies a link so that it leads into the copy where it led into the workspace.
    fn link(&self, source: &Dir, copy: &Dir, at: &At, name: &str) -> io::Result<bool> {
        let Ok(target) = source.link(name) else { return Ok(false) };
        let target = dependencies::led(&target, &at.below(self.workspace), self.workspace, self.tree);
        if matches!(copy.look(name)?, Some((Found::Link, _)))
            && copy.link(name).is_ok_and(|now| now == target)
        {
            return Ok(false);
        }
        copy.put_link(name, &target)?;
        Ok(true)
    }
}

/// Writes the bytes unless they are there already. Returns whether it wrote.
pub(super) fn put_if_other(copy: &Dir, name: &str, bytes: &[u8], mode: u32) -> io::Result<bool> {
    let executable = mode & 0o111 != 0;
    if let Some((Found::File, there)) = copy.look(name)?
        && there.size == bytes.len() as u64
        && (there.mode & 0o111 != 0) == executable
        && there.mode & 0o400 != 0
        && copy.read(name)?.is_some_and(|there| there == bytes)
    {
        return Ok(false);
    }
    copy.put(name, bytes, executable)?;
    Ok(true)
}

/// Takes away what a command made where the workspace has nothing, unless it is a product.
fn remove_unknown(
    known: &Folder,
    copy: &Dir,
    at: &At,
    rules: &Rules,
    workspace: &Path,
    covered: &BTreeSet<&str>,
) -> io::Result<usize> {
    let mut removed = 0;
    let here = at.below(workspace);
    for name in copy.names()?.0 {
        if known.files.contains_key(&name)
            || known.folders.contains_key(&name)
            || known.shared.contains_key(&name)
        {
            continue;
        }
        let path = at.with(&name);
        if covered.iter().any(|covered| *covered == path || covered.starts_with(&format!("{path}/"))) {
            continue;
        }
        let Some((found, _)) = copy.look(&name)? else { continue };
        let product = matches!(
            rules.kind(&here.join(&name), &name, found == Found::Folder),
            Some(Kind::Own | Kind::Shared(Sharing::ByEntry))
        );
        if !product || found == Found::Link {
            removed += usize::from(copy.remove(&name)?);
        }
    }
    Ok(removed)
}
