//! Continues output that broke off, and stitches it. Nothing is guessed: without an anchor the model is asked again, and the
//! last time for the component that was cut, whole, in the place of its part.

use std::collections::BTreeSet;

use assist_base::EventKind;
use assist_gateway::{Chunk, Message, Role, StopReason};
use assist_syntax::{Scanned, Scanner};
use serde_json::json;

use crate::answers::{self, Continuations};
use crate::calls;
use crate::pipeline::builder::{Builder, Read, broken, ends_in_marker};
use crate::prompts;
use crate::run::Break;

/// How often one component is continued before its place is left as it was.
const MAX_ATTEMPTS: usize = 3;

/// Has the draft continued until it is whole. The attempts are counted anew with every further component that got whole on
/// the way; the same one once more is no progress, however often it is sent.
pub(crate) async fn mend(builder: &mut Builder<'_>, cause: String) -> Result<Read, Break> {
    let mut cause = cause;
    let mut attempt = 0;
    let mut whole = whole_components(builder);
    let base = answers::base(builder.run, builder.draft.message, &builder.draft.raw).await?;
    let mut continuations = Continuations::new(builder.draft.message, base);
    loop {
        attempt += 1;
        let kept_attempt = continuations.kept(builder.run).await?;
        attempt = kept_attempt.unwrap_or(attempt);
        let component = builder.current().map(str::to_owned);
        let received = builder.draft.raw.len();
        let data = json!({
            "component": component, "cause": cause, "receivedBytes": received, "attempt": attempt.min(MAX_ATTEMPTS),
        });
        // Of what is repeated after a crash it was told already.
        if kept_attempt.is_none() {
            builder.run.emit(EventKind::Truncated, data).await?;
        }
        if !builder.run.settings.pipeline.ghost_fixer {
            return Err(Break::Failed(not_continued(component.as_deref(), &cause)));
        }
        if attempt > MAX_ATTEMPTS {
            builder.keep_cut(&builder.draft.raw).await?;
            return Err(Break::Failed(given_up(builder, component.as_deref(), &cause)));
        }

        let mut messages = builder.conversation.messages.clone();
        // Too little to find again is asked for anew.
        let nothing = builder.draft.raw.trim().chars().count() < assist_syntax::MIN_ANCHOR;
        // The last time nothing has to be joined: what was cut is written anew. Where only the end is missing, there is
        // nothing to write, and all would be sent once more.
        let was_open = component.is_some() || ends_in_marker(&builder.draft.raw);
        let kept = (attempt == MAX_ATTEMPTS && !nothing && was_open)
            .then(|| before_the_cut(&builder.draft.raw, &builder.task.marker));
        if let Some(kept) = &kept {
            let context = serde_json::json!({ "name": component, "id": builder.task.marker });
            let text = prompts::render("rewrite.md", context);
            if kept.trim().is_empty() {
                let question = messages.last_mut().filter(|message| message.role == Role::User);
                if let Some(question) = question {
                    question.text = format!("{}\n\n{text}", question.text);
                }
            } else {
                messages.push(Message { role: Role::Assistant, text: kept.clone() });
                messages.push(Message { role: Role::User, text });
            }
        } else if !nothing {
            messages.push(Message { role: Role::Assistant, text: builder.draft.raw.clone() });
            let tail = assist_syntax::tail(&builder.draft.raw);
            let context = serde_json::json!({ "tail": tail, "id": builder.task.marker });
            messages.push(Message { role: Role::User, text: prompts::render("continue.md", context) });
        }
        let name = continuations.name(attempt);
        let mut stream = match builder.call("ghost_fixer", messages, name).await? {
            Ok(stream) => stream,
            Err(error) if attempt < MAX_ATTEMPTS && error.retryable() => {
                cause = error.to_string();
                continue;
            }
            // What the user can mend, or time.
            Err(error) => return Err(broken(&error)),
        };
        let mut continuation = String::new();
        let done = loop {
            match builder.next(&mut stream).await? {
                Chunk::Text(text) => continuation.push_str(&text),
                Chunk::Reasoning(_) => {}
                Chunk::Done(done) => break done,
            }
        };
        continuations.count();
        builder.note_told_again(stream.is_told_again());
        calls::account(builder.run, &mut stream, &done).await?;
        let rests = builder.rests(&done);
        let stitched = if rests.is_some() && done.stop == StopReason::Cut {
            // What had no end is not joined.
            Err(String::new())
        } else if nothing {
            Ok((continuation, 0))
        } else if let Some(kept) = kept {
            // An answer without anything in it would only lose what there is.
            match continuation.contains("COMPONENT_") || component.is_none() {
                true => {
                    builder.replace_draft(String::new());
                    Ok((kept + &continuation, 0))
                }
                false => Err("it was not written again".to_owned()),
            }
        } else {
            assist_syntax::stitch(&builder.draft.raw, &continuation)
                .map(|s| (s.text, s.anchor_bytes))
                .map_err(|error| error.to_string())
        };
        match stitched {
            Ok((text, anchor)) => {
                builder.draft.raw = text;
                builder.flush(true).await?;
                let data = json!({ "component": component, "attempt": attempt, "anchorBytes": anchor });
                builder.run.emit(EventKind::Continued, data).await?;
            }
            Err(no_anchor) => {
                if let Some(rests) = rests {
                    return Err(rests);
                }
                cause = no_anchor;
                continue;
            }
        }
        match builder.read_again(done).await? {
            Read::Cut(next) => cause = next,
            read => return Ok(read),
        }
        let now = whole_components(builder);
        if now > whole {
            whole = now;
            attempt = 0;
        }
    }
}

