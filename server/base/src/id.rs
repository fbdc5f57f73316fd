//! Identifiers. Each is a random UUID with a type of its own, so that a run is never mistaken for a conversation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not an identifier of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} id")]
pub struct IdError {
    /// What was expected: `run`, `conversation`, …
    pub kind: &'static str,
    /// The offending text.
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random identifier.
            #[expect(clippy::new_without_default, reason = "a default that differs each time would surprise")]
            pub fn new() -> Self {
                Self(Uuid::new_v4())
            }

            /// The first eight hexadecimal digits: what people see and type.
            pub fn short(&self) -> String {
                let mut text = self.0.simple().to_string();
                text.truncate(8);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}:{}", $kind, self.short())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError { kind: $kind, text: text.to_owned() })
            }
        }
    };
}

id!(
    /// One run: a request from ask through confirmation to execution. A row of `agent_sessions`.
    RunId,
    "run"
);
impl RunId {
    /// What belongs to no run.
    pub const NONE: Self = Self(Uuid::nil());
}

id!(
    /// One conversation with Assist. A row of `advisor_conversations`.
    ConversationId,
    "conversation"
);
id!(
    /// One message of a conversation. Text deltas name the message they belong to.
    MessageId,
    "message"
);
id!(
    /// One change set: the unit that is applied completely or not at all.
    ChangeSetId,
    "change"
);

id!(
    /// One thing that Assist remembers. A row of `advisor_memory`.
    MemoryId,
    "memory"
);
id!(
    /// A document of the society, over all its versions. A row of `documents`.
    DocumentId,
    "document"
);
id!(
    /// A node of a run's dependency graph. A row of `tasks`.
    TaskId,
    "task"
);
id!(
    /// A message between roles. A row of `agent_messages`.
    AgentMessageId,
    "agent message"
);
id!(
    /// A question that only the user may answer. A row of `approvals`.
    ApprovalId,
    "approval"
);
id!(
    /// A named state of some files. A row of `snapshot_sets`.
    SnapshotSetId,
    "snapshot"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        let id = RunId::new();
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
        assert!(id.to_string().starts_with(&id.short()));
        assert_eq!("x".parse::<RunId>().unwrap_err().to_string(), "`x` is not a run id");
    }
}
