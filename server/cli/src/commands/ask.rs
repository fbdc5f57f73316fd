//! `assist ask`: one request, from the terminal or a script.

use std::path::Path;
use std::sync::Arc;

use assist_agents::{AskRequest, Engine, Host, Intent};
use assist_base::{ByteRange, ConversationId};

use super::{attend, background, host_of, open};
use crate::args::{Ask, Global};
use crate::exit::{Exit, Stop};
use crate::signals::Signals;

/// Asks, waits, and says how it ended.
pub async fn run(mut global: Global, ask: Ask) -> Result<Exit, Stop> {
    global.building(ask.on_failure);
    let file = match &ask.file {
        Some(file) => Some(std::path::absolute(file)?),
        None => None,
    };
    if ask.detach {
        return background::start(global, file.as_deref(), ask.json).await;
    }
    let in_background = global.background;
    let engine = open(global, file.as_deref()).await?;
    let mut request = request(&engine, &ask, file.as_deref())?;
    if ask.last {
        let last = engine.store().conversations().latest("assist").await?;
        let last = last.ok_or_else(|| Stop::usage("There is no conversation here to go on with."))?;
        request.conversation = Some(last.id);
    }
    let host = host_of(&engine, in_background, ask.json, ask.yes);
    let signals = Signals::listen();
    let started = engine.ask(request, Arc::clone(&host) as Arc<dyn Host>).await?;
    if in_background {
        background::begun(started);
    }
    attend(&engine, started, &host, signals).await
}

fn request(engine: &Engine, ask: &Ask, file: Option<&Path>) -> Result<AskRequest, Stop> {
    let mut request = AskRequest {
        intent: if ask.build { Intent::Build } else { ask.intent },
        prompt: ask.prompt.clone(),
        path: None,
        revision: None,
        selection: None,
        diagnostics: Vec::new(),
        conversation: ask.conversation.as_deref().map(conversation).transpose()?,
    };
    if let Some(file) = file {
        let path = engine.workspace().doc_path(file)?;
        if let Some(lines) = &ask.lines {
            let text = engine.workspace().read(&path)?;
            request.selection = Some(selection(&text.text, lines)?);
            request.revision = Some(text.revision);
        }
        request.path = Some(path);
    }
    Ok(request)
}

fn conversation(id: &str) -> Result<ConversationId, Stop> {
    id.parse().map_err(|_| {
        Stop::usage(format!("`{id}` is not a conversation: `assist sessions --json` shows their ids."))
    })
}

/// The whole lines that `A:B` names, from 1, both ends included.
fn selection(text: &str, lines: &str) -> Result<ByteRange, Stop> {
    let malformed =
        || Stop::usage(format!("`--lines {lines}` is not a range of lines: write for example 12:20."));
    let (first, last) = lines.split_once([':', '-']).unwrap_or((lines, lines));
    let first: usize = first.trim().parse().map_err(|_| malformed())?;
    let last: usize = last.trim().parse().map_err(|_| malformed())?;
    if first == 0 || last < first {
        return Err(malformed());
    }
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    // A final newline ends the last line; it does not begin another.
    let count = if text.ends_with('\n') { starts.len() - 1 } else { starts.len() };
    if last > count {
        return Err(Stop::usage(format!("Line {last} is outside the file, which has {count} lines.")));
    }
    let end = starts.get(last).copied().unwrap_or(text.len());
    Ok(ByteRange::new(starts[first - 1], end))
}

#[cfg(test)]
mod tests {
    use super::selection;

    #[track_caller]
    fn check(text: &str, lines: &str, expected: Result<&str, &str>) {
        match (selection(text, lines), expected) {
            (Ok(range), Ok(expected)) => assert_eq!(range.of(text), Some(expected)),
            (Err(stop), Err(expected)) => assert!(stop.message.contains(expected), "{}", stop.message),
            (result, expected) => panic!("{result:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn lines_are_whole_and_counted_from_one() {
        check("a\nb\nc\n", "1:1", Ok("a\n"));
        check("a\nb\nc\n", "2:3", Ok("b\nc\n"));
        check("a\r\nb", "2", Ok("b"));
        check("a\nb\nc\n", "4:4", Err("has 3 lines"));
        check("a", "0:1", Err("not a range"));
        check("a", "2:1", Err("not a range"));
        check("a", "x", Err("not a range"));
    }
}
