//! The shadow: a hidden copy of the workspace where checks run before the real one changes.
//!
//! It lies in the user's cache folder, not in the workspace: there, the user's own tools would find every file twice. A copy
//! is brought up to date by what changed only: a file whose time, size and number on disk are as they were is not read; one
//! whose time is too young to tell is compared by its bytes. What a command changed in the copy is put right again before
//! the next one. A file in the copy that holds the right bytes is never written again, so that compilers find their earlier
//! results still good.
//!
//! - Ignored files, and folders of products by name, are not copied; what a check produces there stays for the next one.
//! - Dependencies (`node_modules`, virtual environments, an ignored `vendor`) are shared by links. Commands may read them
//!   and not write them: that is held by the walls ([`Shadow::walls`]), not by the links.
//! - Unsaved texts and candidates are laid over the copy, and taken off again by the next [`Shadow::sync`] without them.
//!
//! Nothing here ever writes through a link: a command could have put one there that leads to the user's own files.
//!
//! Limits: files that Git tracks although a rule ignores them are not copied; files over 64 MiB are not copied and named; the
//! targets of links that lead out of the workspace are shared, not copied. Unix only.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use assist_base::{ContentHash, DocPath};

use crate::command::{Command, Halt};
use crate::confine::Walls;
use crate::{Trust, Workspace};

#[cfg(unix)]
mod dependencies;
#[cfg(unix)]
mod folder;
mod listing;
#[cfg(unix)]
mod overlaid;
#[cfg(unix)]
mod sync;
mod tree;

/// How many shadows one workspace may have: as many runs check at the same time.
const SLOTS: usize = 4;

/// Texts to be seen instead of those on disk; `None` is a file that is not there.
pub type Overlay = BTreeMap<DocPath, Option<String>>;

/// What [`Shadow::sync`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synced {
    /// Files that were looked at.
    pub files: usize,
    /// Files whose bytes in the copy were changed, those of the overlay among them.
    pub written: usize,
    /// Files and folders that were taken away.
    pub removed: usize,
    /// What is not in the copy although it is in the workspace, each with one sentence.
    pub left_out: Vec<String>,
}

/// Why there is no shadow.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// The user did not say that the workspace's code may run.
    #[error("the workspace is not trusted, so nothing of it is run; trust it first")]
    Untrusted,
    /// As many checks as can be run on this workspace are under way.
    #[error("this workspace is being checked by {SLOTS} runs already; wait for one of them to end")]
    Busy,
    /// This system is not supported.
    #[error("checks before a change need Linux or macOS; on this system changes are checked afterwards")]
    Unsupported,
    /// The disk did not do what it should.
    #[error(
        "the hidden copy of the workspace could not be kept up to date: {doing} `{path}` failed: {source}"
    )]
    Io {
        /// What was done: `reading`, `writing`.
        doing: &'static str,
        /// To what.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

impl ShadowError {
    fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { doing, path, source }
    }
}

/// One hidden copy, held by this process until dropped.
#[derive(Debug)]
pub struct Shadow {
    workspace: PathBuf,
    place: PathBuf,
    tree: PathBuf,
    known: tree::Folder,
    /// What is laid over the copy, by its hash; none where a file is hidden.
    overlaid: BTreeMap<DocPath, Option<ContentHash>>,
    /// Folders outside the copy that commands in it read.
    shared: Vec<PathBuf>,
    /// A command may have run since the copy was last right.
    used: bool,
    /// Counts syncs that found the workspace changed.
    generation: u64,
    /// Ends the checks that run in here.
    pub(crate) halt: Halt,
    lock: File,
}

/// Where shadows lie unless the caller says otherwise: `assist/shadow` in the user's cache folder.
pub fn default_place() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = named.or_else(|| {
        let home = std::env::home_dir()?;
        Some(home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" }))
    });
    cache.unwrap_or_else(std::env::temp_dir).join("assist").join("shadow")
}

