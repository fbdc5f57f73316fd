//! What may be spent and how often providers may be asked: only the user raises, everyone else can only lower.
//!
//! A budget that a cloned repository could raise is none. So plans, caps and higher amounts count in user scope only; what
//! a workspace or an editor says counts where it is stricter, and a sentence tells where it is not.

use std::collections::BTreeMap;

use assist_gateway::{Budgets, Plan, RateLimit};
use serde::{Deserialize, Deserializer};

use super::{Layer, Scope};

/// `[budget]`: amounts in US dollars.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetOptions {
    /// User scope only: `free`, `pro`, `enterprise` or `none`.
    #[serde(deserialize_with = "plan")]
    pub plan: Option<Plan>,
    /// For one run.
    #[serde(deserialize_with = "amount")]
    pub run_usd: Option<f64>,
    /// For all runs of a day, over all workspaces of the user.
    #[serde(deserialize_with = "amount")]
    pub day_usd: Option<f64>,
    /// User scope only: the free plan's cap for a day.
    #[serde(deserialize_with = "amount")]
    pub free_daily_cap_usd: Option<f64>,
    /// User scope only: the pro plan's.
    #[serde(deserialize_with = "amount")]
    pub pro_daily_cap_usd: Option<f64>,
    /// User scope only: the enterprise plan's; without one it has none.
    #[serde(deserialize_with = "amount")]
    pub enterprise_daily_cap_usd: Option<f64>,
    /// Make no call whose price is not known while a budget holds.
    pub refuse_unpriced: Option<bool>,
}

/// `[limits.PROVIDER]`: how often it may be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitOptions {
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, in and out.
    pub tokens_per_minute: Option<u64>,
    /// Answers under way at the same time.
    pub at_once: Option<u32>,
}

fn amount<'de, D: Deserializer<'de>>(input: D) -> Result<Option<f64>, D::Error> {
    let Some(amount) = Option::<f64>::deserialize(input)? else { return Ok(None) };
    if amount.is_finite() && amount >= 0.0 {
        Ok(Some(amount))
    } else {
        Err(serde::de::Error::custom(format!("{amount} is not an amount of US dollars")))
    }
}

fn plan<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Plan>, D::Error> {
    let Some(word) = Option::<String>::deserialize(input)? else { return Ok(None) };
    word.parse().map(Some).map_err(serde::de::Error::custom)
}

impl BudgetOptions {
    fn cap(&self, plan: Plan) -> Option<f64> {
        match plan {
            Plan::None => None,
            Plan::Free => self.free_daily_cap_usd,
            Plan::Pro => self.pro_daily_cap_usd,
            Plan::Enterprise => self.enterprise_daily_cap_usd,
        }
    }

    /// What only the user may say.
    fn raises(&self) -> bool {
        self.plan.is_some()
            || [Plan::Free, Plan::Pro, Plan::Enterprise].into_iter().any(|plan| self.cap(plan).is_some())
    }
}

/// What may be spent, by all layers together.
pub(super) fn budgets(layers: &[Layer], warnings: &mut Vec<String>) -> Budgets {
    let user = || layers.iter().filter(|layer| layer.scope == Scope::User).map(|layer| &layer.options.budget);
    let plan = user().find_map(|budget| budget.plan).unwrap_or_default();
    let mut budgets = Budgets {
        run_usd: user().find_map(|budget| budget.run_usd),
        day_usd: user().find_map(|budget| budget.day_usd),
        plan,
        plan_usd: user().find_map(|budget| budget.cap(plan)),
        refuse_unpriced: user().find_map(|budget| budget.refuse_unpriced).unwrap_or(false),
    };
    for layer in layers.iter().filter(|layer| layer.scope != Scope::User) {
        let theirs = &layer.options.budget;
        let lowered = [
            lower(&mut budgets.run_usd, theirs.run_usd),
            lower(&mut budgets.day_usd, theirs.day_usd),
            theirs.refuse_unpriced != Some(false) || !budgets.refuse_unpriced,
            !theirs.raises(),
        ];
        budgets.refuse_unpriced |= theirs.refuse_unpriced == Some(true);
        if lowered.contains(&false) {
            warnings.push(format!(
                "{} sets a plan or raises a budget, which only your own configuration may do; that was ignored.",
                layer.source
            ));
        }
    }
    // Whoever chose the model chose its price: a repository must not get round a budget by a model without one.
    let chooser = layers.iter().find(|layer| layer.options.model.is_some() || layer.options.tiers.any());
    budgets.refuse_unpriced |= chooser.is_some_and(|layer| layer.scope != Scope::User);
    budgets
}

