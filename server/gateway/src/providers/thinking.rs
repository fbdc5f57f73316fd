//! Models that think inside `<think>` tags at the beginning of their text.

use crate::stream::Received;

/// Takes `<think>…</think>` off the front of a text, wherever the chunks are cut.
#[derive(Debug, Default)]
pub(crate) struct Thinking {
    state: ThinkState,
    /// The beginning of a tag that is not complete yet.
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ThinkState {
    #[default]
    Start,
    Inside,
    After,
    Text,
}

impl Thinking {
    pub(crate) fn push(&mut self, text: &str, received: &mut Received) {
        if self.state == ThinkState::Text {
            received.text(text);
            return;
        }
        self.held.push_str(text);
        self.take(received);
    }

    /// What is held back and turned out to be no tag.
    pub(crate) fn finish(&mut self, received: &mut Received) {
        let held = std::mem::take(&mut self.held);
        match self.state {
            ThinkState::Inside => received.reasoning(&held),
            _ => received.text(&held),
        }
        self.state = ThinkState::Text;
    }

    fn take(&mut self, received: &mut Received) {
        const OPEN: &str = "<think>";
        const CLOSE: &str = "</think>";
        loop {
            match self.state {
                ThinkState::Start => {
                    let spoken = self.held.trim_start();
                    if let Some(rest) = spoken.strip_prefix(OPEN) {
                        self.held = rest.to_owned();
                        self.state = ThinkState::Inside;
                    } else if OPEN.starts_with(spoken) {
                        return;
                    } else {
                        self.state = ThinkState::Text;
                    }
                }
                ThinkState::Inside => {
                    if let Some(at) = self.held.find(CLOSE) {
                        received.reasoning(&self.held[..at]);
                        self.held.drain(..at + CLOSE.len());
                        self.state = ThinkState::After;
                    } else {
                        let tail = held_back(&self.held, CLOSE);
                        let ready = self.held.len() - tail;
                        received.reasoning(&self.held[..ready]);
                        self.held.drain(..ready);
                        return;
                    }
                }
                ThinkState::After => {
                    // The blank line between thinking and answer belongs to neither.
                    let spoken = self.held.trim_start().to_owned();
                    self.held = spoken;
                    if self.held.is_empty() {
                        return;
                    }
                    self.state = ThinkState::Text;
                }
                ThinkState::Text => {
                    received.text(&self.held);
                    self.held.clear();
                    return;
                }
            }
        }
    }
}

/// How many bytes at the end of `text` may be the beginning of `tag`.
fn held_back(text: &str, tag: &str) -> usize {
    (1..tag.len()).rev().find(|&length| text.ends_with(&tag[..length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Chunk;

    fn think(text: &str, size: usize) -> (String, String) {
        let mut received = Received::default();
        let mut thinking = Thinking::default();
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(size) {
            thinking.push(&piece.iter().collect::<String>(), &mut received);
        }
        thinking.finish(&mut received);
        let (mut thought, mut said) = (String::new(), String::new());
        for chunk in received.ready {
            match chunk {
                Chunk::Reasoning(text) => thought.push_str(&text),
                Chunk::Text(text) => said.push_str(&text),
                Chunk::Done(_) => unreachable!(),
            }
        }
        (thought, said)
    }

    #[test]
    fn thinking_is_taken_off_the_front_only() {
        for (text, thought, said) in [
            ("<think>a < b </th</think>\n\nanswer", "a < b </th", "answer"),
            ("\n<think>x</think>y", "x", "y"),
            ("plain <think>no</think>", "", "plain <think>no</think>"),
            ("<thin", "", "<thin"),
            ("  <div>", "", "  <div>"),
            ("<think>never closed", "never closed", ""),
            ("", "", ""),
        ] {
            for size in 1..=text.len().max(1) {
                assert_eq!(think(text, size), (thought.to_owned(), said.to_owned()), "{text:?} {size}");
            }
        }
    }
}
