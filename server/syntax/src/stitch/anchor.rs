//! Finding the repeated text.

use super::{MIN_ANCHOR, NoAnchor, TAIL_CHARS};
use crate::gate::is_prose_line;
use crate::scanner::marker::{self, Marker};

/// A place of the continuation where the repeated text may begin.
pub(super) struct Start {
    pub at: usize,
    /// A remark stands before it, so that a short anchor proves nothing.
    remark: bool,
}

/// The repeated text, in the continuation.
pub(super) struct Anchor {
    pub end: usize,
    pub len: usize,
}

/// A remark is short; more than this before the code is something else.
const MAX_REMARK_LINES: usize = 6;
/// Characters that must be repeated after a remark without a fence.
const ANCHOR_AFTER_REMARK: usize = 40;
/// Of these characters at least so many must be more than white space.
const MIN_INK: usize = 6;
/// Within so many bytes of the continuation the repeated text must not come again.
const SOON: usize = 1200;
/// More is never repeated usefully; keeps the search bounded on hostile text.
const MAX_REPEATED: usize = 256 << 10;
/// So many bytes of readings are looked at in all. Readings that do not repeat themselves are each at most half as long as the
/// one before; more comes only of a text that goes round in circles, in which no place is certain.
const MAX_LOOKED_AT: usize = 8 * MAX_REPEATED;
/// Content begins within so many places, or not at all: a thousand blank lines are no remark.
const MAX_STARTS: usize = 64;

/// Where a continuation's content may begin: at once, or after blank lines, a fence, START markers, or a remark.
pub(super) fn starts(continuation: &str) -> Vec<Start> {
    let mut starts = vec![Start { at: 0, remark: false }];
    let push = |starts: &mut Vec<Start>, at: usize, remark: bool| {
        if starts.iter().all(|start| start.at != at) {
            starts.push(Start { at, remark });
        }
    };
    let mut remark = false;
    let mut remarks = 0;
    let mut at = 0;
    for line in continuation.split_inclusive('\n') {
        let words = line.trim();
        let indent = line.len() - line.trim_start().len();
        push(&mut starts, at, remark);
        if !words.is_empty() {
            // White space at the beginning is often lost on the way.
            push(&mut starts, at + indent, remark);
        }
        let next = at + line.len();
        if words.is_empty() || matches!(marker::parse(line), Some(Marker::Start(_))) {
            // goes on
        } else if words.starts_with("```") {
            remark = false;
        } else if (is_prose_line(words) || words.ends_with(':') && is_remark(words))
            && remarks < MAX_REMARK_LINES
        {
            remarks += 1;
            remark = true;
        } else {
            break;
        }
        if starts.len() >= MAX_STARTS {
            break;
        }
        at = next;
    }
    starts
}

/// A line like ``Continuing from `<div>`:``.
fn is_remark(line: &str) -> bool {
    line.split_whitespace().count() >= 2 && line.chars().next().is_some_and(char::is_uppercase)
}

/// The one anchor that is certain.
///
/// A model that repeats all it was asked for leaves no doubt; a shorter reading of the same text, which begins as it ends,
/// does not count beside that. Among shorter ones two are one too many.
pub(super) fn find(received: &str, continuation: &str, starts: &[Start]) -> Result<Anchor, NoAnchor> {
    let mut full: Vec<Anchor> = Vec::new();
    let mut short: Vec<Anchor> = Vec::new();
    let mut doubtful = false;
    let mut looked_at = 0;
    for start in starts {
        let Some(content) = continuation.get(start.at..) else { continue };
        for len in overlaps(received, content) {
            let Some(repeated) = content.get(..len) else { continue };
            looked_at += len;
            if looked_at > MAX_LOOKED_AT {
                return Err(NoAnchor::Ambiguous);
            }
            let rest = content.get(len..).unwrap_or_default();
            let is_full = len == received.len() || repeated.chars().count() >= TAIL_CHARS;
            match trust(received, repeated, rest, is_full, start.remark) {
                Trust::None => {}
                Trust::Doubtful => doubtful = true,
                Trust::Sure => {
                    let end = start.at + len;
                    let kind = if is_full { &mut full } else { &mut short };
                    // A longer or shorter repetition that ends at the same place is the same joint.
                    if kind.iter().all(|known| known.end != end) {
                        kind.push(Anchor { end, len });
                    }
                }
            }
        }
    }
    let mut candidates = if full.is_empty() { short } else { full };
    match (candidates.pop(), candidates.is_empty(), doubtful) {
        (Some(anchor), true, _) => Ok(anchor),
        (Some(_), false, _) | (None, _, true) => Err(NoAnchor::Ambiguous),
        (None, _, false) => Err(NoAnchor::Missing),
    }
}

