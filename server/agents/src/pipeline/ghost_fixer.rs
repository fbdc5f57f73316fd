//! Continues output that broke off, and stitches it. Nothing is guessed: without an anchor the model is asked again.

use assist_base::EventKind;
use assist_gateway::{Chunk, Message, Role};
use serde_json::json;

use crate::pipeline::builder::{Builder, Read, broken};
use crate::prompts;
use crate::run::Break;

/// How often one component is continued before its place is left as it was.
const MAX_ATTEMPTS: usize = 3;

/// Has the draft continued until it is whole. The attempts are counted anew with every component that got whole on the way.
pub(crate) async fn mend(builder: &mut Builder<'_>, cause: String) -> Result<Read, Break> {
    let mut cause = cause;
    let mut attempt = 0;
    let mut handled = builder.draft.handled;
    loop {
        attempt += 1;
        let component = builder.current().map(str::to_owned);
        let received = builder.draft.raw.len();
        let data = json!({
            "component": component, "cause": cause, "receivedBytes": received, "attempt": attempt.min(MAX_ATTEMPTS),
        });
        builder.run.emit(EventKind::Truncated, data).await?;
        if attempt > MAX_ATTEMPTS {
            return Err(Break::Failed(given_up(builder, component.as_deref(), &cause)));
        }

        let mut messages = builder.conversation.messages.clone();
        // Too little to find again is asked for anew.
        let nothing = builder.draft.raw.trim().chars().count() < assist_syntax::MIN_ANCHOR;
        if !nothing {
            messages.push(Message { role: Role::Assistant, text: builder.draft.raw.clone() });
            let tail = assist_syntax::tail(&builder.draft.raw);
            let context = serde_json::json!({ "tail": tail, "id": builder.task.marker });
            messages.push(Message { role: Role::User, text: prompts::render("continue.md", context) });
        }
        let mut stream = match builder.call("ghost_fixer", messages).await? {
            Ok(stream) => stream,
            Err(error) if attempt == MAX_ATTEMPTS || !error.retryable() => return Err(broken(&error)),
            Err(error) => {
                cause = error.to_string();
                continue;
            }
        };
        let mut continuation = String::new();
        let done = loop {
            match builder.next(&mut stream).await? {
                Chunk::Text(text) => continuation.push_str(&text),
                Chunk::Reasoning(_) => {}
                Chunk::Done(done) => break done,
            }
        };
        builder.account(&done).await?;

        let stitched = if nothing {
            Ok((continuation, 0))
        } else {
            assist_syntax::stitch(&builder.draft.raw, &continuation).map(|s| (s.text, s.anchor_bytes))
        };
        match stitched {
            Ok((text, anchor)) => {
                builder.draft.raw = text;
                builder.flush(true).await?;
                let data = json!({ "component": component, "attempt": attempt, "anchorBytes": anchor });
                builder.run.emit(EventKind::Continued, data).await?;
            }
            Err(no_anchor) => {
                cause = no_anchor.to_string();
                continue;
            }
        }
        match builder.read_again(done).await? {
            Read::Cut(next) => cause = next,
            read => return Ok(read),
        }
        if builder.draft.handled > handled {
            handled = builder.draft.handled;
            attempt = 0;
        }
    }
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
