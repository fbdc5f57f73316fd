//! Surgical edits: hunks of search and replacement, put into a file or refused.
//!
//! A model sends them in an edit block of the component protocol, as search/replace pairs or as a unified diff:
//!
//! ```text
//! /// EDIT_START: path="src/app.ts" id=7f3a ///
//! /// SEARCH id=7f3a ///
//! const port = 3000;
//! /// REPLACE id=7f3a ///
//! const port = 8080;
//! /// EDIT_END id=7f3a ///
//! ```
//!
//! [`parse`] reads a block, [`edit`] finds the places and makes the edits. The ladder: whole lines that match exactly; whole
//! lines that match but for white space around them, with one consistent shift of indentation, which the new lines take
//! over; a text that stands exactly once within lines. Everything else is [`Refused`] with what the model needs to choose:
//! two places, no place and what is nearest, a search or replacement that leaves code out, a replacement that repeats
//! lines the search does not name, hunks that lie in each other. Refused is the whole file, never a part.
//!
//! Lines that search and replacement share keep the file's bytes; new lines get the file's line endings and, where the
//! hunk is indented in another unit, the file's indentation. Its last newline, or the lack of one, stays.
//!
//! Limits: a line number chooses between equal places only where the caller vouches that it belongs to this very text, and
//! only if it is exact. The numbers of a unified diff choose nothing, because models write plausible ones. Two changes within
//! one line need one hunk. Whether the result is valid code is the gate's to say ([`crate::judge_edits`]).

mod block;
mod elision;
mod find;
mod fit;
mod gather;
mod lines;
mod nearest;
mod patch;
mod refusal;

use std::ops::Range;

use assist_base::change::apply_edits;
use assist_base::{ByteRange, TextEdit};
use similar::{Algorithm, capture_diff_slices};

use crate::brackets::Brackets;
use crate::languages::Language;
use crate::merge;
use crate::merge::indent::Unit;
use crate::merge::layout::line_ending;
use crate::outline::{Outlined, outline};
use crate::scanner::marker;
use find::{Found, exactly_once, find};
use fit::Indents;
use lines::{Change, Lines};

pub use block::{FileHunks, Hunk, Unreadable, parse};
pub use gather::{Gathered, Unusable, gather};
pub use refusal::{Nearby, Refused, Why};

/// How a search text was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// Whole lines, exactly.
    Exact,
    /// Whole lines, but for white space around them.
    Shifted,
    /// Exactly, but not as whole lines.
    Within,
    /// There was no text to look for: the file is new or empty.
    Created,
}

/// Where a hunk went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// First and last line of the file before, from 1.
    pub lines: (usize, usize),
    /// How it was found.
    pub how: How,
}

/// A file's edits and the text they lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// In ascending order, without overlap, in offsets of the text before; none where nothing would change.
    pub edits: Vec<TextEdit>,
    /// The text with all edits made.
    pub after: String,
    /// Where each hunk went, in their order.
    pub places: Vec<Place>,
}

/// The outline of a larger file is not worth its time for a message.
const MAX_OUTLINED: usize = 256 << 10;
/// Longer texts are replaced as a whole instead of being compared line by line.
const MAX_COMPARED: usize = 2000;
/// A replacement that repeats so many lines of what stands beside its place replaces more than it names.
const REPEATED: usize = 2;

