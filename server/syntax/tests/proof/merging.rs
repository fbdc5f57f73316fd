//! Changed components take the place of the old ones, and nothing else moves.

use assist_syntax::{Kind, Outlined, Target, Verdict, outline};

use crate::corpus::{self, File, apply, corpus, each, is_valid, print, scan, stream};
use crate::cuts::own_line;
use crate::dice::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Renamed,
    Imported,
    Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Merged {
    Exact,
    /// The gate or the merge asked again.
    Refused(String),
    /// Applied, and not what was expected.
    Wrong(String),
}

#[test]
fn a_changed_component_takes_its_place_and_nothing_else_moves() {
    let corpus = corpus();
    let per_file = corpus.scale(2, 3);
    let results: Vec<(Change, Merged, String)> = each(&corpus.files, |file| {
        let mut dice = Dice::new(corpus::seed(), &format!("merge {}", file.path));
        let own: Vec<Outlined> = outline(&file.text, file.language)
            .into_iter()
            .filter(|one| one.depth == 0 && one.kind != Kind::Module && one.range.len() > 40)
            .filter(|one| own_line(&file.text, one.range))
            .collect();
        // One head of an overloaded function is no component.
        let own: Vec<&Outlined> = own
            .iter()
            .filter(|one| {
                own.iter().filter(|other| other.name == one.name && other.kind == one.kind).count() == 1
            })
            .collect();
        let mut done = Vec::new();
        for _ in 0..per_file.min(own.len()) {
            let one = dice.pick(&own);
            for change in [Change::Renamed, Change::Imported, Change::Kind] {
                if let Some(merged) = merge(file, one, change) {
                    done.push((change, merged, format!("{} {}", file.path, one.name)));
                }
            }
        }
        done
    })
    .into_iter()
    .flatten()
    .collect();
    let mut rows = Vec::new();
    let names = ["renamed inside", "an import added", "another kind"];
    for (change, name) in [Change::Renamed, Change::Imported, Change::Kind].into_iter().zip(names) {
        let of: Vec<&Merged> = results.iter().filter(|one| one.0 == change).map(|one| &one.1).collect();
        let exact = of.iter().filter(|one| ***one == Merged::Exact).count();
        let refused = of.iter().filter(|one| matches!(one, Merged::Refused(_))).count();
        let wrong = of.len() - exact - refused;
        rows.push((
            name,
            format!("{} components: {exact} exact, {refused} asked again, {wrong} wrong", of.len()),
        ));
        assert!(of.len() >= corpus.scale(900, 10), "{name}: {} components", of.len());
        assert!(refused * 50 <= of.len(), "{name}: {refused} of {} refused", of.len());
    }
    print("merged components", &rows);
    let mut shown = 0;
    for (change, merged, name) in &results {
        if *merged != Merged::Exact && (shown < 40 || matches!(merged, Merged::Wrong(_))) {
            println!("    {change:?} {name}: {merged:?}");
            shown += 1;
        }
    }
    assert!(!results.iter().any(|one| matches!(one.1, Merged::Wrong(_))));
}

const IMPORT: &str = "import { proofOfMerging } from \"proof-of-merging\";";

