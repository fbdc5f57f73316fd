//! Any component into any file: placed and judged without a panic, and what is not ended is never whole.

#![no_main]

use assist_base::{ByteRange, change::apply_edits};
use assist_syntax::{Candidate, Component, Header, Language, Target, Verdict, judge, place};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, String, String, u8, u16, u16, bool)| {
    let (before, code, name, which, start, len, ended) = input;
    let language = Language::all().nth(usize::from(which) % Language::all().count());
    let header = Header { name, ..Header::default() };
    let component = Component { header, code, first_line: 1, last_line: 1, open: vec![], ended };
    let range = ByteRange::new(usize::from(start), usize::from(start) + usize::from(len));
    for target in [Target::Named, Target::NewFile, Target::Selection(range)] {
        let Ok(placement) = place(&before, language, &component, &target, None) else { continue };
        assert_eq!(apply_edits(&before, &placement.edits).as_ref(), Ok(&placement.after));
        let judgement = judge(&Candidate {
            component: &component,
            language,
            before: Some(&before),
            placement: &placement,
            top_level: !matches!(target, Target::Selection(_)),
            complete_stream: ended,
        });
        assert!(ended || judgement.verdict == Verdict::Truncated);
    }
});
