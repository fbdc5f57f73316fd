//! Any text, in any chunks, gives the same components, and the scanner does not panic.

#![no_main]

use assist_syntax::{Component, Scanned, Scanner};
use libfuzzer_sys::fuzz_target;

fn components(chunks: impl Iterator<Item = impl AsRef<str>>, id: Option<&str>) -> (Vec<Component>, bool) {
    let mut scanner = Scanner::new(id);
    let mut found: Vec<Scanned> = chunks.flat_map(|chunk| scanner.push(chunk.as_ref())).collect();
    let ending = scanner.finish();
    found.extend(ending.rest);
    let whole = found.into_iter().filter_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    (whole.chain(ending.partial).collect(), ending.sentinel)
}

fuzz_target!(|input: (String, u8, bool)| {
    let (text, size, with_id) = input;
    let id = with_id.then_some("7f3a");
    let all = components(std::iter::once(&text), id);
    let mut rest = text.as_str();
    let chunks = std::iter::from_fn(|| {
        let at = rest.ceil_char_boundary((usize::from(size % 32) + 1).min(rest.len()));
        let (chunk, after) = rest.split_at(at);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    });
    assert_eq!(components(chunks, id), all);
});
