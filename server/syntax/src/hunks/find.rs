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

/// A line without the white space around it. Only what is white space in code counts, and it is one byte each.
pub(super) fn bare(line: &str) -> &str {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | 0x0c);
    let bytes = line.as_bytes();
    let Some(start) = bytes.iter().position(|byte| !blank(byte)) else { return "" };
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |at| at + 1);
    line.get(start..end).unwrap_or(line)
}

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
    let wanted: Vec<&str> = whole.iter().map(|line| bare(line)).collect();
    // Blank lines at the edges are often the marker's, not the file's.
    let first = wanted.iter().position(|line| !line.is_empty());
    let last = wanted.iter().rposition(|line| !line.is_empty());
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    let trimmed = (first, last) != (0, wanted.len() - 1);
    let parts = [Some(0..wanted.len()), trimmed.then_some(first..last + 1)];
    for part in parts.into_iter().flatten() {
        let wanted = &wanted[part.clone()];
        let like = |at: usize| Found {
            lines: at..at + wanted.len(),
            how: How::Shifted,
            search: part.clone(),
            within: None,
        };
        let line = |at: usize| bare(lines.get(at));
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
    let (Some(first), Some(last)) = (whole.first(), whole.last()) else { return Vec::new() };
    if whole.iter().all(|line| line.trim().is_empty()) {
        return Vec::new();
    }
    let ranges: Box<dyn Iterator<Item = (usize, usize)>> = if whole.len() == 1 {
        Box::new(text.match_indices(first).map(|(start, _)| (start, start + first.len())))
    } else {
        // The end of a line, whole lines, and the beginning of one.
        let spans = |at: usize| {
            let end = at + whole.len() - 1;
            let stands = lines.get(at).ends_with(first)
                && lines.get(end).starts_with(last)
                && (1..whole.len() - 1).all(|nth| lines.get(at + nth) == whole[nth]);
            stands.then(|| (lines.end(at) - first.len(), lines.start(end) + last.len()))
        };
        Box::new((0..lines.len().saturating_sub(whole.len() - 1)).filter_map(spans))
    };
    let mut found = Vec::new();
    for (start, end) in ranges {
        let first_line = lines.at(start);
        let last_line = first_line + whole.len() - 1;
        let before = text.get(lines.start(first_line)..start).unwrap_or_default();
        let after = text.get(end..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let splits =
            |left: Option<char>, right: Option<char>| left.is_some_and(is_word) && right.is_some_and(is_word);
        let cut = splits(before.chars().next_back(), first.chars().next())
            || splits(last.chars().next_back(), after.chars().next());
        if cut || bare(before).is_empty() && bare(after).is_empty() {
            continue;
        }
        found.push(Found {
            lines: first_line..last_line + 1,
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

/// Whether the search text stands exactly once as whole lines, and where.
pub(super) fn exactly_once(lines: &Lines<'_>, search: &[String]) -> Option<Range<usize>> {
    let whole: Vec<&str> = search.iter().map(String::as_str).collect();
    match runs(lines.len(), |at| lines.get(at), &whole, 2, |at| at..at + whole.len()).as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
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
