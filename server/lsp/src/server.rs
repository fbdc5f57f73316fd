//! The protocol's methods: thin, each handing to the module that does it.

use std::sync::{Arc, Mutex, PoisonError};

use assist_agents::Severity;
use serde_json::Value;
use tower_lsp::LanguageServer;
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    CodeActionParams, CodeActionResponse, DidChangeConfigurationParams, DidChangeWorkspaceFoldersParams,
    ExecuteCommandParams, InitializeParams, InitializeResult, InitializedParams,
    WorkDoneProgressCancelParams,
};

use crate::attach;
use crate::ext::kept;
use crate::handshake::Handshake;
use crate::link::Link;
use crate::transport::captured;
use crate::uri::{self, Place};
use crate::workspaces::Workspaces;
use crate::{board, code_actions, commands, ext, options};

/// The server of one connection.
pub struct Server {
    /// The connection.
    pub link: Arc<Link>,
    /// Its workspaces.
    pub workspaces: Arc<Workspaces>,
    /// The program's version.
    pub version: String,
    /// What was wrong with the settings of the handshake, to be said when the client listens.
    pub problems: Mutex<Vec<String>>,
}

impl Server {
    /// Takes over the editor's settings. Returns what is wrong with them.
    fn configure(&self, settings: Option<&Value>) -> Vec<String> {
        let mut options = options::read(settings);
        let problems = std::mem::take(&mut options.problems);
        let let_go = self.workspaces.set_options(options);
        if !let_go.is_empty() {
            tokio::spawn(async move {
                for desk in let_go {
                    desk.engine.shutdown().await;
                }
            });
        }
        problems
    }

    fn warn(&self, problems: Vec<String>) {
        for problem in problems {
            self.link.say(Severity::Warning, &problem);
        }
    }

    /// `assist/status`
    pub async fn status(&self, _: Value) -> Result<Value> {
        ext::status(&self.workspaces, &self.version).await
    }

    /// `assist/sessions`
    pub async fn sessions(&self, params: Value) -> Result<Value> {
        ext::sessions(&self.workspaces, &params).await
    }

    /// `assist/events`
    pub async fn events(&self, params: Value) -> Result<Value> {
        ext::events(&self.workspaces, &params).await
    }

    /// `assist/attach`
    pub async fn attach(&self, params: Value) -> Result<Value> {
        attach::attach(&self.workspaces, &params).await
    }

    /// `assist/memory`
    pub async fn memory(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::MEMORY, &params).await
    }

    /// `assist/memoryAdd`
    pub async fn memory_add(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::MEMORY_ADD, &params).await
    }

    /// `assist/memoryUpdate`
    pub async fn memory_update(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::MEMORY_UPDATE, &params).await
    }

    /// `assist/memoryForget`
    pub async fn memory_forget(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::MEMORY_FORGET, &params).await
    }

    /// `assist/costs`
    pub async fn costs(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::COSTS, &params).await
    }

    /// `assist/models`
    pub async fn models(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::MODELS, &params).await
    }

    /// `assist/search`
    pub async fn search(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::SEARCH, &params).await
    }

    /// `assist/snapshots`
    pub async fn snapshots(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::SNAPSHOTS, &params).await
    }

    /// `assist/snapshotCreate`
    pub async fn snapshot_create(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::SNAPSHOT_CREATE, &params).await
    }

    /// `assist/snapshotDiff`
    pub async fn snapshot_diff(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::SNAPSHOT_DIFF, &params).await
    }

    /// `assist/snapshotRestore`
    pub async fn snapshot_restore(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::SNAPSHOT_RESTORE, &params).await
    }

    /// `assist/export`
    pub async fn export(&self, params: Value) -> Result<Value> {
        kept::answer(&self.workspaces, kept::EXPORT, &params).await
    }

    /// `window/workDoneProgress/cancel`, which the library leaves out.
    pub async fn cancel_progress(&self, params: WorkDoneProgressCancelParams) {
        let token = serde_json::to_value(&params.token).unwrap_or_default();
        let Some(run) = self.link.runs.by_token(&token) else { return };
        let workspaces = Arc::clone(&self.workspaces);
        tokio::spawn(async move {
            let cancelled = async { workspaces.of_run(run).await?.engine.cancel(run).await };
            if let Err(error) = cancelled.await {
                tracing::info!(%run, %error, "a run could not be cancelled");
            }
        });
    }
}

impl LanguageServer for Server {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let handshake = Handshake::read(&params);
        tracing::info!(
            client = handshake.client,
            rich = handshake.rich,
            encoding = handshake.encoding.as_str(),
            "connected"
        );
        self.workspaces.set_folders(|folders| folders.clone_from(&handshake.folders));
        let problems = self.configure(handshake.options.as_ref());
        *self.problems.lock().unwrap_or_else(PoisonError::into_inner) = problems;
        let answer = handshake.answer(&self.version);
        self.link.shake_hands(handshake);
        Ok(answer)
    }

    async fn initialized(&self, _: InitializedParams) {
        let problems = std::mem::take(&mut *self.problems.lock().unwrap_or_else(PoisonError::into_inner));
        self.warn(problems);
        // Recovers what a crash left, and says so, before anyone asks for anything.
        let workspaces = Arc::clone(&self.workspaces);
        tokio::spawn(async move { workspaces.open_folders().await });
        if self.link.handshake().rich {
            tokio::spawn(board::watch(Arc::clone(&self.workspaces)));
        }
    }

    async fn shutdown(&self) -> Result<()> {
        crate::let_go(&self.link, &self.workspaces).await;
        Ok(())
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        // Clients without settings of ours send null, or everybody else's.
        if let Some(settings) = params.settings.get("assist") {
            let problems = self.configure(Some(settings));
            self.warn(problems);
        }
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let path = |uri: &str| match uri::parse(uri) {
            Ok(Place::File(path)) => Some(path),
            _ => None,
        };
        let added: Vec<_> =
            params.event.added.iter().filter_map(|folder| path(folder.uri.as_str())).collect();
        let removed: Vec<_> =
            params.event.removed.iter().filter_map(|folder| path(folder.uri.as_str())).collect();
        self.workspaces.set_folders(|folders| {
            folders.retain(|folder| !removed.contains(folder));
            for folder in added {
                if !folders.contains(&folder) {
                    folders.push(folder);
                }
            }
        });
        let workspaces = Arc::clone(&self.workspaces);
        tokio::spawn(async move {
            workspaces.leave(removed).await;
            workspaces.open_folders().await
        });
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        let literals = self.link.handshake().code_actions;
        Ok(Some(code_actions::list(&params, &captured(), self.link.runs.waiting(), literals)))
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        let ExecuteCommandParams { command, arguments, .. } = params;
        commands::execute(&self.workspaces, captured(), &command, arguments).await.map(Some)
    }
}
