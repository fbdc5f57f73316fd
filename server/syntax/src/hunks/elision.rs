//! Lines that stand for code they leave out: `...`, `// rest unchanged`.

use std::ops::Range;

/// What begins and ends comments.
const LEADS: [&str; 10] = ["{/*", "<!--", "/**", "/*", "//", "--", "#", "*", ";", "%"];
const TRAILS: [&str; 3] = ["*/}", "*/", "-->"];

/// Words that say that something stays as it is.
const SAYS: [&str; 16] = [
    "rest of",
    "rest unchanged",
    "rest is unchanged",
    "rest stays",
    "rest remains",
    "existing code",
    "existing content",
    "unchanged code",
    "remains unchanged",
    "remain unchanged",
    "stays the same",
    "remains the same",
    "same as before",
    "code omitted",
    "omitted for brevity",
    "previous code",
];
/// Words that say so beside dots.
const HINTS: [&str; 10] =
    ["rest", "existing", "unchanged", "remaining", "same", "previous", "omitted", "other", "more", "keep"];

/// Whether a line stands for others. A bare `...` does not in Python, where it is a statement.
pub(super) fn elides(line: &str, bare_dots_are_code: bool) -> bool {
    let line = line.trim();
    if line.is_empty() || line.len() > 200 {
        return false;
    }
    if matches!(line, "..." | "…" | "[...]" | "(...)" | "{...}" | "<...>") {
        return !(bare_dots_are_code && line == "...");
    }
    let Some(mut words) = LEADS.iter().find_map(|lead| line.strip_prefix(lead)) else { return false };
    for trail in TRAILS {
        words = words.strip_suffix(trail).unwrap_or(words);
    }
    let words = words.trim().to_lowercase();
    if words.trim_matches(['.', '…', ' ', '(', ')', '[', ']']).is_empty() {
        return words.contains("...") || words.contains('…');
    }
    if SAYS.iter().any(|says| words.contains(says)) || words == "unchanged" {
        return true;
    }
    let dots = |text: &str| text.starts_with("...") || text.starts_with('…');
    let ends = |text: &str| text.ends_with("...") || text.ends_with('…');
    (dots(&words) || ends(&words))
        && words.split(|c: char| !c.is_alphanumeric()).any(|word| HINTS.contains(&word))
}

/// The parts of a text between the lines that stand for others.
pub(super) fn parts(lines: &[String], bare_dots_are_code: bool) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, line) in lines.iter().enumerate() {
        if elides(line, bare_dots_are_code) {
            parts.push(start..at);
            start = at + 1;
        }
    }
    parts.push(start..lines.len());
    parts.retain(|part| lines[part.clone()].iter().any(|line| !line.trim().is_empty()));
    parts
}
