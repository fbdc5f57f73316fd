//! Whole files pass, cut ones do not.

use assist_base::ByteRange;
use assist_syntax::{Kind, Target, Verdict, outline};

use crate::corpus::{self, Corpus, File, apply, corpus, each, print, scan, stream};
use crate::dice::Dice;

#[test]
fn a_whole_file_is_never_called_broken() {
    let corpus = corpus();
    assert!(corpus.files.len() >= corpus.scale(3000, 10), "{} files", corpus.files.len());
    let alarms: Vec<String> = each(&corpus.files, |file| {
        let (components, sentinel) = scan(&stream(file, &file.text, true));
        let [component] = &components[..] else { return Some(format!("{}: not one component", file.path)) };
        if !sentinel || component.code != file.text {
            return Some(format!("{}: the scanner changed it", file.path));
        }
        match apply(component, file.language, None, &Target::NewFile) {
            Ok((_, judgement)) if judgement.verdict == Verdict::Whole => None,
            Ok((_, judgement)) => {
                Some(format!("{}: {} {:?}", file.path, judgement.verdict, judgement.reasons))
            }
            Err(error) => Some(format!("{}: {error}", file.path)),
        }
    })
    .into_iter()
    .flatten()
    .collect();
    let lines: usize = corpus.files.iter().map(|file| file.text.lines().count()).sum();
    let tsx = corpus.files.iter().filter(|file| file.path.ends_with("x")).count();
    print(
        "whole files",
        &[
            ("files found", corpus.seen.to_string()),
            ("of them the same as another", corpus.doubled.to_string()),
            ("blank, or not UTF-8", corpus.unread.to_string()),
            ("not accepted by oxc itself", corpus.invalid.len().to_string()),
            ("judged", format!("{} ({tsx} TSX), {lines} lines", corpus.files.len())),
            ("false alarms", alarms.len().to_string()),
        ],
    );
    for alarm in &alarms {
        println!("    {alarm}");
    }
    for path in &corpus.invalid {
        println!("    not accepted by oxc: {path}");
    }
    assert!(alarms.is_empty());
}

#[derive(Default, Clone, Copy)]
struct Cuts {
    streams: usize,
    unnoticed: usize,
    forged: usize,
    /// Passed with an END put right after the cut, by what the marker promised.
    passed_by_name: usize,
    passed_by_exports: usize,
    only_comments: usize,
    in_place: usize,
    passed_in_place: usize,
    selected: usize,
    passed_selected: usize,
    broken: usize,
}

#[test]
fn a_cut_file_is_never_applied_broken() {
    let corpus = corpus();
    let counts = each(&corpus.files, |file| cut(corpus, file));
    let sum = |field: fn(&Cuts) -> usize| counts.iter().map(field).sum::<usize>();
    let share =
        |part: usize, of: usize| format!("{part} of {of} ({:.3} %)", part as f64 * 100.0 / of.max(1) as f64);
    let (streams, forged) = (sum(|c| c.streams), sum(|c| c.forged));
    print(
        "cut files",
        &[
            ("cut streams that were noticed by their markers alone", {
                share(streams - sum(|c| c.unnoticed), streams)
            }),
            ("END forged after the cut: noticed by the gate, exports named", {
                share(forged - sum(|c| c.passed_by_exports), forged)
            }),
            ("END forged after the cut: noticed by the gate, one name", {
                share(forged - sum(|c| c.passed_by_name), forged)
            }),
            ("of those passed, nothing but comments was lost", sum(|c| c.only_comments).to_string()),
            ("a declaration cut, END forged, placed by name: noticed", {
                share(sum(|c| c.in_place) - sum(|c| c.passed_in_place), sum(|c| c.in_place))
            }),
            ("the same in the place of a selection: noticed", {
                share(sum(|c| c.selected) - sum(|c| c.passed_selected), sum(|c| c.selected))
            }),
            ("passed and broken", sum(|c| c.broken).to_string()),
        ],
    );
    assert_eq!(sum(|c| c.unnoticed), 0);
    assert_eq!(sum(|c| c.broken), 0);
}

fn cut(corpus: &Corpus, file: &File) -> Cuts {
    let mut dice = Dice::new(corpus::seed(), &file.path);
    let mut counts = Cuts::default();
    let whole = stream(file, &file.text, true);
    for _ in 0..corpus.scale(20, 6) {
        let at = dice.place(&whole[..whole.len() - 1], 1);
        let (components, sentinel) = scan(&whole[..at]);
        counts.streams += 1;
        let all_whole = components.iter().all(|component| {
            let judged = apply(component, file.language, None, &Target::NewFile);
            let passed = judged.is_ok_and(|(_, judgement)| judgement.verdict == Verdict::Whole);
            // Only a component that is all there may pass.
            counts.broken += usize::from(passed && component.code != file.text);
            passed
        });
        counts.unnoticed += usize::from(sentinel && all_whole);

        let code = &file.text[..dice.place(file.text.trim_end(), 1)];
        counts.forged += 1;
        if forged(file, code, false, &mut counts.broken) {
            counts.passed_by_name += 1;
            let passed = forged(file, code, true, &mut counts.broken);
            counts.passed_by_exports += usize::from(passed);
            counts.only_comments += usize::from(passed && is_comment(&file.text[code.len()..]));
        }
    }
    let own = outline(&file.text, file.language);
    let own: Vec<_> = own
        .into_iter()
        .filter(|one| one.depth == 0 && one.range.len() > 80 && one.kind != Kind::Module)
        .filter(|one| own_line(&file.text, one.range))
        .collect();
    for _ in 0..corpus.scale(5, 2).min(own.len() * 5) {
        let one = dice.pick(&own);
        let text = &file.text[one.range.start..one.range.end];
        let code = &text[..dice.place(text, 1)];
        let named = File {
            name: one.name.clone(),
            exports: Vec::new(),
            path: file.path.clone(),
            text: String::new(),
            language: file.language,
        };
        let (components, _) = scan(&stream(&named, &format!("{code}\n"), false));
        let Some(component) = components.first() else { continue };
        for (target, tried, passed) in [
            (Target::Named, &mut counts.in_place, &mut counts.passed_in_place),
            (Target::Selection(one.range), &mut counts.selected, &mut counts.passed_selected),
        ] {
            *tried += 1;
            let Ok((placement, judgement)) = apply(component, file.language, Some(&file.text), &target)
            else {
                continue;
            };
            if judgement.verdict == Verdict::Whole {
                *passed += 1;
                counts.broken += usize::from(!corpus::is_valid(file.language, &placement.after));
            }
        }
    }
    counts
}

/// Whether the gate passes this beginning of a file with an END after it.
fn forged(file: &File, code: &str, exports: bool, broken: &mut usize) -> bool {
    let (components, _) = scan(&stream(file, &format!("{code}\n"), exports));
    let [component] = &components[..] else { return false };
    let Ok((placement, judgement)) = apply(component, file.language, None, &Target::NewFile) else {
        return false;
    };
    let passed = judgement.verdict == Verdict::Whole;
    *broken += usize::from(passed && !corpus::is_valid(file.language, &placement.after));
    passed
}

fn is_comment(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines.all(|line| {
        line.is_empty() || line.starts_with("//") || line.starts_with('*') || line.starts_with("/*")
    })
}

/// Whether nothing else stands on the lines of a range.
pub fn own_line(text: &str, range: ByteRange) -> bool {
    let before = text[..range.start].rsplit('\n').next().unwrap_or_default();
    let after = text[range.end..].split('\n').next().unwrap_or_default();
    before.is_empty() && after.trim().trim_matches(';').is_empty()
}
