//! oxc: what it finds wrong in JavaScript and TypeScript, and which names a module declares and exports.
//!
//! oxc decides errors for these languages, because tree-sitter's grammar rejects 3% of valid TypeScript files. Its parser
//! recurses, so text that nests deeper than the stack allows is read on a thread of its own with a stack to match, and
//! beyond that not at all.

mod names;

use std::cell::RefCell;

use assist_base::ByteRange;
use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;
use tree_sitter::Tree;

use crate::languages::Language;
use crate::tree::{self, Fault, MAX_FAULTS};

thread_local! {
    static ARENA: RefCell<Allocator> = RefCell::new(Allocator::default());
}

/// What oxc says of a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// Errors, in order of place; empty if the text is well formed.
    pub faults: Vec<Fault>,
    /// It nests too deeply to be read: nothing is known.
    pub too_deep: bool,
    /// Names declared at the top level.
    pub declared: Vec<String>,
    /// Names exported, `default` among them.
    pub exported: Vec<String>,
    /// `export *` or CommonJS: other names may be exported too.
    pub open_exports: bool,
    /// A default export without a name of its own.
    pub anonymous_default: bool,
    /// Names that are declared or exported twice, where the language allows them once, with the place of the second.
    pub doubled: Vec<Doubled>,
}

/// A name that stands for two things. The parser leaves this to later stages, but an edit must not bring it about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubled {
    pub name: String,
    /// Byte offset of the second.
    pub at: usize,
    /// `declared`, `imported` or `exported`.
    pub how: &'static str,
}

/// Reads `text`. A `tree` of the same text, where there is one, tells how deep it nests.
///
/// `.js` files are read as modules with JSX, then as scripts; TypeScript as a module, then as a declaration file where
/// `declarations` says that it may be one.
pub(crate) fn read(language: Language, text: &str, declarations: bool, tree: Option<&Tree>) -> Reading {
    let kinds: &[SourceType] = match language {
        Language::TypeScript if declarations => &[SourceType::d_ts(), SourceType::ts()],
        Language::TypeScript => &[SourceType::ts(), SourceType::ts().with_script(true)],
        Language::Tsx => &[SourceType::tsx(), SourceType::tsx().with_script(true)],
        _ => &[SourceType::jsx(), SourceType::cjs().with_jsx(true)],
    };
    let deep = Reading { too_deep: true, ..Reading::default() };
    let levels = levels(text, tree);
    if levels <= SAFE_LEVELS {
        return read_as(text, kinds);
    }
    let levels = if levels > MAX_LEVELS {
        on_stack(MAX_LEVELS, || levels_by_parts(text, kinds[0])).flatten()
    } else {
        Some(levels)
    };
    levels.and_then(|levels| on_stack(levels, || read_as(text, kinds))).unwrap_or(deep)
}

