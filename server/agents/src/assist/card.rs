//! The plan card: what the user confirms before anything is done, in plain words.
//!
//! Law: a card speaks of steps, files, commands, time and money, and of nothing that goes on behind Assist.

use assist_base::DocPath;
use assist_gateway::{Tier, Usage};
use assist_runtime::confine::Confinement;
use assist_store::{ListFilter, TaskStatus};
use serde::{Deserialize, Serialize};

use crate::orchestrator::Offer;
use crate::run::{Break, Run};

/// More steps than this are no plan that a person reads.
const MOST_STEPS: usize = 20;
/// A step, in seconds, where nothing is known.
const GUESS_SECONDS: (f64, f64) = (20.0, 90.0);
/// Tokens in and out of a step, where nothing is known.
const GUESS_TOKENS: ((u64, u64), (u64, u64)) = ((6_000, 1_000), (25_000, 5_000));
/// So many past steps are enough to reckon with.
const ENOUGH: usize = 3;
/// So many past runs are looked at.
const PAST_RUNS: usize = 40;

/// What the model proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// What will be there when it is done, in one or two sentences.
    pub(crate) summary: String,
    pub(crate) steps: Vec<Step>,
}

/// One step of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) why: Option<String>,
    #[serde(default)]
    pub(crate) files: Vec<String>,
    #[serde(default)]
    pub(crate) commands: Vec<String>,
    /// Those of the commands that need the network, word for word.
    #[serde(default)]
    pub(crate) network: Vec<String>,
    /// The numbers of the steps it builds on, from 1.
    #[serde(default)]
    pub(crate) needs: Vec<usize>,
}

/// What a plan takes: least and most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) seconds: (f64, f64),
    /// US dollars; none where prices are not known.
    pub(crate) usd: Option<(f64, f64)>,
    /// How many steps that were done here it is reckoned from; 0 is a guess.
    pub(crate) from: usize,
}

impl Plan {
    /// What is wrong with it, for the model to mend.
    pub(crate) fn faults(&self) -> Option<String> {
        if self.summary.trim().is_empty() {
            return Some("Say in `summary` what will be there when it is done.".to_owned());
        }
        if self.steps.is_empty() || self.steps.len() > MOST_STEPS {
            return Some(format!("A plan has 1 to {MOST_STEPS} steps."));
        }
        for (number, step) in (1..).zip(&self.steps) {
            if step.title.trim().is_empty() {
                return Some(format!("Step {number} needs a title."));
            }
            for file in &step.files {
                if let Err(error) = DocPath::relative(file) {
                    return Some(format!("Step {number}: {error}."));
                }
            }
            if step.commands.iter().any(|line| line.trim().is_empty() || line.contains(char::is_control)) {
                return Some(format!("Step {number}: a command is one line."));
            }
            if let Some(odd) = step.network.iter().find(|line| !step.commands.contains(line)) {
                return Some(format!(
                    "Step {number}: `network` names `{odd}`, which is not among its commands."
                ));
            }
            if step.needs.iter().any(|need| *need == 0 || *need >= number) {
                return Some(format!("Step {number} can only build on steps before it."));
            }
        }
        let words = std::iter::once(&self.summary)
            .chain(self.steps.iter().flat_map(|step| std::iter::once(&step.title).chain(&step.why)));
        let inside = words.into_iter().find_map(|text| inner_word(text));
        inside.map(|word| format!("Say it in the user's words, without “{word}”."))
    }

    /// The files that are confirmed with these steps (from 1).
    pub(crate) fn files(&self, chosen: &[usize]) -> Vec<DocPath> {
        let steps = (1..).zip(&self.steps).filter(|(number, _)| chosen.contains(number));
        steps.flat_map(|(_, step)| &step.files).filter_map(|file| DocPath::relative(file).ok()).collect()
    }

    /// The commands that are confirmed with these steps (from 1), each with whether it may use the network.
    pub(crate) fn commands(&self, chosen: &[usize]) -> Vec<(&str, bool)> {
        let steps = (1..).zip(&self.steps).filter(|(number, _)| chosen.contains(number));
        steps
            .flat_map(|(_, step)| step.commands.iter().map(|line| (line.trim(), step.network.contains(line))))
            .collect()
    }

