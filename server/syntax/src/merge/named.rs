//! A component that replaces what it declares.
//!
//! The code is cut into segments, one for each declaration that the file has too; each takes the place of its namesake,
//! and what the file does not have yet goes with the segment it stands beside. So a component that brings its props type
//! along replaces both, each where it stands.

use assist_base::{ByteRange, TextEdit};

use super::layout::{line_end, line_ending, line_start, next_line, with_line_ending};
use super::project::Project;
use super::{How, PlaceError, Placement, chunks, finish, imports, indent, line_of, trim_blank_lines};
use crate::languages::{Language, Layout};
use crate::outline::{self, Kind};
use crate::scanner::Header;
use crate::tree;

mod modules;
mod shell;

use shell::Source;

/// A declaration at the top level, overloads taken together.
#[derive(Debug, Clone)]
struct Declared {
    name: String,
    kind: Kind,
    range: ByteRange,
    depth: usize,
    /// Where the last of several overloads begins.
    last: Option<usize>,
}

pub(super) fn place(
    before: &str,
    language: Option<Language>,
    code: &str,
    header: &Header,
    predecessor: Option<&str>,
    project: &Project,
) -> Result<Placement, PlaceError> {
    let eol = line_ending(before);
    let Some(language) = language else {
        return insert(before, code, None, eol, at_end(before), Vec::new());
    };
    let (code, import_edits) = hoisted(before, language, code, header, project)?;
    place_rest(before, language, &code, header, predecessor, project, import_edits)
}

/// The code without the imports at its top, and the edits that bring those to the file.
fn hoisted(
    before: &str,
    language: Language,
    code: &str,
    header: &Header,
    project: &Project,
) -> Result<(String, Vec<TextEdit>), PlaceError> {
    let hoisted = imports::hoist(before, code, language, None, &header.name, project).transpose()?;
    Ok(match hoisted {
        Some(hoisted) => (hoisted.rest, hoisted.edits),
        None => (code.to_owned(), Vec::new()),
    })
}

/// As [`place`], once the imports are taken out.
fn place_rest(
    before: &str,
    language: Language,
    code: &str,
    header: &Header,
    predecessor: Option<&str>,
    project: &Project,
    mut import_edits: Vec<TextEdit>,
) -> Result<Placement, PlaceError> {
    let eol = line_ending(before);
    // A member of a JSON object may come with the comma after it, which the file has already.
    let code = if language == Language::Json { code.trim_end_matches(',') } else { code };
    if code.is_empty() {
        return Err(PlaceError::Empty { name: header.name.clone() });
    }
    let new = Source::new(code, language);
    let all = declared(&new);
    let wanted: Vec<&str> = all
        .iter()
        .map(|one| one.name.as_str())
        .chain([header.name.as_str()])
        .chain(predecessor)
        .flat_map(|name| name.split_whitespace())
        .collect();
    let tree = chunks::parse(before, language, &wanted);
    let file = Source { text: before, language, tree };
    let ours = declared(&file);
    if let Some(inner) = modules::unwrapped(&new, &all, &ours, &header.name) {
        // A namespace may have imports of its own, beside those in front of it.
        let (inner, more) = hoisted(before, language, trim_blank_lines(&inner), header, project)?;
        import_edits.extend(more.into_iter().filter(|edit| !import_edits.contains(edit)).collect::<Vec<_>>());
        import_edits.sort_by_key(|edit| edit.range.start);
        return place_rest(before, language, &inner, header, predecessor, project, import_edits);
    }
    let theirs: Vec<Declared> = all.into_iter().filter(|one| one.depth == 0).collect();

    // Which declaration of the file each one of the component replaces.
    let mut matched: Vec<Option<usize>> = Vec::with_capacity(theirs.len());
    for one in &theirs {
        let reopens = one.kind == Kind::Module && one.name != header.name && modules::reopen(language);
        matched.push(if reopens { None } else { find(before, &ours, &one.name, Some(one.kind))? });
    }
    let main = theirs.iter().position(|one| one.name == header.name);
    if theirs.is_empty() || (main.is_none() && matched.iter().all(Option::is_none)) {
        // Nothing in the code says what it is but its marker: a rule, a key, an element, loose statements.
        return match find(before, &ours, &header.name, None)? {
            Some(at) => {
                let range = ours[at].range;
                let text = indent::fit(
                    code,
                    own_indentation(before, range),
                    indent::unit_at(before, range, Some(language)),
                    Some(language),
                );
                let how = How::Replaced { name: ours[at].name.clone(), kind: ours[at].kind };
                let edit = TextEdit { range, text: with_line_ending(text.trim_start(), eol).into_owned() };
                assemble(before, import_edits, vec![edit], 0, how)
            }
            None => {
                let at = after_predecessor(before, &ours, predecessor);
                insert(before, code, Some(language), eol, at, import_edits)
            }
        };
    }
    let main = main.or_else(|| matched.iter().position(Option::is_some)).unwrap_or(0);
    for (one, at) in theirs.iter().zip(&matched).filter(|(one, _)| one.kind == Kind::Function) {
        let is_head = |source, of: &Declared| shell::is_head(source, of.last.unwrap_or(of.range.start));
        if let Some(old) = at.map(|at| &ours[at])
            && is_head(&new, one)
            && !is_head(&file, old)
        {
            return Err(PlaceError::Bodiless { name: one.name.clone() });
        }
    }
    let replaced: Vec<ByteRange> = matched.iter().flatten().map(|&at| ours[at].range).collect();
    shared(before, &ours, &matched)?;
    let segments = segments(&new, &theirs, &matched, main, &file, &replaced);

    let mut edits = Vec::new();
    let mut main_start = None;
    for segment in segments {
        let Some(old) = matched[segment.declared].map(|at| &ours[at]) else {
            // The component itself is new to the file.
            let at = after_predecessor(before, &ours, predecessor);
            let edit = insertion(before, &segment.text, Some(language), eol, at);
            main_start = Some(edit.range.start);
            edits.push(edit);
            continue;
        };
        // One function for several overloads is the one with the body: the heads stay.
        let old_range = match old.last {
            Some(start) if theirs[segment.declared].last.is_none() => ByteRange::new(start, old.range.end),
            _ => old.range,
        };
        let (range, text) = shell::dress(&file, old_range, &segment.text, &old.name, &replaced);
        let text = indent::fit(
            &text,
            own_indentation(before, range),
            indent::unit_at(before, range, Some(language)),
            Some(language),
        );
        if segment.declared == main {
            main_start = Some(range.start);
        }
        // The first line's indentation is there already.
        let text = text.trim_start_matches([' ', '\t']);
        edits.push(TextEdit { range, text: with_line_ending(text, eol).into_owned() });
    }
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    if let Some(pair) = edits.windows(2).find(|pair| pair[0].range.end > pair[1].range.start) {
        return Err(PlaceError::Overlap { line: line_of(before, pair[1].range.start) });
    }
    let at = edits.iter().position(|edit| Some(edit.range.start) == main_start).unwrap_or(0);
    let how = match matched[main] {
        Some(at) => How::Replaced { name: ours[at].name.clone(), kind: ours[at].kind },
        None => How::Inserted,
    };
    assemble(before, import_edits, edits, at, how)
}