/// Puts hunks into a file. `before` is its text, `None` where it does not exist. `lines_hold` says that the line numbers in
/// the hunks were given for this very text.
///
/// # Errors
/// Every hunk that is refused, and why. Then none of them may be applied.
pub fn edit(
    before: Option<&str>,
    language: Option<Language>,
    hunks: &[Hunk],
    lines_hold: bool,
) -> Result<Edited, Vec<Refused>> {
    let text = before.unwrap_or_default();
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return create(before, hunks, language);
    }
    let file = File { text, lines: Lines::new(text), language };
    let mut placed: Vec<(usize, Found, Vec<Change>)> = Vec::with_capacity(hunks.len());
    let mut refused = Vec::new();
    for (at, hunk) in hunks.iter().enumerate() {
        match file.place(hunk, lines_hold) {
            Ok((found, changes)) => placed.push((at, found, changes)),
            Err(why) => refused.push(Refused { hunk: at, at: hunk.at, why }),
        }
    }
    placed.sort_by_key(|(_, found, _)| (found.lines.start, found.lines.end));
    for pair in placed.windows(2) {
        let [(_, first, ours), (at, second, theirs)] = pair else { continue };
        if collide(first, ours, second, theirs) {
            let lines = human(&second.lines);
            refused.push(Refused { hunk: *at, at: hunks[*at].at, why: Why::Overlap { lines } });
        }
    }
    if !refused.is_empty() {
        refused.sort_by_key(|one| one.hunk);
        return Err(refused);
    }
    let mut places: Vec<(usize, Place)> = placed
        .iter()
        .map(|(at, found, _)| (*at, Place { lines: human(&found.lines), how: found.how }))
        .collect();
    places.sort_by_key(|(at, _)| *at);
    let mut changes: Vec<Change> = placed.into_iter().flat_map(|(_, _, changes)| changes).collect();
    changes.sort_by_key(|change| change.lines.start);
    let edits = file.lines.edits(changes);
    match apply_edits(text, &edits) {
        Ok(after) => {
            Ok(Edited { edits, after, places: places.into_iter().map(|(_, place)| place).collect() })
        }
        Err(_) => {
            let refused = |(at, hunk): (usize, &Hunk)| {
                let lines = places.iter().find(|(of, _)| *of == at).map_or((1, 1), |(_, place)| place.lines);
                Refused { hunk: at, at: hunk.at, why: Why::Overlap { lines } }
            };
            Err(hunks.iter().enumerate().map(refused).collect())
        }
    }
}

/// Names that the file imports and, with what `edited` replaced in `before`, no longer uses. JavaScript, TypeScript and
/// Python.
pub fn unused(before: &str, edited: &Edited, language: Language) -> Vec<String> {
    let replaced: Vec<ByteRange> = edited.edits.iter().map(|edit| edit.range).collect();
    merge::unused(before, &edited.after, &replaced, language)
}

/// What can be said against a hunk without its file: it leaves code out, or holds the protocol's own lines.
pub fn wanting(hunk: &Hunk, language: Option<Language>) -> Option<Why> {
    let python = language == Some(Language::Python);
    let elided = hunk.search.iter().find(|line| elision::elides(line, python));
    match elided.filter(|line| !hunk.replace.contains(line)) {
        Some(line) => Some(Why::Elided { line: line.trim().to_owned(), in_search: true, spans: Vec::new() }),
        None => unfit(&hunk.search, &hunk.replace, &hunk.search.join("\n"), language),
    }
}

/// The edits that take `edited` back, in offsets of the text after.
pub fn inverse(before: &str, edited: &Edited) -> Vec<TextEdit> {
    let mut shift = 0_isize;
    let back = |edit: &TextEdit| {
        let start = edit.range.start.saturating_add_signed(shift);
        shift += edit.text.len() as isize - edit.range.len() as isize;
        let text = edit.range.of(before).unwrap_or_default().to_owned();
        TextEdit { range: ByteRange::new(start, start + edit.text.len()), text }
    };
    edited.edits.iter().map(back).collect()
}

/// Hunks for a file that is new or holds nothing.
fn create(before: Option<&str>, hunks: &[Hunk], language: Option<Language>) -> Result<Edited, Vec<Refused>> {
    let refuse = |at: usize, why: Why| Err(vec![Refused { hunk: at, at: hunks[at].at, why }]);
    let blank = |lines: &[String]| lines.iter().all(|line| line.trim().is_empty());
    if let Some(at) = hunks.iter().position(|hunk| !blank(&hunk.search)) {
        return refuse(at, Why::NoText { exists: before.is_some() });
    }
    let [hunk] = hunks else {
        if hunks.is_empty() {
            return Err(Vec::new());
        }
        return refuse(1, Why::Overlap { lines: (1, 1) });
    };
    let text = before.unwrap_or_default();
    let new = block::unfenced(&hunk.replace).filter(|_| language.is_some()).unwrap_or(&hunk.replace);
    if let Some(why) = unfit(&[], new, text, language) {
        return refuse(0, why);
    }
    let eol = line_ending(text);
    let mut after: String = if text.starts_with('\u{feff}') { "\u{feff}".to_owned() } else { String::new() };
    let end = new.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
    new[..end].iter().flat_map(|line| [line.as_str(), eol]).for_each(|piece| after.push_str(piece));
    let edits = vec![TextEdit { range: ByteRange::new(0, text.len()), text: after.clone() }];
    Ok(Edited { edits, after, places: vec![Place { lines: (1, 1), how: How::Created }] })
}

