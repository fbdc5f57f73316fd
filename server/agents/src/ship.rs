//! Getting work out: pushing the workspace's branch to a forge, and deploying it. Both are steps of the user's own, looked at
//! first ([`Engine::look_before_push`], [`Engine::application`]) and confirmed by whoever calls this.

use std::sync::Arc;

use assist_gateway::{Application, Deployer, Deployment, Forge, GatewayError, NewRepository, is_forge_name};
use assist_runtime::git::{GitError, Push, Repository};

use crate::engine::{Engine, blocking};
use crate::error::EngineError;

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
    /// Looks what a push would do: whose repository, which commits. Nothing is changed, here or there.
    ///
    /// # Errors
    /// [`ShipError`]: the forge is not set up or cannot be reached, or there is nothing that can be pushed.
    pub async fn look_before_push(self: &Arc<Self>, named: Option<&str>) -> Result<PushPlan, ShipError> {
        let (settings, gateway) = self.configured().await?;
        let forge = gateway.forge(&settings.forge.place)?;
        let state = self.git(|repository| repository.status()).await?;
        let Some(branch) = state.branch else {
            return Err(cannot("No branch is checked out here.", "Check one out, then push."));
        };
        let Some(head) = state.head else {
            return Err(cannot("There is no commit to push.", "Commit something, then push."));
        };
        let login = forge.login().await?;
        let target = match named.map(str::to_owned).or(settings.forge.target) {
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
            Some(there) if !there.empty => forge.commits(owner, name, &branch, 1).await?.into_iter().next(),
            _ => None,
        };
        let (counted, known) = (branch.clone(), known.map(|commit| commit.id));
        let commits = self.git(move |repository| repository.ahead_of(&counted, known.as_deref())).await?;
        Ok(PushPlan {
            owner: owner.to_owned(),
            name: name.to_owned(),
            address: forge.push_address(owner, name),
            is_new: there.is_none(),
            uncommitted: state.changes.len(),
            forge,
            login,
            branch,
            head,
            commits,
        })
    }

    /// Pushes: makes the repository where it is not there, pushes the branch, and looks whether the forge has it.
    ///
    /// # Errors
    /// As [`Engine::look_before_push`]; [`ShipError::Refused`] where Git or the forge refuses.
    pub async fn push(self: &Arc<Self>, plan: &PushPlan) -> Result<Pushed, ShipError> {
        let (owner, name) = (plan.owner.as_str(), plan.name.as_str());
        if plan.is_new {
            let organization = (owner != plan.login).then_some(owner);
            match plan.forge.create(NewRepository { organization, name, private: true }).await {
                // Somebody was faster, or an earlier push got so far.
                Ok(_) | Err(GatewayError::Rejected { status: 409, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (address, branch) = (plan.address.clone(), plan.branch.clone());
        let login = plan.forge.push_login(&plan.login);
        self.git(move |repository| {
            repository.push(&Push { address: &address, branch: &branch, login: Some(&login) })
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
        self: &Arc<Self>,
        work: impl FnOnce(&Repository) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, ShipError> {
        let engine = Arc::clone(self);
        let done = blocking(move || {
            let repository = Repository::open(engine.workspace());
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
        let name = self.workspace().root().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let fits = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = name.chars().map(fits).collect();
        name.trim_matches(['-', '.']).to_owned()
    }

    /// The deployment service, and the application that is named or set.
    async fn deployer(self: &Arc<Self>, named: Option<&str>) -> Result<(Deployer, String), ShipError> {
        let (settings, gateway) = self.configured().await?;
        let deployer = gateway.deployer(&settings.deploy.place)?;
        let application = named.map(str::to_owned).or(settings.deploy.target).ok_or_else(|| {
            let fix = "Name its id with `--application`, or as `deploy.application` in assist.toml.";
            cannot("It is not said which application is deployed.", fix)
        })?;
        Ok((deployer, application))
    }

    /// What would be deployed.
    ///
    /// # Errors
    /// [`ShipError`]: the service is not set up, cannot be reached, or has no such application.
    pub async fn application(self: &Arc<Self>, named: Option<&str>) -> Result<Application, ShipError> {
        let (deployer, application) = self.deployer(named).await?;
        Ok(deployer.application(&application).await?)
    }

    /// Asks for a deployment of an application and returns its id; `force` builds without a cache.
    ///
    /// # Errors
    /// As [`Engine::application`].
    pub async fn deploy(self: &Arc<Self>, application: &str, force: bool) -> Result<String, ShipError> {
        let (deployer, application) = self.deployer(Some(application)).await?;
        Ok(deployer.deploy(&application, force).await?)
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
        let (settings, gateway) = self.configured().await?;
        Ok(Some(gateway.deployer(&settings.deploy.place)?.deployment(id).await?))
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
        let (deployer, application) = self.deployer(named).await?;
        Ok(deployer.history(&application, limit).await?)
    }
}

fn cannot(message: &str, fix: &str) -> ShipError {
    ShipError::NotSetUp(format!("{message} {fix}"))
}
