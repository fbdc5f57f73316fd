//! Whether an edit that was sent is in the text that came back.
//!
//! The client's answer says little: Neovim drops a stale edit and calls it applied, and it reports its changes late, with
//! what the user typed meanwhile mixed in. So the text decides. Three texts are compared: the one the edit was computed
//! from, the one it should have led to, and the present one. The edit is there when the present text is explained far better
//! as "the edit, and a little typing" than as "no edit, and a little typing". Where neither explains it well, or where the
//! edit stands beside remains of what it was to replace (it was made in a text that had moved on), nothing is claimed.

use assist_base::{ByteRange, TextEdit};
use similar::{Algorithm, ChangeTag, TextDiff};

/// What the present text says about an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is there, with or without edits of the user beside it.
    InPlace,
    /// It is not there.
    NotThere,
    /// The text does not say.
    Unclear,
}

/// How many times better one explanation must be than the other where they do not exclude one another.
const CLEARLY: usize = 4;
/// A shorter line can be anywhere by chance.
const TELLING: usize = 8;
/// How many lines of an edit are looked for.
const TOLD: usize = 32;
/// How long two texts are compared line by line before it is left open.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(200);

/// One edit, cut down to what differs.
#[derive(Debug)]
struct Region<'t> {
    /// In the text before.
    before: ByteRange,
    /// In the expected text.
    after: ByteRange,
    /// The whole edit in the expected text, with what it leaves as it is at both ends.
    whole: ByteRange,
    /// What the whole edit replaced.
    removed: &'t str,
    /// What the edit brings.
    added: &'t str,
}

/// Judges `now`, given that `edits` lead from `base` to `expected`.
pub fn judge(base: &str, expected: &str, edits: &[TextEdit], now: &str) -> Seen {
    if now == expected {
        return Seen::InPlace;
    }
    if now == base {
        return Seen::NotThere;
    }
    let regions = regions(base, edits);
    let applied = Difference::between(expected, now);
    let dropped = Difference::between(base, now);
    let beside_applied = regions.iter().all(|region| !region.after.touches(applied.old));
    let beside_dropped = regions.iter().all(|region| !region.before.touches(dropped.old));
    let remains = regions.iter().any(|region| applied.leaves_remains(region, now));

    let better = |cost: usize, other: usize, beside: bool| {
        cost < other && (beside || cost.saturating_mul(CLEARLY) <= other)
    };
    if better(applied.cost(), dropped.cost(), beside_applied) {
        return if remains { Seen::Unclear } else { Seen::InPlace };
    }
    if better(dropped.cost(), applied.cost(), beside_dropped) {
        return missing(base, &regions, now);
    }
    by_lines(base, expected, &regions, now)
}

