//! Recorded answers, played by the `replay` provider: for the demo and for bug reports.
//!
//! A transcript is a JSON file. Its entries are matched by what the user's last message says, not by order, so a run
//! that asks for things in another order still gets the right answers. See the README for the format.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::extras::Prompt;
use crate::tool::Calls;
use crate::{Part, StopReason, Turn};

/// What stands before the id of a run's components in its prompts.
pub(crate) const CAPTURED_ID: &str = "id=";

/// Recorded answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Values taken out of the request, by name: what follows the given text there, as long as it is letters, digits,
    /// `-` or `_`. `{{name}}` in an answer becomes that value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub captures: BTreeMap<String, String>,
    /// The answers. The first that matches is played.
    pub entries: Vec<Entry>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Texts that must all be in the user's last message. Empty: matches everything.
    #[serde(rename = "match", default)]
    pub matches: Vec<String>,
    /// Texts that must not be in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<String>,
    /// Only in a conversation of so many turns: tells apart what the same words mean early and late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<usize>,
    /// The answer.
    pub text: String,
    /// What the model thought before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// The tools that it calls after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<RecordedCall>,
    /// Why the model stopped, in the words of events (`filter`, `pause`, …), where it is neither the end nor a cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// Sizes of the pieces in characters, over and over; default 24.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<usize>,
    /// How long to wait before each piece, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay_ms: u64,
    /// Where it breaks off, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<ReplayCut>,
}

/// A call of a tool in a recorded answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedCall {
    /// The tool.
    pub name: String,
    /// Its arguments: an object, or the text that the model wrote instead of one.
    #[serde(default)]
    pub arguments: Value,
}

/// How an answer breaks off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayCut {
    /// After this text in the answer (its first place). None: at the end of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// `true`: as if the limit on output tokens was reached. `false`: the stream just ends.
    #[serde(default)]
    pub length: bool,
}

/// A file that is not a transcript.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// Not JSON, or not of this shape.
    #[error("this is not a transcript: {0}")]
    Shape(String),
    /// An entry cannot be played.
    #[error("entry {entry} of the transcript {fault}")]
    Entry {
        /// Which, from 1.
        entry: usize,
        /// What is wrong with it.
        fault: String,
    },
}

/// An answer, ready to be played.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Playback {
    pub pieces: Vec<String>,
    pub reasoning: String,
    pub delay_ms: u64,
    pub stop: StopReason,
    pub turn: Turn,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    /// [`TranscriptError`] when it is not one, or an entry could never be played as written.
    pub fn parse(json: &str) -> Result<Self, TranscriptError> {
        let transcript: Self =
            serde_json::from_str(json).map_err(|error| TranscriptError::Shape(error.to_string()))?;
        for (index, entry) in transcript.entries.iter().enumerate() {
            let fault = |fault: String| Err(TranscriptError::Entry { entry: index + 1, fault });
            if entry.chunks.contains(&0) {
                return fault("has a piece of no size".to_owned());
            }
            if let Some(after) = entry.cut.as_ref().and_then(|cut| cut.after.as_ref())
                && !entry.text.contains(after)
            {
                return fault(format!("is cut after a text that it does not have: {after:?}"));
            }
        }
        Ok(transcript)
    }

    /// The answer to a request.
    pub(crate) fn answer(&self, prompt: &Prompt) -> Option<Playback> {
        let said = prompt.last_user_text();
        let entry = self.entries.iter().find(|entry| {
            entry.messages.is_none_or(|messages| messages == prompt.turns.len())
                && entry.matches.iter().all(|text| said.contains(text.as_str()))
                && !entry.unless.iter().any(|text| said.contains(text.as_str()))
        })?;
        let mut text = entry.text.as_str();
        let mut stop = match entry.stop.as_deref() {
            None if entry.tools.is_empty() => StopReason::End,
            None => StopReason::Tool,
            Some(word) => StopReason::of_word(word),
        };
        if let Some(cut) = &entry.cut {
            stop = if cut.length { StopReason::Length } else { StopReason::Cut };
            if let Some(after) = &cut.after
                && let Some(at) = text.find(after.as_str())
            {
                text = &text[..at + after.len()];
            }
        }
        let text = self.filled(text, prompt);
        let mut calls = Calls::default();
        for call in &entry.tools {
            let arguments = match &call.arguments {
                Value::String(text) => Value::String(self.filled(text, prompt)),
                other => serde_json::from_str(&self.filled(&other.to_string(), prompt)).unwrap_or_default(),
            };
            calls.whole("", &call.name, &arguments);
        }
        let mut turn = Turn::assistant(text.clone());
        if stop.is_complete() {
            turn.parts.extend(calls.finish().into_iter().map(Part::Call));
        }
        Some(Playback {
            pieces: pieces(&text, &entry.chunks),
            reasoning: self.filled(&entry.reasoning, prompt),
            delay_ms: entry.delay_ms,
            stop,
            turn,
        })
    }

    /// `text` with the captured values in place.
    fn filled(&self, text: &str, prompt: &Prompt) -> String {
        let mut text = text.to_owned();
        for (name, prefix) in &self.captures {
            let said = prompt.last_user_text();
            let places = [said.as_str(), prompt.system.as_str()];
            if let Some(value) = places.into_iter().find_map(|place| captured(place, prefix)) {
                text = text.replace(&format!("{{{{{name}}}}}"), value);
            }
        }
        text
    }
}

