//! However a stream is cut into chunks, the verdicts are the same.

use assist_base::DocPath;
use assist_syntax::{Component, Language, Scanned, Scanner, Target, Verdict};

use crate::corpus::{self, ID, apply, corpus, each, stream};
use crate::dice::Dice;

/// A component as it came out of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Judged {
    component: Component,
    verdict: Verdict,
    reasons: Vec<String>,
}

/// What a stream comes to: each component with its verdict and reasons; the talk; the sentinel.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    components: Vec<Judged>,
    talk: String,
    sentinel: bool,
}

fn outcome(chunks: &[&str]) -> Outcome {
    let mut scanner = Scanner::new(Some(ID));
    let mut found = Vec::new();
    for chunk in chunks {
        found.extend(scanner.push(chunk));
    }
    let ending = scanner.finish();
    found.extend(ending.rest);
    found.extend(ending.partial.map(Scanned::Component));
    found.extend(ending.talk.map(Scanned::Talk));
    let mut outcome = Outcome { sentinel: ending.sentinel, ..Outcome::default() };
    for one in found {
        match one {
            Scanned::Talk(talk) => outcome.talk.push_str(&talk),
            Scanned::Component(component) => {
                let path = component.header.path.as_deref().and_then(|path| DocPath::relative(path).ok());
                let language = path.as_ref().and_then(Language::of_path).unwrap_or(Language::TypeScript);
                let (verdict, reasons) = match apply(&component, language, None, &Target::NewFile) {
                    Ok((_, judgement)) => {
                        (judgement.verdict, judgement.reasons.iter().map(ToString::to_string).collect())
                    }
                    Err(error) => (Verdict::Refused, vec![error.to_string()]),
                };
                outcome.components.push(Judged { component, verdict, reasons });
            }
            _ => {}
        }
    }
    outcome
}

fn chunks<'t>(text: &'t str, dice: &mut Dice, most: usize) -> Vec<&'t str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.ceil_char_boundary((1 + dice.roll(most)).min(rest.len()));
        let (chunk, after) = rest.split_at(at);
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

#[test]
fn files_in_any_chunks_get_the_same_verdicts() {
    let corpus = corpus();
    let differing: Vec<String> = each(&corpus.files, |file| {
        let mut dice = Dice::new(corpus::seed(), &format!("chunks {}", file.path));
        let whole = stream(file, &file.text, true);
        let at = dice.place(&whole, 1);
        let same = [whole.as_str(), &whole[..at]].into_iter().all(|text| {
            let expected = outcome(&[text]);
            [1, 7, 40].into_iter().all(|most| outcome(&chunks(text, &mut dice, most)) == expected)
        });
        (!same).then(|| file.path.clone())
    })
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(differing, [] as [String; 0]);
}

/// Pieces that streams are made of, and what looks like them.
const PIECES: [&str; 30] = [
    "/// COMPONENT_START: Hero path=\"src/Hero.tsx\" exports=Hero id=7f3a ///\n",
    "/// COMPONENT_START: Card path=src/Card.ts id=7f3a ///\r\n",
    "/// COMPONENT_START: Other id=none ///\n",
    "/// COMPONENT_END id=7f3a ///\n",
    "/// COMPONENT_END id=7f3a ///",
    "  /// COMPONENT_END id=none ///\n",
    "/// COMPONENT_E",
    "// --- VIBECODER_COMPLETE ---\n",
    "// --- VIBECODER_COMPLETE ---",
    "// --- VIBECODER",
    "```tsx\n",
    "```\n",
    "````\n",
    "`",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "\u{feff}",
    "Here is the component — with “quotes”.\n",
    "export function Hero() {\n  return <p>ü</p>;\n}\n",
    "export const Card = `a ${1} b`;\n",
    "const open = {\n",
    "}\n",
    "/* a comment\n",
    "*/",
    "/",
    "{\"a\": [1, 2]}\n",
    "🦀",
];

#[test]
fn hostile_streams_in_any_chunks_get_the_same_verdicts() {
    let corpus = corpus();
    let cases: Vec<usize> = (0..corpus.scale(20_000, 600)).collect();
    let differing: Vec<String> = each(&cases, |&nth| {
        let mut dice = Dice::new(corpus::seed(), &format!("stream {nth}"));
        let text: String = (0..dice.roll(24)).map(|_| *dice.pick(&PIECES)).collect();
        let expected = outcome(&[&text]);
        [1, 3, 17].into_iter().find_map(|most| {
            let chunks = chunks(&text, &mut dice, most);
            (outcome(&chunks) != expected).then(|| format!("{chunks:?}"))
        })
    })
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(differing, [] as [String; 0]);
}
