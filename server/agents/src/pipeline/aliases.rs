//! What the project around a file calls its modules: `paths` and `baseUrl` of the nearest `tsconfig.json` or
//! `jsconfig.json`, with what that extends.
//!
//! What cannot be read or understood is no alias: the component's imports then stay as they were written. Configurations in
//! packages are not looked for.

use assist_base::DocPath;
use assist_syntax::{Alias, Language, Project};
use serde_json::Value;

use crate::run::Run;

/// How many configurations may extend one another.
const MAX_EXTENDS: usize = 8;
/// Larger files are no configuration.
const MAX_BYTES: usize = 1 << 20;

/// What is known around `path`; nothing but the path where the language has no such configuration.
pub(crate) async fn project(run: &Run, path: &DocPath) -> Project {
    let mut project = Project { path: Some(path.clone()), ..Project::default() };
    if !Language::of_path(path).is_some_and(is_ecma) {
        return project;
    }
    for folder in folders(path) {
        for name in ["tsconfig.json", "jsconfig.json"] {
            if let Some(config) = read(run, &join(&folder, name)).await {
                let options = extended(run, folder, config).await;
                project.aliases = options.aliases;
                project.base = options.base;
                return project;
            }
        }
    }
    project
}

fn is_ecma(language: Language) -> bool {
    matches!(language, Language::TypeScript | Language::Tsx | Language::JavaScript | Language::Jsx)
}

/// The folders around a file, the nearest first; the last one is the workspace.
fn folders(path: &DocPath) -> Vec<String> {
    let mut folder = path.as_str();
    let mut folders = Vec::new();
    while let Some((around, _)) = folder.rsplit_once('/') {
        folders.push(around.to_owned());
        folder = around;
    }
    folders.push(String::new());
    folders
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

async fn read(run: &Run, path: &str) -> Option<Value> {
    let document = run.host.read(&DocPath::relative(path).ok()?).await.ok()?;
    (document.text.len() <= MAX_BYTES).then(|| serde_json::from_str(&plain(&document.text)).ok()).flatten()
}

#[derive(Default)]
struct Options {
    aliases: Vec<Alias>,
    base: Option<String>,
    has_paths: bool,
}

/// The options of a configuration, what it says itself before what it extends.
async fn extended(run: &Run, folder: String, config: Value) -> Options {
    let mut options = Options::default();
    let mut next = vec![(folder, config)];
    for _ in 0..MAX_EXTENDS {
        let Some((folder, config)) = next.pop() else { break };
        options.take(&folder, &config["compilerOptions"]);
        let extends: Vec<&str> = match &config["extends"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        // Of several the last one counts most, and so is looked at first.
        for name in extends.into_iter().filter(|name| name.starts_with('.')) {
            for ending in ["", ".json"] {
                let path = normal(&join(&folder, &format!("{name}{ending}")));
                if let Some(path) = path
                    && let Some(config) = read(run, &path).await
                {
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
                    next.push((folder, config));
                    break;
                }
            }
        }
    }
    options
}

impl Options {
    /// Takes what is not known yet from a configuration in `folder`.
    fn take(&mut self, folder: &str, options: &Value) {
        let base = options["baseUrl"].as_str().and_then(|base| normal(&join(folder, base)));
        if let Some(paths) = options["paths"].as_object().filter(|_| !self.has_paths) {
            self.has_paths = true;
            // Without a `baseUrl` of its own `paths` is relative to the file it stands in.
            let from = base.as_deref().or(self.base.as_deref()).unwrap_or(folder);
            let alias = |(pattern, targets): (&String, &Value)| {
                let target = normal(&join(from, targets.get(0)?.as_str()?))?;
                Some(Alias { pattern: pattern.clone(), target })
            };
            self.aliases = paths.iter().filter_map(alias).collect();
        }
        if self.base.is_none() {
            self.base = base;
        }
    }
}

/// A path without `.` and `..`; `None` where it leaves the workspace.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// JSON without the comments and the trailing commas that a `tsconfig.json` may have.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim_start_matches('\u{feff}');
    while let Some(letter) = rest.chars().next() {
        if letter == '"' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, letter)| {
                let ends = *letter == '"' && !escaped;
                escaped = *letter == '\\' && !escaped;
                ends
            });
            let end = end.map_or(rest.len(), |(at, _)| at + 1);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |at| &rest[at..]);
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |at| &rest[at + 2..]);
        } else {
            if matches!(letter, '}' | ']') && out.trim_end().ends_with(',') {
                out.truncate(out.trim_end().len() - 1);
            }
            out.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_passed_over() {
        let text =
            "\u{feff}{\n  // one\n  \"a\": \"//no\\\"/*\", /* two\n */ \"b\": [1, 2, // three\n  ],\n}\n";
        let value: Value = serde_json::from_str(&plain(text)).unwrap();
        assert_eq!(value, serde_json::json!({ "a": "//no\"/*", "b": [1, 2] }));
        for hostile in ["\"", "\"\\", "/*", "//", ",", ",]", "é,}", "{\"a\": \"é"] {
            let _ = plain(hostile);
        }
    }

    #[test]
    fn paths_lead_from_the_base_or_from_their_file() {
        let mut options = Options::default();
        options.take(
            "web",
            &serde_json::json!({ "baseUrl": "./src", "paths": { "@/*": ["./*"], "~/*": ["../../up/*"] } }),
        );
        let of = |pattern: &str, target: &str| Alias { pattern: pattern.into(), target: target.into() };
        assert_eq!(options.aliases, [of("@/*", "web/src/*"), of("~/*", "up/*")]);
        assert_eq!(options.base.as_deref(), Some("web/src"));
        // What was said nearer to the file stays.
        options.take("", &serde_json::json!({ "baseUrl": ".", "paths": { "#/*": ["*"] } }));
        assert_eq!((options.aliases.len(), options.base.as_deref()), (2, Some("web/src")));
        let mut options = Options::default();
        options
            .take("web", &serde_json::json!({ "paths": { "@/*": ["src/*"], "!": ["../../out"], "bad": 1 } }));
        assert_eq!(options.aliases, [of("@/*", "web/src/*")]);
    }

    #[test]
    fn the_nearest_folder_comes_first() {
        let path = DocPath::relative("a/b/c.ts").unwrap();
        assert_eq!(folders(&path), ["a/b", "a", ""]);
    }
}
