//! Choosing a model by how hard a task is and how much money is left: the cheapest that can do it. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Ability, ModelRef, Tier};

/// How hard a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Complexity {
    /// A typo, a rename.
    Trivial,
    /// A small, local change: a log line, a plain bug.
    Simple,
    /// A feature of a few parts: an endpoint, a form.
    Moderate,
    /// Design, many parts, hard faults.
    Complex,
}

impl Complexity {
    /// Every kind, the easiest first.
    pub const ALL: [Complexity; 4] =
        [Complexity::Trivial, Complexity::Simple, Complexity::Moderate, Complexity::Complex];

    /// The word for events, rows and settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Complexity::Trivial => "trivial",
            Complexity::Simple => "simple",
            Complexity::Moderate => "moderate",
            Complexity::Complex => "complex",
        }
    }

    /// A first guess from what is asked and how much text it is about, for tasks that no architect has looked at. Words
    /// that mean design or many places count more than size; a short question about a little code is simple.
    pub fn guess(task: &str, lines_of_code: usize) -> Self {
        let words: Vec<String> = task
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let says = |list: &[&str]| words.iter().any(|word| list.iter().any(|start| word.starts_with(start)));
        let hard = says(&[
            "architect",
            "redesign",
            "migrat",
            "concurren",
            "deadlock",
            "secur",
            "rewrit",
            "scal",
            "entire",
        ]);
        let building = says(&[
            "implement",
            "build",
            "endpoint",
            "crud",
            "feature",
            "integrat",
            "refactor",
            "page",
            "add",
        ]);
        let trifle = says(&["typo", "rename", "spell", "comment", "format", "bump"]);
        let by_size = match (lines_of_code, words.len()) {
            (501.., _) | (_, 301..) => Complexity::Complex,
            (121.., _) | (_, 81..) => Complexity::Moderate,
            _ => Complexity::Simple,
        };
        match (hard, building, trifle) {
            (true, ..) => Complexity::Complex,
            (_, true, false) => by_size.max(Complexity::Moderate),
            (_, false, true) if by_size == Complexity::Simple => Complexity::Trivial,
            _ => by_size,
        }
    }
}

impl fmt::Display for Complexity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Complexity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| {
            format!("`{text}` is not a kind of task: say trivial, simple, moderate or complex")
        })
    }
}

/// What a task asks of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Need {
    /// How hard it is. None: moderate.
    pub complexity: Option<Complexity>,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens that the answer may have.
    pub output_tokens: u64,
    /// What it must be able to do beside text.
    pub abilities: Vec<Ability>,
    /// US dollars that may still be spent; none where nothing is limited.
    pub remaining_usd: Option<f64>,
    /// The tier it belongs to: nothing dearer than the tier's own model is chosen, as far as prices are known. None: any
    /// model may be.
    pub tier: Option<Tier>,
}

/// A model that could be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Which.
    pub model: ModelRef,
    /// The hardest kind of task it is trusted with.
    pub skill: Complexity,
    /// The most that this call can cost in US dollars; none where its price is not known.
    pub most_usd: Option<f64>,
    /// Whether prompt and answer have room, as far as is known.
    pub fits: bool,
    /// Whether it can do what the task needs, as far as is known.
    pub able: bool,
}

/// A choice and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The model.
    pub model: ModelRef,
    /// One sentence for the record.
    pub reason: String,
    /// The models that were tried before it, and why each was left.
    pub passed_over: Vec<(ModelRef, String)>,
}

/// Leaves those that a tier allows: what costs no more than the tier's own model would.
pub(crate) fn allowed(candidates: Vec<Candidate>, own: Option<&ModelRef>) -> Vec<Candidate> {
    let own = candidates.iter().find(|candidate| Some(&candidate.model) == own);
    let Some(most) = own.and_then(|own| own.most_usd) else { return candidates };
    candidates.into_iter().filter(|candidate| candidate.most_usd.is_some_and(|usd| usd <= most)).collect()
}