/// Does `work` on a stack that holds so many levels; `None` where it cannot be had.
fn on_stack<R: Send>(levels: usize, work: impl FnOnce() -> R + Send) -> Option<R> {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().stack_size((levels + SAFE_LEVELS) * STACK_PER_LEVEL);
        worker.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

/// Levels that any thread's stack holds.
const SAFE_LEVELS: usize = 200;
/// Stack that oxc takes for a level, with a margin of three (measured: 0.3 to 2.5 KB).
const STACK_PER_LEVEL: usize = 8 << 10;
/// A stack of 256 MB of address space; only what is used of it is ever real memory.
const MAX_LEVELS: usize = (256 << 20) / STACK_PER_LEVEL - SAFE_LEVELS;

/// An upper bound of how deep a parser may recurse on `text`.
fn levels(text: &str, tree: Option<&Tree>) -> usize {
    // Nothing recurses without one of these bytes, or a keyword that takes an operand.
    // A tree nests as the text does, but for what it could not place.
    tree.map_or_else(
        || openers(text),
        |tree| {
            let misplaced = |range| text.get(range).map_or(1, openers);
            tree::depth(tree, SAFE_LEVELS) + tree::misplaced(tree).into_iter().map(misplaced).sum::<usize>()
        },
    )
}

/// How often a part may turn out to end in the middle of something before the search for parts is given up.
const MAX_UNFINISHED: usize = 64;

/// A bound for long files that tree-sitter cannot place: that of their longest part.
///
/// A part ends before a line that begins with `export` and is well formed by itself. No statement goes on over that word,
/// so wherever the parser is in a part, it has left those before it. `None` where a part is too deep.
fn levels_by_parts(text: &str, kind: SourceType) -> Option<usize> {
    let mut deepest = 0;
    let mut start = 0;
    let mut unfinished = 0;
    for (at, _) in text.match_indices("\nexport ") {
        let part = text.get(start..=at)?;
        let levels = openers(part);
        if levels > MAX_LEVELS {
            return None;
        }
        if read_once(part, kind).faults.is_empty() {
            deepest = deepest.max(levels);
            start = at + 1;
        } else {
            unfinished += 1;
            if unfinished > MAX_UNFINISHED {
                return None;
            }
        }
    }
    let levels = deepest.max(openers(text.get(start..)?));
    (levels <= MAX_LEVELS).then_some(levels)
}

/// How many nested constructs a text may begin at most.
fn openers(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut openers = 0;
    let mut word = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') {
            continue;
        }
        openers += usize::from(OPENERS[*byte as usize]);
        openers += usize::from(KEYWORDS.contains(&text.get(word..at).unwrap_or_default()));
        word = at + 1;
    }
    openers
}

/// Bytes that may begin a nested construct: brackets, prefix and right-associative operators, what follows a label.
static OPENERS: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"([{<`!~+-?:=*";
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

/// Words that may stand before an operand, a statement or a type that lies in what they begin.
const KEYWORDS: [&str; 31] = [
    "abstract",
    "as",
    "async",
    "asserts",
    "await",
    "case",
    "declare",
    "default",
    "delete",
    "do",
    "else",
    "export",
    "extends",
    "finally",
    "implements",
    "in",
    "infer",
    "instanceof",
    "is",
    "keyof",
    "new",
    "of",
    "readonly",
    "return",
    "satisfies",
    "throw",
    "try",
    "typeof",
    "unique",
    "void",
    "yield",
];

/// Reads `text` as the first of `kinds` that accepts it; otherwise tells what the first had against it.
fn read_as(text: &str, kinds: &[SourceType]) -> Reading {
    let mut first = None;
    for kind in kinds {
        let reading = read_once(text, *kind);
        if reading.faults.is_empty() {
            return reading;
        }
        first.get_or_insert(reading);
    }
    first.unwrap_or_default()
}

fn read_once(text: &str, kind: SourceType) -> Reading {
    ARENA.with_borrow_mut(|arena| {
        let mut reading = Reading::default();
        {
            let parsed = Parser::new(arena, text, kind).parse();
            for error in parsed.diagnostics.errors() {
                let place = error.labels.first().map_or(ByteRange::at(text.len()), |label| {
                    let start = (label.offset() as usize).min(text.len());
                    ByteRange::new(start, (start + label.len() as usize).min(text.len()))
                });
                reading.faults.push(Fault { range: place, message: plain(&error.message) });
            }
            if reading.faults.is_empty() && parsed.panicked {
                reading
                    .faults
                    .push(Fault { range: ByteRange::at(text.len()), message: "the parser gave up".into() });
            }
            names::collect(&parsed.program, &mut reading);
        }
        arena.reset();
        reading.faults.sort_by_key(|fault| fault.range.start);
        reading.faults.truncate(MAX_FAULTS);
        reading
    })
}

/// A parser's message as part of a sentence.
fn plain(message: &str) -> String {
    let message = message.split(" Did you mean").next().unwrap_or(message);
    message.trim().trim_end_matches(['.', '?']).replace('\n', " ")
}
