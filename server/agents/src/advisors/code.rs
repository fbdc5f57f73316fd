//! Scopes changes of code: reads the manifests and what the work touches, and returns tasks. Before the first line is written.

use assist_base::{ConversationId, EventKind};
use assist_gateway::{
    Answer, Call, Complexity, Extras, Message, Request, Tier, Tool, ToolCall, ToolChoice, Turn,
};
use serde_json::{Value, json};

use super::tasks::{self, Scoped, Work};
use crate::advisors::CODE;
use crate::answers;
use crate::assist::{Bench, Talk, knowledge, reading_tools};
use crate::calls;
use crate::keys::closed;
use crate::orchestrator::{Order, denied};
use crate::pipeline::{broken, rests};
use crate::prompts;
use crate::run::{Break, Run, lock};

/// How often it may look before it must say what is to be done.
const MAX_ROUNDS: usize = 16;
/// How often it is asked again because its tasks cannot be used.
const MAX_AGAIN: usize = 2;
/// The tool that takes the tasks.
const SUBMIT: &str = "submit_tasks";

/// Scopes an order.
pub(super) async fn scope(run: &Run, order: &Order) -> Result<Vec<Scoped>, Break> {
    run.say("Working out what has to be done").await?;
    let conversation = conversation(run, order).await?;
    let steps: Vec<Value> = (1..)
        .zip(&order.plan.steps)
        .filter(|(number, _)| order.chosen.contains(number))
        .map(|(number, step)| json!({ "number": number, "title": step.title, "why": step.why, "files": step.files, "commands": step.commands }))
        .collect();
    let asked = prompts::render(
        "assist/scope.md",
        json!({ "summary": order.plan.summary, "steps": steps, "note": order.note }),
    );
    let system = format!(
        "{}\n\n{}",
        prompts::render("assist/code_advisor.md", json!({})),
        knowledge(run, &asked).await?
    );
    let mut talk = Talk::of_advisor(&order.name, system, vec![Message::user(asked)]);
    talk.replay(run).await?;
    let mut bench = Bench::of(run, conversation);
    let hard = hardness(order);
    // The answer that the talk ends with, where it was received just now.
    let mut last: Option<Answer> = None;
    loop {
        run.check()?;
        let pending = talk.pending();
        if !pending.is_empty() {
            for call in pending {
                if call.name != SUBMIT {
                    let (content, failed) = bench.call(&call, &talk).await?;
                    talk.add_result(run, &call, (content, failed)).await?;
                    continue;
                }
                let read = match submitted(&call) {
                    Ok(scoped) => refused(run, scoped).await?,
                    Err(fault) => Err(fault),
                };
                match read {
                    Ok(scoped) => {
                        good(run, last.take()).await?;
                        return Ok(scoped);
                    }
                    Err(fault) => {
                        if let Some(answer) = last.take() {
                            calls::bad(run, &answer).await;
                        }
                        talk.add_result(run, &call, (fault, true)).await?;
                    }
                }
            }
            // It looked around, and may look the same way the next time.
            good(run, last.take()).await?;
        } else if let Some((_, words)) = talk.answer() {
            // Some models write the list instead of calling the tool.
            let fault = match written(&words) {
                Some(scoped) => match refused(run, scoped).await? {
                    Ok(scoped) => {
                        good(run, last.take()).await?;
                        return Ok(scoped);
                    }
                    Err(fault) => format!("{fault}\n"),
                },
                None => String::new(),
            };
            if let Some(answer) = last.take() {
                calls::bad(run, &answer).await;
            }
            talk.add_words(run, &format!("{fault}Call {SUBMIT} with the tasks.")).await?;
        }
        if talk.failures(SUBMIT) > MAX_AGAIN {
            return Err(Break::Failed(
                "The work could not be broken down into tasks; nothing was changed. Ask again, in smaller steps.".to_owned(),
            ));
        }
        let name = format!("{} {}", talk.scope(), talk.said());
        // A kept answer has not seen what was added since: that goes with the next question.
        if answers::kept(run.store(), run.id, &name).await?.is_none() {
            talk.listen(run).await?;
        }
        last = Some(ask(run, &mut talk, conversation, hard, name).await?);
    }
}

/// A guess of how hard the order is: at least moderate, since it goes beyond one place.
fn hardness(order: &Order) -> Complexity {
    let steps = order.plan.steps.iter().map(|step| step.title.as_str());
    let words: Vec<&str> = std::iter::once(order.plan.summary.as_str()).chain(steps).collect();
    Complexity::guess(&words.join(" "), 0).max(Complexity::Moderate)
}

