//! From a reply of the script to the bytes of an answer.

use std::time::Duration;

use crate::asked::Asked;
use crate::continuation::{continue_at, fill_in, find_cut};
use crate::playback::{Close, Framing, Plan, Step};
use crate::reply::{Ending, Failure, Place, Reply, Stall, Stop, Usage, tokens};
use crate::wire::{self, About, Refusal};

/// The text of an answer before it is cut.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) text: String,
    /// Bytes at the start that are not new.
    repeated: usize,
    /// For a text that can be continued: the full text, and the offset in it where the new part begins.
    pub(crate) of: Option<(String, usize)>,
}

/// Makes the text. `remembered` gives the offsets at which a full text was cut before. `None`: the request does not say
/// where to continue.
pub(crate) fn words(reply: &Reply, asked: &Asked, remembered: impl Fn(&str) -> Vec<usize>) -> Option<Words> {
    if let Some(compute) = &reply.compute {
        return Some(Words { text: (compute.0)(asked), repeated: 0, of: None });
    }
    if let Some(full) = &reply.continue_of {
        let full = fill_in(&full.get(), asked);
        let cut = find_cut(&full, asked, &remembered(&full))?;
        let continuation = continue_at(&full, cut, &reply.manner);
        let of = Some((full, continuation.from));
        return Some(Words { text: continuation.text, repeated: continuation.repeated, of });
    }
    let text = fill_in(&reply.text.get(), asked);
    Some(Words { of: Some((text.clone(), 0)), text, repeated: 0 })
}

impl Words {
    /// The offset in the full text up to which this answer gets when it is cut at `end`.
    pub(crate) fn reached(&self, end: usize) -> Option<(String, usize)> {
        let (full, from) = self.of.as_ref()?;
        let new = end.saturating_sub(self.repeated);
        Some((full.clone(), full.floor_char_boundary((from + new).min(full.len()))))
    }
}

/// The byte offset at which the text is cut; its length if it is not.
pub(crate) fn cut_at(reply: &Reply, words: &Words) -> usize {
    reply.cut.as_ref().map_or(words.text.len(), |cut| cut.at.resolve(&words.text, words.repeated))
}

/// Plans the answer: `end` is where the text is cut.
pub(crate) fn plan(reply: &Reply, words: &Words, end: usize, asked: &Asked, n: usize) -> Plan {
    let wire = wire::of(asked.provider);
    let text = &words.text[..end];
    let reasoning = reply.reasoning.as_deref().unwrap_or_default();
    let usage = reply.usage.unwrap_or_else(|| Usage {
        input: count(&asked.everything()),
        output: count(text) + count(reasoning),
        ..Usage::default()
    });
    let shown = !reply.omit_usage && (asked.stream_usage || !asked.stream);
    let about = About {
        n,
        model: asked.model.clone(),
        ascii: reply.ascii,
        usage: shown.then_some(usage),
        reasoning: !reasoning.is_empty(),
        tools: reply.tools.len(),
    };
    let stop = match reply.cut.as_ref().map(|cut| cut.ending) {
        Some(Ending::LengthStop) => wire.stop_word(&Stop::Length),
        Some(Ending::FalseStop) => wire.stop_word(&Stop::End),
        _ if reply.stop == Stop::End && !reply.tools.is_empty() => wire.stop_word(&Stop::Tool),
        _ => wire.stop_word(&reply.stop),
    };
    let mut headers = Vec::new();
    if let Some(name) = wire.id_header() {
        headers.push((name.to_owned(), format!("req_sim{n:06}")));
    }
    let mut plan = if asked.stream {
        headers.push(("content-type".to_owned(), wire.stream_type().to_owned()));
        headers.push(("cache-control".to_owned(), "no-cache".to_owned()));
        stream(reply, words, end, &about, asked, stop.as_deref(), headers)
    } else {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        whole(reply, wire.whole(&about, reasoning, text, stop.as_deref()), headers)
    };
    if reply.gzip {
        plan.gzip();
    }
    plan.held = reply.stall == Some(Stall::BeforeHeaders);
    if let Some(Stall::UntilAsked { words, times }) = &reply.stall {
        plan.awaits = Some((words.clone(), *times));
    }
    plan.write_bytes = reply.write_bytes;
    if let Some(size) = reply.chunk_bytes {
        plan.rechunk(size);
    }
    plan
}

fn count(text: &str) -> u64 {
    tokens(text).count() as u64
}

/// Something that happens at an offset of the text.
enum Special<'a> {
    Stall,
    Raw(&'a str),
    Error(String),
}

