//! Which rule answers a request.

use crate::asked::Asked;
use crate::script::{Match, Pattern, Script};

/// How often each rule's conditions were met and how often it answered.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    met: Vec<usize>,
    answered: Vec<usize>,
}

impl Uses {
    /// Chooses the rule for a request and counts it.
    pub(crate) fn choose(&mut self, script: &Script, asked: &Asked) -> Option<usize> {
        self.met.resize(script.rules.len(), 0);
        self.answered.resize(script.rules.len(), 0);
        let mut chosen = None;
        for (index, rule) in script.rules.iter().enumerate() {
            if !met(&rule.when, asked) {
                continue;
            }
            self.met[index] += 1;
            let right_time = rule.when.nth.is_none_or(|nth| nth == self.met[index]);
            let used_up = rule.times.is_some_and(|times| self.answered[index] >= times);
            if chosen.is_none() && right_time && !used_up {
                chosen = Some(index);
                self.answered[index] += 1;
            }
        }
        chosen
    }
}

fn met(when: &Match, asked: &Asked) -> bool {
    let holds = |pattern: &Option<Pattern>, text: &str| pattern.as_ref().is_none_or(|p| matches(p, text));
    when.provider.is_none_or(|provider| provider == asked.provider)
        && holds(&when.model, &asked.model)
        && holds(&when.system, &asked.system)
        && holds(&when.last_user, asked.last_user())
        && (when.messages.is_none() || holds(&when.messages, &asked.all_messages()))
}

fn matches(pattern: &Pattern, text: &str) -> bool {
    match pattern {
        Pattern::Contains(part) => text.contains(part.as_str()),
        // Scripts are checked when they are loaded; a wrong expression in a script built in Rust matches nothing.
        Pattern::Regex { regex } => regex::Regex::new(regex).is_ok_and(|regex| regex.is_match(text)),
        Pattern::Not { not } => !matches(not, text),
        Pattern::All(all) => all.iter().all(|pattern| matches(pattern, text)),
    }
}
