//! Budgets: what may be spent by a run, in a day, and by a plan's cap. Pure: whoever keeps the books asks here.
//!
//! A call is checked with the most that it can cost, and what other calls have set aside counts as spent, so runs at the
//! same time cannot overspend together. A day begins at midnight UTC.

use std::fmt;
use std::str::FromStr;

use assist_base::Timestamp;

/// The plan whose daily cap holds, as the team calls its users' tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plan {
    /// No plan: no cap of one.
    #[default]
    None,
    /// $1 a day unless configured.
    Free,
    /// $10 a day unless configured.
    Pro,
    /// What is configured; nothing configured is no cap.
    Enterprise,
}

impl Plan {
    /// The word in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Plan::None => "none",
            Plan::Free => "free",
            Plan::Pro => "pro",
            Plan::Enterprise => "enterprise",
        }
    }

    /// The variable that sets its cap, in US dollars a day.
    pub fn cap_var(self) -> Option<&'static str> {
        match self {
            Plan::None => None,
            Plan::Free => Some("FREE_DAILY_CAP_USD"),
            Plan::Pro => Some("PRO_DAILY_CAP_USD"),
            Plan::Enterprise => Some("ENTERPRISE_DAILY_CAP_USD"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plans = [Plan::None, Plan::Free, Plan::Pro, Plan::Enterprise];
        let found = plans.into_iter().find(|plan| plan.as_str().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| format!("`{text}` is not a plan: say free, pro, enterprise or none"))
    }
}

/// Reads an amount of US dollars as people write it: `1`, `1.50`, `$10`.
///
/// # Errors
/// One sentence when it is not an amount of zero or more.
pub fn parse_usd(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_start_matches('$').trim().parse::<f64>().ok();
    let amount = number.filter(|number| number.is_finite() && *number >= 0.0);
    amount.ok_or_else(|| format!("`{}` is not an amount of US dollars: write it like 1.50", text.trim()))
}

/// What may be spent. All amounts are US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budgets {
    /// By one run.
    pub run_usd: Option<f64>,
    /// By all runs in a day.
    pub day_usd: Option<f64>,
    /// The plan.
    pub plan: Plan,
    /// The plan's cap for a day, where it is not the plan's own.
    pub plan_usd: Option<f64>,
    /// Refuse models whose price is not known, once any budget holds. Otherwise they count as nothing, and the summary
    /// says how many such calls there were.
    pub refuse_unpriced: bool,
}

/// What has been spent already, what is set aside for calls under way included. US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// By the run.
    pub run_usd: f64,
    /// By all runs today.
    pub day_usd: f64,
    /// The run's calls.
    pub run_calls: u64,
    /// All calls today.
    pub day_calls: u64,
    /// Those of today whose price is not known.
    pub unpriced_calls: u64,
    /// What caches saved today.
    pub saved_usd: f64,
}

/// Which budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetKind {
    /// The run's.
    Run,
    /// The user's own for a day.
    Day,
    /// The plan's for a day.
    Plan(Plan),
}

/// A call that would go over a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct OverBudget {
    /// Which budget, the tightest first.
    pub kind: BudgetKind,
    /// How much it allows.
    pub limit_usd: f64,
    /// How much of it is spent or set aside.
    pub spent_usd: f64,
    /// The most that the call can cost; none where no price is known.
    pub estimate_usd: Option<f64>,
}

/// Everything about money that a user wants to see with a refusal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsageSummary {
    /// What was spent.
    pub spent: Spent,
    /// What may be.
    pub budgets: Budgets,
    /// The most that the refused call could have cost.
    pub estimate_usd: Option<f64>,
}

impl Budgets {
    /// The plan's cap for a day.
    pub fn plan_cap(&self) -> Option<f64> {
        match self.plan {
            Plan::None => None,
            Plan::Free => Some(self.plan_usd.unwrap_or(1.0)),
            Plan::Pro => Some(self.plan_usd.unwrap_or(10.0)),
            Plan::Enterprise => self.plan_usd,
        }
    }

    /// Whether anything is limited.
    pub fn any(&self) -> bool {
        self.run_usd.is_some() || self.day_usd.is_some() || self.plan_cap().is_some()
    }

    /// Each budget that holds: which, how much, how much of it is spent.
    fn each(&self, spent: &Spent) -> impl Iterator<Item = (BudgetKind, f64, f64)> {
        let all = [
            (BudgetKind::Run, self.run_usd, spent.run_usd),
            (BudgetKind::Day, self.day_usd, spent.day_usd),
            (BudgetKind::Plan(self.plan), self.plan_cap(), spent.day_usd),
        ];
        all.into_iter().filter_map(|(kind, limit, spent)| Some((kind, limit?, spent)))
    }

    /// How much may still be spent; none where nothing is limited.
    pub fn remaining(&self, spent: &Spent) -> Option<f64> {
        self.each(spent).map(|(_, limit, spent)| (limit - spent).max(0.0)).reduce(f64::min)
    }

    /// Whether a call may be made that costs `estimate_usd` at most. To be asked and acted upon in one step that nothing
    /// comes between (a lock, a transaction).
    ///
    /// # Errors
    /// [`OverBudget`] for the budget with the least left.
    pub fn check(&self, spent: &Spent, estimate_usd: Option<f64>) -> Result<(), OverBudget> {
        let tightest = self.each(spent).min_by(|a, b| (a.1 - a.2).total_cmp(&(b.1 - b.2)));
        let Some((kind, limit_usd, spent_usd)) = tightest else { return Ok(()) };
        let fits = match estimate_usd {
            // In whole nanodollars: sums of fractions must not let a call through that is over by a rounding error.
            Some(estimate) => nanos(spent_usd).saturating_add(nanos(estimate)) <= nanos(limit_usd),
            None => !self.refuse_unpriced,
        };
        if fits { Ok(()) } else { Err(OverBudget { kind, limit_usd, spent_usd, estimate_usd }) }
    }
}

