//! One workspace's engine: it registers runs, owns them while they live, and lets them go.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use assist_base::{Clock, ConversationId, EventKind, PauseReason, RunId, RunState};
use assist_gateway::{Gateway, GatewayConfig, GatewayError, ModelRef, Tier};
use assist_runtime::{Recovered, Recovery, Trust, Workspace, process};
use assist_store::{Found, Lease, Mode, NewSession, Owner, Retention, Session, Store, TransitionNote};

use crate::ask::AskRequest;
use crate::books::StoreBooks;
use crate::error::{ConfigError, EngineError};
use crate::host::{Answer, Host, HostError};
use crate::run::{Halt, Handle, Run, lock};
use crate::settings::{Options, Settings};
use crate::{assist, pipeline};

/// How long a lease lives without a heartbeat when its owner cannot be looked up.
const LEASE_STALE_AFTER: Duration = Duration::from_secs(30);
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
/// How long a shutdown waits for its runs to come to rest.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(900);

/// Where configuration comes from. The command line implements it over files, environment and keyring.
pub trait Wiring: Send + Sync + 'static {
    /// The settings for the workspace at `root`, with the editor's own laid in their place. Called on a blocking thread,
    /// again for every request, so that a new key or setting counts at once.
    ///
    /// # Errors
    /// [`ConfigError`] where a file cannot be read or holds something that is not a setting.
    fn settings(&self, root: &Path, editor: &Options) -> Result<Settings, ConfigError>;

    /// Opening a workspace takes long, for a reason that is not its own; `why` is one sentence for the user. Called once,
    /// on a blocking thread.
    fn waiting(&self, why: &str) {
        let _ = why;
    }

    /// What the user should know of their configuration from the start, in sentences: told once when a workspace is opened.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A run that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
}

/// Whether requests can be served now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Whether a model is set up.
    pub ready: bool,
    /// The provider that would be used.
    pub provider: Option<String>,
    /// The model that would be used.
    pub model: Option<String>,
    /// What is wrong, in one sentence.
    pub problem: Option<String>,
    /// What to do about it, in one sentence.
    pub fix: Option<String>,
}

