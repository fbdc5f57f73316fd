//! Gitea's API, version 1 (Forgejo speaks it too).

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Forge, NewRepository, RemoteCommit, RemoteRepository, is_forge_name, member};
use crate::GatewayError;
use crate::service::{Login, Question, ServiceInfo, ServiceKind};

pub(crate) static INFO: ServiceInfo = ServiceInfo {
    name: "gitea",
    title: "Gitea",
    kind: ServiceKind::Forge,
    key_var: Some("GITEA_TOKEN"),
    url_var: "GITEA_URL",
    default_url: None,
};
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most commits that are asked for.
const MOST_COMMITS: usize = 50;

impl Forge {
    async fn ask(&self, method: Method, path: String, body: Option<Value>) -> Result<Value, GatewayError> {
        self.service.ask(Question { method, path, body, login: Login::Token }, PATIENCE).await
    }

    /// The name of the token's owner.
    ///
    /// # Errors
    /// What kept it from answering; also for a token that may not tell.
    pub async fn login(&self) -> Result<String, GatewayError> {
        let user = self.ask(Method::GET, "/api/v1/user".to_owned(), None).await?;
        let login = member(&user, "login");
        if is_forge_name(&login) {
            Ok(login)
        } else {
            Err(self.service.odd("it does not say whose the token is"))
        }
    }

    /// A repository; none where there is none, or none that the token may see.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn repository(
        &self,
        owner: &str,
        name: &str,
    ) -> Result<Option<RemoteRepository>, GatewayError> {
        match self.ask(Method::GET, format!("/api/v1/repos/{owner}/{name}"), None).await {
            Ok(answer) => Ok(Some(self.read(&answer)?)),
            Err(GatewayError::Rejected { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a repository without any commit.
    ///
    /// # Errors
    /// [`GatewayError::Rejected`] with 409 where it is there already, and with the forge's words where it may not be made; else
    /// what kept it from answering.
    pub async fn create(&self, new: NewRepository<'_>) -> Result<RemoteRepository, GatewayError> {
        let path = match new.organization {
            Some(organization) => format!("/api/v1/orgs/{organization}/repos"),
            None => "/api/v1/user/repos".to_owned(),
        };
        let body = json!({ "name": new.name, "private": new.private, "auto_init": false });
        self.read(&self.ask(Method::POST, path, Some(body)).await?)
    }

    /// The latest commits of a branch, newest first; none where the branch is not there. `limit`: 1 to 50.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn commits(
        &self,
        owner: &str,
        name: &str,
        branch: &str,
        limit: usize,
    ) -> Result<Vec<RemoteCommit>, GatewayError> {
        let limit = limit.clamp(1, MOST_COMMITS);
        let branch: String = url::form_urlencoded::byte_serialize(branch.as_bytes()).collect();
        let query = format!("sha={branch}&limit={limit}&stat=false&verification=false&files=false");
        let answer =
            self.ask(Method::GET, format!("/api/v1/repos/{owner}/{name}/commits?{query}"), None).await;
        let answer = match answer {
            Ok(answer) => answer,
            // No such branch, or no commit at all.
            Err(GatewayError::Rejected { status: 404 | 409, .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let commits = answer.as_array().ok_or_else(|| self.service.odd("there is no list of commits"))?;
        let read = |commit: &Value| {
            let message = member(&commit["commit"], "message");
            RemoteCommit {
                id: member(commit, "sha"),
                subject: message.lines().next().unwrap_or_default().to_owned(),
                author: member(&commit["commit"]["author"], "name"),
                at: member(&commit["commit"]["author"], "date"),
            }
        };
        Ok(commits.iter().map(read).collect())
    }

    fn read(&self, answer: &Value) -> Result<RemoteRepository, GatewayError> {
        let full_name = member(answer, "full_name");
        if full_name.is_empty() {
            return Err(self.service.odd("there is no repository in the answer"));
        }
        Ok(RemoteRepository {
            full_name,
            page: member(answer, "html_url"),
            private: answer["private"].as_bool().unwrap_or(false),
            empty: answer["empty"].as_bool().unwrap_or(false),
        })
    }
}
