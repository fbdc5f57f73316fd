//! The forge and the deployment service of a workspace, for whoever has its settings: a command, or a run.

use std::sync::Arc;
use std::time::Duration;

use assist_base::Clock;
use assist_gateway::{
    Application, DeployState, Deployer, Deployment, Gateway, GatewayError, NewRepository, is_forge_name,
};
use assist_runtime::Workspace;
use assist_runtime::git::{GitError, Push, Repository};

use super::{PushPlan, Pushed, ShipError, cannot};
use crate::engine::blocking;
use crate::settings::Ship;

/// Between two looks at a deployment.
const BETWEEN: Duration = Duration::from_secs(2);
/// So often in turn the service may not answer while a deployment is waited for.
const MOST_FAILURES: usize = 3;

/// Where a workspace's work goes out.
#[derive(Clone)]
pub(crate) struct Yard {
    pub(crate) forge: Ship,
    pub(crate) deploy: Ship,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) workspace: Arc<Workspace>,
}

/// What is pushed: a branch, and the commit that it is to be at; none where the commit has still to be made.
pub(crate) struct Shipment {
    pub(crate) branch: String,
    pub(crate) head: Option<String>,
}

impl Yard {
    /// Whether a forge is set up.
    pub(crate) fn has_forge(&self) -> bool {
        !matches!(self.gateway.forge(&self.forge.place), Err(GatewayError::NotConfigured { .. }))
    }

    /// Whether a deployment service is set up, and an application named.
    pub(crate) fn has_deployer(&self) -> bool {
        let known = self.gateway.deployer(&self.deploy.place);
        self.deploy.target.is_some() && !matches!(known, Err(GatewayError::NotConfigured { .. }))
    }

    /// The branch that is checked out, its head, and how many files are not committed.
    pub(crate) async fn present(&self) -> Result<(Shipment, usize), ShipError> {
        let state = self.git(|repository| repository.status()).await?;
        let Some(branch) = state.branch else {
            return Err(cannot("No branch is checked out here.", "Check one out, then push."));
        };
        Ok((Shipment { branch, head: state.head }, state.changes.len()))
    }

    /// Looks what a push would do; see [`crate::Engine::look_before_push`].
    pub(crate) async fn look(
        &self,
        named: Option<&str>,
        shipment: Shipment,
        uncommitted: usize,
    ) -> Result<PushPlan, ShipError> {
        let forge = self.gateway.forge(&self.forge.place)?;
        let login = forge.login().await?;
        let target = match named.map(str::to_owned).or_else(|| self.forge.target.clone()) {
            Some(target) => target,
            None => format!("{login}/{}", self.folder_name()),
        };
        let bad = || {
            let message = format!("`{target}` is no repository on a forge.");
            cannot(&message, "Name it as OWNER/NAME, with `--repository` or as `forge.repository`.")
        };
        let (owner, name) = target.split_once('/').ok_or_else(bad)?;
        if !is_forge_name(owner) || !is_forge_name(name) {
            return Err(bad());
        }
        let there = forge.repository(owner, name).await?;
        let known = match &there {
            Some(there) if !there.empty => {
                forge.commits(owner, name, &shipment.branch, 1).await?.into_iter().next()
            }
            _ => None,
        };
        let (head, known) = (shipment.head.clone(), known.map(|commit| commit.id));
        let commits = match head {
            Some(head) => self.git(move |repository| repository.ahead_of(&head, known.as_deref())).await?,
            None => 0,
        };
        Ok(PushPlan {
            owner: owner.to_owned(),
            name: name.to_owned(),
            address: forge.push_address(owner, name),
            is_new: there.is_none(),
            page: there.map(|there| there.page).unwrap_or_default(),
            uncommitted,
            forge,
            login,
            branch: shipment.branch,
            head: shipment.head.unwrap_or_default(),
            commits,
        })
    }