/// The engine of one workspace.
pub struct Engine {
    workspace: Arc<Workspace>,
    maps: Arc<crate::assist::map::Cache>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    wiring: Arc<dyn Wiring>,
    editor: Mutex<Options>,
    gateway: Mutex<Option<(GatewayConfig, Arc<Gateway>)>>,
    runs: Mutex<HashMap<RunId, Arc<Handle>>>,
    owner: Owner,
    client: String,
    notices: Vec<String>,
    closed: AtomicBool,
}

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
                Trust::Trusted => open_store(&workspace, &*to_tell, &is_wanted)?,
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
        let own = process::current();
        let owner = Owner { pid: own.pid, boot: own.boot, started: own.started, label: client.to_owned() };
        let mut engine = Self {
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
            closed: AtomicBool::new(false),
        };
        engine.pause_orphans().await?;
        let engine = Arc::new(engine);
        tokio::spawn(heartbeat(Arc::downgrade(&engine)));
        tokio::spawn(tidy(Arc::downgrade(&engine)));
        Ok(engine)
    }

    /// Runs whose owner died are paused, not lost.
    async fn pause_orphans(&mut self) -> Result<(), EngineError> {
        if matches!(self.store.mode(), Mode::ReadOnly(_)) {
            return Ok(());
        }
        let (owner, now) = (self.owner.clone(), self.clock.now());
        // Paid for or not, it counts against the budgets from now on.
        self.store.ledger().settle_of_the_dead(owner.clone(), now, CALL_STALE_AFTER, is_alive).await?;
        for run in self.store.sessions().pause_orphans(owner, now, LEASE_STALE_AFTER, is_alive).await? {
            let data = serde_json::json!({ "state": "paused", "reason": "crash" });
            self.store.events().append(run, EventKind::Status, data, now).await?;
            let session = self.store.sessions().get(run).await?;
            let id = run.short();
            self.notices.push(format!(
                "A run was interrupted and is paused: “{}”. `assist resume {id}` goes on with it.",
                session.task
            ));
        }
        Ok(())
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

    async fn release_lease(&self, run: RunId) -> Result<(), EngineError> {
        self.store.leases().release(&Lease::of_run(run), &self.owner).await?;
        Ok(())
    }

    /// The workspace.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Whether files may be changed here.
    pub fn may_write(&self) -> bool {
        self.workspace.trust() == Trust::Trusted
    }

    /// What time it is to this engine.
    pub fn now(&self) -> assist_base::Timestamp {
        self.clock.now()
    }

    /// This process, as the database knows it.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The workspace's database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What the user should know after opening: files that were recovered, runs that were paused, a database that
    /// could not be written. One sentence each.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The editor's own settings, from now on.
    pub fn set_editor_options(&self, options: Options) {
        *lock(&self.editor) = options;
    }

    /// The settings as they stand, and the gateway they lead to.
    pub(crate) async fn configured(self: &Arc<Self>) -> Result<(Settings, Arc<Gateway>), EngineError> {
        let engine = Arc::clone(self);
        blocking(move || {
            let editor = lock(&engine.editor).clone();
            let settings = engine.wiring.settings(engine.workspace.root(), &editor)?;
            let mut current = lock(&engine.gateway);
            if let Some((config, gateway)) = current.as_ref()
                && *config == settings.gateway
            {
                return Ok((settings, Arc::clone(gateway)));
            }
            let books =
                StoreBooks::new(engine.store.clone(), engine.owner.clone(), Arc::clone(&engine.clock));
            let gateway =
                Arc::new(Gateway::new(settings.gateway.clone(), Arc::new(books), Arc::clone(&engine.clock))?);
            *current = Some((settings.gateway.clone(), Arc::clone(&gateway)));
            Ok((settings, gateway))
        })
        .await
    }

    /// Whether requests can be served, and by whom.
    pub async fn status(self: &Arc<Self>) -> Status {
        let result = async {
            let (_, gateway) = self.configured().await?;
            model(&gateway).await
        };
        match result.await {
            Ok(model) => Status {
                ready: true,
                provider: Some(model.provider.clone()),
                model: Some(model.model.clone()),
                ..Status::default()
            },
            Err(error) => Status {
                problem: Some(error.to_string()),
                fix: error.fix().map(str::to_owned),
                ..Status::default()
            },
        }
    }

    /// Registers a request as a run and begins it. Returns as soon as the run is in the database.
    ///
    /// # Errors
    /// [`EngineError`] where the request cannot become a run: no model, no instruction, a document that is not there, a
    /// selection outside it.
    pub async fn ask(
        self: &Arc<Self>,
        request: AskRequest,
        host: Arc<dyn Host>,
    ) -> Result<Started, EngineError> {
        let prompt = request.prompt.as_deref().map(str::trim).unwrap_or_default();
        if prompt.is_empty() && request.intent.needs_prompt() {
            return Err(EngineError::PromptNeeded);
        }
        self.check_open()?;
        let (settings, gateway) = self.configured().await?;
        let model = model(&gateway).await?;
        let anchored = pipeline::anchor(request, host.as_ref()).await?;
        let request = &anchored.request;

        let now = self.clock.now();
        let project = self.workspace.root().display().to_string();
        let conversations = self.store.conversations();
        let conversation = match request.conversation {
            Some(id) => {
                conversations.get(id).await?;
                id
            }
            None => {
                let id = ConversationId::new();
                conversations.create(id, &project, "assist", Some(request.title()), now).await?;
                // What was so when it began, for whoever reads it later.
                let context = serde_json::json!({
                    "client": self.client, "model": model.to_string(), "path": request.path,
                    "revision": request.revision.as_ref().map(|revision| &revision.hash),
                    "apply": settings.apply, "budgetUsd": settings.gateway.budgets.remaining(&assist_gateway::Spent::default()),
                });
                conversations.set_context(id, context, now).await?;
                id
            }
        };
        let id = RunId::new();
        let root_name = self.workspace.root().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let session = NewSession {
            id,
            project_id: project,
            module: "code".to_owned(),
            app_name: root_name,
            app_path: ".".to_owned(),
            task: request.title(),
            intent: request.intent.as_str().to_owned(),
            conversation,
            client: self.client.clone(),
        };
        // The lease comes first: another process must never see an unowned run and pause it.
        self.take_lease(id).await?;
        self.store.sessions().create(session, now).await?;
        let task = pipeline::Task::new(anchored, conversation);
        task.save(&self.store, id, now).await?;
        self.start(id, task, settings, gateway, host);
        Ok(Started { run: id, conversation })
    }

    /// Goes on with a paused run at its last checkpoint, or with a build of which something is missing. What was received
    /// and applied is kept and not asked for again.
    ///
    /// # Errors
    /// [`EngineError`] when there is no such run, it cannot go on, or no model is set up.
    pub async fn resume(self: &Arc<Self>, run: RunId, host: Arc<dyn Host>) -> Result<Started, EngineError> {
        self.check_open()?;
        let session = self.session(run).await?;
        // A failed run knows what is missing only where it had a plan.
        let unfinished = session.status == RunState::Failed && session.plan.is_some();
        if session.status != RunState::Paused && !unfinished {
            return Err(wrong_state(session.status, "only a paused run can go on"));
        }
        let (settings, gateway) = self.configured().await?;
        model(&gateway).await?;
        if let Some(owner) = self.take_lease(run).await? {
            let why = format!("process {} ({}) is at it", owner.pid, owner.label);
            return Err(EngineError::WrongState { state: session.status, why });
        }
        let task = pipeline::Task::load(&self.store, run, host.as_ref()).await?;
        let conversation = task.conversation;
        self.start(run, task, settings, gateway, host);
        Ok(Started { run, conversation })
    }

    fn start(
        self: &Arc<Self>,
        id: RunId,
        task: pipeline::Task,
        settings: Settings,
        gateway: Arc<Gateway>,
        host: Arc<dyn Host>,
    ) {
        let handle = Arc::new(Handle::default());
        lock(&self.runs).insert(id, Arc::clone(&handle));
        let run = Run {
            id,
            store: self.store.clone(),
            workspace: Arc::clone(&self.workspace),
            maps: Arc::clone(&self.maps),
            clock: Arc::clone(&self.clock),
            may_write: self.may_write(),
            host,
            settings,
            gateway,
            handle: Arc::clone(&handle),
            telling: tokio::sync::Mutex::default(),
            shadow: pipeline::ShadowStage::default(),
        };
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            // The work runs in a task of its own, so that a panic in it ends the run and not its bookkeeping.
            let worker = tokio::spawn(async move {
                if assist::takes(&task.request, run.settings.plan, run.may_write) {
                    assist::work(run, task).await
                } else {
                    pipeline::work(run, task).await
                }
            });
            let state = match worker.await {
                Ok(state) => state,
                Err(error) => {
                    tracing::error!(run = %id, %error, "a run ended in a panic");
                    let note = TransitionNote {
                        error: Some("Assist failed inside; the log says where.".to_owned()),
                        ..TransitionNote::default()
                    };
                    let now = engine.clock.now();
                    if let Err(error) =
                        engine.store.sessions().transition(id, RunState::Failed, note, now).await
                    {
                        tracing::error!(run = %id, %error, "the run's end could not be stored");
                    }
                    RunState::Failed
                }
            };
            if let Err(error) = engine.release_lease(id).await {
                tracing::warn!(run = %id, %error, "the lease could not be released");
            }
            lock(&engine.runs).remove(&id);
            handle.rest(state);
        });
    }

    /// The row of a run.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Store`].
    pub async fn session(&self, run: RunId) -> Result<Session, EngineError> {
        Ok(self.store.sessions().get(run).await?)
    }

    /// A run by the beginning of its id.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when none or several begin so.
    pub async fn find(&self, prefix: &str) -> Result<RunId, EngineError> {
        match self.store.sessions().find(prefix).await? {
            Found::One(id) => Ok(id),
            Found::None => Err(EngineError::NotFound(prefix.to_owned())),
            Found::Many(ids) => {
                let ids: Vec<_> = ids.iter().map(|id| id.to_string()).collect();
                Err(EngineError::NotFound(format!("{prefix} alone; several begin so: {}", ids.join(", "))))
            }
        }
    }

    /// Answers a waiting run with yes: to everything, or only to these steps of its plan (from 1), with words to mind
    /// where there are any. A run that rests with an open question goes on, shown by `host`.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] when the run does not wait for an answer here; as [`Engine::resume`].
    pub async fn confirm(
        self: &Arc<Self>,
        run: RunId,
        steps: Vec<usize>,
        note: Option<String>,
        host: Arc<dyn Host>,
    ) -> Result<(), EngineError> {
        let answer =
            if steps.is_empty() && note.is_none() { Answer::Yes } else { Answer::Partly { steps, note } };
        self.reply(run, answer, host).await
    }

    /// Answers a waiting run in words.
    ///
    /// # Errors
    /// As [`Engine::confirm`].
    pub async fn answer(
        self: &Arc<Self>,
        run: RunId,
        text: String,
        host: Arc<dyn Host>,
    ) -> Result<(), EngineError> {
        self.reply(run, Answer::Text(text), host).await
    }

    /// Answers a waiting run with no.
    ///
    /// # Errors
    /// As [`Engine::confirm`].
    pub async fn decline(self: &Arc<Self>, run: RunId, host: Arc<dyn Host>) -> Result<(), EngineError> {
        self.reply(run, Answer::No, host).await
    }

    async fn reply(
        self: &Arc<Self>,
        run: RunId,
        answer: Answer,
        host: Arc<dyn Host>,
    ) -> Result<(), EngineError> {
        let waiter = self.handle(run).and_then(|handle| handle.take_waiter());
        if waiter.is_some_and(|waiter| waiter.send(answer.clone()).is_ok()) {
            return Ok(());
        }
        let session = self.session(run).await?;
        if session.status == RunState::Paused
            && assist::answer_later(&self.store, run, &answer, self.clock.now()).await?
        {
            self.resume(run, host).await?;
            return Ok(());
        }
        Err(wrong_state(session.status, "it does not wait for an answer here"))
    }

    /// Stops a run: its stream is dropped, nothing more is applied. Only the user's wish leads here.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] when the run has ended, or another process owns it.
    pub async fn cancel(&self, run: RunId) -> Result<(), EngineError> {
        if let Some(handle) = self.handle(run) {
            handle.halt(Halt::Stop);
            return Ok(());
        }
        let session = self.session(run).await?;
        if session.status == RunState::Paused {
            let now = self.clock.now();
            self.store.sessions().transition(run, RunState::Stopped, TransitionNote::default(), now).await?;
            return Ok(());
        }
        Err(wrong_state(session.status, "there is nothing here to stop"))
    }

    /// The runs at work in this process, in no order.
    pub fn active(&self) -> Vec<RunId> {
        lock(&self.runs).keys().copied().collect()
    }

    /// The runs of this process that wait for the user.
    pub fn waiting(&self) -> Vec<RunId> {
        lock(&self.runs).iter().filter(|(_, handle)| handle.waits()).map(|(id, _)| *id).collect()
    }

    /// Waits until a run of this process rests or ends, and says how.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Store`].
    pub async fn wait(&self, run: RunId) -> Result<RunState, EngineError> {
        if let Some(handle) = self.handle(run) {
            return Ok(handle.rested().await);
        }
        Ok(self.session(run).await?.status)
    }

    /// Whether the engine was let go: nothing is begun and nothing applied any more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn check_open(&self) -> Result<(), EngineError> {
        if !self.is_closed() {
            return Ok(());
        }
        let folder = self.workspace.root().display();
        Err(EngineError::BadDocument(format!("{folder} was closed; open it and ask again.")))
    }

    /// Lets go, for good: streams are dropped, what was received is kept, runs are paused. Takes at most a second.
    pub async fn shutdown(&self) {
        self.closed.store(true, Ordering::Release);
        let handles: Vec<_> = lock(&self.runs).values().cloned().collect();
        for handle in &handles {
            handle.halt(Halt::Pause(PauseReason::EditorClosed));
        }
        let all = futures::future::join_all(handles.iter().map(|handle| handle.rested()));
        if tokio::time::timeout(SHUTDOWN_GRACE, all).await.is_err() {
            tracing::warn!("runs did not come to rest in time; the next start will pause them");
        }
        if let Err(error) = self.store.open_documents().close_all(&self.owner).await {
            tracing::debug!(%error, "open documents were not forgotten");
        }
    }

    fn handle(&self, run: RunId) -> Option<Arc<Handle>> {
        lock(&self.runs).get(&run).cloned()
    }
}

/// The model that ordinary work would use. A local one is looked for where nothing is configured.
async fn model(gateway: &Gateway) -> Result<ModelRef, EngineError> {
    match gateway.model_for(Tier::B) {
        Err(GatewayError::NoProvider) if gateway.find_local().await => Ok(gateway.model_for(Tier::B)?),
        found => Ok(found?),
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

fn wrong_state(state: RunState, why: &str) -> EngineError {
    EngineError::WrongState { state, why: why.to_owned() }
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

/// Opens the workspace's database. A lock of another process is waited for as long as somebody wants the workspace, at
/// most a few minutes.
fn open_store(
    workspace: &Workspace,
    wiring: &dyn Wiring,
    is_wanted: &Weak<()>,
) -> Result<Store, EngineError> {
    let mut is_told = false;
    let opened = Store::open_patiently(&workspace.assist_dir(), |waited| {
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

/// Runs `work` where blocking is allowed.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, EngineError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, EngineError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(HostError::Unusable(format!("Assist failed inside: {error}")).into()),
    }
}
