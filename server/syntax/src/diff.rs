//! Unified diffs: what a person is shown before they say yes.

use similar::TextDiff;

/// The unified diff from `before` to `after` with three lines of context, under the names `a/path` and `b/path`; empty
/// where nothing changed.
pub fn unified(path: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let (old, new) = (format!("a/{path}"), format!("b/{path}"));
    TextDiff::from_lines(before, after).unified_diff().context_radius(3).header(&old, &new).to_string()
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn a_diff_shows_the_changed_lines_and_nothing_for_no_change() {
        assert_eq!(unified("a.ts", "x\n", "x\n"), "");
        let diff = unified("a.ts", "1\n2\n3\n4\n5\n", "1\n2\nthree\n4\n5");
        assert!(diff.starts_with("--- a/a.ts\n+++ b/a.ts\n@@ -1,5 +1,5 @@\n 1\n 2\n-3\n+three\n"), "{diff}");
        assert!(diff.contains("\\ No newline at end of file"), "{diff}");
    }
}
