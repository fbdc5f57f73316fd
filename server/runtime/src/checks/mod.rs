//! The project's own checks: types, lints, builds and tests, run in the shadow and compared with what was wrong before.
//!
//! Checks are found from the project's files ([`detect`]) or configured, run one after another ([`run`]), and their output is
//! read into [`Finding`]s. Only what is new counts: a finding that was there before the change is not blamed on it
//! ([`Baseline`]). What could not be checked is said with its reason, never passed over.
//!
//! Limits: a check that reports only a failing code and nothing that can be read counts as one finding with the last lines of
//! its output. Two findings of the same words in one file are told apart by their number, not by their line, since lines move.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assist_base::DocPath;
use serde::{Deserialize, Serialize};

use crate::command::{Command, CommandError, End, Finished};
use crate::confine::{Confinement, Helper};
use crate::shadow::{Shadow, ShadowError};

mod attempts;
mod detect;
mod parse;

pub use attempts::{Attempts, MAX_SAME, Next};
pub use detect::{detect, find_program};

/// Why a check says nothing that was ended from elsewhere.
const STOPPED: &str = "it was stopped.";

/// What kind of check it is, which decides how its output is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// The TypeScript compiler.
    Tsc,
    /// ESLint.
    Eslint,
    /// Vitest.
    Vitest,
    /// Jest.
    Jest,
    /// Vite's build.
    ViteBuild,
    /// `cargo check`.
    CargoCheck,
    /// `cargo test`.
    CargoTest,
    /// pytest.
    Pytest,
    /// Ruff.
    Ruff,
    /// `go build`.
    GoBuild,
    /// `go vet`.
    GoVet,
    /// A command of the user's configuration: read by its code, and by `file:line:column: message` lines.
    Configured,
}

impl Tool {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tsc => "tsc",
            Self::Eslint => "eslint",
            Self::Vitest => "vitest",
            Self::Jest => "jest",
            Self::ViteBuild => "vite build",
            Self::CargoCheck => "cargo check",
            Self::CargoTest => "cargo test",
            Self::Pytest => "pytest",
            Self::Ruff => "ruff",
            Self::GoBuild => "go build",
            Self::GoVet => "go vet",
            Self::Configured => "configured",
        }
    }

    /// Whether it runs the project's tests, which take their time: not after each component.
    pub fn is_test(self) -> bool {
        matches!(self, Self::Vitest | Self::Jest | Self::CargoTest | Self::Pytest | Self::ViteBuild)
    }

    /// Whether a change to this file could make a difference to it.
    fn concerns(self, path: &DocPath) -> bool {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let script = matches!(
            extension,
            "ts" | "tsx" | "mts" | "cts" | "js" | "jsx" | "mjs" | "cjs" | "json" | "vue" | "svelte"
        );
        match self {
            Self::Tsc | Self::Vitest | Self::Jest | Self::Eslint => script,
            Self::ViteBuild => script || matches!(extension, "html" | "css" | "scss" | "less"),
            Self::CargoCheck | Self::CargoTest => matches!(extension, "rs" | "toml" | "lock"),
            Self::Pytest | Self::Ruff => matches!(extension, "py" | "pyi" | "toml" | "cfg" | "ini"),
            Self::GoBuild | Self::GoVet => matches!(extension, "go" | "mod" | "sum"),
            Self::Configured => true,
        }
    }
}

/// One check of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Which.
    pub tool: Tool,
    /// Where it is run, relative to the workspace; empty for its root.
    pub folder: String,
    /// The program: a name that `PATH` knows, or a path relative to the copy's root.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

impl Check {
    /// A command of the user's configuration, run in the workspace's root by the shell. Whether it may run at all is for
    /// [`crate::permission`] to say.
    pub fn configured(line: &str) -> Self {
        Self {
            tool: Tool::Configured,
            folder: String::new(),
            program: "/bin/sh".to_owned(),
            arguments: vec!["-c".to_owned(), line.to_owned()],
            timeout: Duration::from_secs(600),
        }
    }

