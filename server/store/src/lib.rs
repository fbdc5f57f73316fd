//! Everything that outlives the editor: conversations, runs, events, checkpoints, snapshots, leases and costs, in one
//! SQLite file per workspace.
//!
//! One thread writes, several read; a call returns when its row is committed. Several processes may have the same file
//! open. This is the only crate that knows SQL. It knows nothing of models, editors or the files it keeps copies of.
//! `README.md` lists the tables and the rules for migrations.

mod blobs;
mod changed_files;
mod checkpoints;
mod conversations;
mod damage;
mod error;
mod events;
mod export;
mod ids;
mod lane;
mod leases;
mod ledger;
mod memory;
mod messages;
mod open;
mod rows;
mod schema;
mod search;
mod sessions;
mod snapshots;
mod store;

pub use blobs::{Blobs, MAX_BLOB_BYTES};
pub use changed_files::{ChangeKind, ChangedFile};
pub use checkpoints::{Checkpoint, Checkpoints};
pub use conversations::{Conversation, ConversationOutcome, Conversations};
pub use error::{Result, StoreError};
pub use events::{Events, NewEvent};
pub use ids::{AgentMessageId, ApprovalId, BadId, DocumentId, MemoryId, SnapshotSetId, TaskId};
pub use leases::{HeldLease, Lease, Leases, Owner};
pub use ledger::{Entry, Ledger, LedgerId, Settlement, Totals};
pub use memory::{
    Category, Duplicate, FoundMemory, Imported, Memories, Memory, MemoryChange, MemoryFilter, NewMemory,
    Recall, Recalled, Remembered, Source, SourceEntry, Use,
};
pub use messages::{Message, Messages, NewMessage, Role};
pub use open::Mode;
pub use search::{Embedding, Past, PastFilter, PastMessage, PastRun, Vectors, Waiting};
pub use sessions::{Found, ListFilter, NewSession, Session, Sessions, TransitionNote};
pub use snapshots::{FileSnapshot, Snapshot, Snapshots};
pub use store::Store;