/// A replacement that must not reach a file: it leaves code out, or holds the protocol's own lines.
fn unfit(search: &[String], replace: &[String], before: &str, language: Option<Language>) -> Option<Why> {
    let python = language == Some(Language::Python);
    for (at, line) in replace.iter().enumerate() {
        let known = || search.iter().any(|one| one.trim() == line.trim());
        if elision::elides(line, python) && !known() {
            return Some(Why::Elided { line: line.trim().to_owned(), in_search: false, spans: Vec::new() });
        }
        let is_marker = marker::parse(line).is_some() || marker::inner(line).is_some();
        if is_marker && !before.lines().any(|one| one.trim() == line.trim()) {
            return Some(Why::Marker { line: at + 1 });
        }
    }
    None
}

struct File<'t> {
    text: &'t str,
    lines: Lines<'t>,
    language: Option<Language>,
}

impl File<'_> {
    /// The place of a hunk and the lines it changes there.
    fn place(&self, hunk: &Hunk, lines_hold: bool) -> Result<(Found, Vec<Change>), Why> {
        if hunk.search.iter().all(|line| line.trim().is_empty()) {
            return Err(Why::NothingNamed);
        }
        let mut search = hunk.search.as_slice();
        let mut replace = hunk.replace.as_slice();
        let mut found = find(&self.lines, self.text, search);
        if found.is_empty() {
            // A fence that is not in the file is around the code, not of it.
            if let Some(bare) = block::unfenced(search) {
                search = bare;
                replace = block::unfenced(replace).unwrap_or(replace);
                found = find(&self.lines, self.text, search);
            }
        }
        if let Some(why) = unfit(search, replace, self.text, self.language) {
            return Err(why);
        }
        if found.len() > 1 && lines_hold {
            let named: Vec<&Found> =
                found.iter().filter(|one| hunk.line == Some(one.lines.start + 1)).collect();
            if let [one] = named.as_slice() {
                found = vec![(*one).clone()];
            }
        }
        match found.as_slice() {
            [one] => {
                let one = one.clone();
                let changes = self.changes(&one, search, replace);
                self.spans_more(&one, &changes)?;
                Ok((one, changes))
            }
            [] => Err(self.missing(search, replace)),
            several => {
                let places: Vec<_> = several.iter().map(|one| (one.lines.clone(), 100)).collect();
                Err(Why::Ambiguous { places: self.nearby(&places) })
            }
        }
    }

    /// The changed lines of a hunk in its place. What search and replacement share keeps the file's bytes.
    fn changes(&self, found: &Found, search: &[String], replace: &[String]) -> Vec<Change> {
        if let Some(range) = found.within {
            let first = self.lines.start(found.lines.start);
            let lines = self.lines.text(found.lines.clone());
            let lines =
                lines.strip_suffix('\n').map_or(lines, |text| text.strip_suffix('\r').unwrap_or(text));
            let (head, tail) = (&lines[..range.start - first], &lines[range.end - first..]);
            let new = format!("{head}{}{tail}", replace.join("\n"));
            let text =
                new.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned()).collect();
            return vec![Change { lines: found.lines.clone(), text }];
        }
        // Blank lines that were dropped at the edges of the search text are dropped from the replacement.
        let blank = |line: &&String| line.trim().is_empty();
        let before = replace.iter().take_while(blank).count().min(found.search.start);
        let after =
            (search.len() - found.search.end).min(replace[before..].iter().rev().take_while(blank).count());
        let replace = &replace[before..replace.len() - after];
        let search: Vec<&str> = search[found.search.clone()].iter().map(String::as_str).collect();
        let replace: Vec<&str> = replace.iter().map(String::as_str).collect();
        let fit = Fitting::new(self, found, &search, &replace);
        let mut changes = Vec::new();
        for (old, new) in different(&search, &replace) {
            let lines = found.lines.start + old.start..found.lines.start + old.end;
            let text: Vec<String> = new.map(|at| fit.line(&replace, at)).collect();
            changes.push(Change { lines, text });
        }
        changes
    }

    /// Refuses a replacement that repeats what stands beside its place: it replaces more than its search text names.
    fn spans_more(&self, found: &Found, changes: &[Change]) -> Result<(), Why> {
        let ink = |line: &str| line.chars().any(char::is_alphanumeric);
        let tells =
            |lines: &[&str]| lines.len() >= REPEATED && lines.iter().filter(|line| ink(line)).count() >= 2;
        if let Some(last) = changes.last().filter(|change| change.lines.end == found.lines.end) {
            for count in (REPEATED..=last.text.len()).rev() {
                let beside =
                    self.lines.slice(found.lines.end..(found.lines.end + count).min(self.lines.len()));
                let tail = &last.text[last.text.len() - count..];
                if tells(&beside) && beside.len() == count && same(tail, &beside) {
                    return Err(Why::Repeats { lines: human(&(found.lines.end..found.lines.end + count)) });
                }
            }
        }
        if let Some(first) = changes.first().filter(|change| change.lines.start == found.lines.start) {
            for count in (REPEATED..=first.text.len().min(found.lines.start)).rev() {
                let beside = self.lines.slice(found.lines.start - count..found.lines.start);
                if tells(&beside) && same(&first.text[..count], &beside) {
                    return Err(Why::Repeats {
                        lines: human(&(found.lines.start - count..found.lines.start)),
                    });
                }
            }
        }
        Ok(())
    }

    /// Why a search text stands nowhere.
    fn missing(&self, search: &[String], replace: &[String]) -> Why {
        let python = self.language == Some(Language::Python);
        if let Some(line) = search.iter().find(|line| elision::elides(line, python)) {
            let parts = elision::parts(search, python);
            let place =
                |part: &Range<usize>| match find(&self.lines, self.text, &search[part.clone()]).as_slice() {
                    [one] => Some(one.lines.clone()),
                    _ => None,
                };
            let ends = (parts.first().and_then(place), parts.last().and_then(place));
            let spans = match ends {
                (Some(first), Some(last)) if first.start < last.end => vec![(first.start..last.end, 100)],
                _ => Vec::new(),
            };
            return Why::Elided { line: line.trim().to_owned(), in_search: true, spans: self.nearby(&spans) };
        }
        let said = replace.iter().any(|line| !line.trim().is_empty());
        let done = exactly_once(&self.lines, replace).filter(|_| said).map(|lines| human(&lines));
        Why::Missing { nearest: self.nearby(&nearest::nearest(&self.lines, search)), done }
    }

    /// Places with what a model needs to know them by.
    fn nearby(&self, places: &[(Range<usize>, u8)]) -> Vec<Nearby> {
        let declared = self
            .language
            .filter(|_| !places.is_empty() && self.text.len() <= MAX_OUTLINED)
            .map(|language| outline(self.text, language))
            .unwrap_or_default();
        places
            .iter()
            .map(|(lines, alike)| {
                let text = self.lines.text(lines.clone());
                let start = self.lines.start(lines.start);
                let range = ByteRange::new(start, start + text.trim_end().len());
                let holds = |one: &&Outlined| one.range.start <= range.start && range.end <= one.range.end;
                let within = declared.iter().filter(holds).min_by_key(|one| one.range.len());
                Nearby {
                    lines: human(lines),
                    text: text.to_owned(),
                    within: within.map(|one| format!("{} {}", one.kind, one.name)),
                    alike: *alike,
                }
            })
            .collect()
    }
}

