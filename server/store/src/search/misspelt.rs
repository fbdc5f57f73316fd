//! Words that stand nowhere as they are asked for: parts of a word of code (`authToken` of `useAuthToken`), and misspelt
//! ones. Found by trigrams, then measured.

use rusqlite::Transaction;

use super::fusion::Scores;
use super::query::quote;
use crate::error::Result;
use crate::rows;

/// So many rows, the newest, are looked at for each word.
const CANDIDATES: i64 = 400;

/// Shorter words are not taken for misspelt: too much resembles them.
const SHORTEST: usize = 5;

/// So many letters that follow what is asked for do not count.
const ENDING: usize = 3;

/// Of longer words the first so many letters are compared.
const LONGEST: usize = 80;

/// More changes than are ever counted.
const FAR: u8 = 127;

/// Words of this length may have two letters wrong, shorter ones one.
const LONG: usize = 8;

/// For each of the words, which no row holds: rows with a word that holds it or resembles it, by how many such
/// words they have and how well they fit (1 for a part, less for a resemblance).
///
/// `trigrams` is the table of the trigrams; `text` reads a row's text by its number.
pub(crate) fn find(
    tx: &Transaction<'_>,
    (trigrams, text): (&str, &str),
    unknown: &[String],
) -> Result<Scores> {
    let candidates = format!(
        "SELECT rowid AS number FROM {trigrams} WHERE {trigrams} MATCH ?1 ORDER BY rowid DESC LIMIT {CANDIDATES}"
    );
    let mut scores = Scores::new();
    for word in unknown.iter().filter(|word| word.chars().count() >= 3) {
        let numbers = |pattern: &str| -> Result<Vec<i64>> {
            rows::all(tx, &candidates, [pattern], |row| Ok(row.get("number")?))
        };
        let parts = numbers(&quote(word))?;
        for number in &parts {
            *scores.entry(*number).or_default() += 1.0;
        }
        if !parts.is_empty() || word.chars().count() < SHORTEST {
            continue;
        }
        // One wrong, missing or added letter leaves one half of the word as it is; two of them mostly leave two thirds.
        // Pieces have at least three letters, and overlap where the word is short.
        let letters: Vec<char> = word.chars().collect();
        for pieces in [2, 3] {
            let mut found = Vec::new();
            for number in numbers(&pieces_of(&letters, pieces))? {
                let text = rows::first(tx, text, [number], |row| Ok(row.get::<_, String>("text")?))?;
                let fit = text.map_or(0.0, |text| resemblance(&letters, &text));
                if fit > 0.0 {
                    found.push((number, fit));
                }
            }
            for (number, fit) in &found {
                *scores.entry(*number).or_default() += fit;
            }
            if !found.is_empty() || letters.len() < LONG {
                break;
            }
        }
    }
    Ok(scores)
}

/// A word cut into two or three pieces, as a question for all of them but one: so many are left where one is wrong (or
/// two that stand close together).
fn pieces_of(letters: &[char], pieces: usize) -> String {
    let length = (letters.len() / pieces).max(3).min(letters.len());
    let last = letters.len() - length;
    let piece = |n: usize| quote(&letters[last * n / (pieces - 1)..][..length].iter().collect::<String>());
    let without = |left_out: usize| {
        let rest: Vec<String> = (0..pieces).filter(|n| *n != left_out).map(piece).collect();
        format!("({})", rest.join(" AND "))
    };
    (0..pieces).map(without).collect::<Vec<_>>().join(" OR ")
}

/// How well the best word of a text resembles one that is asked for; zero when none does.
fn resemblance(wanted: &[char], text: &str) -> f64 {
    let allowed = if wanted.len() < LONG { 1 } else { 2 };
    let mut word: Vec<char> = Vec::with_capacity(LONGEST);
    let mut least: Option<usize> = None;
    for part in text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        // A character has one to four bytes: most words are seen to be too long or too short without being read.
        if part.len() + allowed < wanted.len() || part.len() > 4 * (wanted.len() + allowed + ENDING) {
            continue;
        }
        word.clear();
        word.extend(part.chars().flat_map(char::to_lowercase).take(LONGEST));
        let found = distance(wanted, &word, allowed);
        least = match (least, found) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    least.map_or(0.0, |distance| 1.0 - 0.25 * (distance as f64))
}

/// Insertions, deletions, replacements and swaps of neighbours between two words, if there are at most `allowed`. Endings
/// of the second beyond the first's length (`referral` in `referrals`) do not count.
fn distance(wanted: &[char], word: &[char], allowed: usize) -> Option<usize> {
    if word.len() > LONGEST || word.len() + allowed < wanted.len() {
        return None;
    }
    if word.len() > wanted.len() + allowed + ENDING {
        return None;
    }
    // Three rows of the table, of which only the part near the diagonal can hold so few changes.
    let mut table = [[FAR; LONGEST + 1]; 3];
    for (column, cell) in table[0].iter_mut().enumerate().take(word.len() + 1) {
        *cell = column as u8;
    }
    let (mut before, mut last, mut next) = (2, 0, 1);
    for (row, letter) in wanted.iter().enumerate() {
        let from = row.saturating_sub(allowed);
        let to = word.len().min(row + allowed + 1);
        table[next][from] = if from == 0 { row as u8 + 1 } else { FAR };
        let mut least = table[next][from];
        for column in from..to {
            let mut best = (table[last][column] + u8::from(*letter != word[column]))
                .min(table[last][column + 1] + 1)
                .min(table[next][column] + 1);
            let swapped =
                row > 0 && column > 0 && *letter == word[column - 1] && wanted[row - 1] == word[column];
            if swapped {
                best = best.min(table[before][column - 1] + 1);
            }
            table[next][column + 1] = best;
            least = least.min(best);
        }
        // Beyond the part that was filled nothing of an earlier row may stand.
        if let Some(beyond) = table[next].get_mut(to + 1) {
            *beyond = FAR;
        }
        if usize::from(least) > allowed {
            return None;
        }
        (before, last, next) = (last, next, before);
    }
    // The best end within the word, at most three letters before its own.
    let first = word.len().saturating_sub(ENDING).max(wanted.len().saturating_sub(allowed + 1));
    let least = table[last].get(first..=word.len())?.iter().copied().min().map(usize::from)?;
    (least <= allowed).then_some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &str, text: &str, expected: f64) {
        let letters: Vec<char> = wanted.chars().collect();
        assert_eq!(resemblance(&letters, text), expected, "{wanted} in {text}");
    }

    #[test]
    fn a_misspelt_word_resembles_the_right_one() {
        check("referal", "the Referral program", 0.75);
        check("refferal", "two referrals", 0.5);
        check("onbaording", "onboarding flow", 0.75);
        check("onboarding", "onboarding flow", 1.0);
        check("stripe", "strict typing", 0.0);
        check("checkout", "check the output", 0.0);
        check("größe", "Grösse", 0.0);
    }
}
