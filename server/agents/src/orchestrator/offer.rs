//! What the card of a plan offers for the time when the work is done: to commit it, to push it, to deploy it. Each is off
//! until the user ticks it.
//!
//! Laws: nothing is offered that cannot be named: the branch, the repository, the application, as the forge and the service
//! know them now. A push needs the commit; a deployment needs the push wherever the service builds from a repository, and is
//! offered only where it would build what is pushed. What was on the card when it was asked is what is done later, whatever a
//! configuration says by then. A service that is set up and cannot be asked is named with the reason.

use std::sync::Arc;
use std::time::Duration;

use assist_runtime::git::Repository;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::commit::own_branch;
use crate::host::Ticks;
use crate::run::Run;
use crate::ship::{PushPlan, ShipError, Shipment, Yard};

/// A card does not wait longer for a forge or a deployment service.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Offer {
    pub(crate) commit: Option<CommitOffer>,
    pub(crate) push: Option<PushOffer>,
    pub(crate) deploy: Option<DeployOffer>,
    /// Why something that is set up is not offered: sentences.
    pub(crate) missing: Vec<String>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommitOffer {
    /// On this branch.
    pub(crate) branch: String,
    /// What the box says.
    #[serde(default)]
    pub(crate) label: String,
}

/// A push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PushOffer {
    /// To this repository, `owner/name`.
    pub(crate) repository: String,
    /// At this address.
    pub(crate) address: String,
    /// What the box says.
    pub(crate) label: String,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeployOffer {
    /// The application's id.
    pub(crate) application: String,
    /// Its name.
    pub(crate) name: String,
    /// Where it can be reached, where that is told.
    pub(crate) address: Option<String>,
    /// Whether it builds what is pushed, and not something else.
    #[serde(rename = "needsPush")]
    pub(crate) needs_push: bool,
    /// What the box says.
    pub(crate) label: String,
}

impl Offer {
    /// What was offered by a question, from what was kept with it.
    pub(crate) fn of(data: &Value) -> Self {
        serde_json::from_value(data.clone()).unwrap_or_default()
    }

    /// Adds it to what rich clients are told with a question, and what is kept with it.
    pub(crate) fn tell(&self, data: &mut Value) {
        let parts =
            [("commit", json!(self.commit)), ("push", json!(self.push)), ("deploy", json!(self.deploy))];
        for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_null()) {
            data[name] = part;
        }
        if !self.missing.is_empty() {
            data["missing"] = json!(self.missing);
        }
    }

    /// The buttons that begin the work, each with what it ticks. The first ticks nothing.
    pub(crate) fn buttons(&self) -> Vec<(&'static str, Ticks)> {
        let commit = Ticks { commit: true, ..Ticks::default() };
        let push = Ticks { push: true, ..commit };
        let needs_push = self.deploy.as_ref().is_some_and(|deploy| deploy.needs_push);
        let all = [
            ("Start", Ticks::default(), true),
            ("Start and commit", commit, self.commit.is_some()),
            ("Start, commit and push", push, self.push.is_some()),
            (
                "Start, commit, push and deploy",
                Ticks { deploy: true, ..push },
                self.push.is_some() && needs_push,
            ),
            (
                "Start and deploy",
                Ticks { deploy: true, ..Ticks::default() },
                self.deploy.is_some() && !needs_push,
            ),
        ];
        all.into_iter().filter(|(_, _, offered)| *offered).map(|(title, ticks, _)| (title, ticks)).collect()
    }

    /// What is ticked, of what is offered.
    pub(crate) fn taken(&self, ticks: Ticks) -> Ticks {
        Ticks {
            commit: ticks.commit && self.commit.is_some(),
            push: ticks.push && self.push.is_some(),
            deploy: ticks.deploy && self.deploy.is_some(),
        }
    }

    /// The end of the card, as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut lines = String::new();
        match &self.commit {
            None => lines.push_str("\nNothing is committed.\n"),
            Some(commit) => {
                lines.push_str(&format!("\n- [ ] {} (“Start and commit”, or `--commit`)\n", commit.label))
            }
        }
        if let Some(push) = &self.push {
            lines.push_str(&format!("- [ ] {} (`--push`, too)\n", push.label));
        }
        if let Some(deploy) = &self.deploy {
            lines.push_str(&format!("- [ ] {} (`--deploy`, too)\n", deploy.label));
        }
        for why in &self.missing {
            lines.push_str(&format!("\n{why}\n"));
        }
        lines
    }
}

