//! Edit blocks in `assist verify`.
//!
//! Without a folder nothing is known of the files: a block is whole when it was received completely, can be read and leaves no
//! code out. With `--apply` its places are looked for, the files are judged as they would be, and all edits of the stream
//! are written as one change set, or none.

use assist_base::{DocPath, FileChange, FileEdit, Outcome};
use assist_runtime::FileError;
use assist_syntax::hunks::{self, Edited, Gathered};
use assist_syntax::{Component, Language, Verdict, judge_edits};
use serde_json::{Value, json};

use super::{Desk, MAX_STALE};
use crate::exit::Stop;

/// What is said of a block.
#[derive(Default)]
struct Said {
    verdict: Option<Verdict>,
    reasons: Vec<String>,
    /// First and last line of the file, from 1, that its edits were made in.
    file_lines: Option<(usize, usize)>,
    applied: bool,
}

impl Said {
    fn add(&mut self, verdict: Verdict, reasons: impl IntoIterator<Item = String>) {
        self.verdict.get_or_insert(verdict);
        self.reasons.extend(reasons);
    }
}

/// The lines of output of all edit blocks of a stream, after what is whole was written.
pub(super) fn lines(
    blocks: &[Component],
    id: Option<&str>,
    default_path: Option<&DocPath>,
    desk: Option<&mut Desk>,
) -> Result<Vec<Value>, Stop> {
    let applies = desk.is_some();
    let mut said: Vec<Said> = blocks.iter().map(|block| alone(block, id, default_path)).collect();
    if let Some(desk) = desk {
        if said.iter().any(|one| one.verdict.is_some()) {
            for one in said.iter_mut().filter(|one| one.verdict.is_none()) {
                one.add(Verdict::Refused, [TOGETHER.to_owned()]);
            }
        } else {
            apply(blocks, id, default_path, desk, &mut said)?;
        }
    }
    let line = |(block, said): (&Component, Said)| {
        let path = block.header.path.as_deref().or(default_path.map(DocPath::as_str));
        let count =
            hunks::parse(block, id).map_or(0, |files| files.iter().map(|file| file.hunks.len()).sum());
        let verdict = said.verdict.unwrap_or(Verdict::Whole);
        let mut line = json!({
            "component": block.header.name,
            "path": path,
            "verdict": verdict.as_str(),
            "reasons": said.reasons,
            "lines": [block.first_line, block.last_line],
            "edits": count,
        });
        if applies {
            line["applied"] = json!(said.applied);
            if said.applied {
                line["change"] = json!("edited");
                line["fileLines"] = json!(said.file_lines);
            }
        }
        line
    };
    Ok(blocks.iter().zip(said).map(line).collect())
}

const TOGETHER: &str = "All edits of an answer go together, and another one cannot be made.";

/// What is wrong with a block, whatever its file.
fn alone(block: &Component, id: Option<&str>, default_path: Option<&DocPath>) -> Said {
    let mut said = Said::default();
    if !block.ended {
        said.add(Verdict::Truncated, ["The edit block was cut: its END marker is missing.".to_owned()]);
        return said;
    }
    match hunks::gather([block], id, default_path) {
        Err(unusable) => {
            said.add(Verdict::Malformed, unusable.into_iter().map(|one| format!("{}.", one.reason)));
        }
        Ok(files) => {
            for file in &files {
                let language = Language::of_path(&file.path);
                for (at, hunk) in file.hunks.iter().enumerate() {
                    if let Some(why) = hunks::wanting(hunk, language) {
                        said.add(Verdict::Refused, [format!("Hunk {}: {why}.", at + 1)]);
                    }
                }
            }
        }
    }
    said
}

/// Places all edits and writes them if every file is whole with them.
fn apply(
    blocks: &[Component],
    id: Option<&str>,
    default_path: Option<&DocPath>,
    desk: &mut Desk,
    said: &mut [Said],
) -> Result<(), Stop> {
    // Each block could be read by itself; together they can be as well.
    let Ok(files) = hunks::gather(blocks, id, default_path) else { return Ok(()) };
    let of_block = |at: usize, file: &Gathered| {
        let block = &blocks[at];
        hunks::gather([block], id, default_path).is_ok_and(|own| own.iter().any(|one| one.path == file.path))
    };
    for _ in 0..MAX_STALE {
        let mut changes = Vec::new();
        let mut made: Vec<(usize, (usize, usize))> = Vec::new();
        let mut wrong = false;
        for (nth, file) in files.iter().enumerate() {
            match placed(desk, file) {
                Ok((edited, edit)) => {
                    let first = edited.places.iter().map(|place| place.lines.0).min().unwrap_or(1);
                    let last = edited.places.iter().map(|place| place.lines.1).max().unwrap_or(first);
                    made.push((nth, (first, last)));
                    changes.push(FileChange { path: file.path.clone(), edit });
                }
                Err((verdict, reasons)) => {
                    wrong = true;
                    for at in (0..blocks.len()).filter(|&at| of_block(at, file)) {
                        said[at]
                            .add(verdict, reasons.iter().map(|reason| format!("{}: {reason}", file.path)));
                    }
                }
            }
        }
        if wrong {
            for one in said.iter_mut().filter(|one| one.verdict.is_none()) {
                one.add(Verdict::Refused, [TOGETHER.to_owned()]);
            }
            return Ok(());
        }
        match desk.put("edits", changes)? {
            Outcome::Applied { .. } => {
                for (at, one) in said.iter_mut().enumerate() {
                    one.applied = true;
                    one.file_lines =
                        made.iter().find(|(nth, _)| of_block(at, &files[*nth])).map(|(_, lines)| *lines);
                }
                return Ok(());
            }
            Outcome::Stale { .. } => {}
            Outcome::Refused { path, reason } => {
                said.iter_mut().for_each(|one| one.add(Verdict::Refused, [format!("{path}: {reason}")]));
                return Ok(());
            }
        }
    }
    let moving = || ["The files kept changing; try again when they rest.".to_owned()];
    said.iter_mut().for_each(|one| one.add(Verdict::Refused, moving()));
    Ok(())
}

/// A file's edits, if they have a place and leave it whole.
fn placed(desk: &Desk, file: &Gathered) -> Result<(Edited, FileEdit), (Verdict, Vec<String>)> {
    let before = match desk.workspace.read(&file.path) {
        Ok(text) => Some(text),
        Err(FileError::NotFound { .. }) => None,
        Err(error) => return Err((Verdict::Refused, vec![format!("{error}.")])),
    };
    let text = before.as_ref().map(|file| file.text.as_str());
    let edited = hunks::edit(text, Language::of_path(&file.path), &file.hunks, false).map_err(|refused| {
        let reasons = refused.iter().map(|one| format!("Hunk {}: {}.", one.hunk + 1, one.why)).collect();
        (Verdict::Refused, reasons)
    })?;
    let judgement = judge_edits(&file.path, text, &edited, file.lines);
    let reasons = judgement.reasons.iter().map(ToString::to_string).collect();
    match judgement.verdict {
        Verdict::Whole => {}
        // What nobody can vouch for is never written.
        Verdict::Unverified => return Err((Verdict::Refused, reasons)),
        verdict => return Err((verdict, reasons)),
    }
    let edit = match before {
        None => FileEdit::Create { text: edited.after.clone() },
        Some(file) => FileEdit::Modify { base: file.revision, edits: edited.edits.clone() },
    };
    Ok((edited, edit))
}
