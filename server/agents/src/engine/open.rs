//! Opening a workspace and keeping it: what a crash left is put right, the runs of the dead are paused, leases say that their
//! owner lives.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use assist_base::{Clock, EventKind, RunId, RunState};
use assist_runtime::{Recovered, Recovery, Trust, Workspace, process};
use assist_store::{Lease, Mode, Owner, Retention, Seal, Store};

use super::{Engine, Purse, Wiring, blocking};
use crate::error::EngineError;
use crate::orchestrator;

/// How long a lease lives without a heartbeat when its owner cannot be looked up.
const LEASE_STALE_AFTER: Duration = Duration::from_secs(30);
/// How long the owner of a run that has come to rest may take to let it go.
const LET_GO: Duration = Duration::from_secs(2);
/// After which time a call that was begun elsewhere is taken to have ended.
const CALL_STALE_AFTER: Duration = Duration::from_secs(60 * 60);
/// How long a lock that another process has on the database is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(180);
/// When the user is told that it is waited for.
const TELL_AFTER: Duration = Duration::from_secs(1);
/// How often a live owner says so.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long after the start the database is tidied.
const TIDY_AFTER: Duration = Duration::from_secs(3);

impl Engine {
    /// Opens the workspace at `root`: finishes or rolls back what a crash left half-written, and pauses the runs of owners
    /// that died. `client` names who opens it (`vscode`, `cli`, …).
    ///
    /// # Errors
    /// [`EngineError::BadDocument`] when the folder cannot be read, [`EngineError::Store`] when not even a database in memory can be had.
    pub async fn open(
        root: &Path,
        trust: Trust,
        wiring: Arc<dyn Wiring>,
        clock: Arc<dyn Clock>,
        client: &str,
    ) -> Result<Arc<Self>, EngineError> {
        let root = root.to_owned();
        // Who stops waiting for this call need not be waited for either.
        let wanted = Arc::new(());
        let (is_wanted, to_tell) = (Arc::downgrade(&wanted), Arc::clone(&wiring));
        let (workspace, store, mut notices) = blocking(move || {
            let workspace = Workspace::open(&root, trust)?;
            let mut notices = Vec::new();
            let store = match trust {
                Trust::Trusted => {
                    let seal = seal(&workspace, &*to_tell, &mut notices);
                    open_store(&workspace, seal.as_ref(), &*to_tell, &is_wanted)?
                }
                Trust::Untrusted => Store::in_memory()?,
            };
            for recovered in workspace.recover()? {
                notices.push(describe(&recovered));
            }
            Ok::<_, EngineError>((workspace, store, notices))
        })
        .await?;
        drop(wanted);
        if let Mode::ReadOnly(reason) | Mode::Memory(reason) = store.mode() {
            notices.push(reason.clone());
        }
        notices.extend(wiring.notices());
        let mut engine = Self::over(workspace, store, wiring, clock, client, notices);
        engine.interrupted = engine.pause_orphans().await?;
        let engine = Arc::new(engine);
        tokio::spawn(heartbeat(Arc::downgrade(&engine)));
        tokio::spawn(tidy(Arc::downgrade(&engine)));
        Ok(engine)
    }

    /// What the user is told of a database that is not used because nothing says that they made it; it is one of the notices.
    pub fn stranger(&self) -> Option<&str> {
        match self.store.mode() {
            Mode::Memory(reason) if self.store.has_stranger() => Some(reason),
            _ => None,
        }
    }

    /// Takes that database over as the user's own: only when they say so. This engine goes on without it; the workspace has to be
    /// opened anew. False where it was theirs already.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] while runs are at work, which are kept in memory and would be lost; [`EngineError::Store`] when it is
    /// damaged, of a newer version or cannot be written.
    pub async fn adopt(self: &Arc<Self>) -> Result<bool, EngineError> {
        if self.stranger().is_none() {
            return Ok(false);
        }
        if !self.active().is_empty() {
            let why = "let it end, or stop it; then take the database over".to_owned();
            return Err(EngineError::WrongState { state: RunState::Running, why });
        }
        let engine = Arc::clone(self);
        blocking(move || {
            let own = engine.wiring.seal_folder();
            let seal =
                own.map(|folder| Seal::of_user(&folder)).transpose().map_err(|error| EngineError::Store {
                    message: format!("What is kept for you cannot be used: {error}."),
                    fix: "Set ASSIST_DATA_DIR to a folder that you can write.".to_owned(),
                })?;
            let Some(seal) = seal else { return Ok(false) };
            Ok(Store::adopt(&engine.workspace.assist_dir(), &seal)?)
        })
        .await
    }

