//! Whole answers, for steps that have no use for a stream.

use serde_json::Value;

use crate::{Call, Choice, Chunk, Completion, Extras, Gateway, GatewayError, Reusable, ToolCall, Turn};

/// An answer that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the model said, as far as it was received.
    pub text: String,
    /// What it thought before.
    pub reasoning: String,
    /// The answer as the conversation's next turn.
    pub turn: Turn,
    /// How it ended.
    pub done: Completion,
    /// Which model answered and why it was asked.
    pub choice: Choice,
    /// What it may be kept under; none where it was not asked for with [`crate::Reuse::Exact`].
    pub reuse: Option<Reusable>,
    /// Whether no call was made: its run had kept the answer.
    pub told_again: bool,
}

/// An answer that is not the JSON it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not JSON ({0})")]
pub struct NotJson(String);

impl Answer {
    /// Whether it is all that the model meant to say.
    pub fn is_whole(&self) -> bool {
        self.done.stop.is_complete()
    }

    /// The tools that the model wants called; none of an answer that is not whole.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.turn.tool_calls()
    }

    /// The JSON of an answer to [`crate::Output::Json`] or [`crate::Output::Schema`]. A fence around it is passed over,
    /// as is talk before and after it.
    ///
    /// # Errors
    /// [`NotJson`] when it is cut, or holds no JSON object or list.
    pub fn json(&self) -> Result<Value, NotJson> {
        if !self.is_whole() {
            return Err(NotJson(format!("it ended with `{}`", self.done.stop)));
        }
        read_json(&self.text)
    }
}

fn read_json(text: &str) -> Result<Value, NotJson> {
    let first = match serde_json::from_str(text.trim()) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // The first place from which a whole object or list can be read, and only the first few: a text of brackets must not
    // take quadratic time.
    for (start, _) in text.match_indices(['{', '[']).take(32) {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        if let Some(Ok(value @ (Value::Object(_) | Value::Array(_)))) = values.next() {
            return Ok(value);
        }
    }
    Err(NotJson(first.to_string()))
}

impl Gateway {
    /// Makes a call and waits for the whole answer.
    ///
    /// # Errors
    /// As [`Gateway::stream_with`]. An answer that broke off is no error here: its text is kept, and
    /// [`Answer::is_whole`] says no.
    pub async fn ask(&self, call: Call, extras: Extras) -> Result<Answer, GatewayError> {
        let mut stream = self.stream_with(call, extras).await?;
        let (mut text, mut reasoning) = (String::new(), String::new());
        loop {
            match stream.next().await {
                Some(Chunk::Text(piece)) => text.push_str(&piece),
                Some(Chunk::Reasoning(piece)) => reasoning.push_str(&piece),
                Some(Chunk::Done(done)) => {
                    let turn = stream.turn().cloned().unwrap_or_else(|| Turn::assistant(text.clone()));
                    let (choice, reuse) = (stream.choice().clone(), stream.reuse().cloned());
                    let told_again = stream.is_told_again();
                    return Ok(Answer { text, reasoning, turn, done, choice, reuse, told_again });
                }
                None => unreachable!("a stream ends with its last chunk"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_found_in_what_models_put_around_it() {
        for (text, expected) in [
            (r#"{"a": 1}"#, json!({"a": 1})),
            ("```json\n{\"a\": 1}\n```", json!({"a": 1})),
            ("Here it is: [1, 2]. Anything else?", json!([1, 2])),
            ("{ not this } but {\"a\": [1]}", json!({"a": [1]})),
            ("7", json!(7)),
        ] {
            assert_eq!(read_json(text), Ok(expected), "{text}");
        }
        for text in ["", "no", "{\"a\": 1", "```json\n```", &"[".repeat(100_000)] {
            assert!(read_json(text).is_err());
        }
    }
}
