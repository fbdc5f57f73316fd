//! `assist verify`: the gate, for scripts: a model's output in, one JSON verdict per component out.
//!
//! Without `--apply` every component is judged by itself, as a file of its own, and nothing is touched. With it the
//! folder's files count: a component is placed in its file as a run would place it, judged there, and written through
//! the journal if it is whole. Components are dealt with in order, so a later one finds what an earlier one left.
//!
//! Edit blocks are dealt with after the components, as one change set: `edits` says how.
//!
//! Not a run: no session, no snapshot, nothing to undo. What nobody can vouch for is never written.

use std::io::{Read, Write};
use std::path::Path;

use assist_base::{ChangeSet, ChangeSetId, DocPath, FileChange, FileEdit, Outcome, RunId};
use assist_runtime::{FileError, TextFile, Trust, Workspace};
use assist_syntax::{
    Block, Candidate, Component, How, Judgement, Language, Placement, Scanned, Scanner, Target, Verdict,
    judge, place,
};
use serde_json::{Value, json};

mod edits;

use super::print;
use crate::args::Verify;
use crate::exit::{Exit, Stop};

/// More than any model says at once.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// How often a component is placed anew because its file moved on in the very moment.
const MAX_STALE: usize = 5;

/// Prints the verdicts and a last line with the totals. Done only if everything is whole, and applied where that was
/// asked for, and the sentinel was seen.
pub fn run(verify: &Verify) -> Result<Exit, Stop> {
    for problem in crate::queries::load() {
        let _ = writeln!(std::io::stderr(), "assist: {problem}");
    }
    let bytes = match &verify.file {
        Some(file) => {
            let opened = std::fs::File::open(file);
            let opened =
                opened.map_err(|e| Stop::usage(format!("{} cannot be read: {e}.", file.display())))?;
            bounded(opened)?
        }
        None => bounded(std::io::stdin().lock())?,
    };
    let text = String::from_utf8(bytes).map_err(|_| Stop::usage("The input is not UTF-8 text."))?;
    let default_path = match &verify.path {
        Some(path) => Some(DocPath::relative(path).map_err(|error| Stop::usage(format!("{error}.")))?),
        None => None,
    };
    let mut desk = match &verify.apply {
        Some(folder) => Some(Desk::open(folder)?),
        None => None,
    };
    let (scanned, ending) = Scanner::scan(&text, verify.id.as_deref());
    let components = scanned.into_iter().chain(ending.rest).filter_map(|item| match item {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    let (mut whole, mut total, mut applied) = (0, 0, 0);
    let mut tell = |verdict: Value| {
        total += 1;
        whole += usize::from(verdict["verdict"] == Verdict::Whole.as_str());
        applied += usize::from(verdict["applied"] == true);
        print(&format!("{verdict}\n"));
    };
    let mut blocks = Vec::new();
    for component in components.chain(ending.partial) {
        match component.header.block {
            Block::Component => tell(line(&component, default_path.as_ref(), desk.as_mut())?),
            Block::Edits => blocks.push(component),
        }
    }
    edits::lines(&blocks, verify.id.as_deref(), default_path.as_ref(), desk.as_mut())?
        .into_iter()
        .for_each(&mut tell);
    let mut last = json!({ "sentinel": ending.sentinel, "whole": whole, "total": total });
    if desk.is_some() {
        last["applied"] = json!(applied);
    }
    print(&format!("{last}\n"));
    let all = total > 0 && whole == total && (desk.is_none() || applied == total);
    Ok(if ending.sentinel && all { Exit::Done } else { Exit::Failed })
}

fn bounded(input: impl Read) -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Stop::usage("The input is larger than 64 MB."));
    }
    Ok(bytes)
}

/// A component's line of output; with a desk, after what is whole was written.
fn line(
    component: &Component,
    default_path: Option<&DocPath>,
    desk: Option<&mut Desk>,
) -> Result<Value, Stop> {
    let named = component.header.path.as_deref().map(DocPath::relative);
    let (path, refused) = match named {
        Some(Ok(path)) => (Some(path), None),
        Some(Err(error)) => (None, Some(format!("{error}."))),
        None => (default_path.cloned(), None),
    };
    let shown = path.as_ref().map(DocPath::as_str).or(component.header.path.as_deref());
    let applies = desk.is_some();
    let found = match (refused, &path, desk) {
        (Some(reason), ..) => Found::refused(reason),
        (None, Some(path), Some(desk)) => desk.apply(component, path)?,
        (None, None, Some(_)) => {
            Found::refused("It names no file; give one with --path, or a path in its START marker.")
        }
        (None, path, None) => Found::alone(component, path.as_ref()),
    };
    let mut answer = json!({
        "component": component.header.name,
        "path": shown,
        "verdict": found.verdict.as_str(),
        "reasons": found.reasons,
        "lines": [component.first_line, component.last_line],
    });
    if applies {
        answer["applied"] = json!(found.change.is_some());
        if let Some(change) = found.change {
            answer["change"] = json!(change.how);
            answer["fileLines"] = json!(change.lines);
        }
    }
    Ok(answer)
}

/// What is said of a component.
struct Found {
    verdict: Verdict,
    reasons: Vec<String>,
    /// What was written.
    change: Option<Change>,
}

/// A component that was written.
struct Change {
    /// `created`, `replaced` or `inserted`.
    how: &'static str,
    /// First and last line of it in the file, from 1.
    lines: (usize, usize),
}