/// How often providers may be asked, by all layers together: the user's word, or less.
pub(super) fn limits(layers: &[Layer]) -> BTreeMap<String, RateLimit> {
    let mut limits: BTreeMap<String, RateLimit> = BTreeMap::new();
    for layer in layers.iter().filter(|layer| layer.scope == Scope::User) {
        for (provider, said) in &layer.options.limits {
            let limit = limits.entry(provider.clone()).or_default();
            limit.requests_per_minute = limit.requests_per_minute.or(said.requests_per_minute);
            limit.tokens_per_minute = limit.tokens_per_minute.or(said.tokens_per_minute);
            limit.at_once = limit.at_once.or(said.at_once);
        }
    }
    for layer in layers.iter().filter(|layer| layer.scope != Scope::User) {
        for (provider, said) in &layer.options.limits {
            let limit = limits.entry(provider.clone()).or_default();
            lower(&mut limit.requests_per_minute, said.requests_per_minute);
            lower(&mut limit.tokens_per_minute, said.tokens_per_minute);
            lower(&mut limit.at_once, said.at_once);
        }
    }
    limits
}

/// Takes over what is stricter. False when it is not.
fn lower<T: PartialOrd + Copy>(limit: &mut Option<T>, theirs: Option<T>) -> bool {
    let Some(theirs) = theirs else { return true };
    if limit.is_some_and(|limit| theirs > limit) {
        return false;
    }
    *limit = Some(theirs);
    true
}

#[cfg(test)]
mod tests {
    use super::super::{Options, resolve};
    use super::*;

    fn layer(scope: Scope, toml: &str) -> Layer {
        Layer { scope, source: format!("{scope:?}"), options: toml::from_str::<Options>(toml).unwrap() }
    }

    const USER: &str =
        "[budget]\nplan = 'pro'\nrun_usd = 0.5\npro_daily_cap_usd = 20\n[limits.openai]\nat_once = 4";

    #[test]
    fn a_repository_lowers_budgets_and_never_raises_them() {
        let theirs =
            "[budget]\nrun_usd = 0.25\nday_usd = 3\n[limits.openai]\nat_once = 9\nrequests_per_minute = 5";
        let settings = resolve(&[layer(Scope::Workspace, theirs), layer(Scope::User, USER)]);
        let budgets = settings.gateway.budgets;
        assert_eq!((budgets.run_usd, budgets.day_usd), (Some(0.25), Some(3.0)));
        assert_eq!((budgets.plan, budgets.plan_cap()), (Plan::Pro, Some(20.0)));
        let openai = settings.gateway.limits["openai"];
        assert_eq!((openai.at_once, openai.requests_per_minute), (Some(4), Some(5)));
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);

        for theirs in ["run_usd = 9", "plan = 'none'", "plan = 'enterprise'", "pro_daily_cap_usd = 99"] {
            let theirs = format!("[budget]\n{theirs}");
            let settings = resolve(&[layer(Scope::Workspace, &theirs), layer(Scope::User, USER)]);
            let budgets = settings.gateway.budgets;
            assert_eq!((budgets.run_usd, budgets.plan_cap()), (Some(0.5), Some(20.0)), "{theirs}");
            assert_eq!(settings.warnings.len(), 1, "{theirs}: {:?}", settings.warnings);
        }
        let unpriced = layer(Scope::Workspace, "model = 'vllm/mystery'");
        assert!(resolve(&[unpriced, layer(Scope::User, USER)]).gateway.budgets.refuse_unpriced);
        assert!(!resolve(&[layer(Scope::User, USER)]).gateway.budgets.refuse_unpriced);
    }

    #[test]
    fn a_stronger_layer_of_the_user_raises() {
        let settings = resolve(&[layer(Scope::User, "[budget]\nrun_usd = 2"), layer(Scope::User, USER)]);
        assert_eq!(settings.gateway.budgets.run_usd, Some(2.0));
        assert_eq!(settings.gateway.budgets.plan, Plan::Pro);
    }

    #[test]
    fn what_is_no_amount_and_no_plan_is_an_error() {
        for toml in ["[budget]\nrun_usd = -1", "[budget]\nday_usd = nan", "[budget]\nplan = 'gold'"] {
            assert!(toml::from_str::<Options>(toml).is_err(), "{toml}");
        }
    }
}
