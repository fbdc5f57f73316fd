//! Answers that nobody goes on with: their model refused in the middle, had no room left, or found no end.
//!
//! Asked to continue, such a model would do the same once more, so the run rests and the user chooses. What was received
//! stays; of it, the components that are whole stand ([`whole_part`]), and a resumed run asks anew for the rest. The answer
//! itself is kept but never told again ([`assist_gateway::KeptAnswer::is_told_again`]), so every resume makes one call and, where
//! the fault comes again, rests again.

use assist_base::PauseReason;
use assist_gateway::{Completion, GatewayError, ModelRef, StopReason};

use crate::pipeline::builder::{broken, ends_in_marker};
use crate::run::Break;

/// What was said between the last whole component and the one that was cut is kept up to so many bytes.
const MOST_BETWEEN: usize = 4 * 1024;

/// Why the run rests after an answer that ended so, if it does.
pub(crate) fn rests(done: &Completion, model: &ModelRef) -> Option<Break> {
    let sentence = match (&done.stop, &done.error) {
        (StopReason::Filter, _) => format!(
            "{model} broke its answer off by its content rules: resume to ask again or with another model, or ask in other words."
        ),
        (StopReason::ContextExceeded, _) => format!(
            "{model} ran out of room in the middle of its answer: resume with a model that has a larger context, or ask for less."
        ),
        (_, Some(error @ GatewayError::Endless { .. })) => return Some(broken(error)),
        _ => return None,
    };
    Some(Break::Paused(PauseReason::User, sentence))
}

/// What stands of such an answer: all up to the component in which it was cut, where one before that is whole; nothing
/// otherwise.
pub(crate) fn whole_part(raw: &str, marker: &str) -> String {
    let ours =
        |line: &str, word: &str| line.starts_with(word) && line.ends_with(&format!(" id={marker} ///"));
    let (mut at, mut whole, mut open) = (0, 0, None);
    for line in raw.split_inclusive('\n') {
        let bare = line.trim();
        let begins = ["/// COMPONENT_START:", "/// EDIT_START:"].iter().any(|word| ours(bare, word));
        if begins || (!line.ends_with('\n') && ends_in_marker(line)) {
            open.get_or_insert(at);
        }
        at += line.len();
        if ours(bare, "/// COMPONENT_END") {
            (whole, open) = (at, None);
        } else if ours(bare, "/// EDIT_END") {
            open = None;
        }
    }
    let end = open.unwrap_or(raw.len());
    // An endless answer says no less between components than in them.
    let end = if end - whole > MOST_BETWEEN { whole } else { end };
    if whole == 0 { String::new() } else { raw[..end].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::whole_part;

    #[test]
    fn what_stands_ends_where_the_answer_was_cut() {
        let one =
            "Talk.\n/// COMPONENT_START: A path=\"a.ts\" id=7f3a ///\na\n/// COMPONENT_END id=7f3a ///\n";
        for cut in [
            "",
            "/// COMPONENT_START: B id=7f3a ///\nhalf",
            "/// EDIT_START: b.ts id=7f3a ///\n<<<",
            "/// COMP",
        ] {
            assert_eq!(whole_part(&format!("{one}{cut}"), "7f3a"), one, "{cut}");
            assert_eq!(whole_part(&format!("Talk.\n{cut}"), "7f3a"), "", "{cut}");
        }
        assert_eq!(whole_part(&format!("{one}And now"), "7f3a"), format!("{one}And now"));
        assert_eq!(whole_part(&format!("{one}{}", "and so on ".repeat(1_000)), "7f3a"), one);
        assert_eq!(whole_part(one, "other"), "");
    }
}
