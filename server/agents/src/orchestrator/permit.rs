//! Whether a command may run: by the rules, by what was confirmed, or by asking.
//!
//! Laws: what a rule denies is not run, whoever lists it. What stands on a confirmed card, word for word, was asked already,
//! and so was its use of the network; nothing else of what a model wants was. Where nobody has said anything, the user is
//! asked, however long that takes. "Always here" is kept in the user's own configuration, never in the repository.

use assist_runtime::command::Line;
use assist_runtime::confine::Confinement;
use assist_runtime::permission::{Decision, Rule, Verdict, to_remember};
use serde_json::json;

use crate::assist::wait;
use crate::host::{Answer, Question};
use crate::run::{Break, Run, lock};
use crate::settings::Commands;

/// A command that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) line: String,
    /// Whether it wants the network.
    pub(crate) network: bool,
    /// Its name within the run: a question about it is asked once.
    pub(crate) key: String,
    /// Whether it was confirmed in these very words, the network included.
    pub(crate) confirmed: bool,
    /// Whether it was begun before and cut off.
    pub(crate) again: bool,
}

/// Whether it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Yes.
    Granted,
    /// A rule says no: one sentence.
    Denied(String),
    /// The user said no: one sentence.
    Declined(String),
}

/// What is to be asked, if anything.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    Granted,
    Denied(String),
    Ask(String),
}

/// The button that allows it for all time in this workspace.
const ALWAYS: &str = "Always here";

/// Why a command is denied by a rule, if it is.
pub(crate) fn denied(commands: &Commands, line: &str) -> Option<String> {
    match commands.rules.decide(&Line::Shell(line.to_owned()), &Confinement::Full) {
        Decision::Deny { rule, .. } => Some(format!("the rule `{rule}` forbids it")),
        Decision::Allow | Decision::Ask { .. } => None,
    }
}

fn judge(commands: &Commands, wanted: &Wanted, walls: &Confinement) -> Judged {
    let line = Line::Shell(wanted.line.clone());
    let why = match commands.rules.decide(&line, walls) {
        Decision::Deny { rule, .. } => return Judged::Denied(format!("the rule `{rule}` forbids it")),
        Decision::Allow => None,
        Decision::Ask { why, .. } => Some(why),
    };
    let online = !wanted.network || commands.network.decide(&line, walls) == Decision::Allow;
    match why {
        None if online => Judged::Granted,
        _ if wanted.again => {
            Judged::Ask("it was begun before and cut off, so it may have been done in part.".to_owned())
        }
        _ if wanted.confirmed => Judged::Granted,
        None => Judged::Ask("it wants the network.".to_owned()),
        Some(why) => Judged::Ask(why),
    }
}

/// Finds out, asking the user where nobody has said anything.
pub(crate) async fn ask(run: &Run, wanted: &Wanted, walls: &Confinement) -> Result<Permit, Break> {
    let judged = judge(&lock(&run.commands), wanted, walls);
    let why = match judged {
        Judged::Granted => return Ok(Permit::Granted),
        Judged::Denied(why) => return Ok(Permit::Denied(why)),
        Judged::Ask(why) => why,
    };
    let rules = to_remember(&Line::Shell(wanted.line.clone()), Verdict::Allow);
    // Without walls every command is asked about, whatever is remembered.
    let memorable = !rules.is_empty() && !walls.is_none();
    let mut choices = vec!["Run it".to_owned(), "Do not run it".to_owned()];
    if memorable {
        choices.insert(1, ALWAYS.to_owned());
    }
    let online = if wanted.network { " with access to the network" } else { "" };
    let question = Question {
        text: format!("Run `{}`{online}?", one_line(&wanted.line)),
        detail: Some(detail(wanted, walls, &why)),
        choices,
        later: true,
    };
    let data = json!({ "command": { "line": wanted.line, "network": wanted.network, "why": why } });
    let key = if wanted.again { format!("{} again", wanted.key) } else { wanted.key.clone() };
    match said(wait::ask(run, "command", &key, &question, data).await?) {
        Said::Once => Ok(Permit::Granted),
        Said::Always => {
            if memorable {
                remember(run, wanted, rules).await?;
            }
            Ok(Permit::Granted)
        }
        Said::No => Ok(Permit::Declined("you did not want it".to_owned())),
        Said::Words(words) => Ok(Permit::Declined(format!("you said: {words}"))),
    }
}

