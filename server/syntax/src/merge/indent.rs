//! Re-indentation: code takes the indentation of its place.
//!
//! The first line decides the difference, and all lines move by it. Spaces become tabs, tabs spaces, and wider steps
//! narrower ones or the other way round, where the file uses the others and the code keeps to its own. Lines that begin inside a string or template are left as they are: there, white space is content.

use std::collections::HashMap;

use assist_base::ByteRange;

use super::layout::{indentation, line_start};
use crate::brackets::Brackets;
use crate::languages::{Family, Language};

/// How a text indents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Tab,
    Spaces(usize),
}

/// The unit that most indented lines of a text show, if any do.
pub(crate) fn unit(text: &str) -> Option<Unit> {
    unit_of(text.lines(), 0)
}

/// The unit of a place: what the lines that are there show, or else the file. A file may be mixed.
pub(super) fn unit_at(before: &str, range: ByteRange, language: Option<Language>) -> Option<Unit> {
    let place = before.get(line_start(before, range.start)..range.end).unwrap_or_default();
    own_unit(place, language).or_else(|| unit(before))
}

/// The unit that a piece of code shows within itself: its first line may stand anywhere, and white space in strings is none.
fn own_unit(code: &str, language: Option<Language>) -> Option<Unit> {
    let mut brackets = Brackets::new(language.map_or(Family::Plain, Language::family));
    let lines = code.split_inclusive('\n').filter(|line| {
        let content = brackets.in_text();
        brackets.feed(line);
        !content
    });
    let lines: Vec<&str> = lines.collect();
    let first = lines.iter().find(|line| !line.trim().is_empty()).map_or("", |line| indentation(line));
    let tabs = first.starts_with('\t') && lines.iter().filter(|line| !line.trim().is_empty()).count() == 1;
    if tabs { Some(Unit::Tab) } else { unit_of(lines.into_iter(), first.len()) }
}

fn unit_of<'t>(lines: impl Iterator<Item = &'t str>, before: usize) -> Option<Unit> {
    let mut tabs = 0_usize;
    let mut steps: HashMap<usize, usize> = HashMap::new();
    let mut previous = before;
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let indent = indentation(line);
        // The second line of a block comment is indented by one more.
        if line.trim_start().starts_with('*') {
            continue;
        }
        if indent.starts_with('\t') {
            tabs += 1;
        } else if indent.len() > previous && indent.len() - previous > 1 {
            *steps.entry(indent.len() - previous).or_default() += 1;
        }
        previous = if indent.starts_with('\t') { 0 } else { indent.len() };
    }
    let spaces = steps.into_iter().max_by_key(|&(width, count)| (count, usize::MAX - width));
    match spaces {
        Some((width, count)) if count >= tabs => Some(Unit::Spaces(width)),
        _ if tabs > 0 => Some(Unit::Tab),
        _ => None,
    }
}

/// `code` moved so that its first line is indented by `place`, in the unit of the file where that is known.
pub(super) fn fit(code: &str, place: &str, file: Option<Unit>, language: Option<Language>) -> String {
    if is_placed(code, place, file, language) {
        return format!("{place}{code}");
    }
    let own = own_unit(code, language);
    let first = code.lines().find(|line| !line.trim().is_empty()).map_or("", indentation);
    let converts = language.is_some() && differ(code, first, own, file, language);
    if first == place && !converts {
        return code.to_owned();
    }
    let mut brackets = Brackets::new(language.map_or(Family::Plain, Language::family));
    let mut out = String::with_capacity(code.len() + code.len() / 8);
    for line in code.split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t']);
        if brackets.in_text() || content.trim().is_empty() {
            out.push_str(if brackets.in_text() { line } else { content });
        } else {
            let indent = indentation(line);
            match indent.strip_prefix(first) {
                Some(rest) => {
                    out.push_str(place);
                    push_converted(&mut out, rest, own, file, converts);
                }
                // Further left than the first line: as much less than the place as it is less than the first line.
                None => {
                    let mut less = String::new();
                    let spare = first.get(indent.len()..).unwrap_or_default();
                    push_converted(&mut less, spare, own, file, converts);
                    let less = less.len();
                    out.push_str(place.get(..place.len().saturating_sub(less)).unwrap_or_default());
                }
            }
            out.push_str(content);
        }
        brackets.feed(line);
    }
    out
}

