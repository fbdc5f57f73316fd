//! The rules that a repository gives to whoever works in it: `AGENTS.md` and `.assist/rules/*.md`.

use std::path::Path;

use crate::disk;
use crate::workspace::{Trust, Workspace};

/// A longer file is read up to here.
const MOST_BYTES: u64 = 64 * 1024;
/// More files than this are left out.
const MOST_FILES: usize = 32;

/// A file of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// How it is called, relative to the workspace.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl Workspace {
    /// The workspace's rules, `AGENTS.md` first, then `.assist/rules/*.md` by name. None in a workspace that is not
    /// trusted; a file that is empty, too large, no text, or a link, is left out. Blocks on the disk.
    pub fn rules(&self) -> Vec<RuleFile> {
        if self.trust() == Trust::Untrusted {
            return Vec::new();
        }
        let mut found: Vec<RuleFile> =
            self.rule("AGENTS.md", &self.root().join("AGENTS.md")).into_iter().collect();
        let folder = self.assist_dir().join("rules");
        let real = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.is_dir());
        if real(&self.assist_dir()) && real(&folder) {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            let mut names: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
            names.sort();
            let files = names.iter().take(MOST_FILES);
            found.extend(
                files.filter_map(|name| self.rule(&format!(".assist/rules/{name}"), &folder.join(name))),
            );
        }
        found
    }

    fn rule(&self, name: &str, path: &Path) -> Option<RuleFile> {
        if !path.symlink_metadata().ok()?.is_file() {
            return None;
        }
        let text = String::from_utf8(disk::read_up_to(path, MOST_BYTES).ok()??).ok()?;
        (!text.trim().is_empty()).then(|| RuleFile { name: name.to_owned(), text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_where_the_workspace_is_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("AGENTS.md", "Use tabs.");
        write(".assist/rules/b.md", "B");
        write(".assist/rules/a.md", "A");
        write(".assist/rules/note.txt", "no");
        write(".assist/rules/empty.md", " \n");
        let names = |trust| {
            let rules = Workspace::open(folder.path(), trust).unwrap().rules();
            rules.into_iter().map(|rule| rule.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Trust::Trusted), ["AGENTS.md", ".assist/rules/a.md", ".assist/rules/b.md"]);
        assert!(names(Trust::Untrusted).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_no_rule() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("x.md"), "Leak.").unwrap();
        std::os::unix::fs::symlink(outside.path().join("x.md"), folder.path().join("AGENTS.md")).unwrap();
        std::fs::create_dir_all(folder.path().join(".assist")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join(".assist/rules")).unwrap();
        assert!(Workspace::open(folder.path(), Trust::Trusted).unwrap().rules().is_empty());
    }
}