enum Trust {
    None,
    Doubtful,
    Sure,
}

/// `rest` is what follows the repeated text in the continuation; `full`: it is all that was asked for.
fn trust(received: &str, repeated: &str, rest: &str, full: bool, after_remark: bool) -> Trust {
    let chars = repeated.chars().count();
    let ink = repeated.chars().filter(|c| !c.is_whitespace()).count();
    let least = if after_remark { ANCHOR_AFTER_REMARK } else { MIN_ANCHOR };
    if chars < least || ink < MIN_INK {
        return Trust::None;
    }
    // A ruler of equal signs, a long number: any part of it is as good a repetition. So is a shorter one that begins and
    // ends the text, unless the whole is what was asked for.
    let core = repeated.trim_start();
    let border = core.len() - period(core);
    if border * 2 >= core.len() || (!full && border * 3 >= core.len()) {
        return Trust::Doubtful;
    }
    // Cut within an indentation, the white space may be all that is repeated, before a line like the one above.
    let line = received.rsplit('\n').next().unwrap_or_default();
    let in_indentation = !line.is_empty() && line.trim().is_empty();
    if !full && in_indentation && !repeated.trim().contains('\n') {
        return Trust::Doubtful;
    }
    let window = tail_of(received, TAIL_CHARS.max(2 * chars));
    let last = window.len() - repeated.len();
    // New code may follow that happens to be the same, only where the text directly follows itself.
    let tandem = window[..last].ends_with(repeated) || overlaps_itself(repeated, window);
    // Where the same text stands in the tail once more, the model may have begun there; where it comes again in the
    // continuation, the model may still be repeating.
    let soon = &rest[..rest.floor_char_boundary(SOON)];
    let again = || window.match_indices(repeated).any(|(at, _)| at != last) || soon.contains(repeated);
    if tandem || (!full && again()) { Trust::Doubtful } else { Trust::Sure }
}

/// The shortest distance at which a text repeats itself; its length where it does not.
fn period(text: &str) -> usize {
    text.len() - links(text.as_bytes()).last().copied().unwrap_or(0)
}

/// Whether the window ends with the text shifted against itself: code that repeats with a period shorter than the text.
fn overlaps_itself(repeated: &str, window: &str) -> bool {
    let last = window.len() - repeated.len();
    let first = last.saturating_sub(repeated.len() - 1);
    (first..last).any(|at| window.as_bytes()[at..].starts_with(repeated.as_bytes()))
}

fn tail_of(text: &str, chars: usize) -> &str {
    let start = text.char_indices().rev().nth(chars.saturating_sub(1)).map_or(0, |(at, _)| at);
    &text[start..]
}

/// Lengths of all beginnings of `content` that are ends of `received`, longest first, by the failure links of
/// Knuth, Morris and Pratt: time in proportion to the texts.
fn overlaps(received: &str, content: &str) -> Vec<usize> {
    let len = received.len().min(content.len()).min(MAX_REPEATED);
    let pattern = &content.as_bytes()[..len];
    let text = &received.as_bytes()[received.len() - len..];
    let links = links(pattern);
    let mut matched = 0;
    for &byte in text {
        while matched > 0 && (matched == len || byte != pattern[matched]) {
            matched = links[matched - 1];
        }
        matched += usize::from(matched < len && byte == pattern[matched]);
    }
    let mut lengths = Vec::new();
    while matched > 0 {
        lengths.push(matched);
        matched = links[matched - 1];
    }
    lengths
}

/// For each beginning of the pattern the length of its longest proper beginning that is also its end.
fn links(pattern: &[u8]) -> Vec<usize> {
    let mut links = vec![0_usize; pattern.len()];
    let mut matched = 0;
    for at in 1..pattern.len() {
        while matched > 0 && pattern[at] != pattern[matched] {
            matched = links[matched - 1];
        }
        matched += usize::from(pattern[at] == pattern[matched]);
        links[at] = matched;
    }
    links
}
