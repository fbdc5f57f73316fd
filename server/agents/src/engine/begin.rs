//! How runs begin and go on.

use std::sync::{Arc, Mutex};

use assist_base::{ConversationId, RunId, RunState};
use assist_gateway::Gateway;
use assist_store::{NewSession, TransitionNote};

use super::{Engine, Started, model, wrong_state};
use crate::ask::AskRequest;
use crate::error::EngineError;
use crate::host::Host;
use crate::run::{Handle, Run, lock};
use crate::settings::Settings;
use crate::{assist, pipeline, turns};

impl Engine {
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
        let task = pipeline::Task::new(anchored, conversation);
        self.store.sessions().begin(session, task.checkpoint(id), now).await?;
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
        if let Some(handle) = self.handle(run) {
            if !handle.comes_to_rest() {
                return Err(wrong_state(self.session(run).await?.status, "it is being worked on already"));
            }
            // Begun anew before it was let go, it would be let go with the old.
            handle.rested().await;
        }
        let session = self.session(run).await?;
        // A failed run knows what is missing only where it had a plan.
        let unfinished = session.status == RunState::Failed && session.plan.is_some();
        if session.status != RunState::Paused && !unfinished {
            return Err(wrong_state(session.status, "only a paused run can go on"));
        }
        let (settings, gateway) = self.configured().await?;
        model(&gateway).await?;
        if let Some(owner) = self.take_lease_of_resting(run).await? {
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
        let handle = Arc::new(Handle::new(Arc::clone(&host)));
        self.attend(id, Arc::clone(&handle));
        let run = Run {
            id,
            store: self.store.clone(),
            workspace: Arc::clone(&self.workspace),
            maps: Arc::clone(&self.maps),
            clock: Arc::clone(&self.clock),
            may_write: self.may_write(),
            host,
            commands: Mutex::new(settings.commands.clone()),
            wiring: Arc::clone(&self.wiring),
            settings,
            gateway,
            handle: Arc::clone(&handle),
            minded: Mutex::default(),
            turns: turns::of_this_process(),
            turn: Mutex::default(),
            shadow: pipeline::ShadowStage::default(),
        };
        // Who was begun first comes first, whenever its task gets to work.
        let place = run.queue();
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            // The work runs in a task of its own, so that a panic in it ends the run and not its bookkeeping.
            let worker = tokio::spawn(async move {
                if let Err(broken) = run.take_turn(place).await {
                    return run.rest_untouched(broken).await;
                }
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
            // Last: whoever waits for this finds the run free for somebody else.
            handle.rest(state);
        });
    }
}
