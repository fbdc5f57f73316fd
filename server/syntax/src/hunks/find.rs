//! The matching ladder: where does the search text stand?
//!
//! Whole lines exactly; else whole lines but for the white space around them, where the indentation differs by one
//! consistent shift; else, exactly and once, within lines. A step counts only if the one before found nothing. All in time
//! proportional to the file.

use std::ops::Range;

use assist_base::ByteRange;

use super::How;
use super::fit::Indents;
use super::lines::Lines;
use crate::merge::layout::line_ending;

/// A place where the search text stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The lines, from 0.
    pub lines: Range<usize>,
    pub how: How,
    /// The lines of the search text that count: without blank ones at its edges where those were dropped.
    pub search: Range<usize>,
    /// The very span, where it is not whole lines.
    pub within: Option<ByteRange>,
}

/// More places than these are not told apart.
const MAX_PLACES: usize = 8;
/// Places alike but for white space that are looked at.
const MAX_LOOKED_AT: usize = 256;

/// What counts as white space around a line.
pub(super) const BLANK: [char; 4] = [' ', '\t', '\r', '\u{c}'];

/// The places, from the first step of the ladder that finds any; more than one is the caller's to refuse.
pub(super) fn find(lines: &Lines<'_>, text: &str, search: &[String]) -> Vec<Found> {
    let whole: Vec<&str> = search.iter().map(String::as_str).collect();
    let exact = |at: usize| Found {
        lines: at..at + whole.len(),
        how: How::Exact,
        search: 0..whole.len(),
        within: None,
    };
    let found: Vec<Found> = runs(lines.len(), |at| lines.get(at), &whole, MAX_PLACES, exact);
    if !found.is_empty() {
        return found;
    }
    let mut shifted = shifted(lines, &whole);
    let within = within(lines, text, &whole);
    match (shifted.as_slice(), within.as_slice()) {
        ([], _) => within,
        // A text that stands once, but within a line, is as good a reading as lines that are only alike.
        ([one], [Found { within: Some(range), .. }])
            if range.start < lines.start(one.lines.start) || range.end > lines.start(one.lines.end) =>
        {
            shifted.extend(within);
            shifted
        }
        _ => shifted,
    }
}

/// Whole lines that differ in white space only.
fn shifted(lines: &Lines<'_>, whole: &[&str]) -> Vec<Found> {
    let bare: Vec<&str> = whole.iter().map(|line| line.trim_matches(BLANK)).collect();
    // Blank lines at the edges are often the marker's, not the file's.
    let first = bare.iter().position(|line| !line.is_empty());
    let last = bare.iter().rposition(|line| !line.is_empty());
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    let trimmed = (first, last) != (0, bare.len() - 1);
    let parts = [Some(0..bare.len()), trimmed.then_some(first..last + 1)];
    for part in parts.into_iter().flatten() {
        let wanted = &bare[part.clone()];
        let like = |at: usize| Found {
            lines: at..at + wanted.len(),
            how: How::Shifted,
            search: part.clone(),
            within: None,
        };
        let line = |at: usize| lines.get(at).trim_matches(BLANK);
        let mut found: Vec<Found> = runs(lines.len(), line, wanted, MAX_LOOKED_AT, like);
        found.retain(|one| Indents::of(&whole[part.clone()], &lines.slice(one.lines.clone())).is_some());
        if !found.is_empty() {
            found.truncate(MAX_PLACES);
            return found;
        }
    }
    Vec::new()
}

/// Exactly the search text, but not as whole lines. It must not begin or end in the middle of a word.
fn within(lines: &Lines<'_>, text: &str, whole: &[&str]) -> Vec<Found> {
    let pattern = whole.join(line_ending(text));
    if pattern.trim().is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (start, _) in text.match_indices(&pattern) {
        let end = start + pattern.len();
        let first = lines.at(start);
        let last = lines.at(end.saturating_sub(1).max(start));
        let before = text.get(lines.start(first)..start).unwrap_or_default();
        let after = text.get(end..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let splits =
            |left: Option<char>, right: Option<char>| left.is_some_and(is_word) && right.is_some_and(is_word);
        let cut = splits(before.chars().next_back(), pattern.chars().next())
            || splits(pattern.chars().next_back(), after.chars().next());
        if cut || before.trim_matches(BLANK).is_empty() && after.trim_matches(BLANK).is_empty() {
            continue;
        }
        found.push(Found {
            lines: first..last + 1,
            how: How::Within,
            search: 0..whole.len(),
            within: Some(ByteRange::new(start, end)),
        });
        if found.len() >= MAX_PLACES {
            break;
        }
    }
    found
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// Where `wanted` stands in a sequence of lines, overlapping places too; after Knuth, Morris and Pratt.
fn runs<'t, T>(
    count: usize,
    line: impl Fn(usize) -> &'t str,
    wanted: &[&str],
    most: usize,
    make: impl Fn(usize) -> T,
) -> Vec<T> {
    let mut found = Vec::new();
    if wanted.is_empty() || wanted.len() > count {
        return found;
    }
    let mut links = vec![0_usize; wanted.len()];
    let mut matched = 0;
    for at in 1..wanted.len() {
        while matched > 0 && wanted[at] != wanted[matched] {
            matched = links[matched - 1];
        }
        matched += usize::from(wanted[at] == wanted[matched]);
        links[at] = matched;
    }
    matched = 0;
    for at in 0..count {
        let line = line(at);
        while matched > 0 && line != wanted[matched] {
            matched = links[matched - 1];
        }
        matched += usize::from(line == wanted[matched]);
        if matched == wanted.len() {
            found.push(make(at + 1 - matched));
            if found.len() >= most {
                break;
            }
            matched = links[matched - 1];
        }
    }
    found
}
