//! A component that goes into a script or a style inside markup: it is placed there as in a file of that language.

use assist_base::{ByteRange, TextEdit};

use super::project::Project;
use super::{PlaceError, Placement, Target, line_of, place_in};
use crate::injection::{self, Embedded};
use crate::languages::Language;
use crate::scanner::Component;
use crate::{ecma, outline, tree};

/// Where the component goes, if that is a script or style; `None` where it is the file's own.
pub(super) fn place(
    before: &str,
    host: Language,
    component: &Component,
    target: &Target,
    predecessor: Option<&str>,
    project: &Project,
) -> Option<Result<Placement, PlaceError>> {
    if !host.is_markup() || before.trim().is_empty() {
        return None;
    }
    let (inner, target) = match *target {
        Target::Selection(range) => {
            let inner = injection::around(before, host, range).filter(|inner| inner.judged)?;
            let start = inner.range.start;
            (inner, Target::Selection(ByteRange::new(range.start - start, range.end - start)))
        }
        Target::Named => match of_name(before, host, component)? {
            Ok(inner) => (inner, Target::Named),
            Err(error) => return Some(Err(error)),
        },
        Target::NewFile => return None,
    };
    let code = inner.range.of(before)?;
    let placed = place_in(code, Some(inner.language), component, &target, predecessor, project);
    Some(placed.map(|placed| shifted(placed, before, inner)))
}

/// The script or style that declares the component already, or else the script it would be added to.
fn of_name(before: &str, host: Language, component: &Component) -> Option<Result<Embedded, PlaceError>> {
    let code = component.code.trim();
    if code.is_empty() || code.starts_with('<') {
        return None;
    }
    let tree = tree::parse(host, before)?;
    let pieces: Vec<Embedded> =
        injection::embedded(&tree, before, host).into_iter().filter(|inner| inner.judged).collect();
    let name = &component.header.name;
    let declares = |inner: &&Embedded| {
        inner.range.of(before).is_some_and(|code| {
            outline::outline(code, inner.language).iter().any(|one| one.depth == 0 && one.name == *name)
        })
    };
    let declaring: Vec<&Embedded> = pieces.iter().filter(declares).collect();
    match declaring.as_slice() {
        [one] => return Some(Ok(**one)),
        [] => {}
        several => {
            let lines = several.iter().map(|one| line_of(before, one.range.start)).collect();
            return Some(Err(PlaceError::Ambiguous { name: name.clone(), lines }));
        }
    }
    // A name that the markup has, such as an id, is the markup's.
    if outline::of_tree(&tree, before, host).iter().any(|one| one.name == *name) {
        return None;
    }
    // The last script is the one that most belongs to the component: Vue's `setup` comes after the other.
    let script = pieces.into_iter().rfind(|inner| inner.language.is_ecma())?;
    ecma::read(script.language, code, false, None).faults.is_empty().then_some(Ok(script))
}

/// A placement in the embedded code as one in the file.
fn shifted(placed: Placement, before: &str, inner: Embedded) -> Placement {
    let by = inner.range.start;
    let shift = |range: ByteRange| ByteRange::new(range.start + by, range.end + by);
    let head = before.get(..by).unwrap_or_default();
    let tail = before.get(inner.range.end..).unwrap_or_default();
    Placement {
        edits: placed
            .edits
            .into_iter()
            .map(|edit| TextEdit { range: shift(edit.range), text: edit.text })
            .collect(),
        replaced: shift(placed.replaced),
        inserted: shift(placed.inserted),
        after: format!("{head}{}{tail}", placed.after),
        how: placed.how,
        embedded: Some(inner.language),
        unused: placed.unused,
    }
}
