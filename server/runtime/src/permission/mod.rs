//! Which commands may run: allowed, asked for, or denied.
//!
//! A rule is a pattern over the words of one command. A shell line is taken apart (`&&`, `|`, `;`, `$( )`, subshells), and
//! every command in it needs to be allowed; what is not understood is asked for. Denied wins over asked, asked over
//! allowed, and what no rule names is asked for.
//!
//! Rules that allow come from the user alone. A repository may bring rules too, and those can only be stricter:
//! [`Rules::add_repository`] gives back what it tried to allow.
//!
//! Limit: a rule says what a command is called, not what it does. `npm test` does what `package.json` says, and that file may be
//! the model's; the walls around the command ([`crate::confine`]) are what holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::command::Line;
use crate::confine::Confinement;

mod line;
mod pattern;

use line::{Part, Word};
pub use pattern::{Pattern, PatternError};

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may run.
    Allow,
    /// The user is asked each time.
    Ask,
    /// It may not run, and nobody is asked.
    Deny,
}

/// A pattern and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Which commands: see [`Pattern`].
    pub pattern: Pattern,
    /// What is said of them.
    pub verdict: Verdict,
}

/// All rules that hold in a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// Whether a command may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Every part of it is allowed.
    Allow,
    /// Ask the user.
    Ask {
        /// The parts that are not allowed yet, as the user may read them.
        parts: Vec<String>,
        /// Why, as one sentence.
        why: String,
    },
    /// A rule denies it.
    Deny {
        /// The part.
        part: String,
        /// The rule's pattern.
        rule: Pattern,
    },
}

/// Programs that run what their arguments say: their rules look at that too.
const WRAPPERS: [&str; 15] = [
    "env", "nohup", "time", "nice", "ionice", "command", "builtin", "exec", "xargs", "sudo", "doas",
    "timeout", "setsid", "stdbuf", "busybox",
];
/// How many words of a line that is not understood, or behind a wrapper, are looked at from each place.
const LOOKED_AT: usize = 32;
const MAX_WINDOWS: usize = 2_000;
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "ash"];

impl Rules {
    /// Adds rules of the user's own.
    pub fn add_user(&mut self, rules: impl IntoIterator<Item = Rule>) {
        self.rules.extend(rules);
    }

    /// Adds rules that a repository brings. Those that allow are not taken over; they are returned, so that the user can be
    /// told and may make them their own.
    pub fn add_repository(&mut self, rules: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
        let (wishes, stricter): (Vec<_>, Vec<_>) =
            rules.into_iter().partition(|rule| rule.verdict == Verdict::Allow);
        self.rules.extend(stricter);
        wishes
    }

    /// Whether `line` may run behind walls that hold as `confinement` says. Where nothing holds, what would be allowed is
    /// asked for.
    pub fn decide(&self, line: &Line, confinement: &Confinement) -> Decision {
        let parts = match line {
            Line::Program(words) => {
                let word = |text: &String| Word { text: text.clone(), expands: false };
                vec![Part { words: words.iter().map(word).collect(), ..Part::default() }]
            }
            Line::Shell(text) => match line::parts(text) {
                Ok(parts) => parts,
                Err(unclear) => {
                    let why = format!("this line cannot be taken apart: {}.", unclear.0);
                    // Even so, what is denied by its plain words stays denied.
                    let plain = text.split(|c: char| c.is_whitespace() || ";&|()<>`\"'{}".contains(c));
                    let words: Vec<Word> = plain
                        .filter(|word| !word.is_empty())
                        .map(|word| Word { text: word.to_owned(), expands: false })
                        .collect();
                    let windows =
                        (0..words.len()).map(|from| &words[from..words.len().min(from + LOOKED_AT)]);
                    let denied = windows.take(MAX_WINDOWS).find_map(|words| self.denied_here(words));
                    return match denied {
                        Some(rule) => Decision::Deny { part: text.clone(), rule: rule.clone() },
                        None => Decision::Ask { parts: vec![text.clone()], why },
                    };
                }
            },
        };
        let mut asked = Vec::new();
        for part in &parts {
            match self.of_part(part) {
                Decision::Allow => {}
                Decision::Ask { parts, why } => asked.push((parts, why)),
                denied @ Decision::Deny { .. } => return denied,
            }
        }
        if parts.is_empty() {
            asked.push((vec![String::new()], "there is no command in it.".to_owned()));
        }
        if let Some((_, why)) = asked.first() {
            let why = why.clone();
            return Decision::Ask { parts: asked.into_iter().flat_map(|(parts, _)| parts).collect(), why };
        }
        match confinement {
            Confinement::None(why) => Decision::Ask {
                parts: parts.iter().map(ToString::to_string).collect(),
                why: format!("commands run without walls here: {why}."),
            },
            Confinement::Full | Confinement::Partial(_) => Decision::Allow,
        }
    }

