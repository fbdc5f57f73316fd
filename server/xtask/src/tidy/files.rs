//! The files that people wrote.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// A text file of the repository.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Relative to the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(super) fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    /// Whether all of it is for tests: a file under a `tests` or `fixtures` folder, or a `tests.rs`. The simulator is a
    /// program of its own that lives there.
    pub(super) fn is_test(&self) -> bool {
        if let Some(rest) = self.path.strip_prefix("tests/simulator/") {
            return !rest.starts_with("src/");
        }
        let mut parts = self.path.split('/');
        let name = parts.next_back().unwrap_or_default();
        name == "tests.rs" || parts.any(|part| matches!(part, "tests" | "fixtures" | "benches" | "examples"))
    }

    /// Its lines up to an inline test module, with their numbers from 1.
    pub(super) fn shipped_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let end = (0..lines.len())
            .find(|&n| {
                lines[n].trim() == "#[cfg(test)]"
                    && lines[n + 1..].iter().find(|line| !line.trim().starts_with("#[")).is_some_and(|line| {
                        let line = line.trim();
                        line.starts_with("mod ") && line.ends_with('{')
                    })
            })
            .unwrap_or(lines.len());
        lines.into_iter().take(end).enumerate().map(|(n, line)| (n + 1, line))
    }
}

/// Folders that hold nothing people wrote.
fn is_made(name: &str) -> bool {
    matches!(name, ".git" | "node_modules" | "out" | ".assist" | ".vscode-test") || name.starts_with("target")
}

/// All text files below `root` that people wrote. What is not UTF-8 is left out.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if kind.is_dir() && !is_made(&name) {
                folders.push(entry.path());
            } else if kind.is_file() && name != ".git" {
                // In a worktree of Git that is a file.
                let Ok(bytes) = fs::read(entry.path()) else { continue };
                let Ok(text) = String::from_utf8(bytes) else { continue };
                let path = entry.path();
                let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}
