//! What can keep a request from becoming a run, by what the user can do about it.

use assist_base::RunState;
use assist_gateway::GatewayError;
use assist_runtime::FileError;
use assist_store::StoreError;

use crate::host::HostError;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// What is wrong and where, in one sentence.
    pub message: String,
    /// What to change.
    pub fix: String,
}

/// Why the engine did not do what it was asked. Every message is one sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No model can be reached: set one up.
    #[error("{message}")]
    NoProvider {
        /// What is missing.
        message: String,
        /// How to get it.
        fix: String,
    },
    /// There is no instruction: ask for one.
    #[error("Say what Assist should do.")]
    PromptNeeded,
    /// No run has this id, or none fits.
    #[error("There is no run or conversation {0} here.")]
    NotFound(String),
    /// No snapshot has this id or label.
    #[error("There is no snapshot {0} here: `assist snapshot list` shows them.")]
    NoSnapshot(String),
    /// No memory has this id.
    #[error("There is no memory {0} here: `assist memory list` shows them.")]
    NoMemory(String),
    /// The run cannot do that now.
    #[error("The run is {state}: {why}.")]
    WrongState {
        /// Where it stands.
        state: RunState,
        /// What that means for the request.
        why: String,
    },
    /// The document cannot be worked on.
    #[error("{0}")]
    BadDocument(String),
    /// A configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The workspace's database cannot be used.
    #[error("{message}")]
    Store {
        /// What is wrong.
        message: String,
        /// What to do.
        fix: String,
    },
}

impl EngineError {
    /// The kind as the editor protocol names it (server/lsp/PROTOCOL.md).
    pub fn kind(&self) -> &'static str {
        match self {
            EngineError::NoProvider { .. } => "no_provider",
            EngineError::PromptNeeded => "prompt_needed",
            EngineError::NotFound(_) | EngineError::NoSnapshot(_) | EngineError::NoMemory(_) => "not_found",
            EngineError::WrongState { .. } => "wrong_state",
            EngineError::BadDocument(_) => "bad_document",
            EngineError::Config(_) => "config",
            EngineError::Store { .. } => "store",
        }
    }

    /// Every kind there is.
    pub const KINDS: [&'static str; 7] =
        ["no_provider", "prompt_needed", "not_found", "wrong_state", "bad_document", "config", "store"];

    /// What the user can do, where one sentence says it.
    pub fn fix(&self) -> Option<&str> {
        match self {
            EngineError::NoProvider { fix, .. } | EngineError::Store { fix, .. } => Some(fix),
            EngineError::Config(error) => Some(&error.fix),
            _ => None,
        }
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { id, .. } => return EngineError::NotFound(id),
            StoreError::Invalid { .. } => return EngineError::BadDocument(sentence(&error.to_string())),
            _ => {}
        }
        EngineError::Store { message: error.to_string(), fix: "Run `assist doctor`.".to_owned() }
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.trim().trim_end_matches('.').chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

impl From<FileError> for EngineError {
    fn from(error: FileError) -> Self {
        EngineError::BadDocument(error.to_string())
    }
}

impl From<HostError> for EngineError {
    fn from(error: HostError) -> Self {
        EngineError::BadDocument(error.to_string())
    }
}

impl From<GatewayError> for EngineError {
    fn from(error: GatewayError) -> Self {
        match error {
            // A chosen provider without a key is the same to the user: a key is wanted.
            GatewayError::NoProvider | GatewayError::NotConfigured { .. } => {
                let message = error.to_string();
                let fix = message.split_once(": ").map_or_else(|| message.clone(), |(_, fix)| fix.to_owned());
                EngineError::NoProvider { message, fix }
            }
            other => EngineError::Config(ConfigError {
                message: other.to_string(),
                fix: "Run `assist doctor`.".into(),
            }),
        }
    }
}
