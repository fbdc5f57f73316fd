//! What of a folder is copied, what is shared, and what is left to the copy's own products.

use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Serialize};

/// Folders of products and caches: never copied, and left alone in the copy.
const PRODUCTS: [&str; 24] = [
    "__pycache__",
    ".cache",
    ".eggs",
    ".gradle",
    ".mypy_cache",
    ".next",
    ".nox",
    ".nuxt",
    ".nyc_output",
    ".output",
    ".parcel-cache",
    ".pytest_cache",
    ".ruff_cache",
    ".svelte-kit",
    ".terraform",
    ".tox",
    ".turbo",
    ".vite",
    ".vitest",
    ".angular",
    ".docusaurus",
    ".expo",
    ".yarn",
    ".dart_tool",
];

/// Never part of a copy.
const NEVER: [&str; 5] = [".git", ".assist", ".hg", ".svn", ".jj"];

/// How a folder of dependencies is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Sharing {
    /// One link.
    Whole,
    /// A folder with a link for each entry: tools write their caches beside the packages.
    ByEntry,
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Copied,
    Shared(Sharing),
    /// Not copied; where the copy has its own, that stays.
    Own,
}

/// The ignore rules that hold in a folder, outermost first.
#[derive(Clone)]
pub(super) struct Rules {
    chain: Vec<Arc<Gitignore>>,
}

impl Rules {
    /// Those of the user and of the repository.
    pub(super) fn of_workspace(root: &Path) -> Self {
        let mut chain = vec![Arc::new(Gitignore::global().0)];
        let mut builder = GitignoreBuilder::new(root);
        builder.add(root.join(".git/info/exclude"));
        chain.extend(builder.build().ok().map(Arc::new));
        Self { chain }
    }

    /// With those of `folder` itself.
    pub(super) fn within(&self, folder: &Path) -> Self {
        let mut chain = self.chain.clone();
        let file = folder.join(".gitignore");
        if file.is_file() {
            // Lines that cannot be understood are passed over, like Git does.
            chain.push(Arc::new(Gitignore::new(file).0));
        }
        Self { chain }
    }

    fn ignores(&self, path: &Path, is_folder: bool) -> bool {
        for rules in self.chain.iter().rev() {
            match rules.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }

    /// What becomes of `path`, whose last part is `name`.
    pub(super) fn kind(&self, path: &Path, name: &str, is_folder: bool) -> Option<Kind> {
        if NEVER.contains(&name) {
            return None;
        }
        let ignored = self.ignores(path, is_folder);
        if name == "node_modules" {
            return Some(Kind::Shared(Sharing::ByEntry));
        }
        if !is_folder {
            return Some(if ignored { Kind::Own } else { Kind::Copied });
        }
        if (name == "vendor" && ignored) || path.join("pyvenv.cfg").is_file() {
            return Some(Kind::Shared(Sharing::Whole));
        }
        let rust = name == "target" && path.with_file_name("Cargo.toml").is_file();
        if ignored || rust || PRODUCTS.contains(&name) {
            return Some(Kind::Own);
        }
        Some(Kind::Copied)
    }
}
