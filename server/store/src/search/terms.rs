//! The words of a question as an index knows them, and how well its rows fit them.
//!
//! BM25 is exact, and costs about two microseconds for each row that holds any of the words: in a large index a question
//! of frequent words would take as long as all others together. So the rarest words are scored exactly, as far as
//! [`EXACT_ROWS`] reach. A more frequent word adds what BM25 gives to a row of average length that holds it once, which
//! is known from the list of its rows alone. Where an index is small, or the words are rare, all of it is exact.

use std::cmp::Ordering;

use rusqlite::{Transaction, params};

use super::fusion::Scores;
use super::query::{Query, quote};
use crate::error::Result;
use crate::rows;

/// So many rows are scored exactly.
const EXACT_ROWS: usize = 12_000;

/// Of a word that stands in more rows than this, the newest count.
const LISTED_ROWS: usize = 12_000;

/// So many of the words that are not scored exactly are looked at, the rarest.
const LISTED_WORDS: usize = 6;

/// How the rows of an index are scored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index<'a> {
    /// The FTS5 table.
    pub(crate) name: &'a str,
    /// The expression for a row's score; the lower the better, as FTS5 has it.
    pub(crate) score: &'a str,
}

/// The words of a question that an index knows.
pub(crate) struct Terms {
    /// Scored exactly; quoted.
    exact: Vec<String>,
    /// Known by the lists of their rows.
    listed: Vec<Listed>,
    /// Every word that some row holds; quoted.
    all: Vec<String>,
    /// The words that no row holds.
    pub(crate) unknown: Vec<String>,
}

struct Listed {
    /// What a row gets for holding it.
    weight: f64,
    /// The newest first.
    rows: Vec<i64>,
}

impl Terms {
    /// Looks the words of a question up.
    pub(crate) fn look_up(tx: &Transaction<'_>, index: Index<'_>, query: &Query) -> Result<Self> {
        let name = index.name;
        let sql = format!(
            "SELECT rowid AS number FROM {name} WHERE {name} MATCH ?1 ORDER BY rowid DESC LIMIT {}",
            LISTED_ROWS + 1
        );
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for word in query.words() {
            let quoted = quote(word);
            let found = rows::all(tx, &sql, [&quoted], |row| Ok(row.get::<_, i64>("number")?))?;
            if found.is_empty() {
                unknown.push(word.clone());
            } else {
                known.push((quoted, found));
            }
        }
        let all = known.iter().map(|(quoted, _)| quoted.clone()).collect();
        // Stable: of words that are equally frequent, the first of the question comes first.
        known.sort_by_key(|(_, rows)| rows.len());
        let mut to_score = 0;
        let exact = known
            .iter()
            .take_while(|(_, rows)| {
                to_score += rows.len();
                to_score <= EXACT_ROWS
            })
            .count();
        let rest = known.split_off(exact);
        let exact = known.into_iter().map(|(quoted, _)| quoted).collect();
        let listed = if rest.is_empty() { Vec::new() } else { listed(tx, name, rest)? };
        Ok(Self { exact, listed, all, unknown })
    }

    /// Whether some words are only estimated.
    pub(crate) fn is_estimate(&self) -> bool {
        !self.listed.is_empty()
    }

