//! How often the gate is wrong, by language, over real files.
//!
//! `cargo run --release -p assist-syntax --example corpus -- [--cuts N] [--show N] FOLDER…` takes every file of a known
//! language below the folders (at most 400 KB each, and one of several with the same text) as a component that is a whole
//! file, and prints a table: how many were not whole, and how many of N random cuts of each, given an END all the same,
//! were seen. `--show` lists files that were not whole, with the reason. The files are taken to be valid, which is for
//! whoever chooses the folders to see to.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use assist_base::DocPath;
use assist_syntax::{Candidate, Component, Language, Scanned, Scanner, Target, Verdict, judge, place};

#[derive(Default)]
struct Count {
    files: usize,
    unverified: usize,
    wrong: usize,
    open: usize,
    cuts: usize,
    seen: usize,
    doubted: usize,
    shown: usize,
}

/// A small, seeded generator of numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below.max(1)
    }
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut cuts = 5;
    let mut show = 0;
    let mut folders = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        match argument.as_str() {
            "--cuts" => cuts = number(),
            "--show" => show = number(),
            _ => folders.push(PathBuf::from(argument)),
        }
    }
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    let mut known = HashSet::new();
    let mut dice = Dice(0x2026_1121);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Some((name, text, language)) = read(&path) else { continue };
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            if !known.insert(hasher.finish()) {
                continue;
            }
            let count = counts.entry(language.name()).or_default();
            count.files += 1;
            let (verdict, reasons, open) = verdict(&name, &text, language);
            count.open += usize::from(open);
            match verdict {
                Verdict::Whole => {}
                Verdict::Unverified => count.unverified += 1,
                _ => count.wrong += 1,
            }
            if verdict != Verdict::Whole {
                if count.shown < show {
                    count.shown += 1;
                    writeln!(
                        out,
                        "{}: {verdict}: {}",
                        path.display(),
                        reasons.join(" ").chars().take(300).collect::<String>()
                    )?;
                }
                continue;
            }
            for _ in 0..cuts {
                let mut at = dice.roll(text.trim_end().len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                let cut = text[..at].trim_end();
                if cut.is_empty() {
                    continue;
                }
                count.cuts += 1;
                match self::verdict(&name, &format!("{cut}\n"), language).0 {
                    Verdict::Whole => {}
                    Verdict::Unverified => count.doubted += 1,
                    _ => count.seen += 1,
                }
            }
        }
    }
    writeln!(
        out,
        "| language | files | not whole | of them unverified | scan left open | cuts | seen | unverified |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    for (name, count) in counts {
        let percent = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
        writeln!(
            out,
            "| {name} | {} | {:.2}% | {:.2}% | {:.2}% | {} | {:.1}% | {:.1}% |",
            count.files,
            percent(count.wrong + count.unverified, count.files),
            percent(count.unverified, count.files),
            percent(count.open, count.files),
            count.cuts,
            percent(count.seen, count.cuts),
            percent(count.doubted, count.cuts),
        )?;
    }
    Ok(())
}

fn read(path: &Path) -> Option<(String, String, Language)> {
    let size = path.metadata().ok()?.len();
    if size == 0 || size > 400_000 {
        return None;
    }
    let name = path.file_name()?.to_str()?.to_owned();
    let document = DocPath::relative(&name).ok()?;
    let text = std::fs::read_to_string(path).ok()?.replace("\r\n", "\n");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let language = Language::of_file(&document, text)?;
    // Blank lines at the edges are the merge's to trim.
    let text = format!("{}\n", text.trim_matches('\n').trim_end());
    (!text.trim().is_empty()).then_some((name, text, language))
}

fn verdict(name: &str, text: &str, language: Language) -> (Verdict, Vec<String>, bool) {
    let stream =
        format!("/// COMPONENT_START: file path=\"{name}\" id=c0 ///\n/// COMPONENT_END id=c0 ///\n");
    let (scanned, _) = Scanner::scan(&stream, Some("c0"));
    let found = scanned.into_iter().find_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    let Some(component) = found.map(|component| Component { code: text.to_owned(), ..component }) else {
        return (Verdict::Refused, vec!["its name does not fit a marker".to_owned()], false);
    };
    let placement = match place("", Some(language), &component, &Target::NewFile, None) {
        Ok(placement) => placement,
        Err(error) => return (Verdict::Refused, vec![error.to_string()], false),
    };
    let judgement = judge(&Candidate {
        component: &component,
        language: Some(language),
        before: None,
        placement: &placement,
        top_level: false,
        complete_stream: true,
    });
    let open = !assist_syntax::still_open(text, language).is_empty();
    (judgement.verdict, judgement.reasons.iter().map(ToString::to_string).collect(), open)
}