    /// Looks at the workspace at `root` without opening it: nothing is written there, nothing is recovered, and what is done
    /// with it is kept in memory. For questions such as [`Engine::status`] about a folder that has not been used yet.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn look(
        root: &Path,
        trust: Trust,
        wiring: Arc<dyn Wiring>,
        clock: Arc<dyn Clock>,
        client: &str,
    ) -> Result<Arc<Self>, EngineError> {
        let root = root.to_owned();
        let (workspace, store) =
            blocking(move || Ok::<_, EngineError>((Workspace::open(&root, trust)?, Store::in_memory()?)))
                .await?;
        let mut engine = Self::over(workspace, store, wiring, clock, client, Vec::new());
        // Nor is anything written for the user: who only looks makes no calls.
        engine.purse = tokio::sync::OnceCell::new_with(Some(Purse::default()));
        Ok(Arc::new(engine))
    }

    fn over(
        workspace: Workspace,
        store: Store,
        wiring: Arc<dyn Wiring>,
        clock: Arc<dyn Clock>,
        client: &str,
        notices: Vec<String>,
    ) -> Self {
        let own = process::current();
        let owner = Owner { pid: own.pid, boot: own.boot, started: own.started, label: client.to_owned() };
        Self {
            listens: AtomicBool::new(false),
            workspace: Arc::new(workspace),
            maps: Arc::default(),
            store,
            clock,
            wiring,
            editor: Mutex::default(),
            gateway: Mutex::default(),
            runs: Mutex::default(),
            owner,
            client: client.to_owned(),
            notices,
            interrupted: Vec::new(),
            closed: AtomicBool::new(false),
            purse: tokio::sync::OnceCell::new(),
        }
    }

    /// Runs whose owner died are paused, not lost. Returns one sentence for each.
    pub(super) async fn pause_orphans(&self) -> Result<Vec<String>, EngineError> {
        let mut told = Vec::new();
        if matches!(self.store.mode(), Mode::ReadOnly(_)) {
            return Ok(told);
        }
        let (owner, now) = (self.owner.clone(), self.clock.now());
        // Paid for or not, it counts against the budgets from now on.
        self.store.ledger().settle_of_the_dead(owner.clone(), now, CALL_STALE_AFTER, is_alive).await?;
        for run in self.store.sessions().pause_orphans(owner, now, LEASE_STALE_AFTER, is_alive).await? {
            let data = serde_json::json!({ "state": "paused", "reason": "crash" });
            self.store.events().append(run, EventKind::Status, data, now).await?;
            for (line, files) in orchestrator::recover(&self.store, &self.workspace, run, now).await? {
                let message = format!(
                    "`{line}` was cut off with Assist. It had changed {}; `assist undo {}` takes that back.",
                    files.join(", "),
                    run.short()
                );
                let data = serde_json::json!({ "message": message });
                self.store.events().append(run, EventKind::Status, data, now).await?;
            }
            let session = self.store.sessions().get(run).await?;
            let id = run.short();
            told.push(format!(
                "A run was interrupted and is paused: “{}”. `assist resume {id}` goes on with it.",
                session.task
            ));
        }
        Ok(told)
    }

    /// The user's own ledger, in which the days of all their workspaces are counted.
    pub(crate) async fn purse(self: &Arc<Self>) -> &Purse {
        let open = async {
            let Some(folder) = self.wiring.ledger_folder() else { return Purse::default() };
            let opened = blocking(move || {
                let store = Store::open(&folder)?;
                Ok(match store.mode().clone() {
                    Mode::ReadWrite => Ok(store),
                    Mode::ReadOnly(why) | Mode::Memory(why) => Err(why),
                })
            });
            let why = match opened.await {
                Ok(Ok(store)) => {
                    let (owner, now) = (self.owner.clone(), self.clock.now());
                    let settled =
                        store.ledger().settle_of_the_dead(owner, now, CALL_STALE_AFTER, is_alive).await;
                    if let Err(error) = settled {
                        tracing::warn!(%error, "calls of dead processes stay open in the user's ledger");
                    }
                    return Purse { store: Some(store), ..Purse::default() };
                }
                Ok(Err(why)) => why,
                Err(error) => error.to_string(),
            };
            let trouble =
                format!("A day's budget is counted in this workspace alone, not over all of yours. {why}");
            Purse { trouble: Mutex::new(Some(trouble)), ..Purse::default() }
        };
        self.purse.get_or_init(|| open).await
    }

    /// Takes the run's lease for this process. Returns the owner when another live process holds it.
    pub(crate) async fn take_lease(&self, run: RunId) -> Result<Option<Owner>, EngineError> {
        let lease = self
            .store
            .leases()
            .acquire(&Lease::of_run(run), &self.owner, self.clock.now(), LEASE_STALE_AFTER, is_alive)
            .await?;
        Ok(match lease {
            Lease::Taken => None,
            Lease::Held(owner) => Some(owner),
        })
    }

    /// As [`Engine::take_lease`], of a run that rests: who has paused it lets it go a moment after that is known.
    pub(super) async fn take_lease_of_resting(&self, run: RunId) -> Result<Option<Owner>, EngineError> {
        let deadline = self.clock.elapsed() + LET_GO;
        loop {
            let held = self.take_lease(run).await?;
            if held.is_none()
                || self.clock.elapsed() >= deadline
                || self.session(run).await?.status.needs_owner()
            {
                return Ok(held);
            }
            self.clock.sleep(LET_GO / 40).await;
        }
    }

    pub(super) async fn release_lease(&self, run: RunId) -> Result<(), EngineError> {
        self.store.leases().release(&Lease::of_run(run), &self.owner).await?;
        Ok(())
    }
}

