//! Indentation of what a hunk brings: the shift between the search text and the file, taken over.

use super::find::bare;
use crate::merge::indent::{Unit, unit};
use crate::merge::layout::indentation;

/// How wide a tab counts when indentations are compared.
const TAB: usize = 4;

/// Which indentation of the search text is which of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Indents<'t> {
    /// In ascending order of width.
    pairs: Vec<(&'t str, &'t str)>,
}

fn width(indent: &str) -> usize {
    indent.bytes().map(|byte| if byte == b'\t' { TAB } else { 1 }).sum()
}

impl<'t> Indents<'t> {
    /// The shift between lines that are alike but for white space. `None` where it is not one shift: what is level here
    /// is not there, or what is deeper here is not there.
    pub(super) fn of(search: &[&'t str], file: &[&'t str]) -> Option<Self> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for (ours, theirs) in search.iter().zip(file) {
            if bare(ours).is_empty() {
                continue;
            }
            let pair = (indentation(ours), indentation(theirs));
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
            if pairs.len() > 64 {
                return None;
            }
        }
        pairs.sort_by_key(|(ours, theirs)| (width(ours), width(theirs)));
        let consistent = pairs.windows(2).all(|two| {
            let (a, b) = (two[0], two[1]);
            (width(a.0) < width(b.0) && width(a.1) < width(b.1))
                || (a.0 != b.0 && width(a.0) == width(b.0) && width(a.1) == width(b.1))
        });
        consistent.then_some(Self { pairs })
    }

    /// A new line with the indentation it has in the file. `own` is the unit of the hunk, `theirs` that of the file.
    pub(super) fn fit(&self, line: &str, own: Option<Unit>, theirs: Option<Unit>) -> String {
        let indent = indentation(line);
        let content = &line[indent.len()..];
        if bare(content).is_empty() {
            return String::new();
        }
        if let Some((_, file)) = self.pairs.iter().find(|(ours, _)| *ours == indent) {
            return format!("{file}{content}");
        }
        let deeper = self.pairs.iter().rev().find(|(ours, _)| indent.starts_with(ours));
        if let Some((ours, file)) = deeper {
            return format!("{file}{}{content}", converted(&indent[ours.len()..], own, theirs));
        }
        // Further left than anything in the search text: as much less than the least as it is less there.
        let Some((ours, file)) = self.pairs.first() else {
            return format!("{}{content}", converted(indent, own, theirs));
        };
        let less = converted(&" ".repeat(width(ours).saturating_sub(width(indent))), own, theirs);
        let keep = width(file).saturating_sub(width(&less));
        let mut kept = 0;
        let end = file.bytes().position(|byte| {
            kept += if byte == b'\t' { TAB } else { 1 };
            kept > keep
        });
        format!("{}{content}", &file[..end.unwrap_or(file.len())])
    }
}

/// White space of the hunk in the unit of the file.
fn converted(indent: &str, own: Option<Unit>, theirs: Option<Unit>) -> String {
    let size = |unit| match unit {
        Unit::Tab => TAB,
        Unit::Spaces(width) => width.max(1),
    };
    let (Some(own), Some(theirs)) = (own, theirs) else { return indent.to_owned() };
    if own == theirs {
        return indent.to_owned();
    }
    let (levels, rest) = (width(indent) / size(own), width(indent) % size(own));
    let level = match theirs {
        Unit::Tab => "\t".to_owned(),
        Unit::Spaces(width) => " ".repeat(width),
    };
    level.repeat(levels) + &" ".repeat(rest)
}

/// The unit that some lines show.
pub(super) fn unit_of<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Unit> {
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    unit(&text)
}
