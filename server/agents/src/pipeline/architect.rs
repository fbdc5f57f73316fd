//! The ARCHITECT stage: from the user's words to a plan of components, and from a component that came too long to smaller
//! ones. Every answer is kept before it is looked at, so that none is paid for twice; a wrong one goes back with everything
//! that is wrong with it.

use std::sync::Arc;

use assist_base::{EventKind, MessageId, TextDelta};
use assist_gateway::{Answer, Call, Complexity, Extras, Message, Output, Request, Role, Tier};
use assist_store::NewMessage;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::calls;
use crate::keys::closed_in;
use crate::pipeline::builder::broken;
use crate::pipeline::plan::{self, MAX_LINES, Part, Plan};
use crate::pipeline::task::Task;
use crate::pipeline::{race, request, rests};
use crate::prompts;
use crate::run::{Break, Run};

/// The checkpoint of an answer of the architect, right or wrong; with the component's name where it is about a split.
pub(crate) const ANSWERED: &str = "answered";
/// The checkpoint of a plan.
pub(crate) const PLANNED: &str = "planned";

/// How many of the workspace's files the architect is told of.
const MAX_FILES: usize = 400;
/// How often a wrong plan is asked for again.
const MAX_REASKS: usize = 2;

/// The row shape of the `answered` checkpoint.
#[derive(Serialize, Deserialize)]
pub(crate) struct AnsweredRow {
    pub(crate) raw: String,
}

/// Makes the plan. `answers` are those that an interrupted run had received.
pub(crate) async fn plan(run: &Run, task: &Task, answers: Vec<String>) -> Result<Plan, Break> {
    run.emit(EventKind::AgentStarted, json!({ "agent": "architect" })).await?;
    if answers.is_empty() {
        request::keep_words(run, task).await?;
    }
    let document = match &task.request.path {
        Some(path) => Some(run.host.read(path).await?),
        None => None,
    };
    let asked = request::render_request(&task.request, document.as_ref());
    let workspace = Arc::clone(&run.workspace);
    let walked = tokio::task::spawn_blocking(move || workspace.walk(MAX_FILES)).await.unwrap_or_default();
    let files: Vec<String> = walked.files.iter().map(|file| file.path.to_string()).collect();
    let context =
        json!({ "request": asked, "max_lines": MAX_LINES, "files": files, "more_files": walked.more });
    let (text, _) = run.with_added(prompts::render("plan.md", context)).await?;
    let hard = Complexity::guess(&task.request.title(), 0).max(Complexity::Moderate);
    let check = |raw: &str| {
        let plan = plan::read(raw)?;
        open(run, &plan.components).map(|()| plan)
    };
    let plan = converse(run, (None, hard), "plan", text, answers, check).await?;
    save(run, &plan).await?;
    show(run, task, &plan).await?;
    let data = json!({ "agent": "architect", "plan": plan });
    run.emit(EventKind::AgentCompleted, data).await?;
    Ok(plan)
}

/// Has `part`, which came with `lines` lines, split. Returns what it becomes.
pub(crate) async fn split(
    run: &Run,
    plan: &Plan,
    part: &Part,
    lines: usize,
    answers: Vec<String>,
) -> Result<Vec<Part>, Break> {
    let data = json!({ "agent": "architect", "component": part.name });
    run.emit(EventKind::AgentStarted, data.clone()).await?;
    run.say(format!("{} came with {lines} lines; having it split", part.name)).await?;
    let context = json!({ "plan": listed(plan), "part": part, "lines": lines, "max_lines": MAX_LINES });
    let text = prompts::render("split.md", context);
    let check = |raw: &str| {
        let (parts, _) = plan::parts(raw)?;
        open(run, &parts)?;
        plan.split(&part.name, parts.clone()).map(|_| parts)
    };
    let hard = part.complexity.of_task().max(Complexity::Moderate);
    let name = format!("split {} {}", part.splits, part.name);
    let parts = converse(run, (Some(&part.name), hard), &name, text, answers, check).await?;
    run.emit(EventKind::AgentCompleted, data).await?;
    Ok(parts)
}

/// Whether all of these may be written where they are to be; else which may not, and why. Looks at the disk, a few links far.
fn open(run: &Run, parts: &[Part]) -> Result<(), Vec<String>> {
    let shut = parts.iter().filter_map(|part| {
        let why = closed_in(&run.workspace, &part.path)?;
        Some(format!("{}: its path {} cannot be used: {why}.", part.name, part.path))
    });
    let shut: Vec<String> = shut.collect();
    if shut.is_empty() { Ok(()) } else { Err(shut) }
}

/// Keeps the plan: the run goes on from it.
pub(crate) async fn save(run: &Run, plan: &Plan) -> Result<(), Break> {
    let data = serde_json::to_value(plan).unwrap_or_default();
    run.store().sessions().set_plan(run.id, data.clone(), run.clock().now()).await?;
    run.store().checkpoints().add_ahead(run.id, PLANNED, None, data, run.clock().now()).await?;
    Ok(())
}

/// The plan's components as prompts list them.
pub(crate) fn listed(plan: &Plan) -> Vec<Value> {
    let one = |part: &Part| {
        json!({
            "name": part.name, "path": part.path, "kind": part.kind, "lines": part.lines,
            "exports": part.exports.join(", "), "dependencies": part.dependencies.join(", "),
        })
    };
    plan.components.iter().map(one).collect()
}

