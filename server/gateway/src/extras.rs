//! What a call asks for beside words, and the whole of a call as providers write it.

use serde_json::Value;

use crate::tokens::{PER_IMAGE, PER_MESSAGE, Tokenizer};
use crate::{Call, Complexity, Part, Role, Tool, ToolChoice, Turn};

/// What a call asks for beside words. The default asks for nothing more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extras {
    /// Turns after the request's messages: pictures, calls of tools and their results. The last turn of all must be the
    /// user's.
    pub turns: Vec<Turn>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it shall.
    pub tool_choice: ToolChoice,
    /// The shape of the answer.
    pub output: Output,
    /// Whether an answer to exactly the same request may be used again. Never for what a user talks with.
    pub reuse: Reuse,
    /// The name under which the books keep the answer for its run, in the step that settles the call. A run that has an
    /// answer of this name is told that one again, whatever it asks now.
    pub keep_as: Option<String>,
    /// How hard the task is: the cheapest model that can do it answers, in place of the tier's, and none that is dearer
    /// than the tier's. None: the tier's model.
    pub complexity: Option<Complexity>,
    /// Do not ask another provider when this one fails.
    pub no_fallback: bool,
}

/// The shape of an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Output {
    /// Text.
    #[default]
    Text,
    /// One JSON value.
    Json,
    /// One JSON value that a schema allows. Providers that can hold the model to it do; the others are told in words, so
    /// the answer is to be checked all the same.
    Schema {
        /// A name for it: letters, digits, `_` and `-`.
        name: String,
        /// The JSON schema, of type `object`. Every object in it says `additionalProperties: false` and requires all
        /// its properties: what the strictest provider asks for.
        schema: Value,
    },
}

/// Whether an answer may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reuse {
    /// Every call is made.
    #[default]
    Never,
    /// A whole answer to exactly the same request to the same model is taken from the books' cache where they keep one.
    /// For deterministic steps; a request with a temperature above zero is made nevertheless. A new answer is kept when
    /// the caller has found it good and says so: [`crate::Gateway::keep`].
    Exact,
}

/// A call as providers write it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Prompt {
    pub system: String,
    /// Every turn speaks.
    pub turns: Vec<Turn>,
    pub temperature: Option<f32>,
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
    pub output: Output,
}

impl Prompt {
    pub(crate) fn of(call: &Call, extras: &Extras) -> Self {
        let said = call.request.messages.iter().map(Turn::from);
        let turns = said.chain(extras.turns.iter().cloned()).filter(Turn::speaks).collect();
        Self {
            system: call.request.system.clone(),
            turns,
            temperature: call.request.temperature,
            tools: extras.tools.clone(),
            tool_choice: extras.tool_choice.clone(),
            output: extras.output.clone(),
        }
    }

    /// The system prompt, with the shape of the answer in words where the provider has no field for it.
    pub(crate) fn system_text(&self, shape_in_words: bool) -> String {
        let shape = match &self.output {
            _ if !shape_in_words => String::new(),
            Output::Text => String::new(),
            Output::Json => "Answer with one JSON value and nothing else.".to_owned(),
            Output::Schema { schema, .. } => {
                format!(
                    "Answer with one JSON value and nothing else. It must match this JSON schema:\n{schema}"
                )
            }
        };
        match (self.system.trim().is_empty(), shape.is_empty()) {
            (_, true) if self.system.trim().is_empty() => String::new(),
            (_, true) => self.system.clone(),
            (true, false) => shape,
            (false, false) => format!("{}\n\n{shape}", self.system),
        }
    }

    /// The text of the newest turn of the user, what tools gave back included.
    pub(crate) fn last_user_text(&self) -> String {
        let last = self.turns.iter().rev().find(|turn| turn.role == Role::User);
        last.map_or_else(String::new, Turn::read_text)
    }

    pub(crate) fn has_images(&self) -> bool {
        self.turns.iter().flat_map(|turn| &turn.parts).any(|part| matches!(part, Part::Image(_)))
    }

    /// Tokens of all of it, on the high side.
    pub(crate) fn tokens(&self, tokenizer: Tokenizer) -> u64 {
        let of = |text: &str| tokenizer.count(text);
        let part = |part: &Part| match part {
            Part::Text(text) => of(text),
            Part::Image(_) => PER_IMAGE,
            Part::Call(call) => of(&call.name) + of(&call.object().to_string()) + PER_MESSAGE,
            Part::Result(result) => of(&result.content) + PER_MESSAGE,
        };
        // What a model signed of its thoughts goes back too.
        let turn = |turn: &Turn| {
            let parts: u64 = turn.parts.iter().map(part).sum();
            let native = turn.native.as_ref().map_or(0, |native| of(&native.content.to_string()));
            parts.max(native) + PER_MESSAGE
        };
        let tools = self.tools.iter().map(|tool| {
            of(&tool.name) + of(&tool.description) + of(&tool.parameters.to_string()) + 2 * PER_MESSAGE
        });
        of(&self.system_text(true))
            + PER_MESSAGE
            + self.turns.iter().map(turn).sum::<u64>()
            + tools.sum::<u64>()
    }
}
