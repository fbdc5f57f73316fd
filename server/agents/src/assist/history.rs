//! What was committed lately: for the ranking of the map and a short section of what Assist knows.
//!
//! Git is asked only when its head has moved; that is seen from the times of a few files, so a second map costs no process.
//! Without a repository, or with one that cannot be read, there is no history and nothing fails. Blocks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use assist_base::DocPath;
use assist_gateway::estimate_tokens;
use assist_runtime::git::{HeadSign, Repository, Touched};
use assist_runtime::{Workspace, looks_secret};

use crate::run::lock;

/// So many commits are looked at.
const COMMITS: u32 = 60;
/// A commit that touches more files than this (an import, a reformatting) says nothing about them.
const MOST_FILES: usize = 100;
/// What a file of the newest commit counts in the map.
const NEWEST: i64 = 150;
/// How much less with each commit back, and the least that is left.
const LESS: i64 = 2;
const LEAST: i64 = 30;
/// What each further commit adds, and the most that all of them add.
const AGAIN: i64 = 10;
const MOST_AGAIN: i64 = 50;
/// Files that are named of a commit.
const MOST_NAMED: usize = 4;

/// What was committed lately.
#[derive(Default)]
pub(crate) struct Recent {
    /// The commits, newest first.
    commits: Vec<Touched>,
    /// What each file counts, by its path.
    counts: HashMap<String, i64>,
}

/// What is known of one workspace's history.
#[derive(Default)]
pub(crate) struct History {
    known: Mutex<Option<(HeadSign, Arc<Recent>)>>,
}

impl History {
    /// What was committed lately.
    pub(crate) fn look(&self, workspace: &Workspace) -> Arc<Recent> {
        let Some(sign) = HeadSign::of(workspace) else { return Arc::default() };
        if let Some((known, recent)) = lock(&self.known).as_ref()
            && *known == sign
        {
            return Arc::clone(recent);
        }
        let touched = Repository::open(workspace).and_then(|repository| repository.touched(COMMITS));
        let recent = match touched {
            Ok(commits) => Arc::new(Recent::of(commits)),
            Err(error) => {
                tracing::info!(%error, "there is no history to go by");
                Arc::default()
            }
        };
        *lock(&self.known) = Some((sign, Arc::clone(&recent)));
        recent
    }
}

impl Recent {
    fn of(commits: Vec<Touched>) -> Self {
        let mut counts: HashMap<String, (i64, i64)> = HashMap::new();
        for (age, touched) in (0..).zip(&commits) {
            if touched.paths.len() > MOST_FILES {
                continue;
            }
            for path in &touched.paths {
                let first = (NEWEST - LESS * age).max(LEAST);
                let entry = counts.entry(path.clone());
                entry.and_modify(|(_, again)| *again += AGAIN).or_insert((first, 0));
            }
        }
        let counts = counts.into_iter().map(|(path, (first, again))| (path, first + again.min(MOST_AGAIN)));
        Self { counts: counts.collect(), commits }
    }

    /// What a file counts in the map: 0 where no recent commit touched it.
    pub(crate) fn count(&self, path: &DocPath) -> i64 {
        self.counts.get(path.as_str()).copied().unwrap_or_default()
    }

    /// One line a commit, newest first, within so many tokens.
    pub(crate) fn lines(&self, tokens: u64) -> Vec<String> {
        let mut left = tokens;
        let mut lines = Vec::new();
        for touched in &self.commits {
            let line = line(touched);
            let cost = estimate_tokens(&line) + 1;
            if cost > left {
                break;
            }
            left -= cost;
            lines.push(line);
        }
        lines
    }
}

fn line(touched: &Touched) -> String {
    let commit = &touched.commit;
    let named: Vec<&str> = touched
        .paths
        .iter()
        .filter(|path| !DocPath::relative(path).is_ok_and(|path| looks_secret(&path)))
        .take(MOST_NAMED)
        .map(String::as_str)
        .collect();
    let more = touched.paths.len() - named.len();
    let files = match (named.is_empty(), more) {
        (true, 0) => String::new(),
        (true, more) => format!(" ({more} files)"),
        (false, 0) => format!(" ({})", named.join(", ")),
        (false, more) => format!(" ({} and {more} more)", named.join(", ")),
    };
    let subject: String = one_line(&commit.subject).chars().take(120).collect();
    let author: String = one_line(&commit.author).chars().take(40).collect();
    format!("{} {} {author}: {subject}{files}", short(&commit.id), commit.day)
}

/// A commit's name as people write it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

/// A text without line breaks and control characters.
pub(crate) fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use assist_runtime::git::LogEntry;

    use super::*;

    fn touched(subject: &str, paths: &[&str]) -> Touched {
        let commit = LogEntry {
            id: "0123456789abcdef".to_owned(),
            author: "Ada".to_owned(),
            time: 0,
            day: "2026-03-01".to_owned(),
            subject: subject.to_owned(),
        };
        Touched { commit, paths: paths.iter().map(|path| (*path).to_owned()).collect() }
    }

    #[test]
    fn newer_and_more_often_counts_more_and_mass_changes_do_not_count() {
        let many: Vec<String> = (0..200).map(|n| format!("mass/{n}.ts")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let commits = vec![
            touched("A", &["new.ts"]),
            touched("B", &["often.ts", "old.ts"]),
            touched("C", &["often.ts"]),
            touched("D", &many),
        ];
        let recent = Recent::of(commits);
        let count = |path: &str| recent.count(&DocPath::relative(path).unwrap());
        assert!(count("often.ts") > count("new.ts") && count("new.ts") > count("old.ts"));
        assert_eq!((count("mass/7.ts"), count("never.ts")), (0, 0));
    }

    #[test]
    fn a_commit_is_one_line_whatever_its_subject_and_keys_are_not_named() {
        let recent = Recent::of(vec![
            touched("Fix\u{1b}[31m\nit", &["a.ts", ".env", "b.ts"]),
            touched(&"long ".repeat(2_000), &["c.ts"]),
        ]);
        let lines = recent.lines(1_000);
        assert_eq!(lines[0], "0123456789 2026-03-01 Ada: Fix [31m it (a.ts, b.ts and 1 more)");
        assert!(lines[1].len() < 200, "{}", lines[1]);
        assert_eq!(recent.lines(10), [] as [String; 0]);
    }
}
