//! The language server: the engine in front of an editor.
//!
//! [`serve`] speaks the Language Server Protocol over any pair of streams. The editor's side of the contract is PROTOCOL.md
//! beside this crate. The laws are kept by the modules: `transport` (who waits for whom), `documents` (what is open),
//! `host` (how edits reach the user's text), `runs` (what the user sees of a run). Protocol types live in this crate only.

mod adopt;
mod attach;
mod board;
mod code_actions;
mod commands;
mod documents;
mod ext;
mod failure;
mod framing;
mod handshake;
mod host;
mod link;
mod message;
mod offer;
mod options;
mod outbox;
mod position;
mod runs;
mod server;
mod transport;
mod uri;
mod workspaces;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use assist_agents::Wiring;
use assist_base::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_lsp::{ClientSocket, LspService};

use documents::Documents;
use link::Link;
use outbox::Outbox;
use server::Server;
use transport::{Ended, Transport};
use workspaces::Workspaces;

/// How long what is still to be said may take once the client has left.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a server needs from the program around it.
pub struct Boot {
    /// The program's version, as clients are told.
    pub version: String,
    /// Where configuration comes from.
    pub wiring: Arc<dyn Wiring>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Serves one client until it leaves. Returns the exit code: 0 when it said `shutdown` and then `exit`, else 1.
///
/// Runs at work are paused then, within a few seconds. Must be called in a Tokio runtime with time and I/O. A program that reads
/// its standard input through Tokio should leave the process with the code, since a blocked read cannot be stopped.
pub async fn serve<R, W>(reader: R, writer: W, boot: Boot) -> i32
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    serve_until(reader, writer, boot, std::future::pending()).await
}

/// As [`serve`], until `enough` at the latest: the client is taken to have left without a word then.
pub async fn serve_until<R, W>(reader: R, writer: W, boot: Boot, enough: impl Future<Output = ()>) -> i32
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let Parts { transport, socket, link, workspaces } = assemble(boot);
    let outbox = link.outbox.clone();
    let writing = tokio::spawn(outbox.clone().write(writer));
    let ended = tokio::select! {
        ended = transport.run(reader, socket) => ended,
        () = enough => Ended::Abrupt,
    };
    let_go(&link, &workspaces).await;
    outbox.finish();
    let abort = writing.abort_handle();
    if tokio::time::timeout(LAST_WORDS, writing).await.is_err() {
        abort.abort();
    }
    match ended {
        Ended::Orderly => 0,
        Ended::Abrupt => 1,
    }
}

/// Pauses the runs at work, then gives up what still waits for the client: in this order, so that a run knows why.
async fn let_go(link: &Link, workspaces: &Workspaces) {
    futures::join!(workspaces.shutdown(), async { link.gone.cancel() });
}

/// A connection's parts.
struct Parts {
    transport: Transport<Server>,
    socket: ClientSocket,
    link: Arc<Link>,
    workspaces: Arc<Workspaces>,
}

fn assemble(boot: Boot) -> Parts {
    let documents = Arc::new(Documents::default());
    let outbox = Outbox::new();
    let mut made = None;
    let (service, socket) = LspService::build(|client| {
        let clock = Arc::clone(&boot.clock);
        let link = Arc::new(Link::new(Arc::clone(&documents), outbox.clone(), clock, client));
        let workspaces = Workspaces::new(Arc::clone(&link), boot.wiring, boot.clock);
        made = Some((Arc::clone(&link), Arc::clone(&workspaces)));
        Server { link, workspaces, version: boot.version, problems: Mutex::default() }
    })
    .custom_method("window/workDoneProgress/cancel", Server::cancel_progress)
    .custom_method(ext::STATUS, Server::status)
    .custom_method(ext::SESSIONS, Server::sessions)
    .custom_method(ext::EVENTS, Server::events)
    .custom_method(ext::ATTACH, Server::attach)
    .custom_method(ext::kept::MEMORY, Server::memory)
    .custom_method(ext::kept::MEMORY_ADD, Server::memory_add)
    .custom_method(ext::kept::MEMORY_UPDATE, Server::memory_update)
    .custom_method(ext::kept::MEMORY_FORGET, Server::memory_forget)
    .custom_method(ext::kept::COSTS, Server::costs)
    .custom_method(ext::kept::MODELS, Server::models)
    .custom_method(ext::kept::SEARCH, Server::search)
    .custom_method(ext::kept::SNAPSHOTS, Server::snapshots)
    .custom_method(ext::kept::SNAPSHOT_CREATE, Server::snapshot_create)
    .custom_method(ext::kept::SNAPSHOT_DIFF, Server::snapshot_diff)
    .custom_method(ext::kept::SNAPSHOT_RESTORE, Server::snapshot_restore)
    .custom_method(ext::kept::EXPORT, Server::export)
    .finish();
    let (link, workspaces) = made.expect("the service is built by calling the closure once");
    Parts { transport: Transport::new(service, documents, outbox), socket, link, workspaces }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
