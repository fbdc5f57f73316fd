//! Getting work out: pushing the workspace's branch to a forge, and deploying it. Both are steps of the user's own, looked at
//! first ([`Engine::look_before_push`], [`Engine::application`]) and confirmed by whoever calls this.

mod yard;

use std::sync::Arc;
use std::time::Duration;

use assist_gateway::{Application, Deployment, Forge, GatewayError};

use crate::engine::Engine;
use crate::error::EngineError;
pub(crate) use yard::{Shipment, Yard};

/// Why nothing was pushed or deployed, by what the user can do. Each is one sentence or two with the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShipError {
    /// Something has to be set up, named or corrected first.
    #[error("{0}")]
    NotSetUp(String),
    /// Git, the forge or the service could not do it or said no.
    #[error("{0}")]
    Refused(String),
    /// The workspace or its configuration cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<GatewayError> for ShipError {
    fn from(error: GatewayError) -> Self {
        let text = error.to_string();
        let text = if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") };
        if error.needs_user() { ShipError::NotSetUp(text) } else { ShipError::Refused(text) }
    }
}

/// What a push would do.
#[derive(Clone)]
pub struct PushPlan {
    forge: Forge,
    login: String,
    /// The owner of the repository on the forge.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// The branch that is pushed to one of the same name.
    pub branch: String,
    /// The commit that is pushed.
    pub head: String,
    /// The repository's page; empty where it is not there yet.
    pub page: String,
    /// Where to.
    pub address: String,
    /// Whether the repository has to be made first, seen by its owner alone.
    pub is_new: bool,
    /// How many commits the forge does not have; zero: nothing is to be pushed.
    pub commits: usize,
    /// How many files are not committed, and stay here.
    pub uncommitted: usize,
}

/// A push that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The repository's page.
    pub page: String,
    /// The commit that the forge has now.
    pub head: String,
}

impl Engine {
    async fn yard(self: &Arc<Self>) -> Result<Yard, ShipError> {
        let (settings, gateway) = self.configured().await?;
        let workspace = Arc::clone(&self.workspace);
        Ok(Yard { forge: settings.forge, deploy: settings.deploy, gateway, workspace })
    }

    /// Looks what a push would do: whose repository, which commits. Nothing is changed, here or there.
    ///
    /// # Errors
    /// [`ShipError`]: the forge is not set up or cannot be reached, or there is nothing that can be pushed.
    pub async fn look_before_push(self: &Arc<Self>, named: Option<&str>) -> Result<PushPlan, ShipError> {
        let yard = self.yard().await?;
        yard.gateway.forge(&yard.forge.place)?;
        let (shipment, uncommitted) = yard.present().await?;
        if shipment.head.is_none() {
            return Err(cannot("There is no commit to push.", "Commit something, then push."));
        }
        yard.look(named, shipment, uncommitted).await
    }

    /// Pushes: makes the repository where it is not there, pushes the branch, and looks whether the forge has it.
    ///
    /// # Errors
    /// As [`Engine::look_before_push`]; [`ShipError::Refused`] where Git or the forge refuses.
    pub async fn push(self: &Arc<Self>, plan: &PushPlan) -> Result<Pushed, ShipError> {
        self.yard().await?.push(plan).await
    }

    /// What would be deployed.
    ///
    /// # Errors
    /// [`ShipError`]: the service is not set up, cannot be reached, or has no such application.
    pub async fn application(self: &Arc<Self>, named: Option<&str>) -> Result<Application, ShipError> {
        self.yard().await?.application(named).await
    }

    /// Asks for a deployment of an application and returns its id; `force` builds without a cache.
    ///
    /// # Errors
    /// As [`Engine::application`].
    pub async fn deploy(self: &Arc<Self>, application: &str, force: bool) -> Result<String, ShipError> {
        self.yard().await?.deploy(application, force).await
    }

    /// Waits until a deployment is over, and tells of each change of its state. A service that does not answer is asked again
    /// a few times.
    ///
    /// # Errors
    /// As [`Engine::application`].
    pub async fn until_deployed(
        self: &Arc<Self>,
        id: &str,
        mut told: impl FnMut(&Deployment),
    ) -> Result<Deployment, ShipError> {
        let yard = self.yard().await?;
        let clock = Arc::clone(&self.clock);
        let mut last: Option<Deployment> = None;
        loop {
            let state = last.as_ref().map(|deployment| &deployment.state);
            let Some(found) = yard.change(clock.as_ref(), id, state, Duration::MAX).await? else { continue };
            told(&found);
            if found.state.is_over() {
                return Ok(found);
            }
            last = Some(found);
        }
    }

    /// How a deployment stands: this one, or the newest.
    ///
    /// # Errors
    /// As [`Engine::application`].
    pub async fn deployment(
        self: &Arc<Self>,
        named: Option<&str>,
        id: Option<&str>,
    ) -> Result<Option<Deployment>, ShipError> {
        let Some(id) = id else { return Ok(self.deployments(named, 1).await?.into_iter().next()) };
        Ok(Some(self.yard().await?.deployment(id).await?))
    }

    /// The latest deployments, newest first; at most 100.
    ///
    /// # Errors
    /// As [`Engine::application`].
    pub async fn deployments(
        self: &Arc<Self>,
        named: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Deployment>, ShipError> {
        self.yard().await?.deployments(named, limit).await
    }
}

fn cannot(message: &str, fix: &str) -> ShipError {
    ShipError::NotSetUp(format!("{message} {fix}"))
}