impl Shadow {
    /// The workspace's first shadow below `place` that no other process holds. Its tree is as an earlier process left it,
    /// so that caches in it serve again; call [`Self::sync`] before anything else.
    ///
    /// # Errors
    /// [`ShadowError::Untrusted`], [`ShadowError::Busy`], [`ShadowError::Unsupported`], [`ShadowError::Io`].
    pub fn open(workspace: &Workspace, place: &Path) -> Result<Self, ShadowError> {
        if workspace.trust() == Trust::Untrusted {
            return Err(ShadowError::Untrusted);
        }
        if !cfg!(unix) {
            return Err(ShadowError::Unsupported);
        }
        let key = ContentHash::of(workspace.root().as_os_str().as_encoded_bytes()).to_string();
        let name = workspace.root().file_name().map(|name| name.to_string_lossy().into_owned());
        let key = format!("{}-{}", name.unwrap_or_default(), &key[..key.len().min(16)]);
        for slot in 0..SLOTS {
            let place = place.join(format!("{key}-{slot}"));
            let tree = place.join("tree");
            fs::create_dir_all(&tree).map_err(ShadowError::at("making", &tree))?;
            only_for_the_user(&place).map_err(ShadowError::at("closing", &place))?;
            let at = place.join("lock");
            let lock = File::create(&at).map_err(ShadowError::at("locking", &at))?;
            match lock.try_lock() {
                Ok(()) => return Self::held(workspace.root(), place, tree, lock),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(ShadowError::at("locking", &at)(error)),
            }
        }
        Err(ShadowError::Busy)
    }

    fn held(workspace: &Path, place: PathBuf, tree: PathBuf, lock: File) -> Result<Self, ShadowError> {
        // The walls and the links are made of real paths.
        let place = place.canonicalize().map_err(ShadowError::at("reading", &place))?;
        let tree = place.join(tree.file_name().unwrap_or_default());
        let manifest = place.join("manifest.json");
        let known = fs::read(&manifest).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // It is written again when this shadow is let go; should that not happen, everything is compared anew.
        match fs::remove_file(&manifest) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ShadowError::at("removing", &manifest)(error));
            }
            _ => {}
        }
        Ok(Self {
            workspace: workspace.to_path_buf(),
            place,
            tree,
            known: known.unwrap_or_default(),
            overlaid: BTreeMap::new(),
            shared: Vec::new(),
            used: true,
            generation: 0,
            halt: Halt::default(),
            lock,
        })
    }

    /// Puts the checks that run in here under `halt`.
    pub fn obey(&mut self, halt: Halt) {
        self.halt = halt;
    }

    /// The copy's own root.
    pub fn root(&self) -> &Path {
        &self.tree
    }

    /// A folder beside the copy for what checks keep between runs.
    ///
    /// # Errors
    /// [`ShadowError::Io`].
    pub fn cache(&self) -> Result<PathBuf, ShadowError> {
        let cache = self.place.join("cache");
        fs::create_dir_all(&cache).map_err(ShadowError::at("making", &cache))?;
        Ok(cache)
    }

    /// Grows whenever [`Self::sync`] finds that the workspace itself has changed: results of before are then of another
    /// workspace. An overlay does not count.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The walls around commands in here: the copy and its cache may be written, shared dependencies read, the user's own
    /// tree neither, but for what is shared; no network.
    pub fn walls(&self) -> Walls {
        Walls {
            writable: vec![self.tree.clone(), self.place.join("cache")],
            readable: self.shared.clone(),
            ..Walls::default()
        }
    }

    /// A command in the copy, behind its walls. What it changes is put right by the next [`Self::sync`].
    pub fn command<T: Into<String>>(&mut self, arguments: impl IntoIterator<Item = T>) -> Command {
        self.used = true;
        let mut command = Command::program(&self.tree, arguments);
        command.walls = Some(self.walls());
        command
    }

    /// As [`Self::command`], for a shell line.
    pub fn shell(&mut self, line: impl Into<String>) -> Command {
        self.used = true;
        let mut command = Command::shell(&self.tree, line);
        command.walls = Some(self.walls());
        command
    }

    /// Brings the copy up to date with the workspace, and lays `overlay` over it in place of any earlier one.
    ///
    /// # Errors
    /// [`ShadowError::Io`]; the copy may then be half up to date, and the next call goes on from there.
    #[cfg(unix)]
    pub fn sync(&mut self, overlay: &Overlay) -> Result<Synced, ShadowError> {
        sync::sync(self, overlay)
    }

    /// Not on this system.
    ///
    /// # Errors
    /// Always [`ShadowError::Unsupported`].
    #[cfg(not(unix))]
    pub fn sync(&mut self, _overlay: &Overlay) -> Result<Synced, ShadowError> {
        Err(ShadowError::Unsupported)
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        // What is laid over stays there and is not known to the next process: it must compare everything.
        if self.overlaid.is_empty()
            && let Ok(known) = serde_json::to_vec(&self.known)
        {
            let _ = fs::write(self.place.join("manifest.json"), known);
        }
        // Closing the file is not enough: a program that is being started in this moment has it, too, until it runs.
        let _ = self.lock.unlock();
    }
}

#[cfg(unix)]
fn only_for_the_user(place: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(place, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn only_for_the_user(_place: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
