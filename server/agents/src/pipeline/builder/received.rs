//! What was received of an answer: shown as it comes, stored soon after, and left behind where it is not gone on with.

use assist_base::{EventKind, TextDelta};
use assist_store::NewMessage;
use serde_json::json;

use super::{Builder, FLUSH_AFTER};
use crate::answers;
use crate::pipeline::task::Draft;
use crate::run::Break;

/// Text is stored sooner where so many bytes have come together.
const FLUSH_BYTES: usize = 4 * 1024;

impl Builder<'_> {
    /// Answers that are not gone on with leave the conversation; as records they are kept. Of the draft's own, what stands is gone
    /// on with; where nothing does, it is asked for in a message of its own.
    pub(super) async fn pass_over_spoilt(&mut self) -> Result<(), Break> {
        let (store, run) = (self.run.store(), self.run.id);
        let (mut own, stands) = (false, self.has_begun());
        for message in store.messages().of_run(run).await? {
            let id = message.id;
            if message.conversation != self.task.conversation
                || !message.partial
                || !answers::is_spoilt(store, run, &id.to_string()).await?
            {
                continue;
            }
            let is_own = id == self.draft.message;
            own |= is_own;
            if !(message.content.is_empty() || is_own && stands) {
                store.messages().replace(id, "", true, self.run.clock().now()).await?;
            }
        }
        if own && stands {
            return self.keep_cut(&self.draft.raw).await;
        }
        if own {
            self.begin_message();
        }
        Ok(())
    }

    /// What comes now is received into a message of its own.
    pub(super) fn begin_message(&mut self) {
        self.draft = Draft::empty();
        self.resumed = false;
        self.talk.clear();
        self.stored_talk = 0;
        self.stored_raw = 0;
        self.opened = false;
    }

    pub(super) async fn open_message(&mut self) -> Result<(), Break> {
        if std::mem::replace(&mut self.opened, true) {
            return Ok(());
        }
        let message = NewMessage {
            id: self.draft.message,
            conversation: self.task.conversation,
            run: Some(self.run.id),
            role: assist_store::Role::Assistant,
            content: String::new(),
            partial: true,
            at: self.run.clock().now(),
        };
        self.run.store().messages().add(message).await?;
        self.task.save_draft(self.run, self.draft.message).await?;
        Ok(())
    }

    /// Puts another beginning in the place of what was received: what follows is read as if it had come so.
    pub(crate) fn replace_draft(&mut self, raw: String) {
        self.draft.raw = raw;
        self.stored_raw = 0;
    }

    /// Lets this beginning of the answer stand as what its call brought: whoever goes on with the run begins anew from there.
    pub(crate) async fn keep_cut(&self, text: &str) -> Result<(), Break> {
        answers::keep_cut(self.run, self.draft.message, text).await?;
        Ok(())
    }

    pub(super) fn say(&mut self, text: &str) {
        let offset = self.talk.len();
        self.talk.push_str(text);
        if self.task.quiet {
            return;
        }
        // On a second reading the beginning has been shown already.
        if self.talk.len() > self.stored_talk {
            let from = self.stored_talk.max(offset) - offset;
            if let Some(new) = text.get(from..) {
                let offset = offset + from;
                let delta = TextDelta {
                    run: self.run.id,
                    message_id: self.draft.message,
                    offset,
                    text: new.to_owned(),
                };
                self.run.stream(&delta);
            }
        }
    }

    /// Stores what was received since the last time, when enough has come together or `now`.
    pub(crate) async fn flush(&mut self, now: bool) -> Result<(), Break> {
        let elapsed = self.run.clock().elapsed();
        let bytes = self.draft.raw.len().saturating_sub(self.stored_raw);
        let due = now || bytes >= FLUSH_BYTES || elapsed.saturating_sub(self.last_flush) >= FLUSH_AFTER;
        if !due {
            return Ok(());
        }
        if bytes > 0 {
            let now = self.run.clock().now();
            self.run
                .store()
                .messages()
                .replace(self.draft.message, self.draft.raw.as_str(), true, now)
                .await?;
            self.stored_raw = self.draft.raw.len();
        }
        if self.talk.len() > self.stored_talk && !self.task.quiet {
            let data = json!({
                "messageId": self.draft.message,
                "offset": self.stored_talk,
                "text": &self.talk[self.stored_talk..],
            });
            self.run.emit(EventKind::Text, data).await?;
            self.stored_talk = self.talk.len();
        }
        self.last_flush = elapsed;
        Ok(())
    }

    pub(super) async fn close_message(&mut self, partial: bool) -> Result<(), Break> {
        let now = self.run.clock().now();
        self.run
            .store()
            .messages()
            .replace(self.draft.message, self.draft.raw.as_str(), partial, now)
            .await?;
        Ok(())
    }
}
