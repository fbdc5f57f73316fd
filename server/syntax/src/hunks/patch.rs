//! Reads a unified diff as a model writes it.
//!
//! The numbers of `@@` lines, and how many lines they promise, are not believed; what counts is the text. An empty line is
//! an empty line of context, since models drop the space at its beginning.

use super::block::{FileHunks, Hunk, Unreadable};
use crate::scanner::fence;

/// Lines that a tool writes above a file's hunks.
const PREAMBLE: [&str; 9] = [
    "diff ",
    "index ",
    "new file mode",
    "old mode",
    "new mode",
    "similarity index",
    "dissimilarity index",
    "Index: ",
    "=====",
];

/// The hunks of a diff, by file. `path` is what the block's marker says; a diff that names another file is refused.
pub(super) fn parse(
    lines: &[&str],
    path: Option<&str>,
    first_line: usize,
) -> Result<Vec<FileHunks>, Unreadable> {
    let mut files: Vec<FileHunks> = Vec::new();
    let mut inside = false;
    let mut at = 0;
    let misplaced = |at: usize, what: String| Unreadable::Misplaced { line: first_line + at, what };
    while let Some(&line) = lines.get(at) {
        if is_header(lines, at) {
            let named = named(line, lines[at + 1])
                .map_err(|what| Unreadable::Unsupported { line: first_line + at, what: what.to_owned() })?;
            if let (Some(path), Some(named)) = (path, &named)
                && !same_file(path, named)
            {
                let what = format!("the diff is of {named}, but the block is of {path}");
                return Err(misplaced(at, what));
            }
            files.push(FileHunks { path: path.map(str::to_owned).or(named), hunks: Vec::new() });
            inside = false;
            at += 2;
            continue;
        }
        if ["rename ", "deleted file", "copy ", "Binary files", "GIT binary"]
            .iter()
            .any(|word| line.starts_with(word))
            && !inside
        {
            let what =
                "an edit block can change and create files, not delete, rename or copy them".to_owned();
            return Err(Unreadable::Unsupported { line: first_line + at, what });
        }
        if line.starts_with("@@") {
            if files.is_empty() {
                files.push(FileHunks { path: path.map(str::to_owned), hunks: Vec::new() });
            }
            let hunk = Hunk { search: vec![], replace: vec![], line: None, at: first_line + at };
            files.last_mut().map(|file| file.hunks.push(hunk)).unwrap_or_default();
            inside = true;
        } else if !inside {
            let known = PREAMBLE.iter().any(|word| line.starts_with(word));
            if !(line.trim().is_empty() || known || fence::of(line).is_some()) {
                return Err(misplaced(at, "text that is no part of a unified diff".to_owned()));
            }
        } else if let Some(hunk) = files.last_mut().and_then(|file| file.hunks.last_mut()) {
            match line.split_at_checked(1) {
                None => {
                    hunk.search.push(String::new());
                    hunk.replace.push(String::new());
                }
                Some((" ", text)) => {
                    hunk.search.push(text.to_owned());
                    hunk.replace.push(text.to_owned());
                }
                Some(("-", text)) => hunk.search.push(text.to_owned()),
                Some(("+", text)) => hunk.replace.push(text.to_owned()),
                Some(("\\", _)) => {}
                _ if fence::of(line).is_some_and(|fence| fence.bare) || line.starts_with("diff ") => {
                    inside = false;
                }
                _ => {
                    let what = "a line of a hunk must begin with a space, `-` or `+`".to_owned();
                    return Err(misplaced(at, what));
                }
            }
        }
        at += 1;
    }
    for hunk in files.iter_mut().flat_map(|file| &mut file.hunks) {
        // Blank lines before the next header are nobody's.
        while hunk.search.last().is_some_and(String::is_empty)
            && hunk.replace.last().is_some_and(String::is_empty)
        {
            hunk.search.pop();
            hunk.replace.pop();
        }
    }
    if let Some(file) = files.iter().find(|file| file.hunks.is_empty()) {
        let what = format!("the diff of {} has no hunk", file.path.as_deref().unwrap_or("the file"));
        return Err(Unreadable::Misplaced { line: first_line, what });
    }
    Ok(files)
}

/// Whether two lines are the names of a file: a removed line may begin as one does, too.
fn is_header(lines: &[&str], at: usize) -> bool {
    let begins = |at: usize, with: &str| lines.get(at).is_some_and(|line| line.starts_with(with));
    begins(at, "--- ") && begins(at + 1, "+++ ") && begins(at + 2, "@@")
}

/// The file a header is of.
fn named(old: &str, new: &str) -> Result<Option<String>, &'static str> {
    let name = |line: &str, side: &str| {
        let name = line[4..].split('\t').next().unwrap_or_default().trim().trim_matches('"');
        (name != "/dev/null").then(|| name.strip_prefix(side).unwrap_or(name).to_owned())
    };
    match (name(old, "a/"), name(new, "b/")) {
        (_, None) => Err("an edit block cannot delete a file"),
        (Some(old), Some(new)) if old != new => Err("an edit block cannot rename a file"),
        (_, new) => Ok(new.filter(|name| !name.is_empty())),
    }
}

/// A diff may name the file from another folder than the workspace's root.
fn same_file(path: &str, named: &str) -> bool {
    let path = path.trim_start_matches("./");
    let named = named.trim_start_matches("./");
    path == named || path.ends_with(&format!("/{named}")) || named.ends_with(&format!("/{path}"))
}