impl Found {
    fn refused(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Refused, reasons: vec![reason.into()], change: None }
    }

    /// Judged as a file of its own.
    fn alone(component: &Component, path: Option<&DocPath>) -> Self {
        let language = path.and_then(|path| Language::of_file(path, &component.code));
        match place("", language, component, &Target::NewFile, None) {
            Ok(placement) => Self::of(judged(component, language, None, &placement), language),
            Err(error) => Self::unplaced(component, error.to_string()),
        }
    }

    /// A component without a place: nothing is known of one that was cut but that.
    fn unplaced(component: &Component, reason: String) -> Self {
        let verdict = if component.ended { Verdict::Refused } else { Verdict::Truncated };
        Self { verdict, reasons: vec![reason], change: None }
    }

    fn of(judgement: Judgement, language: Option<Language>) -> Self {
        let mut reasons: Vec<_> = judgement.reasons.iter().map(ToString::to_string).collect();
        // The shape for scripts knows four verdicts: what nobody could judge is not whole.
        let verdict = match judgement.verdict {
            Verdict::Unverified => {
                let fix = match language {
                    None => "No judge knows this language; name its file with --path.",
                    Some(_) => "It takes a person's yes: ask for it with `assist ask`, which shows the diff.",
                };
                reasons.push(fix.to_owned());
                Verdict::Refused
            }
            verdict => verdict,
        };
        Self { verdict, reasons, change: None }
    }
}

fn judged(
    component: &Component,
    language: Option<Language>,
    before: Option<&str>,
    placement: &Placement,
) -> Judgement {
    judge(&Candidate { component, language, before, placement, top_level: true, complete_stream: true })
}

/// The folder that is written to.
struct Desk {
    workspace: Workspace,
    /// Stands for the run in the journal.
    run: RunId,
    /// The last component placed in each file: a new one goes behind it.
    last: Vec<(DocPath, String)>,
}

impl Desk {
    /// Opens the folder, made if it is missing, and finishes what a crash left there.
    fn open(folder: &Path) -> Result<Self, Stop> {
        let unusable = |error| Stop::usage(format!("{} cannot be used: {error}.", folder.display()));
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let workspace = Workspace::open(folder, Trust::Trusted)?;
        workspace.recover()?;
        Ok(Self { workspace, run: RunId::new(), last: Vec::new() })
    }

    /// Places a component in its file, judges it there, and writes it if it is whole.
    ///
    /// # Errors
    /// Where the folder cannot be written at all; what is wrong with one file is said in its verdict.
    fn apply(&mut self, component: &Component, path: &DocPath) -> Result<Found, Stop> {
        for _ in 0..MAX_STALE {
            let before = match self.workspace.read(path) {
                Ok(file) => Some(file),
                Err(FileError::NotFound { .. }) => None,
                Err(error) => return Ok(Found::refused(format!("{error}."))),
            };
            let (found, placement) = self.placed(component, path, before.as_ref());
            let Some(placement) = placement.filter(|_| found.verdict == Verdict::Whole) else {
                return Ok(found);
            };
            let edit = match before {
                None => FileEdit::Create { text: placement.after.clone() },
                Some(file) => FileEdit::Modify { base: file.revision, edits: placement.edits.clone() },
            };
            match self.put(&component.header.name, vec![FileChange { path: path.clone(), edit }])? {
                Outcome::Applied { .. } => {
                    self.last.retain(|(known, _)| known != path);
                    self.last.push((path.clone(), component.header.name.clone()));
                    let change = Change { how: how(&placement.how), lines: lines_of(&placement) };
                    return Ok(Found { change: Some(change), ..found });
                }
                Outcome::Stale { .. } => {}
                Outcome::Refused { reason, .. } => return Ok(Found::refused(reason)),
            }
        }
        Ok(Found::refused("The file kept changing; try again when it rests."))
    }

    fn placed(
        &self,
        component: &Component,
        path: &DocPath,
        before: Option<&TextFile>,
    ) -> (Found, Option<Placement>) {
        let text = before.map(|file| file.text.as_str());
        let language = Language::of_file(path, text.unwrap_or(&component.code));
        let target = if text.is_some() { Target::Named } else { Target::NewFile };
        let predecessor = self.last.iter().find(|(known, _)| known == path).map(|(_, name)| name.as_str());
        match place(text.unwrap_or_default(), language, component, &target, predecessor) {
            Ok(placement) => {
                (Found::of(judged(component, language, text, &placement), language), Some(placement))
            }
            Err(error) => (Found::unplaced(component, format!("{error}.")), None),
        }
    }

    /// Writes a change set.
    fn put(&self, label: &str, files: Vec<FileChange>) -> Result<Outcome, Stop> {
        let id = ChangeSetId::new();
        let set = ChangeSet { id, run: self.run, label: format!("Assist: {label}"), files };
        Ok(self.workspace.apply(&set)?)
    }
}

fn how(how: &How) -> &'static str {
    match how {
        How::Created => "created",
        How::Inserted => "inserted",
        How::Replaced { .. } | How::ReplacedSelection => "replaced",
    }
}

/// The first and last line of the file that the component takes up, from 1.
fn lines_of(placement: &Placement) -> (usize, usize) {
    let text = placement.inserted.of(&placement.after).unwrap_or_default();
    let head = placement.after.get(..placement.inserted.start).unwrap_or_default();
    let blank = text.len() - text.trim_start_matches(['\r', '\n']).len();
    let first = 1 + head.matches('\n').count() + text[..blank].matches('\n').count();
    (first, first + text.trim().matches('\n').count())
}
