//! However a stream of edit blocks is cut into chunks, its hunks find the same places and get the same verdicts, in Rust, Go
//! and Python.

use assist_base::DocPath;
use assist_syntax::hunks::{self, Edited};
use assist_syntax::{Block, Component, Language, Scanned, Scanner, Verdict, judge_edits};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const ID: &str = "7f3a";

/// A file with the lines that hunks are made of. Some stand in it twice.
struct Sample {
    path: &'static str,
    text: &'static str,
}

const SAMPLES: [Sample; 3] = [
    Sample {
        path: "src/lib.rs",
        text: "use std::fmt;\n\n/// One.\npub fn one(x: &str) -> String {\n    let mut out = String::new();\n    for c in x.chars() {\n        out.push(c);\n    }\n    out\n}\n\n/// Two: `'a` is no letter.\npub fn two<'a>(x: &'a str) -> String {\n    let mut out = String::new();\n    for c in x.chars() {\n        out.push(c);\n        out.push('{');\n    }\n    out\n}\n",
    },
    Sample {
        path: "cmd/main.go",
        text: "package main\n\nimport \"fmt\"\n\n// One is one.\nfunc One(x string) string {\n\tout := \"\"\n\tfor _, c := range x {\n\t\tout += string(c)\n\t}\n\treturn out\n}\n\nfunc main() {\n\tout := \"\"\n\tfor _, c := range `{é` {\n\t\tout += string(c)\n\t}\n\tfmt.Println(One(out))\n}\n",
    },
    Sample {
        path: "app/main.py",
        text: "import os\n\n\ndef one(x: str) -> str:\n    \"\"\"One: '{'.\"\"\"\n    out = ''\n    for c in x:\n        out += c\n    return out\n\n\ndef two(x: str) -> str:\n    out = ''\n    for c in x:\n        out += c\n        out += os.sep\n    return f\"{out}\"\n",
    },
];

impl Sample {
    fn language(&self) -> Option<Language> {
        Language::of_path(&self.doc())
    }

    fn doc(&self) -> DocPath {
        DocPath::relative(self.path).expect("a path of the workspace")
    }
}

/// What becomes of the lines that a hunk names.
#[derive(Debug, Clone, Copy)]
enum Change {
    Rename,
    Open,
    Close,
    Indent,
    Repeat,
    Elide,
    Remove,
    Nothing,
}

/// One hunk: which lines, how many, what they become, and how it is written.
#[derive(Debug, Clone)]
struct Wish {
    /// The first line, counted round.
    at: usize,
    lines: usize,
    change: Change,
    /// The white space of its lines is shifted.
    shifted: bool,
    /// It names lines that are not there.
    lost: bool,
    numbered: bool,
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let change = select(vec![
        Change::Rename,
        Change::Rename,
        Change::Open,
        Change::Close,
        Change::Indent,
        Change::Repeat,
        Change::Elide,
        Change::Remove,
        Change::Nothing,
    ]);
    let rare = || prop::bool::weighted(0.15);
    let wish = (0_usize..400, 1_usize..5, change, rare(), rare(), rare());
    let wish = wish.prop_map(|(at, lines, change, shifted, lost, numbered)| Wish {
        at,
        lines,
        change,
        shifted,
        lost,
        numbered,
    });
    prop::collection::vec(wish, 1..4)
}

impl Wish {
    fn written(&self, text: &str, as_diff: bool) -> String {
        let all: Vec<&str> = text.lines().collect();
        let start = self.at % all.len();
        let mut old: Vec<String> =
            all[start..(start + self.lines).min(all.len())].iter().map(|&line| line.to_owned()).collect();
        if self.lost {
            old.push("nowhere at all".to_owned());
        }
        if self.shifted {
            old = old.iter().map(|line| format!("  {line}")).collect();
        }
        let mut new = old.clone();
        match self.change {
            Change::Rename => new.iter_mut().for_each(|line| *line = line.replace("out", "result")),
            Change::Open => new.push("    broken((".to_owned()),
            Change::Close => new.push("}".to_owned()),
            Change::Indent => new.iter_mut().for_each(|line| line.insert(0, '\t')),
            Change::Repeat => new.extend(old.clone()),
            Change::Elide => new.push("    # ...".to_owned()),
            Change::Remove => new.clear(),
            Change::Nothing => {}
        }
        if as_diff {
            let signed = |sign: char, lines: &[String]| -> String {
                lines.iter().map(|line| format!("{sign}{line}\n")).collect()
            };
            return format!("@@ -1,1 +1,1 @@\n{}{}", signed('-', &old), signed('+', &new));
        }
        let line = if self.numbered { format!(" line={}", start + 1) } else { String::new() };
        let joined = |lines: &[String]| -> String { lines.iter().map(|line| format!("{line}\n")).collect() };
        format!("/// SEARCH{line} id={ID} ///\n{}/// REPLACE id={ID} ///\n{}", joined(&old), joined(&new))
    }
}