/// Whether the code is a selection that began after its first line's indentation, so that only this is missing: the
/// further lines stand where they belong, by the last one if it closes something, else by all of them.
fn is_placed(code: &str, place: &str, file: Option<Unit>, language: Option<Language>) -> bool {
    let mut brackets = Brackets::new(language.map_or(Family::Plain, Language::family));
    let mut lines = code.split_inclusive('\n').filter(|line| {
        let content = brackets.in_text();
        brackets.feed(line);
        !content && !line.trim().is_empty()
    });
    let first_is_bare = lines.next().is_some_and(|first| indentation(first).is_empty());
    if place.is_empty() || !first_is_bare {
        return false;
    }
    let rest: Vec<&str> = lines.collect();
    let Some(last) = rest.last() else { return false };
    // Lines that stand in the file's own place are indented with what the file is indented with.
    let other = |line: &&&str| {
        let tab = |indent: &str| indent.starts_with('\t');
        !indentation(line).is_empty() && tab(indentation(line)) != tab(place)
    };
    if rest.iter().any(|line| other(&line)) {
        return false;
    }
    // Nor do they step in another width than the file does.
    let widths = || rest.iter().map(|line| indentation(line).len());
    let least =
        widths().zip(widths().skip(1)).filter_map(|(a, b)| b.checked_sub(a)).filter(|&by| by > 1).min();
    if let (Some(least), Some(Unit::Spaces(file))) = (least, file)
        && least != file
    {
        return false;
    }
    let closes = |line: &str| line.trim_start().starts_with(['}', ')', ']', '<', '`']);
    if closes(last) && indentation(last).len() <= place.len() {
        return indentation(last) == place;
    }
    let decorated = code.trim_start().starts_with('@');
    let goes_on = |line: &str| {
        let words = line.trim_start();
        closes(line)
            || decorated && ["@", "def ", "class ", "async "].iter().any(|word| words.starts_with(word))
    };
    // What stands as far left as the place is either a body, or the head's own continuation.
    let level = rest.iter().find(|line| indentation(line).len() <= place.len());
    level.is_none_or(|line| indentation(line) == place && goes_on(line))
}

/// Whether the code indents in another way than the file. Steps of another width count only where the code keeps to
/// them throughout: what is aligned to something above it is no step.
fn differ(
    code: &str,
    first: &str,
    own: Option<Unit>,
    file: Option<Unit>,
    language: Option<Language>,
) -> bool {
    let (Some(own), Some(file)) = (own, file) else { return false };
    match (own, file) {
        (Unit::Spaces(own), Unit::Spaces(file)) => {
            let step =
                |line: &str| indentation(line).strip_prefix(first).is_none_or(|rest| rest.len() % own == 0);
            let mut brackets = Brackets::new(language.map_or(Family::Plain, Language::family));
            let mut lines = code.split_inclusive('\n').filter(|line| {
                let content = brackets.in_text();
                brackets.feed(line);
                !content && !line.trim().is_empty() && !line.trim_start().starts_with('*')
            });
            own != file && own <= 8 && lines.all(step)
        }
        (own, file) => own != file,
    }
}

fn push_converted(out: &mut String, indent: &str, own: Option<Unit>, file: Option<Unit>, converts: bool) {
    match (own, file) {
        (Some(Unit::Spaces(width)), Some(Unit::Tab)) if converts => {
            let spaces = indent.bytes().filter(|&byte| byte == b' ').count();
            let tabs = indent.len() - spaces;
            out.extend(std::iter::repeat_n('\t', tabs + spaces / width.max(1)));
            out.extend(std::iter::repeat_n(' ', spaces % width.max(1)));
        }
        (Some(Unit::Tab), Some(Unit::Spaces(width))) if converts => {
            for byte in indent.bytes() {
                out.extend(std::iter::repeat_n(' ', if byte == b'\t' { width } else { 1 }));
            }
        }
        (Some(Unit::Spaces(from)), Some(Unit::Spaces(to))) if converts => {
            let (steps, rest) = (indent.len() / from.max(1), indent.len() % from.max(1));
            out.extend(std::iter::repeat_n(' ', steps * to + rest));
        }
        _ => out.push_str(indent),
    }
}

/// The lines after the first of a piece of code, moved from the indentation `from` to `to`.
pub(super) fn shift(rest: &str, from: &str, to: &str, first: &str, language: Option<Language>) -> String {
    let mut brackets = Brackets::new(language.map_or(Family::Plain, Language::family));
    brackets.feed(first);
    brackets.feed("\n");
    let mut out = String::with_capacity(rest.len() + rest.len() / 8);
    for line in rest.split_inclusive('\n') {
        if brackets.in_text() || line.trim().is_empty() {
            out.push_str(line);
        } else if let Some(inner) = line.strip_prefix(from) {
            out.push_str(to);
            out.push_str(inner);
        } else {
            out.push_str(line);
        }
        brackets.feed(line);
    }
    out
}