fn stream(
    reply: &Reply,
    words: &Words,
    end: usize,
    about: &About,
    asked: &Asked,
    stop: Option<&str>,
    headers: Vec<(String, String)>,
) -> Plan {
    let wire = wire::of(asked.provider);
    let text = &words.text[..end];
    let resolve = |place: &Place| place.resolve(&words.text, words.repeated);
    let mut specials: Vec<(usize, Special<'_>)> = Vec::new();
    specials.extend(reply.inject.iter().map(|inject| (resolve(&inject.at), Special::Raw(&inject.raw))));
    if let Some(Stall::At(place)) = &reply.stall {
        specials.push((resolve(place), Special::Stall));
    }
    if let Some(error) = &reply.mid_error {
        let event = wire.mid_error(about, &error.kind, &error.message);
        specials.push((resolve(&error.at), Special::Error(event)));
    }
    specials.retain(|(at, _)| *at <= end);
    specials.sort_by_key(|(at, _)| *at);

    let mut steps = Vec::new();
    let event = |text: String| Step::Bytes(text.into_bytes());
    let pause = reply.delay_ms.map(Duration::from_millis);
    steps.extend(wire.opening(about).into_iter().map(event));
    if let Some(reasoning) = reply.reasoning.as_deref().filter(|reasoning| !reasoning.is_empty()) {
        for part in pieces(reasoning, reply.delta_chars, &[]) {
            steps.push(event(wire.reasoning(about, part)));
        }
        steps.extend(wire.after_reasoning(about).into_iter().map(event));
    }
    let mut at = 0;
    let borders: Vec<usize> = specials.iter().map(|(place, _)| *place).collect();
    let mut rest = specials.into_iter().peekable();
    let mut parts = pieces(text, reply.delta_chars, &borders).into_iter();
    let mut plan = Plan {
        status: 200,
        headers,
        framing: Framing::Chunked,
        steps,
        close: Close::Finish,
        write_bytes: None,
        held: false,
        awaits: None,
    };
    loop {
        while let Some((_, special)) = rest.next_if(|(place, _)| *place <= at) {
            match special {
                Special::Stall => plan.steps.push(Step::Stall),
                Special::Raw(raw) => plan.steps.push(event(raw.to_owned())),
                Special::Error(error) => {
                    plan.steps.push(event(error));
                    return plan;
                }
            }
        }
        let Some(part) = parts.next() else { break };
        at += part.len();
        plan.steps.extend(pause.map(Step::Wait));
        plan.steps.push(event(wire.text(about, part)));
    }
    let Some(cut) = &reply.cut else {
        let tools = wire.tools(about, &reply.tools);
        let shown = reply.cut_tools.unwrap_or(tools.len()).min(tools.len());
        plan.steps.extend(tools.into_iter().take(shown).map(event));
        if let Some(Stall::InTools(at)) = reply.stall {
            let before = plan.steps.len() - shown;
            plan.steps.insert(before + at.min(shown), Step::Stall);
        }
        if reply.cut_tools.is_some() {
            return plan;
        }
        plan.steps.extend(wire.closing(about, stop).into_iter().map(event));
        return plan;
    };
    match cut.ending {
        Ending::LengthStop | Ending::FalseStop => {
            plan.steps.extend(wire.closing(about, stop).into_iter().map(event));
        }
        Ending::CleanEnd | Ending::Reset | Ending::UnfinishedBody => {
            let next =
                pieces(&words.text[end..], reply.delta_chars, &[]).first().map(|part| wire.text(about, part));
            let next = next.unwrap_or_else(|| wire.closing(about, stop).concat()).into_bytes();
            plan.steps.push(Step::Bytes(next[..cut.torn.min(next.len())].to_vec()));
        }
    }
    plan.close = close(cut.ending);
    plan
}

fn close(ending: Ending) -> Close {
    match ending {
        Ending::Reset => Close::Reset,
        Ending::UnfinishedBody => Close::Unfinished,
        Ending::CleanEnd | Ending::LengthStop | Ending::FalseStop => Close::Finish,
    }
}

/// The deltas of a text, which also ends one at each of the borders.
fn pieces<'a>(text: &'a str, chars: Option<usize>, borders: &[usize]) -> Vec<&'a str> {
    let mut ends: Vec<usize> = match chars {
        Some(n) => text.char_indices().skip(n.max(1)).step_by(n.max(1)).map(|(at, _)| at).collect(),
        None => tokens(text).map(|(_, end)| end).collect(),
    };
    ends.extend(borders.iter().copied().filter(|at| *at <= text.len()));
    ends.push(text.len());
    ends.sort_unstable();
    let mut start = 0;
    let mut parts = Vec::new();
    for end in ends {
        if end > start {
            parts.push(&text[start..end]);
            start = end;
        }
    }
    parts
}

fn whole(reply: &Reply, body: String, headers: Vec<(String, String)>) -> Plan {
    let length = body.len();
    let mut bytes = body.into_bytes();
    let mut plan = Plan {
        status: 200,
        headers,
        framing: Framing::Length(length),
        steps: Vec::new(),
        close: Close::Finish,
        write_bytes: None,
        held: false,
        awaits: None,
    };
    if let Some(cut) = &reply.cut {
        plan.close = close(cut.ending);
        if !matches!(cut.ending, Ending::LengthStop | Ending::FalseStop) {
            bytes.truncate(length / 2);
        }
        if cut.ending == Ending::CleanEnd {
            plan.framing = Framing::Chunked;
        }
    }
    if matches!(reply.stall, Some(Stall::At(_))) {
        let rest = bytes.split_off(bytes.len() / 2);
        plan.steps = vec![Step::Bytes(bytes), Step::Stall, Step::Bytes(rest)];
    } else {
        plan.steps = vec![Step::Bytes(bytes)];
    }
    plan
}

/// The answer with an error status.
pub(crate) fn fail(failure: &Failure, asked: &Asked, n: usize) -> Plan {
    let refusal = match failure {
        Failure::HangUp => {
            let mut plan = refused(Refusal { status: 0, headers: Vec::new(), body: String::new() });
            plan.framing = Framing::Silence;
            plan.close = Close::Unfinished;
            return plan;
        }
        Failure::Html(status) => Refusal {
            status: *status,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: format!(
                "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
            ),
        },
        Failure::Raw { status, headers, body } => {
            Refusal { status: *status, headers: headers.clone(), body: body.clone() }
        }
        known => wire::of(asked.provider).refuse(n, &asked.model, known),
    };
    refused(refusal)
}

/// An answer that is sent at once.
pub(crate) fn refused(refusal: Refusal) -> Plan {
    Plan {
        status: refusal.status,
        headers: refusal.headers,
        framing: Framing::Length(refusal.body.len()),
        steps: vec![Step::Bytes(refusal.body.into_bytes())],
        close: Close::Finish,
        write_bytes: None,
        held: false,
        awaits: None,
    }
}
