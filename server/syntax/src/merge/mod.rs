//! Where a component goes, and the edits that put it there.
//!
//! Everything outside the edits keeps its bytes. The new text takes over the file's line endings, the indentation of its
//! place and the file's habit of a last newline. A place that is not certain is an error, never a guess: a declaration is
//! replaced by name *and* kind, and by name alone only where one declaration bears it.

mod chunks;
mod embedded;
mod imports;
pub(crate) mod indent;
pub(crate) mod layout;
mod named;
mod project;
mod selection;

use assist_base::change::{EditError, apply_edits};
use assist_base::{ByteRange, TextEdit};

use crate::languages::Language;
use crate::outline::Kind;
use crate::scanner::Component;

pub(crate) use imports::unused;
pub use imports::{Import, add_import, imports};
pub use project::{Alias, Project};

/// What the component is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// It replaces this part of the file; an empty range inserts.
    Selection(ByteRange),
    /// It replaces the declarations it declares, where they exist; otherwise it is inserted after its predecessor or at
    /// the end.
    Named,
    /// It is the whole text of a file that is not there yet, or is blank.
    NewFile,
}

/// How a component was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It took the selection's place.
    ReplacedSelection,
    /// It took the place of a declaration.
    Replaced {
        /// The declaration's name.
        name: String,
        /// Its kind in the file before.
        kind: Kind,
    },
    /// It was added to the file.
    Inserted,
    /// It is the file.
    Created,
}

/// The edits, and the text they lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// In ascending order, without overlap, in offsets of the text before.
    pub edits: Vec<TextEdit>,
    /// What the main edit replaces, in the text before.
    pub replaced: ByteRange,
    /// What the main edit put there, in the text after.
    pub inserted: ByteRange,
    /// The file's text with all edits made.
    pub after: String,
    /// What kind of placement it is.
    pub how: How,
    /// The language of the script or style inside the file that it went into; `None` where it went into the file's own.
    pub embedded: Option<Language>,
    /// Names that the file imports and, with what was replaced, no longer uses.
    pub unused: Vec<String>,
}

/// Why a component has no place. Nothing was changed; say so, or ask again with what is named here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The selection lies outside the text or splits a character.
    #[error("the selection {start}..{end} does not fit the file")]
    OutOfText {
        /// Its start.
        start: usize,
        /// Its end.
        end: usize,
    },
    /// Several places would do.
    #[error("`{name}` could go in several places of the file: lines {}", list(.lines))]
    Ambiguous {
        /// The declaration's name.
        name: String,
        /// The lines, from 1.
        lines: Vec<usize>,
    },
    /// The component has no code.
    #[error("the component `{name}` holds no code")]
    Empty {
        /// The component's name.
        name: String,
    },
    /// A new file was asked for, but there is text.
    #[error("the file already has text")]
    Exists,
    /// The component declares a function without its body, which the file has.
    #[error("the component declares `{name}` without a body, which would take away the one it has")]
    Bodiless {
        /// The function's name.
        name: String,
    },
    /// The places that the component would change lie in each other.
    #[error("the places the component would change overlap at line {line}")]
    Overlap {
        /// The line, from 1.
        line: usize,
    },
    /// The component imports a name that the file imports from elsewhere.
    #[error("the file imports `{name}` from `{ours}`, the component from `{theirs}`")]
    ImportConflict {
        /// The name.
        name: String,
        /// Where the file has it from.
        ours: String,
        /// Where the component wants it from.
        theirs: String,
    },
}

fn list(lines: &[usize]) -> String {
    lines.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

/// Computes where `component` goes in `before`.
///
/// `predecessor` is the declaration after which a new one is inserted; without it, or where the file has no such
/// declaration, it goes to the end.
///
/// # Errors
/// [`PlaceError`] where the place is not certain.
pub fn place(
    before: &str,
    language: Option<Language>,
    component: &Component,
    target: &Target,
    predecessor: Option<&str>,
) -> Result<Placement, PlaceError> {
    place_in(before, language, component, target, predecessor, &Project::default())
}

/// As [`place`], where something is known of the project: imports are compared by where they lead, and written as the
/// file's neighbours are.
///
/// # Errors
/// As [`place`].
pub fn place_in(
    before: &str,
    language: Option<Language>,
    component: &Component,
    target: &Target,
    predecessor: Option<&str>,
    project: &Project,
) -> Result<Placement, PlaceError> {
    let mut placed = find_place(before, language, component, target, predecessor, project)?;
    // Of embedded code this was found out where it was placed.
    if let Some(language) = language.filter(|_| placed.embedded.is_none()) {
        placed.unused = imports::unused(before, &placed.after, &[placed.replaced], language);
    }
    Ok(placed)
}

fn find_place(
    before: &str,
    language: Option<Language>,
    component: &Component,
    target: &Target,
    predecessor: Option<&str>,
    project: &Project,
) -> Result<Placement, PlaceError> {
    let code = trim_blank_lines(without_opening_tag(&component.code, before, language));
    if let Some(language) = language
        && let Some(placed) = embedded::place(before, language, component, target, predecessor, project)
    {
        return placed;
    }
    match *target {
        Target::Selection(range) => selection::place(before, language, code, range, project),
        _ if code.is_empty() => Err(PlaceError::Empty { name: component.header.name.clone() }),
        Target::NewFile if !before.trim().is_empty() => Err(PlaceError::Exists),
        Target::Named if !before.trim().is_empty() => {
            named::place(before, language, code, &component.header, predecessor, project)
        }
        Target::NewFile | Target::Named => {
            let eol = layout::line_ending(before);
            let text = format!("{}{eol}", layout::with_line_ending(code, eol));
            let edit = TextEdit { range: ByteRange::new(0, before.len()), text };
            finish(before, vec![edit], 0, How::Created)
        }
    }
}

/// The placement that edits make, `main` being the index of the main one.
fn finish(before: &str, edits: Vec<TextEdit>, main: usize, how: How) -> Result<Placement, PlaceError> {
    let mut shift = 0_isize;
    let mut replaced = ByteRange::at(0);
    let mut inserted = ByteRange::at(0);
    for (at, edit) in edits.iter().enumerate() {
        let start = edit.range.start.saturating_add_signed(shift);
        if at == main {
            replaced = edit.range;
            inserted = ByteRange::new(start, start + edit.text.len());
        }
        shift += edit.text.len() as isize - edit.range.len() as isize;
    }
    let after = apply_edits(before, &edits).map_err(|error| match error {
        EditError::Overlap { at } => PlaceError::Overlap { line: line_of(before, at) },
        EditError::OutOfText { start, end } => PlaceError::OutOfText { start, end },
    })?;
    Ok(Placement { edits, replaced, inserted, after, how, embedded: None, unused: Vec::new() })
}

/// A component's code as a part of a file: PHP's opening tag, which a model writes out of habit, stands in the file already.
fn without_opening_tag<'t>(code: &'t str, before: &str, language: Option<Language>) -> &'t str {
    if language != Some(Language::Php) || before.trim().is_empty() {
        return code;
    }
    let Some(rest) = code.trim_start().strip_prefix("<?php") else { return code };
    // More tags: it is a template, not a piece of code.
    let rest = rest.trim_end().strip_suffix("?>").unwrap_or(rest);
    if rest.contains("<?") || rest.contains("?>") { code } else { rest }
}

/// Code without blank lines at its edges and without its last newline.
fn trim_blank_lines(code: &str) -> &str {
    let code = code.trim_end();
    let blank = code.len() - code.trim_start().len();
    let start = code[..blank].rfind('\n').map_or(0, |at| at + 1);
    &code[start..]
}

/// The line of a place, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
