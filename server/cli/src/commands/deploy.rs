//! `assist deploy`: asks for a deployment, and tells how deployments stand.

use std::sync::Arc;

use assist_agents::Engine;
use assist_gateway::{DeployState, Deployment};
use serde_json::{Value, json};

use super::{confirmed, open, print, print_json};
use crate::args::{Deploy, DeployAction, Global};
use crate::exit::{Exit, Stop};
use crate::render::{Style, plain};

/// Deploys, once the user has said yes; or tells how deployments stand.
pub async fn run(global: Global, deploy: Deploy) -> Result<Exit, Stop> {
    let engine = open(global, None).await?;
    let application = deploy.application.as_deref();
    match deploy.action {
        None => {
            let application = engine.application(application).await?;
            let branch =
                application.branch.as_ref().map(|branch| format!(" from {branch}")).unwrap_or_default();
            let at = application.address.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
            let question = format!("Deploy {}{branch}{at} (now {})?", application.name, application.status);
            if !confirmed(&question, deploy.yes).await? {
                return Ok(Exit::Failed);
            }
            let id = engine.deploy(&application.id, deploy.force).await?;
            if deploy.wait {
                return wait(&engine, &id).await;
            }
            let id = plain(&id);
            print(&format!("Deployment {id} is queued; `assist deploy status {id}` tells how it stands.\n"));
            Ok(Exit::Done)
        }
        Some(DeployAction::Status { id, json }) => {
            let found = engine.deployment(application, id.as_deref()).await?;
            let Some(found) = found else { return Err(Stop::usage("Nothing has been deployed yet.")) };
            if json {
                print_json(&document(&found))?;
            } else {
                print(&line(&found));
            }
            Ok(if found.state == DeployState::Failed { Exit::Failed } else { Exit::Done })
        }
        Some(DeployAction::History { limit, json }) => {
            let found = engine.deployments(application, limit).await?;
            if json {
                print_json(&json!({ "deployments": found.iter().map(document).collect::<Vec<_>>() }))?;
            } else if found.is_empty() {
                print("Nothing has been deployed yet.\n");
            } else {
                found.iter().for_each(|deployment| print(&line(deployment)));
            }
            Ok(Exit::Done)
        }
    }
}

/// Tells of each change of a deployment's state until it is over.
async fn wait(engine: &Arc<Engine>, id: &str) -> Result<Exit, Stop> {
    let end = engine.until_deployed(id, |found| print(&line(found))).await?;
    Ok(if end.state == DeployState::Finished { Exit::Done } else { Exit::Failed })
}

fn document(deployment: &Deployment) -> Value {
    json!({
        "id": deployment.id, "state": deployment.state.to_string(), "over": deployment.state.is_over(),
        "commit": deployment.commit, "subject": deployment.subject, "at": deployment.at,
    })
}

fn line(deployment: &Deployment) -> String {
    let style = Style::of(&std::io::stdout());
    let state = plain(&deployment.state.to_string());
    let state = match deployment.state {
        DeployState::Finished => style.good(&state),
        DeployState::Failed => style.bad(&state),
        _ => style.warn(&state),
    };
    let commit = deployment.commit.as_deref().unwrap_or_default();
    let commit = commit.get(..10).unwrap_or(commit);
    let rest = [deployment.at.as_str(), commit, deployment.subject.as_deref().unwrap_or_default()];
    let rest: Vec<String> = rest.iter().filter(|part| !part.is_empty()).map(|part| plain(part)).collect();
    format!("{} {state} {}\n", plain(&deployment.id), rest.join(" "))
}
