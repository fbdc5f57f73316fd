//! Cut answers and their continuations: joined at the right place, or not at all.

use assist_syntax::{Target, Verdict, stitch};

use crate::corpus::{self, apply, corpus, each, print, scan, stream};
use crate::dice::Dice;

/// How a continuation is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Exact,
    Fenced,
    Remark,
    FencedRemark,
    BlankLines,
    /// The START marker stands before the repetition.
    Marker,
    /// What is repeated is indented further, the rest is not.
    Shifted,
    /// All of it is indented further.
    ShiftedAll,
    /// Every second word of what is repeated is another.
    Reworded,
    /// One word of what is repeated is another.
    OneWord,
    /// All of the answer from its START marker.
    Restart,
}

use Manner::{
    BlankLines, Exact, Fenced, FencedRemark, Marker, OneWord, Remark, Restart, Reworded, Shifted, ShiftedAll,
};

const MANNERS: [Manner; 11] = [
    Exact,
    Fenced,
    Remark,
    FencedRemark,
    BlankLines,
    Marker,
    Shifted,
    ShiftedAll,
    Reworded,
    OneWord,
    Restart,
];
/// Those that repeat exactly.
const FAITHFUL: [Manner; 6] = [Exact, Fenced, Remark, FencedRemark, BlankLines, Marker];
const OVERLAPS: [usize; 18] = [0, 1, 3, 5, 8, 11, 12, 15, 20, 30, 40, 60, 100, 130, 160, 200, 300, 1000];
const REMARKS: [&str; 4] = [
    "Sure, here is the rest:\n\n",
    "Continuing from where it was cut off:\n",
    "I apologize for the interruption. Here is the remainder of the component.\n\n",
    "Here's the continuation, starting with the last characters:\n\n",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    Refused,
    Exact,
    /// At a wrong place, and the gate noticed.
    Noticed,
    /// At a wrong place, and the gate passed it.
    Applied,
}

#[test]
fn a_continuation_is_joined_at_the_right_place_or_not_at_all() {
    let corpus = corpus();
    let cases: Vec<usize> = (0..corpus.scale(30_000, 3_000)).collect();
    let results = each(&cases, |&nth| {
        let mut dice = Dice::new(corpus::seed(), &format!("joint {nth}"));
        let file = dice.pick(&corpus.files);
        let manner = *dice.pick(&MANNERS);
        let overlap = if dice.roll(3) == 0 { dice.roll(260) } else { *dice.pick(&OVERLAPS) };
        let whole = stream(file, &file.text, true);
        let code_from = whole.find('\n').map_or(0, |at| at + 1);
        let end = code_from + file.text.len() + 24;
        let cut = dice.place(&whole[..end], (code_from + 20).min(end - 1));
        let (received, rest) = whole.split_at(cut);
        // No more can be repeated than there is of the code.
        let from =
            received.char_indices().rev().nth(overlap.max(1) - 1).map_or(0, |(at, _)| at).max(code_from);
        let repeated = if overlap == 0 { "" } else { &received[from..] };
        let overlap = repeated.chars().count();
        let (continuation, expected) = write(manner, &mut dice, received, repeated, rest);
        let joint = match stitch(received, &continuation) {
            Err(_) => Joint::Refused,
            Ok(joined) if joined.text == expected => Joint::Exact,
            // How far the model indents what is new is its own affair; the place is what counts.
            Ok(joined) if manner == ShiftedAll && same_words(&joined.text, &expected) => Joint::Exact,
            Ok(joined) => {
                let (components, _) = scan(&joined.text);
                let judged = components.first().map(|found| {
                    // A fence after the code is the scanner's to take away.
                    (found, apply(found, file.language, None, &Target::NewFile))
                });
                match judged {
                    Some((found, _)) if found.ended && found.code == file.text => Joint::Exact,
                    Some((_, Ok((_, judgement)))) if judgement.verdict == Verdict::Whole => Joint::Applied,
                    _ => Joint::Noticed,
                }
            }
        };
        if joint == Joint::Applied {
            println!("    applied: case {nth}, {}, {manner:?}, {overlap} repeated, cut at {cut}", file.path);
            println!(
                "    received …{:?}\n    continued {:?}…",
                &received[from..],
                &continuation[..continuation.floor_char_boundary(400)]
            );
        }
        (manner, overlap, joint)
    });
    let count = |pick: &dyn Fn(Manner, usize) -> bool, joint: Option<Joint>| {
        let wanted = |r: &&(Manner, usize, Joint)| pick(r.0, r.1) && joint.is_none_or(|joint| joint == r.2);
        results.iter().filter(wanted).count()
    };
    let faithful = |manner: Manner| FAITHFUL.contains(&manner);
    let mut rows: Vec<(String, String)> = Vec::new();
    let bands = [(0, 11), (12, 29), (30, 99), (100, 199), (200, usize::MAX)];
    for (low, high) in bands {
        let pick = move |manner: Manner, overlap: usize| faithful(manner) && (low..=high).contains(&overlap);
        let of = |joint| count(&pick, Some(joint));
        let high = if high == usize::MAX { "…".to_owned() } else { high.to_string() };
        rows.push((
            format!("{low} to {high} characters repeated as they are"),
            format!(
                "{} cases: {} exact, {} refused, {} wrong and noticed, {} wrong and applied",
                count(&pick, None),
                of(Joint::Exact),
                of(Joint::Refused),
                of(Joint::Noticed),
                of(Joint::Applied)
            ),
        ));
    }
    for manner in MANNERS {
        let pick = move |other: Manner, _: usize| other == manner;
        let of = |joint| count(&pick, Some(joint));
        rows.push((
            format!("{manner:?}, all lengths"),
            format!(
                "{} cases: {} exact, {} refused, {} wrong and noticed, {} wrong and applied",
                count(&pick, None),
                of(Joint::Exact),
                of(Joint::Refused),
                of(Joint::Noticed),
                of(Joint::Applied)
            ),
        ));
    }
    let long = |manner: Manner, overlap: usize| faithful(manner) && overlap >= 100;
    let (exact, all) = (count(&long, Some(Joint::Exact)), count(&long, None));
    rows.push((
        "byte-exact with 100 characters or more".to_owned(),
        format!("{exact} of {all} ({:.2} %)", exact as f64 * 100.0 / all.max(1) as f64),
    ));
    let rows: Vec<(&str, String)> =
        rows.iter().map(|(what, figure)| (what.as_str(), figure.clone())).collect();
    print("continuations", &rows);
    assert_eq!(count(&|_, _| true, Some(Joint::Applied)), 0);
    assert!(exact * 100 >= all * 99, "{exact} of {all}");
}

