//! What a person or a model asks, as words that FTS5 can be asked for. Whatever the text holds, it never reaches FTS5 as
//! syntax: each word is quoted.

use rusqlite::Transaction;

use crate::error::Result;
use crate::rows;

/// More words than this say nothing more, and cost.
const MAX_WORDS: usize = 32;

/// Longer words are no words.
const MAX_WORD_CHARS: usize = 64;

/// Words of a question that say nothing about what it asks for.
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "but", "by", "can", "could", "d", "did", "do", "does", "doing",
    "done", "for", "from", "had", "has", "have", "having", "he", "her", "hers", "him", "his", "how", "i",
    "if", "in", "into", "is", "it", "its", "just", "ll", "m", "may", "me", "might", "more", "most", "must",
    "my", "no", "nor", "not", "now", "of", "on", "or", "our", "ours", "own", "please", "re", "s", "shall",
    "she", "should", "so", "some", "such", "t", "tell", "than", "that", "the", "their", "theirs", "them",
    "then", "there", "these", "they", "this", "those", "to", "too", "us", "ve", "very", "was", "we", "were",
    "what", "when", "where", "which", "while", "who", "whom", "whose", "why", "will", "with", "would", "you",
    "your", "yours",
];

/// The words of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    words: Vec<String>,
}

impl Query {
    /// Takes a question apart. Stop words go, unless there is nothing else.
    pub(crate) fn new(text: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        // As the tokenizer sees it: what is neither letter nor digit separates.
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            let word: String = word.chars().take(MAX_WORD_CHARS).flat_map(char::to_lowercase).collect();
            if !word.is_empty() && !words.contains(&word) {
                words.push(word);
            }
        }
        if words.iter().any(|word| !is_stop_word(word)) {
            words.retain(|word| !is_stop_word(word));
        }
        words.truncate(MAX_WORDS);
        Self { words }
    }

    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// Rows that hold any of the words.
    pub(crate) fn any(&self) -> String {
        let quoted: Vec<String> = self.words.iter().map(|word| quote(word)).collect();
        quoted.join(" OR ")
    }
}

/// Words that stand in more rows than this are common, where there are rarer ones. Each row that any word is found in has
/// to be scored, and the common ones are found in most.
const COMMON_ROWS: i64 = 4_000;

/// A question as it is put to an index.
pub(crate) struct Telling {
    /// Rows that hold any of the words that tell something.
    pub(crate) telling: String,
    /// Rows that hold any of the words.
    pub(crate) all: String,
    /// The words that no row holds.
    pub(crate) unknown: Vec<String>,
}

/// Puts a question to an index. Words that stand in very many rows are left out of the first form where rarer ones are
/// asked for too: they weigh next to nothing, and cost the most.
pub(crate) fn telling(tx: &Transaction<'_>, index: &str, query: &Query) -> Result<Telling> {
    let sql = format!(
        "SELECT count(*) AS rows FROM (SELECT 1 FROM {index} WHERE {index} MATCH ?1 LIMIT {})",
        COMMON_ROWS + 1
    );
    let (mut rare, mut common, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for word in &query.words {
        let quoted = quote(word);
        match rows::first(tx, &sql, [&quoted], |row| Ok(row.get::<_, i64>("rows")?))?.unwrap_or(0) {
            0 => unknown.push(word.clone()),
            rows if rows > COMMON_ROWS => common.push(quoted),
            _ => rare.push(quoted),
        }
    }
    let all = rare.iter().chain(&common).cloned().collect::<Vec<_>>().join(" OR ");
    let telling = if rare.is_empty() || common.is_empty() { all.clone() } else { rare.join(" OR ") };
    Ok(Telling { telling, all, unknown })
}

/// A word as FTS5 takes it literally.
pub(crate) fn quote(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}

fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stop_words_are_in_order() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn a_question_becomes_its_telling_words() {
        let query = Query::new("What did we decide about the \"social login\" -- social* OR (x:y)?");
        assert_eq!(query.words(), ["decide", "social", "login", "x", "y"]);
        assert_eq!(Query::new("who is it").words(), ["who", "is", "it"]);
        assert!(Query::new(" \0 – \" ").is_empty());
        assert_eq!(Query::new("Straße ÄRGER").any(), "\"straße\" OR \"ärger\"");
    }
}
