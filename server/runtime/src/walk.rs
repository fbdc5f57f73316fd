//! Which files a workspace has: what Git would list, and never Git's or Assist's own folders.
//!
//! `.gitignore` files count with or without a repository. Links are not followed, so nothing outside is listed and no
//! circle is walked. Blocks on the disk.

use std::time::SystemTime;

use assist_base::DocPath;
use ignore::{DirEntry, WalkBuilder};

use crate::contain::{is_protected, name_inside};
use crate::workspace::Workspace;

/// Folders of installed or generated things that are never listed, even where nobody told Git to ignore them.
const NEVER: [&str; 4] = ["node_modules", "__pycache__", ".venv", ".tox"];

/// A file of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Its name.
    pub path: DocPath,
    /// Its size.
    pub bytes: u64,
    /// When it was last written, where the disk tells.
    pub modified: Option<SystemTime>,
}

/// The files of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walked {
    /// The files, by path.
    pub files: Vec<ListedFile>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

impl Workspace {
    /// Lists at most `most` regular files, by path. What cannot be read, or has a name that is no document's, is left out.
    pub fn walk(&self, most: usize) -> Walked {
        let mut builder = WalkBuilder::new(self.root());
        builder.hidden(false).require_git(false).follow_links(false).filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            !is_protected(&name) && !NEVER.contains(&name.as_ref())
        });
        let mut found = Walked::default();
        for entry in builder.build().flatten() {
            let Some(file) = self.listed(&entry) else { continue };
            if found.files.len() == most {
                found.more = true;
                break;
            }
            found.files.push(file);
        }
        found.files.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    fn listed(&self, entry: &DirEntry) -> Option<ListedFile> {
        if !entry.file_type()?.is_file() {
            return None;
        }
        let inside = entry.path().strip_prefix(self.root()).ok()?;
        let path = name_inside(inside, &inside.display().to_string()).ok()?;
        let facts = entry.metadata().ok()?;
        Some(ListedFile { path, bytes: facts.len(), modified: facts.modified().ok() })
    }
}

/// Whether a file by its name holds keys or passwords: such files are not shown to a model. Examples and templates are
/// not meant, nor is anything told by content.
pub fn looks_secret(path: &DocPath) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or_default().to_lowercase();
    let sample = ["example", "sample", "template", "dist"].iter().any(|word| name.ends_with(word));
    let env = name == ".env" || name.starts_with(".env.") || name.ends_with(".env");
    let key = [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk"]
        .iter()
        .any(|ending| name.ends_with(ending));
    let named = [
        ".npmrc",
        ".netrc",
        ".pgpass",
        ".htpasswd",
        ".pypirc",
        ".git-credentials",
        "credentials",
        "credentials.json",
        "secrets.json",
        "secrets.yaml",
        "secrets.yml",
        "service-account.json",
    ]
    .contains(&name.as_str());
    let ssh = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"]
        .iter()
        .any(|stem| name.starts_with(stem) && !name.ends_with(".pub"));
    !sample && (env || key || named || ssh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trust;

    fn workspace(files: &[&str]) -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
        (folder, workspace)
    }

    fn names(walked: &Walked) -> Vec<&str> {
        walked.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn what_git_ignores_and_what_is_not_the_users_is_not_listed() {
        let (folder, workspace) = workspace(&[
            "src/app.ts",
            "dist/app.js",
            ".git/config",
            ".assist/assist.db",
            "node_modules/x/index.js",
            ".github/ci.yml",
        ]);
        std::fs::write(folder.path().join(".gitignore"), "dist/\n").unwrap();
        assert_eq!(names(&workspace.walk(100)), [".github/ci.yml", ".gitignore", "src/app.ts"]);
        let few = workspace.walk(1);
        assert!(few.more && few.files.len() == 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let (folder, workspace) = workspace(&["a.txt"]);
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.txt"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("circle")).unwrap();
        assert_eq!(names(&workspace.walk(100)), ["a.txt"]);
    }

    #[test]
    fn files_with_keys_are_known_by_name() {
        let secret = |path: &str| looks_secret(&DocPath::relative(path).unwrap());
        for path in
            [".env", "a/.env.local", "prod.env", "server.PEM", "x/id_rsa", "id_ed25519_work", ".npmrc"]
        {
            assert!(secret(path), "{path}");
        }
        for path in [".env.example", "env.ts", "id_rsa.pub", "src/keys.ts", "pem.md", "credentials.ts"] {
            assert!(!secret(path), "{path}");
        }
    }
}
