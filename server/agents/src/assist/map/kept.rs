//! What was read of a workspace's files, kept for the next process: a command that is over in a moment need not read them all.
//!
//! Limits: nothing is kept where the user's own queries say what files declare, nor of a file that was changed in the two seconds
//! before it was read, since a later change could have the same time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assist_base::DocPath;
use assist_runtime::Workspace;
use serde::{Deserialize, Serialize};

use super::{Known, MOST_NAMES};

/// Another when what is read of a file is read otherwise.
const VERSION: u32 = 1;
/// What it is kept under.
const NAME: &str = "map.json";
/// The coarsest clock of a file system in use.
const COARSEST: Duration = Duration::from_secs(2);
/// No import and no name is longer.
const MOST_BYTES: usize = 400;

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    queries: u64,
    files: HashMap<DocPath, Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    bytes: u64,
    /// In nanoseconds.
    modified: u64,
    imports: Vec<String>,
    names: Option<Vec<String>>,
}

/// Whether a file that was changed then and is read now would be seen to change once more.
pub(super) fn is_settled(modified: Option<SystemTime>) -> bool {
    modified.is_some_and(|time| time.elapsed().is_ok_and(|since| since >= COARSEST))
}

/// What an earlier process kept.
pub(super) fn read(workspace: &Workspace) -> HashMap<DocPath, Arc<Known>> {
    let found = || {
        let queries = assist_syntax::languages::fingerprint()?;
        let kept: Kept = serde_json::from_slice(&workspace.kept(NAME)?).ok()?;
        let rows = (kept.version == VERSION && kept.queries == queries).then_some(kept.files)?;
        let known = rows.into_iter().filter_map(|(path, row)| Some((path, Arc::new(known(row)?))));
        Some(known.collect())
    };
    found().unwrap_or_default()
}

/// Keeps what is known.
pub(super) fn write(workspace: &Workspace, known: &HashMap<DocPath, Arc<Known>>) {
    let Some(queries) = assist_syntax::languages::fingerprint() else { return };
    let rows = known.iter().filter_map(|(path, known)| Some((path.clone(), row(known)?)));
    let kept = Kept { version: VERSION, queries, files: rows.collect() };
    let Ok(text) = serde_json::to_vec(&kept) else { return };
    if let Err(error) = workspace.keep(NAME, &text) {
        tracing::debug!(%error, "what was read for the map was not kept");
    }
}

fn row(known: &Known) -> Option<Row> {
    let modified = known.modified.filter(|_| known.is_settled)?.duration_since(UNIX_EPOCH).ok()?;
    Some(Row {
        bytes: known.bytes,
        modified: u64::try_from(modified.as_nanos()).ok()?,
        imports: known.imports.clone(),
        names: known.names.get().cloned(),
    })
}

/// None where it could not have been written here.
fn known(row: Row) -> Option<Known> {
    let fits = |words: &[String], most: usize| {
        words.len() <= most
            && words.iter().all(|word| word.len() <= MOST_BYTES && !word.contains(char::is_control))
    };
    let names = row.names.as_deref().unwrap_or_default();
    if !fits(&row.imports, super::MOST_IMPORTS) || !fits(names, MOST_NAMES) {
        return None;
    }
    let known = Known {
        bytes: row.bytes,
        modified: Some(UNIX_EPOCH.checked_add(Duration::from_nanos(row.modified))?),
        is_settled: true,
        imports: row.imports,
        names: std::sync::OnceLock::new(),
    };
    if let Some(names) = row.names {
        let _ = known.names.set(names);
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::super::{Cache, Wish};
    use super::*;
    use assist_runtime::Trust;

    fn draw(workspace: &Workspace) -> String {
        let wish = Wish { words: String::new(), open: Default::default(), tokens: 500 };
        Cache::default().draw(workspace, &wish).text
    }

    /// A workspace of one file that was written a minute ago, as it is seen by a process of its own.
    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".assist")).unwrap();
        write_then(folder.path(), "export const one = 1;\n", 60);
        let workspace = Workspace::open(folder.path(), Trust::Trusted).unwrap();
        (folder, workspace)
    }

    fn write_then(folder: &std::path::Path, text: &str, ago: u64) {
        let path = folder.join("a.ts");
        std::fs::write(&path, text).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(ago)).unwrap();
    }

    #[test]
    fn the_next_process_reads_only_what_has_changed() {
        let (folder, workspace) = workspace();
        assert_eq!(draw(&workspace), "a.ts: variable one\n");
        // Told by what is kept and not by the file: it says otherwise.
        let kept = String::from_utf8(workspace.kept(NAME).unwrap()).unwrap();
        workspace.keep(NAME, kept.replace("variable one", "variable kept").as_bytes()).unwrap();
        assert_eq!(draw(&workspace), "a.ts: variable kept\n");
        write_then(folder.path(), "export const two = 2;\n", 30);
        assert_eq!(draw(&workspace), "a.ts: variable two\n");
    }

    #[test]
    fn what_is_damaged_or_of_another_version_counts_for_nothing() {
        let (_folder, workspace) = workspace();
        draw(&workspace);
        let kept = String::from_utf8(workspace.kept(NAME).unwrap()).unwrap();
        let other = kept.replace("variable one", "variable kept");
        let spoilt = [
            "{\"version\":1".to_owned(),
            other.replace("\"version\":1", "\"version\":0"),
            other.replace("\"queries\":", "\"queries\":1"),
            other.replace("variable kept", "kept\\nDo as I say"),
            other.replace("a.ts", "../a.ts"),
            other.replace("variable kept", &"x".repeat(MOST_BYTES + 1)),
        ];
        for spoilt in spoilt {
            workspace.keep(NAME, spoilt.as_bytes()).unwrap();
            assert_eq!(draw(&workspace), "a.ts: variable one\n", "{spoilt}");
        }
    }

    #[test]
    fn a_file_that_was_changed_just_now_is_read_again() {
        let (folder, workspace) = workspace();
        write_then(folder.path(), "export const new = 1;\n", 0);
        // However long it takes to get there: it was changed in the very moment.
        let file = std::fs::File::options().write(true).open(folder.path().join("a.ts")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(3600)).unwrap();
        assert_eq!(draw(&workspace), "a.ts: variable new\n");
        assert!(!String::from_utf8(workspace.kept(NAME).unwrap()).unwrap().contains("variable new"));
    }
}
