//! The workspaces of one editor: one engine for each root, opened when it is first needed and kept.
//!
//! Laws: a root is opened once, however many ask for it at once; one that could not be opened is tried again by the next who
//! asks. What a workspace has to say at its start (recovered files, paused runs) is said once. Trust is decided at opening:
//! when the editor's trust changes, the engines are let go, their runs paused, and opened anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use assist_agents::runtime::workspace_root;
use assist_agents::store::{ListFilter, Session};
use assist_agents::{Engine, EngineError, Host, Severity, Wiring};
use assist_base::{Clock, DocPath, RunId, RunState};
use tokio::sync::OnceCell;

use crate::adopt;
use crate::documents::Documents;
use crate::host::EditorHost;
use crate::link::Link;
use crate::offer;
use crate::options::{self, EditorOptions};
use crate::uri::{self, Place};

/// How many of a workspace's newest runs are looked through for one that fits.
const NEWEST: usize = 100;

/// One open workspace.
#[derive(Clone)]
pub struct Desk {
    /// Its engine.
    pub engine: Arc<Engine>,
    /// The host of its runs.
    pub host: Arc<dyn Host>,
}

/// All of one editor's.
pub struct Workspaces {
    own: Weak<Workspaces>,
    link: Arc<Link>,
    wiring: Arc<dyn Wiring>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    folders: Vec<PathBuf>,
    options: EditorOptions,
    open: BTreeMap<PathBuf, Arc<OnceCell<Desk>>>,
}

impl Workspaces {
    /// None open yet.
    pub fn new(link: Arc<Link>, wiring: Arc<dyn Wiring>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = State { options: options::read(None), ..State::default() };
        Arc::new_cyclic(|own| Self { own: Weak::clone(own), link, wiring, clock, state: Mutex::new(state) })
    }

