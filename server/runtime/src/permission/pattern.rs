//! Patterns over the words of a command.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::line::Word;

/// Words that must match one by one. In a word `*` stands for any characters and `?` for one, with a backslash before
/// them for themselves; a last word `*` alone stands for any further words, also none. Quotes keep spaces in a word.
///
/// `cargo test *`, `npm run lint`, `git log *`, `> out/*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    words: Vec<String>,
    open: bool,
}

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a pattern for commands: {reason}")]
pub struct PatternError {
    text: String,
    reason: &'static str,
}

impl Pattern {
    /// The pattern for exactly these words; none where there are none.
    pub(super) fn exactly<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let words: Vec<String> = words.into_iter().map(escaped).collect();
        (!words.is_empty()).then_some(Self { words, open: false })
    }

    /// Whether it matches. A word that the shell would still expand is matched by the open end of a pattern alone.
    pub(super) fn matches(&self, words: &[Word]) -> bool {
        let long_enough =
            if self.open { words.len() >= self.words.len() } else { words.len() == self.words.len() };
        long_enough
            && self.words.iter().zip(words).all(|(pattern, word)| !word.expands && fits(pattern, &word.text))
    }
}

fn escaped(word: &str) -> String {
    let mut escaped = String::new();
    for c in word.chars() {
        if matches!(c, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

enum Piece {
    Any,
    One,
    Is(char),
}

fn fits(pattern: &str, word: &str) -> bool {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '*' => Piece::Any,
            '?' => Piece::One,
            '\\' => Piece::Is(chars.next().unwrap_or('\\')),
            c => Piece::Is(c),
        });
    }
    let word: Vec<char> = word.chars().collect();
    // One star to go back to is enough: an earlier one could only have taken less.
    let (mut at, mut in_word, mut star) = (0, 0, None);
    while in_word < word.len() {
        match pieces.get(at) {
            Some(Piece::Any) => {
                star = Some((at, in_word));
                at += 1;
                continue;
            }
            Some(Piece::One) => {}
            Some(Piece::Is(c)) if *c == word[in_word] => {}
            _ => {
                let Some((back, from)) = star else { return false };
                star = Some((back, from + 1));
                (at, in_word) = (back + 1, from + 1);
                continue;
            }
        }
        at += 1;
        in_word += 1;
    }
    pieces[at..].iter().all(|piece| matches!(piece, Piece::Any))
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let bad = |reason| PatternError { text: text.to_owned(), reason };
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quoted = None;
        for c in text.chars() {
            match (quoted, c) {
                (Some(quote), c) if c == quote => quoted = None,
                (Some(_), c) => word.get_or_insert_default().push(c),
                (None, '\'' | '"') => {
                    quoted = Some(c);
                    word.get_or_insert_default();
                }
                (None, c) if c.is_whitespace() => words.extend(word.take()),
                (None, c) => word.get_or_insert_default().push(c),
            }
        }
        if quoted.is_some() {
            return Err(bad("a quote is not closed"));
        }
        words.extend(word);
        let open = words.last().is_some_and(|word| word == "*");
        if open {
            words.pop();
        }
        if words.is_empty() && !open {
            return Err(bad("it is empty"));
        }
        Ok(Self { words, open })
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = self
            .words
            .iter()
            .map(|word| {
                let plain = !word.is_empty()
                    && !word.contains(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'));
                match plain {
                    true => word.clone(),
                    false if word.contains('\'') => format!("\"{word}\""),
                    false => format!("'{word}'"),
                }
            })
            .collect();
        if self.open {
            words.push("*".to_owned());
        }
        f.write_str(&words.join(" "))
    }
}