    /// What the user calls it: `tsc in web`.
    pub fn name(&self) -> String {
        let name = match self.tool {
            Tool::Configured => format!("`{}`", self.arguments.last().map_or("", String::as_str)),
            tool => tool.name().to_owned(),
        };
        if self.folder.is_empty() { name } else { format!("{name} in {}", self.folder) }
    }

    /// Whether it is to be run after a change of these files.
    pub fn concerns(&self, changed: &[DocPath]) -> bool {
        changed.iter().any(|path| self.within(path).is_some() && self.tool.concerns(path))
    }

    /// Whether a run after a change may look at less than everything.
    fn is_narrowed(&self) -> bool {
        matches!(self.tool, Tool::Eslint | Tool::Ruff | Tool::Jest | Tool::Vitest)
    }

    fn within<'a>(&self, path: &'a DocPath) -> Option<&'a str> {
        if self.folder.is_empty() {
            return Some(path.as_str());
        }
        path.as_str().strip_prefix(self.folder.as_str())?.strip_prefix('/')
    }

    /// The arguments for a run after a change of `changed` alone, for the tools that can be narrowed so; all otherwise.
    fn narrowed(&self, changed: Option<&[DocPath]>, exists: impl Fn(&DocPath) -> bool) -> Vec<String> {
        let mut arguments = self.arguments.clone();
        let Some(changed) = changed else { return arguments };
        let source = |path: &&DocPath| {
            let extensions: &[&str] = match self.tool {
                Tool::Ruff => &["py", "pyi"],
                _ => &["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs", "vue", "svelte"],
            };
            path.as_str().rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
                && exists(path)
        };
        // A name that begins with a dash would be an option.
        let files = || -> Vec<String> {
            changed
                .iter()
                .filter(source)
                .filter_map(|path| self.within(path))
                .map(|path| format!("./{path}"))
                .collect()
        };
        let mut narrow = |replaced: usize, before: &[&str]| {
            let files = files();
            if !files.is_empty() {
                arguments.truncate(arguments.len() - replaced);
                arguments.extend(before.iter().map(|&word| word.to_owned()));
                arguments.extend(files);
            }
        };
        match self.tool {
            // Each ends in the place that all files have: `.`
            Tool::Eslint | Tool::Ruff => narrow(1, &[]),
            Tool::Jest => narrow(0, &["--findRelatedTests"]),
            Tool::Vitest => {
                let files = files();
                if !files.is_empty() {
                    arguments[0] = "related".to_owned();
                    arguments.extend(files);
                    arguments.push("--run".to_owned());
                }
            }
            _ => {}
        }
        arguments
    }
}

/// Something a check found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// Which check.
    pub tool: Tool,
    /// The file, relative to the workspace; none where the check names none.
    pub file: Option<String>,
    /// From 1, as the tool counts.
    pub line: Option<u32>,
    /// From 1, as the tool counts.
    pub column: Option<u32>,
    /// The tool's own name for it: `TS2322`, `E0308`, `no-unused-vars`, a test's name.
    pub code: Option<String>,
    /// What it says.
    pub message: String,
}

impl Finding {
    /// What stays the same when lines move.
    fn key(&self) -> (Tool, Option<&str>, Option<&str>, &str) {
        (self.tool, self.file.as_deref(), self.code.as_deref(), &self.message)
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            for number in [self.line, self.column].into_iter().flatten() {
                write!(f, ":{number}")?;
            }
            f.write_str(": ")?;
        }
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end; these are all its findings, old and new.
    Ran(Vec<Finding>),
    /// It could not say anything: one sentence why.
    NotRun(String),
}

/// What the checks found in one state of the workspace, to compare a later one with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    found: HashMap<String, Vec<Finding>>,
}