    /// The same, for a task that outlives a request.
    pub fn shared(&self) -> Option<Arc<Self>> {
        self.own.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection.
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// The open documents.
    pub fn documents(&self) -> Arc<Documents> {
        Arc::clone(&self.link.documents)
    }

    /// The client's folders, from now on.
    pub fn set_folders(&self, change: impl FnOnce(&mut Vec<PathBuf>)) {
        change(&mut self.lock().folders);
    }

    /// Lets the workspaces of folders go that the client has closed, unless another of its folders lies in them: their runs
    /// are paused, and nothing of theirs is applied any more.
    pub async fn leave(&self, removed: Vec<PathBuf>) {
        let kept = self.lock().folders.clone();
        let (gone, stay) = (removed.clone(), kept.clone());
        let roots = |folders: Vec<PathBuf>| -> Vec<PathBuf> {
            folders.iter().map(|folder| workspace_root(Some(folder), None)).collect()
        };
        let Ok((gone, stay)) = blocking(move || Ok((roots(gone), roots(stay)))).await else { return };
        let desks: Vec<Desk> = {
            let mut state = self.lock();
            let left = |root: &PathBuf| {
                let closed = gone.contains(root) || removed.iter().any(|folder| root.starts_with(folder));
                closed && !stay.contains(root) && !kept.iter().any(|folder| root.starts_with(folder))
            };
            let roots: Vec<PathBuf> = state.open.keys().filter(|root| left(root)).cloned().collect();
            let cells = roots.iter().filter_map(|root| state.open.remove(root));
            cells.filter_map(|cell| cell.get().cloned()).collect()
        };
        futures::future::join_all(desks.iter().map(|desk| desk.engine.shutdown())).await;
    }

    /// The editor's settings, from now on. Returns the engines that must be let go.
    pub fn set_options(&self, options: EditorOptions) -> Vec<Desk> {
        let mut state = self.lock();
        let trust_changed = state.options.trusted != options.trusted;
        state.options = options;
        if trust_changed {
            return std::mem::take(&mut state.open)
                .into_values()
                .filter_map(|cell| cell.get().cloned())
                .collect();
        }
        for desk in state.open.values().filter_map(|cell| cell.get()) {
            desk.engine.set_editor_options(state.options.options.clone());
        }
        Vec::new()
    }

    /// The workspaces that are open now.
    pub fn open(&self) -> Vec<Desk> {
        self.lock().open.values().filter_map(|cell| cell.get().cloned()).collect()
    }

    /// Opens the workspaces of the client's folders, without waiting for any model.
    pub async fn open_folders(&self) -> Vec<Desk> {
        let folders = self.lock().folders.clone();
        let mut desks = Vec::new();
        for folder in folders {
            // Nothing to recover, and no reason to leave a trace in a folder that is only looked at.
            let asked = folder.clone();
            let used = blocking(move || Ok(workspace_root(Some(&asked), None).join(".assist").is_dir()));
            if !used.await.unwrap_or(false) {
                continue;
            }
            match self.of_folder(Some(folder)).await {
                Ok(desk) => desks.push(desk),
                Err(error) => tracing::warn!(%error, "a folder's workspace could not be opened"),
            }
        }
        desks
    }

    /// Opens the workspaces of the client's folders that have come into use since they were looked at last.
    pub async fn open_new(&self, looked_at: &mut BTreeSet<PathBuf>) {
        let folders = self.lock().folders.clone();
        for folder in folders {
            if looked_at.contains(&folder) {
                continue;
            }
            let asked = folder.clone();
            let used = blocking(move || Ok(workspace_root(Some(&asked), None).join(".assist").is_dir()));
            if used.await.unwrap_or(false) {
                looked_at.insert(folder.clone());
                if let Err(error) = self.of_folder(Some(folder)).await {
                    tracing::warn!(%error, "a folder's workspace could not be opened");
                }
            }
        }
    }

    /// The workspace of what no document names: that of the client's first folder.
    ///
    /// # Errors
    /// As opening it.
    pub async fn first(&self) -> Result<Desk, EngineError> {
        let folder = self.lock().folders.first().cloned();
        self.of_folder(folder).await
    }

    /// The engine of the client's first folder for a question that needs no trace: where the folder has not been used yet,
    /// it is only looked at.
    ///
    /// # Errors
    /// As opening it.
    pub async fn look(&self) -> Result<Arc<Engine>, EngineError> {
        let folder = self.lock().folders.first().cloned();
        let root = blocking(move || Ok(workspace_root(folder.as_deref(), None))).await?;
        let (is_open, options) = {
            let state = self.lock();
            (state.open.contains_key(&root), state.options.clone())
        };
        let used = root.join(".assist");
        if is_open || blocking(move || Ok(used.is_dir())).await? {
            return Ok(self.at(root).await?.engine);
        }
        let client = self.link.handshake().client.clone();
        let (wiring, clock) = (Arc::clone(&self.wiring), Arc::clone(&self.clock));
        let engine = Engine::look(&root, options.trust(), wiring, clock, &client).await?;
        engine.set_editor_options(options.options);
        Ok(engine)
    }

    /// The workspace that a document belongs to, and its name there.
    ///
    /// # Errors
    /// [`EngineError::BadDocument`] for what is no document of a workspace, and as opening it.
    pub async fn of_uri(&self, uri: &str) -> Result<(Desk, DocPath), EngineError> {
        let bad = |error: &dyn std::fmt::Display| EngineError::BadDocument(error.to_string());
        match uri::parse(uri).map_err(|error| bad(&error))? {
            Place::Untitled(uri) => {
                let path = DocPath::untitled(&uri).map_err(|error| bad(&error))?;
                Ok((self.first().await?, path))
            }
            Place::File(file) => {
                let folder = self.folder_of(&file);
                let asked = file.clone();
                let root = blocking(move || Ok(workspace_root(folder.as_deref(), Some(&asked)))).await?;
                let desk = self.at(root).await?;
                let engine = Arc::clone(&desk.engine);
                let path = blocking(move || Ok(engine.workspace().doc_path(&file)?)).await?;
                Ok((desk, path))
            }
        }
    }

    /// The innermost of the client's folders that a file lies in.
    fn folder_of(&self, file: &Path) -> Option<PathBuf> {
        let state = self.lock();
        let around = state.folders.iter().filter(|folder| file.starts_with(folder));
        around.max_by_key(|folder| folder.components().count()).cloned()
    }

    async fn of_folder(&self, folder: Option<PathBuf>) -> Result<Desk, EngineError> {
        let root = blocking(move || Ok(workspace_root(folder.as_deref(), None))).await?;
        self.at(root).await
    }

    async fn at(&self, root: PathBuf) -> Result<Desk, EngineError> {
        let (cell, options) = {
            let mut state = self.lock();
            let cell = Arc::clone(state.open.entry(root.clone()).or_default());
            (cell, state.options.clone())
        };
        let mut fresh = false;
        let desk = cell
            .get_or_try_init(|| async {
                fresh = true;
                let client = self.link.handshake().client.clone();
                let (wiring, clock) = (Arc::clone(&self.wiring), Arc::clone(&self.clock));
                let engine = Engine::open(&root, options.trust(), wiring, clock, &client).await?;
                engine.set_editor_options(options.options.clone());
                let host = Arc::new(EditorHost::new(Arc::clone(&self.link), Arc::clone(&engine)));
                Ok::<_, EngineError>(Desk { engine, host })
            })
            .await?
            .clone();
        if fresh {
            tokio::spawn(tell_open(self.documents(), Arc::downgrade(&desk.engine)));
            self.greet(&desk).await;
        }
        Ok(desk)
    }

    /// Takes a database over that was not used, and opens its workspace anew. False where it was the user's already.
    ///
    /// # Errors
    /// As [`Engine::adopt`], and as opening it.
    pub async fn adopt(&self, desk: &Desk) -> Result<bool, EngineError> {
        let taken = desk.engine.adopt().await?;
        let root = desk.engine.workspace().root().to_owned();
        if desk.engine.stranger().is_some() {
            let is_it = |cell: &Arc<OnceCell<Desk>>| {
                cell.get().is_some_and(|open| Arc::ptr_eq(&open.engine, &desk.engine))
            };
            let left = {
                let mut state = self.lock();
                let here = state.open.iter().find(|(_, cell)| is_it(cell)).map(|(root, _)| root.clone());
                here.and_then(|root| state.open.remove(&root)).is_some()
            };
            if left {
                desk.engine.shutdown().await;
            }
            self.at(root).await?;
        }
        Ok(taken)
    }

    /// Says what a workspace has to say at its start, and notes the runs that rest there.
    async fn greet(&self, desk: &Desk) {
        let stranger = desk.engine.stranger();
        for notice in desk.engine.notices().iter().filter(|notice| Some(notice.as_str()) != stranger) {
            self.link.say(Severity::Warning, notice);
        }
        if let Some(sentence) = stranger {
            tokio::spawn(adopt::offer(Weak::clone(&self.own), desk.clone(), sentence.to_owned()));
        }
        let paused = ListFilter { limit: NEWEST, state: Some(RunState::Paused) };
        match desk.engine.store().sessions().list(paused).await {
            Ok(paused) => {
                paused.iter().rev().for_each(|session| self.link.runs.stands(session.id, session.status))
            }
            Err(error) => tracing::warn!(%error, "the paused runs could not be listed"),
        }
        tokio::spawn(offer::offer(Arc::clone(&self.link), desk.clone()));
    }

    /// The workspace that a run belongs to.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn of_run(&self, run: RunId) -> Result<Desk, EngineError> {
        let find = async |desks: Vec<Desk>| {
            for desk in desks {
                if desk.engine.session(run).await.is_ok() {
                    return Some(desk);
                }
            }
            None
        };
        if let Some(desk) = find(self.open()).await {
            return Ok(desk);
        }
        find(self.open_folders().await).await.ok_or_else(|| EngineError::NotFound(run.short()))
    }

