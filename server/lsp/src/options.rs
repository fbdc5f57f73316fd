//! The editor's own settings: `initializationOptions` and `settings.assist`.
//!
//! Law: a setting that makes no sense is named in a sentence and left out; it never keeps the server from starting. Keys and
//! addresses are not taken from here (PROTOCOL.md, Handshake).

use assist_agents::runtime::Trust;
use assist_agents::{ApplyMode, Options, PipelineOptions, PlanPolicy};
use serde_json::{Map, Value};

/// What the editor set.
#[derive(Debug, Clone, Default)]
pub struct EditorOptions {
    /// For the engine.
    pub options: Options,
    /// Whether the workspace may be changed.
    pub trusted: bool,
    /// One sentence for each setting that could not be used.
    pub problems: Vec<String>,
}

impl EditorOptions {
    /// What the editor says of the workspace.
    pub fn trust(&self) -> Trust {
        if self.trusted { Trust::Trusted } else { Trust::Untrusted }
    }
}

/// The names of the settings.
pub const KEYS: [&str; 6] = ["provider", "model", "apply", "plan", "pipeline", "trusted"];

/// Reads the settings object. Nothing at all means the defaults.
pub fn read(value: Option<&Value>) -> EditorOptions {
    let mut editor = EditorOptions { trusted: true, ..EditorOptions::default() };
    let empty = Map::new();
    let settings = match value {
        None | Some(Value::Null) => &empty,
        // An empty table of Lua arrives as an empty list.
        Some(Value::Array(list)) if list.is_empty() => &empty,
        Some(Value::Object(settings)) => settings,
        Some(_) => {
            editor.problems.push("Assist's settings are not an object; they were ignored.".to_owned());
            &empty
        }
    };
    for (key, value) in settings {
        if value.is_null() {
            continue;
        }
        let understood = match (key.as_str(), value) {
            ("provider", Value::String(text)) => set(&mut editor.options.provider, text),
            ("model", Value::String(text)) => set(&mut editor.options.model, text),
            ("apply", value) => match serde_json::from_value::<ApplyMode>(value.clone()) {
                Ok(mode) => {
                    editor.options.apply = Some(mode);
                    true
                }
                Err(_) => false,
            },
            ("plan", value) => match serde_json::from_value::<PlanPolicy>(value.clone()) {
                Ok(policy) => {
                    editor.options.plan = Some(policy);
                    true
                }
                Err(_) => false,
            },
            // An empty table of Lua arrives as an empty list.
            ("pipeline", Value::Array(list)) if list.is_empty() => true,
            ("pipeline", value) => match serde_json::from_value::<PipelineOptions>(value.clone()) {
                Ok(pipeline) => {
                    editor.options.pipeline = pipeline;
                    true
                }
                Err(_) => false,
            },
            ("trusted", Value::Bool(trusted)) => {
                editor.trusted = *trusted;
                true
            }
            (key, _) if !KEYS.contains(&key) => {
                tracing::info!(key, "the editor sent a setting that is not known here");
                true
            }
            _ => false,
        };
        if !understood {
            editor.problems.push(format!("Assist's setting `{key}` cannot be `{value}`; it was ignored."));
        }
    }
    editor
}

fn set(setting: &mut Option<String>, text: &str) -> bool {
    // An empty text is what a settings page sends for nothing.
    *setting = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_makes_no_sense_is_named_and_left_out() {
        let editor = read(Some(
            &json!({ "provider": "ollama", "model": "", "apply": "never", "trusted": 1, "x": {} }),
        ));
        assert_eq!(editor.options.provider.as_deref(), Some("ollama"));
        assert_eq!((editor.options.model, editor.options.apply, editor.trusted), (None, None, true));
        assert_eq!(editor.problems.len(), 2, "{:?}", editor.problems);
        assert!(editor.problems[0].contains("apply"));
    }

    #[test]
    fn nothing_means_the_defaults() {
        for value in [None, Some(json!(null)), Some(json!({})), Some(json!([]))] {
            let editor = read(value.as_ref());
            assert!(editor.trusted && editor.problems.is_empty(), "{value:?}");
        }
        assert_eq!(read(Some(&json!("x"))).problems.len(), 1);
        assert!(!read(Some(&json!({ "trusted": false }))).trusted);
        assert_eq!(read(Some(&json!({ "apply": "preview" }))).options.apply, Some(ApplyMode::Preview));
    }

    #[test]
    fn stages_are_turned_off_by_name() {
        let editor = read(Some(&json!({ "pipeline": { "sentinel": false, "chunking": null } })));
        assert!(editor.problems.is_empty(), "{:?}", editor.problems);
        assert_eq!(editor.options.pipeline.sentinel, Some(false));
        assert_eq!(editor.options.pipeline.chunking, None);
        for wrong in [json!({ "sentinell": false }), json!({ "parallel": "many" }), json!("off")] {
            let editor = read(Some(&json!({ "pipeline": wrong })));
            assert_eq!((editor.problems.len(), editor.options.pipeline), (1, PipelineOptions::default()));
        }
    }

    #[test]
    fn keys_are_not_taken_from_an_editor() {
        let editor = read(Some(&json!({ "providers": { "openai": { "api_key": "x" } } })));
        assert!(editor.options.providers.is_empty());
    }
}
