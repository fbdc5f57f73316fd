//! How a provider is, for `assist doctor`.

/// The answer to a cheap question: may we, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The registry name.
    pub provider: String,
    /// Where it was asked, without any password; empty when no address is known.
    pub base_url: String,
    /// How it is.
    pub state: HealthState,
    /// The models it lists; empty when it was not reached or lists none.
    pub models: Vec<String>,
    /// One sentence for the user, with the fix where one is needed.
    pub detail: String,
}

/// How a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthState {
    /// It answers, and takes the key where it needs one.
    Reachable,
    /// Nothing is known that would let us ask. Nothing was sent.
    NotConfigured,
    /// It answers and refuses the key.
    KeyRefused,
    /// It does not answer, or not as this provider does.
    Unreachable,
}

impl HealthState {
    /// The word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            HealthState::Reachable => "reachable",
            HealthState::NotConfigured => "not configured",
            HealthState::KeyRefused => "key refused",
            HealthState::Unreachable => "unreachable",
        }
    }
}