/// Merges one changed component; `None` where it cannot be changed in this way.
fn merge(file: &File, one: &Outlined, change: Change) -> Option<Merged> {
    let old = &file.text[one.range.start..one.range.end];
    let (new, code) = match change {
        Change::Renamed => {
            let new = rename(old, &one.name)?;
            (new.clone(), new)
        }
        Change::Imported => (old.to_owned(), format!("{IMPORT}\n\n{old}")),
        Change::Kind => {
            let new = other_kind(old, one)?;
            (new.clone(), new)
        }
    };
    let mut expected = format!("{}{new}{}", &file.text[..one.range.start], &file.text[one.range.end..]);
    if !is_valid(file.language, &expected) {
        // The change itself was no good: an interface of a name that is a type too, say.
        return None;
    }
    let named = File {
        name: one.name.clone(),
        exports: Vec::new(),
        path: file.path.clone(),
        text: String::new(),
        language: file.language,
    };
    let (components, _) = scan(&stream(&named, &format!("{code}\n"), false));
    let (placement, judgement) =
        match apply(components.first()?, file.language, Some(&file.text), &Target::Named) {
            Ok(merged) => merged,
            Err(error) => return Some(Merged::Refused(error.to_string())),
        };
    if judgement.verdict != Verdict::Whole {
        return Some(Merged::Refused(format!("{} {:?}", judgement.verdict, judgement.reasons)));
    }
    let mut after = placement.after.clone();
    if !is_valid(file.language, &after) {
        return Some(Merged::Wrong("it is broken now".to_owned()));
    }
    if change == Change::Imported {
        // One line more, and at most one blank line around it where the file had no imports.
        let lines: Vec<&str> =
            placement.after.lines().filter(|line| line.contains("proof-of-merging")).collect();
        let [line] = lines[..] else {
            return Some(Merged::Wrong(format!("{} lines import it", lines.len())));
        };
        after = after.replacen(&format!("{line}\n"), "", 1);
        if after != expected {
            let at = placement.after.find(line)?;
            let without = |text: &str| {
                text.split('\n').filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
            };
            let blank_lines = after.matches('\n').count().abs_diff(expected.matches('\n').count());
            if blank_lines <= 1 && without(&after) == without(&expected) {
                let near = placement.after[..at].matches('\n').count();
                let first = after.lines().zip(expected.lines()).position(|(one, other)| one != other);
                if first.is_none_or(|first| first.abs_diff(near) <= 2) {
                    expected.clone_from(&after);
                }
            }
        }
    }
    if after == expected {
        return Some(Merged::Exact);
    }
    let at = after.bytes().zip(expected.bytes()).take_while(|(one, other)| one == other).count();
    let around = |text: &str| {
        let from = text.floor_char_boundary(at.saturating_sub(40));
        text[from..text.ceil_char_boundary((at + 60).min(text.len()))].to_owned()
    };
    Some(Merged::Wrong(format!("{:?} instead of {:?}", around(&after), around(&expected))))
}

/// The component with one of its own variables renamed.
fn rename(text: &str, own: &str) -> Option<String> {
    let body = text.split_once('\n')?.1;
    let name = body.lines().find_map(|line| {
        let rest = line.trim_start().strip_prefix("const ")?;
        let name: String =
            rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$')).collect();
        (name.len() > 2 && name != own).then_some(name)
    })?;
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find(&name) {
        let end = at + name.len();
        let whole = !rest[..at].ends_with(is_word) && !rest[end..].starts_with(is_word);
        out.push_str(&rest[..end]);
        if whole {
            out.push_str("Renamed");
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    Some(out)
}

/// The component as a declaration of another kind.
fn other_kind(text: &str, one: &Outlined) -> Option<String> {
    let name = &one.name;
    match one.kind {
        Kind::Function => {
            let head = format!("function {name}(");
            // Overloads and declarations without a body cannot be constants.
            let bodies = text.matches(&head).count() == 1 && text.ends_with('}') && !text.contains("default");
            let plain = bodies && !text.contains("asserts ") && !text.contains("declare ");
            let (before, after) = text.split_once(&head)?;
            let (before, is_async) = match before.strip_suffix("async ") {
                Some(before) => (before, "async "),
                None => (before, ""),
            };
            plain.then(|| format!("{before}const {name} = {is_async}function ({after};"))
        }
        Kind::Interface => {
            let head = format!("interface {name} {{");
            let (before, after) = text.split_once(&head)?;
            text.ends_with('}').then(|| format!("{before}type {name} = {{{after};"))
        }
        Kind::Type => {
            let head = format!("type {name} = {{");
            let (before, after) = text.split_once(&head)?;
            let body = after.strip_suffix(';').unwrap_or(after);
            body.ends_with('}').then(|| format!("{before}interface {name} {{{body}"))
        }
        _ => None,
    }
}
