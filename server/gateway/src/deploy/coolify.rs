//! Coolify's API, version 1.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::{Application, DeployState, Deployer, Deployment};
use crate::GatewayError;
use crate::service::{Login, Question, ServiceInfo, ServiceKind};

pub(crate) static INFO: ServiceInfo = ServiceInfo {
    name: "coolify",
    title: "Coolify",
    kind: ServiceKind::Deploy,
    key_var: Some("COOLIFY_TOKEN"),
    url_var: "COOLIFY_URL",
    default_url: None,
};
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most deployments that are asked for.
const MOST: usize = 100;

impl Deployer {
    async fn ask(&self, method: Method, path: String) -> Result<Value, GatewayError> {
        self.service.ask(Question { method, path, body: None, login: Login::Bearer }, PATIENCE).await
    }

    /// An application.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] where there is none with that id; else what kept it from answering.
    pub async fn application(&self, id: &str) -> Result<Application, GatewayError> {
        let id = checked(id, "application")?;
        let answer = self.ask(Method::GET, format!("/api/v1/applications/{id}")).await;
        let answer = answer.map_err(|error| absent(error, "application", id))?;
        let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Application {
            id: id.to_owned(),
            name: text("name").ok_or_else(|| self.service.odd("there is no application in the answer"))?,
            // Several addresses stand side by side.
            address: text("fqdn").map(|all| all.split(',').next().unwrap_or_default().to_owned()),
            status: text("status").unwrap_or_else(|| "unknown".to_owned()),
            branch: text("git_branch"),
            repository: text("git_repository"),
        })
    }

    /// Asks for a deployment of an application; `force` builds without a cache. Returns its id.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] where there is no such application; else what kept it from answering.
    pub async fn deploy(&self, application: &str, force: bool) -> Result<String, GatewayError> {
        let id = checked(application, "application")?;
        let answer = self.ask(Method::POST, format!("/api/v1/deploy?uuid={id}&force={force}")).await;
        let answer = answer.map_err(|error| absent(error, "application", id))?;
        let begun = answer["deployments"].as_array().and_then(|list| list.first());
        let begun = begun.and_then(|deployment| deployment["deployment_uuid"].as_str());
        begun.map(str::to_owned).ok_or_else(|| self.service.odd("it does not name the deployment"))
    }

    /// A deployment.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] where there is none with that id; else what kept it from answering.
    pub async fn deployment(&self, id: &str) -> Result<Deployment, GatewayError> {
        let id = checked(id, "deployment")?;
        let answer = self.ask(Method::GET, format!("/api/v1/deployments/{id}")).await;
        let answer = answer.map_err(|error| absent(error, "deployment", id))?;
        read(&answer).ok_or_else(|| self.service.odd("there is no deployment in the answer"))
    }

    /// The latest deployments of an application, newest first. `limit`: 1 to 100.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] where there is no such application; else what kept it from answering.
    pub async fn history(&self, application: &str, limit: usize) -> Result<Vec<Deployment>, GatewayError> {
        let (id, limit) = (checked(application, "application")?, limit.clamp(1, MOST));
        let path = format!("/api/v1/deployments/applications/{id}?skip=0&take={limit}");
        let answer = self.ask(Method::GET, path).await;
        let answer = answer.map_err(|error| absent(error, "application", id))?;
        // The list stands in an object with its count; older versions give it bare.
        let list = answer["deployments"].as_array().or(answer.as_array());
        let list = list.ok_or_else(|| self.service.odd("there is no list of deployments"))?;
        Ok(list.iter().filter_map(read).take(limit).collect())
    }
}

/// An id goes into an address as it is.
fn checked<'a>(id: &'a str, what: &str) -> Result<&'a str, GatewayError> {
    let fits = !id.is_empty() && id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    fits.then_some(id).ok_or_else(|| GatewayError::Settings {
        message: format!(
            "`{id}` is no id of a Coolify {what}: copy it from the address of its page in Coolify."
        ),
    })
}

fn absent(error: GatewayError, what: &str, id: &str) -> GatewayError {
    match error {
        GatewayError::Rejected { status: 404, .. } => GatewayError::Settings {
            message: format!(
                "Coolify has no {what} `{id}` that this token may see: correct the id, or the token's team."
            ),
        },
        error => error,
    }
}

fn read(answer: &Value) -> Option<Deployment> {
    let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let state = match answer["status"].as_str()? {
        "queued" => DeployState::Queued,
        "in_progress" => DeployState::Running,
        "finished" => DeployState::Finished,
        "failed" => DeployState::Failed,
        "cancelled-by-user" => DeployState::Cancelled,
        other => DeployState::Other(other.chars().filter(|c| !c.is_control()).take(40).collect()),
    };
    let subject = text("commit_message").and_then(|message| message.lines().next().map(str::to_owned));
    // Before it has looked, it says `HEAD`.
    let commit = text("commit").filter(|commit| commit != "HEAD");
    Some(Deployment {
        id: text("deployment_uuid")?,
        state,
        commit,
        subject,
        at: text("created_at").unwrap_or_default(),
    })
}
