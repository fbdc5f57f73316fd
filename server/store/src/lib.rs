//! Everything that outlives the editor: conversations, runs, events, checkpoints, snapshots, leases and costs, in one
//! SQLite file per workspace.
//!
//! One thread writes, several read; a call returns when its row is committed. Several processes may have the same file
//! open. This is the only crate that knows SQL. It knows nothing of models, editors or the files it keeps copies of.
//! `README.md` lists the tables and the rules for migrations.

mod agent_messages;
mod approvals;
mod blobs;
mod breakers;
mod changed_files;
mod checkpoints;
mod conversations;
mod damage;
mod document_page;
mod documents;
mod error;
mod events;
mod export;
mod export_page;
mod haste;
mod lane;
mod learning;
mod leases;
mod ledger;
mod memory;
mod messages;
mod open;
mod open_documents;
mod response_cache;
mod retention;
mod rows;
mod run_inputs;
mod schema;
mod seal;
mod search;
mod sessions;
mod snapshot_sets;
mod snapshots;
mod store;
mod tasks;
mod working;

pub use agent_messages::{AgentMessage, AgentMessages, NewAgentMessage};
pub use approvals::{Approval, ApprovalStatus, Approvals, NewApproval};
pub use assist_base::id::{AgentMessageId, ApprovalId, DocumentId, IdError, MemoryId, SnapshotSetId, TaskId};
pub use blobs::{Blobs, MAX_BLOB_BYTES};
pub use breakers::KeptBreakers;
pub use changed_files::{ChangeKind, ChangedFile};
pub use checkpoints::{Checkpoint, Checkpoints, NewCheckpoint};
pub use conversations::{Conversation, ConversationOutcome, Conversations};
pub use documents::{
    Document, DocumentFilter, DocumentRef, DocumentStatus, DocumentUse, Documents, NewDocument, NewVersion,
    Review, Verdict,
};
pub use error::{Result, StoreError};
pub use events::{Events, NewEvent};
pub use learning::{
    Experience, ExperienceOutcome, FailurePattern, Improvement, ImprovementStatus, Learning, NewExperience,
    NewImprovement, Risk,
};
pub use leases::{HeldLease, Lease, Leases, Owner};
pub use ledger::{CostsBy, Entry, Ledger, LedgerId, LedgerLine, Outlay, Settlement, Totals};
pub use memory::{
    Category, Duplicate, FoundMemory, Imported, Memories, Memory, MemoryChange, MemoryFilter, NewMemory,
    Recall, Recalled, Remembered, Source, SourceEntry, Use,
};
pub use messages::{Message, Messages, NewMessage, Role};
pub use open::Mode;
pub use open_documents::{OpenDocument, OpenDocuments};
pub use response_cache::{CacheLimits, CacheUse, ResponseCache};
pub use retention::{Keeper, Pruned, Retention, Usage};
pub use run_inputs::{RunInput, RunInputs};
pub use seal::Seal;
pub use search::{Embedding, Past, PastFilter, PastMessage, PastRun, Vectors, Waiting};
pub use sessions::{Found, ListFilter, NewSession, Session, Sessions, TransitionNote};
pub use snapshot_sets::{Difference, FileState, NewSnapshotSet, SnapshotKind, SnapshotSet};
pub use snapshots::{FileSnapshot, Snapshot, Snapshots};
pub use store::Store;
pub use tasks::{NewTask, Task, TaskStatus, Tasks};
pub use working::{Context, Decision, Working};