/// What came of a round of checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Findings that the baseline does not have.
    pub new: Vec<Finding>,
    /// How many findings the baseline has too.
    pub known: usize,
    /// The names of the checks that ran.
    pub checked: Vec<String>,
    /// The names of those that did not, each with one sentence.
    pub not_checked: Vec<(String, String)>,
    /// What held around them, the weakest of all.
    pub confinement: Option<Confinement>,
    now: Baseline,
}

impl Report {
    /// Whether nothing new was found. Also true where nothing could be checked: see [`Self::checked`].
    pub fn is_clean(&self) -> bool {
        self.new.is_empty()
    }

    /// The same, compared with another baseline: what that has is not new.
    pub fn against(mut self, baseline: &Baseline) -> Self {
        let all = self.new.len() + self.known;
        self.new = self
            .checked
            .iter()
            .flat_map(|name| {
                let found = self.now.found.get(name).map(Vec::as_slice).unwrap_or_default();
                baseline.new_in(name, found)
            })
            .collect();
        self.known = all.saturating_sub(self.new.len());
        self
    }

    /// The baseline for the next round, when the change that was checked is made.
    pub fn into_baseline(self) -> Baseline {
        self.now
    }

    /// What was checked and what was not, for people: one line each.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.checked.is_empty() {
            let old = if self.known > 0 { format!(" ({} from before)", self.known) } else { String::new() };
            lines.push(format!("Checked with {}: {} new{old}.", self.checked.join(", "), self.new.len()));
        }
        lines.extend(self.not_checked.iter().map(|(name, why)| format!("Not checked with {name}: {why}")));
        lines
    }
}

impl Baseline {
    /// What the checks find in the shadow as it is: sync it without the change first.
    ///
    /// # Errors
    /// As [`run`].
    pub fn take(shadow: &mut Shadow, checks: &[Check], helper: Option<&Helper>) -> Result<Self, ShadowError> {
        Ok(run(shadow, checks, None, &Self::default(), helper)?.into_baseline())
    }

    /// Those of `found` that are not in here, each as often as it is here.
    fn new_in(&self, name: &str, found: &[Finding]) -> Vec<Finding> {
        let mut known: HashMap<_, usize> = HashMap::new();
        for finding in self.found.get(name).into_iter().flatten() {
            *known.entry(finding.key()).or_default() += 1;
        }
        let mut new = Vec::new();
        for finding in found {
            match known.get_mut(&finding.key()) {
                Some(left) if *left > 0 => *left -= 1,
                _ => new.push(finding.clone()),
            }
        }
        new
    }
}

/// Runs the checks in the shadow, as it was last synced, and says what is new against `baseline`.
///
/// With `changed`, only the checks that these files concern are run, and those that can be narrowed look only at them;
/// checks that are left out keep what the baseline says of them.
///
/// Blocks until all are done, at most for the sum of their time limits.
///
/// # Errors
/// [`ShadowError::Io`] when the copy's cache cannot be made. A check that fails to run is an entry of the report.
pub fn run(
    shadow: &mut Shadow,
    checks: &[Check],
    changed: Option<&[DocPath]>,
    baseline: &Baseline,
    helper: Option<&Helper>,
) -> Result<Report, ShadowError> {
    let cache = shadow.cache()?;
    let mut report = Report { now: baseline.clone(), ..Report::default() };
    for check in checks {
        let name = check.name();
        if changed.is_some_and(|changed| !check.concerns(changed)) {
            continue;
        }
        let (outcome, held) = one(shadow, check, changed, &cache, helper);
        if let Some(held) = held
            && (report.confinement.is_none() || held != Confinement::Full)
        {
            report.confinement = Some(held);
        }
        match outcome {
            Outcome::Ran(found) => {
                let new = baseline.new_in(&name, &found);
                report.known += found.len() - new.len();
                let new_ones = new.len();
                report.new.extend(new);
                report.checked.push(name.clone());
                let kept = report.now.found.entry(name).or_default();
                if changed.is_some() && check.is_narrowed() {
                    // It did not look at everything: what it says nothing of stays as it was.
                    let more = report.new[report.new.len() - new_ones..].iter().cloned();
                    kept.extend(more);
                } else {
                    *kept = found;
                }
            }
            Outcome::NotRun(why) => report.not_checked.push((name, why)),
        }
    }
    Ok(report)
}

