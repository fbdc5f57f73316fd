//! One edit of one open document: sent, then looked for in the text that comes back.
//!
//! The client's answer and its report of the change come in either order, and the answer may be wrong ([`super::seen`]).
//! What counts:
//! - the document held exactly the expected text at any moment: applied;
//! - the present text shows the edit beside other changes: applied;
//! - the client refused and the document has moved on: stale; it has not: refused, with the client's reason;
//! - the client agreed, and the document has moved on without the edit: stale;
//! - the client agreed, and for [`SHOWN_WITHIN`] nothing changes at all: refused. It is never sent a second time then: an
//!   editor that was only held up would make it twice;
//! - the text has changed and does not say whether the edit is in it: refused, and the user is asked to look.

use std::sync::Arc;
use std::time::Duration;

use assist_agents::HostError;
use assist_base::TextEdit;
use ropey::Rope;
use serde_json::{Value, json};

use super::seen::{self, Seen};
use crate::documents::{Snapshot, Watch};
use crate::link::{Link, Unanswered};

/// How long after the client's answer the edit may take to be reported. Neovim waits 150 ms before it reports.
pub const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// How long an editor that has agreed and reports nothing at all may be held up. Neovim handles nothing while it waits for a
/// key at a message.
pub const SHOWN_WITHIN: Duration = Duration::from_secs(60);
/// How long the client may take to answer.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// What became of the edit.
#[derive(Debug)]
pub enum Put {
    /// It is in the document, which is now this.
    Applied(Box<Snapshot>),
    /// The document had moved on; the edit is not in it.
    Stale,
    /// The edit is not wanted, or nothing can be said.
    Refused(String),
}

/// The client's word.
enum Reply {
    None,
    Agreed,
    Declined(String),
}

/// What an edit leads from and to.
struct Judging {
    before: String,
    after: String,
    edits: Vec<TextEdit>,
}

/// Makes `edits`, in bytes of `base`, in the document that `base` was taken of.
pub async fn put(link: &Link, base: &Snapshot, edits: &[TextEdit], label: &str) -> Result<Put, HostError> {
    let Some(expected) = edited(&base.rope, edits) else {
        return Ok(Put::Refused("the edit does not fit the text".to_owned()));
    };
    if expected == base.rope {
        return Ok(Put::Applied(Box::new(base.clone())));
    }
    if link.handshake().keeps_lone_returns() && has_lone_return(&base.rope) {
        let reason = "the file has carriage returns that are no line breaks to this editor; convert its line endings first";
        return Ok(Put::Refused(reason.to_owned()));
    }
    let judging = Judging { before: base.text(), after: expected.to_string(), edits: edits.to_vec() };
    let judging = Arc::new(judging);
    let Some(mut watch) = link.documents.watch(base, expected) else { return Ok(Put::Stale) };
    if link.documents.at(&base.place).is_none_or(|now| now.seq != base.seq) {
        return Ok(Put::Stale);
    }
    let sending = link.request("workspace/applyEdit", request(base, edits, label));
    tokio::pin!(sending);
    let mut reply = Reply::None;
    let mut limit = link.clock.sleep(ANSWERED_WITHIN);
    let mut patient = false;
    loop {
        tokio::select! {
            biased;
            changed = watch.changes.changed() => if changed.is_err() && watch.expectation.seen().is_none() {
                // Closed; whether with the edit or without is for the next reading to say.
                return Ok(Put::Stale);
            },
            answer = &mut sending, if matches!(reply, Reply::None) => {
                reply = match answer {
                    Ok(answer) => read_reply(&answer),
                    Err(Unanswered::Gone) => return Err(HostError::Gone),
                    Err(Unanswered::Failed(reason)) => Reply::Declined(reason),
                };
                limit = link.clock.sleep(SEEN_WITHIN);
            }
            () = &mut limit => {
                let seen = look(link, base, &watch, &judging).await;
                if matches!((&seen, &reply), (Look::Untouched, Reply::Agreed)) && !patient {
                    patient = true;
                    limit = link.clock.sleep(SHOWN_WITHIN);
                    continue;
                }
                return Ok(match (seen, reply) {
                    (Look::InPlace(now), _) => Put::Applied(now),
                    (Look::Unclear, Reply::Agreed | Reply::None) => Put::Refused(
                        "it changed in the same moment, and it is not clear whether the edit arrived; look at it before you ask again".to_owned(),
                    ),
                    (_, Reply::None) => Put::Refused("the editor did not answer".to_owned()),
                    (Look::Untouched, Reply::Declined(reason)) => Put::Refused(reason),
                    (Look::Untouched, Reply::Agreed) => Put::Refused(
                        "the editor says that it made the edit, and does not show it; look at it before you ask again".to_owned(),
                    ),
                    _ => Put::Stale,
                });
            }
            () = link.gone.cancelled() => return Err(HostError::Gone),
        }
        match (look(link, base, &watch, &judging).await, &reply) {
            (Look::InPlace(now), _) => return Ok(Put::Applied(now)),
            // It knew of a later text than ours, and said so.
            (Look::NotThere | Look::Unclear, Reply::Declined(_)) => return Ok(Put::Stale),
            _ => {}
        }
    }
}