    /// The card as Markdown. `walls` says what holds around commands here, `offer` what can become of the work when it is done.
    pub(crate) fn markdown(&self, estimate: &Estimate, walls: &Confinement, offer: &Offer) -> String {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let quoted = |items: &[String]| {
            items
                .iter()
                .map(|item| format!("`{}`", one_line(item).replace('`', "'")))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let mut card = format!("{}\n\n", self.summary.trim());
        for (number, step) in (1..).zip(&self.steps) {
            card.push_str(&format!("{number}. **{}**", one_line(&step.title)));
            if let Some(why) = step.why.as_deref().map(one_line).filter(|why| !why.is_empty()) {
                card.push_str(&format!(": {why}"));
            }
            card.push('\n');
            if !step.files.is_empty() {
                card.push_str(&format!("   - Files: {}\n", quoted(&step.files)));
            }
            if !step.commands.is_empty() {
                let run = step.commands.iter().map(|line| {
                    let online = if step.network.contains(line) { " (with the network)" } else { "" };
                    format!("{}{online}", quoted(std::slice::from_ref(line)))
                });
                card.push_str(&format!("   - Runs: {}\n", run.collect::<Vec<_>>().join(", ")));
            }
            if !step.needs.is_empty() {
                let needs: Vec<_> = step.needs.iter().map(ToString::to_string).collect();
                card.push_str(&format!("   - Builds on step {}\n", needs.join(" and ")));
            }
        }
        let (least, most) = estimate.seconds;
        card.push_str(&format!("\nTime: {}. ", time(least, most)));
        match estimate.usd {
            Some((least, most)) => {
                card.push_str(&format!("Cost: about ${} to ${}. ", money(least), money(most)))
            }
            None => card.push_str("Cost: not known for this model. "),
        }
        match estimate.from {
            0 => card.push_str("This is the first time here, so both are a guess.\n"),
            count => card.push_str(&format!("Reckoned from {count} steps done here before.\n")),
        }
        if self.steps.iter().any(|step| !step.commands.is_empty()) {
            card.push_str(&match walls {
                Confinement::Full => "\nCommands can write in this folder only, and reach the network only where it says so.\n".to_owned(),
                Confinement::Partial(lacking) => format!("\nCommands can write in this folder only, and reach the network only where it says so; but {lacking}.\n"),
                Confinement::None(lacking) => format!("\nNothing keeps the commands from changing or reading other files of yours: {lacking}.\n"),
            });
        }
        card.push_str(&offer.markdown());
        card
    }
}

/// A word that speaks of what goes on behind Assist, if there is one.
fn inner_word(text: &str) -> Option<&'static str> {
    const INNER: [&str; 7] =
        ["tier a", "tier b", "tier c", "orchestrator", "subagent", "code advisor", "sub-agent"];
    let text = text.to_lowercase();
    let is_word = |at: usize, word: &str| {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !letter(text[..at].chars().next_back()) && !letter(text[at + word.len()..].chars().next())
    };
    INNER.into_iter().find(|word| text.match_indices(word).any(|(at, _)| is_word(at, word)))
}

fn time(least: f64, most: f64) -> String {
    if most < 90.0 {
        return "about a minute".to_owned();
    }
    let minutes = |seconds: f64| (seconds / 60.0).ceil().max(1.0);
    let (least, most) = (minutes(least), minutes(most));
    if least >= most { format!("about {most} minutes") } else { format!("about {least} to {most} minutes") }
}

fn money(usd: f64) -> String {
    if usd < 0.01 { format!("{:.3}", usd.max(0.001)) } else { format!("{usd:.2}") }
}

