//! The stitcher: joins a cut answer and its continuation.
//!
//! The model is asked to repeat the last [`TAIL_CHARS`] characters exactly and to go on. What it repeats is the anchor: a
//! run of at least [`MIN_ANCHOR`] characters that begins the continuation and ends what was received. Before it may stand
//! what models put there: blank lines, a code fence, the START marker again, a remark. Whatever is not certain is
//! [`NoAnchor`], and the model is asked again: two possible joints, a short anchor in repeating code, no anchor at all. The
//! longest overlap is never taken as a guess; in trials that gave one wrong but parsing result in fifteen.
//!
//! Two continuations need no anchor. One that *restarts* the open component from its START marker and begins with the same
//! code is taken as a fresh text of the component. And where everything received was whole and only the sentinel was
//! missing, one that holds only the sentinel, or begins with the START of a further component, is appended.

use crate::scanner::marker::{self, Marker};

mod anchor;

/// How many characters the model is asked to repeat.
pub const TAIL_CHARS: usize = 200;
/// A shorter repetition proves nothing.
pub const MIN_ANCHOR: usize = 12;

/// How the two were joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seam {
    /// At a repeated text.
    Anchored,
    /// The continuation begins the open component anew.
    Restarted,
    /// All was whole, and the continuation goes on after it.
    Appended,
}

/// The joined text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stitched {
    /// All of the stream, with `\n` line endings.
    pub text: String,
    /// Bytes of the repeated text; 0 where the seam is no anchor.
    pub anchor_bytes: usize,
    /// How they were joined.
    pub seam: Seam,
}

/// There is no place where the continuation certainly goes on: ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnchor {
    /// The continuation is blank.
    #[error("the continuation is empty")]
    Empty,
    /// Nothing of what was received is repeated at its beginning.
    #[error("the continuation does not repeat the end of what was received")]
    Missing,
    /// It could go on in several places.
    #[error("the continuation could go on in more than one place")]
    Ambiguous,
}

/// The last characters of what was received, which the model is asked to repeat: at most [`TAIL_CHARS`].
pub fn tail(received: &str) -> &str {
    let start = received.char_indices().rev().nth(TAIL_CHARS - 1).map_or(0, |(at, _)| at);
    &received[start..]
}

/// Joins `received`, raw text of a stream with its markers, and `continuation`, the raw answer to the request to go on.
///
/// # Errors
/// [`NoAnchor`] where the joint is not certain.
pub fn stitch(received: &str, continuation: &str) -> Result<Stitched, NoAnchor> {
    let mut received = received.replace("\r\n", "\n");
    if received.ends_with('\r') {
        received.pop();
    }
    let continuation = continuation.replace("\r\n", "\n");
    if continuation.trim().is_empty() {
        return Err(NoAnchor::Empty);
    }
    let open = open_component(&received);
    let starts = anchor::starts(&continuation);
    match anchor::find(&received, &continuation, &starts) {
        Ok(anchor) => {
            let rest = continuation.get(anchor.end..).unwrap_or_default();
            let text = format!("{received}{rest}");
            return Ok(Stitched { text, anchor_bytes: anchor.len, seam: Seam::Anchored });
        }
        Err(NoAnchor::Ambiguous) => return Err(NoAnchor::Ambiguous),
        Err(_) => {}
    }
    match open {
        Some(open) => restart(&received, &continuation, &open),
        None => append(&received, &continuation),
    }
}

/// The component that is open at the end of what was received.
struct OpenComponent {
    name: String,
    id: Option<String>,
    /// Where its START marker's line begins.
    start: usize,
    /// Where its code begins.
    code: usize,
}

fn open_component(received: &str) -> Option<OpenComponent> {
    let mut open: Option<OpenComponent> = None;
    let mut id: Option<String> = None;
    let mut at = 0;
    for line in received.split_inclusive('\n') {
        let start = at;
        at += line.len();
        match marker::parse(line) {
            Some(Marker::Start(header)) if id.is_none() || id == header.id => {
                id.clone_from(&header.id);
                open = Some(OpenComponent { name: header.name, id: header.id, start, code: at });
            }
            Some(Marker::End(_, end)) if id.is_none() || id == end => open = None,
            _ => {}
        }
    }
    open
}

/// The first START marker of a continuation that stands where its content begins.
fn leading_start(continuation: &str) -> Option<(usize, crate::scanner::Header)> {
    anchor::starts(continuation).into_iter().find_map(|start| {
        let line = continuation.get(start.at..)?.lines().next()?;
        match marker::parse(line) {
            Some(Marker::Start(header)) => Some((start.at, header)),
            _ => None,
        }
    })
}

/// A continuation that begins the open component anew replaces what there was of it.
fn restart(received: &str, continuation: &str, open: &OpenComponent) -> Result<Stitched, NoAnchor> {
    let (at, header) = leading_start(continuation).ok_or(NoAnchor::Missing)?;
    if header.name != open.name || header.id != open.id {
        return Err(NoAnchor::Missing);
    }
    let fresh = continuation.get(at..).unwrap_or_default();
    let code = |text: &str| {
        // Every hunk of an edit block begins with the same marker: it tells nothing.
        let tells =
            |line: &&str| !line.is_empty() && !line.starts_with("```") && marker::inner(line).is_none();
        let lines = text.lines().map(str::trim).filter(tells);
        lines.take(1).map(str::to_owned).next().unwrap_or_default()
    };
    let was = received.get(open.code..).unwrap_or_default();
    let now = fresh.split_once('\n').map_or("", |(_, rest)| rest);
    // The first line must come again; of an unfinished one, what there is of it.
    let same = if was.trim_start().contains('\n') {
        code(was) == code(now)
    } else {
        code(now).starts_with(&code(was))
    };
    if !same {
        return Err(NoAnchor::Missing);
    }
    let text = format!("{}{fresh}", received.get(..open.start).unwrap_or_default());
    Ok(Stitched { text, anchor_bytes: 0, seam: Seam::Restarted })
}

/// Nothing is open: the rest may be the sentinel, or further components.
fn append(received: &str, continuation: &str) -> Result<Stitched, NoAnchor> {
    let known: Vec<String> = received
        .lines()
        .filter_map(|line| match marker::parse(line) {
            Some(Marker::Start(header)) => Some(header.name),
            _ => None,
        })
        .collect();
    let further = leading_start(continuation).is_some_and(|(_, header)| !known.contains(&header.name));
    let blank_or_fence = |line: &str| line.trim().is_empty() || line.trim().chars().all(|c| c == '`');
    let only_markers = continuation
        .lines()
        .filter(|line| !blank_or_fence(line))
        .all(|line| matches!(marker::parse(line), Some(Marker::End(..) | Marker::Sentinel)));
    if !further && (!only_markers || known.is_empty()) {
        return Err(NoAnchor::Missing);
    }
    let gap = if received.is_empty() || received.ends_with('\n') { "" } else { "\n" };
    // An END that closes nothing would only be talk.
    let rest: String = if only_markers { format!("{}\n", marker::SENTINEL) } else { continuation.to_owned() };
    Ok(Stitched { text: format!("{received}{gap}{rest}"), anchor_bytes: 0, seam: Seam::Appended })
}

#[cfg(test)]
mod tests;
