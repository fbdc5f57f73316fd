//! The runs of a workspace that have not ended: at work here, at work in another process, at rest.
//!
//! A run that rests may be offered to whoever opens the workspace. Who says "not now" is not asked about it again until it
//! has worked once more; that is kept as an event of the run, so that every process knows.

use std::collections::{HashMap, HashSet};

use assist_base::{EventKind, RunId, RunState};
use assist_store::{Lease, ListFilter, Owner, Session};
use serde_json::json;

use super::{Engine, is_alive, wrong_state};
use crate::error::EngineError;

/// How many of those that rest are looked at, the newest.
const MOST: usize = 50;

/// A run that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Unended {
    /// Its row.
    pub session: Session,
    /// Whether this process works on it.
    pub here: bool,
    /// The name of the live process that works on it, where that is another one.
    pub elsewhere: Option<String>,
}

impl Engine {
    /// The runs that have not ended, newest first.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn unended(&self) -> Result<Vec<Unended>, EngineError> {
        let mut sessions = self.store.sessions().unfinished().await?;
        let paused = ListFilter { limit: MOST, state: Some(RunState::Paused) };
        sessions.extend(self.store.sessions().list(paused).await?);
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let leases = self.store.leases().list().await?;
        let held: HashMap<&str, &Owner> = leases
            .iter()
            .filter(|lease| is_alive(&lease.owner))
            .map(|lease| (lease.name.as_str(), &lease.owner))
            .collect();
        let mut seen = HashSet::new();
        let mut runs: Vec<Unended> = sessions
            .into_iter()
            // One that came to rest between the two looks is in both.
            .filter(|session| seen.insert(session.id))
            .map(|session| {
                let owner = held.get(Lease::of_run(session.id).as_str());
                // Its lease is taken a moment before it begins.
                let own = |owner: &&Owner| {
                    (owner.pid, &owner.boot, &owner.started)
                        == (self.owner.pid, &self.owner.boot, &self.owner.started)
                };
                let here = self.handle(session.id).is_some() || owner.is_some_and(own);
                let elsewhere = owner.filter(|_| !here).map(|owner| owner.label.clone());
                Unended { session, here, elsewhere }
            })
            .collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.session.created_at));
        Ok(runs)
    }

    /// The runs that rest and that the user has not put off: newest first.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn resting(&self) -> Result<Vec<Session>, EngineError> {
        let mut resting = Vec::new();
        for run in self.unended().await? {
            // Who has just paused it may hold its lease for a moment more.
            if run.session.status == RunState::Paused && !self.is_put_off(run.session.id).await? {
                resting.push(run.session);
            }
        }
        Ok(resting)
    }

    /// The user does not want to be asked about this run again, until it has worked once more.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] when the run does not rest, [`EngineError::NotFound`], [`EngineError::Store`].
    pub async fn put_off(&self, run: RunId) -> Result<(), EngineError> {
        let state = self.session(run).await?.status;
        if state != RunState::Paused {
            return Err(wrong_state(state, "only a paused run can be left for later"));
        }
        let data = json!({ "offer": "later", "message": "You left it for later." });
        self.store.events().append(run, EventKind::Status, data, self.clock.now()).await?;
        Ok(())
    }

    async fn is_put_off(&self, run: RunId) -> Result<bool, EngineError> {
        let events = self.store.events().list(run, 1).await?;
        let told = events.iter().rev().filter(|event| event.kind == EventKind::Status);
        let mut decides =
            told.filter(|event| event.data["offer"].is_string() || event.data["state"].is_string());
        Ok(decides.next().is_some_and(|event| event.data["offer"] == "later"))
    }
}
