//! What can be said of a component without parsing it: is this an answer to the question at all?

use super::{Candidate, Names, Reason, reason};
use crate::languages::{Language, Naming};
use crate::merge::How;
use crate::scanner::{Block, marker};
use assist_base::DocPath;

/// Why a component is refused, whatever its syntax.
pub(super) fn refusal(candidate: &Candidate<'_>) -> Option<Vec<Reason>> {
    let component = candidate.component;
    let before = candidate.before.unwrap_or_default();
    if component.header.block == Block::Edits {
        return Some(reason("This is an edit block, not the code of a component.", None));
    }
    // Code may hold marker lines only where the file held the same line already.
    let marker = component.code.lines().enumerate().find(|(_, line)| {
        marker::parse(line).is_some() && !before.lines().any(|known| known.trim() == line.trim())
    });
    if let Some((at, _)) = marker {
        let message = format!("Line {} of the code is a marker of the component protocol.", at + 1);
        return Some(reason(message, Some(at + 1)));
    }
    let named = component.header.path.as_deref().and_then(|path| DocPath::relative(path).ok());
    if let (Some(language), Some(named)) =
        (candidate.language, named.and_then(|path| Language::of_path(&path)))
        && !named.is_kin_of(language)
    {
        let message =
            format!("The component says it is {}, but the file is {}.", named.name(), language.name());
        return Some(reason(message, None));
    }
    let language = candidate.language?;
    if language != Language::Json && looks_like_json(&component.code) {
        let replaced = candidate.placement.replaced.of(before).unwrap_or_default();
        if candidate.top_level || !looks_like_json(replaced) {
            let message = format!("The answer is JSON, but {} code was asked for.", language.name());
            return Some(reason(message, Some(1)));
        }
    }
    None
}

/// Whether a text begins and ends as a JSON object or array does.
pub(super) fn looks_like_json(text: &str) -> bool {
    let text = text.trim();
    let (first, last) = (text.chars().next(), text.chars().next_back());
    let inner = text.get(1..).unwrap_or_default().trim_start();
    match (first, last) {
        (Some('{'), Some('}')) => inner
            .strip_prefix('"')
            .and_then(|rest| rest.split_once('"'))
            .is_some_and(|(key, after)| !key.contains('\n') && after.trim_start().starts_with(':')),
        (Some('['), Some(']')) => {
            inner.starts_with("{\"")
                || inner.starts_with('{') && looks_like_json(inner.trim_end_matches(']'))
                || inner.starts_with('"')
        }
        _ => false,
    }
}

/// Whether a text reads as sentences rather than code.
pub(super) fn is_prose(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let prose = lines.iter().filter(|line| is_prose_line(line)).count();
    !lines.is_empty() && (prose * 2 > lines.len())
}

/// Whether a line is a sentence: words with spaces between them and none of the marks that code is full of.
pub(crate) fn is_prose_line(line: &str) -> bool {
    let line = line.trim();
    let words = line.split_whitespace().count();
    let code_marks = line.contains(['{', '}', ';', '=', '<', '>', '[', ']', '$', '\\', '|', '&', '@']);
    let first = line.trim_start_matches(['*', '#', '-', '>', ' ', '_', '"', '\'']).chars().next();
    words >= 2 && !code_marks && !line.starts_with("//") && first.is_some_and(|first| first.is_uppercase())
}

/// What is missing of the names that a component promised.
pub(super) fn names(candidate: &Candidate<'_>, language: Language, names: &Names) -> Vec<Reason> {
    let header = &candidate.component.header;
    let mut missing = Vec::new();
    for export in &header.exports {
        let there = if language.is_ecma() {
            names.open || names.exported.contains(export) || (export == "default" && names.anonymous_default)
        } else {
            names.declares(export)
                || (language.naming() != Naming::Declared && mentions(&candidate.component.code, export))
        };
        if !there {
            missing.extend(reason(
                format!("The code does not export `{export}`, as its START marker says."),
                None,
            ));
        }
    }
    // A selection is named by whoever asked, and may be renamed by the answer.
    let named_by_code =
        !matches!(candidate.placement.how, How::ReplacedSelection) && language.naming() != Naming::Free;
    if named_by_code
        && is_identifier(&header.name)
        && !names.declares(&header.name)
        && !(language.naming() == Naming::Mentioned && mentions(&candidate.component.code, &header.name))
        && !stands_for_file(candidate, names)
    {
        missing
            .extend(reason(format!("The code does not declare `{}` at its top level.", header.name), None));
    }
    missing
}

/// A module without a declaration of its name: an anonymous default export, or a lower-case file name such as `index`
/// or `main`, which names the file rather than something in it.
fn stands_for_file(candidate: &Candidate<'_>, names: &Names) -> bool {
    let header = &candidate.component.header;
    if names.anonymous_default {
        return true;
    }
    let stem = header.path.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
    let stem = stem.map(|file| file.split('.').next().unwrap_or(file));
    let lower = header.name.chars().next().is_some_and(char::is_lowercase);
    lower && stem == Some(header.name.as_str())
}

/// Whether code has a name as a word.
fn mentions(code: &str, name: &str) -> bool {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || matches!(first, '_' | '$'))
        && letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '$'))
}