/// What so many steps take, by what steps took here before.
pub(crate) async fn estimate(run: &Run, steps: usize) -> Result<Estimate, Break> {
    let steps = steps.max(1);
    let mut seconds: Vec<f64> = Vec::new();
    let mut usd: Vec<f64> = Vec::new();
    let filter = ListFilter { limit: PAST_RUNS, state: None };
    for session in run.store().sessions().list(filter).await? {
        if session.plan.is_none() || session.id == run.id {
            continue;
        }
        let tasks = run.store().tasks().list(session.id).await?;
        let done =
            tasks.iter().filter(|task| task.status == TaskStatus::Done && task.input["kind"] == "edit");
        let took: Vec<f64> = done
            .filter_map(|task| Some((task.completed_at?.0 - task.started_at?.0) as f64 / 1_000.0))
            .collect();
        if took.is_empty() {
            continue;
        }
        let totals = run.store().ledger().totals(session.id).await?;
        if totals.unpriced == 0 && totals.cost_usd > 0.0 {
            usd.push(totals.cost_usd / took.len() as f64);
        }
        seconds.extend(took);
    }
    let steps = steps as f64;
    let enough = seconds.len() >= ENOUGH;
    let each = if enough { spread(&mut seconds) } else { GUESS_SECONDS };
    let from = if enough { seconds.len() } else { 0 };
    let cost = if enough && !usd.is_empty() { Some(spread(&mut usd)) } else { guess(run) };
    let times = |(least, most): (f64, f64)| (least * steps, most * steps);
    Ok(Estimate { seconds: times(each), usd: cost.map(times), from })
}

/// The middle half of the figures, widened a little so that it is no promise.
fn spread(figures: &mut [f64]) -> (f64, f64) {
    figures.sort_by(f64::total_cmp);
    let at = |part: usize| figures[(figures.len() - 1) * part / 4];
    (at(1) * 0.9, at(3) * 1.2)
}

/// What a step costs with the present model, where its price is known.
fn guess(run: &Run) -> Option<(f64, f64)> {
    let model = run.gateway.model_for(Tier::B).ok()?;
    let facts = run.gateway.catalogue().facts(&model.provider, &model.model)?;
    let cost = |(input, output): (u64, u64)| facts.cost(&Usage { input, output, ..Usage::default() });
    Some((cost(GUESS_TOKENS.0), cost(GUESS_TOKENS.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(title: &str, needs: &[usize]) -> Step {
        Step {
            title: title.to_owned(),
            why: None,
            files: vec!["src/a.ts".to_owned()],
            commands: Vec::new(),
            network: Vec::new(),
            needs: needs.to_vec(),
        }
    }

    #[test]
    fn a_plan_that_cannot_be_is_told_why() {
        let plan = |steps: Vec<Step>| Plan { summary: "A shop.".to_owned(), steps };
        assert_eq!(plan(vec![step("One", &[]), step("Two", &[1])]).faults(), None);
        for (steps, word) in [
            (vec![], "1 to 20"),
            (vec![step(" ", &[])], "needs a title"),
            (vec![step("One", &[1])], "before it"),
            (vec![step("One", &[2]), step("Two", &[])], "before it"),
            (vec![Step { files: vec!["../x".to_owned()], ..step("One", &[]) }], "leaves the workspace"),
            (vec![Step { commands: vec!["a\nb".to_owned()], ..step("One", &[]) }], "one line"),
            (vec![Step { network: vec!["npm i".to_owned()], ..step("One", &[]) }], "not among"),
            (vec![step("Hand it to a Tier A model", &[])], "tier a"),
            (vec![step("The orchestrator runs it", &[])], "orchestrator"),
        ] {
            let faults = plan(steps).faults().unwrap_or_default();
            assert!(faults.contains(word), "{faults}");
        }
        // Words that only begin so are the user's own.
        assert_eq!(plan(vec![step("Add a tier basics page", &[])]).faults(), None);
    }

    #[test]
    fn ranges_are_what_people_say() {
        assert_eq!(time(20.0, 80.0), "about a minute");
        assert_eq!(time(60.0, 270.0), "about 1 to 5 minutes");
        assert_eq!(time(170.0, 175.0), "about 3 minutes");
        assert_eq!((money(0.0004), money(0.123)), ("0.001".to_owned(), "0.12".to_owned()));
        let (least, most) = spread(&mut [4.0, 1.0, 2.0, 3.0, 100.0]);
        assert!(least < 2.0 && most > 4.0 && most < 10.0, "{least} {most}");
    }
}
