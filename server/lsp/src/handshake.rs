//! What the client can, and what we say we can.

use std::path::PathBuf;

use serde_json::{Value, json};
use tower_lsp::ls_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, ExecuteCommandOptions, InitializeParams,
    InitializeResult, OneOf, PositionEncodingKind, SaveOptions, ServerCapabilities, ServerInfo,
    TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions,
    WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};

use crate::position::Encoding;
use crate::uri::{self, Place};
use crate::{code_actions, commands};

/// The version of our own protocol.
pub const PROTOCOL: u64 = 1;

/// What the client said of itself.
#[derive(Debug, Clone, Default)]
pub struct Handshake {
    /// Its name: `Neovim`, `Visual Studio Code`, …
    pub client: String,
    /// Whether it speaks our own protocol too.
    pub rich: bool,
    /// Whether it can make versioned edits.
    pub edits: bool,
    /// Whether it shows progress that the server begins.
    pub progress: bool,
    /// Whether it can open a document on request.
    pub show_document: bool,
    /// Whether it takes code actions, and not commands only.
    pub code_actions: bool,
    /// What positions count.
    pub encoding: Encoding,
    /// The folders it has open.
    pub folders: Vec<PathBuf>,
    /// The settings it brought.
    pub options: Option<Value>,
}

impl Handshake {
    /// Reads what the client said.
    pub fn read(params: &InitializeParams) -> Self {
        let capabilities = &params.capabilities;
        let workspace = capabilities.workspace.as_ref();
        let window = capabilities.window.as_ref();
        let edit = workspace.and_then(|w| w.workspace_edit.as_ref());
        let offered = capabilities.general.as_ref().and_then(|general| general.position_encodings.as_ref());
        let offered: Option<Vec<String>> =
            offered.map(|kinds| kinds.iter().map(|kind| kind.as_str().to_owned()).collect());
        let rich = capabilities
            .experimental
            .as_ref()
            .and_then(|experimental| experimental.pointer("/assist/protocol")?.as_u64());
        Self {
            client: params
                .client_info
                .as_ref()
                .map_or_else(|| "unknown".to_owned(), |info| info.name.clone()),
            rich: rich == Some(PROTOCOL),
            // Neovim makes versioned edits without saying so.
            edits: workspace.and_then(|w| w.apply_edit) == Some(true)
                && (edit.and_then(|edit| edit.document_changes) == Some(true)
                    || params.client_info.as_ref().is_some_and(|info| is_neovim(&info.name))),
            progress: window.and_then(|w| w.work_done_progress) == Some(true),
            show_document: window.and_then(|w| w.show_document.as_ref()).is_some_and(|show| show.support),
            code_actions: capabilities
                .text_document
                .as_ref()
                .and_then(|document| document.code_action.as_ref()?.code_action_literal_support.as_ref())
                .is_some(),
            encoding: Encoding::negotiate(offered.as_deref()),
            folders: folders(params),
            options: params.initialization_options.clone(),
        }
    }

    /// Whether the client counts lines as Neovim does: there a lone carriage return is no line break, so that positions
    /// in such a file mean different places to it and to us.
    pub fn keeps_lone_returns(&self) -> bool {
        is_neovim(&self.client)
    }

    /// What we answer.
    pub fn answer(&self, version: &str) -> InitializeResult {
        InitializeResult {
            capabilities: ServerCapabilities {
                position_encoding: Some(PositionEncodingKind::from(self.encoding.as_str().to_owned())),
                text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
                    open_close: Some(true),
                    change: Some(TextDocumentSyncKind::INCREMENTAL),
                    save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions {
                        include_text: Some(false),
                    })),
                    ..TextDocumentSyncOptions::default()
                })),
                code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
                    code_action_kinds: Some(
                        code_actions::KINDS.into_iter().map(CodeActionKind::from).collect(),
                    ),
                    ..CodeActionOptions::default()
                })),
                execute_command_provider: Some(ExecuteCommandOptions {
                    commands: commands::NAMES.map(str::to_owned).to_vec(),
                    ..ExecuteCommandOptions::default()
                }),
                workspace: Some(WorkspaceServerCapabilities {
                    workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                        supported: Some(true),
                        change_notifications: Some(OneOf::Left(true)),
                    }),
                    ..WorkspaceServerCapabilities::default()
                }),
                experimental: Some(json!({ "assist": { "protocol": PROTOCOL } })),
                ..ServerCapabilities::default()
            },
            server_info: Some(ServerInfo { name: "assist".to_owned(), version: Some(version.to_owned()) }),
            ..InitializeResult::default()
        }
    }
}

fn is_neovim(client: &str) -> bool {
    client.eq_ignore_ascii_case("neovim")
}

/// The folders the client has open; what is no local folder is left out.
fn folders(params: &InitializeParams) -> Vec<PathBuf> {
    let folder = |uri: &str| match uri::parse(uri) {
        Ok(Place::File(path)) => Some(path),
        _ => None,
    };
    let listed = params.workspace_folders.iter().flatten();
    let mut folders: Vec<PathBuf> = listed.filter_map(|listed| folder(listed.uri.as_str())).collect();
    if folders.is_empty() {
        #[expect(deprecated, reason = "clients without workspace folders say it here")]
        let (uri, path) = (params.root_uri.as_ref(), params.root_path.as_ref());
        folders.extend(uri.and_then(|uri| folder(uri.as_str())).or_else(|| path.map(PathBuf::from)));
    }
    folders.retain(|folder| folder.is_absolute());
    folders
}