/// How many different components of the draft are whole.
fn whole_components(builder: &Builder<'_>) -> usize {
    let (scanned, _) = Scanner::scan(&builder.draft.raw, Some(&builder.task.marker));
    let names = scanned.into_iter().filter_map(|found| match found {
        Scanned::Component(one) if one.ended => Some((one.header.name, one.header.path)),
        _ => None,
    });
    names.collect::<BTreeSet<_>>().len()
}

/// What was received, up to the line that begins the component in which it was cut; all of it where it was not cut in one.
fn before_the_cut(raw: &str, marker: &str) -> String {
    // Markers without the run's id are text.
    let ours =
        |line: &str, begin: &str| line.starts_with(begin) && line.ends_with(&format!(" id={marker} ///"));
    let mut at = 0;
    let mut open = None;
    for line in raw.split_inclusive('\n') {
        let bare = line.trim();
        let begins = ours(bare, "/// COMPONENT_START:") || (!line.ends_with('\n') && ends_in_marker(line));
        if begins {
            open.get_or_insert(at);
        } else if ours(bare, "/// COMPONENT_END") {
            open = None;
        }
        at += line.len();
    }
    let kept = &raw[..open.unwrap_or(raw.len())];
    if kept.is_empty() || kept.ends_with('\n') { kept.to_owned() } else { format!("{kept}\n") }
}

fn not_continued(component: Option<&str>, cause: &str) -> String {
    let what = component.unwrap_or("The answer");
    format!(
        "{what} broke off ({cause}), and `pipeline.ghost_fixer` is off, so it was not continued; its place is as it was and the partial text is kept in the session."
    )
}

fn given_up(builder: &Builder<'_>, component: Option<&str>, cause: &str) -> String {
    let kept = if builder.applied_something() { "; what was whole before it has been applied" } else { "" };
    match component {
        Some(name) => format!(
            "{name} broke off ({cause}) and could not be continued in {MAX_ATTEMPTS} attempts; its place is as it was and the partial text is kept in the session{kept}."
        ),
        None => format!(
            "The answer broke off ({cause}) and could not be continued in {MAX_ATTEMPTS} attempts; the partial text is kept in the session{kept}."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::before_the_cut;

    #[test]
    fn only_the_component_that_was_cut_is_given_up() {
        let one =
            "Talk.\n/// COMPONENT_START: A path=\"a.ts\" id=7f3a ///\na\n/// COMPONENT_END id=7f3a ///\n";
        for cut in [
            "/// COMPONENT_START: B id=7f3a ///\nhalf",
            "/// COMPONENT_START: B id=7f3a ///\n/// COMPONENT_START: C ///\n/// COMPONENT_END",
            "/// COMPONENT_START: B id=7",
            "/// COMP",
            "",
        ] {
            assert_eq!(before_the_cut(&format!("{one}{cut}"), "7f3a"), one, "{cut}");
        }
        assert_eq!(before_the_cut("Only talk", "7f3a"), "Only talk\n");
        assert_eq!(before_the_cut("/// COMPONENT_START: A id=7f3a ///\nx", "7f3a"), "");
    }
}
