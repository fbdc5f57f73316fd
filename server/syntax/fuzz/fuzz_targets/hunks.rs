//! Any hunks into any file: put in or refused without a panic, and the edits lead to the text that is promised.

#![no_main]

use assist_base::change::apply_edits;
use assist_syntax::{Language, Scanner, Scanned, hunks};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, String, bool)| {
    let (before, code, diff) = input;
    let body = if diff { code } else { format!("<<<<<<< SEARCH\n{code}\n>>>>>>> REPLACE\n") };
    let text = format!("/// EDIT_START: path=\"src/a.ts\" id=7f3a ///\n{body}/// EDIT_END id=7f3a ///\n");
    let (scanned, ending) = Scanner::scan(&text, None);
    let blocks = scanned.into_iter().chain(ending.rest).filter_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    for block in blocks.chain(ending.partial) {
        let Ok(files) = hunks::parse(&block, None) else { continue };
        for file in files {
            if let Ok(edited) = hunks::edit(Some(&before), Some(Language::TypeScript), &file.hunks, diff) {
                assert_eq!(apply_edits(&before, &edited.edits).as_ref(), Ok(&edited.after));
            }
        }
    }
});
