//! Three-way merge of texts: takes a run's change back without taking the user's later edits with it.

use std::borrow::Cow;

/// Both sides changed the same place: nothing was merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("both sides changed the same lines, first at line {line}")]
pub struct Conflict {
    /// The line of the first conflict, from 1, in the text with conflict marks.
    pub line: usize,
    /// The merge with conflict marks around what both sides changed, to show.
    pub marked: String,
}

/// `ours` with the changes that lead from `base` to `theirs`, line by line.
///
/// # Errors
/// [`Conflict`] where the two sides changed the same lines in different ways.
pub fn merge3(base: &str, ours: &str, theirs: &str) -> Result<String, Conflict> {
    if ours == theirs || base == theirs {
        return Ok(ours.to_owned());
    }
    if base == ours {
        return Ok(theirs.to_owned());
    }
    // A last line without a newline is another line than the same one with it; merged with newlines everywhere, a
    // change of the last line and one above it do not conflict.
    let ends = [base, ours, theirs].map(|text| text.ends_with('\n'));
    let merged = diffy::merge(&ended(base), &ended(ours), &ended(theirs)).map_err(|marked| {
        let line = marked.lines().position(|line| line.starts_with("<<<<<<<")).map_or(1, |at| at + 1);
        Conflict { line, marked }
    })?;
    let newline = if ends[1] == ends[0] { ends[2] } else { ends[1] };
    let merged = if newline { merged } else { merged.strip_suffix('\n').unwrap_or(&merged).to_owned() };
    Ok(merged)
}

fn ended(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.ends_with('\n') { text.into() } else { format!("{text}\n").into() }
}

#[cfg(test)]
mod tests {
    use super::merge3;

    #[test]
    fn both_sides_changes_are_kept() {
        let base = "a\nb\nc\nd\ne\nf\n";
        assert_eq!(merge3(base, "A\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\ne\nF\n").unwrap(), "A\nb\nc\nd\ne\nF\n");
        assert_eq!(merge3(base, base, "x").unwrap(), "x");
        assert_eq!(merge3(base, "x", base).unwrap(), "x");
        assert_eq!(merge3("a\nb\nc\nd", "A\nb\nc\nd", "a\nb\nc\nd\n").unwrap(), "A\nb\nc\nd\n");
        assert_eq!(
            merge3("a\r\nb\r\nc\r\nd\r\n", "A\r\nb\r\nc\r\nd\r\n", "a\r\nb\r\nc\r\nD\r\n").unwrap(),
            "A\r\nb\r\nc\r\nD\r\n"
        );
    }

    #[test]
    fn the_same_place_changed_twice_is_a_conflict() {
        let conflict = merge3("a\nb\nc\n", "a\nx\nc\n", "a\ny\nc\n").unwrap_err();
        assert_eq!(conflict.line, 2);
        assert!(conflict.marked.contains('x') && conflict.marked.contains('y'));
    }
}
