//! Change sets: open documents through the client, closed files through the workspace's journal, all of it or nothing.
//!
//! Open documents come first, one after another, each looked for in the text before the next is sent. When one fails, those
//! before it are taken back by merging: what the user typed meanwhile stays. Closed files come last, since they are applied
//! completely or not at all by themselves.

use assist_agents::HostError;
use assist_agents::runtime::Trust;
use assist_base::change::apply_edits;
use assist_base::{ByteRange, ChangeSet, DocPath, FileChange, FileEdit, Outcome, Revision, TextEdit};

use super::put::{Put, put};
use super::{EditorHost, open_document};
use crate::documents::Snapshot;

/// A change of an open document.
struct Open {
    path: DocPath,
    base: Snapshot,
    edits: Vec<TextEdit>,
}

/// A change set, sorted by how it is made.
enum Sorted {
    Ready { open: Vec<Open>, closed: Vec<FileChange> },
    Not(Outcome),
}

/// An open document that was changed, for taking it back.
struct Done {
    path: DocPath,
    before: String,
    after: String,
    now: Snapshot,
}

impl EditorHost {
    pub(super) async fn apply_set(&self, set: &ChangeSet) -> Result<Outcome, HostError> {
        let files = set.files.clone();
        let sorted = self.blocking(move |engine, documents| {
            let mut open = Vec::new();
            let mut closed = Vec::new();
            for change in files {
                let FileChange { path, edit } = change;
                if engine.workspace().trust() == Trust::Untrusted {
                    let reason = "the workspace is not trusted, so Assist changes nothing in it".to_owned();
                    return Sorted::Not(Outcome::Refused { path, reason });
                }
                let snapshot = open_document(engine, documents, &path);
                match (edit, snapshot) {
                    (FileEdit::Modify { base, edits }, Some(snapshot)) => {
                        if documents.revision(&snapshot).1.hash != base.hash {
                            return Sorted::Not(Outcome::Stale { path });
                        }
                        open.push(Open { path, base: snapshot, edits });
                    }
                    // Someone began to write the very file that was to be created.
                    (FileEdit::Create { .. }, Some(_)) => return Sorted::Not(Outcome::Stale { path }),
                    (FileEdit::Delete { base }, Some(snapshot)) => {
                        if documents.revision(&snapshot).1.hash != base.hash {
                            return Sorted::Not(Outcome::Stale { path });
                        }
                        closed.push(FileChange { path, edit: FileEdit::Delete { base } });
                    }
                    (_, None) if path.is_untitled() => {
                        let reason = "the document is not open any more".to_owned();
                        return Sorted::Not(Outcome::Refused { path, reason });
                    }
                    (edit, None) => closed.push(FileChange { path, edit }),
                }
            }
            Sorted::Ready { open, closed }
        });
        let (open, closed) = match sorted.await? {
            Sorted::Ready { open, closed } => (open, closed),
            Sorted::Not(outcome) => return Ok(outcome),
        };
        if let Some(first) = open.first()
            && !self.link.handshake().edits
        {
            let reason = "this editor cannot make edits that name the document's version; close the file and ask again";
            return Ok(Outcome::Refused { path: first.path.clone(), reason: reason.to_owned() });
        }

        let mut done = Vec::new();
        for change in open {
            self.note_before(set.run, &change.path, &change.base).await;
            let failed = match put(&self.link, &change.base, &change.edits, &set.label).await {
                Ok(Put::Applied(now)) => {
                    self.note_after(set.run, &change.path, &now);
                    let before = change.base.text();
                    let after = apply_edits(&before, &change.edits).unwrap_or_else(|_| now.text());
                    done.push(Done { path: change.path, before, after, now: *now });
                    continue;
                }
                Ok(Put::Stale) => Outcome::Stale { path: change.path },
                Ok(Put::Refused(reason)) => Outcome::Refused { path: change.path, reason },
                Err(error) => return Err(error),
            };
            return self.take_back(set, done, failed).await;
        }
        let mut revisions = Vec::new();
        if !closed.is_empty() {
            let closed = ChangeSet { files: closed, ..set.clone() };
            let path = closed.files[0].path.clone();
            let outcome = self.blocking(move |engine, _| engine.workspace().apply(&closed)).await?;
            match outcome {
                Ok(Outcome::Applied { revisions: written }) => revisions = written,
                Ok(failed) => return self.take_back(set, done, failed).await,
                Err(error) => {
                    let failed = Outcome::Refused { path, reason: error.to_string() };
                    return self.take_back(set, done, failed).await;
                }
            }
        }
        let changed: Vec<(DocPath, Option<Revision>)> = self
            .blocking(move |_, documents| {
                done.into_iter().map(|done| (done.path, Some(documents.revision(&done.now).1))).collect()
            })
            .await?;
        revisions.extend(changed);
        Ok(Outcome::Applied { revisions })
    }

    /// Takes back what was made of a set that failed, newest first, and tells how it failed.
    async fn take_back(
        &self,
        set: &ChangeSet,
        done: Vec<Done>,
        failed: Outcome,
    ) -> Result<Outcome, HostError> {
        for Done { path, before, after, now } in done.into_iter().rev() {
            let place = now.place.clone();
            let merged = self
                .blocking(move |_, documents| {
                    let now = documents.at(&place)?;
                    let text = now.text();
                    let restored = assist_syntax::merge3(&after, &text, &before).ok()?;
                    Some((now, difference(&text, &restored)))
                })
                .await?;
            let taken = match merged {
                Some((now, edit)) => {
                    put(&self.link, &now, &[edit], &format!("{} (taken back)", set.label)).await?
                }
                None => Put::Stale,
            };
            if let Put::Applied(now) = &taken {
                self.note_after(set.run, &path, now);
            } else {
                let reason = format!(
                    "only a part of the change could be made, and {path} could not be restored; undo it in the editor"
                );
                return Ok(Outcome::Refused { path, reason });
            }
        }
        Ok(failed)
    }
}

/// The one replacement that leads from `old` to `new`.
fn difference(old: &str, new: &str) -> TextEdit {
    let mut prefix = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    while !(old.is_char_boundary(prefix) && new.is_char_boundary(prefix)) {
        prefix -= 1;
    }
    let rest = old.len().min(new.len()) - prefix;
    let mut suffix = old.bytes().rev().zip(new.bytes().rev()).take(rest).take_while(|(a, b)| a == b).count();
    while !(old.is_char_boundary(old.len() - suffix) && new.is_char_boundary(new.len() - suffix)) {
        suffix -= 1;
    }
    TextEdit {
        range: ByteRange::new(prefix, old.len() - suffix),
        text: new[prefix..new.len() - suffix].to_owned(),
    }
}
