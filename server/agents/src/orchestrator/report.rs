//! What came of an order.

use assist_store::{Task, TaskStatus};

use super::Verified;
use crate::assist::material;

/// What came of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// What is done: title and summary.
    done: Vec<(String, String)>,
    /// What is not, and why.
    failed: Vec<(String, String)>,
    /// What was not begun, because what it builds on failed.
    skipped: Vec<String>,
    /// What the user has to run, and why it was not run.
    commands: Vec<(String, String)>,
    /// What was run: the command, how it ended, and what it printed.
    ran: Vec<(String, String, String)>,
    /// The files that commands saw as they are saved, and not as an editor shows them.
    unsaved: Vec<String>,
    /// The files that were changed.
    files: Vec<String>,
    /// What the project's checks said.
    verified: Verified,
    /// What became of it then, where the user wanted that: committed, pushed, deployed. A sentence each.
    after: Vec<String>,
}

impl Report {
    pub(crate) fn of(tasks: &[Task]) -> Self {
        let mut report = Self::default();
        for task in tasks {
            let output = task.output.clone().unwrap_or_default();
            let files = output["files"].as_array().into_iter().flatten();
            report.files.extend(files.filter_map(|file| file.as_str().map(str::to_owned)));
            let command = output["command"].as_str().unwrap_or_default();
            if output["ended"].is_object() {
                let text = |key: &str| output["ended"][key].as_str().unwrap_or_default().to_owned();
                let unsaved = output["ended"]["unsaved"].as_array().into_iter().flatten();
                report.unsaved.extend(unsaved.filter_map(|file| file.as_str().map(str::to_owned)));
                report.ran.push((command.to_owned(), text("how"), text("output")));
            }
            match task.status {
                TaskStatus::Done => {
                    if let Some(why) = output["notRun"].as_str() {
                        report.commands.push((command.to_owned(), why.to_owned()));
                        continue;
                    }
                    let summary = output["summary"].as_str().unwrap_or_default().to_owned();
                    report.done.push((task.title.clone(), summary));
                }
                TaskStatus::Failed => {
                    report.failed.push((task.title.clone(), task.error.clone().unwrap_or_default()));
                }
                TaskStatus::Skipped | TaskStatus::Pending | TaskStatus::Running => {
                    report.skipped.push(task.title.clone());
                }
            }
        }
        report.files.sort();
        report.files.dedup();
        report.unsaved.sort();
        report.unsaved.dedup();
        report
    }

    /// With what the project's checks said at the end.
    pub(crate) fn with(mut self, verified: Verified) -> Self {
        self.verified = verified;
        self
    }

    /// With what became of it then.
    pub(crate) fn and_after(mut self, after: impl Iterator<Item = String>) -> Self {
        self.after = after.collect();
        self
    }

    /// The titles of what is done.
    pub(crate) fn done(&self) -> impl Iterator<Item = &str> {
        self.done.iter().map(|(title, _)| title.as_str())
    }

    /// For the model, which tells the user.
    pub(crate) fn told(&self) -> String {
        let mut told = "The plan was carried out as far as it went.\n".to_owned();
        for (title, summary) in &self.done {
            told.push_str(&format!("Done: {title}. {summary}\n"));
        }
        for (title, why) in &self.failed {
            told.push_str(&format!("Not done: {title}, because: {why}\n"));
        }
        for title in &self.skipped {
            told.push_str(&format!("Skipped: {title}, because it builds on what was not done.\n"));
        }
        for (command, how, output) in &self.ran {
            told.push_str(&format!("Ran: {command}, and {how}.\n"));
            if !output.is_empty() {
                told.push_str(&format!("{}\n", material("execute_command", output)));
            }
        }
        for (command, why) in &self.commands {
            told.push_str(&format!("Not run, because {why}; the user still needs to run: {command}\n"));
        }
        if !self.files.is_empty() {
            told.push_str(&format!("Changed files: {}\n", self.files.join(", ")));
        }
        for line in self.verified.lines() {
            told.push_str(&format!("{line}\n"));
        }
        for sentence in &self.after {
            told.push_str(&format!("{sentence}\n"));
        }
        told.push_str(
            "Nothing else was run or tested. Report this to the user in plain words, and what is left to do.",
        );
        told
    }

    /// One sentence for lists, whatever the model says.
    pub(crate) fn sentence(&self) -> String {
        let total = self.done.len() + self.failed.len() + self.skipped.len();
        let mut sentence = if self.failed.is_empty() && self.skipped.is_empty() {
            format!("Done: {}.", self.titles())
        } else {
            format!("{} of {total} steps are done", self.done.len())
        };
        if let Some((title, why)) = self.failed.first() {
            sentence.push_str(&format!("; {title} could not be done: {}", why.trim_end_matches('.')));
        }
        if !self.skipped.is_empty() {
            sentence.push_str(&format!("; skipped: {}", self.skipped.join(", ")));
        }
        if !sentence.ends_with('.') {
            sentence.push('.');
        }
        if !self.commands.is_empty() {
            let commands: Vec<_> = self.commands.iter().map(|(command, _)| command.as_str()).collect();
            sentence.push_str(&format!(" You still need to run: {}.", commands.join("; ")));
        }
        if !self.unsaved.is_empty() {
            let files = self.unsaved.join(", ");
            sentence.push_str(&format!(" Commands saw {files} as saved, not as the editor shows it."));
        }
        sentence.push_str(&self.verified.short());
        for after in &self.after {
            sentence.push_str(&format!(" {after}"));
        }
        sentence
    }

    fn titles(&self) -> String {
        let titles: Vec<_> = self.done.iter().map(|(title, _)| title.trim_end_matches('.')).collect();
        if titles.is_empty() { "nothing to change".to_owned() } else { titles.join(", ") }
    }

    /// Whether everything was done that could be.
    pub(crate) fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty() && self.verified.wrong.is_empty()
    }

    /// The files that were changed.
    pub(crate) fn files(&self) -> &[String] {
        &self.files
    }
}