/// Whether lines that the edits bring stand anywhere in the text; `None` where they bring nothing that could be told.
fn traces(base: &str, regions: &[Region<'_>], now: &str) -> Option<bool> {
    let lines = regions.iter().flat_map(|region| region.added.lines()).map(str::trim);
    let mut telling = lines.filter(|line| line.len() >= TELLING).take(TOLD).peekable();
    telling.peek()?;
    Some(telling.any(|line| now.matches(line).count() > base.matches(line).count()))
}

/// The edit is not where it belongs; but if it is somewhere, that is not to be called so.
fn missing(base: &str, regions: &[Region<'_>], now: &str) -> Seen {
    if traces(base, regions, now) == Some(true) { Seen::Unclear } else { Seen::NotThere }
}

/// The edits without what they leave as it is.
fn regions<'t>(base: &'t str, edits: &'t [TextEdit]) -> Vec<Region<'t>> {
    let mut grown = 0isize;
    let mut regions = Vec::new();
    for edit in edits {
        let Some(old) = edit.range.of(base) else { continue };
        let difference = Difference::between(old, &edit.text);
        let before =
            ByteRange::new(edit.range.start + difference.old.start, edit.range.start + difference.old.end);
        let start = edit.range.start.saturating_add_signed(grown) + difference.new.start;
        let after = ByteRange::new(start, start + difference.new.len());
        grown += edit.text.len() as isize - old.len() as isize;
        if !(before.is_empty() && after.is_empty()) {
            let whole =
                ByteRange::new(start - difference.new.start, start - difference.new.start + edit.text.len());
            let added = &edit.text[difference.new.as_range()];
            regions.push(Region { before, after, whole, removed: old, added });
        }
    }
    regions
}

/// Where two texts differ, as one piece: what is between their common beginning and their common end.
#[derive(Debug)]
struct Difference {
    old: ByteRange,
    new: ByteRange,
}

impl Difference {
    fn between(old: &str, new: &str) -> Self {
        let (old_bytes, new_bytes) = (old.as_bytes(), new.as_bytes());
        let shorter = old.len().min(new.len());
        let mut prefix = (0..shorter).take_while(|&i| old_bytes[i] == new_bytes[i]).count();
        while !(old.is_char_boundary(prefix) && new.is_char_boundary(prefix)) {
            prefix -= 1;
        }
        let rest = shorter - prefix;
        let mut suffix =
            (0..rest).take_while(|&i| old_bytes[old.len() - 1 - i] == new_bytes[new.len() - 1 - i]).count();
        while !(old.is_char_boundary(old.len() - suffix) && new.is_char_boundary(new.len() - suffix)) {
            suffix -= 1;
        }
        Self {
            old: ByteRange::new(prefix, old.len() - suffix),
            new: ByteRange::new(prefix, new.len() - suffix),
        }
    }

    fn cost(&self) -> usize {
        self.old.len() + self.new.len()
    }

    /// Whether the difference, right beside the region, looks like a piece of what the edit was to replace, or lacks
    /// what stood there: then the edit was made a few characters or lines off its place.
    fn leaves_remains(&self, region: &Region<'_>, now: &str) -> bool {
        let behind = region.after.end <= self.old.start && self.old.start <= region.whole.end;
        let ahead = region.whole.start <= self.old.end && self.old.end <= region.after.start;
        let beside = behind || ahead;
        if !beside || region.removed.is_empty() {
            return false;
        }
        let left = now[self.new.as_range()].trim();
        !self.old.is_empty() || (!left.is_empty() && region.removed.contains(left))
    }
}

/// Judges line by line, where the user edited in several places. The edit's lines must stand together, and with them the
/// line before and the line after.
fn by_lines(base: &str, expected: &str, regions: &[Region<'_>], now: &str) -> Seen {
    let applied = line_diff(expected, now);
    let dropped = line_diff(base, now);
    let (applied, dropped) = match (applied, dropped) {
        (Some(applied), Some(dropped)) => (applied, dropped),
        // Too large to compare in time.
        _ => return Seen::Unclear,
    };
    let stands = |kept: &[bool], text: &str, span: ByteRange| {
        let (first, last) = lines_of(text, span);
        (first.saturating_sub(1)..=(last + 1).min(kept.len().saturating_sub(1)))
            .all(|line| kept.get(line) == Some(&true))
    };
    let together = |diff: &Lines, text: &str, span: ByteRange| {
        let (first, last) = lines_of(text, span);
        stands(&diff.kept, text, span)
            && (first.saturating_sub(1)..(last + 1).min(diff.kept.len().saturating_sub(1)))
                .all(|line| !diff.inserted_after.get(line).copied().unwrap_or(false))
    };
    if applied.cost < dropped.cost && regions.iter().all(|region| together(&applied, expected, region.after))
    {
        Seen::InPlace
    } else if dropped.cost < applied.cost
        && regions.iter().all(|region| together(&dropped, base, region.before))
    {
        missing(base, regions, now)
    } else if traces(base, regions, now) == Some(false) {
        Seen::NotThere
    } else {
        Seen::Unclear
    }
}

struct Lines {
    /// For each old line, whether it is still there.
    kept: Vec<bool>,
    /// For each old line, whether something new follows it directly.
    inserted_after: Vec<bool>,
    /// How many bytes came and went.
    cost: usize,
}

fn line_diff(old: &str, new: &str) -> Option<Lines> {
    let started = std::time::Instant::now();
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).timeout(PATIENCE).diff_lines(old, new);
    if started.elapsed() >= PATIENCE {
        return None;
    }
    let mut lines = Lines { kept: Vec::new(), inserted_after: Vec::new(), cost: 0 };
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => {
                if let Some(last) = lines.inserted_after.last_mut() {
                    *last = true;
                }
                lines.cost += change.value().len();
            }
            tag => {
                lines.kept.push(tag == ChangeTag::Equal);
                lines.inserted_after.push(false);
                if tag == ChangeTag::Delete {
                    lines.cost += change.value().len();
                }
            }
        }
    }
    Some(lines)
}

/// The numbers of the first and last line that a span has a part in, as the line diff counts them.
fn lines_of(text: &str, span: ByteRange) -> (usize, usize) {
    let breaks = |to: usize| text.as_bytes()[..to.min(text.len())].iter().filter(|&&b| b == b'\n').count();
    let first = breaks(span.start);
    let last = if span.is_empty() { first } else { breaks(span.end.saturating_sub(1)) };
    (first, last)
}

#[cfg(test)]
mod tests {
    use assist_base::change::apply_edits;
    use proptest::prelude::*;

    use super::*;

    const BASE: &str =
        "import a\n\nfunction one() {\n  return 1;\n}\n\nfunction two() {\n  return 2;\n}\n\nend\n";

    fn replace(text: &str, old: &str, new: &str) -> TextEdit {
        let start = text.find(old).unwrap();
        TextEdit { range: ByteRange::new(start, start + old.len()), text: new.to_owned() }
    }

    /// The edit that rewrites `one`, and the text it leads to.
    fn rewrite() -> (Vec<TextEdit>, String) {
        let edits = vec![replace(BASE, "  return 1;\n", "  const x = 41;\n  return x + 1;\n")];
        let expected = apply_edits(BASE, &edits).unwrap();
        (edits, expected)
    }

