//! Any two texts: joined or refused without a panic; all that was received stays, but for a component begun anew.

#![no_main]

use assist_syntax::{Seam, stitch, tail};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, String, u16)| {
    let (received, rest, overlap) = input;
    let from = received.floor_char_boundary(received.len().saturating_sub(usize::from(overlap)));
    for continuation in [rest.clone(), format!("{}{rest}", &received[from..]), format!("{}{rest}", tail(&received))] {
        if let Ok(stitched) = stitch(&received, &continuation)
            && stitched.seam != Seam::Restarted
        {
            let known = received.replace("\r\n", "\n");
            assert!(stitched.text.starts_with(known.trim_end_matches('\r')));
        }
    }
});