/// How the new lines of a hunk are indented in their place.
struct Fitting<'t> {
    /// `None` where they stay as they are.
    indents: Option<Indents<'t>>,
    own: Option<Unit>,
    theirs: Option<Unit>,
    /// Lines of the replacement that begin inside a string, where white space is content.
    content: Vec<bool>,
}

impl<'t> Fitting<'t> {
    fn new(file: &'t File<'_>, found: &Found, search: &[&'t str], replace: &[&'t str]) -> Self {
        let mut indents = Indents::of(search, &file.lines.slice(found.lines.clone()));
        // What is near tells as much as the whole file, and costs less.
        let near = found.lines.start.saturating_sub(300)..(found.lines.end + 300).min(file.lines.len());
        let theirs = fit::unit_of(near.map(|at| file.lines.get(at)));
        let mut content = Vec::new();
        let own = if found.how == How::Exact {
            // Where the text is exactly the file's, only tabs against spaces are a sign of another habit.
            let own = fit::unit_of(replace.iter().copied().filter(|line| !search.contains(line)));
            let is_tab = |unit: Option<Unit>| unit.map(|unit| unit == Unit::Tab);
            let other = is_tab(own).is_some() && is_tab(theirs).is_some() && is_tab(own) != is_tab(theirs);
            match file.language.filter(|_| other) {
                Some(language) => content = begins_in_text(replace, language),
                None => indents = None,
            }
            own
        } else {
            fit::unit_of(search.iter().chain(replace).copied())
        };
        Self { indents, own, theirs, content }
    }

