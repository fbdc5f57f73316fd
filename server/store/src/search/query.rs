//! What a person or a model asks, as words that FTS5 can be asked for. Whatever the text holds, it never reaches FTS5 as
//! syntax: each word is quoted.

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