    /// Pushes; see [`crate::Engine::push`].
    pub(crate) async fn push(&self, plan: &PushPlan) -> Result<Pushed, ShipError> {
        let (owner, name) = (plan.owner.as_str(), plan.name.as_str());
        if plan.is_new {
            let organization = (owner != plan.login).then_some(owner);
            match plan.forge.create(NewRepository { organization, name, private: true }).await {
                // Somebody was faster, or an earlier push got so far.
                Ok(_) | Err(GatewayError::Rejected { status: 409, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (address, branch, commit) = (plan.address.clone(), plan.branch.clone(), plan.head.clone());
        let login = plan.forge.push_login(&plan.login);
        self.git(move |repository| {
            repository.push(&Push {
                address: &address,
                branch: &branch,
                commit: &commit,
                login: Some(&login),
            })
        })
        .await?;
        let there = plan.forge.commits(owner, name, &plan.branch, 1).await?.into_iter().next();
        match there {
            Some(commit) if commit.id == plan.head => {
                let page = plan.forge.repository(owner, name).await?.map(|there| there.page);
                Ok(Pushed { page: page.unwrap_or_default(), head: commit.id })
            }
            _ => Err(ShipError::Refused(format!(
                "Git pushed, but the forge does not show the commit at the head of `{}`; look at {}.",
                plan.branch, plan.address
            ))),
        }
    }

    async fn git<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Repository) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, ShipError> {
        let workspace = Arc::clone(&self.workspace);
        let done = blocking(move || {
            let repository = Repository::open(&workspace);
            Ok(repository.and_then(|repository| work(&repository)))
        });
        done.await?.map_err(|error| {
            let text = error.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            ShipError::Refused(format!("{first}{}.", letters.as_str().trim_end_matches('.')))
        })
    }

    fn folder_name(&self) -> String {
        let name = self.workspace.root().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let fits = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = name.chars().map(fits).collect();
        name.trim_matches(['-', '.']).to_owned()
    }

    /// The deployment service, and the application that is named or set.
    fn deployer(&self, named: Option<&str>) -> Result<(Deployer, String), ShipError> {
        let deployer = self.gateway.deployer(&self.deploy.place)?;
        let application =
            named.map(str::to_owned).or_else(|| self.deploy.target.clone()).ok_or_else(|| {
                let fix = "Name its id with `--application`, or as `deploy.application` in assist.toml.";
                cannot("It is not said which application is deployed.", fix)
            })?;
        Ok((deployer, application))
    }

    /// The application that is named or set.
    pub(crate) async fn application(&self, named: Option<&str>) -> Result<Application, ShipError> {
        let (deployer, application) = self.deployer(named)?;
        Ok(deployer.application(&application).await?)
    }

    /// Asks for a deployment and returns its id.
    pub(crate) async fn deploy(&self, application: &str, force: bool) -> Result<String, ShipError> {
        let (deployer, application) = self.deployer(Some(application))?;
        Ok(deployer.deploy(&application, force).await?)
    }

    /// How a deployment stands.
    pub(crate) async fn deployment(&self, id: &str) -> Result<Deployment, ShipError> {
        Ok(self.gateway.deployer(&self.deploy.place)?.deployment(id).await?)
    }

    /// The latest deployments, newest first.
    pub(crate) async fn deployments(
        &self,
        named: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Deployment>, ShipError> {
        let (deployer, application) = self.deployer(named)?;
        Ok(deployer.history(&application, limit).await?)
    }

    /// Waits until a deployment stands otherwise than `last`; none where it does not within `patience`. A service that cannot be
    /// asked for a while is asked again.
    pub(crate) async fn change(
        &self,
        clock: &dyn Clock,
        id: &str,
        last: Option<&DeployState>,
        patience: Duration,
    ) -> Result<Option<Deployment>, ShipError> {
        let deadline = clock.elapsed().saturating_add(patience);
        let mut failures = 0;
        let mut is_first = last.is_none();
        loop {
            if !std::mem::take(&mut is_first) {
                clock.sleep(BETWEEN).await;
            }
            match self.deployment(id).await {
                Ok(found) if last == Some(&found.state) => failures = 0,
                Ok(found) => return Ok(Some(found)),
                Err(error) => {
                    failures += 1;
                    if failures > MOST_FAILURES {
                        return Err(error);
                    }
                }
            }
            if clock.elapsed() >= deadline {
                return Ok(None);
            }
        }
    }
}
