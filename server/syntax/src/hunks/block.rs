//! Reads an edit block: search/replace hunks, or a unified diff.

use super::patch;
use crate::scanner::fence;
use crate::scanner::marker::{self, Inner};
use crate::scanner::{Block, Component};

/// One replacement a model asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The lines looked for, without their endings; none where the file is new or empty.
    pub search: Vec<String>,
    /// The lines that take their place.
    pub replace: Vec<String>,
    /// The line of the file, from 1, where the model says the search text begins. The numbers of a unified diff are not
    /// kept: models get them wrong.
    pub line: Option<usize>,
    /// The line of the stream on which the hunk begins, from 1.
    pub at: usize,
}

/// The hunks for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHunks {
    /// The file as the model wrote it: not checked, not normalised. `None` where neither the marker nor the diff says.
    pub path: Option<String>,
    /// Its hunks in order.
    pub hunks: Vec<Hunk>,
}

/// An edit block that cannot be read: ask for it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Its END was not seen.
    #[error("the edit block was cut: its END marker is missing")]
    Cut,
    /// It holds neither hunks nor a diff.
    #[error("the edit block holds no SEARCH marker{} and no unified diff", .id.as_deref().map(|id| format!(" with id={id}")).unwrap_or_default())]
    NoHunks {
        /// The id the markers must carry.
        id: Option<String>,
    },
    /// Markers or text in the wrong order.
    #[error("line {line}: {what}")]
    Misplaced {
        /// The line of the stream, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The diff does what an edit block cannot.
    #[error("line {line}: {what}")]
    Unsupported {
        /// The line of the stream, from 1.
        line: usize,
        /// What it would do.
        what: String,
    },
}

/// The hunks of an edit block, as the scanner gave it. `id` is the one the run issued, if it did: SEARCH and REPLACE
/// markers without it are text, as everywhere.
///
/// # Errors
/// [`Unreadable`]; nothing of such a block may be applied.
pub fn parse(block: &Component, id: Option<&str>) -> Result<Vec<FileHunks>, Unreadable> {
    if !block.ended || block.header.block != Block::Edits {
        return Err(Unreadable::Cut);
    }
    let lines: Vec<&str> = block.code.lines().collect();
    let path = &block.header.path;
    let ours = |line: &str| {
        let written = marker::inner(line).filter(|inner| id.is_none() || inner.id() == id);
        written.or_else(|| marker::inner_meant(line).filter(|inner| id.is_some() && inner.id() == id))
    };
    if lines.iter().any(|line| ours(line).is_some()) {
        let hunks = hunks(&lines, block.first_line, ours)?;
        return Ok(vec![FileHunks { path: path.clone(), hunks }]);
    }
    if lines.iter().any(|line| line.starts_with("@@")) {
        return patch::parse(&lines, path.as_deref(), block.first_line);
    }
    Err(Unreadable::NoHunks { id: id.map(str::to_owned) })
}

enum State {
    Outside,
    Search,
    Replace,
}

fn hunks(
    lines: &[&str],
    first_line: usize,
    ours: impl Fn(&str) -> Option<Inner>,
) -> Result<Vec<Hunk>, Unreadable> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut state = State::Outside;
    let misplaced =
        |at: usize, what: &str| Unreadable::Misplaced { line: first_line + at, what: what.to_owned() };
    for (at, line) in lines.iter().enumerate() {
        match (&state, ours(line), hunks.last_mut()) {
            (State::Outside | State::Replace, Some(Inner::Search { line, .. }), _) => {
                hunks.push(Hunk { search: Vec::new(), replace: Vec::new(), line, at: first_line + at });
                state = State::Search;
            }
            (State::Search, Some(Inner::Replace { .. }), _) => state = State::Replace,
            (State::Search, Some(Inner::Search { .. }), _) => {
                return Err(misplaced(at, "a SEARCH marker where REPLACE was expected"));
            }
            (_, Some(Inner::Replace { .. }), _) => {
                return Err(misplaced(at, "a REPLACE marker without a SEARCH before it"));
            }
            (State::Search, None, Some(hunk)) => hunk.search.push((*line).to_owned()),
            (State::Replace, None, Some(hunk)) => hunk.replace.push((*line).to_owned()),
            // A fence around it all is the model's habit.
            (_, None, _) if line.trim().is_empty() || fence::of(line).is_some() => {}
            (_, None, _) => return Err(misplaced(at, "text before the first SEARCH marker")),
        }
    }
    if let (State::Search, Some(hunk)) = (&state, hunks.last()) {
        let what = "this SEARCH has no REPLACE marker after it".to_owned();
        return Err(Unreadable::Misplaced { line: hunk.at, what });
    }
    // The end of a fence around the whole block is none of the last hunk's.
    let opened =
        lines.iter().find(|line| !line.trim().is_empty()).is_some_and(|line| fence::of(line).is_some());
    if let Some(last) = hunks.last_mut().filter(|_| opened) {
        let end = last.replace.iter().rposition(|line| !line.trim().is_empty());
        if let Some(end) = end.filter(|&end| fence::of(&last.replace[end]).is_some_and(|fence| fence.bare)) {
            last.replace.truncate(end);
        }
    }
    Ok(hunks)
}

/// Lines without a fence around them; `None` where there is none.
pub(super) fn unfenced(lines: &[String]) -> Option<&[String]> {
    let first = lines.iter().position(|line| !line.trim().is_empty())?;
    let last = lines.iter().rposition(|line| !line.trim().is_empty())?;
    let fenced = first < last
        && fence::of(&lines[first]).is_some()
        && fence::of(&lines[last]).is_some_and(|fence| fence.bare);
    fenced.then(|| &lines[first + 1..last])
}
