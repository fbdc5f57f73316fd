//! What became of the tests that need an editor.

/// The tests of one editor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Count<'r> {
    pub(super) editor: &'r str,
    ran: Vec<&'r str>,
    /// Tests with the reason.
    skipped: Vec<&'r str>,
}

/// Counts the lines of the report, `ran EDITOR TEST` and `skipped EDITOR TEST: REASON`, for each of `editors`.
pub(super) fn summarise<'r>(report: &'r str, editors: &[&'r str]) -> Vec<Count<'r>> {
    let mut lines: Vec<(&str, &str, &str)> = report
        .lines()
        .filter_map(|line| {
            let (word, rest) = line.split_once(' ')?;
            let (editor, test) = rest.split_once(' ')?;
            Some((word, editor, test))
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    let of = |editor: &str, wanted: &str| {
        let fits = lines.iter().filter(|(word, named, _)| *word == wanted && *named == editor);
        fits.map(|(_, _, test)| *test).collect()
    };
    editors
        .iter()
        .map(|editor| Count { editor, ran: of(editor, "ran"), skipped: of(editor, "skipped") })
        .collect()
}

impl Count<'_> {
    /// Whether tests ran and none was skipped.
    pub(super) fn is_whole(&self) -> bool {
        !self.ran.is_empty() && self.skipped.is_empty()
    }

    /// For the terminal; `missing` is why the editor is not there.
    pub(super) fn describe(&self, missing: Option<&String>) -> String {
        let Self { editor, ran, skipped } = self;
        let mut text = match (ran.len(), skipped.len()) {
            (0, 0) => format!("{editor}: no test ran"),
            (ran, 0) => format!("{editor}: {ran} ran"),
            (ran, skipped) => format!("{editor}: {ran} ran, {skipped} skipped"),
        };
        if let Some(missing) = missing {
            text.push_str(" (");
            text.push_str(missing);
            text.push(')');
        }
        for test in ran {
            text.push_str("\n  ran      ");
            text.push_str(test);
        }
        for test in skipped {
            text.push_str("\n  skipped  ");
            text.push_str(test);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_and_what_did_not_is_told_by_editor() {
        let report = "ran nvim-0.10 undo in one step\nskipped vscode ask: no browser\nran nvim-0.10 ask\nnonsense\nran nvim-0.10 ask\n";
        let counts = summarise(report, &["nvim-0.10", "nvim-0.12", "vscode"]);
        let told: Vec<String> = counts.iter().map(|count| count.describe(None)).collect();
        assert_eq!(
            told,
            [
                "nvim-0.10: 2 ran\n  ran      ask\n  ran      undo in one step",
                "nvim-0.12: no test ran",
                "vscode: 0 ran, 1 skipped\n  skipped  ask: no browser",
            ]
        );
        assert_eq!(counts.iter().map(Count::is_whole).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(counts[1].describe(Some(&"not here".to_owned())), "nvim-0.12: no test ran (not here)");
    }
}
