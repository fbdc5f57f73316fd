//! `assist doctor`: what is configured, what can be reached, what is missing, and the fix.

use std::sync::Arc;
use std::time::Duration;

use assist_agents::{Options, Ship, Web, Wiring};
use assist_base::SystemClock;
use assist_gateway::{Gateway, HealthState, NoBooks, ServiceKind, Tier, service_info, services};
use assist_runtime::{Trust, Workspace};
use assist_store::{Mode, Seal, Store};
use serde_json::{Value, json};

use super::{print, root};
use crate::args::Global;
use crate::config::{Config, USER_FILE, WORKSPACE_FILE};
use crate::exit::{Exit, Stop};
use crate::folders::{data_folder, user_folder};
use crate::render::{Style, plain};

/// So long a lock of another process on the database is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// One thing that was looked at.
struct Finding {
    name: String,
    /// Nothing is known about a thing that is simply not used.
    ok: Option<bool>,
    detail: String,
}

impl Finding {
    fn new(name: &str, ok: Option<bool>, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), ok, detail: detail.into() }
    }
}

/// Looks at everything. Done only if a request could be served now.
pub async fn run(global: Global, as_json: bool) -> Result<Exit, Stop> {
    let root = root(&global, None)?;
    let mut findings = vec![
        Finding::new("version", Some(true), env!("CARGO_PKG_VERSION")),
        Finding::new("workspace", Some(true), root.display().to_string()),
    ];
    findings.extend(workspace(&root).await);
    let mut files = Vec::new();
    for file in [Some(root.join(WORKSPACE_FILE)), user_folder().map(|folder| folder.join(USER_FILE))] {
        files.extend(file.filter(|file| file.is_file()).map(|file| file.display().to_string()));
    }
    let files = if files.is_empty() { "none; the defaults hold".to_owned() } else { files.join(", ") };

    let mut providers = Vec::new();
    match Config::new(global).settings(&root, &Options::default()) {
        Err(error) => findings.push(Finding::new(
            "configuration",
            Some(false),
            format!("{} {}", error.message, error.fix),
        )),
        Ok(settings) => {
            findings.push(Finding::new("configuration", Some(true), files));
            for warning in &settings.warnings {
                findings.push(Finding::new("configuration", Some(false), warning.clone()));
            }
            findings.push(web(&settings.web));
            findings.push(ship("push", &settings.forge));
            findings.push(ship("deploy", &settings.deploy));
            match Gateway::new(settings.gateway, Arc::new(NoBooks), SystemClock::shared()) {
                Err(error) => findings.push(Finding::new("model", Some(false), error.to_string())),
                Ok(gateway) => {
                    providers = examine(&gateway).await;
                    findings.push(model(&gateway, &providers).await);
                }
            }
        }
    }
    let ready = findings.iter().all(|finding| finding.ok != Some(false));
    if as_json {
        let checks: Vec<_> =
            findings.iter().map(|f| json!({ "name": f.name, "ok": f.ok, "detail": f.detail })).collect();
        print(&format!("{}\n", json!({ "ready": ready, "checks": checks, "providers": providers })));
    } else {
        show(&findings, &providers, ready);
    }
    Ok(if ready { Exit::Done } else { Exit::Failed })
}

/// The folder and its database. Opened only where there is one: looking must not leave anything behind.
async fn workspace(root: &std::path::Path) -> Vec<Finding> {
    let root = root.to_owned();
    let looked = tokio::task::spawn_blocking(move || {
        let workspace = match Workspace::open(&root, Trust::Trusted) {
            Ok(workspace) => workspace,
            Err(error) => return Finding::new("database", Some(false), error.to_string()),
        };
        let folder = workspace.assist_dir();
        if !folder.is_dir() {
            let writable = tempfile::tempfile_in(&root).is_ok();
            return if writable {
                Finding::new("database", Some(true), "none yet; the first request creates .assist/assist.db")
            } else {
                Finding::new(
                    "database",
                    Some(false),
                    "the workspace cannot be written: make the folder writable",
                )
            };
        }
        let seal = data_folder().and_then(|own| Seal::of_user(&own).ok());
        match Store::open_patiently(&folder, seal.as_ref(), |waited| waited < LOCK_PATIENCE) {
            Ok(store) => match store.mode() {
                Mode::ReadOnly(reason) | Mode::Memory(reason) => {
                    Finding::new("database", Some(false), reason.clone())
                }
                Mode::ReadWrite => {
                    Finding::new("database", Some(true), folder.join("assist.db").display().to_string())
                }
            },
            Err(error) => Finding::new("database", Some(false), error.to_string()),
        }
    });
    looked.await.into_iter().collect()
}

