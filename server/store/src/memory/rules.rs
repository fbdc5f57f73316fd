//! What may be remembered, how confidence moves, and what counts as the same.

use std::collections::BTreeSet;

use super::NewMemory;
use crate::error::{Result, StoreError};

/// The longest label, in characters.
const MAX_KEY: usize = 200;

/// The longest content, in characters.
const MAX_VALUE: usize = 8_000;

/// What is left of a memory's confidence when a newer one contradicts it.
const CONTRADICTED: f64 = 0.5;

/// How much of the doubt is left when a memory is said again.
const CONFIRMED: f64 = 0.5;

/// Texts that share at least this part of their words are offered as duplicates.
pub(super) const ALIKE: f64 = 0.8;

/// Tidies a memory, or says what is wrong with it.
pub(super) fn checked(mut memory: NewMemory) -> Result<NewMemory> {
    memory.key = key(&memory.key)?;
    memory.value = value(&memory.value)?;
    memory.confidence = confidence(memory.confidence)?;
    Ok(memory)
}

/// A label: one line.
pub(super) fn key(text: &str) -> Result<String> {
    let key = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let key: String = key.chars().filter(|c| !c.is_control()).collect();
    match key.chars().count() {
        0 => Err(StoreError::invalid("a memory needs a label")),
        length if length > MAX_KEY => Err(StoreError::invalid(format!(
            "the label of a memory has {length} characters, {MAX_KEY} are allowed"
        ))),
        _ => Ok(key),
    }
}

pub(super) fn value(text: &str) -> Result<String> {
    let value: String = text
        .trim()
        .replace("\r\n", "\n")
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    match value.chars().count() {
        0 => Err(StoreError::invalid("a memory needs a content")),
        length if length > MAX_VALUE => Err(StoreError::invalid(format!(
            "a memory of {length} characters is too long, {MAX_VALUE} are allowed"
        ))),
        _ => Ok(value),
    }
}

pub(super) fn confidence(confidence: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&confidence) {
        Ok(confidence)
    } else {
        Err(StoreError::invalid(format!("a confidence lies between 0 and 1, not {confidence}")))
    }
}

/// The confidence of a memory that is contradicted.
pub(super) fn contradicted(confidence: f64) -> f64 {
    confidence * CONTRADICTED
}

/// The confidence of a memory that is said again with some confidence.
pub(super) fn confirmed(known: f64, again: f64) -> f64 {
    let surer = known.max(again);
    (1.0 - (1.0 - surer) * CONFIRMED).min(1.0)
}

/// What of a text counts when two are compared: its words, in order, without case and punctuation.
pub(super) fn normal(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// The part of their words that two texts share: 1 when they have the same.
pub(super) fn likeness(a: &str, b: &str) -> f64 {
    let (a, b) = (normal(a), normal(b));
    let a: BTreeSet<&str> = a.split(' ').filter(|word| !word.is_empty()).collect();
    let b: BTreeSet<&str> = b.split(' ').filter(|word| !word.is_empty()).collect();
    let all = a.union(&b).count();
    if all == 0 { 0.0 } else { a.intersection(&b).count() as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_remembered_is_refused_with_a_reason() {
        assert_eq!(key(" social\n login\u{7} ").unwrap(), "social login");
        for refused in [key(" \n"), value(" \0 "), key(&"k".repeat(201)), value(&"v".repeat(8_001))] {
            assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
        }
        for wrong in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            confidence(wrong).unwrap_err();
        }
    }

    #[test]
    fn confidence_moves_and_stays_in_its_range() {
        assert_eq!(contradicted(contradicted(1.0)), 0.25);
        assert_eq!(confirmed(0.5, 0.2), 0.75);
        assert_eq!(confirmed(1.0, 1.0), 1.0);
        assert!(likeness("Use Stripe, for payments!", "use stripe for payments") == 1.0);
        assert!(likeness("use Stripe", "avoid Stripe entirely") < ALIKE);
        assert_eq!(likeness("", "–"), 0.0);
    }
}
