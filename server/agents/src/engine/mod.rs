//! One workspace's engine: it registers runs, owns them while they live, and lets them go.
//!
//! `open.rs` opens the workspace and keeps it; `begin.rs` begins runs and goes on with them; `steer.rs` says to a run what the
//! user wants of it; `follow.rs` shows one that works in whatever process; `unended.rs` lists those that have not ended.

mod begin;
mod follow;
mod open;
mod steer;
mod unended;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assist_base::{Clock, ConversationId, PauseReason, RunId, RunState};
use assist_gateway::{Gateway, GatewayConfig, GatewayError, ModelRef, Tier};
use assist_runtime::permission::Rule;
use assist_runtime::{Trust, Workspace};
use assist_store::{Found, Owner, Session, Store};

use crate::books::StoreBooks;
use crate::error::{ConfigError, EngineError};
use crate::host::HostError;
use crate::run::{Halt, Handle, lock};
use crate::settings::{Options, Settings};

pub use follow::{Follow, Next};
pub(crate) use open::is_alive;
pub use steer::Heard;
pub use unended::Unended;

/// How long a shutdown waits for its runs to come to rest.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Where configuration comes from. The command line implements it over files, environment and keyring.
pub trait Wiring: Send + Sync + 'static {
    /// The settings for the workspace at `root`, with the editor's own laid in their place. Called on a blocking thread,
    /// again for every request, so that a new key or setting counts at once.
    ///
    /// # Errors
    /// [`ConfigError`] where a file cannot be read or holds something that is not a setting.
    fn settings(&self, root: &Path, editor: &Options) -> Result<Settings, ConfigError>;

    /// Keeps that these commands may always run in the workspace at `root`, with the network where `network` says so: in
    /// the user's own configuration, never in the workspace. Later [`Wiring::settings`] hold it. Called on a blocking thread.
    ///
    /// # Errors
    /// [`ConfigError`] where it could not be kept.
    fn remember_commands(&self, root: &Path, rules: &[Rule], network: bool) -> Result<(), ConfigError> {
        let _ = (root, rules, network);
        Err(ConfigError {
            message: "There is no place to keep it.".to_owned(),
            fix: "Allow the command in your own configuration.".to_owned(),
        })
    }

    /// Opening a workspace takes long, for a reason that is not its own; `why` is one sentence for the user. Called once,
    /// on a blocking thread.
    fn waiting(&self, why: &str) {
        let _ = why;
    }

    /// Where the user's own ledger is, in which the days of all their workspaces are counted. None: each workspace counts its
    /// own.
    fn ledger_folder(&self) -> Option<PathBuf> {
        None
    }

    /// Where the secret is that tells databases this user made from those that came with a folder. None: every database is taken
    /// for theirs.
    fn seal_folder(&self) -> Option<PathBuf> {
        self.ledger_folder()
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
    pub(crate) workspace: Arc<Workspace>,
    maps: Arc<crate::assist::map::Cache>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    wiring: Arc<dyn Wiring>,
    editor: Mutex<Options>,
    gateway: Mutex<Option<(GatewayConfig, Arc<Gateway>)>>,
    runs: Mutex<HashMap<RunId, Arc<Handle>>>,
    /// Whether what other processes say to the runs is looked for.
    listens: AtomicBool,
    owner: Owner,
    client: String,
    notices: Vec<String>,
    interrupted: Vec<String>,
    closed: AtomicBool,
    /// The user's own ledger, opened at the first call that may cost something.
    purse: tokio::sync::OnceCell<Purse>,
}

/// The ledger of all workspaces of the user.
#[derive(Default)]
pub(crate) struct Purse {
    /// None where there is none that can be written.
    pub(crate) store: Option<Store>,
    /// Why there is none: one sentence, to be told once.
    trouble: Mutex<Option<String>>,
}

impl Engine {
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

    /// What the user should know after opening: files that were recovered, a database that could not be written. One
    /// sentence each.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The runs whose owner was found dead at opening: one sentence each, which says how they go on.
    pub fn interrupted(&self) -> &[String] {
        &self.interrupted
    }

    /// The editor's own settings, from now on.
    pub fn set_editor_options(&self, options: Options) {
        *lock(&self.editor) = options;
    }

    /// The settings as they stand, and the gateway they lead to.
    pub(crate) async fn configured(self: &Arc<Self>) -> Result<(Settings, Arc<Gateway>), EngineError> {
        let engine = Arc::clone(self);
        let purse = self.purse().await.store.clone();
        blocking(move || {
            let editor = lock(&engine.editor).clone();
            let mut settings = engine.wiring.settings(engine.workspace.root(), &editor)?;
            if settings.gateway.budgets.any()
                && let Some(purse) = engine.purse.get()
            {
                settings.warnings.extend(lock(&purse.trouble).take());
            }
            let mut current = lock(&engine.gateway);
            if let Some((config, gateway)) = current.as_ref()
                && *config == settings.gateway
            {
                return Ok((settings, Arc::clone(gateway)));
            }
            let books =
                StoreBooks::new(engine.store.clone(), engine.owner.clone(), Arc::clone(&engine.clock))
                    .with_user(purse);
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

    /// Lets go, for good: streams are dropped, what was received is kept, runs are paused. Takes a moment, and at most a
    /// few seconds where a run does not come to rest.
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

fn wrong_state(state: RunState, why: &str) -> EngineError {
    EngineError::WrongState { state, why: why.to_owned() }
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