/// Whether two texts differ in nothing but the indentation of their lines.
fn same_words(one: &str, other: &str) -> bool {
    one.lines().map(str::trim_start).eq(other.lines().map(str::trim_start))
}

/// The continuation, and the stream that it makes when it is joined at the right place.
fn write(manner: Manner, dice: &mut Dice, received: &str, repeated: &str, rest: &str) -> (String, String) {
    let whole = format!("{received}{rest}");
    let plain = format!("{repeated}{rest}");
    let start = received.split_inclusive('\n').next().unwrap_or_default();
    let shift = |text: &str| -> String {
        let lines = text.split_inclusive('\n');
        lines
            .map(|line| if line.trim().is_empty() { line.to_owned() } else { format!("    {line}") })
            .collect()
    };
    match manner {
        Exact => (plain, whole),
        Fenced => (format!("```tsx\n{plain}```\n"), format!("{whole}```\n")),
        Remark => (format!("{}{plain}", dice.pick(&REMARKS)), whole),
        FencedRemark => {
            (format!("{}```typescript\n{plain}```\n", dice.pick(&REMARKS)), format!("{whole}```\n"))
        }
        BlankLines => (format!("\n\n{plain}"), whole),
        Marker => (format!("{start}{plain}"), whole),
        Shifted => (format!("{}{rest}", shift(repeated)), whole),
        ShiftedAll => {
            // Markers stay where they are, as in an answer whose code alone was moved.
            let end = rest.find("/// COMPONENT_END").unwrap_or(rest.len());
            let code = format!("{repeated}{}", &rest[..end]);
            let moved = shift(&code);
            // The line that was cut goes on as it is; those after it are moved.
            let first =
                if received.ends_with('\n') { 0 } else { rest[..end].find('\n').map_or(end, |at| at + 1) };
            let expected =
                format!("{received}{}{}{}", &rest[..first], shift(&rest[first..end]), &rest[end..]);
            (format!("{moved}{}", &rest[end..]), expected)
        }
        Reworded => (format!("{}{rest}", reword(repeated, |nth| nth % 2 == 0)), whole),
        OneWord => {
            let words = repeated.split_whitespace().count();
            let which = dice.roll(words);
            (format!("{}{rest}", reword(repeated, |nth| nth == which)), whole)
        }
        Restart => (whole.clone(), whole),
    }
}

/// The text with some of its words changed, by their numbers.
fn reword(text: &str, changes: impl Fn(usize) -> bool) -> String {
    let mut nth = 0;
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let bare = word.trim_end();
            if bare.is_empty() {
                return word.to_owned();
            }
            nth += 1;
            // From its first letter on: what is added to its end would be new text after a faithful repetition.
            let other = if bare.starts_with('z') { "q" } else { "z" };
            if changes(nth - 1) { format!("{other}{word}") } else { word.to_owned() }
        })
        .collect()
}