    /// The newest run that fits, in any of the open workspaces.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when none fits, [`EngineError::Store`].
    pub async fn newest(&self, fits: impl Fn(&Desk, &Session) -> bool) -> Result<(Desk, RunId), EngineError> {
        let mut newest: Option<(Desk, Session)> = None;
        for desk in self.open() {
            let filter = ListFilter { limit: NEWEST, state: None };
            for session in desk.engine.store().sessions().list(filter).await? {
                if fits(&desk, &session)
                    && newest.as_ref().is_none_or(|(_, best)| session.created_at > best.created_at)
                {
                    newest = Some((desk.clone(), session));
                }
            }
        }
        let (desk, session) = newest.ok_or_else(|| EngineError::NotFound("that fits".to_owned()))?;
        Ok((desk, session.id))
    }

    /// Lets all workspaces go: their runs are paused. Takes at most a few seconds.
    pub async fn shutdown(&self) {
        let open = std::mem::take(&mut self.lock().open);
        let desks: Vec<_> = open.into_values().filter_map(|cell| cell.get().cloned()).collect();
        futures::future::join_all(desks.iter().map(|desk| desk.engine.shutdown())).await;
    }
}

/// Tells other processes which of the workspace's files are open here, for as long as it is open: what they do to files must
/// not pass by an editor.
async fn tell_open(documents: Arc<Documents>, engine: Weak<Engine>) {
    let mut listing = documents.listing();
    let mut told: BTreeSet<DocPath> = BTreeSet::new();
    loop {
        listing.borrow_and_update();
        let Some(engine) = engine.upgrade() else { return };
        let (asked, all) = (Arc::clone(&engine), documents.all());
        let open = blocking(move || {
            let files = all.iter().filter_map(|document| match &document.place {
                Place::File(path) => asked.workspace().doc_path(path).ok(),
                Place::Untitled(_) => None,
            });
            Ok(files.collect::<BTreeSet<DocPath>>())
        });
        let open = open.await.unwrap_or_default();
        engine.tell_open(open.difference(&told), told.difference(&open)).await;
        told = open;
        drop(engine);
        if listing.changed().await.is_err() {
            return;
        }
    }
}

/// Does `work` where blocking is allowed.
pub async fn blocking<T, F>(work: F) -> Result<T, EngineError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, EngineError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(EngineError::BadDocument(format!("Assist failed inside: {error}"))),
    }
}