/// An answer that was of use.
async fn good(run: &Run, answer: Option<Answer>) -> Result<(), Break> {
    match answer {
        Some(answer) => calls::good(run, &answer).await,
        None => Ok(()),
    }
}

/// The conversation with the advisor: one for each order.
async fn conversation(run: &Run, order: &Order) -> Result<ConversationId, Break> {
    let key = format!("advisor {}", order.name);
    for checkpoint in run.store().checkpoints().list(run.id).await? {
        if checkpoint.stage == "advisor"
            && checkpoint.component.as_deref() == Some(&key)
            && let Ok(known) = serde_json::from_value(checkpoint.data["conversation"].clone())
        {
            return Ok(known);
        }
    }
    let (conversation, now) = (ConversationId::new(), run.clock().now());
    let title = Some(order.plan.summary.chars().take(120).collect());
    run.store().conversations().create(conversation, run.project(), CODE, title, now).await?;
    let data = json!({ "conversation": conversation });
    run.store().checkpoints().add_ahead(run.id, "advisor", Some(&key), data, now).await?;
    Ok(conversation)
}

fn submit_tool() -> Tool {
    Tool {
        name: SUBMIT.to_owned(),
        description: "Hands over the tasks, once you know what has to be done.".to_owned(),
        parameters: tasks::schema(),
    }
}

async fn ask(
    run: &Run,
    talk: &mut Talk,
    conversation: ConversationId,
    hard: Complexity,
    name: String,
) -> Result<Answer, Break> {
    let must = talk.rounds() >= MAX_ROUNDS;
    let call = Call {
        run: run.id,
        agent: "code_advisor".to_owned(),
        tier: Tier::B,
        model: None,
        request: Request {
            system: talk.system.clone(),
            messages: talk.messages.clone(),
            max_output_tokens: run.settings.max_output_tokens,
            temperature: None,
        },
    };
    let extras = Extras {
        turns: talk.turns.clone(),
        tools: reading_tools(run).chain([submit_tool()]).collect(),
        tool_choice: if must { ToolChoice::Named(SUBMIT.to_owned()) } else { ToolChoice::Auto },
        reuse: calls::reuse(run),
        complexity: calls::complexity(run, Tier::B, hard),
        keep_as: Some(name),
        ..Extras::default()
    };
    let answer = run.unless_halted(run.gateway.ask(call, extras)).await?.map_err(|error| broken(&error))?;
    calls::account_for(run, &answer).await?;
    if let Some(rests) = rests(&answer.done, &answer.choice.model) {
        return Err(rests);
    }
    let turn = if answer.is_whole() { answer.turn.clone() } else { Turn::assistant(answer.text.clone()) };
    let said = if answer.text.trim().is_empty() {
        turn.tool_calls().map(|call| call.name.clone()).collect::<Vec<_>>().join(", ")
    } else {
        answer.text.clone()
    };
    talk.add_advice(run, conversation, &said, turn).await?;
    Ok(answer)
}

fn submitted(call: &ToolCall) -> Result<Vec<Scoped>, String> {
    let arguments = call.arguments.clone().map_err(|bad| bad.to_string())?;
    tasks::read(Value::Object(arguments)).map_err(|fault| format!("{fault} Call {SUBMIT} again."))
}

/// The tasks, where none is about what is closed, nor a command that a rule forbids; else what is wrong, for the model to mend.
/// The user sees it as well.
async fn refused(run: &Run, scoped: Vec<Scoped>) -> Result<Result<Vec<Scoped>, String>, Break> {
    for (number, task) in (1..).zip(&scoped) {
        let why = match &task.work {
            Work::Edit { files } => {
                closed(run, files.clone()).await.map(|(file, why)| format!("{file} cannot be changed: {why}"))
            }
            Work::Command { line, .. } => {
                let why = denied(&lock(&run.commands), line);
                why.map(|why| format!("`{line}` cannot be run: {why}"))
            }
        };
        if let Some(why) = why {
            let data = json!({ "tool": SUBMIT, "about": task.title, "state": "refused", "message": format!("{why}.") });
            run.emit(EventKind::Tool, data).await?;
            return Ok(Err(format!("Task {number}: {why}. Call {SUBMIT} again without it.")));
        }
    }
    Ok(Ok(scoped))
}

fn written(words: &str) -> Option<Vec<Scoped>> {
    let (start, end) = (words.find('{')?, words.rfind('}')?);
    let value = serde_json::from_str(words.get(start..=end)?).ok()?;
    tasks::read(value).ok()
}