/// The yard of a run's workspace.
pub(super) fn yard(run: &Run) -> Yard {
    Yard {
        forge: run.settings.forge.clone(),
        deploy: run.settings.deploy.clone(),
        gateway: Arc::clone(&run.gateway),
        workspace: Arc::clone(&run.workspace),
    }
}

/// What can be offered now. Asks the forge and the service, where they are set up; changes nothing.
pub(crate) async fn offer(run: &Run) -> Offer {
    let mut offer = Offer::default();
    if !run.may_write {
        return offer;
    }
    let own = own_branch(run);
    let workspace = Arc::clone(&run.workspace);
    let looked = tokio::task::spawn_blocking(move || {
        let status = Repository::open(&workspace).ok()?.status().ok()?;
        Some((own.or(status.branch)?, status.head))
    });
    let committed = looked.await.ok().flatten();
    let yard = yard(run);
    let shipment = committed.clone().filter(|_| yard.has_forge());
    let push = async {
        let (branch, head) = shipment?;
        Some(in_time(run, "forge", yard.look(None, Shipment { branch, head }, 0)).await)
    };
    let application = async {
        match yard.has_deployer() {
            true => Some(in_time(run, "deployment service", yard.application(None)).await),
            false => None,
        }
    };
    let (push, application) = tokio::join!(push, application);
    if let Some((branch, _)) = &committed {
        let label = format!("Commit what is changed, and nothing else, on {}", quoted(branch));
        offer.commit = Some(CommitOffer { branch: branch.clone(), label });
    }
    match push {
        None => {}
        Some(Ok(plan)) => offer.push = Some(push_offer(&plan)),
        Some(Err(why)) => offer.missing.push(format!("It cannot be pushed from here: {why}")),
    }
    match application {
        None => {}
        Some(Err(why)) => offer.missing.push(format!("It cannot be deployed from here: {why}")),
        Some(Ok(application)) => {
            let branch = committed.map(|(branch, _)| branch);
            let built = application.branch.as_ref();
            let name = quoted(&application.name);
            let from = application.repository.as_deref().map(full_name);
            let to = offer.push.as_ref().map(|push| push.repository.to_lowercase());
            match (built, &offer.push) {
                // Without the push it would build what was there before.
                (Some(_), None) => {}
                (Some(built), _) if branch.as_ref() != Some(built) => offer.missing.push(format!(
                    "Deploying is not offered: {name} is built from {}, which this work is not on.",
                    quoted(built)
                )),
                (Some(_), _) if from.is_some() && from != to => offer.missing.push(format!(
                    "Deploying is not offered: {name} is built from another repository, {}.",
                    quoted(&from.unwrap_or_default())
                )),
                _ => {
                    let at = application.address.as_deref().map(|at| format!(" at {}", plain(at)));
                    offer.deploy = Some(DeployOffer {
                        label: format!("Deploy {name}{}", at.unwrap_or_default()),
                        needs_push: built.is_some(),
                        application: application.id,
                        name: plain(&application.name),
                        address: application.address.as_deref().and_then(link),
                    });
                }
            }
        }
    }
    offer
}

async fn in_time<T>(
    run: &Run,
    what: &str,
    work: impl Future<Output = Result<T, ShipError>>,
) -> Result<T, String> {
    tokio::select! {
        biased;
        done = work => done.map_err(|error| error.to_string()),
        () = run.clock().sleep(PATIENCE) => Err(format!("the {what} does not answer.")),
    }
}

