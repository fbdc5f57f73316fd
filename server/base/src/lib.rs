//! What every room of the house shares: identifiers, positions, change sets, run states, events, time.
//!
//! Nothing here reads a file, opens a socket or knows an editor. Positions are UTF-8 byte offsets everywhere below the
//! `lsp` crate, which converts to and from the editor's encoding at its edge.

pub mod change;
pub mod clock;
pub mod event;
pub mod hash;
pub mod id;
pub mod path;
pub mod range;
pub mod run;
pub mod secret;

pub use change::{ChangeSet, FileChange, FileEdit, Outcome, Revision, TextEdit};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use event::{Event, EventKind, TextDelta};
pub use hash::ContentHash;
pub use id::{ChangeSetId, ConversationId, MessageId, RunId};
pub use path::{DocPath, PathError};
pub use range::ByteRange;
pub use run::{PauseReason, RunState, TransitionError};
pub use secret::Secret;
