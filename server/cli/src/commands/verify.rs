//! `assist verify`: the gate, for scripts: a model's output in, one JSON verdict per component out.

use std::io::Read;

use assist_base::DocPath;
use assist_syntax::{Candidate, Component, Language, Scanned, Scanner, Target, Verdict, judge, place};
use serde_json::json;

use super::print;
use crate::args::Verify;
use crate::exit::{Exit, Stop};

/// More than any model says at once.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Prints the verdicts and a last line with the totals. Done only if everything is whole and the sentinel was seen.
pub fn run(verify: &Verify) -> Result<Exit, Stop> {
    let bytes = match &verify.file {
        Some(file) => {
            let opened = std::fs::File::open(file);
            let opened =
                opened.map_err(|e| Stop::usage(format!("{} cannot be read: {e}.", file.display())))?;
            bounded(opened)?
        }
        None => bounded(std::io::stdin().lock())?,
    };
    let text = String::from_utf8(bytes).map_err(|_| Stop::usage("The input is not UTF-8 text."))?;
    let default_path = match &verify.path {
        Some(path) => Some(DocPath::relative(path).map_err(|error| Stop::usage(format!("{error}.")))?),
        None => None,
    };
    let (scanned, ending) = Scanner::scan(&text, verify.id.as_deref());
    let components = scanned.into_iter().chain(ending.rest).filter_map(|item| match item {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    let (mut whole, mut total) = (0, 0);
    for component in components.chain(ending.partial) {
        let verdict = line(&component, default_path.as_ref());
        total += 1;
        whole += usize::from(verdict["verdict"] == Verdict::Whole.as_str());
        print(&format!("{verdict}\n"));
    }
    print(&format!("{}\n", json!({ "sentinel": ending.sentinel, "whole": whole, "total": total })));
    Ok(if ending.sentinel && total > 0 && whole == total { Exit::Done } else { Exit::Failed })
}

fn bounded(input: impl Read) -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Stop::usage("The input is larger than 64 MB."));
    }
    Ok(bytes)
}

fn line(component: &Component, default_path: Option<&DocPath>) -> serde_json::Value {
    let named = component.header.path.as_deref().map(DocPath::relative);
    let (path, mut refused) = match named {
        Some(Ok(path)) => (Some(path), None),
        Some(Err(error)) => (None, Some(format!("{error}."))),
        None => (default_path.cloned(), None),
    };
    let shown = path.as_ref().map(DocPath::as_str).or(component.header.path.as_deref());
    let answer = |verdict: Verdict, reasons: Vec<String>| {
        json!({
            "component": component.header.name,
            "path": shown,
            "verdict": verdict.as_str(),
            "reasons": reasons,
            "lines": [component.first_line, component.last_line],
        })
    };
    if let Some(reason) = refused.take() {
        return answer(Verdict::Refused, vec![reason]);
    }
    let language = path.as_ref().and_then(Language::of_path);
    let placement = match place("", language, component, &Target::NewFile, None) {
        Ok(placement) => placement,
        Err(error) => return answer(Verdict::Refused, vec![error.to_string()]),
    };
    let judgement = judge(&Candidate {
        component,
        language,
        before: None,
        placement: &placement,
        top_level: true,
        complete_stream: true,
    });
    let mut reasons: Vec<_> = judgement.reasons.iter().map(ToString::to_string).collect();
    // The shape for scripts knows four verdicts: what nobody could judge is not whole.
    let verdict = match judgement.verdict {
        Verdict::Unverified => {
            reasons.push("No judge knows this language; name its file with --path.".to_owned());
            Verdict::Refused
        }
        verdict => verdict,
    };
    answer(verdict, reasons)
}
