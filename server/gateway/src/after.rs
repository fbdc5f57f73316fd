//! What happens with an answer once it has ended: breakers are kept, and it is recorded where that is wished.

use std::sync::Arc;

use crate::extras::Prompt;
use crate::{Books, Breakers, Completion, Recorder, Turn};

/// What is to be done at the end of an answer.
pub(crate) struct After {
    pub books: Arc<dyn Books>,
    pub breakers: Breakers,
    pub recorder: Option<Recorder>,
    pub prompt: Arc<Prompt>,
}

impl After {
    pub(crate) fn wants_reasoning(&self) -> bool {
        self.recorder.is_some()
    }

    pub(crate) async fn done(&self, turn: &Turn, reasoning: &str, completion: &Completion) {
        keep_breakers(&self.breakers, self.books.as_ref()).await;
        if let Some(recorder) = &self.recorder {
            recorder.note(&self.prompt, turn, reasoning, &completion.stop);
        }
    }
}

/// Keeps breakers whose state has changed.
pub(crate) async fn keep_breakers(breakers: &Breakers, books: &dyn Books) {
    for status in breakers.take_changed() {
        books.keep_breaker(&status).await;
    }
}
