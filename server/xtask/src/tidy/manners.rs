//! Sizes, switched-off tests and lints, and paths that exist on one machine only.

use std::path::Path;

use super::{Problem, Source};

/// Where a file has to be split. Tests are not counted.
const MOST_LINES: usize = 800;

/// Starts of paths that name somebody's own place. Samples in tests may have them.
const MACHINE: [&str; 5] = ["/home/", "/Users/", "/root/", "/work/", "/tmp/"];

pub(super) fn check(sources: &[Source], own_places: &[String]) -> Vec<Problem> {
    sources.iter().flat_map(|source| check_one(source, own_places)).collect()
}

/// Folders of this very machine, which no file may name, test or not: the checkout and the home folder.
pub(super) fn own_places(root: &Path) -> Vec<String> {
    let home = std::env::home_dir();
    let places = [Some(root), home.as_deref()].into_iter().flatten();
    // Of a place as short as `/src` or `/root` the name alone proves nothing.
    let places = places.filter(|place| place.components().count() > 2);
    places.map(|place| place.display().to_string()).collect()
}

fn check_one(source: &Source, own_places: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem =
        |line: Option<usize>, message: &str| problems.push(Problem::new(&source.path, line, message));
    let code = source.has_extension(&["rs", "ts", "mjs", "js", "lua"]);
    let is_this_check = source.path == "server/xtask/src/tidy/manners.rs";
    let generated = source.path.ends_with(".lock") || source.path.ends_with("package-lock.json");
    if code && !source.is_test() {
        let lines = source.shipped_lines().count();
        if lines > MOST_LINES {
            problem(None, &format!("has {lines} lines without its tests; split it ({MOST_LINES} at most)"));
        }
    }
    if source.has_extension(&["rs"]) {
        for (n, line) in source.text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with("#[ignore") {
                problem(
                    Some(n + 1),
                    "switches a test off; repair it, or make it a proof of `cargo xtask prove`",
                );
            }
            let attribute = line.starts_with("#[") || line.starts_with("#![") || line.starts_with("clippy::");
            if attribute && line.contains("clippy::unwrap_used") && !source.is_test() {
                problem(Some(n + 1), "permits unwrap; return an error, or use expect with the reason");
            }
        }
    }
    // Machine paths in prose and code alike; files that tools write hold none by their nature.
    if !generated {
        let own_places = if is_this_check { &[] } else { own_places };
        for (n, line) in source.text.lines().enumerate() {
            if own_places.iter().any(|place| names_place(line, place)) {
                problem(Some(n + 1), "names a folder of this machine");
            }
        }
        if !source.is_test() && !is_this_check {
            for (n, line) in source.shipped_lines() {
                if MACHINE.iter().any(|place| line.match_indices(place).any(|(at, _)| starts_path(line, at)))
                {
                    problem(Some(n), "names a folder that exists on some machines only");
                }
            }
        }
    }
    problems
}

/// Whether `line` names `place` or something in it, and not `<place>-other`.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let next = line[at + place.len()..].chars().next();
        starts_path(line, at)
            && next.is_none_or(|c| c == '/' || !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')))
    })
}

/// Whether a path begins at `at`: not the middle of another, as in `src/home/x` or `~/tmp/x`.
fn starts_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    before
        .is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '}' | ')' | '>' | '*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str) -> Vec<(Option<usize>, String)> {
        let own = ["/somewhere/checkout".to_owned()];
        check(&[Source::new(path, text)], &own)
            .into_iter()
            .map(|problem| (problem.line, problem.message))
            .collect()
    }

    #[test]
    fn long_files_are_to_be_split() {
        let lines = |n: usize| "let x = 1;\n".repeat(n);
        assert!(check_text("server/a/src/b.rs", &lines(800)).is_empty());
        assert_eq!(check_text("server/a/src/b.rs", &lines(801)).len(), 1);
        assert_eq!(check_text("editors/nvim/lua/a.lua", &lines(801)).len(), 1);
        let with_tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(700), lines(500));
        assert!(check_text("server/a/src/b.rs", &with_tests).is_empty());
        for test in
            ["server/a/tests/b.rs", "server/a/src/b/tests.rs", "server/a/src/b/tests/c.rs", "tests/src/c.rs"]
        {
            assert!(check_text(test, &lines(2000)).is_empty(), "{test}");
        }
        assert_eq!(check_text("tests/simulator/src/a.rs", &lines(801)).len(), 1);
    }

    #[test]
    fn nothing_is_switched_off() {
        let attribute = |name: &str| format!("fn a() {{}}\n    #[{name}]\n");
        assert_eq!(check_text("tests/src/a.rs", &attribute("ignore"))[0].0, Some(2));
        assert_eq!(check_text("tests/src/a.rs", &attribute("ignore = \"slow\"")).len(), 1);
        for permit in ["allow", "expect"] {
            let text = attribute(&format!("{permit}(clippy::unwrap_used, reason = \"x\")"));
            assert_eq!(check_text("server/a/src/a.rs", &text).len(), 1, "{permit}");
            assert!(check_text("server/a/tests/a.rs", &text).is_empty(), "{permit}");
        }
    }

    #[test]
    fn no_file_names_one_machine() {
        for line in ["// see /home/me/x", "root = \"/work/me\"", "cd /tmp/x", "file:///Users/me/a"] {
            assert_eq!(check_text("server/a/src/a.rs", line).len(), 1, "{line}");
            assert!(check_text("server/a/tests/a.rs", line).is_empty(), "{line}");
        }
        for line in ["src/home/page.tsx", "$HOME/work/x", "~/tmp/x", "{root}/tmp/x", "a/tmp/"] {
            assert!(check_text("server/a/src/a.rs", line).is_empty(), "{line}");
        }
        assert_eq!(check_text("server/a/tests/a.rs", "\"/somewhere/checkout/a\"").len(), 1);
        assert_eq!(check_text("README.md", "in /somewhere/checkout.").len(), 0, "a longer name");
        assert_eq!(check_text("README.md", "in /somewhere/checkout, there").len(), 1);
        assert!(check_text("README.md", "/somewhere/checkout-other").is_empty());
    }
}