/// One sentence about a change set that a crash had interrupted.
fn describe(recovered: &Recovered) -> String {
    let what = match &recovered.how {
        Recovery::Finished => "An interrupted change was finished".to_owned(),
        Recovery::RolledBack => "An interrupted change was rolled back".to_owned(),
        Recovery::SetAside(why) => format!("The journal of an interrupted change was put aside ({why})"),
        Recovery::Pending(why) => format!("An interrupted change could not be finished yet ({why})"),
    };
    if recovered.left_alone.is_empty() {
        return format!("{what}.");
    }
    let files: Vec<_> = recovered.left_alone.iter().map(assist_base::DocPath::as_str).collect();
    format!("{what}; {} had been edited since and was left alone.", files.join(", "))
}

/// Whether a process lives, as far as can be known.
pub(crate) fn is_alive(owner: &Owner) -> bool {
    let id = process::ProcessId { pid: owner.pid, boot: owner.boot.clone(), started: owner.started.clone() };
    process::is_alive(&id)
}

/// Says every few seconds that the runs of this process have a live owner.
async fn heartbeat(engine: std::sync::Weak<Engine>) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        let clock = Arc::clone(&strong.clock);
        let runs = strong.active();
        for run in runs {
            if let Err(error) =
                strong.store.leases().heartbeat(&Lease::of_run(run), &strong.owner, clock.now()).await
            {
                tracing::warn!(%run, %error, "heartbeat failed");
            }
        }
        drop(strong);
        clock.sleep(HEARTBEAT).await;
    }
}

/// What tells the user's own databases from others. Where their folder cannot be used, nothing does: that is said where there is
/// something to judge.
fn seal(workspace: &Workspace, wiring: &dyn Wiring, notices: &mut Vec<String>) -> Option<Seal> {
    let folder = wiring.seal_folder()?;
    match Seal::of_user(&folder) {
        Ok(seal) => Some(seal),
        Err(error) => {
            let database = workspace.assist_dir().join("assist.db");
            if database.exists() {
                notices.push(format!(
                    "Whether {} is yours or came with the folder cannot be told: {} cannot be used ({error}). Make it writable.",
                    database.display(),
                    folder.display()
                ));
            }
            None
        }
    }
}

/// Opens the workspace's database. A lock of another process is waited for as long as somebody wants the workspace, at
/// most a few minutes.
fn open_store(
    workspace: &Workspace,
    seal: Option<&Seal>,
    wiring: &dyn Wiring,
    is_wanted: &Weak<()>,
) -> Result<Store, EngineError> {
    let mut is_told = false;
    let opened = Store::open_patiently(&workspace.assist_dir(), seal, |waited| {
        if !is_told && waited >= TELL_AFTER {
            is_told = true;
            wiring.waiting("Waiting for the workspace's database: another process keeps it locked.");
        }
        waited < LOCK_PATIENCE && is_wanted.strong_count() > 0
    });
    Ok(opened?)
}

/// Some time after the start, lets go of what is old or too much, and gets embeddings for what has none. Never memory or
/// documents. A command that is over in a moment leaves this to others.
async fn tidy(engine: std::sync::Weak<Engine>) {
    let Some(clock) = engine.upgrade().map(|engine| Arc::clone(&engine.clock)) else { return };
    clock.sleep(TIDY_AFTER).await;
    let Some(engine) = engine.upgrade() else { return };
    if *engine.store.mode() != Mode::ReadWrite {
        return;
    }
    let now = clock.now();
    if let Err(error) = engine.store.open_documents().forget_dead(&engine.owner, is_alive).await {
        tracing::warn!(%error, "open documents of dead processes could not be forgotten");
    }
    match engine.store.keeper().prune(Retention::default(), now).await {
        Ok(pruned) => tracing::debug!(?pruned, "let go of what is old"),
        Err(error) => tracing::warn!(%error, "what is old could not be let go of"),
    }
    engine.embed_waiting().await;
}
