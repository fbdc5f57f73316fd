//! What a text declares: names, kinds and places, by `queries/<lang>/components.scm`.
//!
//! A query names a declaration with `@name` (and `@of` before it, for `Display for Order`) and its whole extent (with `export` and decorators) with `@<kind>`. Where
//! patterns overlap, the widest extent of a name counts, and the kind of the earliest pattern.

use std::fmt;

use assist_base::ByteRange;
use tree_sitter::{QueryCursor, StreamingIterator, Tree};

use crate::languages::{Language, Layout};
use crate::{injection, tree};

macro_rules! kinds {
    ($($kind:ident $name:literal $words:literal),* $(,)?) => {
        /// What kind of thing a declaration is: with the name, what identifies it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $words] $kind,)*
        }

        impl Kind {
            /// The name of the kind, as queries spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The kind of a capture.
            fn of_capture(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

kinds! {
    Function "function" "A function, also one held by a constant.",
    Class "class" "A class.",
    Method "method" "A function that belongs to something.",
    Property "property" "A field or member.",
    Interface "interface" "An interface.",
    Type "type" "A type alias.",
    Enum "enum" "An enumeration.",
    Struct "struct" "A struct or union.",
    Trait "trait" "A trait.",
    Impl "impl" "An implementation block, by the type it is for.",
    Module "module" "A module or namespace.",
    Macro "macro" "A macro.",
    Variable "variable" "A variable or constant.",
    Rule "rule" "A style rule, by its selector.",
    Element "element" "An element, by its id or its name.",
    Key "key" "A member of a JSON object, or its like in other data.",
    Table "table" "A table or view of a database, or a table of a TOML file.",
    Heading "heading" "A section of a document, by its heading.",
    Stage "stage" "A stage of a container's build.",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Kind {
    /// Whether a declaration of this kind and one of `other` would stand for the same name in a program: a function may
    /// become a constant, but an interface lives beside the function of its name.
    pub(crate) fn shares_names_with(self, other: Self) -> bool {
        use Kind::{Class, Enum, Function, Interface, Struct, Type, Variable};
        let value = |kind| matches!(kind, Function | Class | Variable | Enum);
        let type_ = |kind| matches!(kind, Interface | Type | Struct | Enum);
        self == other || (value(self) && value(other)) || (type_(self) && type_(other))
    }
}

/// A declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlined {
    /// Its name as the text spells it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// All of it, with `export` and decorators, without comments above it.
    pub range: ByteRange,
    /// How many other declarations it lies in, at least 1 within any block or call: 0 is the top level.
    pub depth: usize,
}

/// What `text` declares, in order of place, outer before inner: scripts, styles and fenced code inside it included.
pub fn outline(text: &str, language: Language) -> Vec<Outlined> {
    let Some(tree) = tree::parse(language, text) else { return Vec::new() };
    let mut found = of_tree(&tree, text, language);
    let pieces = injection::embedded(&tree, text, language);
    if pieces.is_empty() {
        return found;
    }
    let mut inner = Vec::new();
    for piece in pieces {
        let Some(tree) = piece.range.of(text).and_then(|code| tree::parse(piece.language, code)) else {
            continue;
        };
        let code = piece.range.of(text).unwrap_or_default();
        let around =
            |one: &&Outlined| one.range.start <= piece.range.start && piece.range.end <= one.range.end;
        let depth = found.iter().filter(around).count();
        inner.extend(of_tree(&tree, code, piece.language).into_iter().map(|one| Outlined {
            range: ByteRange::new(one.range.start + piece.range.start, one.range.end + piece.range.start),
            depth: one.depth + depth,
            ..one
        }));
    }
    found.extend(inner);
    found.sort_by_key(|one| (one.range.start, std::cmp::Reverse(one.range.end)));
    found
}

/// The innermost declaration that holds all of `range`.
pub fn enclosing(text: &str, language: Language, range: ByteRange) -> Option<Outlined> {
    let holds = |one: &Outlined| one.range.start <= range.start && range.end <= one.range.end;
    outline(text, language).into_iter().filter(holds).min_by_key(|one| one.range.len())
}

/// The range without white space at its end, and a table without the comments that stand above the next one.
fn own_lines(text: &str, range: ByteRange, kind: Kind) -> ByteRange {
    let mut own = range.of(text).unwrap_or_default().trim_end();
    while kind == Kind::Table
        && let Some((above, last)) = own.rsplit_once('\n')
        && last.trim_start().starts_with('#')
    {
        own = above.trim_end();
    }
    if own.is_empty() { range } else { ByteRange::new(range.start, range.start + own.len()) }
}

/// The outline of a tree that is there already.
pub(crate) fn of_tree(tree: &Tree, text: &str, language: Language) -> Vec<Outlined> {
    let Some(query) = language.components(language.grammar_of(text)) else { return Vec::new() };
    let captures = query.capture_names();
    let mut cursor = QueryCursor::new();
    let mut found: Vec<(ByteRange, usize, Outlined)> = Vec::new();
    let mut matches = cursor.matches(&query, tree.root_node(), text.as_bytes());
    while let Some(one) = matches.next() {
        let mut name = None;
        let mut of = None;
        let mut whole = None;
        for capture in one.captures() {
            match captures.get(capture.index as usize).copied() {
                Some("of") => of = capture.node.utf8_text(text.as_bytes()).ok(),
                Some("name") => name = Some(ByteRange::from(capture.node.byte_range())),
                Some(other) => {
                    if let Some(kind) = Kind::of_capture(other) {
                        whole = Some((kind, capture.node.byte_range().into()));
                    }
                }
                None => {}
            }
        }
        let (Some(name), Some((kind, range))) = (name, whole) else { continue };
        let range = own_lines(text, range, kind);
        let Some(spelled) = name.of(text) else { continue };
        let spelled = of.map_or_else(|| spelled.to_owned(), |of| format!("{of} for {spelled}"));
        let spelled = spelled.trim_matches(['"', '\'']).split_whitespace().collect::<Vec<_>>().join(" ");
        found.push((name, one.pattern_index, Outlined { name: spelled, kind, range, depth: 0 }));
    }
    // An element is known by its id, or else by its tag.
    let by_id: Vec<ByteRange> = found
        .iter()
        .filter(|(_, pattern, one)| one.kind == Kind::Element && *pattern == 0)
        .map(|(_, _, one)| one.range)
        .collect();
    found.retain(|(_, pattern, one)| {
        *pattern == 0 || one.kind != Kind::Element || !by_id.contains(&one.range)
    });
    // The same name by several patterns: the widest extent, the kind of the earliest pattern.
    found.sort_by_key(|(name, pattern, _)| (name.start, name.end, *pattern));
    let mut outline: Vec<Outlined> = Vec::with_capacity(found.len());
    let mut last = None;
    for (name, _, one) in found {
        match outline.last_mut() {
            Some(known) if last == Some(name) => {
                if one.range.len() > known.range.len() {
                    known.range = one.range;
                }
            }
            _ => outline.push(one),
        }
        last = Some(name);
    }
    outline.sort_by_key(|one| (one.range.start, std::cmp::Reverse(one.range.end)));
    let mut around: Vec<ByteRange> = Vec::new();
    for one in &mut outline {
        while around.last().is_some_and(|outer| outer.end < one.range.end || outer.end <= one.range.start) {
            around.pop();
        }
        // Two names of one statement lie beside each other, not in each other.
        one.depth = around.iter().filter(|outer| **outer != one.range).count();
        around.push(one.range);
    }
    if matches!(language.layout(), Layout::Blocks | Layout::Members) {
        // What lies in a block or a call without a name is not at the top level either.
        let root = tree.root_node();
        let mut cursor = root.walk();
        let starts: Vec<usize> = root.named_children(&mut cursor).map(|node| node.start_byte()).collect();
        for one in outline.iter_mut().filter(|one| one.depth == 0) {
            one.depth = usize::from(starts.binary_search(&one.range.start).is_err());
        }
    }
    outline
}
