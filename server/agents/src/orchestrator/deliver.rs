//! Pushes and deploys what an order has committed, where the user ticked that on the card.
//!
//! Laws: what was named on the card is where it goes, and nowhere else. It comes after the run's own checks and its commit, and
//! without them nothing goes out. What could not be done leaves the run as it is, with one sentence and the command that does it
//! by hand. Each step is a checkpoint before and after; a run that was cut off between them looks what the forge and the service
//! have before it does anything, so neither is done twice.
//!
//! Limits: a deployment is followed for [`LONGEST`] at most. One that somebody else began in the moment in which the run was
//! cut off is taken for its own.

use std::time::Duration;

use assist_base::{EventKind, RunId};
use assist_gateway::DeployState;
use assist_store::{Store, StoreError};
use serde_json::{Value, json};

use super::commit::{MADE, Made, kept};
use super::offer::{DeployOffer, PushOffer, link, plain, yard};
use super::{Order, Report};
use crate::run::{Break, Run};
use crate::ship::{ShipError, Shipment};

/// The stages of the checkpoints; their component is the order.
const PUSHED: &str = "pushed";
const DEPLOYING: &str = "deploying";
const ASKED: &str = "deploy_asked";
const DEPLOYED: &str = "deployed";

/// How long a deployment is waited for.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// What became of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Went {
    sentence: String,
    /// Whether it is there now.
    well: bool,
    link: Option<String>,
}

impl Went {
    fn well(sentence: String, link: Option<String>) -> Self {
        Self { sentence, well: true, link }
    }

    fn badly(sentence: String) -> Self {
        Self { sentence, well: false, link: None }
    }
}

/// What was delivered, or why not: a sentence each.
pub(super) async fn deliver(
    run: &Run,
    order: &Order,
    report: &Report,
    made: Option<&Made>,
) -> Result<Vec<String>, Break> {
    let mut said = Vec::new();
    let mut is_pushed = false;
    if let Some(offer) = order.offer.push.as_ref().filter(|_| order.ticks.push) {
        let went = match done(run, order, PUSHED).await? {
            Some(went) => went,
            None => {
                let went = push(run, offer, made).await?;
                let commit = made.and_then(|made| made.commit.clone());
                let data = json!({ "commit": commit, "repository": offer.repository });
                keep(run, order, PUSHED, "push", &went, data).await?;
                went
            }
        };
        is_pushed = went.well;
        said.push(went.sentence);
    }
    if let Some(offer) = order.offer.deploy.as_ref().filter(|_| order.ticks.deploy) {
        let went = match done(run, order, DEPLOYED).await? {
            Some(went) => went,
            None => {
                let went = if offer.needs_push && !is_pushed {
                    let why = if order.ticks.push {
                        "it was not pushed"
                    } else {
                        "it needs the push, which was not ticked"
                    };
                    Went::badly(format!("Nothing was deployed: {why}."))
                } else if !report.is_whole() {
                    Went::badly(
                        "Nothing was deployed: not everything is done, or the checks are not passed."
                            .to_owned(),
                    )
                } else {
                    deploy(run, order, offer).await?
                };
                keep(run, order, DEPLOYED, "deploy", &went, json!({ "application": offer.name })).await?;
                went
            }
        };
        said.push(went.sentence);
    }
    Ok(said)
}

/// What was delivered of an order, as far as that is kept.
pub(crate) async fn delivered(run: &Run, order: &str) -> Result<Vec<String>, Break> {
    let mut said = Vec::new();
    for stage in [PUSHED, DEPLOYED] {
        let data = kept(run, stage, order).await?.unwrap_or_default();
        said.extend(data["sentence"].as_str().map(str::to_owned));
    }
    Ok(said)
}

/// What of a run's work went out of the workspace's files, and stays where it is when they are restored: a sentence or two.
pub(crate) async fn stays(store: &Store, run: RunId) -> Result<Option<String>, StoreError> {
    let checkpoints = store.checkpoints().list(run).await?;
    let of = |stage: &str, name: &str| -> Vec<String> {
        let kept = checkpoints.iter().filter(|kept| kept.stage == stage && kept.data["well"] != false);
        kept.filter_map(|kept| kept.data[name].as_str().map(plain)).collect()
    };
    let commits = of(MADE, "commit");
    if commits.is_empty() {
        return Ok(None);
    }
    let short: Vec<&str> = commits.iter().map(|id| id.get(..10).unwrap_or(id)).collect();
    let pushed = of(PUSHED, "repository");
    let mut said = match pushed.first() {
        None => format!("What was committed stays; `git revert {}` takes it back.", short.join(" ")),
        Some(repository) => format!(
            "What was committed stays, and what was pushed to {repository}; `git revert {}` and `assist push --repository {repository}` take it back.",
            short.join(" ")
        ),
    };
    if let Some(application) = of(DEPLOYED, "application").first() {
        said.push_str(&format!(" {application} stays deployed as it is."));
    }
    Ok(Some(said))
}

async fn done(run: &Run, order: &Order, stage: &str) -> Result<Option<Went>, Break> {
    Ok(kept(run, stage, &order.name).await?.map(|data| Went {
        sentence: data["sentence"].as_str().unwrap_or_default().to_owned(),
        well: data["well"] == true,
        link: data["link"].as_str().map(str::to_owned),
    }))
}

async fn keep(
    run: &Run,
    order: &Order,
    stage: &str,
    what: &str,
    went: &Went,
    mut data: Value,
) -> Result<(), Break> {
    let state = if went.well { "done" } else { "failed" };
    tell(run, what, state, &went.sentence, json!({ "link": went.link })).await?;
    data["sentence"] = went.sentence.clone().into();
    data["well"] = went.well.into();
    data["link"] = json!(went.link);
    run.store().checkpoints().add(run.id, stage, Some(&order.name), data, run.clock().now()).await?;
    Ok(())
}

