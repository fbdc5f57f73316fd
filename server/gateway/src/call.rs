//! What is asked of a model.

use std::fmt;
use std::str::FromStr;

use assist_base::RunId;
use serde::{Deserialize, Serialize};

/// How hard a task is, and so how strong a model it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// Cheap: routing, summaries.
    A,
    /// Standard: most code.
    B,
    /// Hard: architecture, difficult repairs.
    C,
}

impl Tier {
    /// Every tier, cheapest first.
    pub const ALL: [Tier; 3] = [Tier::A, Tier::B, Tier::C];

    /// The letter.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::A => "A",
            Tier::B => "B",
            Tier::C => "C",
        }
    }

    /// The variable that overrides this tier's model.
    pub fn model_var(self) -> &'static str {
        match self {
            Tier::A => "TIER_A_MODEL",
            Tier::B => "TIER_B_MODEL",
            Tier::C => "TIER_C_MODEL",
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|tier| tier.as_str().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| format!("`{text}` is not a tier: say A, B or C"))
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person, or the program in the person's place.
    User,
    /// The model.
    Assistant,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said. A message without text is left out of the request, since some providers refuse it.
    pub text: String,
}

impl Message {
    /// A message of the user.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, text: text.into() }
    }

    /// A message of the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self { role: Role::Assistant, text: text.into() }
    }
}

/// The words of a call, without saying who answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// Standing instructions; may be empty.
    pub system: String,
    /// The conversation so far, oldest first, ending with the user's message. A prefilled assistant message at the end
    /// is not supported: several providers refuse it.
    pub messages: Vec<Message>,
    /// How many tokens the answer may have; at least 1, and lowered to what the model can give where that is known.
    pub max_output_tokens: u32,
    /// 0.0 to 2.0, or the model's own default. Left out for models that refuse it.
    pub temperature: Option<f32>,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The run that pays for it.
    pub run: RunId,
    /// The stage or role that asks, for the ledger.
    pub agent: String,
    /// Which tier's model answers.
    pub tier: Tier,
    /// `provider/model` or a bare model name, in place of the tier's.
    pub model: Option<String>,
    /// What is asked.
    pub request: Request,
}

/// A model of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelRef {
    /// The registry name: `anthropic`, `openai`, …
    pub provider: String,
    /// The provider's own name of the model. `auto` where a local server is asked at the first call.
    pub model: String,
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.provider == crate::providers::replay::NAME {
            return f.write_str("replay (recorded answers, no live model)");
        }
        write!(f, "{}/{}", self.provider, self.model)
    }
}
