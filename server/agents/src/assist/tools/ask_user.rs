//! `ask_user`: one question, when the answer changes what is to be done. The run waits for it, however long that takes.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, read, spec, text};
use crate::assist::bench::Bench;
use crate::host::{Answer, Question};

/// More questions than this in one run are a nuisance.
const MOST_QUESTIONS: usize = 4;

pub(super) struct AskUser;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    question: String,
    #[serde(default)]
    suggestions: Vec<String>,
}

#[async_trait]
impl Tool for AskUser {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "ask_user",
            "Asks the user one question in words and waits for the answer. Only when the answer would change what you do.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["question"],
                "properties": {
                    "question": { "type": "string", "description": "one question, in plain words" },
                    "suggestions": { "type": "array", "items": { "type": "string" }, "description": "likely answers" }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "question")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let question = arguments.question.trim().to_owned();
        if question.is_empty() {
            return Err(ToolError::Failed("Say what to ask.".to_owned()));
        }
        if bench.asked >= MOST_QUESTIONS {
            return Err(ToolError::Failed("The user has answered enough; decide yourself.".to_owned()));
        }
        bench.asked += 1;
        let suggestions: Vec<_> =
            arguments.suggestions.iter().map(|one| format!("- {}", one.trim())).collect();
        let detail = (!suggestions.is_empty()).then(|| suggestions.join("\n"));
        let asked = Question { text: question.clone(), detail, choices: Vec::new(), later: true };
        let answer = bench.ask("question", &asked, json!({})).await?;
        Ok(Outcome::Said(match answer {
            Answer::Text(words) | Answer::Partly { note: Some(words), .. } => {
                bench.say(assist_store::Role::Assistant, &question).await?;
                bench.say(assist_store::Role::User, &words).await?;
                format!("The user answers: {words}")
            }
            Answer::Yes | Answer::Partly { note: None, .. } => {
                "The user leaves it to you: use your best judgement, and say what you assumed.".to_owned()
            }
            Answer::No | Answer::Dismissed => {
                "The user does not want to answer. Go on without, or say what you cannot do.".to_owned()
            }
        }))
    }
}