/// Puts the edit for imports where it belongs among the others.
fn assemble(
    before: &str,
    import_edits: Vec<TextEdit>,
    mut edits: Vec<TextEdit>,
    mut main: usize,
    how: How,
) -> Result<Placement, PlaceError> {
    for edit in import_edits {
        let at = edits.partition_point(|other| other.range.start < edit.range.start);
        main += usize::from(at <= main);
        edits.insert(at, edit);
    }
    finish(before, edits, main, how)
}

/// The declarations of the top level; overloads and repeated heads of one function are one. A page and a style sheet
/// are known by what lies deeper in them, too.
fn declared(source: &Source<'_>) -> Vec<Declared> {
    let Some(tree) = &source.tree else { return Vec::new() };
    let mut found: Vec<Declared> = Vec::new();
    let deep = matches!(source.language.layout(), Layout::Members | Layout::NestedMembers);
    for one in
        outline::of_tree(tree, source.text, source.language).into_iter().filter(|one| deep || one.depth == 0)
    {
        match found.last_mut() {
            Some(last)
                if last.name == one.name
                    && last.kind == one.kind
                    && one.kind == Kind::Function
                    && only_comments(
                        &source.text[last.range.end..one.range.start.max(last.range.end)],
                        source.language,
                    ) =>
            {
                last.last = Some(one.range.start);
                last.range.end = one.range.end;
            }
            _ => found.push(Declared {
                name: one.name,
                kind: one.kind,
                range: one.range,
                depth: one.depth,
                last: None,
            }),
        }
    }
    found
}

/// Whether there is nothing but white space, and comments where the language has overloads with words of their own.
fn only_comments(between: &str, language: Language) -> bool {
    let mut rest = between.trim_start();
    while language.is_ecma() && !rest.is_empty() {
        let after = if let Some(line) = rest.strip_prefix("//") {
            line.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some((_, after)) = rest.strip_prefix("/*").and_then(|block| block.split_once("*/")) {
            after
        } else {
            return false;
        };
        rest = after.trim_start();
    }
    rest.is_empty()
}

/// The one declaration that bears the name: of the same kind, else the only one that a declaration of that kind would
/// stand in for.
fn find(
    before: &str,
    ours: &[Declared],
    name: &str,
    kind: Option<Kind>,
) -> Result<Option<usize>, PlaceError> {
    let mut named: Vec<usize> = (0..ours.len()).filter(|&at| ours[at].name == name).collect();
    if named.iter().any(|&at| ours[at].depth == 0) {
        named.retain(|&at| ours[at].depth == 0);
    }
    let same: Vec<usize> = named.iter().copied().filter(|&at| Some(ours[at].kind) == kind).collect();
    let close = || match kind {
        Some(kind) => named.iter().copied().filter(|&at| ours[at].kind.shares_names_with(kind)).collect(),
        None => named.clone(),
    };
    let candidates: Vec<usize> = if same.is_empty() { close() } else { same };
    match candidates.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => Err(PlaceError::Ambiguous {
            name: name.to_owned(),
            lines: several.iter().map(|&at| line_of(before, ours[at].range.start)).collect(),
        }),
    }
}

