//! Imports in real files: a declaration that comes again with an import more gains that one line, and every other byte of the
//! file stays.

use std::fs;
use std::path::{Path, PathBuf};

use assist_base::DocPath;
use assist_syntax::{
    Candidate, Component, Header, Kind, Language, Project, Target, Verdict, faults, judge, outline, place_in,
};

/// What is imported, as a component of the language has it.
fn statement(language: Language) -> Option<&'static str> {
    Some(match language {
        Language::Rust => "use added_crate::added_module::AddedName;",
        Language::Go => "import \"example.org/added\"",
        Language::Java => "import org.example.added.AddedName;",
        Language::CSharp => "using Added.Name;",
        Language::Php => "use Added\\AddedName;",
        Language::C | Language::Cpp => "#include \"added/name.h\"",
        Language::Ruby => "require \"added/name\"",
        Language::Lua => "local added_name = require(\"added.name\")",
        _ => return None,
    })
}

/// The part of it that a file has, however it is put there.
fn needle(language: Language) -> &'static str {
    match language {
        Language::Go => "example.org/added",
        Language::Ruby => "added/name",
        Language::Lua => "added.name",
        other => statement(other).unwrap_or_default(),
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// Puts declarations of the top level there again, with the import: `most` of them, spread over the file. Returns how many
/// could be; what is wrong is added.
fn again(path: &Path, most: usize, wrong: &mut Vec<String>) -> Option<(Language, usize)> {
    let name = path.file_name()?.to_str()?;
    let doc = DocPath::relative(name).ok()?;
    let text = fs::read_to_string(path).ok()?;
    let language = Language::of_file(&doc, &text)?;
    let import = statement(language)?;
    let before_faults = faults(&doc, &text);
    if !before_faults.is_empty() || text.contains(needle(language)) {
        return None;
    }
    let all = outline(&text, language);
    let named = |name: &str| all.iter().filter(|one| one.name == name).count() == 1;
    let mut done = 0;
    let top: Vec<_> =
        all.iter().filter(|one| one.depth == 0 && one.kind != Kind::Module && named(&one.name)).collect();
    let step = top.len().div_ceil(most).max(1);
    for one in top.iter().skip(step / 2).step_by(step) {
        let code = &text[one.range.as_range()];
        let component = Component {
            header: Header { name: one.name.clone(), ..Header::default() },
            code: format!("{import}\n\n{code}\n"),
            first_line: 1,
            last_line: 1,
            open: Vec::new(),
            ended: true,
        };
        // What cannot be placed without an import either is another matter.
        let plain = Component { code: format!("{code}\n"), ..component.clone() };
        let put = |component: &Component| {
            place_in(&text, Some(language), component, &Target::Named, None, &Project::default())
        };
        if !put(&plain).is_ok_and(|placed| placed.after == text) {
            continue;
        }
        let say = |what: String| format!("{}: {}: {what}", path.display(), one.name);
        let placed = match put(&component) {
            Ok(placed) => placed,
            Err(error) => {
                wrong.push(say(error.to_string()));
                continue;
            }
        };
        done += 1;
        let judged = judge(&Candidate {
            component: &component,
            language: Some(language),
            before: Some(&text),
            placement: &placed,
            top_level: true,
            complete_stream: true,
        });
        let new: Vec<&str> = placed.after.lines().filter(|line| line.contains(needle(language))).collect();
        let kept: Vec<&str> = placed.after.lines().filter(|line| !line.contains(needle(language))).collect();
        let blank = |lines: &[&str]| lines.iter().filter(|line| line.trim().is_empty()).count();
        let old: Vec<&str> = text.lines().collect();
        let shown = |lines: &[&str]| -> Vec<String> {
            lines.iter().filter(|line| !line.trim().is_empty()).map(|line| (*line).to_owned()).collect()
        };
        if new.len() != 1 || shown(&kept) != shown(&old) || blank(&kept) > blank(&old) + 2 {
            wrong.push(say(format!("not one line more:\n{}", placed.after)));
        } else if !faults(&doc, &placed.after).is_empty() || judged.verdict == Verdict::Malformed {
            wrong.push(say(format!("{:?}\n{}", judged.reasons, placed.after)));
        } else if put(&component).map(|placed| placed.after).as_ref() != Ok(&placed.after) {
            wrong.push(say("not the same a second time".to_owned()));
        }
    }
    Some((language, done))
}

#[test]
fn real_files_gain_one_line() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut samples, mut found) = (Vec::new(), Vec::new());
    files(&here.join("tests/fixtures"), &mut samples);
    // This repository's own sources.
    files(&here.join("../agents/src"), &mut found);
    files(&here.join("src"), &mut found);
    let all = samples.iter().map(|path| (path, 100)).chain(found.iter().map(|path| (path, 2)));
    let mut wrong = Vec::new();
    let mut counts: Vec<(Language, usize)> = Vec::new();
    for (path, most) in all {
        let Some((language, done)) = again(path, most, &mut wrong) else { continue };
        match counts.iter_mut().find(|(other, _)| *other == language) {
            Some((_, all)) => *all += done,
            None => counts.push((language, done)),
        }
    }
    assert_eq!(wrong, [] as [String; 0], "{} of {counts:?}", wrong.len());
    let of = |language: Language| counts.iter().find(|(other, _)| *other == language).map_or(0, |(_, n)| *n);
    assert!(of(Language::Rust) >= 200, "{counts:?}");
    // All of the sample of C# lies in a namespace.
    let at_the_top = [Language::Go, Language::Java, Language::C, Language::Lua];
    assert!(at_the_top.into_iter().all(|language| of(language) > 0), "{counts:?}");
}