    #[track_caller]
    fn check(now: &str, seen: Seen) {
        let (edits, expected) = rewrite();
        assert_eq!(judge(BASE, &expected, &edits, now), seen, "{now}");
    }

    #[test]
    fn the_plain_cases() {
        check(&rewrite().1, Seen::InPlace);
        check(BASE, Seen::NotThere);
    }

    #[test]
    fn typing_elsewhere_does_not_hide_the_edit() {
        let expected = rewrite().1;
        check(&expected.replace("return 2", "return 22"), Seen::InPlace);
        check(&expected.replace("import a", "import a, b"), Seen::InPlace);
        check(
            &expected.replace("import a", "import a\nimport b").replace("return 2", "return 3"),
            Seen::InPlace,
        );
        // Also inside it, once it is there.
        check(&expected.replace("41", "42"), Seen::InPlace);
    }

    #[test]
    fn typing_elsewhere_does_not_feign_the_edit() {
        check(&BASE.replace("return 2", "return 22"), Seen::NotThere);
        check(
            &BASE.replace("import a", "import a\nimport b").replace("return 2", "return 3"),
            Seen::NotThere,
        );
        check(&BASE.replace("return 1", "return 11"), Seen::NotThere);
    }

    #[test]
    fn an_edit_made_off_its_place_is_not_in_place() {
        // A line was typed above and not yet told when the edit was made by line numbers.
        let (edits, expected) = rewrite();
        let typed = BASE.replace("import a\n", "import a\nimport b\n");
        let start = typed.find("function one() {\n").unwrap();
        let end = typed.find("  return 1;\n").unwrap();
        let mut off = typed.clone();
        off.replace_range(start..end, &edits[0].text);
        assert_eq!(judge(BASE, &expected, &edits, &off), Seen::Unclear, "{off}");
        // The same with the new line right above.
        let typed = BASE.replace("function one() {\n", "function one() {\n\n");
        let start = typed.find("\n  return 1;\n").unwrap();
        let mut off = typed.clone();
        off.replace_range(start..=start, &edits[0].text);
        assert_eq!(judge(BASE, &expected, &edits, &off), Seen::Unclear, "{off}");
    }

    #[test]
    fn a_text_without_a_trace_of_the_edit_does_not_have_it() {
        check("all is new\n", Seen::NotThere);
        check("", Seen::NotThere);
    }

    #[test]
    fn text_that_repeats_itself_does_not_feign_an_insertion() {
        let base = "a\na\n";
        let edits = [TextEdit { range: ByteRange::at(2), text: "a\n".to_owned() }];
        let expected = apply_edits(base, &edits).unwrap();
        assert_eq!(judge(base, &expected, &edits, "a\na\nb"), Seen::NotThere);
        assert_eq!(judge(base, &expected, &edits, "a\na\na\nb"), Seen::InPlace);
    }

    #[test]
    fn a_deletion_is_seen_too() {
        let edits = [replace(BASE, "function two() {\n  return 2;\n}\n\n", "")];
        let expected = apply_edits(BASE, &edits).unwrap();
        assert_eq!(judge(BASE, &expected, &edits, &expected.replace("import a", "import b")), Seen::InPlace);
        assert_eq!(judge(BASE, &expected, &edits, &BASE.replace("import a", "import b")), Seen::NotThere);
    }

    proptest! {
        #[test]
        fn what_was_dropped_is_never_in_place_and_what_is_there_never_missed(
            lines in proptest::collection::vec("[a-z]{0,12}", 4..30),
            at in any::<prop::sample::Index>(), count in 0usize..4,
            new in proptest::collection::vec("[A-Z]{8,20}", 1..6),
            typed_at in any::<prop::sample::Index>(), typed in "[0-9]{1,6}\n?",
            applied in any::<bool>(),
        ) {
            let base: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let starts: Vec<usize> = std::iter::once(0).chain(base.match_indices('\n').map(|(i, _)| i + 1)).collect();
            let first = at.index(starts.len());
            let last = (first + count).min(starts.len() - 1);
            let text: String = new.iter().map(|line| format!("{line}\n")).collect();
            let edits = [TextEdit { range: ByteRange::new(starts[first], starts[last]), text }];
            let expected = apply_edits(&base, &edits).unwrap();
            let whole = if applied { &expected } else { &base };
            // The user typed on some other line.
            let inside = if applied { ByteRange::new(starts[first], starts[first] + edits[0].text.len()) } else { edits[0].range };
            let outside: Vec<usize> = (0..=whole.len()).filter(|at| *at < inside.start || *at > inside.end).collect();
            prop_assume!(!outside.is_empty());
            let at = outside[typed_at.index(outside.len())];
            let mut now = whole.clone();
            now.insert_str(at, &typed);
            prop_assert_eq!(judge(&base, &expected, &edits, &now), if applied { Seen::InPlace } else { Seen::NotThere });
        }
    }
}