/// The cheapest candidate that can do it; when the rest of the budget cannot pay that, the most able one that it can pay.
/// Candidates without a known price come after all others. None where nothing fits.
pub(crate) fn choose(candidates: &[Candidate], need: &Need) -> Option<Choice> {
    let complexity = need.complexity.unwrap_or(Complexity::Moderate);
    let usable: Vec<&Candidate> =
        candidates.iter().filter(|candidate| candidate.fits && candidate.able).collect();
    let price = |candidate: &Candidate| candidate.most_usd.unwrap_or(f64::INFINITY);
    let payable = |candidate: &&&Candidate| match (need.remaining_usd, candidate.most_usd) {
        (Some(left), Some(most)) => most <= left,
        _ => true,
    };
    let money = |candidate: &Candidate| {
        candidate
            .most_usd
            .map_or_else(|| "at an unknown price".to_owned(), |most| format!("at most ${most:.4}"))
    };
    let chosen = |candidate: &Candidate, reason: String| Choice {
        model: candidate.model.clone(),
        reason,
        passed_over: Vec::new(),
    };
    let capable = usable.iter().filter(|candidate| candidate.skill >= complexity);
    // Of two at the same price the more able one.
    let order =
        |a: &&&Candidate, b: &&&Candidate| price(a).total_cmp(&price(b)).then_with(|| b.skill.cmp(&a.skill));
    let cheapest = capable.clone().min_by(order);
    if let Some(best) = capable.filter(payable).min_by(order) {
        let reason = format!("the task is {complexity}: the cheapest model that can do it, {}", money(best));
        return Some(chosen(best, reason));
    }
    let fallback = usable
        .iter()
        .filter(payable)
        .max_by(|a, b| a.skill.cmp(&b.skill).then_with(|| price(b).total_cmp(&price(a))));
    match (fallback, cheapest) {
        (Some(best), Some(_)) => {
            let left = need.remaining_usd.unwrap_or(0.0);
            let reason = format!(
                "the task is {complexity}, but only ${left:.4} of the budget is left: the most able model that it pays, {}",
                money(best)
            );
            Some(chosen(best, reason))
        }
        (Some(best), None) => {
            let none = need.tier.map_or_else(
                || "no model is trusted with that".to_owned(),
                |tier| format!("no model that tier {tier} allows is trusted with that"),
            );
            let reason = format!("the task is {complexity} and {none}: the most able one, {}", money(best));
            Some(chosen(best, reason))
        }
        // Nothing can be paid: the books will refuse it with their own words.
        (None, Some(best)) => {
            Some(chosen(best, format!("the task is {complexity}; the budget pays no model, {}", money(best))))
        }
        (None, None) => {
            let best = usable.iter().min_by(order)?;
            Some(chosen(best, format!("the task is {complexity}; nothing else is there, {}", money(best))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, skill: Complexity, most_usd: Option<f64>) -> Candidate {
        let model = ModelRef { provider: "p".into(), model: name.into() };
        Candidate { model, skill, most_usd, fits: true, able: true }
    }

    fn all() -> Vec<Candidate> {
        vec![
            candidate("opus", Complexity::Complex, Some(0.5)),
            candidate("nano", Complexity::Trivial, Some(0.001)),
            candidate("sonnet", Complexity::Moderate, Some(0.2)),
            candidate("mystery", Complexity::Complex, None),
            candidate("haiku", Complexity::Simple, Some(0.05)),
        ]
    }

    fn pick(
        candidates: &[Candidate],
        complexity: Complexity,
        remaining_usd: Option<f64>,
    ) -> (String, String) {
        let need = Need { complexity: Some(complexity), remaining_usd, ..Need::default() };
        let choice = choose(candidates, &need).unwrap();
        (choice.model.model, choice.reason)
    }

    #[test]
    fn each_kind_of_task_gets_the_cheapest_model_that_can_do_it() {
        for (complexity, expected) in [
            (Complexity::Trivial, "nano"),
            (Complexity::Simple, "haiku"),
            (Complexity::Moderate, "sonnet"),
            (Complexity::Complex, "opus"),
        ] {
            let (model, reason) = pick(&all(), complexity, None);
            assert_eq!(model, expected);
            assert!(reason.starts_with(&format!("the task is {complexity}: the cheapest model")), "{reason}");
        }
        let mut free = all();
        free.push(candidate("local", Complexity::Moderate, Some(0.0)));
        assert_eq!(pick(&free, Complexity::Trivial, None).0, "local");
    }

    #[test]
    fn a_tier_allows_nothing_dearer_than_its_own_model() {
        let own = |name: &str| ModelRef { provider: "p".into(), model: name.into() };
        let pick_within = |name: &str, complexity| {
            let candidates = allowed(all(), Some(&own(name)));
            let need = Need { complexity: Some(complexity), tier: Some(Tier::B), ..Need::default() };
            let choice = choose(&candidates, &need).unwrap();
            (choice.model.model, choice.reason)
        };
        assert_eq!(pick_within("sonnet", Complexity::Simple).0, "haiku");
        assert_eq!(pick_within("haiku", Complexity::Moderate).0, "haiku");
        let (model, reason) = pick_within("sonnet", Complexity::Complex);
        assert_eq!(model, "sonnet");
        assert!(reason.contains("no model that tier B allows is trusted with that"), "{reason}");
        // Where the tier's own price is not known, nothing can be called dearer.
        assert_eq!(pick_within("mystery", Complexity::Complex).0, "opus");
    }

    #[test]
    fn what_is_left_decides_when_it_is_little() {
        let priced: Vec<_> = all().into_iter().filter(|candidate| candidate.most_usd.is_some()).collect();
        let (model, reason) = pick(&priced, Complexity::Complex, Some(0.21));
        assert_eq!(model, "sonnet");
        assert!(reason.contains("only $0.2100 of the budget is left"), "{reason}");
        assert_eq!(pick(&priced, Complexity::Complex, Some(0.01)).0, "nano");
        let (model, reason) = pick(&priced, Complexity::Complex, Some(0.0));
        assert_eq!(model, "opus");
        assert!(reason.contains("pays no model"), "{reason}");
    }

    #[test]
    fn what_cannot_do_it_is_not_asked() {
        let mut candidates = all();
        candidates[4].able = false;
        candidates[2].fits = false;
        assert_eq!(pick(&candidates, Complexity::Simple, None).0, "opus");
        let weak = vec![candidate("nano", Complexity::Trivial, Some(0.001))];
        let (model, reason) = pick(&weak, Complexity::Complex, None);
        assert_eq!(model, "nano");
        assert!(reason.contains("no model is trusted with that"), "{reason}");
        assert_eq!(choose(&[], &Need::default()), None);
    }

    #[test]
    fn a_guess_goes_by_words_before_size() {
        for (task, lines, expected) in [
            ("Fix the typo in the title", 20, Complexity::Trivial),
            ("Why is this null?", 30, Complexity::Simple),
            ("Implement a CRUD endpoint for users", 0, Complexity::Moderate),
            ("Make the button red", 200, Complexity::Moderate),
            ("Redesign the storage layer", 10, Complexity::Complex),
            ("Rename this", 900, Complexity::Complex),
            ("", 0, Complexity::Simple),
        ] {
            assert_eq!(Complexity::guess(task, lines), expected, "{task}");
        }
    }
}