fn detail(wanted: &Wanted, walls: &Confinement, why: &str) -> String {
    let held = match walls {
        Confinement::Full | Confinement::Partial(_) if wanted.network => {
            "It can write in this workspace only, and reach the network.".to_owned()
        }
        Confinement::Full => "It can write in this workspace only, and not reach the network.".to_owned(),
        Confinement::Partial(lacking) => {
            format!("It can write in this workspace only, and not reach the network; but {lacking}.")
        }
        Confinement::None(lacking) => {
            format!("Nothing keeps it from changing or reading other files of yours: {lacking}.")
        }
    };
    format!("```sh\n{}\n```\n\nYou are asked because {why}\n{held}", wanted.line.replace("```", "'''"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'")
}

enum Said {
    Once,
    Always,
    No,
    Words(String),
}

/// What an answer means, from a button or in words.
fn said(answer: Answer) -> Said {
    match answer {
        Answer::Yes | Answer::Partly { .. } => Said::Once,
        Answer::No | Answer::Dismissed => Said::No,
        Answer::Text(words) => match words.trim().trim_end_matches(['.', '!']).to_lowercase().as_str() {
            "always here" | "always" | "a" => Said::Always,
            "run it" | "once" | "yes" | "y" => Said::Once,
            "do not run it" | "never" | "no" | "n" | "" => Said::No,
            _ => Said::Words(words.trim().to_owned()),
        },
    }
}

async fn remember(run: &Run, wanted: &Wanted, rules: Vec<Rule>) -> Result<(), Break> {
    let network = if wanted.network { rules.clone() } else { Vec::new() };
    lock(&run.commands).add_said(rules.clone(), network);
    let (wiring, workspace, online) =
        (std::sync::Arc::clone(&run.wiring), std::sync::Arc::clone(&run.workspace), wanted.network);
    let kept =
        tokio::task::spawn_blocking(move || wiring.remember_commands(workspace.root(), &rules, online));
    let problem = match kept.await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.message,
        Err(error) => error.to_string(),
    };
    run.say(format!("That it may always run here could not be kept: {}", problem.trim_end_matches('.')))
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layer, Options, Scope, resolve};

    fn commands(toml: &str) -> Commands {
        let options: Options = toml::from_str(toml).unwrap();
        resolve(&[Layer { scope: Scope::User, source: "test".to_owned(), options }]).commands
    }

    fn wanted(line: &str, network: bool, confirmed: bool) -> Wanted {
        Wanted { line: line.to_owned(), network, key: "k".to_owned(), confirmed, again: false }
    }

    #[test]
    fn what_was_confirmed_runs_and_what_a_rule_denies_does_not() {
        let rules = commands("[commands]\nallow = ['npm test']\ndeny = ['git push *']\nnetwork = ['npm ci']");
        let full = Confinement::Full;
        let none = Confinement::None("x".to_owned());
        for (want, walls, expected) in [
            (wanted("npm test", false, false), &full, Some(true)),
            (wanted("npm test", true, false), &full, None),
            (wanted("npm test", false, false), &none, None),
            (wanted("npm run x", false, false), &full, None),
            (wanted("npm run x", false, true), &full, Some(true)),
            (wanted("npm run x", true, true), &none, Some(true)),
            (wanted("npm ci", true, false), &full, None),
            (wanted("git push origin", false, true), &full, Some(false)),
            (wanted("npm test; git push -f", false, true), &full, Some(false)),
            (Wanted { again: true, ..wanted("npm run x", false, true) }, &full, None),
            (Wanted { again: true, ..wanted("npm test", false, true) }, &full, Some(true)),
        ] {
            let judged = judge(&rules, &want, walls);
            let found = match &judged {
                Judged::Granted => Some(true),
                Judged::Denied(_) => Some(false),
                Judged::Ask(_) => None,
            };
            assert_eq!(found, expected, "{want:?} {judged:?}");
        }
    }
}
