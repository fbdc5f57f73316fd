//! What a model meant for a component but did not write as one. Shown as mere words it would be a change that silently
//! never came; so it is asked for again, as a component that did not pass is.

use assist_syntax::Scanner;

use crate::ask::Intent;
use crate::pipeline::applier::Failure;
use crate::pipeline::task::Task;

/// How the reason begins by which such a failure is known.
const MARKER: &str = "Its marker is written wrong";
const FENCE: &str = "The code stands in a Markdown fence";
/// What of a wrong line is shown, in characters.
const SHOWN: usize = 200;

/// What `words`, all that an answer holds outside of components, lacks to be applied. `components` says whether it held any.
pub(crate) fn of(words: &str, task: &Task, components: bool) -> Vec<Failure> {
    let intent = task.request.intent;
    if task.part.is_some() || intent == Intent::Explain {
        return Vec::new();
    }
    let id = &task.marker;
    // Beside what came as it should, the markers of another file are a quotation: repositories hold such lines, too.
    let meant = |line: &str| {
        !components
            || task.request.path.as_ref().is_none_or(|path| line.contains(&format!("path=\"{path}\"")))
    };
    let misprints = Scanner::misprints(words).into_iter().filter(|(_, line)| meant(line));
    let misprinted = misprints.map(|(name, line)| {
        let line: String = line.chars().take(SHOWN).collect();
        let reason = format!(
            "{MARKER}: `{line}`. Write it exactly like this, alone on its line: \
             /// COMPONENT_START: NAME path=\"PATH\" exports=NAME id={id} ///"
        );
        Failure { name, reasons: vec![reason] }
    });
    let mut failures: Vec<Failure> = misprinted.collect();
    let writes = matches!(intent, Intent::Rewrite | Intent::Fix | Intent::Test | Intent::Document);
    if failures.is_empty() && writes && !components && holds_code(words) {
        let name = task.target.clone().unwrap_or_else(|| "the code".to_owned());
        let reason = format!(
            "{FENCE}, which is only shown, never applied. Write it between the lines /// COMPONENT_START: NAME \
             path=\"PATH\" exports=NAME id={id} /// and /// COMPONENT_END id={id} ///. If nothing is to be changed, say so in \
             words, without a code block"
        );
        failures.push(Failure { name, reasons: vec![reason] });
    }
    failures
}

/// Whether a failure is one of [`of`]: the next answer is judged by itself.
pub(crate) fn is_of_misprints(failure: &Failure) -> bool {
    failure.reasons.first().is_some_and(|reason| reason.starts_with(MARKER) || reason.starts_with(FENCE))
}

/// Whether a text holds a code block of Markdown with something in it.
fn holds_code(words: &str) -> bool {
    let mut lines = words.lines().map(str::trim_start);
    lines.any(|line| line.starts_with("```")) && lines.next().is_some_and(|line| !line.starts_with("```"))
}