/// Whole nanodollars; what is no amount is more than any budget.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
fn nanos(usd: f64) -> u64 {
    let nanos = (usd * 1e9).round();
    if nanos.is_finite() && (0.0..1e18).contains(&nanos) { nanos as u64 } else { u64::MAX }
}

/// Midnight UTC before `now`.
pub fn day_start(now: Timestamp) -> Timestamp {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    Timestamp(now.0.saturating_sub(now.0.rem_euclid(DAY)))
}

fn usd(amount: f64) -> String {
    if amount > 0.0 && amount < 0.095 { format!("${amount:.4}") } else { format!("${amount:.2}") }
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = usd(self.limit_usd);
        let (whose, fix) = match self.kind {
            BudgetKind::Run => (format!("the run's budget of {limit}"), "raise the run's budget".to_owned()),
            BudgetKind::Day => (format!("today's budget of {limit}"), "raise the day's budget".to_owned()),
            BudgetKind::Plan(plan) => (
                format!("the {plan} plan's {limit} for today"),
                plan.cap_var().map_or_else(|| "change the plan".to_owned(), |var| format!("raise {var}")),
            ),
        };
        let left = usd((self.limit_usd - self.spent_usd).max(0.0));
        match self.estimate_usd {
            Some(estimate) => write!(
                f,
                "The call was not made: it could cost {}, and {whose} has {left} left. To go on, {fix}, wait, or choose a cheaper model.",
                usd(estimate)
            ),
            None => write!(
                f,
                "The call was not made: the model's price is not known, and {whose} must be kept. To go on, add its price to the model catalogue or choose another model."
            ),
        }
    }
}

impl std::error::Error for OverBudget {}

impl fmt::Display for UsageSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spent { run_usd, day_usd, run_calls, day_calls, unpriced_calls, saved_usd } = self.spent;
        write!(
            f,
            "this run: {} in {run_calls} calls; today: {} in {day_calls} calls",
            usd(run_usd),
            usd(day_usd)
        )?;
        if unpriced_calls > 0 {
            write!(f, ", {unpriced_calls} of them without a known price")?;
        }
        if saved_usd > 0.0 {
            write!(f, "; saved by caches: {}", usd(saved_usd))?;
        }
        if let Some(left) = self.budgets.remaining(&self.spent) {
            write!(f, "; left: {}", usd(left))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_budget_decides_and_says_how_to_go_on() {
        let budgets = Budgets { run_usd: Some(0.5), plan: Plan::Free, ..Budgets::default() };
        let spent = Spent { run_usd: 0.2, day_usd: 0.95, ..Spent::default() };
        assert_eq!(budgets.check(&spent, Some(0.05)), Ok(()));
        let over = budgets.check(&spent, Some(0.06)).unwrap_err();
        assert_eq!(over.kind, BudgetKind::Plan(Plan::Free));
        let text = over.to_string();
        assert!(
            text.contains("FREE_DAILY_CAP_USD") && text.contains("$1.00") && text.contains("$0.0500 left"),
            "{text}"
        );
        let over = budgets.check(&Spent { run_usd: 0.49, ..Spent::default() }, Some(0.02)).unwrap_err();
        assert_eq!(over.kind, BudgetKind::Run);
        assert_eq!(budgets.remaining(&spent).map(|left| (left * 100.0).round()), Some(5.0));
    }

    #[test]
    fn caps_of_plans_are_what_they_are_called_unless_configured() {
        let cap = |plan, plan_usd| Budgets { plan, plan_usd, ..Budgets::default() }.plan_cap();
        assert_eq!(cap(Plan::Free, None), Some(1.0));
        assert_eq!(cap(Plan::Pro, None), Some(10.0));
        assert_eq!(cap(Plan::Enterprise, None), None);
        assert_eq!(cap(Plan::Free, Some(2.5)), Some(2.5));
        assert_eq!(cap(Plan::None, Some(2.5)), None);
        assert_eq!("Pro".parse(), Ok(Plan::Pro));
        assert!("gold".parse::<Plan>().unwrap_err().contains("say free, pro, enterprise"));
    }

    #[test]
    fn amounts_are_amounts() {
        assert_eq!(parse_usd(" $1.50 "), Ok(1.5));
        for text in ["", "-1", "NaN", "inf", "one", "1,50"] {
            assert!(parse_usd(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rounding_lets_nothing_through_and_nonsense_is_refused() {
        let budgets = Budgets { day_usd: Some(0.3), ..Budgets::default() };
        // 0.1 + 0.2 is more than 0.3 in fractions; in money it is not.
        assert_eq!(budgets.check(&Spent { day_usd: 0.1, ..Spent::default() }, Some(0.2)), Ok(()));
        for estimate in [f64::NAN, f64::INFINITY, -1.0, 0.200_000_002] {
            assert!(budgets.check(&Spent { day_usd: 0.1, ..Spent::default() }, Some(estimate)).is_err());
        }
        assert_eq!(budgets.check(&Spent::default(), None), Ok(()));
        let strict = Budgets { refuse_unpriced: true, ..budgets };
        assert!(
            strict.check(&Spent::default(), None).unwrap_err().to_string().contains("price is not known")
        );
        assert_eq!(
            Budgets { refuse_unpriced: true, ..Budgets::default() }.check(&Spent::default(), None),
            Ok(())
        );
    }

    #[test]
    fn a_day_begins_at_midnight() {
        assert_eq!(day_start(Timestamp(1_700_000_000_000)), Timestamp(1_699_920_000_000));
        assert_eq!(day_start(Timestamp(-1)), Timestamp(-86_400_000));
    }
}
