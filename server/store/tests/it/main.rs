//! The store as its callers see it: one binary, which also plays the other processes of the tests.

#[cfg(test)]
mod children;
#[cfg(test)]
mod conversations;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod export;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod past;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod recall_quality;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod snapshot_sets;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod work;

#[cfg(test)]
use assist_base::{ConversationId, RunId, Timestamp};
#[cfg(test)]
use assist_store::{NewSession, Store};

/// A fixed moment: 2026-03-01, noon, and some milliseconds later.
#[cfg(test)]
const fn at(milliseconds: i64) -> Timestamp {
    Timestamp(1_772_366_400_000 + milliseconds)
}

/// A run that a user might have asked for.
#[cfg(test)]
fn new_session(id: RunId) -> NewSession {
    NewSession {
        id,
        project_id: "shop".to_owned(),
        module: "code".to_owned(),
        app_name: "web".to_owned(),
        app_path: "apps/web".to_owned(),
        task: "Make the button \"blue\" – ’s wichtig\0".to_owned(),
        intent: "ask".to_owned(),
        conversation: ConversationId::new(),
        client: "Neovim".to_owned(),
    }
}

/// A store in memory with one pending run.
#[cfg(test)]
async fn store_with_run() -> (Store, RunId) {
    let store = Store::in_memory().unwrap();
    let run = RunId::new();
    store.sessions().create(new_session(run), at(0)).await.unwrap();
    (store, run)
}