/// What the document shows of the edit.
enum Look {
    /// It is in the document, which is this.
    InPlace(Box<Snapshot>),
    /// The document is as it was.
    Untouched,
    /// It has changed, without the edit.
    NotThere,
    /// It has changed and does not say.
    Unclear,
}

async fn look(link: &Link, base: &Snapshot, watch: &Watch, judging: &Arc<Judging>) -> Look {
    if let Some(seen) = watch.expectation.seen() {
        return Look::InPlace(Box::new(seen.clone()));
    }
    let now = match link.documents.at(&base.place).filter(|now| now.opening == base.opening) {
        Some(now) if now.seq == base.seq => return Look::Untouched,
        Some(now) => now,
        None => return Look::NotThere,
    };
    let judging = Arc::clone(judging);
    let judged = tokio::task::spawn_blocking(move || {
        let seen = seen::judge(&judging.before, &judging.after, &judging.edits, &now.text());
        (seen, now)
    });
    match judged.await {
        Ok((Seen::InPlace, now)) => Look::InPlace(Box::new(now)),
        Ok((Seen::NotThere, _)) => Look::NotThere,
        Ok((Seen::Unclear, _)) | Err(_) => Look::Unclear,
    }
}

fn read_reply(answer: &Value) -> Reply {
    if answer["applied"] == true {
        return Reply::Agreed;
    }
    let reason = answer["failureReason"].as_str().map(str::trim).filter(|reason| !reason.is_empty());
    Reply::Declined(reason.unwrap_or("the editor did not make the edit").to_owned())
}

fn request(base: &Snapshot, edits: &[TextEdit], label: &str) -> Value {
    let edits: Vec<_> =
        edits.iter().map(|edit| json!({ "range": base.range(edit.range), "newText": edit.text })).collect();
    json!({
        "label": label,
        "edit": {
            "documentChanges": [{
                "textDocument": { "uri": &*base.uri, "version": base.version },
                "edits": edits,
            }],
        },
    })
}

/// `rope` with `edits` made; `None` when they do not fit.
fn edited(rope: &Rope, edits: &[TextEdit]) -> Option<Rope> {
    let mut edited = rope.clone();
    let mut limit = rope.len_bytes();
    for edit in edits.iter().rev() {
        let boundary = |at: usize| at <= limit && rope.char_to_byte(rope.byte_to_char(at)) == at;
        if !(boundary(edit.range.start) && boundary(edit.range.end)) {
            return None;
        }
        limit = edit.range.start;
        let start = edited.byte_to_char(edit.range.start);
        edited.remove(start..edited.byte_to_char(edit.range.end));
        edited.insert(start, &edit.text);
    }
    Some(edited)
}

fn has_lone_return(rope: &Rope) -> bool {
    let mut bytes = rope.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'\r' && bytes.peek() != Some(&b'\n') {
            return true;
        }
    }
    false
}
