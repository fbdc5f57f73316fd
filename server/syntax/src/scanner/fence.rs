//! Code fences around a component.
//!
//! Only the edges matter: a fence as the first line of a component and the bare fence that closes it. Fences further in
//! belong to the code (every ninth real source file holds some).

use std::ops::Range;

use super::marker::SENTINEL;

/// A line of backquotes.
pub(crate) struct Fence {
    /// It has no language after it, so it may close.
    pub bare: bool,
}

/// A longer line is no fence.
const MAX_FENCE: usize = 120;

/// Whether a line that begins like this may still be a fence.
pub(crate) fn may_become(line: &str) -> bool {
    if line.len() > MAX_FENCE {
        return false;
    }
    let line = line.trim_start();
    line.is_empty() || "```".starts_with(line) || of(line).is_some()
}

/// The fence that a line is: three or more backquotes and at most a word of letters after them.
pub(crate) fn of(line: &str) -> Option<Fence> {
    if line.len() > MAX_FENCE {
        return None;
    }
    let line = line.trim();
    let info = line.strip_prefix("```")?.trim_start_matches('`').trim();
    let word = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '-' | '+' | '#' | '.' | '_' | '/' | '=' | '"' | ' ' | ':' | '{' | '}')
    };
    info.chars().all(word).then_some(Fence { bare: info.is_empty() })
}

/// What is left of a component's text without fence and sentinel at its edges.
pub(crate) struct Edges {
    pub range: Range<usize>,
    /// The sentinel stood at the end.
    pub sentinel: bool,
}

/// Finds the edges.
pub(crate) fn edges(code: &str) -> Edges {
    let mut range = 0..code.len();
    let mut sentinel = false;
    let opening = first_line(code).filter(|line| of(&code[line.clone()]).is_some());
    if let Some(line) = &opening {
        range.start = line.end;
    }
    let mut closed = false;
    while let Some(line) = last_line(&code[range.clone()]) {
        let line = range.start + line.start..range.start + line.end;
        let text = &code[line.clone()];
        if text.trim() == SENTINEL {
            sentinel = true;
        } else if !closed && of(text).is_some_and(|fence| fence.bare) {
            // Without an opening fence, one that closes nothing inside is the end of a fence outside the component.
            let inside = code[range.clone()].lines().filter(|line| of(line).is_some()).count();
            if opening.is_none() && inside % 2 == 0 {
                break;
            }
            closed = true;
        } else {
            break;
        }
        range.end = line.start;
    }
    Edges { range, sentinel }
}

/// As [`edges`] for text whose fences count: only a sentinel at the end is none of it.
pub(crate) fn end(text: &str) -> Edges {
    match last_line(text) {
        Some(line) if text[line.clone()].trim() == SENTINEL => Edges { range: 0..line.start, sentinel: true },
        _ => Edges { range: 0..text.len(), sentinel: false },
    }
}

/// The first line that is not blank, with its newline.
fn first_line(text: &str) -> Option<Range<usize>> {
    let start = text.len() - text.trim_start().len();
    let start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at + 1);
    (!text[start..end].trim().is_empty()).then_some(start..end)
}

/// The last line that is not blank, and what follows it.
fn last_line(text: &str) -> Option<Range<usize>> {
    let end = text.trim_end().len();
    let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
    (start < end).then_some(start..text.len())
}
