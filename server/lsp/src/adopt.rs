//! A database that nothing says this user made is not used. The client is told, with a button that takes it over.
//!
//! Laws: only the user's own word takes it over, once for each folder; what is done meanwhile is kept in memory, and a run at work
//! is never cut off by it. Nobody waits for the answer. Neovim without the plugin shows questions in a way that holds up all
//! typing: it is told in a sentence.

use std::sync::{Arc, Weak};

use assist_agents::Severity;
use futures::future::BoxFuture;
use serde_json::json;

use crate::workspaces::{Desk, Workspaces};

const ADOPT: &str = "Adopt";
const NOT_NOW: &str = "Not now";

/// Tells of it, and takes it over where that is wished for; `sentence` is for a client that cannot be asked. Boxed: what it opens tells of itself in turn.
pub fn offer(workspaces: Weak<Workspaces>, desk: Desk, sentence: String) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let Some(link) = workspaces.upgrade().map(|workspaces| Arc::clone(workspaces.link())) else { return };
        if link.handshake().keeps_lone_returns() && !link.handshake().rich {
            return link.say(Severity::Warning, &sentence);
        }
        let root = desk.engine.workspace().root();
        let folder = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy();
        let sentence = format!(
            "What Assist keeps in “{folder}” was not made by you on this machine: it came with the folder, was copied with it, or is of an \
             older Assist. It is not used, and nothing will be remembered. Adopt it only if it is yours."
        );
        let actions = [ADOPT, NOT_NOW].map(|title| json!({ "title": title }));
        let params = json!({ "type": 2, "message": sentence, "actions": actions });
        let chosen = link.question("window/showMessageRequest", params).await;
        if chosen.is_ok_and(|chosen| chosen["title"] == ADOPT)
            && let Some(workspaces) = workspaces.upgrade()
        {
            adopt(&workspaces, &desk).await;
        }
    })
}

/// Takes it over and opens the workspace anew. What came of it is told in a sentence.
pub async fn adopt(workspaces: &Workspaces, desk: &Desk) {
    let link = workspaces.link();
    let database = desk.engine.workspace().assist_dir().join("assist.db");
    match workspaces.adopt(desk).await {
        Ok(true) => link.say(Severity::Info, &format!("{} is yours from now on.", database.display())),
        Ok(false) => link.say(Severity::Info, &format!("{} was yours already.", database.display())),
        Err(error) => link.say(Severity::Error, &error.to_string()),
    }
}