    fn line(&self, replace: &[&str], at: usize) -> String {
        let line = replace[at];
        match &self.indents {
            Some(indents) if !self.content.get(at).copied().unwrap_or_default() => {
                indents.fit(line, self.own, self.theirs)
            }
            _ => line.to_owned(),
        }
    }
}

fn begins_in_text(lines: &[&str], language: Language) -> Vec<bool> {
    let mut brackets = Brackets::new(language.family());
    let begins = |line: &&str| {
        let inside = brackets.in_text();
        brackets.feed(line);
        brackets.feed("\n");
        inside
    };
    lines.iter().map(begins).collect()
}

/// Where two texts differ: the lines that go, and those that come.
fn different(search: &[&str], replace: &[&str]) -> Vec<(Range<usize>, Range<usize>)> {
    let head = search.iter().zip(replace).take_while(|(ours, theirs)| ours == theirs).count();
    let tail =
        search[head..].iter().rev().zip(replace[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (head..search.len() - tail, head..replace.len() - tail);
    if old.is_empty() && new.is_empty() {
        return Vec::new();
    }
    if old.len() > MAX_COMPARED || new.len() > MAX_COMPARED {
        return vec![(old, new)];
    }
    let ops = capture_diff_slices(Algorithm::Myers, &search[old.clone()], &replace[new.clone()]);
    ops.iter()
        .map(similar::DiffOp::as_tag_tuple)
        .filter(|(tag, _, _)| *tag != similar::DiffTag::Equal)
        .map(|(_, old, new)| (old.start + head..old.end + head, new.start + head..new.end + head))
        .collect()
}

fn same(ours: &[String], theirs: &[&str]) -> bool {
    ours.iter().zip(theirs).all(|(ours, theirs)| ours.trim() == theirs.trim())
}

/// Whether two hunks, the first of which begins first, are about the same lines. Hunks may share lines that both leave as
/// they are.
fn collide(first: &Found, ours: &[Change], second: &Found, theirs: &[Change]) -> bool {
    if first.lines.end <= second.lines.start {
        return false;
    }
    let whole = first.within.is_some() || second.within.is_some();
    whole
        || ours
            .iter()
            .any(|a| theirs.iter().any(|b| a.lines.start <= b.lines.end && b.lines.start <= a.lines.end))
        || first.lines == second.lines
}

/// Lines as people count them: from 1, first and last.
fn human(lines: &Range<usize>) -> (usize, usize) {
    (lines.start + 1, lines.end.max(lines.start + 1))
}

#[cfg(test)]
mod tests;
