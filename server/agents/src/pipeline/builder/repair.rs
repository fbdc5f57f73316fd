//! Asking once more for what was not passed, and knowing of it again in a resumed run.

use assist_gateway::{Message, Role};
use serde_json::json;

use super::Builder;
use crate::pipeline::applier::Failure;
use crate::pipeline::edits::Edits;
use crate::pipeline::misprints;
use crate::pipeline::task::{BUILT, COMPONENT, NOT_PASSED, REPAIRING, RepairRow};
use crate::prompts;
use crate::run::Break;
use crate::steering;

impl Builder<'_> {
    /// What a resumed draft was asked for once more and has not brought yet counts as failed until it does.
    pub(crate) async fn recall(&mut self) -> Result<(), Break> {
        let message = json!(self.draft.message);
        let mut wanted: Vec<Failure> = Vec::new();
        for point in self.run.store().checkpoints().list(self.run.id).await? {
            if point.data["message"] != message {
                continue;
            }
            match point.stage.as_str() {
                // What cannot be read is asked for again where the answer lacks it in another way.
                REPAIRING => {
                    wanted = serde_json::from_value(point.data["wanted"].clone()).unwrap_or_default()
                }
                COMPONENT | BUILT => {
                    wanted.retain(|failure| Some(&failure.name) != point.component.as_ref());
                }
                NOT_PASSED => wanted.extend(serde_json::from_value(point.data["failure"].clone()).ok()),
                _ => {}
            }
        }
        let edited = self.draft.edited;
        // Of what failed more than once the last reasons count.
        let failed = std::mem::take(&mut wanted);
        for failure in failed {
            wanted.retain(|earlier| earlier.name != failure.name);
            wanted.push(failure);
        }
        wanted.retain(|failure| match Edits::is_of_edits(failure) {
            true => !edited,
            false => true,
        });
        for failure in wanted.iter().filter(|failure| Edits::is_of_edits(failure)) {
            self.edits.recall(failure);
        }
        self.failures = wanted;
        Ok(())
    }

    /// Notes it as a failure when the answer is read and the component it was about is not in it.
    pub(crate) fn note_lacking(&mut self) {
        if let Some(assignment) = self.applier.assignment()
            && let Some(reason) = assignment.lacking()
        {
            self.failures.push(Failure { name: assignment.part.name.clone(), reasons: vec![reason] });
        }
    }

    /// Notes as failures what the answer, which is read, holds as words though it was meant to be applied.
    pub(crate) fn note_misprints(&mut self) {
        self.failures.retain(|failure| !misprints::is_of_misprints(failure));
        let held_some = self.draft.handled > 0 || self.draft.edited || !self.failures.is_empty();
        self.failures.extend(misprints::of(&self.talk, self.task, held_some));
    }

    /// Makes the components that were not passed the subject of a new draft.
    pub(crate) async fn ask_for_repair(&mut self) -> Result<(), Break> {
        let edits = self.edits.repair(&self.task.marker);
        let names: Vec<_> = self.failures.iter().map(|failure| failure.name.as_str()).collect();
        self.run.say(format!("Asking for {} again", names.join(", "))).await?;
        let raw = std::mem::take(&mut self.draft.raw);
        self.conversation.messages.push(Message { role: Role::Assistant, text: raw });
        let shown: Vec<_> = self
            .failures
            .iter()
            .filter(|failure| !Edits::is_of_edits(failure))
            .map(|f| serde_json::json!({ "name": f.name, "reasons": f.reasons }))
            .collect();
        let mut text = edits.unwrap_or_default();
        if !shown.is_empty() {
            let context = serde_json::json!({ "failures": shown, "id": self.task.marker });
            let components = prompts::render("repair.md", context);
            text = if text.is_empty() { components } else { format!("{components}\n\n{text}") };
        }
        let told = self.run.told_since(self.conversation.told).await?;
        if let Some(last) = told.last() {
            text = format!("{text}\n\n{}", steering::said(&told));
            self.conversation.told = last.id;
        }
        self.conversation.messages.push(Message { role: Role::User, text });
        self.begin_message();
        let row = RepairRow { message: self.draft.message, wanted: self.failures.clone() };
        let row = serde_json::to_value(row).unwrap_or_default();
        let now = self.run.clock().now();
        let part = self.task.part.as_deref();
        self.run.store().checkpoints().add_ahead(self.run.id, REPAIRING, part, row, now).await?;
        Ok(())
    }
}