    fn of_part(&self, part: &Part) -> Decision {
        if let Some(rule) = self.denied(&part.words) {
            return Decision::Deny { part: part.to_string(), rule: rule.clone() };
        }
        let ask = |why: &str| Decision::Ask { parts: vec![part.to_string()], why: why.to_owned() };
        for redirection in &part.redirections {
            let words: Vec<Word> = redirection
                .splitn(2, ' ')
                .map(|text| Word { text: text.to_owned(), expands: false })
                .collect();
            if let Some(rule) = self.denied(&words) {
                return Decision::Deny { part: part.to_string(), rule: rule.clone() };
            }
            if self.said(&words) != Some(Verdict::Allow) {
                return ask("it sends output to a file, or reads from one, that no rule allows.");
            }
        }
        if part.assignments {
            return ask("it sets variables, which can change what a command does.");
        }
        if part.words.is_empty() {
            return Decision::Allow;
        }
        if part.words[0].expands {
            return ask("which program it runs is not known before it runs.");
        }
        match self.said(&part.words) {
            Some(Verdict::Allow) => Decision::Allow,
            Some(_) => ask("a rule says to ask for it."),
            None => ask("no rule speaks of it."),
        }
    }

    /// The strictest that any rule says.
    fn said(&self, words: &[Word]) -> Option<Verdict> {
        self.rules.iter().filter(|rule| rule.pattern.matches(words)).map(|rule| rule.verdict).max()
    }

    /// The rule that denies these words, or those that a wrapper would run.
    fn denied(&self, words: &[Word]) -> Option<&Pattern> {
        if WRAPPERS.contains(&name_of(words.first()?)) {
            // Which of its words begins the command is the wrapper's affair: each might.
            let windows = (1..words.len().min(LOOKED_AT)).map(|from| &words[from..]);
            if let Some(pattern) = windows.into_iter().find_map(|words| self.denied_here(words)) {
                return Some(pattern);
            }
        }
        self.denied_here(words)
    }

    /// The rule that denies these words as they are, by the program's name without its folder, without the options
    /// between it and its verb (`git -C x push`), or as a shell's own line.
    fn denied_here(&self, words: &[Word]) -> Option<&Pattern> {
        let denies = |words: &[Word]| {
            let denying = self.rules.iter().filter(|rule| rule.verdict == Verdict::Deny);
            denying.map(|rule| &rule.pattern).find(|pattern| pattern.matches(words))
        };
        let name = name_of(words.first()?);
        let mut by_name = words.to_vec();
        by_name[0].text = name.to_owned();
        if let Some(pattern) =
            denies(words).or_else(|| denies(&by_name)).or_else(|| denies(&without_options(&by_name)))
        {
            return Some(pattern);
        }
        if !SHELLS.contains(&name) {
            return None;
        }
        let lines =
            words.iter().skip(1).filter(|word| word.text.contains(' ') || !word.text.starts_with('-'));
        let mut parts = lines.filter_map(|word| line::parts(&word.text).ok()).flatten();
        parts.find_map(|part| self.denied(&part.words))
    }
}

/// The program's name without its folder.
fn name_of(word: &Word) -> &str {
    word.text.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// Without what stands between a program and its verb.
fn without_options(words: &[Word]) -> Vec<Word> {
    const WITH_VALUE: [&str; 6] = ["-C", "-c", "--git-dir", "--work-tree", "--prefix", "--cwd"];
    let mut rest = words.iter();
    let mut plain: Vec<Word> = rest.next().cloned().into_iter().collect();
    while let Some(word) = rest.next() {
        if !word.text.starts_with('-') {
            plain.push(word.clone());
            break;
        }
        if WITH_VALUE.contains(&word.text.as_str()) {
            rest.next();
        }
    }
    plain.extend(rest.cloned());
    plain
}

/// The rules to keep when the user says "always" (or "never") to what was asked: one for each part, for exactly these words.
/// They belong into the user's own configuration, under this workspace, never into the repository.
///
/// Empty where no rule could say it: the line is not understood, sets variables, or a program's name is not known.
pub fn to_remember(line: &Line, verdict: Verdict) -> Vec<Rule> {
    let parts = match line {
        Line::Program(words) => {
            return Pattern::exactly(words.iter().map(String::as_str))
                .map(|pattern| vec![Rule { pattern, verdict }])
                .unwrap_or_default();
        }
        Line::Shell(text) => line::parts(text).unwrap_or_default(),
    };
    let known = |part: &Part| {
        !part.assignments && part.redirections.is_empty() && part.words.iter().all(|word| !word.expands)
    };
    if !parts.iter().all(known) {
        return Vec::new();
    }
    parts
        .iter()
        .filter_map(|part| Pattern::exactly(part.words.iter().map(|word| word.text.as_str())))
        .map(|pattern| Rule { pattern, verdict })
        .collect()
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.words.iter().map(|word| word.text.as_str()).collect();
        f.write_str(&words.join(" "))?;
        for redirection in &self.redirections {
            write!(f, " {redirection}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
