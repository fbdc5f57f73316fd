//! The files that are gone over.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use assist_base::DocPath;
use assist_syntax::{
    Candidate, Component, Judgement, Language, PlaceError, Placement, Scanned, Scanner, Target, judge, place,
};
use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;

#[path = "../support/generate.rs"]
mod generate;

/// The id that markers carry here.
pub const ID: &str = "7f3a";
const SENTINEL: &str = "// --- VIBECODER_COMPLETE ---\n";

/// One source.
pub struct File {
    /// Its path below the corpus.
    pub path: String,
    /// Its text: without a byte-order mark, lines ending with `\n`, the last one too.
    pub text: String,
    pub language: Language,
    /// What a plan would call it.
    pub name: String,
    /// What it exports, as far as lines that begin with `export` tell.
    pub exports: Vec<String>,
}

/// All that was found.
pub struct Corpus {
    /// The valid files.
    pub files: Vec<File>,
    pub seen: usize,
    /// The same text as another file.
    pub doubled: usize,
    /// Not UTF-8, or blank.
    pub unread: usize,
    /// What oxc has something against, by itself: not in the set.
    pub invalid: Vec<String>,
    /// Whether this is the full proof.
    pub full: bool,
}

impl Corpus {
    /// How much to do: `full` in the proof, `sample` ordinarily.
    pub fn scale(&self, full: usize, sample: usize) -> usize {
        if self.full { full } else { sample }
    }
}

/// The seed of everything here.
pub fn seed() -> u64 {
    std::env::var("ASSIST_PROVE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121)
}

/// The corpus, read once.
pub fn corpus() -> &'static Corpus {
    static CORPUS: OnceLock<Corpus> = OnceLock::new();
    CORPUS.get_or_init(|| match std::env::var_os("ASSIST_PROVE_CORPUS") {
        Some(folder) => read(&[PathBuf::from(folder)], true),
        None => {
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            let folders = [
                "tests/fixtures/typescript/good.ts",
                "tests/fixtures/tsx/good.tsx",
                "../../editors/vscode/src",
            ];
            let mut corpus = read(&folders.map(|folder| here.join(folder)), false);
            for seed in 0..4 {
                take(&mut corpus, format!("generated/{seed}.tsx"), generate::tsx(seed, 5 << 10));
            }
            corpus
        }
    })
}

fn read(folders: &[PathBuf], full: bool) -> Corpus {
    let mut corpus = Corpus { files: Vec::new(), seen: 0, doubled: 0, unread: 0, invalid: Vec::new(), full };
    let mut texts = HashSet::new();
    for folder in folders {
        let mut paths = Vec::new();
        walk(folder, &mut paths);
        paths.sort();
        for path in paths {
            corpus.seen += 1;
            let bytes = std::fs::read(&path).expect("a file of the corpus can be read");
            let text = match String::from_utf8(bytes) {
                Ok(text) if !text.trim().is_empty() => text,
                _ => {
                    corpus.unread += 1;
                    continue;
                }
            };
            let mut text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
            if !text.ends_with('\n') {
                text.push('\n');
            }
            if !texts.insert(text.clone()) {
                corpus.doubled += 1;
                continue;
            }
            let below = path.strip_prefix(folder).ok().filter(|rest| rest.components().next().is_some());
            let shown = below.unwrap_or(&path).to_string_lossy().replace('\\', "/");
            let shown = shown.rsplit_once("tests/").map_or(shown.as_str(), |(_, rest)| rest).to_owned();
            take(&mut corpus, shown, text);
        }
    }
    corpus
}