/// What of the web may be used. Nothing is asked: a search may cost money.
fn web(web: &Web) -> Finding {
    let name = "web";
    let pages = if web.fetch { "pages are read" } else { "pages are not read" };
    let Some(place) = &web.search else {
        return Finding::new(name, web.fetch.then_some(true), format!("no search is set up; {pages}"));
    };
    let Some(info) = service_info(&place.name) else {
        let known: Vec<_> =
            services().filter(|info| info.kind == ServiceKind::Search).map(|info| info.name).collect();
        let detail =
            format!("there is no search called `{}`: choose one of {}", place.name, known.join(", "));
        return Finding::new(name, Some(false), detail);
    };
    match (info.key_var, &place.key_source) {
        (Some(var), None) => {
            let detail =
                format!("{} has no key: run `assist auth set {}` or set {var}", info.title, info.name);
            Finding::new(name, Some(false), detail)
        }
        _ if place.url.is_none() && info.default_url.is_none() => {
            Finding::new(name, Some(false), format!("{} has no address: set {}", info.title, info.url_var))
        }
        (_, source) => {
            let from = source.as_ref().map(|source| format!(" (key from {source})")).unwrap_or_default();
            Finding::new(name, Some(true), format!("{}{from}; {pages}", info.title))
        }
    }
}

/// Whether there is where to push, or to deploy. Nothing is asked.
fn ship(name: &str, ship: &Ship) -> Finding {
    let place = &ship.place;
    let Some(info) = service_info(&place.name) else { return Finding::new(name, None, "not set up") };
    match (&place.url, &place.key_source) {
        (None, _) => Finding::new(name, None, format!("not set up: set {}", info.url_var)),
        (Some(_), None) => {
            let var = info.key_var.unwrap_or_default();
            let fix =
                format!("{} has no token: run `assist auth set {}` or set {var}", info.title, info.name);
            Finding::new(name, Some(false), fix)
        }
        (Some(_), Some(source)) => {
            let target = ship.target.as_ref().map(|target| format!(", {target}")).unwrap_or_default();
            Finding::new(name, Some(true), format!("{} (token from {source}){target}", info.title))
        }
    }
}

async fn examine(gateway: &Gateway) -> Vec<Value> {
    let mut providers = Vec::new();
    for status in gateway.providers() {
        let health = gateway.check(status.name).await;
        providers.push(json!({
            "name": status.name,
            "title": status.title,
            "configured": status.configured,
            "keyFrom": status.key_source,
            "baseUrl": status.base_url,
            "state": health.state.as_str(),
            "models": health.models,
            "detail": health.detail,
        }));
    }
    providers
}

/// Whether a request could be served, and by which model.
async fn model(gateway: &Gateway, providers: &[Value]) -> Finding {
    gateway.find_local().await;
    match gateway.model_for(Tier::B) {
        Err(error) => Finding::new("model", Some(false), error.to_string()),
        Ok(model) => {
            let name = format!("{}/{}", model.provider, model.model);
            let found = providers.iter().find(|provider| provider["name"] == model.provider.as_str());
            match found {
                Some(provider) if provider["state"] == HealthState::Reachable.as_str() => {
                    Finding::new("model", Some(true), name)
                }
                Some(provider) => {
                    let detail = provider["detail"].as_str().unwrap_or_default();
                    Finding::new("model", Some(false), format!("{name}: {detail}"))
                }
                None => Finding::new("model", Some(true), name),
            }
        }
    }
}

fn show(findings: &[Finding], providers: &[Value], ready: bool) {
    let style = Style::of(&std::io::stdout());
    let line = |ok: Option<bool>, name: &str, detail: &str| {
        let mark = match ok {
            Some(true) => style.good("✓"),
            Some(false) => style.bad("✗"),
            None => style.dim("·"),
        };
        print(&format!("{mark} {name:<18} {}\n", plain(detail)));
    };
    for finding in findings {
        line(finding.ok, &finding.name, &finding.detail);
    }
    print(&format!("\n{}\n", style.bold("Providers")));
    for provider in providers {
        let ok = match provider["state"].as_str() {
            Some("reachable") => Some(true),
            Some("not configured") => None,
            _ if provider["configured"] == false => None,
            _ => Some(false),
        };
        let from = provider["keyFrom"].as_str().map(|from| format!(" (key from {from})")).unwrap_or_default();
        let detail = provider["detail"].as_str().unwrap_or_default();
        line(ok, provider["name"].as_str().unwrap_or_default(), &format!("{detail}{from}"));
    }
    let verdict =
        if ready { style.good("Ready.") } else { style.bad("Not ready: see the lines marked ✗.") };
    print(&format!("\n{verdict}\n"));
}