/// An event about something that goes out. Members of `more` that are null are left out.
pub(super) async fn tell(
    run: &Run,
    what: &str,
    state: &str,
    message: &str,
    more: Value,
) -> Result<(), Break> {
    let mut data = json!({ "what": what, "state": state, "message": message });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    run.emit(EventKind::Delivery, data).await?;
    Ok(())
}

/// A sentence as part of another.
fn clause(error: &ShipError) -> String {
    plain(&error.to_string())
}

async fn push(run: &Run, offer: &PushOffer, made: Option<&Made>) -> Result<Went, Break> {
    let Some(Made { commit: Some(commit), branch: Some(branch), .. }) = made else {
        return Ok(Went::badly("Nothing was pushed: nothing was committed.".to_owned()));
    };
    let by_hand = format!("`assist push --repository {}` does it by hand.", offer.repository);
    let failed = |why: String| Ok(Went::badly(format!("The push did not succeed: {why} {by_hand}")));
    tell(run, "push", "started", &format!("Pushing {branch} to {}", offer.repository), Value::Null).await?;
    let yard = yard(run);
    let shipment = Shipment { branch: branch.clone(), head: Some(commit.clone()) };
    let plan = match run.unless_halted(yard.look(Some(&offer.repository), shipment, 0)).await? {
        Ok(plan) => plan,
        Err(error) => return failed(clause(&error)),
    };
    if plan.address != offer.address {
        return failed("the forge is another one than on the card.".to_owned());
    }
    let told = |page: &str| {
        let page = link(page);
        let at = page.as_ref().map(|page| format!(": {page}")).unwrap_or_default();
        Went::well(format!("Pushed {branch} to {}{at}.", offer.repository), page)
    };
    if plan.commits == 0 && !plan.is_new {
        // It is there: the run was cut off after it had pushed.
        return Ok(told(&plan.page));
    }
    match run.unless_halted(yard.push(&plan)).await? {
        Ok(pushed) => Ok(told(&pushed.page)),
        Err(error) => failed(clause(&error)),
    }
}

async fn deploy(run: &Run, order: &Order, offer: &DeployOffer) -> Result<Went, Break> {
    let (yard, name) = (yard(run), &offer.name);
    let by_hand = format!("`assist deploy --application {}` does it by hand.", offer.application);
    let failed = |why: String| Ok(Went::badly(format!("Nothing was deployed: {why} {by_hand}")));
    let asked = kept(run, ASKED, &order.name).await?.and_then(|data| data["id"].as_str().map(str::to_owned));
    let id = match asked {
        Some(id) => id,
        None => {
            let newest = match run.unless_halted(yard.deployments(Some(&offer.application), 1)).await? {
                Ok(list) => list.into_iter().next().map(|deployment| deployment.id),
                Err(error) => return failed(clause(&error)),
            };
            let before = kept(run, DEPLOYING, &order.name).await?;
            let checkpoints = run.store().checkpoints();
            let (name, now) = (Some(order.name.as_str()), run.clock().now());
            let id = match before {
                // It was asked for, and the run was cut off before it heard the answer.
                Some(before) if newest.is_some() && before["newest"] != json!(newest) => {
                    newest.unwrap_or_default()
                }
                before => {
                    if before.is_none() {
                        let data = json!({ "newest": newest });
                        checkpoints.add(run.id, DEPLOYING, name, data, now).await?;
                    }
                    match run.unless_halted(yard.deploy(&offer.application, false)).await? {
                        Ok(id) => id,
                        Err(error) => return failed(clause(&error)),
                    }
                }
            };
            checkpoints.add(run.id, ASKED, name, json!({ "id": id }), now).await?;
            id
        }
    };
    let id = plain(&id);
    tell(run, "deploy", "started", &format!("Deploying {name}"), json!({ "deployment": id })).await?;
    let status =
        format!("`assist deploy status {id} --application {}` tells how it stands.", offer.application);
    let deadline = run.clock().elapsed().saturating_add(LONGEST);
    let mut last: Option<DeployState> = None;
    let end = loop {
        let patience = deadline.saturating_sub(run.clock().elapsed());
        let change = yard.change(run.clock(), &id, last.as_ref(), patience);
        match run.unless_halted(change).await? {
            Ok(Some(found)) if !found.state.is_over() => {
                let state = plain(&found.state.to_string());
                let message = format!("Deploying {name}: {state}");
                tell(run, "deploy", &state, &message, json!({ "deployment": id })).await?;
                last = Some(found.state);
            }
            end => break end,
        }
    };
    Ok(match end {
        Err(error) => Went::badly(format!(
            "{name} is being deployed, but how that stands is not known: {} {status}",
            clause(&error)
        )),
        Ok(end) => match end.map(|found| found.state) {
            Some(DeployState::Finished) => {
                let address = offer.address.clone();
                let at = address.as_ref().map(|address| format!(": {address}")).unwrap_or_default();
                Went::well(format!("Deployed {name}{at}."), address)
            }
            Some(DeployState::Failed) => {
                Went::badly(format!("Deploying {name} failed (deployment {id}); look at it there. {by_hand}"))
            }
            Some(DeployState::Cancelled) => {
                Went::badly(format!("Deploying {name} was stopped there (deployment {id}). {by_hand}"))
            }
            _ => Went::badly(format!("{name} is still being deployed. {status}")),
        },
    })
}
