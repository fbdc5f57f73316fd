//! Knowing when to stop: the same errors again and again are not mended by asking again.

use std::collections::BTreeMap;

use super::Finding;

/// How often the same errors may come back before it is given up.
pub const MAX_SAME: usize = 3;
/// How much of the errors a builder is shown.
const MAX_SHOWN: usize = 20;

/// What was tried so far on one component.
#[derive(Debug, Clone, Default)]
pub struct Attempts {
    seen: BTreeMap<Vec<String>, usize>,
    tried: Vec<String>,
}

/// What to do after a round of checks that found something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Give these errors back to the builder.
    Again(Vec<String>),
    /// Stop: the same errors came for the third time. What was tried, one line each, for the user.
    Stop(Vec<String>),
}

impl Attempts {
    /// Notes what came of one more attempt; `tried` says in a few words what was done in it.
    ///
    /// Errors are the same when they say the same of the same files, wherever their lines are by now.
    pub fn note(&mut self, found: &[Finding], tried: &str) -> Next {
        let mut same: Vec<String> = found.iter().map(|finding| format!("{:?}", finding.key())).collect();
        same.sort_unstable();
        same.dedup();
        let shown: Vec<String> = found.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
        let first = shown.first().map_or("", |line| line.lines().next().unwrap_or_default());
        self.tried.push(format!("{tried}: {first}"));
        let count = self.seen.entry(same).or_default();
        *count += 1;
        if *count >= MAX_SAME { Next::Stop(self.tried.clone()) } else { Next::Again(shown) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Tool;

    fn found(line: u32, message: &str) -> Finding {
        Finding {
            tool: Tool::Tsc,
            file: Some("a.ts".into()),
            line: Some(line),
            column: None,
            code: Some("TS1".into()),
            message: message.into(),
        }
    }

    #[test]
    fn the_same_error_three_times_stops_even_when_it_moves_and_others_come_between() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.note(&[found(1, "x")], "first"), Next::Again(vec!["a.ts:1: TS1: x".into()]));
        assert!(matches!(attempts.note(&[found(2, "y")], "second"), Next::Again(_)));
        assert!(matches!(attempts.note(&[found(7, "x"), found(9, "x")], "third"), Next::Again(_)));
        let Next::Stop(tried) = attempts.note(&[found(3, "x")], "fourth") else { panic!() };
        assert_eq!(tried.len(), 4);
        assert_eq!(tried[1], "second: a.ts:2: TS1: y");
    }
}
