//! Identifiers of what only the store numbers. Random UUIDs, each with a type of its own, as in the base crate.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The text is not an identifier of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} id")]
pub struct BadId {
    /// What was expected: `memory`, `document`, …
    pub kind: &'static str,
    /// The offending text.
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                Uuid::parse_str(text).map(Self).map_err(|_| BadId { kind: $kind, text: text.to_owned() })
            }
        }
    };
}

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
