//! BUILDER and LINTER for one component of a plan: a conversation of its own, which ends with the component in its place,
//! with a sentence why not, or with what it is to be split into.

use std::sync::Arc;

use assist_gateway::{Message, Role};
use assist_syntax::Language;
use serde_json::{Value, json};

use crate::ask::AskRequest;
use crate::pipeline::applier::Applier;
use crate::pipeline::architect;
use crate::pipeline::builder::Builder;
use crate::pipeline::modules;
use crate::pipeline::plan::{MAX_LINES, Part};
use crate::pipeline::race;
use crate::pipeline::request::{self, Conversation};
use crate::pipeline::signatures;
use crate::pipeline::site::{Assignment, Site};
use crate::pipeline::task::{Draft, Task};
use crate::pipeline::{Built, receive_whole};
use crate::prompts;
use crate::run::{Break, Run};

/// How often something may be split again.
const MAX_SPLITS: u8 = 2;

/// How the work on a component ended.
pub(crate) enum Ended {
    InPlace,
    /// It cannot be had; why.
    Failed(String),
    /// It came too long: these are to take its place.
    Split(Vec<Part>),
}

/// Builds `part`. `draft` is what an interrupted run had received of it, `splits` what the architect had said to it.
///
/// # Errors
/// [`Break`] only where the run as a whole must rest or halt.
pub(crate) async fn build(
    run: &Run,
    task: &Task,
    site: &Arc<Site>,
    part: &Part,
    draft: Option<Draft>,
    splits: Vec<String>,
) -> Result<Ended, Break> {
    match try_build(run, task, site, part, draft, splits).await {
        Err(Break::Failed(reason)) => Ok(Ended::Failed(reason)),
        ended => ended,
    }
}

async fn try_build(
    run: &Run,
    task: &Task,
    site: &Arc<Site>,
    part: &Part,
    draft: Option<Draft>,
    splits: Vec<String>,
) -> Result<Ended, Break> {
    let mut own = Task {
        request: AskRequest { path: Some(part.path.clone()), revision: None, ..task.request.clone() },
        conversation: task.conversation,
        marker: task.marker.clone(),
        selected: None,
        target: None,
        draft,
        tier: task.tier,
        quiet: false,
        part: Some(part.name.clone()),
        touched: None,
    };
    let conversation = messages(run, task, site, part).await?;
    if own.draft.is_none() {
        own.draft = race::component(run, &own, site, part, &conversation).await?;
    }
    let mut applier = Applier::assigned(Assignment::new(Arc::clone(site), part.clone()));
    let mut builder = Builder::new(run, &mut own, &mut applier, conversation);
    let built = receive_whole(&mut builder).await?;
    let Some(assignment) = applier.assignment() else { return Ok(Ended::InPlace) };
    if let Built::Touched(_) = built {
        return Ok(Ended::Failed(format!("{} changed while it was written", part.path)));
    }
    if assignment.declined {
        return Ok(Ended::Failed("you did not want it".to_owned()));
    }
    let Some(lines) = assignment.oversize else { return Ok(Ended::InPlace) };
    if part.splits >= MAX_SPLITS {
        return Ok(Ended::Failed(format!(
            "it came with {lines} lines, more than {MAX_LINES}, though it was split {MAX_SPLITS} times"
        )));
    }
    Ok(Ended::Split(architect::split(run, &site.plan(), part, lines, splits).await?))
}

/// What the model is told: the rules, the user's words, the plan, what it can build on, and which component to write.
async fn messages(run: &Run, task: &Task, site: &Site, part: &Part) -> Result<Conversation, Break> {
    let none = None::<&str>;
    let system = prompts::render(
        "system.md",
        json!({ "may_edit": true, "id": task.marker, "target": none, "path": none }),
    );
    let plan = site.plan();
    let present = site.read(run, &part.path).await?.map(|document| document.text);
    let language = Language::of_path(&part.path);
    let project = modules::project(run, Some(site), &part.path).await;
    let mut uses: Vec<Value> = Vec::new();
    for other in part.dependencies.iter().filter_map(|name| plan.part(name)) {
        let module = language.map(|language| {
            let text = present.as_deref().unwrap_or_default();
            modules::name_in(&part.path, text, &other.path, language, &project)
        });
        // A skeleton is there before what it takes in.
        let text = site.read(run, &other.path).await?.map(|document| document.text);
        let signatures = match (&text, Language::of_path(&other.path)) {
            (Some(text), Some(language)) => signatures::of(text, language),
            _ => String::new(),
        };
        uses.push(json!({
            "name": other.name, "path": other.path, "module": module, "signatures": signatures.trim_end(),
            "exports": other.exports.join(", "),
        }));
    }
    let slot = |name: &str| match language {
        Some(Language::Tsx | Language::Jsx | Language::JavaScript) => {
            format!("{{/* assist:slot {name} <{name} /> */}}")
        }
        Some(Language::Python) => format!("# assist:slot {name} CODE"),
        _ => format!("// assist:slot {name} CODE"),
    };
    let slots: Vec<Value> = match part.is_skeleton() {
        true => part.dependencies.iter().map(|name| json!({ "name": name, "comment": slot(name) })).collect(),
        false => Vec::new(),
    };
    let context = json!({
        "request": request::instruction(&task.request),
        "plan": architect::listed(&plan),
        "part": part,
        "exports": part.exports.join(","),
        "id": task.marker,
        "max_lines": MAX_LINES,
        "uses": uses,
        "slots": slots,
        "text": present,
    });
    let (text, told) = run.with_added(prompts::render("part.md", context)).await?;
    Ok(Conversation { system, messages: vec![Message { role: Role::User, text }], told })
}