fn walk(at: &Path, found: &mut Vec<PathBuf>) {
    if at.is_file() {
        let name = at.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let source = [".ts", ".tsx", ".mts", ".cts"].iter().any(|end| name.ends_with(end));
        if source && ![".d.ts", ".d.mts", ".d.cts"].iter().any(|end| name.ends_with(end)) {
            found.push(at.to_path_buf());
        }
        return;
    }
    let entries = std::fs::read_dir(at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
    for entry in entries {
        let entry = entry.expect("the corpus can be listed");
        let kind = entry.file_type().expect("the corpus can be listed");
        if kind.is_dir() || kind.is_file() {
            walk(&entry.path(), found);
        }
    }
}

fn take(corpus: &mut Corpus, path: String, text: String) {
    let Ok(doc) = DocPath::relative(&path) else { return };
    let Some(language) = Language::of_path(&doc) else { return };
    if !is_valid(language, &text) {
        corpus.invalid.push(path);
        return;
    }
    let exports = exports(&text);
    let name = exports.first().cloned().unwrap_or_else(|| "the-module".to_owned());
    corpus.files.push(File { path, text, language, name, exports });
}

/// Whether oxc, asked without the gate, has nothing against a text.
pub fn is_valid(language: Language, text: &str) -> bool {
    let module = if language == Language::Tsx { SourceType::tsx() } else { SourceType::ts() };
    [module, module.with_script(true)].into_iter().any(|kind| {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, text, kind).parse();
        !parsed.panicked && parsed.diagnostics.errors().next().is_none()
    })
}

/// Bytes of names that a START marker is given; no plan names hundreds.
const MOST_NAMES: usize = 2000;

/// Names in lines that begin with `export`, read by their words alone.
fn exports(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut in_template = false;
    for line in text.lines() {
        let starts_in_template = in_template;
        in_template ^= line.matches('`').count() % 2 == 1;
        let Some(rest) = line.strip_prefix("export ").filter(|_| !starts_in_template) else { continue };
        let mut words =
            rest.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).filter(|w| !w.is_empty());
        let mut kind = words.next();
        let default = kind == Some("default");
        while matches!(kind, Some("declare" | "abstract" | "async" | "default")) {
            kind = words.next();
        }
        if !matches!(
            kind,
            Some("function" | "class" | "const" | "let" | "var" | "interface" | "type" | "enum")
        ) {
            continue;
        }
        let mut name = words.next();
        if kind == Some("const") && name == Some("enum") {
            name = words.next();
        }
        // `const { a, b } =`, `type { A } from` and anonymous functions have no name here.
        let spelled = name.filter(|name| {
            let before = rest.split_once(name).map_or("", |(before, _)| before);
            !before.contains(['{', '[', '(', '=', '<', '/'])
        });
        let Some(name) = spelled else { continue };
        if name == "from" || found.iter().map(String::len).sum::<usize>() > MOST_NAMES {
            continue;
        }
        if !default && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

/// The stream that brings `code` as this file; with `exports`, its START marker names them.
pub fn stream(file: &File, code: &str, exports: bool) -> String {
    let list = if exports && !file.exports.is_empty() {
        format!(" exports={}", file.exports.join(","))
    } else {
        String::new()
    };
    format!(
        "/// COMPONENT_START: {} path=\"{}\"{list} id={ID} ///\n{code}/// COMPONENT_END id={ID} ///\n{SENTINEL}",
        file.name, file.path
    )
}

/// The components of a stream, the unfinished one last, and whether the sentinel was seen.
pub fn scan(text: &str) -> (Vec<Component>, bool) {
    let (scanned, ending) = Scanner::scan(text, Some(ID));
    let all = scanned.into_iter().chain(ending.rest).filter_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    (all.chain(ending.partial).collect(), ending.sentinel)
}

/// Places and judges a component, as a run does.
pub fn apply(
    component: &Component,
    language: Language,
    before: Option<&str>,
    target: &Target,
) -> Result<(Placement, Judgement), PlaceError> {
    let placement = place(before.unwrap_or_default(), Some(language), component, target, None)?;
    let judgement = judge(&Candidate {
        component,
        language: Some(language),
        before,
        placement: &placement,
        top_level: !matches!(target, Target::Selection(_)),
        complete_stream: true,
    });
    Ok((placement, judgement))
}

/// Does `work` for every item, on all processors; the results in the items' order.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(at) else { return done };
                        done.push((at, work(item)));
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no work panics")).collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Prints a table of figures.
pub fn print(title: &str, rows: &[(&str, String)]) {
    println!("\n{title} (seed {})", seed());
    for (what, figure) in rows {
        println!("  {what:<64} {figure}");
    }
}
