//! Imports that only the replaced code needed. They are told of, never removed: they may have effects, and the next change
//! may need them.

use assist_base::ByteRange;

use super::known;
use crate::languages::Language;

/// The names that the file still imports after a change of these ranges and no longer uses, though it did before. Words
/// are counted, so a comment that names one counts as a use. JavaScript, TypeScript and Python.
pub(crate) fn unused(before: &str, after: &str, replaced: &[ByteRange], language: Language) -> Vec<String> {
    let gone: Vec<&str> = replaced.iter().filter_map(|range| range.of(before)).collect();
    let nothing = gone.iter().all(|gone| gone.trim().is_empty());
    if nothing || !(language.is_ecma() || language == Language::Python) {
        return Vec::new();
    }
    let kept = known(after, language);
    let mut found = Vec::new();
    for import in known(before, language) {
        let statement = import.range.of(before).unwrap_or_default();
        for name in &import.names {
            let word = name.local.split('.').next().unwrap_or(&name.local);
            // JSX of the classic kind uses it without naming it.
            let silent = word == "React" && language.is_ecma();
            let used = gone.iter().any(|gone| count(gone, word) > 0);
            let stays = kept.iter().any(|other| other.names.iter().any(|one| one.local == name.local));
            if silent || word.contains(' ') || !used || !stays {
                continue;
            }
            let own = count(statement, word);
            if count(before, word) > own && count(after, word) <= own && !found.contains(&name.local) {
                found.push(name.local.clone());
            }
        }
    }
    found
}

/// How often a word stands in a text.
fn count(text: &str, word: &str) -> usize {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    text.match_indices(word)
        .filter(|(at, _)| {
            !text[..*at].chars().next_back().is_some_and(is_word)
                && !text[at + word.len()..].chars().next().is_some_and(is_word)
        })
        .count()
}
