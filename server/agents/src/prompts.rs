//! The prompts, as Markdown files with strict variables: a name that is not given is an error, never an empty string.

use std::sync::OnceLock;

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::ask::Intent;

macro_rules! prompts {
    ($($name:literal),* $(,)?) => {
        const PROMPTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../prompts/", $name)))),*];
    };
}

prompts![
    "system.md",
    "request.md",
    "continue.md",
    "repair.md",
    "again.md",
    "added.md",
    "edits.md",
    "edits_repair.md",
    "architect.md",
    "plan.md",
    "plan_again.md",
    "split.md",
    "part.md",
    "rewrite.md",
    "intents/fix.md",
    "intents/explain.md",
    "intents/test.md",
    "intents/document.md",
    "assist/system.md",
    "assist/context.md",
    "assist/task.md",
    "assist/memory.md",
    "assist/exchange.md",
    "assist/scope.md",
    "assist/code_advisor.md",
];

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        for (name, source) in PROMPTS {
            environment.add_template(name, source).expect("a test renders every prompt");
        }
        environment
    })
}

/// The prompt `name` with its variables filled in.
pub(crate) fn render(name: &str, variables: impl Serialize) -> String {
    let template = environment().get_template(name).expect("prompts are named by this crate only");
    template
        .render(minijinja::value::Serde(variables))
        .expect("a test renders every prompt with the variables it is given")
        .trim()
        .to_owned()
}

/// The wording of an intent that brings its own, or `None`.
pub(crate) fn intent(intent: Intent, selection: bool, diagnostics: bool) -> Option<String> {
    let name = match intent {
        Intent::Ask | Intent::Rewrite | Intent::Build => return None,
        Intent::Fix => "intents/fix.md",
        Intent::Explain => "intents/explain.md",
        Intent::Test => "intents/test.md",
        Intent::Document => "intents/document.md",
    };
    Some(render(name, serde_json::json!({ "selection": selection, "diagnostics": diagnostics })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_prompt_names_the_markers_of_this_run() {
        let prompt = render(
            "system.md",
            serde_json::json!({ "may_edit": true, "id": "7f3a", "target": "Hero", "path": "src/Hero.tsx" }),
        );
        assert!(prompt.contains("/// COMPONENT_START: NAME path=\"PATH\" exports=NAME id=7f3a ///"));
        assert!(prompt.contains("/// COMPONENT_END id=7f3a ///"));
        assert!(prompt.contains("// --- VIBECODER_COMPLETE ---"));
        assert!(prompt.contains("the name Hero and the path \"src/Hero.tsx\""));
    }

    #[test]
    fn a_conversation_that_may_not_edit_is_not_told_how() {
        let none = None::<&str>;
        let prompt = render(
            "system.md",
            serde_json::json!({ "may_edit": false, "id": "7f3a", "target": none, "path": none }),
        );
        assert!(!prompt.contains("COMPONENT_START"));
        assert!(prompt.contains("cannot change files"));
    }

    #[test]
    fn every_prompt_renders() {
        let failures = [serde_json::json!({ "name": "Hero", "reasons": ["line 3: `}` is missing"] })];
        assert!(
            render("repair.md", serde_json::json!({ "failures": failures, "id": "7f3a" }))
                .contains("line 3: `}` is missing")
        );
        assert!(render("again.md", serde_json::json!({ "path": "a.ts" })).contains("a.ts"));
        let places = [
            serde_json::json!({ "first": 3, "last": 4, "within": "function total", "alike": 100, "text": "  a", "cut": false }),
        ];
        let refused = [
            serde_json::json!({ "path": "a.ts", "hunks": [{ "reason": "It stands twice.", "places": places }] }),
        ];
        let repair = render("edits_repair.md", serde_json::json!({ "refused": refused, "id": "7f3a" }));
        assert!(repair.contains("- It stands twice."), "{repair}");
        assert!(repair.contains("Lines 3 to 4, in function total:\n\n  a\n"), "{repair}");
        assert!(render("edits.md", serde_json::json!({ "id": "7f3a" })).contains("/// SEARCH id=7f3a ///"));
        let tail = "  indented\ttail";
        assert!(
            render("continue.md", serde_json::json!({ "tail": tail, "id": "7f3a" }))
                .contains(&format!("\n\n{tail}\n\n"))
        );
        for kind in Intent::ALL {
            for (selection, diagnostics) in [(false, false), (true, true)] {
                assert_eq!(intent(kind, selection, diagnostics).is_none(), kind.needs_prompt());
            }
        }
        let none = None::<&str>;
        let bare = serde_json::json!({ "instruction": "Say hi", "path": none, "language": none, "text": none, "lines": none, "selection": none, "first_line": none, "last_line": none, "enclosing": none, "diagnostics": Vec::<String>::new() });
        assert_eq!(render("request.md", bare), "Say hi");
    }

    #[test]
    fn text_of_files_is_not_a_template() {
        let prompt = render("again.md", serde_json::json!({ "path": "{{ id }}<b>" }));
        assert!(prompt.contains("{{ id }}<b>"));
    }
}
