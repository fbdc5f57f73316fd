//! Race mode: the same task to several models or temperatures at once; the first answer that passes wins.
//!
//! The others are dropped as soon as there is a winner: their sockets are closed, and each is settled for what it used.

use async_trait::async_trait;
use futures::stream::{FuturesUnordered, StreamExt as _};

use crate::{Answer, Call, Extras, Gateway};

/// One that takes part.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entrant {
    /// `provider/model` or a bare model name; none: the tier's model.
    pub model: Option<String>,
    /// In place of the call's.
    pub temperature: Option<f32>,
}

/// Says whether an answer is good enough to win.
#[async_trait]
pub trait Validator: Send + Sync {
    /// Looks at a whole answer.
    ///
    /// # Errors
    /// Why it does not pass, one sentence.
    async fn judge(&self, answer: &Answer) -> Result<(), String>;
}

#[async_trait]
impl<F> Validator for F
where
    F: Fn(&Answer) -> Result<(), String> + Send + Sync,
{
    async fn judge(&self, answer: &Answer) -> Result<(), String> {
        self(answer)
    }
}

/// How a race was won.
#[derive(Debug, Clone, PartialEq)]
pub struct Won {
    /// The first answer that passed.
    pub answer: Answer,
    /// Whose it is: the place in the list of entrants.
    pub entrant: usize,
    /// Who was out before, and why. Those in neither were still under way and were stopped.
    pub lost: Vec<(usize, String)>,
}

/// Nobody won.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("none of the {} answers passed: {}", .lost.len(), reasons(.lost))]
pub struct RaceLost {
    /// Everyone, in the order in which they were out, and why.
    pub lost: Vec<(usize, String)>,
}

fn reasons(lost: &[(usize, String)]) -> String {
    lost.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>().join("; ")
}

impl Gateway {
    /// Gives the same task to all entrants and returns the first whole answer that passes. Every entrant's money is set
    /// aside before it starts; no entrant falls back to another model.
    ///
    /// # Errors
    /// [`RaceLost`] when no answer passes, or there are no entrants.
    pub async fn race(
        &self,
        call: &Call,
        extras: &Extras,
        entrants: &[Entrant],
        validator: &dyn Validator,
    ) -> Result<Won, RaceLost> {
        let mut running: FuturesUnordered<_> = entrants
            .iter()
            .enumerate()
            .map(|(place, entrant)| {
                let mut call = call.clone();
                if entrant.model.is_some() {
                    call.model.clone_from(&entrant.model);
                }
                if entrant.temperature.is_some() {
                    call.request.temperature = entrant.temperature;
                }
                let keep_as = extras.keep_as.as_ref().map(|name| format!("{name} {place}"));
                let extras = Extras { no_fallback: true, keep_as, ..extras.clone() };
                async move { (place, self.run_entrant(call, extras, validator).await) }
            })
            .collect();
        let mut lost = Vec::new();
        while let Some((entrant, outcome)) = running.next().await {
            match outcome {
                Ok(answer) => return Ok(Won { answer, entrant, lost }),
                Err(why) => lost.push((entrant, why)),
            }
        }
        Err(RaceLost { lost })
    }

    async fn run_entrant(
        &self,
        call: Call,
        extras: Extras,
        validator: &dyn Validator,
    ) -> Result<Answer, String> {
        let answer = self.ask(call, extras).await.map_err(|error| error.to_string())?;
        if !answer.is_whole() {
            return Err(match &answer.done.error {
                Some(error) => error.to_string(),
                None => format!("{}'s answer ended with `{}`", answer.choice.model, answer.done.stop),
            });
        }
        validator.judge(&answer).await?;
        Ok(answer)
    }
}
