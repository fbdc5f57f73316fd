//! `git_diff`: what is not committed yet, or what a commit changed.
//!
//! Files that look like they hold keys are left out by name before Git is asked for any text: nothing of them is read, also
//! where they were removed or renamed.

use assist_base::DocPath;
use assist_runtime::git::{GitError, Repository};
use assist_runtime::looks_secret;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, path, read, repository, spec, text};
use crate::assist::bench::Bench;

/// So many files are given at once.
const MOST_FILES: usize = 60;
/// So many new files are named.
const MOST_NEW: usize = 20;
/// A longer line is cut here: minified code and data.
const MOST_LINE: usize = 400;

pub(super) struct GitDiff;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    commit: Option<String>,
}

#[async_trait]
impl Tool for GitDiff {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "git_diff",
            "Shows what is not committed yet, or with `commit` what that commit changed, as a unified diff.",
            json!({
                "type": "object", "additionalProperties": false,
                "properties": {
                    "path": { "type": "string", "description": "only this file or folder" },
                    "commit": { "type": "string", "description": "a commit's name, as git_log gives it" }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        let parts = [text(arguments, "commit"), text(arguments, "path")];
        parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let path = arguments.path.as_deref().map(path).transpose()?;
        let commit = arguments.commit.filter(|commit| !commit.is_empty());
        let shown = repository(bench.run, move |repository: &Repository| {
            shown(repository, commit.as_deref(), path.as_ref())
        });
        Ok(Outcome::Material(shown.await?))
    }
}

fn shown(repository: &Repository, commit: Option<&str>, path: Option<&DocPath>) -> Result<String, GitError> {
    let below = |name: &str| path.is_none_or(|path| inside(name, path.as_str()));
    let mut changed = repository.changed(commit)?;
    changed.retain(|name| below(name));
    // A name that is no path (it would lead outside, or holds a line break) is not shown either.
    let (open, hidden) = parted(&changed);
    let more = open.len().saturating_sub(MOST_FILES);
    let open = &open[..open.len() - more];
    let text = match (open.is_empty(), commit) {
        (true, _) => String::new(),
        (false, Some(commit)) => repository.show(commit, open)?,
        (false, None) => repository.diff(open)?,
    };
    let mut shown: String = text.lines().map(cut).collect();
    if commit.is_none() {
        let new = repository.status()?.changes.into_iter().filter(|change| change.staged == '?');
        let new: Vec<String> = new.map(|change| change.path).filter(|name| below(name)).collect();
        let (new, _) = parted(&new);
        if !new.is_empty() {
            let named: Vec<&str> = new.iter().take(MOST_NEW).map(DocPath::as_str).collect();
            let rest = new.len() - named.len();
            let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            shown.push_str(&format!("New files that Git does not know yet: {}{rest}\n", named.join(", ")));
        }
    }
    if shown.is_empty() && hidden == 0 {
        return Ok("Nothing has changed.".to_owned());
    }
    if more > 0 {
        shown.push_str(&format!("({more} more files; name a path.)\n"));
    }
    if hidden > 0 {
        shown.push_str(&format!(
            "({hidden} changed files are not shown: by their names they hold keys or passwords.)\n"
        ));
    }
    Ok(shown)
}

/// What may be shown, and how much may not.
fn parted(names: &[String]) -> (Vec<DocPath>, usize) {
    let paths = names.iter().filter_map(|name| DocPath::relative(name).ok());
    let open: Vec<DocPath> = paths.filter(|path| !looks_secret(path)).collect();
    let hidden = names.len() - open.len();
    (open, hidden)
}

fn inside(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(MOST_LINE) {
        Some((at, _)) => format!("{}…\n", &line[..at]),
        None => format!("{line}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_folder_is_not_the_beginning_of_a_name() {
        assert!(inside("src/a.ts", "src") && inside("src/a.ts", "src/") && inside("src", "src"));
        assert!(!inside("srcs/a.ts", "src"));
    }
}