/// What follows the first `prefix` that a value follows.
pub(crate) fn captured<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    text.match_indices(prefix).find_map(|(at, _)| {
        let rest = &text[at + prefix.len()..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

fn pieces(text: &str, sizes: &[usize]) -> Vec<String> {
    let sizes = if sizes.is_empty() { &[24][..] } else { sizes };
    let mut sizes = sizes.iter().copied().cycle();
    let mut characters = text.chars().peekable();
    let mut pieces = Vec::new();
    while characters.peek().is_some() {
        let size = sizes.next().unwrap_or(1).max(1);
        pieces.push(characters.by_ref().take(size).collect());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    fn request(text: &str) -> Prompt {
        Prompt { system: "marker id=7f3a".into(), turns: vec![Turn::user(text)], ..Prompt::default() }
    }

    #[test]
    fn answers_are_found_by_what_is_asked_not_by_order() {
        let transcript = Transcript::parse(
            r#"{"captures": {"id": "id="}, "entries": [
                {"match": ["Hero", "repeat"], "text": "tail", "chunks": [1, 2]},
                {"match": ["Hero"], "unless": ["Footer"], "text": "héad id={{id}} tail", "cut": {"after": "id={{id}}", "length": true}},
                {"match": ["Footer"], "text": "x", "cut": {}}]}"#,
        )
        .unwrap();
        let answer = transcript.answer(&request("write Hero")).unwrap();
        assert_eq!((answer.pieces.concat().as_str(), answer.stop), ("héad id=7f3a", StopReason::Length));
        let answer = transcript.answer(&request("Hero: repeat the end")).unwrap();
        assert_eq!(
            (answer.pieces, answer.stop),
            (vec!["t".into(), "ai".into(), "l".into()], StopReason::End)
        );
        assert_eq!(transcript.answer(&request("Hero and Footer")).unwrap().stop, StopReason::Cut);
        assert_eq!(transcript.answer(&request("Nav")), None);
    }

    #[test]
    fn what_could_never_be_played_is_refused() {
        for (json, says) in [
            ("[]", "not a transcript"),
            (
                r#"{"entries": [{"text": "a", "chunks": [0]}]}"#,
                "entry 1 of the transcript has a piece of no size",
            ),
            (
                r#"{"entries": [{"text": "a", "cut": {"after": "b"}}]}"#,
                "cut after a text that it does not have",
            ),
            (r#"{"entries": [{"text": "a", "matches": []}]}"#, "unknown field"),
        ] {
            let error = Transcript::parse(json).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