fn push_offer(plan: &PushPlan) -> PushOffer {
    let repository = format!("{}/{}", plan.owner, plan.name);
    let host = plan.address.split('/').nth(2).unwrap_or_default();
    let place = format!("{} on {}", quoted(&repository), plain(host));
    let more = match (plan.is_new, plan.commits) {
        (true, _) => ", a private repository that is made for it".to_owned(),
        (false, 0) => String::new(),
        (false, 1) => ", with 1 earlier commit that is not there yet".to_owned(),
        (false, count) => format!(", with {count} earlier commits that are not there yet"),
    };
    let label = format!("Push {} to {place}{more}", quoted(&plan.branch));
    PushOffer { repository, address: plan.address.clone(), label }
}

/// `owner/name`, of a repository's name or address, in small letters.
fn full_name(repository: &str) -> String {
    let repository = repository.trim_end_matches('/').trim_end_matches(".git").to_lowercase();
    let parts: Vec<&str> = repository.rsplitn(3, ['/', ':']).collect();
    match parts.as_slice() {
        [name, owner, ..] => format!("{owner}/{name}"),
        _ => repository,
    }
}

/// On one line, without what could steer what shows it.
pub(super) fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn quoted(text: &str) -> String {
    format!("`{}`", plain(text).replace('`', "'"))
}

/// An address that a service gave, where it can be shown as a link.
pub(super) fn link(address: &str) -> Option<String> {
    let web = address.starts_with("https://") || address.starts_with("http://");
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\"'<>`()[]{}\\".contains(c);
    (web && address.len() <= 300 && !address.contains(odd)).then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Offer {
        Offer {
            commit: Some(CommitOffer { branch: "main".into(), label: "Commit on `main`".into() }),
            push: Some(PushOffer {
                repository: "ada/shop".into(),
                address: "https://git.example/ada/shop.git".into(),
                label: "Push `main`".into(),
            }),
            deploy: Some(DeployOffer {
                application: "x1".into(),
                name: "shop".into(),
                address: None,
                needs_push: true,
                label: "Deploy `shop`".into(),
            }),
            missing: Vec::new(),
        }
    }

    #[test]
    fn what_was_asked_reads_back_whatever_wrote_it() {
        let mut data = json!({});
        whole().tell(&mut data);
        assert_eq!(Offer::of(&data), whole());
        assert_eq!(data["push"]["repository"], "ada/shop");
        let older = Offer::of(&json!({ "commit": { "branch": "main" } }));
        assert_eq!(older.commit.map(|commit| commit.branch).as_deref(), Some("main"));
        for odd in [json!(null), json!({ "commit": 3 }), json!("x")] {
            assert_eq!(Offer::of(&odd), Offer::default(), "{odd}");
        }
    }

    #[test]
    fn buttons_say_what_they_tick() {
        let titles = |offer: &Offer| offer.buttons().iter().map(|(title, _)| *title).collect::<Vec<_>>();
        assert_eq!(titles(&Offer::default()), ["Start"]);
        let all = ["Start", "Start and commit", "Start, commit and push", "Start, commit, push and deploy"];
        assert_eq!(titles(&whole()), all);
        let mut image = whole();
        image.push = None;
        image.deploy.as_mut().unwrap().needs_push = false;
        assert_eq!(titles(&image), ["Start", "Start and commit", "Start and deploy"]);
        let everything = Ticks { commit: true, push: true, deploy: true };
        assert_eq!(whole().taken(everything), everything);
        assert_eq!(Offer::default().taken(everything), Ticks::default());
    }

    #[test]
    fn repositories_are_compared_by_owner_and_name() {
        for same in [
            "ada/shop",
            "Ada/Shop.git",
            "https://git.example/ada/shop",
            "git@git.example:ada/shop.git",
            "https://git.example/ada/shop.git/",
        ] {
            assert_eq!(full_name(same), "ada/shop", "{same}");
        }
        assert_ne!(full_name("https://git.example/eve/shop"), "ada/shop");
    }

    #[test]
    fn an_address_of_a_service_is_a_link_or_nothing() {
        assert!(link("https://shop.example/a?b=c").is_some());
        for hostile in
            ["javascript:x", "https://a b", "https://a\u{1b}[2J", "https://a](http://b)", "ftp://x", ""]
        {
            assert_eq!(link(hostile), None, "{hostile}");
        }
        assert_eq!(plain(" a\n\u{1b}[31mb "), "a [31mb");
    }
}
