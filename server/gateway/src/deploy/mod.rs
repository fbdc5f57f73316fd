//! Deployment: putting what is in a repository to work. Nothing here is done by itself; the user sets it up and confirms each
//! deployment.

mod coolify;

use std::fmt;

use crate::service::{Service, ServicePlace};
use crate::{Gateway, GatewayError};

pub(crate) use coolify::INFO;

/// What is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it can be reached, where that is told.
    pub address: Option<String>,
    /// How it is, in the service's words.
    pub status: String,
    /// The branch it is built from, where that is told.
    pub branch: Option<String>,
    /// The repository it is built from, as `owner/name` or an address, where that is told.
    pub repository: Option<String>,
}

/// How a deployment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeployState {
    /// It waits its turn.
    Queued,
    /// It is under way.
    Running,
    /// It is done.
    Finished,
    /// It failed.
    Failed,
    /// Someone stopped it.
    Cancelled,
    /// A word that is not known here.
    Other(String),
}

impl DeployState {
    /// Whether nothing more happens by itself.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for DeployState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Other(word) => word,
        })
    }
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub state: DeployState,
    /// The commit that is deployed, where that is known yet.
    pub commit: Option<String>,
    /// The first line of the commit's message.
    pub subject: Option<String>,
    /// When it was asked for, as the service writes it (RFC 3339).
    pub at: String,
}

/// A deployment service that is set up.
#[derive(Clone)]
pub struct Deployer {
    service: Service,
}

impl Gateway {
    /// The deployment service at `place`.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] where there is none of that name, [`GatewayError::NotConfigured`] where its token or its
    /// address is missing.
    pub fn deployer(&self, place: &ServicePlace) -> Result<Deployer, GatewayError> {
        if place.name != INFO.name {
            let message =
                format!("There is no deployment service called `{}`: choose {}.", place.name, INFO.name);
            return Err(GatewayError::Settings { message });
        }
        Ok(Deployer { service: Service::open(self, &INFO, place)? })
    }
}