fn one(
    shadow: &mut Shadow,
    check: &Check,
    changed: Option<&[DocPath]>,
    cache: &Path,
    helper: Option<&Helper>,
) -> (Outcome, Option<Confinement>) {
    let root = shadow.root().to_path_buf();
    let folder = root.join(&check.folder);
    let program = match find_program(&root, &check.program) {
        Ok(program) => program,
        Err(why) => return (Outcome::NotRun(why), None),
    };
    let mut arguments = check.narrowed(changed, |path| root.join(path.as_str()).is_file());
    if check.tool == Tool::Tsc {
        let key = check.folder.replace('/', "-");
        arguments.extend([
            "--tsBuildInfoFile".to_owned(),
            cache.join(format!("tsc{key}.json")).display().to_string(),
        ]);
    }
    let words = std::iter::once(program.display().to_string()).chain(arguments);
    let mut command: Command = shadow.command(words);
    command.folder = folder.clone();
    command.timeout = check.timeout;
    command.output_cap = 4 << 20;
    if shadow.halt.is_halted() {
        return (Outcome::NotRun(STOPPED.to_owned()), None);
    }
    let finished = match command.start(helper) {
        Ok(running) => {
            shadow.halt.hold(&running);
            running.wait()
        }
        Err(CommandError::Missing { message } | CommandError::Start { message }) => {
            return (Outcome::NotRun(format!("{message}.")), None);
        }
    };
    let held = Some(finished.confinement.clone());
    (read(check, &finished, &Places { root: &root, folder: &folder }), held)
}

/// Where file names in a check's output are looked for.
pub(crate) struct Places<'a> {
    root: &'a Path,
    folder: &'a PathBuf,
}

impl Places<'_> {
    /// A name from a check's output, relative to the workspace; none for a file outside it.
    fn file(&self, name: &str) -> Option<String> {
        let path = self.folder.join(name);
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                std::path::Component::ParentDir => {
                    plain.pop();
                }
                std::path::Component::CurDir => {}
                part => plain.push(part),
            }
        }
        let inside = plain.strip_prefix(self.root).ok()?;
        Some(inside.to_str()?.replace('\\', "/"))
    }
}

fn read(check: &Check, finished: &Finished, places: &Places<'_>) -> Outcome {
    let code = match finished.end {
        End::Exited(code) => code,
        End::TimedOut => {
            return Outcome::NotRun(format!(
                "it took longer than {} seconds and was ended.",
                check.timeout.as_secs()
            ));
        }
        End::Signalled(signal) => return Outcome::NotRun(format!("it was ended by signal {signal}.")),
        End::TooManyProcesses => {
            return Outcome::NotRun("it started too many processes and was ended.".to_owned());
        }
        End::TooMuchWritten => {
            return Outcome::NotRun("it wrote more than may be written at once and was ended.".to_owned());
        }
        End::Stopped | End::Lost => return Outcome::NotRun(STOPPED.to_owned()),
    };
    if let Some(why) = parse::could_not_run(check.tool, code, &finished.output) {
        return Outcome::NotRun(why);
    }
    let mut found = parse::findings(check.tool, &finished.output, places);
    if code == 0 {
        // What a tool says that is content are warnings.
        found.clear();
    } else if found.is_empty() {
        let lines: Vec<&str> = finished.output.text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(15)..];
        let message = if last.is_empty() { format!("it ended with code {code}") } else { last.join("\n") };
        found.push(Finding { tool: check.tool, file: None, line: None, column: None, code: None, message });
    }
    Outcome::Ran(found)
}

#[cfg(test)]
mod tests;
