//! What to answer to whom. Data: built in Rust or read from JSON (format: README.md of this crate).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::asked::Provider;
use crate::gitea::Gitea;
use crate::reply::Reply;
use crate::routes::Route;

/// Rules, tried from the first to the last; the first that matches and is not used up answers.
/// A request no rule matches is answered with status 400 and noted in [`crate::Simulator::problems`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The rules in order.
    pub rules: Vec<Rule>,
    /// Models that exist. Empty: every name does, and the list a client asks for holds `sim-model`.
    pub models: Vec<String>,
    /// The context size that Ollama tells of its models. Absent: 131072.
    pub context: Option<u64>,
    /// Groups of words that embeddings take for one another.
    pub alike: Vec<Vec<String>>,
    /// Keys that are accepted. Empty: every key is, but one must be sent (not to Ollama).
    pub keys: Vec<String>,
    /// Services that are no models, looked at before the models' own paths.
    pub routes: Vec<Route>,
    /// A forge, with repositories of its own.
    pub gitea: Option<Gitea>,
}

/// One rule.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Shown in the recording.
    #[serde(default)]
    pub name: Option<String>,
    /// Which requests. The default matches all.
    #[serde(default)]
    pub when: Match,
    /// The answer.
    pub reply: Reply,
    /// How many requests this rule may answer. Absent: any number.
    #[serde(default)]
    pub times: Option<usize>,
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The wire format.
    pub provider: Option<Provider>,
    /// The model's name.
    pub model: Option<Pattern>,
    /// The system prompt.
    pub system: Option<Pattern>,
    /// The newest user message.
    pub last_user: Option<Pattern>,
    /// All messages, joined by line breaks, without the system prompt.
    pub messages: Option<Pattern>,
    /// Only the n-th request (from 1) that meets all the other conditions, whichever rule answered the ones before.
    pub nth: Option<usize>,
}

/// A condition on a text. In JSON a plain string is a substring.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Pattern {
    /// The text contains this.
    Contains(String),
    /// A regular expression finds something in the text.
    Regex {
        /// The expression, in the `regex` crate's syntax.
        regex: String,
    },
    /// The text does not match this.
    Not {
        /// What must not match.
        not: Box<Pattern>,
    },
    /// All of these match.
    All(Vec<Pattern>),
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self::Contains(text.to_owned())
    }
}

/// A text of a script: a string, or lines (each gets a line break), or a file beside the script.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// As it is.
    Plain(String),
    /// Lines without their line breaks.
    Lines(Vec<String>),
    /// Read when the script is loaded.
    File {
        /// Relative to the script's folder.
        file: PathBuf,
    },
}

impl Default for Text {
    fn default() -> Self {
        Self::Plain(String::new())
    }
}

impl Text {
    /// The text. A file that was not loaded (a script that came without a folder) is empty.
    pub fn get(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Lines(lines) => lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect(),
            Self::File { .. } => String::new(),
        }
    }

    pub(crate) fn load(&mut self, folder: &Path) -> Result<(), ScriptError> {
        if let Self::File { file } = self {
            let path = folder.join(file);
            *self = Self::Plain(read(&path)?);
        }
        Ok(())
    }
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// A file of it cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is not a script.
    #[error("not a script: {0}")]
    Format(#[from] serde_json::Error),
    /// A regular expression in it is wrong.
    #[error("{0}")]
    Regex(#[from] regex::Error),
}

fn read(path: &Path) -> Result<String, ScriptError> {
    std::fs::read_to_string(path)
        .map_err(|error| ScriptError::Read { path: path.display().to_string(), error })
}

impl Script {
    /// A script of these rules, for every model and key.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { rules: rules.into_iter().collect(), ..Self::default() }
    }

    /// Answers everything in the same way.
    pub fn always(reply: Reply) -> Self {
        Self::new([Rule::always(reply)])
    }

    /// The first request gets `first`, all later ones `then`: what most tests of a cut answer need.
    pub fn first_then(first: Reply, then: Reply) -> Self {
        Self::new([Rule::always(first).times(1), Rule::always(then)])
    }

    /// Reads a script from its JSON, files relative to `folder`.
    pub fn from_json(json: &str, folder: &Path) -> Result<Self, ScriptError> {
        let mut script: Self = serde_json::from_str(json)?;
        for rule in &mut script.rules {
            rule.reply.load(folder)?;
        }
        script.check()?;
        Ok(script)
    }

    /// Reads a script file.
    pub fn from_file(path: &Path) -> Result<Self, ScriptError> {
        Self::from_json(&read(path)?, path.parent().unwrap_or(Path::new(".")))
    }

    /// Are all regular expressions well formed?
    pub(crate) fn check(&self) -> Result<(), ScriptError> {
        fn check(pattern: &Pattern) -> Result<(), ScriptError> {
            match pattern {
                Pattern::Contains(_) => Ok(()),
                Pattern::Regex { regex } => Ok(regex::Regex::new(regex).map(drop)?),
                Pattern::Not { not } => check(not),
                Pattern::All(all) => all.iter().try_for_each(check),
            }
        }
        for Rule { when, .. } in &self.rules {
            for pattern in [&when.model, &when.system, &when.last_user, &when.messages].into_iter().flatten()
            {
                check(pattern)?;
            }
        }
        Ok(())
    }
}

impl Rule {
    /// Matches every request.
    pub fn always(reply: Reply) -> Self {
        Self::when(Match::default(), reply)
    }

    /// Matches requests that meet the conditions.
    pub fn when(when: Match, reply: Reply) -> Self {
        Self { when, reply, name: None, times: None }
    }

    /// Matches when the newest user message contains `text`.
    pub fn asked(text: &str, reply: Reply) -> Self {
        Self::when(Match { last_user: Some(text.into()), ..Match::default() }, reply)
    }

    /// Matches when any message contains `text`; for a continuation, where the first question stands further up.
    pub fn about(text: &str, reply: Reply) -> Self {
        Self::when(Match { messages: Some(text.into()), ..Match::default() }, reply)
    }

    /// Answers at most `n` requests.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.times = Some(n);
        self
    }

    /// Names the rule in the recording.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }
}
