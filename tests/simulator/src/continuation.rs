//! Continuations that are right to the byte, wherever the answer before was cut.
//!
//! A client that continues a cut answer sends (at least) the last characters it received. The simulator finds them
//! in the full text and so knows the place, whatever words the client's prompt uses. It first tries the places where
//! it remembers to have cut this very text: a short received part ("/// C") could stand anywhere in a prompt.

use serde::Deserialize;

use crate::asked::Asked;
use crate::reply::tokens;

/// What a client that continues an answer is expected to quote.
const TAIL_CHARS: usize = 200;
/// Shorter parts are too common to say where the text was cut.
const LEAST_CHARS: usize = 12;

/// How a continuation attaches to what was received. "The tail" is its last 200 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// The tail, exactly, then the rest: what was asked for.
    #[default]
    Exact,
    /// These words and a line break, then as `Exact`.
    Prose(String),
    /// As `Exact`, in a code fence with this info word.
    Fenced(String),
    /// As `Exact`, but the repeated lines are indented by this many more spaces.
    Reindented(usize),
    /// As `Exact`, but every second word of the repeated tail is another.
    Reworded,
    /// Only the last characters of the tail, then the rest.
    Overlap(usize),
    /// The rest, nothing repeated.
    NoOverlap,
    /// The whole text once more from its beginning.
    Restart,
}

/// A continuation's text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    pub(crate) text: String,
    /// Bytes at the start that are not new.
    pub(crate) repeated: usize,
    /// The byte offset in the full text where the new part begins.
    pub(crate) from: usize,
}

/// The last characters of a text, up to what a client quotes.
fn tail(text: &str) -> &str {
    last_chars(text, TAIL_CHARS)
}

fn last_chars(text: &str, n: usize) -> &str {
    let start = text.char_indices().rev().take(n).last().map_or(text.len(), |(at, _)| at);
    &text[start..]
}

/// The byte offset in `full` up to which the request says the client has it; `None` if it does not say.
/// `remembered`: offsets at which this text was cut before, oldest first.
pub(crate) fn find_cut(full: &str, asked: &Asked, remembered: &[usize]) -> Option<usize> {
    // Line ends may have been made one kind on the way; the scripts use \n.
    let request = asked.all_messages().replace("\r\n", "\n");
    for &cut in remembered.iter().rev() {
        let part = tail(&full[..cut]);
        if !part.trim().is_empty() && (request.contains(part) || request.contains(part.trim_end())) {
            return Some(cut);
        }
    }
    search(full, &request)
}

/// Looks for the place by the text alone: what a reset swallowed on the way was sent, but not received.
fn search(full: &str, request: &str) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    let mut short: Option<(usize, usize)> = None;
    for (count, (at, c)) in full.char_indices().enumerate() {
        let end = at + c.len_utf8();
        let part = tail(&full[..end]);
        if count + 1 < LEAST_CHARS {
            continue;
        }
        let Some(found) = request.rfind(part).map(|start| start + part.len()) else { continue };
        if count + 1 < TAIL_CHARS {
            short = Some((found, end));
        } else if best.is_none_or(|(before, _)| found >= before) {
            // The quoted tail stands behind the file's text, in which the same lines may be.
            best = Some((found, end));
        }
    }
    match (best, short) {
        // All that was received is short, and stands behind lines of the file that are in the answer too.
        (Some((found, _)), Some((later, end))) if later > found => Some(end),
        (Some((_, end)), _) | (None, Some((_, end))) => Some(end),
        (None, None) => None,
    }
}

/// The continuation of `full` after `cut` in the given manner.
pub(crate) fn continue_at(full: &str, cut: usize, manner: &Manner) -> Continuation {
    let (received, rest) = full.split_at(cut);
    let repeat = tail(received);
    let (before, after) = match manner {
        Manner::Exact => (repeat.to_owned(), ""),
        Manner::Prose(words) => (format!("{words}\n{repeat}"), ""),
        Manner::Fenced(info) => (format!("```{info}\n{repeat}"), "\n```\n"),
        Manner::Reindented(spaces) => (reindent(repeat, *spaces), ""),
        Manner::Reworded => (reword(repeat), ""),
        Manner::Overlap(chars) => (last_chars(repeat, *chars).to_owned(), ""),
        Manner::NoOverlap => (String::new(), ""),
        Manner::Restart => (received.to_owned(), ""),
    };
    Continuation { repeated: before.len(), text: format!("{before}{rest}{after}"), from: cut }
}

fn reindent(text: &str, spaces: usize) -> String {
    let indent = " ".repeat(spaces);
    text.split_inclusive('\n')
        .map(|line| if line.trim().is_empty() { line.to_owned() } else { format!("{indent}{line}") })
        .collect()
}

fn reword(text: &str) -> String {
    let mut words = 0;
    tokens(text)
        .map(|(start, end)| {
            let token = &text[start..end];
            if !token.starts_with(char::is_alphanumeric) {
                return token.to_owned();
            }
            words += 1;
            if words % 2 == 0 { format!("{token}_alt") } else { token.to_owned() }
        })
        .collect()
}

/// Fills in the id that the request gives its components, or takes the attribute out.
pub(crate) fn fill_in(text: &str, asked: &Asked) -> String {
    if !text.contains("@@id@@") {
        return text.to_owned();
    }
    // Text of the repository in the messages can hold foreign markers: what the system prompt says comes first.
    match issued_id(&asked.system).or_else(|| issued_id(&asked.all_messages())) {
        Some(id) => text.replace("@@id@@", &id),
        None => text.replace(" id=@@id@@", "").replace("@@id@@", ""),
    }
}

/// The word after ` id=` on the last `COMPONENT_START` line that has one. That line may be quoted from an answer that was
/// cut within the id; the whole id then stands on another line.
fn issued_id(request: &str) -> Option<String> {
    let ids: Vec<String> = request
        .lines()
        .filter(|line| line.contains("COMPONENT_START"))
        .filter_map(|line| {
            let (_, after) = line.rsplit_once(" id=")?;
            let id: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            (!id.is_empty()).then_some(id)
        })
        .collect();
    let last = ids.last()?;
    ids.iter().filter(|id| id.starts_with(last.as_str())).max_by_key(|id| id.len()).cloned()
}