/// An answer of one edit block for each sample that is wanted.
fn answer(blocks: &[(usize, Vec<Wish>, bool)], windows: bool, fenced: bool) -> String {
    let mut text = "Some lines change — no more.\n\n".to_owned();
    for (nth, wishes, as_diff) in blocks {
        let sample = &SAMPLES[*nth % SAMPLES.len()];
        let inner: String = wishes.iter().map(|wish| wish.written(sample.text, *as_diff)).collect();
        let inner = match as_diff {
            true => format!("--- a/{0}\n+++ b/{0}\n{inner}", sample.path),
            false => inner,
        };
        let inner = if fenced { format!("```\n{inner}```\n") } else { inner };
        let path = sample.path;
        text.push_str(&format!(
            "/// EDIT_START: path=\"{path}\" id={ID} ///\n{inner}/// EDIT_END id={ID} ///\n"
        ));
    }
    text.push_str("// --- VIBECODER_COMPLETE ---\n");
    if windows { text.replace('\n', "\r\n") } else { text }
}

/// What becomes of one file.
#[derive(Debug, PartialEq)]
enum Fate {
    Judged { edited: Edited, verdict: Verdict, reasons: Vec<String> },
    Refused(Vec<String>),
}

/// What a stream comes to.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    talk: String,
    blocks: Vec<Component>,
    sentinel: bool,
    partial: bool,
    unusable: Vec<String>,
    files: Vec<(String, Fate)>,
}

fn outcome<'t>(chunks: impl IntoIterator<Item = &'t str>) -> Outcome {
    let mut scanner = Scanner::new(Some(ID));
    let mut found = Vec::new();
    for chunk in chunks {
        found.extend(scanner.push(chunk));
    }
    let ending = scanner.finish();
    found.extend(ending.rest);
    found.extend(ending.talk.map(Scanned::Talk));
    let mut outcome =
        Outcome { sentinel: ending.sentinel, partial: ending.partial.is_some(), ..Outcome::default() };
    for one in found {
        match one {
            Scanned::Talk(talk) => outcome.talk.push_str(&talk),
            Scanned::Component(component) if component.header.block == Block::Edits => {
                outcome.blocks.push(component);
            }
            _ => {}
        }
    }
    match hunks::gather(&outcome.blocks, Some(ID), None) {
        Ok(files) => outcome.files.extend(files.iter().map(|file| (file.path.to_string(), fate(file)))),
        Err(unusable) => outcome.unusable.extend(unusable.into_iter().map(|one| one.reason)),
    }
    outcome
}

fn fate(file: &hunks::Gathered) -> Fate {
    let sample = SAMPLES.iter().find(|sample| sample.path == file.path.as_str());
    let text = sample.map(|sample| sample.text);
    match hunks::edit(text, Language::of_path(&file.path), &file.hunks, false) {
        Ok(edited) => {
            let judged = judge_edits(&file.path, text, &edited, file.lines);
            let reasons = judged.reasons.iter().map(ToString::to_string).collect();
            Fate::Judged { edited, verdict: judged.verdict, reasons }
        }
        Err(refused) => Fate::Refused(refused.iter().map(|one| one.why.to_string()).collect()),
    }
}

/// Cuts a text into pieces of these many characters.
fn cut<'t>(text: &'t str, sizes: &[usize]) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let size = sizes[pieces.len() % sizes.len()];
        let end = rest.char_indices().nth(size).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_chunking_gives_the_same_verdicts(
        blocks in prop::collection::vec((0_usize..3, wishes(), prop::bool::weighted(0.2)), 1..4),
        windows in prop::bool::weighted(0.2),
        fenced in prop::bool::weighted(0.2),
        end in prop::option::weighted(0.3, any::<Index>()),
        sizes in prop::collection::vec(1_usize..60, 1..12),
    ) {
        let whole = answer(&blocks, windows, fenced);
        // Some answers break off.
        let end = end.map_or(whole.len(), |end| whole.floor_char_boundary(end.index(whole.len())));
        let text = &whole[..end];
        let expected = outcome([text]);
        prop_assert_eq!(&outcome(cut(text, &sizes)), &expected);
        prop_assert_eq!(&outcome(cut(text, &[1])), &expected);
    }
}

/// What the property says is not said of refusals alone: each language has hunks that are whole, broken and refused.
#[test]
fn each_language_has_every_fate_in_any_chunks() {
    for (nth, sample) in SAMPLES.iter().enumerate() {
        assert!(sample.language().is_some());
        // The last line of `one`, which stands nowhere else with the line after it.
        let last =
            sample.text.lines().position(|line| line.trim_start() == "out" || line.ends_with("return out"));
        let wish = |change, lost| Wish {
            at: last.expect("it is there"),
            lines: 3,
            change,
            shifted: false,
            lost,
            numbered: false,
        };
        let mut fates = Vec::new();
        for wish in [wish(Change::Rename, false), wish(Change::Open, false), wish(Change::Rename, true)] {
            let text = answer(&[(nth, vec![wish], false)], false, false);
            let expected = outcome([text.as_str()]);
            for size in 1..50 {
                assert_eq!(outcome(cut(&text, &[size])), expected, "{}: chunks of {size}", sample.path);
            }
            fates.push(match &expected.files[0].1 {
                Fate::Judged { verdict, .. } => verdict.as_str(),
                Fate::Refused(_) => "no place",
            });
        }
        assert_eq!(fates, ["whole", "malformed", "no place"], "{}", sample.path);
    }
}