/// What is wrong with an answer, if anything.
type Check<'c> = dyn Fn(&str) -> Result<(), Vec<String>> + Send + Sync + 'c;

/// Asks until `check` is content, about a component where it is about one, and as hard as it is. `name` is what its calls are
/// kept by.
async fn converse<T>(
    run: &Run,
    (component, hard): (Option<&str>, Complexity),
    name: &str,
    first: String,
    answers: Vec<String>,
    check: impl Fn(&str) -> Result<T, Vec<String>> + Send + Sync,
) -> Result<T, Break> {
    let mut messages = vec![Message { role: Role::User, text: first }];
    let mut known = answers.into_iter();
    let mut last = Vec::new();
    for attempt in 0..=MAX_REASKS {
        let (raw, answer) = match known.next() {
            Some(raw) => (raw, None),
            None => {
                let is_first = component.is_none() && attempt == 0;
                let passes = |raw: &str| check(raw).map(drop);
                let racing = is_first.then_some(&passes as &Check<'_>);
                let name = format!("{name} {attempt}");
                let answer = ask(run, (component, hard), name, messages.clone(), racing).await?;
                (answer.text.clone(), Some(answer))
            }
        };
        match check(&raw) {
            Ok(result) => {
                if let Some(answer) = &answer {
                    calls::good(run, answer).await?;
                }
                return Ok(result);
            }
            Err(reasons) => {
                if let Some(answer) = &answer {
                    calls::bad(run, answer).await;
                }
                let data = json!({
                    "agent": "architect", "component": component, "reason": reasons.join(" "), "attempt": attempt + 1,
                });
                run.emit(EventKind::AgentFailed, data).await?;
                let text = prompts::render("plan_again.md", json!({ "reasons": reasons }));
                messages.push(Message { role: Role::Assistant, text: raw });
                messages.push(Message { role: Role::User, text });
                last = reasons;
            }
        }
    }
    let what = component
        .map_or_else(|| "No usable plan came".to_owned(), |name| format!("{name} could not be split"));
    Err(Break::Failed(format!("{what} in {} attempts: {}", MAX_REASKS + 1, last.join(" "))))
}

async fn ask(
    run: &Run,
    (component, hard): (Option<&str>, Complexity),
    name: String,
    messages: Vec<Message>,
    racing: Option<&Check<'_>>,
) -> Result<Answer, Break> {
    let call = Call {
        run: run.id,
        agent: "architect".to_owned(),
        tier: Tier::B,
        model: None,
        request: Request {
            system: prompts::render("architect.md", json!({ "max_lines": MAX_LINES })),
            messages,
            max_output_tokens: run.settings.max_output_tokens,
            temperature: None,
        },
    };
    let extras = Extras {
        output: Output::Schema { name: "plan".to_owned(), schema: schema() },
        reuse: calls::reuse(run),
        complexity: calls::complexity(run, Tier::B, hard),
        keep_as: Some(name),
        ..Extras::default()
    };
    let raced = match racing {
        Some(check) => race::plan(run, &call, &extras, check).await?,
        None => None,
    };
    let was_raced = raced.is_some();
    let answer = match raced {
        Some(answer) => answer,
        None => run.unless_halted(run.gateway.ask(call, extras)).await?.map_err(|error| broken(&error))?,
    };
    if let Some(rests) = rests(&answer.done, &answer.choice.model) {
        calls::account_for(run, &answer).await?;
        return Err(rests);
    }
    let row = serde_json::to_value(AnsweredRow { raw: answer.text.clone() }).unwrap_or_default();
    run.store().checkpoints().add_ahead(run.id, ANSWERED, component, row, run.clock().now()).await?;
    if !was_raced {
        calls::account_for(run, &answer).await?;
    }
    Ok(answer)
}

/// The shape of a plan, in the way that the strictest provider wants it said. What a schema cannot say is checked in
/// [`plan::read`].
fn schema() -> Value {
    let text = json!({ "type": "string" });
    let list = json!({ "type": "array", "items": { "type": "string" } });
    json!({
        "type": "object",
        "properties": {
            "components": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": text, "path": text, "kind": text,
                        "complexity": { "type": "string", "enum": ["low", "medium", "high"] },
                        "lines": { "type": "integer" },
                        "exports": list, "dependencies": list,
                    },
                    "required": ["name", "path", "kind", "complexity", "lines", "exports", "dependencies"],
                    "additionalProperties": false,
                },
            },
            "order": list,
        },
        "required": ["components", "order"],
        "additionalProperties": false,
    })
}

/// Shows the plan in plain words, as an answer of the conversation.
async fn show(run: &Run, task: &Task, plan: &Plan) -> Result<(), Break> {
    let (id, text) = (MessageId::new(), plan.in_words());
    let message = NewMessage {
        id,
        conversation: task.conversation,
        run: Some(run.id),
        role: assist_store::Role::Assistant,
        content: text.clone(),
        partial: false,
        at: run.clock().now(),
    };
    run.store().messages().add(message).await?;
    run.stream(&TextDelta { run: run.id, message_id: id, offset: 0, text: text.clone() });
    run.emit(EventKind::Text, json!({ "messageId": id, "offset": 0, "text": text })).await?;
    Ok(())
}