    /// The best `limit` rows by all words; `more` are further expressions of FTS5.
    pub(crate) fn score(
        &self,
        tx: &Transaction<'_>,
        index: Index<'_>,
        more: &[String],
        limit: usize,
    ) -> Result<Scores> {
        let mut scores = score(tx, index, self.exact.iter().chain(more), limit)?;
        if self.listed.is_empty() {
            return Ok(scores);
        }
        let estimates = estimates(&self.listed);
        for (number, score) in &mut scores {
            if let Ok(at) = estimates.binary_search_by(|(other, _)| other.cmp(number)) {
                *score += estimates[at].1;
            }
        }
        let mut all: Vec<(i64, f64)> = estimates;
        all.retain(|(number, _)| !scores.contains_key(number));
        all.extend(scores);
        // Of two that fit equally, the newer.
        let better = |a: &(i64, f64), b: &(i64, f64)| -> Ordering { b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)) };
        if let Some(last) = limit.checked_sub(1).filter(|last| *last < all.len()) {
            all.select_nth_unstable_by(last, better);
            all.truncate(limit);
        }
        Ok(all.into_iter().collect())
    }

    /// The best `limit` rows, every word scored exactly, whatever it costs.
    pub(crate) fn score_exactly(
        &self,
        tx: &Transaction<'_>,
        index: Index<'_>,
        more: &[String],
        limit: usize,
    ) -> Result<Scores> {
        score(tx, index, self.all.iter().chain(more), limit)
    }
}

/// The rarest of the words that are not scored exactly, with what they weigh.
fn listed(tx: &Transaction<'_>, index: &str, words: Vec<(String, Vec<i64>)>) -> Result<Vec<Listed>> {
    // The highest number stands for how many rows there are: it is found at once, and of what is kept few rows ever go.
    let sql = format!("SELECT max(id) AS rows FROM {index}_docsize");
    let newest = rows::first(tx, &sql, [], |row| Ok(row.get::<_, Option<i64>>("rows")?))?.flatten();
    let newest = newest.unwrap_or_default().max(1) as f64;
    let mut listed: Vec<Listed> = words
        .into_iter()
        .map(|(_, mut rows)| {
            let mut holding = rows.len() as f64;
            if rows.len() > LISTED_ROWS {
                // As frequent before as since the oldest that was looked at.
                let since = newest - rows.pop().unwrap_or_default() as f64 + 1.0;
                holding *= (newest / since.max(1.0)).max(1.0);
            }
            // As FTS5 reckons: what stands in half of all rows weighs next to nothing.
            let weight = ((newest - holding + 0.5) / (holding + 0.5)).max(1.0).ln().max(1e-6);
            Listed { weight, rows }
        })
        .collect();
    listed.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    listed.truncate(LISTED_WORDS);
    Ok(listed)
}

/// What each row gets for the listed words that it holds, by number.
fn estimates(listed: &[Listed]) -> Vec<(i64, f64)> {
    let mut all: Vec<(i64, f64)> = Vec::with_capacity(listed.iter().map(|word| word.rows.len()).sum());
    for word in listed {
        all.extend(word.rows.iter().rev().map(|number| (*number, word.weight)));
    }
    // Sorted runs, which this sort merges.
    all.sort_by_key(|(number, _)| *number);
    all.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            kept.1 += next.1;
        }
        is_same
    });
    all
}

fn score<'a>(
    tx: &Transaction<'_>,
    index: Index<'_>,
    words: impl Iterator<Item = &'a String>,
    limit: usize,
) -> Result<Scores> {
    let words: Vec<&str> = words.map(String::as_str).collect();
    if words.is_empty() {
        return Ok(Scores::new());
    }
    let Index { name, score } = index;
    let sql = format!(
        "SELECT rowid AS number, {score} AS score FROM {name} WHERE {name} MATCH ?1 ORDER BY score LIMIT ?2"
    );
    let found = rows::all(tx, &sql, params![words.join(" OR "), rows::integer(limit as u64)], |row| {
        Ok((row.get("number")?, -row.get::<_, f64>("score")?))
    })?;
    Ok(found.into_iter().map(|(number, score)| (number, score.max(f64::MIN_POSITIVE))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gets_the_sum_of_what_its_words_weigh() {
        let word = |weight, rows: &[i64]| Listed { weight, rows: rows.to_vec() };
        let listed = [word(2.0, &[9, 5, 1]), word(0.5, &[7, 5, 2]), word(1.0, &[5, 2])];
        assert_eq!(estimates(&listed), [(1, 2.0), (2, 1.5), (5, 3.5), (7, 0.5), (9, 2.0)]);
    }
}