/// A statement that declares several names can only be replaced by one that declares them all.
fn shared(before: &str, ours: &[Declared], matched: &[Option<usize>]) -> Result<(), PlaceError> {
    for &at in matched.iter().flatten() {
        let other = (0..ours.len()).find(|&other| {
            other != at && ours[other].range == ours[at].range && !matched.contains(&Some(other))
        });
        if other.is_some() {
            let lines = vec![line_of(before, ours[at].range.start)];
            return Err(PlaceError::Ambiguous { name: ours[at].name.clone(), lines });
        }
    }
    Ok(())
}

/// A piece of the component that goes to one place.
struct Segment {
    /// Which declaration of the component it is about.
    declared: usize,
    text: String,
}

/// Cuts the component at the declarations that have a place of their own.
fn segments(
    new: &Source<'_>,
    theirs: &[Declared],
    matched: &[Option<usize>],
    main: usize,
    file: &Source<'_>,
    replaced: &[ByteRange],
) -> Vec<Segment> {
    let drops = shell::repeated_statements(new, file, replaced);
    // One name of a statement with several stands for all of them.
    let anchors: Vec<usize> = (0..theirs.len())
        .filter(|&at| matched[at].is_some() || at == main)
        .filter(|&at| at == 0 || theirs[at - 1].range != theirs[at].range || matched[at - 1].is_none())
        .collect();
    let mut segments = Vec::new();
    let mut from = 0;
    for (nth, &at) in anchors.iter().enumerate() {
        let last = nth + 1 == anchors.len();
        let to = if last { new.text.len() } else { line_end(new.text, theirs[at].range.end).max(from) };
        let text = shell::without(new, from..to, &drops);
        let text =
            shell::without_double_export(new, file, &theirs[at].name, theirs[at].range, text, replaced);
        segments.push(Segment { declared: at, text: trim_blank_lines(&text).to_owned() });
        from = to;
    }
    segments
}

/// Where a new declaration goes: after its predecessor, else at the end.
fn after_predecessor(before: &str, ours: &[Declared], predecessor: Option<&str>) -> usize {
    let named = predecessor.map(|name| ours.iter().filter(|one| one.name == name).collect::<Vec<_>>());
    match named.as_deref() {
        Some([one]) => line_end(before, one.range.end),
        // A type and a function of one name: after the later one.
        Some([.., last]) => line_end(before, last.range.end),
        _ => at_end(before),
    }
}

/// The end of the last line that is not blank.
fn at_end(before: &str) -> usize {
    before.trim_end().len()
}

/// A new block of code after the line that ends at `at`, with a blank line before it and, if text follows, after it.
fn insertion(before: &str, code: &str, language: Option<Language>, eol: &str, at: usize) -> TextEdit {
    let code = indent::fit(code, "", indent::unit(before), language);
    let code = with_line_ending(&code, eol);
    let gap = if is_widely_spaced(before) { 3 } else { 2 };
    let rest = &before[at..];
    if rest.trim().is_empty() {
        // The end of the file: it keeps its habit of a last newline.
        let newline = if rest.contains('\n') { eol } else { "" };
        let gap = if at == 0 { 0 } else { gap };
        let text = format!("{}{code}{newline}", eol.repeat(gap));
        return TextEdit { range: ByteRange::new(at, before.len()), text };
    }
    // What follows keeps the blank lines it has above it; where it has none, one is made.
    let next = next_line(before, at);
    let blank_below = before[next..].lines().next().is_some_and(|line| line.trim().is_empty());
    let below = if blank_below { "" } else { eol };
    TextEdit { range: ByteRange::at(at), text: format!("{}{code}{below}", eol.repeat(gap)) }
}

fn insert(
    before: &str,
    code: &str,
    language: Option<Language>,
    eol: &str,
    at: usize,
    import_edits: Vec<TextEdit>,
) -> Result<Placement, PlaceError> {
    let edit = insertion(before, code, language, eol, at);
    assemble(before, import_edits, vec![edit], 0, How::Inserted)
}

/// Whether the file sets its declarations off by two blank lines, as Python does.
fn is_widely_spaced(before: &str) -> bool {
    let text = before.trim();
    text.contains("\n\n\n") || text.contains("\r\n\r\n\r\n")
}

/// The white space before a place, where there is nothing else on its line.
fn own_indentation(before: &str, range: ByteRange) -> &str {
    let start = line_start(before, range.start);
    let lead = &before[start..range.start];
    if lead.trim().is_empty() { lead } else { "" }
}

/// Parses once what is asked several things.
impl<'t> Source<'t> {
    fn new(text: &'t str, language: Language) -> Self {
        Self { text, language, tree: tree::parse(language, text) }
    }
}
